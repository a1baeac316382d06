package npm

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// berryEntry is a package in a yarn.lock of yarn 2 and later. Its key lists the
// descriptors (NAME@RANGE) that it meets; its resolution is the locator. The
// dependencies of a workspace include those for development.
type berryEntry struct {
	Version              string    `yaml:"version"`
	Resolution           string    `yaml:"resolution"`
	Dependencies         textMap   `yaml:"dependencies"`
	PeerDependencies     textMap   `yaml:"peerDependencies"`
	DependenciesMeta     berryMeta `yaml:"dependenciesMeta"`
	PeerDependenciesMeta berryMeta `yaml:"peerDependenciesMeta"`
	Checksum             string    `yaml:"checksum"`
}

type berryMeta = entries[berryPeer]

type berryPeer struct {
	Optional bool `yaml:"optional"`
}

// mayLack says whether a dependency may be absent.
func mayLack(meta berryMeta, name string) bool { return meta[name] != nil && meta[name].Optional }

// berry resolves the descriptors of a yarn.lock.
type berry struct {
	*graph
	entries     []*berryEntry  // of Packages; nil for the project where it has none
	descriptors map[string]int // NAME@RANGE
	bound       map[string]int // NAME@RANGE of a descriptor that is bound to a workspace, and with its LOCATOR
	patched     map[string]int // by what yarn's own patches are applied to
	named       map[string][]int
	overrides   map[string][]resolution // by the name that they replace
	manifests   map[int]*manifest       // of the project's folders
}

func parseBerry(data []byte, folders manifests) (*Project, error) {
	var lock entries[berryEntry]
	if err := decodeYAML(yaml.NewDecoder(bytes.NewReader(data)), &lock); err != nil {
		return nil, err
	}
	metadata := lock["__metadata"]
	if metadata == nil || metadata.Version == "" {
		return nil, fmt.Errorf("reading lockfile: expected a version in __metadata, found none")
	}
	delete(lock, "__metadata")
	b := &berry{
		graph: newGraph(), entries: []*berryEntry{nil}, descriptors: map[string]int{}, bound: map[string]int{},
		patched: map[string]int{}, named: map[string][]int{}, manifests: map[int]*manifest{},
	}
	b.Format.Version = metadata.Version
	if root, err := folders.read(""); err == nil {
		b.overrides = parseResolutions(folders)
		b.manifests[0] = root
	}
	for _, key := range sortedKeys(lock) {
		if err := b.addEntry(key, lock[key]); err != nil {
			return nil, err
		}
	}
	if b.entries[0] == nil {
		return nil, fmt.Errorf(`reading lockfile: expected an entry "NAME@workspace:." for the project, found none`)
	}
	b.readFolders(folders)
	for i, e := range b.entries {
		b.connect(i, e)
	}
	if err := settlePeers(b); err != nil {
		return nil, err
	}
	b.dropUnpatched()
	return b.finish()
}

// addEntry adds the package of one entry.
func (b *berry) addEntry(key string, e *berryEntry) error {
	if e == nil {
		return fmt.Errorf("reading lockfile: entry %.200q is null", WithoutUsers(key))
	}
	// A peer that has meta only is one of any version.
	for peer := range e.PeerDependenciesMeta {
		_, required := e.Dependencies[peer]
		if _, again := e.PeerDependencies[peer]; again || required {
			continue
		}
		if e.PeerDependencies == nil {
			e.PeerDependencies = textMap{}
		}
		e.PeerDependencies[peer] = "*"
	}
	name, reference, ok := cutSpec(e.Resolution)
	if !ok {
		return fmt.Errorf("reading lockfile: entry %.200q: expected a resolution NAME@REFERENCE, found %.200q", WithoutUsers(key), WithoutUsers(e.Resolution))
	}
	i := 0
	if place, ok := strings.CutPrefix(reference, "workspace:"); !ok {
		i = b.add(berryPackage(key, name, reference, e))
		b.entries = append(b.entries, e)
	} else if place = folderPlace(place); place == "" && b.entries[0] == nil {
		b.Packages[0].Name, b.entries[0] = name, e
	} else if _, again := b.folder[place]; again {
		return fmt.Errorf("reading lockfile: two entries for the workspace %.200q", cmp.Or(place, "."))
	} else {
		i = b.addFolder(place, name)
		b.entries = append(b.entries, e)
	}
	for descriptor := range strings.SplitSeq(key, ", ") {
		if _, again := b.descriptors[descriptor]; again {
			return fmt.Errorf("reading lockfile: two entries for %.200q", WithoutUsers(descriptor))
		}
		b.descriptors[descriptor] = i
		of, spec, _ := cutSpec(descriptor)
		if unbound, binding, ok := strings.Cut(descriptor, "::"); ok {
			if _, again := b.bound[unbound]; !again {
				b.bound[unbound] = i
			}
			if values, err := url.ParseQuery(binding); err == nil {
				b.bound[unbound+boundTo+values.Get("locator")] = i
			}
		}
		if source, patch, ok := cutPatch(spec); ok && strings.Contains(patch, "builtin<") {
			b.patched[source] = i
		}
		if list := b.named[of]; !slices.Contains(list, i) {
			b.named[of] = append(list, i)
		}
	}
	return nil
}

