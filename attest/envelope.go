package attest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// An Envelope is a DSSE envelope (DSSE v1.0.2): bytes that somebody signed.
// Nothing in it is verified. Payload is exactly what was signed.
type Envelope struct {
	Payload     []byte      `json:"payload"`
	PayloadType string      `json:"payloadType"`
	Signatures  []Signature `json:"signatures"`
}

// A Signature is one signature of an envelope. KeyID is an unauthenticated hint.
type Signature struct {
	Sig   []byte `json:"sig"`
	KeyID string `json:"keyid,omitempty"`
}

// PAE returns the bytes that a DSSE signature covers:
//
//	PAE(type, body) = "DSSEv1" + SP + LEN(type) + SP + type + SP + LEN(body) + SP + body
func PAE(payloadType string, payload []byte) []byte {
	return dsse.PAE(payloadType, payload)
}

// Sign wraps a statement's payload in an envelope signed by key. The signature
// has no keyid: verifiers built on go-securesystemslib (cosign is one) skip a
// signature whose keyid is not an SSH fingerprint of their key. The bundle's hint
// names the key.
//
// The signature is verified before it is returned: what a key management service
// answers is believed no more than what anybody else says.
func Sign(ctx context.Context, signer Signer, scheme Scheme, payload []byte) (Envelope, error) {
	public, message := signer.PublicHalf(), PAE(PayloadType, payload)
	sig, err := signer.SignMessage(ctx, message, scheme)
	if err != nil {
		return Envelope{}, fmt.Errorf("signing with key %s: %w", public.ID(), err)
	}
	if !public.Verify(message, sig, scheme) {
		return Envelope{}, fmt.Errorf("signing with key %s: the signature that was made is not by this key", public.ID())
	}
	return Envelope{
		Payload:     payload,
		PayloadType: PayloadType,
		Signatures:  []Signature{{Sig: sig}},
	}, nil
}

// ErrNotEnvelope reports JSON that is neither a Sigstore bundle nor a DSSE envelope.
var ErrNotEnvelope = errors.New("neither a Sigstore bundle nor a DSSE envelope")

// bundleMediaTypes are the bundle formats that are read (Sigstore bundle format,
// "media_type").
var bundleMediaTypes = []string{
	"application/vnd.dev.sigstore.bundle+json;version=0.1",
	"application/vnd.dev.sigstore.bundle+json;version=0.2",
	"application/vnd.dev.sigstore.bundle+json;version=0.3",
	BundleMediaType,
}

// A Parsed is an attestation that was read but not verified.
type Parsed struct {
	Envelope    Envelope
	Bundle      bool   // a Sigstore bundle, not a bare envelope
	KeyHint     string // the key's name, if a key is said to have signed; a hint
	Certificate bool   // a certificate is said to have signed
	Leaf        []byte // that certificate, in DER; nil in bundles of other forms
	Witnessed   bool   // the bundle has log entries or timestamps
}

// envelopeJSON is the fields of a bundle and of a bare envelope.
type envelopeJSON struct {
	MediaType            string         `json:"mediaType"`
	VerificationMaterial jsontext.Value `json:"verificationMaterial"`
	DSSEEnvelope         *Envelope      `json:"dsseEnvelope"`
	MessageSignature     jsontext.Value `json:"messageSignature"`

	Payload     []byte      `json:"payload"`
	PayloadType string      `json:"payloadType"`
	Signatures  []Signature `json:"signatures"`
}

func (e *envelopeJSON) bare() bool {
	return e.Payload != nil || e.PayloadType != "" || e.Signatures != nil
}

func (e *envelopeJSON) bundle() bool {
	return e.DSSEEnvelope != nil || e.VerificationMaterial != nil || e.MediaType != ""
}

// readEnvelope refuses unknown fields in bundles, whose other parsers know more
// spellings than one. In a bare envelope:
//
// > Consumers MUST ignore unrecognized fields. (DSSE v1.0.2, "File format".)
func readEnvelope(raw []byte) (envelopeJSON, error) {
	var strict, lenient envelopeJSON
	err := jsonv2.Unmarshal(raw, &strict, jsonv2.RejectUnknownMembers(true))
	if err == nil {
		return strict, nil
	}
	if jsonv2.Unmarshal(raw, &lenient) == nil && lenient.bare() && !lenient.bundle() {
		return lenient, nil
	}
	return envelopeJSON{}, err
}

