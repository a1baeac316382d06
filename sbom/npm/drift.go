package npm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A DriftKind says how node_modules disagrees with a lockfile.
type DriftKind int

// The kinds of drift.
const (
	DriftMissing    DriftKind = iota // locked, and not installed
	DriftExtraneous                  // installed, and not locked
	DriftVersion                     // another version is installed
	DriftName                        // another package is installed
	DriftLink                        // a link where there should be none, or none where there should be one, or another
)

func (k DriftKind) String() string {
	return [...]string{"missing", "extraneous", "other version", "other package", "other link"}[k]
}

// A Drift is one disagreement.
type Drift struct {
	Kind              DriftKind
	Place             string // or entry
	Name              string
	Locked, Installed string // versions; names for DriftName; what lies there for DriftLink
}

func (d Drift) String() string {
	switch d.Kind {
	case DriftMissing:
		return fmt.Sprintf("missing: %s@%s, locked at %q, is not installed", d.Name, d.Locked, d.Place)
	case DriftExtraneous:
		return fmt.Sprintf("extraneous: %s@%s, installed at %q, is not in the lockfile", d.Name, d.Installed, d.Place)
	case DriftLink:
		return fmt.Sprintf("other link: at %q, expected %s, found %s", d.Place, d.Locked, d.Installed)
	case DriftName:
		return fmt.Sprintf("other package: at %q, expected %s, found %s", cmp.Or(d.Place, "package.json"), d.Locked, d.Installed)
	}
	return fmt.Sprintf("other version: %s at %q, expected %s, found %s", d.Name, cmp.Or(d.Place, "package.json"), d.Locked, d.Installed)
}

// compare adds to each package what lies in node_modules, and notes where that is
// not what the lockfile says. Without any node_modules there is nothing to
// compare.
func (p *Project) compare(t *tree) {
	p.Gaps = append(p.Gaps, t.gaps...)
	if len(t.packages) == 0 {
		return
	}
	if p.Placed && !t.stored() {
		p.comparePlaces(t)
	} else {
		p.compareVersions(t)
	}
	p.addPeers(t)
	p.forgiveDev()
	slices.SortFunc(p.Drift, func(a, b Drift) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Place, b.Place), strings.Compare(a.Name, b.Name))
	})
}

// forgiveDev drops from the drift that packages for development are missing, where
// none of them is installed: somebody asked for that.
func (p *Project) forgiveDev() {
	dev := map[string]bool{}
	for _, pkg := range p.Packages {
		if pkg.Dev && pkg.Installed != nil {
			return
		}
		dev[pkg.Place] = pkg.Dev
	}
	before := len(p.Drift)
	p.Drift = slices.DeleteFunc(p.Drift, func(d Drift) bool { return d.Kind == DriftMissing && dev[d.Place] })
	if n := before - len(p.Drift); n > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("none of the %d packages for development is installed; they are listed as locked", n))
	}
}

// stored says whether packages lie in a store, and in node_modules only links to
// them: not where a lockfile of places has them.
func (t *tree) stored() bool {
	return slices.ContainsFunc(t.packages, func(in *Installed) bool {
		rest, ok := strings.CutPrefix(in.Place, NodeModules+"/")
		return ok && slices.ContainsFunc(stores, func(store string) bool { return strings.HasPrefix(rest, store+"/") })
	})
}

// comparePlaces compares a lockfile that says where packages lie.
func (p *Project) comparePlaces(t *tree) {
	known := make(map[string]bool, len(p.Packages))
	for _, pkg := range p.Packages {
		known[pkg.Place] = true
	}
	var added []*Installed // that no place of the lockfile is about
	for i := range p.Packages {
		pkg := &p.Packages[i]
		if i == 0 || !inNodeModules(pkg.Place) {
			continue
		}
		at, ok := t.byPlace[pkg.Place]
		if !ok {
			if !pkg.Optional && !pkg.Extraneous && !t.hides(pkg.Place) {
				p.Drift = append(p.Drift, Drift{Kind: DriftMissing, Place: pkg.Place, Name: pkg.Name, Locked: pkg.Version})
			}
			continue
		}
		switch in := t.packages[at]; {
		case in.problem != "": // it is stated
		case in.isLink || pkg.IsLink:
			if other := p.compareLink(t, pkg, in); other != nil && (!known[other.Place] || other == in) {
				known[other.Place] = true
				added = append(added, other)
			}
		default:
			p.match(pkg, in)
		}
	}
	for _, in := range added {
		p.addInstalled(t, in)
	}
	for _, in := range t.packages {
		if !known[in.Place] && !in.isLink && !in.outside && in.problem == "" && inNodeModules(in.Place) {
			p.addExtraneous(t, in)
		}
	}
	p.connectAdded(t)
}

