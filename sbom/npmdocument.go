package sbom

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"

	"plimsoll.example/sbom/license"
	"plimsoll.example/sbom/npm"
)

// npmKey is what makes two places in a lockfile one component.
type npmKey struct {
	name, version, integrity, origin string
}

// npmGroup is the places of one component.
type npmGroup struct {
	key    npmKey
	places []int // indexes in Project.Packages
}

// npmPart describes an npm project: one component for one name, version and
// integrity, wherever it lies.
func npmPart(p *npm.Project) *part {
	groups, groupOf := groupPlaces(p)
	refs := npmRefs(p, groups)
	missing := map[int][]string{}
	for _, m := range p.Missing {
		missing[groupOf[m.From]] = append(missing[groupOf[m.From]], m.Name+"@"+specWithoutUser(m.Spec))
	}
	nodes := make([]*node, len(groups))
	for i, g := range groups {
		n := &node{component: npmComponent(p, g, refs[i])}
		for _, place := range g.places {
			for _, e := range p.Packages[place].Edges {
				if to := groupOf[e.To]; to != i {
					n.edges = append(n.edges, refs[to])
				}
			}
		}
		if lacks := missing[i]; len(lacks) > 0 {
			n.partial = true
			n.unknown = "the lockfile lacks packages that are required"
			addProperty(&n.component, "plimsoll:dependencies:unknown", n.unknown)
			for _, l := range slices.Compact(slices.Sorted(slices.Values(lacks))) {
				addProperty(&n.component, "plimsoll:npm:missing", l)
			}
		}
		nodes[i] = n
	}
	root, nodes := nodes[0], nodes[1:]
	var gaps []string
	for _, m := range p.Missing {
		gaps = append(gaps, fmt.Sprintf("%q requires %s@%s, which the lockfile lacks", p.Packages[m.From].Place, m.Name, specWithoutUser(m.Spec)))
	}
	return &part{root: root, nodes: nodes, gaps: gaps}
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
		key := npmKey{name: pkg.Name, version: pkg.Version, integrity: pkg.Integrity}
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
	return refs
}

// npmPURL writes a package's purl. What does not come from a registry says where
// from; a folder of the project has no purl, for it would name whatever a
// registry has under that name.
func npmPURL(pkg npm.Package, root bool) string {
	if pkg.Name == "" {
		return ""
	}
	var qualifiers packageurl.Qualifiers
	switch pkg.Source {
	case npm.SourceGit:
		vcs := pkg.Resolved
		if !strings.HasPrefix(vcs, "git+") {
			vcs = "git+" + vcs
		}
		if vcs = withoutUser(vcs); vcs == "" {
			return "" // an empty qualifier would name whatever a registry has
		}
		qualifiers = packageurl.Qualifiers{{Key: "vcs_url", Value: vcs}}
	case npm.SourceTarball:
		address := withoutUser(pkg.Resolved)
		if address == "" {
			return ""
		}
		qualifiers = packageurl.Qualifiers{{Key: "download_url", Value: address}}
	case npm.SourceRegistry:
	default:
		if !root || pkg.Version == "" {
			return ""
		}
	}
	namespace, name := "", pkg.Name
	if i := strings.IndexByte(name, '/'); i > 0 && name[0] == '@' {
		namespace, name = name[:i], name[i+1:]
	}
	return packageurl.NewPackageURL(packageurl.TypeNPM, namespace, name, pkg.Version, qualifiers, "").ToString()
}

func npmComponent(p *npm.Project, g npmGroup, ref string) cdx.Component {
	first := p.Packages[g.places[0]]
	root := g.places[0] == 0
	c := cdx.Component{
		BOMRef: ref, Type: cdx.ComponentTypeLibrary, Version: first.Version, PackageURL: npmPURL(first, root),
	}
	c.Group, c.Name = splitScope(first.Name)
	if root {
		c.Type = cdx.ComponentTypeApplication
		if c.Name == "" {
			c.Name = "unnamed"
			addProperty(&c, "plimsoll:unknown:name", "true")
		}
	} else {
		c.Scope = npmScope(p, g)
	}
	if first.Version == "" {
		addProperty(&c, "plimsoll:version:unknown", "the lockfile gives none")
	}
	hashes := integrityHashes(first.Integrity)
	if len(hashes) > 0 {
		c.Hashes = &hashes
	}
	if address := distribution(first); address != "" {
		ref := cdx.ExternalReference{Type: cdx.ERTypeDistribution, URL: address}
		if first.Source == npm.SourceGit {
			ref.Type = cdx.ERTypeVCS
		} else if len(hashes) > 0 {
			ref.Hashes = &hashes
		}
		c.ExternalReferences = &[]cdx.ExternalReference{ref}
	}
	npmProperties(&c, p, g)
	npmUnknown(&c, first, root)
	return c
}

// npmUnknown says which of the facts that every component should have a lockfile
// does not hold.
func npmUnknown(c *cdx.Component, pkg npm.Package, root bool) {
	const lockfile = "the lockfile does not hold it"
	if !declareLicense(c, pkg.License) {
		addProperty(c, "plimsoll:unknown:license", lockfile)
	}
	if c.PackageURL == "" {
		addProperty(c, "plimsoll:unknown:identifier", "it comes from no registry or repository that a package URL could name")
	}
	if !root {
		addProperty(c, "plimsoll:unknown:producer", lockfile)
	}
	if c.Hashes == nil {
		why := lockfile
		if root || pkg.Source == npm.SourceWorkspace {
			why = "it is a folder"
		}
		addProperty(c, "plimsoll:unknown:hash", why)
		return
	}
	if u, err := url.Parse(pkg.Resolved); err == nil && path.Base(u.Path) != "." && path.Base(u.Path) != "/" {
		addFileProperties(c, path.Base(u.Path), "non-executable", "archive", "structured")
	}
}

