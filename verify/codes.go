package verify

// A Code names a reason, for machines. Codes are never renamed.
type Code string

// The reason codes. Codes lists what they mean.
const (
	CodeArtifactEmpty        Code = "ARTIFACT_EMPTY"
	CodeArtifactNotInPolicy  Code = "ARTIFACT_NOT_IN_POLICY"
	CodePolicyExpired        Code = "POLICY_EXPIRED"
	CodeNoRequirements       Code = "NO_REQUIREMENTS"
	CodeNoAttestations       Code = "NO_ATTESTATIONS"
	CodeTypeMissing          Code = "TYPE_MISSING"
	CodeSignerNotAllowed     Code = "SIGNER_NOT_ALLOWED"
	CodeAttestationMalformed Code = "ATTESTATION_MALFORMED"
	CodeStatementMalformed   Code = "STATEMENT_MALFORMED"
	CodeSubjectMismatch      Code = "SUBJECT_MISMATCH"
	CodeSignatureInvalid     Code = "SIGNATURE_INVALID"
	CodeSignerUnknown        Code = "SIGNER_UNKNOWN"
	CodeKeyExpired           Code = "KEY_EXPIRED"
	CodeCertificateInvalid   Code = "CERTIFICATE_INVALID"
	CodeSCTInvalid           Code = "SCT_INVALID"
	CodeLogInvalid           Code = "LOG_INVALID"
	CodeTimeInvalid          Code = "TIME_INVALID"

	CodeNothingToCheck      Code = "NOTHING_TO_CHECK"
	CodeNoAnswer            Code = "NO_ANSWER"
	CodeAnswerMalformed     Code = "ANSWER_MALFORMED"
	CodeIntegrityMissing    Code = "INTEGRITY_MISSING"
	CodeIntegrityWeak       Code = "INTEGRITY_WEAK"
	CodeNotFromRegistry     Code = "NOT_FROM_REGISTRY"
	CodePublishMissing      Code = "PUBLISH_MISSING"
	CodeProvenanceMissing   Code = "PROVENANCE_MISSING"
	CodeAttestationRepeated Code = "ATTESTATION_REPEATED"
	CodePredicateTypeDiffer Code = "PREDICATE_TYPE_DIFFERS"
	CodePublishMismatch     Code = "PUBLISH_MISMATCH"
	CodeProvenanceMismatch  Code = "PROVENANCE_MISMATCH"
	CodeIssuerUnknown       Code = "ISSUER_UNKNOWN"

	CodeLayoutInvalid          Code = "LAYOUT_INVALID"
	CodeLayoutSignatureInvalid Code = "LAYOUT_SIGNATURE_INVALID"
	CodeLayoutExpired          Code = "LAYOUT_EXPIRED"
	CodeLayoutLinkMissing      Code = "LAYOUT_LINK_MISSING"
	CodeLayoutRuleFalse        Code = "LAYOUT_RULE_FALSE"
	CodeLayoutProductMissing   Code = "LAYOUT_PRODUCT_MISSING"
)

// A CodeMeaning explains a code.
type CodeMeaning struct {
	Code    Code
	Meaning string
	Remedy  string
}

