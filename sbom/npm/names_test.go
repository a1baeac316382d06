package npm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

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

// TestNames: under which names packages are installed, and whether something asks for
// that, in each format.
func TestNames(t *testing.T) {
	const (
		alias     = `{"dependencies":{"foo":"npm:bar@1"}}`
		plain     = `{"dependencies":{"foo":"^1.0.0"}}`
		berry     = "__metadata:\n  version: 8\n\"r@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"r@workspace:.\"\n  dependencies:\n    foo: \"npm:%s\"\n\"foo@npm:%[1]s\":\n  version: 1.0.0\n  resolution: \"bar@npm:1.0.0\"\n"
		pnpm      = "lockfileVersion: '9.0'\n%simporters:\n  .:\n    dependencies:\n      foo:\n        specifier: %s\n        version: bar@1.0.0\npackages:\n  bar@1.0.0:\n    resolution: {integrity: sha512-x}\nsnapshots:\n  bar@1.0.0: {}\n"
		bun       = `{"lockfileVersion":1,"workspaces":{"":{"name":"r","dependencies":{"foo":"%s"}}},%s"packages":{"foo":["bar@1.0.0","",{},"sha512-x"]}}`
		classic   = "# yarn lockfile v1\n\"foo@%s\", bar@^2:\n  version \"1.0.0\"\n  resolved \"https://registry.example/bar/-/bar-1.0.0.tgz#0000000000000000000000000000000000000000\"\n"
		v1        = `{"lockfileVersion":1,"dependencies":{"foo":{"version":"npm:bar@1.0.0"}}}`
		overrides = `{"dependencies":{"foo":"^1.0.0"},`
	)
	v3 := func(root, more string) string {
		return `{"lockfileVersion":3,"packages":{"":` + root + `,"node_modules/foo":{"name":"bar","version":"1.0.0"}` + more + `}}`
	}
	for name, c := range map[string]struct {
		file, lock, manifest string
		undeclared           bool
	}{
		"npm, an alias":                         {"package-lock.json", v3(alias, ""), "", false},
		"npm, no alias":                         {"package-lock.json", v3(plain, ""), "", true},
		"npm, nothing asks":                     {"package-lock.json", v3("{}", ""), "", true},
		"npm, of another name":                  {"package-lock.json", v3(`{"dependencies":{"foo":"npm:baz@1"}}`, ""), "", true},
		"npm, of a commit":                      {"package-lock.json", v3(`{"dependencies":{"foo":"acme/bar"}}`, ""), "", false},
		"npm, by a package":                     {"package-lock.json", v3(`{"dependencies":{"a":"1"}}`, `,"node_modules/a":{"version":"1.0.0","dependencies":{"foo":"npm:bar@^1"}}`), "", false},
		"npm, package.json does not ask":        {"package-lock.json", v3(alias, ""), plain, true},
		"npm, package.json does not ask at all": {"package-lock.json", v3(alias, ""), "{}", true},
		"npm, package.json asks":                {"package-lock.json", v3(plain, ""), alias, false},
		"npm, overrides":                        {"package-lock.json", v3(plain, ""), overrides + `"overrides":{"a":{"foo@1":"npm:bar@1"}}}`, false},
		"npm, overrides of itself":              {"package-lock.json", v3(plain, ""), overrides + `"overrides":{"foo":{".":"npm:bar@1","x":"1"}}}`, false},
		"npm, overrides of another":             {"package-lock.json", v3(plain, ""), overrides + `"overrides":{"baz":"npm:bar@1"}}`, true},
		"npm 1, an alias":                       {"package-lock.json", v1, alias, false},
		"npm 1, no alias":                       {"package-lock.json", v1, plain, true},
		"npm 1, nobody knows":                   {"package-lock.json", v1, "", false},
		"yarn 1, an alias":                      {"yarn.lock", fmt.Sprintf(classic, "npm:bar@1"), alias, false},
		"yarn 1, no alias":                      {"yarn.lock", fmt.Sprintf(classic, "^1.0.0"), plain, true},
		"yarn 1, resolutions":                   {"yarn.lock", fmt.Sprintf(classic, "^1.0.0"), overrides + `"resolutions":{"**/foo":"npm:bar@1"}}`, false},
		"yarn 1, nobody knows":                  {"yarn.lock", fmt.Sprintf(classic, "npm:bar@1"), "", false},
		"berry, an alias":                       {"yarn.lock", fmt.Sprintf(berry, "bar@^1"), "", false},
		"berry, no alias":                       {"yarn.lock", fmt.Sprintf(berry, "^1.0.0"), "", true},
		"berry, resolutions":                    {"yarn.lock", fmt.Sprintf(berry, "^1.0.0"), overrides + `"resolutions":{"foo@npm:^1.0.0":"npm:bar@1"}}`, false},
		"pnpm, an alias":                        {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "", "npm:bar@1"), "", false},
		"pnpm, no alias":                        {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "", "^1.0.0"), "", true},
		"pnpm, overrides":                       {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "overrides:\n  a>foo: npm:bar@1\n", "^1.0.0"), "", false},
		"pnpm, a catalog":                       {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "", "'catalog:'"), "", false},
		"pnpm, overrides of a range":            {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "overrides:\n  a@1>foo@>=1: npm:bar@1\n", "^1.0.0"), "", false},
		"pnpm, overrides of another":            {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "overrides:\n  foo>baz: npm:bar@1\n", "^1.0.0"), "", true},
		"yarn 1, resolutions below one":         {"yarn.lock", fmt.Sprintf(classic, "^1.0.0"), overrides + `"resolutions":{"@s/a@^1/foo@1":"npm:bar@1"}}`, false},
		"bun, an alias":                         {"bun.lock", fmt.Sprintf(bun, "npm:bar@1", ""), "", false},
		"bun, no alias":                         {"bun.lock", fmt.Sprintf(bun, "^1.0.0", ""), "", true},
		"bun, overrides":                        {"bun.lock", fmt.Sprintf(bun, "^1.0.0", `"overrides":{"foo":"npm:bar@1"},`), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			pkg := byName(t, parseIn(t, c.file, c.lock, c.manifest), "bar")
			if !slices.Equal(pkg.Names, []string{"foo"}) || (len(pkg.Undeclared) > 0) != c.undeclared {
				t.Errorf("found %v, undeclared %v", pkg.Names, pkg.Undeclared)
			}
		})
	}
}

