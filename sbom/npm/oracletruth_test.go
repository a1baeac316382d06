package npm_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tailscale/hujson"
)

// npmTruth reads package-lock.json of version 2 and 3.
func npmTruth(t *testing.T, fsys fs.FS) *truth {
	var lock struct {
		Packages map[string]struct {
			manifest
			Resolved, Integrity string
			Dev, Link           bool
		}
	}
	unjson(t, slurp(t, fsys, "package-lock.json"), &lock)
	w := newTruth()
	has := func(place string) bool { _, ok := lock.Packages[place]; return ok }
	for place, p := range lock.Packages {
		if p.Link {
			continue
		}
		name := p.Name // left out where the folder is called so
		if name == "" {
			name = folderName(place)
		}
		w.facts[place] = fact{Name: name, Version: p.Version, Integrity: p.Integrity, Dev: p.Dev}
		p.each(!strings.Contains(place, "node_modules/"), func(name, _ string, dev bool) {
			if at := climb(place, name, has); at != "" {
				if l := lock.Packages[at]; l.Link {
					at = l.Resolved
				}
				w.edge(place, name, at, dev)
			}
		})
	}
	for folder, m := range manifests(t, fsys) {
		if folder != "" {
			w.edge("", m.Name, folder, false)
		}
	}
	return w
}

func folderName(place string) string {
	if i := strings.LastIndex(place, "node_modules/"); i >= 0 {
		return place[i+len("node_modules/"):]
	}
	return path.Base(place)
}

type oldEntry struct {
	Version, Integrity string
	Dev                bool
	Requires           map[string]string
	Dependencies       map[string]*oldEntry
}

// npm1Truth reads package-lock.json of version 1, where what a package holds in
// its own node_modules is nested. It has no word about the project's own package.json.
func npm1Truth(t *testing.T, fsys fs.FS) *truth {
	var lock struct{ Dependencies map[string]*oldEntry }
	unjson(t, slurp(t, fsys, "package-lock.json"), &lock)
	w := newTruth()
	parts := manifests(t, fsys)
	for folder, m := range parts {
		w.workspace(folder, m)
	}
	entries, links := map[string]*oldEntry{}, map[string]string{}
	var walk func(dir string, deps map[string]*oldEntry)
	walk = func(dir string, deps map[string]*oldEntry) {
		for name, e := range deps {
			at := path.Join(dir, "node_modules", name)
			if folder, ok := strings.CutPrefix(e.Version, "file:"); ok && path.Ext(folder) != ".tgz" {
				links[at], at = folder, folder
				m := readManifest(t, fsys, folder)
				w.facts[at] = fact{Name: m.Name, Version: m.Version}
			} else {
				w.facts[at] = npm1Fact(name, e)
			}
			entries[at] = e
			walk(at, e.Dependencies)
		}
	}
	walk("", lock.Dependencies)
	find := func(from, name string, dev bool) {
		at := climb(from, name, func(p string) bool { return entries[p] != nil || links[p] != "" })
		if links[at] != "" {
			at = links[at]
		}
		if at != "" {
			w.edge(from, name, at, dev)
		}
	}
	for at, e := range entries {
		for name := range e.Requires {
			find(at, name, false)
		}
	}
	parts[""].each(true, func(name, _ string, dev bool) { find("", name, dev) })
	return w
}

func npm1Fact(name string, e *oldEntry) fact {
	f := fact{Name: name, Version: e.Version, Integrity: e.Integrity, Dev: e.Dev}
	if alias, ok := strings.CutPrefix(e.Version, "npm:"); ok {
		f.Name, f.Version = splitAt(alias)
	} else if strings.Contains(e.Version, ":") {
		f.Version = "" // where it was fetched from stands in its stead
	}
	return f
}

