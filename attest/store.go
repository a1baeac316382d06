package attest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	name := path + lockSuffix
	for {
		lock := flock.New(name)
		if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("waiting for %q: another process holds it", name)
			}
			return nil, fmt.Errorf("locking %q: %w", name, withoutPath(err))
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

// Unlock removes the lock's file and releases it.
func (l *Locked) Unlock() {
	os.Remove(l.path + lockSuffix)
	l.lock.Unlock()
}

// StageAppend stages the file with bundles appended, each a line, leaving out
// those that are there already. It returns how many were added; nothing is
// staged, and staged is nil, when that is none.
func (l *Locked) StageAppend(bundles ...[]byte) (staged *Staged, added int, err error) {
	old, err := os.ReadFile(l.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("reading %q: %w", l.path, withoutPath(err))
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
	staged, err = Stage(l.path, data, 0o644)
	return staged, added, err
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
