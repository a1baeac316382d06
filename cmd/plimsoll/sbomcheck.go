package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"plimsoll.example/sbom"
)

const sbomCheckHelp = `Usage: plimsoll sbom check FILE [--profile NAME] [--min SCORE]

Says what a CycloneDX 1.4 to 1.7 SBOM in JSON lacks, clause by clause, whichever
tool wrote it: pass, unknown or withheld (it says so itself), or fail, with the
places. FILE may be - for standard input.

Profiles: cisa-2026, bsi-2.1, ntia-2021, and plimsoll (the default), which demands
every field or a word that it is unknown. The score is the mean over the required
and additional clauses of the share of components that hold to it, from 0 to 10.

Exit codes: 0 every required clause holds, and the score is at least --min; 1 the
file cannot be read; 2 flags; 3 a required clause fails, the score is lower, or
the file is no CycloneDX document.

Examples:
  plimsoll sbom check app.cdx.json --profile bsi-2.1
  plimsoll sbom check app.cdx.json --profile cisa-2026 --min 9 --format json
`

type sbomCheckFlags struct {
	profile, format string
	min             float64
}

func runSBOMCheck(_ context.Context, io stdio, args []string) error {
	var f sbomCheckFlags
	flags := newFlags(io, "sbom check", sbomCheckHelp)
	flags.StringVar(&f.profile, "profile", "plimsoll", strings.Join(sbom.Profiles(), ", "))
	flags.Float64Var(&f.min, "min", 0, "the lowest score that is enough, from 0 to 10")
	addFormat(flags, &f.format)
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() != 1:
		return usagef("sbom check: expected one FILE, found %d", flags.NArg()).withHint("a folder that is called check is ./check")
	case !slices.Contains(sbom.Profiles(), f.profile):
		return usagef("sbom check: --profile: expected one of %s, found %q", strings.Join(sbom.Profiles(), ", "), f.profile)
	case !(f.min >= 0 && f.min <= 10):
		return usagef("sbom check: --min: expected a score from 0 to 10, found %v", f.min)
	}
	a, err := checkFile(io, flags.Arg(0), f.profile)
	if err != nil {
		return err
	}
	exit := exitYes
	if a.Failed || a.Score < f.min {
		exit = exitNo
	}
	if f.format == "json" {
		err = printAssessmentJSON(io.out, flags.Arg(0), a, f.min, exit)
	} else {
		err = printAssessment(io.out, flags.Arg(0), a, f.min, exit)
	}
	if err != nil {
		return failed(fmt.Errorf("writing the report: %w", err))
	}
	if exit != exitYes {
		return &exitError{code: exit}
	}
	return nil
}

func checkFile(io stdio, path, profile string) (*sbom.Assessment, error) {
	in := io.in
	if path != "-" {
		info, err := os.Stat(path)
		if err != nil {
			return nil, failed(fmt.Errorf("reading SBOM: %w", err)).withHint("check the path")
		}
		if info.IsDir() {
			return nil, failed(fmt.Errorf("reading SBOM %q: expected a file, found a directory", path)).withHint("name the SBOM itself")
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, failed(fmt.Errorf("reading SBOM: %w", err))
		}
		defer f.Close()
		in = f
	}
	a, err := sbom.Check(in, profile)
	if errors.Is(err, sbom.ErrMalformed) {
		return nil, (&exitError{code: exitNo, err: fmt.Errorf("%s: %w", path, err)}).withHint("it must be CycloneDX in JSON, whole")
	} else if err != nil {
		return nil, failed(fmt.Errorf("%s: %w", path, err))
	}
	return a, nil
}
