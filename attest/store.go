package attest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Names of the files that hold an artifact's attestations.
const (
	BundlesSuffix = ".sigstore.jsonl" // ARTIFACT.sigstore.jsonl: one bundle a line
	SplitSuffix   = ".sigstore.json"  // ARTIFACT.TYPE.sigstore.json: one bundle
	lockSuffix    = ".lock"
)

// lockWait is how long one writer waits for another.
const lockWait = 30 * time.Second

// A Locked is a file of bundles that no other Plimsoll process appends to.
type Locked struct {
	path string
	lock *flock.Flock
}

// Lock takes path's lock (path with ".lock"). The caller must call
// [Locked.Unlock].
func Lock(ctx context.Context, path string) (*Locked, error) {
	path, err := realPath(path)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	name := path + lockSuffix
	for {
		lock := flock.New(name)
		if _, err := lock.TryLockContext(waiting, 20*time.Millisecond); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if waiting.Err() != nil {
				return nil, fmt.Errorf("waiting for %q: another process held it for %s", name, lockWait)
			}
			return nil, fmt.Errorf("locking %q: %w", name, WithoutPath(err))
		}
		// Unlock removes the file, so the one just locked may be gone already:
		// then somebody else may hold a new one.
		held, heldErr := lock.Stat()
		there, thereErr := os.Stat(name)
		if heldErr == nil && thereErr == nil && os.SameFile(held, there) {
			return &Locked{path: path, lock: lock}, nil
		}
		lock.Unlock()
	}
}

// realPath follows a link, so that everyone who writes through one name or the
// other takes the same lock and replaces the file and not the link.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		// A file that somebody made in between is no link, and is there.
		if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return "", fmt.Errorf("writing %q: expected a file or nothing there, found a link to nothing", path)
		}
		return path, nil // taking the lock beside it says what else is wrong
	}
	if err != nil {
		return "", fmt.Errorf("writing %q: %w", path, WithoutPath(err))
	}
	return real, nil
}

// Unlock removes the lock's file and releases it.
func (l *Locked) Unlock() {
	os.Remove(l.path + lockSuffix)
	l.lock.Unlock()
}

// StageAppend stages the file with bundles appended, each a line, leaving out
// those that are there already. It returns how many were added; nothing is
// staged, and staged is nil, when that is none.
func (l *Locked) StageAppend(bundles ...[]byte) (staged *Staged, added int, err error) {
	old, perm, err := l.read()
	if err != nil {
		return nil, 0, err
	}
	have := map[string]bool{}
	for line := range bytes.Lines(old) {
		have[string(bytes.TrimSpace(line))] = true
	}
	data := old
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	for _, bundle := range bundles {
		if have[string(bundle)] {
			continue
		}
		have[string(bundle)] = true
		data = append(append(data, bundle...), '\n')
		added++
	}
	if added == 0 {
		return nil, 0, nil
	}
	staged, err = Stage(l.path, data, perm)
	return staged, added, err
}

// read returns what the file holds and its permissions. A file that is something
// else, a key for instance, is refused and not added to.
func (l *Locked) read() (old []byte, perm fs.FileMode, err error) {
	f, err := OpenRegular(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0o644, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading %q: %w", l.path, WithoutPath(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		old, err = io.ReadAll(f)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading %q: %w", l.path, WithoutPath(err))
	}
	if text := bytes.TrimSpace(old); len(text) > 0 && text[0] != '{' {
		return nil, 0, fmt.Errorf("writing %q: expected a file of bundles or nothing there, found another file", l.path)
	}
	return old, info.Mode().Perm(), nil
}

// Append adds bundles to the file at path, each a line: all of them or, with an
// error, none. Lines that are there already are kept and not repeated.
func Append(ctx context.Context, path string, bundles ...[]byte) (added int, err error) {
	locked, err := Lock(ctx, path)
	if err != nil {
		return 0, err
	}
	defer locked.Unlock()
	staged, added, err := locked.StageAppend(bundles...)
	if err != nil || staged == nil {
		return 0, err
	}
	if err := staged.Commit(); err != nil {
		return 0, err
	}
	return added, nil
}
