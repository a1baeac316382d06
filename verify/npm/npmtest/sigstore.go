package npmtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// Validity of what a Sigstore is made of: signatures may be of any time between
// these, except by the expired key.
var (
	validFrom  = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	validUntil = time.Date(2051, 1, 1, 0, 0, 0, 0, time.UTC)
	// expiredAt is when the registry's older key ended, as npm's own did.
	expiredAt = time.Date(2025, 1, 29, 0, 0, 0, 0, time.UTC)
)

// A Sigstore signs what npm's registry and its publishers sign. It may be used by
// several goroutines.
type Sigstore struct {
	root, intermediate *x509.Certificate
	authority          *ecdsa.PrivateKey // the intermediate's
	ct, rekor          logKey
	npm, expired       registryKey // both in NPMKeys
	other              registryKey // nobody knows this one
	entries            atomic.Int64
}

// logKey is the key of a log, and the log's identifier.
type logKey struct {
	*ecdsa.PrivateKey
	id []byte // SHA-256 of the public key
}

// registryKey is a key with which a registry signs.
type registryKey struct {
	*ecdsa.PrivateKey
	id   string // as npm names keys
	spki []byte
}

// NewSigstore returns a Sigstore with new keys.
func NewSigstore() (*Sigstore, error) {
	s := &Sigstore{}
	if err := s.makeAuthority(); err != nil {
		return nil, fmt.Errorf("making a certificate authority: %w", err)
	}
	for _, l := range []*logKey{&s.ct, &s.rekor} {
		key, spki, err := newKey()
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(spki)
		*l = logKey{key, sum[:]}
	}
	for _, k := range []*registryKey{&s.npm, &s.expired, &s.other} {
		key, spki, err := newKey()
		if err != nil {
			return nil, err
		}
		// npm names its keys as SSH does; sigstore-go refuses another name.
		id, err := dsse.SHA256KeyID(key.Public())
		if err != nil {
			return nil, err
		}
		*k = registryKey{key, id, spki}
	}
	return s, nil
}

func newKey() (key *ecdsa.PrivateKey, spki []byte, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	spki, err = x509.MarshalPKIXPublicKey(key.Public())
	return key, spki, err
}

// makeAuthority makes a root and an intermediate on Fulcio's curve.
func (s *Sigstore) makeAuthority() error {
	rootKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return err
	}
	if s.authority, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader); err != nil {
		return err
	}
	certify := func(name string, serial int64, parent *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
		c := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name, Organization: []string{"npmtest"}},
			NotBefore: validFrom, NotAfter: validUntil,
			BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}
		if parent == nil {
			parent = c
		} else {
			c.ExtKeyUsage, c.MaxPathLenZero = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, true
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, public, rootKey)
		if err != nil {
			return nil, err
		}
		return x509.ParseCertificate(der)
	}
	if s.root, err = certify("npmtest root", 1, nil, rootKey.Public()); err != nil {
		return err
	}
	s.intermediate, err = certify("npmtest intermediate", 2, s.root, s.authority.Public())
	return err
}

// TrustedRoot returns the trusted_root.json (Sigstore protobuf-specs, TrustedRoot)
// by which this Sigstore's signatures hold.
func (s *Sigstore) TrustedRoot() []byte {
	logs := func(url string, key logKey) map[string]*root.TransparencyLog {
		return map[string]*root.TransparencyLog{hex.EncodeToString(key.id): {
			BaseURL: url, ID: key.id, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
			PublicKey: key.Public(), ValidityPeriodStart: validFrom,
		}}
	}
	authority := &root.FulcioCertificateAuthority{
		Root: s.root, Intermediates: []*x509.Certificate{s.intermediate},
		ValidityPeriodStart: validFrom, URI: "https://fulcio.test",
	}
	trusted := must(root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{authority},
		logs("https://ct.test", s.ct), nil, logs("https://"+rekorHost, s.rekor)))
	return must(json.MarshalIndent(trusted, "", "  "))
}

// NPMKeys returns the registry's keys as npm's TUF target keys.json has them: one
// that is valid since 2021, and one that ended on 2025-01-29, each for signatures
// and for attestations.
func (s *Sigstore) NPMKeys() []byte {
	var keys []any
	for _, k := range []struct {
		registryKey
		until time.Time
	}{{s.expired, expiredAt}, {s.npm, time.Time{}}} {
		validFor := map[string]any{"start": validFrom.Format(time.RFC3339)}
		if !k.until.IsZero() {
			validFor["end"] = k.until.Format(time.RFC3339)
		}
		for _, usage := range []string{"npm:signatures", "npm:attestations"} {
			keys = append(keys, map[string]any{"keyId": k.id, "keyUsage": usage, "publicKey": map[string]any{
				"rawBytes": base64.StdEncoding.EncodeToString(k.spki), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": validFor,
			}})
		}
	}
	return must(json.MarshalIndent(map[string]any{"keys": keys}, "", "  "))
}

// KeysEndpoint returns the same keys as a registry answers at /-/npm/v1/keys.
func (s *Sigstore) KeysEndpoint() []byte {
	key := func(k registryKey, expires any) map[string]any {
		return map[string]any{"expires": expires, "keyid": k.id, "keytype": "ecdsa-sha2-nistp256", "scheme": "ecdsa-sha2-nistp256",
			"key": base64.StdEncoding.EncodeToString(k.spki)}
	}
	return must(json.Marshal(map[string]any{"keys": []any{
		key(s.expired, expiredAt.Format("2006-01-02T15:04:05.000Z")), key(s.npm, nil),
	}}))
}

// Sign returns a registry's signature over a version of a package, as it stands in
// dist.signatures, by the key that is valid. Integrity is an SRI string.
func (s *Sigstore) Sign(name, version, integrity string) (keyid, sig string) {
	return s.npm.sign(name, version, integrity)
}

func (k registryKey) sign(name, version, integrity string) (keyid, sig string) {
	der := signSHA256(k.PrivateKey, fmt.Appendf(nil, "%s@%s:%s", name, version, integrity))
	return k.id, base64.StdEncoding.EncodeToString(der)
}

func signSHA256(key *ecdsa.PrivateKey, message []byte) []byte {
	sum := sha256.Sum256(message)
	return must(ecdsa.SignASN1(rand.Reader, key, sum[:]))
}

// must is for what fails only where the test itself is wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("npmtest: %v", err))
	}
	return v
}
