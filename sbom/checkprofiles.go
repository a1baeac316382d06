package sbom

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A clause is one demand of a profile: a number or heading in its document, and
// what of the SBOM is read. Either whole or each is set.
type clause struct {
	number, element, field string
	level                  Level
	stated                 bool // it is met by saying that it is unknown or withheld
	empty                  string
	whole                  func(*rawDocument) []problem
	each                   func(*rawDocument, *rawComponent) (s Status, applies bool)
}

type checkProfile struct {
	name, document string
	clauses        []clause
}

// profiles are what an SBOM is held against. CISA's and NTIA's elements have
// headings and no numbers of their own; BSI's are in the tables of its sections
// 5.2.1 to 5.2.5. CISA's say "should": what is required here is what a document
// must have to follow them.
func profiles() []checkProfile {
	return []checkProfile{cisa2026(), bsi21(), ntia2021(), everyField()}
}

func cisa2026() checkProfile {
	return checkProfile{"cisa-2026", "2026 Minimum Elements for a Software Bill of Materials, v2.1 (CISA and partners, 2026-07-29)", slices.Concat([]clause{
		{number: "Appendix A, Table 1: SBOM Author", element: "author, by full name", field: "metadata.authors, manufacturer or supplier", level: Required, whole: authorNamed},
		{number: "Appendix A, Table 1: SBOM Author Signature", element: "signature", field: "signature; one that stands beside the file cannot be seen here", level: Recommended, whole: signed},
		{number: "Appendix A, Table 1: SBOM Data Format Name", element: "format", field: "bomFormat", level: Required, whole: formatNamed},
		{number: "Appendix A, Table 1: SBOM Data Format Version", element: "format version", field: "specVersion", level: Required, whole: formatVersion("1.4", "1.5", "1.6", "1.7")},
		{number: "Appendix A, Table 1: SBOM Generation Context", element: "lifecycle phase", field: "metadata.lifecycles", level: Required, whole: lifecycle},
		{number: "Appendix A, Table 1: SBOM Timestamp", element: "timestamp", field: "metadata.timestamp", level: Required, whole: timestamp},
		{number: "Appendix A, Table 1: SBOM Tool Name", element: "tool", field: "metadata.tools", level: Required, stated: true, whole: toolNamed},
		{number: "Appendix A, Table 1: SBOM Tool Version", element: "tool version", field: "metadata.tools", level: Required, stated: true, whole: toolVersion},
		{number: "Appendix A, Table 1: SBOM Version", element: "version and serial number", field: "version, serialNumber", level: Required, whole: serial},
		eachHas("Appendix A, Table 1: Component Producer", "producer", "components[].manufacturer, supplier, authors or publisher", fieldProducer, true),
		eachHas("Appendix A, Table 1: Component Name", "name", "components[].name", fieldName, false),
		eachHas("Appendix A, Table 1: Component Version", "version", "components[].version", fieldVersion, true),
		eachHas("Appendix A, Table 1: Component Identifiers", "identifier", "components[].purl, cpe, swhid, omniborId or swid", fieldIdentifier, true),
		eachHas("Appendix A, Table 1: Component Hash Value", "hash with its algorithm", "components[].hashes", fieldHash, true),
		eachHas("Appendix A, Table 1: Component License", "SPDX licence", "components[].licenses", fieldLicense, true),
		{number: "Appendix A, Table 1: Component Dependency Relationship", element: "dependencies", field: "dependencies[].ref, compositions[].dependencies", level: Required, stated: true, empty: nothing, each: dependenciesListed},
		{number: "Practices and Processes: Explicitly Identifying Unknown Information", element: "completeness", field: "compositions[].dependencies", level: Recommended, empty: nothing, each: completeness},
	}, structure())}
}

