package npm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"plimsoll.example/sbom/license"
)

// maxInstalled bounds the packages that are looked at below one project.
const maxInstalled = 500_000

// An Installed is a package as it lies in node_modules. What its package.json
// says, strangers wrote.
type Installed struct {
	Place, Name, Version string
	License              string             // as declared
	Texts                license.Conclusion // what its licence texts say
	Author               Person
	Homepage, Repository string
	Engines, Funding     []string
	Scripts              []Script // that run when it is installed
	BindingGyp           bool     // npm compiles it when it is installed
	Native               []string // its files that are programs or libraries for a processor, below Place

	manifest *manifest
	names    []string // of what is in its folder
	isLink   bool     // to the place link
	link     string   // "": the project itself
	outside  bool     // it is a link that leads out of the project
	problem  string   // why its package.json is not read
	unread   []string // licence texts that cannot be read, and why
}

// tree is what lies in the node_modules folders of a project.
type tree struct {
	packages []*Installed // sorted by place
	byPlace  map[string]int
	hidden   map[string]*lockItem // npm's node_modules/.package-lock.json
	gaps     []string
	unread   []string // folders in which packages may lie
}

// walker finds packages. It looks where package managers put them, and nowhere
// else: what test fixtures call node_modules is not installed.
type walker struct {
	ctx   context.Context
	files fs.FS
	seen  map[string]bool // folders whose node_modules were looked into
	found []*Installed
	gaps  []string

	unread []string // folders
}

