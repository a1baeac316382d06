package layout

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/in-toto/in-toto-golang/in_toto"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/signerverifier"

	"plimsoll.example/attest"
)

// A document is a layout or a link with its signatures, none of them verified. To
// in-toto-golang it is an in_toto.Metadata: its own readers take files only, and decode
// a Metablock before they encode it again to verify it, so that what was signed and
// what is in the file need not be the same.
type document struct {
	signed     jsontext.Value // what is parsed, and what the signatures cover
	head       head
	envelope   bool // DSSE; else a Metablock
	signatures []in_toto.Signature
	message    []byte // see signable
	payload    any    // in_toto.Link, once it was read
}

type head struct {
	Type string `json:"_type"`
	Name string `json:"name"`
}

// container is the fields of a Metablock and of a DSSE envelope.
type container struct {
	Signed      jsontext.Value  `json:"signed"`
	Payload     *string         `json:"payload"`
	PayloadType string          `json:"payloadType"`
	Signatures  []signatureJSON `json:"signatures"`
}

type signatureJSON struct {
	KeyID       string `json:"keyid"`
	Sig         string `json:"sig"`
	Certificate string `json:"cert"` // not used: keys alone make functionaries
}

// parseDocument reads a Metablock or a DSSE envelope strictly and verifies nothing.
func parseDocument(data []byte) (*document, error) {
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	var c container
	if err := jsonv2.Unmarshal(data, &c); err != nil {
		return nil, attest.JSONError(err)
	}
	d := &document{signed: c.Signed, envelope: c.Payload != nil}
	switch {
	case c.Payload != nil && c.Signed != nil:
		return nil, errors.New(`it holds "signed" and "payload", of which it must be one`)
	case c.Payload != nil:
		if c.PayloadType != in_toto.PayloadType {
			return nil, fmt.Errorf("expected payloadType %s, found %s", in_toto.PayloadType, quote(c.PayloadType))
		}
		payload, err := base64.StdEncoding.Strict().DecodeString(*c.Payload)
		if err != nil {
			return nil, fmt.Errorf("payload: %w", err)
		}
		if err := checkJSON(payload); err != nil {
			return nil, fmt.Errorf("payload: %w", err)
		}
		d.signed = payload
	case c.Signed == nil:
		return nil, errors.New("expected a Metablock (signed, signatures) or a DSSE envelope (payload, payloadType, signatures)")
	default:
		// DSSE wants unknown fields ignored, in-toto's Metablock does not
		if err := strict(data, &container{}); err != nil {
			return nil, err
		}
	}
	if err := jsonv2.Unmarshal(d.signed, &d.head); err != nil {
		return nil, attest.JSONError(err)
	}
	return d, d.addSignatures(c.Signatures)
}

// addSignatures keeps the signatures as hexadecimal, whatever they came in. There is
// one way to write one: another would make two files of the same signature.
func (d *document) addSignatures(list []signatureJSON) error {
	for _, s := range list {
		raw, err := base64.StdEncoding.Strict().DecodeString(s.Sig)
		if !d.envelope {
			raw, err = hex.DecodeString(s.Sig)
		}
		text := hex.EncodeToString(raw)
		if err != nil || len(raw) == 0 || !d.envelope && text != s.Sig {
			return errors.New("a signature is empty, or neither lower-case hexadecimal (Metablock) nor base64 (DSSE)")
		}
		d.signatures = append(d.signatures, in_toto.Signature{KeyID: s.KeyID, Sig: text})
	}
	return nil
}

// checkJSON bounds the nesting before anything recurses, and refuses duplicate names,
// bad UTF-8 and trailing data.
func checkJSON(data []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		switch _, err := dec.ReadToken(); {
		case err == io.EOF:
			return nil
		case err != nil:
			return attest.JSONError(err)
		case dec.StackDepth() > maxDepth:
			return fmt.Errorf("expected JSON nested at most %d deep", maxDepth)
		}
	}
}

// strict decodes JSON that may hold nothing unknown. Names are case-sensitive.
func strict(data []byte, into any) error {
	if err := jsonv2.Unmarshal(data, into, jsonv2.RejectUnknownMembers(true)); err != nil {
		return attest.JSONError(err)
	}
	return nil
}

// signable is what signatures cover. Canonical JSON has no fractions, so a Metablock
// that holds some is signed by nobody.
func (d *document) signable() ([]byte, error) {
	if d.message != nil {
		return d.message, nil
	}
	if d.envelope {
		d.message = attest.PAE(in_toto.PayloadType, d.signed)
		return d.message, nil
	}
	block := in_toto.Metablock{Signed: json.RawMessage(d.signed)}
	message, err := block.GetSignableRepresentation()
	d.message = message
	return message, err
}

// with is the document with one of its signatures.
func (d *document) with(s in_toto.Signature) *document {
	one := &document{signed: d.signed, envelope: d.envelope, payload: d.payload, signatures: []in_toto.Signature{s}}
	one.message, _ = d.signable() // once; an error shows up again when it is verified
	return one
}

// VerifySignature verifies the signature that names the key. The key must have passed
// [publicKey]: go-securesystemslib panics at others.
func (d *document) VerifySignature(key in_toto.Key) error {
	s, err := d.GetSignatureForKeyID(key.KeyID)
	if err != nil {
		return err
	}
	verifier, err := verifierOf(key)
	if err != nil {
		return err
	}
	message, err := d.signable()
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(s.Sig)
	if err != nil {
		return err
	}
	return verifier.Verify(context.Background(), message, raw)
}

func verifierOf(key in_toto.Key) (dsse.Verifier, error) {
	k := &signerverifier.SSLibKey{KeyID: key.KeyID, KeyType: key.KeyType, Scheme: key.Scheme, KeyVal: signerverifier.KeyVal{Public: key.KeyVal.Public}}
	switch key.KeyType {
	case signerverifier.RSAKeyType:
		return signerverifier.NewRSAPSSSignerVerifierFromSSLibKey(k)
	case signerverifier.ED25519KeyType:
		return signerverifier.NewED25519SignerVerifierFromSSLibKey(k)
	case signerverifier.ECDSAKeyType:
		return signerverifier.NewECDSASignerVerifierFromSSLibKey(k)
	}
	return nil, in_toto.ErrUnsupportedKeyType
}

// GetSignatureForKeyID returns the first signature that names the key.
func (d *document) GetSignatureForKeyID(id string) (in_toto.Signature, error) {
	for _, s := range d.signatures {
		if s.KeyID == id {
			return s, nil
		}
	}
	return in_toto.Signature{}, fmt.Errorf("no signature by key %s", quote(id))
}

// GetPayload returns the link.
func (d *document) GetPayload() any { return d.payload }

// Sigs returns the signatures.
func (d *document) Sigs() []in_toto.Signature { return d.signatures }

var errVerifyOnly = errors.New("documents are verified, not made")

// Sign is refused.
func (d *document) Sign(in_toto.Key) error { return errVerifyOnly }

// Dump is refused.
func (d *document) Dump(string) error { return errVerifyOnly }
