package attest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// A PublicKey is a public key with its names.
type PublicKey struct {
	key crypto.PublicKey
	der []byte // PKIX
}

// ParsePublicKey reads one public key (PKIX) from PEM and refuses anything
// before or after it.
func ParsePublicKey(data []byte) (crypto.PublicKey, error) {
	data = bytes.TrimSpace(data)
	block, rest := pem.Decode(data)
	if block == nil || block.Type != pemPublic {
		found := "no PEM"
		if block != nil {
			found = fmt.Sprintf("%q", clip(block.Type))
		}
		return nil, fmt.Errorf("expected a PEM block %q, found %s", pemPublic, found)
	}
	// A second key that is dropped without a word would be missed one day.
	if len(bytes.TrimSpace(rest)) > 0 || !bytes.HasPrefix(data, []byte("-----BEGIN ")) {
		return nil, errors.New("expected one public key and nothing before or after it")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading public key: %w", err)
	}
	if err := CheckPublicKey(public); err != nil {
		return nil, err
	}
	return public, nil
}

// ParsePublicHalf is [ParsePublicKey], with the key's names.
func ParsePublicHalf(data []byte) (*PublicKey, error) {
	key, err := ParsePublicKey(data)
	if err != nil {
		return nil, err
	}
	return NewPublicKey(key)
}

// ID names the key for people: "SHA256:" and the hexadecimal SHA-256 of its PKIX DER.
func (k *PublicKey) ID() string { return keyID(k.der) }

// KeyID is [PublicKey.ID] of a key.
func KeyID(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("encoding public key: %w", err)
	}
	return keyID(der), nil
}

func keyID(der []byte) string {
	sum := sha256.Sum256(der)
	return "SHA256:" + hex.EncodeToString(sum[:])
}

// Hint names the key in a bundle: the base64 of the SHA-256 of its PKIX DER.
func (k *PublicKey) Hint() string {
	sum := sha256.Sum256(k.der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Algorithm says what kind of key it is, as [KeyAlgorithms] do; RSA keys of other
// lengths are rsa-BITS.
func (k *PublicKey) Algorithm() string {
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		return "ecdsa-p" + strings.TrimPrefix(key.Curve.Params().Name, "P-")
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa-%d", key.N.BitLen())
	}
	return "ed25519"
}

// Hash is the hash that a scheme signs with this key, or 0 where it signs the message
// itself (Ed25519).
func (k *PublicKey) Hash(scheme Scheme) crypto.Hash {
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		return 0
	case *ecdsa.PublicKey:
		switch {
		case scheme == SchemeCurve && key.Curve == elliptic.P384():
			return crypto.SHA384
		case scheme == SchemeCurve && key.Curve == elliptic.P521():
			return crypto.SHA512
		}
	}
	return crypto.SHA256
}

// Key returns the key itself.
func (k *PublicKey) Key() crypto.PublicKey { return k.key }

// NewPublicKey names a key that [CheckPublicKey] takes.
func NewPublicKey(key crypto.PublicKey) (*PublicKey, error) {
	if err := CheckPublicKey(key); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding public key: %w", err)
	}
	return &PublicKey{key, der}, nil
}

// Verify says whether a signature over message is by this key, under a scheme.
func (k *PublicKey) Verify(message, sig []byte, scheme Scheme) bool {
	digest := message
	hash := k.Hash(scheme)
	if hash != 0 {
		h := hash.New()
		h.Write(message)
		digest = h.Sum(nil)
	}
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, digest, sig) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, sig)
	}
	return false
}

// PEM returns the key as PEM.
func (k *PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: k.der})
}
