package sbom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"plimsoll.example/sbom"
	"plimsoll.example/sbom/npm"
)

// javascript writes a project's files and returns its folder.
func javascript(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "folder")
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// lock is a package-lock.json of version 3 with these packages.
func lock(packages string) map[string]string {
	return map[string]string{"package-lock.json": `{"name":"r","version":"1.0.0","lockfileVersion":3,"packages":{` + packages + `}}`}
}

func (d document) component(t testing.TB, ref string) component {
	t.Helper()
	for _, c := range d.all() {
		if c.BOMRef == ref {
			return c
		}
	}
	t.Fatalf("no component %q among %d", ref, len(d.Components))
	return component{}
}

func (d document) dependsOn(ref string) []string {
	for _, dep := range d.Dependencies {
		if dep.Ref == ref {
			return dep.DependsOn
		}
	}
	return nil
}

func read(t *testing.T, files map[string]string) document {
	t.Helper()
	return parse(t, generate(t, javascript(t, files), sbom.Options{}))
}

const sri = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="

func TestMistakeNestedVersions(t *testing.T) {
	d := read(t, lock(`
		"": {"name":"r","version":"1.0.0","dependencies":{"a":"1","b":"1"}},
		"node_modules/a": {"version":"1.0.0","dependencies":{"b":"2"}},
		"node_modules/a/node_modules/b": {"version":"2.0.0"},
		"node_modules/b": {"version":"1.0.0"}`))
	if got := d.dependsOn("pkg:npm/a@1.0.0"); !slices.Equal(got, []string{"pkg:npm/b@2.0.0"}) {
		t.Errorf("a depends on %v", got)
	}
	if got := d.dependsOn("pkg:npm/r@1.0.0"); !slices.Equal(got, []string{"pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0"}) {
		t.Errorf("the project depends on %v", got)
	}
}

// TestMistakeMergedFlags: a package in several places is for development, or may be
// absent, if it is so in each of them.
func TestMistakeMergedFlags(t *testing.T) {
	for flags, want := range map[string]struct {
		scope string
		dev   bool
	}{
		`"dev":true / `:                   {"required", false},
		`"dev":true / "dev":true`:         {"excluded", true},
		`"optional":true / `:              {"required", false},
		`"optional":true / "dev":true`:    {"optional", false},
		`"devOptional":true / `:           {"required", false},
		`"devOptional":true / "dev":true`: {"optional", false},
	} {
		one, other, _ := strings.Cut(flags, " / ")
		comma := func(s string) string {
			if s != "" {
				return "," + s
			}
			return s
		}
		d := read(t, lock(`
			"": {"name":"r","version":"1.0.0","dependencies":{"a":"1","x":"1"}},
			"node_modules/x": {"version":"1.0.0","integrity":"`+sri+`"`+comma(one)+`},
			"node_modules/a": {"version":"1.0.0","dependencies":{"x":"1"}},
			"node_modules/a/node_modules/x": {"version":"1.0.0","integrity":"`+sri+`"`+comma(other)+`}`))
		x := d.component(t, "pkg:npm/x@1.0.0")
		if dev := len(x.property("cdx:npm:package:development")) > 0; x.Scope != want.scope || dev != want.dev {
			t.Errorf("%s: expected %+v, found %s, %v", flags, want, x.Scope, dev)
		}
		if places := x.property("cdx:npm:package:path"); len(places) != 2 {
			t.Errorf("%s: found places %v", flags, places)
		}
	}
}

