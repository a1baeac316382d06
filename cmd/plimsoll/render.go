package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"

	"plimsoll.example/verify"
)

// The renderers below print decisions that were made before; they return only
// errors of writing.

// verifyFormats are the formats of verify beside text and json.
var verifyFormats = []string{"sarif", "markdown"}

// An outcome is what was decided about every artifact.
type outcome struct {
	policy    string // the file
	decisions []decision
	gate      verify.Gate // what decided
	exit      int
	enforced  bool // false: --warn-only turned a denial into 0
}

// print prints an outcome in a format.
func (o outcome) print(io stdio, format string) error {
	switch format {
	case "json":
		return o.printJSON(io.out)
	case "sarif":
		return o.printSARIF(io.out)
	case "markdown":
		return o.printMarkdown(io)
	}
	return o.printText(io)
}

// complain says on stderr why nothing was decided.
func (o outcome) complain(io stdio) {
	for _, d := range o.decisions {
		if d.err == nil {
			continue
		}
		fmt.Fprintf(io.err, "plimsoll: no decision about %q: %s\n", d.artifact, printable(d.err.Error()))
		if d.hint != "" {
			fmt.Fprintf(io.err, "plimsoll: hint: %s\n", printable(d.hint))
		}
	}
	if !o.enforced {
		fmt.Fprintf(io.err, "plimsoll: --warn-only: denied, and not enforced\n")
	}
}

