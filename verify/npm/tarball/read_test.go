package tarball

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// item is an entry for pack; raw blocks stand for themselves.
type item struct {
	name, body string
	kind       byte
	link       string
	mode       int64
	size       int64 // says another size than the body's; 0: the body's
	raw        []byte
	change     func(block []byte) // before the checksum is made
}

const (
	plainJSON = `{"name":"a","version":"1.0.0"}`
	manifestP = "package/package.json"
)

func octal(field []byte, n int64) { copy(field, fmt.Sprintf("%0*o\x00", len(field)-1, n)) }

func block(it item) []byte {
	b := make([]byte, 512)
	copy(b, it.name)
	mode := it.mode
	if mode == 0 {
		mode = 0o644
	}
	octal(b[100:108], mode)
	size := it.size
	if size == 0 {
		size = int64(len(it.body))
	}
	octal(b[124:136], size)
	octal(b[136:148], 0)
	if b[156] = it.kind; it.kind == 0 {
		b[156] = '0'
	}
	copy(b[157:257], it.link)
	copy(b[257:], "ustar\x0000")
	if it.change != nil {
		it.change(b)
	}
	checksum(b)
	return b
}

func checksum(b []byte) {
	sum := int64(0)
	copy(b[148:156], "        ")
	for _, c := range b {
		sum += int64(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

func entryBytes(it item) []byte {
	if it.raw != nil {
		return it.raw
	}
	b := append(block(it), it.body...)
	return append(b, make([]byte, -len(it.body)&511)...)
}

func tarOf(items ...item) []byte {
	var b []byte
	for _, it := range items {
		b = append(b, entryBytes(it)...)
	}
	return append(b, make([]byte, 1024)...)
}

func gzipOf(data []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	z.Write(data)
	z.Close()
	return buf.Bytes()
}

func pack(items ...item) []byte { return gzipOf(tarOf(items...)) }

func pax(records ...string) string {
	var s strings.Builder
	for _, r := range records {
		n := len(r) + 2
		for n != len(fmt.Sprintf("%d %s\n", n, r)) {
			n++
		}
		fmt.Fprintf(&s, "%d %s\n", n, r)
	}
	return s.String()
}

func read(data []byte) (*Contents, error) {
	return Read(context.Background(), bytes.NewReader(data))
}

var manifestItem = item{name: manifestP, body: plainJSON}

func TestRead(t *testing.T) {
	long := "package/" + strings.Repeat("folder/", 30) + "file.js"
	data := pack(
		item{name: "package/", kind: '5'},
		manifestItem,
		item{name: "package/bin/run", body: "#!/bin/sh\r\n", mode: 0o755},
		item{name: "package/binding.gyp", body: "{}"},
		item{name: "././@LongLink", kind: 'L', body: long + "\x00"},
		item{name: "package/cut", body: "long"},
		item{name: "PaxHeader/x", kind: 'x', body: pax("path=package/ümlaut.js", "mtime=1.5")},
		item{name: "package/cut", body: "pax"},
		item{name: "package/link", kind: '2', link: "../../etc/passwd"},
		item{name: "pax_global_header", kind: 'g', body: pax("comment=0123")},
		item{name: "other/empty"},
		item{name: "._package", body: "mac"},
		item{name: "package//twice/./here", body: "x"},
		item{name: "package//twice/./here", body: "x"},
	)
	for name, data := range map[string][]byte{
		"as packed":   data,
		"zeros after": append(bytes.Clone(data), make([]byte, 700)...),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Read(context.Background(), iotest.OneByteReader(bytes.NewReader(data)))
			if err != nil {
				t.Fatal(err)
			}
			if c.SHA512 != sha512.Sum512(data) || c.Size != int64(len(data)) {
				t.Errorf("digest %x of %d bytes", c.SHA512, c.Size)
			}
			want := map[string]int64{
				"package.json": int64(len(plainJSON)), "bin/run": 11, "binding.gyp": 2, long[8:]: 4,
				"ümlaut.js": 3, "empty": 0, "twice/here": 1,
			}
			for name, size := range want {
				if f, ok := c.Files[name]; !ok || f.Size != size || f.Executable != (name == "bin/run") {
					t.Errorf("%s: %+v, %v", name, f, ok)
				}
			}
			if len(c.Files) != len(want) || !c.BindingGyp || c.Manifest.Name != "a" || c.Manifest.Version != "1.0.0" {
				t.Errorf("got %+v", c)
			}
		})
	}
}

// TestMembers: gzips one after the other are one, as node's zlib has it.
func TestMembers(t *testing.T) {
	plain := tarOf(manifestItem, item{name: "package/a", body: "a"})
	var data []byte
	for _, part := range [][]byte{plain[:100], nil, plain[100:1500], plain[1500:]} {
		data = append(data, gzipOf(part)...)
	}
	c, err := read(data)
	if err != nil || len(c.Files) != 2 || c.SHA512 != sha512.Sum512(data) {
		t.Fatal(c, err)
	}
}

func TestMalformed(t *testing.T) {
	a := item{name: "package/a", body: "a"}
	file := func(name string) []byte { return pack(manifestItem, item{name: name, body: "x"}) }
	good := pack(manifestItem, a)
	xattr := "SCHILY.xattr.a=b\n20 path=package/evil\n"
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"empty":                     {nil, "expected a gzip"},
		"plain tar":                 {tarOf(manifestItem), "expected a gzip"},
		"zstd":                      {[]byte("\x28\xb5\x2f\xfd12345678"), "expected a gzip"},
		"cut gzip":                  {good[:len(good)-9], ""},
		"no trailer":                {good[:len(good)-4], ""},
		"other bytes after":         {append(bytes.Clone(good), "x"...), "followed by something else"},
		"half a gzip after":         {append(bytes.Clone(good), 0x1f), ""},
		"zeros, then a gzip":        {append(append(bytes.Clone(good), 0, 0), good...), "after the gzip"},
		"second archive":            {append(bytes.Clone(good), good...), "after the archive's end"},
		"bytes after the end":       {gzipOf(append(tarOf(manifestItem), "x"...)), "after the archive's end"},
		"entry after one zero":      {gzipOf(append(append(entryBytes(manifestItem), make([]byte, 512)...), tarOf(a)...)), "after the archive's end"},
		"no entries":                {pack(), "no package.json"},
		"no manifest":               {pack(a), "no package.json"},
		"manifest in other case":    {pack(item{name: "package/Package.json", body: plainJSON}), "no package.json"},
		"upwards":                   {file("package/../../x"), "upwards"},
		"upwards inside":            {file("package/a/../x"), "upwards"},
		"upwards first":             {file("../package/x"), "upwards"},
		"upwards folder":            {pack(manifestItem, item{name: "package/../x/", kind: '5'}), "upwards"},
		"absolute":                  {file("/package/x"), "begin with a folder"},
		"dot first":                 {file("./package/x"), "begin with a folder"},
		"backslash":                 {file(`package\x`), "backslash"},
		"backslash below":           {file(`package/..\x`), "backslash"},
		"a drive":                   {file(`package/c:package.json`), "drive"},
		"a drive after slashes":     {file(`package///?/C:/package.json`), "drive"},
		"a drive below":             {file(`package/lib/C:/x`), "drive"},
		"in no folder":              {file("x"), "no folder"},
		"manifest in no folder":     {pack(item{name: "package.json", body: plainJSON}), "no folder"},
		"name is the folder":        {file("package/."), "no folder"},
		"control character":         {file("package/a\x1bb"), "control"},
		"not UTF-8":                 {file("package/\xff"), "UTF-8"},
		"no name":                   {file(""), "no name"},
		"newline after the name":    {pack(manifestItem, item{name: "package/a\x00\nb"}), "newline"},
		"too long a path":           {pack(manifestItem, item{name: "x", kind: 'L', body: "package/" + strings.Repeat("a", maxPath)}, a), "bytes, at most"},
		"too deep a path":           {pack(manifestItem, item{name: "x", kind: 'L', body: "package/" + strings.Repeat("a/", maxDepth) + "a"}, a), "deep, at most"},
		"twice":                     {pack(manifestItem, a, item{name: "package/a", body: "b"}), "two different entries"},
		"twice in other folders":    {pack(manifestItem, a, item{name: "other/a", body: "b"}), "two different entries"},
		"manifest twice":            {pack(manifestItem, item{name: manifestP, body: "{}"}), "two different entries"},
		"manifest in case":          {pack(manifestItem, item{name: "package/PACKAGE.json", body: "{}"}), "two different entries"},
		"manifest with a dot":       {pack(item{name: "package/package.json.", body: "{}"}, manifestItem), "two different entries"},
		"manifest, unseen":          {pack(item{name: "package/pack\u200cage.json", body: "{}"}, manifestItem), "two different entries"},
		"manifest, Kelvin sign":     {pack(item{name: "package/pac\u212aage.json", body: "{}"}, manifestItem), "two different entries"},
		"manifest too large":        {pack(item{name: manifestP, body: strings.Repeat(" ", MaxManifest+1)}), "bytes, at most"},
		"file and folder":           {pack(manifestItem, a, item{name: "package/a/b", body: "b"}), "file and a folder"},
		"file and folder's entry":   {pack(manifestItem, a, item{name: "package/a/", kind: '5'}), "file and a folder"},
		"file and folder in one":    {pack(manifestItem, a, item{name: "package/a/b/", kind: '5'}), "file and a folder"},
		"file with a link":          {pack(manifestItem, item{name: "package/a", body: "b", link: "x"}), "link target"},
		"file with a pax link":      {pack(manifestItem, item{name: "x", kind: 'x', body: pax("linkpath=../x")}, a), "link target"},
		"link without target":       {pack(manifestItem, item{name: "package/a", kind: '2'}), "link target"},
		"link with a body":          {pack(manifestItem, item{name: "package/a", kind: '1', link: "b", body: "b"}), "readers skip"},
		"folder's name with a body": {pack(manifestItem, item{name: "package/a/", body: "b"}), "named as a folder"},
		"device":                    {pack(manifestItem, item{name: "package/a", kind: '3'}), "of type"},
		"pipe":                      {pack(manifestItem, item{name: "package/a", kind: '6'}), "of type"},
		"contiguous file":           {pack(manifestItem, item{name: "package/a", kind: '7'}), "of type"},
		"GNU sparse":                {pack(manifestItem, item{name: "package/a", kind: 'S'}), "of type"},
		"old pax":                   {pack(manifestItem, item{name: "package/a", kind: 'X', body: pax("path=package/b")}, a), "of type"},
		"pax sparse":                {pack(manifestItem, item{name: "x", kind: 'x', body: pax("GNU.sparse.name=package/b")}, a), "sparse"},
		"pax twice":                 {pack(manifestItem, item{name: "x", kind: 'x', body: pax("mtime=1")}, item{name: "x", kind: 'x', body: pax("path=package/b")}, a), "two extended"},
		"pax, then global":          {pack(manifestItem, item{name: "x", kind: 'x', body: pax("path=package/b")}, item{name: "x", kind: 'g', body: pax("comment=1")}, a), "two extended"},
		"pax, then GNU":             {pack(manifestItem, item{name: "x", kind: 'x', body: pax("size=1")}, item{name: "x", kind: 'L', body: "package/b"}, a), "two extended"},
		"GNU, then pax":             {pack(manifestItem, item{name: "x", kind: 'L', body: "package/b"}, item{name: "x", kind: 'x', body: pax("path=package/c")}, a), "two extended"},
		"GNU twice":                 {pack(manifestItem, item{name: "x", kind: 'L', body: "package/b"}, item{name: "x", kind: 'L', body: "package/c"}, a), "two long names"},
		"global path":               {pack(manifestItem, item{name: "x", kind: 'g', body: pax("path=package/b")}, a), "all entries"},
		"global size":               {pack(manifestItem, item{name: "x", kind: 'g', body: pax("size=0")}, a), "all entries"},
		"pax path twice":            {pack(manifestItem, item{name: "x", kind: 'x', body: pax("path=package/b", "path=package/c")}, a), "twice"},
		"pax path of nothing":       {pack(manifestItem, item{name: "x", kind: 'x', body: pax("path=")}, a), "to nothing"},
		"pax path with a zero":      {pack(manifestItem, item{name: "x", kind: 'x', body: pax("path=package/b\x00c")}, a), "readers cut"},
		"pax path with a newline":   {pack(manifestItem, item{name: "x", kind: 'x', body: pax("path=package/b\nc")}, a), "readers cut"},
		"pax in a value":            {pack(manifestItem, item{name: "x", kind: 'x', body: pax(xattr)}, a), "hides"},
		"pax size in hexadecimal":   {pack(manifestItem, item{name: "x", kind: 'x', body: pax("size=0x1")}, a), "the size"},
		"pax size with a sign":      {pack(manifestItem, item{name: "x", kind: 'x', body: pax("size=+1")}, a), "the size"},
		"pax type":                  {pack(manifestItem, item{name: "x", kind: 'x', body: pax("type=Directory")}, a), "some readers"},
		"pax length with a zero":    {pack(manifestItem, item{name: "x", kind: 'x', body: "019 path=package/b\n"}, a), "expected LENGTH"},
		"pax length too long":       {pack(manifestItem, item{name: "x", kind: 'x', body: "99 path=package/b\n"}, a), "expected LENGTH"},
		"pax at the end":            {pack(manifestItem, item{name: "x", kind: 'x', body: pax("path=package/b")}), "after an extended header"},
		"extended header too large": {pack(manifestItem, item{name: "x", kind: 'x', body: strings.Repeat("x", maxExtended+1)}, a), "at most"},
		"extended header with link": {pack(manifestItem, item{name: "x", kind: 'L', body: "package/b", link: "x"}, a), "link target"},
		"wrong checksum":            {pack(manifestItem, item{raw: func() []byte { b := entryBytes(a); b[0] = 'q'; return b }()}), "checksum"},
		"checksum that nothing ends": {pack(manifestItem, item{raw: func() []byte {
			b := entryBytes(a)
			copy(b[148:156], "00"+string(b[148:154]))
			return b
		}()}), "checksum"},
		"signed checksum": {pack(manifestItem, item{raw: func() []byte {
			b := block(item{name: "package/\u00fc"})
			sum := int64(0)
			copy(b[148:156], "        ")
			for _, c := range b {
				sum += int64(int8(c))
			}
			copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
			return b
		}()}), "checksum"},
		"size that is no number":      {pack(manifestItem, item{name: "package/a", change: func(b []byte) { copy(b[124:], "12 34") }}), "size"},
		"negative size":               {pack(manifestItem, item{name: "package/a", change: func(b []byte) { copy(b[124:136], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") }}), "size"},
		"huge size":                   {pack(manifestItem, item{name: "package/a", change: func(b []byte) { copy(b[124:136], "\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") }}), "size"},
		"body cut":                    {pack(manifestItem, item{name: "package/a", size: 5000}), "ends within an entry"},
		"header cut":                  {gzipOf(tarOf(manifestItem)[:1024+100]), "ends within a header"},
		"prefix of an unknown format": {pack(manifestItem, item{name: "package/a", change: func(b []byte) { copy(b[257:], "ustar\x0001"); copy(b[345:], "x") }}), "prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := read(test.data)
			var bad *MalformedError
			if c != nil || !errors.As(err, &bad) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, %v; expected a MalformedError with %q", c, err, test.want)
			}
			if bad.SHA512 != sha512.Sum512(test.data) || bad.Size != int64(len(test.data)) {
				t.Error("the error has another digest")
			}
		})
	}
}

// TestBounds: what is too much is an error, not cut.
func TestBounds(t *testing.T) {
	many := func() []byte {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		z.Write(entryBytes(manifestItem))
		e := entryBytes(item{name: "package/a"})
		for range MaxEntries {
			z.Write(e)
		}
		z.Write(make([]byte, 1024))
		z.Close()
		return buf.Bytes()
	}()
	if _, err := read(many); err == nil || !strings.Contains(err.Error(), "entries, at most") {
		t.Error("entries:", err)
	}
	if testing.Short() {
		t.Skip("the bounds of bytes take seconds")
	}
	zerosAfter := io.MultiReader(bytes.NewReader(pack(manifestItem)), io.LimitReader(zeroReader{}, MaxEncoded))
	if _, err := Read(context.Background(), zerosAfter); err == nil || !strings.Contains(err.Error(), "at most so many are read") {
		t.Error("encoded:", err)
	}
	pr, pw := io.Pipe()
	go func() {
		z, _ := gzip.NewWriterLevel(pw, gzip.BestSpeed)
		z.Write(entryBytes(manifestItem))
		z.Write(block(item{name: "package/a", size: MaxDecoded}))
		io.CopyN(z, zeroReader{}, MaxDecoded)
		z.Close()
		pw.Close()
	}()
	if _, err := Read(context.Background(), pr); err == nil || !strings.Contains(err.Error(), "when decoded") {
		t.Error("decoded:", err)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestReadersError: what the reader or the context says is no fault of the bytes.
func TestReadersError(t *testing.T) {
	broken := errors.New("broken line")
	data := pack(manifestItem, item{name: "package/a", body: strings.Repeat("a", 1<<20)})
	for _, n := range []int{0, 1, 20, len(data) - 3, len(data)} {
		_, err := Read(context.Background(), io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken)))
		if bad := (*MalformedError)(nil); !errors.Is(err, broken) || errors.As(err, &bad) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx, bytes.NewReader(data)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestEveryByte: no other bytes have the same digest and are read, which would
// mean that something is not hashed.
func TestEveryByte(t *testing.T) {
	data := pack(manifestItem, item{name: "package/a", body: "a"})
	for i := range data {
		changed := bytes.Clone(data)
		changed[i] ^= 0x10
		if c, err := read(changed); err == nil && c.SHA512 != sha512.Sum512(changed) {
			t.Errorf("byte %d", i)
		}
	}
}

// standard reads with the standard library.
func standard(data []byte) (map[string]int64, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	files := map[string]int64{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if name, err := stripped(h.Name); err == nil && name != "" && (h.Typeflag == tar.TypeReg) {
			files[name] = h.Size
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(tarOf(manifestItem, item{name: "package/link", kind: '2', link: "x"}))
	f.Add(tarOf(item{name: "x", kind: 'x', body: pax("path=package/b", "size=1", "linkpath=a")}, item{name: "package/a", body: "a"}, manifestItem))
	f.Add(tarOf(item{name: "x", kind: 'L', body: "package/b"}, item{name: "x", kind: 'K', body: "c"}, item{name: "package/a", kind: '2'}, manifestItem))
	f.Add(tarOf(manifestItem, item{name: "a", body: "#!/bin/sh\r\n", change: func(b []byte) { copy(b[345:], "package/prefix") }}))
	f.Add(pack(manifestItem))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		if c, err := read(data); (c == nil) == (err == nil) {
			t.Fatal("neither or both")
		}
		// Fuzzing does not find valid gzips or checksums: the headers get theirs.
		for at := 0; at+512 <= len(data); at += 512 {
			if bytes.HasPrefix(data[at+257:], []byte("ustar")) {
				data = bytes.Clone(data)
				checksum(data[at : at+512])
			}
		}
		packed := gzipOf(data)
		c, err := read(packed)
		if err != nil {
			return
		}
		files, err := standard(packed)
		if err != nil {
			return // it refuses times and owners that are no numbers, which npm does not look at
		}
		for name, file := range c.Files {
			if size, ok := files[name]; !ok || size != file.Size {
				t.Fatalf("%q has %d bytes; the standard library reads %d, %v", name, file.Size, size, ok)
			}
		}
		delete(files, "")
		if len(files) != len(c.Files) {
			t.Fatalf("%d files; the standard library reads %d", len(c.Files), len(files))
		}
	})
}

func BenchmarkRead(b *testing.B) {
	items := []item{manifestItem}
	line := "module.exports = function (value, other) { return value + other }\n"
	for i := range 200 {
		items = append(items, item{name: fmt.Sprintf("package/lib/%d.js", i), body: strings.Repeat(fmt.Sprint(i)+line, 200)})
	}
	plain := tarOf(items...)
	data := gzipOf(plain)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(data); err != nil {
			b.Fatal(err)
		}
	}
}
