package sigstore

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"

	sgverify "github.com/sigstore/sigstore-go/pkg/verify"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// TypeRelease is the predicate type of a statement that signs a file by itself:
// in-toto's release.
const TypeRelease = "https://in-toto.io/attestation/release/v0.1"

// CheckFile verifies a bundle that signs a file: a message signature, as cosign
// sign-blob makes, or a release statement whose subject is the file. With keys one
// of them must have signed; without, a certificate of the root, whose identity the
// caller has to judge. Errors are *verify.Refusal where the bundle is at fault.
func CheckFile(ctx context.Context, bundle, file []byte, keys []crypto.PublicKey, trust func() (*Root, error)) (verify.Signature, error) {
	var logged *LogChecker
	if len(keys) == 0 {
		trusted, err := trust()
		if err != nil {
			return verify.Signature{}, err
		}
		if logged, err = NewLogChecker(trusted, nil); err != nil {
			return verify.Signature{}, err
		}
	}
	pinned, err := NewKeyChecker(keys)
	if err != nil {
		return verify.Signature{}, err
	}
	if _, err := attest.ParseEnvelope(bundle); err == nil {
		var checker verify.Checker = pinned
		if logged != nil {
			checker = logged
		}
		return checkRelease(ctx, checker, bundle, file)
	}
	digests := fileDigests(file)
	if logged != nil {
		return logged.CheckArtifact(bundle, digests)
	}
	return pinned.checkMessage(bundle, digests)
}

func fileDigests(file []byte) map[string][]byte {
	s256, s384, s512 := sha256.Sum256(file), sha512.Sum384(file), sha512.Sum512(file)
	return map[string][]byte{"sha256": s256[:], "sha384": s384[:], "sha512": s512[:]}
}

func checkRelease(ctx context.Context, checker verify.Checker, bundle, file []byte) (verify.Signature, error) {
	digests := attest.DigestSet{}
	for alg, sum := range fileDigests(file) {
		digests[alg] = hex.EncodeToString(sum)
	}
	statement, err := verify.Open(ctx, checker, bundle, verify.Artifact{Name: "the file", Digests: digests})
	if err != nil {
		return verify.Signature{}, err
	}
	if found := statement.Statement().PredicateType; found != TypeRelease {
		return verify.Signature{}, &verify.Refusal{Code: verify.CodeTypeMissing, Expected: "a statement of type " + TypeRelease, Found: found}
	}
	return statement.Signature(), nil
}

// checkMessage verifies a message signature by one of the keys.
func (c *KeyChecker) checkMessage(bundle []byte, digests map[string][]byte) (verify.Signature, error) {
	e, err := parseEntity(bundle)
	if err != nil {
		return verify.Signature{}, err
	}
	if e.GetMessageSignature() == nil || e.content.PublicKey() == nil {
		return verify.Signature{}, &verify.Refusal{Code: verify.CodeSignerUnknown, Expected: "a signature by " + c.describe(), Found: "one by a certificate"}
	}
	alg := messageAlgorithm(e)
	if len(digests[alg]) == 0 {
		return verify.Signature{}, &verify.Refusal{Code: verify.CodeSubjectMismatch, Expected: "a signature over SHA-256, SHA-384 or SHA-512", Found: "one over " + alg}
	}
	last := errors.New("no key is trusted here")
	for _, k := range c.keys {
		for _, v := range k.verifiers {
			if _, last = v.Verify(e, sgverify.NewPolicy(sgverify.WithArtifactDigest(alg, digests[alg]), sgverify.WithKey())); last == nil {
				return verify.Signature{KeyID: k.id}, nil
			}
		}
	}
	return verify.Signature{}, &verify.Refusal{Code: codeOf(last), Expected: "a signature over the file by " + c.describe(), Found: reason(last)}
}
