package sbom

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/package-url/packageurl-go"

	"plimsoll.example/sbom/license"
)

// componentJSON is a component on the wire.
type componentJSON struct {
	BOMRef             string           `json:"bom-ref"`
	Type               string           `json:"type"`
	Name               string           `json:"name"`
	Version            string           `json:"version"`
	PURL               string           `json:"purl"`
	CPE                string           `json:"cpe"`
	SWHID              []string         `json:"swhid"`
	OmniborID          []string         `json:"omniborId"`
	SWID               jsontext.Value   `json:"swid"`
	Author             string           `json:"author"`
	Publisher          string           `json:"publisher"`
	Authors            []rawContact     `json:"authors"`
	Supplier           *rawOrganization `json:"supplier"`
	Manufacturer       *rawOrganization `json:"manufacturer"`
	Hashes             []rawHash        `json:"hashes"`
	Licenses           []rawLicense     `json:"licenses"`
	ExternalReferences []rawReference   `json:"externalReferences"`
	Properties         []rawProperty    `json:"properties"`
	Components         []componentJSON  `json:"components"`
}

// A field is what is known of a component.
type field int

// The fields.
const (
	fieldName field = iota
	fieldVersion
	fieldProducer
	fieldContact // of the producer: mail or page
	fieldIdentifier
	fieldPURL // well-formed, where there is one
	fieldHash
	fieldDistributionHash
	fieldLicense
	fieldConcluded
	fieldDeclared
	fieldFilename
	fieldExecutable
	fieldArchive
	fieldStructured
	fieldSource
	fieldDistribution
	fieldCount
)

// cisaFields are CISA's names of the fields (2026 minimum elements, appendix A).
var cisaFields = map[string]string{
	"Component Producer": "producer", "Component Version": "version", "Component Identifiers": "identifier",
	"Component Hash Value": "hash", "Component Hash Algorithm": "hash", "Component License": "license", "Component Name": "name",
}

// statuses says of each field whether the component has it, or says that it is
// unknown or withheld: in a property plimsoll:unknown:FIELD,
// plimsoll:withheld:FIELD or plimsoll:FIELD:unknown, or in the word that others
// use for it.
func (c *componentJSON) statuses() (s [fieldCount]Status) {
	set := func(f field, name string, has bool) {
		if s[f] = Pass; !has {
			s[f] = c.stated(name)
		}
	}
	set(fieldName, "name", strings.TrimSpace(c.Name) != "")
	set(fieldVersion, "version", strings.TrimSpace(c.Version) != "" && !saysUnknown(c.Version))
	if saysUnknown(c.Version) {
		s[fieldVersion] = Unknown
	}
	producer, contact := c.producer()
	producer = strings.TrimSpace(producer)
	set(fieldProducer, "producer", producer != "" && !saysUnknown(producer))
	if saysUnknown(producer) {
		s[fieldProducer] = Unknown
	}
	set(fieldContact, "producer", contact)
	validPURL := true
	if c.PURL != "" {
		_, err := packageurl.FromString(c.PURL)
		validPURL = err == nil
	}
	set(fieldPURL, "purl", validPURL)
	set(fieldIdentifier, "identifier", (c.PURL != "" && validPURL) || c.CPE != "" || len(c.SWHID) > 0 || len(c.OmniborID) > 0 || len(c.SWID) > 0)
	set(fieldHash, "hash", hasHash(c.Hashes, ""))
	distribution, source, distributionHash := c.references()
	set(fieldDistribution, "distribution", distribution)
	set(fieldSource, "source", source)
	set(fieldDistributionHash, "hash", distributionHash)
	c.licenseStatuses(&s, set)
	for _, p := range []struct {
		f    field
		name string
	}{{fieldFilename, "filename"}, {fieldExecutable, "executable"}, {fieldArchive, "archive"}, {fieldStructured, "structured"}} {
		set(p.f, p.name, bsiProperty(p.name, c.property("bsi:component:", p.name)))
	}
	return s
}

