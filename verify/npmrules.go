package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	packageurl "github.com/package-url/packageurl-go"
	"plimsoll.example/attest"
)

// An NPMPackage is an npm package of an SBOM, with the digest that the SBOM gives.
type NPMPackage struct {
	Purl   string
	Name   string // with its scope
	SHA512 string // hex; "" if the SBOM gives none
}

// A PackageChecker verifies where an npm package came from by a registry's answers
// that were saved. It returns a *Refusal if that is not proven, and another error
// where nothing could be decided.
type PackageChecker interface {
	CheckPackage(ctx context.Context, name, version, sha512 string) error
}

// npmPackages lists the npm packages of a CycloneDX statement, each purl and digest
// once.
func npmPackages(s attest.Statement) ([]NPMPackage, error) {
	if s.PredicateType != attest.TypeCycloneDX {
		return nil, fmt.Errorf("expected %s, found %s", attest.TypeCycloneDX, s.PredicateType)
	}
	d, err := readDocument(s.Predicate)
	if err != nil {
		return nil, err
	}
	return d.npmPackages()
}

func (d *document) npmPackages() ([]NPMPackage, error) {
	var packages []NPMPackage
	seen := map[string]bool{}
	for _, c := range d.all() {
		if c.Purl == "" {
			continue
		}
		p, err := packageurl.FromString(c.Purl)
		if err != nil {
			return nil, fmt.Errorf("component %.200q: %w", c.Purl, err)
		}
		if p.Type != packageurl.TypeNPM {
			continue
		}
		one := NPMPackage{Purl: c.Purl, Name: strings.TrimPrefix(p.Namespace+"/"+p.Name, "/")}
		for _, r := range c.References {
			for _, h := range r.Hashes {
				if r.Type == "distribution" && h.Alg == "SHA-512" {
					one.SHA512 = strings.ToLower(h.Content)
				}
			}
		}
		// One purl with two digests are two packages, of which both must be proven.
		if key := one.Purl + " " + one.SHA512; !seen[key] {
			seen[key] = true
			packages = append(packages, one)
		}
	}
	return packages, nil
}

// judgeAnswers verifies every npm package of an SBOM by saved answers.
func (e *evaluation) judgeAnswers(rules *NPMRules, c candidate, j *judged) []*Refusal {
	packages, err := npmPackages(c.statement.statement)
	if err != nil {
		return []*Refusal{{Code: CodePredicateMalformed, Expected: "an SBOM that lists npm packages", Found: err.Error()}}
	}
	if e.gate.Packages == nil {
		e.err = errors.New("the policy verifies saved npm answers, and no folder of them was named")
		return nil
	}
	var unproven []*Refusal
	for _, p := range packages {
		purl, err := packageurl.FromString(p.Purl)
		if err != nil {
			return []*Refusal{{Code: CodePredicateMalformed, Expected: "a purl", Found: p.Purl}}
		}
		err = e.gate.Packages.CheckPackage(e.ctx, p.Name, purl.Version, p.SHA512)
		var refused *Refusal
		switch {
		case err == nil:
			continue
		case !errors.As(err, &refused):
			e.err = fmt.Errorf("checking %s: %w", p.Purl, err)
			return nil
		}
		unproven = append(unproven, &Refusal{Code: CodeDependencyUnproven, Subject: p.Purl, Expected: "provenance that holds for " + p.Purl,
			Found: refused.Error(), Remedy: refused.WhatToDo()})
	}
	j.notes = append(j.notes, fmt.Sprintf("%d npm packages of %s were verified by saved answers, %d are not proven", len(packages), c.source, len(unproven)))
	if len(unproven) <= rules.Below {
		return nil
	}
	return unproven
}
