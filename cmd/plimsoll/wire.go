package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"plimsoll.example/verify"
	"plimsoll.example/verify/layout"
	"plimsoll.example/verify/npm"
)

// A layoutChecker has package layout follow a policy's layouts.
type layoutChecker struct{}

// CheckLayout implements [verify.LayoutChecker].
func (layoutChecker) CheckLayout(ctx context.Context, check verify.LayoutCheck) (verify.LayoutResult, error) {
	in := layout.Input{Layout: check.Layout, Owners: check.Owners, Step: check.Step, Artifact: check.Artifact, Now: check.Now}
	for _, l := range check.Links {
		if l.Problem == "" {
			in.Links = append(in.Links, layout.Link{Name: l.Source, Data: l.JSON})
		}
	}
	found, err := layout.Check(ctx, in)
	if err != nil {
		return verify.LayoutResult{}, err
	}
	result := verify.LayoutResult{Notes: []string{
		fmt.Sprintf("the layout is signed by %s, and expires on %s", strings.Join(found.Owners, " and "), found.Expires.UTC().Format("2006-01-02")),
		fmt.Sprintf("the artifact is %s of step %s", strings.Join(found.Products, ", "), check.Step),
	}}
	for _, step := range found.Steps {
		var who []string
		for _, f := range step.Functionaries {
			who = append(who, fmt.Sprintf("key %s (%s)", f.Key, f.Link))
			result.Used = append(result.Used, f.Link)
		}
		command := ""
		if !step.CommandChecked {
			command = "; the layout expects no command of it"
		}
		result.Notes = append(result.Notes, fmt.Sprintf("step %s by %s%s", step.Name, strings.Join(who, ", "), command))
	}
	return result, nil
}

// A packageChecker verifies npm packages by saved answers.
type packageChecker struct {
	checker verify.Checker
	answers npm.Answers
}

func newPackageChecker(folder string) (*packageChecker, error) {
	if info, err := os.Stat(folder); err != nil {
		return nil, failed(fmt.Errorf("reading --npm-answers: %w", err))
	} else if !info.IsDir() {
		return nil, failed(fmt.Errorf("reading --npm-answers: %q is no folder", folder))
	}
	checker, err := npmChecker()
	if err != nil {
		return nil, err
	}
	return &packageChecker{checker, npm.Answers{Files: os.DirFS(folder)}}, nil
}

// CheckPackage implements [verify.PackageChecker].
func (c *packageChecker) CheckPackage(ctx context.Context, name, version, sha512 string) error {
	sum, err := hex.DecodeString(sha512)
	if err != nil || len(sum) == 0 {
		return &verify.Refusal{Code: verify.CodeIntegrityMissing, Expected: "the SHA-512 of the package's tarball in the SBOM", Found: "none"}
	}
	_, err = npm.CheckStored(ctx, c.checker, npm.Package{Name: name, Version: version, Integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum)}, c.answers)
	return err
}
