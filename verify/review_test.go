package verify_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

const scanPolicy = "signers:\n  alice: {keys: [KEY:alice]}\nrequirements:\n  it:\n    type: " + attest.TypeVulns + "\n    signed-by: alice\n    max-age: 7d\n    vulns: {max-severity: low, vex-signers: [alice]}\n"

func scanOf(result string) string {
	return `{"scanner":{"uri":"x","version":"1","db":{},"result":[` + result + `]},"metadata":{"scanStartedOn":"2026-11-22T11:00:00Z","scanFinishedOn":"2026-11-22T11:00:00Z"}}`
}

func TestUnreadableSeverity(t *testing.T) {
	s := newStage(t, "alice")
	for _, bad := range []string{"CVSS:4.0/AV:N/BROKEN", "9.8/10", "URGENT", "9,8"} {
		line := s.says("alice", attest.TypeVulns, scanOf(`{"id":"CVE-1","severity":[{"method":"a","score":"LOW"},{"method":"nvd","score":"`+bad+`"}]}`))
		s.expect(scanPolicy, "SEVERITY_UNKNOWN", line)
	}
}

func TestVEXEmptyProduct(t *testing.T) {
	s := newStage(t, "alice")
	line := s.says("alice", attest.TypeVulns, scanOf(`{"id":"CVE-1","severity":[{"method":"a","score":"CRITICAL"}]}`))
	vex := s.says("alice", attest.TypeOpenVEX, `{"statements":[{"vulnerability":{"name":"CVE-1"},"status":"not_affected","products":[{"hashes":{"sha-256":"`+strings.Repeat("0", 64)+`"}}]}]}`)
	s.expect(scanPolicy, "VULNERABLE", line, vex)
	vex2 := s.says("alice", attest.TypeOpenVEX, `{"statements":[{"vulnerability":{"name":"CVE-1"},"status":"not_affected","products":[{"identifiers":{"purl":"pkg:npm/other@1"}}]}]}`)
	s.expect(scanPolicy, "VULNERABLE", line, vex2)
}

// an affected statement whose product is named by identifiers only must count
func TestVEXIdentifiers(t *testing.T) {
	s := newStage(t, "alice")
	line := s.says("alice", attest.TypeVulns, scanOf(`{"id":"CVE-1","severity":[{"method":"a","score":"CRITICAL"}],"annotations":[{"package":"pkg:npm/lib@1"}]}`))
	vex := s.says("alice", attest.TypeOpenVEX, `{"statements":[{"vulnerability":{"name":"CVE-1"},"status":"not_affected","products":[{"@id":"pkg:npm/lib@1"}]},{"vulnerability":{"name":"CVE-1"},"status":"affected","products":[{"identifiers":{"purl":"pkg:npm/lib@1"}}]}]}`)
	s.expect(scanPolicy, "VULNERABLE", line, vex)
}

// a product with hashes of another artifact and the same name
func TestVEXOtherBuild(t *testing.T) {
	s := newStage(t, "alice")
	a := s.artifact
	line := s.says("alice", attest.TypeVulns, scanOf(`{"id":"CVE-1","severity":[{"method":"a","score":"CRITICAL"}],"annotations":[{"package":"pkg:generic/acme/shop@2.1.0"}]}`))
	vex := s.says("alice", attest.TypeOpenVEX, `{"statements":[{"vulnerability":{"name":"CVE-1"},"status":"fixed","products":[{"@id":"pkg:generic/acme/shop@2.1.0","hashes":{"sha-256":"`+strings.Repeat("0", 64)+`"}}]}]}`)
	s.expectOf(s.gate(scanPolicy), a, "VULNERABLE", line, vex)
}

func TestDirectoryNameBinds(t *testing.T) {
	s := newStage(t, "alice")
	name := "pkg:generic/acme/shop@2.1.0"
	a := verify.Artifact{Name: name, As: name, Files: []attest.Subject{s.subject}}
	s.expectOf(s.gate(aliceAlone+requirement("    signed-by: alice\n")), a, "NAME_UNBOUND", s.says("alice", predicateType, `{}`))
	a.Name = "./" + name
	s.expectOf(s.gate(aliceAlone+requirement("    signed-by: alice\n")), a, "NAME_UNBOUND", s.says("alice", predicateType, `{}`))
}