// Codes returns every code with its meaning and the usual remedy, in the order
// in which the checks are made.
func Codes() []CodeMeaning {
	return []CodeMeaning{
		{CodeArtifactEmpty, "the artifact is 0 bytes long", "find out what truncated it; build or fetch it again"},
		{CodePolicyExpired, "the policy's `expires` has passed", "have the policy's owner review it and set a new date"},
		{CodeArtifactNotInPolicy, "the policy lists artifacts, and this is none of them", "deploy the artifact that the policy names, or add this one's digest to its `artifacts`"},
		{CodeNoRequirements, "the policy demands nothing of this artifact", "give the artifact at least one requirement in the policy"},
		{CodeNoAttestations, "nothing at all was found that says something about the artifact", "fetch the artifact's .sigstore.jsonl, or name it with --attestations"},
		{CodeTypeMissing, "no usable attestation has the predicate type that a requirement asks for", "have the signer make one with: plimsoll attest"},
		{CodeSignerNotAllowed, "the statement is there, but by another signer than the requirement names", "have the named signer sign, or change `signed-by` if this signer is meant"},
		{CodeAttestationMalformed, "the bytes are not one strict JSON Sigstore bundle or DSSE envelope", "fetch the attestation again; remove the line if it is junk"},
		{CodeSignerUnknown, "the signature is by a key or identity that the policy does not know", "add the signer's public key to the policy's `signers` if it is to be trusted"},
		{CodeSignatureInvalid, "the signature does not fit the signed bytes", "the attestation was changed after signing, or signed by another key under this one's name: fetch it again from its origin"},
		{CodeStatementMalformed, "the signed payload is not a strict in-toto statement", "have the signer use a tool that writes in-toto Statement v1"},
		{CodeSubjectMismatch, "the statement is about something else: its digests are not the artifact's", "either the artifact was changed, or this attestation belongs to another one: compare the digests"},
		{CodeKeyExpired, "the key's validity had ended, or not begun, when it was used", "sign with a current key"},
		{CodeCertificateInvalid, "the signing certificate does not lead to a trusted root", "check which Sigstore instance signed, and that the bundle is unchanged"},
		{CodeSCTInvalid, "the certificate carries no valid signed certificate timestamp", "check which Sigstore instance signed, and that the bundle is unchanged"},
		{CodeLogInvalid, "the transparency log entry is missing, or not about this signature", "fetch the bundle again from its origin"},
		{CodeTimeInvalid, "no trusted time of signing", "the bundle needs a log's promise or an RFC 3161 timestamp"},
		{CodeNothingToCheck, "the project lists no package that comes from a registry", "check that PATH is the project that is meant"},
		{CodeNoAnswer, "the registry's answer about the package is not there", "save it while online, then repeat"},
		{CodeAnswerMalformed, "the registry's answer is not what npm's registry sends", "ask the registry again; do not install the package meanwhile"},
		{CodeIntegrityMissing, "the lockfile gives no digest for a registry package", "delete the entry and let npm write it again"},
		{CodeIntegrityWeak, "the lockfile gives only a broken digest (SHA-1)", "let a current npm write the lockfile again"},
		{CodeNotFromRegistry, "the package does not come from a registry, so nothing vouches for it", "review it as source code of your own"},
		{CodePublishMissing, "the registry's publish attestation is missing", "ask the registry again; do not install the package meanwhile"},
		{CodeProvenanceMissing, "there is no provenance", "ask the registry again; if it is really gone, find out why"},
		{CodeAttestationRepeated, "there are two attestations where there must be one", "do not install the package"},
		{CodePredicateTypeDiffer, "the registry names another predicate type than the one that was signed", "do not install the package"},
		{CodePublishMismatch, "the publish attestation is about another package or version", "do not install the package"},
		{CodeProvenanceMismatch, "the provenance contradicts the certificate it was signed with", "do not install the package"},
		{CodeIssuerUnknown, "the provenance was not signed by a known CI", "do not install the package"},
		{CodeLayoutInvalid, "the in-toto layout is malformed, or could be met in a way that its owners did not mean", "have an owner of the layout correct it and sign it again"},
		{CodeLayoutSignatureInvalid, "no key of the layout's owners signed the layout as it is", "fetch the layout again from its owners; if its owners changed, name their keys in the policy"},
		{CodeLayoutExpired, "the layout's `expires` has passed", "have an owner of the layout review it and sign it with a new date"},
		{CodeLayoutLinkMissing, "a step has fewer valid links by its functionaries than its threshold", "fetch the step's links, or have its functionaries perform the step with: plimsoll run --layout-link"},
		{CodeLayoutRuleFalse, "the links do not say what the layout demands: a file, a command or a return value is another", "find out which step went wrong, and repeat it and those after it"},
		{CodeLayoutProductMissing, "the artifact is not a product of the layout's step that it is to come from", "either the artifact was changed after the step, or these links belong to another build: compare the digests"},
	}
}

// Remedy returns the usual remedy of a code.
func (c Code) Remedy() string {
	for _, m := range Codes() {
		if m.Code == c {
			return m.Remedy
		}
	}
	return ""
}

// A Refusal is an error with a reason code: what was expected, what was found,
// and what to do.
type Refusal struct {
	Code     Code   `json:"code"`
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
	Remedy   string `json:"remedy,omitempty"` // the code's usual one if empty
}

// WhatToDo returns the remedy: the refusal's own, or its code's usual one.
func (r *Refusal) WhatToDo() string {
	if r.Remedy != "" {
		return r.Remedy
	}
	return r.Code.Remedy()
}

func (r *Refusal) Error() string {
	s := string(r.Code)
	if r.Expected != "" {
		s += ": expected " + r.Expected
	}
	if r.Found != "" {
		s += ": found " + r.Found
	}
	return s
}
