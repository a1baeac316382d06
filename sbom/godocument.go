package sbom

import (
	"cmp"
	"net/url"
	"path"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"

	"plimsoll.example/sbom/golang"
)

// goPart describes a Go build. artifact is the binary, if it is one.
func goPart(b *golang.Build, artifact *Artifact) *part {
	g := goBuild{Build: b, artifact: artifact, refs: map[string]string{}}
	for _, m := range b.Modules {
		g.refs[m.Key()] = goPURL(m, "")
	}
	subpath := ""
	if rest, ok := strings.CutPrefix(b.Package, b.Main.Path+"/"); ok {
		subpath = rest
	}
	g.refs[b.Main.Key()] = goPURL(b.Main, subpath) // a dependency may import the main module back
	p := &part{root: g.node(b.Main), gaps: b.Gaps, time: b.Time, tools: goTools(b)}
	if b.Note != "" {
		p.notes = append(p.notes, b.Note)
	}
	p.root.component.Type = cdx.ComponentTypeApplication
	p.root.component.Scope = ""
	describeGoBuild(&p.root.component, b)
	if artifact != nil {
		describeArtifact(&p.root.component, *artifact)
	}
	for _, program := range b.Programs {
		n := g.program(program)
		p.programs = append(p.programs, n)
		p.root.edges = append(p.root.edges, n.ref())
	}
	for _, m := range b.Modules {
		n := g.node(m)
		p.nodes = append(p.nodes, n)
		p.nodes = append(p.nodes, g.files(m, n)...)
	}
	p.nodes = append(p.nodes, g.files(b.Main, p.root)...)
	for _, library := range b.Native.Libraries {
		n := sharedLibrary(library)
		p.nodes = append(p.nodes, n)
		p.root.edges = append(p.root.edges, n.ref())
		g.occurrence(&n.component, golang.Module{})
	}
	if b.Native.Unknown != "" {
		addProperty(&p.root.component, "plimsoll:cgo:unknown", b.Native.Unknown)
		p.gaps = append(p.gaps, b.Native.Unknown)
		if p.root.unknown == "" {
			p.root.unknown, p.root.partial = b.Native.Unknown, true
			addProperty(&p.root.component, "plimsoll:dependencies:unknown", p.root.unknown)
		}
	}
	return p
}

// goBuild is a build on its way into a document.
type goBuild struct {
	*golang.Build
	artifact *Artifact
	refs     map[string]string // key -> bom-ref
}

func (g goBuild) node(m golang.Module) *node {
	ref := g.refs[m.Key()]
	c := cdx.Component{
		BOMRef: ref, Type: cdx.ComponentTypeLibrary,
		Name: m.Path, Version: m.Version, PackageURL: ref, Scope: cdx.ScopeRequired,
	}
	if m.Path == golang.Std {
		c.Name = "stdlib"
	}
	if m.Key() != g.Main.Key() {
		goProducer(&c, m)
	}
	if m.Path == golang.Std || m.Local || m.Workspace || (m.Key() == g.Main.Key() && g.artifact == nil) {
		addProperty(&c, logical, "true")
	}
	if m.Unseen {
		c.Scope = ""
		addProperty(&c, "plimsoll:linked:unknown", m.EdgesUnknown)
	}
	goOrigin(&c, m, g.artifact != nil && m.Key() == g.Main.Key())
	goLicense(&c, m)
	g.occurrence(&c, m)
	if m.Version == "" {
		addProperty(&c, "plimsoll:version:unknown", whyNoVersion(m))
	} else {
		addProperty(&c, "plimsoll:version:from", m.VersionFrom)
	}
	for _, flag := range m.CGo.LDFlags {
		addProperty(&c, "plimsoll:cgo:ldflag", flag)
	}
	for _, pkg := range m.CGo.PkgConf {
		addProperty(&c, "plimsoll:cgo:pkg-config", pkg)
	}
	addProperty(&c, "plimsoll:dependencies:unknown", m.EdgesUnknown)
	n := &node{component: c, unknown: m.EdgesUnknown, partial: m.EdgesPartial}
	for _, e := range m.Edges {
		n.edges = append(n.edges, g.refs[e])
	}
	return n
}

