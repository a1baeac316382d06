package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Explain says in plain sentences what a policy demands, and which of its rules
// whoever delivers the attestations can defeat by withholding one.
func (p *Policy) Explain() string {
	x := &explainer{policy: p}
	x.head()
	x.line("Who may sign")
	for _, s := range p.Signers {
		x.signer(s)
	}
	x.line("What an artifact needs")
	if len(p.Requirements) == 0 {
		x.item("the policy says nothing: plimsoll verify denies everything by it.")
	} else {
		x.artifacts()
	}
	for _, r := range p.Requirements {
		x.requirement(r)
	}
	x.npm()
	x.waivers()
	x.withholding()
	return x.text.String()
}

func (x *explainer) npm() {
	n := x.policy.NPM
	if len(n.Codes) == 0 && len(n.InstallScripts) == 0 {
		return
	}
	x.line("What plimsoll npm does otherwise than by default")
	for _, row := range NPMCodes() {
		if effect, changed := n.Codes[row.Code]; changed {
			x.item("%s: %s (by default %s)", row.Code, effect, row.Effect)
		}
	}
	if len(n.InstallScripts) > 0 {
		x.item("these may run scripts when they are installed: %s", strings.Join(n.InstallScripts, ", "))
	}
}

type explainer struct {
	policy *Policy
	text   strings.Builder
}

func (x *explainer) line(format string, args ...any) { fmt.Fprintf(&x.text, format+"\n", args...) }
func (x *explainer) item(format string, args ...any) { x.line("  - "+format, args...) }
func (x *explainer) more(format string, args ...any) { x.line("    "+format, args...) }

func (x *explainer) head() {
	p := x.policy
	name := "This policy"
	if p.Name != "" {
		name = fmt.Sprintf("Policy %q", p.Name)
	}
	expires := "never expires"
	if !p.Expires.IsZero() {
		expires = "allows nothing from " + stamp(p.Expires) + " on"
	}
	x.line("%s %s. Its digest is %s.", name, expires, p.Digest)
	if p.Revision > 0 {
		x.line("It is revision %d.", p.Revision)
	}
	if p.DenyUnusable {
		x.line("An artifact about which any unusable attestation is found is denied: whoever can add one can block a deploy.")
	}
	if p.DenyUnnamed {
		x.line("An artifact must be named with --as, and a verified statement must confirm the name.")
	} else {
		x.line("Without --as an artifact is not bound to a name: an older release by the same signers is as good as this one.")
	}
	if p.RootMaxAge > 0 {
		x.line("A trust root older than %s, or of unknown age, denies.", age(p.RootMaxAge))
	}
}

func (x *explainer) signer(s Signer) {
	if s.Identity == nil {
		x.item("%q is whoever holds one of %d key(s); %s.", s.Name, len(s.Keys), x.witnesses(s))
		for _, k := range s.Keys {
			x.more("key %s%s", k.ID, describeWindow(k.Window))
		}
		return
	}
	i := s.Identity
	x.item("%q is %s, as %s vouches for it%s; %s.", s.Name, i.Subject, i.Issuer, describeWindow(i.Window), x.witnesses(s))
	for _, part := range []struct{ what, value string }{{"source repository", i.Repository}, {"source repository's id", i.RepositoryID}, {"owner's id", i.OwnerID},
		{"ref", i.Ref}, {"runner", i.Runner}, {"trigger", i.Trigger}, {"environment", i.Environment}} {
		if part.value != "" {
			x.more("the %s must be %s", part.what, part.value)
		}
	}
	if i.Repository != "" && i.RepositoryID == "" {
		x.more("the repository is known by name only: whoever takes over the name takes over the trust (repository: {id: ...} does not change hands)")
	}
}

func (x *explainer) witnesses(s Signer) string {
	text := fmt.Sprintf("%d log entries and %d signed times by trust root %s are demanded", s.LogEntries, s.SignedTimes, s.Root.Name())
	if s.LogEntries+s.SignedTimes == 0 {
		text = "no log and no signed time is demanded: when something was signed is not known"
	}
	return text
}

