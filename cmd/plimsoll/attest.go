package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/attest/oci"
)

const attestHelp = `Usage: plimsoll attest ARTIFACT... CLAIM... (--key KEY... | --keyless)
       plimsoll attest types
       plimsoll attest export --dsse FILE
       plimsoll attest push|pull|list oci://IMAGE ...

Signs statements about artifacts and appends them, a Sigstore bundle a line, to
ARTIFACT.sigstore.jsonl. ARTIFACT is a file; a directory, of which each file is a
subject; oci://REGISTRY/REPOSITORY:TAG with --push or --output; or sha256:DIGEST,
sha512:DIGEST, gitCommit:ID with --output. A .tgz that npm packed is named as its
package. All statements are made before the first is signed, and signed before the
first is written.

A CLAIM is --sbom (CycloneDX or SPDX), --provenance (SLSA v1: from the variables of
GitHub Actions or GitLab CI, else that it was a local build), --vulns (a report of
OSV-Scanner, Grype or Trivy), --vex (OpenVEX), --vsa, --test (JUnit's XML or go test
-json), or --predicate FILE --type TYPE for any other; FILE may be - for standard
input. plimsoll attest types lists what each must have; what lacks it is not signed.

With --key nothing leaves the machine. --timestamp and --log have others vouch for when
was signed: without that, revoking a key ends every release it ever signed. --keyless
signs as the CI job or person that an identity token names. What becomes public is said
before it does, and the services' answers are verified before anything is written.

Examples:
  plimsoll attest app --sbom app.cdx.json --provenance --key release.pem
  plimsoll attest dist --vulns trivy.json --test report.xml --key ci.pem --split
  plimsoll attest gitCommit:$(git rev-parse HEAD) --test unit.json --key ci.pem -o commit.jsonl
  plimsoll attest app --provenance --keyless
  plimsoll attest oci://registry.example/app:1.2 --sbom app.cdx.json --key ci.pem --push
`

type attestFlags struct {
	claimFlags
	signerFlags
	name, output, platform string
	split, push            bool
}

func runAttest(ctx context.Context, io stdio, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "types":
			return runAttestTypes(io, args[1:])
		case "export":
			return runAttestExport(io, args[1:])
		case "push":
			return runAttestPush(ctx, io, args[1:])
		case "pull":
			return runAttestPull(ctx, io, args[1:])
		case "list":
			return runAttestList(ctx, io, args[1:])
		}
	}
	var f attestFlags
	flags := newFlags(io, "attest", attestHelp)
	f.claimFlags.add(flags)
	flags.StringVar(&f.name, "name", "", "the subject's name, instead of the file's")
	flags.StringVarP(&f.output, "output", "o", "", "append to this file instead of ARTIFACT.sigstore.jsonl")
	flags.BoolVar(&f.split, "split", false, "write ARTIFACT.TYPE.sigstore.json instead, one bundle a file, for tools that read no JSON lines")
	flags.BoolVar(&f.push, "push", false, "attach the bundles to the image oci://REF in its registry")
	flags.StringVar(&f.platform, "platform", "", platformUsage)
	f.signerFlags.add(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := f.check(flags); err != nil {
		return err
	}
	return attestAll(ctx, io, f, flags.Args())
}

func (f *attestFlags) check(flags *pflag.FlagSet) error {
	switch {
	case flags.NArg() == 0:
		return usagef("attest: expected an ARTIFACT").withHint("plimsoll attest --help shows examples")
	case f.none():
		return usagef("attest: expected --sbom FILE, --provenance or another claim: there is nothing to say about the artifact").
			withHint("plimsoll attest types lists what can be said")
	case f.output != "" && (f.split || flags.NArg() > 1):
		return usagef("attest: --output is one file; it goes with one ARTIFACT and without --split")
	case f.name != "" && flags.NArg() > 1:
		return usagef("attest: --name goes with one ARTIFACT")
	case f.split && f.push:
		return usagef("attest: --split writes files beside the artifact; --push attaches to an image")
	case f.split && f.signers() > 1:
		return usagef("attest: --split writes one bundle a file; it goes with one --key, or --keyless")
	}
	if err := f.signerFlags.check("attest", flags); err != nil {
		return err
	}
	return f.claimFlags.check()
}

func attestAll(ctx context.Context, io stdio, f attestFlags, artifacts []string) error {
	claims, err := f.claims(io)
	if err != nil {
		return err
	}
	if err := checkDistinct(artifacts); err != nil {
		return err
	}
	if err := checkOutput(f, artifacts[0]); err != nil {
		return err
	}
	var targets []target
	for _, artifact := range artifacts {
		t, err := readTarget(ctx, artifact, f.name, f.platform)
		if err != nil {
			return err
		}
		if t.bundles, err = f.bundles(t); err != nil {
			return err
		}
		targets = append(targets, t)
	}
	var made []signedArtifact
	for _, t := range targets {
		m, err := makeStatements(t, claims)
		if err != nil {
			return err
		}
		made = append(made, m)
	}
	warnOfInstallScripts(ctx, io, artifacts)
	signing, err := f.prepare(ctx, io)
	if err != nil {
		return err
	}
	if err := signing.begin(ctx, io); err != nil {
		return err
	}
	signed, err := signAll(ctx, io, signing.signers, made, f.online())
	if err != nil {
		return err
	}
	if f.split {
		err = writeSplit(signed, signing.signers[0])
	} else {
		err = writeBundles(ctx, signed, nil)
	}
	if err != nil {
		return err
	}
	for _, s := range signed {
		for _, st := range s.statements {
			if file := st.file(s, f.split); file != "" {
				fmt.Fprintf(io.out, "%s: %s signed by %s into %s\n", printable(s.arg), printable(st.describe()), printable(st.by.name()), printable(file))
			}
		}
	}
	if f.push {
		return pushSigned(ctx, io, signed)
	}
	return nil
}

// bundles is the file that an artifact's bundles go to, "" if they are only pushed.
func (f *attestFlags) bundles(t target) (string, error) {
	switch {
	case f.push && t.images == nil:
		return "", usagef("attest: --push goes with %sIMAGE, found %s", oci.Scheme, t.arg)
	case f.output != "":
		return f.output, nil
	case f.push:
		return "", nil
	case t.images != nil:
		return "", usagef("attest: %s is no file to put attestations beside; --push attaches them to it, --output FILE keeps them", t.arg)
	case t.path == "":
		return "", usagef("attest: %s is no file to put attestations beside; name one with --output", t.arg)
	}
	return t.path + attest.BundlesSuffix, nil
}

// checkDistinct refuses the same artifact twice, under whatever name: its files
// would be written twice, and its lock waited for by whoever holds it.
func checkDistinct(artifacts []string) error {
	for i, a := range artifacts {
		for _, b := range artifacts[:i] {
			if a == b || sameFile(a, b) {
				return usagef("%q and %q are the same artifact; name it once", b, a)
			}
		}
	}
	return nil
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// checkOutput refuses to append to what is read.
func checkOutput(f attestFlags, artifact string) error {
	inputs := append(f.claimFlags.files(), f.signerFlags.files()...)
	for _, input := range append(inputs, artifact) {
		if f.output != "" && input != "" && sameFile(f.output, input) {
			return usagef("attest: --output %q is an input of this command; name another file", f.output)
		}
	}
	return nil
}
