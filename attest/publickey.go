package attest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
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
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding public key: %w", err)
	}
	return &PublicKey{key, der}, nil
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

// PEM returns the key as PEM.
func (k *PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: k.der})
}
