package npm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// reader parses one kind of lockfile.
type reader struct {
	file  string
	parse func(data []byte, folders manifests) (*Project, error)
}

// readers are the lockfiles that are read, in the order in which the package
// managers prefer them.
var readers = []reader{
	{"npm-shrinkwrap.json", parsePackageLock},
	{"package-lock.json", parsePackageLock},
	{"pnpm-lock.yaml", parsePNPM},
	{"yarn.lock", parseYarn},
	{"bun.lock", parseBun},
}

// NodeModules is the folder that packages are installed in; Read takes it where
// there is no lockfile.
const NodeModules = "node_modules"

// binaryLockfile is what bun wrote before version 1.2.
const binaryLockfile = "bun.lockb"

// LockfileNames returns the names of the lockfiles that are read.
func LockfileNames() []string {
	var names []string
	for _, r := range readers {
		names = append(names, r.file)
	}
	return names
}

// Find names the lockfiles that lie in a folder, or [NodeModules] if there is no
// lockfile but that. npm reads no package-lock.json beside an npm-shrinkwrap.json.
func Find(folder fs.FS) ([]string, error) {
	var found []string
	for _, r := range readers {
		if r.file == "package-lock.json" && slices.Contains(found, "npm-shrinkwrap.json") {
			continue
		}
		switch _, err := fs.Stat(folder, r.file); {
		case err == nil:
			found = append(found, r.file)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	if _, err := fs.Stat(folder, binaryLockfile); err == nil {
		return nil, errors.New("bun.lockb is binary and cannot be read; write a bun.lock with: bun install --save-text-lockfile --lockfile-only")
	}
	if info, err := fs.Stat(folder, NodeModules); err == nil && info.IsDir() {
		found = append(found, NodeModules)
	}
	return found, nil
}

// Options say what is read of a project. The zero value reads all there is.
type Options struct {
	LockfileOnly bool     // do not look into node_modules
	Omit         []string // leave out what is reachable through these only: dev, optional, peer
	Facts        string   // folder that keeps what licence texts were found to say; "": none
}

// Read reads the project whose lockfile, or [NodeModules], is called file in
// folder. Packages that lie in its node_modules folders are compared with the
// lockfile, and what their files tell is added. Nothing is executed or fetched.
func Read(ctx context.Context, folder fs.FS, file string, o Options) (*Project, error) {
	folders := manifests{folder}
	if file == NodeModules {
		places, gaps := folders.workspaceFolders()
		tree, err := walk(ctx, folder, places, o.Facts)
		if err != nil {
			return nil, err
		}
		p := tree.project(folders)
		p.Gaps = append(p.Gaps, gaps...)
		return p, p.omit(o.Omit)
	}
	i := slices.IndexFunc(readers, func(r reader) bool { return r.file == file })
	if i < 0 {
		return nil, fmt.Errorf("reading lockfile %q: expected one of %s", file, strings.Join(LockfileNames(), ", "))
	}
	data, err := readBounded(folder, file, MaxLockfile)
	if err != nil {
		return nil, fmt.Errorf("reading lockfile: %w", err)
	}
	p, err := parse(readers[i], data, folders)
	if err != nil {
		return nil, err
	}
	p.describeFolders(folders)
	if !o.LockfileOnly {
		tree, err := walk(ctx, folder, p.folders(), o.Facts)
		if err != nil {
			return nil, err
		}
		p.compare(tree)
	}
	return p, p.omit(o.Omit)
}

// ParseLockfile reads a lockfile without looking at any other file; file is its
// base name.
func ParseLockfile(file string, data []byte) (*Project, error) {
	return ParseLockfileIn(nil, file, data)
}

// ParseLockfileIn is [ParseLockfile] for a lockfile of the project in folder: what the
// project asks for is read from its package.json, and those of its workspaces.
func ParseLockfileIn(folder fs.FS, file string, data []byte) (*Project, error) {
	i := slices.IndexFunc(readers, func(r reader) bool { return r.file == file })
	if i < 0 {
		return nil, fmt.Errorf("reading lockfile %q: expected one of %s", file, strings.Join(LockfileNames(), ", "))
	}
	return parse(readers[i], data, manifests{folder})
}

func parse(r reader, data []byte, folders manifests) (*Project, error) {
	if len(data) > MaxLockfile {
		return nil, fmt.Errorf("reading lockfile: expected at most %d bytes, found %d", MaxLockfile, len(data))
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	for _, marker := range []string{"<<<<<<< ", ">>>>>>> "} {
		if bytes.HasPrefix(data, []byte(marker)) || bytes.Contains(data, []byte("\n"+marker)) {
			return nil, errors.New("reading lockfile: it has merge conflict markers; let the package manager resolve them, as npm install --package-lock-only does")
		}
	}
	p, err := r.parse(data, folders)
	if err != nil {
		if shown := WithoutUsers(err.Error()); shown != err.Error() { // libraries quote what they read
			err = errors.New(shown)
		}
		return nil, err
	}
	p.Format.File = r.file
	p.settleNames(folders)
	return p, nil
}

// manifests reads the package.json files of a project's own folders; without a
// folder there are none.
type manifests struct{ files fs.FS }

func (f manifests) read(place string) (*manifest, error) {
	if f.files == nil || !fs.ValidPath(path.Join(place, "package.json")) {
		return nil, fs.ErrNotExist
	}
	data, err := readBounded(f.files, path.Join(place, "package.json"), maxManifest)
	if err != nil {
		return nil, err
	}
	return parseManifest(data)
}

// readBounded reads a regular file. It looks before it opens: a pipe or a device
// could be read for ever.
func readBounded(files fs.FS, name string, most int64) ([]byte, error) {
	info, err := fs.Stat(files, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%q: expected a file of at most %d bytes, found %s of %d", name, most, info.Mode(), info.Size())
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// A buffer asks for so much room before each read, also the last.
	buf := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := io.Copy(buf, io.LimitReader(f, most+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > most {
		return nil, fmt.Errorf("%q: expected at most %d bytes, found more", name, most)
	}
	return buf.Bytes(), nil
}

// folders lists the places of the project's own folders, which may have
// node_modules of their own.
func (p *Project) folders() []string {
	list := []string{""}
	for i, pkg := range p.Packages {
		if i > 0 && pkg.Source == SourceWorkspace && !pkg.IsLink && fs.ValidPath(pkg.Place) {
			list = append(list, pkg.Place)
		}
	}
	return list
}

// describeFolders adds what a lockfile does not say about the project and its
// folders, from their package.json.
func (p *Project) describeFolders(folders manifests) {
	for i := range p.Packages {
		pkg := &p.Packages[i]
		if pkg.IsLink || (i > 0 && pkg.Source != SourceWorkspace) {
			continue
		}
		m, err := folders.read(pkg.Place)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				p.Gaps = append(p.Gaps, fmt.Sprintf("what %s says: %v", path.Join(pkg.Place, "package.json"), err))
			}
			continue
		}
		for _, field := range []struct {
			kind DriftKind
			here *string
			says string
		}{{DriftName, &pkg.Name, string(m.Name)}, {DriftVersion, &pkg.Version, string(m.Version)}} {
			switch {
			case field.says == "":
			case *field.here == "" || !p.Placed:
				*field.here = field.says
			case *field.here != field.says:
				p.Drift = append(p.Drift, Drift{Kind: field.kind, Place: pkg.Place, Name: pkg.Name, Locked: *field.here, Installed: field.says})
			}
		}
		if pkg.License == "" {
			pkg.License = m.license()
		}
		pkg.Installed = m.installed(pkg.Place)
	}
	root := &p.Packages[0]
	for i, e := range root.Edges { // that were not known by name
		if e.Kind == EdgeWorkspace && e.Name == "" {
			root.Edges[i].Name = p.Packages[e.To].Name
		}
	}
	slices.SortStableFunc(root.Edges, func(a, b Edge) int { return strings.Compare(a.Name, b.Name) })
}
