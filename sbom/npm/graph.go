package npm

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// graph builds a project from a lockfile that says which package meets each
// requirement, and not where it lies (yarn and pnpm).
type graph struct {
	*Project
	folder map[string]int // the project's own folders, by place
}

func newGraph() *graph {
	return &graph{Project: &Project{Packages: []Package{{Source: SourceWorkspace}}}, folder: map[string]int{"": 0}}
}

// add adds a package and returns its index.
func (g *graph) add(pkg Package) int {
	g.Packages = append(g.Packages, pkg)
	return len(g.Packages) - 1
}

// addFolder adds a folder of the project, once.
func (g *graph) addFolder(place, name string) int {
	if i, ok := g.folder[place]; ok {
		g.Packages[i].own = true
		if i > 0 && g.Packages[i].Name == "" {
			g.Packages[i].Name = name // until its package.json is read
		}
		return i
	}
	i := g.add(Package{Place: place, Name: name, Source: SourceWorkspace, own: true})
	g.folder[place] = i
	return i
}

// addLinked adds a folder that is linked to. If it is none of the project's own, the
// lockfile does not say what it requires.
func (g *graph) addLinked(place, name string) int {
	at, known := g.folder[place]
	own := known && g.Packages[at].own
	i := g.addFolder(place, name)
	g.Packages[i].own = own
	if !known {
		g.Packages[i].EdgesUnknown = "it is a linked folder, and the lockfile does not say what it requires"
	}
	return i
}

// edge adds a dependency; one that leads nowhere (to < 0) is missing, unless it
// may be.
func (g *graph) edge(from int, e Edge) {
	if e.To < 0 {
		if e.Kind != EdgeOptional && e.Kind != EdgePeer {
			g.Missing = append(g.Missing, MissingEdge{From: from, Name: e.Name, Spec: e.Spec})
		}
		return
	}
	g.Packages[from].Edges = append(g.Packages[from].Edges, e)
}

// requirements lists what a package.json's fields require, with the field that
// counts where two name the same package.
func requirements(prod, optional, dev map[string]string, do func(name, spec string, kind EdgeKind)) {
	for _, name := range sortedKeys(optional) {
		do(name, optional[name], EdgeOptional)
	}
	for _, name := range sortedKeys(prod) {
		if _, again := optional[name]; !again {
			do(name, prod[name], EdgeProd)
		}
	}
	for _, name := range sortedKeys(dev) {
		_, again := optional[name]
		if _, prod := prod[name]; !again && !prod {
			do(name, dev[name], EdgeDev)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// finish sorts what was built and derives the flags that the lockfile does not
// write.
func (g *graph) finish() (*Project, error) {
	g.connectFolders()
	for i := range g.Packages {
		pkg := &g.Packages[i]
		if len(pkg.Place) > maxPlace || strings.ContainsFunc(pkg.Place+pkg.Name, isControl) {
			return nil, fmt.Errorf("reading lockfile: entry %.100q has control characters, or more than %d bytes", WithoutUsers(pkg.Place), maxPlace)
		}
		pkg.Place = WithoutUsers(pkg.Place)
		slices.SortFunc(pkg.Edges, func(a, b Edge) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.To, b.To))
		})
		pkg.Edges = slices.CompactFunc(pkg.Edges, func(a, b Edge) bool { return a.Name == b.Name && a.To == b.To })
	}
	slices.SortFunc(g.Missing, compareMissing)
	g.settleFlags()
	return g.Project, nil
}

// connectFolders makes the project depend on its workspaces, which are installed
// with it though nothing need require them.
func (g *graph) connectFolders() {
	have := map[int]bool{0: true}
	own := make(map[int]bool, len(g.folder))
	for _, i := range g.folder {
		own[i] = true
	}
	for i, e := range g.Packages[0].Edges {
		have[e.To] = true
		if own[e.To] && g.Packages[e.To].EdgesUnknown == "" { // not one that is only linked to
			g.Packages[0].Edges[i].installAlways()
		}
	}
	for _, i := range g.folder {
		if !have[i] {
			g.Packages[0].Edges = append(g.Packages[0].Edges, Edge{Name: g.Packages[i].Name, Kind: EdgeWorkspace, To: i})
		}
	}
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// secretQuery is a parameter of an address that is a secret by its name.
var secretQuery = regexp.MustCompile(`(?i)([?&](?:[^=&#\s"']*(?:token|secret|passw|auth|signature|credential|api_?key)[^=&#\s"']*|sig|key)=)[^&#\s"')]+`)

// WithoutUsers drops user names, which may be tokens, and passwords from the
// addresses in an entry's key or another text, also where they are encoded (in URLs, or in a JSON
// pointer), and of parameters whose names say that they are secret the values. The
// user git of ssh stays.
func WithoutUsers(key string) string {
	for _, form := range []struct{ scheme, end, at string }{{"://", "/", "@"}, {":~1~1", "~1", "@"}, {"%3A%2F%2F", "%2F", "%40"}, {"%3a%2f%2f", "%2f", "%40"}} {
		var kept strings.Builder
		rest := key
		for {
			before, after, ok := strings.Cut(rest, form.scheme)
			if !ok {
				break
			}
			kept.WriteString(before + form.scheme)
			host, _, _ := strings.Cut(after, form.end)
			if i := strings.LastIndex(host, form.at); i >= 0 && host[:i] != "git" {
				after = after[i+len(form.at):]
			}
			rest = after
		}
		key = kept.String() + rest
	}
	if strings.ContainsAny(key, "?&") {
		key = secretQuery.ReplaceAllString(key, "${1}REMOVED")
	}
	return key
}
