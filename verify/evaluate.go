package verify

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// maxFindings bounds the reasons of one requirement in a report.
const maxFindings = 50

// An evaluation holds what is known while one artifact is judged.
type evaluation struct {
	ctx        context.Context
	gate       Gate
	artifact   Artifact
	candidates []candidate
	refused    []candidate   // verified, and not usable
	raw        []Attestation // as found: a layout's links are among them
	waivers    *WaiverBook
	outcomes   map[string]*outcome
	parsed     map[string]any // predicates for rules, by digest of the attestation
	links      []string       // sources that a layout rests on
	err        error          // no decision can be made
}

// An outcome is what became of one requirement. The zero outcome is unmet.
type outcome struct {
	info    RequirementInfo
	meeting []candidate
	bound   bool
}

func newEvaluation(ctx context.Context, g Gate, artifact Artifact, candidates []candidate, raw []Attestation) *evaluation {
	var refused []candidate
	for _, c := range candidates {
		if c.refused != nil {
			refused = append(refused, c)
		}
	}
	candidates = slices.DeleteFunc(slices.Clone(candidates), func(c candidate) bool { return c.refused != nil })
	_, waivers := g.Policy.NPMWaivers()
	return &evaluation{ctx: ctx, gate: g, artifact: artifact, candidates: candidates, refused: refused, raw: raw,
		waivers: NewWaiverBook(waivers, artifact, g.Now), outcomes: map[string]*outcome{}, parsed: map[string]any{}}
}

// outcome evaluates a requirement once.
func (e *evaluation) outcome(req Requirement) *outcome {
	if o := e.outcomes[req.Name]; o != nil {
		return o
	}
	o := &outcome{info: RequirementInfo{Name: req.Name}}
	e.outcomes[req.Name] = o // references make no circle: the parser sees to it
	if err := e.ctx.Err(); err != nil {
		e.err = err
		return o
	}
	if req.Layout != nil {
		e.followLayout(req, o)
	} else {
		e.evaluate(req, o)
	}
	o.info.RestsOn = infosOf(o.meeting)
	if !o.info.Met {
		o.info.RestsOn, o.meeting = nil, nil
	}
	for _, c := range o.meeting {
		o.bound = o.bound || c.bound
	}
	return o
}

func infosOf(list []candidate) []StatementInfo {
	var infos []StatementInfo
	for _, c := range list {
		infos = append(infos, c.info())
	}
	return infos
}

// A judged candidate has the findings that keep it from counting, those that a
// waiver set aside, and notes.
type judged struct {
	candidate
	findings []Finding
	waived   []Finding
	notes    []string
	level    int // SLSA build level, of a provenance
}

// weakness orders statements that may all do: first those that name the artifact,
// then those that need no waiver.
func (j judged) weakness() int {
	weakness := 0
	if !j.bound {
		weakness += 2
	}
	if len(j.waived) > 0 {
		weakness++
	}
	return weakness
}

// evaluate finds the statements that meet a requirement.
func (e *evaluation) evaluate(req Requirement, o *outcome) {
	var others []candidate // of the right type, by signers who do not count here
	var all []judged
	for _, c := range e.candidates {
		switch {
		case !slices.Contains(req.Types, c.predicateType()):
		case !slices.Contains(req.SignedBy.AnyOf, c.signer.Name):
			others = append(others, c)
		default:
			j := e.judge(req, c)
			if e.err != nil {
				return
			}
			all = append(all, j)
		}
	}
	// What names the artifact and needs no waiver is the better to rest on.
	slices.SortStableFunc(all, func(a, b judged) int { return cmp.Compare(a.weakness(), b.weakness()) })
	counted := e.counted(req, all)
	names := distinctSigners(counted)
	if req.SignedBy.Agree {
		counted, names = largestAgreement(counted)
	}
	blocked := req.Holds != HoldsAny && slices.ContainsFunc(all, func(j judged) bool { return len(j.findings) > 0 && e.mustHold(req, j, all) })
	if len(names) >= req.SignedBy.Threshold && req.SignedBy.Threshold > 0 && !blocked {
		o.info.Met = true
		for _, j := range counted {
			o.meeting = append(o.meeting, j.candidate)
			o.info.Findings = append(o.info.Findings, j.waived...)
			o.info.Notes = append(o.info.Notes, j.notes...)
			o.info.Waived = o.info.Waived || len(j.waived) > 0
			o.info.Level = max(o.info.Level, j.level)
		}
		e.waivers.Use(o.info.Findings)
		slices.Sort(o.info.Notes)
		o.info.Notes = slices.Compact(o.info.Notes)
		return
	}
	o.info.Findings = e.reasons(req, all, others, names)
}

