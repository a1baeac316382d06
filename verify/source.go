package verify

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plimsoll.example/attest"
)

// Bounds of what is read for one artifact.
const (
	maxSources      = 256 << 20 // bytes, over all files
	maxAttestations = 4096
	maxInFile       = 1024
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
// ARTIFACT.sigstore.jsonl first, then ARTIFACT.sigstore.json and
// ARTIFACT.TYPE.sigstore.json. That there are none is not an error here: the Gate
// denies it. A file of the second kind that cannot be read is an attestation that
// cannot be used: anyone who may add a file could else block a deploy.
func Beside(artifact string) ([]Attestation, error) {
	dir, base := filepath.Dir(artifact), filepath.Base(artifact)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &SourceError{Path: dir, Err: err}
	}
	r := &sourceReader{left: maxSources}
	var others []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), base)
		if !ok {
			continue
		}
		kind, split := strings.CutSuffix(rest, attest.SplitSuffix)
		oneWord := kind == "" || (strings.HasPrefix(kind, ".") && !strings.Contains(kind[1:], "."))
		switch {
		case rest == attest.BundlesSuffix:
			if err := r.named(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
		case split && oneWord:
			others = append(others, filepath.Join(dir, e.Name()))
		}
	}
	r.found(others)
	return r.all, nil
}

// attestationSuffixes are the names that a folder of attestations is searched for.
var attestationSuffixes = []string{".sigstore.json", ".sigstore.jsonl", ".sigstore", ".intoto.jsonl", ".intoto.json", ".dsse.json", ".link"}

// FromPath returns the attestations in a file, or in the files of a directory
// that are named like attestations (not in its subdirectories).
func FromPath(path string) ([]Attestation, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &SourceError{Path: path, Err: attest.WithoutPath(err)}
	}
	r := &sourceReader{left: maxSources}
	if !info.IsDir() {
		err := r.named(path)
		return r.all, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, &SourceError{Path: path, Err: attest.WithoutPath(err)}
	}
	var files []string
	for _, e := range entries {
		if slices.ContainsFunc(attestationSuffixes, func(s string) bool { return strings.HasSuffix(e.Name(), s) }) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	r.found(files)
	return r.all, nil
}

// A sourceReader collects attestations within the bounds.
type sourceReader struct {
	all  []Attestation
	left int64 // bytes that may still be read
	// share is how many attestations one file may hold, so that a file of junk leaves
	// room for the others.
	share int
}

// named reads a file that somebody relies on: one that cannot be read is an
// error.
func (r *sourceReader) named(file string) error {
	r.share = maxInFile
	if err := r.read(file); err != nil {
		return &SourceError{Path: file, Err: attest.WithoutPath(err)}
	}
	return nil
}

// found reads files that a search came across.
func (r *sourceReader) found(files []string) {
	slices.Sort(files)
	r.share = max(1, (maxAttestations-len(r.all))/max(1, 2*len(files)))
	for _, file := range files {
		if err := r.read(file); err != nil {
			r.all = append(r.all, Attestation{Source: file, Problem: attest.WithoutPath(err).Error()})
		}
	}
}

func (r *sourceReader) read(file string) error {
	f, err := attest.OpenRegular(file)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, r.left+1))
	if err != nil {
		return err
	}
	if int64(len(data)) > r.left {
		r.all = append(r.all, Attestation{Source: file, Problem: fmt.Sprintf("more than the %d bytes that are read about one artifact", maxSources)})
		return nil
	}
	r.left -= int64(len(data))
	here := split(file, data)
	if most := max(0, min(maxInFile, r.share, maxAttestations-len(r.all))); len(here) > most {
		here = append(here[:most:most], Attestation{Source: file, Problem: fmt.Sprintf("more than the %d attestations that are read; the rest was left out", most)})
	}
	r.all = append(r.all, here...)
	return nil
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
