package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

const verifyHelp = `Usage: plimsoll verify ARTIFACT... --policy FILE [--attestations PATH]...

Decides whether artifacts may be deployed: whether the statements that the policy
requires are there, about exactly these bytes, signed by whom the policy names.
Attestations are read from beside the artifact (ARTIFACT.sigstore.jsonl,
ARTIFACT.TYPE.sigstore.json) or, if any is named, only from --attestations: files
or folders of them. Attestations that cannot be used satisfy nothing and are
reported.

Exit codes: 0 allowed; 1 no decision; 2 flags or policy do not parse; 3 denied.
Only 0 may deploy.

Examples:
  plimsoll verify app --policy policy.yaml
  plimsoll verify app --policy policy.yaml --format json
`

// now is the clock of every decision. Tests set it.
var now = time.Now

type verifyFlags struct {
	policy, format string
	attestations   []string
	codes          bool
}

func runVerify(ctx context.Context, io stdio, args []string) error {
	var f verifyFlags
	flags := newFlags(io, "verify", verifyHelp)
	flags.StringVar(&f.policy, "policy", "", "decide by this policy (required)")
	flags.StringArrayVar(&f.attestations, "attestations", nil, "read attestations from this file or folder, and not from beside the artifact; may be repeated")
	addFormat(flags, &f.format)
	flags.BoolVar(&f.codes, "codes", false, "list the reason codes with meaning and remedy, and do nothing else")
	if err := parse(flags, args); err != nil {
		return err
	}
	if f.codes {
		if flags.NFlag() > 1 || flags.NArg() > 0 {
			// It decides nothing, so it must not look like a decision.
			return usagef("verify: --codes lists the codes and goes with nothing else")
		}
		return printCodes(io.out)
	}
	switch {
	case flags.NArg() == 0:
		return usagef("verify: expected an ARTIFACT")
	case f.policy == "":
		return usagef("verify: expected --policy FILE").withHint("no policy is looked for, so that none can be slipped in; plimsoll release writes one to start from")
	}
	gate, err := openGate(f.policy)
	if err != nil {
		return err
	}
	decisions := make([]decision, flags.NArg())
	codes := make([]int, flags.NArg())
	for i, path := range flags.Args() {
		decisions[i] = decide(ctx, gate, path, f.attestations)
		codes[i] = decisions[i].exit
	}
	if f.format == "json" {
		err = printDecisionsJSON(io.out, f.policy, decisions)
	} else {
		err = printDecisions(io, f.policy, decisions)
	}
	if err != nil {
		return failed(fmt.Errorf("writing the report: %w", err))
	}
	if code := worst(codes...); code != exitYes {
		return &exitError{code: code}
	}
	return nil
}

// openGate reads a policy and wires the checker of its keys.
func openGate(file string) (verify.Gate, error) {
	data, err := readBounded(file, verify.MaxPolicy)
	if errors.Is(err, errTooBig) {
		return verify.Gate{}, usagef("policy: %w", err)
	} else if err != nil {
		return verify.Gate{}, usagef("reading policy: %w", err).withHint("--policy names a YAML file; plimsoll release writes one to start from")
	}
	return newGate(file, data)
}

func newGate(file string, data []byte) (verify.Gate, error) {
	policy, err := verify.ParsePolicy(file, data)
	if err != nil {
		return verify.Gate{}, usagef("policy %w", err).withHint("README.md shows the keys of a policy")
	}
	checker, err := sigstore.NewKeyChecker(policy.PublicKeys())
	if err != nil {
		return verify.Gate{}, usagef("policy %s: %w", file, err)
	}
	return verify.Gate{Policy: policy, Checker: checker, Now: now()}, nil
}

// decision is the outcome for one artifact: a report, or why there is none.
// Its zero exit is never used: decide sets it last.
type decision struct {
	artifact string
	exit     int
	report   verify.Report
	err      error
	hint     string
}

// decide reads an artifact and what says something about it, and applies the
// policy.
func decide(ctx context.Context, gate verify.Gate, path string, sources []string) decision {
	digests, err := attest.DigestFile(ctx, path)
	if errors.Is(err, attest.ErrEmptyArtifact) {
		return emptyArtifact(gate, path)
	}
	if ctx.Err() != nil {
		return undecided(path, ctx.Err(), "")
	}
	if err != nil {
		return undecided(path, err, "check the path of the artifact")
	}
	found, err := collectAttestations(path, sources)
	if err != nil {
		hint := "check what --attestations names"
		if len(sources) == 0 {
			hint = "name another place with --attestations"
		}
		return undecided(path, err, hint)
	}
	report, err := gate.Decide(ctx, verify.Artifact{Name: path, Digests: digests}, found)
	if err != nil {
		return undecided(path, err, "")
	}
	return decision{artifact: path, exit: exitOf(report.Verdict), report: report}
}

func exitOf(v verify.Verdict) int {
	if v == verify.Allowed {
		return exitYes
	}
	return exitNo
}

func undecided(path string, err error, hint string) decision {
	return decision{artifact: path, exit: exitNoDecision, err: err, hint: hint}
}

// emptyArtifact denies: an empty file's digest is anybody's.
func emptyArtifact(gate verify.Gate, path string) decision {
	return decision{artifact: path, exit: exitNo, report: verify.Report{
		Artifact: path,
		Policy:   verify.PolicyInfo{Name: gate.Policy.Name, Digest: gate.Policy.Digest},
		Clock:    gate.Now.UTC(),
		Denials: []verify.Finding{{Code: verify.CodeArtifactEmpty, Expected: "an artifact", Found: "a file of 0 bytes",
			Remedy: verify.CodeArtifactEmpty.Remedy()}},
	}}
}

func collectAttestations(path string, sources []string) ([]verify.Attestation, error) {
	if len(sources) == 0 {
		return verify.Beside(path)
	}
	var all []verify.Attestation
	for _, s := range sources {
		found, err := verify.FromPath(s)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// remedyFor adds what only the command line knows to a finding's remedy.
func remedyFor(f verify.Finding, artifact string) string {
	switch f.Code {
	case verify.CodeTypeMissing:
		return fmt.Sprintf("have the signer run: plimsoll attest %s --sbom FILE --provenance --key FILE", quoteArg(artifact))
	case verify.CodeNoAttestations:
		return fmt.Sprintf("fetch %s, or name it with --attestations", quoteArg(artifact+attest.BundlesSuffix))
	}
	return f.Remedy
}

func quoteArg(s string) string {
	if strings.ContainsAny(s, " '\"$\\\t*?") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
