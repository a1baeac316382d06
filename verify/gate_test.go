package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

const predicateType = "https://example.com/p"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// signer makes attestations and policies for tests.
type signer struct{ *attest.Key }

func newSigner(t testing.TB) signer {
	t.Helper()
	key, err := attest.GenerateKey(attest.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key}
}

func (s signer) about(t testing.TB, predicateType string, subjects ...attest.Subject) []byte {
	t.Helper()
	payload, err := attest.NewStatement(subjects, predicateType, []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	return s.sign(t, payload)
}

func (s signer) sign(t testing.TB, payload []byte) []byte {
	t.Helper()
	line, err := attest.Attest(context.Background(), s.Key, payload)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func (s signer) pem(indent string) string {
	return strings.ReplaceAll(strings.TrimSpace(string(s.PublicPEM())), "\n", "\n"+indent)
}

func (s signer) policy(extra string) string {
	return "version: 1\nsigners:\n  release:\n    keys:\n      - pem: |\n          " + s.pem("          ") +
		"\n" + extra + "requirements:\n  it: {type: " + predicateType + ", signed-by: release}\n" + unmeetable(extra)
}

// unmeetable defines the requirement "no" where a policy asks for it.
func unmeetable(extra string) string {
	if strings.Contains(extra, "[no]") {
		return "  no: {type: https://example.com/nobody-has-this, signed-by: release}\n"
	}
	return ""
}

func gate(t testing.TB, policy string) verify.Gate {
	t.Helper()
	p, err := verify.ParsePolicy("policy.yaml", []byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	checker, err := sigstore.NewKeyChecker(p.PublicKeys())
	if err != nil {
		t.Fatal(err)
	}
	return verify.Gate{Policy: p, Checker: checker, Now: noon}
}

func artifact(t testing.TB, content string) (verify.Artifact, attest.Subject) {
	t.Helper()
	digests, _, err := attest.Digest(strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return verify.Artifact{Name: "app", Digests: digests}, attest.Subject{Name: "app", Digest: digests}
}

func decide(t testing.TB, g verify.Gate, a verify.Artifact, lines ...[]byte) verify.Report {
	t.Helper()
	var found []verify.Attestation
	for i, l := range lines {
		found = append(found, verify.Attestation{Source: fmt.Sprintf("app.sigstore.jsonl:%d", i+1), JSON: l})
	}
	r, err := g.Decide(context.Background(), a, found)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// codes lists all reason codes of a report.
func codes(r verify.Report) string {
	var all []string
	for _, f := range r.Denials {
		all = append(all, string(f.Code))
	}
	for _, q := range r.Requirements {
		for _, f := range q.Findings {
			all = append(all, string(f.Code))
		}
	}
	for _, f := range r.Unusable {
		all = append(all, string(f.Code))
	}
	return strings.Join(all, " ")
}

func TestZeroValuesDeny(t *testing.T) {
	var v verify.Verdict
	if v == verify.Allowed || v.String() != "denied" {
		t.Error("the zero verdict allows")
	}
	a, _ := artifact(t, "app")
	g := verify.Gate{Policy: &verify.Policy{}, Checker: nobody{}, Now: noon}
	if r := decide(t, g, a); r.Verdict != verify.Denied || codes(r) != "NO_REQUIREMENTS NO_ATTESTATIONS" {
		t.Errorf("an empty policy: %v %s", r.Verdict, codes(r))
	}
	if r, err := (verify.Gate{}).Decide(context.Background(), a, nil); err == nil || r.Verdict != verify.Denied {
		t.Errorf("the zero gate: %v, %v", r.Verdict, err)
	}
	undefined := gate(t, newSigner(t).policy(""))
	undefined.Policy.Artifacts = []verify.ArtifactRule{{Name: "*", Require: []string{"nothing defines this"}}}
	if r := decide(t, undefined, a); r.Verdict != verify.Denied {
		t.Error("a requirement that nothing defines: allowed")
	}
	if c, err := (&sigstore.KeyChecker{}).Check(context.Background(), verify.Raw{}); err == nil {
		t.Errorf("the zero KeyChecker accepts: %+v", c)
	}
}

// nobody is a checker that accepts everything and names no signer.
type nobody struct{}

func (nobody) Check(context.Context, verify.Raw) (verify.Signature, error) {
	return verify.Signature{}, nil
}

// crash is a checker with a bug.
type crash struct{}

func (crash) Check(context.Context, verify.Raw) (verify.Signature, error) { panic("made up") }

func TestSignatureByNobody(t *testing.T) {
	s := newSigner(t)
	a, subject := artifact(t, "app")
	g := gate(t, s.policy(""))
	g.Checker = nobody{}
	if r := decide(t, g, a, s.about(t, predicateType, subject)); r.Verdict != verify.Denied || codes(r) != "TYPE_MISSING SIGNER_UNKNOWN" {
		t.Errorf("found %v %s", r.Verdict, codes(r))
	}
}

func TestCrashIsNoDecision(t *testing.T) {
	s := newSigner(t)
	a, subject := artifact(t, "app")
	g := gate(t, s.policy(""))
	g.Checker = crash{}
	r, err := g.Decide(context.Background(), a, []verify.Attestation{{Source: "x", JSON: s.about(t, predicateType, subject)}})
	if err == nil || r.Verdict != verify.Denied {
		t.Errorf("found %v, %v", r.Verdict, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err := gate(t, s.policy("")).Decide(ctx, a, []verify.Attestation{{Source: "x", JSON: []byte("{}")}}); !errors.Is(err, context.Canceled) || r.Verdict != verify.Denied {
		t.Errorf("a cancelled context: %v, %v", r.Verdict, err)
	}
}

// TestAttacks: each is refused with its own code.
func TestAttacks(t *testing.T) {
	s, stranger := newSigner(t), newSigner(t)
	a, subject := artifact(t, "app")
	_, other := artifact(t, "another")
	good := s.about(t, predicateType, subject)
	digest := subject.Digest["sha256"]
	statement := func(change func(m map[string]any)) []byte {
		m := map[string]any{
			"_type": attest.StatementType, "predicateType": predicateType, "predicate": map[string]any{},
			"subject": []any{map[string]any{"name": "app", "digest": map[string]any{"sha256": digest}}},
		}
		change(m)
		payload, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return s.sign(t, payload)
	}
	withDigest := func(d map[string]any) []byte {
		return statement(func(m map[string]any) { m["subject"] = []any{map[string]any{"name": "app", "digest": d}} })
	}
	renamed := func(from, to string) []byte {
		return bytes.ReplaceAll(good, []byte(from), []byte(to))
	}
	for name, c := range map[string]struct {
		line []byte
		want string
	}{
		"none":                           {nil, "NO_ATTESTATIONS TYPE_MISSING"},
		"about another file":             {s.about(t, predicateType, other), "TYPE_MISSING SUBJECT_MISMATCH"},
		"another type":                   {s.about(t, "https://example.com/q", subject), "TYPE_MISSING"},
		"signed by a stranger":           {stranger.about(t, predicateType, subject), "TYPE_MISSING SIGNER_UNKNOWN"},
		"a stranger under our name":      {bytes.ReplaceAll(stranger.about(t, predicateType, subject), []byte(stranger.Hint()), []byte(s.Hint())), "TYPE_MISSING SIGNATURE_INVALID"},
		"unsigned":                       {renamed(`"sig":"`, `"sig":"AAAA`), "TYPE_MISSING SIGNATURE_INVALID"},
		"junk":                           {[]byte("junk"), "TYPE_MISSING ATTESTATION_MALFORMED"},
		"another _type":                  {statement(func(m map[string]any) { m["_type"] = "https://in-toto.io/Statement/v2" }), "TYPE_MISSING STATEMENT_MALFORMED"},
		"no subject":                     {statement(func(m map[string]any) { m["subject"] = []any{} }), "TYPE_MISSING STATEMENT_MALFORMED"},
		"PREDICATETYPE":                  {statement(func(m map[string]any) { m["PREDICATETYPE"] = "x" }), "TYPE_MISSING STATEMENT_MALFORMED"},
		"payload not JSON":               {s.sign(t, []byte("not JSON")), "TYPE_MISSING STATEMENT_MALFORMED"},
		"payload not JSON, no hint":      {bytes.ReplaceAll(s.sign(t, []byte("not JSON")), []byte(s.Hint()), nil), "TYPE_MISSING STATEMENT_MALFORMED"},
		"payload with trailing data":     {s.sign(t, append(statementOf(t, good), "{}"...)), "TYPE_MISSING STATEMENT_MALFORMED"},
		"right sha256, wrong sha512":     {withDigest(map[string]any{"sha256": digest, "sha512": strings.Repeat("00", 64)}), "TYPE_MISSING SUBJECT_MISMATCH"},
		"no digest that can be computed": {withDigest(map[string]any{"gitCommit": "63107bd06d9e1f6136ff21aeda8cd62cbf0d433e"}), "TYPE_MISSING SUBJECT_MISMATCH"},
		"upper-case digest":              {withDigest(map[string]any{"sha256": strings.ToUpper(digest)}), "TYPE_MISSING STATEMENT_MALFORMED"},
		"certificate in place of a key":  {bytes.ReplaceAll(good, []byte(`"publicKey":{"hint":"`+s.Hint()+`"}`), []byte(`"certificate":{"rawBytes":"AAAA"}`)), "TYPE_MISSING SIGNER_UNKNOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			var lines [][]byte
			if c.line != nil {
				lines = append(lines, c.line)
			}
			r := decide(t, gate(t, s.policy("")), a, lines...)
			if r.Verdict != verify.Denied || codes(r) != c.want {
				t.Errorf("expected denied with %s, found %v with %s", c.want, r.Verdict, codes(r))
			}
			for _, f := range append(r.Denials, r.Unusable...) {
				if f.Remedy == "" || f.Found == "" || f.Expected == "" {
					t.Errorf("expected, found and remedy are not all there: %+v", f)
				}
			}
			if c.line == nil {
				return
			}
			// Beside a good one it is reported and blocks nothing.
			if r := decide(t, gate(t, s.policy("")), a, c.line, good); r.Verdict != verify.Allowed {
				t.Errorf("beside a good attestation: %s", codes(r))
			}
		})
	}
}

// statementOf returns a bundle's payload.
func statementOf(t testing.TB, line []byte) []byte {
	t.Helper()
	p, err := attest.ParseEnvelope(line)
	if err != nil {
		t.Fatal(err)
	}
	return p.Envelope.Payload
}

// TestAccepted: what must pass, so that the attacks mean something.
func TestAccepted(t *testing.T) {
	s := newSigner(t)
	a, subject := artifact(t, "app")
	_, other := artifact(t, "another")
	onlySHA512 := attest.Subject{Digest: attest.DigestSet{"sha512": subject.Digest["sha512"]}}
	good := s.about(t, predicateType, subject)
	for name, line := range map[string][]byte{
		"one subject":    good,
		"several":        s.about(t, predicateType, other, subject),
		"sha512 alone":   s.about(t, predicateType, onlySHA512),
		"without a hint": bytes.ReplaceAll(good, []byte(s.Hint()), nil),
		"another's hint": bytes.ReplaceAll(good, []byte(s.Hint()), []byte("SHA256:abc")),
		// with a keyid of its own kind, and members that DSSE does not know
		"as witness writes it": bytes.Replace(bare(good), []byte(`"signatures":[{`), []byte(`"signatures":[{"keyid":"`+strings.Repeat("0", 64)+`","timestamps":[],"certificate":null,`), 1),
		"a bare envelope":      bare(good),
	} {
		t.Run(name, func(t *testing.T) {
			if r := decide(t, gate(t, s.policy("")), a, line); r.Verdict != verify.Allowed {
				t.Errorf("denied: %s %+v", codes(r), r.Unusable)
			}
		})
	}
}

// bare returns a bundle's envelope.
func bare(bundle []byte) []byte {
	return bundle[bytes.Index(bundle, []byte(`{"payload":`)) : len(bundle)-1]
}

// TestEveryBit: one bit of a bundle's payload or signature, anywhere, is never
// accepted, and never a crash.
func TestEveryBit(t *testing.T) {
	s := newSigner(t)
	a, subject := artifact(t, "app")
	g := gate(t, s.policy(""))
	parsed, err := attest.ParseEnvelope(s.about(t, predicateType, subject))
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, i int, env attest.Envelope) {
		raw, err := json.Marshal(attest.Bundle{MediaType: attest.BundleMediaType,
			VerificationMaterial: attest.VerificationMaterial{PublicKey: &attest.PublicKeyHint{Hint: s.Hint()}}, DSSEEnvelope: env})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Open(context.Background(), g.Checker, raw, a); err == nil {
			t.Errorf("%s, byte %d: accepted", what, i)
		}
	}
	for i := range parsed.Envelope.Payload {
		env := parsed.Envelope
		env.Payload = bytes.Clone(env.Payload)
		env.Payload[i] ^= 1
		check("payload", i, env)
	}
	sig := parsed.Envelope.Signatures[0].Sig
	for i := range sig {
		changed := bytes.Clone(sig)
		changed[i] ^= 1
		env := parsed.Envelope
		env.Signatures = []attest.Signature{{Sig: changed}}
		check("signature", i, env)
	}
}

func TestExpiry(t *testing.T) {
	s := newSigner(t)
	a, subject := artifact(t, "app")
	line := s.about(t, predicateType, subject)
	for extra, want := range map[string]string{
		"":                                          "",
		"expires: 2026-11-22\n":                     "", // to the end of that day
		"expires: 2026-11-21\n":                     "POLICY_EXPIRED",
		"expires: 2026-11-22T12:00:00Z\n":           "POLICY_EXPIRED",
		"expires: 2026-11-22T12:00:01Z\n":           "",
		"expires: 2026-11-22T13:00:00+01:00\n":      "POLICY_EXPIRED",
		"        not-after: 2026-11-21\n":           "KEY_EXPIRED KEY_EXPIRED",
		"        not-after: 2026-11-22\n":           "",
		"        not-after: 2026-11-22T12:00:00Z\n": "KEY_EXPIRED KEY_EXPIRED",
	} {
		r := decide(t, gate(t, s.policy(extra)), a, line)
		if codes(r) != want || (r.Verdict == verify.Allowed) != (want == "") {
			t.Errorf("%q: expected %q, found %q, %v", extra, want, codes(r), r.Verdict)
		}
	}
}

func TestArtifactsInPolicy(t *testing.T) {
	s := newSigner(t)
	_, subject := artifact(t, "app")
	b, other := artifact(t, "another")
	for extra, want := range map[string]string{
		"artifacts:\n  \"sha256:" + subject.Digest["sha256"] + "\": {require: [it]}\n": "ARTIFACT_NOT_IN_POLICY",
		"artifacts:\n  \"sha512:" + other.Digest["sha512"] + "\": {require: [it]}\n":   "",
		"artifacts:\n  \"*\": {require: [it]}\n":                                       "",
		// "*" is for any, also one that is listed
		"artifacts:\n  \"*\": {require: [no]}\n  \"sha512:" + other.Digest["sha512"] + "\": {require: [it]}\n": "TYPE_MISSING",
	} {
		r := decide(t, gate(t, s.policy(extra)), b, s.about(t, predicateType, other))
		if codes(r) != want || (r.Verdict == verify.Allowed) != (want == "") {
			t.Errorf("%q: expected %q, found %q, %v", extra, want, codes(r), r.Verdict)
		}
	}
}

func BenchmarkVerifyTwoAttestations(b *testing.B) {
	s := newSigner(b)
	a, subject := artifact(b, "app")
	lines := [][]byte{s.about(b, predicateType, subject), s.about(b, "https://example.com/q", subject)}
	g := gate(b, s.policy(""))
	b.ReportAllocs()
	for b.Loop() {
		if r := decide(b, g, a, lines...); r.Verdict != verify.Allowed {
			b.Fatal(codes(r))
		}
	}
}

func BenchmarkVerifyLargeSBOM(b *testing.B) {
	s := newSigner(b)
	a, subject := artifact(b, "app")
	predicate := `{"components":[` + strings.TrimSuffix(strings.Repeat(`{"name":"n","version":"1.0.0","purl":"pkg:npm/n@1.0.0"},`, 24<<20/57), ",") + `]}`
	payload, err := attest.NewStatement([]attest.Subject{subject}, predicateType, []byte(predicate))
	if err != nil {
		b.Fatal(err)
	}
	line := s.sign(b, payload)
	g := gate(b, s.policy(""))
	b.SetBytes(int64(len(predicate)))
	b.ReportAllocs()
	for b.Loop() {
		if r := decide(b, g, a, line); r.Verdict != verify.Allowed {
			b.Fatal(codes(r))
		}
	}
}

// TestPayloadTypes: a statement may be said to be of one predicate. What was signed
// with it is the type as it stands.
func TestPayloadTypes(t *testing.T) {
	s := newSigner(t)
	a, subject := artifact(t, "app")
	payload, err := attest.NewStatement([]attest.Subject{subject}, predicateType, []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	for payloadType, want := range map[string]string{
		"application/vnd.in-toto+json":            "",
		"application/vnd.in-toto.provenance+json": "",
		"application/vnd.in-toto.+json":           "TYPE_MISSING ATTESTATION_MALFORMED",
		"application/vnd.in-toto.a/b+json":        "TYPE_MISSING ATTESTATION_MALFORMED",
		"application/json":                        "TYPE_MISSING ATTESTATION_MALFORMED",
		"":                                        "TYPE_MISSING ATTESTATION_MALFORMED",
	} {
		sig, err := s.SignMessage(context.Background(), attest.PAE(payloadType, payload), attest.SchemeSHA256)
		if err != nil {
			t.Fatal(err)
		}
		env, err := json.Marshal(attest.Envelope{Payload: payload, PayloadType: payloadType, Signatures: []attest.Signature{{Sig: sig}}})
		if err != nil {
			t.Fatal(err)
		}
		r := decide(t, gate(t, s.policy("")), a, env)
		if codes(r) != want || r.Verdict.Deploys() != (want == "") {
			t.Errorf("%q: expected %q, found %q %+v", payloadType, want, codes(r), r.Unusable)
		}
	}
}

// TestOtherDigests: a subject's digest of another algorithm must be right as well.
func TestOtherDigests(t *testing.T) {
	s := newSigner(t)
	a, subject := artifact(t, "app")
	a.Others = func(_ context.Context, algorithms []string) (attest.DigestSet, error) {
		return attest.DigestOthers(strings.NewReader("app"), algorithms)
	}
	right, err := attest.DigestOthers(strings.NewReader("app"), []string{"sha1", "sha384", "sha3_256", "md5"})
	if err != nil {
		t.Fatal(err)
	}
	with := func(alg, value string) []byte {
		return s.about(t, predicateType, attest.Subject{Name: "app", Digest: attest.DigestSet{"sha256": subject.Digest["sha256"], alg: value}})
	}
	for alg, value := range right {
		if r := decide(t, gate(t, s.policy("")), a, with(alg, value)); r.Verdict != verify.Allowed {
			t.Errorf("%s: %s", alg, codes(r))
		}
		wrong := "0" + value[1:]
		if wrong == value {
			wrong = "1" + value[1:]
		}
		if r := decide(t, gate(t, s.policy("")), a, with(alg, wrong)); codes(r) != "TYPE_MISSING SUBJECT_MISMATCH" {
			t.Errorf("a wrong %s: %v %s", alg, r.Verdict, codes(r))
		}
	}
	if r := decide(t, gate(t, s.policy("")), a, with("gitCommit", strings.Repeat("0", 40))); r.Verdict != verify.Allowed {
		t.Errorf("an algorithm that cannot be computed: %s", codes(r))
	}
	a.Others = func(context.Context, []string) (attest.DigestSet, error) { return nil, errors.New("gone") }
	if _, err := gate(t, s.policy("")).Decide(context.Background(), a, []verify.Attestation{{Source: "x", JSON: with("sha1", right["sha1"])}}); err == nil {
		t.Error("a file that cannot be read again: a decision")
	}
}
