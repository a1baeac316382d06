package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// npmVSA says where a summary about an artifact's dependencies is written.
type npmVSA struct {
	file, artifact, sbom       string
	verifier, resource, policy string
	signers                    signerFlags
}

func (v *npmVSA) add(flags *pflag.FlagSet) {
	flags.StringVar(&v.file, "vsa", "", "write a SLSA verification summary to this file: how many dependencies of --artifact have which level; signed with --key or --keyless, else the bare statement")
	flags.StringVar(&v.artifact, "artifact", "", "what the summary is about, for --vsa")
	flags.StringVar(&v.sbom, "sbom", "", "the artifact's CycloneDX SBOM, whose dependencies are counted, for --vsa")
	flags.StringVar(&v.verifier, "verifier-id", "", "the URI of who decides, for --vsa")
	flags.StringVar(&v.resource, "resource-uri", "", "the URI of what is built, for --vsa")
	flags.StringVar(&v.policy, "policy-uri", "", "the URI of the policy, for --vsa; else it is named by its digest")
	v.signers.addSigning(flags)
}

func (v *npmVSA) of() verify.SummaryOf {
	return verify.SummaryOf{VerifierID: v.verifier, Version: version(), Resource: v.resource, Policy: v.policy}
}

func (v *npmVSA) check(flags *pflag.FlagSet) error {
	err := v.signers.checkSummary("npm", v.file, flags, "artifact", "sbom", "verifier-id", "resource-uri", "policy-uri")
	if err != nil || v.file == "" {
		return err
	}
	if v.artifact == "" || v.sbom == "" || v.verifier == "" || v.resource == "" {
		return usagef("npm: --vsa needs --artifact FILE, --sbom FILE, --verifier-id URI and --resource-uri URI")
	}
	if err := v.of().WellFormed(); err != nil {
		return usagef("npm: --%w", err)
	}
	return nil
}

// A dependencySummary is to be written; the zero one writes nothing.
type dependencySummary struct {
	flags   *npmVSA
	signing *signing
	subject attest.Subject
	sbom    string // digest
	listed  []verify.Dependency
}

// begin reads the key, and removes an older summary before anything is checked: if this
// run ends without a decision, none may stand there that says PASSED.
func (v *npmVSA) begin(ctx context.Context, io stdio) (*dependencySummary, error) {
	s := &dependencySummary{}
	if v.file == "" {
		return s, nil
	}
	s.flags = v
	may := mayOverwriteStatement(v.file)
	if v.signers.signers() > 0 {
		var err error
		if s.signing, err = v.signers.prepare(ctx, io); err != nil {
			return nil, err
		}
		may = mayReplace(v.file, s.signing.signers[0], "or name another file")
	}
	if may != nil {
		return nil, may
	}
	if err := os.Remove(v.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failed(fmt.Errorf("--vsa: %w", err))
	}
	return s, nil
}

// read reads artifact and SBOM before anything is checked.
func (s *dependencySummary) read(ctx context.Context) error {
	if s.flags == nil {
		return nil
	}
	v := s.flags
	digests, err := attest.DigestFile(ctx, v.artifact)
	if err != nil {
		return failed(fmt.Errorf("--artifact: %w", err))
	}
	s.subject = attest.Subject{Name: filepath.Base(v.artifact), Digest: digests}
	document, err := readBounded(v.sbom, verify.MaxAttestation)
	if err != nil {
		return failed(fmt.Errorf("--sbom: %w", err))
	}
	s.sbom = digestOf(document)
	var refused *verify.Refusal
	if s.listed, err = verify.DependenciesOf(document, verify.Artifact{Name: v.artifact, Digests: digests}); errors.As(err, &refused) {
		return (&exitError{code: exitNo, err: fmt.Errorf("--sbom %s: %w", v.sbom, err)}).withHint("%s", refused.WhatToDo())
	} else if err != nil {
		return failed(err)
	}
	return nil
}

// write summarises the decision, also one that denies; where none was made there is
// nothing to summarise.
func (s *dependencySummary) write(ctx context.Context, io stdio, o npmOutcome) error {
	if s.flags == nil {
		return nil
	}
	if o.exit() == exitNoDecision {
		fmt.Fprintf(io.err, "plimsoll: no summary was written to %s: nothing was decided\n", printable(s.flags.file))
		return nil
	}
	missing := s.missing(o.report)
	if n := len(missing); n > 0 {
		fmt.Fprintf(io.err, "plimsoll: the summary says FAILED: of the SBOM's packages %d are not in %s: %s\n", n, printable(o.target), printable(strings.Join(missing[:min(n, mostMissing)], ", ")))
	}
	levels, bundles := o.report.Levels(s.listed)
	d := verify.Dependencies{Passed: o.exit() == exitYes && len(missing) == 0, Levels: levels, Attestations: bundles, SBOM: s.sbom, At: o.clock}
	if o.policy != nil {
		d.Policy = o.policy.Digest
	}
	predicate, err := verify.SummarizeDependencies(s.flags.of(), d)
	if err != nil {
		return failed(err)
	}
	return writeSummary(ctx, io, s.flags.file, s.signing, []attest.Subject{s.subject}, predicate)
}

// mostMissing is how many packages are named that were not checked.
const mostMissing = 5

// missing are the SBOM's packages that were not checked: nothing of that name, version
// and digest was. One without a digest is whatever was checked under its name.
func (s *dependencySummary) missing(report *npm.Report) []string {
	checked := map[string]bool{}
	for _, r := range report.Packages {
		digest, err := npm.SHA512(r.Integrity)
		if err != nil {
			digest = ""
		}
		checked[r.Package] = true
		checked[r.Package+" "+digest] = true
	}
	var missing []string
	for _, d := range s.listed {
		key := d.Name + "@" + d.Version
		if d.SHA512 != "" {
			key += " " + d.SHA512
		}
		if d.Name != "" && !checked[key] {
			missing = append(missing, d.Purl)
		}
	}
	return missing
}
