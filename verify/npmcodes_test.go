package verify_test

import (
	"testing"
	"time"

	"plimsoll.example/verify"
)

// TestNeverWaived: what is there and invalid denies, whatever a policy or a waiver says.
func TestNeverWaived(t *testing.T) {
	never := []verify.Code{
		verify.CodeIntegrityAmbiguous, verify.CodeIntegrityChanged, verify.CodeAnswerMalformed, verify.CodeRegistryKeyUnknown, verify.CodeRegistrySignatureInvalid,
		verify.CodeAttestationMalformed, verify.CodeStatementMalformed, verify.CodeSubjectMismatch, verify.CodeSignerUnknown, verify.CodeSignatureInvalid,
		verify.CodeKeyExpired, verify.CodeCertificateInvalid, verify.CodeCertificateExpired, verify.CodeSCTInvalid, verify.CodeLogMissing, verify.CodeLogInvalid,
		verify.CodeTimeInvalid, verify.CodePublishMissing, verify.CodeProvenanceMissing, verify.CodeAttestationRepeated, verify.CodePredicateTypeDiffer,
		verify.CodePublishMismatch, verify.CodeProvenanceMismatch, verify.CodeIssuerUnknown, verify.CodeTarballMismatch, verify.CodeTarballMalformed,
		verify.CodeManifestDiffers, verify.CodeNoExpectations, verify.CodeNothingToCheck,
		verify.CodeNoAnswer, "", "NO_SUCH_CODE", // in no table
	}
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	rows := map[verify.Code]verify.NPMCode{}
	for _, row := range verify.NPMCodes() {
		rows[row.Code] = row
	}
	for _, code := range never {
		if effect := (verify.NPMSettings{Codes: map[verify.Code]verify.Effect{code: verify.Warn}}).Effect(code, verify.Deny); effect != verify.Deny {
			t.Errorf("%s: a policy makes it %v", code, effect)
		}
		if row := rows[code]; row.Effect != verify.Deny || row.Changeable || row.Waivable {
			t.Errorf("%s: %+v", code, row)
		}
		for _, subject := range []string{"pkg:npm/foo@1.0.0", ""} {
			book := verify.NewWaiverBook([]verify.Waiver{{Code: code, Subject: "pkg:npm/foo@1.0.0", Owner: "ann", Expires: now.Add(time.Hour)}}, verify.Artifact{}, now)
			if by := book.CoveredBy(verify.Finding{Code: code, Subject: subject}); by != "" {
				t.Errorf("%s: set aside by %s", code, by)
			}
		}
	}
	// What a policy may change, only that changes; a finding that may be waived is.
	settings := verify.NPMSettings{Codes: map[verify.Code]verify.Effect{verify.CodeTooYoung: verify.Warn}}
	if settings.Effect(verify.CodeTooYoung, verify.Deny) != verify.Warn || settings.Effect(verify.CodeAgeUnknown, verify.Deny) != verify.Deny {
		t.Error("a policy's word does not count, or counts for another code")
	}
	waiver := []verify.Waiver{{Code: verify.CodeTooYoung, Subject: "pkg:npm/foo@1.0.0", Owner: "ann", Expires: now.Add(time.Hour)}}
	for subject, covered := range map[string]bool{"pkg:npm/foo@1.0.0": true, "pkg:npm/Foo@1.0.0": false, "pkg:npm/foo@1.0.1": false, "pkg:npm/%40a/foo@1.0.0": false, "pkg:npm/foo@1.0.0-x": false, "": false} {
		by := verify.NewWaiverBook(waiver, verify.Artifact{}, now).CoveredBy(verify.Finding{Code: verify.CodeTooYoung, Subject: subject})
		if (by != "") != covered {
			t.Errorf("%q: set aside by %q", subject, by)
		}
	}
	var zero verify.Effect
	if zero != verify.Deny {
		t.Error("the zero effect does not deny")
	}
}

// TestNPMEffect: a policy changes the default of what may be changed, and nothing else.
func TestNPMEffect(t *testing.T) {
	settings := func(c verify.Code, e verify.Effect) verify.NPMSettings {
		return verify.NPMSettings{Codes: map[verify.Code]verify.Effect{c: e}}
	}
	for _, row := range verify.NPMCodes() {
		for _, to := range []verify.Effect{verify.Deny, verify.Warn} {
			want := row.Effect
			if row.Changeable {
				want = to
			}
			if got := settings(row.Code, to).Effect(row.Code, row.Effect); got != want {
				t.Errorf("%s: %s, changed to %s: expected %s, found %s", row.Code, row.Effect, to, want, got)
			}
		}
		if got := settings(row.Code, verify.Warn).Effect(row.Code, verify.Deny); row.Effect != verify.Deny && got != verify.Deny {
			t.Errorf("%s: what denies in one case is lowered by a word about its default (%s)", row.Code, row.Effect)
		}
		if got := (verify.NPMSettings{}).Effect(row.Code, verify.NotMade); got != verify.NotMade {
			t.Errorf("%s: found %s", row.Code, got)
		}
	}
	if got := settings("MADE_UP", verify.Warn).Effect("MADE_UP", verify.Warn); got != verify.Deny {
		t.Errorf("a code of no table: found %s", got)
	}
}
