package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"plimsoll.example/verify"
)

// maxCases bounds a file of cases.
const maxCases = 1 << 20

// A policyCase is an artifact and what a policy must decide about it.
type policyCase struct {
	Name         string   `yaml:"name"`
	Artifact     string   `yaml:"artifact"` // relative to the file of cases
	As           string   `yaml:"as"`
	Attestations []string `yaml:"attestations"`
	At           string   `yaml:"at"`     // RFC 3339; else now
	Expect       string   `yaml:"expect"` // allowed, allowed with waivers, or denied
	Codes        []string `yaml:"codes"`  // of a denial: each must be among its reasons
}

type policyCases struct {
	Policy      string       `yaml:"policy"` // relative to the file of cases
	TrustedRoot string       `yaml:"trusted-root"`
	NPMAnswers  string       `yaml:"npm-answers"`
	Cases       []policyCase `yaml:"cases"`
}

// runPolicyTest runs a policy over cases.
func runPolicyTest(ctx context.Context, io stdio, args []string) error {
	flags := newFlags(io, "policy test", policyHelp)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("policy test: expected one file of CASES, found %d", flags.NArg())
	}
	cases, err := readCases(flags.Arg(0))
	if err != nil {
		return err
	}
	var b strings.Builder
	wrong := 0
	for _, c := range cases.Cases {
		problem, err := cases.run(ctx, c)
		if err != nil {
			return err
		}
		verdict := "ok    "
		if problem != "" {
			verdict = "WRONG "
			wrong++
		}
		fmt.Fprintf(&b, "%s %s%s\n", verdict, printable(c.Name), printable(problem))
	}
	fmt.Fprintf(&b, "%d cases, %d otherwise than expected\n", len(cases.Cases), wrong)
	if _, err := io.out.Write([]byte(b.String())); err != nil {
		return failed(err)
	}
	if wrong > 0 {
		return &exitError{code: exitNo}
	}
	return nil
}

// readCases reads a file of cases strictly. Paths in it are relative to it.
func readCases(file string) (*policyCases, error) {
	data, err := readBounded(file, maxCases)
	if err != nil {
		return nil, failed(fmt.Errorf("reading cases: %w", err))
	}
	var cases policyCases
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&cases); err != nil {
		return nil, usagef("cases %s: %s", file, strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, usagef("cases %s: expected one YAML document, found more", file)
	}
	switch {
	case cases.Policy == "":
		return nil, usagef("cases %s: policy: missing", file)
	case len(cases.Cases) == 0:
		return nil, usagef("cases %s: cases: expected at least one", file)
	}
	dir := filepath.Dir(file)
	beside := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) && !strings.Contains(*p, ":") {
			*p = filepath.Join(dir, *p)
		}
	}
	beside(&cases.Policy)
	beside(&cases.TrustedRoot)
	beside(&cases.NPMAnswers)
	for i := range cases.Cases {
		c := &cases.Cases[i]
		if c.Name == "" || c.Artifact == "" {
			return nil, usagef("cases %s: case %d: name and artifact are needed", file, i+1)
		}
		if !slices.Contains([]string{"allowed", "allowed with waivers", "denied"}, c.Expect) {
			return nil, usagef("cases %s: case %q: expect: expected allowed, allowed with waivers or denied, found %q", file, c.Name, c.Expect)
		}
		if len(c.Codes) > 0 && c.Expect != "denied" {
			return nil, usagef("cases %s: case %q: codes: goes with expect: denied", file, c.Name)
		}
		beside(&c.Artifact)
		for j := range c.Attestations {
			beside(&c.Attestations[j])
		}
	}
	return &cases, nil
}

// run decides about one case as verify does, and says what is otherwise than
// expected.
func (p *policyCases) run(ctx context.Context, c policyCase) (problem string, err error) {
	f := &verifyFlags{gateFlags: gateFlags{policy: p.Policy, trustedRoot: p.TrustedRoot, npmAnswers: p.NPMAnswers, at: c.At},
		as: c.As, attestations: c.Attestations}
	if err := f.check([]string{c.Artifact}); err != nil {
		return "", err
	}
	policy, err := f.open(ctx)
	if err != nil {
		return "", err
	}
	for _, d := range f.decideAll(ctx, policy, []string{c.Artifact}) {
		if d.err != nil {
			return "", failed(fmt.Errorf("case %q: %w", c.Name, d.err)).withHint("%s", d.hint)
		}
		found := reasonCodes(d.report)
		if got := d.report.Verdict.String(); got != c.Expect {
			return fmt.Sprintf(": expected %s, found %s %s", c.Expect, got, strings.Join(found, " ")), nil
		}
		for _, code := range c.Codes {
			if !slices.Contains(found, code) {
				return fmt.Sprintf(": expected the reason %s, found %s", code, strings.Join(found, " ")), nil
			}
		}
	}
	return "", nil
}

// reasonCodes lists the codes of all reasons in a report, each once, sorted.
func reasonCodes(r verify.Report) []string {
	var codes []string
	for _, f := range r.Denials {
		codes = append(codes, string(f.Code))
	}
	for _, q := range r.Requirements {
		for _, f := range q.Findings {
			if f.WaivedBy == "" {
				codes = append(codes, string(f.Code))
			}
		}
	}
	if !r.Verdict.Deploys() {
		for _, f := range r.Unusable {
			codes = append(codes, string(f.Code))
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}
