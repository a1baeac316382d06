package advisory

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// What an export may have. The npm export has some 200,000 records of 3 KiB.
const (
	maxFiles   = 2_000_000 // of any name
	maxRecord  = 1 << 20   // bytes of a record
	maxRecords = 4 << 30   // bytes of all records
	maxZip     = 4 << 30   // bytes of a zip
	maxListing = 256 << 20 // bytes that are read of a zip to know its files
)

// limits are the bounds; tests have smaller ones.
type limits struct {
	files           int
	record, records int64
	listing         int64
}

func bounds() limits {
	return limits{files: maxFiles, record: maxRecord, records: maxRecords, listing: maxListing}
}

// OpenFolder reads the records in a folder and the folders in it. It follows no
// symbolic link: one in the folder is an error, since there might be records
// behind it. Of two errors it returns that of the file whose path is first.
func OpenFolder(ctx context.Context, fsys fs.FS) (*Database, error) {
	return openFolder(ctx, fsys, bounds())
}

func openFolder(ctx context.Context, fsys fs.FS, bound limits) (*Database, error) {
	var names []string
	count := 0
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("listing advisories: %w", err)
		}
		if count++; count > bound.files {
			return fmt.Errorf("more than %d files, expected an OSV export", bound.files)
		}
		switch {
		case entry.Type()&fs.ModeSymlink != 0:
			return fmt.Errorf("%q is a symbolic link, expected a file or a folder: links are not followed", clip(name))
		case entry.IsDir() || !isRecord(name):
			return ctx.Err()
		case !entry.Type().IsRegular():
			return fmt.Errorf("%q is not a regular file", clip(name))
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return read(ctx, bound, names, func(i int) (io.ReadCloser, error) { return fsys.Open(names[i]) })
}

// OpenZip reads the records in a zip of size bytes, in whichever folder they are
// in it. The sizes that the zip declares are not trusted. Of two errors it returns
// that of the file that is listed first.
func OpenZip(ctx context.Context, r io.ReaderAt, size int64) (*Database, error) {
	return openZip(ctx, r, size, bounds())
}

func openZip(ctx context.Context, r io.ReaderAt, size int64, bound limits) (*Database, error) {
	if size > maxZip {
		return nil, fmt.Errorf("a zip of %d bytes, expected at most %d", size, int64(maxZip))
	}
	files, err := zipFiles(r, size, bound)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
		if !f.Mode().IsRegular() {
			return nil, fmt.Errorf("%q is not a regular file", clip(f.Name))
		}
	}
	return read(ctx, bound, names, func(i int) (io.ReadCloser, error) {
		f := files[i]
		files[i] = nil // a zip's listing takes more memory than the database
		return f.Open()
	})
}

// zipFiles lists the records in a zip.
func zipFiles(r io.ReaderAt, size int64, bound limits) ([]*zip.File, error) {
	listing := &meteredReader{from: r, left: bound.listing}
	z, err := zip.NewReader(listing, size)
	if err != nil {
		return nil, fmt.Errorf("reading the zip of advisories: %w", err)
	}
	listing.stop()
	if len(z.File) > bound.files {
		return nil, fmt.Errorf("%d files in the zip, expected at most %d", len(z.File), bound.files)
	}
	var files []*zip.File
	for _, f := range z.File {
		// Windows' separator, which the format forbids, would hide a record from
		// isRecord.
		if strings.Contains(f.Name, `\`) {
			return nil, fmt.Errorf("%q in the zip has a backslash in its name", clip(f.Name))
		}
		if isRecord(f.Name) {
			files = append(files, f)
		}
	}
	z.File = nil // each file holds on to z, and z would to all of them
	return files, nil
}

// meteredReader bounds what is read of a zip until stop is called. Each file that
// is listed takes memory, and a listing declares how long it is.
type meteredReader struct {
	from    io.ReaderAt
	left    int64
	stopped bool
}

func (m *meteredReader) stop() { m.stopped = true }

func (m *meteredReader) ReadAt(p []byte, off int64) (int, error) {
	if !m.stopped {
		if m.left -= int64(len(p)); m.left < 0 {
			return 0, errors.New("its list of files is too long")
		}
	}
	return m.from.ReadAt(p, off)
}

// read reads all files, as many at a time as there are processors, and makes the
// database. open is called once for each index.
func read(ctx context.Context, bound limits, names []string, open func(int) (io.ReadCloser, error)) (*Database, error) {
	r := &reading{ctx: ctx, bound: bound, names: names, open: open, list: make([]loaded, len(names))}
	r.failed.Store(int64(len(names)))
	var group errgroup.Group
	for range runtime.GOMAXPROCS(0) {
		group.Go(r.work)
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if r.err != nil {
		return nil, r.err
	}
	return build(r.list)
}

// reading is the work of several goroutines.
type reading struct {
	ctx   context.Context
	bound limits
	names []string
	open  func(int) (io.ReadCloser, error)
	list  []loaded // by index, so that each goroutine writes its own

	next, total atomic.Int64
	failed      atomic.Int64 // index of the first error known

	mu  sync.Mutex
	err error // of failed
}

// work reads files until there are none left. Indexes are given out in order and
// those given out are read to the end: the first error in that order is always
// found, whoever is faster.
func (r *reading) work() error {
	var buf bytes.Buffer
	for {
		i := r.next.Add(1) - 1
		if i >= r.failed.Load() {
			return nil
		}
		if err := r.ctx.Err(); err != nil {
			return fmt.Errorf("reading advisories: %w", err)
		}
		rec, err := r.file(int(i), &buf)
		if err != nil {
			r.fail(i, fmt.Errorf("advisory %q: %w", clip(r.names[i]), err))
		}
		r.list[i] = rec
	}
}

func (r *reading) fail(i int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i < r.failed.Load() {
		r.failed.Store(i)
		r.err = err
	}
}

func (r *reading) file(i int, buf *bytes.Buffer) (loaded, error) {
	f, err := r.open(i)
	if err != nil {
		return loaded{}, err
	}
	defer f.Close()
	buf.Reset()
	// One byte more tells a record that is too long from one that just fits. Reading
	// to the end also has the zip's checksum compared.
	n, err := buf.ReadFrom(io.LimitReader(f, r.bound.record+1))
	switch {
	case err != nil:
		return loaded{}, err
	case n > r.bound.record:
		return loaded{}, fmt.Errorf("more than %d bytes, which no record has", r.bound.record)
	case r.total.Add(n) > r.bound.records:
		return loaded{}, fmt.Errorf("more than %d bytes of records with this one", r.bound.records)
	}
	return parseRecord(r.names[i], buf.Bytes())
}