// cutPatch takes apart "patch:NAME@RANGE#PATCH", in which the descriptor is
// encoded.
func cutPatch(reference string) (source, patch string, ok bool) {
	reference, ok = strings.CutPrefix(reference, "patch:")
	if !ok {
		return "", "", false
	}
	source, patch, _ = strings.Cut(reference, "#")
	if decoded, err := url.PathUnescape(source); err == nil {
		source = decoded
	}
	patch, _, _ = strings.Cut(patch, "::")
	return source, patch, true
}

// berryPackage describes a package that is no folder of the project, by its
// locator's reference: npm:VERSION, an address, file:..., patch:....
func berryPackage(key, name, reference string, e *berryEntry) Package {
	p := Package{Place: key, Name: name, Version: e.Version, Checksum: e.Checksum}
	for {
		source, patch, ok := cutPatch(reference)
		if !ok {
			break
		}
		p.Patch = strings.Trim(p.Patch+" "+patch, " ")
		_, reference, _ = cutSpec(source)
	}
	reference, binding, _ := strings.Cut(reference, "::")
	address, fragment, _ := strings.Cut(reference, "#")
	switch scheme, rest, _ := strings.Cut(reference, ":"); {
	case scheme == "npm":
		p.Source = SourceRegistry
		if values, err := url.ParseQuery(binding); err == nil && values.Get("__archiveUrl") != "" {
			p.Resolved = values.Get("__archiveUrl")
			p.Source = p.fetchedFrom()
		}
	case commitOf(fragment) != "":
		p.Source = SourceGit
		if !strings.HasPrefix(address, "git") {
			address = "git+" + address
		}
		p.Resolved = address + "#" + commitOf(fragment)
	case scheme == "http" || scheme == "https":
		p.Source, p.Resolved = SourceTarball, reference
	case scheme == "file":
		p.Source, p.Resolved = SourceFile, "file:"+strings.TrimPrefix(strings.TrimPrefix(address, "file:"), "./")
	case scheme == "link" || scheme == "portal":
		p.Source, p.Resolved = SourceFile, "file:"+strings.TrimPrefix(rest, "./")
	}
	if p.Version == "0.0.0-use.local" {
		p.Version = ""
	}
	return p
}

// commitOf returns the commit that a git locator's fragment names, beside which a
// workspace of the repository may stand; "" if it names none, or two.
func commitOf(fragment string) string {
	commit := ""
	for field := range strings.SplitSeq(fragment, "&") {
		value, ok := strings.CutPrefix(field, "commit=")
		if ok && commit != "" {
			return ""
		}
		if ok {
			commit = value
		}
	}
	return commit
}

// readFolders reads what the project's folders say of themselves; without it, it
// is not known which of their dependencies are for development.
func (b *berry) readFolders(folders manifests) {
	var unread []string
	for _, place := range sortedKeys(b.folder) {
		i := b.folder[place]
		m, err := folders.read(place)
		if err != nil {
			unread = append(unread, path.Join(place, "package.json"))
			continue
		}
		b.manifests[i] = m
	}
	if len(unread) > 0 {
		b.Gaps = append(b.Gaps, fmt.Sprintf("which packages are for development only: yarn.lock does not say, and %s was not read", strings.Join(unread, ", ")))
	}
}

