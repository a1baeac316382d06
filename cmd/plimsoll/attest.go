package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

const attestHelp = `Usage: plimsoll attest ARTIFACT... (--sbom FILE | --provenance)... --key FILE

Signs statements about artifacts and appends them, a Sigstore bundle a line, to
ARTIFACT.sigstore.jsonl. --sbom attests a CycloneDX document, --provenance says
how the artifact was built (SLSA provenance v1): from the variables of GitHub
Actions or GitLab CI, else that it was a local build. All statements are made
before the first is written.

Examples:
  plimsoll attest app --sbom app.cdx.json --provenance --key release.pem
  plimsoll attest app --provenance --split --key release.pem
`

// maxSBOM bounds an SBOM that is attested.
const maxSBOM = 64 << 20

type attestFlags struct {
	sbom, key, passphraseFile, output string
	provenance, split                 bool
	artifact                          string // the one that --output is for
}

func runAttest(ctx context.Context, io stdio, args []string) error {
	var f attestFlags
	flags := newFlags(io, "attest", attestHelp)
	flags.StringVar(&f.sbom, "sbom", "", "attest this CycloneDX JSON document")
	flags.BoolVar(&f.provenance, "provenance", false, "attest how the artifact was built")
	flags.StringVar(&f.key, "key", "", "sign with the private key in this file (required)")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", "the key's passphrase: the first line of this file")
	flags.StringVarP(&f.output, "output", "o", "", "append to this file instead of ARTIFACT.sigstore.jsonl")
	flags.BoolVar(&f.split, "split", false, "write ARTIFACT.TYPE.sigstore.json instead, one bundle a file, for tools that read no JSON lines")
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() == 0:
		return usagef("attest: expected an ARTIFACT")
	case f.sbom == "" && !f.provenance:
		return usagef("attest: expected --sbom FILE or --provenance: there is nothing to say about the artifact")
	case f.key == "":
		return usagef("attest: expected --key FILE").withHint("plimsoll key generate makes one")
	case f.output != "" && (f.split || flags.NArg() > 1):
		return usagef("attest: --output is one file; it goes with one ARTIFACT and without --split")
	}
	f.artifact = flags.Arg(0)
	return attestAll(ctx, io, f, flags.Args())
}

func attestAll(ctx context.Context, io stdio, f attestFlags, artifacts []string) error {
	var sbom []byte
	if f.sbom != "" {
		var err error
		if sbom, err = readBounded(f.sbom, maxSBOM); err != nil {
			return failed(fmt.Errorf("reading SBOM: %w", err)).withHint("plimsoll sbom PATH -o %s makes one", f.sbom)
		}
	}
	if err := checkDistinct(artifacts); err != nil {
		return err
	}
	if err := checkOutput(f); err != nil {
		return err
	}
	var subjects []attest.Subject
	for _, path := range artifacts {
		subject, err := digestArtifact(ctx, path)
		if err != nil {
			return err
		}
		subjects = append(subjects, subject)
	}
	key, err := loadKey(io, f.key, f.passphraseFile)
	if err != nil {
		return err
	}
	var signed []signedArtifact
	for i, path := range artifacts {
		s, err := signStatements(key, subjects[i], claimed{sbomFile: f.sbom, sbom: sbom, provenance: f.provenance})
		if err != nil {
			return err
		}
		s.path = path
		s.bundles = f.output
		if s.bundles == "" {
			s.bundles = path + attest.BundlesSuffix
		}
		signed = append(signed, s)
	}
	if f.split {
		err = writeSplit(signed, key)
	} else {
		err = writeBundles(ctx, signed, nil)
	}
	if err != nil {
		return err
	}
	for _, s := range signed {
		for _, st := range s.statements {
			fmt.Fprintf(io.out, "%s: %s signed by key %s into %s\n", printable(s.path), printable(st.describe()), key.ID(), printable(st.file(s, f.split)))
		}
	}
	return nil
}

