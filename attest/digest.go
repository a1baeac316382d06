package attest

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// DigestSet maps in-toto algorithm names ("sha256", "sha512", "gitCommit") to
// lower-case hexadecimal digests (in-toto attestation spec v1, DigestSet).
type DigestSet map[string]string

// ErrEmptyArtifact reports an artifact of zero bytes. A statement about nothing
// is always true of every other empty file, so none is made or accepted.
var ErrEmptyArtifact = errors.New("the artifact is 0 bytes long")

// DigestFile reads the regular file at path once and returns its SHA-256 and
// SHA-512. It fails on directories and, with [ErrEmptyArtifact], on empty files.
func DigestFile(path string) (DigestSet, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading artifact: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading artifact: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("reading artifact %q: it is a directory, expected a file", path)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading artifact %q: expected a regular file, found %s", path, info.Mode().Type())
	}
	digests, n, err := Digest(f)
	if err != nil {
		return nil, fmt.Errorf("reading artifact %q: %w", path, err)
	}
	if n == 0 {
		return nil, fmt.Errorf("artifact %q: %w", path, ErrEmptyArtifact)
	}
	return digests, nil
}

// Digest reads r to its end and returns the SHA-256 and SHA-512 of what it
// read, and how many bytes that was.
func Digest(r io.Reader) (DigestSet, int64, error) {
	h256, h512 := sha256.New(), sha512.New()
	buf := make([]byte, 1<<20)
	n, err := io.CopyBuffer(io.MultiWriter(h256, h512), struct{ io.Reader }{r}, buf)
	if err != nil {
		return nil, n, err
	}
	return DigestSet{
		"sha256": hex.EncodeToString(h256.Sum(nil)),
		"sha512": hex.EncodeToString(h512.Sum(nil)),
	}, n, nil
}

// digestBytes is how long the digests are that this package can check.
// "gitCommit" is left out: it may be SHA-1 or SHA-256.
var digestBytes = map[string]int{"sha256": 32, "sha384": 48, "sha512": 64, "sha1": 20}

// check reports values that are not lower-case hexadecimal, or not of their
// algorithm's length.
func (d DigestSet) check() error {
	for alg, value := range d {
		if value == "" || strings.ToLower(value) != value {
			return fmt.Errorf("digest %s: expected lower-case hexadecimal, found %q", alg, clip(value))
		}
		want, known := digestBytes[alg]
		if !known {
			continue // an algorithm of somebody else's: in-toto says to tolerate it
		}
		raw, err := hex.DecodeString(value)
		if err != nil || len(raw) != want {
			return fmt.Errorf("digest %s: expected %d hexadecimal digits, found %q", alg, 2*want, clip(value))
		}
	}
	return nil
}

// clip shortens text from outside for an error message.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
