package main

import (
	"fmt"
	"strings"
	"time"

	"plimsoll.example/verify"
)

// printMarkdown prints reports for a pull request or a job's summary page.
func (o outcome) printMarkdown(io stdio) error {
	o.complain(io)
	var b strings.Builder
	b.WriteString("| artifact | verdict | why |\n|---|---|---|\n")
	for _, d := range o.decisions {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", markdownCell(d.artifact), o.verdictOf(d), strings.Join(whyOf(d), "<br>"))
	}
	for _, d := range o.decisions {
		if d.err == nil {
			r := d.report
			fmt.Fprintf(&b, "\n%s: policy %s (%s), at %s\n", markdownCell(d.artifact), markdownCell(o.policy), r.Policy.Digest, r.Clock.Format(time.RFC3339))
			for _, root := range r.Roots {
				fmt.Fprintf(&b, "- trust root %s\n", markdownCell(describeRoot(root, r.Clock)))
			}
			for _, n := range r.NotChecked {
				fmt.Fprintf(&b, "- not checked: %s\n", markdownCell(n))
			}
		}
	}
	_, err := io.out.Write([]byte(b.String()))
	return err
}

func (o outcome) verdictOf(d decision) string {
	switch {
	case d.err != nil:
		return "no decision"
	case !d.report.Verdict.Deploys() && !o.enforced:
		return d.report.Verdict.String() + ", not enforced"
	}
	return d.report.Verdict.String()
}

// whyOf lists reasons of a denial, or what an allowance rests on.
func whyOf(d decision) []string {
	if d.err != nil {
		return []string{markdownCell(d.err.Error())}
	}
	var why []string
	reason := func(name string, f verify.Finding) {
		if name != "" {
			name = markdownCell(name) + ": "
		}
		why = append(why, fmt.Sprintf("%s`%s` expected %s, found %s. %s", name, f.Code, markdownCell(f.Expected), markdownCell(f.Found), markdownCell(remedyFor(f, d.artifact))))
	}
	for _, f := range d.report.Denials {
		reason("", f)
	}
	for _, q := range d.report.Requirements {
		for _, f := range q.Findings {
			if f.WaivedBy == "" {
				reason(q.Name, f)
				continue
			}
			why = append(why, fmt.Sprintf("%s: `%s` set aside by %s: %s", markdownCell(q.Name), f.Code, markdownCell(f.WaivedBy), markdownCell(f.Found)))
		}
		for _, s := range q.RestsOn {
			why = append(why, fmt.Sprintf("%s: met by %s", markdownCell(q.Name), markdownCell(describeStatement(s))))
		}
	}
	for _, f := range d.report.Unusable {
		why = append(why, fmt.Sprintf("not used: %s `%s`", markdownCell(f.Source), f.Code))
	}
	return why
}

// markdownCell shows text from outside in a table's cell as it is, whatever it holds:
// no markup, no link, no mention, no end of the cell.
func markdownCell(text string) string {
	text = printable(strings.Join(strings.Fields(text), " "))
	var b strings.Builder
	for _, r := range text {
		switch r {
		case '|', '\\', '`', '*', '_', '[', ']', '<', '>', '#', '~', '!':
			b.WriteByte('\\')
		case '@': // would notify whoever has that name
			b.WriteString("@\u200b")
			continue
		case '&':
			b.WriteString("&amp;")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