func (b *berry) connect(i int, e *berryEntry) {
	for _, name := range sortedKeys(e.Dependencies) {
		kind := EdgeProd
		if mayLack(e.DependenciesMeta, name) {
			kind = EdgeOptional
		}
		if m := b.manifests[i]; m != nil && kind == EdgeProd && !m.requires(name) {
			kind = EdgeDev
		}
		spec := e.Dependencies[name]
		b.edge(i, Edge{Name: name, Spec: spec, Kind: kind, To: b.find(i, name, spec)})
	}
}

// find returns the package that meets a requirement of the one at i, or -1.
func (b *berry) find(i int, name, spec string) int {
	for _, o := range b.overrides[name] {
		if o.applies(b.Packages[i], spec) {
			spec = o.spec
			break
		}
	}
	if to := b.lookUp(i, name+"@"+spec); to >= 0 {
		return to
	}
	if !strings.Contains(spec, ":") { // yarn 2 and 3 leave the protocol out
		if to := b.lookUp(i, name+"@npm:"+spec); to >= 0 {
			return to
		}
	}
	if list := b.named[name]; len(list) == 1 {
		return list[0]
	}
	return -1
}

// lookUp returns the package that meets a descriptor of the package at i, or -1.
func (b *berry) lookUp(i int, descriptor string) int {
	if to, ok := b.patched[descriptor]; ok && to != i {
		return to
	}
	if to, ok := b.descriptors[descriptor]; ok {
		return to
	}
	if e := b.entries[i]; e != nil {
		if to, ok := b.bound[descriptor+boundTo+e.Resolution]; ok { // bound to the workspace that requires it
			return to
		}
	}
	if to, ok := b.bound[descriptor]; ok {
		return to
	}
	return -1
}

// boundTo stands between a descriptor and the locator of what it is bound to.
const boundTo = "\x00"

// dropUnpatched leaves out packages that are there only to have patches applied to
// them: nothing requires them.
func (b *berry) dropUnpatched() {
	sources := map[int]bool{}
	for at, pkg := range b.Packages {
		for descriptor := range strings.SplitSeq(pkg.Place, ", ") {
			_, spec, _ := cutSpec(descriptor)
			if source, _, ok := cutPatch(spec); ok {
				if i, ok := b.descriptors[source]; ok {
					sources[i] = true
					// A package for other platforms is not patched here, and has no checksum.
					if pkg.Checksum == "" {
						b.Packages[at].Unpatched = b.Packages[i].Checksum
					}
				}
			}
		}
	}
	if len(sources) == 0 {
		return
	}
	b.connectFolders()
	reached := b.reach(func(Edge) bool { return true })
	b.drop(func(i int) bool { return reached[i] || !sources[i] })
	clear(b.folder) // the indexes are others now
	for i, pkg := range b.Packages {
		if pkg.Source == SourceWorkspace {
			b.folder[pkg.Place] = i
		}
	}
}

// A resolution is a member of package.json's "resolutions".
type resolution struct {
	parent, name, from, spec string
}

// applies says whether it replaces what a package requires.
func (r resolution) applies(by Package, spec string) bool {
	return (r.from == "" || r.from == spec || "npm:"+r.from == spec) && (r.parent == "" || r.parent == by.Name) &&
		r.spec != spec
}

// parseResolutions reads the project's "resolutions": [PARENT/]NAME[@RANGE].
func parseResolutions(folders manifests) map[string][]resolution {
	m, err := folders.read("")
	if err != nil {
		return nil
	}
	byName := map[string][]resolution{}
	for _, pattern := range sortedKeys(m.Resolutions) {
		r := resolution{spec: m.Resolutions[pattern]}
		if !strings.Contains(r.spec, ":") {
			r.spec = "npm:" + r.spec
		}
		parts := strings.Split(strings.TrimPrefix(pattern, "**/"), "/")
		// A scope is part of the name after it.
		var names []string
		for i := 0; i < len(parts); i++ {
			if strings.HasPrefix(parts[i], "@") && i+1 < len(parts) {
				names = append(names, parts[i]+"/"+strings.Join(parts[i+1:i+2], ""))
				i++
				continue
			}
			names = append(names, parts[i])
		}
		r.name, r.from, _ = cutSpec(names[len(names)-1])
		if len(names) > 1 && names[len(names)-2] != "**" {
			r.parent, _, _ = cutSpec(names[len(names)-2])
		}
		byName[r.name] = append(byName[r.name], r)
	}
	return byName
}
