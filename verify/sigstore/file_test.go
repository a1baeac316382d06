package sigstore_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

func newKey(t *testing.T, algorithm string) *attest.Key {
	t.Helper()
	key, err := attest.GenerateKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// blobBundle signs a file as cosign sign-blob does.
func blobBundle(t *testing.T, key *attest.Key, file string) string {
	t.Helper()
	sig, err := key.SignMessage(context.Background(), []byte(file), attest.SchemeSHA256)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(file))
	return fmt.Sprintf(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":%q},"signature":%q}}`,
		base64.StdEncoding.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(sig))
}

func TestCheckFile(t *testing.T) {
	key, other := newKey(t, "ecdsa-p256"), newKey(t, "ecdsa-p256")
	file := "version: 1\n"
	release := func(predicateType, content string) string {
		digests, _, err := attest.Digest(strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := attest.NewStatement([]attest.Subject{{Name: "f", Digest: digests}}, predicateType, []byte(`{"purl":"pkg:generic/a@1"}`))
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := attest.Attest(context.Background(), key, payload)
		if err != nil {
			t.Fatal(err)
		}
		return string(bundle)
	}
	for name, c := range map[string]struct {
		bundle string
		keys   []crypto.PublicKey
		ok     bool
	}{
		"a message":                 {blobBundle(t, key, file), []crypto.PublicKey{key.Public()}, true},
		"a message, second key":     {blobBundle(t, key, file), []crypto.PublicKey{other.Public(), key.Public()}, true},
		"a message over another":    {blobBundle(t, key, file+"#"), []crypto.PublicKey{key.Public()}, false},
		"a message by another":      {blobBundle(t, other, file), []crypto.PublicKey{key.Public()}, false},
		"another digest is named":   {strings.Replace(blobBundle(t, key, file), "SHA2_256", "SHA2_512", 1), []crypto.PublicKey{key.Public()}, false},
		"an unknown digest":         {strings.Replace(blobBundle(t, key, file), "SHA2_256", "SHA3_256", 1), []crypto.PublicKey{key.Public()}, false},
		"a release":                 {release(sigstore.TypeRelease, file), []crypto.PublicKey{key.Public()}, true},
		"a release of another":      {release(sigstore.TypeRelease, file+"#"), []crypto.PublicKey{key.Public()}, false},
		"another statement":         {release("https://example.com/p", file), []crypto.PublicKey{key.Public()}, false},
		"a release by another":      {release(sigstore.TypeRelease, file), []crypto.PublicKey{other.Public()}, false},
		"by a key, not an identity": {blobBundle(t, key, file), nil, false},
		"junk":                      {"junk", []crypto.PublicKey{key.Public()}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sigstore.CheckFile(context.Background(), []byte(c.bundle), []byte(file), c.keys, sigstore.PublicGood)
			var refused *verify.Refusal
			if (err == nil) != c.ok || (err != nil && !errors.As(err, &refused)) || (c.ok && s.KeyID != key.ID()) {
				t.Errorf("found %+v, %v", s, err)
			}
		})
	}
}

// TestCheckFileVectors: files that other tools signed with a key.
func TestCheckFileVectors(t *testing.T) {
	for name, ok := range map[string]bool{"managed-key-happy-path": true, "managed-key-wrong-key_fail": false} {
		dir := filepath.Join(*conformanceDir, name)
		bundle, err := os.ReadFile(filepath.Join(dir, "bundle.sigstore.json"))
		if errors.Is(err, fs.ErrNotExist) {
			t.Skipf("no conformance cases at %s", *conformanceDir)
		}
		pem, pemErr := os.ReadFile(filepath.Join(dir, "key.pub"))
		file, fileErr := os.ReadFile(filepath.Join(*conformanceDir, "a.txt"))
		if err := errors.Join(err, pemErr, fileErr); err != nil {
			t.Fatal(err)
		}
		public, err := attest.ParsePublicKey(pem)
		if err != nil && !ok {
			continue // it is no point of its curve
		} else if err != nil {
			t.Fatal(err)
		}
		if _, err := sigstore.CheckFile(context.Background(), bundle, file, []crypto.PublicKey{public}, sigstore.PublicGood); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
