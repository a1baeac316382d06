package verify

import (
	"context"
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
	Times       []SignedTime // trusted times, sorted
	LogEntries  int          // verified transparency log entries, at least
	Proofs      int          // how many of them with an inclusion proof, at least
	SCTs        int          // verified signed certificate timestamps
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

// A SignedTime is a time that a log or a timestamp authority vouches for.
type SignedTime struct {
	Kind string // "log" or "timestamp-authority"
	Time time.Time
}

// A Certificate is what a verified Fulcio certificate says of the signer
// (Fulcio, "Certificate extensions", OID 1.3.6.1.4.1.57264.1). Fields that the
// certificate lacks are empty.
type Certificate struct {
	Issuer        string // .8, or .1 in old certificates
	Identity      string // subject alternative name
	Runner        string // .11
	Repository    string // .12
	Commit        string // .13
	Ref           string // .14
	RepositoryID  string // .15
	OwnerID       string // .17
	BuildConfig   string // .18: the workflow that was started, URI@ref
	Trigger       string // .20
	RunInvocation string // .21
}

// An Artifact is what a decision is about.
type Artifact struct {
	Name    string           // for people; no proof of anything
	Digests attest.DigestSet // as computed by the verifier; sha256 or sha512 at least
}

// A VerifiedStatement is a statement whose signature was verified by a Checker
// and whose subject is the artifact. Only Open makes one; the zero value is
// refused everywhere.
type VerifiedStatement struct {
	statement attest.Statement
	signature Signature
	verified  bool
}

// Statement returns what was signed. Its Predicate must not be modified.
func (v VerifiedStatement) Statement() attest.Statement { return v.statement }

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
	if err := matchSubject(statement.Subject, artifact.Digests); err != nil {
		return VerifiedStatement{}, err
	}
	return VerifiedStatement{statement: statement, signature: signature, verified: true}, nil
}

func refusal(err error) error {
	var r *Refusal
	if errors.As(err, &r) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &Refusal{Code: CodeSignatureInvalid, Expected: "a valid signature", Found: err.Error()}
}

// matchSubject finds the artifact among the subjects. in-toto lets one matching
// digest suffice (spec v1, "Validation model"); here every algorithm that was
// computed for the artifact must match, and SHA-256 or SHA-512 must be among
// them, so that a right sha256 beside a wrong sha512 is refused.
func matchSubject(subjects []attest.Subject, digests attest.DigestSet) error {
	for _, subject := range subjects {
		same, differ := 0, 0
		for alg, want := range digests {
			switch found, there := subject.Digest[alg]; {
			case !there:
			case found == want && (alg == "sha256" || alg == "sha512"):
				same++
			case found != want:
				differ++
			}
		}
		if same > 0 && differ == 0 {
			return nil
		}
	}
	return &Refusal{Code: CodeSubjectMismatch, Expected: describeDigests(digests), Found: describeSubjects(subjects)}
}

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
