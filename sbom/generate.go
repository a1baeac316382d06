package sbom

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"plimsoll.example/sbom/golang"
	"plimsoll.example/sbom/npm"
)

// Options are what a document does not take from the build. The zero value is
// usable.
type Options struct {
	Time     time.Time // of the document; zero: the build's commit time, or none
	Tool     Tool      // what wrote the document
	ModCache string    // Go's module cache, for a binary's edges; "": none
	Artifact *Artifact // what was built from PATH, where that is another file
}

// A Tool names the program that writes a document.
type Tool struct{ Name, Version string }

// An Artifact is a file that a document describes.
type Artifact struct {
	Name           string // base name
	SHA256, SHA512 string // hexadecimal
}

// ErrUnknown reports a path that is no kind of build this package reads.
var ErrUnknown = errors.New("expected a Go module, a Go binary, or an npm project with a package-lock.json")

// Generate reads the build at path and returns its document. Path is a directory
// with a go.mod or a lockfile, one of these files, or a Go binary. A directory
// with both is an error that says how to choose.
func Generate(ctx context.Context, path string, o Options) (*Document, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading build: %w", err)
	}
	if info.IsDir() {
		return generateDirectory(ctx, path, o)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading build %q: %w, found %s", path, ErrUnknown, info.Mode().Type())
	}
	base := filepath.Base(path)
	switch {
	case base == "go.mod":
		return generateModule(ctx, filepath.Dir(path), o)
	case slices.Contains(npm.LockfileNames, base):
		return generateNPM(path, o)
	}
	doc, err := generateBinary(path, o)
	if errors.Is(err, golang.ErrNotGo) {
		return nil, fmt.Errorf("reading build %q: %w: %w", path, ErrUnknown, err)
	}
	return doc, err
}

func generateDirectory(ctx context.Context, dir string, o Options) (*Document, error) {
	var found []string
	for _, name := range append([]string{"go.mod"}, npm.LockfileNames...) {
		_, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err == nil:
			found = append(found, name)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("reading build %q: %w", dir, err)
		}
	}
	// npm prefers the shrinkwrap where there are both.
	if slices.Equal(found, npm.LockfileNames) {
		found = found[:1]
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("reading build %q: %w, found neither", dir, ErrUnknown)
	case len(found) > 1:
		return nil, fmt.Errorf("reading build %q: it is several builds; name one: %s or %s",
			dir, filepath.Join(dir, found[0]), filepath.Join(dir, found[1]))
	case found[0] == "go.mod":
		return generateModule(ctx, dir, o)
	}
	return generateNPM(filepath.Join(dir, found[0]), o)
}

func generateModule(ctx context.Context, dir string, o Options) (*Document, error) {
	build, err := golang.ReadDirectory(ctx, dir)
	if err != nil {
		return nil, err
	}
	return goDocument(build, o)
}

func generateBinary(path string, o Options) (*Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading build: %w", err)
	}
	defer f.Close()
	build, err := golang.ReadBinary(f, o.ModCache)
	if err != nil {
		return nil, err
	}
	if o.Artifact == nil {
		if o.Artifact, err = hashArtifact(f, filepath.Base(path)); err != nil {
			return nil, fmt.Errorf("reading build %q: %w", path, err)
		}
	}
	if o.Time.IsZero() {
		// An unreadable time is no time; the document then has none.
		o.Time, _ = time.Parse(time.RFC3339, build.Setting("vcs.time"))
	}
	return goDocument(build, o)
}

func generateNPM(path string, o Options) (*Document, error) {
	// Before it is opened: a pipe or a device could be read for ever.
	if info, err := os.Stat(path); err == nil && (!info.Mode().IsRegular() || info.Size() > npm.MaxLockfile) {
		return nil, fmt.Errorf("reading lockfile %q: expected a file of at most %d bytes, found %s of %d", path, npm.MaxLockfile, info.Mode(), info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading build: %w", err)
	}
	project, err := npm.ParseLockfile(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return npmDocument(project, o)
}
