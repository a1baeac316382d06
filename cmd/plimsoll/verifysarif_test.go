package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// sarifOf prints an outcome, holds it to the schema where that is at hand, and
// returns a line for each result: rule, kind, level, suppression.
func sarifOf(t *testing.T, o outcome) (string, []string) {
	t.Helper()
	var b bytes.Buffer
	if err := o.printSARIF(&b); err != nil {
		t.Fatal(err)
	}
	if file := corpus(t, "schema", "sarif-2.1.0.json"); file != "" {
		checkSARIF(t, file, b.Bytes())
	} else {
		t.Log("not held to the schema: PLIMSOLL_CORPUS has none")
	}
	var log struct {
		Runs []struct {
			Results []struct {
				RuleID, Kind, Level string
				Suppressions        []struct{ Justification string }
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range log.Runs[0].Results {
		line := fmt.Sprintf("%s %s %s", r.RuleID, r.Kind, r.Level)
		for _, s := range r.Suppressions {
			line += " " + s.Justification
		}
		lines = append(lines, line)
	}
	return b.String(), lines
}

func checkSARIF(t *testing.T, schema string, data []byte) {
	t.Helper()
	if err := validateSARIF(schema, data); err != nil {
		t.Errorf("%v in\n%s", err, data)
	}
}

func validateSARIF(schema string, data []byte) error {
	raw, err := os.ReadFile(schema)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", doc); err != nil {
		return err
	}
	s, err := c.Compile("sarif.json")
	if err != nil {
		return err
	}
	if doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(data)); err != nil {
		return err
	}
	return s.Validate(doc)
}

// scriptSARIF demands that a file is valid SARIF, where the schema is at hand, and JSON
// where it is not:
//
//	sarif stdout
func scriptSARIF(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sarif FILE")
	}
	data := []byte(ts.ReadFile(args[0]))
	_, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if schema := ts.Getenv("SARIF_SCHEMA"); err == nil && schema != "" {
		err = validateSARIF(schema, data)
	}
	ts.Check(err)
}

func TestSARIFResults(t *testing.T) {
	finding := verify.Finding{Code: verify.CodeVulnerable, Source: "app.sigstore.jsonl:2", Subject: "pkg:npm/x@1", Advisory: "CVE-1",
		Expected: "nothing above low", Found: "high", Remedy: "update it"}
	waived := finding
	waived.WaivedBy = "waiver of alice"
	unusable := verify.Finding{Code: verify.CodeSignerUnknown, Source: "oci://r.example/n@sha256:11", Remedy: "add it"}
	unmet := func(f ...verify.Finding) []verify.RequirementInfo {
		return []verify.RequirementInfo{{Name: "scan", Findings: f}}
	}
	met := func(f ...verify.Finding) []verify.RequirementInfo {
		return []verify.RequirementInfo{{Name: "scan", Met: true, Waived: len(f) > 0, Findings: f}}
	}
	waivers := []verify.WaiverInfo{
		{Code: verify.CodeVulnerable, Owner: "alice", Used: true},
		{Code: verify.CodeVulnerable, Owner: "bob", Problem: verify.CodeWaiverExpired, Expires: time.Unix(0, 0)},
		{Code: verify.CodeVulnerable, Owner: "carol"},
	}
	for name, c := range map[string]struct {
		report verify.Report
		want   []string
	}{
		"allowed":               {verify.Report{Verdict: verify.Allowed, Requirements: met()}, []string{"ALLOWED pass none"}},
		"allowed with unusable": {verify.Report{Verdict: verify.Allowed, Requirements: met(), Unusable: []verify.Finding{unusable}}, []string{"ALLOWED pass none", "SIGNER_UNKNOWN fail note"}},
		"allowed with waivers": {verify.Report{Verdict: verify.AllowedWithWaivers, Requirements: met(waived), Waivers: waivers},
			[]string{"VULNERABLE fail error waiver of alice", "ALLOWED pass none", "WAIVER_EXPIRED fail warning", "WAIVER_UNUSED fail warning"}},
		"denied":               {verify.Report{Denials: []verify.Finding{{Code: verify.CodePolicyExpired}}}, []string{"POLICY_EXPIRED fail error"}},
		"denied with unusable": {verify.Report{Requirements: unmet(finding), Unusable: []verify.Finding{unusable}}, []string{"VULNERABLE fail error", "SIGNER_UNKNOWN fail warning"}},
		"denied, one waived":   {verify.Report{Requirements: unmet(waived, finding)}, []string{"VULNERABLE fail error waiver of alice", "VULNERABLE fail error"}},
		// What is suppressed or a warning is not shown as a reason.
		"denied without a reason":             {verify.Report{}, []string{"DENIED fail error"}},
		"denied, and every reason waived":     {verify.Report{Requirements: unmet(waived)}, []string{"VULNERABLE fail error waiver of alice", "DENIED fail error"}},
		"denied, with nothing but unusable":   {verify.Report{Unusable: []verify.Finding{unusable}}, []string{"DENIED fail error", "SIGNER_UNKNOWN fail warning"}},
		"a verdict that there is not, denied": {verify.Report{Verdict: 7, Requirements: met()}, []string{"DENIED fail error"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.report.Digests = attest.DigestSet{"sha256": strings.Repeat("0", 64)}
			d := decision{artifact: "app", exit: exitOf(c.report.Verdict), report: c.report}
			text, got := sarifOf(t, outcome{policy: "p.yaml", decisions: []decision{d}, exit: d.exit, enforced: true})
			if !slices.Equal(got, c.want) {
				t.Errorf("expected %q, found %q in\n%s", c.want, got, text)
			}
		})
	}
}

