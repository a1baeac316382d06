package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

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
	of := packages(len(o.report.Packages)) + " of "
	if o.lock == nil || o.lock.single {
		of = ""
	}
	fmt.Fprintf(&b, "**%s**: %s%s\n\n", o.verdict(), of, markdownCell(o.target))
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
			fmt.Fprintf(&b, "| %s | %s | %s, as %s |\n", markdownCell(titleOf(r)), r.Outcome, markdownCell(codesOf(r)), markdownCell(same))
			continue
		}
		var why []string
		if r.Origin != nil {
			why = append(why, markdownCell(builtBy(r.Origin)))
		} else if r.Outcome == npm.Held {
			why = append(why, signedOnly)
		}
		for _, f := range r.Findings {
			patched := r.Kind == kindRegistry && f.Code == verify.CodeNotFromRegistry
			if f.Effect != verify.NotMade || patched || r.Reason != nil && f.Code == r.Reason.Code {
				why = append(why, markdownFinding(f))
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", markdownCell(titleOf(r)), r.Outcome, strings.Join(why, "<br>"))
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
	return fmt.Sprintf("%s expected %s, found %s. Do: %s", text, markdownCell(f.Expected), markdownCell(f.Found), markdownRemedy(f.Remedy))
}

// markdownCommand is what somebody copies out of a remedy: flags with what follows them. It
// holds nothing that ends a code span or a cell.
var markdownCommand = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:(?:plimsoll npm|npm ci|npm install) )?--[a-z][a-z-]*(?: (?:--[a-z][a-z-]*|[A-Z]{2,}|[A-Za-z0-9@/._-]+@[A-Za-z0-9.+-]+:[A-Z_]+))*`)
})

// markdownRemedy shows a remedy with its commands as code, where nothing is escaped: what
// is copied from there works.
func markdownRemedy(text string) string {
	var b strings.Builder
	text = strings.Join(strings.Fields(text), " ")
	end := 0
	for _, m := range markdownCommand().FindAllStringIndex(text, -1) {
		b.WriteString(markdownText(text[end:m[0]]))
		fmt.Fprintf(&b, "`%s`", text[m[0]:m[1]])
		end = m[1]
	}
	return b.String() + markdownText(text[end:])
}

// markdownText is a cell's text with the spaces around it.
func markdownText(text string) string {
	before, after := "", ""
	if strings.HasPrefix(text, " ") {
		before = " "
	}
	if strings.HasSuffix(text, " ") && strings.TrimSpace(text) != "" {
		after = " "
	}
	return before + markdownCell(text) + after
}
