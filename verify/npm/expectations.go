package npm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"plimsoll.example/attest"
)

// ExpectationsFile is what a project's expectations are called.
const ExpectationsFile = "plimsoll.npm.json"

// ExpectationsSchema is the schema of the file.
const ExpectationsSchema = schemaPrefix + "npm-expectations/v1"

// MaxExpectations bounds the file.
const MaxExpectations = 64 << 20

// Expectations say from where and by whom the packages of a project come: for each
// package line (name and major version) what a person accepted when it was recorded.
// Nil expects nothing of anything.
type Expectations struct {
	Lines map[string]Expected // by line: NAME@MAJOR
}

// Expected is what is recorded of a package line. Repository and what follows it are
// empty where Provenance is false.
type Expected struct {
	Registry     string `json:"registry,omitempty"`
	Provenance   bool   `json:"provenance"`
	Repository   string `json:"repository,omitempty"`
	RepositoryID string `json:"repositoryId,omitempty"`
	OwnerID      string `json:"ownerId,omitempty"`
	Workflow     string `json:"workflow,omitempty"` // path in the repository
	Ref          string `json:"ref,omitempty"`      // tag, branch, pull request or other
	Runner       string `json:"runner,omitempty"`
	// InstalledAs are other names under which the project installs or requires it.
	InstalledAs []string `json:"installedAs,omitempty"`
	// InstallScripts are those that the package had.
	InstallScripts []string          `json:"installScripts,omitempty"`
	Versions       map[string]string `json:"versions"` // version to integrity
	// Except are versions that differ from what is said here and were accepted, with
	// the integrity that Versions has.
	Except []string `json:"except,omitempty"`
}

// LineOf returns the package line of a package: NAME@MAJOR. 01.0.0 is no way out of the
// line 1.
func LineOf(pkg Package) string {
	major, _, _ := strings.Cut(pkg.Version, ".")
	return pkg.Name + "@" + cmp.Or(strings.TrimLeft(major, "0"), "0")
}

func nameOf(line string) string { return line[:strings.LastIndexByte(line, '@')] }

// ParseExpectations reads a file strictly. Whoever may change it decides what is
// expected: the caller must trust where data came from.
func ParseExpectations(data []byte) (*Expectations, error) {
	if len(data) > MaxExpectations {
		return nil, fmt.Errorf("expected at most %d bytes, found %d", MaxExpectations, len(data))
	}
	var file struct {
		Schema   string              `json:"schema"`
		Packages map[string]Expected `json:"packages"`
	}
	if err := jsonv2.Unmarshal(data, &file, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, attest.JSONError(err)
	}
	if file.Schema != ExpectationsSchema {
		return nil, fmt.Errorf("expected schema %s, found %.200q", ExpectationsSchema, file.Schema)
	}
	for line, e := range file.Packages {
		if err := e.check(line); err != nil {
			return nil, fmt.Errorf("%.200q: %w", line, err)
		}
	}
	if file.Packages == nil {
		file.Packages = map[string]Expected{}
	}
	return &Expectations{Lines: file.Packages}, nil
}

func (e Expected) check(line string) error {
	if pkg, err := ParsePackage(line + ".0.0"); err != nil || LineOf(pkg) != line {
		return fmt.Errorf("expected NAME@MAJOR")
	}
	if e.Versions == nil { // null, or an entry that says nothing: it would expect no provenance
		return fmt.Errorf("versions: missing")
	}
	if e.Provenance && e.Repository == "" {
		return fmt.Errorf("repository: missing beside provenance")
	}
	if !e.Provenance && e.Repository+e.RepositoryID+e.OwnerID+e.Workflow+e.Ref+e.Runner != "" {
		return fmt.Errorf("a repository, workflow, ref or runner without provenance")
	}
	for version, integrity := range e.Versions {
		if pkg, err := ParsePackage(nameOf(line) + "@" + version); err != nil || LineOf(pkg) != line {
			return fmt.Errorf("versions: %.100q is no version of this line", version)
		}
		if _, err := SHA512(integrity); err != nil {
			return fmt.Errorf("versions: %s: %w", version, err)
		}
	}
	for _, name := range e.InstalledAs {
		if err := (Package{Name: name, Version: "0.0.0"}).check(); err != nil {
			return fmt.Errorf("installedAs: %w", err)
		}
	}
	for _, version := range e.Except {
		if e.Versions[version] == "" {
			return fmt.Errorf("except: %.100q is not among the versions", version)
		}
	}
	return nil
}

// Encode writes the file: sorted, a line a member, so that a review shows what
// changed.
func (e *Expectations) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Schema   string              `json:"schema"`
		Packages map[string]Expected `json:"packages"`
	}{ExpectationsSchema, e.Lines})
	return b.Bytes(), err
}

// line returns what is recorded of a package's line.
func (e *Expectations) line(pkg Package) (Expected, bool) {
	if e == nil {
		return Expected{}, false
	}
	line, ok := e.Lines[LineOf(pkg)]
	return line, ok
}

// holds tells whether a version is recorded with this integrity.
func (e *Expectations) holds(pkg Package, integrity string) bool {
	line, _ := e.line(pkg)
	recorded := line.Versions[pkg.Version]
	return recorded != "" && sameDigest(recorded, integrity)
}

func sameDigest(a, b string) bool {
	x, errX := SHA512(a)
	y, errY := SHA512(b)
	return errX == nil && errY == nil && x == y
}