func named(s *stage, subject, typ, predicate string) []byte {
	return s.signers["alice"].sign(s.t, []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"`+subject+`","digest":{"sha256":"`+s.subject.Digest["sha256"]+`"}}],"predicateType":"`+typ+`","predicate":`+predicate+`}`))
}

func TestBoundWhateverTheOrder(t *testing.T) {
	s := newStage(t, "alice")
	a := s.artifact
	a.As = "pkg:generic/acme/shop@2.1.0"
	p := aliceAlone + requirement("    signed-by: alice\n")
	bound, un := named(s, a.As, predicateType, `{}`), named(s, "app", predicateType, `{}`)
	s.expectOf(s.gate(p), a, "allowed", bound, un)
	s.expectOf(s.gate(p), a, "allowed", un, bound)
}

func TestAboutNothing(t *testing.T) {
	s := newStage(t, "alice")
	a := s.artifact
	a.As = "pkg:generic/acme/shop@2.1.0"
	p := aliceAlone + "requirements:\n  it:\n    type: " + attest.TypeCycloneDX + "\n    signed-by: alice\n    sbom: {about-artifact: true}\n"
	s.expectOf(s.gate(p), a, "SBOM_NOT_ABOUT_ARTIFACT", named(s, a.As, attest.TypeCycloneDX, `{"bomFormat":"CycloneDX","specVersion":"1.6"}`))
}

func TestParametersUncompared(t *testing.T) {
	s := newStage(t, "alice")
	p := aliceAlone + "requirements:\n  it:\n    type: " + attest.TypeProvenance + "\n    signed-by: alice\n    provenance: {source: https://github.com/acme/shop, ref: refs/heads/main}\n"
	prov := func(typ, params string) []byte {
		return s.says("alice", attest.TypeProvenance, `{"buildDefinition":{"buildType":"`+typ+`","externalParameters":`+params+`},"runDetails":{"builder":{"id":"b"}}}`)
	}
	for name, line := range map[string][]byte{
		"gcb config elsewhere": prov("https://slsa-framework.github.io/gcb-buildtypes/triggered-build/v1", `{"sourceToBuild":{"repository":"https://github.com/acme/shop","ref":"refs/heads/main"},"buildConfigSource":{"repository":"https://github.com/evil/evil","ref":"refs/heads/x","path":"c.yaml"}}`),
		"delegator workflow":   prov("https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0", `{"source":"git+https://github.com/acme/shop@refs/heads/main","workflow":{"repository":"https://github.com/evil/evil","ref":"refs/heads/x","path":"p"}}`),
		"gitlab config":        prov("https://plimsoll.example/buildtypes/gitlab-ci/v1", `{"source":"https://github.com/acme/shop","ref":"refs/heads/main","config":"ci.yml@evil/evil"}`),
		"gitlab two refs":      prov("https://plimsoll.example/buildtypes/gitlab-ci/v1", `{"source":"git+https://github.com/acme/shop@refs/heads/evil","ref":"refs/heads/main"}`),
	} {
		t.Run(name, func(t *testing.T) {
			if r := decide(t, s.gate(p), s.artifact, line); r.Verdict != verify.Denied {
				t.Errorf("%s", r.Verdict)
			}
		})
	}
}

func TestCertRefEmpty(t *testing.T) {
	s := newStage(t, "alice")
	p := "signers:\n  ci: {issuer: https://issuer.example, identity: ci@acme.example}\nrequirements:\n  it:\n    type: " + attest.TypeProvenance + "\n    signed-by: ci\n    provenance: {source: https://github.com/acme/shop, ref: refs/heads/main}\n"
	line := s.says("alice", attest.TypeProvenance, `{"buildDefinition":{"buildType":"https://actions.github.io/buildtypes/workflow/v1","externalParameters":{"workflow":{"repository":"https://github.com/acme/shop","ref":"refs/heads/main","path":"p"}}},"runDetails":{"builder":{"id":"b"}}}`)
	s.witness.times[string(line)] = []time.Time{noon.Add(-time.Hour)}
	s.witness.certs[string(line)] = &verify.Certificate{Issuer: "https://issuer.example", Identity: "ci@acme.example", Repository: "https://github.com/acme/shop"}
	s.expect(p, "REF_DIFFERS", line)
}

func TestWaiverQualifiers(t *testing.T) {
	s := newStage(t, "alice")
	line := s.says("alice", attest.TypeVulns, scanOf(`{"id":"CVE-1","severity":[{"method":"a","score":"CRITICAL"}],"annotations":[{"package":"pkg:deb/debian/openssl@3.0?distro=bookworm"}]}`))
	s.expect(scanPolicy+"waivers:\n  - {code: VULNERABLE, subject: 'pkg:deb/debian/openssl@3.0?distro=trixie', advisory: CVE-1, owner: o, reason: r, expires: 2026-12-01}\n", "VULNERABLE", line)
}

// TestRestamp: whoever has a bundle can have a new time put to its signature; the oldest
// counts.
func TestRestamp(t *testing.T) {
	s := newStage(t, "alice")
	policy := aliceAlone + requirement("    signed-by: alice\n    holds: latest\n    max-age: 7d\n    rules: [{cel: predicate.ok, message: it failed}]\n")
	good := s.at(s.says("alice", predicateType, `{"ok":true}`), noon.Add(-72*time.Hour))
	bad := s.at(s.says("alice", predicateType, `{"ok":false}`), noon.Add(-2*time.Hour))
	s.expect(policy, "RULE_FALSE", good, bad)
	again := s.at(append(bytes.Clone(good), ' '), noon.Add(-time.Hour))
	s.expect(policy, "RULE_FALSE", good, bad, again)
	any := aliceAlone + requirement("    signed-by: alice\n    max-age: 24h\n")
	s.expect(any, "STALE", good)
	s.expect(any, "STALE STALE", good, again)
}

func TestRestampScan(t *testing.T) { // the scan's own times stay old, yet it becomes "the latest"
	s := newStage(t, "alice")
	policy := aliceAlone + "requirements:\n  it:\n    type: " + attest.TypeVulns + "\n    signed-by: alice\n    max-age: 7d\n    holds: latest\n    vulns: {max-severity: low}\n"
	old := s.at(s.says("alice", attest.TypeVulns, scanOf(``)), noon.Add(-50*time.Minute))
	bad := s.at(s.says("alice", attest.TypeVulns, scanOf(`{"id":"CVE-1","severity":[{"score":"HIGH"}]}`)), noon.Add(-40*time.Minute))
	s.expect(policy, "VULNERABLE", old, bad)
	again := s.at(append(bytes.Clone(old), ' '), noon.Add(-time.Minute))
	s.expect(policy, "VULNERABLE", old, bad, again)
}

func TestNPMTwice(t *testing.T) {
	s := newStage(t, "alice")
	c := func(purl, hash string) string {
		return `{"type":"library","name":"b","purl":"` + purl + `","externalReferences":[{"type":"distribution","url":"x","hashes":[{"alg":"SHA-512","content":"` + hash + `"}]}]}`
	}
	g := s.gate(aliceAlone + "requirements:\n  it:\n    type: " + attest.TypeCycloneDX + "\n    signed-by: alice\n    npm: {answers: true, below: 0}\n")
	g.Packages = packages{"b@1 ab": true}
	s.expectOf(g, s.artifact, "DEPENDENCY_UNPROVEN", s.says("alice", attest.TypeCycloneDX, `{"bomFormat":"CycloneDX","specVersion":"1.7","components":[`+c("pkg:npm/b@1", "AB")+","+c("pkg:npm/b@1", "CD")+`]}`))
	s.expectOf(g, s.artifact, "PREDICATE_MALFORMED", s.says("alice", attest.TypeCycloneDX, `{"bomFormat":"CycloneDX","specVersion":"1.7","components":[`+c("pkg:npm/b@1", "AB")+","+c("pkg:npm/evil%zz@1", "CD")+`]}`))
}
