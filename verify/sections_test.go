package verify_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

func TestProvenanceRules(t *testing.T) {
	s := newStage(t, "alice")
	const github = "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1"
	v1 := func(workflow, more string) []byte {
		return s.says("alice", attest.TypeProvenance, `{"buildDefinition":{"buildType":"`+github+`","externalParameters":{"workflow":`+workflow+more+`},
			"resolvedDependencies":[{"uri":"git+https://github.com/acme/shop@refs/tags/v1","digest":{"gitCommit":"c0ffee"}}]},
			"runDetails":{"builder":{"id":"https://github.com/actions/runner/github-hosted"}}}`)
	}
	shop := `{"repository":"https://github.com/acme/shop","ref":"refs/tags/v1","path":".github/workflows/release.yml"}`
	evil := `{"repository":"https://github.com/acme/shop-evil","ref":"refs/tags/v1","path":"x"}`
	policy := func(rules string) string {
		return aliceAlone + "levels: [{signer: alice, builder: https://github.com/actions/runner/github-hosted, level: 3}]\n" +
			"requirements:\n  it:\n    type: [" + attest.TypeProvenance + ", " + attest.TypeProvenanceV02 + "]\n    signed-by: alice\n    provenance: {" + rules + "}\n"
	}
	v02 := s.says("alice", attest.TypeProvenanceV02, `{"builder":{"id":"https://b.example"},"buildType":"t","invocation":{"configSource":{"uri":"git+https://github.com/acme/shop@refs/heads/main"},"parameters":{"x":1}}}`)
	for name, c := range map[string]struct {
		rules string
		line  []byte
		want  string
	}{
		"all of it":                    {"builder: https://github.com/actions/runner/github-hosted, build-type: " + github + ", source: https://github.com/acme/shop, ref: refs/tags/*, min-level: 3", v1(shop, ""), "allowed"},
		"another builder":              {"builder: https://github.com/actions/runner/self-hosted", v1(shop, ""), "BUILDER_DIFFERS"},
		"another build type":           {"build-type: https://example.com/x", v1(shop, ""), "BUILD_TYPE_DIFFERS"},
		"another source":               {"source: https://github.com/acme/shop", v1(evil, ""), "SOURCE_DIFFERS"},
		"another ref":                  {"ref: refs/heads/*", v1(shop, ""), "REF_DIFFERS"},
		"a ref with a slash more":      {"ref: refs/*", v1(shop, ""), "REF_DIFFERS"},
		"a higher level":               {"min-level: 4", v1(shop, ""), "LEVEL_TOO_LOW"},
		"an unknown parameter":         {"", v1(shop, `,"inputs":{"debug":"true"}`), "PARAMETER_UNKNOWN"},
		"an empty parameter":           {"", v1(shop, `,"inputs":{}`), "allowed"},
		"a named parameter":            {"build-type: " + github + ", parameters: [inputs]", v1(shop, `,"inputs":{"debug":"true"}`), "allowed"},
		"a workflow that has more":     {"source: https://github.com/acme/shop", v1(`{"repository":"https://github.com/acme/shop","ref":"r","path":"p","x":1}`, ""), "PARAMETER_UNKNOWN"},
		"v0.2, parameters":             {"source: https://github.com/acme/shop", v02, "PARAMETER_UNKNOWN"},
		"v0.2, level of another":       {"build-type: t, parameters: [x], min-level: 2", v02, "LEVEL_TOO_LOW"},
		"v0.2":                         {"build-type: t, parameters: [x], ref: refs/heads/main, min-level: 1", v02, "allowed"},
		"no builder":                   {"", s.says("alice", attest.TypeProvenance, `{"buildDefinition":{"buildType":"t"}}`), "PREDICATE_MALFORMED"},
		"two spellings of the builder": {"", s.says("alice", attest.TypeProvenance, `{"buildDefinition":{"buildType":"t"},"runDetails":{"builder":{"id":"a","id":"b"}}}`), "TYPE_MISSING STATEMENT_MALFORMED"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.expect(policy(c.rules), c.want, c.line)
		})
	}
}