// checkDistinct refuses the same artifact twice, under whatever name: its files
// would be written twice, and its lock waited for by whoever holds it.
func checkDistinct(artifacts []string) error {
	for i, a := range artifacts {
		for _, b := range artifacts[:i] {
			if sameFile(a, b) {
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
func checkOutput(f attestFlags) error {
	for _, input := range []string{f.key, f.sbom, f.passphraseFile, f.artifact} {
		if f.output != "" && input != "" && sameFile(f.output, input) {
			return usagef("attest: --output %q is an input of this command; name another file", f.output)
		}
	}
	return nil
}

// digestArtifact hashes an artifact that is to be attested.
func digestArtifact(ctx context.Context, path string) (attest.Subject, error) {
	digests, err := attest.DigestFile(ctx, path)
	switch {
	case errors.Is(err, attest.ErrEmptyArtifact):
		return attest.Subject{}, failed(err).withHint("a statement about nothing is true of every empty file; find out what emptied it")
	case errors.Is(err, os.ErrNotExist):
		return attest.Subject{}, failed(err).withHint("build the artifact first, or check the path")
	case err != nil:
		return attest.Subject{}, failed(err)
	}
	return attest.Subject{Name: filepath.Base(path), Digest: digests}, nil
}

// claimed is what is to be said about an artifact.
type claimed struct {
	sbomFile   string // for messages
	sbom       []byte // nil: nothing
	provenance bool
}

// signedArtifact is an artifact with its signed statements.
type signedArtifact struct {
	path       string
	subject    attest.Subject
	statements []signedStatement
	bundles    string // the file they are appended to
}

type signedStatement struct {
	predicateType string
	summary       string
	bundle        []byte
}

func (s signedStatement) describe() string {
	if s.summary == "" {
		return attest.ShortType(s.predicateType)
	}
	return attest.ShortType(s.predicateType) + " (" + s.summary + ")"
}

func (s signedStatement) file(a signedArtifact, split bool) string {
	if split {
		return splitName(a.path, s.predicateType)
	}
	return a.bundles
}

func splitName(artifact, predicateType string) string {
	return artifact + "." + attest.ShortType(predicateType) + attest.SplitSuffix
}

// signStatements makes and signs what is claimed about one artifact.
func signStatements(key *attest.Key, subject attest.Subject, c claimed) (signedArtifact, error) {
	result := signedArtifact{subject: subject}
	add := func(predicateType, summary string, predicate []byte) error {
		payload, err := attest.NewStatement([]attest.Subject{subject}, predicateType, predicate)
		if err != nil {
			return failed(err)
		}
		bundle, err := attest.Attest(key, payload)
		if err != nil {
			return failed(err)
		}
		result.statements = append(result.statements, signedStatement{predicateType, summary, bundle})
		return nil
	}
	if c.sbom != nil {
		predicate, describes, err := attest.CycloneDXPredicate(c.sbom)
		if err != nil {
			return result, failed(fmt.Errorf("reading SBOM %q: %w", c.sbomFile, err)).withHint("plimsoll sbom PATH writes one")
		}
		if describes != "" && describes != subject.Digest["sha256"] {
			return result, failed(fmt.Errorf("SBOM %q is about another artifact: expected sha256 %s (%s), found %.80q", c.sbomFile, subject.Digest["sha256"], subject.Name, describes)).
				withHint("make the SBOM of the artifact as it is now")
		}
		if err := add(attest.TypeCycloneDX, "", predicate); err != nil {
			return result, err
		}
	}
	if c.provenance {
		build, err := attest.Provenance(os.Getenv)
		if err != nil {
			return result, failed(err).withHint("run it in a CI job with the platform's default variables")
		}
		if err := add(attest.TypeProvenance, build.Summary, build.Predicate); err != nil {
			return result, err
		}
	}
	return result, nil
}

// writeSplit writes each statement into a file of its own, which may replace one
// by the same key and no other.
func writeSplit(signed []signedArtifact, key *attest.Key) error {
	var files []output
	for _, s := range signed {
		for _, st := range s.statements {
			name := splitName(s.path, st.predicateType)
			old, err := readBounded(name, verify.MaxAttestation)
			if err == nil {
				parsed, err := attest.ParseEnvelope(old)
				if err != nil || parsed.KeyHint != key.Hint() {
					return failed(fmt.Errorf("writing %q: it is there already and not by this key", name)).
						withHint("it would be lost; move it away, or append to %s without --split", s.path+attest.BundlesSuffix)
				}
			} else if !errors.Is(err, os.ErrNotExist) {
				return failed(fmt.Errorf("writing %q: %w", name, err))
			}
			files = append(files, output{name, append(st.bundle, '\n'), 0o644})
		}
	}
	return writeAll(files)
}

// lockOrder is a name of a file that does not depend on the working directory.
func lockOrder(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		return filepath.Join(dir, filepath.Base(absolute))
	}
	return absolute
}

// writeBundles appends every artifact's bundles and writes the other files, all
// staged before the first appears.
func writeBundles(ctx context.Context, signed []signedArtifact, others []output) error {
	var staged []*attest.Staged
	fail := func(err error) error {
		for _, s := range staged {
			s.Discard()
		}
		return failed(err).withHint("check that the folder is there and may be written to; nothing was written")
	}
	// Everyone takes several locks in the same order, else two would wait for each
	// other.
	signed = slices.Clone(signed)
	slices.SortFunc(signed, func(a, b signedArtifact) int { return strings.Compare(lockOrder(a.bundles), lockOrder(b.bundles)) })
	for _, s := range signed {
		lock, err := attest.Lock(ctx, s.bundles)
		if err != nil {
			return fail(err)
		}
		defer lock.Unlock()
		bundles := make([][]byte, len(s.statements))
		for i, st := range s.statements {
			bundles[i] = st.bundle
		}
		file, _, err := lock.StageAppend(bundles...)
		if err != nil {
			return fail(err)
		}
		if file != nil {
			staged = append(staged, file)
		}
	}
	for _, f := range others {
		file, err := attest.Stage(f.path, f.data, f.perm)
		if err != nil {
			return fail(err)
		}
		staged = append(staged, file)
	}
	return commitAll(staged)
}