// TestMistakeDroppedDev: nothing is left out unless it was asked for, and then it is
// said.
func TestMistakeDroppedDev(t *testing.T) {
	dir := javascript(t, lock(`
		"": {"name":"r","version":"1.0.0","dependencies":{"a":"1"},"devDependencies":{"d":"1"},"optionalDependencies":{"o":"1"}},
		"node_modules/a": {"version":"1.0.0"}, "node_modules/d": {"version":"1.0.0","dev":true}, "node_modules/o": {"version":"1.0.0","optional":true}`))
	if d := parse(t, generate(t, dir, sbom.Options{})); len(d.Components) != 3 {
		t.Errorf("found %d components", len(d.Components))
	}
	doc, err := sbom.Generate(context.Background(), []string{dir}, sbom.Options{NPM: npm.Options{Omit: []string{"dev", "optional"}}})
	if err != nil {
		t.Fatal(err)
	}
	if d := parse(t, doc.JSON()); len(d.Components) != 1 || !slices.Contains(doc.Notes, "left out as asked: dev,optional (2 places)") {
		t.Errorf("found %d components, notes %v", len(d.Components), doc.Notes)
	}
	if _, err := sbom.Generate(context.Background(), []string{dir}, sbom.Options{NPM: npm.Options{Omit: []string{"prod"}}}); err == nil {
		t.Error("an unknown kind: accepted")
	}
}

func TestMistakeAlias(t *testing.T) {
	d := read(t, lock(`
		"": {"name":"r","version":"1.0.0","dependencies":{"old":"npm:@s/real@1","JSONStream":"1"}},
		"node_modules/old": {"name":"@s/real","version":"1.0.0","integrity":"`+sri+`"},
		"node_modules/JSONStream": {"version":"1.3.5"}`))
	if got := d.dependsOn("pkg:npm/r@1.0.0"); !slices.Equal(got, []string{"pkg:npm/%40s/real@1.0.0", "pkg:npm/JSONStream@1.3.5"}) {
		t.Errorf("found %v", got)
	}
	if c := d.component(t, "pkg:npm/%40s/real@1.0.0"); c.Group != "@s" || c.Name != "real" || len(c.Hashes) != 1 {
		t.Errorf("found %+v", c)
	}
}

// TestMistakeSources: what does not come from a registry does not look as if it did.
func TestMistakeSources(t *testing.T) {
	d := read(t, lock(`
		"": {"name":"r","version":"1.0.0","dependencies":{"g":"git@host.example:a/g.git","t":"https://example.com/t.tgz","f":"file:f.tgz","l":"file:l"}},
		"node_modules/g": {"version":"1.0.0","resolved":"git+ssh://git@host.example:a/g.git#0123456789012345678901234567890123456789"},
		"node_modules/t": {"version":"1.0.0","resolved":"https://user:secret@example.com/t.tgz","integrity":"`+sri+`"},
		"node_modules/f": {"version":"1.0.0","resolved":"file:f.tgz","integrity":"`+sri+`"},
		"node_modules/l": {"resolved":"l","link":true}, "l": {"name":"l","version":"1.0.0"}`))
	for ref, purl := range map[string]string{
		"pkg:npm/g@1.0.0?vcs_url=git%2Bssh:%2F%2Fgit%40host.example%2Fa%2Fg.git%230123456789012345678901234567890123456789": "",
		"pkg:npm/t@1.0.0?download_url=https:%2F%2Fexample.com%2Ft.tgz":                                                      "", "npm:node_modules/f": "-", "npm:l": "-",
	} {
		c := d.component(t, ref)
		if want := strings.TrimPrefix(purl, "-"); purl != "" && c.PURL != want {
			t.Errorf("%s: purl %q", ref, c.PURL)
		}
		for _, r := range c.ExternalReferences {
			if strings.Contains(r.URL, "secret") || strings.Contains(r.URL, "example:a") {
				t.Errorf("%s: reference %s", ref, r.URL)
			}
		}
	}
}

// TestMistakeNamedByFolder: packages are called what their package.json calls them.
func TestMistakeNamedByFolder(t *testing.T) {
	d := read(t, map[string]string{
		"package.json":             `{"name":"shop","version":"2.0.0"}`,
		"packages/ui/package.json": `{"name":"@shop/frontend","version":"0.3.0","license":"MIT"}`,
		"pnpm-lock.yaml":           "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      away:\n        specifier: link:../away\n        version: link:../away\n  packages/ui: {}\n",
	})
	if c := d.Metadata.Component; c.Name != "shop" || c.Version != "2.0.0" {
		t.Errorf("the project: %+v", c)
	}
	if c := d.component(t, "npm:packages/ui"); c.Group != "@shop" || c.Name != "frontend" || c.Version != "0.3.0" {
		t.Errorf("the workspace: %+v", c)
	}
	if got := d.dependsOn("pkg:npm/shop@2.0.0"); !slices.Equal(got, []string{"npm:../away", "npm:packages/ui"}) {
		t.Errorf("the project depends on %v", got)
	}
	if c := d.component(t, "npm:../away"); c.Name != "away" || len(c.property("plimsoll:dependencies:unknown")) != 1 {
		t.Errorf("a folder outside: %+v", c)
	}
}

