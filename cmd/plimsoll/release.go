package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"plimsoll.example/attest"
	"plimsoll.example/sbom"
	"plimsoll.example/verify"
)

const releaseHelp = `Usage: plimsoll release ARTIFACT... (--key FILE | --new-key) [--policy FILE]

For each artifact: writes its SBOM (ARTIFACT.cdx.json), signs the SBOM and how it
was built (ARTIFACT.sigstore.jsonl), and checks the result against a policy. A Go
binary tells what it is made of; for anything else name --sbom FILE or
--source DIR. Everything is checked before the first file is written.

--new-key makes a key in your configuration directory, or uses the one made
before, and writes ARTIFACT.pub and ARTIFACT.policy.yaml to be pinned where the
artifact is deployed. Nobody trusts such a key yet. Who the SBOM is by, it takes
from plimsoll.yaml, as plimsoll sbom does.

Exit codes: 0 everything was written and is consistent with itself; 1 not done;
2 flags, key or policy do not parse; 3 the policy denies, and nothing is written.

Examples:
  plimsoll release --new-key app
  plimsoll release --key release.pem --policy policy.yaml --source . dist/app.js
`

// sbomSuffix is added to an artifact's name for its SBOM.
const sbomSuffix = ".cdx.json"

type releaseFlags struct {
	key, passphraseFile, sbom, source, policy, format string
	newKey                                            bool
}

func runRelease(ctx context.Context, io stdio, args []string) error {
	var f releaseFlags
	flags := newFlags(io, "release", releaseHelp)
	flags.StringVar(&f.key, "key", "", "sign with the private key in this file")
	flags.BoolVar(&f.newKey, "new-key", false, "sign with a key kept in your configuration directory; make it if there is none")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", passphraseUsage)
	flags.StringVar(&f.sbom, "sbom", "", "the artifact's SBOM, instead of making one")
	flags.StringVar(&f.source, "source", "", "make the SBOM from this folder")
	flags.StringVar(&f.policy, "policy", "", "check the result by this policy; the default demands this key, these two statements and this digest")
	addFormat(flags, &f.format)
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() == 0:
		return usagef("release: expected an ARTIFACT")
	case (f.key == "") == !f.newKey:
		return usagef("release: expected either --key FILE or --new-key").withHint("--new-key makes one to try it out with")
	case f.sbom != "" && f.source != "":
		return usagef("release: --sbom and --source contradict each other; name one")
	case f.sbom != "" && flags.NArg() > 1:
		return usagef("release: --sbom is about one ARTIFACT, found %d", flags.NArg())
	}
	return release(ctx, io, f, flags.Args())
}

// released is one artifact on its way.
type released struct {
	signedArtifact
	subject    attest.Subject
	sbom       []byte
	components int // -1: the SBOM was given
	policyFile string
	policyData []byte
	decision   decision
}

func release(ctx context.Context, io stdio, f releaseFlags, artifacts []string) error {
	if err := checkDistinct(artifacts); err != nil {
		return err
	}
	// The operator's own files first: a policy that does not parse is usage.
	var operators *verify.Gate
	if f.policy != "" {
		policy, err := (&gateFlags{policy: f.policy}).open(ctx)
		if err != nil {
			return err
		}
		operators = &policy.gate
	}
	var all []*released
	for _, path := range artifacts {
		r, err := prepare(ctx, f, path)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	key, keyNote, err := releaseKey(io, f)
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := signRelease(ctx, io, key, operators, f, r); err != nil {
			return err
		}
	}
	exit := releaseExit(all)
	if exit == exitYes {
		if err := writeRelease(ctx, all, key, f); err != nil {
			return err
		}
	}
	result := releaseResult{all: all, key: key, keyNote: keyNote, flags: f, exit: exit}
	if f.format == "json" {
		err = result.printJSON(io.out)
	} else {
		err = result.print(io)
	}
	if err != nil {
		return failed(fmt.Errorf("writing the report: %w", err))
	}
	if exit != exitYes {
		return &exitError{code: exit}
	}
	return nil
}

func releaseExit(all []*released) int {
	codes := make([]int, len(all))
	for i, r := range all {
		codes[i] = r.decision.exit
	}
	return worst(codes...)
}

// prepare hashes an artifact and gets its SBOM. Nothing is written or signed.
func prepare(ctx context.Context, f releaseFlags, path string) (*released, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, failed(fmt.Errorf("reading artifact: %q: expected a file, found a directory", path)).withHint("plimsoll attest signs statements about directories")
	}
	t, err := readTarget(ctx, path, "", "")
	if err != nil {
		return nil, err
	}
	if t.path == "" {
		return nil, usagef("release: expected files, found %q", path).withHint("plimsoll attest signs statements about digests")
	}
	t.bundles = path + attest.BundlesSuffix
	subject := t.subjects[0]
	r := &released{signedArtifact: signedArtifact{target: t}, subject: subject, components: -1}
	if f.sbom != "" {
		if r.sbom, err = readBounded(f.sbom, maxPredicate); err != nil {
			return nil, failed(fmt.Errorf("reading SBOM: %w", err))
		}
		return r, nil
	}
	options, err := (&sbomFlags{}).options(path)
	if err != nil {
		return nil, err
	}
	options.Artifact = &sbom.Artifact{Name: filepath.Base(path), SHA256: subject.Digest["sha256"], SHA512: subject.Digest["sha512"]}
	source := path
	if f.source != "" {
		source = f.source
	}
	doc, err := sbom.Generate(ctx, []string{source}, options)
	if errors.Is(err, sbom.ErrUnknown) && f.source == "" {
		return nil, failed(fmt.Errorf("%q is no Go binary with build information, so what it is made of is not known", path)).
			withHint("name --sbom FILE, or --source DIR with the folder it was built from; nothing was signed")
	} else if err != nil {
		return nil, failed(err).withHint("nothing was signed")
	}
	r.sbom, r.components = doc.JSON(), doc.Components
	return r, nil
}

