package sbom

import (
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"

	"plimsoll.example/sbom/golang"
)

// goDocument writes the document of a Go build.
func goDocument(b *golang.Build, o Options) (*Document, error) {
	refs := map[string]string{} // key -> bom-ref
	for _, m := range b.Modules {
		refs[m.Key()] = goPURL(m, "")
	}
	subpath := ""
	if rest, ok := strings.CutPrefix(b.Package, b.Main.Path+"/"); ok {
		subpath = rest
	}
	refs[b.Main.Key()] = goPURL(b.Main, subpath) // a dependency may import the main module back
	root := goNode(b.Main, refs)
	root.component.Type = cdx.ComponentTypeApplication
	describeGoBuild(&root.component, b)
	nodes := make([]*node, len(b.Modules))
	for i, m := range b.Modules {
		nodes[i] = goNode(m, refs)
	}
	return seal(root, nodes, b.Gaps, o)
}

func goNode(m golang.Module, refs map[string]string) *node {
	ref := refs[m.Key()]
	c := cdx.Component{
		BOMRef: ref, Type: cdx.ComponentTypeLibrary,
		Name: m.Path, Version: m.Version, PackageURL: ref, Scope: cdx.ScopeRequired,
	}
	if m.Path == golang.Std {
		c.Name = "stdlib"
	}
	addProperty(&c, "plimsoll:gomod:h1", m.Sum)
	if m.Required != "" {
		addProperty(&c, "plimsoll:gomod:replaces", m.Required+"@"+m.RequiredVersion)
	}
	if m.Local {
		addProperty(&c, "plimsoll:gomod:local", "true")
		addProperty(&c, "plimsoll:gomod:replaces", m.Path+"@"+m.RequiredVersion)
	}
	if m.Version == "" {
		addProperty(&c, "plimsoll:version:unknown", whyNoVersion(m))
	}
	addProperty(&c, "plimsoll:dependencies:unknown", m.EdgesUnknown)
	n := &node{component: c, unknown: m.EdgesUnknown, partial: m.EdgesPartial}
	for _, e := range m.Edges {
		n.edges = append(n.edges, refs[e])
	}
	return n
}

func whyNoVersion(m golang.Module) string {
	switch {
	case m.Local:
		return "a folder replaces the module"
	case m.Path == golang.Std:
		return "the Go toolchain is not a release"
	}
	return "the build records none"
}

// goPURL writes a module's purl. Paths keep their capitals: the purl
// specification lower-cases golang, and a lower-cased path names no module.
func goPURL(m golang.Module, subpath string) string {
	path := m.Path
	if path == golang.Std {
		path = "stdlib"
	}
	namespace, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		namespace, name = path[:i], path[i+1:]
	}
	return packageurl.NewPackageURL(packageurl.TypeGolang, namespace, name, m.Version, nil, subpath).ToString()
}

// taxonomy maps build settings to CycloneDX's own properties (property taxonomy,
// cdx:gomod).
var taxonomy = map[string]string{
	"CGO_ENABLED": "cdx:gomod:build:env:CGO_ENABLED",
	"GOARCH":      "cdx:gomod:build:env:GOARCH",
	"GOOS":        "cdx:gomod:build:env:GOOS",
}

func describeGoBuild(c *cdx.Component, b *golang.Build) {
	addProperty(c, "plimsoll:gomod:package", b.Package)
	if b.GoVersion != "" {
		addProperty(c, "cdx:gomod:build:env:GOVERSION", "go"+b.GoVersion)
	}
	for _, s := range b.Settings {
		switch {
		case s.Key == "-tags":
			for tag := range strings.SplitSeq(s.Value, ",") {
				addProperty(c, "cdx:gomod:build:tag", tag)
			}
		case taxonomy[s.Key] != "":
			addProperty(c, taxonomy[s.Key], s.Value)
		case strings.HasPrefix(s.Key, "vcs."):
			addProperty(c, "plimsoll:gomod:vcs:"+strings.TrimPrefix(s.Key, "vcs."), s.Value)
		}
	}
}
