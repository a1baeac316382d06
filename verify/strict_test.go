package verify_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

func TestRootAge(t *testing.T) {
	s := newStage(t, "alice")
	policy := "root-max-age: 30d\n" + aliceAlone + requirement("    signed-by: alice\n")
	line := s.says("alice", predicateType, `{}`)
	fresh, stale := noon.AddDate(0, 0, -29), noon.AddDate(0, 0, -31)
	for name, c := range map[string]struct {
		roots []verify.RootInfo
		want  string
	}{
		"fresh":             {[]verify.RootInfo{{Name: "r", Date: &fresh}}, "allowed"},
		"old":               {[]verify.RootInfo{{Name: "r", Date: &stale}}, "ROOT_TOO_OLD"},
		"of unknown age":    {[]verify.RootInfo{{Name: "r"}}, "ROOT_TOO_OLD"},
		"one of two is old": {[]verify.RootInfo{{Name: "r", Date: &fresh}, {Name: "s", Date: &stale}}, "ROOT_TOO_OLD"},
		"no root is needed": {nil, "allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			g := s.gate(policy)
			g.Roots = c.roots
			s.expectOf(g, s.artifact, c.want, line)
		})
	}
}

func TestOpenByNobody(t *testing.T) {
	s := newStage(t, "alice")
	_, err := verify.Open(context.Background(), nobody{}, s.says("alice", predicateType, `{}`), s.artifact)
	var refused *verify.Refusal
	if !errors.As(err, &refused) || refused.Code != verify.CodeSignerUnknown {
		t.Errorf("found %v", err)
	}
}

// TestAmbiguousSigner: a policy made by hand may have what ParsePolicy refuses.
func TestAmbiguousSigner(t *testing.T) {
	s := newStage(t, "alice")
	g := s.gate(aliceAlone + requirement("    signed-by: alice\n"))
	second := g.Policy.Signers[0]
	second.Name = "bob"
	g.Policy.Signers = append(g.Policy.Signers, second)
	s.expectOf(g, s.artifact, "TYPE_MISSING SIGNER_AMBIGUOUS", s.says("alice", predicateType, `{}`))
}

// TestZeroRequirement: what demands no signer is met by nobody.
func TestZeroRequirement(t *testing.T) {
	s := newStage(t, "alice")
	g := s.gate(aliceAlone + requirement("    signed-by: alice\n"))
	line := s.says("alice", predicateType, `{}`)
	for _, by := range []verify.SignedBy{{}, {AnyOf: []string{"alice"}}, {Threshold: 1}} {
		g.Policy.Requirements[0].SignedBy = by
		if r := decide(t, g, s.artifact, line); r.Verdict.Deploys() {
			t.Errorf("%+v: allowed", by)
		}
	}
}

// TestSignerCountsOnce: however many statements it signs, whatever must hold.
func TestSignerCountsOnce(t *testing.T) {
	s := newStage(t, "alice", "bob")
	both := requirement("    signed-by: {any-of: [alice, bob], threshold: 2}\n    holds: all\n")
	agree := requirement("    signed-by: {any-of: [alice, bob], threshold: 2, agree: predicate}\n")
	first, second := s.says("alice", predicateType, `{"a":1}`), s.says("alice", predicateType, `{"a": 1}`)
	s.expect(aliceAndBob+both, "THRESHOLD_NOT_MET", first, second)
	s.expect(aliceAndBob+agree, "PREDICATES_DIFFER", first, second)
	s.expect(aliceAndBob+both, "allowed", first, second, s.says("bob", predicateType, `{}`))
}

// TestBestStatement: of several that would do, the decision rests on the one that
// names the artifact and needs no waiver.
func TestBestStatement(t *testing.T) {
	s := newStage(t, "alice")
	sbom := func(purl, component string) []byte {
		return s.says("alice", attest.TypeCycloneDX, `{"bomFormat":"CycloneDX","specVersion":"1.7","metadata":{"component":{"type":"application","name":"x"`+purl+`}},"components":[`+component+`]}`)
	}
	named := s.artifact
	named.As = "pkg:generic/acme/shop@2.1.0"
	mine := `,"purl":"pkg:generic/acme/shop@2.1.0"`
	denied := `{"type":"library","name":"left-pad","purl":"pkg:npm/left-pad@1.3.0"}`
	policy := aliceAlone + "requirements:\n  it:\n    type: " + attest.TypeCycloneDX + "\n    signed-by: alice\n    sbom: {deny: ['pkg:npm/left-pad@1.3.0']}\n" +
		"waivers:\n  - {code: COMPONENT_DENIED, subject: 'pkg:npm/left-pad@1.3.0', owner: o, reason: r, expires: 2026-12-01}\n"
	s.expectOf(s.gate(policy), named, "allowed with waivers", sbom(mine, denied))
	s.expectOf(s.gate(policy), named, "allowed", sbom(mine, denied), sbom(mine, ""))
	plain := s.says("alice", predicateType, `{}`)
	release := s.says("alice", "https://in-toto.io/attestation/release/v0.1", `{"purl":"pkg:generic/acme/shop@2.1.0"}`)
	either := aliceAlone + "requirements:\n  it: {type: [" + predicateType + ", https://in-toto.io/attestation/release/v0.1], signed-by: alice}\n"
	s.expectOf(s.gate(either), named, "allowed", plain, release)
	s.expectOf(s.gate(either), named, "NAME_UNBOUND", plain)
}

