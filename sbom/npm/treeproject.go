package npm

import (
	"fmt"
	"slices"
	"strings"
)

// resolve finds what node would load under a name from a place.
func (t *tree) resolve(place, name string) (*Installed, bool) {
	i, ok := resolve(place, name, t.byPlace, nil)
	if !ok {
		return nil, false
	}
	in := t.packages[i]
	if in.isLink {
		if i, ok = t.byPlace[in.link]; !ok {
			return nil, false // the project itself is none of them
		}
		in = t.packages[i]
	}
	return in, in.problem == ""
}

// project makes a project of what lies in node_modules, where there is no
// lockfile: its packages say themselves what they are and require.
func (t *tree) project(folders manifests) *Project {
	lock := lockfile{Packages: map[string]*lockItem{"": {}}}
	p := &Project{Gaps: t.gaps}
	if m, err := folders.read(""); err == nil {
		lock.Packages[""] = t.item("", m)
	} else {
		p.Gaps = append(p.Gaps, "what the project is and requires: package.json is not beside node_modules")
	}
	byPlace := map[string]*Installed{}
	for _, in := range t.packages {
		switch {
		case in.outside || in.problem != "":
		case checkPlace(in.Place) != nil:
			p.Gaps = append(p.Gaps, fmt.Sprintf("what lies at %.200q: %v", in.Place, checkPlace(in.Place)))
		case in.isLink:
			if i, ok := t.byPlace[in.link]; in.link == "" || (ok && t.packages[i].problem == "" && !t.packages[i].isLink) {
				lock.Packages[in.Place] = &lockItem{Link: true, Resolved: flexible(in.link)}
			}
		default:
			lock.Packages[in.Place] = t.item(in.Place, in.manifest)
			byPlace[in.Place] = in
		}
	}
	built, err := build(lock)
	if err != nil {
		p.Gaps = append(p.Gaps, err.Error())
		p.Packages = []Package{{Source: SourceWorkspace, EdgesUnknown: err.Error()}}
		return p
	}
	built.Format = Format{File: NodeModules}
	built.Gaps = p.Gaps
	for i := range built.Packages {
		pkg := &built.Packages[i]
		if in := byPlace[pkg.Place]; in != nil {
			pkg.describe(in)
		}
	}
	built.settleNodeModules(t)
	return built
}

// item is an installed package as a lockfile would describe it; where it was
// fetched from only npm's own note says.
func (t *tree) item(place string, m *manifest) *lockItem {
	item := m.item()
	item.Name, item.Version, item.License = string(m.Name), string(m.Version), flexible(m.license())
	if place == "" {
		item.Workspaces = []byte(m.Workspaces)
	}
	if h := t.hidden[place]; h != nil && !h.Link && h.Version == item.Version && (h.Name == "" || h.Name == item.Name) {
		item.Resolved, item.Integrity, item.InBundle, item.Deprecated = h.Resolved, h.Integrity, h.InBundle, h.Deprecated
	}
	return item
}

// settleNodeModules derives what node_modules does not say: which packages come in
// another's tarball, and what each is needed for.
func (p *Project) settleNodeModules(t *tree) {
	var unsigned int
	for i := range p.Packages {
		pkg := &p.Packages[i]
		if in, ok := t.byPlace[pkg.Place]; ok && !pkg.IsLink {
			if above, ok := t.above(t.packages[in]); ok && above.manifest != nil && above.manifest.bundles(nameOfPlace(pkg.Place)) && pkg.Integrity == "" {
				pkg.Bundled = true
			}
		}
		if pkg.Source == SourceRegistry && pkg.Integrity == "" && !pkg.Bundled {
			// A folder does not say where it was fetched from.
			pkg.Source = SourceUnknown
			unsigned++
		}
	}
	if unsigned > 0 {
		p.Gaps = append(p.Gaps, fmt.Sprintf("where %d packages were fetched from, and their hashes: node_modules does not say", unsigned))
	}
	if p.Packages[0].Name == "" && len(p.Packages[0].Edges) == 0 {
		g := &graph{Project: p}
		p.Packages[0].EdgesUnknown = "package.json, which says what the project requires, is not beside node_modules"
		g.connectUnrequired()
		slices.SortFunc(p.Packages[0].Edges, func(a, b Edge) int { return strings.Compare(a.Name, b.Name) })
	}
	p.settleFlags()
}