// logical marks a component that is no file of its own (BSI TR-03183-2, 3.2.2).
const logical = "plimsoll:component:logical"

// goProducer names who publishes a module: whoever holds the host, and on hosts of
// many the account, that its path begins with. A copy that was changed, or a
// module of the same workspace, is not published by them.
func goProducer(c *cdx.Component, m golang.Module) {
	if m.Path == golang.Std {
		c.Manufacturer = &cdx.OrganizationalEntity{Name: "The Go Authors", URL: &[]string{"https://go.dev"}}
		c.Supplier = c.Manufacturer
		return
	}
	elements := strings.Split(m.Path, "/")
	if m.Local || m.Workspace || !strings.Contains(elements[0], ".") {
		addProperty(c, "plimsoll:unknown:producer", "it is a folder of this build, and names nobody")
		return
	}
	name, page := elements[0], address(m.Path)
	if repository := repositoryOf(m.Path); repository != "" {
		page = repository
		if len(elements) > 1 {
			name += "/" + elements[1]
		}
	}
	c.Manufacturer = &cdx.OrganizationalEntity{Name: name, URL: &[]string{page}}
	c.Supplier = c.Manufacturer
}

// goOrigin says where a module comes from: its hashes, on itself and on the
// reference to its zip, what it replaces, its repository. built says that the
// component is the file that was built from it.
func goOrigin(c *cdx.Component, m golang.Module, built bool) {
	addProperty(c, "plimsoll:gomod:h1", m.Sum)
	var hashes *[]cdx.Hash
	if m.SHA256 != "" {
		hashes = fileHashes(m.SHA256, m.SHA512)
	}
	goPedigree(c, m)
	if !built { // else the hashes are those of the file that was built
		c.Hashes = hashes
		addProperty(c, "plimsoll:unknown:hash", m.HashUnknown)
	}
	if m.Version == "" || m.Local || m.Workspace || m.Path == golang.Std {
		return
	}
	if m.Sum != "" {
		// What is distributed of a Go module is its source.
		source := cdx.ExternalReference{Type: cdx.ERTypeSourceDistribution, URL: c.PackageURL}
		if built {
			source.Hashes = hashes
		} else {
			addReference(c, cdx.ExternalReference{Type: cdx.ERTypeDistribution, URL: c.PackageURL, Hashes: hashes,
				Comment: "the module's zip, the same from every module proxy"})
			addFileProperties(c, m.Version+".zip", "non-executable", "archive", "structured")
		}
		addReference(c, source)
	}
	if repository := repositoryOf(m.Path); repository != "" {
		addReference(c, cdx.ExternalReference{Type: cdx.ERTypeVCS, URL: repository})
	}
}

// goPedigree says what a module stands in for.
func goPedigree(c *cdx.Component, m golang.Module) {
	required := golang.Module{Path: cmp.Or(m.Required, m.Path), Version: m.RequiredVersion}
	if m.Required == "" && !m.Local {
		return
	}
	addProperty(c, "plimsoll:gomod:replaces", required.Path+"@"+required.Version)
	ancestor := cdx.Component{Type: cdx.ComponentTypeLibrary, Name: required.Path, Version: required.Version, PackageURL: goPURL(required, "")}
	notes := "replaced by another module"
	if m.Local {
		addProperty(c, "plimsoll:gomod:local", "true")
		addProperty(c, "plimsoll:gomod:local:h1", m.LocalSum)
		switch {
		case m.LocalSum == "":
			notes = "replaced by a folder; how its files differ is not known"
		case m.LocalSum == m.RequiredSum:
			notes = "replaced by a folder with the same files"
		case m.RequiredSum == "":
			notes = "replaced by a folder; go.sum does not have the required version to compare it with"
		default:
			notes = "replaced by a folder with other files"
		}
	}
	c.Pedigree = &cdx.Pedigree{Ancestors: &[]cdx.Component{ancestor}, Notes: notes}
}

func goLicense(c *cdx.Component, m golang.Module) {
	if m.License == "" {
		addProperty(c, "plimsoll:unknown:license", cmp.Or(m.LicenseUnknown, "no text of it was found"))
		return
	}
	concluded := cdx.LicenseAcknowledgementConcluded
	c.Licenses = &cdx.Licenses{{Expression: m.License, Acknowledgement: &concluded}}
}

