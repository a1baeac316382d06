package attest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A Staged is a file that is complete on disk under a temporary name in the
// folder where it belongs. Several can be staged before the first appears.
type Staged struct{ temporary, final string }

// Stage writes data to a temporary file beside path and syncs it. The caller
// must call [Staged.Commit] or [Staged.Discard].
func Stage(path string, data []byte, perm fs.FileMode) (*Staged, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("writing %q: expected a file or nothing there, found %s", path, kindOf(info))
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp*")
	if err != nil {
		return nil, fmt.Errorf("writing %q: %w", path, WithoutPath(err))
	}
	s := &Staged{temporary: f.Name(), final: path}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		s.Discard()
		return nil, fmt.Errorf("writing %q: %w", path, WithoutPath(err))
	}
	return s, nil
}

func kindOf(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// WithoutPath drops the file's name from an error that tells it already, or whose
// name is a temporary one.
func WithoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Commit gives the file its final name.
func (s *Staged) Commit() error {
	if err := os.Rename(s.temporary, s.final); err != nil {
		s.Discard()
		return fmt.Errorf("writing %q: %w", s.final, err)
	}
	return nil
}

// CommitNew gives the file its final name, unless something has it already.
func (s *Staged) CommitNew() error {
	defer s.Discard()
	if err := os.Link(s.temporary, s.final); err != nil {
		var link *os.LinkError
		if errors.As(err, &link) {
			err = link.Err
		}
		return fmt.Errorf("writing %q: %w", s.final, err)
	}
	return nil
}

// Discard removes what was staged.
func (s *Staged) Discard() { os.Remove(s.temporary) }

// WriteFile writes a whole file or nothing.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	s, err := Stage(path, data, perm)
	if err != nil {
		return err
	}
	return s.Commit()
}