// declareLicense writes a licence as its package declares it: an SPDX expression
// if it is one, else a name.
func declareLicense(c *cdx.Component, declared string) bool {
	declared = strings.TrimSpace(declared)
	if declared == "" {
		return false
	}
	declaredHere := cdx.LicenseAcknowledgementDeclared
	if license.IsExpression(declared) {
		c.Licenses = &cdx.Licenses{{Expression: declared, Acknowledgement: &declaredHere}}
	} else {
		c.Licenses = &cdx.Licenses{{License: &cdx.License{Name: declared, Acknowledgement: declaredHere}}}
	}
	return true
}

func npmProperties(c *cdx.Component, p *npm.Project, g npmGroup) {
	all := func(has func(npm.Package) bool) bool {
		return !slices.ContainsFunc(g.places, func(i int) bool { return !has(p.Packages[i]) })
	}
	if all(func(pkg npm.Package) bool { return pkg.Bundled }) {
		addProperty(c, "cdx:npm:package:bundled", "true")
	}
	if all(func(pkg npm.Package) bool { return pkg.Extraneous }) {
		addProperty(c, "cdx:npm:package:extraneous", "true")
	}
	if all(func(pkg npm.Package) bool { return pkg.Dev }) {
		addProperty(c, "cdx:npm:package:development", "true")
	}
	for _, i := range g.places {
		addProperty(c, "cdx:npm:package:path", p.Packages[i].Place)
		addOccurrence(c, cdx.EvidenceOccurrence{Location: p.Packages[i].Place})
	}
	if p.Packages[g.places[0]].HasInstallScript {
		addProperty(c, "plimsoll:npm:installScript", "true")
	}
}

// npmScope says whether a component is needed at run time: excluded if it is for
// development only in every place, optional if it may be absent in every place
// where it is not.
func npmScope(p *npm.Project, g npmGroup) cdx.Scope {
	scope := cdx.ScopeExcluded
	for _, i := range g.places {
		switch pkg := p.Packages[i]; {
		case pkg.Dev || pkg.Extraneous:
		case pkg.Optional:
			if scope == cdx.ScopeExcluded {
				scope = cdx.ScopeOptional
			}
		default:
			return cdx.ScopeRequired
		}
	}
	return scope
}

func splitScope(name string) (group, rest string) {
	if i := strings.IndexByte(name, '/'); i > 0 && name[0] == '@' {
		return name[:i], name[i+1:]
	}
	return "", name
}

// distribution returns where a package's bytes are, if that can be written as a
// URL: npm's scp-like git addresses cannot.
func distribution(pkg npm.Package) string {
	switch pkg.Source {
	case npm.SourceRegistry, npm.SourceTarball, npm.SourceGit:
		return withoutUser(pkg.Resolved)
	}
	return ""
}

// withoutUser drops user names, which may be tokens, and passwords from an
// address, but for the user git of ssh; "" if it is no address. npm writes
// HOST:PATH behind git+ssh://, which no URL has; it becomes HOST/PATH.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		scheme, rest, _ := strings.Cut(address, "://")
		host, path, scp := strings.Cut(rest, ":")
		if !scp || strings.Contains(host, "/") {
			return ""
		}
		u, err = url.Parse(scheme + "://" + host + "/" + path)
	}
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	if _, secret := u.User.Password(); secret || u.User.Username() != "git" || !strings.HasSuffix(u.Scheme, "ssh") {
		u.User = nil
	}
	return u.String()
}

// specWithoutUser does the same to what a package requires, where that is an
// address.
func specWithoutUser(spec string) string {
	if !strings.Contains(spec, "@") || !strings.Contains(spec, ":") {
		return spec
	}
	if address := withoutUser(spec); address != "" {
		return address
	}
	return "(an address)"
}

// integrityAlgorithms are the SRI algorithms, strongest first (W3C Subresource
// Integrity, and npm's sha1).
var integrityAlgorithms = []struct {
	prefix string
	name   cdx.HashAlgorithm
	length int
}{
	{"sha512-", cdx.HashAlgoSHA512, 64}, {"sha384-", cdx.HashAlgoSHA384, 48}, {"sha256-", cdx.HashAlgoSHA256, 32}, {"sha1-", cdx.HashAlgoSHA1, 20},
}

func integrityHashes(integrity string) []cdx.Hash {
	var hashes []cdx.Hash
	for field := range strings.FieldsSeq(integrity) {
		for _, a := range integrityAlgorithms {
			encoded, ok := strings.CutPrefix(field, a.prefix)
			if !ok {
				continue
			}
			encoded, _, _ = strings.Cut(encoded, "?")
			if raw, err := base64.StdEncoding.DecodeString(encoded); err == nil && len(raw) == a.length {
				hashes = append(hashes, cdx.Hash{Algorithm: a.name, Value: hex.EncodeToString(raw)})
			}
		}
	}
	slices.SortFunc(hashes, func(a, b cdx.Hash) int {
		return strings.Compare(string(a.Algorithm)+a.Value, string(b.Algorithm)+b.Value)
	})
	return slices.Compact(hashes)
}
