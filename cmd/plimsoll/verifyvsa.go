package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// vsaFlags say where a summary of the decision is written, and who signs it.
type vsaFlags struct {
	file             string
	verifier         string
	resource, policy string
	signers          signerFlags
	flags            *pflag.FlagSet
}

func (f *vsaFlags) add(flags *pflag.FlagSet) {
	f.flags = flags
	flags.StringVar(&f.file, "vsa", "", "write a SLSA verification summary of the decision to this file: a signed bundle with --key or --keyless, else the bare statement")
	flags.StringVar(&f.verifier, "verifier-id", "", "the URI of who decides, for --vsa")
	flags.StringVar(&f.resource, "resource-uri", "", "the URI of what is deployed, for --vsa")
	flags.StringVar(&f.policy, "policy-uri", "", "the URI of the policy, for --vsa; else it is named by its digest")
	f.signers.addSigning(flags)
}

func (f *vsaFlags) check(args []string) error {
	if f.flags == nil { // policy test: no summary is written
		return nil
	}
	err := f.signers.checkSummary("verify", f.file, f.flags, "verifier-id", "resource-uri", "policy-uri")
	if err != nil || f.file == "" {
		return err
	}
	switch {
	case f.verifier == "" || f.resource == "":
		return usagef("verify: --vsa needs --verifier-id URI and --resource-uri URI")
	case len(args) != 1:
		return usagef("verify: --vsa is about one ARTIFACT, found %d", len(args))
	}
	if err := f.of().WellFormed(); err != nil {
		return usagef("verify: --%w", err)
	}
	return nil
}

func (f *vsaFlags) of() verify.SummaryOf {
	return verify.SummaryOf{VerifierID: f.verifier, Version: version(), Resource: f.resource, Policy: f.policy}
}

// A summaryWriter writes the summary; the zero one writes nothing.
type summaryWriter struct {
	flags   *vsaFlags
	signing *signing
}

// prepare reads the key or asks the services before any decision is made.
func (f *vsaFlags) prepare(ctx context.Context, io stdio) (*summaryWriter, error) {
	w := &summaryWriter{}
	if f.file == "" {
		return w, nil
	}
	w.flags = f
	if f.signers.signers() == 0 {
		return w, nil
	}
	var err error
	if w.signing, err = f.signers.prepare(ctx, io); err != nil {
		return nil, err
	}
	return w, mayReplace(f.file, w.signing.signers[0], "or name another file")
}

// write summarises the decision, also one that denies; where none was made there is
// nothing to summarise.
func (w *summaryWriter) write(ctx context.Context, io stdio, o outcome) error {
	if w.flags == nil {
		return nil
	}
	var reports []verify.Report
	var subjects []attest.Subject
	for _, d := range o.decisions {
		if d.err != nil {
			return nil
		}
		reports = append(reports, d.report)
		subjects = append(subjects, subjectsOf(d)...)
	}
	if len(subjects) == 0 {
		return nil // an empty artifact: its digest is anybody's
	}
	predicate, err := verify.Summarize(w.flags.of(), reports)
	if err != nil {
		return failed(err)
	}
	return writeSummary(ctx, io, w.flags.file, w.signing, subjects, predicate)
}

// writeSummary writes a summary's statement to a file, signed if there is a signer.
func writeSummary(ctx context.Context, io stdio, file string, signing *signing, subjects []attest.Subject, predicate []byte) error {
	statement, err := attest.NewStatement(subjects, attest.TypeVSA, predicate)
	if err != nil {
		return failed(err)
	}
	data := append(statement, '\n')
	if signing != nil {
		if err := signing.begin(ctx, io); err != nil {
			return err
		}
		bundle, err := signing.signers[0].sign(ctx, statement)
		if err != nil {
			return serviceFailed(err)
		}
		data = append(bundle, '\n')
	} else if err := mayOverwriteStatement(file); err != nil {
		return err
	}
	if err := attest.WriteFile(file, data, 0o644); err != nil {
		return failed(err)
	}
	return nil
}

// mayOverwriteStatement keeps a signed summary from being lost to one that is not.
func mayOverwriteStatement(file string) error {
	old, err := readBounded(file, verify.MaxAttestation)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		if _, err = attest.ParseStatement(trimNewline(old)); err == nil {
			return nil
		}
	}
	return failed(errors.New("--vsa: " + file + " is there already and no unsigned statement")).withHint("move it away, or name another file")
}

func trimNewline(data []byte) []byte {
	for len(data) > 0 && data[len(data)-1] == '\n' {
		data = data[:len(data)-1]
	}
	return data
}

// subjectsOf are what a decision was about, as subjects of a statement.
func subjectsOf(d decision) []attest.Subject {
	switch {
	case len(d.subject.Files) > 0:
		return d.subject.Files
	case len(d.subject.Digests) == 0:
		return nil
	case d.image != nil:
		return []attest.Subject{{Name: d.image.Digest.Context().Name(), Digest: d.subject.Digests}}
	}
	name := filepath.Base(d.arg)
	if d.image == nil && d.subject.Others == nil {
		name = "" // known by its digest only
	}
	return []attest.Subject{{Name: name, Digest: d.subject.Digests}}
}
