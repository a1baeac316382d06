package npm

import (
	"cmp"
	"slices"
	"strings"
)

// connect finds the packages that the one at index i requires.
func (p *Project) connect(i int, item *lockItem, index map[string]int, names map[string]bool) {
	pkg := &p.Packages[i]
	if item.Link {
		return
	}
	seen := make(map[string]bool, len(item.Dependencies))
	buf := make([]byte, 0, 256)
	add := func(deps map[string]string, kind EdgeKind, mayLack bool) {
		for name, spec := range deps {
			if seen[name] {
				continue
			}
			seen[name] = true
			to, ok := 0, names[name] // what lies nowhere need not be looked for everywhere
			if ok {
				to, ok = resolve(pkg.Place, name, index, buf)
			}
			if ok {
				if p.Packages[to].IsLink {
					to = p.Packages[to].Link
				}
				pkg.Edges = append(pkg.Edges, Edge{Name: name, Spec: spec, Kind: kind, To: to,
					Optional: kind == EdgePeer && item.PeerDependenciesMeta[name]})
			} else if !mayLack {
				p.Missing = append(p.Missing, MissingEdge{From: i, Name: name, Spec: spec})
			}
		}
	}
	const mayLack, mustLie = true, false
	// npm lists optional dependencies under dependencies too; optional wins
	// (package.json, "optionalDependencies").
	add(item.OptionalDependencies, EdgeOptional, mayLack)
	add(item.Dependencies, EdgeProd, mustLie)
	if !inNodeModules(pkg.Place) {
		// The project's own and its workspaces': nobody else's are installed.
		add(item.DevDependencies, EdgeDev, mustLie)
	}
	// A peer may lie nowhere: npm leaves conflicts of peers to the user
	// (legacy-peer-deps), and optional peers to whoever wants them.
	add(item.PeerDependencies, EdgePeer, mayLack)
	slices.SortFunc(pkg.Edges, func(a, b Edge) int { return strings.Compare(a.Name, b.Name) })
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
		if place == "" || place == ".." || strings.HasSuffix(place, "/..") {
			return 0, false // above the project, or above a folder outside it
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
