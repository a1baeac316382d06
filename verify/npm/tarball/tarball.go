// Package tarball reads npm packages' .tgz files and compares them with what an
// install left in node_modules.
//
// A tarball is a gzip of a tar whose entries lie in one folder, as a rule
// "package", which npm strips. What counts is what npm's extractor (node-tar, under
// pacote) makes of the bytes, so an archive that two readers read differently is
// refused ([MalformedError]), and so is a package.json of which two parsers read
// different values ([ManifestError]).
//
// Nothing here judges whose bytes they are: [Read] returns their SHA-512, and the
// caller compares that with the lockfile's integrity before it believes the rest.
package tarball

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
)

// Bounds of a tarball. npm's registry takes far less.
const (
	MaxEncoded  = 512 << 20 // bytes of the .tgz
	MaxDecoded  = 1 << 30   // bytes of the tar
	MaxEntries  = 100_000
	MaxManifest = 8 << 20 // bytes of package.json
)

// Bounds of an entry's path, so that a hundred thousand of them fit into memory.
const (
	maxPath  = 1024
	maxDepth = 128
)

// Contents are what an npm package's .tgz holds. Read does not judge the digest:
// the caller compares SHA512 with the lockfile's integrity before believing
// anything else.
type Contents struct {
	SHA512   [64]byte // of all bytes of the .tgz, those after the gzip included
	Size     int64    // how many these are
	Manifest Manifest // of package.json
	// Files are the regular files by path below the first folder, as npm extracts
	// them, except that a .gitignore keeps its name. Links are left out as npm
	// leaves them out: it extracts none.
	Files map[string]File
	// BindingGyp says that binding.gyp lies at the top, in any spelling that a file
	// system which ignores case finds under that name.
	BindingGyp bool

	manifest [sha256.Size]byte // of what package.json means, without npm's own members
}

// A File is a regular file of a tarball.
type File struct {
	SHA256     [32]byte
	Size       int64
	Executable bool // by anyone, as the tarball says

	unix *[32]byte // SHA-256 with the first line's CRLF made LF, where it begins "#!"
}

// A MalformedError says that an archive is none that npm writes, or that readers
// of it could differ. SHA512 and Size are those of all its bytes, so that the caller
// can tell other bytes than expected from bad ones that were expected; Size is 0
// where the end was not reached.
type MalformedError struct {
	Reason string
	SHA512 [64]byte
	Size   int64
}

func (e *MalformedError) Error() string { return "reading tarball: " + e.Reason }

// A ManifestError says that package.json is no JSON object, or that parsers of
// it could read different values. SHA512 and Size are the tarball's.
type ManifestError struct {
	Reason string
	SHA512 [64]byte
	Size   int64
}

func (e *ManifestError) Error() string { return "reading tarball: package.json: " + e.Reason }

func malformed(format string, args ...any) error {
	return &MalformedError{Reason: fmt.Sprintf(format, args...)}
}

// Read reads a tarball in one pass, to the reader's end. Errors are
// [*MalformedError], [*ManifestError], the reader's or the context's; with one there
// are no contents.
func Read(ctx context.Context, r io.Reader) (*Contents, error) {
	src := &source{ctx: ctx, r: r, sum: sha512.New()}
	c, err := readContents(src)
	if src.err != nil {
		return nil, fmt.Errorf("reading tarball: %w", src.err)
	}
	// The rest belongs to the digest, whatever was found before.
	if _, drained := io.Copy(io.Discard, src); drained != nil {
		if tooLong := (*MalformedError)(nil); errors.As(drained, &tooLong) {
			return nil, tooLong
		}
		return nil, fmt.Errorf("reading tarball: %w", drained)
	}
	var sum [64]byte
	src.sum.Sum(sum[:0])
	var bad *MalformedError
	var odd *ManifestError
	switch {
	case errors.As(err, &bad):
		bad.SHA512, bad.Size = sum, src.n
		return nil, bad
	case errors.As(err, &odd):
		odd.SHA512, odd.Size = sum, src.n
		return nil, odd
	case err != nil:
		return nil, &MalformedError{Reason: err.Error(), SHA512: sum, Size: src.n}
	}
	c.SHA512, c.Size = sum, src.n
	return c, nil
}

