package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"plimsoll.example/sbom"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// attested verifies the saved answers about npm packages for an SBOM; nil if that was
// not asked for.
func (f *sbomFlags) attested() (func(ctx context.Context, name, version, integrity string) (sbom.Attested, error), error) {
	if f.npmAnswers == "" {
		return nil, nil
	}
	if info, err := os.Stat(f.npmAnswers); err != nil {
		return nil, failed(fmt.Errorf("reading --npm-answers: %w", err))
	} else if !info.IsDir() {
		return nil, failed(fmt.Errorf("reading --npm-answers: %q is no folder", f.npmAnswers))
	}
	checker, _, err := f.npmTrust.open()
	if err != nil {
		return nil, err
	}
	answers := npm.Answers{Files: os.DirFS(f.npmAnswers)}
	return func(ctx context.Context, name, version, integrity string) (sbom.Attested, error) {
		origin, err := npm.CheckStored(ctx, checker, npm.Package{Name: name, Version: version, Integrity: integrity}, answers)
		var refused *verify.Refusal
		switch {
		case errors.As(err, &refused) && refused.Code == verify.CodeNoAttestations:
			return sbom.Attested{Outcome: "none"}, nil
		case errors.As(err, &refused):
			return sbom.Attested{Outcome: string(refused.Code)}, nil
		case err != nil:
			return sbom.Attested{}, err
		}
		return sbom.Attested{
			Outcome: "verified", BuiltBy: builtBy(origin),
			URL:    strings.TrimRight(origin.Registry, "/") + "/-/npm/v1/attestations/" + strings.Replace(name, "/", "%2f", 1) + "@" + version,
			SHA256: strings.TrimPrefix(origin.Bundle, "sha256:"),
		}, nil
	}, nil
}
