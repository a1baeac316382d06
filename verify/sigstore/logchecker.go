package sigstore

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// proofsSince is when every log entry has an inclusion proof: an entry with a
// promise alone is good only before (older bundles, of format 0.1, have none).
var proofsSince = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// A LogChecker accepts bundles that a transparency log of its root holds: by
// certificates of the root's authorities with a certificate timestamp, and by
// the keys it was given, within their validity at the signed time. Who signed is
// reported and not judged. It may be used by several goroutines.
type LogChecker struct {
	material root.TrustedMaterial
	name     string // of the root, if it is the embedded one
	digest   string
	keys     []Key
	least    Witnesses
}

// Witnesses says how many verified log entries and certificate timestamps a
// bundle by a certificate must have at least. It must have one signed time always.
type Witnesses struct{ LogEntries, SCTs int }

// NewLogChecker returns a checker. Keys may be none.
func NewLogChecker(trusted *Root, keys []Key) (*LogChecker, error) {
	known := map[string]*root.ExpiringKey{}
	for _, k := range keys {
		verifier, err := signature.LoadDefaultVerifier(k.Public)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", k.Hint, err)
		}
		known[k.Hint] = root.NewExpiringKey(verifier, k.NotBefore, k.NotAfter)
	}
	name := ""
	if trusted.embedded() {
		name = verify.PublicGoodName
	}
	return &LogChecker{
		name:     name,
		material: root.TrustedMaterialCollection{root.NewTrustedPublicKeyMaterialFromMapping(known), trusted.material},
		digest:   trusted.digest,
		keys:     keys,
		least:    Witnesses{LogEntries: 1, SCTs: 1},
	}, nil
}

// Check implements [verify.Checker].
func (c *LogChecker) Check(_ context.Context, raw verify.Raw) (verify.Signature, error) {
	if !raw.Bundle {
		return verify.Signature{}, &verify.Refusal{Code: verify.CodeLogInvalid,
			Expected: "a Sigstore bundle with a log entry", Found: "a bare DSSE envelope"}
	}
	e, err := parseEntity(raw.JSON)
	if err != nil {
		return verify.Signature{}, err
	}
	if err := e.mustBe(raw); err != nil {
		return verify.Signature{}, err
	}
	if found := len(e.entries); found < c.least.LogEntries {
		return verify.Signature{}, &verify.Refusal{Code: verify.CodeLogMissing,
			Expected: fmt.Sprintf("%d transparency log entries", c.least.LogEntries), Found: fmt.Sprint(found)}
	}
	e.signed = unreadContent{e.signed}
	// All that is in the bundle must hold: sigstore-go alone would pass over log
	// entries that it cannot verify.
	return c.verify(e, max(c.least.LogEntries, len(e.entries)), sgverify.WithoutArtifactUnsafe())
}

// mustBe compares what two parsers have read from the same bytes: what one of them
// hands to the signature check must be what the other hands to the policy.
func (e *entity) mustBe(raw verify.Raw) error {
	env := e.GetDsseEnvelope()
	if env == nil || len(env.GetSignatures()) != 1 || !bytes.Equal(env.GetPayload(), raw.Envelope.Payload) ||
		env.GetPayloadType() != raw.Envelope.PayloadType || !bytes.Equal(env.GetSignatures()[0].GetSig(), raw.Envelope.Signatures[0].Sig) {
		return &verify.Refusal{Code: verify.CodeAttestationMalformed,
			Expected: "one envelope", Found: "bytes that two parsers read differently"}
	}
	return nil
}

// CheckArtifact verifies a bundle of either kind, message signature or envelope,
// over an artifact with these digests (sha256, and more where the signature
// needs them). It is what Sigstore clients call "verify-bundle".
func (c *LogChecker) CheckArtifact(rawBundle []byte, digests map[string][]byte) (verify.Signature, error) {
	e, err := parseEntity(rawBundle)
	if err != nil {
		return verify.Signature{}, err
	}
	alg := "sha256"
	if e.GetMessageSignature() != nil {
		alg = messageAlgorithm(e)
	}
	digest := digests[alg]
	if len(digest) == 0 {
		return verify.Signature{}, &verify.Refusal{Code: verify.CodeSubjectMismatch,
			Expected: "a signature over one of the artifact's digests", Found: "one over " + alg}
	}
	return c.verify(e, 1, sgverify.WithArtifactDigest(alg, digest))
}

// messageAlgorithm is the digest that a message signature says it is over: sha256.
func messageAlgorithm(e *entity) string {
	name := e.GetMessageSignature().GetMessageDigest().GetAlgorithm().String()
	return "sha" + strings.ToLower(strings.TrimPrefix(name, "SHA2_"))
}

