package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/sarif"
)

// printSARIF prints findings for code scanning services, at their lines in the
// lockfile. A package about which nothing was found has none; the run as a whole has
// one that says what was decided.
func (o npmOutcome) printSARIF(w io.Writer) error {
	run := sarif.Run{
		ToolVersion: version(), InformationURI: "https://plimsoll.example", Rules: npmRules(), ExitCode: o.exit(), Successful: true,
		Properties: map[string]any{"exit": o.exit(), "clock": o.clock.UTC().Format(time.RFC3339), "trustRoot": o.roots.rootDigest, "registryKeys": o.roots.keysDigest},
	}
	if o.policy != nil {
		run.Properties["policyDigest"] = o.policy.Digest
	}
	lines, err := o.lines()
	if err != nil {
		return err
	}
	for _, f := range o.report.Denials {
		run.Results = append(run.Results, o.sarifResult(npm.Result{}, f, nil))
	}
	for _, r := range o.report.Packages {
		for _, f := range r.Findings {
			if f.Code == verify.CodeNoAnswer {
				run.Successful = false
				run.Notifications = append(run.Notifications, sarif.Notification{Level: sarif.LevelError, Message: fmt.Sprintf("no decision about %s: %s", r.Package, f.Found), Artifact: sarifName(o.target)})
				continue
			}
			run.Results = append(run.Results, o.sarifResult(r, f, lines))
		}
	}
	end := sarif.Result{RuleID: sarifAllowed, Level: sarif.Pass, Artifact: sarifName(o.target), Message: fmt.Sprintf("%s: nothing denied in %s", o.target, packages(len(o.report.Packages)))}
	if o.exit() != exitYes {
		end.RuleID, end.Level, end.Message = sarifDenied, sarif.LevelError, o.target+": "+o.verdict()
	}
	if o.exit() != exitNoDecision {
		run.Results = append(run.Results, end)
	}
	for _, text := range o.basis() {
		run.Notifications = append(run.Notifications, sarif.Notification{Level: sarif.LevelNote, Message: text})
	}
	return sarif.Write(w, run)
}

// npmRules describe the rules in npm's words, where verify's are about something else.
func npmRules() []sarif.Rule {
	words := map[string]sarif.Rule{
		sarifAllowed: {ID: sarifAllowed, Meaning: "no package is denied, as far as no waiver set a finding aside", Remedy: "nothing is to be done"},
		sarifDenied:  {ID: sarifDenied, Meaning: "a package, or the project as a whole, is denied", Remedy: "see the report: plimsoll npm --format text"},
	}
	for _, row := range verify.NPMCodes() {
		if row.Meaning != "" {
			words[string(row.Code)] = sarif.Rule{ID: string(row.Code), Meaning: row.Meaning, Remedy: "see the message of each result"}
		}
	}
	rules := sarifRules()
	for i, r := range rules {
		if own, ok := words[r.ID]; ok {
			rules[i] = own
		}
	}
	return rules
}

// lines says where packages stand in the lockfile.
func (o npmOutcome) lines() (map[string]int, error) {
	if o.lock == nil || o.lock.lock == nil {
		return nil, nil
	}
	return lockfile.Lines(o.lock.project.Format.File, o.lock.lock)
}

func (o npmOutcome) sarifResult(r npm.Result, f npm.Finding, lines map[string]int) sarif.Result {
	level := map[verify.Effect]string{verify.Deny: sarif.LevelError, verify.Warn: sarif.LevelWarning, verify.NotMade: sarif.LevelNote}[f.Effect]
	var parts []string
	for _, part := range []struct{ what, text string }{{"expected ", f.Expected}, {"found ", f.Found}} {
		if part.text != "" {
			parts = append(parts, part.what+part.text)
		}
	}
	text := strings.Join(parts, ", ")
	if r.Package != "" {
		text = r.Package + ": " + text
	}
	result := sarif.Result{
		RuleID: string(f.Code), Level: level, Message: text + ". Do: " + f.Remedy, Artifact: sarifName(o.target),
		Subject: []string{r.Package, f.Advisory}, Suppression: f.WaivedBy, Properties: map[string]any{"expected": f.Expected, "found": f.Found, "effect": f.Effect.String()},
	}
	if r.Package != "" {
		result.Properties["package"], result.Properties["purl"] = r.Package, r.Purl
	}
	places := slices.Clone(r.Places)
	slices.SortFunc(places, func(a, b string) int { return lines[a] - lines[b] })
	for _, place := range places {
		if line := lines[place]; line > 0 {
			result.ArtifactLine = line
			break
		}
	}
	return result
}
