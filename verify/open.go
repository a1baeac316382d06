package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plimsoll.example/attest"
)

// MaxAttestation bounds the bytes of one attestation.
const MaxAttestation = 128 << 20

// Raw is an attestation as it was found, and what its bytes parse to, strictly.
// A Checker must verify that very envelope.
type Raw struct {
	JSON []byte
	attest.Parsed
}

// A Checker verifies signatures.
//
// Check returns a Signature only if raw.Envelope's one signature covers exactly
// raw.Envelope's payload and payload type, and was made by a key or certificate
// that the Checker trusts. Any error means that nothing in raw may be believed;
// an error that explains itself is a *Refusal.
type Checker interface {
	Check(ctx context.Context, raw Raw) (Signature, error)
}

// A Signature says who signed and what bears witness to it. The zero Signature
// is nobody's and is refused.
type Signature struct {
	KeyID       string       // "SHA256:..." of the public key, if a key that the verifier holds signed
	KeyName     string       // what the verifier calls that key
	Certificate *Certificate // if a certificate signed
	Root        string       // name of the trust root that vouched for certificate, times and entries
	RootDigest  string       // "sha256:HEX"
	Times       []SignedTime // trusted times, each of another authority or log, sorted
	LogEntries  int          // verified transparency log entries, each of another log, at least
	Proofs      int          // how many of them with an inclusion proof, at least
	SCTs        int          // verified signed certificate timestamps
	// Problem says why a key's log entries and times do not count: they are then
	// none. (Of a certificate they must hold, else there is no Signature.)
	Problem string
}

// Signer names the signer for people.
func (s Signature) Signer() string {
	switch {
	case s.Certificate != nil:
		return s.Certificate.Identity
	case s.KeyName != "":
		return s.KeyName
	}
	return s.KeyID
}

// Time returns the oldest trusted time of a signature; zero if there is none.
func (s Signature) Time() time.Time {
	if len(s.Times) == 0 {
		return time.Time{}
	}
	return s.Times[0].Time
}

// A SignedTime is a time that a log or a timestamp authority vouches for.
type SignedTime struct {
	Kind string // "log" or "timestamp-authority"
	Time time.Time
}

// A Certificate is what a verified Fulcio certificate says of the signer
// (Fulcio, "Certificate extensions", OID 1.3.6.1.4.1.57264.1). Fields that the
// certificate lacks are empty.
type Certificate struct {
	Issuer        string `json:"issuer,omitempty"`        // .8, or .1 in old certificates
	Identity      string `json:"identity,omitempty"`      // subject alternative name
	Runner        string `json:"runner,omitempty"`        // .11
	Repository    string `json:"repository,omitempty"`    // .12
	Commit        string `json:"commit,omitempty"`        // .13
	Ref           string `json:"ref,omitempty"`           // .14
	RepositoryID  string `json:"repositoryId,omitempty"`  // .15
	OwnerID       string `json:"ownerId,omitempty"`       // .17
	BuildConfig   string `json:"buildConfig,omitempty"`   // .18: the workflow that was started, URI@ref
	Trigger       string `json:"trigger,omitempty"`       // .20
	RunInvocation string `json:"runInvocation,omitempty"` // .21
	Environment   string `json:"environment,omitempty"`   // .23
}

// An Artifact is what a decision is about.
type Artifact struct {
	Name    string           // for people; no proof of anything
	As      string           // what it is deployed as, from ParseName; "" if nobody said
	Digests attest.DigestSet // as computed by the verifier; sha256 or sha512 at least
	// Files are what is deployed where it is a directory: every regular file, by its
	// path in the directory with slashes, and the Digests are then empty.
	Files []attest.Subject
	// Others computes digests of more algorithms of the same bytes, where they are
	// at hand; nil where they are not. It is called for those that a statement gives.
	Others func(ctx context.Context, algorithms []string) (attest.DigestSet, error)
}

// A VerifiedStatement is a statement whose signature was verified by a Checker
// and whose subject is the artifact. Only Open makes one; the zero value is
// refused everywhere.
type VerifiedStatement struct {
	statement attest.Statement
	subject   attest.Subject // the one that is the artifact
	signature Signature
	payload   [sha256.Size]byte // digest of what was signed
	verified  bool
}

// Statement returns what was signed. Its Predicate must not be modified.
func (v VerifiedStatement) Statement() attest.Statement { return v.statement }

// Subject returns the subject that is the artifact.
func (v VerifiedStatement) Subject() attest.Subject { return v.subject }

// Signature returns who signed it.
func (v VerifiedStatement) Signature() Signature { return v.signature }

// Open verifies one attestation about an artifact: that it is a strict bundle or
// envelope, that checker accepts its signature, and that the signed statement is
// well-formed and about the artifact. The bytes that are parsed are those that
// were checked. Errors are *Refusal, except where ctx ended.
//
// The artifact's digests must have been computed by the caller from the bytes
// that will be used.
func Open(ctx context.Context, checker Checker, raw []byte, artifact Artifact) (VerifiedStatement, error) {
	if err := ctx.Err(); err != nil {
		return VerifiedStatement{}, err
	}
	if len(raw) > MaxAttestation {
		return VerifiedStatement{}, &Refusal{Code: CodeAttestationMalformed,
			Expected: fmt.Sprintf("at most %d bytes", MaxAttestation), Found: fmt.Sprintf("%d", len(raw))}
	}
	parsed, err := attest.ParseEnvelope(raw)
	if err != nil {
		return VerifiedStatement{}, &Refusal{Code: CodeAttestationMalformed, Expected: "a Sigstore bundle or DSSE envelope", Found: err.Error()}
	}
	signature, err := checker.Check(ctx, Raw{JSON: raw, Parsed: parsed})
	if err != nil {
		return VerifiedStatement{}, refusal(err)
	}
	if signature.KeyID == "" && signature.Certificate == nil {
		return VerifiedStatement{}, &Refusal{Code: CodeSignerUnknown, Expected: "a key or certificate", Found: "a signature by nobody"}
	}
	statement, err := attest.ParseStatement(parsed.Envelope.Payload)
	if err != nil {
		return VerifiedStatement{}, &Refusal{Code: CodeStatementMalformed, Expected: "an in-toto statement", Found: err.Error()}
	}
	subject, err := artifact.match(ctx, statement.Subject)
	if err != nil {
		return VerifiedStatement{}, err
	}
	return VerifiedStatement{statement: statement, subject: subject, signature: signature, payload: sha256.Sum256(parsed.Envelope.Payload), verified: true}, nil
}