func bsi21() checkProfile {
	return checkProfile{"bsi-2.1", "BSI TR-03183-2 v2.1.0 (2025-08-20)", slices.Concat([]clause{
		{number: "4", element: "CycloneDX 1.6 or higher", field: "specVersion", level: Required, whole: formatVersion("1.6", "1.7")},
		{number: "5.2.1", element: "creator of the SBOM, e-mail or URL", field: "metadata.manufacturer", level: Required, whole: creatorReachable},
		{number: "5.2.1", element: "timestamp", field: "metadata.timestamp", level: Required, whole: timestamp},
		eachHas("5.2.2", "component creator, e-mail or URL", "components[].manufacturer, supplier or authors", fieldContact, false),
		eachHas("5.2.2", "component name", "components[].name", fieldName, false),
		eachHas("5.2.2", "component version", "components[].version", fieldVersion, false),
		ofFiles("5.2.2", "filename", "components[].properties bsi:component:filename", fieldFilename),
		{number: "5.2.2", element: "dependencies", field: "dependencies[].ref, compositions[].dependencies", level: Required, stated: true, empty: nothing, each: dependenciesListed},
		{number: "5.2.2", element: "completeness of dependencies", field: "compositions[].dependencies", level: Required, empty: nothing, each: completeness},
		eachHas("5.2.2", "distribution licences, concluded", "components[].licenses[].acknowledgement", fieldConcluded, false),
		ofFiles("5.2.2", "SHA-512 of the deployable component", "components[].externalReferences[type=distribution].hashes", fieldDistributionHash),
		ofFiles("5.2.2", "executable property", "components[].properties bsi:component:executable", fieldExecutable),
		ofFiles("5.2.2", "archive property", "components[].properties bsi:component:archive", fieldArchive),
		ofFiles("5.2.2", "structured property", "components[].properties bsi:component:structured", fieldStructured),
		{number: "5.2.3", element: "SBOM-URI", field: "serialNumber", level: Additional, whole: serial},
		atLevel(Recommended, eachHas("5.2.4", "source code URI", "components[].externalReferences[type=source-distribution or vcs]", fieldSource, true)),
		atLevel(Recommended, ofFiles("5.2.4", "URI of the deployable form", "components[].externalReferences[type=distribution]", fieldDistribution)),
		atLevel(Additional, eachHas("5.2.4", "other unique identifiers", "components[].purl, cpe or swid", fieldIdentifier, true)),
		atLevel(Recommended, eachHas("5.2.4", "original licences, declared", "components[].licenses[].acknowledgement", fieldDeclared, true)),
		{number: "3.1", element: "no vulnerabilities in the SBOM", field: "vulnerabilities", level: Required, whole: noVulnerabilities},
	}, structure())}
}

func ntia2021() checkProfile {
	return checkProfile{"ntia-2021", "The Minimum Elements For a Software Bill of Materials (NTIA, 2021-07-12)", slices.Concat([]clause{
		eachHas("IV, Data Fields: Supplier Name", "supplier", "components[].supplier, manufacturer, authors or publisher", fieldProducer, true),
		eachHas("IV, Data Fields: Component Name", "name", "components[].name", fieldName, false),
		eachHas("IV, Data Fields: Version of the Component", "version", "components[].version", fieldVersion, true),
		eachHas("IV, Data Fields: Other Unique Identifiers", "identifier", "components[].purl, cpe, swhid, omniborId or swid", fieldIdentifier, true),
		{number: "IV, Data Fields: Dependency Relationship", element: "dependencies", field: "dependencies[].ref, compositions[].dependencies", level: Required, stated: true, empty: nothing, each: dependenciesListed},
		{number: "IV, Data Fields: Author of SBOM Data", element: "author", field: "metadata.authors, manufacturer or supplier", level: Required, whole: authorNamed},
		{number: "IV, Data Fields: Timestamp", element: "timestamp", field: "metadata.timestamp", level: Required, whole: timestamp},
		{number: "IV, Automation Support", element: "format", field: "bomFormat, specVersion", level: Required, whole: formatVersion("1.4", "1.5", "1.6", "1.7")},
		{number: "IV, Practices and Processes: Known Unknowns", element: "completeness", field: "compositions[].dependencies", level: Recommended, empty: nothing, each: completeness},
		atLevel(Recommended, eachHas("V, Recommended Data Fields: Hash of the Component", "hash", "components[].hashes", fieldHash, true)),
	}, structure())}
}

