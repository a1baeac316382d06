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

// printDecisions prints reports for people. What was decided goes to stdout, why
// nothing was decided to stderr.
func printDecisions(io stdio, policy string, decisions []decision) error {
	var b strings.Builder
	for i, d := range decisions {
		if d.err != nil {
			fmt.Fprintf(io.err, "plimsoll: no decision about %q: %s\n", d.artifact, printable(d.err.Error()))
			if d.hint != "" {
				fmt.Fprintf(io.err, "plimsoll: hint: %s\n", d.hint)
			}
			continue
		}
		if i > 0 && b.Len() > 0 {
			b.WriteByte('\n')
		}
		writeReport(&b, policy, d)
	}
	_, err := io.out.Write([]byte(b.String()))
	return err
}

func writeReport(b *strings.Builder, policy string, d decision) {
	r := d.report
	verdict := strings.ToUpper(r.Verdict.String())
	fmt.Fprintf(b, "%-7s %s\n", verdict, printable(d.artifact))
	for _, alg := range []string{"sha256", "sha512"} {
		if v := r.Digests[alg]; v != "" {
			fmt.Fprintf(b, "        %s:%s\n", alg, v)
		}
	}
	fmt.Fprintf(b, "        by policy %s (%s)", printable(policy), r.Policy.Digest)
	if r.Policy.Name != "" {
		fmt.Fprintf(b, ", %q", printable(r.Policy.Name))
	}
	fmt.Fprintf(b, ", at %s\n", r.Clock.Format(time.RFC3339))
	for _, f := range r.Denials {
		fmt.Fprintf(b, "\n  denied %s\n", f.Code)
		writeFinding(b, f, d.artifact)
	}
	for _, q := range r.Requirements {
		if q.Met {
			fmt.Fprintf(b, "\n  %s: met\n    rests on  %s by %q, key %s\n", printable(q.Name), printable(q.RestsOn.Source), q.RestsOn.Signer, q.RestsOn.KeyID)
			continue
		}
		fmt.Fprintf(b, "\n  %s: not met, %s\n", printable(q.Name), q.Finding.Code)
		writeFinding(b, *q.Finding, d.artifact)
	}
	writeUnusable(b, d)
	if len(r.NotChecked) > 0 {
		fmt.Fprintf(b, "\n  not checked:\n")
	}
	for _, n := range r.NotChecked {
		fmt.Fprintf(b, "    %s\n", n)
	}
}

// writeUnusable lists attestations that satisfy nothing: with all that is known
// where it may explain a denial, else on a line each.
func writeUnusable(b *strings.Builder, d decision) {
	if len(d.report.Unusable) > 0 {
		fmt.Fprintf(b, "\n  not used (satisfies nothing):\n")
	}
	for _, f := range d.report.Unusable {
		if d.report.Verdict == verify.Allowed {
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
	Schema  string             `json:"schema"`
	Policy  string             `json:"policy"` // the file
	Exit    int                `json:"exit"`
	Results []verifyResultJSON `json:"results"`
}

type verifyResultJSON struct {
	Artifact string         `json:"artifact"`
	Exit     int            `json:"exit"`
	Report   *verify.Report `json:"report,omitempty"`
	Error    string         `json:"error,omitempty"` // why there is no decision
}

func printDecisionsJSON(w io.Writer, policy string, decisions []decision) error {
	doc := verifyJSON{Schema: verifySchema, Policy: policy}
	var codes []int
	for _, d := range decisions {
		result := verifyResultJSON{Artifact: d.artifact, Exit: d.exit}
		if d.err != nil {
			result.Error = d.err.Error()
		} else {
			report := withoutNulls(d.report)
			result.Report = &report
		}
		codes = append(codes, d.exit)
		doc.Results = append(doc.Results, result)
	}
	doc.Exit = worst(codes...)
	return writeJSON(w, doc)
}

// withoutNulls makes empty lists of missing ones: a reader of JSON may range
// over them without asking.
func withoutNulls(r verify.Report) verify.Report {
	r.Requirements = append([]verify.RequirementInfo{}, r.Requirements...)
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
