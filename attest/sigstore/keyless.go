package sigstore

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"plimsoll.example/attest"
)

// renewBefore is how long a certificate must be good for to sign another statement:
// its signature must get a time while it is.
const renewBefore = 2 * time.Minute

// renewToken is how long a token must be good for to be sent.
const renewToken = 30 * time.Second

// Keyless signs as an identity: with a key of its own making that never leaves memory,
// for which a certificate authority says whose it is. One certificate serves for all
// statements until it nears its end. It may be used by several goroutines.
type Keyless struct {
	notary   *Notary
	source   TokenSource
	audience string

	mu   sync.Mutex
	id   identity
	used bool // the token was sent
	now  certified
}

// certified is a key with its certificate.
type certified struct {
	key  *attest.Key
	leaf *x509.Certificate
}

// Keyless returns a signer with the identity that source gives. The token is fetched
// and looked at; the certificate authority is not asked yet.
func (n *Notary) Keyless(ctx context.Context, source TokenSource, audience string) (*Keyless, error) {
	if n.services.Fulcio == "" {
		return nil, errors.New("no certificate authority is named")
	}
	if len(n.services.Timestamps) == 0 && !n.promises() {
		return nil, errors.New("a certificate is good for minutes, and nobody could tell later that it was: a timestamp authority, or a log that tells the time (Rekor v1), is needed")
	}
	k := &Keyless{notary: n, source: source, audience: audience}
	if err := k.fetch(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *Keyless) fetch(ctx context.Context) error {
	token, err := k.source(ctx)
	if err != nil {
		return err
	}
	id, err := readToken(token, k.audience, time.Now())
	if err == nil {
		k.id, k.used = id, false
	}
	return err
}

// current returns a key whose certificate is good for a while.
func (k *Keyless) current(ctx context.Context) (certified, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.leaf != nil && time.Until(k.now.leaf.NotAfter) > renewBefore {
		return k.now, nil
	}
	if k.used || time.Until(k.id.expires) < renewToken {
		if err := k.fetch(ctx); err != nil {
			return certified{}, fmt.Errorf("signing takes longer than the first token or certificate is good for, and another cannot be had: %w", err)
		}
	}
	k.used = true
	next, err := k.notary.certify(ctx, k.id)
	if err != nil {
		return certified{}, err
	}
	if err := k.sameAs(next); err != nil {
		return certified{}, err
	}
	k.now = next
	return next, nil
}

// sameAs refuses a certificate for somebody else than the one before it: who signs was
// said, and is one.
func (k *Keyless) sameAs(next certified) error {
	if k.now.leaf == nil {
		return nil
	}
	subject, issuer, err := Identity(k.now.leaf.Raw)
	if err != nil {
		return err
	}
	now, by, err := Identity(next.leaf.Raw)
	if err == nil && (now != subject || by != issuer) {
		err = fmt.Errorf("%w: expected one for %s (%s) as before, found %s (%s)", ErrToken, clip(subject), clip(issuer), clip(now), clip(by))
	}
	return err
}

// Certify gets the certificate, so that who signs is known before anything is signed.
func (k *Keyless) Certify(ctx context.Context) error {
	_, err := k.current(ctx)
	return err
}

// Certified is whom the certificate names: the subject alternative name and the issuer.
// Without a certificate both are empty.
func (k *Keyless) Certified() (subject, issuer string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.leaf != nil {
		subject, issuer, _ = Identity(k.now.leaf.Raw)
	}
	return subject, issuer
}

// Claimed is whom the token names.
func (k *Keyless) Claimed() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return clip(k.id.subject)
}

// certify asks the certificate authority.
func (n *Notary) certify(ctx context.Context, id identity) (certified, error) {
	fail := func(err error) (certified, error) {
		return certified{}, &ServiceError{"certificate authority", n.services.Fulcio, err}
	}
	key, err := attest.GenerateKey(attest.DefaultKeyAlgorithm)
	if err != nil {
		return certified{}, err
	}
	client := newClient(ctx, n.patience)
	fulcio := sign.NewFulcio(&sign.FulcioOptions{BaseURL: trimSlash(n.services.Fulcio), Timeout: -1, Transport: client.Transport})
	der, err := fulcio.GetCertificate(ctx, fulcioKey{key}, &sign.CertificateProviderOptions{IDToken: id.token})
	if err != nil {
		return fail(withoutSecret(withoutMethod(err), id.token))
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	if public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return fail(errors.New("its certificate is for another key"))
	}
	now := time.Now()
	switch {
	case now.Add(maxSkew).Before(leaf.NotBefore) || now.After(leaf.NotAfter):
		return fail(fmt.Errorf("its certificate is good from %s to %s; this machine's clock says %s: one of the two clocks is wrong",
			leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
	}
	return certified{key, leaf}, nil
}

// Identity names whom a bundle's certificate is for: the subject alternative name and
// the issuer. Nothing is verified.
func Identity(certificateDER []byte) (subject, issuer string, err error) {
	leaf, err := x509.ParseCertificate(certificateDER)
	if err != nil {
		return "", "", err
	}
	summary, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return "", "", err
	}
	return summary.SubjectAlternativeName, summary.Issuer, nil
}

// fulcioKey is a key as sigstore-go's client for Fulcio wants it.
type fulcioKey struct{ *attest.Key }

var _ sign.Keypair = fulcioKey{}

func (k fulcioKey) GetHashAlgorithm() protocommon.HashAlgorithm {
	return protocommon.HashAlgorithm_SHA2_256
}
func (k fulcioKey) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
}
func (k fulcioKey) GetHint() []byte                  { return []byte(k.Hint()) }
func (k fulcioKey) GetKeyAlgorithm() string          { return "ECDSA" }
func (k fulcioKey) GetPublicKey() crypto.PublicKey   { return k.Public() }
func (k fulcioKey) GetPublicKeyPem() (string, error) { return string(k.PublicPEM()), nil }
func (k fulcioKey) SignData(ctx context.Context, data []byte) (sig, digest []byte, err error) {
	sig, err = k.SignMessage(ctx, data, attest.SchemeSHA256)
	return sig, nil, err
}
