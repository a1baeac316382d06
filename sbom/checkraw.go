package sbom

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A rawDocument is what the clauses read of a document, as far as it is there.
// A member that has another type than CycloneDX gives it makes the document
// malformed.
type rawDocument struct {
	BOMFormat, SpecVersion, SerialNumber string
	Version                              int
	Metadata                             rawMetadata
	vulnerabilities                      int
	signature                            bool
	described                            bool // there is a metadata.component
	tools                                []componentJSON

	components   []rawComponent    // the described one first, nested ones behind theirs
	refs         map[string]int    // bom-ref -> how many things have it
	dependencies map[string]int    // ref -> how many entries
	dangling     []problem         // references that lead nowhere, to themselves, or contradict each other
	compositions map[string]string // ref -> what is said of its dependencies
}

type problem struct {
	status      Status
	where, what string
}

type rawMetadata struct {
	Timestamp    string           `json:"timestamp"`
	Authors      []rawContact     `json:"authors"`
	Manufacturer *rawOrganization `json:"manufacturer"`
	Manufacture  *rawOrganization `json:"manufacture"`
	Supplier     *rawOrganization `json:"supplier"`
	Lifecycles   []jsontext.Value `json:"lifecycles"`
	Tools        jsontext.Value   `json:"tools"`
	Component    *componentJSON   `json:"component"`
	Properties   []rawProperty    `json:"properties"`
}

type rawContact struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

type rawOrganization struct {
	Name    string       `json:"name"`
	URL     []string     `json:"url"`
	Contact []rawContact `json:"contact"`
}

type rawProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type rawHash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type rawReference struct {
	Type   string    `json:"type"`
	URL    string    `json:"url"`
	Hashes []rawHash `json:"hashes"`
}

type rawLicense struct {
	Expression      string `json:"expression"`
	Acknowledgement string `json:"acknowledgement"`
	License         *struct {
		ID              string `json:"id"`
		Name            string `json:"name"`
		Acknowledgement string `json:"acknowledgement"`
	} `json:"license"`
}

// rawComponent is what is kept of a component: a status for each field, so that a
// document of many takes little memory.
type rawComponent struct {
	ref    string
	parent int // index of the component it is nested in; -1: none
	index  int // among its parent's, or the document's; -1: the described one
	fields [fieldCount]Status
	// logical components have no file of their own (BSI TR-03183-2, 3.2.2).
	logical bool
}

// maxNesting bounds components in components.
const maxNesting = 64

// trackingReader remembers the reader's own error, and that it was cut off.
type trackingReader struct {
	r    io.Reader
	left int64
	err  error
}

func (t *trackingReader) Read(p []byte) (int, error) {
	if t.left <= 0 {
		t.err = fmt.Errorf("%w: it is over %d bytes", ErrMalformed, int64(MaxCheck))
		return 0, t.err
	}
	if int64(len(p)) > t.left {
		p = p[:t.left]
	}
	n, err := t.r.Read(p)
	t.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}

// readRaw reads a document, one component at a time.
func readRaw(r io.Reader) (*rawDocument, error) {
	in := &trackingReader{r: r, left: MaxCheck}
	doc := &rawDocument{refs: map[string]int{}, dependencies: map[string]int{}, compositions: map[string]string{}}
	text := bufio.NewReaderSize(in, 1<<16)
	if mark, err := text.Peek(3); err == nil && string(mark) == "\ufeff" {
		text.Discard(3) // a byte order mark, which some tools write (RFC 8259, 8.1)
	}
	err := doc.read(jsontext.NewDecoder(text))
	switch {
	case err == nil:
		return doc, nil
	case in.err != nil:
		return nil, fmt.Errorf("reading SBOM: %w", in.err)
	}
	return nil, fmt.Errorf("reading SBOM: %w: %w", ErrMalformed, err)
}

