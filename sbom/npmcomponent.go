package sbom

import (
	"cmp"
	"net/mail"
	"net/url"
	"path"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"plimsoll.example/sbom/license"
	"plimsoll.example/sbom/npm"
)

// component describes the package that lies in a group's places.
func (p *npmProject) component(g npmGroup, ref string) cdx.Component {
	first := p.Packages[g.places[0]]
	root := g.places[0] == 0
	for _, i := range g.places { // that is installed somewhere
		if first.Installed == nil && p.Packages[i].Installed != nil {
			first = p.Packages[i]
		}
	}
	c := cdx.Component{
		BOMRef: ref, Type: cdx.ComponentTypeLibrary, Version: first.Version, PackageURL: npmPURL(first, root),
	}
	c.Group, c.Name = splitScope(first.Name)
	if c.Name == "" {
		c.Name = "unnamed"
		addProperty(&c, "plimsoll:unknown:name", "true")
	}
	if root {
		c.Type = cdx.ComponentTypeApplication
	} else {
		c.Scope = npmScope(p.Project, g)
	}
	if first.Version == "" {
		why := p.Format.File + " gives none"
		if len(first.In) > 0 && first.EdgesUnknown != "" {
			why = first.EdgesUnknown
		}
		addProperty(&c, "plimsoll:version:unknown", why)
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
	p.places(&c, g)
	if p.bundles {
		p.bundled(&c, g)
	}
	p.properties(&c, g, first)
	npmLicense(&c, first, p.Format.File)
	if !root {
		npmProducer(&c, first, p.Format.File)
	}
	npmPedigree(&c, first)
	p.unknown(&c, first, root)
	return c
}

// unknown says which of the facts that every component should have are not known.
func (p *npmProject) unknown(c *cdx.Component, pkg npm.Package, root bool) {
	if c.PackageURL == "" {
		addProperty(c, "plimsoll:unknown:identifier", "it comes from no registry or repository that a package URL could name")
	}
	if first := c.Hashes; first != nil && !slices.ContainsFunc(*first, func(h cdx.Hash) bool { return h.Algorithm != cdx.HashAlgoSHA1 }) {
		addProperty(c, "plimsoll:unknown:hash", p.Format.File+" holds no more than a SHA-1")
	}
	if c.Hashes == nil {
		why := p.Format.File + " does not hold it"
		switch {
		case root || pkg.Source == npm.SourceWorkspace:
			why = "it is a folder"
		case pkg.Checksum != "":
			why = "yarn.lock holds a checksum of yarn's own archive, which is no hash of the package's tarball"
		}
		addProperty(c, "plimsoll:unknown:hash", why)
		return
	}
	address := strings.TrimPrefix(pkg.Resolved, "file:")
	if u, err := url.Parse(address); err == nil && path.Base(u.Path) != "." && path.Base(u.Path) != "/" {
		addFileProperties(c, path.Base(u.Path), "non-executable", "archive", "structured")
	}
}

// npmLicense writes a licence: concluded where the package's texts say what it
// declares, or say something else; else declared only.
func npmLicense(c *cdx.Component, pkg npm.Package, file string) {
	declared := strings.TrimSpace(pkg.License)
	concluded := ""
	if pkg.Installed != nil {
		concluded = conclude(declared, pkg.Installed.Texts.Expression)
	}
	switch {
	case concluded != "":
		acknowledgement := cdx.LicenseAcknowledgementConcluded
		c.Licenses = &cdx.Licenses{{Expression: concluded, Acknowledgement: &acknowledgement}}
		if declared != "" && declared != concluded {
			addProperty(c, "plimsoll:license:declared", declared)
		}
	case declareLicense(c, declared):
		if !license.IsExpression(declared) {
			addProperty(c, "plimsoll:unknown:license", "what it declares is no SPDX expression")
		}
	case pkg.Installed != nil:
		addProperty(c, "plimsoll:unknown:license", "its package.json declares none, and "+pkg.Installed.Texts.Unknown)
	default:
		addProperty(c, "plimsoll:unknown:license", file+" does not hold it")
	}
}

// conclude compares what is declared with what the texts say. A package that may
// be used under one of two licences comes with both texts: what it declares holds
// then. So it does if it comes with some of them.
func conclude(declared, texts string) string {
	if texts == "" || !license.IsExpression(declared) {
		return texts
	}
	ids := licenseIDs(declared)
	for _, id := range licenseIDs(texts) {
		if !slices.Contains(ids, id) {
			return texts
		}
	}
	return declared
}

func licenseIDs(expression string) []string {
	var ids []string
	for word := range strings.FieldsSeq(strings.NewReplacer("(", " ", ")", " ").Replace(expression)) {
		switch word {
		case "AND", "OR", "WITH":
		default:
			ids = append(ids, word)
		}
	}
	return ids
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

// npmProducer names who made a package, as its package.json says.
func npmProducer(c *cdx.Component, pkg npm.Package, file string) {
	if pkg.Installed == nil {
		addProperty(c, "plimsoll:unknown:producer", file+" does not hold it")
		return
	}
	author := pkg.Installed.Author
	if author.Name == "" {
		if pkg.Source != npm.SourceWorkspace { // else whoever made the project
			addProperty(c, "plimsoll:unknown:producer", "its package.json names nobody")
		}
		return
	}
	made := &cdx.OrganizationalEntity{Name: author.Name}
	if address := cmp.Or(page(author.URL), page(pkg.Installed.Homepage)); address != "" {
		made.URL = &[]string{address}
	}
	if a, err := mail.ParseAddress(author.Email); err == nil && a.Address == author.Email {
		made.Contact = &[]cdx.OrganizationalContact{{Email: author.Email}}
	}
	c.Manufacturer, c.Supplier = made, made
	if repository := repositoryAddress(pkg.Installed.Repository); repository != "" && pkg.Source != npm.SourceGit {
		addReference(c, cdx.ExternalReference{Type: cdx.ERTypeVCS, URL: repository, Comment: "as its package.json says"})
	}
}

// npmPedigree says that a package manager changes the package before it is used.
func npmPedigree(c *cdx.Component, pkg npm.Package) {
	if pkg.Patch == "" {
		return
	}
	original := pkg
	original.Patch = ""
	ancestor := cdx.Component{Type: cdx.ComponentTypeLibrary, Name: c.Name, Group: c.Group, Version: c.Version, PackageURL: npmPURL(original, false)}
	c.Pedigree = &cdx.Pedigree{
		Ancestors: &[]cdx.Component{ancestor},
		Patches:   &[]cdx.Patch{{Type: cdx.PatchTypeUnofficial}},
		Notes:     "the package manager applies a patch: " + pkg.Patch,
	}
	addProperty(c, "plimsoll:npm:patch", pkg.Patch)
}

// places says where a component lies.
func (p *npmProject) places(c *cdx.Component, g npmGroup) {
	for _, i := range g.places {
		pkg := p.Packages[i]
		switch {
		case pkg.Installed != nil && i > 0:
			addProperty(c, "cdx:npm:package:path", pkg.Installed.Place)
			addOccurrence(c, cdx.EvidenceOccurrence{Location: pkg.Installed.Place})
		case p.Placed:
			addProperty(c, "cdx:npm:package:path", pkg.Place)
			addOccurrence(c, cdx.EvidenceOccurrence{Location: pkg.Place})
		case pkg.Place != "":
			addOccurrence(c, cdx.EvidenceOccurrence{Location: p.Format.File, AdditionalContext: pkg.Place})
		}
	}
}

func (p *npmProject) properties(c *cdx.Component, g npmGroup, first npm.Package) {
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
	if first.HasInstallScript {
		addProperty(c, "plimsoll:npm:installScript", "true")
	}
	if in := first.Installed; in != nil {
		for _, s := range in.Scripts {
			addProperty(c, "plimsoll:npm:script:"+s.Name, npm.WithoutUsers(s.Command))
		}
		if in.BindingGyp {
			addProperty(c, "plimsoll:npm:bindingGyp", "true")
		}
	}
	addProperty(c, "plimsoll:npm:deprecated", npm.WithoutUsers(first.Deprecated))
	for _, e := range first.Engines {
		addProperty(c, "plimsoll:npm:engine", e)
	}
	for _, f := range first.Funding {
		addProperty(c, "plimsoll:npm:funding", npm.WithoutUsers(f))
	}
	addProperty(c, "plimsoll:npm:yarnChecksum", first.Checksum)
	addProperty(c, "plimsoll:bundle:inlinedBy", first.Inlined)
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
