package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

const npmHelp = `Usage: plimsoll npm [PATH] [--first-use] [--save DIR]
       plimsoll npm [PATH] --offline DIR
       plimsoll npm NAME@VERSION --integrity SRI [--attestations FILE]

Checks where each npm package of a project came from: that the registry signed
these bytes under this name, that a CI job built them from a commit and who that
was, and whether anything changed that should make you stop. PATH is a project, a
lockfile (npm, yarn, pnpm, bun), a .tgz, or NAME@VERSION with its --integrity. With
--attestations one registry answer is checked by hand, and nothing else.

It reads the lockfile: run it before npm ci --ignore-scripts, in a job that holds no
signing identity. It says who built a package from what, never that it is safe.

What a project expects of its packages stands in plimsoll.npm.json beside the
lockfile, checked in: without it --first-use is needed. --update writes it: new
packages that are not denied; an entry that is there changes only by --accept.
In CI, read it from the protected branch: --expectations git:origin/main:plimsoll.npm.json

The registry is the one of --registry, of npm's environment, or of the user's or the
global npm configuration, or npm's own; the project's .npmrc and lockfile name none,
unless nothing else does and --registry-from-project is given. --save keeps every
answer; --offline decides from them alone.

Exit codes: 0 nothing denied; 1 no decision; 2 flags or policy; 3 denied.
--codes lists what is found, and what becomes of it by default. --installed needs a
package-lock.json or bun.lock. This job signs nothing: another one signs what --vsa
writes, with plimsoll attest --vsa FILE.

Examples:
  plimsoll npm --first-use --update
  plimsoll npm --expectations git:origin/main:plimsoll.npm.json --save answers
  plimsoll npm --offline answers --at 2026-11-23T16:00:00Z --format markdown
  plimsoll npm sigstore@2.3.1 --integrity sha512-... --attestations answer.json
`

type npmFlags struct {
	integrity, attestations string
	format                  string
	policy                  string
	at                      string
	minAge                  string
	installed               bool
	trust                   npmTrust
	registry                npmRegistry
	tarballs                npmTarballs
	expectations            npmExpectations
	advisories              npmAdvisories
	vsa                     npmVSA
	codes                   bool

	clock    time.Time
	leastAge time.Duration
}

func runNPM(ctx context.Context, io stdio, args []string) error {
	var f npmFlags
	flags := newFlags(io, "npm", npmHelp)
	f.add(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if f.codes {
		if flags.NFlag() > 1 || flags.NArg() > 0 {
			return usagef("npm: --codes lists the codes and goes with nothing else")
		}
		return printNPMCodes(io)
	}
	if flags.NArg() > 1 {
		return usagef("npm: expected one PATH or NAME@VERSION, found %d", flags.NArg())
	}
	if f.attestations != "" {
		return f.oneAnswer(ctx, io, flags)
	}
	path := flags.Arg(0)
	if path == "" {
		path = "."
	}
	if err := f.check(flags, path); err != nil {
		return err
	}
	return f.project(ctx, io, path)
}

func (f *npmFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.integrity, "integrity", "", "of NAME@VERSION, as in a lockfile: sha512-...")
	flags.StringVar(&f.attestations, "attestations", "", "check this registry answer about NAME@VERSION's attestations, and nothing else")
	f.expectations.add(flags)
	flags.StringVar(&f.policy, "policy", "", "the policy whose sections npm, levels and waivers hold")
	f.registry.add(flags)
	f.tarballs.add(flags)
	flags.BoolVar(&f.installed, "installed", false, "compare what lies in node_modules with the tarballs")
	flags.StringVar(&f.minAge, "min-age", "3d", "the least age of a version (7d, 36h); 0 for any")
	f.advisories.add(flags)
	f.trust.add(flags)
	flags.StringVar(&f.at, "at", "", "decide as of this time (RFC 3339) instead of the machine's clock")
	addFormat(flags, &f.format, "sarif", "markdown")
	f.vsa.add(flags)
	flags.BoolVar(&f.codes, "codes", false, "list what is found and what becomes of it by default, and do nothing else")
}

// check finds what does not go together.
func (f *npmFlags) check(flags *pflag.FlagSet, path string) error {
	if f.integrity == "" && flags.NArg() == 1 {
		if _, err := os.Stat(path); err != nil {
			if _, err := npm.ParsePackage(path); err == nil {
				return usagef("npm: expected --integrity SRI beside %s", path).withHint("it stands in the lockfile; without it, the answers could be about any bytes")
			}
		}
	}
	clock, _, err := (&gateFlags{at: f.at}).clock()
	if err != nil {
		return err
	}
	f.clock = clock
	if f.minAge != "0" {
		if f.leastAge, err = parseAge(f.minAge); err != nil {
			return usagef("npm: --min-age: %w", err)
		}
	}
	if err := f.registry.check(flags); err != nil {
		return err
	}
	if err := f.tarballs.check(&f.registry); err != nil {
		return err
	}
	if err := f.expectations.check(flags); err != nil {
		return err
	}
	if err := f.advisories.check(flags); err != nil {
		return err
	}
	if f.at != "" && (f.expectations.update || f.vsa.file != "") {
		return usagef("npm: --at decides as of another time, of which no expectations and no summary are written")
	}
	if f.vsa.file != "" && (f.integrity != "" || strings.HasSuffix(path, ".tgz")) {
		return usagef("npm: --vsa is about all dependencies of an artifact, and %s is one by itself", path)
	}
	return f.vsa.check(flags)
}

