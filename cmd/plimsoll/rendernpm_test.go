package main

import (
	"testing"

	"plimsoll.example/verify/npm"
)

// TestOneAnswer: one answer by itself passes if both attestations hold, whatever a policy
// only warns of, and never if there are none.
func TestOneAnswer(t *testing.T) {
	held := &npm.Origin{}
	for name, c := range map[string]struct {
		result npm.Result
		code   int
	}{
		"holds":                {npm.Result{Outcome: npm.Held, Origin: held}, exitYes},
		"warned of, and holds": {npm.Result{Outcome: npm.Warned, Origin: held}, exitYes},
		"neither was there":    {npm.Result{Outcome: npm.Warned}, exitNo},
		"undecided":            {npm.Result{Outcome: npm.Undecided}, exitNoDecision},
		"the zero value":       {npm.Result{}, exitNo},
	} {
		o := npmOutcome{report: &npm.Report{Packages: []npm.Result{c.result}}, only: true}
		if code := o.exit(); code != c.code {
			t.Errorf("%s: expected %d, found %d", name, c.code, code)
		}
	}
}
