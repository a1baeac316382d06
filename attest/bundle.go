package attest

import (
	"context"
	"encoding/json"
	"fmt"
)

// BundleMediaType is the media type of the bundles this package writes
// (Sigstore bundle format v0.3).
const BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// A Bundle is a Sigstore bundle v0.3 around an envelope. Its fields are the subset of
// the format that the bundles of this project have. Bytes are base64 in its JSON, and
// 64-bit numbers are strings, as in protocol buffers' JSON.
type Bundle struct {
	MediaType            string               `json:"mediaType"`
	VerificationMaterial VerificationMaterial `json:"verificationMaterial"`
	DSSEEnvelope         Envelope             `json:"dsseEnvelope"`
}

// VerificationMaterial names who signed a [Bundle], by a key's hint or a certificate,
// and holds what logs and timestamp authorities say of it.
type VerificationMaterial struct {
	PublicKey   *PublicKeyHint `json:"publicKey,omitempty"`
	Certificate *Certificate   `json:"certificate,omitempty"`
	LogEntries  []LogEntry     `json:"tlogEntries,omitempty"`
	Timestamps  *Timestamps    `json:"timestampVerificationData,omitempty"`
}

// PublicKeyHint is the base64 of the SHA-256 of the key's DER (PKIX), as cosign
// writes it. It is a hint: it selects a key and proves nothing.
type PublicKeyHint struct {
	Hint string `json:"hint"`
}

// A Certificate is the signer's, in DER, without those above it.
type Certificate struct {
	RawBytes []byte `json:"rawBytes"`
}

// Timestamps are RFC 3161 responses over the signature, in DER.
type Timestamps struct {
	RFC3161 []Timestamp `json:"rfc3161Timestamps"`
}

// A Timestamp is one of [Timestamps].
type Timestamp struct {
	SignedTimestamp []byte `json:"signedTimestamp"`
}

// A LogEntry is a transparency log's answer (sigstore.rekor.v1.TransparencyLogEntry).
type LogEntry struct {
	LogIndex          int64             `json:"logIndex,string"`
	LogID             LogID             `json:"logId"`
	KindVersion       KindVersion       `json:"kindVersion"`
	IntegratedTime    int64             `json:"integratedTime,string,omitempty"` // seconds since 1970; Rekor v2 tells none
	InclusionPromise  *InclusionPromise `json:"inclusionPromise,omitempty"`      // Rekor v1
	InclusionProof    InclusionProof    `json:"inclusionProof"`
	CanonicalizedBody []byte            `json:"canonicalizedBody"`
}

// LogID names a log.
type LogID struct {
	KeyID []byte `json:"keyId"`
}

// KindVersion is the form of a log's entry.
type KindVersion struct {
	Kind    string `json:"kind"`
	Version string `json:"version"`
}

// InclusionPromise is a log's signed word that it will include an entry.
type InclusionPromise struct {
	SignedEntryTimestamp []byte `json:"signedEntryTimestamp"`
}

// InclusionProof is the Merkle proof that an entry is in a log (RFC 6962, 2.1.1).
type InclusionProof struct {
	LogIndex   int64      `json:"logIndex,string"`
	RootHash   []byte     `json:"rootHash"`
	TreeSize   int64      `json:"treeSize,string"`
	Hashes     [][]byte   `json:"hashes"`
	Checkpoint Checkpoint `json:"checkpoint"`
}

// Checkpoint is a log's signed note about its size and root.
type Checkpoint struct {
	Envelope string `json:"envelope"`
}

// Attest signs one statement and returns its bundle as one line of JSON, without the
// newline, which carries neither time nor log entry. The same statement and [Key] give
// the same bytes.
func Attest(ctx context.Context, signer Signer, payload []byte) ([]byte, error) {
	env, err := Sign(ctx, signer, SchemeSHA256, payload)
	if err != nil {
		return nil, err
	}
	return EncodeBundle(env, VerificationMaterial{PublicKey: &PublicKeyHint{Hint: signer.PublicHalf().Hint()}})
}

// EncodeBundle returns a bundle as one line of JSON, without the newline.
func EncodeBundle(env Envelope, material VerificationMaterial) ([]byte, error) {
	line, err := json.Marshal(Bundle{MediaType: BundleMediaType, VerificationMaterial: material, DSSEEnvelope: env})
	if err != nil {
		return nil, fmt.Errorf("encoding bundle: %w", err)
	}
	return line, nil
}
