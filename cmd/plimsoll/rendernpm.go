package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/sigstore"
)

// printNPM prints results for people: the worst first, then what is known, then
// the counts.
func printNPM(w io.Writer, root *sigstore.Root, code int, results []npm.Result) error {
	var b strings.Builder
	sorted := slices.Clone(results)
	slices.SortStableFunc(sorted, func(a, b npm.Result) int { return int(a.Outcome) - int(b.Outcome) })
	counts := map[npm.Outcome]int{}
	for _, r := range sorted {
		counts[r.Outcome]++
		writeNPMResult(&b, r)
	}
	if counts[npm.NotChecked] == len(results) {
		fmt.Fprintf(&b, "denied      %s: %s\n    do        %s\n", verify.CodeNothingToCheck, "no package comes from a registry", verify.CodeNothingToCheck.Remedy())
	}
	var parts []string
	for o := npm.Denied; o <= npm.Held; o++ {
		if counts[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[o], o))
		}
	}
	fmt.Fprintf(&b, "\n%s: %d packages: %s\n", map[int]string{exitYes: "nothing denied", exitNo: "DENIED", exitNoDecision: "NO DECISION"}[code],
		len(results), strings.Join(parts, ", "))
	fmt.Fprintf(&b, "trust root %s (embedded); not checked: registry signatures, tarballs, install scripts, age\n", root.Digest())
	_, err := io.WriteString(w, b.String())
	return err
}

func writeNPMResult(b *strings.Builder, r npm.Result) {
	fmt.Fprintf(b, "%-11s %s", r.Outcome, printable(r.Package))
	if o := r.Origin; o != nil {
		fmt.Fprintf(b, ": built by %s from %s at commit %s, published %s to %s\n", printable(o.Identity), printable(o.Repository),
			printable(o.Commit), o.PublishedAt.Format(time.RFC3339), printable(o.Registry))
		return
	}
	if r.Reason == nil {
		b.WriteByte('\n')
		return
	}
	if r.Outcome == npm.Warned || r.Outcome == npm.NotChecked {
		fmt.Fprintf(b, ": %s: %s\n", r.Reason.Code, printable(r.Reason.Found))
		return
	}
	fmt.Fprintf(b, ": %s\n    expected  %s\n    found     %s\n    do        %s\n", r.Reason.Code,
		printable(r.Reason.Expected), printable(r.Reason.Found), printable(r.Reason.WhatToDo()))
}

// npmSchema names the JSON of npm.
const npmSchema = "https://plimsoll.example/schema/npm/v1"

// npmJSON is what npm --format json prints.
type npmJSON struct {
	Schema     string         `json:"schema"`
	Exit       int            `json:"exit"`
	TrustRoot  string         `json:"trustRoot"` // digest
	Counts     map[string]int `json:"counts"`    // by outcome
	NotChecked []string       `json:"notChecked"`
	Packages   []npm.Result   `json:"packages"`        // by name and version
	Error      string         `json:"error,omitempty"` // why the lockfile as a whole is denied
}

func printNPMJSON(w io.Writer, root *sigstore.Root, code int, results []npm.Result) error {
	counts := map[string]int{}
	for _, r := range results {
		counts[r.Outcome.String()]++
	}
	return writeJSON(w, npmJSON{
		Schema: npmSchema, Exit: code, TrustRoot: root.Digest(), Counts: counts,
		NotChecked: []string{"registry signatures", "tarballs", "install scripts", "age"},
		Packages:   append([]npm.Result{}, results...),
	})
}
