package tarball

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// What a [Difference] can be.
const (
	Added   = "added"   // in node_modules only
	Changed = "changed" // other bytes
	Removed = "removed" // in the tarball only
	Mode    = "mode"    // executable, though the tarball and its package.json do not say so
)

// A Difference is a file that was added, changed or removed after install.
type Difference struct {
	Path string // below the package's folder
	Kind string
}

// maxInstalled bounds the files and folders that are looked at.
const maxInstalled = 1_000_000

// Compare says how a package's folder in node_modules differs from the tarball,
// sorted; none means that each file is there with its bytes, and no other. The
// caller must have compared c.SHA512 with the lockfile before.
//
// Packages in the folder's node_modules are others and left out, symbolic links in
// place of them too, unless the tarball holds them. Any other symbolic link is
// added, since npm extracts none; it is not followed. Folders without a file are
// not reported.
//
// What npm itself changes is no difference (read in npm 11's sources):
//   - it makes the files of "bin" and directories.bin executable, and the CRLF at
//     the end of their first line an LF (bin-links, lib/fix-bin.js). Bundled
//     packages' own are not known, and all of their files may be changed so;
//   - it extracts .gitignore as .npmignore unless there is one (pacote,
//     lib/fetcher.js);
//   - up to version 6 it adds members that begin with "_" to package.json and
//     writes it anew: it may differ in these, in white space and in order, but not
//     in the order within exports and imports, which node heeds.
//
// A file that has lost its executable bits is no difference. An error says that
// something could not be read, and that nothing is known.
func (c *Contents) Compare(ctx context.Context, dir fs.FS) ([]Difference, error) {
	if len(c.Files) == 0 {
		return nil, errors.New("comparing with tarball: it holds no files")
	}
	w := &comparison{c: c, ctx: ctx, dir: dir, seen: map[string]bool{}, bundled: map[string]bool{}}
	for name := range c.Files {
		roots, _ := packages(name)
		for _, root := range roots {
			w.bundled[root] = true
		}
	}
	if err := fs.WalkDir(dir, ".", w.visit); err != nil {
		return nil, fmt.Errorf("comparing with tarball: %w", err)
	}
	for name := range c.Files {
		if !w.seen[name] && !w.dropped(name) {
			w.found = append(w.found, Difference{name, Removed})
		}
	}
	slices.SortFunc(w.found, func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Kind, b.Kind))
	})
	return w.found, nil
}

type comparison struct {
	c       *Contents
	ctx     context.Context
	dir     fs.FS
	seen    map[string]bool // files of the tarball that are there
	bundled map[string]bool // folders of packages that lie in the tarball
	visited int
	found   []Difference
}

// packages cuts a path at the packages that it lies in, which npm puts in
// node_modules right below another package's folder and nowhere else. The last one's
// own part is inside; "" is its folder.
func packages(name string) (roots []string, inside string) {
	start := 0
	for strings.HasPrefix(name[start:], nodeModules+"/") {
		end := start + len(nodeModules) + 1
		parts := 1
		if strings.HasPrefix(name[end:], "@") {
			parts = 2
		}
		for ; parts > 0; parts-- {
			i := strings.IndexByte(name[end:], '/')
			if i < 0 && parts > 1 {
				return roots, name[start:] // a scope
			}
			if i < 0 {
				return append(roots, name), ""
			}
			end += i + 1
		}
		roots = append(roots, name[:end-1])
		start = end
	}
	return roots, name[start:]
}

const nodeModules = "node_modules"

func (w *comparison) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.visited++; w.visited > maxInstalled {
		return fmt.Errorf("more than %d files and folders", maxInstalled)
	}
	roots, inside := packages(name)
	other := len(roots) > 0 && !w.bundled[roots[len(roots)-1]]
	switch {
	case d.IsDir() && other:
		return fs.SkipDir
	case d.IsDir() && !fs.ValidPath(name): // such a name is in no tarball, and cannot be opened
		w.found = append(w.found, Difference{name, Added})
		return fs.SkipDir
	case d.IsDir():
		return nil
	case d.Type()&fs.ModeSymlink != 0 && other && inside == "":
		return nil
	case !d.Type().IsRegular():
		w.found = append(w.found, Difference{name, Added})
		return nil
	}
	want, at, ok := w.wanted(name)
	if !ok {
		w.found = append(w.found, Difference{name, Added})
		return nil
	}
	w.seen[at] = true
	return w.file(name, want, len(roots) > 0)
}

// wanted is the tarball's file that npm extracts under a name, and its own name.
func (w *comparison) wanted(name string) (f File, at string, ok bool) {
	if f, ok = w.c.Files[name]; ok {
		return f, name, true
	}
	folder, base := path.Split(name)
	if base != ".npmignore" || w.seen[folder+".gitignore"] { // which WalkDir visits first
		return File{}, "", false
	}
	f, ok = w.c.Files[folder+".gitignore"]
	return f, folder + ".gitignore", ok
}

// dropped says whether npm leaves out a file that an ignore file of its own
// stands in place of.
func (w *comparison) dropped(name string) bool {
	folder, base := path.Split(name)
	if base != ".gitignore" {
		return false
	}
	_, ok := w.c.Files[folder+".npmignore"]
	return ok
}

// file compares a file that the tarball holds too.
func (w *comparison) file(name string, want File, bundled bool) error {
	f, err := w.dir.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		w.found = append(w.found, Difference{name, Changed})
		return nil
	}
	bin := bundled || w.c.Manifest.isBin(name)
	same, err := w.same(name, f, info.Size(), want, bin)
	if err != nil {
		return err
	}
	if !same {
		w.found = append(w.found, Difference{name, Changed})
	}
	if info.Mode()&0o111 != 0 && !want.Executable && !bin {
		w.found = append(w.found, Difference{name, Mode})
	}
	return nil
}

// same reads no more than the tarball's file had, or a package.json.
func (w *comparison) same(name string, f io.Reader, size int64, want File, bin bool) (bool, error) {
	if name == manifestName {
		data, err := io.ReadAll(io.LimitReader(w.reader(f), MaxManifest+1))
		if err != nil || len(data) > MaxManifest {
			return false, err
		}
		if sha256.Sum256(data) == want.SHA256 {
			return true, nil
		}
		sum, ok := meaning(data)
		return ok && w.c.manifest != [sha256.Size]byte{} && sum == w.c.manifest, nil
	}
	fixed := bin && want.unix != nil && size == want.Size-1
	if size != want.Size && !fixed {
		return false, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(w.reader(f), want.Size+1)); err != nil {
		return false, err
	}
	got := [sha256.Size]byte(sum.Sum(nil))
	return got == want.SHA256 || fixed && got == *want.unix, nil
}

// reader ends with the context.
func (w *comparison) reader(r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := w.ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
