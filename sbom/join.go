package sbom

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// join lists what several builds are made of: one component for what is the same
// in two of them, with the edges and places of both. What has one purl and other
// facts stays apart. A build that another depends on is that build's root.
func join(parts []*part) []*node {
	if len(parts) == 1 {
		return parts[0].nodes
	}
	distinguishRoots(parts)
	roots := map[string]*node{}
	for _, p := range parts {
		roots[p.root.ref()] = p.root
		for _, n := range p.programs {
			roots[n.ref()] = n
		}
	}
	joined := map[string]*node{}
	var list []*node
	for i, p := range parts {
		p.rename(func(n *node) string {
			if have := joined[n.ref()]; have != nil && roots[n.ref()] == nil && !same(have.component, n.component) {
				return n.ref() + "|" + strconv.Itoa(i+1)
			}
			return n.ref()
		})
		for _, n := range p.nodes {
			switch have := joined[n.ref()]; {
			case roots[n.ref()] != nil:
			case have == nil:
				joined[n.ref()] = n
				list = append(list, n)
			default:
				have.absorb(n)
			}
		}
	}
	return list
}

// rename gives components other refs, and corrects the edges that lead to them.
func (p *part) rename(name func(*node) string) {
	renamed := map[string]string{}
	for _, n := range p.nodes {
		if ref := name(n); ref != n.ref() {
			renamed[n.ref()] = ref
			n.component.BOMRef = ref
		}
	}
	p.redirect(renamed)
}

func (p *part) redirect(renamed map[string]string) {
	for _, n := range p.all() {
		for i, e := range n.edges {
			n.edges[i] = cmp.Or(renamed[e], e)
		}
	}
}

// distinguishRoots gives builds of one purl (one program for two platforms) refs
// of their own, by their digests or their order.
func distinguishRoots(parts []*part) {
	seen := map[string]bool{}
	for i, p := range parts {
		for _, n := range append([]*node{p.root}, p.programs...) {
			ref := n.ref()
			if h := n.component.Hashes; seen[ref] && h != nil && len(*h) > 0 {
				n.component.BOMRef = ref + "|" + (*h)[0].Value
			}
			if seen[n.ref()] {
				n.component.BOMRef += "|" + strconv.Itoa(i+1)
			}
			seen[n.ref()] = true
			p.redirect(map[string]string{ref: n.ref()})
		}
	}
}

// same says whether two components are one: equal in all but the places where
// they lie and what is said of their edges.
func same(a, b cdx.Component) bool {
	for _, c := range []*cdx.Component{&a, &b} {
		c.Evidence = nil
		if c.Properties != nil {
			kept := slices.DeleteFunc(slices.Clone(*c.Properties), func(p cdx.Property) bool {
				return strings.HasPrefix(p.Name, "plimsoll:dependencies:") || p.Name == "plimsoll:linked:unknown"
			})
			c.Properties = &kept
		}
	}
	return reflect.DeepEqual(a, b)
}

// absorb adds another build's edges and places of the same component.
func (n *node) absorb(other *node) {
	n.edges = append(n.edges, other.edges...)
	n.partial = n.partial || other.partial || (n.unknown == "") != (other.unknown == "")
	if n.unknown == "" && other.unknown != "" {
		n.unknown = other.unknown
		addProperty(&n.component, "plimsoll:dependencies:unknown", n.unknown)
	}
	if other.component.Evidence == nil || other.component.Evidence.Occurrences == nil {
		return
	}
	for _, o := range *other.component.Evidence.Occurrences {
		addOccurrence(&n.component, o)
	}
}

// addOccurrence adds where a component lies, once.
func addOccurrence(c *cdx.Component, o cdx.EvidenceOccurrence) {
	if o.Location == "" {
		return
	}
	if c.Evidence == nil {
		c.Evidence = &cdx.Evidence{}
	}
	if c.Evidence.Occurrences == nil {
		c.Evidence.Occurrences = &[]cdx.EvidenceOccurrence{o}
		return
	}
	list := *c.Evidence.Occurrences
	if slices.ContainsFunc(list, func(have cdx.EvidenceOccurrence) bool { return reflect.DeepEqual(have, o) }) {
		return
	}
	list = append(list, o)
	slices.SortFunc(list, func(a, b cdx.EvidenceOccurrence) int { return strings.Compare(a.Location, b.Location) })
	*c.Evidence.Occurrences = list
}