func refusal(err error) error {
	var r *Refusal
	if errors.As(err, &r) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &Refusal{Code: CodeSignatureInvalid, Expected: "a valid signature", Found: err.Error()}
}

// match finds the artifact among the subjects. in-toto lets one matching digest
// suffice (spec v1, "Validation model"); here every algorithm that can be computed
// of the artifact must match, and SHA-256 or SHA-512 must be among them, so that a
// right sha256 beside a wrong sha512 is refused.
func (a Artifact) match(ctx context.Context, subjects []attest.Subject) (attest.Subject, error) {
	if len(a.Files) > 0 {
		return attest.Subject{}, a.matchFiles(subjects) // no one subject is the directory
	}
	for _, subject := range subjects {
		if !agree(a.Digests, subject.Digest) {
			continue
		}
		var more []string
		for alg := range subject.Digest {
			if a.Digests[alg] == "" && attest.Computable(alg) {
				more = append(more, alg)
			}
		}
		if len(more) == 0 || a.Others == nil {
			return subject, nil
		}
		others, err := a.Others(ctx, more)
		if err != nil {
			return attest.Subject{}, &NoDecisionError{fmt.Errorf("hashing %q again: %w", a.Name, err)}
		}
		if same, differ := compare(others, subject.Digest); differ == 0 && same == len(more) {
			return subject, nil
		}
	}
	return attest.Subject{}, &Refusal{Code: CodeSubjectMismatch, Expected: describeDigests(a.Digests), Found: describeSubjects(subjects)}
}

// compare counts the algorithms in which two sets are equal and differ.
func compare(a, b attest.DigestSet) (same, differ int) {
	for alg, value := range a {
		switch other, there := b[alg]; {
		case !there:
		case other == value:
			same++
		default:
			differ++
		}
	}
	return same, differ
}

// agree tells whether a subject is what has these digests: it differs in none, and
// SHA-256 or SHA-512 is equal.
func agree(digests, subject attest.DigestSet) bool {
	_, differ := compare(digests, subject)
	strong := false
	for _, alg := range []string{"sha256", "sha512"} {
		strong = strong || (digests[alg] != "" && digests[alg] == subject[alg])
	}
	return strong && differ == 0
}

// matchFiles demands that the subjects are the files of a directory: by path and
// digest, none missing and none more.
func (a Artifact) matchFiles(subjects []attest.Subject) error {
	named := map[string]attest.DigestSet{}
	for _, s := range subjects {
		if _, twice := named[s.Name]; twice {
			return a.otherFiles(subjects, fmt.Sprintf("two subjects named %q", s.Name))
		}
		named[s.Name] = s.Digest
	}
	for _, f := range a.Files {
		digest, there := named[f.Name]
		switch {
		case !there:
			return a.otherFiles(subjects, fmt.Sprintf("no subject for the file %q, %s", f.Name, describeDigests(f.Digest)))
		case !agree(f.Digest, digest):
			return a.otherFiles(subjects, fmt.Sprintf("the file %q with %s, and the subject with %s", f.Name, describeDigests(f.Digest), describeDigests(digest)))
		}
		delete(named, f.Name)
	}
	for _, s := range subjects {
		if _, left := named[s.Name]; left {
			return a.otherFiles(subjects, fmt.Sprintf("a subject %q, which is no file of the directory", s.Name))
		}
	}
	return nil
}

func (a Artifact) otherFiles(subjects []attest.Subject, found string) error {
	return &Refusal{Code: CodeSubjectMismatch, Expected: fmt.Sprintf("%d subjects, the %d files of the directory by path and digest", len(a.Files), len(a.Files)),
		Found: fmt.Sprintf("%d subjects; %s", len(subjects), found)}
}

// A NoDecisionError reports that something could not be checked, which is neither
// a yes nor a no.
type NoDecisionError struct{ Err error }

func (e *NoDecisionError) Error() string { return e.Err.Error() }
func (e *NoDecisionError) Unwrap() error { return e.Err }

func describeDigests(d attest.DigestSet) string {
	algs := make([]string, 0, len(d))
	for alg := range d {
		algs = append(algs, alg)
	}
	slices.Sort(algs)
	for i, alg := range algs {
		algs[i] = alg + ":" + d[alg]
	}
	if len(algs) == 0 {
		return "no digest"
	}
	return strings.Join(algs, " ")
}

func describeSubjects(subjects []attest.Subject) string {
	const most = 3
	var parts []string
	for i, s := range subjects {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(subjects)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%q %s", s.Name, describeDigests(s.Digest)))
	}
	return strings.Join(parts, ", ")
}