// occurrence says where a module lies: in the binary, in the vendor folder, or
// required in go.mod.
func (g goBuild) occurrence(c *cdx.Component, m golang.Module) {
	switch {
	case g.artifact != nil:
		addOccurrence(c, cdx.EvidenceOccurrence{Location: g.artifact.Name})
	case m.Line > 0:
		addOccurrence(c, cdx.EvidenceOccurrence{Location: m.Place, Line: &m.Line})
	default:
		addOccurrence(c, cdx.EvidenceOccurrence{Location: m.Place})
	}
}

// program is one of several programs of the main module.
func (g goBuild) program(p golang.Program) *node {
	m := golang.Module{Path: g.Main.Path, Version: g.Main.Version}
	subpath := strings.TrimPrefix(strings.TrimPrefix(p.Package, g.Main.Path), "/")
	purl := goPURL(m, subpath)
	n := &node{component: cdx.Component{
		BOMRef: purl, Type: cdx.ComponentTypeApplication, Name: path.Base(p.Package), Version: g.Main.Version, PackageURL: purl,
	}}
	if purl == g.refs[g.Main.Key()] { // the program at the top of the module
		n.component.BOMRef = purl + "|program"
	}
	if g.Main.Version == "" {
		addProperty(&n.component, "plimsoll:version:unknown", whyNoVersion(g.Main))
	}
	addProperty(&n.component, "plimsoll:gomod:package", p.Package)
	addProperty(&n.component, "plimsoll:unknown:hash", "it was not built here")
	addProperty(&n.component, logical, "true")
	goLicense(&n.component, g.Main)
	for _, e := range p.Edges {
		n.edges = append(n.edges, g.refs[e])
	}
	if g.Main.EdgesUnknown != "" {
		n.unknown, n.partial = g.Main.EdgesUnknown, true
		addProperty(&n.component, "plimsoll:dependencies:unknown", n.unknown)
	}
	return n
}

// files are a module's sources in other languages; the module depends on them.
func (g goBuild) files(m golang.Module, of *node) []*node {
	var nodes []*node
	for _, f := range m.CGo.Files {
		purl := goPURL(m, f.Path)
		c := cdx.Component{
			BOMRef: of.ref() + "|" + f.Path, Type: cdx.ComponentTypeFile, Name: f.Path, PackageURL: purl, Version: m.Version, Scope: cdx.ScopeRequired,
			Hashes: fileHashes(f.SHA256, f.SHA512),
		}
		if m.Version == "" {
			addProperty(&c, "plimsoll:version:unknown", whyNoVersion(m))
		}
		goLicense(&c, m)
		c.Manufacturer, c.Supplier = of.component.Manufacturer, of.component.Supplier
		if c.Manufacturer == nil {
			addProperty(&c, "plimsoll:unknown:producer", "it is a file of this build, and names nobody")
		}
		addFileProperties(&c, path.Base(f.Path), "non-executable", "no archive", "unstructured")
		addReference(&c, cdx.ExternalReference{Type: cdx.ERTypeDistribution, URL: purl, Hashes: c.Hashes})
		nodes = append(nodes, &node{component: c})
		of.edges = append(of.edges, c.BOMRef)
	}
	return nodes
}

// sharedLibrary is a library that the loader finds on the machine where the
// binary runs: no more than its name is known.
func sharedLibrary(name string) *node {
	const why = "the binary names the library, and which one is loaded the machine decides that runs it"
	c := cdx.Component{BOMRef: "shared-library:" + name, Type: cdx.ComponentTypeLibrary, Name: name, Scope: cdx.ScopeRequired}
	addProperty(&c, "plimsoll:cgo:shared-library", "true")
	addProperty(&c, logical, "true")
	addProperty(&c, "plimsoll:version:unknown", why)
	for _, field := range []string{"producer", "hash", "license", "identifier"} {
		addProperty(&c, "plimsoll:unknown:"+field, why)
	}
	addProperty(&c, "plimsoll:dependencies:unknown", why)
	return &node{component: c, unknown: why}
}