// TestSARIFMessage: a result says what was expected and found, and what to do,
// and where.
func TestSARIFMessage(t *testing.T) {
	report := verify.Report{Roots: []verify.RootInfo{{Name: "public-good", Digest: "sha256:00"}}, NotChecked: []string{"revocation"},
		Requirements: []verify.RequirementInfo{{Name: "sbom", Findings: []verify.Finding{
			{Code: verify.CodeTypeMissing, Source: "d/app.sigstore.jsonl:12", Expected: "an SBOM", Found: "none", Remedy: verify.CodeTypeMissing.Remedy()}}}}}
	text, _ := sarifOf(t, outcome{policy: "p.yaml", exit: exitNo, decisions: []decision{
		{artifact: "app", exit: exitNo, report: report},
		{artifact: "gone", exit: exitNoDecision, err: errors.New("no such\x1bfile"), hint: "look"},
	}})
	for _, want := range []string{
		`"text": "sbom: expected an SBOM, found none. Do: have the signer run: plimsoll attest app --sbom FILE --provenance --key FILE"`,
		`"uri": "d/app.sigstore.jsonl"`, `"startLine": 12`, `"requirement": "sbom"`,
		`"text": "no decision about \"gone\": no such\u001bfile. Do: look"`, `"executionSuccessful": false`, `"exitCode": 3`,
		`"enforced": false`, `"name": "public-good"`, `"revocation"`, `"verdict": "denied"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("expected %s in\n%s", want, text)
		}
	}
}

// TestSARIFNothing: an outcome about nothing is no log.
func TestSARIFNothing(t *testing.T) {
	var b bytes.Buffer
	if err := (outcome{enforced: true}).printSARIF(&b); err == nil || b.Len() > 0 {
		t.Errorf("expected an error, found %v and %q", err, b.String())
	}
}

func TestSARIFPlace(t *testing.T) {
	digits := "oci://r.example/n@sha256:" + strings.Repeat("1", 9)
	for source, want := range map[string]struct {
		name string
		line int
	}{
		"":                                   {"", 0},
		"a.jsonl:3":                          {"a.jsonl", 3},
		"a.json":                             {"a.json", 0},
		"a:b.jsonl:3":                        {"a:b.jsonl", 3},
		"a:0":                                {"a:0", 0},
		"a:-1":                               {"a:-1", 0},
		":3":                                 {":3", 0},
		digits:                               {digits, 0},
		filepath.Join("d", "a.jsonl") + ":3": {"d/a.jsonl", 3},
	} {
		if name, line := sarifPlace(source); name != want.name || line != want.line {
			t.Errorf("%q: expected %v, found %q, %d", source, want, name, line)
		}
	}
}
