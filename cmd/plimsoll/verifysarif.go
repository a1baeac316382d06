package main

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"plimsoll.example/verify"
	"plimsoll.example/verify/sarif"
)

// printSARIF prints every reason as a result, and that there is none as a pass.
func (o outcome) printSARIF(w io.Writer) error {
	run := sarif.Run{Version: version(), ExitCode: o.exit, Properties: map[string]any{"policy": o.policy, "enforced": o.enforced}}
	for _, c := range verify.Codes() {
		run.Rules = append(run.Rules, sarif.Rule{ID: string(c.Code), Meaning: c.Meaning, Remedy: c.Remedy})
	}
	run.Rules = append(run.Rules, sarif.Rule{ID: allowedRule, Meaning: "the artifact is allowed by the policy", Remedy: "nothing"})
	for _, d := range o.decisions {
		if d.err != nil {
			run.Failures = append(run.Failures, fmt.Sprintf("no decision about %q: %v", d.artifact, d.err))
			continue
		}
		run.Results = append(run.Results, resultsOf(d)...)
		run.Properties["policyDigest"] = d.report.Policy.Digest
		run.Properties["clock"] = d.report.Clock.Format(time.RFC3339)
		run.Properties["clockSet"] = d.report.ClockSet
		run.Properties["trustRoots"] = d.report.Roots
		run.Properties["notChecked"] = d.report.NotChecked
	}
	var b bytes.Buffer
	if err := sarif.Write(&b, run); err != nil {
		return err
	}
	_, err := io.WriteString(w, escapeUnprintable(b.String()))
	return err
}

// allowedRule names the result of an artifact that is allowed.
const allowedRule = "ALLOWED"

func resultsOf(d decision) []sarif.Result {
	var results []sarif.Result
	r := d.report
	add := func(level, requirement string, f verify.Finding) {
		results = append(results, sarif.Result{RuleID: string(f.Code), Level: level, Artifact: d.artifact, Suppressed: f.WaivedBy,
			Identity: requirement + "\x00" + f.Subject + "\x00" + f.Advisory,
			Message:  describeFinding(requirement, f, d.artifact)})
	}
	if r.Verdict.Deploys() {
		results = append(results, sarif.Result{RuleID: allowedRule, Pass: true, Artifact: d.artifact, Message: r.Verdict.String() + " by policy " + r.Policy.Digest})
	}
	for _, f := range r.Denials {
		add("error", "", f)
	}
	for _, q := range r.Requirements {
		for _, f := range q.Findings {
			add("error", q.Name, f)
		}
	}
	unusable := "warning"
	if r.Verdict.Deploys() {
		unusable = "note"
	}
	for _, f := range r.Unusable {
		add(unusable, "", f)
	}
	for _, w := range r.Waivers {
		if !w.Used {
			add("warning", "", verify.Finding{Code: w.Problem, Subject: w.Subject, Advisory: w.Advisory, Found: fmt.Sprintf("the waiver of %s by %s for %s", w.Code, w.Owner, w.Subject), Remedy: w.Problem.Remedy()})
		}
	}
	return results
}

func describeFinding(requirement string, f verify.Finding, artifact string) string {
	text := ""
	if requirement != "" {
		text = requirement + ": "
	}
	if f.Source != "" {
		text += "in " + f.Source + ": "
	}
	if f.Expected != "" {
		text += "expected " + f.Expected + ", "
	}
	return text + "found " + f.Found + ". Do: " + remedyFor(f, artifact)
}
