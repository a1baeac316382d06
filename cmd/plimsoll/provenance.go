package main

import (
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
)

// provenanceFlags describe a build beside what the CI's variables say, or on a
// platform of which nothing is known.
type provenanceFlags struct {
	buildType, builderID, source, ref, commit, invocation, started, finished string
	parameters                                                               []string
}

func (f *provenanceFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.builderID, "builder-id", "", "provenance: who built it (URI), instead of the CI that the environment tells of")
	flags.StringVar(&f.buildType, "build-type", "", "provenance: how it was built (URI), on another platform than GitHub and GitLab; needs --builder-id")
	flags.StringArrayVar(&f.parameters, "parameter", nil, "provenance: NAME=VALUE that the build was started with, for --build-type")
	flags.StringVar(&f.source, "source", "", "provenance: the repository's URI, for --build-type")
	flags.StringVar(&f.ref, "source-ref", "", "provenance: the branch or tag, refs/heads/... or refs/tags/...")
	flags.StringVar(&f.commit, "source-commit", "", "provenance: the commit of the source")
	flags.StringVar(&f.invocation, "invocation", "", "provenance: the run's URI, for --build-type")
	flags.StringVar(&f.started, "started", "", "provenance: when the build started (RFC 3339), for --build-type")
	flags.StringVar(&f.finished, "finished", "", "provenance: when it finished")
}

func (f *provenanceFlags) given() bool {
	return f.buildType+f.builderID+f.source+f.ref+f.commit+f.invocation+f.started+f.finished != "" || len(f.parameters) > 0
}

// description reads the flags.
func (f *provenanceFlags) description() (attest.BuildDescription, error) {
	d := attest.BuildDescription{BuildType: f.buildType, BuilderID: f.builderID, Source: f.source, Ref: f.ref, Commit: f.commit, Invocation: f.invocation}
	for _, field := range []struct{ flag, value string }{{"builder-id", f.builderID}, {"build-type", f.buildType}, {"source", f.source}} {
		if u, err := url.Parse(field.value); field.value != "" && (err != nil || u.Scheme == "") {
			return d, usagef("attest: --%s: expected a URI, found %q", field.flag, field.value)
		}
	}
	if f.commit != "" && !commitID.MatchString(f.commit) {
		return d, usagef("attest: --source-commit: expected the 40 or 64 hexadecimal digits of a commit's id, found %q", f.commit)
	}
	for _, field := range []struct {
		flag, value string
		into        *time.Time
	}{{"started", f.started, &d.Started}, {"finished", f.finished, &d.Finished}} {
		if field.value == "" {
			continue
		}
		var err error
		if *field.into, err = time.Parse(time.RFC3339, field.value); err != nil {
			return d, usagef("attest: --%s: expected a time such as 2026-01-31T12:00:00Z, found %q", field.flag, field.value)
		}
	}
	for _, p := range f.parameters {
		name, value, ok := strings.Cut(p, "=")
		if _, again := d.Parameters[name]; !ok || name == "" || again {
			return d, usagef("attest: --parameter: expected NAME=VALUE, each name once, found %q", p)
		}
		if d.Parameters == nil {
			d.Parameters = map[string]string{}
		}
		d.Parameters[name] = value
	}
	return d, nil
}

// claim describes the build. document, if it is not nil, is the SBOM that is attested
// beside: what it names with a digest is what the build resolved.
func (f *provenanceFlags) claim(document *attest.SBOM) (claim, error) {
	d, err := f.description()
	if err != nil {
		return claim{}, err
	}
	if document != nil {
		if d.Dependencies, err = document.Dependencies(); err != nil {
			return claim{}, failed(err)
		}
	}
	build, err := attest.Provenance(os.Getenv, d)
	if err != nil {
		if f.given() {
			return claim{}, usagef("attest: %w", err).withHint("plimsoll attest --help lists the flags")
		}
		return claim{}, failed(err).withHint("run it in a CI job with the platform's default variables")
	}
	return claim{predicateType: attest.TypeProvenance, summary: build.Summary, predicate: build.Predicate}, nil
}
