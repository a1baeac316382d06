package verify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"plimsoll.example/attest"
)

// DependenciesOf lists the dependencies in a CycloneDX document, each once: every
// component but the main one and files. One whose main component has another digest than the artifact is about something
// else; of one without a digest the caller must know what it is about. Errors are
// *Refusal.
func DependenciesOf(document []byte, artifact Artifact) ([]Dependency, error) {
	d, err := readDocument(document)
	if err != nil {
		return nil, &Refusal{Code: CodePredicateMalformed, Expected: "a CycloneDX document", Found: err.Error()}
	}
	if _, other := d.mainHashes(artifact); other != "" {
		return nil, &Refusal{Code: CodeSBOMNotAbout, Expected: "an SBOM about " + describeDigests(artifact.Digests), Found: other}
	}
	list, err := d.dependencies()
	if err != nil {
		return nil, &Refusal{Code: CodePredicateMalformed, Expected: "an SBOM that lists dependencies", Found: err.Error()}
	}
	return list, nil
}

// Dependencies are what was found out about the dependencies of an artifact.
type Dependencies struct {
	Passed       bool
	Levels       map[int]int // how many dependencies have which SLSA build level
	Attestations []string    // "sha256:HEX" of the bundles it rests on
	SBOM         string      // "sha256:HEX"
	Policy       string      // "sha256:HEX"; "" for the defaults
	At           time.Time
}

// defaultNPMPolicy names what decides where no policy is given.
const defaultNPMPolicy = "https://plimsoll.example/npm/defaults/v1"

// SummarizeDependencies returns the predicate of a SLSA verification summary about an
// artifact whose npm packages were checked. The artifact's own build was not looked
// at, which verifiedLevels says.
func SummarizeDependencies(of SummaryOf, d Dependencies) (json.RawMessage, error) {
	if len(d.Levels) == 0 {
		return nil, fmt.Errorf("summarising no dependencies")
	}
	type resource struct {
		URI    string           `json:"uri,omitempty"`
		Digest attest.DigestSet `json:"digest,omitempty"`
	}
	digest := func(s string) attest.DigestSet {
		alg, value, found := strings.Cut(s, ":")
		if !found {
			return nil
		}
		return attest.DigestSet{alg: value}
	}
	levels := map[string]int{}
	for level, count := range d.Levels {
		levels[fmt.Sprintf("%s%d", levelPrefix, level)] = count
	}
	inputs := []resource{{URI: attest.TypeCycloneDX, Digest: digest(d.SBOM)}}
	bundles := slices.Clone(d.Attestations)
	slices.Sort(bundles)
	for _, b := range slices.Compact(bundles) {
		inputs = append(inputs, resource{URI: attest.TypeProvenance, Digest: digest(b)})
	}
	result, verified := "FAILED", "FAILED"
	if d.Passed {
		result, verified = "PASSED", levelPrefix+"UNEVALUATED"
	}
	return json.Marshal(struct {
		Verifier struct {
			ID      string            `json:"id"`
			Version map[string]string `json:"version"`
		} `json:"verifier"`
		TimeVerified     time.Time      `json:"timeVerified"`
		ResourceURI      string         `json:"resourceUri"`
		Policy           resource       `json:"policy"`
		Inputs           []resource     `json:"inputAttestations"`
		Result           string         `json:"verificationResult"`
		Levels           []string       `json:"verifiedLevels"`
		DependencyLevels map[string]int `json:"dependencyLevels"`
		SLSAVersion      string         `json:"slsaVersion"`
	}{
		Verifier: struct {
			ID      string            `json:"id"`
			Version map[string]string `json:"version"`
		}{of.VerifierID, map[string]string{"plimsoll": of.Version}},
		TimeVerified: d.At.UTC(), ResourceURI: of.Resource,
		Policy: resource{URI: cmp.Or(of.Policy, d.Policy, defaultNPMPolicy), Digest: digest(d.Policy)},
		Inputs: inputs, Result: result, Levels: []string{verified}, DependencyLevels: levels, SLSAVersion: "1.1",
	})
}
