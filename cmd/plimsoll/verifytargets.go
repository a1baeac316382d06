package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"plimsoll.example/attest"
	"plimsoll.example/attest/oci"
	"plimsoll.example/verify"
)

// A candidateArtifact is an artifact that is to be decided about.
type candidateArtifact struct {
	arg      string // as the user names it
	artifact verify.Artifact
	path     string     // of a file or directory; "": it is none
	image    *oci.Image // in a registry
	copy     *pendingCopy
	found    []verify.Attestation // by its registry
	decided  *decision            // there is nothing to look at
}

// openArtifacts reads what an argument names: several for an image with several
// platforms.
func openArtifacts(ctx context.Context, f *verifyFlags, arg string) []candidateArtifact {
	one := candidateArtifact{arg: arg, artifact: verify.Artifact{Name: arg, As: f.as}}
	fail := func(err error, hint string) []candidateArtifact {
		d := undecided(arg, err, hint)
		one.decided = &d
		return []candidateArtifact{one}
	}
	if strings.HasPrefix(arg, oci.Scheme) {
		return openImages(ctx, f, arg)
	}
	for _, algorithm := range []string{"sha256", "sha512"} {
		digest, ok := strings.CutPrefix(arg, algorithm+":")
		if !ok {
			continue
		}
		one.artifact.Digests = attest.DigestSet{algorithm: digest}
		if err := one.artifact.Digests.WellFormed(); err != nil {
			d := undecided(arg, err, "")
			d.exit, one.decided = exitUsage, &d
		}
		return []candidateArtifact{one}
	}
	one.path = arg
	if info, err := os.Stat(arg); err == nil && info.IsDir() {
		if f.copyTo != "" {
			d := undecided(arg, errors.New("--copy-to goes with one file, found a directory"), "")
			d.exit, one.decided = exitUsage, &d
			return []candidateArtifact{one}
		}
		one.path = filepath.Clean(arg)
		files, d := openDirectory(ctx, arg)
		one.artifact.Files, one.decided = files, d
		return []candidateArtifact{one}
	}
	var err error
	if f.copyTo != "" {
		one.copy, one.artifact.Digests, err = hashAndCopy(ctx, arg, f.copyTo)
	} else {
		one.artifact.Digests, err = attest.DigestFile(ctx, arg)
	}
	switch {
	case errors.Is(err, attest.ErrEmptyArtifact):
		one.decided = &decision{artifact: arg, empty: true}
	case ctx.Err() != nil:
		return fail(ctx.Err(), "")
	case err != nil:
		return fail(err, "check the path of the artifact")
	}
	one.artifact.Others = func(ctx context.Context, algorithms []string) (attest.DigestSet, error) {
		file, err := attest.OpenRegular(arg)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return attest.DigestOthers(attest.UntilDone(ctx, file), algorithms)
	}
	return []candidateArtifact{one}
}

// openDirectory lists the files of a directory, each of which must be a subject. A
// link that leads out of it would be deployed without being one.
func openDirectory(ctx context.Context, dir string) ([]attest.Subject, *decision) {
	r, err := attest.RecordFiles(ctx, dir, []string{"."}, nil, attest.MaxSubjects)
	var nothing *attest.ErrNothing
	switch {
	case errors.As(err, &nothing):
		return nil, &decision{artifact: dir, empty: true}
	case errors.Is(err, attest.ErrTooMany):
		return nil, &decision{artifact: dir, refused: &verify.Refusal{Code: verify.CodeSubjectMismatch,
			Expected: fmt.Sprintf("a directory of at most %d files, as a statement may have subjects", attest.MaxSubjects), Found: "more",
			Remedy: "deploy an archive of it instead"}}
	case err != nil:
		d := undecided(dir, err, "check the path of the directory")
		return nil, &d
	case len(r.LedOut) > 0:
		return nil, &decision{artifact: dir, refused: &verify.Refusal{Code: verify.CodeSubjectMismatch,
			Expected: "a directory whose every file is a subject", Found: fmt.Sprintf("%q, a link that leads out of it, or nowhere", r.LedOut[0]),
			Remedy: "replace the link with what it leads to, and have the directory attested again"}}
	}
	return r.Files, nil
}

