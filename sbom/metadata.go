package sbom

import (
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// A Contact is a person or a group that can be written to.
type Contact struct{ Name, Email string }

// An Organization made or supplies something. CISA and BSI want a name and an
// address: of mail, or else of a page.
type Organization struct{ Name, URL, Email string }

// metadata is what a document says of itself.
func (o Options) metadata(parts []*part) *cdx.Metadata {
	m := &cdx.Metadata{
		Lifecycles:   &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhaseBuild}},
		Manufacturer: o.Manufacturer.entity(),
		Supplier:     o.Supplier.entity(),
	}
	when := o.Time
	if when.IsZero() {
		for _, p := range parts {
			if p.time.After(when) {
				when = p.time
			}
		}
	}
	if !when.IsZero() {
		m.Timestamp = when.UTC().Format(time.RFC3339)
	}
	if len(o.Authors) > 0 {
		var authors []cdx.OrganizationalContact
		for _, a := range o.Authors {
			authors = append(authors, cdx.OrganizationalContact{Name: a.Name, Email: a.Email})
		}
		m.Authors = &authors
	}
	var tools []cdx.Component
	if o.Tool.Name != "" {
		tools = append(tools, cdx.Component{Type: cdx.ComponentTypeApplication, Name: o.Tool.Name, Version: o.Tool.Version})
	}
	for _, p := range parts {
		tools = append(tools, p.tools...)
	}
	slices.SortStableFunc(tools, func(a, b cdx.Component) int {
		return strings.Compare(a.Name+"\x00"+a.Version, b.Name+"\x00"+b.Version)
	})
	tools = slices.CompactFunc(tools, func(a, b cdx.Component) bool { return a.Name == b.Name && a.Version == b.Version })
	if len(tools) > 0 {
		m.Tools = &cdx.ToolsChoice{Components: &tools}
	}
	return m
}

func (org *Organization) entity() *cdx.OrganizationalEntity {
	if org == nil {
		return nil
	}
	e := &cdx.OrganizationalEntity{Name: org.Name}
	if org.URL != "" {
		e.URL = &[]string{org.URL}
	}
	if org.Email != "" {
		e.Contact = &[]cdx.OrganizationalContact{{Email: org.Email}}
	}
	return e
}

// describeRoots sets what the caller knows better than the build.
func (o Options) describeRoots(top *node, parts []*part) {
	roots := []*node{top}
	for _, p := range parts {
		if p.root != top {
			roots = append(roots, p.root)
		}
		roots = append(roots, p.programs...)
	}
	for _, n := range roots {
		c := &n.component
		c.Manufacturer, c.Supplier = o.Manufacturer.entity(), o.Supplier.entity()
		if c.Manufacturer == nil && c.Supplier == nil {
			addProperty(c, "plimsoll:unknown:producer", "nobody was named as the manufacturer or supplier")
		}
		if o.License != "" {
			// Who writes the SBOM of their own build says under what they give it away.
			concluded := cdx.LicenseAcknowledgementConcluded
			c.Licenses = &cdx.Licenses{{Expression: o.License, Acknowledgement: &concluded}}
			removeProperty(c, "plimsoll:unknown:license")
		}
	}
	if top.component.Version == "" && o.Version != "" {
		top.component.Version = o.Version
	}
}