func whyNoVersion(m golang.Module) string {
	switch {
	case m.VersionUnknown != "":
		return m.VersionUnknown
	case m.Local:
		return "a folder replaces the module"
	case m.Workspace:
		return "it is a module of the same workspace"
	case m.Path == golang.Std:
		return "which Go toolchain it is, is not known, or it is not a release"
	}
	return "the build records none"
}

// goPURL writes a module's purl. Paths keep their capitals: the purl
// specification lower-cases golang, and a lower-cased path names no module.
func goPURL(m golang.Module, subpath string) string {
	modulePath := m.Path
	if modulePath == golang.Std {
		modulePath = "stdlib"
	}
	namespace, name := "", modulePath
	if i := strings.LastIndexByte(modulePath, '/'); i >= 0 {
		namespace, name = modulePath[:i], modulePath[i+1:]
	}
	return packageurl.NewPackageURL(packageurl.TypeGolang, namespace, name, m.Version, nil, subpath).ToString()
}

// repositoryOf is the repository of a module whose path names it (go.dev/ref/mod,
// "Finding a repository for a module path"): known hosts, or a .git in the path.
func repositoryOf(modulePath string) string {
	elements := strings.Split(modulePath, "/")
	host := elements[0]
	for i, e := range elements {
		if i > 0 && strings.HasSuffix(e, ".git") {
			return address(strings.Join(elements[:i+1], "/"))
		}
	}
	if (host == "github.com" || host == "bitbucket.org") && len(elements) >= 3 {
		return address(strings.Join(elements[:3], "/"))
	}
	return ""
}

func address(hostAndPath string) string {
	u, err := url.Parse("https://" + hostAndPath)
	if err != nil {
		return ""
	}
	return u.String()
}

// unknownVersion is what CISA's minimum elements want to read where a tool's
// version is not known.
const unknownVersion = "unknown"

// goTools are what built it: the Go toolchain, and C compilers by the name they
// give themselves, "GCC: (Debian 12.2.0-14) 12.2.0".
func goTools(b *golang.Build) []cdx.Component {
	var tools []cdx.Component
	if release := strings.TrimPrefix(b.Toolchain, "go"); release != "" {
		tools = append(tools, cdx.Component{Type: cdx.ComponentTypeApplication, Name: "go", Version: release})
	}
	for _, compiler := range b.Native.Compilers {
		c := cdx.Component{Type: cdx.ComponentTypeApplication, Name: compiler, Version: unknownVersion}
		if name, rest, ok := strings.Cut(compiler, ":"); ok {
			c.Name, c.Version = name, strings.TrimSpace(rest)
		}
		tools = append(tools, c)
	}
	if cc := b.Setting("CC"); cc != "" {
		tools = append(tools, cdx.Component{Type: cdx.ComponentTypeApplication, Name: cc, Version: unknownVersion})
	}
	return tools
}

// describeGoBuild writes how it was built: in the properties of CycloneDX's own
// taxonomy (cdx:gomod) where it has one, else in ours.
func describeGoBuild(c *cdx.Component, b *golang.Build) {
	addProperty(c, "plimsoll:gomod:package", b.Package)
	if b.GoVersion != "" {
		addProperty(c, "cdx:gomod:build:env:GOVERSION", "go"+b.GoVersion)
	}
	for _, s := range b.Settings {
		switch {
		case s.Key == "CGO_ENABLED" || s.Key == "GOARCH" || s.Key == "GOOS":
			addProperty(c, "cdx:gomod:build:env:"+s.Key, s.Value)
		case s.Key == "-tags":
			for tag := range strings.SplitSeq(s.Value, ",") {
				addProperty(c, "cdx:gomod:build:tag", tag)
			}
		case strings.HasPrefix(s.Key, "vcs."):
			addProperty(c, "plimsoll:gomod:vcs:"+strings.TrimPrefix(s.Key, "vcs."), s.Value)
		case strings.HasPrefix(s.Key, "GO") || s.Key == "-trimpath" || s.Key == "-buildmode" || s.Key == "-compiler":
			addProperty(c, "plimsoll:gomod:build:"+strings.TrimPrefix(s.Key, "-"), s.Value)
		}
	}
}
