package npm

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	Registry     string    `json:"registry"`    // the publish attestation's
	PublishedAt  time.Time `json:"publishedAt"` // the log's time
	Issuer       string    `json:"issuer"`      // of the certificate, as all that follows
	Identity     string    `json:"identity"`
	Repository   string    `json:"repository"`
	RepositoryID string    `json:"repositoryId,omitempty"`
	OwnerID      string    `json:"ownerId,omitempty"`
	Commit       string    `json:"commit"`
	Ref          string    `json:"ref"`
	Workflow     string    `json:"workflow,omitempty"`
	Runner       string    `json:"runner,omitempty"`
	Trigger      string    `json:"trigger,omitempty"`
	Bundle       string    `json:"bundle"` // "sha256:HEX" of the provenance's bundle, as JSON without white space

	signature verify.Signature // of the provenance
	builder   string           // as the provenance claims
}

// statement is one verified member of an answer.
type statement struct {
	verify.VerifiedStatement
	predicateType string
	bundle        jsontext.Value
}

// CheckAttestations verifies a registry's answer about a package's attestations
// (`{"attestations": [{predicateType, bundle}]}`). It returns where the package
// came from only if the publish attestation and the provenance both hold, there
// is one of each, and nothing in the answer is invalid. Errors are
// *verify.Refusal, except where ctx ended; of several it is the first.
//
// checker must know the trust root and npm's attestation keys.
func CheckAttestations(ctx context.Context, checker verify.Checker, pkg Package, answer []byte) (*Origin, error) {
	origin, refused, err := checkAttestations(ctx, checker, pkg, answer)
	if err != nil {
		return nil, err
	}
	if len(refused) > 0 {
		return nil, refused[0]
	}
	if origin == nil {
		return nil, errors.New("internal error: no origin and no reason")
	}
	return origin, nil
}

// checkAttestations keeps every reason. Origin is nil if there is any.
func checkAttestations(ctx context.Context, checker verify.Checker, pkg Package, answer []byte) (*Origin, []*verify.Refusal, error) {
	if err := pkg.check(); err != nil {
		return nil, []*verify.Refusal{{Code: verify.CodeAnswerMalformed, Expected: "a package", Found: err.Error()}}, nil
	}
	sum, err := SHA512(pkg.Integrity)
	if err != nil {
		return refusals(err)
	}
	members, err := parseAnswer(answer)
	if err != nil {
		return refusals(err)
	}
	artifact := verify.Artifact{Name: pkg.String(), Digests: attest.DigestSet{"sha512": sum}}
	var refused []*verify.Refusal
	var publish, provenance []statement
	for _, m := range members {
		s, reasons, err := openMember(ctx, checker, pkg, artifact, m)
		if err != nil {
			return nil, nil, err
		}
		refused = append(refused, reasons...)
		switch {
		case len(reasons) > 0:
		case s.predicateType == attest.TypeNPMPublishV01:
			publish = append(publish, s)
		case s.predicateType == attest.TypeProvenance || s.predicateType == attest.TypeProvenanceV02:
			provenance = append(provenance, s)
		}
	}
	origin, reasons := originOf(pkg, publish, provenance, len(refused) == 0)
	if refused = append(refused, reasons...); len(refused) > 0 {
		return nil, refused, nil
	}
	return origin, nil, nil
}

// integrityNamed returns the integrity of the bytes that an answer says it is about, of
// which nothing is verified; where it names none, that of no package.
func integrityNamed(answer []byte) string {
	sum := make([]byte, sha512.Size)
	members, err := parseAnswer(answer)
	if err != nil {
		return integrityOf(sum)
	}
	for _, m := range members {
		var bundle struct {
			Envelope struct {
				Payload []byte `json:"payload"`
			} `json:"dsseEnvelope"`
		}
		var statement struct {
			Subject []struct {
				Digest map[string]string `json:"digest"`
			} `json:"subject"`
		}
		if jsonv2.Unmarshal(m.Bundle, &bundle) != nil || jsonv2.Unmarshal(bundle.Envelope.Payload, &statement) != nil || len(statement.Subject) == 0 {
			continue
		}
		if named, err := hex.DecodeString(statement.Subject[0].Digest["sha512"]); err == nil && len(named) == sha512.Size {
			return integrityOf(named)
		}
	}
	return integrityOf(sum)
}

