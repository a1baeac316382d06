package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// A Gate decides about artifacts by one policy. Its fields are not changed while it
// decides; it may then be used by several goroutines.
type Gate struct {
	Policy   *Policy
	Checker  Checker // must know exactly the policy's keys, identities and roots
	Now      time.Time
	ClockSet bool       // Now was given and is not the machine's clock; only reported
	SignedBy string     // who signed the policy, as was verified; only reported
	Roots    []RootInfo // the trust roots that the policy names
	Layouts  LayoutChecker
	Packages PackageChecker
}

// maxAhead is how far a time may lie in the future: clocks differ.
const maxAhead = 5 * time.Minute

// opened is what became of one attestation.
type opened struct {
	source    string
	digest    string
	statement VerifiedStatement
	err       error
}

// A candidate is a verified statement. It counts only if nothing refused it: it is
// then by one of the policy's signers.
type candidate struct {
	refused   *Refusal
	source    string
	digest    string
	statement VerifiedStatement
	signer    Signer
	bound     bool // it names the artifact, and rightly
	// signed is the oldest trusted time of any signature of this signer over the same
	// payload: whoever has a key's bundle can have an authority put a new time to it.
	signed time.Time
}

func (c candidate) predicateType() string { return c.statement.statement.PredicateType }

// Decide applies the policy to an artifact and the attestations about it. The
// artifact's digests must be of the bytes that will be deployed.
//
// An error means that no decision was made (ctx ended, or a check panicked); the
// report is then to be thrown away. A denial is a report, not an error.
func (g Gate) Decide(ctx context.Context, artifact Artifact, attestations []Attestation) (report Report, err error) {
	if g.Policy == nil || g.Checker == nil {
		return Report{}, errors.New("deciding without a policy or a checker")
	}
	defer func() {
		// A crash is never a verdict: it ends the run without a decision.
		if p := recover(); p != nil {
			report, err = Report{}, fmt.Errorf("internal error: %v", p)
		}
	}()
	report = g.newReport(artifact)
	candidates, err := g.admitAll(ctx, &report, artifact, attestations)
	if err != nil {
		return Report{}, err
	}
	g.denials(&report, artifact, len(attestations))

	e := newEvaluation(ctx, g, artifact, candidates, attestations)
	_, reqs := g.Policy.demand(artifact)
	met, waived := 0, false
	for _, req := range reqs {
		outcome := e.outcome(req)
		if e.err != nil {
			return Report{}, e.err
		}
		if outcome.info.Met {
			met++
		}
		waived = waived || outcome.info.Waived
		report.Requirements = append(report.Requirements, outcome.info)
		report.Bound = report.Bound || outcome.bound
	}
	report.Waivers = e.waivers.Report()
	// A link of a layout is no statement, and was of use.
	report.Unusable = slices.DeleteFunc(report.Unusable, func(f Finding) bool { return slices.Contains(e.links, f.Source) })
	if g.Policy.DenyUnusable && len(report.Unusable) > 0 {
		r := &Refusal{Code: CodeUnusableDenied, Expected: "no unusable attestation", Found: fmt.Sprint(len(report.Unusable))}
		report.Denials = append(report.Denials, r.finding(""))
	}
	g.denyUnbound(&report, artifact, len(reqs) > 0 && met == len(reqs))
	if len(reqs) > 0 && met == len(reqs) && len(report.Denials) == 0 {
		report.Verdict = Allowed
		if waived {
			report.Verdict = AllowedWithWaivers
		}
	}
	report.NotChecked = g.notChecked(report, artifact)
	return report, nil
}

func (g Gate) newReport(artifact Artifact) Report {
	report := Report{
		Artifact: artifact.Name,
		Digests:  artifact.Digests,
		As:       artifact.As,
		Policy:   PolicyInfo{Name: g.Policy.Name, Digest: g.Policy.Digest, Revision: g.Policy.Revision, SignedBy: g.SignedBy},
		Roots:    g.Roots,
		Clock:    g.Now.UTC(),
		ClockSet: g.ClockSet,
	}
	if !g.Policy.Expires.IsZero() {
		report.Policy.Expires = &g.Policy.Expires
	}
	return report
}

