package npm

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// pnpmLock is a pnpm-lock.yaml of version 6 or 9. Version 6 has one entry for a
// package with one set of peers under packages; version 9 has what is fetched
// there, once, and the entries with their dependencies under snapshots.
type pnpmLock struct {
	Version      string                `yaml:"lockfileVersion"`
	Importers    entries[pnpmImporter] `yaml:"importers"`
	pnpmImporter `yaml:",inline"`      // version 6 without workspaces
	Packages     entries[pnpmPackage]  `yaml:"packages"`
	Snapshots    entries[pnpmPackage]  `yaml:"snapshots"`
	Patches      entries[pnpmPatch]    `yaml:"patchedDependencies"`
	Overrides    textMap               `yaml:"overrides"`
}

// pnpmImporter is the project, or a workspace.
type pnpmImporter struct {
	Dependencies         entries[pnpmRequirement] `yaml:"dependencies"`
	DevDependencies      entries[pnpmRequirement] `yaml:"devDependencies"`
	OptionalDependencies entries[pnpmRequirement] `yaml:"optionalDependencies"`
}

type pnpmRequirement struct {
	Specifier string `yaml:"specifier"`
	Version   string `yaml:"version"`
}

type pnpmResolution struct {
	Integrity string `yaml:"integrity"`
	Tarball   string `yaml:"tarball"`
	Type      string `yaml:"type"`
	Repo      string `yaml:"repo"`
	Commit    string `yaml:"commit"`
	Directory string `yaml:"directory"`
}

func (r *pnpmResolution) UnmarshalYAML(n *yaml.Node) error {
	type plain pnpmResolution
	return decodeStruct(n, (*plain)(r))
}

type pnpmPackage struct {
	Resolution           pnpmResolution `yaml:"resolution"`
	Name                 string         `yaml:"name"`
	Version              string         `yaml:"version"`
	Engines              textMap        `yaml:"engines"`
	Deprecated           yaml.Node      `yaml:"deprecated"`
	RequiresBuild        bool           `yaml:"requiresBuild"`
	BundledDependencies  yaml.Node      `yaml:"bundledDependencies"`
	PeerDependencies     textMap        `yaml:"peerDependencies"`
	PeerDependenciesMeta berryMeta      `yaml:"peerDependenciesMeta"`
	Dependencies         textMap        `yaml:"dependencies"`
	OptionalDependencies textMap        `yaml:"optionalDependencies"`
}

// pnpmPatch is {hash, path}, or the hash alone.
type pnpmPatch struct{ Path string }