// TestIdentities: who a certificate names, and for whose source it was given.
func TestIdentities(t *testing.T) {
	s := newStage(t, "alice")
	line := s.says("alice", predicateType, `{}`)
	good := verify.Certificate{Issuer: "https://token.actions.githubusercontent.com", Identity: "https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v1",
		Repository: "https://github.com/acme/shop", RepositoryID: "101", OwnerID: "7", Ref: "refs/tags/v1", Runner: "github-hosted", Trigger: "push", Environment: "prod"}
	policy := func(extra string) string {
		return `signers:
  release:
    issuer: https://token.actions.githubusercontent.com
    identity: https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v*
    repository: {uri: https://github.com/acme/shop, id: "101"}
    owner-id: "7"
    ref: refs/tags/*
    runner: github-hosted
    trigger: push
    environment: prod
` + extra + requirement("    signed-by: release\n")
	}
	change := func(f func(*verify.Certificate)) *verify.Certificate {
		c := good
		f(&c)
		return &c
	}
	for name, c := range map[string]struct {
		certificate *verify.Certificate
		want        string
	}{
		"as it should be":                    {&good, "allowed"},
		"another issuer":                     {change(func(c *verify.Certificate) { c.Issuer += "/evil" }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"the workflow called from elsewhere": {change(func(c *verify.Certificate) { c.Repository, c.RepositoryID = "https://github.com/evil/shop", "666" }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"the repository's name taken over":   {change(func(c *verify.Certificate) { c.RepositoryID = "666" }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"a repository with a longer name":    {change(func(c *verify.Certificate) { c.Repository += "-evil" }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"another workflow":                   {change(func(c *verify.Certificate) { c.Identity = strings.Replace(c.Identity, "release", "test", 1) }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"a tag with a slash":                 {change(func(c *verify.Certificate) { c.Identity += "/x" }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"a second @":                         {change(func(c *verify.Certificate) { c.Identity += "@x" }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"a prefix":                           {change(func(c *verify.Certificate) { c.Identity = "x" + c.Identity }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"another ref":                        {change(func(c *verify.Certificate) { c.Ref = "refs/heads/main" }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"another owner":                      {change(func(c *verify.Certificate) { c.OwnerID = "" }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"another runner":                     {change(func(c *verify.Certificate) { c.Runner = "self-hosted" }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"another trigger":                    {change(func(c *verify.Certificate) { c.Trigger = "pull_request_target" }), "TYPE_MISSING SIGNER_UNKNOWN"},
		"another environment":                {change(func(c *verify.Certificate) { c.Environment = "" }), "TYPE_MISSING SIGNER_UNKNOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.witness.certs[string(line)] = c.certificate
			r := s.expect(policy(""), c.want, s.at(line, noon.Add(-time.Minute)))
			for _, f := range r.Unusable {
				if !strings.Contains(f.Expected, "found ") {
					t.Errorf("it is not said what differs: %+v", f)
				}
			}
		})
	}
	s.t = t
	s.witness.certs[string(line)] = &good
	s.expect(policy("    log-entries: 2\n"), "LOG_MISSING LOG_MISSING", line)
	s.expect(policy("    scts: 2\n"), "SCT_INVALID SCT_INVALID", line)
	s.expect(policy("    signed-times: 2\n"), "TIME_MISSING TIME_MISSING", line)
	s.expect(policy("    revoked: {at: 2026-01-01, reason: compromised}\n"), "SIGNER_REVOKED SIGNER_REVOKED", line)
	s.expect(policy("    not-after: 2026-01-01\n"), "KEY_EXPIRED KEY_EXPIRED", line)
	// vouched for by another root than the signer's
	s.expect(policy("    root: {file: r.json, sha256: "+strings.Repeat("0", 64)+"}\n"), "TYPE_MISSING SIGNER_UNKNOWN", line)
}

// TestIdentityErrors: identities that are wider than they look are mistakes.
func TestIdentityErrors(t *testing.T) {
	const github = "issuer: https://token.actions.githubusercontent.com, "
	const shop = "identity: https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v1"
	const repository = ", repository: {id: \"101\"}"
	for body, words := range map[string]string{
		github + shop: "repository: missing",
		"issuer: https://git.example, identity: https://git.example/a/b/.github/workflows/x.yml@refs/heads/main":                             "repository: missing",
		"issuer: https://gitlab.com, identity: https://gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main":                                       "repository: missing",
		github + "identity: https://github.com/acme/*/x.yml@refs/tags/v1" + repository:                                                       "must come after host, owner and repository",
		github + "identity: https://github.com/*" + repository:                                                                               "must come after host, owner and repository",
		github + "identity: https://github.com/acme/shop*" + repository:                                                                      "must come after host, owner and repository",
		"issuer: https://gitlab.com, identity: https://gitlab.com/a/b/c/*//.gitlab-ci.yml@refs/heads/main" + repository:                      "whole path",
		"issuer: https://accounts.example, identity: '*@acme.example'":                                                                       "write out",
		"issuer: 'https://*.example', identity: a@b.example":                                                                                 "exact https address",
		"issuer: issuer.example, identity: a@b.example":                                                                                      "exact https address",
		"issuer: http://issuer.example, identity: a@b.example":                                                                               "exact https address",
		github + shop + ", repository: {uri: 'https://github.com/acme/*'}":                                                                   "takes no *",
		github + shop + ", repository: {}":                                                                                                   "expected uri, id or both",
		github + shop + repository + ", signed-times: 0":                                                                                     "at least one time must be signed",
		github + shop + repository + ", log-entries: 9":                                                                                      "whole number from 0 to 8",
		github + shop + repository + ", root: {file: public-good, sha256: " + strings.Repeat("0", 64) + "}":                                  "another name",
		github + shop + repository + ", root: mine":                                                                                          "expected public-good",
		github + shop + repository + ", root: {file: r.json}":                                                                                "sha256: missing",
		github + shop + repository + ", root: {file: r.json, sha256: ABC}":                                                                   "64 lower-case",
		github + shop + repository + ", revoked: {at: 2026-01-01, reason: superseded, except: [\"sha256:" + strings.Repeat("0", 64) + "\"]}": "goes with reason compromised",
		github + shop + repository + ", revoked: {at: 2026-01-01, reason: lost}":                                                             "superseded or compromised",
		github + shop + repository + ", revoked: {at: 2026-01-01}":                                                                           "reason: missing",
		github + shop + repository + ", not-before: 2026-01-02, not-after: 2026-01-01":                                                       "after not-before",
		github + shop + repository + ", keys: []":                                                                                            "goes with an identity",
		github + "identity: https://github.com/acme/shop/" + strings.Repeat("*a", 5) + "@r" + repository:                                     "at most 4 *",
		"issuer: https://accounts.example":                                                                                                   "identity: missing",
	} {
		policy := "version: 1\nsigners:\n  a: {" + body + "}\nrequirements:\n  it: {type: t, signed-by: a}\n"
		if _, err := verify.ParsePolicy("p", []byte(policy)); err == nil || !strings.Contains(err.Error(), words) || !strings.HasPrefix(err.Error(), "p:") {
			t.Errorf("%s: expected %q with its line, found %v", body, words, err)
		}
	}
	overlap := func(a, b string) error {
		_, err := verify.ParsePolicy("p", []byte("version: 1\nsigners:\n  a: {"+a+"}\n  b: {"+b+"}\nrequirements:\n  it: {type: t, signed-by: a}\n"))
		return err
	}
	tag := func(t string) string {
		return github + "identity: https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/" + t
	}
	for _, pair := range [][2]string{
		{tag("v1") + repository, tag("v1") + repository}, {tag("v1") + repository, tag("v*") + repository}, {tag("*1") + repository, tag("v*") + repository},
		{tag("v*") + ", repository: {uri: x}", tag("v*") + repository}, {tag("v*") + repository + ", runner: github-hosted", tag("v*") + repository},
	} {
		if err := overlap(pair[0], pair[1]); err == nil || !strings.Contains(err.Error(), "an identity belongs to one signer") {
			t.Errorf("%v: expected an overlap, found %v", pair, err)
		}
	}
	for _, pair := range [][2]string{
		{tag("v1") + repository, tag("v2") + repository}, {tag("v*") + repository, tag("x*") + repository},
		{tag("v*") + repository, tag("v*") + ", repository: {id: \"102\"}"}, {tag("v*") + repository + ", runner: a", tag("v*") + repository + ", runner: b"},
	} {
		if err := overlap(pair[0], pair[1]); err != nil {
			t.Errorf("%v: %v", pair, err)
		}
	}
}

func TestNames(t *testing.T) {
	s := newStage(t, "alice")
	sbomOf := func(purl string) []byte {
		return s.says("alice", attest.TypeCycloneDX, `{"bomFormat":"CycloneDX","specVersion":"1.7","metadata":{"component":{"type":"application","name":"shop","version":"2.1.0","purl":"`+purl+`"}}}`)
	}
	policy := aliceAlone + `artifacts:
  "pkg:generic/acme/shop": {require: [sbom], min-version: 2.0.0}
  "pkg:generic/acme/other@1.0.0": {require: [sbom]}
requirements:
  sbom: {type: ` + attest.TypeCycloneDX + `, signed-by: alice}
`
	shop := sbomOf("pkg:generic/acme/shop@2.1.0")
	for as, want := range map[string]string{
		"pkg:generic/acme/shop@2.1.0":     "allowed",
		"pkg:generic/acme/shop":           "VERSION_TOO_LOW",
		"pkg:generic/acme/shop@1.9.9":     "VERSION_TOO_LOW NAME_MISMATCH NAME_MISMATCH",
		"pkg:generic/acme/shop@2.1.1":     "NAME_MISMATCH NAME_MISMATCH",
		"pkg:generic/acme/shop@two":       "VERSION_TOO_LOW NAME_MISMATCH NAME_MISMATCH",
		"pkg:generic/acme/shopping@2.1.0": "ARTIFACT_NOT_IN_POLICY NAME_MISMATCH",
		"pkg:generic/acme/other@1.0.0":    "NAME_MISMATCH NAME_MISMATCH",
		"pkg:generic/acme/other@1.0.1":    "ARTIFACT_NOT_IN_POLICY NAME_MISMATCH",
		"https://acme.example/shop":       "ARTIFACT_NOT_IN_POLICY NAME_MISMATCH",
		"":                                "ARTIFACT_NOT_IN_POLICY",
	} {
		t.Run(as, func(t *testing.T) {
			s.t = t
			a := s.artifact
			a.As = as
			r := s.expectOf(s.gate(policy), a, want, shop)
			if want == "allowed" && !r.Bound {
				t.Errorf("bound: %v", r.Bound)
			}
		})
	}
	s.t = t
	named := s.artifact
	named.As = "pkg:generic/acme/shop@2.1.0"
	plain := aliceAlone + requirement("    signed-by: alice\n")
	s.expectOf(s.gate(plain), named, "NAME_UNBOUND", s.says("alice", predicateType, `{}`))
	s.expectOf(s.gate("unnamed: deny\n"+plain), s.artifact, "NAME_MISSING", s.says("alice", predicateType, `{}`))
	// a statement of the right name that the decision does not rest on binds nothing
	s.expectOf(s.gate(plain), named, "NAME_UNBOUND", s.says("alice", predicateType, `{}`), shop)
	for name, ok := range map[string]bool{"pkg:npm/a@1": true, "https://a.example/b": true, "urn:x:y": true, "app": false, "": false, "pkg:": false, "./a": false} {
		if _, err := verify.ParseName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestSBOMRules(t *testing.T) {
	s := newStage(t, "alice")
	sha := s.subject.Digest["sha256"]
	doc := func(main, components string) []byte {
		return s.says("alice", attest.TypeCycloneDX, `{"bomFormat":"CycloneDX","specVersion":"1.7","metadata":{"component":{"type":"application","name":"app"`+main+`}},"components":[`+components+`]}`)
	}
	mine := `,"hashes":[{"alg":"SHA-256","content":"` + sha + `"}]`
	left := `{"type":"library","name":"left-pad","version":"1.3.0","purl":"pkg:npm/left-pad@1.3.0","licenses":[{"license":{"id":"WTFPL"}}],"hashes":[{"alg":"SHA-256","content":"00"}]}`
	nested := `{"type":"library","name":"a","version":"1","purl":"pkg:npm/a@1","licenses":[{"license":{"id":"MIT"}}],"components":[` + left + `]}`
	none := `{"type":"library","name":"b","version":"1"}`
	for name, c := range map[string]struct {
		rules string
		line  []byte
		want  string
	}{
		"about it":               {"about-artifact: true", doc(mine, ""), "allowed"},
		"about nothing":          {"about-artifact: true", doc("", ""), "SBOM_NOT_ABOUT_ARTIFACT"},
		"about another":          {"about-artifact: true", doc(`,"hashes":[{"alg":"SHA-256","content":"`+strings.Repeat("0", 64)+`"}]`, ""), "SBOM_NOT_ABOUT_ARTIFACT"},
		"about it and another":   {"about-artifact: true", doc(`,"hashes":[{"alg":"SHA-256","content":"`+sha+`"},{"alg":"SHA-512","content":"00"}]`, ""), "SBOM_NOT_ABOUT_ARTIFACT"},
		"a profile":              {"profile: cisa-2026", doc(mine, left), "SBOM_INCOMPLETE"},
		"denied":                 {"deny: ['pkg:npm/left-pad@1.3.0']", doc(mine, left), "COMPONENT_DENIED"},
		"denied, nested":         {"deny: ['pkg:npm/left-pad@1.3.0']", doc(mine, nested), "COMPONENT_DENIED"},
		"another version":        {"deny: ['pkg:npm/left-pad@1.2.0']", doc(mine, left), "allowed"},
		"without a purl":         {"deny: ['pkg:npm/left-pad@1.3.0']", doc(mine, none), "COMPONENT_UNCLEAR"},
		"licence denied":         {"licenses: {deny: [WTFPL]}", doc(mine, left), "LICENSE_DENIED"},
		"licence missing":        {"licenses: {deny: [WTFPL]}", doc(mine, none), "LICENSE_UNCLEAR"},
		"licence may be missing": {"licenses: {deny: [WTFPL], missing: allow}", doc(mine, none), "allowed"},
		"without a hash":         {"hashes: required", doc(mine, left+","+none), "COMPONENT_WITHOUT_HASH"},
		"all with hashes":        {"hashes: required", doc(mine, left), "allowed"},
		"no CycloneDX":           {"about-artifact: true", s.says("alice", attest.TypeCycloneDX, `{"components":1}`), "PREDICATE_MALFORMED"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.expect(aliceAlone+"requirements:\n  it:\n    type: "+attest.TypeCycloneDX+"\n    signed-by: alice\n    sbom: {"+c.rules+"}\n", c.want, c.line)
		})
	}
}

func TestWaivers(t *testing.T) {
	s := newStage(t, "alice")
	line := s.says("alice", attest.TypeCycloneDX, `{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{"type":"library","name":"left-pad","version":"1.3.0","purl":"pkg:npm/left-pad@1.3.0"}]}`)
	policy := func(waiver string) string {
		return aliceAlone + "requirements:\n  it:\n    type: " + attest.TypeCycloneDX + "\n    signed-by: alice\n    sbom: {deny: ['pkg:npm/left-pad@1.3.0']}\nwaivers:\n  - {owner: web, reason: r, " + waiver + "}\n"
	}
	digest := "sha256:" + s.subject.Digest["sha256"]
	for waiver, want := range map[string]string{
		"code: COMPONENT_DENIED, subject: 'pkg:npm/left-pad@1.3.0', expires: 2026-12-31":                 "allowed with waivers",
		"code: COMPONENT_DENIED, subject: '" + digest + "', expires: 2026-12-31":                         "allowed with waivers",
		"code: COMPONENT_DENIED, subject: 'pkg:npm/left-pad@1.3.0', expires: 2026-11-21":                 "COMPONENT_DENIED",
		"code: COMPONENT_DENIED, subject: 'pkg:npm/left-pad@1.3.0', expires: 2027-03-01":                 "COMPONENT_DENIED",
		"code: COMPONENT_DENIED, subject: 'pkg:npm/left-pad@1.3.1', expires: 2026-12-31":                 "COMPONENT_DENIED",
		"code: LICENSE_DENIED, subject: 'pkg:npm/left-pad@1.3.0', expires: 2026-12-31":                   "COMPONENT_DENIED",
		"code: COMPONENT_DENIED, subject: 'sha256:" + strings.Repeat("0", 64) + "', expires: 2026-12-31": "COMPONENT_DENIED",
	} {
		t.Run(waiver, func(t *testing.T) {
			s.t = t
			r := s.expect(policy(waiver), want, line)
			if len(r.Waivers) != 1 || r.Waivers[0].Used != (want != "COMPONENT_DENIED") || (r.Waivers[0].Problem == "") != r.Waivers[0].Used {
				t.Errorf("found %+v", r.Waivers)
			}
		})
	}
	for body, words := range map[string]string{
		"code: SIGNATURE_INVALID, subject: 'pkg:npm/a@1', expires: 2026-12-31": "cannot be waived",
		"code: SUBJECT_MISMATCH, subject: 'pkg:npm/a@1', expires: 2026-12-31":  "cannot be waived",
		"code: POLICY_EXPIRED, subject: 'pkg:npm/a@1', expires: 2026-12-31":    "cannot be waived",
		"code: NO_SUCH_CODE, subject: 'pkg:npm/a@1', expires: 2026-12-31":      "is none",
		"code: COMPONENT_DENIED, subject: 'pkg:npm/a', expires: 2026-12-31":    "with its version",
		"code: COMPONENT_DENIED, subject: '*', expires: 2026-12-31":            "expected sha256:HEX",
		"code: COMPONENT_DENIED, subject: 'pkg:npm/a@1'":                       "expires: missing",
		"code: VULNERABLE, subject: 'pkg:npm/a@1', expires: 2026-12-31":        "advisory: missing",
		"subject: 'pkg:npm/a@1', expires: 2026-12-31":                          "code: missing",
	} {
		_, err := verify.ParsePolicy("p", []byte("version: 1\n"+strings.Replace(policy(body), "KEY:alice", `{pem: "`+strings.ReplaceAll(string(s.signers["alice"].PublicPEM()), "\n", `\n`)+`"}`, 1)))
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: expected %q, found %v", body, words, err)
		}
	}
}

func TestVulns(t *testing.T) {
	s := newStage(t, "alice", "security", "mallory")
	policy := "signers:\n  alice: {keys: [KEY:alice]}\n  security: {keys: [KEY:security]}\n  mallory: {keys: [KEY:mallory]}\nrequirements:\n  it:\n    type: " + attest.TypeVulns +
		"\n    signed-by: alice\n    max-age: 24h\n    vulns: {max-severity: medium, vex-signers: [security]}\n"
	scan := func(results string) []byte {
		return s.says("alice", attest.TypeVulns, `{"scanner":{"uri":"https://s.example","result":[`+results+`]},"metadata":{"scanStartedOn":"2026-11-22T11:00:00Z","scanFinishedOn":"2026-11-22T11:00:00Z"}}`)
	}
	found := func(id, pkg, score string) string {
		return `{"id":"` + id + `","severity":[{"method":"m","score":"` + score + `"}],"annotations":[{"package":"` + pkg + `"}]}`
	}
	for score, want := range map[string]string{
		"LOW": "allowed", "medium": "allowed", "Moderate": "allowed", "High": "VULNERABLE", "CRITICAL": "VULNERABLE", "6.9": "allowed", "7.0": "VULNERABLE", "0": "allowed",
		"11": "SEVERITY_UNKNOWN", "NaN": "SEVERITY_UNKNOWN", "unknown": "SEVERITY_UNKNOWN", "": "SEVERITY_UNKNOWN",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H":                    "VULNERABLE",
		"CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N":                    "allowed",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N": "VULNERABLE",
		"AV:N/AC:L/Au:N/C:P/I:P/A:P":                                      "VULNERABLE",
		"CVSS:3.1/AV:N":                                                   "SEVERITY_UNKNOWN",
	} {
		t.Run(score, func(t *testing.T) {
			s.t = t
			s.expect(policy, want, scan(found("CVE-1", "npm/lodash@4.17.20", score)))
		})
	}
	s.t = t
	s.expect(policy, "allowed", scan(""))
	s.expect(policy, "NO_ATTESTATIONS TYPE_MISSING")
	s.expect(policy, "STALE", s.at(scan(""), noon.Add(-48*time.Hour)))
	s.expect(policy, "PREDICATE_MALFORMED", s.says("alice", attest.TypeVulns, `{"scanner":{"uri":"https://s.example"},"metadata":{"scanFinishedOn":"2026-11-22T11:00:00Z"}}`))
	bad := scan(found("CVE-1", "npm/lodash@4.17.20", "HIGH"))
	vex := func(by, statement string) []byte {
		return s.says(by, attest.TypeOpenVEX, `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"x","author":"a","timestamp":"2026-11-22T11:00:00Z","version":1,"statements":[`+statement+`]}`)
	}
	clear := `{"vulnerability":{"name":"CVE-1"},"products":[{"@id":"pkg:npm/lodash@4.17.20"}],"status":"not_affected","justification":"component_not_present"}`
	s.expect(policy, "allowed with waivers", bad, vex("security", clear))
	s.expect(policy, "VULNERABLE", bad, vex("mallory", clear))
	s.expect(policy, "VULNERABLE", bad, vex("security", strings.Replace(clear, "4.17.20", "4.17.19", 1)))
	s.expect(policy, "VULNERABLE", bad, vex("security", strings.Replace(clear, "CVE-1", "CVE-2", 1)))
	s.expect(policy, "VULNERABLE", bad, vex("security", strings.Replace(clear, "not_affected", "under_investigation", 1)))
	s.expect(policy, "VULNERABLE", bad, vex("security", clear+","+strings.Replace(clear, "not_affected", "affected", 1)))
	// a component as it is used in another product
	s.expect(policy, "VULNERABLE", bad, vex("security", `{"vulnerability":{"name":"CVE-1"},"products":[{"@id":"pkg:generic/other","subcomponents":[{"@id":"pkg:npm/lodash@4.17.20"}]}],"status":"fixed"}`))
	s.expect(policy, "allowed with waivers", bad, vex("security", `{"vulnerability":{"name":"GHSA-1","aliases":["CVE-1"]},"products":[{"@id":"x","hashes":{"sha-256":"`+s.subject.Digest["sha256"]+`"},"subcomponents":[{"@id":"pkg:npm/lodash"}]}],"status":"fixed"}`))
	cdx := func(state, ref string) []byte {
		return s.says("security", attest.TypeCycloneDX, `{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{"type":"library","bom-ref":"l","name":"lodash","purl":"pkg:npm/lodash@4.17.20"}],"vulnerabilities":[{"id":"CVE-1","analysis":{"state":"`+state+`"},"affects":[{"ref":"`+ref+`"}]}]}`)
	}
	s.expect(policy, "allowed with waivers", bad, cdx("not_affected", "l"))
	s.expect(policy, "VULNERABLE", bad, cdx("exploitable", "l"))
	s.expect(policy, "VULNERABLE", bad, cdx("not_affected", "urn:cdx:x/1#l"))
	waived := policy + "waivers:\n  - {code: VULNERABLE, subject: 'pkg:npm/lodash@4.17.20', advisory: CVE-1, owner: o, reason: r, expires: 2026-12-01}\n"
	s.expect(waived, "allowed with waivers", bad)
	s.expect(waived, "VULNERABLE", scan(found("CVE-1", "npm/lodash@4.17.20", "HIGH")+","+found("CVE-2", "npm/lodash@4.17.20", "HIGH")))
	if _, err := verify.ParsePolicy("p", []byte("version: 1\nsigners: {a: {issuer: https://i.example, identity: a@b.example}}\nrequirements: {it: {type: "+attest.TypeVulns+", signed-by: a, vulns: {max-severity: low}}}\n")); err == nil || !strings.Contains(err.Error(), "needs max-age") {
		t.Errorf("found %v", err)
	}
}

func TestSummaries(t *testing.T) {
	s := newStage(t, "alice", "gatekeeper")
	signers := "signers:\n  alice: {keys: [KEY:alice]}\n  gatekeeper: {keys: [KEY:gatekeeper]}\n"
	vsa := func(more string) []byte {
		return s.says("gatekeeper", attest.TypeVSA, `{"verifier":{"id":"https://gate.example"},"timeVerified":"2026-11-22T11:00:00Z","resourceUri":"pkg:generic/acme/shop@2.1.0","policy":{"uri":"https://p.example"}`+more+`}`)
	}
	policy := signers + "requirements:\n  it:\n    type: " + attest.TypeVSA + "\n    signed-by: gatekeeper\n    vsa: {verifier: https://gate.example, levels: [SLSA_BUILD_LEVEL_2], resource: 'pkg:generic/acme/shop@2.1.0'}\n"
	passed := `,"verificationResult":"PASSED","verifiedLevels":["SLSA_BUILD_LEVEL_3"]`
	for name, c := range map[string]struct {
		line []byte
		want string
	}{
		"passed":               {vsa(passed), "allowed"},
		"failed":               {vsa(strings.Replace(passed, "PASSED", "FAILED", 1)), "VSA_FAILED"},
		"no result":            {vsa(`,"verifiedLevels":["SLSA_BUILD_LEVEL_3"]`), "PREDICATE_MALFORMED"},
		"a lower level":        {vsa(strings.Replace(passed, "LEVEL_3", "LEVEL_1", 1)), "LEVEL_TOO_LOW"},
		"another track":        {vsa(strings.Replace(passed, "BUILD", "SOURCE", 1)), "LEVEL_TOO_LOW"},
		"no levels":            {vsa(`,"verificationResult":"PASSED"`), "LEVEL_TOO_LOW"},
		"another verifier":     {s.says("gatekeeper", attest.TypeVSA, `{"verifier":{"id":"https://evil.example"},"timeVerified":"2026-11-22T11:00:00Z","resourceUri":"pkg:generic/acme/shop@2.1.0"`+passed+`}`), "VSA_VERIFIER_DIFFERS"},
		"about something else": {s.says("gatekeeper", attest.TypeVSA, `{"verifier":{"id":"https://gate.example"},"timeVerified":"2026-11-22T11:00:00Z","resourceUri":"pkg:generic/acme/shop@2.0.0"`+passed+`}`), "VSA_RESOURCE_DIFFERS"},
		"by another signer":    {s.says("alice", attest.TypeVSA, `{}`), "SIGNER_NOT_ALLOWED"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.expect(policy, c.want, c.line)
		})
	}
	s.t = t
	npm := signers + "requirements:\n  sbom: {type: " + attest.TypeCycloneDX + ", signed-by: alice}\n  npm:\n    type: " + attest.TypeVSA +
		"\n    signed-by: gatekeeper\n    npm: {sbom: sbom, verifier: https://gate.example, min-level: 2, below: 1}\n"
	sbom := s.says("alice", attest.TypeCycloneDX, `{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{"type":"library","name":"a","purl":"pkg:npm/a@1"},{"type":"library","name":"b","purl":"pkg:npm/b@1","components":[{"type":"library","name":"c","purl":"pkg:npm/c@1"}]},{"type":"library","name":"d","purl":"pkg:golang/d@1"},{"type":"library","name":"e"},{"type":"file","name":"f"},{"type":"library","name":"a","purl":"pkg:npm/%61@1?x=y#z"}]}`)
	counts := func(levels string) []byte { return vsa(passed + `,"dependencyLevels":{` + levels + `}`) }
	// What is no npm package is counted too: a, b, c, d and e.
	s.expect(strings.Replace(npm, "below: 1", "below: 2", 1), "allowed", sbom, counts(`"SLSA_BUILD_LEVEL_0":2,"SLSA_BUILD_LEVEL_2":3`))
	s.expect(npm, "DEPENDENCY_LEVEL_LOW", sbom, counts(`"SLSA_BUILD_LEVEL_0":2,"SLSA_BUILD_LEVEL_2":3`))
	s.expect(npm, "allowed", sbom, counts(`"SLSA_BUILD_LEVEL_0":1,"SLSA_BUILD_LEVEL_2":4`))
	s.expect(npm, "DEPENDENCIES_OMITTED", sbom, counts(`"SLSA_BUILD_LEVEL_2":3`))
	s.expect(npm, "DEPENDENCIES_OMITTED", sbom, counts(`"SLSA_BUILD_LEVEL_2":6`))
	s.expect(npm, "PREDICATE_MALFORMED", sbom, counts(`"SLSA_BUILD_LEVEL_0":-1,"SLSA_BUILD_LEVEL_3":5`))
	s.expect(npm, "DEPENDENCIES_OMITTED", sbom, vsa(passed))
	s.expect(npm, "TYPE_MISSING REFERENCE_UNMET", counts(`"SLSA_BUILD_LEVEL_2":5`))
	s.expect(npm, "VSA_FAILED", sbom, vsa(strings.Replace(passed, "PASSED", "FAILED", 1)+`,"dependencyLevels":{"SLSA_BUILD_LEVEL_2":5}`))
	builder := strings.ReplaceAll(npm, "signed-by: gatekeeper", "signed-by: alice") + "  built: {type: " + attest.TypeProvenance + ", signed-by: alice}\n"
	if _, err := verify.ParsePolicy("p", []byte("version: 1\n"+strings.NewReplacer("KEY:alice", `{pem: "`+strings.ReplaceAll(string(s.signers["alice"].PublicPEM()), "\n", `\n`)+`"}`,
		"KEY:gatekeeper", `{pem: "`+strings.ReplaceAll(string(s.signers["gatekeeper"].PublicPEM()), "\n", `\n`)+`"}`).Replace(builder))); err == nil || !strings.Contains(err.Error(), "does not vouch for its own dependencies") {
		t.Errorf("found %v", err)
	}
}

// packages is a PackageChecker with a list of what is proven.
type packages map[string]bool

func (p packages) CheckPackage(_ context.Context, name, version, sha512 string) error {
	if p[name+"@"+version+" "+sha512] {
		return nil
	}
	return &verify.Refusal{Code: verify.CodeNoAnswer, Expected: "an answer", Found: "none"}
}

func TestAnswers(t *testing.T) {
	s := newStage(t, "alice")
	component := func(name string) string {
		return fmt.Sprintf(`{"type":"library","name":%q,"purl":"pkg:npm/%s@1","externalReferences":[{"type":"distribution","url":"x","hashes":[{"alg":"SHA-512","content":"AB"}]}]}`, name, strings.Replace(name, "@", "%40", 1))
	}
	sbom := s.says("alice", attest.TypeCycloneDX, `{"bomFormat":"CycloneDX","specVersion":"1.7","components":[`+component("@s/a")+","+component("b")+`]}`)
	policy := aliceAlone + "requirements:\n  it:\n    type: " + attest.TypeCycloneDX + "\n    signed-by: alice\n    npm: {answers: true, below: %d}\n"
	g := s.gate(fmt.Sprintf(policy, 0))
	g.Packages = packages{"@s/a@1 ab": true, "b@1 ab": true}
	s.expectOf(g, s.artifact, "allowed", sbom)
	// npm's own SBOM has the digest beside the component; two digests are none.
	sum := func(hashes ...string) []byte {
		return s.says("alice", attest.TypeCycloneDX, fmt.Sprintf(`{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{"type":"library","name":"b","purl":"pkg:npm/b@1","hashes":[{"alg":"SHA-512","content":%q}],"externalReferences":[{"type":"distribution","url":"x","hashes":[{"alg":"SHA-512","content":%q}]}]},{"type":"library","name":"d"}]}`, hashes[0], hashes[1]))
	}
	s.expectOf(g, s.artifact, "allowed", sum("ab", "ab"))
	s.expectOf(g, s.artifact, "allowed", sum("AB", "ab"))
	s.expectOf(g, s.artifact, "DEPENDENCY_UNPROVEN", sum("ab", "cd"))
	s.expectOf(g, s.artifact, "DEPENDENCY_UNPROVEN", sum("cd", "ab"))
	g.Packages = packages{"@s/a@1 ab": true}
	s.expectOf(g, s.artifact, "DEPENDENCY_UNPROVEN", sbom)
	one := s.gate(fmt.Sprintf(policy, 1))
	one.Packages = g.Packages
	s.expectOf(one, s.artifact, "allowed", sbom)
	g.Packages = nil
	if r, err := g.Decide(context.Background(), s.artifact, []verify.Attestation{{Source: "x", JSON: sbom}}); err == nil || r.Verdict.Deploys() {
		t.Errorf("without answers: %v, %v", r.Verdict, err)
	}
}

// FuzzPredicates: whatever a signer says in a predicate of any kind, there is a
// decision, and what cannot be read never allows.
func FuzzPredicates(f *testing.F) {
	s := newStage(f, "alice", "bob")
	types := []string{attest.TypeProvenance, attest.TypeProvenanceV02, attest.TypeCycloneDX, attest.TypeVulns, attest.TypeVSA, attest.TypeOpenVEX, predicateType}
	g := s.gate(aliceAndBob + `requirements:
  built: {type: [` + attest.TypeProvenance + `, ` + attest.TypeProvenanceV02 + `], signed-by: alice, provenance: {source: https://s.example, min-level: 2}}
  sbom: {type: ` + attest.TypeCycloneDX + `, signed-by: alice, sbom: {about-artifact: true, hashes: required, deny: ["pkg:npm/x@1.0.0"], licenses: {allow: [MIT]}}}
  scan: {type: ` + attest.TypeVulns + `, signed-by: alice, max-age: 24h, vulns: {max-severity: low, vex-signers: [alice]}}
  vsa: {type: ` + attest.TypeVSA + `, signed-by: alice, max-age: 24h, vsa: {verifier: https://v.example, levels: [SLSA_BUILD_LEVEL_3]}}
  npm: {type: ` + attest.TypeVSA + `, signed-by: bob, npm: {sbom: sbom, verifier: https://v.example}}
  rule: {type: https://example.com/p, signed-by: alice, rules: [{cel: 'predicate.a == 12345 && predicate.b.exists(x, x == "deep")', message: m}]}
`)
	for i, seed := range []string{
		`{"buildDefinition":{"buildType":"t","externalParameters":{"workflow":{"repository":"r"}}},"runDetails":{"builder":{"id":"b"}}}`,
		`{"builder":{"id":"b"},"buildType":"t","invocation":{"configSource":{"uri":"git+https://s.example@r"},"parameters":[]}}`,
		`{"components":[{"name":"x","purl":"pkg:npm/x@1.0.0","licenses":[{"expression":"MIT"}]}],"metadata":{"component":{"hashes":[{"alg":"SHA-256","content":"00"}]}}}`,
		`{"scanner":{"uri":"u","result":[{"id":"a","severity":[{"method":"m","score":"CVSS:3.1/AV:N"}]}]},"metadata":{"scanFinishedOn":"2026-11-22T11:00:00Z"}}`,
		`{"verifier":{"id":"https://v.example"},"timeVerified":"2026-11-22T11:00:00Z","resourceUri":"pkg:a/b","verificationResult":"PASSED","verifiedLevels":["SLSA_BUILD_LEVEL_2"],"dependencyLevels":{"SLSA_BUILD_LEVEL_0":1}}`,
		`{"statements":[{"vulnerability":{"name":"a"},"status":"fixed","products":[{"@id":"pkg:npm/x","subcomponents":[{"@id":"y"}]}]}]}`,
		`{"a":1e400,"b":[1,2.5,null,true,"x"]}`,
	} {
		f.Add(uint8(i), "pkg:npm/x@1.0.0", seed)
	}
	f.Fuzz(func(t *testing.T, kind uint8, as, predicate string) {
		payload := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":%q,"digest":{"sha256":%q}}],"predicateType":%q,"predicate":%s}`,
			"app", s.subject.Digest["sha256"], types[int(kind)%len(types)], predicate)
		if _, err := attest.ParseStatement([]byte(payload)); err != nil {
			return
		}
		a := s.artifact
		if name, err := verify.ParseName(as); err == nil {
			a.As = name
		}
		line := s.signers["alice"].sign(t, []byte(payload))
		r, err := g.Decide(context.Background(), a, []verify.Attestation{{Source: "x", JSON: line}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict.Deploys() {
			t.Error("one statement met five requirements")
		}
	})
}