// compareLink compares a link, which either the lockfile or node_modules has at a
// place, and returns the package that lies there instead of what should.
func (p *Project) compareLink(t *tree, pkg *Package, in *Installed) *Installed {
	locked, found := pkg.Name+"@"+pkg.Version, in.Name+"@"+in.Version
	lies := in
	if pkg.IsLink {
		locked = fmt.Sprintf("a link to %q", p.Packages[pkg.Link].Place)
	}
	if in.isLink {
		found, lies = fmt.Sprintf("a link to %q", in.link), nil
		if i, ok := t.byPlace[in.link]; ok && in.link != "" {
			lies = t.packages[i]
			found += fmt.Sprintf(" (%s@%s)", lies.Name, lies.Version)
		}
	}
	if pkg.IsLink && in.isLink && p.Packages[pkg.Link].Place == in.link {
		return nil
	}
	p.Drift = append(p.Drift, Drift{Kind: DriftLink, Place: pkg.Place, Name: pkg.Name, Locked: locked, Installed: found})
	if lies != nil && lies.problem != "" {
		return nil
	}
	return lies
}

// match holds an installed package against what is locked at its place.
func (p *Project) match(pkg *Package, in *Installed) {
	switch {
	case in.Name != pkg.Name && in.Name != "":
		p.Drift = append(p.Drift, Drift{Kind: DriftName, Place: pkg.Place, Name: pkg.Name, Locked: pkg.Name, Installed: in.Name})
		return
	case pkg.Version == "":
		pkg.Version = in.Version // an address, of which only the package itself says the version
	case in.Version != pkg.Version && strings.TrimLeft(in.Version, "v=") != pkg.Version:
		p.Drift = append(p.Drift, Drift{Kind: DriftVersion, Place: pkg.Place, Name: pkg.Name, Locked: pkg.Version, Installed: in.Version})
		return
	}
	pkg.describe(in)
}

// describe adds what the installed package says to what the lockfile says.
func (pkg *Package) describe(in *Installed) {
	pkg.Installed = in
	if pkg.License == "" {
		pkg.License = in.License
	}
	if len(pkg.Engines) == 0 {
		pkg.Engines = in.Engines
	}
	if len(pkg.Funding) == 0 {
		pkg.Funding = in.Funding
	}
	pkg.HasInstallScript = pkg.HasInstallScript || len(in.Scripts) > 0 || in.BindingGyp
}

// compareVersions compares a lockfile that says which packages there are, and not
// where they lie.
func (p *Project) compareVersions(t *tree) {
	type key struct{ name, version string }
	p.at = make(map[string]int, len(t.packages))
	locked := map[key][]int{}
	byName := map[string][]int{}
	for i, pkg := range p.Packages {
		if i > 0 && pkg.Source != SourceWorkspace && !pkg.IsLink {
			locked[key{pkg.Name, pkg.Version}] = append(locked[key{pkg.Name, pkg.Version}], i)
			byName[pkg.Name] = append(byName[pkg.Name], i)
		}
	}
	for _, in := range t.packages {
		if in.isLink || in.outside || in.problem != "" || !inNodeModules(in.Place) {
			continue
		}
		list := locked[key{in.Name, in.Version}]
		if len(list) == 0 {
			// An address, of which only the package itself says the version.
			for _, i := range byName[in.Name] {
				if p.Packages[i].Version == "" {
					p.Packages[i].Version = in.Version
					list = append(list, i)
				}
			}
		}
		if len(list) == 0 {
			p.addExtraneous(t, in)
			continue
		}
		p.at[in.Place] = list[0]
		for _, i := range list {
			if p.Packages[i].Installed == nil {
				p.Packages[i].describe(in)
			}
		}
	}
	p.findLinks(t)
	installed := map[string]*Installed{} // that the lockfile lacks, by name
	for _, pkg := range p.Packages {
		if pkg.Extraneous && pkg.Installed != nil {
			installed[pkg.Name] = pkg.Installed
		}
	}
	for i, pkg := range p.Packages {
		if len(t.unread) > 0 {
			break // it may lie there
		}
		if i == 0 || pkg.Installed != nil || pkg.Optional || pkg.Source == SourceWorkspace || pkg.IsLink || pkg.Extraneous {
			continue
		}
		if in := installed[pkg.Name]; in != nil {
			p.Drift = append(p.Drift, Drift{Kind: DriftVersion, Place: in.Place, Name: pkg.Name, Locked: pkg.Version, Installed: in.Version})
			continue
		}
		p.Drift = append(p.Drift, Drift{Kind: DriftMissing, Place: pkg.Place, Name: pkg.Name, Locked: pkg.Version})
	}
	p.connectAdded(t)
}

// findLinks notes what links in node_modules lead to: packages in a store, and
// folders of the project.
func (p *Project) findLinks(t *tree) {
	folders := map[string]int{}
	for i, pkg := range p.Packages {
		if pkg.Source == SourceWorkspace && !pkg.IsLink {
			folders[pkg.Place] = i
		}
	}
	for _, in := range t.packages {
		if !in.isLink {
			continue
		}
		i, ok := p.at[in.link]
		if !ok {
			i, ok = folders[in.link]
		}
		if ok {
			p.at[in.Place] = i
		}
	}
}

