package sigstore

import (
	"errors"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// maxLogEntries bounds the log entries of a bundle, as sigstore-go does, before
// any of them is parsed.
const maxLogEntries = 32

// An entity is a bundle for sigstore-go's verifier that parses its log entries
// and its certificate once. sigstore-go's own parses the entries for each step
// that asks for them, which costs as much as the signatures.
type entity struct {
	*bundle.Bundle // without its log entries, so that validating it does not parse them
	entries        []*tlog.Entry
	content        sgverify.VerificationContent
	signed         sgverify.SignatureContent
	promise, proof bool
	proofs         int
}

var _ sgverify.SignedEntity = (*entity)(nil)

// parseEntity reads a bundle. Errors are refusals.
func parseEntity(raw []byte) (*entity, error) {
	e, err := readEntity(raw)
	if err != nil {
		return nil, &verify.Refusal{Code: verify.CodeAttestationMalformed, Expected: "a Sigstore bundle", Found: reason(err)}
	}
	return e, nil
}

func readEntity(raw []byte) (*entity, error) {
	message := &protobundle.Bundle{}
	if err := protojson.Unmarshal(raw, message); err != nil {
		return nil, err
	}
	var logged []*protorekor.TransparencyLogEntry
	if material := message.GetVerificationMaterial(); material != nil {
		logged, material.TlogEntries = material.TlogEntries, nil
	}
	if len(logged) > maxLogEntries {
		return nil, fmt.Errorf("expected at most %d log entries, found %d", maxLogEntries, len(logged))
	}
	b, err := bundle.NewBundle(message)
	if err != nil {
		return nil, err
	}
	e := &entity{Bundle: b}
	for _, l := range logged {
		entry, err := tlog.ParseTransparencyLogEntry(l)
		if err != nil {
			return nil, err
		}
		if err := checkKind(l); err != nil {
			return nil, err
		}
		e.entries = append(e.entries, entry)
		e.promise = e.promise || entry.HasInclusionPromise()
		if entry.HasInclusionProof() {
			e.proof = true
			e.proofs++
		}
	}
	if err := e.checkEntries(); err != nil {
		return nil, err
	}
	if e.content, err = b.VerificationContent(); err != nil {
		return nil, err
	}
	e.signed, err = b.SignatureContent()
	return e, err
}

// checkKind compares the kind that a log entry is said to be of with that of its body,
// which alone the log vouches for. sigstore-go believes the former.
func checkKind(l *protorekor.TransparencyLogEntry) error {
	var body struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
	}
	if err := jsonv2.Unmarshal(l.GetCanonicalizedBody(), &body); err != nil {
		return fmt.Errorf("reading a log entry's body: %w", attest.JSONError(err))
	}
	if said := l.GetKindVersion(); said.GetKind() != body.Kind || said.GetVersion() != body.APIVersion {
		return fmt.Errorf("a log entry is called %.40q %.40q and its body is %.40q %.40q", said.GetKind(), said.GetVersion(), body.Kind, body.APIVersion)
	}
	return nil
}

// checkEntries demands what each format's log entries must have (Sigstore bundle
// format, "tlog_entries"): a promise in 0.1, a proof from 0.2 on.
func (e *entity) checkEntries() error {
	switch {
	case len(e.entries) == 0:
		return nil // whether there must be any is for the verifier to say
	case e.MinVersion("v0.2") && !e.proof:
		return errors.New("the log entries have no inclusion proof, which bundles have from format 0.2 on")
	case !e.MinVersion("v0.2") && !e.promise:
		return errors.New("the log entries have no inclusion promise, which bundles of format 0.1 have")
	}
	return nil
}

// checkBodies refuses log entries whose body is another than what was logged.
func (e *entity) checkBodies() error {
	for _, entry := range e.entries {
		if err := checkBody(entry); err != nil {
			return &verify.Refusal{Code: verify.CodeLogInvalid, Expected: "a log entry whose body is in the log", Found: reason(err)}
		}
	}
	return nil
}

func (e *entity) HasInclusionPromise() bool                            { return e.promise }
func (e *entity) HasInclusionProof() bool                              { return e.proof }
func (e *entity) TlogEntries() ([]*tlog.Entry, error)                  { return e.entries, nil }
func (e *entity) SignatureContent() (sgverify.SignatureContent, error) { return e.signed, nil }
func (e *entity) VerificationContent() (sgverify.VerificationContent, error) {
	return e.content, nil
}
