package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/sbom"
)

// maxPredicate bounds what is attested.
const maxPredicate = 64 << 20

// claim is one thing that is to be said about each artifact.
type claim struct {
	predicateType string
	summary       string // for people
	predicate     json.RawMessage
	file          string       // that it came from
	document      *attest.SBOM // nil: it is none
}

// claimFlags say what is to be said.
type claimFlags struct {
	sbom, sbomProfile, vulns, vex, vsa, test, testURL, scanTime string
	testConfig, predicates, types                               []string
	provenance                                                  bool
	build                                                       provenanceFlags
}

func (f *claimFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.sbom, "sbom", "", "attest this CycloneDX or SPDX document in JSON")
	flags.StringVar(&f.sbomProfile, "sbom-profile", "", "sign the CycloneDX document only if it holds to this profile: "+strings.Join(sbom.Profiles(), ", "))
	flags.BoolVar(&f.provenance, "provenance", false, "attest how the artifact was built")
	f.build.add(flags)
	flags.StringVar(&f.vulns, "vulns", "", "attest what a scanner found: the JSON report of OSV-Scanner, Grype or Trivy")
	flags.StringVar(&f.scanTime, "scan-time", "", "when the scan was (RFC 3339), for reports that do not say")
	flags.StringVar(&f.vex, "vex", "", "attest this OpenVEX document")
	flags.StringVar(&f.vsa, "vsa", "", "attest this verification summary")
	flags.StringVar(&f.test, "test", "", "attest which tests passed: JUnit's XML, or the lines of go test -json")
	flags.StringArrayVar(&f.testConfig, "test-config", nil, "the tests were configured by this file")
	flags.StringVar(&f.testURL, "test-url", "", "the tests ran there")
	flags.StringArrayVar(&f.predicates, "predicate", nil, "attest this JSON object; --type says what it is")
	flags.StringArrayVar(&f.types, "type", nil, "the predicate's type: a URI, or a name that plimsoll attest types lists")
}

func (f *claimFlags) none() bool {
	return f.sbom == "" && f.vulns == "" && f.vex == "" && f.vsa == "" && f.test == "" && !f.provenance && len(f.predicates) == 0
}

// files are those that are read.
func (f *claimFlags) files() []string {
	return append(append([]string{f.sbom, f.vulns, f.vex, f.vsa, f.test}, f.testConfig...), f.predicates...)
}

func (f *claimFlags) check() error {
	stdin := 0
	for _, file := range f.files() {
		if file == "-" {
			stdin++
		}
	}
	switch {
	case stdin > 1:
		return usagef("attest: standard input can be read once, %d flags name it", stdin)
	case len(f.types) != len(f.predicates):
		return usagef("attest: expected one --type for each --predicate, found %d for %d", len(f.types), len(f.predicates))
	case f.sbomProfile != "" && f.sbom == "":
		return usagef("attest: --sbom-profile goes with --sbom")
	case f.test == "" && (len(f.testConfig) > 0 || f.testURL != ""):
		return usagef("attest: --test-config and --test-url go with --test")
	case f.build.given() && !f.provenance:
		return usagef("attest: --builder-id, --build-type and the like go with --provenance")
	case f.scanTime != "" && f.vulns == "":
		return usagef("attest: --scan-time goes with --vulns")
	}
	if f.sbomProfile != "" && !slices.Contains(sbom.Profiles(), f.sbomProfile) {
		return usagef("attest: --sbom-profile: expected one of %s, found %q", strings.Join(sbom.Profiles(), ", "), f.sbomProfile)
	}
	for _, name := range f.types {
		if _, err := predicateType(name); err != nil {
			return err
		}
	}
	return nil
}

// predicateType finds a type by its URI or its name.
func predicateType(name string) (string, error) {
	var uris []string
	for _, t := range attest.PredicateTypes() {
		if t.Short == name {
			uris = append(uris, t.URI)
		}
	}
	if len(uris) == 1 {
		return uris[0], nil
	}
	if len(uris) > 1 {
		return "", usagef("attest: --type %s may be %s; name one", name, strings.Join(uris, " or "))
	}
	if u, err := url.Parse(name); err != nil || u.Scheme == "" {
		return "", usagef("attest: --type: expected a URI or a name, found %q", name).withHint("plimsoll attest types lists the names")
	}
	return name, nil
}

