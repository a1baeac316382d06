package license_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll.example/sbom/license"
)

const isc = `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`

// TestKept: what a text was found to say is kept by its digest and not looked for
// again; a file that says anything else is not believed, and replaced.
func TestKept(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "facts")
	texts := []license.Text{{Name: "LICENSE", Data: []byte(isc)}}
	conclude := func() string {
		m := license.OpenMemo(folder)
		defer m.Keep()
		return m.Conclude(texts).Expression
	}
	if got := conclude(); got != "ISC" {
		t.Fatalf("found %q", got)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("kept in %v, %v", files, err)
	}
	kept, err := os.ReadFile(files[0])
	if err != nil || !strings.HasSuffix(string(kept), " 100 ISC\n") {
		t.Fatalf("kept %q, %v", kept, err)
	}
	for written, want := range map[string]string{
		string(kept): "ISC",
		strings.Replace(string(kept), "ISC", "Zlib", 1):                      "Zlib", // it was not looked at again
		strings.Replace(string(kept), "ISC", "<script>", 1):                  "ISC",
		strings.Replace(string(kept), "ISC", "Zlib Zlib", 1):                 "ISC",
		strings.Replace(string(kept), " 100 ISC", " 101 Zlib", 1):            "ISC",
		strings.Replace(string(kept), " 100 ISC", " 100 Zlib\nhalf a li", 1): "ISC",
		"x" + strings.Replace(string(kept), "ISC", "Zlib", 1):                "ISC",
	} {
		if err := os.WriteFile(files[0], []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := conclude(); got != want {
			t.Errorf("kept %q: expected %s, found %s", written, want, got)
		}
	}
	if data, err := os.ReadFile(files[0]); err != nil || !strings.HasSuffix(string(data), "\n") {
		t.Errorf("afterwards it keeps %q, %v", data, err)
	}
}

// TestKeptVersion: what is kept is that of the library that is linked.
func TestKeptVersion(t *testing.T) {
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "github.com/google/licensecheck ")
	version, _, _ := strings.Cut(rest, "\n")
	folder := t.TempDir()
	m := license.OpenMemo(folder)
	m.Conclude([]license.Text{{Name: "LICENSE", Data: []byte(isc)}})
	m.Keep()
	files, err := filepath.Glob(filepath.Join(folder, "licences-*-licensecheck-"+strings.TrimSpace(version)))
	if err != nil || len(files) != 1 {
		t.Errorf("licensecheck is %s, kept are %v, %v: raise keptVersion", version, files, err)
	}
}
