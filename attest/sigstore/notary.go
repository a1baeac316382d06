package sigstore

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"plimsoll.example/attest"
)

// A Notary has services vouch for signatures. It may be used by several goroutines.
type Notary struct {
	services Services
	root     *Root
	patience time.Duration
}

// NewNotary returns a notary for these services, whose answers must verify against
// root. patience is how long each may take for one request; 0 is [DefaultPatience]. A
// log whose version is not known is asked for it.
func NewNotary(ctx context.Context, services Services, trusted *Root, patience time.Duration) (*Notary, error) {
	if err := services.check(); err != nil {
		return nil, err
	}
	if patience <= 0 {
		patience = DefaultPatience
	}
	n := &Notary{services: services, root: trusted, patience: patience}
	n.services.Logs = append([]Log(nil), services.Logs...)
	return n, n.settleLogs(ctx)
}

// Publishes says in one line what signing makes public or hands to others. keyless is
// who signs as an identity, or nil; keys says whether keys sign too.
func (n *Notary) Publishes(keyless *Keyless, keys bool) string {
	var says []string
	signer := "the public key"
	if keyless != nil {
		signer = "the certificate"
		if keys {
			signer = "certificate and public key"
		}
		says = append(says, fmt.Sprintf("the identity %s (%s) becomes public for good, in a certificate by %s", clip(keyless.id.subject), clip(keyless.id.issuer), n.services.Fulcio))
	}
	for _, l := range n.services.Logs {
		what := "the statement's digest"
		if l.Version == 1 {
			what = "the statement, of which it keeps digests,"
		}
		says = append(says, fmt.Sprintf("%s, the signature and %s go to the public log %s", signer, what, l.URL))
	}
	for _, t := range n.services.Timestamps {
		says = append(says, "the signature's digest goes to "+t)
	}
	return strings.Join(says, "; ")
}

// Suits says why the logs would not take this key's signatures, if they would not.
func (n *Notary) Suits(key *attest.PublicKey) error {
	_, err := n.scheme(key)
	return err
}

// ByKey signs a statement with a key and returns its bundle, verified, as one line of
// JSON without the newline.
func (n *Notary) ByKey(ctx context.Context, signer attest.Signer, payload []byte) ([]byte, error) {
	return n.bundle(ctx, signer, nil, payload)
}

// Bundle signs a statement as the identity and returns its bundle, verified, as one
// line of JSON without the newline.
func (k *Keyless) Bundle(ctx context.Context, payload []byte) ([]byte, error) {
	c, err := k.current(ctx)
	if err != nil {
		return nil, err
	}
	return k.notary.bundle(ctx, c.key, c.leaf.Raw, payload)
}

func (n *Notary) bundle(ctx context.Context, signer attest.Signer, leaf, payload []byte) ([]byte, error) {
	public := signer.PublicHalf()
	scheme, err := n.scheme(public)
	if err != nil {
		return nil, err
	}
	env, err := attest.Sign(ctx, signer, scheme, payload)
	if err != nil {
		return nil, err
	}
	material := attest.VerificationMaterial{PublicKey: &attest.PublicKeyHint{Hint: public.Hint()}}
	if leaf != nil {
		material = attest.VerificationMaterial{Certificate: &attest.Certificate{RawBytes: leaf}}
	}
	if material.Timestamps, err = n.timestamps(ctx, env.Signatures[0].Sig); err != nil {
		return nil, err
	}
	if material.LogEntries, err = n.entries(ctx, env, public, leaf); err != nil {
		return nil, err
	}
	line, err := attest.EncodeBundle(env, material)
	if err != nil {
		return nil, err
	}
	if err := n.verify(line, public, scheme, leaf != nil); err != nil {
		return nil, fmt.Errorf("the bundle that was made does not verify, and is not written: %w", err)
	}
	return line, nil
}

// verify holds a bundle to everything that was asked for.
func (n *Notary) verify(line []byte, public *attest.PublicKey, scheme attest.Scheme, byCertificate bool) error {
	made := &bundle.Bundle{}
	if err := made.UnmarshalJSON(line); err != nil {
		return err
	}
	var options []sgverify.VerifierOption
	if logs := len(n.services.Logs); logs > 0 {
		options = append(options, sgverify.WithTransparencyLog(logs))
	}
	if times := len(n.services.Timestamps); times > 0 {
		options = append(options, sgverify.WithSignedTimestamps(times))
	}
	switch {
	case n.promises():
		options = append(options, sgverify.WithIntegratedTimestamps(1))
	case len(n.services.Timestamps) == 0:
		options = append(options, sgverify.WithNoObserverTimestamps())
	}
	material, policy := root.TrustedMaterial(n.root.material), sgverify.WithoutIdentitiesUnsafe()
	if byCertificate {
		if len(n.root.material.CTLogs()) > 0 {
			options = append(options, sgverify.WithSignedCertificateTimestamps(1))
		}
	} else {
		key, err := signatureVerifier(public, scheme)
		if err != nil {
			return err
		}
		material, policy = root.TrustedMaterialCollection{key, material}, sgverify.WithKey()
	}
	verifier, err := sgverify.NewVerifier(material, append(options, sgverify.WithoutStatementPredicate())...)
	if err != nil {
		return err
	}
	_, err = verifier.Verify(made, sgverify.NewPolicy(sgverify.WithoutArtifactUnsafe(), policy))
	return n.blame(err)
}

// signatureVerifier trusts the key that has just signed.
func signatureVerifier(public *attest.PublicKey, scheme attest.Scheme) (root.TrustedMaterial, error) {
	hash := public.Hash(scheme)
	if hash == 0 {
		hash = crypto.SHA512 // Ed25519's own; not used
	}
	verifier, err := signature.LoadVerifier(public.Key(), hash)
	if err != nil {
		return nil, err
	}
	key := root.NewExpiringKey(verifier, time.Time{}, time.Time{})
	return root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return key, nil }), nil
}

// blame says whose answer did not verify. sigstore-go's errors have no types.
func (n *Notary) blame(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	const not = "the trust root does not vouch for its answer: "
	switch {
	case strings.HasPrefix(text, "failed to verify log inclusion"):
		var urls []string
		for _, l := range n.services.Logs {
			urls = append(urls, l.URL)
		}
		return &ServiceError{"log", strings.Join(urls, " or "), errors.New(not + text)}
	case strings.HasPrefix(text, "failed to verify timestamps"):
		return &ServiceError{"timestamp authority", strings.Join(n.services.Timestamps, " or "), errors.New(not + text)}
	case strings.HasPrefix(text, "failed to verify leaf certificate"), strings.HasPrefix(text, "failed to verify signed certificate timestamp"):
		return &ServiceError{"certificate authority", n.services.Fulcio, errors.New(not + text)}
	}
	return err
}
