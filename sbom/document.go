package sbom

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// A Document is a CycloneDX document about one build.
type Document struct {
	json []byte
	// Components is how many components it lists, Edges how many dependencies.
	Components, Edges int
	// Gaps are what is not known about the build, in sentences.
	Gaps []string
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

// seal turns a root and its components into a document. nodes need no order.
func seal(root *node, nodes []*node, gaps []string, o Options) (*Document, error) {
	if o.Artifact != nil {
		root.component.Hashes = artifactHashes(o.Artifact)
		addProperty(&root.component, "plimsoll:artifact:file", o.Artifact.Name)
	}
	bom := cdx.NewBOM()
	bom.SerialNumber = placeholderSerial
	bom.Metadata = &cdx.Metadata{
		Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhaseBuild}},
		Component:  &root.component,
	}
	if !o.Time.IsZero() {
		bom.Metadata.Timestamp = o.Time.UTC().Format(time.RFC3339)
	}
	if o.Tool.Name != "" {
		bom.Metadata.Tools = &cdx.ToolsChoice{Components: &[]cdx.Component{{
			Type: cdx.ComponentTypeApplication, Name: o.Tool.Name, Version: o.Tool.Version,
		}}}
	}
	slices.SortFunc(nodes, func(a, b *node) int { return strings.Compare(a.component.BOMRef, b.component.BOMRef) })
	components := make([]cdx.Component, len(nodes))
	for i, n := range nodes {
		components[i] = n.component
	}
	bom.Components = &components
	doc := &Document{Components: len(nodes), Gaps: gaps}
	all := append([]*node{root}, nodes...)
	graph(bom, all, doc)
	if err := checkRefs(all); err != nil {
		return nil, err
	}
	var err error
	doc.json, err = encode(bom)
	return doc, err
}

// graph writes dependencies and compositions.
func graph(bom *cdx.BOM, nodes []*node, doc *Document) {
	var dependencies []cdx.Dependency
	var complete, incomplete, unknown []cdx.BOMReference
	for _, n := range nodes {
		ref := n.component.BOMRef
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
		if seen[n.component.BOMRef] {
			return fmt.Errorf("writing SBOM: two components have the bom-ref %q", n.component.BOMRef)
		}
		seen[n.component.BOMRef] = true
	}
	for _, n := range nodes {
		for _, e := range n.edges {
			if !seen[e] {
				return fmt.Errorf("writing SBOM: %q depends on %q, which is not listed", n.component.BOMRef, e)
			}
		}
	}
	return nil
}

// placeholderSerial stands where the serial number goes until the content is
// known: as long as one, so that it can be replaced in the encoded bytes.
const placeholderSerial = "urn:uuid:00000000-0000-0000-0000-000000000000"

// serialSpace is the UUID name space of the serial numbers (RFC 9562, version 5).
var serialSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://plimsoll.example/serial"))

// encode writes the document and derives its serial number from everything else
// in it: the artifact's digest, the content and the time.
func encode(bom *cdx.BOM) ([]byte, error) {
	var indented indenter
	encoder := cdx.NewBOMEncoder(&indented, cdx.BOMFileFormatJSON)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(bom); err != nil {
		return nil, fmt.Errorf("writing SBOM: %w", err)
	}
	data := append(indented.json, '\n')
	// The schema's order puts the placeholder before anything from outside.
	at := bytes.Index(data, []byte(placeholderSerial))
	if at < 0 {
		return nil, errors.New("writing SBOM: it has no serial number")
	}
	sum := sha256.Sum256(data)
	copy(data[at:], "urn:uuid:"+uuid.NewSHA1(serialSpace, sum[:]).String())
	return data, nil
}

// An indenter indents the document that the encoder writes to it, in one piece.
// The encoder's own indenting takes twice as long.
type indenter struct{ json []byte }

func (i *indenter) Write(compact []byte) (int, error) {
	var err error
	i.json, err = jsontext.AppendFormat(make([]byte, 0, 2*len(compact)), compact, jsontext.WithIndent("  "),
		jsontext.PreserveRawStrings(true), jsontext.AllowDuplicateNames(true)) // it was encoded just now
	return len(compact), err
}

func hashArtifact(f io.ReadSeeker, name string) (*Artifact, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	h256, h512 := sha256.New(), sha512.New()
	if _, err := io.CopyBuffer(io.MultiWriter(h256, h512), struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		return nil, err
	}
	return &Artifact{Name: name, SHA256: hex.EncodeToString(h256.Sum(nil)), SHA512: hex.EncodeToString(h512.Sum(nil))}, nil
}

func artifactHashes(a *Artifact) *[]cdx.Hash {
	return &[]cdx.Hash{
		{Algorithm: cdx.HashAlgoSHA256, Value: a.SHA256},
		{Algorithm: cdx.HashAlgoSHA512, Value: a.SHA512},
	}
}

// addProperty adds a property unless its value is empty.
func addProperty(c *cdx.Component, name, value string) {
	if value == "" {
		return
	}
	if c.Properties == nil {
		c.Properties = &[]cdx.Property{}
	}
	*c.Properties = append(*c.Properties, cdx.Property{Name: name, Value: value})
}