func everyField() checkProfile {
	return checkProfile{"plimsoll", "what this tool writes itself: every field there, or said to be unknown", slices.Concat([]clause{
		{number: "format", element: "format version", field: "specVersion", level: Required, whole: formatVersion("1.4", "1.5", "1.6", "1.7")},
		{number: "serial", element: "version and serial number", field: "version, serialNumber", level: Required, whole: serial},
		{number: "tool", element: "tool with version", field: "metadata.tools", level: Required, stated: true, whole: toolVersion},
		{number: "lifecycle", element: "lifecycle phase", field: "metadata.lifecycles", level: Required, whole: lifecycle},
		atLevelWhole(Additional, clause{number: "time", element: "timestamp", field: "metadata.timestamp", whole: timestamp}),
		atLevelWhole(Additional, clause{number: "author", element: "author", field: "metadata.authors, manufacturer or supplier", whole: authorNamed}),
		eachHas("name", "name", "components[].name", fieldName, true),
		eachHas("version", "version", "components[].version", fieldVersion, true),
		eachHas("identifier", "identifier", "components[].purl, cpe, swhid, omniborId or swid", fieldIdentifier, true),
		eachHas("hash", "hash", "components[].hashes", fieldHash, true),
		eachHas("license", "SPDX licence", "components[].licenses", fieldLicense, true),
		eachHas("producer", "producer", "components[].manufacturer, supplier, authors or publisher", fieldProducer, true),
		{number: "dependencies", element: "dependencies", field: "dependencies[].ref, compositions[].dependencies", level: Required, stated: true, empty: nothing, each: dependenciesListed},
		{number: "completeness", element: "completeness", field: "compositions[].dependencies", level: Required, empty: nothing, each: completeness},
		{number: "vulnerabilities", element: "no vulnerabilities in the SBOM", field: "vulnerabilities", level: Required, whole: noVulnerabilities},
	}, structure())}
}

const nothing = "the document lists no component"

// structure is what every profile needs and the schema cannot see.
func structure() []clause {
	return []clause{
		{number: "CycloneDX metadata", element: "what the document describes", field: "metadata.component", level: Required, whole: func(d *rawDocument) []problem {
			return one(d.described, "metadata.component", "missing")
		}},
		{number: "CycloneDX bom-ref", element: "each bom-ref once", field: "bom-ref", level: Required, whole: uniqueRefs},
		{number: "CycloneDX dependencies", element: "references lead somewhere, once", field: "dependencies, compositions", level: Required, whole: resolved},
		{number: "CycloneDX purl", element: "package URLs are well-formed", field: "components[].purl", level: Required, each: func(_ *rawDocument, c *rawComponent) (Status, bool) {
			return c.fields[fieldPURL], true
		}},
	}
}

func eachHas(number, element, path string, f field, stated bool) clause {
	return clause{number: number, element: element, field: path, level: Required, stated: stated, empty: nothing,
		each: func(_ *rawDocument, c *rawComponent) (Status, bool) { return c.fields[f], true }}
}

// ofFiles is a demand on components that are files; a logical one has none (BSI
// TR-03183-2, 3.2.2).
func ofFiles(number, element, path string, f field) clause {
	return clause{number: number, element: element, field: path, level: Required,
		each: func(_ *rawDocument, c *rawComponent) (Status, bool) { return c.fields[f], !c.logical }}
}

func atLevel(level Level, c clause) clause {
	c.level, c.stated, c.empty = level, true, ""
	return c
}

func atLevelWhole(level Level, c clause) clause {
	c.level = level
	return c
}

func one(ok bool, where, what string) []problem {
	if ok {
		return []problem{{status: Pass}}
	}
	return []problem{{Fail, where, what}}
}

func authorNamed(d *rawDocument) []problem {
	m := d.Metadata
	ok := slices.ContainsFunc(m.Authors, func(a rawContact) bool { return strings.TrimSpace(a.Name) != "" })
	for _, o := range []*rawOrganization{m.Manufacturer, m.Manufacture, m.Supplier} {
		ok = ok || (o != nil && strings.TrimSpace(o.Name) != "")
	}
	return one(ok, "metadata", "nobody is named as the author")
}

func creatorReachable(d *rawDocument) []problem {
	m := d.Metadata
	ok := m.Manufacturer.reachable() || m.Supplier.reachable() || slices.ContainsFunc(m.Authors, func(a rawContact) bool { return strings.Contains(a.Email, "@") })
	return one(ok, "metadata.manufacturer", "neither an e-mail address nor a URL")
}

