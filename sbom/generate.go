package sbom

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

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
	All          bool           // every build in the trees below the paths
	Artifact     *Artifact      // what was built from the path, where that is another file
	Go           golang.Options // how Go builds are read
	NPM          npm.Options    // how JavaScript builds are read
	Bundles      []string       // what a bundler tells of a JavaScript build: files, patterns, or folders with source maps
	// Attested verifies where a package of an npm registry came from; nil: nobody does.
	// It is called by several goroutines. An error means that no document is written.
	Attested    func(ctx context.Context, name, version, integrity string) (Attested, error)
	OnlyBundled bool // leave out packages that are not in a bundle

	several bool // paths
	found   bool // the file was found, and not named by the caller
}

// A Tool names the program that writes a document.
type Tool struct{ Name, Version string }

// An Artifact is a file that a document describes.
type Artifact struct {
	Name           string // base name
	SHA256, SHA512 string // hexadecimal
}

// ErrUnknown reports a path that is no kind of build this package reads.
var ErrUnknown = errors.New("expected a Go module, a Go binary, or a JavaScript project with a lockfile or node_modules")

// Generate reads the builds at the paths and returns one document. A path is a
// directory with a go.mod, a go.work, a lockfile of npm, yarn, pnpm or bun, or with
// node_modules; one of these; or a Go binary. A directory with several is an error
// that says how to choose, unless all were asked for.
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
	named := paths
	if o.All {
		var err error
		if paths, err = findAll(ctx, paths); err != nil {
			return nil, err
		}
		o.several = len(paths) > 1
	}
	for _, path := range paths {
		o.found = !slices.Contains(named, path)
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
	if info.IsDir() && filepath.Base(path) == npm.NodeModules {
		return readNPM(ctx, filepath.Dir(path), npm.NodeModules, o)
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
	case slices.Contains(npm.LockfileNames(), base):
		return readNPM(ctx, filepath.Dir(path), base, o)
	}
	found, err := readBinary(ctx, path, o)
	if errors.Is(err, golang.ErrNotGo) {
		return nil, fmt.Errorf("reading build %q: %w: %w", path, ErrUnknown, err)
	}
	return found, err
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

// IsLicense says whether s can be [Options.License].
func IsLicense(s string) bool { return license.IsExpression(s) }