// Refuse returns the report that denies an artifact for a reason that lies before
// its attestations.
func (g Gate) Refuse(artifact Artifact, reason Refusal) Report {
	report := g.newReport(artifact)
	report.Denials = []Finding{reason.finding("")}
	return report
}

// admitAll opens every attestation and keeps the statements that count: by one of
// the policy's signers, well witnessed, in time, and about what --as names. What
// does not count is reported.
func (g Gate) admitAll(ctx context.Context, report *Report, artifact Artifact, attestations []Attestation) ([]candidate, error) {
	var candidates []candidate
	for _, r := range g.openAll(ctx, artifact, attestations) {
		if r.err != nil {
			var refused *Refusal
			if !errors.As(r.err, &refused) {
				return nil, fmt.Errorf("checking %s: %w", r.source, r.err)
			}
			report.Unusable = append(report.Unusable, refused.finding(r.source))
			continue
		}
		if !r.statement.verified {
			continue
		}
		c, refused := g.admit(r, artifact)
		if refused != nil {
			report.Unusable = append(report.Unusable, refused.finding(r.source))
			c.refused = refused
			candidates = append(candidates, c)
			continue
		}
		candidates = append(candidates, c)
		report.Found = append(report.Found, c.info())
	}
	backdate(candidates)
	return candidates, nil
}

// backdate gives every statement the oldest time at which its signer is known to have
// signed it.
func backdate(candidates []candidate) {
	type statement struct {
		signer  string
		payload [sha256.Size]byte
	}
	oldest := map[statement]time.Time{}
	for i, c := range candidates {
		candidates[i].signed = c.statement.Signature().Time()
		key := statement{c.signer.Name, c.statement.payload}
		if t := candidates[i].signed; !t.IsZero() && (oldest[key].IsZero() || t.Before(oldest[key])) {
			oldest[key] = t
		}
	}
	for i, c := range candidates {
		if !c.signed.IsZero() {
			candidates[i].signed = oldest[statement{c.signer.Name, c.statement.payload}]
		}
	}
}

// admit judges who signed a verified statement, when, and what it calls the
// artifact.
func (g Gate) admit(r opened, artifact Artifact) (candidate, *Refusal) {
	c := candidate{source: r.source, digest: r.digest, statement: r.statement}
	signature := r.statement.Signature()
	signer, window, refused := g.Policy.identify(signature)
	if refused != nil {
		return c, refused
	}
	c.signer = signer
	if refused := signer.admit(window, signature, artifact, g.Now); refused != nil {
		return c, refused
	}
	for _, t := range signature.Times {
		if t.Time.After(g.Now.Add(maxAhead)) {
			return c, &Refusal{Code: CodeTimeAhead, Expected: "a signed time not after " + stamp(g.Now), Found: stamp(t.Time)}
		}
	}
	c.bound, refused = bind(r.statement, artifact)
	return c, refused
}

// denials adds the reasons that hold whatever the attestations say.
func (g Gate) denials(report *Report, artifact Artifact, attestations int) {
	deny := func(r *Refusal) { report.Denials = append(report.Denials, r.finding("")) }
	if !g.Policy.Expires.IsZero() && !g.Now.Before(g.Policy.Expires) {
		deny(&Refusal{Code: CodePolicyExpired, Expected: "a policy that is in force at " + stamp(g.Now), Found: "it expired at " + stamp(g.Policy.Expires)})
	}
	for _, root := range g.Roots {
		if r := g.Policy.admitRoot(root, g.Now); r != nil {
			deny(r)
		}
	}
	rules, reqs := g.Policy.demand(artifact)
	switch {
	case g.Policy.Artifacts != nil && len(rules) == 0:
		deny(&Refusal{Code: CodeArtifactNotInPolicy, Expected: "one of " + g.Policy.artifactNames(), Found: describeArtifact(artifact)})
	case len(reqs) == 0:
		deny(&Refusal{Code: CodeNoRequirements, Expected: "at least one requirement", Found: "none"})
	}
	for _, rule := range rules {
		if r := rule.admitVersion(artifact); r != nil {
			deny(r)
		}
	}
	if attestations == 0 && !onlyLayouts(reqs) {
		deny(&Refusal{Code: CodeNoAttestations, Expected: "at least one attestation about the artifact", Found: "none"})
	}
	if g.Policy.DenyUnnamed && artifact.As == "" {
		deny(&Refusal{Code: CodeNameMissing, Expected: "a name (`unnamed: deny` in the policy)", Found: "no --as"})
	}
}

