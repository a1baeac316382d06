package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// signedArtifact is an artifact with its signed statements.
type signedArtifact struct {
	target
	statements []signedStatement
}

type signedStatement struct {
	predicateType string
	summary       string
	payload       []byte // until it is signed
	by            signer
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

// makeStatements makes what is claimed about one artifact, and signs nothing.
func makeStatements(t target, claims []claim) (signedArtifact, error) {
	result := signedArtifact{target: t}
	for _, c := range claims {
		if c.document != nil {
			if other, contradicts := c.document.Contradicts(t.subjects); contradicts {
				return result, failed(fmt.Errorf("SBOM %q is about another artifact: expected %s (%s), found %s",
					c.file, describeDigest(t.subjects[0].Digest), t.describe(), describeDigest(other))).
					withHint("make the SBOM of the artifact as it is now")
			}
		}
		payload, err := attest.NewStatement(t.subjects, c.predicateType, c.predicate)
		if err != nil {
			return result, failed(err).withHint("nothing was signed")
		}
		result.statements = append(result.statements, signedStatement{predicateType: c.predicateType, summary: c.summary, payload: payload})
	}
	return result, nil
}

// describeDigest shows one digest of a set, SHA-256 before others.
func describeDigest(d attest.DigestSet) string {
	for _, algorithm := range []string{"sha256", "sha512"} {
		if d[algorithm] != "" {
			return algorithm + " " + d[algorithm]
		}
	}
	for _, algorithm := range slices.Sorted(maps.Keys(d)) {
		return algorithm + " " + d[algorithm]
	}
	return "none"
}

// maxAsked is how many signatures services are asked about at once. A Rekor v2 log
// answers after about a second, however many it is asked.
const maxAsked = 16

// signAll has each signer sign each statement. The result has the order of the
// statements, and for each that of the signers.
func signAll(ctx context.Context, io stdio, signers []signer, made []signedArtifact, online bool) ([]signedArtifact, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(1)
	if online {
		group.SetLimit(maxAsked)
	}
	total := 0
	for _, m := range made {
		total += len(m.statements) * len(signers)
	}
	tick, done := progress(io, "signing", total)
	defer done()
	signed := slices.Clone(made)
	for i, m := range made {
		signed[i].statements = make([]signedStatement, len(m.statements)*len(signers))
		for j, st := range m.statements {
			for k, by := range signers {
				slot := &signed[i].statements[j*len(signers)+k]
				group.Go(func() (err error) {
					defer recovered(&err)
					if err := ctx.Err(); err != nil {
						return err
					}
					*slot = signedStatement{predicateType: st.predicateType, summary: st.summary, by: by}
					slot.bundle, err = by.sign(ctx, st.payload)
					tick()
					return err
				})
			}
		}
	}
	if err := group.Wait(); err != nil {
		return nil, serviceFailed(err)
	}
	return signed, nil
}

// mayReplace says whether a file of one bundle may be written: it is not there, or by
// the same signer.
func mayReplace(name string, by signer, otherwise string) error {
	old, err := readBounded(name, verify.MaxAttestation)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return failed(fmt.Errorf("writing %q: %w", name, err))
	}
	if parsed, err := attest.ParseEnvelope(old); err != nil || !by.made(parsed) {
		return failed(fmt.Errorf("writing %q: it is there already and not by %s", name, by.name())).
			withHint("it would be lost; move it away: %s", otherwise)
	}
	return nil
}

// writeSplit writes each statement into a file of its own, which may replace one
// by the same signer and no other.
func writeSplit(signed []signedArtifact, by signer) error {
	var files []output
	seen := map[string]bool{}
	for _, s := range signed {
		for _, st := range s.statements {
			name := splitName(s.path, st.predicateType)
			if seen[name] {
				return usagef("attest: --split: two statements would be written to %q; sign them without --split, or one at a time", name)
			}
			seen[name] = true
			if err := mayReplace(name, by, "or append to "+s.path+attest.BundlesSuffix+" without --split"); err != nil {
				return err
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
	signed = slices.DeleteFunc(slices.Clone(signed), func(s signedArtifact) bool { return s.bundles == "" })
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
