package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"plimsoll.example/attest"
	"plimsoll.example/attest/oci"
	"plimsoll.example/verify"
)

const verifyHelp = `Usage: plimsoll verify ARTIFACT... --policy FILE [--as NAME] [--attestations PATH]...

Decides whether artifacts may be deployed: whether the statements that the policy
requires are there, about exactly these bytes, signed by whom the policy names,
saying what it demands. An ARTIFACT is a file, a directory (each file must be a
subject), sha256:HEX, or oci://IMAGE (every platform, or the one that --platform
names; its tag is resolved once).

Attestations are read from beside the artifact (ARTIFACT.sigstore.jsonl,
ARTIFACT.TYPE.sigstore.json) or from the image's registry; if any is named, only
from --attestations: files, folders of them, oci://IMAGE. Attestations that cannot
be used satisfy nothing and are reported.

--as says what the artifact is deployed as: a purl or a URI, which a verified
statement must confirm. Without it an older release, or another product of the same
signer, is as good as the one that was meant.

Exit codes: 0 allowed; 1 no decision; 2 flags or policy do not parse; 3 denied.
Only 0 may deploy.

Examples:
  plimsoll verify app --policy policy.yaml
  plimsoll verify app --policy policy.yaml --as pkg:generic/acme/shop@2.1.0
  plimsoll verify oci://registry.example/shop:2.1 --policy policy.yaml --format json
  plimsoll verify app --policy policy.yaml --vsa app.vsa.sigstore.json \
      --verifier-id https://acme.example/gate --resource-uri pkg:generic/acme/shop@2.1.0 --key key.pem
`

// now is the clock of every decision. Tests set it.
var now = time.Now

type verifyFlags struct {
	gateFlags
	format       string
	as           string
	attestations []string
	platform     string
	copyTo       string
	warnOnly     bool
	codes        bool
	vsa          vsaFlags
	record       recordFlags
}

func runVerify(ctx context.Context, io stdio, args []string) error {
	var f verifyFlags
	flags := newFlags(io, "verify", verifyHelp)
	f.gateFlags.add(flags)
	flags.StringArrayVar(&f.attestations, "attestations", nil, "read attestations from this file, folder or oci://IMAGE, and not from beside the artifact; may be repeated")
	flags.StringVar(&f.as, "as", "", "what the artifact is deployed as: a purl with its version, or a URI")
	flags.StringVar(&f.platform, "platform", "", "of an image with several platforms, this one (OS/ARCH)")
	flags.StringVar(&f.copyTo, "copy-to", "", "if it is allowed, write the very bytes that were hashed to this file")
	flags.BoolVar(&f.warnOnly, "warn-only", false, "exit with 0 where the decision is 3; the verdict stays denied and says that it is not enforced")
	addFormat(flags, &f.format, verifyFormats...)
	f.vsa.add(flags)
	f.record.add(flags)
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
	if err := f.check(flags.Args()); err != nil {
		return err
	}
	return f.run(ctx, io, flags.Args())
}

func (f *verifyFlags) check(args []string) error {
	switch {
	case len(args) == 0:
		return usagef("verify: expected an ARTIFACT")
	case f.policy == "":
		return usagef("verify: expected --policy FILE").withHint("no policy is looked for, so that none can be slipped in; plimsoll policy init proposes one")
	case f.copyTo != "" && (len(args) != 1 || strings.HasPrefix(args[0], oci.Scheme) || strings.HasPrefix(args[0], "sha256:") || strings.HasPrefix(args[0], "sha512:")):
		return usagef("verify: --copy-to goes with one file")
	case f.as != "" && len(args) != 1:
		return usagef("verify: --as names one ARTIFACT, found %d", len(args))
	case f.at != "" && (f.vsa.file != "" || f.record.file != "" || f.signature.state != ""):
		return usagef("verify: --at decides as of another time, of which no summary, record or state is written; leave out --vsa, --record and --policy-state")
	}
	if f.platform != "" && slices.ContainsFunc(args, func(a string) bool { return !strings.HasPrefix(a, oci.Scheme) }) {
		return usagef("verify: --platform goes with %sIMAGE", oci.Scheme)
	}
	if f.as != "" {
		name, err := verify.ParseName(f.as)
		if err != nil {
			return usagef("verify: --as: %w", err)
		}
		f.as = name
	}
	if err := f.signature.check("verify"); err != nil {
		return err
	}
	if err := f.record.check(); err != nil {
		return err
	}
	return f.vsa.check(args)
}

func (f *verifyFlags) run(ctx context.Context, io stdio, args []string) error {
	policy, err := f.open(ctx)
	if err != nil {
		return err
	}
	if policy.state != nil {
		defer policy.state.close()
	}
	summaries, err := f.vsa.prepare(ctx, io)
	if err != nil {
		return err
	}
	decisions := f.decideAll(ctx, policy, args)
	defer func() {
		for _, d := range decisions {
			if d.copy != nil {
				d.copy.discard() // what was not committed
			}
		}
	}()
	codes := make([]int, len(decisions))
	for i, d := range decisions {
		codes[i] = d.exit
	}
	outcome := outcome{policy: f.policy, decisions: decisions, gate: policy.gate, exit: worst(codes...), enforced: true}
	if f.warnOnly && outcome.exit == exitNo {
		outcome.exit, outcome.enforced = exitYes, false
	}
	// Whatever must be on disk with a decision is there before anybody learns it.
	if err := f.write(ctx, io, policy, summaries, outcome); err != nil {
		return err
	}
	if err := outcome.print(io, f.format); err != nil {
		return failed(fmt.Errorf("writing the report: %w", err))
	}
	if outcome.exit != exitYes {
		return &exitError{code: outcome.exit}
	}
	return nil
}

