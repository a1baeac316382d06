package sigstore

import (
	in_toto "github.com/in-toto/attestation/go/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
)

// An unread entity is a bundle whose payload sigstore-go verifies and does not read:
// it knows one payload type only, and would parse large statements a second time.
// What the payload says is for verify.Open, which parses the very bytes that were
// verified.
type unread struct{ *bundle.Bundle }

func (u unread) SignatureContent() (sgverify.SignatureContent, error) {
	content, err := u.Bundle.SignatureContent()
	if err != nil {
		return nil, err
	}
	return unreadContent{content}, nil
}

type unreadContent struct{ sgverify.SignatureContent }

func (c unreadContent) EnvelopeContent() sgverify.EnvelopeContent {
	if envelope := c.SignatureContent.EnvelopeContent(); envelope != nil {
		return unreadEnvelope{envelope}
	}
	return nil
}

type unreadEnvelope struct{ sgverify.EnvelopeContent }

// Statement returns one that says nothing: it matches no artifact.
func (unreadEnvelope) Statement() (*in_toto.Statement, error) { return &in_toto.Statement{}, nil }
