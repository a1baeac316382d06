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

	CodeNameMissing         Code = "NAME_MISSING"
	CodeNameUnbound         Code = "NAME_UNBOUND"
	CodeNameMismatch        Code = "NAME_MISMATCH"
	CodeVersionTooLow       Code = "VERSION_TOO_LOW"
	CodeUnusableDenied      Code = "UNUSABLE_DENIED"
	CodePolicyUnsigned      Code = "POLICY_UNSIGNED"
	CodePolicyUnlimited     Code = "POLICY_UNLIMITED"
	CodePolicyRolledBack    Code = "POLICY_ROLLED_BACK"
	CodeRootTooOld          Code = "ROOT_TOO_OLD"
	CodeSignerAmbiguous     Code = "SIGNER_AMBIGUOUS"
	CodeSignerRevoked       Code = "SIGNER_REVOKED"
	CodeKeyNotYetValid      Code = "KEY_NOT_YET_VALID"
	CodeCertificateExpired  Code = "CERTIFICATE_EXPIRED"
	CodeLogMissing          Code = "LOG_MISSING"
	CodeTimeMissing         Code = "TIME_MISSING"
	CodeTimeAhead           Code = "TIME_AHEAD"
	CodeStale               Code = "STALE"
	CodeThresholdNotMet     Code = "THRESHOLD_NOT_MET"
	CodePredicatesDiffer    Code = "PREDICATES_DIFFER"
	CodeRuleFalse           Code = "RULE_FALSE"
	CodeRuleError           Code = "RULE_ERROR"
	CodeRuleFieldMissing    Code = "RULE_FIELD_MISSING"
	CodeReferenceUnmet      Code = "REFERENCE_UNMET"
	CodePredicateMalformed  Code = "PREDICATE_MALFORMED"
	CodeBuilderDiffers      Code = "BUILDER_DIFFERS"
	CodeBuildTypeDiffers    Code = "BUILD_TYPE_DIFFERS"
	CodeSourceDiffers       Code = "SOURCE_DIFFERS"
	CodeRefDiffers          Code = "REF_DIFFERS"
	CodeLevelTooLow         Code = "LEVEL_TOO_LOW"
	CodeParameterUnknown    Code = "PARAMETER_UNKNOWN"
	CodeCertificateDiffers  Code = "CERTIFICATE_DIFFERS"
	CodeSBOMIncomplete      Code = "SBOM_INCOMPLETE"
	CodeSBOMNotAbout        Code = "SBOM_NOT_ABOUT_ARTIFACT"
	CodeComponentDenied     Code = "COMPONENT_DENIED"
	CodeComponentUnclear    Code = "COMPONENT_UNCLEAR"
	CodeComponentNoHash     Code = "COMPONENT_WITHOUT_HASH"
	CodeLicenseDenied       Code = "LICENSE_DENIED"
	CodeLicenseUnclear      Code = "LICENSE_UNCLEAR"
	CodeVulnerable          Code = "VULNERABLE"
	CodeSeverityUnknown     Code = "SEVERITY_UNKNOWN"
	CodeVSAFailed           Code = "VSA_FAILED"
	CodeVSAVerifierDiffers  Code = "VSA_VERIFIER_DIFFERS"
	CodeVSAResourceDiffers  Code = "VSA_RESOURCE_DIFFERS"
	CodeDependenciesOmitted Code = "DEPENDENCIES_OMITTED"
	CodeDependencyLevelLow  Code = "DEPENDENCY_LEVEL_LOW"
	CodeDependencyUnproven  Code = "DEPENDENCY_UNPROVEN"
	CodeWaiverExpired       Code = "WAIVER_EXPIRED"
	CodeWaiverTooLong       Code = "WAIVER_TOO_LONG"
	CodeWaiverUnused        Code = "WAIVER_UNUSED"

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

	CodeRegistryKeyUnknown        Code = "REGISTRY_KEY_UNKNOWN"
	CodeRegistrySignatureInvalid  Code = "REGISTRY_SIGNATURE_INVALID"
	CodeRegistrySignatureMissing  Code = "REGISTRY_SIGNATURE_MISSING"
	CodeKeyExpiredTimeUnsigned    Code = "KEY_EXPIRED_TIME_UNSIGNED"
	CodeNoLockfileDigest          Code = "NO_LOCKFILE_DIGEST"
	CodeIntegrityAmbiguous        Code = "INTEGRITY_AMBIGUOUS"
	CodeIntegrityChanged          Code = "INTEGRITY_CHANGED"
	CodeSourceUnpinned            Code = "SOURCE_UNPINNED"
	CodeResolvedElsewhere         Code = "RESOLVED_ELSEWHERE"
	CodeAliasUndeclared           Code = "ALIAS_UNDECLARED"
	CodeShrinkwrapInside          Code = "SHRINKWRAP_INSIDE"
	CodeNotInRegistry             Code = "NOT_IN_REGISTRY"
	CodePublishRegistryDiffers    Code = "PUBLISH_REGISTRY_DIFFERS"
	CodeAttestationsWithheld      Code = "ATTESTATIONS_WITHHELD"
	CodeProvenanceLost            Code = "PROVENANCE_LOST"
	CodeProvenanceGained          Code = "PROVENANCE_GAINED"
	CodeTriggerUntrusted          Code = "TRIGGER_UNTRUSTED"
	CodeRunnerSelfHosted          Code = "RUNNER_SELF_HOSTED"
	CodeTarballMismatch           Code = "TARBALL_MISMATCH"
	CodeTarballMalformed          Code = "TARBALL_MALFORMED"
	CodeTarballMissing            Code = "TARBALL_MISSING"
	CodeManifestDiffers           Code = "MANIFEST_DIFFERS"
	CodeManifestScriptsDiffer     Code = "MANIFEST_SCRIPTS_DIFFER"
	CodeManifestRepositoryDiffers Code = "MANIFEST_REPOSITORY_DIFFERS"
	CodeInstalledDiffers          Code = "INSTALLED_DIFFERS"
	CodeNoExpectations            Code = "NO_EXPECTATIONS"
	CodeNewPackage                Code = "NEW_PACKAGE"
	CodeRegistryDiffers           Code = "REGISTRY_DIFFERS"
	CodeRepositoryChanged         Code = "REPOSITORY_CHANGED"
	CodeRepositoryRecreated       Code = "REPOSITORY_RECREATED"
	CodeOwnerChanged              Code = "OWNER_CHANGED"
	CodeWorkflowChanged           Code = "WORKFLOW_CHANGED"
	CodeRefKindChanged            Code = "REF_KIND_CHANGED"
	CodeRunnerChanged             Code = "RUNNER_CHANGED"
	CodeTooYoung                  Code = "TOO_YOUNG"
	CodeAgeUnknown                Code = "AGE_UNKNOWN"
	CodeDormantTakeover           Code = "DORMANT_TAKEOVER"
	CodeMaintainersReplaced       Code = "MAINTAINERS_REPLACED"
	CodeTrustedPublishingLost     Code = "TRUSTED_PUBLISHING_LOST"
	CodeInstallScript             Code = "INSTALL_SCRIPT"
	CodeInstallScriptNew          Code = "INSTALL_SCRIPT_NEW"
	CodeScriptsUnknown            Code = "SCRIPTS_UNKNOWN"
	CodeMalicious                 Code = "MALICIOUS"

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
		{CodeNameMissing, "the policy demands to know what the artifact is deployed as", "say what you mean to deploy: --as PURL, for example --as pkg:generic/acme/shop@2.1.0"},
		{CodeNameUnbound, "nothing that was verified says that the artifact is what --as names", "require an SBOM, VSA, release or provenance that names the artifact, or leave out --as and accept that the name is not checked"},
		{CodeNameMismatch, "a statement says that the artifact is something else than --as names", "deploy the artifact that was meant: these bytes are another product or version"},
		{CodeVersionTooLow, "the version is below the policy's `min-version`, or none was given", "deploy a current version; an old one may have known holes"},
		{CodeUnusableDenied, "the policy denies artifacts with unusable attestations (`unusable: deny`)", "remove or repair the attestations listed as not used"},
		{CodePolicyUnsigned, "the policy must be signed, and no valid signature by the expected signer was found", "fetch the policy and its .sigstore.json again from its owner, or have the owner sign it"},
		{CodePolicyUnlimited, "a signed policy must have `expires`", "have the policy's owner set `expires` and sign it again"},
		{CodePolicyRolledBack, "the policy's `revision` is lower than one that was in force before", "fetch the current policy from its owner"},
		{CodeRootTooOld, "the trust root is older than the policy's `root-max-age`, or its age is not known", "update it: plimsoll trust update --to FILE, then --trusted-root FILE"},
		{CodeSignerAmbiguous, "the signature is by two of the policy's signers at once", "narrow the identities in the policy's `signers` so that each belongs to one"},
		{CodeSignerRevoked, "the signer was revoked", "have the artifact signed again by a current key or identity"},
		{CodeKeyNotYetValid, "the signature is older than its key or identity may be used", "check the clock of the signer, and the policy's `not-before`"},
		{CodeCertificateExpired, "the certificate was not valid at the signed time", "sign again; a Sigstore certificate is for ten minutes"},
		{CodeLogMissing, "fewer transparency logs hold the signature than the policy demands", "sign with a log, or fetch the bundle again from its origin: part of it may have been removed"},
		{CodeTimeMissing, "fewer signed times than the policy demands", "sign with --timestamp or a log, or fetch the bundle again from its origin"},
		{CodeTimeAhead, "a time lies in the future", "check this machine's clock and the signer's"},
		{CodeStale, "the statement is older than the requirement's `max-age`", "make a new one: the scan, review or build must be repeated"},
		{CodeThresholdNotMet, "fewer signers than the requirement demands made a statement that meets every rule", "have the missing signers sign"},
		{CodePredicatesDiffer, "the signers' statements say different things", "find out which of the signers is wrong; for a build, why it cannot be reproduced"},
		{CodeRuleFalse, "a rule of the requirement is false for the statement", "see the rule's message"},
		{CodeRuleError, "a rule of the requirement could not be evaluated for the statement", "correct the rule, or have the signer make a statement it can read"},
		{CodeRuleFieldMissing, "a rule reads a field that the statement does not have", "have the signer make a statement with this field, or ask with has() first"},
		{CodeReferenceUnmet, "a rule refers to the statement of another requirement, which is not met", "see what that requirement lacks"},
		{CodePredicateMalformed, "the predicate is not what its type says", "have the signer use a tool that writes this predicate type"},
		{CodeBuilderDiffers, "another builder made it than the policy names", "build it where the policy says"},
		{CodeBuildTypeDiffers, "it was built in another way than the policy names", "build it as the policy says"},
		{CodeSourceDiffers, "it was built from another source repository than the policy names", "deploy what was built from the named repository"},
		{CodeRefDiffers, "it was built from another branch or tag than the policy names", "deploy what was built from the named branch or tag"},
		{CodeLevelTooLow, "the build is worth less than the level that the policy demands", "build on a platform that the policy's `levels` trust enough"},
		{CodeParameterUnknown, "the build had an external parameter that nobody looked at", "name it in `parameters` if its value cannot change what is built, or write a rule about it"},
		{CodeCertificateDiffers, "the provenance contradicts the certificate it was signed with", "do not deploy; find out who signed"},
		{CodeSBOMIncomplete, "the SBOM lacks what the policy's profile demands", "see what is missing: plimsoll sbom check"},
		{CodeSBOMNotAbout, "the SBOM does not say that it is about this artifact", "generate the SBOM from the artifact itself"},
		{CodeComponentDenied, "the SBOM lists a component that the policy denies", "replace the component, or have its use waived"},
		{CodeComponentUnclear, "it cannot be told whether a component is one that the policy denies", "have the SBOM give the component's purl and version"},
		{CodeComponentNoHash, "the SBOM lists a component without a hash", "generate the SBOM where the components are at hand"},
		{CodeLicenseDenied, "a component's licence is not allowed by the policy", "replace the component, or have its use waived"},
		{CodeLicenseUnclear, "a component's licence is missing or cannot be understood", "state the licence in the SBOM as an SPDX expression"},
		{CodeVulnerable, "the scan found a vulnerability above the policy's limit", "update the component; or have a VEX signer state why it is not affected; or have it waived"},
		{CodeSeverityUnknown, "the scan found a vulnerability and does not say how severe it is", "update the component, or have it waived"},
		{CodeVSAFailed, "the verifier's own verdict is not PASSED", "read that verifier's report"},
		{CodeVSAVerifierDiffers, "another verifier made the summary than the policy names", "have the named verifier decide"},
		{CodeVSAResourceDiffers, "the summary is about another resource", "have the verifier decide about what is deployed"},
		{CodeDependenciesOmitted, "the summary's dependency counts do not add up to the components of the SBOM", "have the verifier check every dependency: one that is not counted is not proven"},
		{CodeDependencyLevelLow, "more dependencies are below the demanded level than the policy allows", "replace them, or allow more in the policy"},
		{CodeDependencyUnproven, "a dependency's origin could not be verified from the saved answers", "see plimsoll npm for the package"},
		{CodeWaiverExpired, "a waiver has expired", "mend what it covered, or have its owner renew it"},
		{CodeWaiverTooLong, "a waiver's expiry is more than 90 days ahead", "set an earlier expiry"},
		{CodeWaiverUnused, "a waiver covers nothing that was found", "remove it from the policy"},
		{CodeNothingToCheck, "the project lists no package that comes from a registry", "check that PATH is the project that is meant"},
		{CodeNoAnswer, "the registry's answer about the package is not there", "ask again; for --offline, run once online with --save DIR"},
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
		{CodeRegistryKeyUnknown, "the registry's signature is by a key that is not known", "check which registry was asked; name a mirror's own keys with --registry-keys FILE if they are to be trusted"},
		{CodeRegistrySignatureInvalid, "the registry's signature does not fit this name, version and the lockfile's integrity", "do not install the package; find out who changed the lockfile or what the registry serves"},
		{CodeRegistrySignatureMissing, "the registry gives no signature for this version", "ask the registry that signs, with --evidence-registry URL; or name the keys of the one that is used with --registry-keys FILE"},
		{CodeKeyExpiredTimeUnsigned, "the registry's signature is by a key that has ended, and nothing signed says that it was made before", "nothing, if the package is older than the key's end; record its integrity with --update"},
		{CodeNoLockfileDigest, "the lockfile has a digest of the package manager's own archive only, and none of the tarball", "fetch the tarballs: --fetch-tarballs, or --tarballs DIR"},
		{CodeIntegrityAmbiguous, "the lockfile gives several digests for one package, and any of them would do", "delete the entry and let the package manager write it again; look at who changed it"},
		{CodeIntegrityChanged, "the expectations hold another digest for this version; a published version never changes", "do not install; look at who changed the lockfile"},
		{CodeSourceUnpinned, "the package comes from a git repository or an address, and nothing says which bytes", "pin the commit, or let the lockfile record an integrity"},
		{CodeResolvedElsewhere, "the lockfile takes the package from elsewhere than the registry", "look at who changed `resolved` in the lockfile; if it is a mirror, name it with --registry and the origin with --evidence-registry"},
		{CodeAliasUndeclared, "the lockfile installs a package under another name than its own, and nothing asks for that", "look at who changed the lockfile; if it is right, have package.json ask for npm:NAME@RANGE, or accept it once"},
		{CodeShrinkwrapInside, "the package brings a lockfile of its own, and npm installs what that says", "read the npm-shrinkwrap.json in the tarball, then waive this version; or use a release without one"},
		{CodeNotInRegistry, "the registry does not know this package or version", "find out whether it was taken down (malware is), or belongs to another registry"},
		{CodePublishRegistryDiffers, "the publish attestation is of another registry than was asked", "if a mirror was asked, say of which registry with --mirror-of URL; or ask that one for signatures and attestations with --evidence-registry URL"},
		{CodeAttestationsWithheld, "the version's metadata announces attestations, and the registry has none", "ask again; do not install the package meanwhile"},
		{CodeProvenanceLost, "the package had provenance, and this version has none", "do not install it before its maintainers confirm the release: a stolen token publishes without provenance"},
		{CodeProvenanceGained, "the package had no provenance, and this version has some", "look at the repository that built it; then --update --accept NAME@VERSION:PROVENANCE_GAINED"},
		{CodeTriggerUntrusted, "the build was set off by an event that outsiders can cause", "ask the maintainers why a release was built on such an event"},
		{CodeRunnerSelfHosted, "the build ran on a machine of the publisher's own, which can say what it likes", "ask the maintainers; accept it if the machine is meant to be trusted"},
		{CodeTarballMismatch, "the tarball's bytes are not those that the lockfile demands", "throw the tarball away; find out where it came from"},
		{CodeTarballMalformed, "the tarball is not one that two programs would read alike", "do not install it"},
		{CodeTarballMissing, "the tarball is not at hand, so its package.json and scripts were not read", "have it fetched with --fetch-tarballs, online; or name a folder with --tarballs DIR"},
		{CodeManifestDiffers, "the tarball's package.json names another package or version", "do not install it"},
		{CodeManifestScriptsDiffer, "the registry's metadata tells of other install scripts than the tarball holds", "do not install it: somebody hides what runs at install"},
		{CodeManifestRepositoryDiffers, "the tarball's package.json names another repository than it was built from", "look at the repository that built it: it may be a fork"},
		{CodeInstalledDiffers, "files in node_modules are not those of the tarball", "install again with npm ci --ignore-scripts; find out what changed them"},
		{CodeNoExpectations, "the project has no file of expectations, so nothing says what its packages should be", "review the report, then write the file: plimsoll npm --first-use --update"},
		{CodeNewPackage, "the expectations do not know this package", "review it; then record it with --update"},
		{CodeRegistryDiffers, "the package comes from another registry than the expectations say", "find out who serves this name elsewhere: dependency confusion looks like this"},
		{CodeRepositoryChanged, "the package is built from another repository than the expectations say", "ask the maintainers whether it moved; then --update --accept NAME@VERSION:REPOSITORY_CHANGED"},
		{CodeRepositoryRecreated, "the repository has the expected name and another id: it was deleted and created anew, or renamed", "do not install before the maintainers confirm it"},
		{CodeOwnerChanged, "the repository belongs to another owner than the expectations say", "ask the maintainers; a transferred or taken-over account looks like this"},
		{CodeWorkflowChanged, "another workflow built the package than the expectations say", "look at the workflow in the repository"},
		{CodeRefKindChanged, "the package is built from another kind of ref (tag, branch) than the expectations say", "ask the maintainers why this release was built so"},
		{CodeRunnerChanged, "the package was built on another kind of runner than the expectations say", "ask the maintainers; a machine of one's own can say what it likes"},
		{CodeTooYoung, "the version was published a short time ago; most malicious releases are found within days", "wait, or use the version before"},
		{CodeAgeUnknown, "nothing says when the version was published", "ask the registry that has the time of publication, with --evidence-registry URL; where none tells it, warn of it in the policy's `npm.codes`"},
		{CodeDormantTakeover, "the first release after a long sleep, and by another publisher", "do not install before somebody has read what changed"},
		{CodeMaintainersReplaced, "none of the maintainers of the release before is left", "find out whether the package was handed over"},
		{CodeTrustedPublishingLost, "the release before was published by CI without a token, and this one was not", "do not install before the maintainers confirm the release: a stolen token looks like this"},
		{CodeInstallScript, "the package runs a script when it is installed, and the policy does not allow that", "install with --ignore-scripts; allow the package in the policy's `npm.install-scripts` if it needs the script"},
		{CodeInstallScriptNew, "the package runs a script when it is installed that it did not run before", "read the script before anything is installed"},
		{CodeScriptsUnknown, "nothing at hand says whether the package runs scripts when it is installed", "of a registry's package have the tarball fetched with --fetch-tarballs; of another read its package.json"},
		{CodeMalicious, "an advisory says that this version is malicious", "remove it; if it was ever installed, treat that machine's secrets as stolen"},
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
	return meanings()[c].Remedy
}

// A Refusal is an error with a reason code: what was expected, what was found,
// and what to do.
type Refusal struct {
	Code     Code   `json:"code"`
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
	Remedy   string `json:"remedy,omitempty"` // the code's usual one if empty
	// What of the artifact it is about, where it is not the whole: a component's
	// purl, and an advisory's id.
	Subject  string `json:"subject,omitempty"`
	Advisory string `json:"advisory,omitempty"`

	waivedBy string // who stated that it does not hold here
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

// Waivable lists the codes that a waiver may set aside: what a component is, not
// who signed, what was signed, or what is trusted.
func (c Code) Waivable() bool {
	switch c {
	case CodeComponentDenied, CodeComponentUnclear, CodeComponentNoHash, CodeLicenseDenied, CodeLicenseUnclear,
		CodeVulnerable, CodeSeverityUnknown, CodeDependencyUnproven:
		return true
	}
	row, there := npmRow(c)
	return there && row.Waivable
}

// known tells whether a code is in the table.
func (c Code) known() bool {
	_, known := meanings()[c]
	return known
}
