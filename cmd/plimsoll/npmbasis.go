package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plimsoll.example/verify"
)

// mostRegistries bounds how many registries are named.
const mostRegistries = 5

// asked says which registries the decision rests on: what one does not know, another may.
func (o npmOutcome) asked() []string {
	counts := map[string]int{}
	for _, r := range o.report.Packages {
		if address := r.Asked(); address != "" {
			counts[address]++
		}
	}
	var lines []string
	for i, address := range slices.Sorted(maps.Keys(counts)) {
		if i == mostRegistries {
			return append(lines, fmt.Sprintf("asked %d more registries", len(counts)-i))
		}
		lines = append(lines, fmt.Sprintf("asked %s about %s", printable(address), packages(counts[address])))
	}
	return lines
}

// kindsOf counts, by kind, the packages of which a check could not be made; "" where all are
// a registry's.
func (o npmOutcome) kindsOf(c verify.Code) string {
	counts := map[string]int{}
	for _, r := range o.report.Packages {
		for _, f := range r.Findings {
			if f.Code == c && f.Effect == verify.NotMade {
				counts[r.Kind]++
				break
			}
		}
	}
	if len(counts) == 1 && counts[kindRegistry] > 0 {
		return ""
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// days is a time in whole days.
func days(d time.Duration) string {
	if n := int(d.Hours() / 24); n != 1 {
		return fmt.Sprintf("%d days", max(n, 0))
	}
	return "1 day"
}