// source hashes and counts what is read, and keeps the reader's own error apart from
// those of the layers above.
type source struct {
	ctx context.Context
	r   io.Reader
	sum hash.Hash
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.r.Read(p)
	s.sum.Write(p[:n])
	s.n += int64(n)
	if s.n > MaxEncoded {
		return 0, malformed("more than %d bytes, at most so many are read", MaxEncoded)
	}
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// readContents reads everything but the digest.
func readContents(src *source) (*Contents, error) {
	z, err := newMembers(src)
	if err != nil {
		return nil, err
	}
	plain := &bounded{ctx: src.ctx, r: z}
	b := &builder{
		files: map[string]File{}, folders: map[string]bool{}, buf: make([]byte, 64<<10),
		tar: &archive{r: bufio.NewReaderSize(plain, 64<<10)},
	}
	for {
		e, err := b.tar.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if b.entries++; b.entries > MaxEntries {
			return nil, malformed("more than %d entries, at most so many are read", MaxEntries)
		}
		if err := b.add(e); err != nil {
			return nil, err
		}
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	m, sum, err := parseManifest(b.manifest)
	if err != nil {
		return nil, err
	}
	return &Contents{Manifest: m, Files: b.files, BindingGyp: b.gyp, manifest: sum}, nil
}

// bounded ends with an error where too much is decoded.
type bounded struct {
	ctx context.Context
	r   io.Reader
	n   int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	if b.n += int64(n); b.n > MaxDecoded {
		return 0, malformed("more than %d bytes when decoded, at most so many are read", MaxDecoded)
	}
	return n, err
}

// builder gathers the files of an archive.
type builder struct {
	tar      *archive
	entries  int
	files    map[string]File
	folders  map[string]bool // that have an entry
	gyp      bool
	manifest []byte // nil: not seen
	likely   []File // what a file system that ignores case takes for package.json
	buf      []byte
}

const manifestName = "package.json"

// add takes the next entry's body.
func (b *builder) add(e entry) error {
	name, err := stripped(e.name)
	if err != nil {
		return err
	}
	switch {
	case e.kind == kindFolder:
		if name != "" {
			b.folders[name] = true
		}
		return nil
	case e.kind == kindLink:
		return nil // npm extracts none (pacote, lib/fetcher.js: /Link$/)
	case name == "" && strings.HasPrefix(e.name, "._"):
		// What macOS keeps about a folder. npm strips the name to nothing and drops it.
		return nil
	case name == "":
		return malformed("entry %.200q lies in no folder", e.name)
	}
	var keep *bytes.Buffer
	isManifest := spelled(name, manifestName)
	if isManifest {
		if e.size > MaxManifest {
			return malformed("%s has %d bytes, at most %d are read", manifestName, e.size, MaxManifest)
		}
		keep = &bytes.Buffer{}
	}
	f, err := b.read(keep)
	if err != nil {
		return err
	}
	f.Executable = e.mode&0o111 != 0
	if isManifest {
		if b.likely = append(b.likely, f); f.SHA256 != b.likely[0].SHA256 {
			return malformed("two different entries for %s, the second is %.200q", manifestName, e.name)
		}
		if name == manifestName {
			b.manifest = append([]byte{}, keep.Bytes()...) // not nil
		}
	}
	b.gyp = b.gyp || spelled(name, "binding.gyp")
	if before, again := b.files[name]; again {
		// npm keeps the last, others the first.
		if before.SHA256 != f.SHA256 {
			return malformed("two different entries for %.200q", name)
		}
		f.Executable = f.Executable || before.Executable
	}
	b.files[name] = f
	return nil
}

// read hashes the entry's body, and keeps it where asked to.
func (b *builder) read(keep *bytes.Buffer) (File, error) {
	sum := sha256.New()
	w := &shebang{}
	n := int64(0)
	for {
		m, err := b.tar.Read(b.buf)
		sum.Write(b.buf[:m])
		w.write(b.buf[:m], n)
		if n += int64(m); keep != nil {
			keep.Write(b.buf[:m])
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return File{}, err
		}
	}
	f := File{Size: n, unix: w.digest()}
	sum.Sum(f.SHA256[:0])
	return f, nil
}

// check looks at what no single entry shows.
func (b *builder) check() error {
	if b.manifest == nil {
		return malformed("it has no %s", manifestName)
	}
	inside := func(name string) error {
		for i := range len(name) {
			if name[i] == '/' {
				if _, isFile := b.files[name[:i]]; isFile {
					return malformed("%.200q is a file and a folder", name[:i])
				}
			}
		}
		return nil
	}
	for name := range b.folders {
		if _, isFile := b.files[name]; isFile {
			return malformed("%.200q is a file and a folder", name)
		}
		if err := inside(name); err != nil {
			return err
		}
	}
	for name := range b.files {
		if err := inside(name); err != nil {
			return err
		}
	}
	return nil
}

// stripped is the path of an entry below the first folder, "" for that folder. npm
// splits at each slash and drops the first part, so that of "./package/a" and
// "/package/a" it would keep "package/a", and other readers "a".
func stripped(name string) (string, error) {
	switch {
	case len(name) > maxPath:
		return "", malformed("the path %.100q... has %d bytes, at most %d are read", name, len(name), maxPath)
	case strings.Contains(name, `\`):
		return "", malformed("the path %.200q has a backslash, which parts folders on Windows only", name)
	}
	parts := strings.Split(name, "/")
	if len(parts) > maxDepth {
		return "", malformed("the path %.100q... is %d folders deep, at most %d are read", name, len(parts), maxDepth)
	}
	if slices.Contains(parts, "..") {
		return "", malformed("the path %.200q leads upwards", name)
	}
	if parts[0] == "" || parts[0] == "." {
		return "", malformed("the path %.200q does not begin with a folder's name", name)
	}
	// npm drops a drive's letter at the start of a path, on every system.
	if slices.ContainsFunc(parts, func(part string) bool { return len(part) > 1 && part[1] == ':' && isLetter(part[0]) }) {
		return "", malformed("the path %.200q names a drive, which npm drops", name)
	}
	kept := slices.DeleteFunc(parts[1:], func(part string) bool { return part == "" || part == "." })
	return strings.Join(kept, "/"), nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// spelled says whether some file system finds a file called name when asked for
// want: those of Windows and macOS ignore case, Windows also dots and spaces at the
// end, and HFS+ some characters that cannot be seen.
func spelled(name, want string) bool {
	if name == want {
		return true
	}
	if len(name) > 4*len(want) {
		return false
	}
	name = strings.Map(func(r rune) rune {
		if r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff {
			return -1
		}
		return r
	}, name)
	return strings.EqualFold(strings.TrimRight(name, ". "), want)
}
