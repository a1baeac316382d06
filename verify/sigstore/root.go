package sigstore

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/sigstore/sigstore-go/pkg/root"
)

var (
	//go:embed roots/trusted_root.json
	publicGoodRoot []byte
	//go:embed roots/npm_keys.json
	npmKeys []byte
)

// maxRoot bounds a trust root file.
const maxRoot = 4 << 20

// A Root is a Sigstore trust root: certificate authorities, logs and timestamp
// authorities with their validity. It may be used by several goroutines.
type Root struct {
	material root.TrustedMaterial
	digest   string
}

// Digest returns "sha256:HEX" of the root's file.
func (r *Root) Digest() string { return r.digest }

// embedded tells whether this is the root that PublicGood returns.
func (r *Root) embedded() bool {
	sum := sha256.Sum256(publicGoodRoot)
	return r.digest == "sha256:"+hex.EncodeToString(sum[:])
}

// PublicGood returns the embedded root of Sigstore's public-good instance.
func PublicGood() (*Root, error) { return ParseRoot(publicGoodRoot) }

// PublicGoodJSON returns the file that [PublicGood] reads.
func PublicGoodJSON() []byte { return bytes.Clone(publicGoodRoot) }

// PublicGoodDates returns when the embedded root was taken from its origin, and until
// when that vouched for it (the expiry of the TUF root; ORIGIN has both).
func PublicGoodDates() (taken, expires time.Time) {
	return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), time.Date(2027, 4, 22, 19, 27, 31, 0, time.UTC)
}

// ParseRoot reads a trusted_root.json (Sigstore protobuf-specs, TrustedRoot), or
// several as JSON lines, one a line. The caller must trust where data came from.
func ParseRoot(data []byte) (*Root, error) {
	if len(data) > maxRoot {
		return nil, fmt.Errorf("reading trust root: expected at most %d bytes, found %d", maxRoot, len(data))
	}
	documents := [][]byte{data}
	if !jsontext.Value(data).IsValid() {
		documents = nil
		for line := range bytes.Lines(data) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				documents = append(documents, line)
			}
		}
	}
	var all root.TrustedMaterialCollection
	for _, d := range documents {
		if !jsontext.Value(d).IsValid() {
			return nil, errors.New("reading trust root: not valid JSON, nor a JSON document a line (or it repeats a key)")
		}
		trusted, err := root.NewTrustedRootFromJSON(d)
		if err != nil {
			return nil, fmt.Errorf("reading trust root: %w", err)
		}
		all = append(all, shareAuthorities(trusted))
	}
	if len(all) == 0 {
		return nil, errors.New("reading trust root: it is empty")
	}
	sum := sha256.Sum256(data)
	return &Root{material: all, digest: "sha256:" + hex.EncodeToString(sum[:])}, nil
}

// sharedRoot is a trust root whose certificate authorities have checked their
// own chain once instead of once a bundle.
type sharedRoot struct {
	root.TrustedMaterial
	authorities []root.CertificateAuthority
}

func (s *sharedRoot) FulcioCertificateAuthorities() []root.CertificateAuthority { return s.authorities }

func shareAuthorities(trusted *root.TrustedRoot) root.TrustedMaterial {
	shared := &sharedRoot{TrustedMaterial: trusted}
	for _, ca := range trusted.FulcioCertificateAuthorities() {
		fulcio, ok := ca.(*root.FulcioCertificateAuthority)
		if ok && len(fulcio.Intermediates) == 1 {
			ca = &sharedAuthority{FulcioCertificateAuthority: fulcio}
		}
		shared.authorities = append(shared.authorities, ca)
	}
	return shared
}

// A sharedAuthority verifies leaves below one intermediate, and the intermediate
// below its root only once. The leaf's path is built by crypto/x509 each time;
// what is left out each time is the same P-384 signature of the root.
type sharedAuthority struct {
	*root.FulcioCertificateAuthority
	once  sync.Once
	above []*x509.Certificate // what is above the intermediate, up to the root
	err   error
}

// Verify implements [root.CertificateAuthority].
func (a *sharedAuthority) Verify(leaf *x509.Certificate, observed time.Time) ([][]*x509.Certificate, error) {
	if !a.ValidityPeriodStart.IsZero() && observed.Before(a.ValidityPeriodStart) {
		return nil, errors.New("certificate authority is not valid yet")
	}
	if !a.ValidityPeriodEnd.IsZero() && observed.After(a.ValidityPeriodEnd) {
		return nil, errors.New("certificate authority is no longer valid")
	}
	a.once.Do(a.checkIntermediate)
	if a.err != nil {
		return nil, a.err
	}
	for _, c := range a.above {
		if observed.Before(c.NotBefore) || observed.After(c.NotAfter) {
			return nil, fmt.Errorf("authority %q was not valid at %s", c.Subject, observed.UTC().Format(time.RFC3339))
		}
	}
	anchors := x509.NewCertPool()
	anchors.AddCert(a.Intermediates[0])
	chains, err := leaf.Verify(x509.VerifyOptions{
		CurrentTime: observed,
		Roots:       anchors,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	})
	if err != nil {
		return nil, err
	}
	for i := range chains {
		chains[i] = append(chains[i], a.above...)
	}
	return chains, nil
}

// checkIntermediate verifies the intermediate below the root, at a time when the
// intermediate is valid; the root's validity at the time that counts is checked
// for every leaf.
func (a *sharedAuthority) checkIntermediate() {
	anchors := x509.NewCertPool()
	anchors.AddCert(a.Root)
	chains, err := a.Intermediates[0].Verify(x509.VerifyOptions{
		CurrentTime: a.Intermediates[0].NotBefore.Add(time.Second),
		Roots:       anchors,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	})
	switch {
	case err != nil:
		a.err = fmt.Errorf("intermediate %q: %w", a.Intermediates[0].Subject, err)
	case !a.Intermediates[0].IsCA:
		a.err = fmt.Errorf("intermediate %q: expected a certificate authority", a.Intermediates[0].Subject)
	default:
		a.above = chains[0][1:]
	}
}