// yarn1Truth resolves by descriptor: NAME@RANGE is an entry's key. The lockfile is
// nearly YAML, with spaces in the place of colons.
func yarn1Truth(t *testing.T, fsys fs.FS) *truth {
	colons := regexp.MustCompile(`(?m)^( +)"?([^ "]+)"? "?([^"\n]+)"?$`)
	keys := regexp.MustCompile(`(?m)^([^ #\n].*):$`)
	data := colons.ReplaceAll(slurp(t, fsys, "yarn.lock"), []byte(`$1"$2": "$3"`))
	data = keys.ReplaceAllFunc(data, func(key []byte) []byte {
		return []byte(`"` + strings.ReplaceAll(strings.TrimSuffix(string(key), ":"), `"`, "") + `":`)
	})
	var lock map[string]struct {
		Version, Resolved, Integrity string
		Dependencies                 map[string]string
		OptionalDependencies         map[string]string `yaml:"optionalDependencies"`
	}
	unyaml(t, data, &lock)
	w, at := newTruth(), map[string]string{}
	for id, e := range lock {
		for key := range strings.SplitSeq(id, ", ") {
			at[key] = id
		}
		name, spec := splitAt(id)
		if alias, ok := strings.CutPrefix(spec, "npm:"); ok {
			name, _ = splitAt(alias)
		}
		// Without integrity, the fragment is the tarball's SHA-1; of git it is the commit.
		if url, hash, _ := strings.Cut(e.Resolved, "#"); e.Integrity == "" && strings.HasSuffix(url, ".tgz") {
			sum, err := hex.DecodeString(hash)
			if err != nil {
				t.Fatal(err)
			}
			e.Integrity = "sha1-" + base64.StdEncoding.EncodeToString(sum)
		}
		w.facts[id] = fact{Name: name, Version: e.Version, Integrity: e.Integrity}
	}
	for id, e := range lock {
		m := manifest{Dependencies: e.Dependencies, OptionalDependencies: e.OptionalDependencies}
		m.each(false, func(name, spec string, _ bool) { w.edge(id, name, at[name+"@"+spec], false) })
	}
	parts, folders := manifests(t, fsys), map[string]string{}
	for folder, m := range parts {
		w.workspace(folder, m)
		folders[m.Name] = folder
	}
	for folder, m := range parts {
		m.PeerDependencies = nil // the lockfile has no word about peers
		m.each(true, func(name, spec string, dev bool) {
			to, ok := at[name+"@"+spec]
			if !ok {
				to = folders[name]
			}
			w.edge(folder, name, to, dev)
		})
	}
	w.reach()
	return w
}

// berryTruth takes the packages and edges from `yarn info`. A package with peers is
// there once for every set of peers; which these are, only "Dependents" tells.
func berryTruth(t *testing.T, fsys fs.FS) *truth {
	var lock map[string]struct {
		Version, Resolution, Checksum string
		Dependencies                  map[string]string
		Peers                         map[string]string `yaml:"peerDependencies"`
	}
	unyaml(t, slurp(t, fsys, "yarn.lock"), &lock)
	delete(lock, "__metadata")
	w, parts, ids := newTruth(), manifests(t, fsys), map[string]string{} // by locator
	for key, e := range lock {
		if name, from := splitAt(e.Resolution + "@"); strings.HasPrefix(from, "workspace:") {
			folder := strings.Trim(strings.TrimPrefix(from, "workspace:"), ".@")
			w.workspace(folder, parts[folder])
			ids[e.Resolution] = folder
		} else {
			w.facts[key] = fact{Name: name, Version: e.Version, Checksum: e.Checksum}
			ids[e.Resolution] = key
		}
	}
	edge := func(from, to string) {
		from, to = ids[devirtual(from)], ids[devirtual(to)]
		name := w.facts[to].Name
		// yarn lets a package have the types of its peers, which it need not know about.
		if e := lock[from]; strings.HasPrefix(name, "@types/") && from != "" && e.Dependencies[name]+e.Peers[name] == "" {
			return
		}
		m, part := parts[from]
		w.edge(from, "", to, part && m.DevDependencies[name] != "" && m.PeerDependencies[name] == "")
	}
	copied := map[string]bool{}
	for value := range yarnInfo(t, fsys, edge) {
		copied[ids[value]] = true
	}
	w.peers(copied, func(id string) map[string]string { return lock[id].Peers })
	for _, e := range lock {
		if _, patch, ok := strings.Cut(e.Resolution, "@patch:"); ok {
			source, _, _ := strings.Cut(strings.ReplaceAll(patch, "%3A", ":"), "#")
			w.dropUnless(ids[source])
		}
	}
	for e, dev := range w.edges { // yarn info does not say the name as required
		delete(w.edges, e)
		w.edges[truthEdge{from: e.from, to: e.to}] = dev
	}
	w.reach()
	return w
}

