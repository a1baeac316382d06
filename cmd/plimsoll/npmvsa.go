package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
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
	flags.StringVar(&v.sbom, "sbom", "", "the artifact's CycloneDX SBOM, whose npm packages are counted, for --vsa")
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
	flags    *npmVSA
	signing  *signing
	subject  attest.Subject
	sbom     string // digest
	packages []verify.NPMPackage
}

// prepare reads artifact, SBOM and key before anything is checked.
func (v *npmVSA) prepare(ctx context.Context, io stdio) (*dependencySummary, error) {
	s := &dependencySummary{}
	if v.file == "" {
		return s, nil
	}
	s.flags = v
	digests, err := attest.DigestFile(ctx, v.artifact)
	if err != nil {
		return nil, failed(fmt.Errorf("--artifact: %w", err))
	}
	s.subject = attest.Subject{Name: filepath.Base(v.artifact), Digest: digests}
	document, err := readBounded(v.sbom, verify.MaxAttestation)
	if err != nil {
		return nil, failed(fmt.Errorf("--sbom: %w", err))
	}
	s.sbom = digestOf(document)
	var refused *verify.Refusal
	if s.packages, err = verify.NPMPackagesOf(document, verify.Artifact{Name: v.artifact, Digests: digests}); errors.As(err, &refused) {
		return nil, (&exitError{code: exitNo, err: fmt.Errorf("--sbom %s: %w", v.sbom, err)}).withHint("%s", refused.WhatToDo())
	} else if err != nil {
		return nil, failed(err)
	}
	if v.signers.signers() == 0 {
		return s, nil
	}
	if s.signing, err = v.signers.prepare(ctx, io); err != nil {
		return nil, err
	}
	return s, mayReplace(v.file, s.signing.signers[0], "or name another file")
}

// write summarises the decision, also one that denies; where none was made there is
// nothing to summarise.
func (s *dependencySummary) write(ctx context.Context, io stdio, o npmOutcome) error {
	if s.flags == nil || o.exit() == exitNoDecision {
		return nil
	}
	levels, bundles := o.report.Levels(s.packages)
	d := verify.Dependencies{Passed: o.exit() == exitYes, Levels: levels, Attestations: bundles, SBOM: s.sbom, At: o.clock}
	if o.policy != nil {
		d.Policy = o.policy.Digest
	}
	predicate, err := verify.SummarizeDependencies(s.flags.of(), d)
	if err != nil {
		return failed(err)
	}
	return writeSummary(ctx, io, s.flags.file, s.signing, []attest.Subject{s.subject}, predicate)
}
