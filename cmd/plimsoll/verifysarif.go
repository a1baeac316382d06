package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"plimsoll.example/attest/oci"
	"plimsoll.example/verify"
	"plimsoll.example/verify/sarif"
)

// The rules of SARIF results that are no reason codes.
const (
	sarifAllowed = "ALLOWED"
	sarifDenied  = "DENIED"
)

// printSARIF prints decisions for code scanning services. Every artifact has a
// result that says so, or a notification if there is no decision: an empty list
// would read as if all were well.
func (o outcome) printSARIF(w io.Writer) error {
	run := sarif.Run{
		ToolVersion: version(), InformationURI: "https://plimsoll.example",
		Rules: sarifRules(), ExitCode: o.exit, Successful: true,
		Properties: map[string]any{"policy": o.policy, "exit": o.exit, "enforced": o.enforced},
	}
	var artifacts []map[string]any
	for _, d := range o.decisions {
		if d.err != nil {
			run.Successful = false
			run.Notifications = append(run.Notifications, sarif.Notification{Level: sarif.LevelError, Message: noDecision(d), Artifact: sarifName(d.artifact)})
			continue
		}
		run.Results = append(run.Results, sarifResults(d)...)
		artifacts = append(artifacts, sarifDecision(d))
		run.Properties["policyDigest"] = d.report.Policy.Digest
		run.Properties["clock"] = d.report.Clock.Format(time.RFC3339)
		run.Properties["clockSet"] = d.report.ClockSet
		run.Properties["roots"] = append([]verify.RootInfo{}, d.report.Roots...)
	}
	if len(artifacts) > 0 {
		run.Properties["artifacts"] = artifacts
	}
	if !o.enforced {
		run.Notifications = append(run.Notifications, sarif.Notification{Level: sarif.LevelWarning, Message: "--warn-only: denied, and not enforced"})
	}
	return sarif.Write(w, run)
}

func noDecision(d decision) string {
	text := fmt.Sprintf("no decision about %q: %s", d.artifact, d.err)
	if d.hint != "" {
		text += ". Do: " + d.hint
	}
	return text
}

func sarifRules() []sarif.Rule {
	rules := []sarif.Rule{
		{ID: sarifAllowed, Meaning: "the artifact meets every requirement of the policy, as far as no waiver set one aside", Remedy: "nothing is to be done"},
		{ID: sarifDenied, Meaning: "the artifact may not be deployed", Remedy: "see the report: plimsoll verify --format text"},
	}
	for _, c := range verify.Codes() {
		rules = append(rules, sarif.Rule{ID: string(c.Code), Meaning: c.Meaning, Remedy: c.Remedy})
	}
	return rules
}

// sarifDecision is what a result has no place for: the verdict on one artifact.
func sarifDecision(d decision) map[string]any {
	p := map[string]any{
		"artifact": d.artifact, "exit": d.exit, "verdict": d.report.Verdict.String(),
		"notChecked": append([]string{}, d.report.NotChecked...),
	}
	if len(d.report.Digests) > 0 {
		p["digests"] = d.report.Digests
	}
	if d.report.As != "" {
		p["as"], p["bound"] = d.report.As, d.report.Bound
	}
	return p
}

// sarifResults are the findings of one decision. A denial has an error that nothing
// suppresses, an allowance a pass.
func sarifResults(d decision) []sarif.Result {
	var results []sarif.Result
	r := d.report
	denied := false
	for _, f := range r.Denials {
		denied = true
		results = append(results, sarifFinding(d, "", f, sarif.LevelError))
	}
	for _, q := range r.Requirements {
		for _, f := range q.Findings {
			denied = denied || f.WaivedBy == ""
			results = append(results, sarifFinding(d, q.Name, f, sarif.LevelError))
		}
	}
	switch {
	case r.Verdict.Deploys():
		results = append(results, sarif.Result{RuleID: sarifAllowed, Level: sarif.Pass, Artifact: sarifName(d.artifact),
			Message: fmt.Sprintf("%s: %s by policy %s", d.artifact, r.Verdict, r.Policy.Digest)})
	case !denied:
		results = append(results, sarif.Result{RuleID: sarifDenied, Level: sarif.LevelError, Artifact: sarifName(d.artifact),
			Message: fmt.Sprintf("%s: %s by policy %s", d.artifact, r.Verdict, r.Policy.Digest)})
	}
	level := sarif.LevelWarning // it may explain the denial
	if r.Verdict.Deploys() {
		level = sarif.LevelNote
	}
	for _, f := range r.Unusable {
		results = append(results, sarifFinding(d, "", f, level))
	}
	for _, w := range r.Waivers {
		if !w.Used {
			results = append(results, sarifWaiver(d, w))
		}
	}
	return results
}

func sarifFinding(d decision, requirement string, f verify.Finding, level string) sarif.Result {
	result := sarif.Result{
		RuleID: string(f.Code), Level: level, Message: sarifMessage(requirement, f, d.artifact), Artifact: sarifName(d.artifact),
		Subject: []string{requirement, f.Subject, f.Advisory}, Suppression: f.WaivedBy, Properties: map[string]any{},
	}
	result.Source, result.Line = sarifPlace(f.Source)
	for name, value := range map[string]string{"requirement": requirement, "subject": f.Subject, "advisory": f.Advisory,
		"expected": f.Expected, "found": f.Found} {
		if value != "" {
			result.Properties[name] = value
		}
	}
	return result
}

// sarifMessage is "expected X, found Y. Do: Z".
func sarifMessage(requirement string, f verify.Finding, artifact string) string {
	var parts []string
	if f.Expected != "" {
		parts = append(parts, "expected "+f.Expected)
	}
	if f.Found != "" {
		parts = append(parts, "found "+f.Found)
	}
	text := strings.Join(parts, ", ")
	if requirement != "" && text != "" {
		text = requirement + ": " + text
	}
	if text == "" {
		text = string(f.Code)
	}
	if do := remedyFor(f, artifact); do != "" {
		text += ". Do: " + do
	}
	return text
}

// sarifWaiver reports a waiver that did not count: it looks like an exception in the
// policy, and is none.
func sarifWaiver(d decision, w verify.WaiverInfo) sarif.Result {
	problem := w.Problem
	if problem == "" {
		problem = verify.CodeWaiverUnused
	}
	return sarif.Result{
		RuleID: string(problem), Level: sarif.LevelWarning, Artifact: sarifName(d.artifact),
		Message: strings.Join(strings.Fields(fmt.Sprintf("the waiver of %s by %s for %s %s, until %s, did not count. Do: %s",
			w.Code, w.Owner, w.Subject, w.Advisory, w.Expires.Format(time.DateOnly), problem.Remedy())), " "),
		Subject:    []string{string(w.Code), w.Subject, w.Advisory, w.Owner},
		Properties: map[string]any{"waives": w.Code, "owner": w.Owner, "reason": w.Reason, "expires": w.Expires.Format(time.RFC3339)},
	}
}

// sarifPlace parts an attestation's place, FILE:LINE, FILE or oci://NAME@DIGEST.
func sarifPlace(source string) (name string, line int) {
	if strings.HasPrefix(source, oci.Scheme) {
		return source, 0
	}
	if i := strings.LastIndexByte(source, ':'); i > 0 {
		if n, err := strconv.Atoi(source[i+1:]); err == nil && n > 0 {
			return sarifName(source[:i]), n
		}
	}
	return sarifName(source), 0
}

// sarifName writes a relative path as on every system.
func sarifName(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.ToSlash(name)
}