func signed(d *rawDocument) []problem {
	return one(d.signature, "signature", "none in the document")
}

func formatNamed(d *rawDocument) []problem {
	return one(d.BOMFormat == "CycloneDX", "bomFormat", fmt.Sprintf("expected CycloneDX, found %q", d.BOMFormat))
}

func formatVersion(versions ...string) func(*rawDocument) []problem {
	return func(d *rawDocument) []problem {
		return one(slices.Contains(versions, d.SpecVersion), "specVersion", fmt.Sprintf("expected one of %s, found %q", strings.Join(versions, ", "), d.SpecVersion))
	}
}

func lifecycle(d *rawDocument) []problem {
	return one(len(d.Metadata.Lifecycles) > 0, "metadata.lifecycles", "missing")
}

func timestamp(d *rawDocument) []problem {
	_, err := time.Parse(time.RFC3339, d.Metadata.Timestamp)
	return one(err == nil, "metadata.timestamp", fmt.Sprintf("expected a date and time with zone, found %q", d.Metadata.Timestamp))
}

// serial holds the serial number, a UUID of RFC 9562 as a URN, and the version.
func serial(d *rawDocument) []problem {
	id, isURN := strings.CutPrefix(d.SerialNumber, "urn:uuid:")
	return []problem{
		one(isURN && len(id) == 36 && uuid.Validate(id) == nil, "serialNumber", fmt.Sprintf("expected urn:uuid:..., found %q", d.SerialNumber))[0],
		one(d.Version >= 1, "version", fmt.Sprintf("expected 1 or more, found %d", d.Version))[0],
	}
}

func noVulnerabilities(d *rawDocument) []problem {
	return one(d.vulnerabilities == 0, "vulnerabilities", fmt.Sprintf("expected none, found %d: they belong into a VEX document", d.vulnerabilities))
}

func toolNamed(d *rawDocument) []problem {
	ok := slices.ContainsFunc(d.tools, func(c componentJSON) bool { return strings.TrimSpace(c.Name) != "" })
	return one(ok, "metadata.tools", "no tool is named")
}

func toolVersion(d *rawDocument) []problem {
	var found []problem
	for i, c := range d.tools {
		where := fmt.Sprintf("metadata.tools.components[%d] (%s)", i, c.Name)
		switch {
		case saysUnknown(c.Version):
			found = append(found, problem{Unknown, where, ""})
		case strings.TrimSpace(c.Version) == "":
			found = append(found, problem{Fail, where, "no version, and not said to be unknown"})
		default:
			found = append(found, problem{status: Pass})
		}
	}
	if len(found) == 0 {
		return one(false, "metadata.tools", "no tool is named")
	}
	return found
}

func uniqueRefs(d *rawDocument) []problem {
	var found []problem
	for _, ref := range slices.Sorted(maps.Keys(d.refs)) {
		if n := d.refs[ref]; n > 1 {
			found = append(found, problem{Fail, ref, fmt.Sprintf("the bom-ref is there %d times", n)})
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(d.dependencies)) {
		if n := d.dependencies[ref]; n > 1 {
			found = append(found, problem{Fail, ref, fmt.Sprintf("it has %d entries in dependencies", n)})
		}
	}
	if len(found) == 0 {
		return one(true, "", "")
	}
	return found
}

func resolved(d *rawDocument) []problem {
	if len(d.dangling) == 0 {
		return one(true, "", "")
	}
	return d.dangling
}

// dependenciesListed: a component has an entry in dependencies, an empty one if it
// is a leaf; where a composition says that they are unknown, they are.
func dependenciesListed(d *rawDocument, c *rawComponent) (Status, bool) {
	switch {
	case c.ref != "" && d.dependencies[c.ref] > 0:
		return Pass, true
	case c.ref != "" && d.compositions[c.ref] == "unknown":
		return Unknown, true
	}
	return Fail, true
}

// completeness: a composition says of each component whether its dependencies are
// all there.
func completeness(d *rawDocument, c *rawComponent) (Status, bool) {
	if c.ref != "" && d.compositions[c.ref] != "" {
		return Pass, true
	}
	return Fail, true
}