// oneAnswer checks publish attestation and provenance of one answer.
func (f *npmFlags) oneAnswer(ctx context.Context, io stdio, flags *pflag.FlagSet) error {
	var other string
	flags.Visit(func(flag *pflag.Flag) {
		switch flag.Name {
		case "attestations", "integrity", "format", "trusted-root", "registry-keys", "policy":
		default:
			other = flag.Name
		}
	})
	switch {
	case other != "":
		return usagef("npm: --attestations checks one answer, with which --%s does not go", other)
	case flags.NArg() == 0:
		return usagef("npm: expected NAME@VERSION beside --attestations")
	case f.integrity == "":
		return usagef("npm: expected --integrity SRI beside --attestations").withHint("it stands in package-lock.json; without it, the answer could be about any bytes")
	}
	pkg, err := f.onePackage(flags.Arg(0))
	if err != nil {
		return err
	}
	f.clock = now()
	inspector, policy, err := f.inspector()
	if err != nil {
		return err
	}
	answer, err := readAnswer(f.attestations)
	if err != nil {
		return f.refusedWhole(io, pkg.String(), err)
	}
	report, err := inspector.Answer(ctx, pkg, answer)
	if err != nil {
		return failed(err)
	}
	return f.print(io, npmOutcome{report: report, policy: policy, roots: f.trust, clock: f.clock, target: pkg.String(), only: true})
}

// onePackage reads NAME@VERSION and takes its integrity from the flags.
func (f *npmFlags) onePackage(arg string) (npm.Package, error) {
	pkg, err := npm.ParsePackage(arg)
	if err != nil {
		return pkg, usagef("npm: %w", err)
	}
	pkg.Integrity = f.integrity
	if _, err := npm.SHA512(f.integrity); err != nil {
		return pkg, usagef("npm: --integrity: %w", err)
	}
	return pkg, nil
}

// inspector is what checks packages, with the trust that the flags name and the policy.
func (f *npmFlags) inspector() (*npm.Inspector, *verify.Policy, error) {
	checker, keys, err := f.trust.open()
	if err != nil {
		return nil, nil, err
	}
	inspector := &npm.Inspector{Checker: checker, Keys: keys, Now: f.clock, Sleep: 365 * 24 * time.Hour}
	inspector.MinAge = f.leastAge
	if f.policy == "" {
		return inspector, nil, nil
	}
	data, err := readBounded(f.policy, verify.MaxPolicy)
	if err != nil {
		return nil, nil, usagef("npm: reading policy: %w", err)
	}
	if inspector.Policy, err = verify.ParsePolicy(f.policy, data); err != nil {
		return nil, nil, usagef("policy %w", err).withHint("plimsoll policy schema describes the keys of a policy; README.md shows them")
	}
	return inspector, inspector.Policy, nil
}

// parseAge reads days or hours: 3d, 36h.
func parseAge(s string) (time.Duration, error) {
	var n int
	var unit rune
	if _, err := fmt.Sscanf(s, "%d%c", &n, &unit); err == nil && n > 0 && n <= 36500 && s == fmt.Sprintf("%d%c", n, unit) {
		switch unit {
		case 'd':
			return time.Duration(n) * 24 * time.Hour, nil
		case 'h':
			return time.Duration(n) * time.Hour, nil
		}
	}
	return 0, fmt.Errorf("expected days or hours (3d, 36h), or 0, found %q", s)
}

// printNPMCodes prints the table of what plimsoll npm finds.
func printNPMCodes(io stdio) error {
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	meanings := map[verify.Code]verify.CodeMeaning{}
	for _, m := range verify.Codes() {
		meanings[m.Code] = m
	}
	fmt.Fprintln(w, "CODE\tDEFAULT\tPOLICY AND WAIVERS\tMEANING")
	for _, row := range verify.NPMCodes() {
		may := "never"
		switch {
		case row.Changeable:
			may = "may change it"
		case row.Waivable:
			may = "waivers only"
		}
		meaning := cmp.Or(row.Meaning, meanings[row.Code].Meaning)
		if row.When != "" {
			meaning += "; " + row.When
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", row.Code, row.Effect, may, strings.TrimSpace(meaning))
	}
	// What is about no package, and what no finding is but a question without an answer.
	fmt.Fprintf(w, "%s\t%s\tnever\t%s\n", verify.CodePolicyExpired, verify.Deny, meanings[verify.CodePolicyExpired].Meaning)
	fmt.Fprintf(w, "%s\tno decision\tnever\t%s\n", verify.CodeNoAnswer, meanings[verify.CodeNoAnswer].Meaning)
	return w.Flush()
}
