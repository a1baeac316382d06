package main

import (
	"fmt"
	"io"
	"strings"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// The table of a comment is bounded in rows and in bytes, because code hosts refuse longer
// ones (GitHub: 65,536 characters).
const (
	mostRows  = 200
	mostBytes = 48 << 10
)

// printMarkdown prints a report for a pull request: what speaks against a package, the
// worst first.
func (o npmOutcome) printMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**: %s of %s\n\n", o.verdict(), packages(len(o.report.Packages)), markdownCell(o.target))
	b.WriteString("| package | outcome | why |\n|---|---|---|\n")
	for _, f := range o.report.Denials {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", markdownCell(o.target), npm.Denied, markdownFinding(f))
	}
	sorted := o.worstFirst()
	var reasons npmReasons
	for rows, r := range sorted {
		if rows == mostRows || b.Len() > mostBytes {
			fmt.Fprintf(&b, "\n%d more packages are in the other formats.\n", len(sorted)-rows)
			break
		}
		if same := reasons.sameAs(r); same != "" {
			fmt.Fprintf(&b, "| %s | %s | %s, as %s |\n", markdownCell(r.Package), r.Outcome, markdownCell(codesOf(r)), markdownCell(same))
			continue
		}
		var why []string
		if r.Origin != nil {
			why = append(why, markdownCell(builtBy(r.Origin)))
		}
		for _, f := range r.Findings {
			if f.Effect != verify.NotMade || r.Reason != nil && f.Code == r.Reason.Code {
				why = append(why, markdownFinding(f))
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", markdownCell(r.Package), r.Outcome, strings.Join(why, "<br>"))
	}
	b.WriteByte('\n')
	for _, line := range append(o.summary(), o.warnings()...) {
		fmt.Fprintf(&b, "- %s\n", markdownCell(line))
	}
	for _, line := range o.basis() {
		fmt.Fprintf(&b, "- %s\n", markdownCell(line))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func markdownFinding(f npm.Finding) string {
	text := fmt.Sprintf("`%s`", f.Code)
	if f.Effect == verify.Warn {
		text = "warning " + text
	}
	if f.WaivedBy != "" {
		return fmt.Sprintf("%s set aside by %s: %s", text, markdownCell(f.WaivedBy), markdownCell(f.Found))
	}
	return fmt.Sprintf("%s expected %s, found %s. %s", text, markdownCell(f.Expected), markdownCell(f.Found), markdownCell(f.Remedy))
}
