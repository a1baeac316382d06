package sbom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"plimsoll.example/sbom/git"
	"plimsoll.example/sbom/npm"
)

// rootFS is what os.Root gives.
type rootFS interface {
	fs.StatFS
	fs.ReadDirFS
	fs.ReadLinkFS
}

// projectFS is a project's folder. Links are followed inside it only, but for the
// lockfile that the user named, which may be one itself.
type projectFS struct {
	rootFS
	root  *os.Root
	dir   string
	named string // "": the lockfile was found
}

func (p projectFS) Open(name string) (fs.File, error) {
	if name == p.named {
		return os.Open(filepath.Join(p.dir, name))
	}
	return p.rootFS.Open(name)
}

func (p projectFS) Stat(name string) (fs.FileInfo, error) {
	if name == p.named {
		return os.Stat(filepath.Join(p.dir, name))
	}
	return p.rootFS.Stat(name)
}

// OpenFolder opens a folder below the project on its own ([npm.Folder]).
func (p projectFS) OpenFolder(name string) (fs.FS, io.Closer, error) {
	sub, err := p.root.OpenRoot(name)
	if err != nil {
		return nil, nil, err
	}
	return sub.FS(), sub, nil
}

// readNPM reads the JavaScript project whose lockfile, or node_modules, is called
// file in dir.
func readNPM(ctx context.Context, dir, file string, o Options) ([]*part, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("reading build: %w", err)
	}
	defer root.Close()
	files, ok := root.FS().(rootFS)
	if !ok {
		return nil, errors.New("reading build: internal error: folders cannot be read here")
	}
	if o.OnlyBundled && len(o.Bundles) == 0 {
		return nil, errNoBundles
	}
	folder := projectFS{files, root, dir, file}
	if o.found {
		folder.named = ""
		if _, err := root.Stat(file); err != nil {
			return nil, fmt.Errorf("%s: reading build: %w; a link that leads out of the project is followed only if it is named: plimsoll sbom %[1]s", filepath.Join(dir, file), err)
		}
	}
	project, err := npm.Read(ctx, folder, file, o.NPM)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, file), err)
	}
	if root := project.Packages[0]; o.Version != "" && (!o.several || root.Version == "") {
		project.Packages[0].Version = o.Version
	}
	var outputs []*bundleFile
	if len(o.Bundles) > 0 {
		if outputs, err = readBundles(ctx, project, folder, dir, o.Bundles); err != nil {
			return nil, err
		}
		if o.OnlyBundled {
			project.KeepBundled()
		}
	}
	p, described := npmPart(project, len(outputs) > 0)
	nodes, gaps := described.bundleNodes(outputs, o)
	p.nodes, p.gaps = append(p.nodes, nodes...), append(p.gaps, gaps...)
	if err := described.native(ctx, p, root, o); err != nil {
		return nil, err
	}
	if err := described.attest(ctx, o); err != nil {
		return nil, err
	}
	addProperty(&p.root.component, logical, "true")
	described.describeFolders(o)
	if o.Time.IsZero() {
		if head, err := git.Head(ctx, dir); err == nil {
			p.time = head.Time
		}
	}
	return []*part{p}, nil
}

// describeFolders says of the project's folders that they are no files, and who made
// them: they, or whoever made the project.
func (p *npmProject) describeFolders(o Options) {
	for i, g := range p.groups {
		c := &p.nodes[i].component
		if i == 0 || p.Packages[g.places[0]].Source != npm.SourceWorkspace {
			continue
		}
		addProperty(c, logical, "true")
		if c.Manufacturer == nil {
			c.Manufacturer, c.Supplier = o.Manufacturer.entity(), o.Supplier.entity()
		}
		removeProperty(c, "plimsoll:unknown:producer")
		if c.Manufacturer == nil && c.Supplier == nil {
			addProperty(c, "plimsoll:unknown:producer", "nobody was named as the manufacturer or supplier")
		}
	}
}
