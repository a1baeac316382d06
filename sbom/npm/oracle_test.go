package npm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"plimsoll.example/sbom/npm"
)

// A truth is what a project is made of, found by code that shares nothing with the
// product: facts by Package.Place, and edges between places.
type truth struct {
	facts map[string]fact
	edges map[truthEdge]bool // true: for development only
	roots []string           // the project and its workspaces
}

type truthEdge struct{ from, name, to string }

type fact struct {
	Name, Version, Integrity, Checksum string
	Dev                                bool
}

func newTruth() *truth { return &truth{facts: map[string]fact{}, edges: map[truthEdge]bool{}} }

func (w *truth) edge(from, name, to string, dev bool) {
	e := truthEdge{from, name, to}
	if known, again := w.edges[e]; again {
		dev = dev && known
	}
	w.edges[e] = dev
}

// workspace adds what package.json says of a part of the project.
func (w *truth) workspace(folder string, m manifest) {
	w.facts[folder] = fact{Name: m.Name, Version: m.Version}
	w.roots = append(w.roots, folder)
	if folder != "" {
		w.edge("", m.Name, folder, false)
	}
}

// reach marks what only edges for development lead to.
func (w *truth) reach() {
	reached := func(all bool) map[string]bool {
		seen := map[string]bool{}
		for _, root := range w.roots {
			seen[root] = true
		}
		for n := 0; n < len(seen); { // until nothing is new
			n = len(seen)
			for e, dev := range w.edges {
				if seen[e.from] && (all || !dev) {
					seen[e.to] = true
				}
			}
		}
		return seen
	}
	live, all := reached(false), reached(true)
	for id, f := range w.facts {
		f.Dev = all[id] && !live[id]
		w.facts[id] = f
	}
}

// lines says a truth in lines, for the comparison of sets.
func (w *truth) lines() (facts, edges []string) {
	for id, f := range w.facts {
		facts = append(facts, fmt.Sprintf("%q %+v", id, f))
	}
	for e := range w.edges {
		edges = append(edges, fmt.Sprintf("%q -%s-> %q", e.from, e.name, e.to))
	}
	return facts, edges
}

// same compares two sets, both ways.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("the oracle found no %s", what)
	}
	n := 0
	report := func(word string, some, others []string) {
		known := map[string]bool{}
		for _, s := range others {
			known[s] = true
		}
		for _, s := range slices.Compact(slices.Sorted(slices.Values(some))) {
			if n++; known[s] {
				n--
			} else if n <= 20 {
				t.Errorf("%s %s: %s", word, what, s)
			}
		}
	}
	report("missing", want, got)
	report("extra", got, want)
	if n > 20 {
		t.Errorf("and %d more of %s", n-20, what)
	}
}

type manifest struct {
	Name, Version                                                         string
	Workspaces                                                            []string
	Dependencies, DevDependencies, OptionalDependencies, PeerDependencies map[string]string
}

// each yields what is required; dev says that only development needs it.
func (m manifest) each(withDev bool, yield func(name, spec string, dev bool)) {
	for _, deps := range []map[string]string{m.Dependencies, m.OptionalDependencies, m.PeerDependencies} {
		for name, spec := range deps {
			yield(name, spec, false)
		}
	}
	for name, spec := range m.DevDependencies {
		if withDev {
			yield(name, spec, true)
		}
	}
}

func oracleFS(t *testing.T, dir string) fs.FS {
	t.Helper()
	corpus := os.Getenv("PLIMSOLL_CORPUS")
	if corpus == "" {
		t.Skip("no real lockfiles: PLIMSOLL_CORPUS is not set")
	}
	folder := filepath.Join(corpus, "js", dir)
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("no real lockfile: %v", err)
	}
	return os.DirFS(folder)
}

