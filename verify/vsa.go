package verify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"plimsoll.example/attest"
)

// A SummaryOf says as whom, and about what, a decision is summarised.
type SummaryOf struct {
	VerifierID string // a URI
	Version    string // of this program
	Resource   string // resourceUri: what is deployed
	Policy     string // URI of the policy, if it has one
}

// WellFormed reports what is not a URI.
func (s SummaryOf) WellFormed() error {
	for _, part := range []struct{ what, value string }{{"verifier-id", s.VerifierID}, {"resource-uri", s.Resource}} {
		u, err := url.Parse(part.value)
		if err != nil || !u.IsAbs() || strings.ContainsAny(part.value, " \n") {
			return fmt.Errorf("%s: expected a URI, found %q", part.what, part.value)
		}
	}
	return nil
}

// Summarize returns the predicate of a SLSA verification summary (SLSA v1.1,
// "Verification Summary Attestation") of reports about one resource: PASSED only if
// all of them allow it. Whether a denial is enforced makes no difference to it.
func Summarize(of SummaryOf, reports []Report) (json.RawMessage, error) {
	if len(reports) == 0 {
		return nil, fmt.Errorf("summarising no decision")
	}
	type resource struct {
		URI    string           `json:"uri,omitempty"`
		Digest attest.DigestSet `json:"digest,omitempty"`
	}
	type verifier struct {
		ID      string            `json:"id"`
		Version map[string]string `json:"version"`
	}
	// The specification wants a URI; a policy without one is named by its digest.
	policy := resource{URI: cmp.Or(of.Policy, reports[0].Policy.Digest), Digest: attest.DigestSet{}}
	if alg, value, ok := strings.Cut(reports[0].Policy.Digest, ":"); ok {
		policy.Digest[alg] = value
	}
	passed, level := true, -1
	inputs := map[string]resource{}
	for _, r := range reports {
		passed = passed && r.Verdict.Deploys()
		one := -1
		for _, q := range r.Requirements {
			one = max(one, levelOf(q))
			for _, s := range q.RestsOn {
				alg, value, _ := strings.Cut(s.Digest, ":")
				inputs[s.Digest] = resource{URI: s.PredicateType, Digest: attest.DigestSet{alg: value}}
			}
		}
		if level < 0 || one < level {
			level = one
		}
	}
	result, levels := "FAILED", []string{"FAILED"}
	if passed {
		result, levels = "PASSED", []string{levelPrefix + "UNEVALUATED"}
		if level >= 0 {
			levels = []string{fmt.Sprintf("%s%d", levelPrefix, level)}
		}
	}
	evidence := []resource{}
	for _, digest := range sortedKeys(inputs) {
		evidence = append(evidence, inputs[digest])
	}
	return json.Marshal(struct {
		Verifier     verifier   `json:"verifier"`
		TimeVerified time.Time  `json:"timeVerified"`
		ResourceURI  string     `json:"resourceUri"`
		Policy       resource   `json:"policy"`
		Inputs       []resource `json:"inputAttestations"`
		Result       string     `json:"verificationResult"`
		Levels       []string   `json:"verifiedLevels"`
		SLSAVersion  string     `json:"slsaVersion"`
	}{verifier{of.VerifierID, map[string]string{"plimsoll": of.Version}}, reports[0].Clock.UTC(), of.Resource, policy, evidence, result, levels, "1.1"})
}

// levelOf is the build level of a requirement that is met by a provenance; -1 where
// none was evaluated.
func levelOf(q RequirementInfo) int {
	if !q.Met || q.Level == 0 {
		return -1
	}
	return q.Level
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
