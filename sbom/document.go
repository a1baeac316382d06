package sbom

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// A Document is a CycloneDX document about one build, or several.
type Document struct {
	json []byte
	// Components is how many components it lists, Edges how many dependencies.
	Components, Edges int
	// Gaps are what is not known about the build, in sentences. The document has
	// them too. Notes are what else a person should read.
	Gaps, Notes []string
}

// JSON returns the document, indented, with a newline at the end.
func (d *Document) JSON() []byte { return d.json }

// node is a component with its edges.
type node struct {
	component cdx.Component
	edges     []string // bom-refs
	unknown   string   // why the edges are not all known
	partial   bool     // the edges that are there are known
}

func (n *node) ref() string { return n.component.BOMRef }

// part is one build: its root, the programs inside it, and what they are made of.
type part struct {
	root     *node
	programs []*node
	nodes    []*node
	tools    []cdx.Component
	time     time.Time // of the commit
	gaps     []string
	notes    []string

	properties []cdx.Property // of the document
}

// all lists a part's nodes, root first.
func (p *part) all() []*node { return slices.Concat([]*node{p.root}, p.programs, p.nodes) }

// seal turns builds into a document. Nodes need no order.
func seal(parts []*part, o Options) (*Document, error) {
	nodes := join(parts)
	root := parts[0].root
	if len(parts) > 1 {
		root = umbrella(parts, o)
	}
	o.describeRoots(root, parts)
	doc := &Document{Components: len(nodes)}
	bom := cdx.NewBOM()
	bom.SpecVersion, bom.JSONSchema = cdx.SpecVersion1_7, "http://cyclonedx.org/schema/bom-1.7.schema.json"
	if o.SpecVersion == "1.6" {
		bom.SpecVersion, bom.JSONSchema = cdx.SpecVersion1_6, "http://cyclonedx.org/schema/bom-1.6.schema.json"
	}
	bom.SerialNumber = placeholderSerial
	bom.Metadata = o.metadata(parts)
	for _, p := range parts {
		doc.Gaps = append(doc.Gaps, p.gaps...)
		doc.Notes = append(doc.Notes, p.notes...)
		nested := components(p.programs)
		if len(parts) == 1 {
			root.component.Components = nested
			break
		}
		p.root.component.Components = nested
	}
	if len(parts) > 1 {
		var roots []*node
		for _, p := range parts {
			roots = append(roots, p.root)
		}
		root.component.Components = components(roots)
	}
	if bom.Metadata.Timestamp == "" {
		doc.Gaps = append(doc.Gaps, "the document's time: neither SOURCE_DATE_EPOCH nor a commit gives it")
	}
	bom.Metadata.Component = &root.component
	for _, gap := range slices.Compact(slices.Sorted(slices.Values(doc.Gaps))) {
		if bom.Metadata.Properties == nil {
			bom.Metadata.Properties = &[]cdx.Property{}
		}
		*bom.Metadata.Properties = append(*bom.Metadata.Properties, cdx.Property{Name: "plimsoll:gap", Value: gap})
	}
	for _, p := range parts {
		if len(p.properties) > 0 {
			if bom.Metadata.Properties == nil {
				bom.Metadata.Properties = &[]cdx.Property{}
			}
			*bom.Metadata.Properties = append(*bom.Metadata.Properties, p.properties...)
		}
	}
	bom.Components = cmp.Or(components(nodes), &[]cdx.Component{})
	all := []*node{root}
	for _, p := range parts {
		if len(parts) > 1 {
			all = append(all, p.root)
		}
		all = append(all, p.programs...)
	}
	all = append(all, nodes...)
	graph(bom, all, doc)
	if err := checkRefs(all); err != nil {
		return nil, err
	}
	var err error
	doc.json, err = encode(bom, o.RandomSerial)
	return doc, err
}