// denyUnbound denies an artifact that is said to be something which nothing that
// the decision rests on confirms. Where a requirement is unmet, that is the reason.
func (g Gate) denyUnbound(report *Report, artifact Artifact, allMet bool) {
	if artifact.As == "" || report.Bound || !allMet {
		return
	}
	r := &Refusal{Code: CodeNameUnbound, Expected: "a statement that says that the artifact is " + artifact.As,
		Found: "none among those that the requirements rest on"}
	report.Denials = append(report.Denials, r.finding(""))
}

func (g Gate) notChecked(report Report, artifact Artifact) []string {
	var not []string
	if artifact.As == "" {
		not = append(not, "the artifact's name: it is not bound to a name (--as names what is deployed)")
	}
	for _, req := range report.Requirements {
		for _, s := range req.RestsOn {
			if s.SignedAt == nil {
				not = append(not, fmt.Sprintf("when it was signed: what key %s signed has no signed time, and the policy asks for none", s.KeyID))
			}
		}
	}
	slices.Sort(not)
	return slices.Compact(not)
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
		if p := recover(); p != nil {
			result = opened{source: a.Source, err: fmt.Errorf("internal error: %v", p)}
		}
	}()
	if a.Problem != "" {
		result.err = &Refusal{Code: CodeAttestationMalformed, Expected: "an attestation within bounds", Found: a.Problem}
		return result
	}
	if result.statement, result.err = Open(ctx, g.Checker, a.JSON, artifact); result.err == nil {
		sum := sha256.Sum256(a.JSON)
		result.digest = "sha256:" + hex.EncodeToString(sum[:])
	}
	return result
}

func (c candidate) info() StatementInfo {
	signature := c.statement.Signature()
	info := StatementInfo{
		Source:        c.source,
		PredicateType: c.predicateType(),
		Signer:        c.signer.Name,
		KeyID:         signature.KeyID,
		Certificate:   signature.Certificate,
		LogEntries:    signature.LogEntries,
		Digest:        c.digest,
	}
	if t := signature.Time(); !t.IsZero() {
		info.SignedAt = &t
	}
	return info
}

// admitRoot applies `root-max-age`. The age of a root that nobody dated is unknown.
func (p *Policy) admitRoot(root RootInfo, now time.Time) *Refusal {
	if p.RootMaxAge == 0 {
		return nil
	}
	expected := fmt.Sprintf("trust root %s fetched after %s", root.Name, stamp(now.Add(-p.RootMaxAge)))
	switch {
	case root.Date == nil:
		return &Refusal{Code: CodeRootTooOld, Expected: expected, Found: "no date of its own"}
	case now.Sub(*root.Date) > p.RootMaxAge:
		return &Refusal{Code: CodeRootTooOld, Expected: expected, Found: stamp(*root.Date)}
	}
	return nil
}

func (p *Policy) artifactNames() string {
	names := make([]string, len(p.Artifacts))
	for i, rule := range p.Artifacts {
		names[i] = rule.Name
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func describeArtifact(a Artifact) string {
	if len(a.Files) > 0 {
		return fmt.Sprintf("a directory of %d files", len(a.Files))
	}
	if a.As == "" {
		return describeDigests(a.Digests) + ", without --as"
	}
	return a.As + ", " + describeDigests(a.Digests)
}

func onlyLayouts(reqs []Requirement) bool {
	return len(reqs) > 0 && !slices.ContainsFunc(reqs, func(r Requirement) bool { return r.Layout == nil })
}

func describeType(types []string) string {
	parts := make([]string, len(types))
	for i, t := range types {
		parts[i] = fmt.Sprintf("%s (%s)", attest.ShortType(t), t)
	}
	return strings.Join(parts, " or ")
}
