package attest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// A Record is the regular files of a folder that patterns name, with their digests.
type Record struct {
	Files   []Subject // sorted by name, which is the path from the folder, with slashes
	LedOut  []string  // links that lead out of the folder, or nowhere; they are not followed
	Folders []string  // links to folders inside; what is in these is recorded under its own name, if a pattern names it
}

// ErrTooMany reports more files than the caller takes.
var ErrTooMany = errors.New("too many files")

// ErrNothing reports a pattern that names no file.
type ErrNothing struct{ Pattern string }

func (e *ErrNothing) Error() string { return fmt.Sprintf("%q names no file", e.Pattern) }

// RecordFiles hashes the files in dir that patterns name, once each: ** stands for any
// folders, {a,b} for either, and a folder for all that is in it. Links are followed
// inside of dir only. What a pattern of exclude names, and what is in such a folder,
// is left out. A pattern that is the name of a file or folder means that and nothing
// else. A pattern that names nothing is an [ErrNothing]; more than most files, unless
// that is 0, are an [ErrTooMany], before any of them is hashed. Empty files are files.
func RecordFiles(ctx context.Context, dir string, patterns, exclude []string, most int) (Record, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Record{}, fmt.Errorf("recording files: %w", err)
	}
	defer root.Close()
	r := recorder{ctx: ctx, root: root, names: map[string]bool{}}
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
	if most > 0 && len(r.names) > most {
		return Record{}, fmt.Errorf("recording files: %w: expected at most %d, found %d", ErrTooMany, most, len(r.names))
	}
	for _, name := range sortedNames(r.names) {
		digests, err := r.digest(name)
		if err != nil {
			return Record{}, fmt.Errorf("recording files: %q: %w", name, err)
		}
		r.Files = append(r.Files, Subject{Name: name, Digest: digests})
	}
	slices.Sort(r.LedOut)
	slices.Sort(r.Folders)
	r.LedOut, r.Folders = slices.Compact(r.LedOut), slices.Compact(r.Folders)
	return r.Record, nil
}

type recorder struct {
	Record
	ctx     context.Context
	root    *os.Root
	names   map[string]bool // of files to be recorded
	exclude []string
}

// literal is a pattern that means a name.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`)

func cleanPattern(pattern string) (string, error) {
	clean := path.Clean(filepath.ToSlash(pattern))
	if clean != "." && (!filepath.IsLocal(filepath.FromSlash(clean)) || !doublestar.ValidatePattern(clean)) {
		return "", fmt.Errorf("%q: expected a pattern of files below the folder", pattern)
	}
	return clean, nil
}

// pattern finds what one pattern names.
func (r *recorder) pattern(pattern string) error {
	clean, base := path.Clean(filepath.ToSlash(pattern)), ""
	info, err := fs.FileInfo(nil), error(fs.ErrNotExist)
	if filepath.IsLocal(filepath.FromSlash(clean)) {
		info, err = r.root.Stat(filepath.FromSlash(clean))
	}
	if err == nil {
		base, clean = clean, literal.Replace(clean)
		if info.IsDir() {
			clean = path.Join(clean, "**")
		}
	} else {
		if clean, err = cleanPattern(pattern); err != nil {
			return err
		}
		base, _ = doublestar.SplitPattern(clean)
	}
	for above := base; above != "."; above = path.Dir(above) {
		if r.excluded(above) {
			return &ErrNothing{pattern}
		}
	}
	found := false
	err = fs.WalkDir(r.root.FS(), base, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if r.excluded(name) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() || !doublestar.MatchUnvalidated(clean, name) {
			return r.ctx.Err()
		}
		regular, err := r.file(name, e)
		found = found || regular
		return err
	})
	if err == nil && !found || os.IsNotExist(err) {
		return &ErrNothing{pattern}
	}
	return err
}

func (r *recorder) excluded(name string) bool {
	return slices.ContainsFunc(r.exclude, func(no string) bool { return doublestar.MatchUnvalidated(no, name) })
}

// file notes one file; what is no regular file is none.
func (r *recorder) file(name string, e fs.DirEntry) (bool, error) {
	info, err := r.root.Stat(filepath.FromSlash(name))
	if e.Type()&fs.ModeSymlink != 0 {
		switch {
		case err != nil:
			r.LedOut = append(r.LedOut, name)
			return false, nil
		case info.IsDir():
			r.Folders = append(r.Folders, name)
			return false, nil
		}
	}
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	if !utf8.ValidString(name) {
		return false, fmt.Errorf("%q: expected a name in UTF-8, which statements are written in", name)
	}
	r.names[name] = true
	return true, nil
}

func (r *recorder) digest(name string) (DigestSet, error) {
	f, err := r.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, WithoutPath(err)
	}
	defer f.Close()
	digests, _, err := Digest(untilDone{r.ctx, f})
	return digests, err
}