// addExtraneous adds what lies in node_modules and not in the lockfile: in the
// tarball of a package, where that one says so, or put there by somebody.
func (p *Project) addExtraneous(t *tree, in *Installed) {
	if pkg := p.addInstalled(t, in); pkg.Extraneous {
		p.Drift = append(p.Drift, Drift{Kind: DriftExtraneous, Place: in.Place, Name: in.Name, Installed: in.Version})
	}
}

// addInstalled adds a package that is installed and not locked.
func (p *Project) addInstalled(t *tree, in *Installed) *Package {
	pkg := Package{Place: in.Place, Name: in.Name, Version: in.Version, Source: SourceUnknown, added: true}
	pkg.describe(in)
	above, ok := t.above(in)
	pkg.Bundled = ok && above.manifest != nil && above.manifest.bundles(t.nameAt(in))
	pkg.Extraneous = !pkg.Bundled
	p.Packages = append(p.Packages, pkg)
	return &p.Packages[len(p.Packages)-1]
}

// above is the package in whose own node_modules another lies.
func (t *tree) above(in *Installed) (*Installed, bool) {
	at := strings.LastIndex(in.Place, "/"+NodeModules+"/")
	if at < 0 {
		return nil, false
	}
	i, ok := t.byPlace[in.Place[:at]]
	if !ok {
		return nil, false
	}
	return t.packages[i], true
}

// nameAt is the name under which a package lies.
func (t *tree) nameAt(in *Installed) string { return nameOfPlace(in.Place) }

// connectAdded connects packages that were found: each with what it requires, as far
// as that is installed, and bundled ones with the package that brings them.
func (p *Project) connectAdded(t *tree) {
	at := map[string]int{}
	for place, i := range p.at {
		at[place] = i
	}
	for i, pkg := range p.Packages {
		if p.Placed {
			at[pkg.Place] = i
			if pkg.IsLink {
				at[pkg.Place] = pkg.Link
			}
		}
		if pkg.Installed != nil {
			at[pkg.Installed.Place] = i
		}
	}
	for i := range p.Packages {
		if pkg := p.Packages[i]; pkg.added {
			p.requireInstalled(t, i, at)
			if above, ok := t.above(pkg.Installed); ok && pkg.Bundled {
				if by, ok := at[above.Place]; ok {
					p.bringBundled(i, by)
				}
			}
		}
	}
	slices.SortStableFunc(p.Missing, compareMissing)
}

// bringBundled notes that a package comes in the tarball of the one at above.
func (p *Project) bringBundled(i, above int) {
	pkg, by := &p.Packages[i], &p.Packages[above]
	pkg.Bundler = above
	pkg.Dev, pkg.Optional, pkg.Peer = by.Dev, by.Optional, by.Peer
	by.Edges = append(by.Edges, Edge{Name: nameOfPlace(pkg.Place), Kind: EdgeProd, To: i})
}

// requireInstalled finds what a package that is not locked requires.
func (p *Project) requireInstalled(t *tree, i int, at map[string]int) {
	in := p.Packages[i].Installed
	if in.manifest == nil {
		return
	}
	requirements(in.manifest.Dependencies, in.manifest.OptionalDependencies, nil, func(name, spec string, kind EdgeKind) {
		if found, ok := t.resolve(in.Place, name); ok {
			if to, ok := at[found.Place]; ok {
				p.Packages[i].Edges = append(p.Packages[i].Edges, Edge{Name: name, Spec: spec, Kind: kind, To: to})
				return
			}
		}
		if kind == EdgeProd {
			p.Missing = append(p.Missing, MissingEdge{From: i, Name: name, Spec: spec})
		}
	})
}

// addPeers adds the peers of installed packages where the lockfile does not hold
// them.
func (p *Project) addPeers(t *tree) {
	if p.PeersUnknown == "" {
		return
	}
	at := make(map[string]int, len(p.Packages)) // packages by where they are installed
	byVersion := make(map[string]int, len(p.Packages))
	for i, pkg := range p.Packages {
		if pkg.Installed != nil {
			at[pkg.Installed.Place] = i
			byVersion[pkg.Name+"@"+pkg.Version] = i
		}
	}
	find := func(in *Installed) (int, bool) {
		i, ok := at[in.Place]
		if !ok { // one package may lie in several places, with other peers in each
			i, ok = byVersion[in.Name+"@"+in.Version]
		}
		return i, ok
	}
	for _, in := range t.packages {
		from, ok := find(in)
		if !ok || in.manifest == nil {
			continue
		}
		for _, name := range sortedKeys(in.manifest.PeerDependencies) {
			to, ok := t.resolve(in.Place, name)
			if !ok {
				continue
			}
			index, ok := find(to)
			if ok && index != from {
				p.Packages[from].Edges = append(p.Packages[from].Edges, Edge{Name: name, Spec: in.manifest.PeerDependencies[name],
					Kind: EdgePeer, Optional: in.manifest.PeerDependenciesMeta[name], To: index})
			}
		}
	}
}
