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
)

func (k DriftKind) String() string {
	return [...]string{"missing", "extraneous", "other version", "other package"}[k]
}

// A Drift is one disagreement.
type Drift struct {
	Kind              DriftKind
	Place             string // or entry
	Name              string
	Locked, Installed string // versions; names for DriftName
}

func (d Drift) String() string {
	switch d.Kind {
	case DriftMissing:
		return fmt.Sprintf("missing: %s@%s, locked at %q, is not installed", d.Name, d.Locked, d.Place)
	case DriftExtraneous:
		return fmt.Sprintf("extraneous: %s@%s, installed at %q, is not in the lockfile", d.Name, d.Installed, d.Place)
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
	for i := range p.Packages {
		pkg := &p.Packages[i]
		known[pkg.Place] = true
		if i == 0 || pkg.IsLink || !inNodeModules(pkg.Place) {
			continue
		}
		at, ok := t.byPlace[pkg.Place]
		switch {
		case !ok || t.packages[at].problem != "":
			if !ok && !pkg.Optional && !pkg.Extraneous && !t.hides(pkg.Place) {
				p.Drift = append(p.Drift, Drift{Kind: DriftMissing, Place: pkg.Place, Name: pkg.Name, Locked: pkg.Version})
			}
			continue
		case t.packages[at].isLink:
			continue // what it leads to is found where it lies
		}
		p.match(pkg, t.packages[at])
	}
	for _, in := range t.packages {
		if !known[in.Place] && !in.isLink && !in.outside && in.problem == "" && inNodeModules(in.Place) {
			p.addExtraneous(t, in)
		}
	}
	p.connectExtraneous()
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
	p.connectExtraneous()
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
	pkg := Package{Place: in.Place, Name: in.Name, Version: in.Version, Source: SourceUnknown}
	pkg.describe(in)
	if above, ok := t.above(in); ok && above.manifest != nil && above.manifest.bundles(t.nameAt(in)) {
		pkg.Bundled = true
	} else {
		pkg.Extraneous = true
		p.Drift = append(p.Drift, Drift{Kind: DriftExtraneous, Place: in.Place, Name: in.Name, Installed: in.Version})
	}
	p.Packages = append(p.Packages, pkg)
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

// connectExtraneous makes bundled packages that were found dependencies of the
// package that brings them.
func (p *Project) connectExtraneous() {
	byInstalled := map[string][]int{}
	for i, pkg := range p.Packages {
		if pkg.Installed != nil {
			byInstalled[pkg.Installed.Place] = append(byInstalled[pkg.Installed.Place], i)
		}
	}
	for i := range p.Packages {
		pkg := &p.Packages[i]
		if pkg.Installed == nil || !pkg.Bundled || pkg.Source != SourceUnknown || pkg.Bundler != 0 {
			continue
		}
		at := strings.LastIndex(pkg.Installed.Place, "/"+NodeModules+"/")
		if at < 0 {
			continue
		}
		for _, above := range byInstalled[pkg.Installed.Place[:at]] {
			pkg.Bundler = above
			pkg.Dev, pkg.Optional, pkg.Peer = p.Packages[above].Dev, p.Packages[above].Optional, p.Packages[above].Peer
			p.Packages[above].Edges = append(p.Packages[above].Edges, Edge{Name: nameOfPlace(pkg.Place), Kind: EdgeProd, To: i})
		}
	}
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