// TestMistakeCopiedNodeModules: npm's own note is believed where the packages agree
// with it, whatever the folders' times are; not where they do not.
func TestMistakeCopiedNodeModules(t *testing.T) {
	files := map[string]string{
		"package.json":                `{"name":"r","version":"1.0.0","dependencies":{"a":"1","b":"1"}}`,
		"node_modules/a/package.json": `{"name":"a","version":"1.0.0","license":"MIT"}`,
		"node_modules/b/package.json": `{"name":"b","version":"1.0.1","license":"MIT"}`,
		"node_modules/.package-lock.json": `{"lockfileVersion":3,"packages":{
			"node_modules/a":{"version":"1.0.0","resolved":"https://registry.example/a/-/a-1.0.0.tgz","integrity":"` + sri + `"},
			"node_modules/b":{"version":"1.0.0","resolved":"https://registry.example/b/-/b-1.0.0.tgz","integrity":"` + sri + `"}}}`,
	}
	dir := javascript(t, files)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "node_modules", ".package-lock.json"), old, old); err != nil {
		t.Fatal(err)
	}
	d := parse(t, generate(t, dir, sbom.Options{}))
	if a := d.component(t, "pkg:npm/a@1.0.0"); len(a.Hashes) != 1 {
		t.Errorf("a: %+v", a)
	}
	for _, c := range d.Components {
		if c.Name == "b" && (len(c.Hashes) != 0 || c.Version != "1.0.1") {
			t.Errorf("b: %+v", c)
		}
	}
}

// TestMistakeFixtures: folders called node_modules in a package's tests, and files
// that are no packages, are not installed.
func TestMistakeFixtures(t *testing.T) {
	d := read(t, map[string]string{
		"package.json":                                                `{"name":"r","version":"1.0.0","dependencies":{"a":"1"}}`,
		"node_modules/a/package.json":                                 `{"name":"a","version":"1.0.0"}`,
		"node_modules/a/action.yml":                                   "runs: {using: node20}",
		"node_modules/a/.github/workflows/ci.yml":                     "jobs: {x: {steps: [{uses: actions/checkout@v4}]}}",
		"node_modules/a/test/fixtures/node_modules/evil/package.json": `{"name":"evil","version":"6.6.6"}`,
		"node_modules/a/test/package.json":                            `{"name":"test","version":"1.0.0"}`,
		"node_modules/.cache/x/package.json":                          `{"name":"cached","version":"1.0.0"}`,
	})
	if len(d.Components) != 1 || d.Components[0].Name != "a" {
		t.Errorf("found %+v", d.Components)
	}
}

func TestMistakeVersionOneNested(t *testing.T) {
	d := read(t, map[string]string{
		"package.json": `{"name":"r","version":"1.0.0","dependencies":{"a":"1"},"devDependencies":{"b":"1"}}`,
		"package-lock.json": `{"name":"r","version":"1.0.0","lockfileVersion":1,"requires":true,"dependencies":{
			"a":{"version":"1.0.0","requires":{"b":"2"},"dependencies":{"b":{"version":"2.0.0","requires":{"c":"1"},"dependencies":{"c":{"version":"1.0.0"}}}}},
			"b":{"version":"1.0.0","dev":true}, "t":{"version":"https://example.com/t.tgz"}}}`,
	})
	if got := d.dependsOn("pkg:npm/a@1.0.0"); !slices.Equal(got, []string{"pkg:npm/b@2.0.0"}) {
		t.Errorf("a depends on %v", got)
	}
	if got := d.dependsOn("pkg:npm/b@2.0.0"); !slices.Equal(got, []string{"pkg:npm/c@1.0.0"}) {
		t.Errorf("b 2 depends on %v", got)
	}
	if c := d.component(t, "pkg:npm/b@1.0.0"); c.Scope != "excluded" {
		t.Errorf("b 1: %+v", c)
	}
}

