package npm

import (
	"cmp"
	"slices"
	"strings"
)

// connect finds the packages that the one at index i requires.
func (p *Project) connect(i int, item *lockItem, index map[string]int) {
	pkg := &p.Packages[i]
	if item.Link {
		return
	}
	seen := make(map[string]bool, len(item.Dependencies))
	buf := make([]byte, 0, 256)
	add := func(deps map[string]string, kind EdgeKind, mayLack func(string) bool) {
		for name, spec := range deps {
			if seen[name] {
				continue
			}
			seen[name] = true
			if to, ok := resolve(pkg.Place, name, index, buf); ok {
				if link := p.Packages[to].Link; link != 0 {
					to = link
				}
				pkg.Edges = append(pkg.Edges, Edge{Name: name, Spec: spec, Kind: kind, To: to})
			} else if !mayLack(name) {
				p.Missing = append(p.Missing, MissingEdge{From: i, Name: name, Spec: spec})
			}
		}
	}
	always := func(string) bool { return true }
	never := func(string) bool { return false }
	// npm lists optional dependencies under dependencies too; optional wins
	// (package.json, "optionalDependencies").
	add(item.OptionalDependencies, EdgeOptional, always)
	add(item.Dependencies, EdgeProd, never)
	if !inNodeModules(pkg.Place) {
		// The project's own and its workspaces': nobody else's are installed.
		add(item.DevDependencies, EdgeDev, never)
	}
	// A peer may lie nowhere: npm leaves conflicts of peers to the user
	// (legacy-peer-deps), and optional peers to whoever wants them.
	add(item.PeerDependencies, EdgePeer, always)
	slices.SortFunc(pkg.Edges, func(a, b Edge) int { return strings.Compare(a.Name, b.Name) })
}

// connectWorkspaces makes the project depend on its workspaces, which npm
// installs with it though nothing need require them. A workspace is a folder of
// the project that a link in node_modules stands for; one that is required by
// its path ("file:") is a dependency of whoever does.
func (p *Project) connectWorkspaces() {
	byPath := map[int]bool{}
	have := map[int]bool{}
	for i, pkg := range p.Packages {
		for _, e := range pkg.Edges {
			if strings.HasPrefix(e.Spec, "file:") {
				byPath[e.To] = true
			}
			if i == 0 {
				have[e.To] = true
			}
		}
	}
	root := &p.Packages[0]
	for _, pkg := range p.Packages {
		if to := pkg.Link; to != 0 && !byPath[to] && !have[to] {
			have[to] = true
			root.Edges = append(root.Edges, Edge{Name: pkg.Name, Kind: EdgeWorkspace, To: to})
		}
	}
	slices.SortFunc(root.Edges, func(a, b Edge) int { return strings.Compare(a.Name, b.Name) })
}

func compareMissing(a, b MissingEdge) int {
	return cmp.Or(cmp.Compare(a.From, b.From), strings.Compare(a.Name, b.Name))
}

// resolve finds the place that node would load name from, starting at place.
//
// > If the module identifier [...] is not a built-in module, [...] Node.js starts
// > at the directory of the current module, and adds /node_modules [...]. If it is
// > not found there, then it moves to the parent directory, and so on.
// (Node.js, "Loading from node_modules folders".)
func resolve(place, name string, index map[string]int, buf []byte) (int, bool) {
	for {
		buf = buf[:0]
		if place != "" {
			buf = append(append(buf, place...), '/')
		}
		buf = append(append(buf, "node_modules/"...), name...)
		if i, ok := index[string(buf)]; ok { // no copy is made for a look-up
			return i, true
		}
		if place == "" {
			return 0, false
		}
		up := strings.LastIndexByte(place, '/')
		place = place[:max(up, 0)]
		// node looks into no node_modules/node_modules.
		if place == "node_modules" {
			place = ""
		}
		place = strings.TrimSuffix(place, "/node_modules")
	}
}
