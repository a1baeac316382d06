package license

import (
	"archive/zip"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

func TestIsTextName(t *testing.T) {
	for name, want := range map[string]bool{
		"LICENSE": true, "LICENCE.md": true, "License.txt": true, "COPYING": true, "COPYING.LESSER": true, "LICENSE-MIT": true,
		"LICENSE.libyaml": true, "UNLICENSE": true, "LICENSES": true,
		"LICENSE.docs": false, "LICENSE-3rdparty.csv": false, "license.go": false, "license_test.go": false, "licensing.md": false,
		"README": false, "": false, "LICENSE.json": false,
	} {
		if got := IsTextName(name); got != want {
			t.Errorf("IsTextName(%q): expected %v, found %v", name, want, got)
		}
	}
}

// rare is a licence that is not among the common ones.
const rare = `Permission to use, copy, modify, and distribute this software and its documentation for any purpose, without fee, and without a written agreement is hereby granted, provided that the above copyright notice and this paragraph and the following two paragraphs appear in all copies.

IN NO EVENT SHALL SOMEBODY BE LIABLE TO ANY PARTY FOR DIRECT, INDIRECT, SPECIAL, INCIDENTAL, OR CONSEQUENTIAL DAMAGES, INCLUDING LOST PROFITS, ARISING OUT OF THE USE OF THIS SOFTWARE AND ITS DOCUMENTATION, EVEN IF SOMEBODY HAS BEEN ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

SOMEBODY SPECIFICALLY DISCLAIMS ANY WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE. THE SOFTWARE PROVIDED HEREUNDER IS ON AN "AS IS" BASIS, AND SOMEBODY HAS NO OBLIGATIONS TO PROVIDE MAINTENANCE, SUPPORT, UPDATES, ENHANCEMENTS, OR MODIFICATIONS.
`

// mit is one of the common ones.
const mit = `MIT License

Copyright (c) 2020 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`

func TestConclude(t *testing.T) {
	for _, c := range []struct {
		name       string
		texts      []Text
		expression string
		unknown    string
	}{
		{"none", nil, "", "no licence file"},
		{"one", []Text{{"LICENSE", []byte(mit)}}, "MIT", ""},
		{"a rare one", []Text{{"LICENSE", []byte(rare)}}, "PostgreSQL", ""},
		{"two files", []Text{{"LICENSE-MIT", []byte(mit)}, {"LICENSE-B", []byte(rare)}}, "MIT AND PostgreSQL", ""},
		{"own words", []Text{{"LICENSE", []byte("All rights reserved. Ask us.")}}, "", "LICENSE is no licence"},
		{"one known, one not", []Text{{"LICENSE", []byte(mit)}, {"LICENSE-X", []byte("and you owe us a beer, or two")}}, "", "LICENSE-X"},
		{"empty", []Text{{"LICENSE", nil}}, "", "LICENSE is no licence"},
		{"no text", []Text{{"LICENSE", []byte("\x00" + mit)}}, "", "LICENSE is no licence"},
		{"a licence and as much again", []Text{{"LICENSE", []byte(mit + strings.Repeat("You may not use it on Sundays. ", 60))}}, "", "LICENSE is no licence"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Conclude(c.texts)
			if got.Expression != c.expression || (c.unknown == "") != (got.Unknown == "") || !strings.Contains(got.Unknown, c.unknown) {
				t.Errorf("found %+v", got)
			}
			if got.Expression != "" && !IsExpression(got.Expression) {
				t.Errorf("%q is no SPDX expression", got.Expression)
			}
		})
	}
}

// TestClassifyAgainstWholeLibrary: the short way finds what comparing with every
// licence finds, for the licence texts of the modules that this one needs.
func TestClassifyAgainstWholeLibrary(t *testing.T) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	zips, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "cache", "download", "*.*", "*", "*", "@v", "*.zip"))
	if err != nil || len(zips) == 0 {
		t.Skip("the module cache is empty")
	}
	seen := map[string]bool{}
	for _, path := range zips {
		for name, text := range texts(t, path) {
			if seen[text] {
				continue
			}
			seen[text] = true
			got, _ := classify([]byte(text))
			var want []string
			coverage := licensecheck.Scan([]byte(text))
			for _, m := range coverage.Match {
				if id := m.ID; !m.IsURL || len(coverage.Match) == 1 {
					if !IsID(id) {
						id = "LicenseRef-" + id
					}
					want = append(want, id)
				}
			}
			slices.Sort(want)
			if want = slices.Compact(want); !slices.Equal(got, want) {
				t.Errorf("%s: expected %v, found %v", name, want, got)
			}
		}
	}
	t.Logf("%d texts", len(seen))
}

func texts(t *testing.T, path string) map[string]string {
	t.Helper()
	r, err := zip.OpenReader(path)
	if err != nil {
		return nil // another process may be writing it
	}
	defer r.Close()
	found := map[string]string{}
	for _, f := range r.File {
		if _, rest, _ := strings.Cut(f.Name, "@"); strings.Count(rest, "/") == 1 && IsTextName(rest[strings.IndexByte(rest, '/')+1:]) {
			in, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(in)
			in.Close()
			if err != nil {
				t.Fatal(err)
			}
			found[f.Name] = string(data)
		}
	}
	return found
}

func FuzzConclude(f *testing.F) {
	f.Add([]byte("Permission is hereby granted"))
	f.Add([]byte("Licensed under the Apache License, Version 2.0"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c := Conclude([]Text{{"LICENSE", text}}); c.Expression != "" && !IsExpression(c.Expression) {
			t.Errorf("%q is no SPDX expression", c.Expression)
		}
	})
}

// TestEveryScanner: each licence of the library can be compared with.
func TestEveryScanner(t *testing.T) {
	for _, k := range licenses() {
		k.scanner()
	}
}

// BenchmarkClassify: a text that the common licences cover, one that they do not.
func BenchmarkClassify(b *testing.B) {
	for name, text := range map[string]string{"common": mit, "rare": rare} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				classify([]byte(text))
			}
		})
	}
}
