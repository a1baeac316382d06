package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// worstFirst orders packages by outcome; with the same outcome what few have comes first,
// for most packages of most projects have one and the same warning.
func (o npmOutcome) worstFirst() []npm.Result {
	reasons := make(map[string]int, len(o.report.Packages))
	type row struct {
		npm.Result
		codes string
	}
	rows := make([]row, len(o.report.Packages))
	for i, r := range o.report.Packages {
		rows[i] = row{r, decidingCodes(r)}
		reasons[rows[i].codes]++
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(int(a.Outcome)-int(b.Outcome), reasons[a.codes]-reasons[b.codes], strings.Compare(a.codes, b.codes))
	})
	sorted := make([]npm.Result, len(rows))
	for i, r := range rows {
		sorted[i] = r.Result
	}
	return sorted
}

// decidingCodes lists the codes of what counts against a package.
func decidingCodes(r npm.Result) string {
	var codes []string
	for _, f := range r.Findings {
		if f.Effect != verify.NotMade && f.WaivedBy == "" {
			codes = append(codes, string(f.Code))
		}
	}
	slices.Sort(codes)
	return strings.Join(slices.Compact(codes), " ")
}

// warnings counts the packages that there is a warning of, by code, the rarest first.
func (o npmOutcome) warnings() []string {
	all := o.counted(verify.Warn)
	slices.SortStableFunc(all, func(a, b countedCode) int { return a.packages - b.packages })
	var lines []string
	for _, c := range all {
		lines = append(lines, fmt.Sprintf("warning %s: %s", c.code, c.of()))
	}
	return lines
}