// components lists nodes in the order of their bom-refs; nil for none.
func components(nodes []*node) *[]cdx.Component {
	if len(nodes) == 0 {
		return nil
	}
	slices.SortFunc(nodes, func(a, b *node) int { return strings.Compare(a.ref(), b.ref()) })
	list := make([]cdx.Component, len(nodes))
	for i, n := range nodes {
		list[i] = n.component
	}
	return &list
}

// umbrella is the component above several builds.
func umbrella(parts []*part, o Options) *node {
	n := &node{component: cdx.Component{BOMRef: "plimsoll:several-builds", Type: cdx.ComponentTypeApplication, Name: o.Name}}
	var names []string
	for _, p := range parts {
		n.edges = append(n.edges, p.root.ref())
		names = append(names, p.root.component.Name)
	}
	if n.component.Name == "" {
		n.component.Name = strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), ", ")
	}
	if o.Version == "" {
		addProperty(&n.component, "plimsoll:version:unknown", "several builds have none in common; --version sets one")
	}
	addProperty(&n.component, logical, "true")
	for _, field := range []string{"hash", "license", "identifier"} {
		addProperty(&n.component, "plimsoll:unknown:"+field, "it stands for several builds, which are listed in it")
	}
	return n
}

// graph writes dependencies and compositions.
func graph(bom *cdx.BOM, nodes []*node, doc *Document) {
	var dependencies []cdx.Dependency
	var complete, incomplete, unknown []cdx.BOMReference
	for _, n := range nodes {
		ref := n.ref()
		switch {
		case n.unknown == "":
			complete = append(complete, cdx.BOMReference(ref))
		case n.partial:
			incomplete = append(incomplete, cdx.BOMReference(ref))
		default:
			unknown = append(unknown, cdx.BOMReference(ref))
			continue
		}
		d := cdx.Dependency{Ref: ref}
		if edges := slices.Compact(slices.Sorted(slices.Values(n.edges))); len(edges) > 0 {
			d.Dependencies = &edges
			doc.Edges += len(edges)
		}
		dependencies = append(dependencies, d)
	}
	slices.SortFunc(dependencies, func(a, b cdx.Dependency) int { return strings.Compare(a.Ref, b.Ref) })
	bom.Dependencies = &dependencies
	var compositions []cdx.Composition
	for _, c := range []struct {
		aggregate cdx.CompositionAggregate
		refs      []cdx.BOMReference
	}{
		{cdx.CompositionAggregateComplete, complete},
		{cdx.CompositionAggregateIncomplete, incomplete},
		{cdx.CompositionAggregateUnknown, unknown},
	} {
		if len(c.refs) > 0 {
			slices.Sort(c.refs)
			compositions = append(compositions, cdx.Composition{Aggregate: c.aggregate, Dependencies: &c.refs})
		}
	}
	bom.Compositions = &compositions
}

// checkRefs holds what the schema cannot: each bom-ref once, no edge to nothing.
func checkRefs(nodes []*node) error {
	seen := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		if n.ref() == "" {
			return errors.New("writing SBOM: a component has no bom-ref")
		}
		if seen[n.ref()] {
			return fmt.Errorf("writing SBOM: two components have the bom-ref %q", n.ref())
		}
		seen[n.ref()] = true
	}
	for _, n := range nodes {
		for _, e := range n.edges {
			if !seen[e] {
				return fmt.Errorf("writing SBOM: %q depends on %q, which is not listed", n.ref(), e)
			}
		}
	}
	return nil
}

// addProperty adds a property unless its value is empty.
func addProperty(c *cdx.Component, name, value string) {
	if value == "" {
		return
	}
	if c.Properties == nil {
		list := make([]cdx.Property, 0, 6)
		c.Properties = &list
	}
	*c.Properties = append(*c.Properties, cdx.Property{Name: name, Value: value})
}

// addReference adds an external reference.
func addReference(c *cdx.Component, ref cdx.ExternalReference) {
	if c.ExternalReferences == nil {
		c.ExternalReferences = &[]cdx.ExternalReference{}
	}
	*c.ExternalReferences = append(*c.ExternalReferences, ref)
}
