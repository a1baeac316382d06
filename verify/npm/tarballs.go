package npm

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm/tarball"
)

// TarballName returns the name of a package's tarball in a folder of saved answers.
func TarballName(pkg Package) string { return strings.TrimSuffix(FileName(pkg), ".json") + ".tgz" }

// demandName returns the name beside it of a tarball of the same version that is demanded
// with another digest.
func demandName(pkg Package) string {
	sum := sha512.Sum512([]byte(demand(pkg)))
	return strings.TrimSuffix(TarballName(pkg), ".tgz") + "@" + hex.EncodeToString(sum[:16]) + ".tgz"
}

// packName returns what npm pack calls a package's tarball.
func packName(pkg Package) string {
	return strings.ReplaceAll(strings.TrimPrefix(pkg.Name, "@"), "/", "-") + "-" + pkg.Version + ".tgz"
}

// A TarballSource is where tarballs come from. It may be used by several goroutines.
type TarballSource interface {
	// Open returns a package's tarball, and nil where it has none. A *verify.Refusal is
	// an answer, another error ends the run.
	Open(ctx context.Context, pkg Package, address string) (io.ReadCloser, error)
}

// SourcedTarballs are tarballs of the first source that has one. What was fetched is
// fetched once for each package version and digest.
type SourcedTarballs struct {
	Sources []TarballSource
	// Save keeps a tarball under a name and returns what was kept, to be read; nil: none
	// is kept.
	Save func(name string, r io.Reader) (io.ReadCloser, error)
	// Noted is told of each package whether its tarball was kept, or why it could not be
	// had; nil: nobody is.
	Noted func(pkg Package, kept bool, failure string) error

	mu      sync.Mutex
	fetched map[fetch]*once[*tarball.Contents]
	first   map[Package]string // what was demanded first of a version
}

// A fetch is a tarball that is fetched for what a lockfile demands.
type fetch struct {
	pkg     Package
	address string
}

// Contents implements [Tarballs].
func (s *SourcedTarballs) Contents(ctx context.Context, pkg Package, address string) (*tarball.Contents, error) {
	for _, source := range s.Sources {
		contents, there, err := s.of(ctx, source, pkg, address)
		if !there && err == nil {
			continue
		}
		if err := s.note(pkg, err); err != nil {
			return nil, err
		}
		return contents, err
	}
	if s.Noted != nil {
		return nil, s.Noted(pkg, false, "")
	}
	return nil, nil
}

// of reads a tarball of one source. Places of a version that demand the same digest, and
// would have it from the same address, share what was fetched.
func (s *SourcedTarballs) of(ctx context.Context, source TarballSource, pkg Package, address string) (contents *tarball.Contents, there bool, err error) {
	if _, fetches := source.(FetchedTarballs); !fetches || address == "" {
		return s.open(ctx, source, pkg, address)
	}
	key := fetch{Package{pkg.Name, pkg.Version, demand(pkg)}, address}
	entry := get(&s.mu, &s.fetched, key)
	entry.Do(func() { entry.value, _, entry.err = s.open(ctx, source, pkg, address) })
	return entry.value, true, entry.err
}

func (s *SourcedTarballs) open(ctx context.Context, source TarballSource, pkg Package, address string) (contents *tarball.Contents, there bool, err error) {
	r, err := source.Open(ctx, pkg, address)
	if err != nil || r == nil {
		return nil, false, err
	}
	contents, err = s.read(ctx, pkg, r)
	return contents, true, err
}

// note tells what became of a tarball.
func (s *SourcedTarballs) note(pkg Package, err error) error {
	var refused *verify.Refusal
	switch {
	case s.Noted == nil || err != nil && !errors.As(err, &refused):
		return nil
	case refused != nil && refused.Code == verify.CodeNoAnswer:
		return s.Noted(pkg, false, refused.Found)
	}
	return s.Noted(pkg, true, "")
}

// demand is what a lockfile demands of a tarball: its SHA-512 where that is known, however
// the lockfile writes it, and else the integrity as it stands there.
func demand(pkg Package) string {
	if sum, err := SHA512(pkg.Integrity); err == nil {
		return sum
	}
	return pkg.Integrity
}

// demanded tells whether bytes with this digest are those that the lockfile demands.
func demanded(pkg Package, sum [sha512.Size]byte) bool {
	want, err := SHA512(pkg.Integrity)
	return err == nil && want == hex.EncodeToString(sum[:])
}

// unreadable is what is wrong with a tarball that cannot be read: that it is another
// one, where the lockfile says which it must be, and else what it is.
func unreadable(pkg Package, sum [sha512.Size]byte, size int64, err error) error {
	if _, known := SHA512(pkg.Integrity); known == nil && size > 0 && !demanded(pkg, sum) {
		return &verify.Refusal{Code: verify.CodeTarballMismatch, Expected: pkg.Integrity, Found: integrityOf(sum[:])}
	}
	return &verify.Refusal{Code: verify.CodeTarballMalformed, Expected: "a tarball as npm packs it", Found: err.Error()}
}

