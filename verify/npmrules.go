package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	packageurl "github.com/package-url/packageurl-go"
	"plimsoll.example/attest"
)

// A Dependency is what an SBOM lists of what the artifact is made of.
type Dependency struct {
	Purl    string // or what else the SBOM calls it
	Name    string // of an npm package, with its scope; "" for anything else
	Version string // of an npm package
	SHA512  string // of an npm package, hex; "" if the SBOM gives none, or two
}

// A PackageChecker verifies where an npm package came from by a registry's answers
// that were saved. It returns a *Refusal if that is not proven, and another error
// where nothing could be decided.
type PackageChecker interface {
	CheckPackage(ctx context.Context, name, version, sha512 string) error
}

// dependenciesIn lists the dependencies in a CycloneDX statement, each once.
func dependenciesIn(s attest.Statement) ([]Dependency, error) {
	if s.PredicateType != attest.TypeCycloneDX {
		return nil, fmt.Errorf("expected %s, found %s", attest.TypeCycloneDX, s.PredicateType)
	}
	d, err := readDocument(s.Predicate)
	if err != nil {
		return nil, err
	}
	return d.dependencies()
}

// dependencies lists every component but the main one and files, nested ones too. An npm
// package is one by name, version and digest, however its purl is written; one purl with
// two digests are two packages, of which both must be proven.
func (d *document) dependencies() ([]Dependency, error) {
	var list []Dependency
	seen := map[Dependency]bool{}
	for _, c := range d.all() {
		if c.Type == "file" {
			continue
		}
		one := Dependency{Purl: c.name()}
		if c.Purl != "" {
			p, err := packageurl.FromString(c.Purl)
			if err != nil {
				return nil, fmt.Errorf("component %.200q: %w", c.Purl, err)
			}
			if p.Type == packageurl.TypeNPM {
				one.Name, one.Version, one.SHA512 = strings.TrimPrefix(p.Namespace+"/"+p.Name, "/"), p.Version, c.sha512()
			}
		}
		key := one
		if key.Name != "" {
			key.Purl = ""
		}
		if !seen[key] {
			seen[key] = true
			list = append(list, one)
		}
	}
	return list, nil
}

// sha512 returns the digest of what a component was distributed as, which stands beside
// the component (npm) or its distribution (this program). Of two that differ, nobody can
// tell which is meant.
func (c component) sha512() string {
	var digest string
	hashes := c.Hashes
	for _, r := range c.References {
		if r.Type == "distribution" {
			hashes = append(hashes[:len(hashes):len(hashes)], r.Hashes...)
		}
	}
	for _, h := range hashes {
		content := strings.ToLower(h.Content)
		switch {
		case h.Alg != "SHA-512":
		case digest == "":
			digest = content
		case digest != content:
			return ""
		}
	}
	return digest
}

// judgeAnswers verifies every npm package of an SBOM by saved answers.
func (e *evaluation) judgeAnswers(rules *NPMRules, c candidate, j *judged) []*Refusal {
	dependencies, err := dependenciesIn(c.statement.statement)
	if err != nil {
		return []*Refusal{{Code: CodePredicateMalformed, Expected: "an SBOM that lists npm packages", Found: err.Error()}}
	}
	packages := slices.DeleteFunc(dependencies, func(d Dependency) bool { return d.Name == "" })
	if e.gate.Packages == nil {
		e.err = errors.New("the policy verifies saved npm answers, and no folder of them was named")
		return nil
	}
	var unproven []*Refusal
	for _, p := range packages {
		err := e.gate.Packages.CheckPackage(e.ctx, p.Name, p.Version, p.SHA512)
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
