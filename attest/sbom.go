package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An SBOM is a document about what an artifact is made of, as a predicate.
type SBOM struct {
	Type      string // TypeCycloneDX, TypeSPDX2 or TypeSPDX3
	Predicate json.RawMessage
	Describes []string // SHA-256 digests that the document gives for what it is about; none: it gives none
}

// ParseSBOM reads one CycloneDX or SPDX document in JSON, without duplicate keys. A
// document that is about something with a SHA-256 says so in Describes; the caller
// compares it with the artifact. What the document lacks, [NewStatement] says.
func ParseSBOM(data []byte) (SBOM, error) {
	const expected = "expected a CycloneDX or SPDX JSON document"
	if len(data) == 0 {
		return SBOM{}, errors.New(expected + ", found an empty file")
	}
	var doc struct {
		BOMFormat   string         `json:"bomFormat"`
		SpecVersion string         `json:"specVersion"`
		SPDXVersion string         `json:"spdxVersion"`
		Graph       jsontext.Value `json:"@graph"`
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
		s.Type = TypeSPDX3
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

func (c cycloneDX) describes() []string {
	var digests []string
	for _, h := range c.Metadata.Component.Hashes {
		if h.Alg == "SHA-256" {
			digests = append(digests, strings.ToLower(h.Content))
		}
	}
	return digests
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

func (s spdx) describes() []string {
	described := map[string]bool{}
	for _, id := range s.DocumentDescribes {
		described[id] = true
	}
	for _, r := range s.Relationships {
		switch {
		case r.Type == "DESCRIBES" && r.From == spdxDocument:
			described[r.To] = true
		case r.Type == "DESCRIBED_BY" && r.To == spdxDocument:
			described[r.From] = true
		}
	}
	var digests []string
	for _, e := range slices.Concat(s.Packages, s.Files) {
		if !described[e.ID] {
			continue
		}
		for _, c := range e.Checksums {
			if c.Algorithm == "SHA256" {
				digests = append(digests, strings.ToLower(c.Value))
			}
		}
	}
	return digests
}
