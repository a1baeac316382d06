package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/attest/oci"
	"plimsoll.example/verify"
)

const attestOCIHelp = `Usage: plimsoll attest push oci://IMAGE FILE... [--platform PLATFORM]
       plimsoll attest pull oci://IMAGE [-o FILE] [--platform PLATFORM]
       plimsoll attest list oci://IMAGE [--platform PLATFORM]

IMAGE is REGISTRY/REPOSITORY:TAG or @sha256:DIGEST. Attestations are kept as referrers
of the image (OCI 1.1), where cosign finds them too. Credentials are those of the docker
configuration and its helpers (docker login makes them).

push attaches the bundles in each FILE. Each must be about the image: have its digest as
a subject. pull writes the image's bundles, one a line, to standard output, or appends
them to FILE. list tells what is attached. Nothing is verified: plimsoll verify does that.

A tag may name an index of images for several platforms. It is the index that is meant,
unless --platform names one (linux/arm64), or all: the index and each of its images.

Examples:
  plimsoll attest push oci://registry.example/app:1.2 app.sigstore.jsonl
  plimsoll attest pull oci://registry.example/app:1.2 -o app.sigstore.jsonl
  plimsoll attest list oci://registry.example/app:1.2 --platform all
`

const platformUsage = "of an index of images, the one for this platform (OS/ARCH), or all"

// ociFlags are those that push, pull and list share.
type ociFlags struct {
	command  string
	platform string
}

func (f *ociFlags) parse(io stdio, args []string, add func(*pflag.FlagSet)) (*pflag.FlagSet, error) {
	flags := newFlags(io, "attest "+f.command, attestOCIHelp)
	flags.StringVar(&f.platform, "platform", "", platformUsage)
	add(flags)
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	if flags.NArg() == 0 {
		return nil, usagef("attest %s: expected %sIMAGE", f.command, oci.Scheme)
	}
	return flags, nil
}

// resolve asks a registry which manifests an image is.
func resolve(ctx context.Context, arg, platform string) (*oci.Client, []oci.Image, error) {
	ref, err := oci.ParseReference(arg)
	if err != nil {
		return nil, nil, usagef("%w", err)
	}
	client := oci.NewClient(ctx)
	images, err := client.Resolve(ref, platform)
	if err != nil {
		return nil, nil, registryFailed(arg, err)
	}
	return client, images, nil
}

// registryFailed is an error of a registry, with what can be done.
func registryFailed(arg string, err error) *exitError {
	failure := failed(fmt.Errorf("%s: %w", arg, err))
	switch {
	case errors.Is(err, oci.ErrDenied):
		return failure.withHint("docker login REGISTRY gives you credentials; they must allow what is asked")
	case errors.Is(err, oci.ErrNotFound):
		return failure.withHint("push the image first, or check its name")
	case errors.Is(err, oci.ErrPlatform):
		return failure.withHint("name a platform that it has, or all")
	}
	return failure.withHint("check the registry's name and that it can be reached, and run the same command again: nothing is attached twice")
}

func runAttestPush(ctx context.Context, io stdio, args []string) error {
	f := ociFlags{command: "push"}
	flags, err := f.parse(io, args, func(*pflag.FlagSet) {})
	if err != nil {
		return err
	}
	if flags.NArg() < 2 {
		return usagef("attest push: expected the FILE with the bundles")
	}
	var bundles []pushed
	for _, file := range flags.Args()[1:] {
		found, err := readBundles(file)
		if err != nil {
			return err
		}
		bundles = append(bundles, found...)
	}
	client, images, err := resolve(ctx, flags.Arg(0), f.platform)
	if err != nil {
		return err
	}
	for _, b := range bundles {
		if len(b.about(images)) == 0 {
			return failed(fmt.Errorf("%s is about another artifact: expected subject sha256 %s (%s), found %s",
				b.source, images[0].Subject.Digest["sha256"], flags.Arg(0), describeSubject(b.statement))).
				withHint("nothing was pushed; --platform names one image of an index, or all")
		}
	}
	return pushAll(io, client, images, bundles)
}