// stated says whether the component says itself that it lacks a field.
func (c *componentJSON) stated(field string) Status {
	s := Fail
	for _, p := range c.Properties {
		if p.Value == "" {
			continue
		}
		// CycloneDX's taxonomy has a property for each such field, with CISA's name of
		// the field as its value (cdx:cisa).
		ours, isOurs := strings.CutPrefix(p.Name, "plimsoll:")
		switch {
		case isOurs && ours == "withheld:"+field, p.Name == "cdx:cisa:withheld-information" && cisaFields[p.Value] == field:
			return Withheld
		case isOurs && (ours == "unknown:"+field || ours == field+":unknown"), p.Name == "cdx:cisa:unknown-information" && cisaFields[p.Value] == field:
			s = Unknown
		}
	}
	return s
}

func (c *componentJSON) property(prefix, name string) string {
	for _, p := range c.Properties {
		if rest, ok := strings.CutPrefix(p.Name, prefix); ok && rest == name {
			return p.Value
		}
	}
	return ""
}

// bsiProperty says whether a property has one of the values that the BSI's
// taxonomy gives it.
func bsiProperty(name, value string) bool {
	switch name {
	case "filename":
		return value != ""
	case "executable":
		return value == "executable" || value == "non-executable"
	case "archive":
		return value == "archive" || value == "no archive"
	}
	return value == "structured" || value == "unstructured"
}

func saysUnknown(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "unknown", "noassertion", "unknown provenance":
		return true
	}
	return false
}

// producer is who made a component, and whether they can be reached.
func (c *componentJSON) producer() (name string, contact bool) {
	for _, o := range []*rawOrganization{c.Manufacturer, c.Supplier} {
		if o == nil {
			continue
		}
		if name == "" {
			name = o.Name
		}
		contact = contact || o.reachable()
	}
	for _, a := range c.Authors {
		if name == "" {
			name = a.Name
		}
		contact = contact || strings.Contains(a.Email, "@")
	}
	for _, a := range []string{c.Publisher, c.Author} {
		if name == "" {
			name = a
		}
	}
	return name, contact
}

func (o *rawOrganization) reachable() bool {
	if o == nil {
		return false
	}
	for _, u := range o.URL {
		if strings.TrimSpace(u) != "" {
			return true
		}
	}
	for _, c := range o.Contact {
		if strings.Contains(c.Email, "@") {
			return true
		}
	}
	return false
}

func (c *componentJSON) references() (distribution, source, distributionHash bool) {
	for _, r := range c.ExternalReferences {
		switch r.Type {
		case "distribution":
			distribution = distribution || r.URL != ""
			distributionHash = distributionHash || hasHash(r.Hashes, "SHA-512")
		case "vcs", "source-distribution":
			source = source || r.URL != ""
		}
	}
	return distribution, source, distributionHash
}

// hashLengths are the digests that still bind, in hexadecimal digits. MD5 and
// SHA-1 do not.
var hashLengths = map[string]int{
	"SHA-256": 64, "SHA-384": 96, "SHA-512": 128, "SHA3-256": 64, "SHA3-384": 96, "SHA3-512": 128,
	"BLAKE2b-256": 64, "BLAKE2b-384": 96, "BLAKE2b-512": 128, "BLAKE3": 64,
}

func hasHash(hashes []rawHash, alg string) bool {
	for _, h := range hashes {
		if n := hashLengths[h.Alg]; n > 0 && len(h.Content) == n && (alg == "" || h.Alg == alg) {
			return true
		}
	}
	return false
}

// licenseStatuses: a licence counts if it is an SPDX expression or identifier. A
// name or a text alone is none.
func (c *componentJSON) licenseStatuses(s *[fieldCount]Status, set func(field, string, bool)) {
	var any, concluded, declared, unknown bool
	for _, l := range c.Licenses {
		acknowledgement, spdx := l.Acknowledgement, license.IsExpression(l.Expression)
		if l.License != nil {
			acknowledgement, spdx = l.License.Acknowledgement, license.IsExpression(l.License.ID)
			unknown = unknown || saysUnknown(l.License.Name)
		}
		unknown = unknown || saysUnknown(l.Expression)
		any = any || spdx
		concluded = concluded || (spdx && acknowledgement == "concluded")
		declared = declared || (spdx && acknowledgement == "declared")
	}
	set(fieldLicense, "license", any)
	set(fieldConcluded, "license", concluded)
	set(fieldDeclared, "license", declared)
	for _, f := range []field{fieldLicense, fieldConcluded, fieldDeclared} {
		if s[f] == Fail && unknown {
			s[f] = Unknown
		}
	}
}