// write writes what a decision leaves: summaries, the copy of an artifact that is
// allowed, the record, and the newest revision of the policy.
func (f *verifyFlags) write(ctx context.Context, io stdio, policy *policyFile, summaries *summaryWriter, o outcome) error {
	// First what makes everything else accountable.
	if err := f.record.append(ctx, o); err != nil {
		return err
	}
	if err := summaries.write(ctx, io, o); err != nil {
		return err
	}
	for i, d := range o.decisions {
		if d.copy == nil || d.err != nil || !d.report.Verdict.Deploys() {
			continue
		}
		if err := d.copy.commit(); err != nil {
			return failed(err)
		}
		o.decisions[i].copy = nil
	}
	if policy.state != nil {
		if err := policy.state.keep(); err != nil {
			return failed(err).withHint("the decision was made and is not reported: without --policy-state an older policy would not be noticed")
		}
	}
	return nil
}

// decideAll decides about every artifact, on every core, in the order of the
// arguments.
func (f *verifyFlags) decideAll(ctx context.Context, policy *policyFile, args []string) []decision {
	perArg := make([][]decision, len(args))
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i, arg := range args {
		workers.Go(func() error {
			defer func() {
				if p := recover(); p != nil {
					perArg[i] = []decision{undecided(arg, fmt.Errorf("internal error: %v", p), "please report this, see SECURITY.md")}
				}
			}()
			for _, c := range openArtifacts(ctx, f, arg) {
				perArg[i] = append(perArg[i], f.decide(ctx, policy, c))
			}
			return nil
		})
	}
	_ = workers.Wait() // each decision carries its own error
	return slices.Concat(perArg...)
}

// decision is the outcome for one artifact: a report, or why there is none.
// Its zero exit is never used: decide sets it last.
type decision struct {
	artifact string
	arg      string
	exit     int
	subject  verify.Artifact
	report   verify.Report
	err      error
	hint     string
	copy     *pendingCopy
	image    *oci.Image

	empty   bool            // nothing to decide about: denied
	refused *verify.Refusal // denied before anything was looked at
}

// decide applies the policy to one artifact and what says something about it.
func (f *verifyFlags) decide(ctx context.Context, policy *policyFile, c candidateArtifact) decision {
	d := f.decideOne(ctx, policy, c)
	d.arg, d.subject, d.copy, d.image = c.arg, c.artifact, c.copy, c.image
	return d
}

func (f *verifyFlags) decideOne(ctx context.Context, policy *policyFile, c candidateArtifact) decision {
	refuse := func(r verify.Refusal) decision {
		return decision{artifact: c.artifact.Name, exit: exitNo, report: policy.gate.Refuse(c.artifact, r)}
	}
	switch {
	case c.decided != nil && c.decided.empty:
		// An empty file's digest is anybody's.
		return refuse(verify.Refusal{Code: verify.CodeArtifactEmpty, Expected: "an artifact", Found: "a file of 0 bytes, or a directory without files"})
	case c.decided != nil && c.decided.refused != nil:
		return refuse(*c.decided.refused)
	case c.decided != nil:
		return *c.decided
	case policy.refusal != nil:
		return refuse(*policy.refusal)
	}
	found, err := c.collect(ctx, f.attestations)
	if err != nil {
		hint := "check what --attestations names"
		if len(f.attestations) == 0 {
			hint = "name another place with --attestations"
		}
		return undecided(c.artifact.Name, err, hint)
	}
	report, err := policy.gate.Decide(ctx, c.artifact, found)
	if err != nil {
		return undecided(c.artifact.Name, err, "")
	}
	return decision{artifact: c.artifact.Name, exit: exitOf(report.Verdict), report: report}
}

func exitOf(v verify.Verdict) int {
	if v.Deploys() {
		return exitYes
	}
	return exitNo
}

func undecided(path string, err error, hint string) decision {
	var exit *exitError
	if errors.As(err, &exit) {
		err = exit.err
		if exit.hint != "" {
			hint = exit.hint
		}
	}
	return decision{artifact: path, exit: exitNoDecision, err: err, hint: hint}
}

// remedyFor adds what only the command line knows to a finding's remedy.
func remedyFor(f verify.Finding, artifact string) string {
	switch f.Code {
	case verify.CodeTypeMissing:
		if f.Remedy == f.Code.Remedy() {
			return fmt.Sprintf("have the signer run: plimsoll attest %s --sbom FILE --provenance --key FILE", quoteArg(artifact))
		}
	case verify.CodeNoAttestations:
		if !strings.HasPrefix(artifact, oci.Scheme) {
			return fmt.Sprintf("fetch %s, or name it with --attestations", quoteArg(artifact+attest.BundlesSuffix))
		}
	}
	return f.Remedy
}

func quoteArg(s string) string {
	if strings.ContainsAny(s, " '\"$\\\t*?") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