func (d *rawDocument) read(dec *jsontext.Decoder) error {
	if start, err := dec.ReadToken(); err != nil {
		return err
	} else if start.Kind() != '{' {
		return fmt.Errorf("expected a JSON object, found %s", start.Kind())
	}
	var late []func() error // dependencies may stand before components
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := d.member(dec, name.String(), &late); err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the document")
	}
	if d.BOMFormat != "CycloneDX" {
		return fmt.Errorf("expected bomFormat CycloneDX, found %q", d.BOMFormat)
	}
	for _, check := range late {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (d *rawDocument) member(dec *jsontext.Decoder, name string, late *[]func() error) error {
	switch name {
	case "bomFormat":
		return json.UnmarshalDecode(dec, &d.BOMFormat)
	case "specVersion":
		return json.UnmarshalDecode(dec, &d.SpecVersion)
	case "serialNumber":
		return json.UnmarshalDecode(dec, &d.SerialNumber)
	case "version":
		return json.UnmarshalDecode(dec, &d.Version)
	case "metadata":
		if err := json.UnmarshalDecode(dec, &d.Metadata); err != nil {
			return err
		}
		if err := d.readTools(); err != nil || d.Metadata.Component == nil {
			return err
		}
		d.described = true
		return d.component(d.Metadata.Component, -1, -1, 0)
	case "components":
		i := -1
		return eachElement(dec, func() error {
			i++
			var c componentJSON
			if err := json.UnmarshalDecode(dec, &c); err != nil {
				return err
			}
			return d.component(&c, -1, i, 0)
		})
	case "services", "annotations", "declarations", "formulation":
		v, err := dec.ReadValue()
		if err != nil {
			return err
		}
		return d.otherRefs(v)
	case "vulnerabilities":
		return eachElement(dec, func() error { d.vulnerabilities++; return dec.SkipValue() })
	case "dependencies":
		i := -1
		return eachElement(dec, func() error {
			i++
			return d.dependency(dec, i, late)
		})
	case "compositions":
		i := -1
		return eachElement(dec, func() error {
			i++
			return d.composition(dec, i, late)
		})
	case "signature":
		d.signature = true
	}
	return dec.SkipValue()
}

// eachElement calls do before each element of an array; do reads it.
func eachElement(dec *jsontext.Decoder, do func() error) error {
	if start, err := dec.ReadToken(); err != nil {
		return err
	} else if start.Kind() != '[' {
		return fmt.Errorf("expected a JSON array at %s, found %s", dec.StackPointer(), start.Kind())
	}
	for dec.PeekKind() != ']' {
		before := dec.InputOffset()
		if err := do(); err != nil {
			return err
		}
		if dec.InputOffset() == before {
			return errors.New("the document is cut off")
		}
	}
	_, err := dec.ReadToken()
	return err
}

// otherRefs takes the bom-refs of what is no component: edges may lead there.
func (d *rawDocument) otherRefs(v jsontext.Value) error {
	dec := jsontext.NewDecoder(strings.NewReader(string(v)))
	for {
		t, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if kind, n := dec.StackIndex(dec.StackDepth()); kind == '{' && n%2 == 1 && t.Kind() == '"' && t.String() == "bom-ref" {
			ref, err := dec.ReadToken()
			if err != nil {
				return err
			}
			d.refs[ref.String()]++
		}
	}
}

// readTools reads the tools in both forms that CycloneDX has: components and
// services, and until 1.4 a list.
func (d *rawDocument) readTools() error {
	switch tools := d.Metadata.Tools; {
	case len(tools) == 0:
		return nil
	case tools.Kind() == '[':
		return json.Unmarshal(tools, &d.tools)
	default:
		var choice struct {
			Components []componentJSON `json:"components"`
			Services   []componentJSON `json:"services"`
		}
		if err := json.Unmarshal(tools, &choice); err != nil {
			return err
		}
		d.tools = append(choice.Components, choice.Services...)
		return nil
	}
}

func (d *rawDocument) component(c *componentJSON, parent, index, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("components lie more than %d deep", maxNesting)
	}
	kept := rawComponent{ref: c.BOMRef, parent: parent, index: index, fields: c.statuses()}
	for _, p := range c.Properties {
		kept.logical = kept.logical || (p.Name == "plimsoll:component:logical" && p.Value == "true")
	}
	if c.BOMRef != "" {
		d.refs[c.BOMRef]++
	}
	at := len(d.components)
	d.components = append(d.components, kept)
	for i := range c.Components {
		if err := d.component(&c.Components[i], at, i, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// where is a component's place in the document, with its bom-ref.
func (c *rawComponent) where(d *rawDocument) string {
	path := ""
	for at := c; ; at = &d.components[at.parent] {
		step := fmt.Sprintf("components[%d]", at.index)
		if at.parent < 0 && at.index < 0 {
			step = "metadata.component"
		}
		if path != "" {
			step += "." + path
		}
		if path = step; at.parent < 0 {
			break
		}
	}
	if c.ref != "" {
		path += " (" + c.ref + ")"
	}
	return path
}

func (d *rawDocument) dependency(dec *jsontext.Decoder, i int, late *[]func() error) error {
	var dep struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
		Provides  []string `json:"provides"`
	}
	if err := json.UnmarshalDecode(dec, &dep); err != nil {
		return err
	}
	d.dependencies[dep.Ref]++
	*late = append(*late, func() error {
		d.resolve(dep.Ref, "dependencies[%d].ref", i)
		seen := make(map[string]bool, len(dep.DependsOn))
		for j, to := range dep.DependsOn {
			d.resolve(to, "dependencies[%d].dependsOn[%d]", i, j)
			if seen[to] {
				d.dangling = append(d.dangling, problem{Fail, fmt.Sprintf("dependencies[%d].dependsOn[%d]", i, j), fmt.Sprintf("%q is there twice", to)})
			}
			if to == dep.Ref {
				d.dangling = append(d.dangling, problem{Fail, fmt.Sprintf("dependencies[%d].dependsOn[%d]", i, j), fmt.Sprintf("%q depends on itself", to)})
			}
			seen[to] = true
		}
		for j, to := range dep.Provides {
			d.resolve(to, "dependencies[%d].provides[%d]", i, j)
		}
		return nil
	})
	return nil
}

// resolve holds that a reference leads to something, in this document or by
// BOM-Link in another.
func (d *rawDocument) resolve(ref, where string, at ...any) {
	if d.refs[ref] == 0 && !strings.HasPrefix(ref, "urn:cdx:") {
		d.dangling = append(d.dangling, problem{Fail, fmt.Sprintf(where, at...), fmt.Sprintf("nothing has the bom-ref %q", ref)})
	}
}

func (d *rawDocument) composition(dec *jsontext.Decoder, i int, late *[]func() error) error {
	var c struct {
		Aggregate    string   `json:"aggregate"`
		Assemblies   []string `json:"assemblies"`
		Dependencies []string `json:"dependencies"`
	}
	if err := json.UnmarshalDecode(dec, &c); err != nil {
		return err
	}
	for _, ref := range c.Dependencies {
		if have := d.compositions[ref]; have != "" && have != c.Aggregate {
			d.dangling = append(d.dangling, problem{Fail, fmt.Sprintf("compositions[%d]", i), fmt.Sprintf("the dependencies of %q are %s here and %s elsewhere", ref, c.Aggregate, have)})
		}
		d.compositions[ref] = c.Aggregate
	}
	*late = append(*late, func() error {
		for j, ref := range c.Assemblies {
			d.resolve(ref, "compositions[%d].assemblies[%d]", i, j)
		}
		for j, ref := range c.Dependencies {
			d.resolve(ref, "compositions[%d].dependencies[%d]", i, j)
		}
		return nil
	})
	return nil
}
