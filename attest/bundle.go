package attest

import (
	"encoding/json"
	"fmt"
)

// BundleMediaType is the media type of the bundles this package writes
// (Sigstore bundle format v0.3).
const BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// A Bundle is a Sigstore bundle v0.3 around an envelope signed by a public key
// that the verifier is expected to know. Its fields are the subset of the
// format that such a bundle has.
type Bundle struct {
	MediaType            string               `json:"mediaType"`
	VerificationMaterial VerificationMaterial `json:"verificationMaterial"`
	DSSEEnvelope         Envelope             `json:"dsseEnvelope"`
}

// VerificationMaterial names the key of a [Bundle].
type VerificationMaterial struct {
	PublicKey PublicKeyHint `json:"publicKey"`
}

// PublicKeyHint is the base64 of the SHA-256 of the key's DER (PKIX), as cosign
// writes it. It is a hint: it selects a key and proves nothing.
type PublicKeyHint struct {
	Hint string `json:"hint"`
}

// Attest signs one statement and returns its bundle as one line of JSON,
// without the newline. The same statement and key give the same bytes.
func Attest(key *Key, payload []byte) ([]byte, error) {
	env, err := Sign(key, payload)
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(Bundle{
		MediaType:            BundleMediaType,
		VerificationMaterial: VerificationMaterial{PublicKey: PublicKeyHint{Hint: key.Hint()}},
		DSSEEnvelope:         env,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding bundle: %w", err)
	}
	return line, nil
}