// printText prints reports for people. What was decided goes to stdout, why
// nothing was decided to stderr.
func (o outcome) printText(io stdio) error {
	o.complain(io)
	var b strings.Builder
	for _, d := range o.decisions {
		if d.err != nil {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		writeReport(&b, o.policy, d)
	}
	_, err := io.out.Write([]byte(b.String()))
	return err
}

func writeReport(b *strings.Builder, policy string, d decision) {
	writeHead(b, policy, d)
	r := d.report
	for _, f := range r.Denials {
		fmt.Fprintf(b, "\n  denied %s\n", f.Code)
		writeFinding(b, f, d.artifact)
	}
	for _, q := range r.Requirements {
		writeRequirement(b, q, d.artifact)
	}
	writeWaivers(b, r)
	writeUnusable(b, d)
	if len(r.NotChecked) > 0 {
		fmt.Fprintf(b, "\n  not checked:\n")
	}
	for _, n := range r.NotChecked {
		fmt.Fprintf(b, "    %s\n", printable(n))
	}
}

// writeHead says what was decided, about what, by what, and when.
func writeHead(b *strings.Builder, policy string, d decision) {
	r := d.report
	fmt.Fprintf(b, "%-7s %s\n", strings.ToUpper(r.Verdict.String()), printable(d.artifact))
	for _, alg := range []string{"sha256", "sha512"} {
		if v := r.Digests[alg]; v != "" {
			fmt.Fprintf(b, "        %s:%s\n", alg, v)
		}
	}
	if n := len(d.subject.Files); n > 0 {
		fmt.Fprintf(b, "        a directory of %d files\n", n)
	}
	if r.As != "" {
		bound := "not confirmed by what the decision rests on"
		if r.Bound {
			bound = "confirmed by what the decision rests on"
		}
		fmt.Fprintf(b, "        as %s, %s\n", printable(r.As), bound)
	}
	fmt.Fprintf(b, "        by policy %s (%s)", printable(policy), r.Policy.Digest)
	if r.Policy.Name != "" {
		fmt.Fprintf(b, ", %q", printable(r.Policy.Name))
	}
	if r.Policy.Revision > 0 {
		fmt.Fprintf(b, ", revision %d", r.Policy.Revision)
	}
	if r.Policy.SignedBy != "" {
		fmt.Fprintf(b, ", signed by %s", printable(r.Policy.SignedBy))
	}
	clock := "at"
	if r.ClockSet {
		clock = "as of --at"
	}
	fmt.Fprintf(b, ", %s %s\n", clock, r.Clock.Format(time.RFC3339))
	for _, root := range r.Roots {
		fmt.Fprintf(b, "        trust root %s\n", printable(describeRoot(root, r.Clock)))
	}
}

// describeRoot tells a root's digest and age; one that its origin vouches for no
// longer says so.
func describeRoot(root verify.RootInfo, now time.Time) string {
	text := fmt.Sprintf("%s (%s)", root.Name, root.Digest)
	switch {
	case root.Date == nil:
		return text + ", of unknown age"
	case root.Expires != nil && now.After(*root.Expires):
		return text + fmt.Sprintf(", of %s; past its expiry of %s: update it with plimsoll trust update", root.Date.Format(time.DateOnly), root.Expires.Format(time.DateOnly))
	}
	return text + ", of " + root.Date.Format(time.DateOnly)
}

func writeRequirement(b *strings.Builder, q verify.RequirementInfo, artifact string) {
	if !q.Met {
		code := verify.Code("")
		if len(q.Findings) > 0 {
			code = q.Findings[0].Code
		}
		fmt.Fprintf(b, "\n  %s: not met, %s\n", printable(q.Name), code)
		for i, f := range q.Findings {
			if i > 0 {
				fmt.Fprintf(b, "    %s\n", f.Code)
			}
			if f.Source != "" {
				fmt.Fprintf(b, "    in        %s\n", printable(f.Source))
			}
			writeFinding(b, f, artifact)
		}
		return
	}
	met := "met"
	if q.Waived {
		met = "met with waivers"
	}
	fmt.Fprintf(b, "\n  %s: %s\n", printable(q.Name), met)
	for _, s := range q.RestsOn {
		fmt.Fprintf(b, "    rests on  %s\n", printable(describeStatement(s)))
	}
	for _, f := range q.Findings {
		fmt.Fprintf(b, "    set aside %s by %s: %s\n", f.Code, printable(f.WaivedBy), printable(f.Found))
	}
	for _, n := range q.Notes {
		fmt.Fprintf(b, "    note      %s\n", printable(n))
	}
}

// describeStatement says where a statement is, who signed it, and when.
func describeStatement(s verify.StatementInfo) string {
	text := fmt.Sprintf("%s by %q, ", s.Source, s.Signer)
	if c := s.Certificate; c != nil {
		text += c.Identity
		if c.Repository != "" {
			text += " for " + c.Repository
		}
	} else {
		text += "key " + s.KeyID
	}
	if s.SignedAt != nil {
		text += ", signed " + s.SignedAt.Format(time.RFC3339)
	}
	return text
}

// writeWaivers lists waivers that did not count: orphans, and expired ones.
func writeWaivers(b *strings.Builder, r verify.Report) {
	first := true
	for _, w := range r.Waivers {
		if w.Used {
			continue
		}
		if first {
			fmt.Fprintf(b, "\n  waivers that did not count:\n")
			first = false
		}
		fmt.Fprintf(b, "    %s %s of %s for %s %s, until %s\n", w.Problem, w.Code, printable(w.Owner), printable(w.Subject), printable(w.Advisory), w.Expires.Format(time.DateOnly))
	}
}

// writeUnusable lists attestations that satisfy nothing: with all that is known
// where it may explain a denial, else on a line each.
func writeUnusable(b *strings.Builder, d decision) {
	if len(d.report.Unusable) > 0 {
		fmt.Fprintf(b, "\n  not used (satisfies nothing):\n")
	}
	for _, f := range d.report.Unusable {
		if d.report.Verdict.Deploys() {
			fmt.Fprintf(b, "    %s %s: found %s\n", printable(f.Source), f.Code, printable(f.Found))
			continue
		}
		fmt.Fprintf(b, "  %s %s\n", printable(f.Source), f.Code)
		writeFinding(b, f, d.artifact)
	}
}

func writeFinding(b *strings.Builder, f verify.Finding, artifact string) {
	if f.Expected != "" {
		fmt.Fprintf(b, "    expected  %s\n", printable(f.Expected))
	}
	if f.Found != "" {
		fmt.Fprintf(b, "    found     %s\n", printable(f.Found))
	}
	fmt.Fprintf(b, "    do        %s\n", printable(remedyFor(f, artifact)))
}

// verifySchema names the JSON of verify.
const verifySchema = "https://plimsoll.example/schema/verify/v1"

// verifyJSON is what verify --format json prints. Exit is the exit code of the
// whole; each result has either a report or an error.
type verifyJSON struct {
	Schema   string             `json:"schema"`
	Policy   string             `json:"policy"` // the file
	Exit     int                `json:"exit"`
	Enforced bool               `json:"enforced"` // false: --warn-only turned a denial into 0
	Results  []verifyResultJSON `json:"results"`
}

type verifyResultJSON struct {
	Artifact string         `json:"artifact"`
	Exit     int            `json:"exit"` // of this artifact by itself, whatever is enforced
	Report   *verify.Report `json:"report,omitempty"`
	Error    string         `json:"error,omitempty"` // why there is no decision
}

func (o outcome) printJSON(w io.Writer) error {
	doc := verifyJSON{Schema: verifySchema, Policy: o.policy, Exit: o.exit, Enforced: o.enforced}
	for _, d := range o.decisions {
		result := verifyResultJSON{Artifact: d.artifact, Exit: d.exit}
		if d.err != nil {
			result.Error = d.err.Error()
		} else {
			report := withoutNulls(d.report)
			result.Report = &report
		}
		doc.Results = append(doc.Results, result)
	}
	return writeJSON(w, doc)
}

// withoutNulls makes empty lists of missing ones: a reader of JSON may range
// over them without asking.
func withoutNulls(r verify.Report) verify.Report {
	r.Requirements = append([]verify.RequirementInfo{}, r.Requirements...)
	for i := range r.Requirements {
		q := &r.Requirements[i]
		q.RestsOn = append([]verify.StatementInfo{}, q.RestsOn...)
		q.Findings = append([]verify.Finding{}, q.Findings...)
	}
	r.Roots = append([]verify.RootInfo{}, r.Roots...)
	r.Waivers = append([]verify.WaiverInfo{}, r.Waivers...)
	r.Denials = append([]verify.Finding{}, r.Denials...)
	r.Unusable = append([]verify.Finding{}, r.Unusable...)
	r.Found = append([]verify.StatementInfo{}, r.Found...)
	r.NotChecked = append([]string{}, r.NotChecked...)
	return r
}

func writeJSON(w io.Writer, v any) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, escapeUnprintable(b.String()))
	return err
}

// escapeUnprintable escapes what a terminal could take for a command. JSON keeps
// such characters in strings only, where \u says the same.
func escapeUnprintable(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsPrint(r) || r == '\n':
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func printCodes(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range verify.Codes() {
		fmt.Fprintf(table, "%s\t%s; %s\n", c.Code, c.Meaning, c.Remedy)
	}
	return table.Flush()
}