// openImages resolves a reference once and returns each image of it, with what is
// attached to it in the registry unless attestations are named.
func openImages(ctx context.Context, f *verifyFlags, arg string) []candidateArtifact {
	platform := f.platform
	if platform == "" {
		platform = oci.AllPlatforms
	}
	client, images, err := resolve(ctx, arg, platform)
	if err != nil {
		hint := ""
		var exit *exitError
		if errors.As(err, &exit) {
			hint = exit.hint
		}
		d := undecided(arg, err, hint)
		if exit != nil && exit.code == exitUsage {
			d.exit = exitUsage
		}
		return []candidateArtifact{{arg: arg, decided: &d}}
	}
	var all []candidateArtifact
	for i := range images {
		image := &images[i]
		c := candidateArtifact{arg: arg, image: image}
		name := oci.Scheme + image.Digest.String()
		if image.Platform != "" {
			name += " (" + image.Platform + ")"
		}
		c.artifact = verify.Artifact{Name: name, As: f.as, Digests: image.Subject.Digest}
		if len(f.attestations) == 0 {
			if c.found, err = attached(client, *image); err != nil {
				d := undecided(name, err, "the registry must answer; name attestations with --attestations to do without it")
				c.decided = &d
			}
		}
		all = append(all, c)
	}
	return all
}

// attached reads an image's attestations. One that cannot be had is reported as
// unusable: anyone who may write to the repository could else block a deploy.
func attached(client *oci.Client, image oci.Image) ([]verify.Attestation, error) {
	list, err := client.List(image)
	if err != nil {
		return nil, err
	}
	var found []verify.Attestation
	for _, a := range list {
		source := oci.Scheme + image.Digest.Context().Name() + "@" + a.Digest
		line, err := client.Pull(image, a)
		var unusable *oci.UnusableError
		switch {
		case errors.As(err, &unusable):
			found = append(found, verify.Attestation{Source: source, Problem: err.Error()})
		case err != nil:
			return nil, err
		default:
			found = append(found, verify.Attestation{Source: source, JSON: line})
		}
	}
	return found, nil
}

// collect returns every attestation about an artifact.
func (c candidateArtifact) collect(ctx context.Context, sources []string) ([]verify.Attestation, error) {
	if len(sources) == 0 {
		switch {
		case c.image != nil:
			return c.found, nil
		case c.path == "":
			return nil, nil
		}
		return verify.Beside(c.path)
	}
	var all []verify.Attestation
	for _, s := range sources {
		var found []verify.Attestation
		var err error
		if strings.HasPrefix(s, oci.Scheme) {
			found, err = attachedTo(ctx, s)
		} else {
			found, err = verify.FromPath(s)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// attachedTo reads what is attached to an image that is named as a source.
func attachedTo(ctx context.Context, ref string) ([]verify.Attestation, error) {
	client, images, err := resolve(ctx, ref, oci.AllPlatforms)
	if err != nil {
		return nil, err
	}
	var all []verify.Attestation
	for _, image := range images {
		found, err := attached(client, image)
		if err != nil {
			return nil, registryFailed(image.Digest.String(), err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// A pendingCopy is a copy of the very bytes that were hashed, without its name.
type pendingCopy struct{ temporary, final string }

// hashAndCopy reads a file once, into digests and a temporary file beside to.
func hashAndCopy(ctx context.Context, path, to string) (*pendingCopy, attest.DigestSet, error) {
	in, err := attest.OpenRegular(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading artifact: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("reading artifact %q: %w", path, err)
	}
	out, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".tmp*")
	if err != nil {
		return nil, nil, fmt.Errorf("writing --copy-to %q: %w", to, attest.WithoutPath(err))
	}
	c := &pendingCopy{out.Name(), to}
	digests, n, err := attest.Digest(io.TeeReader(attest.UntilDone(ctx, in), out))
	if err == nil {
		err = out.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = out.Sync()
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err == nil && n == 0 {
		err = attest.ErrEmptyArtifact
	}
	if err != nil {
		c.discard()
		return nil, nil, fmt.Errorf("copying artifact %q to %q: %w", path, to, attest.WithoutPath(err))
	}
	return c, digests, nil
}

func (c *pendingCopy) commit() error {
	if err := os.Rename(c.temporary, c.final); err != nil {
		c.discard()
		return fmt.Errorf("writing --copy-to %q: %w", c.final, err)
	}
	return nil
}

func (c *pendingCopy) discard() { os.Remove(c.temporary) }
