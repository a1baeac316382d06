package attest

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
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
// SHA-512. It fails on directories and, with [ErrEmptyArtifact], on empty files,
// and stops when ctx ends.
func DigestFile(ctx context.Context, path string) (DigestSet, error) {
	f, err := OpenRegular(path)
	if err != nil {
		return nil, fmt.Errorf("reading artifact: %w", err)
	}
	defer f.Close()
	digests, n, err := Digest(untilDone{ctx, f})
	if err != nil {
		return nil, fmt.Errorf("reading artifact %q: %w", path, err)
	}
	if n == 0 {
		return nil, fmt.Errorf("artifact %q: %w", path, ErrEmptyArtifact)
	}
	return digests, nil
}

// OpenRegular opens a file that is neither a directory nor a pipe or a device,
// on which reading could wait for ever.
func OpenRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: WithoutPath(err)}
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q: expected a file, found %s", path, kindOf(info))
	}
	return os.Open(path)
}

// UntilDone returns a reader that ends with ctx.
func UntilDone(ctx context.Context, r io.Reader) io.Reader { return untilDone{ctx, r} }

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
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

// otherHashes are the algorithms (in-toto digest set, "Supported algorithms") beside
// SHA-256 and SHA-512 that can be computed of any file. They prove nothing by
// themselves, and contradict where they differ.
var otherHashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha384": sha512.New384,
	"sha512_224": sha512.New512_224, "sha512_256": sha512.New512_256,
	"sha3_224": newSHA3(sha3.New224), "sha3_256": newSHA3(sha3.New256), "sha3_384": newSHA3(sha3.New384), "sha3_512": newSHA3(sha3.New512),
}

func newSHA3(f func() *sha3.SHA3) func() hash.Hash { return func() hash.Hash { return f() } }

// Computable tells whether [DigestOthers] can compute an algorithm.
func Computable(algorithm string) bool { return otherHashes[algorithm] != nil }

// DigestOthers reads r to its end and returns digests of other algorithms than
// [Digest] does; those that are not [Computable] are left out.
func DigestOthers(r io.Reader, algorithms []string) (DigestSet, error) {
	hashes := map[string]hash.Hash{}
	var writers []io.Writer
	for _, a := range algorithms {
		if Computable(a) && hashes[a] == nil {
			hashes[a] = otherHashes[a]()
			writers = append(writers, hashes[a])
		}
	}
	if _, err := io.CopyBuffer(io.MultiWriter(writers...), struct{ io.Reader }{r}, make([]byte, 1<<20)); err != nil {
		return nil, err
	}
	digests := DigestSet{}
	for a, h := range hashes {
		digests[a] = hex.EncodeToString(h.Sum(nil))
	}
	return digests, nil
}

// digestBytes is how long the digests are that this package can check.
// "gitCommit" is left out: it may be SHA-1 or SHA-256.
var digestBytes = map[string]int{"sha256": 32, "sha384": 48, "sha512": 64, "sha1": 20}

// WellFormed reports values that are not lower-case hexadecimal, or not of their
// algorithm's length.
func (d DigestSet) WellFormed() error {
	for alg, value := range d {
		want, known := digestBytes[alg]
		if !known {
			continue // an algorithm of somebody else's: in-toto says to tolerate it
		}
		raw, err := hex.DecodeString(value)
		if err != nil || len(raw) != want || strings.ToLower(value) != value {
			return fmt.Errorf("digest %s: expected %d lower-case hexadecimal digits, found %q", clip(alg), 2*want, clip(value))
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
