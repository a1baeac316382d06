package sbom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"plimsoll.example/sbom"
)

// fixtures are the repository's own builds, by name.
func fixtures() map[string]string {
	return map[string]string{
		"npm v3":  "../testdata/npm/shop-v3.json",
		"npm v2":  "../testdata/npm/shop-v2.json",
		"npm big": "../testdata/npm/big-v3.json",
	}
}

// lockfile copies a fixture under the name that a lockfile has.
func lockfile(t testing.TB, fixture string) string {
	t.Helper()
	data, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "package-lock.json")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func generate(t testing.TB, path string, o sbom.Options) []byte {
	t.Helper()
	return generateAll(t, []string{path}, o)
}

func generateAll(t testing.TB, paths []string, o sbom.Options) []byte {
	t.Helper()
	doc, err := sbom.Generate(context.Background(), paths, o)
	if err != nil {
		t.Fatal(err)
	}
	return doc.JSON()
}

// schema compiles a CycloneDX schema of PLIMSOLL_CORPUS, or skips.
func schema(t *testing.T, version string) *jsonschema.Schema {
	t.Helper()
	dir := os.Getenv("PLIMSOLL_CORPUS")
	if dir == "" {
		t.Skip("no CycloneDX schema: PLIMSOLL_CORPUS is not set")
	}
	dir = filepath.Join(dir, "schema")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	id := "http://cyclonedx.org/schema/bom-" + version + ".schema.json"
	for file, id := range map[string]string{
		"bom-" + version + ".SNAPSHOT.schema.json": id,
		"spdx.SNAPSHOT.schema.json":                "http://cyclonedx.org/schema/spdx.schema.json",
		"jsf-0.82.SNAPSHOT.schema.json":            "http://cyclonedx.org/schema/jsf-0.82.schema.json",
		"cryptography-defs.SNAPSHOT.schema.json":   "http://cyclonedx.org/schema/cryptography-defs.schema.json",
	} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Skipf("no CycloneDX schema: %v", err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{id, "http://cyclonedx.org/schema/" + file} {
			if err := c.AddResource(at, doc); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchema: every fixture's document is valid against CycloneDX 1.7 and 1.6,
// holds to our own profile, and the schema that says so can say no.
func TestSchema(t *testing.T) {
	for _, version := range []string{"1.7", "1.6"} {
		s := schema(t, version)
		valid := func(data []byte) error {
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			return s.Validate(doc)
		}
		for name, paths := range everyBuild(t) {
			t.Run(version+"/"+name, func(t *testing.T) {
				o := named
				o.SpecVersion = version
				o.Go.SkipZips = true
				data := generateAll(t, paths, o)
				if err := valid(data); err != nil {
					t.Errorf("not valid: %v", err)
				}
				if err := valid(bytes.Replace(data, []byte(`"type": "library"`), []byte(`"type": "libary"`), 1)); err == nil {
					t.Error("the schema accepts anything")
				}
				checkGraph(t, data)
				a, err := sbom.Check(bytes.NewReader(data), "plimsoll")
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range a.Findings {
					if f.Status == sbom.Fail {
						t.Errorf("sbom check: %+v", f)
					}
				}
				if a.Failed || a.Score < 10 {
					t.Errorf("sbom check: %.1f", a.Score)
				}
			})
		}
	}
}

// named is what a user says about their builds.
var named = sbom.Options{
	Time: time.Unix(1750000000, 0), Tool: sbom.Tool{Name: "plimsoll", Version: "v1"},
	Authors:      []sbom.Contact{{Name: "Release Team", Email: "release@acme.example"}},
	Manufacturer: &sbom.Organization{Name: "Acme", URL: "https://acme.example"},
	Supplier:     &sbom.Organization{Name: "Acme", Email: "info@acme.example"},
}

// everyBuild lists the fixtures and the corpus, by name.
func everyBuild(t testing.TB) map[string][]string {
	t.Helper()
	corpus := os.Getenv("PLIMSOLL_CORPUS")
	if corpus == "" {
		t.Skip("no Go modules and binaries: PLIMSOLL_CORPUS is not set")
	}
	builds := map[string][]string{
		"this module": {".."}, "imported back": {"../testdata/importedback"},
		"made": {filepath.Join(corpus, "made", "app")}, "made workspace": {filepath.Join(corpus, "made", "go.work")},
		"several": {filepath.Join(corpus, "binaries", "made-tool"), filepath.Join(corpus, "binaries", "made-cgo"), lockfile(t, fixtures()["npm v3"])},
	}
	for name, fixture := range fixtures() {
		builds[name] = []string{lockfile(t, fixture)}
	}
	for _, name := range []string{
		"npm-small", "npm-medium", "npm-kinds", "npm-v1", "npm-v2", "yarn1-kinds", "berry-kinds", "pnpm8-kinds", "pnpm9-kinds", "bun-kinds", "npm-bundle",
	} {
		builds["js/"+name] = []string{filepath.Join(corpus, "js", name)}
	}
	builds["js/node_modules"] = []string{filepath.Join(corpus, "js", "npm-kinds", "node_modules")}
	for _, kind := range []string{"modules", "binaries"} {
		entries, err := os.ReadDir(filepath.Join(corpus, kind))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			builds[kind+"/"+e.Name()] = []string{filepath.Join(corpus, kind, e.Name())}
		}
	}
	return builds
}

// document is the part of CycloneDX that the tests read.
type document struct {
	SerialNumber string `json:"serialNumber"`
	Metadata     struct {
		Component component `json:"component"`
	} `json:"metadata"`
	Components   []component `json:"components"`
	Dependencies []struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	} `json:"dependencies"`
	Compositions []struct {
		Aggregate    string   `json:"aggregate"`
		Dependencies []string `json:"dependencies"`
	} `json:"compositions"`
}

type component struct {
	BOMRef  string `json:"bom-ref"`
	Group   string `json:"group"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`

	Components []component `json:"components"`
	Licenses   []struct {
		Expression string `json:"expression"`
	} `json:"licenses"`
	Pedigree struct {
		Notes     string      `json:"notes"`
		Ancestors []component `json:"ancestors"`
	} `json:"pedigree"`
	ExternalReferences []struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	} `json:"externalReferences"`
	Scope  string `json:"scope"`
	Hashes []struct {
		Alg     string `json:"alg"`
		Content string `json:"content"`
	} `json:"hashes"`
	Properties []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"properties"`
}

func (c component) property(name string) (values []string) {
	for _, p := range c.Properties {
		if p.Name == name {
			values = append(values, p.Value)
		}
	}
	return values
}

// all lists every component, nested ones too, the described one first.
func (d document) all() []component {
	var list []component
	var walk func(c component)
	walk = func(c component) {
		list = append(list, c)
		for _, nested := range c.Components {
			walk(nested)
		}
	}
	walk(d.Metadata.Component)
	for _, c := range d.Components {
		walk(c)
	}
	return list
}

func parse(t testing.TB, data []byte) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// checkGraph holds what the schema cannot: unique refs, no dangling edge, every
// component reachable from the root, and each in exactly one composition.
func checkGraph(t *testing.T, data []byte) {
	t.Helper()
	d := parse(t, data)
	known := map[string]bool{}
	unseen := map[string]bool{}
	for _, c := range d.all() {
		if known[c.BOMRef] {
			t.Errorf("bom-ref %q twice", c.BOMRef)
		}
		known[c.BOMRef] = true
		unseen[c.BOMRef] = len(c.property("plimsoll:linked:unknown")) > 0 || len(c.property("cdx:npm:package:extraneous")) > 0
	}
	edges := map[string][]string{}
	for _, dep := range d.Dependencies {
		if _, twice := edges[dep.Ref]; twice || !known[dep.Ref] {
			t.Errorf("dependency entry %q twice, or of nothing", dep.Ref)
		}
		edges[dep.Ref] = dep.DependsOn
		if !slices.IsSorted(dep.DependsOn) || len(slices.Compact(slices.Clone(dep.DependsOn))) != len(dep.DependsOn) {
			t.Errorf("%q: edges not sorted, or repeated", dep.Ref)
		}
		for _, to := range dep.DependsOn {
			if !known[to] || to == dep.Ref {
				t.Errorf("%q depends on %q", dep.Ref, to)
			}
		}
	}
	reached := map[string]bool{}
	todo := []string{d.Metadata.Component.BOMRef}
	for len(todo) > 0 {
		ref := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !reached[ref] {
			reached[ref] = true
			todo = append(todo, edges[ref]...)
		}
	}
	composed := map[string]string{}
	for _, c := range d.Compositions {
		for _, ref := range c.Dependencies {
			if composed[ref] != "" {
				t.Errorf("%q in two compositions", ref)
			}
			composed[ref] = c.Aggregate
		}
	}
	for ref := range known {
		if !reached[ref] && !unseen[ref] {
			t.Errorf("%q cannot be reached from the root", ref)
		}
		_, listed := edges[ref]
		if (composed[ref] == "complete" || composed[ref] == "incomplete") != listed || composed[ref] == "" {
			t.Errorf("%q: composition %q, dependency entry %v", ref, composed[ref], listed)
		}
	}
}

// TestSameBytes: twice, from another folder, in another time zone.
func TestSameBytes(t *testing.T) {
	for name, fixture := range fixtures() {
		t.Run(name, func(t *testing.T) {
			first := generate(t, lockfile(t, fixture), sbom.Options{Time: time.Unix(1750000000, 0)})
			zone := time.FixedZone("elsewhere", 5*3600)
			second := generate(t, lockfile(t, fixture), sbom.Options{Time: time.Unix(1750000000, 0).In(zone)})
			if !bytes.Equal(first, second) {
				t.Error("the bytes differ")
			}
			later := generate(t, lockfile(t, fixture), sbom.Options{Time: time.Unix(1750000001, 0)})
			if parse(t, first).SerialNumber == parse(t, later).SerialNumber {
				t.Error("another time, the same serial number")
			}
		})
	}
}

// TestImportedBack: the main module can be depended on.
func TestImportedBack(t *testing.T) {
	checkGraph(t, generate(t, "../testdata/importedback", sbom.Options{}))
}

// TestNPMFacts spells out what is easy to get wrong, on the real project.
func TestNPMFacts(t *testing.T) {
	d := parse(t, generate(t, lockfile(t, "../testdata/npm/shop-v3.json"), sbom.Options{}))
	byRef := map[string]component{}
	for _, c := range d.Components {
		byRef[c.BOMRef] = c
	}
	if root := d.Metadata.Component; root.PURL != "pkg:npm/shop@2.1.0" || root.Name != "shop" {
		t.Errorf("root: %+v", root)
	}
	if c, ok := byRef["pkg:npm/JSONStream@1.3.5"]; !ok || c.Name != "JSONStream" {
		t.Errorf("a name with capitals: %+v", c)
	}
	if c := byRef["pkg:npm/%40novnc/novnc@1.7.0"]; c.Group != "@novnc" || c.Name != "novnc" {
		t.Errorf("a scoped name: %+v", c)
	}
	if c := byRef["pkg:npm/fsevents@2.3.3"]; c.Scope != "optional" {
		t.Errorf("an optional package: %+v", c)
	}
	if c := byRef["npm:packages/ui"]; c.PURL != "" || c.Group != "@shop" || c.Name != "ui" {
		t.Errorf("a workspace: %+v", c)
	}
	for ref, c := range byRef {
		if strings.HasPrefix(ref, "pkg:npm/lodash@") && !slices.Equal(c.property("cdx:npm:package:path"), []string{"node_modules/lodash4"}) {
			t.Errorf("an alias: %+v", c)
		}
		if (c.Scope == "excluded") != (len(c.property("cdx:npm:package:development")) > 0) {
			t.Errorf("%s: scope %q, properties %v", ref, c.Scope, c.Properties)
		}
		if strings.HasPrefix(ref, "pkg:") && (len(c.Hashes) == 0 || c.Hashes[0].Alg != "SHA-512" || len(c.Hashes[0].Content) != 128) {
			t.Errorf("%s: hashes %v", ref, c.Hashes)
		}
	}
	for _, dep := range d.Dependencies {
		if dep.Ref == "pkg:npm/shop@2.1.0" && (!slices.Contains(dep.DependsOn, "npm:packages/ui") || !slices.ContainsFunc(dep.DependsOn, func(s string) bool { return strings.HasPrefix(s, "pkg:npm/lodash@") })) {
			t.Errorf("the root's edges lack a workspace or the alias: %v", dep.DependsOn)
		}
		if dep.Ref == "npm:packages/ui" && !slices.Contains(dep.DependsOn, "npm:packages/api") {
			t.Errorf("a workspace that requires another: %v", dep.DependsOn)
		}
	}
}

// TestMissingIsSaid: a required package that the lockfile lacks is a gap, not an
// edge, and the composition is incomplete.
func TestMissingIsSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "package-lock.json")
	lock := `{"name":"a","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"a","version":"1.0.0","dependencies":{"b":"^1","gone":"^2"}},"node_modules/b":{"version":"1.0.0"}}}`
	if err := os.WriteFile(path, []byte(lock), 0o644); err != nil {
		t.Fatal(err)
	}
	doc, err := sbom.Generate(context.Background(), []string{path}, sbom.Options{Time: time.Unix(1750000000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Gaps) != 1 || !strings.Contains(doc.Gaps[0], "gone@^2") {
		t.Errorf("gaps: %v", doc.Gaps)
	}
	checkGraph(t, doc.JSON())
	d := parse(t, doc.JSON())
	if !slices.Equal(d.Metadata.Component.property("plimsoll:npm:missing"), []string{"gone@^2"}) || d.Compositions[1].Aggregate != "incomplete" {
		t.Errorf("found %+v", d)
	}
}

// TestAddresses: tokens stay out, addresses that no URL has become ones, and what
// cannot be named is not named after a registry's package; a digest of another
// length is none.
func TestAddresses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "package-lock.json")
	lock := `{"name":"r","version":"1.0.0","lockfileVersion":3,"packages":{
		"":{"name":"r","version":"1.0.0","dependencies":{"gone":"git+https://TOKEN@example.com/o/gone.git","a":"1","b":"1","c":"1","d":"1"}},
		"node_modules/a":{"version":"1.0.0","resolved":"git+https://TOKEN@example.com/o/a.git#0123"},
		"node_modules/b":{"version":"1.0.0","resolved":"git+ssh://git@example.com:o/b.git#4567"},
		"node_modules/c":{"version":"1.0.0","resolved":"https://user:TOKEN@example.com/c.tgz","integrity":"sha512-AAAA"},
		"node_modules/d":{"version":"1.0.0","resolved":"git+ssh://git@[bad/d.git#89"}}}`
	if err := os.WriteFile(path, []byte(lock), 0o644); err != nil {
		t.Fatal(err)
	}
	doc, err := sbom.Generate(context.Background(), []string{path}, sbom.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(doc.JSON())+strings.Join(doc.Gaps, " "), "TOKEN") {
		t.Errorf("a token is in %s %v", doc.JSON(), doc.Gaps)
	}
	want := map[string]string{
		"a": "pkg:npm/a@1.0.0?vcs_url=git%2Bhttps://example.com/o/a.git%230123",
		"b": "pkg:npm/b@1.0.0?vcs_url=git%2Bssh://git%40example.com/o/b.git%234567",
		"c": "pkg:npm/c@1.0.0?download_url=https://example.com/c.tgz",
		"d": "",
	}
	for _, c := range parse(t, doc.JSON()).Components {
		if got, err := url.QueryUnescape(c.PURL); err != nil || got != unescape(t, want[c.Name]) || len(c.Hashes) > 0 {
			t.Errorf("%s: expected %s, found %s, hashes %v", c.Name, want[c.Name], c.PURL, c.Hashes)
		}
	}
}

func unescape(t *testing.T, s string) string {
	t.Helper()
	u, err := url.QueryUnescape(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestHostileNames: what a lockfile can put into names stays data.
func TestHostileNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "package-lock.json")
	for name, lock := range map[string]string{
		"__proto__":      `{"lockfileVersion":3,"packages":{"":{},"node_modules/__proto__":{"version":"1.0.0"}}}`,
		"escape":         `{"lockfileVersion":3,"packages":{"":{"name":"\u001b[2J"}}}`,
		"quote in name":  `{"lockfileVersion":3,"packages":{"":{"name":"a\"b"},"node_modules/x":{"name":"<script>&","version":"1?#@"}}}`,
		"a placeholder":  `{"lockfileVersion":3,"packages":{"":{"name":"urn:uuid:00000000-0000-0000-0000-000000000000"}}}`,
		"cyclic":         `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"1"}},"node_modules/a":{"version":"1.0.0","dependencies":{"b":"1"}},"node_modules/b":{"version":"1.0.0","dependencies":{"a":"1"}}}}`,
		"itself":         `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"1"}},"node_modules/a":{"version":"1.0.0","dependencies":{"a":"1"}}}}`,
		"two of a name":  `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"1","b":"1"}},"node_modules/a":{"version":"1.0.0","integrity":"sha512-AAAA"},"node_modules/b":{"name":"a","version":"1.0.0","integrity":"sha512-BBBB"}}}`,
		"a root's name":  `{"name":"a","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"a","version":"1.0.0","dependencies":{"a":"1"}},"node_modules/a":{"version":"1.0.0"}}}`,
		"odd licence":    `{"lockfileVersion":3,"packages":{"":{"license":"SEE LICENSE IN x"},"node_modules/a":{"version":"1.0.0","license":{"type":"MIT"}},"node_modules/b":{"version":"1.0.0","license":["MIT"]},"node_modules/c":{"version":"1.0.0","license":"MIT OR"}}}`,
		"odd deprecated": `{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"version":"1.0.0","deprecated":false}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(lock), 0o644); err != nil {
				t.Fatal(err)
			}
			data := generate(t, path, sbom.Options{})
			if strings.Contains(string(data), "\x1b") || !json.Valid(data) {
				t.Errorf("found %s", data)
			}
			if parse(t, data).SerialNumber == "urn:uuid:00000000-0000-0000-0000-000000000000" {
				t.Error("no serial number")
			}
		})
	}
	for name, lock := range map[string]string{
		"a place that leaves":     `{"lockfileVersion":3,"packages":{"":{},"node_modules/../../x":{"version":"1.0.0"}}}`,
		"a place with a newline":  `{"lockfileVersion":3,"packages":{"":{},"node_modules/a\nb":{"version":"1.0.0"}}}`,
		"an absolute place":       `{"lockfileVersion":3,"packages":{"":{},"/etc/x":{"version":"1.0.0"}}}`,
		"a link to nothing":       `{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"link":true,"resolved":"b"}}}`,
		"a link to itself":        `{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"link":true,"resolved":"node_modules/a"}}}`,
		"a link to a link":        `{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"link":true,"resolved":"node_modules/b"},"node_modules/b":{"link":true,"resolved":"node_modules/a"}}}`,
		"nested 11,000 deep":      `{"lockfileVersion":3,"x":` + strings.Repeat("[", 11000) + strings.Repeat("]", 11000) + `,"packages":{"":{}}}`,
		"no project":              `{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1.0.0"}}}`,
		"a place without end":     `{"lockfileVersion":3,"packages":{"":{},"node_modules/a` + strings.Repeat("/b", 5000) + `":{}}}`,
		"a null place":            `{"lockfileVersion":3,"packages":{"":{},"node_modules/a":null}}`,
		"a null project":          `{"lockfileVersion":3,"packages":{"":null}}`,
		"packages a list":         `{"lockfileVersion":3,"packages":[]}`,
		"version 4":               `{"lockfileVersion":4,"packages":{"":{}}}`,
		"trailing data":           `{"lockfileVersion":3,"packages":{"":{}}} {}`,
		"invalid UTF-8":           "{\"lockfileVersion\":3,\"packages\":{\"\":{\"name\":\"\xff\"}}}",
		"duplicate place":         `{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{},"node_modules/a":{}}}`,
		"dependencies not a text": `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":1}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(lock), 0o644); err != nil {
				t.Fatal(err)
			}
			if doc, err := sbom.Generate(context.Background(), []string{path}, sbom.Options{}); err == nil {
				t.Errorf("accepted: %s", doc.JSON())
			}
		})
	}
}

// BenchmarkLockfile writes the SBOM of a lockfile of 2,094 packages.
func BenchmarkLockfile(b *testing.B) {
	path := lockfile(b, "../testdata/npm/big-v3.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sbom.Generate(context.Background(), []string{path}, sbom.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLockfileScaling shows that cost grows with packages and not faster.
func BenchmarkLockfileScaling(b *testing.B) {
	for _, n := range []int{2000, 20000} {
		var lock strings.Builder
		lock.WriteString(`{"name":"a","version":"1.0.0","lockfileVersion":3,"packages":{"":{"dependencies":{"p0":"1"}}`)
		for i := range n {
			fmt.Fprintf(&lock, `,"node_modules/p%d":{"version":"1.0.0","dependencies":{"p%d":"1","p%d":"1"}}`, i, (i+1)%n, (i*7)%n)
		}
		lock.WriteString("}}")
		path := filepath.Join(b.TempDir(), "package-lock.json")
		if err := os.WriteFile(path, []byte(lock.String()), 0o644); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := sbom.Generate(context.Background(), []string{path}, sbom.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
