package main

import (
	"fmt"
	"os"

	"plimsoll.example/attest"
)

// output is a file to be written.
type output struct {
	path string
	data []byte
	perm os.FileMode
}

// writeAll writes several files: each is complete on disk under a temporary name
// before the first gets its own, so that a full disk or a wrong path leaves
// nothing.
func writeAll(files []output) error {
	var staged []*attest.Staged
	discard := func() {
		for _, s := range staged {
			s.Discard()
		}
	}
	for _, f := range files {
		s, err := attest.Stage(f.path, f.data, f.perm)
		if err != nil {
			discard()
			return failed(err).withHint("check that the folder is there and may be written to; nothing was written")
		}
		staged = append(staged, s)
	}
	return commitAll(staged)
}

// commitAll gives staged files their names.
func commitAll(staged []*attest.Staged) error {
	for i, s := range staged {
		if err := s.Commit(); err != nil {
			for _, rest := range staged[i:] {
				rest.Discard()
			}
			return failed(fmt.Errorf("%w (%d of %d files were written before it)", err, i, len(staged)))
		}
	}
	return nil
}