// claims reads everything that is to be said.
func (f *claimFlags) claims(io stdio) ([]claim, error) {
	var all []claim
	for _, source := range []struct {
		file string
		make func(io stdio, file string, data []byte) (claim, error)
	}{{f.sbom, f.sbomClaim}, {f.vulns, f.vulnsClaim}, {f.vex, document(attest.TypeOpenVEX)}, {f.vsa, document(attest.TypeVSA)}, {f.test, f.testClaim}} {
		if source.file == "" {
			continue
		}
		data, err := readInput(io, source.file, maxPredicate)
		if err != nil {
			problem := failed(fmt.Errorf("reading %q: %w", source.file, attest.WithoutPath(err)))
			if source.file == f.sbom {
				return nil, problem.withHint("plimsoll sbom PATH -o %s makes one", f.sbom)
			}
			return nil, problem
		}
		c, err := source.make(io, source.file, data)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if f.provenance {
		c, err := f.build.claim(documentIn(all))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	for i, file := range f.predicates {
		uri, err := predicateType(f.types[i])
		if err != nil {
			return nil, err
		}
		data, err := readInput(io, file, maxPredicate)
		if err != nil {
			return nil, failed(fmt.Errorf("reading %q: %w", file, attest.WithoutPath(err)))
		}
		c, err := f.predicateClaim(io, uri, file, data)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// predicateClaim reads a predicate of a named type; an SBOM is one, however it is named.
func (f *claimFlags) predicateClaim(io stdio, uri, file string, data []byte) (claim, error) {
	switch uri {
	case attest.TypeCycloneDX, attest.TypeSPDX2, attest.TypeSPDX3:
		c, err := f.sbomClaim(io, file, data)
		if err == nil && c.predicateType != uri {
			return claim{}, usagef("attest: --type says that %q is %s, found %s", file, uri, c.predicateType)
		}
		return c, err
	}
	return document(uri)(io, file, data)
}

// documentIn finds the SBOM among claims.
func documentIn(claims []claim) *attest.SBOM {
	for _, c := range claims {
		if c.document != nil {
			return c.document
		}
	}
	return nil
}

// document is a predicate as it stands in a file.
func document(uri string) func(stdio, string, []byte) (claim, error) {
	return func(_ stdio, file string, data []byte) (claim, error) {
		if err := attest.CheckPredicate(uri, data); err != nil {
			return claim{}, failed(fmt.Errorf("%q: %w", file, err)).withHint("plimsoll attest types lists what is required; nothing was signed")
		}
		return claim{predicateType: uri, predicate: data, file: file}, nil
	}
}

// sbomClaim reads an SBOM and checks it as sbom check does.
func (f *claimFlags) sbomClaim(io stdio, file string, data []byte) (claim, error) {
	s, err := attest.ParseSBOM(data)
	if err == nil {
		err = attest.CheckPredicate(s.Type, data)
	}
	if err != nil {
		return claim{}, failed(fmt.Errorf("reading SBOM %q: %w", file, err)).withHint("plimsoll sbom PATH writes one")
	}
	c := claim{predicateType: s.Type, predicate: s.Predicate, file: file, document: &s}
	if s.Type != attest.TypeCycloneDX {
		if f.sbomProfile != "" {
			return claim{}, usagef("attest: --sbom-profile: SBOM %q is no CycloneDX document, which profiles are about", file)
		}
		return c, nil
	}
	profile := f.sbomProfile
	if profile == "" {
		profile = "plimsoll"
	}
	a, err := sbom.Check(bytes.NewReader(data), profile)
	if err != nil {
		return claim{}, failed(fmt.Errorf("reading SBOM %q: %w", file, err)).withHint("plimsoll sbom check %s tells more; nothing was signed", file)
	}
	if !a.Failed {
		return c, nil
	}
	var lacks []string
	for _, finding := range a.Findings {
		if finding.Status == sbom.Fail && finding.Level == sbom.Required {
			lacks = append(lacks, finding.Element)
		}
	}
	problem := fmt.Sprintf("SBOM %q does not hold to profile %s: %s", file, profile, strings.Join(lacks, ", "))
	if f.sbomProfile != "" {
		return claim{}, failed(errors.New(problem)).withHint("plimsoll sbom check %s --profile %s tells where; nothing was signed", file, profile)
	}
	fmt.Fprintf(io.err, "plimsoll: %s; plimsoll sbom check %s tells where\n", printable(problem), printable(file))
	return c, nil
}

func (f *claimFlags) vulnsClaim(_ stdio, file string, data []byte) (claim, error) {
	var at time.Time
	if f.scanTime != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, f.scanTime); err != nil {
			return claim{}, usagef("attest: --scan-time: expected a time such as 2026-01-31T12:00:00Z, found %q", f.scanTime)
		}
	}
	predicate, found, err := attest.ParseVulns(data, at)
	if errors.Is(err, attest.ErrNoScanTime) {
		return claim{}, failed(fmt.Errorf("%q: %w", file, err)).withHint("--scan-time TIME says it; nothing was signed")
	}
	if errors.Is(err, attest.ErrScanTime) {
		return claim{}, usagef("%q: %w; leave --scan-time out", file, err)
	}
	if err != nil {
		return claim{}, failed(fmt.Errorf("%q: %w", file, err)).withHint("nothing was signed")
	}
	return claim{predicateType: attest.TypeVulns, predicate: predicate, file: file, summary: fmt.Sprintf("%d found", found)}, nil
}

func (f *claimFlags) testClaim(_ stdio, file string, data []byte) (claim, error) {
	var configuration []attest.Configuration
	for _, name := range f.testConfig {
		raw, err := readBounded(name, maxPredicate)
		if err != nil {
			return claim{}, failed(fmt.Errorf("reading %q: %w", name, attest.WithoutPath(err)))
		}
		digests, _, err := attest.Digest(bytes.NewReader(raw))
		if err != nil {
			return claim{}, failed(err)
		}
		configuration = append(configuration, attest.Configuration{Name: filepath.ToSlash(name), Digest: digests})
	}
	predicate, counts, err := attest.ParseTests(data, configuration, f.testURL)
	if err != nil {
		return claim{}, failed(fmt.Errorf("%q: %w", file, err)).withHint("nothing was signed")
	}
	summary := fmt.Sprintf("%d passed, %d failed, %d skipped", counts.Passed, counts.Failed, counts.Skipped)
	return claim{predicateType: attest.TypeTestResult, predicate: predicate, file: file, summary: summary}, nil
}

// readInput reads a file, or standard input for "-".
func readInput(std stdio, file string, most int64) ([]byte, error) {
	if file != "-" {
		return readBounded(file, most)
	}
	data, err := io.ReadAll(io.LimitReader(std.in, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("standard input: %w of %d bytes", errTooBig, most)
	}
	return data, err
}