// parseIn reads a lockfile beside a package.json, if there is one.
func parseIn(t *testing.T, file, lock, manifest string) *npm.Project {
	t.Helper()
	files := fstest.MapFS{}
	if manifest != "" {
		files["package.json"] = &fstest.MapFile{Data: []byte(manifest)}
	}
	p, err := npm.ParseLockfileIn(files, file, []byte(lock))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestUnasked: what comes from no registry is asked for by its address, or not at all.
func TestUnasked(t *testing.T) {
	v3 := func(spec, entry string) string {
		return `{"lockfileVersion":3,"packages":{"":{"workspaces":["packages/*"],"dependencies":{"foo":"` + spec + `"}},"node_modules/foo":` + entry + `}}`
	}
	const (
		address = `{"version":"1.0.0","resolved":"https://elsewhere.example/foo.tgz"}`
		commit  = `{"version":"1.0.0","resolved":"git+ssh://git@elsewhere.example/foo.git#0123456789012345678901234567890123456789"}`
		pnpm    = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      foo:\n        specifier: %s\n        version: %s\n%s"
		tarball = "packages:\n  foo@1.0.0:\n    resolution: {tarball: https://elsewhere.example/foo.tgz}\nsnapshots:\n  foo@1.0.0: {}\n"
		berry   = "__metadata:\n  version: 8\n\"r@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"r@workspace:.\"\n  dependencies:\n    foo: \"%s\"\n\"foo@%[1]s\":\n  version: 1.0.0\n  resolution: \"foo@%[2]s\"\n"
		classic = "# yarn lockfile v1\n\"foo@%s\":\n  version \"1.0.0\"\n  resolved \"https://elsewhere.example/foo.tgz#0000000000000000000000000000000000000000\"\n"
		bun     = `{"lockfileVersion":1,"workspaces":{"":{"name":"r","dependencies":{"foo":"%s"}}},"packages":{"foo":["foo@https://elsewhere.example/foo.tgz",{},"sha512-x"]}}`
		link    = `{"resolved":"%s","link":true},"%[1]s":{"name":"foo","version":"1.0.0"}`
	)
	for name, c := range map[string]struct {
		file, lock, manifest, want string
	}{
		"npm, by its address":              {"package-lock.json", v3("https://elsewhere.example/foo.tgz", address), "", ""},
		"npm, by a range":                  {"package-lock.json", v3("^1.0.0", address), "", "foo@^1.0.0"},
		"npm, a commit by a range":         {"package-lock.json", v3("^1.0.0", commit), "", "foo@^1.0.0"},
		"npm, a commit of its own":         {"package-lock.json", v3("acme/foo#main", commit), "", ""},
		"npm, package.json has a range":    {"package-lock.json", v3("acme/foo#main", commit), `{"dependencies":{"foo":"latest"}}`, "foo@latest"},
		"npm, overrides":                   {"package-lock.json", v3("^1.0.0", commit), `{"dependencies":{"foo":"^1.0.0"},"overrides":{"foo":"acme/foo"}}`, ""},
		"npm, nothing":                     {"package-lock.json", strings.Replace(v3("", address), `"foo":""`, "", 1), "", "nothing"},
		"npm, a file":                      {"package-lock.json", v3("^1.0.0", `{"version":"1.0.0","resolved":"file:foo.tgz"}`), "", "foo@^1.0.0"},
		"npm, a file of its own":           {"package-lock.json", v3("foo.tgz", `{"version":"1.0.0","resolved":"file:foo.tgz"}`), "", ""},
		"npm, a workspace":                 {"package-lock.json", v3("^1.0.0", fmt.Sprintf(link, "packages/foo")), "", ""},
		"npm, a folder that is none":       {"package-lock.json", v3("^1.0.0", fmt.Sprintf(link, "vendor/foo")), "", "foo@^1.0.0"},
		"npm, a workspace by the lockfile": {"package-lock.json", v3("^1.0.0", fmt.Sprintf(link, "packages/foo")), `{"dependencies":{"foo":"^1.0.0"},"workspaces":["apps/*"]}`, "foo@^1.0.0"},
		"npm, a workspace by package.json": {"package-lock.json", v3("^1.0.0", fmt.Sprintf(link, "apps/foo")), `{"dependencies":{"foo":"^1.0.0"},"workspaces":["apps/*"]}`, ""},
		"npm, a folder by its path":        {"package-lock.json", v3("file:vendor/foo", fmt.Sprintf(link, "vendor/foo")), "", ""},
		"npm, a folder beside it":          {"package-lock.json", v3("^1.0.0", fmt.Sprintf(link, "../foo")), "", "foo@^1.0.0"},
		"npm, a folder beside, by path":    {"package-lock.json", v3("file:../foo", fmt.Sprintf(link, "../foo")), "", ""},
		"yarn 1, by its address":           {"yarn.lock", fmt.Sprintf(classic, "https://elsewhere.example/foo.tgz"), `{"dependencies":{"foo":"https://elsewhere.example/foo.tgz"}}`, ""},
		"yarn 1, by a range":               {"yarn.lock", fmt.Sprintf(classic, "^1.0.0"), `{"dependencies":{"foo":"^1.0.0"}}`, "foo@^1.0.0"},
		"berry, by its address":            {"yarn.lock", fmt.Sprintf(berry, "https://elsewhere.example/foo.tgz", "https://elsewhere.example/foo.tgz"), "", ""},
		"berry, by a range":                {"yarn.lock", fmt.Sprintf(berry, "npm:^1.0.0", "https://elsewhere.example/foo.tgz"), "", "foo@npm:^1.0.0"},
		"berry, a range and its archive":   {"yarn.lock", fmt.Sprintf(berry, "npm:^1.0.0", "npm:1.0.0::__archiveUrl=https%3A%2F%2Felsewhere.example%2Ffoo.tgz"), "", "foo@npm:^1.0.0"},
		"pnpm, by a range":                 {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "^1.0.0", "1.0.0", tarball), "", "foo@^1.0.0"},
		"pnpm, by its address":             {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "https://elsewhere.example/foo.tgz", "1.0.0", tarball), "", ""},
		"pnpm, a folder beside it":         {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "^1.0.0", "link:../foo", ""), "", "foo@^1.0.0"},
		"pnpm, a folder beside, by path":   {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "link:../foo", "link:../foo", ""), "", ""},
		"pnpm, a workspace":                {"pnpm-lock.yaml", fmt.Sprintf(pnpm, "^1.0.0", "link:foo", "  foo: {}\n"), "", ""},
		"bun, by its address":              {"bun.lock", fmt.Sprintf(bun, "https://elsewhere.example/foo.tgz"), "", ""},
		"bun, by a range":                  {"bun.lock", fmt.Sprintf(bun, "^1.0.0"), "", "foo@^1.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			var found []string
			for _, pkg := range parseIn(t, c.file, c.lock, c.manifest).Packages[1:] {
				if pkg.Unasked != "" {
					found = append(found, pkg.Unasked)
				}
			}
			if strings.Join(found, " ") != c.want {
				t.Errorf("expected %q, found %q", c.want, found)
			}
		})
	}
}

