package verify

import "fmt"

// A Effect is what becomes of a finding about an npm package. The zero value
// denies.
type Effect int

// The effects.
const (
	Deny Effect = iota
	Warn
	NotMade // a check that could not be made; it stands in the report and decides nothing
)

func (s Effect) String() string {
	switch s {
	case Warn:
		return "warn"
	case NotMade:
		return "not made"
	}
	return "deny"
}

// MarshalText makes a effect a word in JSON.
func (s Effect) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// An NPMCode is a row of the table of what plimsoll npm finds: what becomes of it
// where no policy says otherwise.
type NPMCode struct {
	Code   Code
	Effect Effect
	// Changeable codes may have another effect in a policy's `npm.codes`, and
	// waivable ones may be set aside by a waiver. What is there and invalid is neither.
	Changeable, Waivable bool
	When                 string // what the effect depends on; "" for always
	Meaning              string // in npm's words; "" where those of Codes are good
}

// NPMCodes returns the table, in the order in which the checks are made.
func NPMCodes() []NPMCode {
	never := func(c Code) NPMCode { return NPMCode{Code: c} }
	row := func(c Code, s Effect) NPMCode { return NPMCode{Code: c, Effect: s, Changeable: true, Waivable: true} }
	when := func(r NPMCode, when string) NPMCode { r.When = when; return r }
	meaning := func(r NPMCode, meaning string) NPMCode { r.Meaning = meaning; return r }
	return []NPMCode{
		// kind, and what it is to be compared with
		never(CodeNothingToCheck),
		when(row(CodeNotFromRegistry, NotMade), "deny where the lockfile's entry is of no known kind"),
		row(CodeSourceUnpinned, Deny),
		row(CodeIntegrityMissing, Deny),
		row(CodeIntegrityWeak, Deny),
		never(CodeIntegrityAmbiguous),
		row(CodeNoLockfileDigest, Deny),
		row(CodeResolvedElsewhere, Deny),
		row(CodeAliasUndeclared, Deny),
		row(CodeNotInRegistry, Deny),
		never(CodeAnswerMalformed),
		// registry signature
		when(row(CodeRegistrySignatureMissing, Deny), "not made where the saved answers have no metadata, and of a scope's own registry without --registry-keys"),
		never(CodeRegistryKeyUnknown),
		never(CodeRegistrySignatureInvalid),
		when(row(CodeKeyExpiredTimeUnsigned, Warn), "deny where the time of publication is after the key's end, or absent; none where the log has it before"),
		// attestations
		meaning(row(CodeNoAttestations, Warn), "the registry has no attestations for this version: nobody says who built it"),
		row(CodeAttestationsWithheld, Deny),
		never(CodeAttestationMalformed), never(CodeStatementMalformed),
		meaning(never(CodeSubjectMismatch), "the attestation is about another package, version or digest than the lockfile's"),
		meaning(never(CodeSignerUnknown), "the signature is by a key that is none of the registry's"),
		never(CodeSignatureInvalid), never(CodeKeyExpired), never(CodeCertificateInvalid), never(CodeCertificateExpired),
		never(CodeSCTInvalid), never(CodeLogMissing), never(CodeLogInvalid), never(CodeTimeInvalid),
		never(CodeAttestationRepeated), never(CodePredicateTypeDiffer),
		never(CodePublishMissing), never(CodePublishMismatch),
		row(CodePublishRegistryDiffers, Deny),
		never(CodeProvenanceMissing), never(CodeIssuerUnknown), never(CodeProvenanceMismatch),
		row(CodeTriggerUntrusted, Deny),
		row(CodeRunnerSelfHosted, Deny),
		// bytes
		row(CodeTarballMissing, NotMade),
		row(CodeShrinkwrapInside, Deny),
		never(CodeTarballMismatch), never(CodeTarballMalformed), never(CodeManifestDiffers),
		row(CodeManifestScriptsDiffer, Deny),
		row(CodeManifestRepositoryDiffers, Deny),
		row(CodeInstalledDiffers, Deny),
		// expectations
		never(CodeNoExpectations),
		row(CodeNewPackage, Warn),
		never(CodeIntegrityChanged),
		row(CodeRegistryDiffers, Deny),
		row(CodeProvenanceLost, Deny),
		row(CodeProvenanceGained, Warn),
		row(CodeRepositoryChanged, Deny),
		row(CodeRepositoryRecreated, Deny),
		row(CodeOwnerChanged, Deny),
		row(CodeWorkflowChanged, Deny),
		row(CodeRefKindChanged, Deny),
		row(CodeRunnerChanged, Deny),
		// age and takeover
		row(CodeTooYoung, Deny),
		when(row(CodeAgeUnknown, Deny), "not made where the registry was not asked"),
		when(row(CodeDormantTakeover, Deny), "warn where that release is older than a year"),
		row(CodeMaintainersReplaced, Warn),
		row(CodeTrustedPublishingLost, Deny),
		// install scripts
		row(CodeInstallScript, Warn),
		row(CodeInstallScriptNew, Warn),
		row(CodeScriptsUnknown, NotMade),
		// known malicious
		{Code: CodeMalicious, Waivable: true, When: "waived for one advisory at a time"},
	}
}

func npmRow(c Code) (NPMCode, bool) {
	row, _, there := NPMCodeOf(c)
	return row, there
}

// NPMSettings are a policy's section `npm`, which plimsoll npm decides by.
type NPMSettings struct {
	Codes          map[Code]Effect
	InstallScripts []string // NAME or NAME@VERSION of packages that may run scripts at install
}

// Effect returns what becomes of a finding that would have effect s: the
// policy's word where it may change that. A code that is in no table denies. Where a
// finding denies that does not by default (a key's end before the publication, an entry of
// no known kind), `warn` is about the default and takes nothing away.
func (n NPMSettings) Effect(c Code, s Effect) Effect {
	row, there := npmRow(c)
	if !there {
		return Deny
	}
	changed, ok := n.Codes[c]
	if !ok || !row.Changeable || (s == Deny && row.Effect != Deny) {
		return s
	}
	return changed
}

// checkCode says why a policy may not change what becomes of a code, or nil.
func (n NPMSettings) checkCode(c Code) error {
	row, there := npmRow(c)
	switch {
	case !there:
		return fmt.Errorf("%q is no code of plimsoll npm; plimsoll npm --codes lists them", string(c))
	case !row.Changeable:
		return fmt.Errorf("%s cannot be changed: what is there and invalid denies", c)
	}
	return nil
}
