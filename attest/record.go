package attest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// A Record is the regular files of a folder that patterns name, with their digests.
type Record struct {
	Files  []Subject // sorted by name, which is the path from the folder, with slashes
	LedOut []string  // links that lead out of the folder; they are not followed
}

// ErrNothing reports a pattern that names no file.
type ErrNothing struct{ Pattern string }

func (e *ErrNothing) Error() string { return fmt.Sprintf("%q names no file", e.Pattern) }

// RecordFiles hashes the files in dir that patterns name, once each: ** stands for any
// folders, {a,b} for either, and a folder for all that is in it. Links are followed
// inside of dir only. What a pattern of exclude names, and what is in such a folder,
// is left out. A pattern that names nothing is an [ErrNothing]. Empty files are files.
func RecordFiles(ctx context.Context, dir string, patterns, exclude []string) (Record, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Record{}, fmt.Errorf("recording files: %w", err)
	}
	defer root.Close()
	r := recorder{ctx: ctx, root: root, done: map[string]bool{}}
	for _, pattern := range exclude {
		clean, err := cleanPattern(pattern)
		if err != nil {
			return Record{}, fmt.Errorf("recording files: %w", err)
		}
		r.exclude = append(r.exclude, clean)
	}
	for _, pattern := range patterns {
		if err := r.pattern(pattern); err != nil {
			return Record{}, fmt.Errorf("recording files: %w", err)
		}
	}
	slices.SortFunc(r.Files, func(a, b Subject) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(r.LedOut)
	return r.Record, nil
}

type recorder struct {
	Record
	ctx  context.Context
	root *os.Root
	done map[string]bool

	exclude []string
}

func cleanPattern(pattern string) (string, error) {
	clean := path.Clean(filepath.ToSlash(pattern))
	if clean != "." && (!filepath.IsLocal(filepath.FromSlash(clean)) || !doublestar.ValidatePattern(clean)) {
		return "", fmt.Errorf("%q: expected a pattern of files below the folder", pattern)
	}
	return clean, nil
}

// pattern records what one pattern names.
func (r *recorder) pattern(pattern string) error {
	clean, err := cleanPattern(pattern)
	if err != nil {
		return err
	}
	if info, err := r.root.Stat(filepath.FromSlash(clean)); err == nil && info.IsDir() {
		clean = path.Join(clean, "**")
	}
	base, _ := doublestar.SplitPattern(clean)
	found := false
	err = fs.WalkDir(r.root.FS(), base, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.ContainsFunc(r.exclude, func(no string) bool { return doublestar.MatchUnvalidated(no, name) }) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() || !doublestar.MatchUnvalidated(clean, name) {
			return r.ctx.Err()
		}
		if r.done[name] {
			found = true
			return nil
		}
		recorded, err := r.file(name, e)
		found = found || recorded
		return err
	})
	if err == nil && !found || os.IsNotExist(err) {
		return &ErrNothing{pattern}
	}
	return err
}

// file records one file; what is no regular file is none.
func (r *recorder) file(name string, e fs.DirEntry) (bool, error) {
	info, err := r.root.Stat(filepath.FromSlash(name))
	if e.Type()&fs.ModeSymlink != 0 && (err != nil || info.IsDir()) {
		if err != nil && !slices.Contains(r.LedOut, name) {
			r.LedOut = append(r.LedOut, name)
		}
		return false, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	f, err := r.root.Open(filepath.FromSlash(name))
	if err != nil {
		return false, err
	}
	defer f.Close()
	digests, _, err := Digest(untilDone{r.ctx, f})
	if err != nil {
		return false, fmt.Errorf("%q: %w", name, err)
	}
	r.done[name] = true
	r.Files = append(r.Files, Subject{Name: name, Digest: digests})
	return true, nil
}