// verify demands a number of verified log entries, each of another log.
func (c *LogChecker) verify(e *entity, entries int, artifact sgverify.ArtifactPolicyOption) (verify.Signature, error) {
	key := e.content.PublicKey()
	if key != nil {
		if _, err := c.material.PublicKeyVerifier(key.Hint()); err != nil {
			return verify.Signature{}, &verify.Refusal{Code: verify.CodeSignerUnknown,
				Expected: "a signature by " + c.describeKeys(), Found: "one by " + describeHint(key.Hint())}
		}
	}
	options, err := c.options(e, entries, key != nil)
	if err != nil {
		return verify.Signature{}, err
	}
	if err := e.checkBodies(); err != nil {
		return verify.Signature{}, err
	}
	verifier, err := sgverify.NewVerifier(c.material, options...)
	if err != nil {
		return verify.Signature{}, &verify.Refusal{Code: verify.CodeTimeInvalid, Expected: "a log's promise or a signed timestamp", Found: "neither"}
	}
	// Who the certificate names is for the caller to judge: it is reported.
	result, err := verifier.Verify(e, sgverify.NewPolicy(artifact, sgverify.WithoutIdentitiesUnsafe()))
	if err != nil {
		code := codeOf(err)
		if code == verify.CodeCertificateExpired && key != nil {
			code = verify.CodeKeyExpired
		}
		return verify.Signature{}, &verify.Refusal{Code: code, Expected: "a signature that the trust root vouches for", Found: reason(err)}
	}
	return c.signature(e, entries, result)
}

// options demands everything that the bundle can be held to: a log entry, each
// kind of time that it carries, and a certificate timestamp.
func (c *LogChecker) options(e *entity, entries int, byKey bool) ([]sgverify.VerifierOption, error) {
	var options []sgverify.VerifierOption
	if entries > 0 {
		options = append(options, sgverify.WithTransparencyLog(entries))
	}
	if !byKey && c.least.SCTs > 0 {
		options = append(options, sgverify.WithSignedCertificateTimestamps(c.least.SCTs))
	}
	timestamps, err := e.Timestamps()
	if err != nil {
		return nil, &verify.Refusal{Code: verify.CodeAttestationMalformed, Expected: "a Sigstore bundle", Found: reason(err)}
	}
	if len(timestamps) > 0 {
		if len(c.material.TimestampingAuthorities()) == 0 { // sigstore-go would pass over them
			return nil, &verify.Refusal{Code: verify.CodeTimeInvalid, Expected: "no signed timestamps: the trust root knows no timestamp authority", Found: fmt.Sprint(len(timestamps))}
		}
		options = append(options, sgverify.WithSignedTimestamps(1))
	}
	if e.promise {
		options = append(options, sgverify.WithIntegratedTimestamps(1))
	}
	return options, nil
}

// signature turns what sigstore-go verified into what a policy reads.
func (c *LogChecker) signature(e *entity, entries int, result *sgverify.VerificationResult) (verify.Signature, error) {
	s := verify.Signature{Root: c.name, RootDigest: c.digest}
	for _, t := range result.VerifiedTimestamps {
		kind := "timestamp-authority"
		if t.Type == "Tlog" {
			kind = "log"
		}
		s.Times = append(s.Times, verify.SignedTime{Kind: kind, Time: t.Timestamp.UTC()})
	}
	slices.SortFunc(s.Times, func(a, b verify.SignedTime) int { return a.Time.Compare(b.Time) })
	if len(s.Times) == 0 {
		return verify.Signature{}, &verify.Refusal{Code: verify.CodeTimeInvalid, Expected: "a trusted time of signing", Found: "none"}
	}
	s.LogEntries = entries
	if entries == len(e.entries) {
		s.Proofs = e.proofs // else it is not known which of them were verified
	}
	// The newest time counts: a promise alone would let a log show an entry to
	// the signer that it shows to nobody else.
	if newest := s.Times[len(s.Times)-1].Time; e.proofs < len(e.entries) && !newest.Before(proofsSince) {
		return verify.Signature{}, &verify.Refusal{Code: verify.CodeLogInvalid,
			Expected: "an inclusion proof for a signature of " + newest.Format(time.RFC3339), Found: "a promise of inclusion only"}
	}
	if result.Signature == nil {
		return verify.Signature{}, errors.New("sigstore-go reports no signature")
	}
	if summary := result.Signature.Certificate; summary != nil {
		signed := s.Times[len(s.Times)-1].Time
		s.Certificate = describeCertificate(summary, signed)
		if !signed.Before(extensionsSince) && !hasIssuer(e.content.Certificate()) {
			s.Certificate.Issuer = ""
		}
		s.Certificate.Environment = environmentOf(e.content.Certificate())
		s.SCTs = c.least.SCTs // what was demanded; sigstore-go does not count further
		return s, nil
	}
	if result.Signature.PublicKeyID == nil {
		return verify.Signature{}, errors.New("sigstore-go reports neither certificate nor key")
	}
	return c.keySignature(s, string(*result.Signature.PublicKeyID))
}

