package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

// A stage holds signers by name, a policy in which "KEY:name" stands for their
// keys, and statements about one artifact.
type stage struct {
	t        testing.TB
	signers  map[string]signer
	artifact verify.Artifact
	subject  attest.Subject
	witness  *witnessed
}

// witnessed is a checker that adds signed times to what a key checker accepted.
type witnessed struct {
	verify.Checker
	times map[string][]time.Time // by the attestation's bytes
	certs map[string]*verify.Certificate
	logs  map[string]int
}

func (w *witnessed) Check(ctx context.Context, raw verify.Raw) (verify.Signature, error) {
	s, err := w.Checker.Check(ctx, raw)
	if err != nil {
		return s, err
	}
	for _, t := range w.times[string(raw.JSON)] {
		s.Times = append(s.Times, verify.SignedTime{Kind: "timestamp-authority", Time: t})
	}
	s.LogEntries = w.logs[string(raw.JSON)]
	if c := w.certs[string(raw.JSON)]; c != nil {
		s.Certificate, s.KeyID, s.Root, s.SCTs, s.LogEntries = c, "", "public-good", 1, 1
	}
	return s, nil
}

func newStage(t testing.TB, names ...string) *stage {
	s := &stage{t: t, signers: map[string]signer{}, witness: &witnessed{times: map[string][]time.Time{}, certs: map[string]*verify.Certificate{}, logs: map[string]int{}}}
	for _, n := range names {
		s.signers[n] = newSigner(t)
	}
	s.artifact, s.subject = artifact(t, "app")
	return s
}

