//go:build unix

package decisionlog

import (
	"os"
	"syscall"
)

// openFlags keep open from following a link or waiting at a pipe that took the
// file's place after it was looked at.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// syncDir waits until a new file's name is on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
