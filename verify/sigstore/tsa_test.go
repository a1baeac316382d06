package sigstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// timestampUse is the extended key usage of timestamp authorities, critical as
// RFC 3161 section 2.3 demands.
var timestampUse = pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08}}

// TestTimestampAuthority: a time counts only by an authority that is one, within its
// validity and the root's, about this very signature.
func TestTimestampAuthority(t *testing.T) {
	signature := []byte("a signature")
	noon := time.Now().Truncate(time.Second) // the library signs the present time too
	for name, c := range map[string]struct {
		leaf   func(*x509.Certificate)
		tsa    func(*root.SigstoreTimestampingAuthority)
		about  string
		accept bool
	}{
		"good":              {accept: true},
		"without the usage": {leaf: func(l *x509.Certificate) { l.ExtraExtensions = nil }},
		"with another usage": {leaf: func(l *x509.Certificate) {
			l.ExtraExtensions, l.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		}},
		"authority expired":       {leaf: func(l *x509.Certificate) { l.NotAfter = noon.Add(-time.Minute) }},
		"authority not yet valid": {leaf: func(l *x509.Certificate) { l.NotBefore = noon.Add(time.Minute) }},
		"outside the root's span": {tsa: func(a *root.SigstoreTimestampingAuthority) { a.ValidityPeriodEnd = noon.Add(-time.Minute) }},
		"before the root's span":  {tsa: func(a *root.SigstoreTimestampingAuthority) { a.ValidityPeriodStart = noon.Add(time.Minute) }},
		"about another signature": {about: "another signature"},
		"by another authority":    {tsa: func(a *root.SigstoreTimestampingAuthority) { a.Root = newPKI(t, nil).root }},
	} {
		t.Run(name, func(t *testing.T) {
			key := func() *ecdsa.PrivateKey {
				k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				return k
			}
			make := func(c, parent *x509.Certificate, public, private *ecdsa.PrivateKey) *x509.Certificate {
				der, err := x509.CreateCertificate(rand.Reader, c, parent, public.Public(), private)
				if err != nil {
					t.Fatal(err)
				}
				parsed, err := x509.ParseCertificate(der)
				if err != nil {
					t.Fatal(err)
				}
				return parsed
			}
			rk, lk := key(), key()
			ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0),
				IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
			ca = make(ca, ca, rk, rk)
			leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "tsa"}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
				KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{timestampUse}}
			if c.leaf != nil {
				c.leaf(leaf)
			}
			leaf = make(leaf, ca, lk, rk)
			about := c.about
			if about == "" {
				about = string(signature)
			}
			sum := sha256.Sum256([]byte(about))
			stamp := timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: noon, SerialNumber: big.NewInt(3),
				Policy: asn1.ObjectIdentifier{1, 2, 3}, AddTSACertificate: true}
			response, err := stamp.CreateResponseWithOpts(leaf, lk, crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			authority := &root.SigstoreTimestampingAuthority{Root: ca, Leaf: leaf, URI: "https://tsa.example"}
			if c.tsa != nil {
				c.tsa(authority)
			}
			if _, err := authority.Verify(response, signature); (err == nil) != c.accept {
				t.Errorf("expected accepted %v, found %v", c.accept, err)
			}
		})
	}
}
