package sigstore

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// A KeyChecker accepts envelopes signed by one of a fixed set of public keys. It
// looks at neither logs nor timestamps: whether a key may still be used is the
// policy's to say. The zero KeyChecker accepts nothing.
type KeyChecker struct {
	keys []pinnedKey
}

type pinnedKey struct {
	id        string // attest.KeyID
	hint      string // as in bundles
	verifiers []*sgverify.Verifier
	expiring  *root.ExpiringKey // for log entries and timestamps
}

// NewKeyChecker returns a checker for keys that the caller trusts.
func NewKeyChecker(keys []crypto.PublicKey) (*KeyChecker, error) {
	c := &KeyChecker{}
	for _, public := range keys {
		id, err := attest.KeyID(public)
		if err != nil {
			return nil, err
		}
		sum, err := hex.DecodeString(strings.TrimPrefix(id, "SHA256:"))
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", id, err)
		}
		key := pinnedKey{id: id, hint: base64.StdEncoding.EncodeToString(sum)}
		if key.verifiers, err = keyVerifiers(public); err != nil {
			return nil, fmt.Errorf("key %s: %w", id, err)
		}
		usual, err := signature.LoadDefaultVerifier(public)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", id, err)
		}
		key.expiring = root.NewExpiringKey(usual, time.Time{}, time.Time{})
		c.keys = append(c.keys, key)
	}
	return c, nil
}

// keyVerifiers returns a verifier for each way in which a key signs: the default
// of its kind, and for ECDSA on the larger curves SHA-256 too, which is what
// cosign and this project use with every curve.
func keyVerifiers(public crypto.PublicKey) ([]*sgverify.Verifier, error) {
	if err := attest.CheckPublicKey(public); err != nil {
		return nil, err
	}
	usual, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return nil, err
	}
	ways := []signature.Verifier{usual}
	if k, ok := public.(*ecdsa.PublicKey); ok && k.Curve != elliptic.P256() {
		withSHA256, err := signature.LoadECDSAVerifier(k, crypto.SHA256)
		if err != nil {
			return nil, err
		}
		ways = append(ways, withSHA256)
	}
	var verifiers []*sgverify.Verifier
	for _, way := range ways {
		v, err := sgverify.NewVerifier(keyMaterial(way), sgverify.WithNoObserverTimestamps())
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, v)
	}
	return verifiers, nil
}

// keyMaterial trusts one key, whatever the bundle calls it: which keys are tried
// is decided here and not by the bundle's hint.
func keyMaterial(verifier signature.Verifier) root.TrustedMaterial {
	key := root.NewExpiringKey(verifier, time.Time{}, time.Time{})
	return root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return key, nil })
}

// Check implements [verify.Checker].
func (c *KeyChecker) Check(_ context.Context, raw verify.Raw) (verify.Signature, error) {
	if raw.Certificate {
		return verify.Signature{}, &verify.Refusal{Code: verify.CodeSignerUnknown,
			Expected: "a signature by a key of the policy", Found: "one by a certificate"}
	}
	for _, named := range c.keys {
		if raw.KeyHint != named.hint {
			continue
		}
		if err := named.verify(raw.Envelope); err != nil {
			return verify.Signature{}, &verify.Refusal{Code: codeOf(err),
				Expected: "a signature by key " + named.id + ", which the attestation names", Found: reason(err)}
		}
		return verify.Signature{KeyID: named.id}, nil
	}
	// Other tools name keys in other ways, or not at all.
	for _, key := range c.keys {
		err := key.verify(raw.Envelope)
		if err == nil {
			return verify.Signature{KeyID: key.id}, nil
		}
	}
	return verify.Signature{}, &verify.Refusal{Code: verify.CodeSignerUnknown,
		Expected: "a signature by " + c.describe(), Found: "one by " + describeHint(raw.KeyHint)}
}

// verify checks an envelope that is wrapped anew, so that what sigstore-go
// verifies is by construction what this project parsed.
func (k pinnedKey) verify(env attest.Envelope) error {
	b, err := bundle.NewBundle(&protobundle.Bundle{
		MediaType: attest.BundleMediaType,
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: k.hint}},
		},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload:     env.Payload,
			PayloadType: env.PayloadType,
			Signatures:  []*protodsse.Signature{{Sig: env.Signatures[0].Sig}},
		}},
	})
	if err != nil {
		return err
	}
	err = errors.New("the key has no verifier")
	for _, v := range k.verifiers {
		// The subject is matched by verify.Open, more strictly than sigstore-go does.
		if _, err = v.Verify(unread{b}, sgverify.NewPolicy(sgverify.WithoutArtifactUnsafe(), sgverify.WithKey())); err == nil {
			return nil
		}
	}
	return err
}

func (c *KeyChecker) describe() string {
	ids := make([]string, len(c.keys))
	for i, k := range c.keys {
		ids[i] = k.id
	}
	if len(ids) == 0 {
		return "a known key (there is none)"
	}
	return "key " + strings.Join(ids, " or ")
}

// describeHint shows a bundle's hint in the form in which keys are shown.
func describeHint(hint string) string {
	if sum, err := base64.StdEncoding.DecodeString(hint); err == nil && len(sum) == 32 {
		return "a key that calls itself SHA256:" + hex.EncodeToString(sum)
	}
	if hint == "" {
		return "a key without a name"
	}
	if len(hint) > 100 {
		hint = hint[:100] + "..."
	}
	return fmt.Sprintf("a key that calls itself %q", hint)
}