func TestDirectory(t *testing.T) {
	s := newStage(t, "alice")
	file := func(name, content string) attest.Subject {
		d, _, err := attest.Digest(strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		return attest.Subject{Name: name, Digest: d}
	}
	a, b, other := file("a", "1"), file("sub/b", "2"), file("a", "3")
	dir := verify.Artifact{Name: "dir", Files: []attest.Subject{a, b}}
	policy := aliceAlone + requirement("    signed-by: alice\n")
	for name, c := range map[string]struct {
		subjects []attest.Subject
		want     string
	}{
		"each file":              {[]attest.Subject{b, a}, "allowed"},
		"one is missing":         {[]attest.Subject{a}, "TYPE_MISSING SUBJECT_MISMATCH"},
		"one too many":           {[]attest.Subject{a, b, file("c", "4")}, "TYPE_MISSING SUBJECT_MISMATCH"},
		"one is another":         {[]attest.Subject{other, b}, "TYPE_MISSING SUBJECT_MISMATCH"},
		"one has another name":   {[]attest.Subject{a, file("b", "2")}, "TYPE_MISSING SUBJECT_MISMATCH"},
		"one stands twice":       {[]attest.Subject{a, a, b}, "TYPE_MISSING SUBJECT_MISMATCH"},
		"one with a weak digest": {[]attest.Subject{a, {Name: "sub/b", Digest: attest.DigestSet{"sha1": strings.Repeat("0", 40)}}}, "TYPE_MISSING SUBJECT_MISMATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.expectOf(s.gate(policy), dir, c.want, s.signers["alice"].about(t, predicateType, c.subjects...))
		})
	}
}

// TestExplain: what withholding can defeat is said, and nothing panics.
func TestExplain(t *testing.T) {
	s := newStage(t, "alice", "bob")
	g := s.gate(`name: everything
revision: 3
expires: 2027-01-01
unusable: deny
unnamed: deny
root-max-age: 30d
signers:
  alice:
    keys: [{PEM:alice, not-before: 2026-01-01, not-after: 2027-01-01, revoked: {at: 2026-05-01, reason: superseded}}]
  bob: {keys: [{PEM:bob, revoked: {at: 2026-05-01, reason: compromised}}]}
  release:
    issuer: https://token.actions.githubusercontent.com
    identity: https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v*
    repository: {uri: https://github.com/acme/shop}
levels: [{signer: release, builder: b, level: 2}]
artifacts:
  "pkg:generic/acme/shop": {require: [built], min-version: 2.0.0}
requirements:
  built:
    type: ` + attest.TypeProvenance + `
    signed-by: {any-of: [alice, bob], threshold: 2, agree: predicate}
    provenance: {builder: b, build-type: t, source: s, ref: r, min-level: 2, parameters: [p]}
  newest: {type: t, signed-by: alice, holds: latest, max-age: 7d}
  every: {type: t, signed-by: alice, holds: all}
  scan: {type: ` + attest.TypeVulns + `, signed-by: alice, max-age: 24h, vulns: {max-severity: low, vex-signers: [bob]}}
  sbom: {type: ` + attest.TypeCycloneDX + `, signed-by: alice, sbom: {profile: cisa-2026, about-artifact: true, hashes: required, deny: ["pkg:npm/x@1.0.0"], licenses: {allow: [MIT], missing: allow}}}
  vsa: {type: ` + attest.TypeVSA + `, signed-by: bob, vsa: {verifier: https://v.example, levels: [SLSA_BUILD_LEVEL_2]}}
  npm: {type: ` + attest.TypeVSA + `, signed-by: release, npm: {sbom: sbom, verifier: https://v.example}}
  rule: {type: t, signed-by: alice, rules: [{cel: 'true', message: never}]}
waivers:
  - {code: LICENSE_DENIED, subject: "pkg:npm/x@1.0.0", owner: web, reason: why, expires: 2026-12-01}
`)
	text := g.Policy.Explain()
	for _, words := range []string{
		`Policy "everything" allows nothing from 2027-01-02T00:00:00Z on`, "revision 3", "superseded on 2026-05-01", "compromised on 2026-05-01",
		"known by name only: whoever takes over the name", "at version 2.0.0 or higher: built", "anything else is denied",
		"2 of alice, bob, who all say the same", `"newest": a newer statement that says otherwise can be withheld for 7 days`,
		`"newest": an old statement whose signed time was withheld can be given a new one`,
		`"every": a statement that does not hold can be withheld`, `"scan": a newer scan that found more can be withheld for 24 hours`,
		"it found nothing worse than low", "it meets profile cisa-2026", "licences are only MIT", "rule: true (else: never)", "web waives LICENSE_DENIED",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("expected %q in:\n%s", words, text)
		}
	}
	if again := g.Policy.Explain(); again != text {
		t.Error("two explanations differ")
	}
}