// TestMistakeDrift: a lockfile and a node_modules that disagree make a document of
// the lockfile, in which each disagreement stands.
func TestMistakeDrift(t *testing.T) {
	files := lock(`
		"": {"name":"r","version":"1.0.0","dependencies":{"a":"1","b":"1"},"optionalDependencies":{"o":"1"}},
		"node_modules/a": {"version":"1.0.0"}, "node_modules/b": {"version":"1.0.0"}, "node_modules/o": {"version":"1.0.0","optional":true}`)
	files["node_modules/a/package.json"] = `{"name":"a","version":"1.0.7","license":"GPL-3.0-only"}`
	files["node_modules/c/package.json"] = `{"name":"c","version":"3.0.0"}`
	dir := javascript(t, files)
	doc, err := sbom.Generate(context.Background(), []string{dir}, sbom.Options{})
	if err != nil {
		t.Fatal(err)
	}
	drift := driftIn(t, doc.JSON())
	want := []string{
		`missing: b@1.0.0, locked at "node_modules/b", is not installed`,
		`extraneous: c@3.0.0, installed at "node_modules/c", is not in the lockfile`,
		`other version: a at "node_modules/a", expected 1.0.0, found 1.0.7`,
	}
	if !slices.Equal(drift, want) || len(doc.Notes) != 3 {
		t.Errorf("expected\n%s\nfound\n%s\nnotes %v", strings.Join(want, "\n"), strings.Join(drift, "\n"), doc.Notes)
	}
	d := parse(t, doc.JSON())
	if a := d.component(t, "pkg:npm/a@1.0.0"); len(a.Licenses) != 0 {
		t.Errorf("a has the licence of another version: %+v", a.Licenses)
	}
	for _, c := range d.Components {
		if c.Name == "c" && len(c.property("cdx:npm:package:extraneous")) != 1 {
			t.Errorf("c: %+v", c)
		}
	}
}

