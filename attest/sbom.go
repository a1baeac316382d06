package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An SBOM is a document about what an artifact is made of, as a predicate.
type SBOM struct {
	Type      string // TypeCycloneDX, TypeSPDX2 or TypeSPDX3
	Predicate json.RawMessage
	Describes []DigestSet // of what the document is about, where it gives digests: SHA-256 and others
}

// Contradicts says whether the document is about something else than the subjects: it
// gives digests of algorithms that they have, and they are of none of them. It returns
// one that it gives.
func (s SBOM) Contradicts(subjects []Subject) (other DigestSet, contradicts bool) {
	for _, described := range s.Describes {
		for _, subject := range subjects {
			common, equal := 0, 0
			for algorithm, digest := range described {
				if has, ok := subject.Digest[algorithm]; ok {
					common++
					if has == digest {
						equal++
					}
				}
			}
			if common > 0 && equal == common {
				return nil, false
			}
			if common > 0 {
				other, contradicts = described, true
			}
		}
	}
	return other, contradicts
}

// ParseSBOM reads one CycloneDX or SPDX document in JSON, without duplicate keys. A
// document that gives digests of what it is about says so in Describes; the caller
// compares it with the artifact, see [SBOM.Contradicts]. What the document lacks, [NewStatement] says.
func ParseSBOM(data []byte) (SBOM, error) {
	const expected = "expected a CycloneDX or SPDX JSON document"
	if len(data) == 0 {
		return SBOM{}, errors.New(expected + ", found an empty file")
	}
	var doc struct {
		BOMFormat   string         `json:"bomFormat"`
		SpecVersion string         `json:"specVersion"`
		SPDXVersion string         `json:"spdxVersion"`
		Graph       jsontext.Value `json:"@graph"` // SPDX 3
		cycloneDX
		spdx
	}
	if err := jsonv2.Unmarshal(data, &doc); err != nil {
		return SBOM{}, fmt.Errorf("%s: %w", expected, JSONError(err))
	}
	s := SBOM{Predicate: data}
	switch {
	case doc.BOMFormat != "":
		s.Type, s.Describes = TypeCycloneDX, doc.cycloneDX.describes()
	case doc.SPDXVersion != "":
		s.Type, s.Describes = TypeSPDX2, doc.spdx.describes()
	case doc.Graph != nil:
		s.Type, s.Describes = TypeSPDX3, spdx3Describes(doc.Graph)
	default:
		return SBOM{}, errors.New(expected + " (bomFormat, spdxVersion or @graph), found another one")
	}
	return s, nil // what it lacks, NewStatement says
}

// cycloneDX is what says what a CycloneDX document is about.
type cycloneDX struct {
	Metadata struct {
		Component struct {
			Hashes []struct {
				Alg     string `json:"alg"`
				Content string `json:"content"`
			} `json:"hashes"`
		} `json:"component"`
	} `json:"metadata"`
}

func (c cycloneDX) describes() []DigestSet {
	digests := described{}
	for _, h := range c.Metadata.Component.Hashes {
		digests.add(h.Alg, h.Content)
	}
	return digests.sets
}

// described collects the digests of one thing. A second digest of one algorithm begins
// another set: one of the two is wrong, and neither goes with both.
type described struct{ sets []DigestSet }

func (d *described) add(algorithm, value string) {
	one := DigestSet{}
	one.add(algorithm, value)
	for name, digest := range one {
		for _, set := range d.sets {
			if set[name] == "" || set[name] == digest {
				set[name] = digest
				return
			}
		}
		d.sets = append(d.sets, one)
	}
}

// spdx is what says what an SPDX document is about: the packages and files that it
// describes (SPDX 2.3, "documentDescribes", and relationships of type DESCRIBES).
type spdx struct {
	DocumentDescribes []string         `json:"documentDescribes"`
	Packages          []spdxElement    `json:"packages"`
	Files             []spdxElement    `json:"files"`
	Relationships     []spdxConnection `json:"relationships"`
}

type spdxElement struct {
	ID        string `json:"SPDXID"`
	Checksums []struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	} `json:"checksums"`
}

type spdxConnection struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

const spdxDocument = "SPDXRef-DOCUMENT"

