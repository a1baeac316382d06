package npm_test

import (
	"fmt"
	"strings"
	"testing"

	"plimsoll.example/sbom/npm"
)

// TestAddressed: registries have tarballs at addresses of several forms; one of another
// name or version is none of the package.
func TestAddressed(t *testing.T) {
	const hex = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0"
	for address, want := range map[string]string{
		"https://registry.example/foo/-/foo-1.0.0.tgz":                           "foo 1.0.0",
		"https://registry.example/npm/foo/-/foo-1.0.0-rc.1.tgz?x#y":              "foo 1.0.0-rc.1",
		"https://registry.example/@acme/lib/-/lib-1.0.0.tgz":                     "@acme/lib 1.0.0",
		"https://registry.example/%40acme%2flib/-/lib-1.0.0.tgz":                 "@acme/lib 1.0.0",
		"https://registry.example/api/npm/local/@acme/lib/-/@acme/lib-1.0.0.tgz": "@acme/lib 1.0.0",
		"https://registry.example/npm/%40acme%2Flib/-/%40acme%2Flib-1.0.0.tgz":   "@acme/lib 1.0.0",
		"https://registry.example/foo/download/foo-1.0.0.tgz?cache=0":            "foo 1.0.0",
		"https://registry.example/@acme/lib/download/@acme/lib-1.0.0.tgz":        "@acme/lib 1.0.0",
		"https://registry.example/download/@acme/lib/1.0.0/" + hex:               "@acme/lib 1.0.0",
		"https://registry.example/download/foo/1.0.0/" + hex[:40]:                "foo 1.0.0",
		"https://registry.example/~/11/@jsr/acme__lib/1.0.0.tgz":                 "@jsr/acme__lib 1.0.0",
		"https://registry.example/@evil/foo/-/foo-1.0.0.tgz":                     "@evil/foo 1.0.0",
		"https://registry.example/@acme/lib/-/@evil/lib-1.0.0.tgz":               "",
		"https://registry.example/foo/-/bar-1.0.0.tgz":                           "",
		"https://registry.example/foo/-/archive/v1.0.0/foo-v1.0.0.tgz":           "",
		"https://registry.example/foo/-/foo-1.0.0.tar.gz":                        "",
		"https://registry.example/foo/-/foo-latest.tgz":                          "",
		"https://registry.example/download/a/b/1.0.0/" + hex:                     "",
		"https://registry.example/download/foo/1.0.0/" + hex[:39]:                "",
		"https://registry.example/download/foo/1.0.0/" + strings.ToUpper(hex):    "",
		"https://registry.example/foo/1.0.0.tgz":                                 "",
		"https://registry.example/foo.tgz":                                       "",
		"git+https://registry.example/foo/-/foo-1.0.0.tgz":                       "",
		"file:foo/-/foo-1.0.0.tgz":                                               "",
		"":                                                                       "",
		"https://registry.example/npm/@acme/foo/-/@acme/foo-1.0.0.tgz/-/x":       "",
		"https://registry.example/v1/releases/download/1.0.0/foo-1.0.0.tgz":      "",
	} {
		pkg := npm.Package{Resolved: address}
		name, version, ok := pkg.Addressed()
		if got := strings.TrimSpace(name + " " + version); ok != (want != "") || ok && got != want {
			t.Errorf("%s: expected %q, found %q, %v", address, want, got, ok)
		}
		if name, version, ok = strings.Cut(want, " "); !ok {
			continue
		}
		lock := fmt.Sprintf(`{"lockfileVersion":3,"packages":{"":{},"node_modules/%s":{"version":%q,"resolved":%q}}}`, name, version, address)
		for say, source := range map[string]npm.Source{lock: npm.SourceRegistry, strings.Replace(lock, `"version":"1`, `"version":"2`, 1): npm.SourceTarball, strings.Replace(lock, "node_modules/", "node_modules/x", 1): npm.SourceTarball} {
			p, err := npm.ParseLockfile("package-lock.json", []byte(say))
			if err != nil {
				if strings.Contains(say, "node_modules/x@") {
					continue
				}
				t.Fatal(err)
			}
			if p.Packages[1].Source != source {
				t.Errorf("%s: expected %v, found %v", say, source, p.Packages[1].Source)
			}
		}
	}
}