// yarnInfo reads edges between locators, and returns the packages that have copies
// with other peers: the dependents of these go unsaid.
func yarnInfo(t *testing.T, fsys fs.FS, edge func(from, to string)) map[string]bool {
	copied := map[string]bool{}
	for lines := json.NewDecoder(bytes.NewReader(slurp(t, fsys, "ls.json"))); lines.More(); {
		var line struct {
			Value    string
			Children struct {
				Instances    int
				Dependents   []string
				Dependencies []struct{ Locator string }
			}
		}
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.Children.Instances > 0 {
			copied[devirtual(line.Value)] = true
		}
		for _, from := range line.Children.Dependents {
			edge(from, line.Value)
		}
		for _, d := range line.Children.Dependencies {
			edge(line.Value, d.Locator)
		}
	}
	return copied
}

// peers adds edges to peers that have copies: a dependent of the package has the peer
// in turn, or is it.
func (w *truth) peers(copied map[string]bool, peers func(string) map[string]string) {
	for n := 0; n < len(w.edges); {
		n = len(w.edges)
		names := map[string]map[string]string{}
		for e := range w.edges {
			if names[e.from] == nil {
				names[e.from] = map[string]string{w.facts[e.from].Name: e.from}
			}
			names[e.from][w.facts[e.to].Name] = e.to
		}
		for e := range maps.Clone(w.edges) {
			for peer := range peers(e.to) {
				if at, ok := names[e.from][peer]; ok && copied[at] {
					w.edge(e.to, "", at, false)
				}
			}
		}
	}
}

// dropUnless drops what a patch is applied to, which has an entry and is no part of
// the project, unless something requires it without the patch.
func (w *truth) dropUnless(id string) {
	for e := range w.edges {
		if e.to == id {
			return
		}
	}
	delete(w.facts, id)
	maps.DeleteFunc(w.edges, func(e truthEdge, _ bool) bool { return e.from == id })
}

// devirtual turns NAME@virtual:HASH#REST into NAME@REST.
func devirtual(locator string) string {
	name, rest := splitAt(locator)
	if strings.HasPrefix(rest, "virtual:") {
		_, rest, _ = strings.Cut(rest, "#")
	}
	return name + "@" + rest
}

type pnpmDeps struct {
	Dependencies         map[string]string
	OptionalDependencies map[string]string `yaml:"optionalDependencies"`
}

type pnpmImporter struct {
	Dependencies         map[string]struct{ Version string }
	DevDependencies      map[string]struct{ Version string } `yaml:"devDependencies"`
	OptionalDependencies map[string]struct{ Version string } `yaml:"optionalDependencies"`
}

type pnpmLock struct {
	LockfileVersion string `yaml:"lockfileVersion"`
	Importers       map[string]pnpmImporter
	pnpmImporter    `yaml:",inline"` // version 6 without workspaces
	Packages        map[string]struct {
		pnpmDeps      `yaml:",inline"`
		Name, Version string
		Dev           bool
		Resolution    struct{ Integrity string }
	}
	Snapshots map[string]pnpmDeps
}

// key is pnpm's rule (refToRelative of its dependency-path) of where a reference leads.
func (l pnpmLock) key(name, ref string) string {
	bare, _, _ := strings.Cut(ref, "(")
	if l.LockfileVersion == "6.0" {
		if strings.HasPrefix(ref, "file:") || strings.Contains(bare, "/") {
			return ref
		}
		return "/" + name + "@" + ref
	}
	at, colon := strings.Index(bare, "@"), strings.Index(bare, ":")
	if strings.HasPrefix(ref, "@") || at >= 0 && (colon < 0 || at < colon) {
		return ref
	}
	return name + "@" + ref
}

// fact reads name and version off the key, unless the entry says them.
func (l pnpmLock) fact(key string) fact {
	bare, _, _ := strings.Cut(key, "(")
	p, ok := l.Packages[key]
	if !ok {
		p = l.Packages[bare] // version 9 tells packages apart from their places among peers
	}
	name, version := splitAt(strings.TrimPrefix(bare, "/"))
	switch {
	case p.Name != "":
		name, version = p.Name, p.Version
	case p.Version != "" || strings.Contains(version, ":"):
		version = p.Version
	}
	return fact{Name: name, Version: version, Integrity: p.Resolution.Integrity, Dev: p.Dev}
}