func (s spdx) describes() []DigestSet {
	about := map[string]bool{}
	for _, id := range s.DocumentDescribes {
		about[id] = true
	}
	for _, r := range s.Relationships {
		switch {
		case r.Type == "DESCRIBES" && r.From == spdxDocument:
			about[r.To] = true
		case r.Type == "DESCRIBED_BY" && r.To == spdxDocument:
			about[r.From] = true
		}
	}
	var sets []DigestSet
	for _, e := range slices.Concat(s.Packages, s.Files) {
		if !about[e.ID] {
			continue
		}
		digests := described{}
		for _, c := range e.Checksums {
			digests.add(c.Algorithm, c.Value)
		}
		sets = append(sets, digests.sets...)
	}
	return sets
}

// spdx3Describes follows the root elements of the document and of the SBOMs in it (SPDX
// 3.0, "rootElement" and "verifiedUsing"). A graph of another form says nothing.
func spdx3Describes(graph jsontext.Value) []DigestSet {
	var elements []struct {
		ID       string         `json:"spdxId"`
		Type     string         `json:"type"`
		Roots    []string       `json:"rootElement"`
		Verified jsontext.Value `json:"verifiedUsing"`
	}
	if jsonv2.Unmarshal(graph, &elements) != nil {
		return nil
	}
	about := map[string]bool{}
	for _, e := range elements {
		for _, root := range e.Roots {
			about[root] = true
		}
	}
	var sets []DigestSet
	for _, e := range elements {
		var hashes []struct {
			Algorithm string `json:"algorithm"`
			Value     string `json:"hashValue"`
		}
		if !about[e.ID] || jsonv2.Unmarshal(e.Verified, &hashes) != nil {
			continue
		}
		digests := described{}
		for _, h := range hashes {
			digests.add(h.Algorithm, h.Value)
		}
		sets = append(sets, digests.sets...)
	}
	return sets
}

// A Dependency is a package that an SBOM names, with its digests.
type Dependency struct {
	PURL   string
	Digest DigestSet
}

// Dependencies lists the packages in an SBOM that have a purl and a digest, by purl
// and each once. What has no digest would name any bytes, and is left out.
func (s SBOM) Dependencies() ([]Dependency, error) {
	var found []Dependency
	var err error
	switch s.Type {
	case TypeCycloneDX:
		var doc struct {
			Components []cycloneDXComponent `json:"components"`
		}
		err = jsonv2.Unmarshal(s.Predicate, &doc)
		for _, c := range doc.Components {
			found = c.dependencies(found)
		}
	case TypeSPDX2:
		var doc struct {
			Packages []spdxPackage `json:"packages"`
		}
		err = jsonv2.Unmarshal(s.Predicate, &doc)
		for _, p := range doc.Packages {
			found = p.dependencies(found)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the SBOM's packages: %w", JSONError(err))
	}
	slices.SortStableFunc(found, func(a, b Dependency) int { return strings.Compare(a.PURL, b.PURL) })
	return slices.CompactFunc(found, func(a, b Dependency) bool { return a.PURL == b.PURL && maps.Equal(a.Digest, b.Digest) }), nil
}

type cycloneDXComponent struct {
	PURL   string `json:"purl"`
	Hashes []struct {
		Alg     string `json:"alg"`
		Content string `json:"content"`
	} `json:"hashes"`
	Components []cycloneDXComponent `json:"components"`
}

func (c cycloneDXComponent) dependencies(list []Dependency) []Dependency {
	digests := DigestSet{}
	for _, h := range c.Hashes {
		digests.add(h.Alg, h.Content)
	}
	if c.PURL != "" && len(digests) > 0 {
		list = append(list, Dependency{c.PURL, digests})
	}
	for _, inside := range c.Components {
		list = inside.dependencies(list)
	}
	return list
}

type spdxPackage struct {
	spdxElement
	References []struct {
		Type    string `json:"referenceType"`
		Locator string `json:"referenceLocator"`
	} `json:"externalRefs"`
}

func (p spdxPackage) dependencies(list []Dependency) []Dependency {
	digests := DigestSet{}
	for _, c := range p.Checksums {
		digests.add(c.Algorithm, c.Value)
	}
	for _, r := range p.References {
		if r.Type == "purl" && len(digests) > 0 {
			list = append(list, Dependency{r.Locator, digests})
		}
	}
	return list
}

// add adds a digest by the name that an SBOM gives its algorithm ("SHA-256",
// "SHA256"), if it is one of these and well formed.
func (d DigestSet) add(algorithm, value string) {
	name := strings.ToLower(strings.ReplaceAll(algorithm, "-", ""))
	one := DigestSet{name: strings.ToLower(value)}
	if _, known := digestBytes[name]; known && one.WellFormed() == nil {
		d[name] = one[name]
	}
}