// walk reads the node_modules of the project's folders, and what lies in them. A
// project without any has an empty tree. facts is the folder that keeps what licence
// texts say.
func walk(ctx context.Context, files fs.FS, folders []string, facts string) (*tree, error) {
	w := &walker{ctx: ctx, files: files, seen: map[string]bool{}}
	for _, folder := range folders {
		if err := w.folder(folder); err != nil {
			return nil, err
		}
	}
	t := &tree{byPlace: map[string]int{}, hidden: readHidden(files)}
	if len(w.found) == 0 {
		facts = ""
	}
	memo := license.OpenMemo(facts)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for chunk := range slices.Chunk(w.found, 64) {
		group.Go(func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = fmt.Errorf("reading node_modules: internal error: %v", r)
				}
			}()
			for _, in := range chunk {
				if err := ctx.Err(); err != nil {
					return err
				}
				in.read(files, memo)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	memo.Keep()
	slices.SortFunc(w.found, func(a, b *Installed) int { return strings.Compare(a.Place, b.Place) })
	w.found = slices.CompactFunc(w.found, func(a, b *Installed) bool { return a.Place == b.Place })
	t.packages, t.gaps, t.unread = w.found, w.gaps, w.unread
	for i, in := range t.packages {
		t.byPlace[in.Place] = i
		if in.problem != "" {
			t.gaps = append(t.gaps, fmt.Sprintf("what lies at %q: %s", in.Place, in.problem))
		}
		for _, text := range in.unread {
			t.gaps = append(t.gaps, fmt.Sprintf("what the licence text %s/%s", in.Place, text))
		}
	}
	return t, nil
}

// stores are folders in node_modules in which pnpm, bun, yarn and npm keep
// packages that others link to: STORE/KEY/node_modules/NAME, or yarn's
// STORE/KEY/package.
var stores = []string{".pnpm", ".bun", ".store"}

// folder looks into a folder's node_modules.
func (w *walker) folder(place string) error {
	if w.seen[place] {
		return nil
	}
	w.seen[place] = true
	if err := w.ctx.Err(); err != nil {
		return err
	}
	modules := path.Join(place, NodeModules)
	if len(modules) > maxPlace {
		w.gaps = append(w.gaps, fmt.Sprintf("what lies below %.100q...: its path has more than %d bytes", modules, maxPlace))
		return nil
	}
	entries, err := fs.ReadDir(w.files, modules)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.skip(modules, err)
		}
		return nil
	}
	for _, e := range entries {
		name := e.Name()
		at := modules + "/" + name
		switch {
		case slices.Contains(stores, name) && e.IsDir():
			err = w.store(at)
		case strings.HasPrefix(name, "."):
		case strings.HasPrefix(name, "@") && e.IsDir():
			var scoped []fs.DirEntry
			if scoped, err = fs.ReadDir(w.files, at); err != nil {
				w.skip(at, err)
				err = nil
				continue
			}
			for _, e := range scoped {
				if err == nil && !strings.HasPrefix(e.Name(), ".") {
					err = w.entry(at+"/"+e.Name(), e)
				}
			}
		default:
			err = w.entry(at, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// skip notes a folder that cannot be read.
func (w *walker) skip(folder string, err error) {
	w.unread = append(w.unread, folder)
	w.gaps = append(w.gaps, fmt.Sprintf("what lies in %q: %v", folder, cause(err)))
}

// hides says whether a place lies in a folder that cannot be read.
func (t *tree) hides(place string) bool {
	return slices.ContainsFunc(t.unread, func(folder string) bool { return strings.HasPrefix(place, folder+"/") })
}

func (w *walker) store(at string) error {
	keys, err := fs.ReadDir(w.files, at)
	if err != nil {
		w.skip(at, err)
		return nil
	}
	for _, key := range keys {
		if !key.IsDir() || key.Name() == NodeModules {
			continue
		}
		inside := path.Join(at, key.Name())
		if _, err := fs.Stat(w.files, inside+"/package/package.json"); err == nil {
			if err := w.pkg(inside + "/package"); err != nil {
				return err
			}
		}
		if err := w.folder(inside); err != nil {
			return err
		}
	}
	return nil
}

// entry looks at one name in a node_modules folder.
func (w *walker) entry(at string, e fs.DirEntry) error {
	switch {
	case e.IsDir():
		return w.pkg(at)
	case e.Type()&fs.ModeSymlink == 0:
		return nil // a file is no package
	}
	target, err := fs.ReadLink(w.files, at)
	to := path.Join(path.Dir(at), target)
	if err != nil || path.IsAbs(target) || !fs.ValidPath(to) {
		w.found = append(w.found, &Installed{Place: at, outside: true, problem: "it is a link that leads out of the project"})
		return nil
	}
	if info, err := fs.Stat(w.files, to); err != nil || !info.IsDir() {
		w.found = append(w.found, &Installed{Place: at, outside: true, problem: "it is a link to what is no folder of the project"})
		return nil
	}
	if to == "." {
		to = ""
	}
	w.found = append(w.found, &Installed{Place: at, isLink: true, link: to})
	if to == "" || inNodeModules(to) {
		return nil // a store has it, or it is found on its own
	}
	if w.seen["link "+to] {
		return nil
	}
	w.seen["link "+to] = true
	return w.pkg(to)
}

// pkg adds a package's folder and looks into its own node_modules.
func (w *walker) pkg(at string) error {
	if len(w.found) >= maxInstalled {
		return fmt.Errorf("reading node_modules: more than %d packages", maxInstalled)
	}
	in := &Installed{Place: at}
	w.found = append(w.found, in)
	var err error
	if in.names, err = listNames(w.files, at); err != nil {
		in.problem = cause(err).Error()
		return nil
	}
	if slices.Contains(in.names, NodeModules) {
		return w.folder(at)
	}
	return nil
}

// cause leaves out the operation and path that were said already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// A Folder is a folder that can be opened on its own, so that its files are found
// without walking the path to it again.
type Folder interface {
	OpenFolder(name string) (files fs.FS, closer io.Closer, err error)
}

// openFolder opens a folder by itself where the file system can, else as a part.
func openFolder(files fs.FS, name string) (fs.FS, io.Closer, error) {
	if f, ok := files.(Folder); ok {
		return f.OpenFolder(name)
	}
	return below{files, name}, io.NopCloser(nil), nil
}

// below is a part of a file system. fs.Sub would open a file to ask what it is,
// which a pipe does not answer.
type below struct {
	files fs.FS
	dir   string
}

func (b below) Open(name string) (fs.File, error) { return b.files.Open(path.Join(b.dir, name)) }
func (b below) Stat(name string) (fs.FileInfo, error) {
	return fs.Stat(b.files, path.Join(b.dir, name))
}
func (b below) ReadDir(name string) ([]fs.DirEntry, error) {
	return fs.ReadDir(b.files, path.Join(b.dir, name))
}

// read reads what a package says and what its licence texts say.
func (in *Installed) read(files fs.FS, memo *license.Memo) {
	if in.isLink || in.outside || in.problem != "" {
		return
	}
	if !slices.Contains(in.names, "package.json") {
		in.problem = "it has no package.json"
		return
	}
	folder, closer, err := openFolder(files, in.Place)
	if err != nil {
		in.problem = cause(err).Error()
		return
	}
	defer closer.Close()
	data, err := readBounded(folder, "package.json", maxManifest)
	if err == nil {
		var m *manifest
		if m, err = parseManifest(data); err == nil {
			in.BindingGyp = slices.Contains(in.names, "binding.gyp")
			in.describe(m)
		}
	}
	if err != nil {
		in.problem = fmt.Sprintf("its package.json cannot be read: %v", cause(err))
		return
	}
	var texts []license.Text
	for _, name := range in.names {
		if !license.IsTextName(name) {
			continue
		}
		data, err := readBounded(folder, name, license.MaxText)
		if info, none := fs.Stat(folder, name); none == nil && info.IsDir() {
			continue
		}
		if err != nil {
			in.unread = append(in.unread, fmt.Sprintf("%s says: %v", name, cause(err)))
			continue
		}
		texts = append(texts, license.Text{Name: name, Data: data})
	}
	in.Texts = memo.Conclude(texts)
	in.findNative(folder)
	in.names = nil
}

// listNames lists a folder, sorted. It asks for no more than names where it can:
// the rest takes a call for each.
func listNames(files fs.FS, dir string) ([]string, error) {
	f, err := files.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var names []string
	if lister, ok := f.(interface{ Readdirnames(int) ([]string, error) }); ok {
		names, err = lister.Readdirnames(-1)
	} else {
		var entries []fs.DirEntry
		entries, err = fs.ReadDir(files, dir)
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

func (in *Installed) describe(m *manifest) {
	in.manifest = m
	in.Name, in.Version, in.License = string(m.Name), string(m.Version), m.license()
	in.Author, in.Homepage, in.Repository = Person(m.Author), string(m.Homepage), string(m.Repository)
	if in.Author.Name == "" && len(m.Maintainers) > 0 {
		in.Author = m.Maintainers[0]
	}
	in.Engines, in.Funding = m.Engines.pairs(), m.Funding
	in.Scripts = m.installScripts(false)
	// npm compiles what has a binding.gyp and no script of its own for that
	// (npm docs, "scripts").
	in.BindingGyp = in.BindingGyp && !m.Gypfile.declined && m.Scripts["install"] == "" && m.Scripts["preinstall"] == ""
}

// installed is what a folder of the project says of itself.
func (m *manifest) installed(place string) *Installed {
	in := &Installed{Place: place}
	in.describe(m)
	return in
}

// readHidden reads npm's own note of what it installed. It is believed where a
// package's name and version agree with it: npm disregards the whole file where
// folders are newer, and copying makes them so.
func readHidden(files fs.FS) map[string]*lockItem {
	data, err := readBounded(files, path.Join(NodeModules, ".package-lock.json"), MaxLockfile)
	if err != nil {
		return nil
	}
	var lock lockfile
	if jsonv2.Unmarshal(data, &lock) != nil {
		return nil
	}
	return lock.Packages
}