// integrityOf writes a SHA-512 as lockfiles do.
func integrityOf(sum []byte) string { return "sha512-" + base64.StdEncoding.EncodeToString(sum) }

func refusals(err error) (*Origin, []*verify.Refusal, error) {
	var r *verify.Refusal
	if errors.As(err, &r) {
		return nil, []*verify.Refusal{r}, nil
	}
	return nil, nil, err
}

// originOf compares the statements of an answer with the package and the certificate,
// and keeps every reason. What is missing is one only if all members were opened: it may
// be what was refused.
func originOf(pkg Package, publish, provenance []statement, allOpened bool) (*Origin, []*verify.Refusal) {
	var refused []*verify.Refusal
	count := func(s []statement, what string, missing verify.Code) {
		if r := exactlyOne(s, what, missing); r != nil && (allOpened || len(s) > 0) {
			refused = append(refused, r)
		}
	}
	count(publish, "publish attestation", verify.CodePublishMissing)
	count(provenance, "provenance", verify.CodeProvenanceMissing)
	var registry string
	for _, s := range publish {
		named, reasons := checkPublish(pkg, s)
		registry, refused = named, append(refused, reasons...)
	}
	var certificate *verify.Certificate
	var builder string
	for _, s := range provenance {
		c, b, reasons := checkProvenance(s)
		certificate, builder, refused = c, b, append(refused, reasons...)
	}
	if len(refused) > 0 || len(publish) != 1 || len(provenance) != 1 {
		return nil, refused
	}
	times := publish[0].Signature().Times
	if len(times) == 0 {
		return nil, []*verify.Refusal{{Code: verify.CodeTimeInvalid, Expected: "a signed time of publication", Found: "none"}}
	}
	sum := sha256.Sum256(compact(provenance[0].bundle))
	return &Origin{
		Registry: registry, PublishedAt: times[0].Time,
		Issuer: certificate.Issuer, Identity: certificate.Identity,
		Repository: certificate.Repository, RepositoryID: certificate.RepositoryID, OwnerID: certificate.OwnerID,
		Commit: certificate.Commit, Ref: certificate.Ref, Workflow: certificate.BuildConfig,
		Runner: certificate.Runner, Trigger: certificate.Trigger, Bundle: "sha256:" + hex.EncodeToString(sum[:]),
		signature: provenance[0].Signature(), builder: builder,
	}, nil
}

type member struct {
	PredicateType string                    `json:"predicateType"`
	Bundle        jsontext.Value            `json:"bundle"`
	Others        map[string]jsontext.Value `json:",embed"`
}

// oneSpelling refuses names that differ from those that are read in case only: readers
// that do not tell them apart would read another answer.
func oneSpelling(others map[string]jsontext.Value, known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(others)) {
		for _, k := range known {
			if strings.EqualFold(name, k) {
				return malformed(fmt.Sprintf("%q", k), fmt.Sprintf("%.100q too", name))
			}
		}
	}
	return nil
}

func parseAnswer(answer []byte) ([]member, error) {
	if len(answer) > MaxAnswer {
		return nil, malformed(fmt.Sprintf("at most %d bytes", MaxAnswer), fmt.Sprintf("%d", len(answer)))
	}
	var doc struct {
		Attestations *[]member                 `json:"attestations"`
		Others       map[string]jsontext.Value `json:",embed"`
	}
	if err := jsonv2.Unmarshal(answer, &doc); err != nil {
		return nil, malformed("JSON with a list of attestations", attest.JSONError(err).Error())
	}
	if err := oneSpelling(doc.Others, "attestations"); err != nil {
		return nil, err
	}
	switch {
	case doc.Attestations == nil:
		return nil, malformed("a list of attestations", "none")
	case len(*doc.Attestations) == 0:
		return nil, malformed("attestations (a registry that has none answers 404)", "an empty list")
	case len(*doc.Attestations) > maxAttestations:
		return nil, malformed(fmt.Sprintf("at most %d attestations", maxAttestations), fmt.Sprintf("%d", len(*doc.Attestations)))
	}
	for _, m := range *doc.Attestations {
		if err := oneSpelling(m.Others, "predicateType", "bundle"); err != nil {
			return nil, err
		}
	}
	return *doc.Attestations, nil
}