// ParseEnvelope reads a Sigstore bundle (0.1 to 0.3) around a DSSE envelope, or
// a bare DSSE envelope with one signature. Duplicate keys, trailing data and, in
// a bundle, unknown fields are errors: another parser must not be able to find
// another payload in the same bytes.
//
// Nothing is verified: the caller must check the signature over exactly the
// payload returned here.
func ParseEnvelope(raw []byte) (Parsed, error) {
	doc, err := readEnvelope(raw)
	if err != nil {
		return Parsed{}, fmt.Errorf("parsing attestation: %w", JSONError(err))
	}
	bare, bundle := doc.bare(), doc.bundle()
	var p Parsed
	switch {
	case doc.MessageSignature != nil:
		return Parsed{}, errors.New("parsing attestation: the bundle signs a file, not a statement about one (messageSignature, expected dsseEnvelope)")
	case bare && !bundle:
		p.Envelope = Envelope{Payload: doc.Payload, PayloadType: doc.PayloadType, Signatures: doc.Signatures}
	case bundle && !bare && doc.DSSEEnvelope != nil:
		p.Envelope, p.Bundle = *doc.DSSEEnvelope, true
		if err := p.material(doc.MediaType, doc.VerificationMaterial); err != nil {
			return Parsed{}, fmt.Errorf("parsing attestation: %w", err)
		}
	default:
		return Parsed{}, fmt.Errorf("parsing attestation: %w", ErrNotEnvelope)
	}
	// > A DSSE envelope in a Sigstore bundle MUST only contain one signature.
	// (Sigstore bundle format, "dsse_envelope".)
	if n := len(p.Envelope.Signatures); n != 1 {
		return Parsed{}, fmt.Errorf("parsing attestation: expected exactly one signature, found %d", n)
	}
	if len(p.Envelope.Signatures[0].Sig) == 0 {
		return Parsed{}, errors.New("parsing attestation: the signature is empty")
	}
	if !isPayloadType(p.Envelope.PayloadType) {
		return Parsed{}, fmt.Errorf("parsing attestation: payloadType: expected %s, found %q", PayloadType, clip(p.Envelope.PayloadType))
	}
	if p.KeyHint == "" {
		p.KeyHint = p.Envelope.Signatures[0].KeyID
	}
	return p, nil
}

// isPayloadType tells whether a payload is said to be an in-toto statement.
//
// > [...] or `application/vnd.in-toto.<predicate>+json` (in-toto attestation v1.1,
// "Envelope layer".)
func isPayloadType(t string) bool {
	kind, ok := strings.CutPrefix(t, "application/vnd.in-toto.")
	kind, json := strings.CutSuffix(kind, "+json")
	return t == PayloadType || (ok && json && payloadKind().MatchString(kind))
}

var payloadKind = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`) })

// material reads who is said to have signed a bundle.
func (p *Parsed) material(mediaType string, raw jsontext.Value) error {
	if !slices.Contains(bundleMediaTypes, mediaType) {
		return fmt.Errorf("mediaType: expected a Sigstore bundle of version 0.1 to 0.3, found %q", clip(mediaType))
	}
	var m struct {
		PublicKey *PublicKeyHint `json:"publicKey"`
		Chain     jsontext.Value `json:"x509CertificateChain"`
		Leaf      jsontext.Value `json:"certificate"`

		LogEntries []jsontext.Value `json:"tlogEntries"`
		Timestamps *struct {
			RFC3161 []jsontext.Value `json:"rfc3161Timestamps"`
		} `json:"timestampVerificationData"`
	}
	if len(raw) == 0 {
		return errors.New("verificationMaterial is missing")
	}
	if err := jsonv2.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("verificationMaterial: %w", err)
	}
	p.Witnessed = len(m.LogEntries) > 0 || (m.Timestamps != nil && len(m.Timestamps.RFC3161) > 0)
	p.Certificate = m.Chain != nil || m.Leaf != nil
	if (m.PublicKey != nil) == p.Certificate {
		return errors.New("verificationMaterial: expected a public key or a certificate")
	}
	if m.PublicKey != nil {
		p.KeyHint = m.PublicKey.Hint
	}
	if leaf := (Certificate{}); m.Leaf != nil && jsonv2.Unmarshal(m.Leaf, &leaf) == nil {
		p.Leaf = leaf.RawBytes
	}
	return nil
}