// counted returns the statements that meet every rule. For "any" the first of each
// signer is enough: the decision should rest on little.
func (e *evaluation) counted(req Requirement, all []judged) []judged {
	var counted []judged
	for _, j := range all {
		if len(j.findings) > 0 || (req.Holds != HoldsAny && !e.mustHold(req, j, all)) {
			continue
		}
		sameSigner := func(c judged) bool { return c.signer.Name == j.signer.Name }
		if req.Holds == HoldsAny && !req.SignedBy.Agree && !e.referred(req) && slices.ContainsFunc(counted, sameSigner) {
			continue
		}
		counted = append(counted, j)
	}
	return counted
}

// referred tells whether another requirement's rules may look at the statements of
// this one: any of them may then be the one that fits.
func (e *evaluation) referred(req Requirement) bool {
	return slices.ContainsFunc(e.gate.Policy.Requirements, func(r Requirement) bool { return slices.Contains(r.refersTo(), req.Name) })
}

// mustHold tells whether a statement decides under "latest" or "all": all do under
// "all"; under "latest" those for which the same signer has no newer one. A
// statement without signed time cannot be the latest: anybody could have taken its
// time off.
func (e *evaluation) mustHold(req Requirement, j judged, all []judged) bool {
	if req.Holds == HoldsAll {
		return true
	}
	mine := j.made()
	if mine.IsZero() {
		return false
	}
	return !slices.ContainsFunc(all, func(other judged) bool {
		return other.signer.Name == j.signer.Name && other.made().After(mine)
	})
}

// made is when a statement was made: the older of the signed time and the one that it
// claims; zero without a signed time.
func (c candidate) made() time.Time {
	claimed, err := claimedTime(c.statement.statement)
	if err == nil && !c.signed.IsZero() && !claimed.IsZero() && claimed.Before(c.signed) {
		return claimed
	}
	return c.signed
}

