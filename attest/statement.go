package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	in_toto "github.com/in-toto/attestation/go/v1"
)

// StatementType is the only `_type` this package writes.
const StatementType = in_toto.StatementTypeUri

// StatementTypeV01 is the older `_type`, which is read: npm's publish
// attestations still carry it.
const StatementTypeV01 = "https://in-toto.io/Statement/v0.1"

// PayloadType is the DSSE payload type of every statement.
const PayloadType = "application/vnd.in-toto+json"

// MaxSubjects bounds the subjects of one statement, as Sigstore's verifiers do.
const MaxSubjects = 1024

// A Subject is one artifact that a statement is about.
type Subject struct {
	Name   string    `json:"name,omitempty"`
	Digest DigestSet `json:"digest"`
}

// A Statement is an in-toto Statement v1 (in-toto attestation spec v1,
// "Statement"). Predicate is kept as the bytes that were read: going through
// another representation would lose digits of large numbers.
//
// A Statement says nothing about who made it. Only verify.Open turns one into
// something that a decision may rest on.
type Statement struct {
	Type          string          `json:"_type"`
	Subject       []Subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// NewStatement returns the statement's payload: its JSON, to be signed as it is.
// The predicate must be a JSON object without duplicate keys, and have what its type
// requires ([CheckPredicate]).
func NewStatement(subjects []Subject, predicateType string, predicate []byte) ([]byte, error) {
	s := Statement{Type: StatementType, Subject: subjects, PredicateType: predicateType, Predicate: predicate}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("building a statement: %w", err)
	}
	if value := jsontext.Value(predicate); !value.IsValid() {
		return nil, fmt.Errorf("building a statement: the %s predicate is not valid JSON (or repeats a key)", predicateType)
	}
	if err := CheckPredicate(predicateType, predicate); err != nil {
		return nil, fmt.Errorf("building a statement: %w", err)
	}
	payload, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("building a statement: %w", err)
	}
	return payload, nil
}

// ParseStatement reads a payload strictly: duplicate keys, keys that differ from
// a known one in case only, trailing data and a `_type` other than v1 or v0.1
// are errors. Fields it does not know are tolerated, as the in-toto
// specification demands of consumers (spec v1, "Parsing rules").
//
// The payload's signature must have been verified by the caller before the
// result is used for a decision.
func ParseStatement(payload []byte) (Statement, error) {
	var fields map[string]jsontext.Value
	if err := jsonv2.Unmarshal(payload, &fields); err != nil {
		return Statement{}, fmt.Errorf("parsing in-toto statement: %w", JSONError(err))
	}
	if err := oneSpelling(fields, "_type", "subject", "predicateType", "predicate"); err != nil {
		return Statement{}, fmt.Errorf("parsing in-toto statement: %w", err)
	}
	s := Statement{Predicate: json.RawMessage(fields["predicate"])}
	for name, into := range map[string]any{"_type": &s.Type, "subject": &s.Subject, "predicateType": &s.PredicateType} {
		if len(fields[name]) == 0 {
			continue // check says what is missing
		}
		if err := jsonv2.Unmarshal(fields[name], into); err != nil {
			return Statement{}, fmt.Errorf("parsing in-toto statement: %s: %w", name, JSONError(err))
		}
	}
	if err := checkSpelling(fields["subject"]); err != nil {
		return Statement{}, fmt.Errorf("parsing in-toto statement: %w", err)
	}
	if err := s.check(); err != nil {
		return Statement{}, fmt.Errorf("parsing in-toto statement: %w", err)
	}
	return s, nil
}

// oneSpelling refuses other spellings of known names. encoding/json, which other
// verifiers use, would let PREDICATETYPE override predicateType; the two must not
// read different statements.
func oneSpelling(fields map[string]jsontext.Value, known ...string) error {
	for name := range fields {
		for _, k := range known {
			if name != k && strings.EqualFold(name, k) {
				return fmt.Errorf("unexpected field %q beside %q", clip(name), k)
			}
		}
	}
	return nil
}

// checkSpelling does the same inside the subjects.
func checkSpelling(subjects jsontext.Value) error {
	var all []map[string]jsontext.Value
	if len(subjects) == 0 {
		return nil
	}
	if err := jsonv2.Unmarshal(subjects, &all); err != nil {
		return err
	}
	for i, fields := range all {
		if err := oneSpelling(fields, "name", "digest"); err != nil {
			return fmt.Errorf("subject %d: %w", i, err)
		}
		var digests map[string]jsontext.Value
		if len(fields["digest"]) == 0 {
			continue
		}
		if err := jsonv2.Unmarshal(fields["digest"], &digests); err != nil {
			return fmt.Errorf("subject %d: %w", i, err)
		}
		if err := oneSpelling(digests, "sha256", "sha512"); err != nil {
			return fmt.Errorf("subject %d: %w", i, err)
		}
	}
	return nil
}

func (s Statement) check() error {
	if s.Type != StatementType && s.Type != StatementTypeV01 {
		return fmt.Errorf("_type: expected %s, found %q", StatementType, clip(s.Type))
	}
	if len(s.Subject) == 0 {
		return errors.New("it has no subject")
	}
	if len(s.Subject) > MaxSubjects {
		return fmt.Errorf("it has %d subjects, at most %d are read", len(s.Subject), MaxSubjects)
	}
	for i, subject := range s.Subject {
		if len(subject.Digest) == 0 {
			return fmt.Errorf("subject %d has no digest", i)
		}
		if err := subject.Digest.WellFormed(); err != nil {
			return fmt.Errorf("subject %d: %w", i, err)
		}
	}
	if s.PredicateType == "" {
		return errors.New("predicateType is missing")
	}
	// > predicate: object, optional. Unset is treated the same as set-but-empty.
	// (in-toto attestation spec v1, "Statement".)
	if len(s.Predicate) > 0 && s.Predicate[0] != '{' {
		return errors.New("predicate: expected a JSON object")
	}
	return nil
}