func oracleRead(t *testing.T, fsys fs.FS, file string, o npm.Options) *npm.Project {
	t.Helper()
	p, err := npm.Read(context.Background(), fsys, file, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func slurp(t *testing.T, fsys fs.FS, name string) []byte {
	t.Helper()
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func unjson(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func unyaml(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := yaml.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func readManifest(t *testing.T, fsys fs.FS, folder string) (m manifest) {
	t.Helper()
	unjson(t, slurp(t, fsys, path.Join(folder, "package.json")), &m)
	return m
}

// manifests reads the package.json of a project and of its workspaces, by folder.
func manifests(t *testing.T, fsys fs.FS) map[string]manifest {
	t.Helper()
	all := map[string]manifest{"": readManifest(t, fsys, "")}
	for _, pattern := range all[""].Workspaces {
		folders, err := fs.Glob(fsys, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			all[folder] = readManifest(t, fsys, folder)
		}
	}
	return all
}

// climb is node's rule: the nearest node_modules folder that has it, upwards.
func climb(place, name string, has func(string) bool) string {
	for dir := place; ; dir = path.Dir(dir) {
		if dir == "." || dir == "/" {
			dir = ""
		}
		if at := path.Join(dir, "node_modules", name); path.Base(dir) != "node_modules" && has(at) {
			return at
		}
		if dir == "" {
			return ""
		}
	}
}

// splitAt cuts NAME@REST where NAME may have a scope.
func splitAt(s string) (name, rest string) {
	i := strings.Index(s[1:], "@") + 1
	return s[:i], s[i+1:]
}

// TestOracleLockfiles: every package, integrity, edge and flag, and none besides.
func TestOracleLockfiles(t *testing.T) {
	for _, c := range []struct {
		dir, file string
		truth     func(*testing.T, fs.FS) *truth
	}{
		{"npm-small", "package-lock.json", npmTruth},
		{"npm-medium", "package-lock.json", npmTruth},
		{"npm-large", "package-lock.json", npmTruth},
		{"npm-kinds", "package-lock.json", npmTruth},
		{"npm-v2", "package-lock.json", npmTruth},
		{"npm-v1", "package-lock.json", npm1Truth},
		{"yarn1-kinds", "yarn.lock", yarn1Truth},
		{"yarn1-medium", "yarn.lock", yarn1Truth},
		{"berry-kinds", "yarn.lock", berryTruth},
		{"berry-medium", "yarn.lock", berryTruth},
		{"pnpm8-kinds", "pnpm-lock.yaml", pnpmTruth},
		{"pnpm8-large", "pnpm-lock.yaml", pnpmTruth},
		{"pnpm9-kinds", "pnpm-lock.yaml", pnpmTruth},
		{"pnpm9-large", "pnpm-lock.yaml", pnpmTruth},
		{"bun-kinds", "bun.lock", bunTruth},
		{"bun-large", "bun.lock", bunTruth},
	} {
		t.Run(c.dir, func(t *testing.T) {
			fsys := oracleFS(t, c.dir)
			wantFacts, wantEdges := c.truth(t, fsys).lines()
			p := oracleRead(t, fsys, c.file, npm.Options{LockfileOnly: true})
			facts, edges := product(p, !strings.HasPrefix(c.dir, "berry")).lines()
			same(t, "packages", facts, wantFacts)
			same(t, "edges", edges, wantEdges)
		})
	}
}

// product brings what the product found into the oracle's form.
func product(p *npm.Project, named bool) *truth {
	w := newTruth()
	for _, k := range p.Packages {
		if k.IsLink {
			continue
		}
		id := k.Place
		for w.facts[id] != (fact{}) {
			id += " (again)"
		}
		w.facts[id] = fact{k.Name, k.Version, k.Integrity, k.Checksum, k.Dev}
		for _, e := range k.Edges {
			if !named { // yarn info does not say the name as required
				e.Name = ""
			}
			w.edge(k.Place, e.Name, p.Packages[e.To].Place, e.Kind == npm.EdgeDev)
		}
	}
	return w
}

// TestOracleVersions: the same project has the same flags in all three versions.
func TestOracleVersions(t *testing.T) {
	flags := func(dir string) (list []string) {
		p := oracleRead(t, oracleFS(t, dir), "package-lock.json", npm.Options{LockfileOnly: true})
		for _, k := range p.Packages {
			list = append(list, fmt.Sprintf("%s dev %t link %t", k.Place, k.Dev, k.IsLink))
		}
		return list
	}
	same(t, "flags of version 1", flags("npm-v1"), flags("npm-kinds"))
	same(t, "flags of version 2", flags("npm-v2"), flags("npm-kinds"))
}

// listing is what npm ls and pnpm list print.
type listing struct {
	Name, From, Version                                 string
	Dependencies, DevDependencies, OptionalDependencies map[string]listing
}

func (l listing) collect(name string, nodes, edges *[]string) {
	*nodes = append(*nodes, name+"@"+l.Version)
	for _, deps := range []map[string]listing{l.Dependencies, l.DevDependencies, l.OptionalDependencies} {
		for required, d := range deps {
			if d.From != "" {
				required = d.From // pnpm's word for the name of an alias
			}
			if d.Version != "" { // installed
				*edges = append(*edges, name+"@"+l.Version+" -> "+required+"@"+d.Version)
				d.collect(required, nodes, edges)
			}
		}
	}
}

// reduce cuts a project down to what is on disk, as npm ls lists it: by the name
// that a package is installed under.
func reduce(fsys fs.FS, p *npm.Project) (nodes, edges []string) {
	label := func(i int) string {
		k := p.Packages[i]
		if _, err := fs.Stat(fsys, path.Join(k.Place, "package.json")); err != nil {
			return ""
		}
		if strings.Contains(k.Place, "node_modules/") {
			return folderName(k.Place) + "@" + k.Version
		}
		return k.Name + "@" + k.Version
	}
	for i, k := range p.Packages {
		if from := label(i); from != "" && !k.IsLink {
			nodes = append(nodes, from)
			for _, e := range k.Edges {
				if to := label(e.To); to != "" {
					edges = append(edges, from+" -> "+to)
				}
			}
		}
	}
	return nodes, edges
}

// TestOracleNpmList: npm ls lists the same packages and edges.
func TestOracleNpmList(t *testing.T) {
	for _, dir := range []string{"npm-small", "npm-medium", "npm-kinds"} {
		for file, o := range map[string]npm.Options{"ls.json": {}, "ls-omit-dev.json": {Omit: []string{"dev"}}} {
			t.Run(dir+" "+file, func(t *testing.T) {
				fsys := oracleFS(t, dir)
				var ls listing
				var wantNodes, wantEdges []string
				unjson(t, slurp(t, fsys, file), &ls)
				ls.collect(ls.Name, &wantNodes, &wantEdges)
				nodes, edges := reduce(fsys, oracleRead(t, fsys, "package-lock.json", o))
				same(t, "packages", nodes, wantNodes)
				if len(o.Omit) == 0 { // else npm ls leaves out edges too, whose ends are there
					same(t, "edges", edges, wantEdges)
				}
			})
		}
	}
}

// TestOracleOmit: what npm install --omit leaves out is what the lockfile flags. npm ls
// is no oracle for "optional" and "peer": it omits these below the project only, not
// further down (filterByEdgesTypes in its lib/commands/ls.js, for depth 0).
func TestOracleOmit(t *testing.T) {
	for _, dir := range []string{"npm-small", "npm-medium", "npm-large", "npm-kinds"} {
		for _, omit := range []string{"dev", "optional", "peer", "dev,optional", "dev,optional,peer"} {
			t.Run(dir+" "+omit, func(t *testing.T) {
				fsys := oracleFS(t, dir)
				var lock struct{ Packages map[string]map[string]any }
				unjson(t, slurp(t, fsys, "package-lock.json"), &lock)
				kinds := strings.Split(omit, ",")
				var got, want []string
				for place, p := range lock.Packages {
					all := p["devOptional"] == true && len(kinds) > 1
					if !all && !slices.ContainsFunc(kinds, func(kind string) bool { return p[kind] == true }) {
						want = append(want, place)
					}
				}
				for _, k := range oracleRead(t, fsys, "package-lock.json", npm.Options{LockfileOnly: true, Omit: kinds}).Packages {
					got = append(got, k.Place)
				}
				same(t, "places", got, want)
			})
		}
	}
}

// TestOraclePnpmList: pnpm list lists the same packages, installed or not.
func TestOraclePnpmList(t *testing.T) {
	fsys := oracleFS(t, "pnpm9-kinds")
	var list []listing
	var got, want, edges []string
	unjson(t, slurp(t, fsys, "ls.json"), &list)
	for _, l := range list {
		l.collect(l.Name, &want, &edges)
	}
	want = slices.DeleteFunc(want, func(s string) bool { return strings.Contains(s, "@link:") })
	for _, k := range oracleRead(t, fsys, "pnpm-lock.yaml", npm.Options{LockfileOnly: true}).Packages {
		if k.Name == "linked" { // a folder, whose version is in neither
			k.Version = "file:linked"
		}
		got = append(got, k.Name+"@"+k.Version)
	}
	same(t, "packages", got, want)
}

// hidden is a folder without some files.
type hidden struct {
	fs.FS
	base string
}

func (h hidden) Open(name string) (fs.File, error) {
	if path.Base(name) == h.base {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return h.FS.Open(name)
}

func (h hidden) ReadLink(name string) (string, error)   { return fs.ReadLink(h.FS, name) }
func (h hidden) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(h.FS, name) }

// installedTruth walks node_modules and resolves as node does. Links lead to the
// project's own folders.
func installedTruth(t *testing.T, fsys fs.FS) *truth {
	w, found, links := newTruth(), map[string]manifest{}, map[string]string{}
	var walk func(place string)
	walk = func(place string) {
		if _, again := found[place]; again {
			return
		}
		m := readManifest(t, fsys, place)
		found[place], w.facts[place] = m, fact{Name: m.Name, Version: m.Version}
		for _, pattern := range []string{"[^@.]*", "@*/*"} {
			at, err := fs.Glob(fsys, path.Join(place, "node_modules", pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, folder := range at {
				if target, err := fs.ReadLink(fsys, folder); err == nil {
					links[folder] = path.Join(path.Dir(folder), target)
					folder = links[folder]
				}
				walk(folder)
			}
		}
	}
	walk("")
	has := func(at string) bool { _, ok := found[at]; return ok || links[at] != "" }
	for place, m := range found {
		m.each(!strings.Contains(place, "node_modules/"), func(name, _ string, dev bool) {
			if at := climb(place, name, has); links[at] != "" {
				w.edge(place, name, links[at], dev)
			} else if at != "" {
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

// TestOracleInstalled: without a lockfile, node_modules tells the same as its
// package.json files, and as the lockfile, with and without npm's own copy of that.
func TestOracleInstalled(t *testing.T) {
	for _, base := range []string{"package-lock.json", ".package-lock.json"} {
		t.Run("without "+base, func(t *testing.T) {
			fsys := hidden{oracleFS(t, "npm-kinds"), base}
			want := installedTruth(t, fsys)
			lock := npmTruth(t, fsys.FS)
			maps.DeleteFunc(lock.facts, func(id string, _ fact) bool { return want.facts[id] == fact{} })
			maps.DeleteFunc(lock.edges, func(e truthEdge, _ bool) bool { return want.facts[e.from] == fact{} || want.facts[e.to] == fact{} })
			got := product(oracleRead(t, fsys, npm.NodeModules, npm.Options{}), true)
			for _, w := range []*truth{got, lock} { // package.json says no more than this
				for id, f := range w.facts {
					w.facts[id] = fact{Name: f.Name, Version: f.Version}
				}
			}
			facts, edges := got.lines()
			for _, w := range []*truth{want, lock} {
				wantFacts, wantEdges := w.lines()
				same(t, "packages", facts, wantFacts)
				same(t, "edges", edges, wantEdges)
			}
		})
	}
}

// TestOracleYarnInstalled: yarn.lock of version 1 knows no peers; the installed
// package.json files do. As it knows no places either, packages stand for themselves.
func TestOracleYarnInstalled(t *testing.T) {
	for _, dir := range []string{"yarn1-kinds", "yarn1-medium"} {
		t.Run(dir, func(t *testing.T) {
			fsys := oracleFS(t, dir)
			tree, installed := installedTruth(t, fsys), map[string]bool{}
			label := func(f fact) string { return f.Name + "@" + f.Version }
			for _, f := range tree.facts {
				installed[label(f)] = true
			}
			var want, got []string
			for e := range tree.edges {
				want = append(want, label(tree.facts[e.from])+" -> "+label(tree.facts[e.to]))
			}
			p := product(oracleRead(t, fsys, "yarn.lock", npm.Options{}), true)
			for e := range p.edges {
				if from, to := label(p.facts[e.from]), label(p.facts[e.to]); installed[from] && installed[to] {
					got = append(got, from+" -> "+to)
				}
			}
			same(t, "edges", got, want)
		})
	}
}