func (c *LogChecker) keySignature(s verify.Signature, hint string) (verify.Signature, error) {
	for _, k := range c.keys {
		if k.Hint == hint {
			id, err := attest.KeyID(k.Public)
			if err != nil {
				return verify.Signature{}, err
			}
			s.KeyID, s.KeyName = id, k.Hint
			return s, nil
		}
	}
	return verify.Signature{}, fmt.Errorf("no key %q", hint)
}

func (c *LogChecker) describeKeys() string {
	if len(c.keys) == 0 {
		return "a certificate (no key is trusted here)"
	}
	hints := make([]string, len(c.keys))
	for i, k := range c.keys {
		hints[i] = k.Hint
	}
	return "a certificate, or key " + strings.Join(hints, " or ")
}

// environmentOf returns Fulcio's extension for the deployment environment of a
// job, which sigstore-go does not read yet.
func environmentOf(leaf *x509.Certificate) string {
	id := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 23}
	if leaf == nil {
		return ""
	}
	for _, extension := range leaf.Extensions {
		if !extension.Id.Equal(id) {
			continue
		}
		var text string
		if rest, err := asn1.UnmarshalWithParams(extension.Value, &text, "utf8"); err == nil && len(rest) == 0 {
			return text
		}
	}
	return ""
}

// extensionsSince is from when Fulcio's certificates carry the extensions .8 and
// up. Before, GitHub's own (.2 to .6) say the same; after, they count for
// nothing, so that no certificate can be read in two ways.
var extensionsSince = time.Date(2023, 4, 18, 0, 0, 0, 0, time.UTC)

const issuerGitHub = "https://token.actions.githubusercontent.com"

// hasIssuer tells whether a certificate names its issuer in extension .8. sigstore-go
// takes .1 in its place, whenever the certificate is of.
func hasIssuer(leaf *x509.Certificate) bool {
	return leaf != nil && slices.ContainsFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(certificate.OIDIssuerV2) })
}

func describeCertificate(s *certificate.Summary, signed time.Time) *verify.Certificate {
	c := &verify.Certificate{
		Issuer:        s.Issuer,
		Identity:      s.SubjectAlternativeName,
		Runner:        s.RunnerEnvironment,
		Repository:    s.SourceRepositoryURI,
		Commit:        s.SourceRepositoryDigest,
		Ref:           s.SourceRepositoryRef,
		RepositoryID:  s.SourceRepositoryIdentifier,
		OwnerID:       s.SourceRepositoryOwnerIdentifier,
		BuildConfig:   s.BuildConfigURI,
		Trigger:       s.BuildTrigger,
		RunInvocation: s.RunInvocationURI,
	}
	old := c.Repository == "" && c.Commit == "" && c.Ref == ""
	if old && s.Issuer == issuerGitHub && signed.Before(extensionsSince) && s.GithubWorkflowRepository != "" {
		c.Repository = "https://github.com/" + s.GithubWorkflowRepository
		c.Commit, c.Ref, c.Trigger = s.GithubWorkflowSHA, s.GithubWorkflowRef, s.GithubWorkflowTrigger
	}
	return c
}

// codeOf names the step of sigstore-go's verification that failed. Its errors
// have no types; a test holds these words to the version in use.
func codeOf(err error) verify.Code {
	text := err.Error()
	if strings.HasPrefix(text, "failed to verify leaf certificate") && strings.Contains(text, "certificate has expired or is not yet valid") {
		return verify.CodeCertificateExpired
	}
	for _, step := range []struct {
		words string
		code  verify.Code
	}{
		{"failed to verify log inclusion: integrated time outside certificate validity", verify.CodeCertificateExpired},
		{"failed to verify log inclusion", verify.CodeLogInvalid},
		{"failed to verify timestamps", verify.CodeTimeInvalid},
		{"failed to verify leaf certificate", verify.CodeCertificateInvalid},
		{"failed to verify signed certificate timestamp", verify.CodeSCTInvalid},
		{"signature time outside of public key validity window", verify.CodeKeyExpired},
		{"failed to summarize certificate", verify.CodeCertificateInvalid},
		{"failed to fetch envelope statement", verify.CodeStatementMalformed}, // after the signature was verified
	} {
		if strings.HasPrefix(text, step.words) {
			return step.code
		}
	}
	return verify.CodeSignatureInvalid
}

// reason shortens an error of sigstore-go, which may quote what it read.
func reason(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > 300 {
		text = text[:300] + "..."
	}
	return text
}