func pnpmTruth(t *testing.T, fsys fs.FS) *truth {
	var lock pnpmLock
	unyaml(t, slurp(t, fsys, "pnpm-lock.yaml"), &lock)
	w := newTruth()
	if lock.Importers == nil {
		lock.Importers = map[string]pnpmImporter{".": lock.pnpmImporter}
	}
	if lock.Snapshots == nil {
		lock.Snapshots = map[string]pnpmDeps{}
		for key, p := range lock.Packages {
			lock.Snapshots[key] = p.pnpmDeps
		}
	}
	for folder, importer := range lock.Importers {
		from := strings.TrimPrefix(folder, ".")
		w.workspace(from, readManifest(t, fsys, folder))
		add := func(deps map[string]struct{ Version string }, dev bool) {
			for name, d := range deps {
				to, ok := strings.CutPrefix(d.Version, "link:")
				if to = path.Join(folder, to); !ok {
					to = lock.key(name, d.Version)
				}
				w.edge(from, name, to, dev)
			}
		}
		add(importer.Dependencies, false)
		add(importer.OptionalDependencies, false)
		add(importer.DevDependencies, true)
	}
	for key, s := range lock.Snapshots {
		w.facts[key] = lock.fact(key)
		for _, deps := range []map[string]string{s.Dependencies, s.OptionalDependencies} {
			for name, ref := range deps {
				w.edge(key, name, lock.key(name, ref), false)
			}
		}
	}
	if lock.LockfileVersion != "6.0" { // which says itself what is for development
		w.reach()
	}
	return w
}

// bunTruth resolves by bun's keys: "a/b/c" is c as b in a sees it, so the search for
// what a/b needs goes from "a/b/NAME" over "a/NAME" to "NAME".
func bunTruth(t *testing.T, fsys fs.FS) *truth {
	data, err := hujson.Standardize(slurp(t, fsys, "bun.lock"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Workspaces map[string]manifest
		Packages   map[string][]json.RawMessage
	}
	unjson(t, data, &lock)
	w := newTruth()
	parts, places, needs := manifests(t, fsys), map[string]string{}, map[string]manifest{}
	for folder, m := range lock.Workspaces {
		w.workspace(folder, parts[folder])
		if key := m.Name; folder == "" {
			places[""], needs[""] = "", m
		} else {
			places[key], needs[key] = folder, m
		}
	}
	for _, key := range slices.Sorted(maps.Keys(lock.Packages)) { // outer before inner
		var m manifest
		f := bunFact(t, lock.Packages[key], &m)
		if strings.HasPrefix(f.Version, "workspace:") {
			continue
		}
		if strings.Contains(f.Version, ":") || strings.HasPrefix(f.Version, ".") {
			f.Version = "" // where it was fetched from stands in its stead
		}
		outer, name := cutLast(key)
		places[key], needs[key] = path.Join(places[outer], "node_modules", name), m
		w.facts[places[key]] = f
	}
	for key, m := range needs {
		_, part := lock.Workspaces[places[key]]
		m.each(part, func(name, _ string, dev bool) {
			for outer := key; ; outer, _ = cutLast(outer) {
				if at := strings.TrimPrefix(outer+"/"+name, "/"); lock.Packages[at] != nil {
					w.edge(places[key], name, places[at], dev)
					return
				} else if outer == "" {
					return
				}
			}
		})
	}
	w.reach()
	return w
}

// cutLast cuts the last name, which may have a scope, off a key of bun's.
func cutLast(key string) (outer, name string) {
	names := strings.Split(key, "/")
	n := len(names) - 1
	if n > 0 && strings.HasPrefix(names[n-1], "@") {
		n--
	}
	return strings.Join(names[:n], "/"), strings.Join(names[n:], "/")
}

// bunFact reads [NAME@VERSION, registry, {manifest}, integrity], where other sources
// than a registry leave something out.
func bunFact(t *testing.T, entry []json.RawMessage, m *manifest) (f fact) {
	var id string
	unjson(t, entry[0], &id)
	f.Name, f.Version = splitAt(id)
	for _, raw := range entry[1:] {
		if raw[0] == '{' {
			unjson(t, raw, m)
		} else if bytes.HasPrefix(raw, []byte(`"sha`)) {
			unjson(t, raw, &f.Integrity)
		}
	}
	return f
}