func describeWindow(w Window) string {
	var parts []string
	if !w.NotBefore.IsZero() {
		parts = append(parts, "from "+stamp(w.NotBefore))
	}
	if !w.NotAfter.IsZero() {
		parts = append(parts, "before "+stamp(w.NotAfter))
	}
	if r := w.Revoked; r != nil && r.Compromised {
		parts = append(parts, fmt.Sprintf("compromised on %s: nothing counts but %d listed artifact(s)", stamp(r.At), len(r.Except)))
	} else if r != nil {
		parts = append(parts, "superseded on "+stamp(r.At)+": what has an earlier signed time still counts")
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func (x *explainer) artifacts() {
	if x.policy.Artifacts == nil {
		x.item("every artifact: all requirements below.")
		return
	}
	for _, a := range x.policy.Artifacts {
		name := a.Name
		if name == "*" {
			name = "every artifact"
		}
		at := ""
		if a.MinVersion != "" {
			at = " at version " + a.MinVersion + " or higher"
		}
		x.item("%s%s: %s.", name, at, strings.Join(a.Require, ", "))
	}
	if !slices.ContainsFunc(x.policy.Artifacts, func(a ArtifactRule) bool { return a.Name == "*" }) {
		x.item("anything else is denied.")
	}
}

func (x *explainer) requirement(r Requirement) {
	if l := r.Layout; l != nil {
		x.item("%q: the artifact is a product of step %s of the in-toto layout %s, signed by %s; all of the layout holds, and nothing of it is executed.", r.Name, l.Step, l.File, strings.Join(r.SignedBy.AnyOf, " or "))
		return
	}
	who := strings.Join(r.SignedBy.AnyOf, " or ")
	if r.SignedBy.Threshold > 1 {
		who = fmt.Sprintf("%d of %s", r.SignedBy.Threshold, strings.Join(r.SignedBy.AnyOf, ", "))
		if r.SignedBy.Agree {
			who += ", who all say the same"
		}
	}
	which := map[Holds]string{HoldsAny: "there is", HoldsLatest: "the newest is", HoldsAll: "all are"}[r.Holds]
	x.item("%q: %s a %s signed by %s%s.", r.Name, which, describeType(r.Types), who, describeMaxAge(r.MaxAge))
	for _, sentence := range slices.Concat(r.Provenance.explain(), r.SBOM.explain(), r.NPM.explain(), r.Vulns.explain(), r.VSA.explain()) {
		x.more("%s", sentence)
	}
	for _, rule := range r.Rules {
		x.more("rule: %s (else: %s)", rule.CEL, rule.Message)
	}
}

func describeMaxAge(d time.Duration) string {
	if d == 0 {
		return ", of any age"
	}
	return ", not older than " + age(d)
}

func (rules *ProvenanceRules) explain() (lines []string) {
	if rules == nil {
		return nil
	}
	for _, part := range []struct{ what, value string }{{"builder", rules.Builder}, {"build type", rules.BuildType}, {"source", rules.Source}, {"ref", rules.Ref}} {
		if part.value != "" {
			lines = append(lines, "the "+part.what+" is "+part.value)
		}
	}
	if rules.MinLevel > 0 {
		lines = append(lines, fmt.Sprintf("the build is worth SLSA build level %d at least, by the table `levels`", rules.MinLevel))
	}
	allowed := "no external parameter is set but source and workflow"
	if len(rules.Parameters) > 0 {
		allowed += ", and these, to anything: " + strings.Join(rules.Parameters, ", ")
	}
	return append(lines, allowed)
}

func (rules *SBOMRules) explain() (lines []string) {
	if rules == nil {
		return nil
	}
	if rules.Profile != "" {
		lines = append(lines, "it meets profile "+rules.Profile)
	}
	if rules.AboutArtifact {
		lines = append(lines, "its main component is the artifact, by digest or by the name of --as")
	}
	if rules.Hashes {
		lines = append(lines, "every component has a hash")
	}
	if rules.Deny != nil {
		lines = append(lines, "no component is one of those that the policy denies")
	}
	if l := rules.Licenses; l != nil {
		if len(l.Allow) > 0 {
			lines = append(lines, "licences are only "+strings.Join(l.Allow, ", "))
		}
		if len(l.Deny) > 0 {
			lines = append(lines, "no licence is "+strings.Join(l.Deny, ", "))
		}
		if rules.MissingLicenses {
			lines = append(lines, "a component that states no licence passes")
		}
	}
	return lines
}

func (rules *NPMRules) explain() []string {
	switch {
	case rules == nil:
		return nil
	case rules.Answers:
		return []string{fmt.Sprintf("the origin of every npm package in it is verified by saved answers; %d may be unproven", rules.Below)}
	}
	return []string{
		"it is a passed verification summary by " + rules.Verifier,
		fmt.Sprintf("it counts as many dependencies as the SBOM of %q lists, of which %d may be below SLSA build level %d", rules.SBOM, rules.Below, rules.MinLevel),
	}
}

func (rules *VulnRules) explain() []string {
	if rules == nil {
		return nil
	}
	line := "it found nothing worse than " + rules.MaxSeverity.String() + ", and nothing of unknown severity"
	if len(rules.VEXSigners) > 0 {
		line += "; VEX statements by " + strings.Join(rules.VEXSigners, " or ") + " may say otherwise"
	}
	return []string{line}
}

func (rules *VSARules) explain() []string {
	if rules == nil {
		return nil
	}
	resource := rules.Resource
	if resource == "" {
		resource = "what --as names"
	}
	return []string{fmt.Sprintf("verifier %s passed %s, and verified %s", rules.Verifier, resource, strings.Join(rules.Levels, " and "))}
}

func (x *explainer) waivers() {
	for _, w := range x.policy.Waivers {
		advisory := ""
		if w.Advisory != "" {
			advisory = " " + w.Advisory
		}
		x.line("%s waives %s%s for %s until %s: %s", w.Owner, w.Code, advisory, w.Subject, stamp(w.Expires), w.Reason)
	}
}

// byKeys tells whether a key may have signed, whose bundle can be given another time.
func (x *explainer) byKeys(r Requirement) bool {
	return slices.ContainsFunc(r.SignedBy.AnyOf, func(name string) bool {
		s, _ := x.policy.signer(name)
		return len(s.Keys) > 0
	})
}

// withholding says which rules hold only if nobody withholds an attestation. All
// that is demanded to be there cannot be defeated in this way: what is missing
// denies.
func (x *explainer) withholding() {
	var found []string
	for _, r := range x.policy.Requirements {
		switch {
		case r.Holds == HoldsLatest:
			found = append(found, fmt.Sprintf("%q: a newer statement that says otherwise can be withheld for %s", r.Name, age(r.MaxAge)))
		case r.Holds == HoldsAll:
			found = append(found, fmt.Sprintf("%q: a statement that does not hold can be withheld", r.Name))
		case r.Vulns != nil:
			found = append(found, fmt.Sprintf("%q: a newer scan that found more can be withheld for %s", r.Name, age(r.MaxAge)))
		}
	}
	for _, r := range x.policy.Requirements {
		if r.MaxAge > 0 && x.byKeys(r) && !hasOwnTime(r.Types) {
			found = append(found, fmt.Sprintf("%q: an old statement whose signed time was withheld can be given a new one by whoever has it, for its kind says no time of its own", r.Name))
		}
	}
	x.line("What withholding an attestation can defeat")
	if len(found) == 0 {
		found = []string{"nothing: every requirement asks for a statement to be there"}
	}
	for _, f := range found {
		x.item("%s.", f)
	}
}
