package verify_test

import (
	"testing"

	"plimsoll.example/verify"
)

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