// releaseKey loads the key, or makes the user's own.
func releaseKey(io stdio, f releaseFlags) (key *attest.Key, note string, err error) {
	if !f.newKey {
		key, err = loadKey(io, f.key, f.passphraseFile)
		return key, "", err
	}
	file, err := userKeyFile()
	if err != nil {
		return nil, "", err
	}
	if _, err := os.Lstat(file); err == nil {
		key, err = loadKey(io, file, f.passphraseFile)
		return key, "signed with the key made before, " + file, err
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", failed(fmt.Errorf("looking for your key: %w", err))
	}
	var passphrase []byte
	kept := "not encrypted"
	if f.passphraseFile != "" {
		if passphrase, err = readPassphrase(f.passphraseFile); err != nil {
			return nil, "", err
		}
		kept = "encrypted with your passphrase"
	}
	if key, err = attest.GenerateKey(attest.DefaultKeyAlgorithm); err != nil {
		return nil, "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, "", failed(fmt.Errorf("keeping your key: %w", err)).withHint("XDG_CONFIG_HOME names the folder it is kept below")
	}
	if err := writeKey(key, file, passphrase); err != nil {
		return nil, "", err
	}
	return key, "made a key, kept in " + file + ", " + kept, nil
}

// userKeyFile is where --new-key keeps its key.
func userKeyFile() (string, error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", failed(fmt.Errorf("keeping your key: %w", err)).withHint("set XDG_CONFIG_HOME, or name a key with --key")
		}
	}
	return filepath.Join(dir, "plimsoll", "key.pem"), nil
}

// signRelease signs an artifact's statements and decides about it in memory:
// what is written was allowed before.
func signRelease(ctx context.Context, io stdio, key *attest.Key, operators *verify.Gate, f releaseFlags, r *released) error {
	name := f.sbom
	if name == "" {
		name = r.path + sbomSuffix
	}
	document, err := (&claimFlags{}).sbomClaim(io, name, r.sbom)
	if err != nil {
		return err
	}
	build, err := (&provenanceFlags{}).claim(document.document)
	if err != nil {
		return err
	}
	made, err := makeStatements(r.target, []claim{document, build})
	if err != nil {
		return err
	}
	signed, err := signAll(ctx, io, []signer{keySigner{Signer: key}}, []signedArtifact{made}, false)
	if err != nil {
		return err
	}
	r.statements = signed[0].statements
	r.policyData = defaultPolicy(r.subject, key)
	gate, err := newGate("(embedded)", r.policyData)
	if operators != nil {
		gate, err = *operators, nil
	}
	if err != nil {
		return failed(err)
	}
	found, err := verify.Beside(r.path)
	if err != nil {
		return failed(err)
	}
	for _, s := range r.statements {
		found = append(found, verify.Attestation{Source: r.bundles + " (new)", JSON: s.bundle})
	}
	report, err := gate.Decide(ctx, verify.Artifact{Name: r.path, Digests: r.subject.Digest}, found)
	if err != nil {
		return failed(err)
	}
	r.decision = decision{artifact: r.path, exit: exitOf(report.Verdict), report: report}
	return nil
}

// writeRelease writes everything about every artifact, or nothing.
func writeRelease(ctx context.Context, all []*released, key *attest.Key, f releaseFlags) error {
	var signed []signedArtifact
	var files []output
	for _, r := range all {
		signed = append(signed, r.signedArtifact)
		files = append(files, output{r.path + sbomSuffix, r.sbom, 0o644})
		if f.newKey {
			files = append(files,
				output{r.path + ".pub", key.PublicPEM(), 0o644},
				output{r.path + ".policy.yaml", r.policyData, 0o644})
			r.policyFile = r.path + ".policy.yaml"
		}
	}
	return writeBundles(ctx, signed, files)
}

// defaultPolicy demands this key, an SBOM and a provenance, for this artifact.
func defaultPolicy(subject attest.Subject, key *attest.Key) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Made by plimsoll release for %q and key %s.\n", printable(subject.Name), key.ID())
	b.WriteString("# Pin it where the artifact is deployed: plimsoll verify ARTIFACT --policy FILE\n")
	b.WriteString("version: 1\nname: release\nsigners:\n  release:\n    keys:\n      - pem: |\n")
	for line := range bytes.Lines(key.PublicPEM()) {
		fmt.Fprintf(&b, "          %s", line)
	}
	b.WriteString("# To allow every artifact that this key signs, not only this one, name it \"*\".\n")
	fmt.Fprintf(&b, "artifacts:\n  \"sha256:%s\": {require: [sbom, provenance]}\n", subject.Digest["sha256"])
	fmt.Fprintf(&b, "requirements:\n  sbom: {type: %q, signed-by: release}\n", attest.TypeCycloneDX)
	fmt.Fprintf(&b, "  provenance: {type: %q, signed-by: release}\n", attest.TypeProvenance)
	return b.Bytes()
}