// pushed is a bundle that is to be attached.
type pushed struct {
	source    string
	bundle    []byte
	statement attest.Statement
}

// about are the images that the statement is about.
func (p pushed) about(images []oci.Image) []oci.Image {
	var some []oci.Image
	for _, image := range images {
		if slices.ContainsFunc(p.statement.Subject, func(s attest.Subject) bool {
			return s.Digest["sha256"] == image.Subject.Digest["sha256"]
		}) {
			some = append(some, image)
		}
	}
	return some
}

func describeSubject(s attest.Statement) string {
	if len(s.Subject) == 0 {
		return "none"
	}
	return fmt.Sprintf("%.80q", s.Subject[0].Digest["sha256"])
}

// readBundles reads a file of bundles. Bare envelopes are no bundles.
func readBundles(file string) ([]pushed, error) {
	found, err := verify.FromPath(file)
	if err != nil {
		return nil, failed(err)
	}
	var all []pushed
	for _, a := range found {
		if a.Problem != "" {
			return nil, failed(fmt.Errorf("%s: %s", a.Source, a.Problem))
		}
		parsed, err := attest.ParseEnvelope(a.JSON)
		if err == nil && !parsed.Bundle {
			err = errors.New("expected a Sigstore bundle, found a bare DSSE envelope")
		}
		if err != nil {
			return nil, failed(fmt.Errorf("%s: %w", a.Source, err)).withHint("nothing was pushed")
		}
		statement, err := attest.ParseStatement(parsed.Envelope.Payload)
		if err != nil {
			return nil, failed(fmt.Errorf("%s: %w", a.Source, err)).withHint("nothing was pushed")
		}
		all = append(all, pushed{a.Source, a.JSON, statement})
	}
	if len(all) == 0 {
		return nil, failed(fmt.Errorf("no attestation is in %s", file))
	}
	return all, nil
}

// pushSigned attaches what was just signed.
func pushSigned(ctx context.Context, io stdio, signed []signedArtifact) error {
	for _, s := range signed {
		var bundles []pushed
		for _, st := range s.statements {
			bundles = append(bundles, pushed{s.arg, st.bundle, attest.Statement{Subject: s.subjects, PredicateType: st.predicateType}})
		}
		if err := pushAll(io, oci.NewClient(ctx), s.images, bundles); err != nil {
			return err
		}
	}
	return nil
}

func pushAll(io stdio, client *oci.Client, images []oci.Image, bundles []pushed) error {
	done := 0
	for _, b := range bundles {
		for _, image := range b.about(images) {
			digest, err := client.Push(image, b.bundle, b.statement.PredicateType)
			if err != nil {
				return registryFailed(fmt.Sprintf("%s: %d of the attestations were attached before it", image.Digest, done), err)
			}
			done++
			fmt.Fprintf(io.out, "%s%s: %s attached as %s\n", oci.Scheme, image.Digest, printable(attest.ShortType(b.statement.PredicateType)), digest)
		}
	}
	if client.Fallback() {
		fmt.Fprintf(io.err, "plimsoll: %s has no referrers API: the list of attestations is a tag, and of two pushes at once one may be lost; push from one place at a time\n", images[0].Digest.RegistryStr())
	}
	return nil
}

