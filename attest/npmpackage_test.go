package attest_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"plimsoll.example/attest"
)

// TestNPMPackage: a tarball is named as its package only where every program would
// read the same package.json from it.
func TestNPMPackage(t *testing.T) {
	const good, evil = `{"name":"@s/good","version":"1.0.0"}`, `{"name":"evil","version":"1.0.0"}`
	entry := func(name, text string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(text)), Linkname: text}
	}
	typed := func(name, text string, kind byte) tar.Header {
		h := entry(name, text)
		h.Typeflag = kind
		return h
	}
	for _, c := range []struct {
		name    string
		entries []tar.Header // the text is in Linkname
		want    string       // "": an error
	}{
		{"npm's", []tar.Header{entry("package/index.js", "x"), entry("package/package.json", good)}, "pkg:npm/%40s/good@1.0.0"},
		{"another first folder", []tar.Header{entry("x/package.json", good), entry("x/node_modules/a/package.json", evil)}, "pkg:npm/%40s/good@1.0.0"},
		{"none", []tar.Header{entry("package.json", good)}, "not npm"},
		{"twice", []tar.Header{entry("package/package.json", good), entry("package/package.json", evil)}, ""},
		{"in two folders", []tar.Header{entry("package/package.json", good), entry("other/package.json", evil)}, ""},
		{"a contiguous file", []tar.Header{entry("package/package.json", good), typed("package/package.json", evil, tar.TypeCont)}, ""},
		{"only a contiguous file", []tar.Header{typed("package/package.json", evil, tar.TypeCont)}, ""},
		{"by another way", []tar.Header{entry("package/sub/../package.json", good)}, ""},
		{"in capitals", []tar.Header{entry("package/package.json", good), entry("package/Package.json", evil)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "p.tgz")
			f, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			zipped := gzip.NewWriter(f)
			archive := tar.NewWriter(zipped)
			for _, h := range c.entries {
				text := h.Linkname
				h.Linkname = ""
				if err := archive.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
				if _, err := archive.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(archive.Close(), zipped.Close(), f.Close()); err != nil {
				t.Fatal(err)
			}
			purl, err := attest.NPMPackage(context.Background(), file)
			switch {
			case c.want == "not npm" && !errors.Is(err, attest.ErrNotNPM),
				c.want == "" && (err == nil || errors.Is(err, attest.ErrNotNPM)),
				c.want != "" && c.want != "not npm" && (err != nil || purl != c.want):
				t.Errorf("expected %q, found %q, %v", c.want, purl, err)
			}
		})
	}
}