func distinctSigners(list []judged) []string {
	var names []string
	for _, j := range list {
		names = append(names, j.signer.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// largestAgreement returns the statements with equal predicates that most signers
// made. Predicates are compared as JSON values (RFC 8785).
func largestAgreement(list []judged) ([]judged, []string) {
	groups := map[string][]judged{}
	var order []string
	for _, j := range list {
		value := jsontext.Value(bytes.Clone(j.statement.statement.Predicate))
		if value.Canonicalize() != nil {
			continue
		}
		key := string(value)
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], j)
	}
	var best []judged
	var names []string
	for _, key := range order {
		if n := distinctSigners(groups[key]); len(n) > len(names) {
			best, names = groups[key], n
		}
	}
	return best, names
}

// judge collects every reason why a statement does not meet a requirement.
func (e *evaluation) judge(req Requirement, c candidate) judged {
	j := judged{candidate: c}
	var refusals []*Refusal
	add := func(more ...*Refusal) { refusals = append(refusals, more...) }
	if req.Holds == HoldsLatest && c.statement.Signature().Time().IsZero() {
		add(&Refusal{Code: CodeTimeMissing, Expected: "a signed time: without one nobody can tell which statement is the latest",
			Found: "none" + because(c.statement.Signature().Problem)})
	}
	add(e.admitAge(req, c)...)
	for _, section := range []interface {
		judge(*evaluation, candidate, *judged) []*Refusal
	}{req.Provenance, req.SBOM, req.NPM, req.Vulns, req.VSA} {
		add(section.judge(e, c, &j)...)
	}
	add(e.judgeRules(req, c)...)
	for _, r := range refusals {
		f := r.finding(c.source)
		if f.WaivedBy = r.waivedBy; f.WaivedBy == "" {
			f.WaivedBy = e.waivers.CoveredBy(f)
		}
		if f.WaivedBy != "" {
			j.waived = append(j.waived, f)
			continue
		}
		j.findings = append(j.findings, f)
	}
	return j
}

// admitAge applies `max-age` to the older of the signed and the claimed time.
func (e *evaluation) admitAge(req Requirement, c candidate) []*Refusal {
	if req.MaxAge == 0 {
		return nil
	}
	claimed, err := claimedTime(c.statement.statement)
	if err != nil {
		return []*Refusal{{Code: CodePredicateMalformed, Expected: "a time in the predicate", Found: err.Error()}}
	}
	oldest := c.signed
	if oldest.IsZero() || (!claimed.IsZero() && claimed.Before(oldest)) {
		oldest = claimed
	}
	newest := e.gate.Now.Add(-req.MaxAge)
	switch {
	case oldest.IsZero():
		return []*Refusal{{Code: CodeTimeMissing, Expected: "a signed time, or one in the predicate, to tell its age by", Found: "neither"}}
	case claimed.After(e.gate.Now.Add(maxAhead)):
		return []*Refusal{{Code: CodeTimeAhead, Expected: "a time not after " + stamp(e.gate.Now), Found: stamp(claimed)}}
	case oldest.Before(newest):
		return []*Refusal{{Code: CodeStale, Expected: fmt.Sprintf("a statement not older than %s", stamp(newest)),
			Found: fmt.Sprintf("%s, %s old", stamp(oldest), age(e.gate.Now.Sub(oldest)))}}
	}
	return nil
}

// age shows a duration in the unit in which people think of it.
func age(d time.Duration) string {
	if days := int(d / (24 * time.Hour)); days >= 2 {
		return fmt.Sprintf("%d days", days)
	}
	if hours := int(d / time.Hour); hours >= 2 {
		return fmt.Sprintf("%d hours", hours)
	}
	return fmt.Sprintf("%d minutes", int(d/time.Minute))
}

// reasons says why a requirement is not met, the most telling first: what is wrong
// with the statements that could have counted; else who else signed one; else that
// there is none.
func (e *evaluation) reasons(req Requirement, all []judged, others []candidate, names []string) []Finding {
	var findings []Finding
	refuse := func(r *Refusal) { findings = append(findings, r.finding("")) }
	switch {
	case len(all) == 0 && len(others) > 0:
		for _, c := range others {
			r := &Refusal{Code: CodeSignerNotAllowed, Expected: e.wanted(req), Found: fmt.Sprintf("%s by %s", c.source, c.describeSigner())}
			findings = append(findings, r.finding(c.source))
		}
	case len(all) == 0 && len(e.nearly(req)) > 0:
		for _, c := range e.nearly(req) {
			findings = append(findings, c.refused.finding(c.source))
		}
	case len(all) == 0:
		refuse(&Refusal{Code: CodeTypeMissing, Expected: e.wanted(req), Found: e.describeFound()})
	case len(names) > 0 && req.SignedBy.Agree:
		refuse(&Refusal{Code: CodePredicatesDiffer, Expected: fmt.Sprintf("equal predicates by %d of %s", req.SignedBy.Threshold, strings.Join(req.SignedBy.AnyOf, ", ")),
			Found: "equal ones by " + strings.Join(names, ", ") + " only"})
	case req.SignedBy.Threshold > 1 && len(names) < req.SignedBy.Threshold:
		refuse(&Refusal{Code: CodeThresholdNotMet, Expected: fmt.Sprintf("%d of %s", req.SignedBy.Threshold, strings.Join(req.SignedBy.AnyOf, ", ")),
			Found: fmt.Sprintf("%d that meet every rule: %s", len(names), orNone(names))})
	}
	for _, j := range all {
		findings = append(findings, j.findings...)
	}
	if len(findings) > maxFindings {
		more := len(findings) - maxFindings
		findings = append(findings[:maxFindings:maxFindings], Finding{Code: findings[maxFindings].Code,
			Found: fmt.Sprintf("%d more findings, left out here", more), Remedy: findings[maxFindings].Remedy})
	}
	return findings
}

// nearly returns the statements that would have counted, had they been usable.
func (e *evaluation) nearly(req Requirement) []candidate {
	var list []candidate
	for _, c := range e.refused {
		if slices.Contains(req.Types, c.predicateType()) && slices.Contains(req.SignedBy.AnyOf, c.signer.Name) {
			list = append(list, c)
		}
	}
	return list
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (e *evaluation) wanted(req Requirement) string {
	var who []string
	for _, name := range req.SignedBy.AnyOf {
		signer, _ := e.gate.Policy.signer(name)
		who = append(who, signer.describe())
	}
	text := fmt.Sprintf("one %s signed by %s", describeType(req.Types), strings.Join(who, " or "))
	if req.SignedBy.Threshold > 1 {
		text += fmt.Sprintf(", by %d of them", req.SignedBy.Threshold)
	}
	return text
}

func (s Signer) describe() string {
	if s.Identity != nil {
		return fmt.Sprintf("%q, %s", s.Name, s.Identity.Subject)
	}
	ids := make([]string, len(s.Keys))
	for i, k := range s.Keys {
		ids[i] = k.ID
	}
	return fmt.Sprintf("%q, key %s", s.Name, strings.Join(ids, " or "))
}

func (c candidate) describeSigner() string {
	return fmt.Sprintf("%q, %s", c.signer.Name, c.statement.Signature().describe())
}

// describeFound lists every type and signer that was there.
func (e *evaluation) describeFound() string {
	if len(e.candidates) == 0 {
		return "no usable attestation"
	}
	var found []string
	for _, c := range e.candidates {
		found = append(found, fmt.Sprintf("%s by %q", c.predicateType(), c.signer.Name))
	}
	slices.Sort(found)
	return "only " + strings.Join(slices.Compact(found), ", ")
}