// says makes a statement about the artifact by a signer.
func (s *stage) says(by, predicateType, predicate string) []byte {
	s.t.Helper()
	payload := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"app","digest":{"sha256":%q}}],"predicateType":%q,"predicate":%s}`,
		s.subject.Digest["sha256"], predicateType, predicate)
	return s.signers[by].sign(s.t, []byte(payload))
}

// at gives a statement signed times.
func (s *stage) at(line []byte, times ...time.Time) []byte {
	s.witness.times[string(line)] = times
	return line
}

func (s *stage) gate(policy string) verify.Gate {
	s.t.Helper()
	for name, signer := range s.signers {
		pem := strings.ReplaceAll(string(signer.PublicPEM()), "\n", `\n`)
		policy = strings.ReplaceAll(policy, "KEY:"+name, `{pem: "`+pem+`"}`)
		policy = strings.ReplaceAll(policy, "PEM:"+name, `pem: "`+pem+`"`)
	}
	p, err := verify.ParsePolicy("policy.yaml", []byte("version: 1\n"+policy))
	if err != nil {
		s.t.Fatal(err)
	}
	// Certificates are made up here: every key may stand for one.
	var keys []sigstore.PinnedKey
	for _, signer := range s.signers {
		keys = append(keys, sigstore.PinnedKey{Public: signer.Public()})
	}
	checker, err := sigstore.NewPolicyChecker(keys, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.witness.Checker = checker
	return verify.Gate{Policy: p, Checker: s.witness, Now: noon}
}

// expect decides and compares the verdict and all reasons, in their order.
func (s *stage) expect(policy, want string, lines ...[]byte) verify.Report {
	s.t.Helper()
	return s.expectOf(s.gate(policy), s.artifact, want, lines...)
}

func (s *stage) expectOf(g verify.Gate, a verify.Artifact, want string, lines ...[]byte) verify.Report {
	s.t.Helper()
	r := decide(s.t, g, a, lines...)
	found := r.Verdict.String()
	if r.Verdict == verify.Denied {
		found = codes(r)
	}
	if found != want {
		s.t.Errorf("expected %q, found %q: %+v %+v %+v", want, found, r.Denials, r.Requirements, r.Unusable)
	}
	return r
}

const aliceAndBob = "signers:\n  alice: {keys: [KEY:alice]}\n  bob: {keys: [KEY:bob]}\n"

func requirement(body string) string {
	return "requirements:\n  it:\n    type: https://example.com/p\n" + body
}

func TestThreshold(t *testing.T) {
	s := newStage(t, "alice", "bob", "second")
	both := requirement("    signed-by: {any-of: [alice, bob], threshold: 2}\n")
	agree := requirement("    signed-by: {any-of: [alice, bob], threshold: 2, agree: predicate}\n")
	a, b, other := s.says("alice", predicateType, `{"a":1}`), s.says("bob", predicateType, `{ "a": 1.0 }`), s.says("bob", predicateType, `{"a":2}`)
	s.expect(aliceAndBob+both, "allowed", a, b)
	s.expect(aliceAndBob+both, "allowed", a, other)
	s.expect(aliceAndBob+both, "THRESHOLD_NOT_MET", a)
	s.expect(aliceAndBob+both, "THRESHOLD_NOT_MET", a, a)
	s.expect(aliceAndBob+both, "THRESHOLD_NOT_MET", a, s.says("alice", predicateType, `{"a":2}`))
	s.expect(aliceAndBob+agree, "allowed", a, b)
	s.expect(aliceAndBob+agree, "allowed", a, other, b)
	s.expect(aliceAndBob+agree, "PREDICATES_DIFFER", a, other)
	// two keys of one signer are one signer
	two := "signers:\n  alice: {keys: [KEY:second, KEY:alice]}\n  bob: {keys: [KEY:bob]}\n"
	s.expect(two+both, "THRESHOLD_NOT_MET", a, s.says("second", predicateType, `{"a":1}`))
	// one that breaks a rule does not count
	ruled := both + "    rules: [{cel: predicate.a == 1, message: a must be 1}]\n"
	s.expect(aliceAndBob+ruled, "THRESHOLD_NOT_MET RULE_FALSE", a, other)
	s.expect(aliceAndBob+ruled, "allowed", a, other, s.says("bob", predicateType, `{"a":1}`))
}

func TestWindows(t *testing.T) {
	s := newStage(t, "alice")
	line := s.says("alice", predicateType, `{}`)
	hour := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	digest := "sha256:" + s.subject.Digest["sha256"]
	for name, c := range map[string]struct {
		key   string
		times []time.Time
		want  string
	}{
		"ended, no time":               {"not-after: 2026-11-22T11:00:00Z", nil, "KEY_EXPIRED KEY_EXPIRED"},
		"ended, signed before":         {"not-after: 2026-11-22T11:00:00Z", []time.Time{hour(-2)}, "allowed"},
		"ended, signed after":          {"not-after: 2026-11-22T11:00:00Z", []time.Time{hour(0)}, "KEY_EXPIRED KEY_EXPIRED"},
		"ended, one time after":        {"not-after: 2026-11-22T11:00:00Z", []time.Time{hour(-2), hour(0)}, "KEY_EXPIRED KEY_EXPIRED"},
		"ended at that very moment":    {"not-after: 2026-11-22T11:00:00Z", []time.Time{hour(-1)}, "KEY_EXPIRED KEY_EXPIRED"},
		"not begun":                    {"not-before: 2026-11-23", nil, "KEY_NOT_YET_VALID KEY_NOT_YET_VALID"},
		"begun this morning":           {"not-before: 2026-11-22", nil, "allowed"},
		"begun, signed before":         {"not-before: 2026-11-22T11:00:00Z", []time.Time{hour(-2)}, "KEY_NOT_YET_VALID KEY_NOT_YET_VALID"},
		"signed in the future":         {"not-before: 2020-01-01", []time.Time{hour(1)}, "TIME_AHEAD TIME_AHEAD"},
		"signed a little ahead":        {"not-before: 2020-01-01", []time.Time{noon.Add(time.Minute)}, "allowed"},
		"superseded, no time":          {"revoked: {at: 2026-11-22T11:00:00Z, reason: superseded}", nil, "SIGNER_REVOKED SIGNER_REVOKED"},
		"superseded, signed before":    {"revoked: {at: 2026-11-22T11:00:00Z, reason: superseded}", []time.Time{hour(-2)}, "allowed"},
		"superseded, signed then":      {"revoked: {at: 2026-11-22T11:00:00Z, reason: superseded}", []time.Time{hour(-1)}, "SIGNER_REVOKED SIGNER_REVOKED"},
		"compromised, signed before":   {"revoked: {at: 2026-11-22T11:00:00Z, reason: compromised}", []time.Time{hour(-2)}, "SIGNER_REVOKED SIGNER_REVOKED"},
		"compromised, but listed":      {"revoked: {at: 2026-11-22, reason: compromised, except: [\"" + digest + "\"]}", nil, "allowed"},
		"compromised, another listed":  {"revoked: {at: 2026-11-22, reason: compromised, except: [\"sha256:" + strings.Repeat("0", 64) + "\"]}", nil, "SIGNER_REVOKED SIGNER_REVOKED"},
		"superseded tomorrow, no time": {"revoked: {at: 2026-11-24, reason: superseded}", nil, "SIGNER_REVOKED SIGNER_REVOKED"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			policy := "signers:\n  alice:\n    keys:\n      - {PEM:alice, " + c.key + "}\n" + requirement("    signed-by: alice\n")
			s.expect(policy, c.want, s.at(line, c.times...))
		})
	}
	s.t = t
	demands := "signers:\n  alice: {keys: [KEY:alice], signed-times: 1, log-entries: 1}\n" + requirement("    signed-by: alice\n")
	s.expect(demands, "LOG_MISSING LOG_MISSING", s.at(line, hour(-1)))
	s.witness.logs[string(line)] = 1
	s.expect(demands, "allowed", line)
	s.expect(demands, "TIME_MISSING TIME_MISSING", s.at(line))
}

func TestAge(t *testing.T) {
	s := newStage(t, "alice")
	policy := "signers:\n  alice: {keys: [KEY:alice]}\nrequirements:\n  it:\n    type: " + attest.TypeVSA + "\n    signed-by: alice\n    max-age: 24h\n"
	claimed := func(at string) []byte { return s.says("alice", attest.TypeVSA, `{"timeVerified":"`+at+`"}`) }
	s.expect(policy, "allowed", claimed("2026-11-22T11:00:00Z"))
	s.expect(policy, "STALE", claimed("2026-11-21T11:00:00Z"))
	s.expect(policy, "TIME_AHEAD", claimed("2026-11-22T13:00:00Z"))
	s.expect(policy, "TIME_MISSING", s.says("alice", attest.TypeVSA, `{}`))
	s.expect(policy, "PREDICATE_MALFORMED", claimed("yesterday"))
	// the older of the two counts
	s.expect(policy, "STALE", s.at(claimed("2026-11-22T11:00:00Z"), noon.Add(-48*time.Hour)))
	s.expect(policy, "STALE", s.at(claimed("2026-11-20T11:00:00Z"), noon.Add(-time.Hour)))
	s.expect(policy, "allowed", s.at(s.says("alice", attest.TypeVSA, `{}`), noon.Add(-time.Hour)))
}

func TestHolds(t *testing.T) {
	s := newStage(t, "alice", "bob")
	rule := "    rules: [{cel: predicate.ok, message: it failed}]\n"
	latest := aliceAndBob + requirement("    signed-by: {any-of: [alice, bob]}\n    holds: latest\n    max-age: 7d\n"+rule)
	all := aliceAndBob + requirement("    signed-by: {any-of: [alice, bob]}\n    holds: all\n"+rule)
	old, newer := noon.Add(-3*time.Hour), noon.Add(-2*time.Hour)
	good := func(n string, at ...time.Time) []byte {
		return s.at(s.says("alice", predicateType, `{"ok":true,"n":"`+n+`"}`), at...)
	}
	bad := func(n string, at ...time.Time) []byte {
		return s.at(s.says("alice", predicateType, `{"ok":false,"n":"`+n+`"}`), at...)
	}
	s.expect(latest, "allowed", bad("1", old), good("2", newer))
	s.expect(latest, "RULE_FALSE", good("3", old), bad("4", newer))
	s.expect(latest, "RULE_FALSE", good("5", newer), bad("6", newer)) // at one moment: both must hold
	s.expect(latest, "TIME_MISSING TIME_MISSING", good("7"))
	s.expect(latest, "allowed", bad("8"), good("9", old)) // anybody could have taken its time off
	s.expect(latest, "STALE", good("10", noon.Add(-8*24*time.Hour)))
	// each signer's newest must hold
	bobs := s.at(s.says("bob", predicateType, `{"ok":false}`), old)
	s.expect(latest, "RULE_FALSE", good("11", newer), bobs)
	s.expect(all, "allowed", good("12"), good("13"))
	s.expect(all, "RULE_FALSE", good("14"), bad("15"))
	s.expect(all, "NO_ATTESTATIONS TYPE_MISSING")
}

func TestRules(t *testing.T) {
	s := newStage(t, "alice")
	predicate := `{"n":9007199254740993,"u":18446744073709551615,"big":123456789012345678901234567890,"f":1.5,"s":"repo","list":[1,2],"null":null,"t":"2026-11-22T11:00:00Z"}`
	line := s.at(s.says("alice", predicateType, predicate), noon.Add(-time.Hour))
	for rule, want := range map[string]string{
		`predicate.n == 9007199254740993`:                              "allowed",
		`predicate.n == 9007199254740992`:                              "RULE_FALSE",
		`predicate.u == 18446744073709551615u`:                         "allowed",
		`predicate.big == "123456789012345678901234567890"`:            "allowed",
		`predicate.f == 1.5 && predicate.list.exists(x, x == 2)`:       "allowed",
		`predicate.missing == 1`:                                       "RULE_FIELD_MISSING",
		`!(predicate.missing == 1)`:                                    "RULE_FIELD_MISSING",
		`!has(predicate.missing)`:                                      "allowed",
		`predicate.s < 1`:                                              "RULE_ERROR",
		`predicate.list[7] == 1`:                                       "RULE_ERROR",
		`predicate.s`:                                                  "RULE_ERROR",
		`1 / int(predicate.f - 1.5) == 1`:                              "RULE_ERROR",
		`predicate.s.matches("rep")`:                                   "RULE_FALSE",
		`predicate.s.matches("repo|x")`:                                "allowed",
		`matches(predicate.s, "re.o")`:                                 "allowed",
		`predicate.s.matches("repo\\z|")`:                              "allowed",
		`predicate.s.matches("(")`:                                     "RULE_ERROR",
		`predicate.s.matches(")|(repo-evil|")`:                         "RULE_ERROR",
		`timestamp(predicate.t) < time.now && time.signed < time.now`:  "allowed",
		`time.claimed < time.now`:                                      "RULE_FIELD_MISSING",
		`signer.name == "alice" && signer.keyId.startsWith("SHA256:")`: "allowed",
		`signer.issuer == ""`:                                          "RULE_FIELD_MISSING",
		`subject.digest.sha256.size() == 64 && subject.name == "app"`:  "allowed",
		`predicate.list.all(a, predicate.list.all(b, predicate.list.all(c, predicate.s.matches("(a|b|c|d|repo){1,100}"))))`: "allowed",
		`size(predicate) > 3`: "allowed",
	} {
		t.Run(rule, func(t *testing.T) {
			s.t = t
			policy := "signers:\n  alice: {keys: [KEY:alice]}\n" + requirement("    signed-by: alice\n    rules:\n      - cel: '"+rule+"'\n        message: it is wrong\n")
			s.expect(policy, want, line)
		})
	}
	s.t = t
	// a rule that costs too much is in error, and soon
	long := s.says("alice", predicateType, `{"l":[`+strings.TrimSuffix(strings.Repeat("1,", 1000), ",")+`]}`)
	s.expect("signers:\n  alice: {keys: [KEY:alice]}\n"+requirement("    signed-by: alice\n    rules: [{cel: 'predicate.l.all(a, predicate.l.all(b, predicate.l.all(c, a+b+c==3)))', message: m}]\n"), "RULE_ERROR", long)
}

// TestUnusableDenied: a policy may deny whatever cannot be used.
func TestUnusableDenied(t *testing.T) {
	s := newStage(t, "alice")
	policy := aliceAlone + requirement("    signed-by: alice\n")
	good := s.says("alice", predicateType, `{}`)
	s.expect(policy, "allowed", good, []byte("junk"))
	s.expect("unusable: deny\n"+policy, "UNUSABLE_DENIED ATTESTATION_MALFORMED", good, []byte("junk"))
	s.expect("unusable: deny\n"+policy, "allowed", good)
}

const aliceAlone = "signers:\n  alice: {keys: [KEY:alice]}\n"

// TestReferences: a rule compares its statement with that of another requirement.
func TestReferences(t *testing.T) {
	s := newStage(t, "alice", "bob")
	policy := aliceAndBob + `requirements:
  tests:
    type: https://example.com/q
    signed-by: bob
    rules: [{cel: 'predicate.commit == statements["built-here"].predicate.commit', message: another commit was tested}]
  built-here: {type: https://example.com/p, signed-by: alice}
`
	built := func(c string) []byte { return s.says("alice", predicateType, `{"commit":"`+c+`"}`) }
	tested := func(c string) []byte { return s.says("bob", "https://example.com/q", `{"commit":"`+c+`"}`) }
	s.expect(policy, "allowed", built("a"), tested("a"))
	s.expect(policy, "RULE_FALSE", built("a"), tested("b"))
	s.expect(policy, "REFERENCE_UNMET TYPE_MISSING", tested("b"))
	// any of the statements that meet the other requirement may be the one
	s.expect(policy, "allowed", built("b"), built("a"), tested("a"))
	// one by somebody else is not
	s.expect(policy, "RULE_FALSE", built("a"), tested("b"), s.says("bob", predicateType, `{"commit":"b"}`))
	for body, words := range map[string]string{
		"a: {type: t, signed-by: alice, rules: [{cel: 'statements.a.predicate.x == 1', message: m}]}":                                                                                      "refers to itself (a to a)",
		"a: {type: t, signed-by: alice, rules: [{cel: 'statements.b.predicate.x', message: m}]}\n  b: {type: t, signed-by: alice, rules: [{cel: 'statements.a.predicate.x', message: m}]}": "refers to itself (a to b to a)",
		"a: {type: t, signed-by: alice, rules: [{cel: 'statements.c.predicate.x == 1', message: m}]}":                                                                                      `requirement "c", which is not defined`,
		"a: {type: t, signed-by: alice, rules: [{cel: 'statements[signer.name].predicate.x', message: m}]}":                                                                                "expected a requirement's name in quotes",
		"a: {type: t, signed-by: alice, rules: [{cel: 'statements.exists(k, true)', message: m}]}":                                                                                         "expected the name of a requirement",
		"a: {type: t, signed-by: alice, rules: [{cel: '1', message: m}]}":                                                                                                                  "expected true or false",
		"a: {type: t, signed-by: alice, rules: [{cel: 'foo == 1', message: m}]}":                                                                                                           "undeclared reference",
		"a: {type: t, signed-by: alice, rules: [{cel: 'true'}]}":                                                                                                                           "message: missing",
		"a: {type: t, signed-by: alice, rules: []}":                                                                                                                                        "expected a list of at least one",
	} {
		text := strings.NewReplacer("KEY:alice", "{pem: \""+strings.ReplaceAll(string(s.signers["alice"].PublicPEM()), "\n", `\n`)+"\"}", "KEY:bob", "{pem: \""+strings.ReplaceAll(string(s.signers["bob"].PublicPEM()), "\n", `\n`)+"\"}").Replace("version: 1\n" + aliceAndBob + "requirements:\n  " + body + "\n")
		if _, err := verify.ParsePolicy("p", []byte(text)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: expected %q, found %v", body, words, err)
		}
	}
}

// TestLineOrder: the report does not depend on the order in which workers end.
func TestLineOrder(t *testing.T) {
	s := newStage(t, "alice", "bob")
	g := s.gate(aliceAndBob + requirement("    signed-by: {any-of: [alice, bob], threshold: 2}\n"))
	lines := [][]byte{[]byte("junk"), s.says("alice", predicateType, `{}`), []byte("junk"), s.says("bob", predicateType, `{}`)}
	first := fmt.Sprintf("%+v", decide(t, g, s.artifact, lines...))
	for range 20 {
		if again := fmt.Sprintf("%+v", decide(t, g, s.artifact, lines...)); !bytes.Equal([]byte(first), []byte(again)) && strings.Count(again, "0x") == 0 {
			t.Fatalf("expected %s, found %s", first, again)
		}
	}
}
