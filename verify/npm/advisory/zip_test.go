package advisory

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"testing"
)

// entryOf writes one zip with a single file whose header says what it likes.
func entryOf(t *testing.T, header zip.FileHeader, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, err := w.CreateRaw(&header)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// deflated returns data as a zip keeps it, by letting a writer make one.
func deflated(t *testing.T, data io.Reader) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, err := w.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, data); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.File[0].OpenRaw()
	if err != nil {
		t.Fatal(err)
	}
	packed, err := io.ReadAll(raw)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestZipAttacks: zips that are not what they say.
func TestZipAttacks(t *testing.T) {
	record := []byte(doc("MAL-1", "a", all, ""))
	sum := crc32.ChecksumIEEE(record)
	size := uint64(len(record))
	header := func(change func(*zip.FileHeader)) zip.FileHeader {
		h := zip.FileHeader{Name: "MAL-1.json", Method: zip.Store, CRC32: sum, CompressedSize64: size, UncompressedSize64: size}
		change(&h)
		return h
	}
	good := entryOf(t, header(func(*zip.FileHeader) {}), record)
	if _, err := OpenZip(t.Context(), bytes.NewReader(good), int64(len(good))); err != nil {
		t.Fatal(err)
	}
	bomb := deflated(t, io.LimitReader(spaces{}, 64<<20))
	small := deflated(t, bytes.NewReader(record))
	manyDeclared := bytes.Clone(good)
	end := bytes.LastIndex(manyDeclared, []byte("PK\x05\x06"))
	binary.LittleEndian.PutUint16(manyDeclared[end+8:], 0xfffe)
	binary.LittleEndian.PutUint16(manyDeclared[end+10:], 0xfffe)
	symlink := header(func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) })

	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"no zip", []byte("PK"), "not a valid zip file"},
		{"nothing", nil, "not a valid zip file"},
		{"cut at the end", good[:len(good)-1], "not a valid zip file"},
		{"cut at the beginning", good[1:], ""},
		{"more files declared than there are", manyDeclared, "unexpected EOF"},
		{"wrong checksum", entryOf(t, header(func(h *zip.FileHeader) { h.CRC32++ }), record), "checksum"},
		{"smaller than declared", entryOf(t, header(func(h *zip.FileHeader) {
			h.Method, h.CompressedSize64 = zip.Deflate, uint64(len(small))
			h.UncompressedSize64++
		}), small), "EOF"},
		{"larger than declared", entryOf(t, header(func(h *zip.FileHeader) {
			h.Method, h.CompressedSize64 = zip.Deflate, uint64(len(small))
			h.UncompressedSize64 -= 10
		}), small), "not a valid zip file"},
		{"declared to be huge", entryOf(t, header(func(h *zip.FileHeader) {
			h.Method, h.CompressedSize64, h.UncompressedSize64 = zip.Deflate, uint64(len(small)), 1<<50
		}), small), "EOF"},
		{"stored, declared to be huge", entryOf(t, header(func(h *zip.FileHeader) { h.CompressedSize64, h.UncompressedSize64 = 1<<50, 1<<50 }), record), ""},
		{"a bomb", entryOf(t, header(func(h *zip.FileHeader) {
			h.Method, h.CompressedSize64, h.UncompressedSize64 = zip.Deflate, uint64(len(bomb)), 64<<20
		}), bomb), "more than 1048576 bytes"},
		{"a bomb, declared to be small", entryOf(t, header(func(h *zip.FileHeader) { h.Method, h.CompressedSize64 = zip.Deflate, uint64(len(bomb)) }), bomb), ""},
		{"packed in an unknown way", entryOf(t, header(func(h *zip.FileHeader) { h.Method = 99 }), record), "unsupported compression"},
		{"a symbolic link", entryOf(t, symlink, record), "not a regular file"},
		{"a folder named like a record", zipped(t, map[string]string{"MAL-1.json/": ""}), "not a regular file"},
		{"a backslash", entryOf(t, header(func(h *zip.FileHeader) { h.Name = `npm\MAL-1.json` }), record), "backslash"},
		{"another id", entryOf(t, header(func(h *zip.FileHeader) { h.Name = "MAL-2.json" }), record), `id "MAL-1", expected "MAL-2"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := OpenZip(t.Context(), bytes.NewReader(test.data), int64(len(test.data)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, expected %q", err, test.want)
			}
		})
	}
}

// TestZipTwice: one name twice in a zip; some programs read the first, some the
// last.
func TestZipTwice(t *testing.T) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, pkg := range []string{"a", "b"} {
		f, err := w.Create("MAL-1.json")
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(doc("MAL-1", pkg, all, "")))
	}
	w.Close()
	if _, err := OpenZip(t.Context(), bytes.NewReader(buf.Bytes()), int64(buf.Len())); err == nil || !strings.Contains(err.Error(), "two records") {
		t.Error(err)
	}
}

// TestZipEveryByte: a zip with any one bit changed gives an error, or the same
// records: the digest tells. A changed name may make a file one that is not read,
// as if it had been left out.
func TestZipEveryByte(t *testing.T) {
	good := zipped(t, map[string]string{"MAL-1.json": doc("MAL-1", "a", all, ""), "MAL-2.json": doc("MAL-2", "b", all, "")})
	d, err := OpenZip(t.Context(), bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		got, err := OpenZip(t.Context(), bytes.NewReader(bad), int64(len(bad)))
		if err == nil && got.Info() != d.Info() && got.Info().Records != 1 {
			t.Errorf("byte %d: %+v", i, got.Info())
		}
	}
}

// export makes a zip like npm's: records of some 3 KiB.
func export(t testing.TB, records int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	details := strings.Repeat(`Any computer that has this package installed or running should be considered fully compromised.\n`, 10)
	for i := range records {
		id := fmt.Sprintf("MAL-2025-%d", i)
		about := all
		if i%3 == 0 {
			about = fmt.Sprintf(`, "versions": ["1.0.%d", "99.9.9"]`, i)
		}
		about += `, "database_specific": {"cwes": [{"cweId": "CWE-506", "description": "The product contains code that appears to be malicious in nature.", "name": "Embedded Malicious Code"}]}`
		f, err := w.Create(id + ".json")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, doc(id, fmt.Sprintf("some-package-%d", i), about, fmt.Sprintf(`, "details": "%s", "database_specific": {"malicious-packages-origins": [{"id": "IN-MAL-%d", "import_time": "2026-05-13T20:10:56.789264488Z", "sha256": "%064x", "source": "x", "versions": ["1.0.0"]}]}`, details, i, i*7919)))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
