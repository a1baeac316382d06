package main

import (
	"fmt"
	"strings"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// inFull is how many packages with the same reasons are explained in full: a registry
// that cannot be reached gives thousands of them.
const inFull = 3

// npmReasons remembers which reasons were explained.
type npmReasons struct {
	first map[string]string // a package with these reasons, by what they are
	seen  map[string]int
}

// sameAs returns the package that had the same reasons before, if they were explained
// often enough; else "". What is known of a package's origin is its own.
func (n *npmReasons) sameAs(r npm.Result) string {
	if r.Origin != nil || (r.Outcome != npm.Denied && r.Outcome != npm.Undecided) {
		return ""
	}
	if n.first == nil {
		n.first, n.seen = map[string]string{}, map[string]int{}
	}
	key := reasonsOf(r)
	if n.seen[key]++; n.seen[key] <= inFull {
		if n.first[key] == "" {
			n.first[key] = r.Package
		}
		return ""
	}
	return n.first[key]
}

// reasonsOf are a package's findings without its own name and version.
func reasonsOf(r npm.Result) string {
	name := r.Package[:max(0, strings.LastIndexByte(r.Package, '@'))]
	places := []string{r.Package, "\x00", name, "\x00", strings.ReplaceAll(name, "/", "%2f"), "\x00"}
	if pkg, err := npm.ParsePackage(r.Package); err == nil {
		places = append([]string{strings.TrimSuffix(npm.FileName(pkg), ".json"), "\x00"}, places...)
	}
	nameless := strings.NewReplacer(places...)
	var b strings.Builder
	fmt.Fprint(&b, r.Outcome)
	for _, f := range r.Findings {
		if f.Effect != verify.NotMade || (r.Reason != nil && f.Code == r.Reason.Code) {
			fmt.Fprintf(&b, "\n%s %s %q %q %q %q", f.Code, f.Effect, f.WaivedBy, nameless.Replace(f.Expected), nameless.Replace(f.Found), nameless.Replace(f.Remedy))
		}
	}
	return b.String()
}

// codesOf lists the codes of what speaks against a package, the reason first.
func codesOf(r npm.Result) string {
	var codes []string
	if r.Reason != nil {
		codes = append(codes, string(r.Reason.Code))
	}
	for i, f := range r.Findings {
		if r.Reason != &r.Findings[i] && f.Effect == verify.Deny && f.WaivedBy == "" {
			codes = append(codes, string(f.Code))
		}
	}
	return strings.Join(codes, ", ")
}

// summary counts the packages that are denied or undecided, by code, after what denies the
// project as a whole.
func (o npmOutcome) summary() []string {
	var lines []string
	for _, f := range o.report.Denials {
		lines = append(lines, fmt.Sprintf("%s: expected %s, found %s", f.Code, printable(f.Expected), printable(f.Found)))
	}
	for _, c := range o.counted(verify.Deny) {
		lines = append(lines, fmt.Sprintf("%s: %s", c.code, c.of()))
	}
	return lines
}

// countedCode is a code with the packages that it was found of.
type countedCode struct {
	code     verify.Code
	packages int
	first    string
}

func (c countedCode) of() string {
	if c.packages == 1 {
		return printable(c.first)
	}
	return fmt.Sprintf("%d packages, the first %s", c.packages, printable(c.first))
}

// counted counts the packages with a finding that has an effect, by code, in the order in
// which they are found first.
func (o npmOutcome) counted(effect verify.Effect) []countedCode {
	var all []countedCode
	at := map[verify.Code]int{}
	for _, r := range o.report.Packages {
		seen := map[verify.Code]bool{}
		for _, f := range r.Findings {
			if f.Effect != effect || f.WaivedBy != "" || seen[f.Code] {
				continue
			}
			seen[f.Code] = true
			i, known := at[f.Code]
			if !known {
				i = len(all)
				at[f.Code] = i
				all = append(all, countedCode{code: f.Code, first: r.Package})
			}
			all[i].packages++
		}
	}
	return all
}
