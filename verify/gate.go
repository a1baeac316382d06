package verify

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"plimsoll.example/attest"
)

// An Attestation is a claim as it was found: unverified bytes and their place.
type Attestation struct {
	Source  string // file, or file:line
	JSON    []byte
	Problem string // why it was not taken in; it is then unusable
}

// A Gate decides about artifacts by one policy.
type Gate struct {
	Policy  *Policy
	Checker Checker // must know exactly the policy's keys
	Now     time.Time
}

// opened is what became of one attestation.
type opened struct {
	source    string
	statement VerifiedStatement
	err       error
}

// Decide applies the policy to an artifact and the attestations about it. The
// artifact's digests must be of the bytes that will be deployed.
//
// An error means that no decision was made (ctx ended, or a check panicked); the
// report is then to be thrown away. A denial is a report, not an error.
func (g Gate) Decide(ctx context.Context, artifact Artifact, attestations []Attestation) (Report, error) {
	if g.Policy == nil || g.Checker == nil {
		return Report{}, errors.New("deciding without a policy or a checker")
	}
	report := Report{
		Artifact: artifact.Name,
		Digests:  artifact.Digests,
		Policy:   PolicyInfo{Name: g.Policy.Name, Digest: g.Policy.Digest},
		Clock:    g.Now.UTC(),
		NotChecked: []string{
			"the artifact's name: the policy binds digests, not names",
			"transparency log and signed time: the policy trusts keys, which need neither",
		},
	}
	if !g.Policy.Expires.IsZero() {
		report.Policy.Expires = &g.Policy.Expires
	}
	results := g.openAll(ctx, artifact, attestations)
	for _, r := range results {
		if r.err == nil {
			continue
		}
		var refused *Refusal
		if !errors.As(r.err, &refused) {
			return Report{}, fmt.Errorf("checking %s: %w", r.source, r.err)
		}
		report.Unusable = append(report.Unusable, refused.finding(r.source))
	}
	results = slices.DeleteFunc(results, func(r opened) bool { return r.err != nil || !r.statement.verified })
	for _, r := range results {
		report.Found = append(report.Found, g.info(r))
	}

	g.denials(&report, artifact, len(attestations))
	reqs, listed := g.Policy.requirementsFor(artifact)
	met := 0
	for _, req := range reqs {
		info := g.evaluate(req, results)
		if info.Met {
			met++
		}
		report.Requirements = append(report.Requirements, info)
	}
	if listed && len(reqs) > 0 && met == len(reqs) && len(report.Denials) == 0 {
		report.Verdict = Allowed
	}
	return report, nil
}

// denials adds the reasons that hold whatever the attestations say.
func (g Gate) denials(report *Report, artifact Artifact, attestations int) {
	deny := func(r *Refusal) { report.Denials = append(report.Denials, r.finding("")) }
	if !g.Policy.Expires.IsZero() && !g.Now.Before(g.Policy.Expires) {
		deny(&Refusal{Code: CodePolicyExpired,
			Expected: "a policy that is in force at " + g.Now.UTC().Format(time.RFC3339),
			Found:    "it expired at " + g.Policy.Expires.UTC().Format(time.RFC3339)})
	}
	reqs, listed := g.Policy.requirementsFor(artifact)
	switch {
	case !listed:
		known := make([]string, 0, len(g.Policy.Artifacts))
		for name := range g.Policy.Artifacts {
			known = append(known, name)
		}
		slices.Sort(known)
		deny(&Refusal{Code: CodeArtifactNotInPolicy, Expected: "one of " + strings.Join(known, ", "), Found: describeDigests(artifact.Digests)})
	case len(reqs) == 0:
		deny(&Refusal{Code: CodeNoRequirements, Expected: "at least one requirement", Found: "none"})
	}
	if attestations == 0 {
		deny(&Refusal{Code: CodeNoAttestations, Expected: "at least one attestation about the artifact", Found: "none"})
	}
}

// openAll opens every attestation, on every core, and keeps their order.
func (g Gate) openAll(ctx context.Context, artifact Artifact, attestations []Attestation) []opened {
	results := make([]opened, len(attestations))
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i, a := range attestations {
		workers.Go(func() error {
			results[i] = g.openOne(ctx, artifact, a)
			return nil
		})
	}
	_ = workers.Wait() // each result carries its own error
	return results
}

func (g Gate) openOne(ctx context.Context, artifact Artifact, a Attestation) (result opened) {
	result.source = a.Source
	defer func() {
		// A crash is never a verdict: it ends the run without a decision.
		if p := recover(); p != nil {
			result = opened{source: a.Source, err: fmt.Errorf("internal error: %v", p)}
		}
	}()
	if a.Problem != "" {
		result.err = &Refusal{Code: CodeAttestationMalformed, Expected: "an attestation within bounds", Found: a.Problem}
		return result
	}
	result.statement, result.err = Open(ctx, g.Checker, a.JSON, artifact)
	return result
}

func (g Gate) info(r opened) StatementInfo {
	signature := r.statement.Signature()
	signer, _, _ := g.Policy.signerOf(signature.KeyID)
	return StatementInfo{
		Source:        r.source,
		PredicateType: r.statement.Statement().PredicateType,
		Signer:        signer.Name,
		KeyID:         signature.KeyID,
	}
}

// evaluate finds a statement that meets a requirement. The zero result is unmet.
func (g Gate) evaluate(req Requirement, results []opened) RequirementInfo {
	info := RequirementInfo{Name: req.Name}
	var nearest *Refusal // the most telling reason among those that failed
	for _, r := range results {
		if r.statement.Statement().PredicateType != req.Type {
			continue
		}
		signer, key, known := g.Policy.signerOf(r.statement.Signature().KeyID)
		if !known || signer.Name != req.SignedBy {
			if nearest == nil {
				nearest = &Refusal{Code: CodeSignerNotAllowed, Expected: g.wanted(req),
					Found: fmt.Sprintf("%s by %s", r.source, describeSigner(signer, r.statement.Signature()))}
			}
			continue
		}
		if !key.NotAfter.IsZero() && !g.Now.Before(key.NotAfter) {
			nearest = &Refusal{Code: CodeKeyExpired,
				Expected: "a key in force at " + g.Now.UTC().Format(time.RFC3339),
				Found:    fmt.Sprintf("%s by key %s, not to be used after %s", r.source, key.ID, key.NotAfter.UTC().Format(time.RFC3339))}
			continue
		}
		stmt := g.info(r)
		info.Met, info.RestsOn = true, &stmt
		return info
	}
	if nearest == nil {
		nearest = &Refusal{Code: CodeTypeMissing, Expected: g.wanted(req), Found: foundTypes(results)}
	}
	f := nearest.finding("")
	info.Finding = &f
	return info
}

func (g Gate) wanted(req Requirement) string {
	signer, _ := g.Policy.signer(req.SignedBy)
	ids := make([]string, len(signer.Keys))
	for i, k := range signer.Keys {
		ids[i] = k.ID
	}
	return fmt.Sprintf("one %s (%s) signed by %q, key %s", attest.ShortType(req.Type), req.Type, req.SignedBy, strings.Join(ids, " or "))
}

func describeSigner(signer Signer, s Signature) string {
	if signer.Name != "" {
		return fmt.Sprintf("%q, key %s", signer.Name, s.KeyID)
	}
	return s.Signer()
}

func foundTypes(results []opened) string {
	if len(results) == 0 {
		return "no usable attestation"
	}
	var types []string
	for _, r := range results {
		types = append(types, r.statement.Statement().PredicateType)
	}
	slices.Sort(types)
	return "only " + strings.Join(slices.Compact(types), ", ")
}