func runAttestPull(ctx context.Context, io stdio, args []string) error {
	f := ociFlags{command: "pull"}
	var output string
	flags, err := f.parse(io, args, func(flags *pflag.FlagSet) {
		flags.StringVarP(&output, "output", "o", "", "append to this file instead of writing to standard output")
	})
	if err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("attest pull: expected one %sIMAGE, found %d arguments", oci.Scheme, flags.NArg())
	}
	client, images, err := resolve(ctx, flags.Arg(0), f.platform)
	if err != nil {
		return err
	}
	var lines [][]byte
	left := int64(maxPulled)
	for _, image := range images {
		some, err := pullImage(io, client, image, &left)
		if err != nil {
			return err
		}
		lines = append(lines, some...)
	}
	if len(lines) == 0 {
		return failed(fmt.Errorf("no attestation is attached to %s%s", oci.Scheme, images[0].Digest)).
			withHint("plimsoll attest push attaches one; an index has its own, and --platform all looks at its images too")
	}
	if output != "" {
		if _, err := attest.Append(ctx, output, lines...); err != nil {
			return failed(err)
		}
		return nil
	}
	for _, line := range lines {
		if _, err := io.out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// maxPulled bounds the bytes of all bundles, below what verify reads about one artifact:
// else whoever attaches long ones could keep it from the good ones.
const maxPulled = 200 << 20

// pullImage returns an image's bundles, short ones first while there is room, and takes
// them off left.
func pullImage(io stdio, client *oci.Client, image oci.Image, left *int64) ([][]byte, error) {
	attached, err := client.List(image)
	if err != nil {
		return nil, registryFailed(image.Digest.String(), err)
	}
	slices.SortStableFunc(attached, func(a, b oci.Attached) int { return cmp.Compare(a.Size, b.Size) })
	var lines [][]byte
	for _, a := range attached {
		if a.Problem == "" && a.Size >= *left {
			fmt.Fprintf(io.err, "plimsoll: left out %s: with it the bundles would be longer than %d bytes\n", a.Digest, maxPulled)
			continue
		}
		line, err := client.Pull(image, a)
		var unusable *oci.UnusableError
		switch {
		case errors.As(err, &unusable):
			fmt.Fprintf(io.err, "plimsoll: left out %s: %s\n", a.Digest, printable(err.Error()))
			continue
		case err != nil:
			return nil, registryFailed(image.Digest.String(), err)
		}
		*left -= int64(len(line)) + 1
		lines = append(lines, line)
	}
	return lines, nil
}

func runAttestList(ctx context.Context, io stdio, args []string) error {
	f := ociFlags{command: "list"}
	var format string
	flags, err := f.parse(io, args, func(flags *pflag.FlagSet) { addFormat(flags, &format) })
	if err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("attest list: expected one %sIMAGE, found %d arguments", oci.Scheme, flags.NArg())
	}
	client, images, err := resolve(ctx, flags.Arg(0), f.platform)
	if err != nil {
		return err
	}
	type row struct {
		Image         string `json:"image"`
		Platform      string `json:"platform,omitempty"`
		Digest        string `json:"digest"`
		PredicateType string `json:"predicateType,omitempty"`
		Problem       string `json:"problem,omitempty"`
	}
	rows := []row{}
	for _, image := range images {
		attached, err := client.List(image)
		if err != nil {
			return registryFailed(image.Digest.String(), err)
		}
		for _, a := range attached {
			rows = append(rows, row{image.Digest.String(), image.Platform, a.Digest, a.PredicateType, a.Problem})
		}
	}
	if format == "json" {
		encoder := json.NewEncoder(io.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Schema   string `json:"schema"`
			Attached []row  `json:"attached"`
		}{"https://plimsoll.example/schema/attached/v1", rows})
	}
	if len(rows) == 0 {
		fmt.Fprintf(io.err, "plimsoll: no attestation is attached to %s%s\n", oci.Scheme, images[0].Digest)
		return nil
	}
	table := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "IMAGE\tPLATFORM\tATTESTATION\tSAYS TO BE (UNVERIFIED)")
	for _, r := range rows {
		says := r.PredicateType
		if r.Problem != "" {
			says = "unusable: " + r.Problem
		}
		platform := strings.ReplaceAll(cell(r.Platform), " ", "\uFFFD") // whoever pushed the index chose it
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.Image, platform, r.Digest, cell(says))
	}
	return table.Flush()
}

// cell is what prints of s, within one column of a table.
func cell(s string) string { return strings.ReplaceAll(printable(s), "\t", " ") }