func (p *pnpmPatch) UnmarshalYAML(n *yaml.Node) error {
	var patch struct {
		Path string `yaml:"path"`
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	err := n.Decode(&patch)
	p.Path = patch.Path
	return err
}

// pnpm resolves the versions of a pnpm-lock.yaml.
type pnpm struct {
	*graph
	keys map[string]int
}

func parsePNPM(data []byte, folders manifests) (*Project, error) {
	lock, several, err := decodePNPM(data)
	if err != nil {
		return nil, err
	}
	major := lock.major()
	if major != "6" && major != "9" {
		return nil, fmt.Errorf("reading lockfile: expected lockfileVersion 6 or 9, found %q; pnpm install --lockfile-only of pnpm 8 writes 6, of 9 and later 9", lock.Version)
	}
	if err := lock.check(major); err != nil {
		return nil, err
	}
	p := &pnpm{graph: newGraph(), keys: map[string]int{}}
	p.Format.Version = lock.Version
	p.overrides = overrides{}
	for key, spec := range lock.Overrides {
		p.overrides[overridden(key)] = append(p.overrides[overridden(key)], spec)
	}
	if several {
		p.Gaps = append(p.Gaps, "packages of pnpm itself and of its configuration: they stand in a document of their own in pnpm-lock.yaml, which is not read")
	}
	list := lock.Packages
	if major == "9" {
		list = lock.Snapshots
	}
	order := sortedKeys(list)
	for _, key := range order {
		e := list[key]
		if e == nil {
			e = &pnpmPackage{}
			list[key] = e
		}
		fetched := e
		if major == "9" {
			fetched = lock.Packages[lock.withoutPeers(key)]
			e.PeerDependencies, e.PeerDependenciesMeta = fetched.PeerDependencies, fetched.PeerDependenciesMeta
		}
		p.keys[key] = p.add(describePNPM(key, lock.withoutPeers(key), fetched, lock.Patches))
	}
	if len(lock.Importers) == 0 {
		lock.Importers = entries[pnpmImporter]{".": &lock.pnpmImporter}
	}
	for _, place := range sortedKeys(lock.Importers) {
		p.addFolder(folderPlace(place), "")
	}
	for _, place := range sortedKeys(lock.Importers) {
		p.connectImporter(folderPlace(place), lock.Importers[place])
	}
	for _, key := range order {
		p.connectEntry(p.keys[key], list[key])
	}
	return p.finish()
}

// check holds what version 9 says twice: each snapshot has its package, and each
// package a snapshot.
func (lock *pnpmLock) check(major string) error {
	if major != "9" {
		return nil
	}
	seen := make(map[string]bool, len(lock.Packages))
	for _, key := range sortedKeys(lock.Snapshots) {
		bare := lock.withoutPeers(key)
		if seen[bare] = true; lock.Packages[bare] == nil {
			return fmt.Errorf("reading lockfile: snapshot %.200q has no entry %.200q in packages", WithoutUsers(key), WithoutUsers(bare))
		}
	}
	for _, key := range sortedKeys(lock.Packages) {
		if !seen[key] {
			return fmt.Errorf("reading lockfile: package %.200q has no snapshot", WithoutUsers(key))
		}
	}
	return nil
}

// withoutPeers cuts the sets of peers off a key, which follow in parentheses. An
// address may have some of its own: then the package tells where it ends.
func (lock *pnpmLock) withoutPeers(key string) string {
	if lock.Packages[key] != nil {
		if bare, _, _ := strings.Cut(key, "("); lock.major() == "9" || bare == key {
			return key
		}
	}
	for at := range key {
		if key[at] == '(' && lock.major() == "9" && lock.Packages[key[:at]] != nil {
			return key[:at]
		}
	}
	bare, _, _ := strings.Cut(key, "(")
	return bare
}

func (lock *pnpmLock) major() string {
	major, _, _ := strings.Cut(lock.Version, ".")
	return major
}

// decodePNPM reads the last document: pnpm 11 and later may write one before it,
// about pnpm itself.
func decodePNPM(data []byte) (lock *pnpmLock, several bool, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for n := 0; ; n++ {
		next := &pnpmLock{}
		err := decodeYAML(decoder, next)
		if errors.Is(err, io.EOF) && lock != nil {
			return lock, n > 1, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, false, errors.New("reading lockfile: it is empty")
		}
		if err != nil {
			return nil, false, err
		}
		lock = next
	}
}

func folderPlace(place string) string {
	if place = path.Clean(place); place == "." {
		return ""
	}
	return place
}

// describePNPM describes an entry. Its key is NAME@VERSION, in version 6 with a slash before
// it, or something else where it is from no registry; sets of peers follow in
// parentheses.
func describePNPM(key, bare string, e *pnpmPackage, patches entries[pnpmPatch]) Package {
	suffix := strings.TrimPrefix(key, bare)
	bare = strings.TrimPrefix(bare, "/")
	name, version, _ := cutSpec(bare)
	pkg := Package{Place: key, Name: name, Version: version, Integrity: e.Resolution.Integrity, HasInstallScript: e.RequiresBuild}
	if e.Name != "" {
		pkg.Name = e.Name
	}
	if e.Version != "" {
		pkg.Version = e.Version
	} else if strings.Contains(version, ":") || e.Resolution.Type == "directory" {
		pkg.Version = "" // an address
	}
	if e.Deprecated.Kind == yaml.ScalarNode && e.Deprecated.Tag == "!!str" {
		pkg.Deprecated = e.Deprecated.Value
	}
	pkg.Engines = stringMap(e.Engines).pairs()
	switch r := e.Resolution; {
	case r.Type == "git":
		pkg.Source, pkg.Resolved = SourceGit, r.Repo+"#"+r.Commit
		if !strings.HasPrefix(r.Repo, "git") {
			pkg.Resolved = "git+" + pkg.Resolved
		}
	case r.Type == "directory":
		pkg.Source, pkg.Resolved = SourceFile, "file:"+r.Directory
	case r.Tarball != "":
		pkg.Resolved = r.Tarball
		pkg.Source = pkg.fetchedFrom()
	case r.Integrity != "":
		pkg.Source = SourceRegistry
	}
	if strings.Contains(suffix, "patch_hash=") {
		pkg.Patch = "a patch whose file the lockfile does not name"
		for _, name := range []string{bare, pkg.Name} {
			if patch := patches[name]; patch != nil && patch.Path != "" {
				pkg.Patch = patch.Path
				break
			}
		}
	}
	pkg.TarballHolds = bundledNames(e.BundledDependencies)
	return pkg
}

// bundledNames names the packages that come in a tarball; the lockfile tells no
// more of them, and "true" for all dependencies.
func bundledNames(list yaml.Node) string {
	var names []string
	if list.Kind == 0 || (list.Decode(&names) == nil && len(names) == 0) || list.Value == "false" {
		return ""
	}
	slices.Sort(names)
	return cmp.Or(strings.Join(names, ", "), "its dependencies")
}

func (p *pnpm) connectImporter(place string, importer *pnpmImporter) {
	if importer == nil {
		return
	}
	from := p.folder[place]
	add := func(list entries[pnpmRequirement], kind EdgeKind) {
		for _, name := range sortedKeys(list) {
			r := list[name]
			if r == nil {
				r = &pnpmRequirement{}
			}
			to := -1
			if link, ok := strings.CutPrefix(r.Version, "link:"); ok {
				to = p.addLinked(folderPlace(path.Join(place, link)), name)
			} else {
				to = p.find(name, r.Version)
			}
			p.edge(from, Edge{Name: name, Spec: r.Specifier, Kind: kind, To: to})
		}
	}
	add(importer.OptionalDependencies, EdgeOptional)
	add(importer.Dependencies, EdgeProd)
	add(importer.DevDependencies, EdgeDev)
}

func (p *pnpm) connectEntry(from int, e *pnpmPackage) {
	requirements(e.Dependencies, e.OptionalDependencies, nil, func(name, version string, kind EdgeKind) {
		// NAME@VERSION, or an address: what was required is not written.
		edge := Edge{Name: name, Spec: version, Kind: kind, SpecUnknown: !plainVersion(version)}
		if spec, ok := e.PeerDependencies[name]; ok {
			edge.Kind, edge.Spec, edge.Optional = EdgePeer, spec, mayLack(e.PeerDependenciesMeta, name)
		}
		if link, ok := strings.CutPrefix(version, "link:"); ok {
			edge.To = p.addLinked(folderPlace(link), name)
		} else {
			edge.To = p.find(name, version)
		}
		p.edge(from, edge)
	})
}

// plainVersion says whether what is written for a dependency is a version of a package of
// its name, and the set of peers.
func plainVersion(version string) bool {
	version, _, _ = strings.Cut(version, "(")
	return version != "" && !strings.ContainsAny(version, "@:/")
}

// find returns the entry that a version names: by its own key, which an alias has,
// or together with the name.
func (p *pnpm) find(name, version string) int {
	for _, key := range []string{version, name + "@" + version, "/" + name + "@" + version} {
		if i, ok := p.keys[key]; ok {
			return i
		}
	}
	return -1
}
