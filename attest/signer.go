package attest

import "context"

// A Signer holds a private key, or knows whom to ask for signatures with it. The
// public key must be one that [CheckPublicKey] takes. It may be used by several
// goroutines.
type Signer interface {
	PublicHalf() *PublicKey
	// SignMessage returns a signature over message.
	SignMessage(ctx context.Context, message []byte, scheme Scheme) ([]byte, error)
}

// A Scheme says how a message is signed.
type Scheme int

const (
	// SchemeSHA256 signs a SHA-256 whatever the curve, because cosign verifies no
	// other with a key; Ed25519 signs the message. A [Key] gives the same signature
	// for the same message.
	SchemeSHA256 Scheme = iota
	// SchemeCurve signs the hash that goes with the curve, SHA-384 with P-384 and
	// SHA-512 with P-521, and another signature each time: Rekor v2 takes no other,
	// and none twice.
	SchemeCurve
)
