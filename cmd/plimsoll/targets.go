package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"plimsoll.example/attest"
	"plimsoll.example/attest/oci"
)

// target is an artifact that is to be attested.
type target struct {
	arg      string // as the user names it
	path     string // of the file or directory, without a slash at its end; "": it is no file
	subjects []attest.Subject
	images   []oci.Image // in a registry, one a subject
	bundles  string      // the file that its bundles are appended to; "": none
}

// describe names what the digest shown is of.
func (t target) describe() string {
	if n := len(t.subjects); n > 1 {
		return fmt.Sprintf("%s, or one of %d others", t.subjects[0].Name, n-1)
	}
	return cmp.Or(t.subjects[0].Name, t.arg)
}

// digestArguments are the artifacts that are named by a digest.
var digestArguments = []string{"sha256", "sha512", "gitCommit"}

var commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// readTarget hashes an artifact. name, if not "", is the subject's; platform picks
// images of an index.
func readTarget(ctx context.Context, arg, name, platform string) (target, error) {
	if strings.HasPrefix(arg, oci.Scheme) {
		return readImage(ctx, arg, name, platform)
	}
	if platform != "" {
		return target{}, usagef("attest: --platform goes with %sIMAGE, found %q", oci.Scheme, arg)
	}
	for _, algorithm := range digestArguments {
		digest, ok := strings.CutPrefix(arg, algorithm+":")
		if !ok {
			continue
		}
		if algorithm == "gitCommit" && !commitID.MatchString(digest) {
			return target{}, usagef("attest: expected gitCommit: and the 40 or 64 hexadecimal digits of a commit's id, found %q", digest)
		}
		subject := attest.Subject{Name: name, Digest: attest.DigestSet{algorithm: digest}}
		if err := subject.Digest.WellFormed(); err != nil {
			return target{}, usagef("attest: %w", err)
		}
		return target{arg: arg, subjects: []attest.Subject{subject}}, nil
	}
	if info, err := os.Stat(arg); err == nil && info.IsDir() {
		if name != "" {
			return target{}, usagef("attest: --name names one file; in the directory %q each has its own", arg)
		}
		return readDirectory(ctx, arg)
	}
	digests, err := attest.DigestFile(ctx, arg)
	switch {
	case errors.Is(err, attest.ErrEmptyArtifact):
		return target{}, failed(err).withHint("a statement about nothing is true of every empty file; find out what emptied it")
	case errors.Is(err, os.ErrNotExist):
		return target{}, failed(err).withHint("build the artifact first, or check the path")
	case err != nil:
		return target{}, failed(err)
	}
	if name == "" {
		name = filepath.Base(arg)
		switch purl, err := attest.NPMPackage(ctx, arg); {
		case err == nil:
			name = purl
		case !errors.Is(err, attest.ErrNotNPM):
			return target{}, failed(err).withHint("--name NAME says what the subject is called, whatever is in the file")
		}
	}
	return target{arg: arg, path: arg, subjects: []attest.Subject{{Name: name, Digest: digests}}}, nil
}

// readImage asks a registry for an image's manifest.
func readImage(ctx context.Context, arg, name, platform string) (target, error) {
	_, images, err := resolve(ctx, arg, platform)
	if err != nil {
		return target{}, err
	}
	t := target{arg: arg, images: images}
	for _, image := range images {
		subject := image.Subject
		if name != "" {
			subject.Name = name
		}
		t.subjects = append(t.subjects, subject)
	}
	return t, nil
}

// readDirectory makes each regular file of a directory a subject.
func readDirectory(ctx context.Context, dir string) (target, error) {
	r, err := attest.RecordFiles(ctx, dir, []string{"."}, nil, attest.MaxSubjects)
	var nothing *attest.ErrNothing
	switch {
	case errors.As(err, &nothing):
		return target{}, failed(fmt.Errorf("directory %q has no files", dir)).withHint("build the artifact first, or check the path")
	case errors.Is(err, attest.ErrTooMany):
		return target{}, failed(fmt.Errorf("directory %q: %w in one statement", dir, err)).withHint("pack it into an archive and attest that")
	case err != nil:
		return target{}, failed(err)
	case len(r.LedOut) > 0:
		return target{}, failed(fmt.Errorf("directory %q: %q is a link that leads out of it, or nowhere", dir, r.LedOut[0])).
			withHint("a statement about the directory would not cover it; replace it with what it leads to")
	}
	return target{arg: dir, path: filepath.Clean(dir), subjects: r.Files}, nil
}