func malformed(expected, found string) *verify.Refusal {
	return &verify.Refusal{Code: verify.CodeAnswerMalformed, Expected: expected, Found: found}
}

// openMember verifies one member and that it is about this package alone, under
// its canonical name. An error means that there is no decision.
func openMember(ctx context.Context, checker verify.Checker, pkg Package, artifact verify.Artifact, m member) (statement, []*verify.Refusal, error) {
	if len(m.Bundle) == 0 || m.Bundle.Kind() != '{' {
		return statement{}, []*verify.Refusal{malformed("a bundle in each attestation", "none")}, nil
	}
	opened, err := verify.Open(ctx, checker, m.Bundle, artifact)
	if r := (*verify.Refusal)(nil); errors.As(err, &r) {
		return statement{}, []*verify.Refusal{named(r, m.PredicateType)}, nil
	}
	if err != nil {
		return statement{}, nil, err
	}
	signed := opened.Statement()
	var refused []*verify.Refusal
	if signed.PredicateType != m.PredicateType {
		refused = append(refused, &verify.Refusal{Code: verify.CodePredicateTypeDiffer, Expected: fmt.Sprintf("%.200q, as signed", signed.PredicateType), Found: fmt.Sprintf("%.200q in the answer", m.PredicateType)})
	}
	if n := len(signed.Subject); n != 1 {
		refused = append(refused, &verify.Refusal{Code: verify.CodeSubjectMismatch, Expected: "one subject, " + pkg.purl(), Found: fmt.Sprintf("%d subjects", n)})
	} else if name := signed.Subject[0].Name; name != pkg.purl() {
		refused = append(refused, &verify.Refusal{Code: verify.CodeSubjectMismatch, Expected: pkg.purl(), Found: fmt.Sprintf("%.200q", name)})
	}
	return statement{VerifiedStatement: opened, predicateType: signed.PredicateType, bundle: m.Bundle}, refused, nil
}

// named says in a refusal which member of the answer it is about.
func named(r *verify.Refusal, predicateType string) *verify.Refusal {
	about := *r
	about.Found = fmt.Sprintf("in the attestation %.120q: %s", predicateType, r.Found)
	return &about
}

func exactlyOne(s []statement, what string, missing verify.Code) *verify.Refusal {
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
func checkPublish(pkg Package, s statement) (registry string, refused []*verify.Refusal) {
	signature := s.Signature()
	if signature.KeyID == "" || signature.Certificate != nil {
		refused = append(refused, &verify.Refusal{Code: verify.CodeSignerUnknown, Expected: "a publish attestation signed with npm's key", Found: "one by " + signature.Signer()})
	}
	var predicate struct {
		Name     string `json:"name"`
		Version  string `json:"version"`
		Registry string `json:"registry"`
	}
	mismatch := func(expected, found string) {
		refused = append(refused, &verify.Refusal{Code: verify.CodePublishMismatch, Expected: expected, Found: found})
	}
	if err := jsonv2.Unmarshal(s.Statement().Predicate, &predicate); err != nil {
		mismatch("name, version and registry", attest.JSONError(err).Error())
		return "", refused
	}
	if predicate.Name != pkg.Name || predicate.Version != pkg.Version {
		mismatch(pkg.String(), fmt.Sprintf("%.200q", predicate.Name+"@"+predicate.Version))
	}
	if predicate.Registry == "" {
		mismatch("the registry's address", "none")
	}
	return predicate.Registry, refused
}

// compact drops the white space of a bundle, which every store of it changes. It is
// valid JSON: it was parsed.
func compact(bundle jsontext.Value) []byte {
	small := bundle.Clone()
	if small.Compact() != nil {
		return bundle
	}
	return small
}
