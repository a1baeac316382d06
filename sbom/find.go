package sbom

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plimsoll.example/sbom/npm"
)

// ErrSeveral reports a directory that holds several builds; [Options.All] reads
// them all.
var ErrSeveral = errors.New("it is several builds")

// find names the builds that lie in a folder: go.mod, go.work, lockfiles, or
// node_modules.
func find(dir string) ([]string, error) {
	var found []string
	for _, name := range []string{"go.mod", "go.work"} {
		switch _, err := os.Stat(filepath.Join(dir, name)); {
		case err == nil:
			found = append(found, name)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("reading build %q: %w", dir, err)
		}
	}
	if len(found) == 2 { // a folder with a go.mod is that module; its go.work can be named
		found = found[:1]
	}
	scripts, err := npm.Find(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("reading build %q: %w", dir, err)
	}
	if len(found) > 0 && slices.Equal(scripts, []string{npm.NodeModules}) {
		scripts = nil
	}
	return append(found, scripts...), nil
}

func readFolder(ctx context.Context, dir string, o Options) ([]*part, error) {
	found, err := find(dir)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("reading build %q: %w, found neither%s", dir, ErrUnknown, lockedAbove(dir))
	case len(found) > 1:
		var all []string
		for _, name := range found {
			all = append(all, filepath.Join(dir, name))
		}
		return nil, fmt.Errorf("reading build %q: %w; name one: %s", dir, ErrSeveral, strings.Join(all, " or "))
	}
	o.found = true
	return readPath(ctx, filepath.Join(dir, found[0]), o)
}

// lockedAbove says where the lockfile of a workspace is, which has none itself.
func lockedAbove(dir string) string {
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil {
		return ""
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	for up := ".."; filepath.Dir(abs) != abs; up = filepath.Join(up, "..") {
		abs = filepath.Dir(abs)
		if found, err := npm.Find(os.DirFS(abs)); err == nil && len(found) > 0 && found[0] != npm.NodeModules {
			return fmt.Sprintf("; if it is a workspace, its lockfile is %s", filepath.Join(dir, up, found[0]))
		}
	}
	return "; its package.json names no versions that are installed, a lockfile does"
}

// findAll names every build in the trees below the paths; paths that are no folder
// stand for themselves. What is installed in node_modules or vendored is part of a
// build, and not one.
func findAll(ctx context.Context, paths []string) ([]string, error) {
	var all []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("reading build: %w", err)
		}
		if !info.IsDir() || filepath.Base(path) == npm.NodeModules {
			all = append(all, path)
			continue
		}
		before := len(all)
		err = filepath.WalkDir(path, func(dir string, e fs.DirEntry, err error) error {
			if err != nil || !e.IsDir() {
				return err
			}
			if name := e.Name(); dir != path && (name == npm.NodeModules || name == "vendor" || name == "testdata" || strings.HasPrefix(name, ".")) {
				return fs.SkipDir
			}
			found, err := find(dir)
			for _, name := range found {
				if name != npm.NodeModules || dir == path {
					all = append(all, filepath.Join(dir, name))
				}
			}
			return errors.Join(err, ctx.Err())
		})
		if err != nil {
			return nil, err
		}
		if len(all) == before {
			return nil, fmt.Errorf("reading build %q: %w, found none in the whole tree", path, ErrUnknown)
		}
	}
	return all, nil
}