// TestRealNames: no alias and no address of a real project is undeclared.
func TestRealNames(t *testing.T) {
	for _, dir := range []string{"npm-kinds", "npm-v1", "npm-v2", "npm-large", "npm-bundle", "yarn1-kinds", "yarn1-medium", "berry-kinds", "berry-medium", "pnpm8-kinds", "pnpm8-large", "pnpm9-kinds", "pnpm9-large", "bun-kinds", "bun-large"} {
		t.Run(dir, func(t *testing.T) {
			fsys := oracleFS(t, dir)
			files, err := npm.Find(fsys)
			if err != nil {
				t.Fatal(err)
			}
			p, err := npm.ParseLockfileIn(fsys, files[0], slurp(t, fsys, files[0]))
			if err != nil {
				t.Fatal(err)
			}
			alone, err := npm.ParseLockfile(files[0], slurp(t, fsys, files[0]))
			if err != nil {
				t.Fatal(err)
			}
			named := 0
			for _, pkg := range slices.Concat(p.Packages, alone.Packages) {
				named += len(pkg.Names)
				if len(pkg.Undeclared) > 0 || pkg.Unasked != "" {
					t.Errorf("%s: %s undeclared as %v, unasked for: %q", pkg.Place, pkg.Name, pkg.Undeclared, pkg.Unasked)
				}
			}
			if named == 0 && !strings.HasSuffix(dir, "-medium") {
				t.Error("no alias is found")
			}
		})
	}
}
