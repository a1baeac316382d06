package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plimsoll.example/attest"
)

// Bounds of what is read from sources.
const (
	maxSource       = 256 << 20
	maxAttestations = 4096
)

// A SourceError reports a place of attestations that cannot be read. It means
// that there is no decision, never that there are no attestations.
type SourceError struct {
	Path string
	Err  error
}

func (e *SourceError) Error() string {
	return fmt.Sprintf("reading attestations %q: %v", e.Path, e.Err)
}
func (e *SourceError) Unwrap() error { return e.Err }

// Beside returns the attestations in the files beside an artifact:
// ARTIFACT.sigstore.jsonl, ARTIFACT.sigstore.json and ARTIFACT.TYPE.sigstore.json.
// That there are none is not an error here: the Gate denies it.
func Beside(artifact string) ([]Attestation, error) {
	entries, err := os.ReadDir(filepath.Dir(artifact))
	if err != nil {
		return nil, &SourceError{Path: filepath.Dir(artifact), Err: err}
	}
	base := filepath.Base(artifact)
	var files []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), base)
		if !ok {
			continue
		}
		kind, split := strings.CutSuffix(rest, attest.SplitSuffix)
		oneWord := kind == "" || (strings.HasPrefix(kind, ".") && !strings.Contains(kind[1:], "."))
		if rest == attest.BundlesSuffix || (split && oneWord) {
			files = append(files, filepath.Join(filepath.Dir(artifact), e.Name()))
		}
	}
	return readFiles(files)
}

// attestationSuffixes are the names that a folder of attestations is searched for.
var attestationSuffixes = []string{".sigstore.json", ".sigstore.jsonl", ".sigstore", ".intoto.jsonl", ".intoto.json", ".dsse.json"}

// FromPath returns the attestations in a file, or in the files of a directory
// that are named like attestations (not in its subdirectories).
func FromPath(path string) ([]Attestation, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &SourceError{Path: path, Err: errors.Unwrap(err)}
	}
	if !info.IsDir() {
		return readFiles([]string{path})
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, &SourceError{Path: path, Err: err}
	}
	var files []string
	for _, e := range entries {
		if slices.ContainsFunc(attestationSuffixes, func(s string) bool { return strings.HasSuffix(e.Name(), s) }) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return readFiles(files)
}

func readFiles(files []string) ([]Attestation, error) {
	slices.Sort(files)
	var all []Attestation
	for _, file := range files {
		data, problem, err := readBounded(file)
		switch {
		case err != nil:
			return nil, &SourceError{Path: file, Err: err}
		case problem != "":
			all = append(all, Attestation{Source: file, Problem: problem})
		default:
			all = append(all, split(file, data)...)
		}
		if len(all) > maxAttestations {
			all = append(all[:maxAttestations], Attestation{Source: file, Problem: fmt.Sprintf("more than %d attestations; the rest was not read", maxAttestations)})
			break
		}
	}
	return all, nil
}

// readBounded returns a file's bytes, or the problem that its producer made.
func readBounded(file string) (data []byte, problem string, err error) {
	info, err := os.Stat(file)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, "", err
	}
	if !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("expected a file, found %s", info.Mode().Type())
	}
	if info.Size() > maxSource {
		return nil, fmt.Sprintf("a file of %d bytes; at most %d are read", info.Size(), maxSource), nil
	}
	data, err = os.ReadFile(file)
	return data, "", err
}

// split returns the attestations in a file: its lines if it is named as JSON
// lines or if each of its lines is a JSON object by itself, else the whole file.
// An unreadable line is an attestation too, so that it is reported.
func split(file string, data []byte) []Attestation {
	lines := strings.HasSuffix(file, ".jsonl") || eachLineIsObject(data)
	if !lines {
		return []Attestation{{Source: file, JSON: data}}
	}
	var all []Attestation
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			all = append(all, Attestation{Source: fmt.Sprintf("%s:%d", file, number), JSON: line})
		}
	}
	return all
}

func eachLineIsObject(data []byte) bool {
	n := 0
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if n++; line[0] != '{' || line[len(line)-1] != '}' || len(line) < 2 {
			return false
		}
	}
	return n > 1
}
