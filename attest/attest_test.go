package attest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll.example/attest"
)

var zero time.Time

var subject = attest.Subject{Name: "app", Digest: attest.DigestSet{"sha256": strings.Repeat("ab", 32)}}

func key(t testing.TB) *attest.Key {
	t.Helper()
	k, err := attest.GenerateKey(attest.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestPredicateKeepsItsDigits: a predicate comes out as it went in, also where a
// float would lose digits.
func TestPredicateKeepsItsDigits(t *testing.T) {
	predicate := `{"n":12345678901234567890,"f":0.1000000000000000055511151231257827,"s":"\u2028"}`
	payload, err := attest.NewStatement([]attest.Subject{subject}, "https://example.com/p", []byte(predicate))
	if err != nil {
		t.Fatal(err)
	}
	s, err := attest.ParseStatement(payload)
	if err != nil {
		t.Fatal(err)
	}
	if string(s.Predicate) != predicate {
		t.Errorf("expected %s, found %s", predicate, s.Predicate)
	}
}

func TestNewStatementRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		subjects  []attest.Subject
		typ       string
		predicate string
	}{
		"no subject":        {nil, "https://example.com/p", `{}`},
		"no digest":         {[]attest.Subject{{Name: "app"}}, "https://example.com/p", `{}`},
		"no type":           {[]attest.Subject{subject}, "", `{}`},
		"predicate a list":  {[]attest.Subject{subject}, "https://example.com/p", `[]`},
		"predicate empty":   {[]attest.Subject{subject}, "https://example.com/p", ``},
		"predicate cut":     {[]attest.Subject{subject}, "https://example.com/p", `{"a":`},
		"predicate repeats": {[]attest.Subject{subject}, "https://example.com/p", `{"a":1,"a":2}`},
		"short digest":      {[]attest.Subject{{Digest: attest.DigestSet{"sha256": "ab"}}}, "https://example.com/p", `{}`},
		"upper-case digest": {[]attest.Subject{{Digest: attest.DigestSet{"sha256": strings.Repeat("AB", 32)}}}, "https://example.com/p", `{}`},
		"too many subjects": {make([]attest.Subject, attest.MaxSubjects+1), "https://example.com/p", `{}`},
		"digest not hex":    {[]attest.Subject{{Digest: attest.DigestSet{"sha256": strings.Repeat("zz", 32)}}}, "https://example.com/p", `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := attest.NewStatement(c.subjects, c.typ, []byte(c.predicate)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestParseStatementRefuses(t *testing.T) {
	good := `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"app","digest":{"sha256":"` + strings.Repeat("ab", 32) + `"}}],"predicateType":"https://example.com/p","predicate":{},"more":1}`
	if _, err := attest.ParseStatement([]byte(good)); err != nil {
		t.Fatalf("a field that is not known must be tolerated: %v", err)
	}
	for name, change := range map[string][2]string{
		"another's algorithm": {`"digest":{`, `"digest":{"dirHash1":"h1:AbC=",`},
		"no predicate":        {`,"predicate":{}`, ``},
	} {
		if _, err := attest.ParseStatement([]byte(strings.Replace(good, change[0], change[1], 1))); err != nil {
			t.Errorf("%s must be accepted: %v", name, err)
		}
	}
	for name, change := range map[string][2]string{
		"another _type":         {"Statement/v1", "Statement/v2"},
		"repeated key":          {`"more":1`, `"predicateType":"https://example.com/q"`},
		"PREDICATETYPE":         {`"more":1`, `"PREDICATETYPE":"https://example.com/q"`},
		"Subject beside":        {`"more":1`, `"Subject":[]`},
		"trailing data":         {`"more":1}`, `"more":1} {}`},
		"no subject":            {`"name":"app"`, `"name":"app"}],"x":[{"y":"z"`},
		"predicate null":        {`"predicate":{}`, `"predicate":null`},
		"predicate text":        {`"predicate":{}`, `"predicate":"x"`},
		"predicateType missing": {`"predicateType"`, `"otherType"`},
		"DIGEST beside digest":  {`"digest":{`, `"DIGEST":{},"digest":{`},
		"SHA256 beside sha256":  {`"digest":{`, `"digest":{"SHA256":"00",`},
		"digest a number":       {`"digest":{`, `"digest":{"sha1":1,`},
		"repeated digest":       {`"digest":{`, `"digest":{"sha256":"00",`},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, change[0], change[1], 1)
			if bad == good {
				t.Fatal("the attack changes nothing")
			}
			if s, err := attest.ParseStatement([]byte(bad)); err == nil {
				t.Errorf("accepted: %+v", s)
			}
		})
	}
}

func TestParseEnvelopeRefuses(t *testing.T) {
	payload, err := attest.NewStatement([]attest.Subject{subject}, "https://example.com/p", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	line, err := attest.Attest(t.Context(), key(t), payload)
	if err != nil {
		t.Fatal(err)
	}
	p, err := attest.ParseEnvelope(line)
	if err != nil || !p.Bundle || p.Certificate || !bytes.Equal(p.Envelope.Payload, payload) || p.KeyHint == "" {
		t.Fatalf("a good bundle: %+v, %v", p, err)
	}
	env, err := json.Marshal(p.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	if bare, err := attest.ParseEnvelope(env); err != nil || bare.Bundle || !bytes.Equal(bare.Envelope.Payload, payload) {
		t.Fatalf("a bare envelope: %+v, %v", bare, err)
	}
	extended := strings.Replace(string(env), `"sig":`, `"cert":"x","sig":`, 1)
	if _, err := attest.ParseEnvelope([]byte(strings.Replace(extended, `{"payload"`, `{"more":1,"payload"`, 1))); err != nil {
		t.Fatalf("a bare envelope with more fields: %v", err)
	}
	good := string(line)
	inner := good[strings.Index(good, `{"payload":`) : len(good)-1]
	for name, change := range map[string][2]string{
		"no signature":         {`"signatures":[{`, `"signatures":[],"x":[{`},
		"empty signatures":     {good[strings.Index(good, `[{"sig"`) : strings.Index(good, `}]`)+2], `[]`},
		"second signature":     {`"signatures":[{`, `"signatures":[{"sig":"AAAA"},{`},
		"empty signature":      {good[strings.Index(good, `"sig":"`) : strings.Index(good, `"}]`)+1], `"sig":""`},
		"payload type":         {"vnd.in-toto+json", "vnd.other+json"},
		"snake_case beside":    {`"dsseEnvelope":`, `"dsse_envelope":` + inner + `,"dsseEnvelope":`},
		"snake_case type":      {`"payloadType":`, `"payload_type":"x","payloadType":`},
		"repeated payload":     {`"payload":"`, `"payload":"AAAA","payload":"`},
		"media type":           {"bundle.v0.3+json", "bundle.v0.9+json"},
		"bare and bundle":      {`{"mediaType"`, `{"payload":"AAAA","mediaType"`},
		"message signature":    {`"dsseEnvelope":`, `"messageSignature":{},"dsseEnvelope":`},
		"no material":          {`"verificationMaterial":{"publicKey":{"hint":"`, `"verificationMaterial":{"other":{"hint":"`},
		"key and certificate":  {`"publicKey":`, `"certificate":{"rawBytes":"AAAA"},"publicKey":`},
		"base64 with newline":  {`"payload":"`, `"payload":"\n`},
		"trailing data":        {good, good + "{}"},
		"trailing envelope":    {good, good + "\n" + good},
		"a list of bundles":    {good, "[" + good + "]"},
		"null":                 {good, "null"},
		"an empty object":      {good, "{}"},
		"DSSEENVELOPE":         {`"dsseEnvelope":`, `"DSSEENVELOPE":`},
		"null envelope":        {`"dsseEnvelope":` + inner, `"dsseEnvelope":null`},
		"byte order mark":      {good, "\ufeff" + good},
		"NUL behind":           {good, good + "\x00"},
		"invalid UTF-8":        {`"mediaType":"`, `"mediaType":"` + "\xff"},
		"nested 10,001 deep":   {`"publicKey":`, `"x":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `,"publicKey":`},
		"a number for payload": {`"payload":"`, `"payload":1,"x":"`},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, change[0], change[1], 1)
			if bad == good {
				t.Fatal("the attack changes nothing")
			}
			if p, err := attest.ParseEnvelope([]byte(bad)); err == nil {
				t.Errorf("accepted: %+v", p)
			}
		})
	}
}

// TestSameBytes: the same statement and key give the same bundle.
func TestSameBytes(t *testing.T) {
	k := key(t)
	payload, err := attest.NewStatement([]attest.Subject{subject}, "https://example.com/p", []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	first, err := attest.Attest(t.Context(), k, payload)
	if err != nil {
		t.Fatal(err)
	}
	second, err := attest.Attest(t.Context(), k, payload)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("expected the same bytes twice:\n%s\n%s", first, second)
	}
}

// TestKeyRoundTrip: a key survives both of its forms, and the sealed one opens
// with its passphrase only.
func TestKeyRoundTrip(t *testing.T) {
	k := key(t)
	for _, passphrase := range []string{"", "correct horse"} {
		sealed, err := k.PrivatePEM([]byte(passphrase))
		if err != nil {
			t.Fatal(err)
		}
		again, err := attest.ParseKey(sealed, []byte(passphrase))
		if err != nil || again.ID() != k.ID() {
			t.Fatalf("passphrase %q: %v", passphrase, err)
		}
		if passphrase == "" {
			continue
		}
		for _, wrong := range []string{"", "battery staple"} {
			if _, err := attest.ParseKey(sealed, []byte(wrong)); !errors.Is(err, attest.ErrPassphrase) {
				t.Errorf("passphrase %q: expected ErrPassphrase, found %v", wrong, err)
			}
		}
	}
	public, err := attest.ParsePublicKey(k.PublicPEM())
	if err != nil {
		t.Fatal(err)
	}
	if id, err := attest.KeyID(public); err != nil || id != k.ID() {
		t.Errorf("expected %s, found %s, %v", k.ID(), id, err)
	}
	for name, text := range map[string]string{
		"two keys":          string(k.PublicPEM()) + string(k.PublicPEM()),
		"a broken second":   string(k.PublicPEM()) + "-----BEGIN PUBLIC KEY-----\nAAAA",
		"text before":       "key:\n" + string(k.PublicPEM()),
		"a private key":     "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"a key that is cut": string(k.PublicPEM())[:60],
	} {
		if _, err := attest.ParsePublicKey([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestConcurrentAppend: many writers lose nothing, repeat nothing and leave no
// lock.
func TestConcurrentAppend(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app"+attest.BundlesSuffix)
	const writers = 24
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			own := fmt.Appendf(nil, `{"writer":%d}`, i)
			if _, err := attest.Append(context.Background(), path, own, []byte(`{"all":1}`)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(data, []byte("\n")); lines != writers+1 {
		t.Errorf("expected %d lines, found %d", writers+1, lines)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("expected one file, found %v, %v", entries, err)
	}
}

// TestAppendKeepsHalfLine: a file that does not end in a newline keeps its last
// line.
func TestAppendKeepsHalfLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app"+attest.BundlesSuffix)
	if err := os.WriteFile(path, []byte(`{"old":1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := attest.Append(context.Background(), path, []byte(`{"new":1}`)); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); string(data) != "{\"old\":1}\n{\"new\":1}\n" {
		t.Errorf("found %q", data)
	}
}

func TestProvenance(t *testing.T) {
	github := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/shop",
		"GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/release.yml@refs/heads/main", "GITHUB_REF": "refs/tags/v1",
		"GITHUB_SHA": "63107bd06d9e1f6136ff21aeda8cd62cbf0d433e", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2",
		"GITHUB_EVENT_NAME": "push", "GITHUB_REPOSITORY_ID": "101", "GITHUB_REPOSITORY_OWNER_ID": "5", "RUNNER_ENVIRONMENT": "self-hosted",
	}
	want := `{"buildDefinition":{"buildType":"https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",` +
		`"externalParameters":{"workflow":{"path":".github/workflows/release.yml","ref":"refs/heads/main","repository":"https://github.com/acme/shop"}},` +
		`"internalParameters":{"github":{"event_name":"push","repository_id":"101","repository_owner_id":"5","runner_environment":"self-hosted"}},` +
		`"resolvedDependencies":[{"uri":"git+https://github.com/acme/shop@refs/tags/v1","digest":{"gitCommit":"63107bd06d9e1f6136ff21aeda8cd62cbf0d433e"}}]},` +
		`"runDetails":{"builder":{"id":"https://github.com/actions/runner/self-hosted"},` +
		`"metadata":{"invocationId":"https://github.com/acme/shop/actions/runs/7/attempts/2"}}}`
	b, err := attest.Provenance(func(k string) string { return github[k] }, attest.BuildDescription{})
	if err != nil {
		t.Fatal(err)
	}
	if string(b.Predicate) != want {
		t.Errorf("expected\n%s\nfound\n%s", want, b.Predicate)
	}
	for name := range github {
		if name == "GITHUB_ACTIONS" {
			continue
		}
		b, err := attest.Provenance(func(k string) string {
			if k == name {
				return ""
			}
			return github[k]
		}, attest.BuildDescription{})
		optional := slices.Contains([]string{"GITHUB_RUN_ATTEMPT", "GITHUB_EVENT_NAME", "GITHUB_REPOSITORY_ID", "GITHUB_REPOSITORY_OWNER_ID", "RUNNER_ENVIRONMENT"}, name)
		if optional && (err != nil || strings.Contains(string(b.Predicate), `""`)) {
			t.Errorf("without %s: expected it left out, found %s, %v", name, b.Predicate, err)
		}
		if !optional && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("without %s: expected an error that names it, found %v", name, err)
		}
	}
	for name, wrong := range map[string]string{
		"GITHUB_SERVER_URL": "github.com", "GITHUB_REPOSITORY": "acme", "GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/release.yml",
		"GITHUB_SHA": "zzz", "GITHUB_RUN_ID": "7?x=1",
	} {
		_, err := attest.Provenance(func(k string) string {
			if k == name {
				return wrong
			}
			return github[k]
		}, attest.BuildDescription{})
		if err == nil || !strings.Contains(err.Error(), name+": expected ") {
			t.Errorf("%s=%s: expected an error that names it, found %v", name, wrong, err)
		}
	}
	local, err := attest.Provenance(func(string) string { return "" }, attest.BuildDescription{})
	if err != nil || !strings.Contains(string(local.Predicate), `"buildType":"https://plimsoll.example/buildtypes/local/v1"`) {
		t.Errorf("a local build: %s, %v", local.Predicate, err)
	}
}

func FuzzParseStatement(f *testing.F) {
	payload, err := attest.NewStatement([]attest.Subject{subject}, "https://example.com/p", []byte(`{"a":[1,2]}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := attest.ParseStatement(data)
		if err == nil && (len(s.Subject) == 0 || s.PredicateType == "" || (len(s.Predicate) > 0 && !json.Valid(s.Predicate))) {
			t.Errorf("accepted %+v", s)
		}
	})
}

func FuzzParseEnvelope(f *testing.F) {
	payload, err := attest.NewStatement([]attest.Subject{subject}, "https://example.com/p", []byte(`{}`))
	if err != nil {
		f.Fatal(err)
	}
	line, err := attest.Attest(f.Context(), key(f), payload)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := attest.ParseEnvelope(data)
		if err == nil && (len(p.Envelope.Signatures) != 1 || p.Envelope.PayloadType != attest.PayloadType) {
			t.Errorf("accepted %+v", p)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	plain, err := key(f).PrivatePEM(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("ENCRYPTED")) {
			return // opening costs time by design
		}
		if k, err := attest.ParseKey(data, nil); err == nil && k.ID() == "" {
			t.Error("a key without an id")
		}
	})
}

func BenchmarkAttestLargeSBOM(b *testing.B) {
	k := key(b)
	component := `{"type":"library","name":"n","version":"1.0.0","purl":"pkg:npm/n@1.0.0"},`
	doc := `{"bomFormat":"CycloneDX","specVersion":"1.7","components":[` + strings.Repeat(component, 24<<20/len(component))
	doc = strings.TrimSuffix(doc, ",") + "]}"
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		s, err := attest.ParseSBOM([]byte(doc))
		if err != nil {
			b.Fatal(err)
		}
		payload, err := attest.NewStatement([]attest.Subject{subject}, s.Type, s.Predicate)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := attest.Attest(b.Context(), k, payload); err != nil {
			b.Fatal(err)
		}
	}
}