func (s *SourcedTarballs) read(ctx context.Context, pkg Package, r io.ReadCloser) (*tarball.Contents, error) {
	defer r.Close()
	from := r
	if s.Save != nil {
		kept, err := s.Save(s.saveAs(pkg), r)
		if err != nil {
			return nil, notFetched(ctx, err)
		}
		defer kept.Close()
		from = kept
	}
	read, err := tarball.Read(ctx, from)
	var bad *tarball.MalformedError
	var manifest *tarball.ManifestError
	var lost *fetchError
	switch {
	case err == nil:
		return read, nil
	case errors.As(err, &lost):
		return nil, notFetched(ctx, err)
	case errors.As(err, &bad):
		return nil, unreadable(pkg, bad.SHA512, bad.Size, err)
	case errors.As(err, &manifest):
		return nil, unreadable(pkg, manifest.SHA512, manifest.Size, err)
	}
	return nil, err
}

// saveAs names a tarball that is kept. Those that are demanded with several digests do not
// overwrite each other.
func (s *SourcedTarballs) saveAs(pkg Package) string {
	version := Package{Name: pkg.Name, Version: pkg.Version}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = map[Package]string{}
	}
	if first, there := s.first[version]; there && first != demand(pkg) {
		return demandName(pkg)
	}
	s.first[version] = demand(pkg)
	return TarballName(pkg)
}

// A fetchError is a tarball that could not be fetched.
type fetchError struct{ error }

func (e *fetchError) Unwrap() error { return e.error }

// notFetched makes no decision of a tarball that could not be fetched.
func notFetched(ctx context.Context, err error) error {
	var lost *fetchError
	if ctx.Err() != nil || !errors.As(err, &lost) {
		return err
	}
	return noAnswer("the tarball", oneLine(lost))
}

// FolderTarballs are tarballs in a folder, called as npm pack or --save calls them.
type FolderTarballs struct{ Files fs.FS }

// Open implements [TarballSource].
func (f FolderTarballs) Open(ctx context.Context, pkg Package, _ string) (io.ReadCloser, error) {
	saved, several := f.saved(pkg)
	switch {
	case several && saved.Status != 200:
		return nil, nil // there was none, and what lies here is for another digest
	case several:
		if file, err := openFile(f.Files, demandName(pkg)); file != nil || err != nil {
			return file, err
		}
	}
	if file, err := openFile(f.Files, TarballName(pkg)); file != nil || err != nil {
		return file, err
	}
	file, err := openFile(f.Files, packName(pkg))
	if file == nil || err != nil {
		return nil, err
	}
	defer file.Close()
	if other, err := ofAnother(ctx, pkg, file); other || err != nil {
		return nil, err
	}
	return openFile(f.Files, packName(pkg))
}

// saved returns what the answers beside a tarball say became of it, if they tell several
// of its version apart. That they cannot be read is for who decides by them to say.
func (f FolderTarballs) saved(pkg Package) (tarball *answer, several bool) {
	data, err := Answers(f).read(FileName(pkg))
	if err != nil || !bytes.Contains(data, []byte(`"tarballs"`)) {
		return nil, false
	}
	var file savedFile
	if jsonv2.Unmarshal(data, &file) != nil {
		return nil, false
	}
	tarball = file.Answers.Tarballs[demand(pkg)]
	return tarball, tarball != nil
}

// ofAnother tells whether a tarball is that of another package, which npm pack calls the
// same: @foo/bar and foo-bar. One with the digest that is demanded never is.
func ofAnother(ctx context.Context, pkg Package, r io.Reader) (bool, error) {
	contents, err := tarball.Read(ctx, r)
	if errors.As(err, new(*tarball.MalformedError)) || errors.As(err, new(*tarball.ManifestError)) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return contents.Manifest.Name != pkg.Name && !demanded(pkg, contents.SHA512), nil
}

// CachedTarballs are those in npm's own cache, which are found by their SHA-512 only
// (cacache's content-v2).
type CachedTarballs struct{ Files fs.FS }

// Open implements [TarballSource].
func (c CachedTarballs) Open(_ context.Context, pkg Package, _ string) (io.ReadCloser, error) {
	sum, err := SHA512(pkg.Integrity)
	if err != nil {
		return nil, nil // nothing to find it by
	}
	name := path.Join("_cacache/content-v2/sha512", sum[:2], sum[2:4], sum[4:])
	file, err := openFile(c.Files, name)
	if file == nil || err != nil {
		return nil, err
	}
	defer file.Close()
	found := sha512.New()
	if _, err := io.Copy(found, file); err != nil {
		return nil, err
	}
	if hex.EncodeToString(found.Sum(nil)) != sum {
		return nil, nil // a damaged entry is none: npm throws it away too
	}
	return openFile(c.Files, name)
}

// openFile opens a file; nil if there is none.
func openFile(files fs.FS, name string) (io.ReadCloser, error) {
	info, err := fs.Stat(files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q: expected a file, found %s", name, info.Mode().Type())
	}
	return files.Open(name)
}

// Fetcher fetches a tarball.
type Fetcher interface {
	Tarball(ctx context.Context, name, address string, w io.Writer) (status int, size int64, err error)
}

// FetchedTarballs are fetched from the registry. That one cannot be had is no decision
// about the package.
type FetchedTarballs struct{ Client Fetcher }

// Open implements [TarballSource].
func (f FetchedTarballs) Open(ctx context.Context, pkg Package, address string) (io.ReadCloser, error) {
	if address == "" {
		return nil, nil
	}
	reader, writer := io.Pipe()
	go func() {
		status, _, err := f.Client.Tarball(ctx, pkg.Name, address, writer)
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		if err != nil {
			err = &fetchError{err}
		}
		writer.CloseWithError(err) // nil ends the tarball
	}()
	return reader, nil
}
