package attest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/youmark/pkcs8"
)

// PEM block types of private keys. The Sigstore form is a PKCS#8 key in
// go-securesystemslib's scrypt and secretbox envelope, as cosign writes it.
const (
	pemPKCS8          = "PRIVATE KEY"
	pemPKCS8Encrypted = "ENCRYPTED PRIVATE KEY"
	pemSEC1           = "EC PRIVATE KEY"
	pemECParameters   = "EC PARAMETERS" // what openssl ecparam puts before a SEC1 key
	pemSigstore       = "ENCRYPTED SIGSTORE PRIVATE KEY"
	pemCosign         = "ENCRYPTED COSIGN PRIVATE KEY"
	pemPublic         = "PUBLIC KEY"
)

const minRSABits = 3072

// ErrPassphrase reports an encrypted key without a passphrase, or with one that
// does not open it.
var ErrPassphrase = errors.New("wrong or missing passphrase")

// A Key is a private key that signs statements: ECDSA P-256, P-384 or P-521,
// Ed25519, or RSA PKCS #1 v1.5 from 3072 bits on. ECDSA and RSA sign a SHA-256,
// whatever the curve: cosign verifies no other.
type Key struct {
	signer crypto.Signer
	der    []byte // PKIX public key
}

// DefaultKeyAlgorithm is what every verifier reads.
const DefaultKeyAlgorithm = "ecdsa-p256"

// generators make keys, by what they are called.
var generators = map[string]func() (crypto.Signer, error){
	DefaultKeyAlgorithm: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	"ecdsa-p384":        func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
	"ecdsa-p521":        func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) },
	"ed25519": func() (crypto.Signer, error) {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	},
	"rsa-3072": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 3072) },
	"rsa-4096": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 4096) },
}

// KeyAlgorithms are the kinds of key that are made, sorted.
func KeyAlgorithms() []string { return sortedNames(generators) }

// GenerateKey makes a key of one of [KeyAlgorithms].
func GenerateKey(algorithm string) (*Key, error) {
	generate, ok := generators[algorithm]
	if !ok {
		return nil, fmt.Errorf("generating key: expected one of %s, found %q", strings.Join(KeyAlgorithms(), ", "), algorithm)
	}
	private, err := generate()
	if err != nil {
		return nil, fmt.Errorf("generating key: %w", err)
	}
	return newKey(private)
}

// ParseKey reads a private key from PEM: PKCS#8 (plain, encrypted), SEC1, or
// Sigstore's encrypted form. For an encrypted key without the right passphrase
// the error is [ErrPassphrase].
func ParseKey(data, passphrase []byte) (*Key, error) {
	block, rest := pem.Decode(data)
	for block != nil && block.Type == pemECParameters {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("expected a private key in PEM, found none")
	}
	der := block.Bytes
	switch block.Type {
	case pemSEC1:
		if block.Headers["DEK-Info"] != "" {
			return nil, errors.New("the key is encrypted in openssl's old PEM form; convert it with: openssl pkcs8 -topk8 -in OLD -out NEW")
		}
		private, err := x509.ParseECPrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("reading SEC1 key: %w", err)
		}
		return newKey(private)
	case pemPKCS8:
	case pemPKCS8Encrypted:
		private, err := pkcs8.ParsePKCS8PrivateKey(der, passphrase)
		if err != nil {
			return nil, fmt.Errorf("opening the encrypted key: %w", ErrPassphrase)
		}
		return newKey(private)
	case pemSigstore, pemCosign:
		var err error
		if der, err = encrypted.Decrypt(der, passphrase); err != nil {
			return nil, fmt.Errorf("opening the encrypted key: %w", ErrPassphrase)
		}
	case pemPublic:
		return nil, errors.New("expected a private key, found a public one")
	default:
		return nil, fmt.Errorf("expected a private key (%s, %s or %s), found %q", pemPKCS8, pemSEC1, pemSigstore, clip(block.Type))
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading PKCS#8 key: %w", err)
	}
	return newKey(private)
}

func newKey(private any) (*Key, error) {
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("expected an ECDSA, Ed25519 or RSA key, found %T", private)
	}
	if err := CheckPublicKey(signer.Public()); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return nil, fmt.Errorf("encoding public key: %w", err)
	}
	return &Key{signer: signer, der: der}, nil
}

// CheckPublicKey reports kinds and sizes of keys that this project neither
// signs with nor accepts.
func CheckPublicKey(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return fmt.Errorf("expected curve P-256, P-384 or P-521, found %s", k.Curve.Params().Name)
	case ed25519.PublicKey:
		return nil
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSABits {
			return nil
		}
		return fmt.Errorf("expected an RSA key of at least %d bits, found %d", minRSABits, k.N.BitLen())
	}
	return fmt.Errorf("expected an ECDSA, Ed25519 or RSA key, found %T", public)
}

// Public returns the public half.
func (k *Key) Public() crypto.PublicKey { return k.signer.Public() }

// PublicHalf returns the public half with its names.
func (k *Key) PublicHalf() *PublicKey { return &PublicKey{k.signer.Public(), k.der} }

// ID is [PublicKey.ID].
func (k *Key) ID() string { return keyID(k.der) }

// Hint is [PublicKey.Hint].
func (k *Key) Hint() string { return k.PublicHalf().Hint() }

// Algorithm is [PublicKey.Algorithm].
func (k *Key) Algorithm() string { return k.PublicHalf().Algorithm() }

// PublicPEM returns the public half as PEM.
func (k *Key) PublicPEM() []byte { return k.PublicHalf().PEM() }

// PrivatePEM returns the key as PKCS#8 PEM, or, with a passphrase, in Sigstore's
// encrypted form.
func (k *Key) PrivatePEM(passphrase []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return nil, fmt.Errorf("encoding key: %w", err)
	}
	if len(passphrase) == 0 {
		return pem.EncodeToMemory(&pem.Block{Type: pemPKCS8, Bytes: der}), nil
	}
	sealed, err := encrypted.Encrypt(der, passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypting key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemSigstore, Bytes: sealed}), nil
}

// SignMessage implements [Signer].
func (k *Key) SignMessage(_ context.Context, message []byte, scheme Scheme) ([]byte, error) {
	hash := k.PublicHalf().Hash(scheme)
	if hash == 0 { // signs the message itself
		return k.signer.Sign(nil, message, hash)
	}
	var random io.Reader // without one, ECDSA signs as in RFC 6979
	if scheme == SchemeCurve {
		random = rand.Reader
	}
	digest := hash.New()
	digest.Write(message)
	return k.signer.Sign(random, digest.Sum(nil), hash)
}
