package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/advisory"
)

// An npmOutcome is what was found out about a project, and by what.
type npmOutcome struct {
	report     *npm.Report
	policy     *verify.Policy // nil: the defaults
	roots      npmTrust
	clock      time.Time
	target     string     // the lockfile, or the package
	lock       *npmTarget // nil: a package by itself
	advisories *advisory.Database
	only       bool // one answer was checked by hand
}

// print prints the report and turns it into an exit code.
func (f *npmFlags) print(io stdio, o npmOutcome) error {
	var err error
	switch f.format {
	case "json":
		err = o.printJSON(io.out)
	case "sarif":
		err = o.printSARIF(io.out)
	case "markdown":
		err = o.printMarkdown(io.out)
	default:
		err = o.printText(io.out)
	}
	if err != nil {
		return failed(fmt.Errorf("writing the report: %w", err))
	}
	if o.unsigned() {
		fmt.Fprintln(io.err, "plimsoll: hint: the registry gave no signature for any package: if it is a mirror, name the registry behind it with --evidence-registry URL; if it is one that does not sign, say so in a policy: npm: {codes: {REGISTRY_SIGNATURE_MISSING: warn}}")
	}
	if code := o.exit(); code != exitYes {
		return &exitError{code: code}
	}
	return nil
}

// exit is 3 if anything is denied, else 1 if anything is undecided.
func (o npmOutcome) exit() int {
	code := exitYes
	if len(o.report.Denials) > 0 {
		code = exitNo
	}
	for _, r := range o.report.Packages {
		switch r.Outcome {
		case npm.Held, npm.NotChecked:
		case npm.Warned:
			if o.only && r.Origin == nil { // neither attestation was there
				code = exitNo
			}
		case npm.Undecided:
			code = worst(code, exitNoDecision)
		default:
			code = worst(code, exitNo)
		}
	}
	return code
}

// unsigned tells that several packages come from a registry, and none has a signature.
func (o npmOutcome) unsigned() bool {
	missing := 0
	for _, r := range o.report.Packages {
		if r.Signature != nil {
			return false
		}
		if slices.ContainsFunc(r.Findings, func(f npm.Finding) bool {
			return f.Code == verify.CodeRegistrySignatureMissing && f.Effect == verify.Deny && f.WaivedBy == ""
		}) {
			missing++
		}
	}
	return missing > 1
}

// verdict is the exit code in words.
func (o npmOutcome) verdict() string {
	return map[int]string{exitYes: "nothing denied", exitNo: "DENIED", exitNoDecision: "NO DECISION"}[o.exit()]
}

// notMade counts the checks that could not be made, by code.
func (o npmOutcome) notMade() (codes []verify.Code, counts map[verify.Code]int) {
	counts = map[verify.Code]int{}
	for _, r := range o.report.Packages {
		seen := map[verify.Code]bool{}
		for _, f := range r.Findings {
			if f.Effect == verify.NotMade && !seen[f.Code] {
				seen[f.Code] = true
				counts[f.Code]++
			}
		}
	}
	for _, row := range verify.NPMCodes() {
		if counts[row.Code] > 0 {
			codes = append(codes, row.Code)
		}
	}
	return codes, counts
}

// unchecked says what was not looked at for any package.
func (o npmOutcome) unchecked() []string {
	if o.only {
		return []string{"registry signature, bytes, expectations, age, install scripts, advisories"}
	}
	var texts []string
	if o.advisories == nil {
		texts = append(texts, "known malicious packages: no --advisories")
	}
	for _, place := range o.report.NotCompared {
		texts = append(texts, "what a tool keeps in "+printable(place))
	}
	return texts
}

