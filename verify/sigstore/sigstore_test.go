package sigstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"plimsoll.example/verify"
)

// TestEmbeddedRoots: the embedded files are those that ORIGIN names.
func TestEmbeddedRoots(t *testing.T) {
	origin, err := os.ReadFile("roots/ORIGIN")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"trusted_root.json": publicGoodRoot, "npm_keys.json": npmKeys} {
		sum := sha256.Sum256(data)
		if !strings.Contains(string(origin), hex.EncodeToString(sum[:])+"  "+name) {
			t.Errorf("%s is not the file that ORIGIN names", name)
		}
	}
	if _, err := PublicGood(); err != nil {
		t.Error(err)
	}
	keys, err := NPMAttestationKeys()
	if err != nil || len(keys) != 2 {
		t.Errorf("expected two npm keys for attestations, found %d, %v", len(keys), err)
	}
	if _, err := ParseNPMKeys(npmKeys, "npm:other"); err == nil {
		t.Error("no key of a usage: expected an error")
	}
}

func TestParseRootRefuses(t *testing.T) {
	good := string(publicGoodRoot)
	for name, data := range map[string]string{
		"empty":        "",
		"null":         "null",
		"cut":          good[:len(good)/2],
		"repeated key": strings.Replace(good, `"mediaType"`, `"mediaType":"x","mediaType"`, 1),
		"another type": strings.Replace(good, "version=0.1", "version=7", 1),
		"too big":      good + strings.Repeat(" ", maxRoot),
	} {
		if _, err := ParseRoot([]byte(data)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// pki is a root, an intermediate and a leaf, valid around noon.
type pki struct {
	root, intermediate, leaf *x509.Certificate
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newPKI(t *testing.T, change func(root, intermediate, leaf *x509.Certificate)) pki {
	t.Helper()
	template := func(name string, from, to time.Duration, ca bool) *x509.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
			NotBefore: noon.Add(from), NotAfter: noon.Add(to), BasicConstraintsValid: true, IsCA: ca, KeyUsage: x509.KeyUsageDigitalSignature}
		if ca {
			c.KeyUsage = x509.KeyUsageCertSign
		} else {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		}
		return c
	}
	root, intermediate := template("root", -10*time.Hour, 10*time.Hour, true), template("intermediate", -5*time.Hour, 5*time.Hour, true)
	intermediate.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	leaf := template("leaf", -time.Hour, time.Hour, false)
	if change != nil {
		change(root, intermediate, leaf)
	}
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	sign := func(c, parent *x509.Certificate, public, private *ecdsa.PrivateKey) *x509.Certificate {
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
	rk, ik, lk := key(), key(), key()
	var p pki
	p.root = sign(root, root, rk, rk)
	p.intermediate = sign(intermediate, p.root, ik, rk)
	p.leaf = sign(leaf, p.intermediate, lk, ik)
	return p
}

// TestSharedAuthority: it says the same as sigstore-go's own authority, which
// builds the whole path anew each time.
func TestSharedAuthority(t *testing.T) {
	stranger := newPKI(t, nil)
	for name, c := range map[string]struct {
		change func(root, intermediate, leaf *x509.Certificate)
		swap   func(p *pki)
		at     time.Time
		ok     bool
	}{
		"good":                         {at: noon, ok: true},
		"leaf not yet valid":           {at: noon.Add(-2 * time.Hour)},
		"leaf expired":                 {at: noon.Add(2 * time.Hour)},
		"intermediate expired":         {at: noon, change: func(_, i, _ *x509.Certificate) { i.NotAfter = noon.Add(-time.Minute) }},
		"root expired":                 {at: noon, change: func(r, _, _ *x509.Certificate) { r.NotAfter = noon.Add(-time.Minute) }},
		"root not yet valid":           {at: noon, change: func(r, _, _ *x509.Certificate) { r.NotBefore = noon.Add(time.Minute) }},
		"intermediate is no authority": {at: noon, change: func(_, i, _ *x509.Certificate) { i.IsCA, i.KeyUsage = false, x509.KeyUsageDigitalSignature }},
		"leaf for another use":         {at: noon, change: func(_, _, l *x509.Certificate) { l.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }},
		"intermediate for another use": {at: noon, change: func(_, i, _ *x509.Certificate) { i.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }},
		"another's leaf":               {at: noon, swap: func(p *pki) { p.leaf = stranger.leaf }},
		"another's intermediate":       {at: noon, swap: func(p *pki) { p.intermediate, p.leaf = stranger.intermediate, stranger.leaf }},
		"another's root":               {at: noon, swap: func(p *pki) { p.root = stranger.root }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPKI(t, c.change)
			if c.swap != nil {
				c.swap(&p)
			}
			theirs := &root.FulcioCertificateAuthority{Root: p.root, Intermediates: []*x509.Certificate{p.intermediate}}
			ours := &sharedAuthority{FulcioCertificateAuthority: theirs}
			for range 2 { // the second time rests on the first
				want, wantErr := theirs.Verify(p.leaf, c.at)
				chains, err := ours.Verify(p.leaf, c.at)
				if (err == nil) != c.ok || (wantErr == nil) != c.ok {
					t.Fatalf("expected ok %v, found ours %v, theirs %v", c.ok, err, wantErr)
				}
				if c.ok && (len(chains) != 1 || len(want) != 1 || len(chains[0]) != len(want[0])) {
					t.Errorf("expected chain %v, found %v", want, chains)
				}
			}
		})
	}
	p := newPKI(t, nil)
	limited := &sharedAuthority{FulcioCertificateAuthority: &root.FulcioCertificateAuthority{Root: p.root, Intermediates: []*x509.Certificate{p.intermediate},
		ValidityPeriodStart: noon.Add(time.Minute)}}
	if _, err := limited.Verify(p.leaf, noon); err == nil {
		t.Error("before the authority's validity: accepted")
	}
}

// TestIntermediateOnce: the intermediate is verified below its root once, whoever asks:
// who asks later does not notice that the root is another one meanwhile.
func TestIntermediateOnce(t *testing.T) {
	p := newPKI(t, nil)
	authority := &sharedAuthority{FulcioCertificateAuthority: &root.FulcioCertificateAuthority{Root: p.root, Intermediates: []*x509.Certificate{p.intermediate}}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := authority.Verify(p.leaf, noon); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	authority.Root = newPKI(t, nil).root
	if _, err := authority.Verify(p.leaf, noon); err != nil {
		t.Errorf("verified again: %v", err)
	}
	// And a leaf is verified each time.
	if _, err := authority.Verify(newPKI(t, nil).leaf, noon); err == nil {
		t.Error("another's leaf is accepted")
	}
}

// TestCodes holds the words of sigstore-go's errors to the version in use.
func TestCodes(t *testing.T) {
	for text, want := range map[string]verify.Code{
		"failed to verify log inclusion: x":                      verify.CodeLogInvalid,
		"failed to verify timestamps: x":                         verify.CodeTimeInvalid,
		"failed to verify leaf certificate: x":                   verify.CodeCertificateInvalid,
		"failed to verify signed certificate timestamp: x":       verify.CodeSCTInvalid,
		"signature time outside of public key validity window":   verify.CodeKeyExpired,
		"failed to verify signature: x":                          verify.CodeSignatureInvalid,
		"anything else":                                          verify.CodeSignatureInvalid,
		"failed to fetch envelope statement: parsing: not JSON":  verify.CodeStatementMalformed,
		"failed to summarize certificate: no Subject Alternativ": verify.CodeCertificateInvalid,
	} {
		if got := codeOf(errors.New(text)); got != want {
			t.Errorf("%q: expected %s, found %s", text, want, got)
		}
	}
}

func TestReasonIsBounded(t *testing.T) {
	if got := reason(fmt.Errorf("a\n%s", strings.Repeat("b", 1000))); len(got) > 310 || strings.Contains(got, "\n") {
		t.Errorf("found %d bytes: %q", len(got), got)
	}
}
