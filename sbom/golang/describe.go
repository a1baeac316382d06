package golang

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
	"golang.org/x/sync/errgroup"

	"plimsoll.example/sbom/license"
)

// describe fills in hashes and licences of the modules, from their zips, and for
// those without zip from the vendor folder or the folder that replaces them.
// folders has the latter by key.
func (b *Build) describe(ctx context.Context, o Options, vendor *vendored, folders map[string]string) error {
	c := cache{modules: o.ModCache, facts: o.Facts, skipZips: o.SkipZips}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range b.Modules {
		m := &b.Modules[i]
		if m.Path == Std {
			// The licence of Go itself, https://go.dev/LICENSE.
			m.License, m.HashUnknown = "BSD-3-Clause", "it comes with the Go toolchain; there is no zip of it"
			continue
		}
		folder := folders[m.Key()]
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			m.describe(c, vendor, folder)
			return nil
		})
	}
	group.Go(func() error { b.describeMain(c, folders[b.Main.Key()]); return nil })
	return group.Wait()
}

// describeMain describes the main module: a folder, or what a binary was
// installed from.
func (b *Build) describeMain(c cache, folder string) {
	if folder == "" {
		c.describe(&b.Main)
		return
	}
	b.Main.HashUnknown = builtHere
	b.Main.concludeFrom(folder)
}

func (m *Module) describe(c cache, vendor *vendored, folder string) {
	switch {
	case m.Workspace:
		m.HashUnknown, m.LicenseUnknown = builtHere, builtHere
	case m.Local:
		m.HashUnknown, m.LicenseUnknown = localFiles, localFiles
	default:
		c.describe(m)
		if m.License != "" || vendor == nil || vendor.folder(*m) == "" {
			return
		}
		if m.SHA256 == "" && m.HashUnknown == notInCache {
			m.HashUnknown = vendoredFiles
		}
		folder = vendor.folder(*m)
	}
	if folder == "" {
		return
	}
	m.concludeFrom(folder)
	// A vendor folder lacks files that the folder has.
	if m.Local && m.RequiredVersion != "" && vendor == nil {
		m.LocalSum = folderSum(folder, module.Version{Path: m.Path, Version: m.RequiredVersion})
	}
}

// concludeFrom concludes the licence from the texts in a folder.
func (m *Module) concludeFrom(folder string) {
	c := license.Conclude(nil)
	if texts, err := folderTexts(folder); err != nil {
		c.Unknown = "its texts cannot be read: " + withoutPath(err).Error()
	} else {
		c = license.Conclude(texts)
	}
	m.License, m.LicenseUnknown = c.Expression, c.Unknown
}

func folderTexts(folder string) ([]license.Text, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var texts []license.Text
	for _, e := range entries {
		if !e.Type().IsRegular() || !license.IsTextName(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if info.Size() > license.MaxText {
			return nil, fmt.Errorf("%s is larger than %d bytes", e.Name(), license.MaxText)
		}
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, license.Text{Name: e.Name(), Data: data})
	}
	return texts, nil
}

// folderSum is the dirhash of the files that the go command would put into the
// folder's zip; "" if it would not make one.
func folderSum(folder string, v module.Version) string {
	checked, err := modzip.CheckDir(folder)
	if err != nil {
		return ""
	}
	prefix := v.Path + "@" + v.Version + "/"
	files := make([]string, len(checked.Valid))
	byName := make(map[string]string, len(checked.Valid))
	for i, f := range checked.Valid { // with the folder in front
		files[i] = prefix + relative(filepath.Clean(folder), f)
		byName[files[i]] = f
	}
	sum, err := dirhash.Hash1(files, func(name string) (io.ReadCloser, error) { return os.Open(byName[name]) })
	if err != nil {
		return ""
	}
	return sum
}

// withoutPath drops the path from an error, which names a place on this machine.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
