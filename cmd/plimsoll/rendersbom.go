package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"plimsoll.example/sbom"
)

// printAssessment prints what an SBOM lacks for people: a line for each clause,
// with the places of what does not hold below it.
func printAssessment(w io.Writer, file string, a *sbom.Assessment, least float64, exit int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: CycloneDX %s, %d components, by %s\n\n", printable(file), printable(a.SpecVersion), a.Components, a.Document)
	for _, f := range a.Findings {
		fmt.Fprintf(&b, "%-8s %-11s %s: %s", f.Status, f.Level, f.Clause, f.Element)
		if total := f.Passed + f.Unknown + f.Withheld + f.Failed; total > 1 {
			fmt.Fprintf(&b, " (%d of %d", f.Passed, total)
			for _, n := range []struct {
				count int
				what  string
			}{{f.Unknown, "unknown"}, {f.Withheld, "withheld"}, {f.Failed, "fail"}} {
				if n.count > 0 {
					fmt.Fprintf(&b, ", %d %s", n.count, n.what)
				}
			}
			b.WriteByte(')')
		}
		b.WriteByte('\n')
		if f.Status != sbom.Fail {
			continue
		}
		fmt.Fprintf(&b, "         read: %s\n", f.Field)
		for _, where := range f.Where {
			fmt.Fprintf(&b, "         %s\n", printable(where))
		}
		if more := f.Failed + f.Unknown + f.Withheld - len(f.Where); more > 0 {
			fmt.Fprintf(&b, "         and %d more\n", more)
		}
	}
	fmt.Fprintf(&b, "\n%s: %.1f of 10 by profile %s", map[int]string{exitYes: "holds", exitNo: "FAILS"}[exit], a.Score, a.Profile)
	switch {
	case a.Failed:
		b.WriteString("; a required clause fails")
	case a.Score < least:
		fmt.Fprintf(&b, "; --min demands %.1f", least)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func printAssessmentJSON(w io.Writer, file string, a *sbom.Assessment, least float64, exit int) error {
	out, err := json.MarshalIndent(struct {
		Schema string  `json:"schema"`
		File   string  `json:"file"`
		Holds  bool    `json:"holds"`
		Min    float64 `json:"min"`
		*sbom.Assessment
	}{"https://plimsoll.example/schema/sbom-check/v1", file, exit == exitYes, least, a}, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(out, '\n'))
	return err
}
