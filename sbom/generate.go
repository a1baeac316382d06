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

	"plimsoll.example/sbom/git"
	"plimsoll.example/sbom/golang"
	"plimsoll.example/sbom/license"
	"plimsoll.example/sbom/npm"
)

// Options are what a document does not take from the build. The zero value is
// usable.
type Options struct {
	SpecVersion  string         // of CycloneDX, "1.7" or "1.6"; "": 1.7
	RandomSerial bool           // a serial number that no other run has
	Time         time.Time      // of the document; zero: the commit's, or none
	Tool         Tool           // what wrote the document
	Authors      []Contact      // of the document
	Manufacturer *Organization  // of the document and of what was built
	Supplier     *Organization  // the same
	License      string         // of what was built, an SPDX expression; "": what its texts say
	Name         string         // of several builds together
	Version      string         // of what was built; "": what the build says; of several together, and of those that say none
	Artifact     *Artifact      // what was built from the path, where that is another file
	Go           golang.Options // how Go builds are read

	several bool // paths
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

// Generate reads the builds at the paths and returns one document. A path is a
// directory with a go.mod, a go.work or a lockfile, one of these files, or a Go
// binary. A directory with several is an error that says how to choose.
func Generate(ctx context.Context, paths []string, o Options) (*Document, error) {
	if o.SpecVersion != "" && o.SpecVersion != "1.6" && o.SpecVersion != "1.7" {
		return nil, fmt.Errorf("writing SBOM: expected CycloneDX 1.6 or 1.7, found %q", o.SpecVersion)
	}
	if o.License != "" && !license.IsExpression(o.License) {
		return nil, fmt.Errorf("writing SBOM: expected a licence as an SPDX expression, such as MIT or LicenseRef-acme-terms, found %q", o.License)
	}
	if len(paths) == 0 {
		return nil, errors.New("reading build: no path was given")
	}
	if o.Artifact != nil && len(paths) > 1 {
		return nil, errors.New("reading build: one artifact was built from one path")
	}
	o.several = len(paths) > 1
	var parts []*part
	for _, path := range paths {
		found, err := readPath(ctx, path, o)
		if err != nil {
			return nil, err
		}
		parts = append(parts, found...)
	}
	if o.Artifact != nil && len(parts) == 1 && parts[0].root.component.Hashes == nil {
		describeArtifact(&parts[0].root.component, *o.Artifact)
	}
	return seal(parts, o)
}

// readPath reads one build, or the several of a workspace.
func readPath(ctx context.Context, path string, o Options) ([]*part, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading build: %w", err)
	}
	if info.IsDir() {
		return readFolder(ctx, path, o)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading build %q: %w, found %s", path, ErrUnknown, info.Mode().Type())
	}
	base := filepath.Base(path)
	switch {
	case base == "go.mod":
		return readModule(ctx, filepath.Dir(path), o)
	case base == "go.work":
		return readWorkspace(ctx, path, o)
	case slices.Contains(npm.LockfileNames, base):
		return readNPM(ctx, path, o)
	}
	found, err := readBinary(ctx, path, o)
	if errors.Is(err, golang.ErrNotGo) {
		return nil, fmt.Errorf("reading build %q: %w: %w", path, ErrUnknown, err)
	}
	return found, err
}

func readFolder(ctx context.Context, dir string, o Options) ([]*part, error) {
	var found []string
	for _, name := range append([]string{"go.mod", "go.work"}, npm.LockfileNames...) {
		_, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err == nil:
			found = append(found, name)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("reading build %q: %w", dir, err)
		}
	}
	// npm prefers the shrinkwrap where there are both, and a folder with a go.mod is
	// that module; its go.work can be named.
	if slices.Equal(found, npm.LockfileNames) || (len(found) == 2 && found[0] == "go.mod" && found[1] == "go.work") {
		found = found[:1]
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("reading build %q: %w, found neither", dir, ErrUnknown)
	case len(found) > 1:
		return nil, fmt.Errorf("reading build %q: it is several builds; name one: %s or %s",
			dir, filepath.Join(dir, found[0]), filepath.Join(dir, found[1]))
	}
	return readPath(ctx, filepath.Join(dir, found[0]), o)
}

func readModule(ctx context.Context, dir string, o Options) ([]*part, error) {
	build, err := golang.ReadDirectory(ctx, dir, o.Go)
	if err != nil {
		return nil, err
	}
	o.setVersion(build)
	return []*part{goPart(build, o.Artifact)}, nil
}

func readWorkspace(ctx context.Context, file string, o Options) ([]*part, error) {
	builds, err := golang.ReadWorkspace(ctx, file, o.Go)
	if err != nil {
		return nil, err
	}
	var parts []*part
	for _, b := range builds {
		if len(builds) == 1 {
			o.setVersion(b)
		}
		parts = append(parts, goPart(b, nil))
	}
	return parts, nil
}

// setVersion is what the caller says about the version of the build's root.
func (o Options) setVersion(b *golang.Build) {
	if o.Version == "" || (o.several && b.Main.Version != "") {
		return
	}
	old := b.Main.Key()
	b.Main.Version, b.Main.VersionFrom, b.Main.VersionUnknown = o.Version, "it was given with --version", ""
	b.Rename(old)
}

func readBinary(ctx context.Context, path string, o Options) ([]*part, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading build: %w", err)
	}
	defer f.Close()
	build, err := golang.ReadBinary(ctx, f, o.Go)
	if err != nil {
		return nil, err
	}
	artifact := o.Artifact
	if artifact == nil {
		if artifact, err = hashArtifact(f, filepath.Base(path)); err != nil {
			return nil, fmt.Errorf("reading build %q: %w", path, err)
		}
	}
	o.setVersion(build)
	return []*part{goPart(build, artifact)}, nil
}

func readNPM(ctx context.Context, path string, o Options) ([]*part, error) {
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
	if root := project.Packages[0]; o.Version != "" && (!o.several || root.Version == "") {
		project.Packages[0].Version = o.Version
	}
	p := npmPart(project)
	addProperty(&p.root.component, logical, "true")
	if o.Time.IsZero() {
		if head, err := git.Head(ctx, filepath.Dir(path)); err == nil {
			p.time = head.Time
		}
	}
	return []*part{p}, nil
}

// IsLicense says whether s can be [Options.License].
func IsLicense(s string) bool { return license.IsExpression(s) }
