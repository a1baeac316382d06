package npm

import (
	"context"
	"errors"
	"fmt"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// Bounds of a registry's answer.
const (
	MaxAnswer       = 16 << 20
	maxAttestations = 16
)

// Origin says what verified attestations say about a package.
type Origin struct {
	Registry    string    `json:"registry"`    // the publish attestation's
	PublishedAt time.Time `json:"publishedAt"` // the log's time
	Issuer      string    `json:"issuer"`      // of the certificate, as all that follows
	Identity    string    `json:"identity"`
	Repository  string    `json:"repository"`
	Commit      string    `json:"commit"`
	Ref         string    `json:"ref"`
	Workflow    string    `json:"workflow,omitempty"`
	Runner      string    `json:"runner,omitempty"`
	Trigger     string    `json:"trigger,omitempty"`
}

// statement is one verified member of an answer.
type statement struct {
	verify.VerifiedStatement
	predicateType string
}

// CheckAttestations verifies a registry's answer about a package's attestations
// (`{"attestations": [{predicateType, bundle}]}`). It returns where the package
// came from only if the publish attestation and the provenance both hold, there
// is one of each, and nothing in the answer is invalid. Errors are
// *verify.Refusal, except where ctx ended.
//
// checker must know the trust root and npm's attestation keys.
func CheckAttestations(ctx context.Context, checker verify.Checker, pkg Package, answer []byte) (*Origin, error) {
	if err := pkg.check(); err != nil {
		return nil, &verify.Refusal{Code: verify.CodeAnswerMalformed, Expected: "a package", Found: err.Error()}
	}
	sha512, err := SHA512(pkg.Integrity)
	if err != nil {
		return nil, err
	}
	members, err := parseAnswer(answer)
	if err != nil {
		return nil, err
	}
	artifact := verify.Artifact{Name: pkg.String(), Digests: attest.DigestSet{"sha512": sha512}}
	var publish, provenance []statement
	for _, m := range members {
		s, err := openMember(ctx, checker, pkg, artifact, m)
		if err != nil {
			return nil, err
		}
		switch s.predicateType {
		case attest.TypeNPMPublishV01:
			publish = append(publish, s)
		case attest.TypeProvenance, attest.TypeProvenanceV02:
			provenance = append(provenance, s)
		}
	}
	if err := exactlyOne(publish, "publish attestation", verify.CodePublishMissing); err != nil {
		return nil, err
	}
	if err := exactlyOne(provenance, "provenance", verify.CodeProvenanceMissing); err != nil {
		return nil, err
	}
	registry, err := checkPublish(pkg, publish[0])
	if err != nil {
		return nil, err
	}
	certificate, err := checkProvenance(provenance[0])
	if err != nil {
		return nil, err
	}
	times := publish[0].Signature().Times
	if len(times) == 0 {
		return nil, &verify.Refusal{Code: verify.CodeTimeInvalid, Expected: "a signed time of publication", Found: "none"}
	}
	return &Origin{
		Registry: registry, PublishedAt: times[0].Time,
		Issuer: certificate.Issuer, Identity: certificate.Identity, Repository: certificate.Repository,
		Commit: certificate.Commit, Ref: certificate.Ref, Workflow: certificate.BuildConfig,
		Runner: certificate.Runner, Trigger: certificate.Trigger,
	}, nil
}

type member struct {
	PredicateType string         `json:"predicateType"`
	Bundle        jsontext.Value `json:"bundle"`
}

func parseAnswer(answer []byte) ([]member, error) {
	if len(answer) > MaxAnswer {
		return nil, malformed(fmt.Sprintf("at most %d bytes", MaxAnswer), fmt.Sprintf("%d", len(answer)))
	}
	var doc struct {
		Attestations *[]member `json:"attestations"`
	}
	if err := jsonv2.Unmarshal(answer, &doc); err != nil {
		return nil, malformed("JSON with a list of attestations", attest.JSONError(err).Error())
	}
	switch {
	case doc.Attestations == nil:
		return nil, malformed("a list of attestations", "none")
	case len(*doc.Attestations) == 0:
		return nil, malformed("attestations (a registry that has none answers 404)", "an empty list")
	case len(*doc.Attestations) > maxAttestations:
		return nil, malformed(fmt.Sprintf("at most %d attestations", maxAttestations), fmt.Sprintf("%d", len(*doc.Attestations)))
	}
	return *doc.Attestations, nil
}

func malformed(expected, found string) error {
	return &verify.Refusal{Code: verify.CodeAnswerMalformed, Expected: expected, Found: found}
}

// openMember verifies one member and that it is about this package alone, under
// its canonical name.
func openMember(ctx context.Context, checker verify.Checker, pkg Package, artifact verify.Artifact, m member) (statement, error) {
	if len(m.Bundle) == 0 || m.Bundle.Kind() != '{' {
		return statement{}, malformed("a bundle in each attestation", "none")
	}
	opened, err := verify.Open(ctx, checker, m.Bundle, artifact)
	if err != nil {
		return statement{}, named(err, m.PredicateType)
	}
	signed := opened.Statement()
	if signed.PredicateType != m.PredicateType {
		return statement{}, &verify.Refusal{Code: verify.CodePredicateTypeDiffer, Expected: signed.PredicateType + ", as signed", Found: fmt.Sprintf("%.200q in the answer", m.PredicateType)}
	}
	if n := len(signed.Subject); n != 1 {
		return statement{}, &verify.Refusal{Code: verify.CodeSubjectMismatch, Expected: "one subject, " + pkg.purl(), Found: fmt.Sprintf("%d subjects", n)}
	}
	if name := signed.Subject[0].Name; name != pkg.purl() {
		return statement{}, &verify.Refusal{Code: verify.CodeSubjectMismatch, Expected: pkg.purl(), Found: fmt.Sprintf("%.200q", name)}
	}
	return statement{VerifiedStatement: opened, predicateType: signed.PredicateType}, nil
}

// named says in a refusal which member of the answer it is about.
func named(err error, predicateType string) error {
	var r *verify.Refusal
	if !errors.As(err, &r) {
		return err
	}
	about := *r
	about.Found = fmt.Sprintf("in the attestation %.120q: %s", predicateType, r.Found)
	return &about
}

func exactlyOne(s []statement, what string, missing verify.Code) error {
	switch len(s) {
	case 1:
		return nil
	case 0:
		return &verify.Refusal{Code: missing, Expected: "one " + what, Found: "none"}
	}
	return &verify.Refusal{Code: verify.CodeAttestationRepeated, Expected: "one " + what, Found: fmt.Sprintf("%d", len(s))}
}

// checkPublish checks npm's publish attestation (npm/attestation,
// specs/publish/v0.1) and returns the registry that it names.
func checkPublish(pkg Package, s statement) (registry string, err error) {
	signature := s.Signature()
	if signature.KeyID == "" || signature.Certificate != nil {
		return "", &verify.Refusal{Code: verify.CodeSignerUnknown, Expected: "a publish attestation signed with npm's key", Found: "one by " + signature.Signer()}
	}
	var predicate struct {
		Name     string `json:"name"`
		Version  string `json:"version"`
		Registry string `json:"registry"`
	}
	if err := jsonv2.Unmarshal(s.Statement().Predicate, &predicate); err != nil {
		return "", &verify.Refusal{Code: verify.CodePublishMismatch, Expected: "name, version and registry", Found: attest.JSONError(err).Error()}
	}
	if predicate.Name != pkg.Name || predicate.Version != pkg.Version {
		return "", &verify.Refusal{Code: verify.CodePublishMismatch, Expected: pkg.String(), Found: fmt.Sprintf("%.200q", predicate.Name+"@"+predicate.Version)}
	}
	if predicate.Registry == "" {
		return "", &verify.Refusal{Code: verify.CodePublishMismatch, Expected: "the registry's address", Found: "none"}
	}
	return predicate.Registry, nil
}
