package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// TestRareFirst: one package that runs a script is found among hundreds with the warning
// that most have.
func TestRareFirst(t *testing.T) {
	var all []npm.Result
	for i := range 3 * mostRows {
		r := npm.Result{Package: fmt.Sprintf("pkg-%03d@1.0.0", i), Outcome: npm.Warned, Findings: []npm.Finding{{Finding: verify.Finding{Code: verify.CodeNoAttestations}, Effect: verify.Warn}}}
		if i == 500 {
			r.Findings = append(r.Findings, npm.Finding{Finding: verify.Finding{Code: verify.CodeInstallScript, Found: "postinstall"}, Effect: verify.Warn})
		}
		r.Reason = &r.Findings[0]
		all = append(all, r)
	}
	o := npmOutcome{report: &npm.Report{Packages: all, NotCompared: []string{"node_modules/.cache"}}, target: "package-lock.json"}
	var text, markdown bytes.Buffer
	if err := o.printText(&text); err != nil {
		t.Fatal(err)
	}
	if err := o.printMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text.String(), "warning     pkg-500@1.0.0: ") || !strings.Contains(text.String(), "\nwarning     pkg-000@1.0.0: NO_ATTESTATIONS") {
		t.Errorf("found %.500s", text.String())
	}
	for format, report := range map[string]string{"text": text.String(), "markdown": strings.NewReplacer(`\`, "", "\u200b", "").Replace(markdown.String())} {
		for _, want := range []string{"INSTALL_SCRIPT: pkg-500@1.0.0", "NO_ATTESTATIONS: 600 packages, the first pkg-000@1.0.0", "not made: what a tool keeps in node_modules/.cache"} {
			if !strings.Contains(report, want) {
				t.Errorf("%s: %s is not in it", format, want)
			}
		}
	}
	if !strings.Contains(markdown.String(), "postinstall") {
		t.Error("the script is not in the markdown")
	}
}
