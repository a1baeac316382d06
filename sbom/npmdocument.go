package sbom

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"plimsoll.example/sbom/npm"
)

// npmKey is what makes two places in a lockfile one component.
type npmKey struct {
	name, version, integrity, origin, patch string
}

// npmGroup is the places of one component.
type npmGroup struct {
	key    npmKey
	places []int // indexes in Project.Packages
}

// npmProject is a project on its way into a document.
type npmProject struct {
	*npm.Project
	groups  []npmGroup
	groupOf []int    // of Packages, an index in groups
	refs    []string // of groups
	nodes   []*node  // of groups
	bundles bool     // it is known what is in the bundler's outputs
}

// npmPart describes a JavaScript project: one component for one name, version and
// integrity, wherever it lies.
func npmPart(project *npm.Project, bundles bool) (*part, *npmProject) {
	p := &npmProject{Project: project, bundles: bundles}
	p.groups, p.groupOf = groupPlaces(project)
	p.refs = npmRefs(project, p.groups)
	missing := map[int][]string{}
	for _, m := range p.Missing {
		missing[p.groupOf[m.From]] = append(missing[p.groupOf[m.From]], m.Name+"@"+specWithoutUser(m.Spec))
	}
	p.nodes = make([]*node, len(p.groups))
	for i, g := range p.groups {
		n := &node{component: p.component(g, p.refs[i])}
		for _, place := range g.places {
			for _, e := range p.Packages[place].Edges {
				if to := p.groupOf[e.To]; to != i {
					n.edges = append(n.edges, p.refs[to])
				}
			}
		}
		for _, l := range slices.Compact(slices.Sorted(slices.Values(missing[i]))) {
			addProperty(&n.component, "plimsoll:npm:missing", l)
		}
		if why := p.edgesUnknown(g, len(missing[i]) > 0); why != "" {
			n.partial, n.unknown = true, why
			addProperty(&n.component, "plimsoll:dependencies:unknown", why)
		}
		p.nodes[i] = n
	}
	part := &part{root: p.nodes[0], nodes: slices.Clone(p.nodes[1:]), gaps: p.gaps(), notes: p.notes()}
	for _, d := range p.Drift {
		part.properties = append(part.properties, cdx.Property{Name: "plimsoll:npm:drift", Value: d.String()})
	}
	for _, o := range p.Omitted {
		part.properties = append(part.properties, cdx.Property{Name: "plimsoll:npm:omitted", Value: omission(o)})
	}
	return part, p
}

// edgesUnknown says why not all dependencies of a component are known; "": they
// are.
func (p *npmProject) edgesUnknown(g npmGroup, missing bool) string {
	if missing {
		return "the lockfile lacks packages that are required"
	}
	for _, i := range g.places {
		pkg := p.Packages[i]
		switch {
		case pkg.EdgesUnknown != "":
			return pkg.EdgesUnknown
		case pkg.TarballHolds != "" && pkg.Installed == nil:
			return "versions of what its tarball holds are not known"
		case p.PeersUnknown != "" && pkg.Source != npm.SourceWorkspace && pkg.Installed == nil:
			return p.PeersUnknown
		}
	}
	return ""
}

// gaps are what is not known about the project, in sentences.
func (p *npmProject) gaps() []string {
	gaps := slices.Clone(p.Gaps)
	for _, m := range p.Missing {
		gaps = append(gaps, fmt.Sprintf("%.300q requires %s@%s, which %s lacks", p.Packages[m.From].Place, m.Name, specWithoutUser(m.Spec), p.Format.File))
	}
	for _, pkg := range p.Packages {
		if pkg.TarballHolds != "" && pkg.Installed == nil {
			gaps = append(gaps, fmt.Sprintf("versions of %s, which come in the tarball of %s@%s: %s does not say", pkg.TarballHolds, pkg.Name, pkg.Version, p.Format.File))
		}
	}
	if p.PeersUnknown != "" && slices.ContainsFunc(p.Packages[1:], func(pkg npm.Package) bool {
		return pkg.Source != npm.SourceWorkspace && pkg.Installed == nil && !pkg.IsLink
	}) {
		gaps = append(gaps, "peers of packages that are not installed: "+p.PeersUnknown)
	}
	return gaps
}

// driftShown is how many disagreements are told on stderr; all are in the document.
const driftShown = 5

// notes are what a person should read.
func (p *npmProject) notes() []string {
	notes := slices.Clone(p.Notes)
	byKind := map[npm.DriftKind][]npm.Drift{}
	for _, d := range p.Drift {
		byKind[d.Kind] = append(byKind[d.Kind], d)
	}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		list := byKind[kind]
		for _, d := range list[:min(len(list), driftShown)] {
			with := npm.NodeModules
			if p.Placed && !strings.Contains(d.Place, npm.NodeModules) {
				with = "package.json"
			}
			notes = append(notes, fmt.Sprintf("%s and %s disagree: %s", p.Format.File, with, d))
		}
		if more := len(list) - driftShown; more > 0 {
			notes = append(notes, fmt.Sprintf("%s and node_modules disagree: %s: %d more, in the document's properties", p.Format.File, kind, more))
		}
	}
	for _, o := range p.Omitted {
		notes = append(notes, "left out as asked: "+omission(o))
	}
	return notes
}

func omission(o npm.Omission) string {
	return fmt.Sprintf("%s (%d places)", o.What, o.Count)
}

// groupPlaces joins the places of one component. Links join what they link to;
// the project itself is group 0.
func groupPlaces(p *npm.Project) (groups []npmGroup, groupOf []int) {
	groupOf = make([]int, len(p.Packages))
	byKey := map[npmKey]int{}
	for i, pkg := range p.Packages {
		if pkg.IsLink {
			continue
		}
		key := npmKey{name: pkg.Name, version: pkg.Version, integrity: pkg.Integrity, patch: pkg.Patch}
		if key.integrity == "" {
			key.integrity = pkg.Checksum // the only thing by which yarn's tell copies apart
		}
		if pkg.Source != npm.SourceRegistry {
			key.origin = pkg.Source.String() + " " + pkg.Resolved
		}
		if pkg.Source == npm.SourceWorkspace {
			key.origin = "workspace " + pkg.Place
		}
		g, ok := byKey[key]
		if !ok {
			g = len(groups)
			byKey[key] = g
			groups = append(groups, npmGroup{key: key})
		}
		groups[g].places = append(groups[g].places, i)
		groupOf[i] = g
	}
	for i, pkg := range p.Packages {
		if pkg.IsLink {
			groupOf[i] = groupOf[pkg.Link]
		}
	}
	return groups, groupOf
}

// npmRefs returns a unique bom-ref for each group: its purl where that is
// unique, and else the purl with what tells the components apart.
func npmRefs(p *npm.Project, groups []npmGroup) []string {
	refs := make([]string, len(groups))
	count := map[string]int{}
	for i, g := range groups {
		pkg := p.Packages[g.places[0]]
		refs[i] = npmPURL(pkg, i == 0)
		if refs[i] == "" {
			refs[i] = "npm:" + pkg.Place
		}
		count[refs[i]]++
	}
	for i, g := range groups {
		if count[refs[i]] > 1 && i > 0 {
			refs[i] += "|" + g.key.integrity + "|" + p.Packages[g.places[0]].Place
		}
	}
	taken := make(map[string]int, len(refs))
	for i, ref := range refs { // entries that differed in a user name, which is not written
		if taken[ref]++; taken[ref] > 1 {
			refs[i] += "|" + strconv.Itoa(taken[ref])
		}
	}
	return refs
}
