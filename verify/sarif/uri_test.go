package sarif_test

import (
	"net/url"
	"strings"
	"testing"

	"plimsoll.example/verify/sarif"
)

var uris = []struct{ name, uri string }{
	{"app", "app"},
	{"./app", "app"},
	{".//app", "app"},
	{".", "."},
	{"./", "."},
	{"../app", "../app"},
	{"a b", "a%20b"},
	{"100%", "100%25"},
	{"a%20b", "a%2520b"},
	{"a?b#c", "a%3Fb%23c"},
	{"grün/\u4e16", "gr%C3%BCn/%E4%B8%96"},
	{"a\xffb\x00\n", "a%FFb%00%0A"},
	{"a:b", "a%3Ab"},
	{"javascript:alert(1)", "javascript%3Aalert(1)"},
	{"https://evil.example/x", "https%3A//evil.example/x"},
	{"dir/a:b", "dir/a:b"},
	{"./a:b", "a%3Ab"},
	{`a\b`, "a%5Cb"},
	{"a[1]|^`{}<>\"", "a%5B1%5D%7C%5E%60%7B%7D%3C%3E%22"},
	{"/tmp/a b", "file:///tmp/a%20b"},
	{"//host/share", "file:///host/share"},
	{"/c:/x", "file:///c:/x"},
	{`C:\Program Files\a#.exe`, "file:///C:/Program%20Files/a%23.exe"},
	{"c:/x", "file:///c:/x"},
	{"C:x", "C%3Ax"},
	{"1:/x", "1%3A/x"},
	{`\\host\share`, "%5C%5Chost%5Cshare"},
	{"oci://r.example:5000/n/m@sha256:00ff", "oci://r.example:5000/n/m@sha256:00ff"},
	{"oci://r.example/n@sha256:00 (linux/arm64/v8)", "oci://r.example/n@sha256:00%20(linux/arm64/v8)"},
	{"oci://r.example:port/n", "oci%3A//r.example%3Aport/n"},
	{"oci://[::1]:5000/n", "oci%3A//%5B%3A%3A1%5D%3A5000/n"},
	{"pkg:npm/%40scope/n@1.0?a=b&c=d#sub/dir", "pkg:npm/%40scope/n@1.0?a=b&c=d#sub/dir"},
	{"pkg:generic/ü 1%zz#a#b", "pkg:generic/%C3%BC%201%25zz#a%23b"},
	{"sha256:00ff", "sha256:00ff"},
	{"sha512:00ff", "sha512:00ff"},
}

func TestURI(t *testing.T) {
	for _, u := range uris {
		if got := sarif.URI(u.name); got != u.uri {
			t.Errorf("%q: expected %s, found %s", u.name, u.uri, got)
		}
	}
	if got := sarif.URI(""); got != "" {
		t.Errorf("no name: found %q", got)
	}
}

// FuzzURI: every name gives a URI reference of printable ASCII; of a path, one
// that leads back to it and names no host, query or scheme but file.
func FuzzURI(f *testing.F) {
	for _, u := range uris {
		f.Add(u.name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := sarif.URI(name)
		u, err := url.Parse(got)
		if err != nil {
			t.Fatalf("%q gives %s: %v", name, got, err)
		}
		if (got == "") != (name == "") {
			t.Fatalf("%q gives %q", name, got)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}[]", r) }); i >= 0 {
			t.Fatalf("%q gives %q", name, got)
		}
		for _, prefix := range []string{"oci://", "pkg:", "sha256:", "sha512:"} {
			if strings.HasPrefix(name, prefix) {
				return
			}
		}
		if u.Host != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || (u.Scheme != "" && u.Scheme != "file") {
			t.Fatalf("%q gives %s: %#v", name, got, u)
		}
		if u.Scheme == "" && !strings.HasPrefix(name, ".") && u.Path != name {
			t.Fatalf("%q leads back to %q", name, u.Path)
		}
	})
}
