package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// mostRows bounds the table of a comment: code hosts cut longer ones off.
const mostRows = 200

// printMarkdown prints a report for a pull request: what speaks against a package, the
// worst first.
func (o npmOutcome) printMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**: %d packages of %s\n\n", o.verdict(), len(o.report.Packages), markdownCell(o.target))
	b.WriteString("| package | outcome | why |\n|---|---|---|\n")
	for _, f := range o.report.Denials {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", markdownCell(o.target), npm.Denied, markdownFinding(f))
	}
	sorted := slices.Clone(o.report.Packages)
	slices.SortStableFunc(sorted, func(a, b npm.Result) int { return int(a.Outcome) - int(b.Outcome) })
	rows := 0
	for _, r := range sorted {
		if rows++; rows > mostRows {
			fmt.Fprintf(&b, "\n%d more packages are in the other formats.\n", len(sorted)-mostRows)
			break
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