// driftIn lists what a document says about a lockfile and node_modules.
func driftIn(t *testing.T, data []byte) (drift []string) {
	t.Helper()
	var raw struct {
		Metadata struct {
			Properties []struct{ Name, Value string }
		}
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	for _, p := range raw.Metadata.Properties {
		if p.Name == "plimsoll:npm:drift" {
			drift = append(drift, p.Value)
		}
	}
	return drift
}

// TestMistakeDriftLinks: a link where the lockfile has a package, a folder where it has
// a link, and a link to something else are reported, with what lies there.
func TestMistakeDriftLinks(t *testing.T) {
	files := lock(`
		"": {"name":"r","version":"1.0.0","workspaces":["packages/*"],"dependencies":{"foo":"1","dep":"1"}},
		"packages/a": {"version":"1.0.0"}, "node_modules/a": {"resolved":"packages/a","link":true},
		"packages/b": {"version":"1.0.0"}, "node_modules/b": {"resolved":"packages/b","link":true},
		"packages/c": {"version":"1.0.0"}, "node_modules/c": {"resolved":"packages/c","link":true},
		"node_modules/foo": {"version":"1.0.0"}, "node_modules/dep": {"version":"1.0.0"}`)
	for place, text := range map[string]string{
		"packages/a": `{"name":"a","version":"1.0.0"}`, "packages/b": `{"name":"b","version":"1.0.0"}`, "packages/c": `{"name":"c","version":"1.0.0"}`,
		"node_modules/a": `{"name":"a","version":"99.0.0","scripts":{"postinstall":"evil"}}`, "node_modules/dep": `{"name":"dep","version":"1.0.0"}`,
		"vendor/foo": `{"name":"evil","version":"9.9.9","dependencies":{"dep":"1","gone":"1"}}`,
	} {
		files[place+"/package.json"] = text
	}
	dir := javascript(t, files)
	for name, target := range map[string]string{"foo": "../vendor/foo", "b": "../packages/c", "c": "../packages/c"} {
		if err := os.Symlink(target, filepath.Join(dir, "node_modules", name)); err != nil {
			t.Skip(err)
		}
	}
	data := generate(t, dir, sbom.Options{})
	d := parse(t, data)
	want := []string{
		`other link: at "node_modules/a", expected a link to "packages/a", found a@99.0.0`,
		`other link: at "node_modules/b", expected a link to "packages/b", found a link to "packages/c" (c@1.0.0)`,
		`other link: at "node_modules/foo", expected foo@1.0.0, found a link to "vendor/foo" (evil@9.9.9)`,
	}
	if got := driftIn(t, data); !slices.Equal(got, want) {
		t.Errorf("expected %q\nfound %q", want, got)
	}
	evil := d.component(t, "npm:vendor/foo")
	if evil.Name != "evil" || !slices.Equal(d.dependsOn(evil.BOMRef), []string{"pkg:npm/dep@1.0.0"}) || !slices.Equal(evil.property("plimsoll:npm:missing"), []string{"gone@1"}) {
		t.Errorf("what lies there instead: %+v, which depends on %v", evil, d.dependsOn(evil.BOMRef))
	}
	if folder := d.component(t, "npm:node_modules/a"); folder.Version != "99.0.0" || len(folder.property("plimsoll:npm:script:postinstall")) != 1 {
		t.Errorf("the folder instead of the link: %+v", folder)
	}
}

// TestInstalledWithoutDev: a node_modules without any package for development was
// made so; one that lacks some of them differs.
func TestInstalledWithoutDev(t *testing.T) {
	files := lock(`
		"": {"name":"r","version":"1.0.0","dependencies":{"a":"1"},"devDependencies":{"d":"1","e":"1"}},
		"node_modules/a": {"version":"1.0.0"}, "node_modules/d": {"version":"1.0.0","dev":true}, "node_modules/e": {"version":"1.0.0","dev":true}`)
	files["node_modules/a/package.json"] = `{"name":"a","version":"1.0.0"}`
	for _, c := range []struct{ add, want string }{
		{"", "none of the 2 packages for development is installed; they are listed as locked"},
		{"d", `package-lock.json and node_modules disagree: missing: e@1.0.0, locked at "node_modules/e", is not installed`},
	} {
		if c.add != "" {
			files["node_modules/"+c.add+"/package.json"] = `{"name":"` + c.add + `","version":"1.0.0"}`
		}
		doc, err := sbom.Generate(context.Background(), []string{javascript(t, files)}, sbom.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(doc.Notes, []string{c.want}) || doc.Components != 3 {
			t.Errorf("with %q: %d components, notes %q", c.add, doc.Components, doc.Notes)
		}
	}
}

// TestMistakeErrorsStop: what npm ls fails on is stated, and the document is whole.
func TestMistakeErrorsStop(t *testing.T) {
	dir := javascript(t, lock(`
		"": {"name":"r","version":"1.0.0","dependencies":{"a":"1","gone":"^2"}},
		"node_modules/a": {"version":"1.0.0","peerDependencies":{"nowhere":"1","b":"^9"},"dependencies":{"a":"1"}},
		"node_modules/b": {"version":"1.0.0","extraneous":true}`))
	doc, err := sbom.Generate(context.Background(), []string{dir}, sbom.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(parse(t, doc.JSON()).Components) != 2 || !slices.ContainsFunc(doc.Gaps, func(g string) bool { return strings.Contains(g, "gone@^2") }) {
		t.Errorf("gaps %v", doc.Gaps)
	}
}

// TestMistakeFolder: the folder that a project lies in changes nothing, nor do the
// times of its files.
func TestMistakeFolder(t *testing.T) {
	for _, name := range []string{"npm-kinds", "pnpm9-kinds"} {
		t.Run(name, func(t *testing.T) {
			dir := made(t, "js", name)
			copied := filepath.Join(t.TempDir(), "elsewhere", "deeper")
			if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			for _, o := range []sbom.Options{{NPM: npm.Options{LockfileOnly: true}}, {}} {
				if a, b := generate(t, dir, o), generate(t, copied, o); string(a) != string(b) {
					t.Errorf("%+v: another folder, other bytes", o.NPM)
				}
			}
		})
	}
}

// TestSecretsInTexts: nor do those in what packages say, and in parameters.
func TestSecretsInTexts(t *testing.T) {
	files := lock(`"": {"name":"r","version":"1.0.0","dependencies":{"a":"1","m":"https://host.example/m.tgz?token=s3cret"}},
		"node_modules/a": {"version":"1.0.0","resolved":"https://host.example/a.tgz?x=1&access_token=s3cret","funding":{"url":"https://bob:s3cret@host.example/"},"deprecated":"see https://bob:s3cret@host.example/"}`)
	files["package.json"] = `{"name":"r","version":"1.0.0","scripts":{"postinstall":"git clone https://bob:s3cret@host.example/x.git"}}`
	doc, err := sbom.Generate(t.Context(), []string{javascript(t, files)}, sbom.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := string(doc.JSON()) + strings.Join(doc.Gaps, "\n")
	if strings.Contains(all, "s3cret") || strings.Count(all, "REMOVED") < 2 || !strings.Contains(all, "git clone https://host.example/x.git") {
		t.Errorf("found\n%s", all)
	}
}

// TestPatchedApart: a package and its patched copy are two components.
func TestPatchedApart(t *testing.T) {
	d := read(t, map[string]string{"yarn.lock": `__metadata:
  version: 8
"r@workspace:.":
  version: 0.0.0-use.local
  resolution: "r@workspace:."
  dependencies:
    a: "npm:1"
    p: "patch:a@npm%3A1#./a.patch"
"a@npm:1":
  version: 1.0.0
  resolution: "a@npm:1.0.0"
  checksum: 10/aa
"p@patch:a@npm%3A1#./a.patch":
  version: 1.0.0
  resolution: "a@patch:a@npm%3A1.0.0#./a.patch"
  checksum: 10/bb
`})
	var patched []int
	for _, c := range d.Components {
		if c.Name == "a" {
			patched = append(patched, len(c.property("plimsoll:npm:patch")))
		}
	}
	if slices.Sort(patched); !slices.Equal(patched, []int{0, 1}) {
		t.Errorf("patches of the components called a: %v", patched)
	}
}

// TestOddAddresses: addresses that no URL may be are not written as one, and what
// is missing names a version as it was required.
func TestOddAddresses(t *testing.T) {
	files := lock(`"": {"name":"r","version":"1.0.0","dependencies":{"a":"1","b":"1","z":"npm:@s/p@1.0.0"}}, "node_modules/a": {"version":"1.0.0"}, "node_modules/b": {"version":"1.0.0"}`)
	files["node_modules/a/package.json"] = `{"name":"a","version":"1.0.0","author":{"name":"A","url":"https://a.example/x\\y"},"homepage":"https://user:s3cret@a.example/x?a b"}`
	files["node_modules/b/package.json"] = `{"name":"b","version":"1.0.0","author":{"name":"B","url":"https://b.example/?x={y}"},"homepage":"https://user:s3cret@b.example/"}`
	data := generate(t, javascript(t, files), sbom.Options{})
	for _, want := range []string{`"https://a.example/x%5Cy"`, `"https://b.example/"`, `"z@npm:@s/p@1.0.0"`} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("%s is not there", want)
		}
	}
	t.Run("schema", func(t *testing.T) {
		s := schema(t, "1.7")
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err == nil {
			err = s.Validate(doc)
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// TestLinksOut: what a link leads to outside of the project is read only if the user
// names it.
func TestLinksOut(t *testing.T) {
	files := lock(`"": {"name":"r","version":"1.0.0"}`)
	files["project/package-lock.json"], files["secret.json"] = files["package-lock.json"], `{"name":"r","version":"1.0.0","license":"LicenseRef-secret"}`
	delete(files, "package-lock.json")
	files["outside.json"] = files["project/package-lock.json"]
	dir := javascript(t, files)
	project := filepath.Join(dir, "project")
	if err := os.Symlink("../secret.json", filepath.Join(project, "package.json")); err != nil {
		t.Skip(err)
	}
	doc, err := sbom.Generate(t.Context(), []string{project}, sbom.Options{})
	if err != nil || strings.Contains(string(doc.JSON()), "LicenseRef-secret") || !strings.Contains(strings.Join(doc.Gaps, "\n"), "what package.json says") {
		t.Errorf("package.json outside: %v", err)
	}
	lockfile := filepath.Join(project, "package-lock.json")
	if err := errors.Join(os.Remove(lockfile), os.Symlink("../outside.json", lockfile)); err != nil {
		t.Fatal(err)
	}
	for _, o := range []sbom.Options{{}, {All: true}} {
		if _, err := sbom.Generate(t.Context(), []string{project}, o); err == nil || !strings.Contains(err.Error(), "followed only if it is named") {
			t.Errorf("a lockfile outside that was found: %v", err)
		}
	}
	if _, err := sbom.Generate(t.Context(), []string{lockfile}, sbom.Options{}); err != nil {
		t.Errorf("a lockfile outside that was named: %v", err)
	}
}

// TestSecrets: tokens and passwords in addresses of a lockfile stand in no document
// and no message.
func TestSecrets(t *testing.T) {
	const address = "https://user:s3cret@host.example/a.tgz"
	for name, files := range map[string]map[string]string{
		"yarn 1": {"yarn.lock": "# yarn lockfile v1\n\n\n\"a@" + address + "\":\n  version \"1.0.0\"\n  resolved \"" + address + "#3208c1f08d3a4d99261ab64f92302bc15e111ca0\"\n  dependencies:\n    z \"" + address + "\"\n"},
		"berry": {"yarn.lock": "__metadata:\n  version: 8\n\n\"a@" + address + "\":\n  version: 1.0.0\n  resolution: \"a@" + address + "\"\n  dependencies:\n    z: \"" + address + "\"\n\n" +
			"\"p@patch:p@https%3A%2F%2Fuser%3As3cret%40host.example%2Fp.tgz#./x.patch\":\n  version: 1.0.0\n  resolution: \"p@patch:p@https%3A%2F%2Fuser%3As3cret%40host.example%2Fp.tgz#./x.patch\"\n\n" +
			"\"r@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"r@workspace:.\"\n  dependencies:\n    a: \"" + address + "\"\n    p: \"patch:p@https%3A%2F%2Fuser%3As3cret%40host.example%2Fp.tgz#./x.patch\"\n"},
		"pnpm": {"pnpm-lock.yaml": "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: " + address + "\n        version: " + address + "\n      z:\n        specifier: " + address + "\n        version: 9.9.9\n" +
			"packages:\n  a@" + address + ":\n    resolution: {tarball: '" + address + "'}\n    version: 1.0.0\nsnapshots:\n  a@" + address + ":\n    dependencies:\n      y: " + address + "\n"},
		"bun": {"bun.lock": `{"lockfileVersion":1,"workspaces":{"":{"name":"r","dependencies":{"a":"` + address + `","z":"` + address + `"}}},"packages":{"a":["a@` + address + `",{}]}}`},
		"npm": lock(`"": {"name":"r","version":"1.0.0","dependencies":{"a":"` + address + `","z":"` + address + `"}}, "node_modules/a": {"version":"1.0.0","resolved":"` + address + `"}`),
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := sbom.Generate(context.Background(), []string{javascript(t, files)}, sbom.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if all := string(doc.JSON()) + strings.Join(doc.Gaps, "\n") + strings.Join(doc.Notes, "\n"); strings.Contains(all, "s3cret") || !strings.Contains(all, "host.example") {
				t.Errorf("found\n%s", all)
			}
		})
	}
}