// printText prints results for people: the worst first, then the counts.
func (o npmOutcome) printText(w io.Writer) error {
	var b strings.Builder
	for _, f := range o.report.Denials {
		fmt.Fprintf(&b, "%-11s %s: %s\n", npm.Denied, printable(o.target), f.Code)
		writeNPMFinding(&b, f)
	}
	sorted := o.worstFirst()
	counts := map[npm.Outcome]int{}
	var reasons npmReasons
	for _, r := range sorted {
		counts[r.Outcome]++
		if same := reasons.sameAs(r); same != "" {
			fmt.Fprintf(&b, "%-11s %s: %s, as %s\n", r.Outcome, printable(titleOf(r)), codesOf(r), printable(same))
			continue
		}
		writeNPMResult(&b, r)
	}
	var parts []string
	for outcome := npm.Denied; outcome <= npm.Held; outcome++ {
		if counts[outcome] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[outcome], outcome))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "none")
	}
	fmt.Fprintf(&b, "\n%s: %s: %s\n", o.verdict(), packages(len(sorted)), strings.Join(parts, ", "))
	for _, line := range append(o.summary(), o.warnings()...) { // the reasons may be thousands of lines above
		fmt.Fprintf(&b, "  %s\n", line)
	}
	for _, line := range o.basis() {
		fmt.Fprintln(&b, line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func packages(n int) string {
	if n == 1 {
		return "1 package"
	}
	return fmt.Sprintf("%d packages", n)
}

// basis says what the decision rests on and what was not looked at.
func (o npmOutcome) basis() []string {
	var lines []string
	codes, counts := o.notMade()
	for _, c := range codes {
		lines = append(lines, fmt.Sprintf("not made: %s: %d of %s%s: %s", c, counts[c], packages(len(o.report.Packages)), o.kindsOf(c), c.Remedy()))
	}
	for _, text := range o.unchecked() {
		lines = append(lines, "not made: "+text)
	}
	for _, w := range o.report.Waivers {
		if !w.Used {
			lines = append(lines, fmt.Sprintf("the waiver of %s for %s by %s did not count: %s", w.Code, printable(w.Subject), printable(w.Owner), w.Problem))
		}
	}
	lines = append(lines, o.asked()...)
	lines = append(lines, fmt.Sprintf("trust root %s (%s), registry keys %s (%s), at %s", o.roots.rootDigest, printable(o.roots.rootName),
		o.roots.keysDigest, printable(o.roots.keysName), o.clock.UTC().Format(time.RFC3339)))
	if o.policy != nil {
		lines = append(lines, fmt.Sprintf("policy %s (%s)", printable(cmp.Or(o.policy.Name, "without a name")), o.policy.Digest))
	}
	if o.advisories != nil {
		i := o.advisories.Info()
		lines = append(lines, fmt.Sprintf("advisories %s: %d records, the newest of %s, %s old", i.Digest, i.Records, i.Newest.UTC().Format(time.RFC3339), days(o.clock.Sub(i.Newest))))
	}
	return lines
}

func writeNPMResult(b *strings.Builder, r npm.Result) {
	fmt.Fprintf(b, "%-11s %s", r.Outcome, printable(titleOf(r)))
	if len(r.Aliases) > 0 {
		fmt.Fprintf(b, " (required as %s)", printable(strings.Join(r.Aliases, ", ")))
	}
	if r.Reason != nil {
		fmt.Fprintf(b, ": %s", r.Reason.Code)
	} else if r.Origin != nil {
		fmt.Fprintf(b, ": %s", printable(builtBy(r.Origin)))
	} else if r.Outcome == npm.Held {
		b.WriteString(": " + signedOnly)
	}
	if brief := r.Outcome == npm.Warned || r.Outcome == npm.NotChecked; brief && r.Reason != nil {
		fmt.Fprintf(b, ": %s\n", printable(r.Reason.Found))
	} else {
		b.WriteByte('\n')
		if r.Reason != nil {
			writeNPMFinding(b, *r.Reason)
		}
	}
	if r.Reason != nil && r.Origin != nil {
		fmt.Fprintf(b, "    %s\n", printable(builtBy(r.Origin)))
	}
	for i, f := range r.Findings {
		switch {
		case r.Reason == &r.Findings[i]:
		case f.Effect == verify.NotMade:
			if r.Kind == kindRegistry && f.Code == verify.CodeNotFromRegistry { // patched
				fmt.Fprintf(b, "  not made %s: %s\n", f.Code, printable(f.Found))
			}
		case f.WaivedBy != "":
			fmt.Fprintf(b, "  set aside by %s: %s: %s\n", printable(f.WaivedBy), f.Code, printable(f.Found))
		case f.Effect == verify.Warn:
			fmt.Fprintf(b, "  warning %s: %s\n", f.Code, printable(f.Found))
		default:
			fmt.Fprintf(b, "  also %s\n", f.Code)
			writeNPMFinding(b, f)
		}
	}
}

// kindRegistry is the kind of what a registry can vouch for.
const kindRegistry = "registry"

// signedOnly is all that is known of what holds without an origin.
const signedOnly = "signed by the registry; nobody says who built it"

// titleOf is a package's name, and its kind where a reader would take it for a registry's.
func titleOf(r npm.Result) string {
	if r.Kind == "" || r.Kind == kindRegistry || (r.Reason != nil && r.Reason.Code == verify.CodeNotFromRegistry) {
		return r.Package
	}
	return fmt.Sprintf("%s (%s)", r.Package, r.Kind)
}

// builtBy says in the same words everywhere where a package came from.
func builtBy(o *npm.Origin) string {
	return fmt.Sprintf("built by %s from %s at commit %s, published %s to %s", o.Identity, o.Repository, o.Commit, o.PublishedAt.Format(time.RFC3339), o.Registry)
}

func writeNPMFinding(b *strings.Builder, f npm.Finding) {
	fmt.Fprintf(b, "    expected  %s\n    found     %s\n    do        %s\n", printable(f.Expected), printable(f.Found), printable(f.Remedy))
}
