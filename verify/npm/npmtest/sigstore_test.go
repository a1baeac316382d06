package npmtest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/npmtest"
	"plimsoll.example/verify/sigstore"
)

var march = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func newSigstore(t testing.TB) *npmtest.Sigstore {
	t.Helper()
	s, err := npmtest.NewSigstore()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkerOf(t testing.TB, s *npmtest.Sigstore) verify.Checker {
	t.Helper()
	trusted, err := sigstore.ParseRoot(s.TrustedRoot())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sigstore.ParseNPMKeys(s.NPMKeys(), "npm:attestations")
	if err != nil {
		t.Fatal(err)
	}
	c, err := sigstore.NewLogChecker(trusted, keys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func bytesOf(name, version string) (pkg npm.Package, digest string) {
	sum := sha512.Sum512([]byte("bytes of " + name))
	return npm.Package{Name: name, Version: version, Integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:])}, hex.EncodeToString(sum[:])
}

const registryURL = "http://registry.test"

func TestAnswerHolds(t *testing.T) {
	s := newSigstore(t)
	checker := checkerOf(t, s)
	for _, name := range []string{"foo", "@acme/foo"} {
		for _, at := range []time.Time{march, time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC), time.Now()} {
			pkg, digest := bytesOf(name, "1.2.3")
			id := npmtest.GitHub("acme/foo")
			answer := s.Answer(s.Publish(name, "1.2.3", digest, registryURL, at), s.Provenance(name, "1.2.3", digest, id, at))
			origin, err := npm.CheckAttestations(context.Background(), checker, pkg, answer)
			if err != nil {
				t.Fatalf("%s at %s: %v", name, at, err)
			}
			want := npm.Origin{Registry: registryURL, PublishedAt: at.UTC().Truncate(time.Second), Issuer: id.Issuer, Identity: id.SAN, Repository: id.Repository,
				RepositoryID: id.RepositoryID, OwnerID: id.OwnerID, Commit: id.Commit, Ref: id.Ref, Workflow: id.BuildConfigURI, Runner: id.Runner, Trigger: id.Trigger, Bundle: origin.Bundle}
			if a, b := asJSON(t, *origin), asJSON(t, want); a != b {
				t.Errorf("expected %s, found %s", b, a)
			}
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestAnswerRefused: an edit is signed, and is what the check refuses.
func TestAnswerRefused(t *testing.T) {
	s, stranger := newSigstore(t), newSigstore(t)
	checker := checkerOf(t, s)
	pkg, digest := bytesOf("foo", "1.2.3")
	_, other := bytesOf("bar", "1.2.3")
	id := npmtest.GitHub("acme/foo")
	publish, provenance := s.Publish("foo", "1.2.3", digest, registryURL, march), s.Provenance("foo", "1.2.3", digest, id, march)
	gitlab := id
	gitlab.Issuer = "https://issuer.test"
	predicate := func(st map[string]any) map[string]any { return st["predicate"].(map[string]any) }
	for name, c := range map[string]struct {
		members []json.RawMessage
		code    verify.Code
	}{
		"another Sigstore's provenance": {[]json.RawMessage{publish, stranger.Provenance("foo", "1.2.3", digest, id, march)}, verify.CodeLogInvalid},
		"another registry's key":        {[]json.RawMessage{stranger.Publish("foo", "1.2.3", digest, registryURL, march), provenance}, verify.CodeSignerUnknown},
		"other bytes":                   {[]json.RawMessage{publish, s.Provenance("foo", "1.2.3", other, id, march)}, verify.CodeSubjectMismatch},
		"another issuer":                {[]json.RawMessage{publish, s.Provenance("foo", "1.2.3", digest, gitlab, march)}, verify.CodeIssuerUnknown},
		"an edited provenance": {[]json.RawMessage{publish, s.Provenance("foo", "1.2.3", digest, id, march, func(st map[string]any) {
			predicate(st)["buildDefinition"].(map[string]any)["internalParameters"].(map[string]any)["github"].(map[string]any)["repository_id"] = "1"
		})}, verify.CodeProvenanceMismatch},
		"an edited publish attestation": {[]json.RawMessage{s.Publish("foo", "1.2.3", digest, registryURL, march, func(st map[string]any) { predicate(st)["version"] = "1.2.4" }), provenance}, verify.CodePublishMismatch},
		"an edited type":                {[]json.RawMessage{publish, s.Provenance("foo", "1.2.3", digest, id, march, func(st map[string]any) { st["predicateType"] = "https://type.test" })}, verify.CodeProvenanceMissing},
		"no provenance":                 {[]json.RawMessage{publish}, verify.CodeProvenanceMissing},
		"nothing":                       {nil, verify.CodeAnswerMalformed},
	} {
		_, err := npm.CheckAttestations(context.Background(), checker, pkg, s.Answer(c.members...))
		var refused *verify.Refusal
		if !errors.As(err, &refused) || refused.Code != c.code {
			t.Errorf("%s: expected %s, found %v", name, c.code, err)
		}
	}
}

// TestExtensions: each field of an identity is in the certificate where Fulcio has it,
// and an empty one is not there.
func TestExtensions(t *testing.T) {
	s := newSigstore(t)
	leaf := leafOf(t, s.Provenance("foo", "1.2.3", strings.Repeat("ab", 64), npmtest.GitHub("acme/foo"), march))
	seen := map[string]bool{}
	for _, e := range leaf.Extensions {
		seen[e.Id.String()] = true
	}
	for n := 1; n <= 22; n++ {
		if oid := fmt.Sprintf("1.3.6.1.4.1.57264.1.%d", n); seen[oid] != (n != 7) {
			t.Errorf("%s: found %v", oid, seen[oid])
		}
	}
	if !seen["1.3.6.1.4.1.11129.2.4.2"] {
		t.Error("no certificate timestamp")
	}
	if leaf.NotBefore.After(march) || leaf.NotAfter.Before(march) || leaf.NotAfter.Sub(leaf.NotBefore) != 10*time.Minute {
		t.Errorf("valid from %s until %s", leaf.NotBefore, leaf.NotAfter)
	}
	bare := leafOf(t, s.Provenance("foo", "1.2.3", strings.Repeat("ab", 64), npmtest.Identity{Issuer: "https://issuer.test", SAN: "dev@acme.test"}, march))
	if len(bare.EmailAddresses) != 1 || len(bare.URIs) != 0 {
		t.Errorf("alternative names %v and %v", bare.EmailAddresses, bare.URIs)
	}
	for _, e := range bare.Extensions {
		if oid := e.Id.String(); strings.HasPrefix(oid, "1.3.6.1.4.1.57264.1.") && oid != "1.3.6.1.4.1.57264.1.1" && oid != "1.3.6.1.4.1.57264.1.8" {
			t.Errorf("an empty identity has %s", oid)
		}
	}
}

func leafOf(t *testing.T, member json.RawMessage) *x509.Certificate {
	t.Helper()
	var m struct {
		Bundle struct {
			VerificationMaterial struct {
				Certificate struct {
					RawBytes []byte `json:"rawBytes"`
				} `json:"certificate"`
			} `json:"verificationMaterial"`
		} `json:"bundle"`
	}
	if err := json.Unmarshal(member, &m); err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(m.Bundle.VerificationMaterial.Certificate.RawBytes)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func TestKeys(t *testing.T) {
	s := newSigstore(t)
	if _, err := root.NewTrustedRootFromJSON(s.TrustedRoot()); err != nil {
		t.Error(err)
	}
	keys, err := sigstore.ParseNPMKeys(s.NPMKeys(), "npm:signatures")
	if err != nil {
		t.Fatal(err)
	}
	pkg, _ := bytesOf("foo", "1.2.3")
	keyid, sig := s.Sign("foo", "1.2.3", pkg.Integrity)
	if !holds(t, keys, keyid, sig, pkg, march) {
		t.Error("the registry's signature does not hold")
	}
	pkg.Version = "1.2.4"
	if holds(t, keys, keyid, sig, pkg, march) {
		t.Error("the registry's signature holds for another version")
	}
	var endpoint struct {
		Keys []struct {
			KeyID   string     `json:"keyid"`
			Key     []byte     `json:"key"`
			Expires *time.Time `json:"expires"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(s.KeysEndpoint(), &endpoint); err != nil || len(endpoint.Keys) != len(keys) {
		t.Fatalf("expected %d keys, found %s, %v", len(keys), s.KeysEndpoint(), err)
	}
	for i, k := range endpoint.Keys {
		spki, err := x509.MarshalPKIXPublicKey(keys[i].Public)
		if err != nil || k.KeyID != keys[i].Hint || string(k.Key) != string(spki) || (k.Expires == nil) != keys[i].NotAfter.IsZero() {
			t.Errorf("key %d: expected %+v, found %+v, %v", i, keys[i], k, err)
		}
	}
}

// holds says whether a registry's signature is by one of the keys, in its time.
func holds(t *testing.T, keys []sigstore.Key, keyid, sig string, pkg npm.Package, at time.Time) bool {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(pkg.String() + ":" + pkg.Integrity))
	for _, k := range keys {
		if k.Hint == keyid && !at.Before(k.NotBefore) && (k.NotAfter.IsZero() || at.Before(k.NotAfter)) {
			return ecdsa.VerifyASN1(k.Public.(*ecdsa.PublicKey), sum[:], der)
		}
	}
	return false
}

func BenchmarkProvenance(b *testing.B) {
	s := newSigstore(b)
	id := npmtest.GitHub("acme/foo")
	for b.Loop() {
		s.Provenance("foo", "1.2.3", strings.Repeat("ab", 64), id, march)
	}
}
