package sbom_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plimsoll.example/sbom"
)

// bundled lists the packages that a document says are in the bundle, as
// NAME@VERSION.
func bundled(d document) []string {
	var list []string
	for _, c := range d.all() {
		if slices.Equal(c.property("plimsoll:bundle:included"), []string{"true"}) {
			name := c.Name
			if c.Group != "" {
				name = c.Group + "/" + name
			}
			list = append(list, name+"@"+c.Version)
		}
	}
	slices.Sort(list)
	return list
}

// TestBundle: what real bundlers say they kept is what the document marks, from
// their own reports, and from source maps but for data, which those do not name.
func TestBundle(t *testing.T) {
	data := []string{"spdx-license-ids@3.0.21"}
	for _, c := range []struct {
		project, report, truth string
		more, less             []string
	}{
		{"npm-bundle", "dist-esbuild/meta.json", "dist-esbuild", nil, nil},
		{"npm-bundle", "dist-webpack/stats.json", "dist-webpack", nil, nil},
		{"npm-bundle", "dist-webpack/stats-default.json", "dist-webpack", nil, nil},
		{"npm-bundle", "dist-webpack/stats-grouped.json", "dist-webpack", nil, nil},
		{"npm-bundle", "dist-rollup/stats.json", "dist-rollup", nil, nil},
		{"pnpm9-bundle", "dist-esbuild/meta.json", "dist-esbuild", nil, nil},
		{"npm-bundle", "dist-esbuild", "dist-esbuild", []string{"whatwg-fetch@"}, nil}, // inside cross-fetch, whose map esbuild follows
		{"npm-bundle", "dist-webpack/**/*.map", "dist-webpack", nil, data},
		{"npm-bundle", "dist-rollup", "dist-rollup", nil, data},
		{"pnpm9-bundle", "dist-esbuild", "dist-esbuild", []string{"whatwg-fetch@"}, nil},
	} {
		t.Run(c.project+"/"+strings.ReplaceAll(c.report, "*", "_"), func(t *testing.T) {
			dir := made(t, "js", c.project)
			raw, err := os.ReadFile(filepath.Join(dir, c.truth, "truth.json"))
			if err != nil {
				t.Fatal(err)
			}
			var truth struct{ Packages map[string]any }
			if err := json.Unmarshal(raw, &truth); err != nil {
				t.Fatal(err)
			}
			want := slices.Clone(c.more)
			for name := range truth.Packages {
				if !slices.Contains(c.less, name) {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			o := named
			o.Bundles = []string{filepath.Join(dir, c.report)}
			all := generate(t, dir, o)
			checkGraph(t, all)
			if got := bundled(parse(t, all)); !slices.Equal(got, want) {
				t.Errorf("expected %v\nfound %v", want, got)
			}
			o.OnlyBundled = true
			only := generate(t, dir, o)
			checkGraph(t, only)
			d := parse(t, only)
			if got := bundled(d); !slices.Equal(got, want) {
				t.Errorf("only what is bundled: expected %v\nfound %v", want, got)
			}
			files := 0
			for _, component := range d.Components {
				if strings.HasPrefix(component.BOMRef, "file:dist-") {
					if files++; len(component.Hashes) != 2 {
						t.Errorf("%s: hashes %v", component.Name, component.Hashes)
					}
				}
			}
			if files == 0 || len(d.Components) != files+len(want)-1 {
				t.Errorf("%d components of which %d files, for %d packages and the project", len(d.Components), files, len(want))
			}
		})
	}
}

// TestBundleCertainty: where a bundler names a path that is not that of the
// installed package, it is said how the package was found; a package that another's
// own build has put into its files is not taken for the one that is installed.
func TestBundleCertainty(t *testing.T) {
	files := lock(`
		"": {"name":"r","version":"1.0.0","dependencies":{"a":"1","b":"1","@s/c":"1"}},
		"node_modules/a": {"version":"1.0.0","dependencies":{"b":"2"}}, "node_modules/a/node_modules/b": {"version":"2.0.0"},
		"node_modules/b": {"version":"1.0.0"}, "node_modules/@s/c": {"version":"1.0.0"}, "node_modules/unused": {"version":"1.0.0"}`)
	files["node_modules/@s/c/package.json"] = `{"name":"@s/c","version":"1.0.0"}`
	files["node_modules/@s/c/index.js"] = "exports.c = 1\n"
	for name, c := range map[string]struct {
		source, content string
		want            []string // REF CERTAINTY
	}{
		"where it lies":        {"../node_modules/a/node_modules/b/x.js", "", []string{"pkg:npm/b@2.0.0 place"}},
		"of another machine":   {"/build/app/node_modules/a/node_modules/b/x.js", "", []string{"pkg:npm/b@2.0.0 place"}},
		"of webpack":           {"webpack://@made/r/./node_modules/@s/c/index.js", "", []string{"pkg:npm/%40s/c@1.0.0 place"}},
		"the installed file":   {"../node_modules/@s/c/index.js", "exports.c = 1\r\n", []string{"pkg:npm/%40s/c@1.0.0 content"}},
		"another file":         {"../node_modules/@s/c/index.js", "exports.c = 2", []string{"npm:(in its files)/@s/c name"}},
		"pnpm's store":         {"../node_modules/.pnpm/b@2.0.0_x/node_modules/b/x.js", "", []string{"pkg:npm/b@2.0.0 version"}},
		"yarn's cache":         {"../.yarn/cache/b-npm-1.0.0-0123456789.zip/node_modules/b/x.js", "", []string{"pkg:npm/b@1.0.0 version"}},
		"by name":              {"../.cache/x/node_modules/unused/x.js", "", []string{"pkg:npm/unused@1.0.0 name"}},
		"of several versions":  {"../.cache/x/node_modules/b/x.js", "", []string{"pkg:npm/b@1.0.0 ambiguous", "pkg:npm/b@2.0.0 ambiguous"}},
		"inside another":       {"../node_modules/a/node_modules/lost/x.js", "", []string{"npm:node_modules/a/(in its files)/lost name", "pkg:npm/a@1.0.0 place"}},
		"not in the project":   {"../node_modules/lost/x.js", "", []string{"npm:(in its files)/lost name"}},
		"the bundler's own":    {"webpack://@made/r/webpack/runtime/define", "", nil},
		"a name like a folder": {"../src/my_node_modules/b/x.js", "", []string{"pkg:npm/r@1.0.0 place"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := map[string]any{"version": 3, "sources": []string{c.source}, "mappings": "AAAA"}
			if c.content != "" {
				m["sourcesContent"] = []string{c.content}
			}
			data, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			files["dist/app.js"], files["dist/app.js.map"] = "x()", string(data)
			dir := javascript(t, files)
			d := parse(t, generate(t, dir, sbom.Options{Bundles: []string{filepath.Join(dir, "dist")}}))
			var got []string
			for _, c := range d.all() {
				if certainty := c.property("plimsoll:bundle:certainty"); len(certainty) > 0 {
					got = append(got, c.BOMRef+" "+certainty[0])
				}
			}
			if slices.Sort(got); !slices.Equal(got, c.want) {
				t.Errorf("expected %v, found %v", c.want, got)
			}
		})
	}
}

// TestBundleElsewhere: a report does not have files read that lie neither in the
// project nor beside it.
func TestBundleElsewhere(t *testing.T) {
	files := lock(`"": {"name":"r","version":"1.0.0"}`)
	files["dist/in.js"] = "x"
	dir := javascript(t, files)
	outside := filepath.Join(filepath.Dir(dir), "outside.js")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "dist", "link.js")); err != nil {
		t.Skip(err)
	}
	report := map[string]any{"inputs": map[string]any{}, "outputs": map[string]any{"../outside.js": map[string]any{}, outside: map[string]any{}, "dist/link.js": map[string]any{}, "dist/in.js": map[string]any{}}}
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	meta := filepath.Join(dir, "meta.json")
	if err := os.WriteFile(meta, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range parse(t, generate(t, dir, sbom.Options{Bundles: []string{meta}})).Components {
		if hashed := len(c.Hashes) > 0; hashed != (c.Name == "dist/in.js") {
			t.Errorf("%s: hashes %v", c.Name, c.Hashes)
		}
	}
}

// TestMistakePlatformBinary: the Go modules in esbuild's program are components on
// which the platform's package depends.
func TestMistakePlatformBinary(t *testing.T) {
	d := parse(t, generate(t, made(t, "js", "npm-kinds"), sbom.Options{}))
	found := 0
	for _, c := range d.Components {
		if !strings.HasPrefix(c.BOMRef, "pkg:npm/%40esbuild/") || strings.Contains(c.BOMRef, "|") || len(c.property("plimsoll:npm:program")) == 0 {
			continue
		}
		found++
		program := c.BOMRef + "|bin/esbuild"
		if !slices.Contains(d.dependsOn(c.BOMRef), program) {
			t.Errorf("%s depends on %v", c.BOMRef, d.dependsOn(c.BOMRef))
		}
		if deps := d.dependsOn(program); len(deps) < 2 || !slices.ContainsFunc(deps, func(ref string) bool { return strings.HasPrefix(ref, "pkg:golang/stdlib@") }) {
			t.Errorf("%s depends on %v", program, deps)
		}
		if len(d.component(t, program).Hashes) != 2 {
			t.Errorf("%s has no hashes", program)
		}
	}
	if found != 2 {
		t.Errorf("expected two versions of esbuild's program, found %d", found)
	}
}

// TestMistakeRustBinary: so are the crates in a Rust program; a program that does
// not say what it is made of is stated.
func TestMistakeRustBinary(t *testing.T) {
	files := lock(`"": {"name":"r","version":"1.0.0","dependencies":{"n":"1"}}, "node_modules/n": {"version":"1.0.0"}`)
	files["node_modules/n/package.json"] = `{"name":"n","version":"1.0.0","os":["linux"]}`
	files["node_modules/n/bin/tool"] = string(elfWith(t, ".dep-v0", `{"packages":[
		{"name":"tool","version":"0.9.0","source":"local","root":true,"dependencies":[1,2]},
		{"name":"serde","version":"1.0.200","source":"crates.io"},
		{"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"}]}`))
	files["node_modules/n/n.node"] = string(elfWith(t, ".other", ""))
	d := read(t, files)
	n := d.component(t, "pkg:npm/n@1.0.0")
	if got := n.property("plimsoll:npm:program"); !slices.Equal(got, []string{"bin/tool", "n.node"}) {
		t.Errorf("programs %v", got)
	}
	if got := n.property("plimsoll:dependencies:unknown"); !slices.Equal(got, []string{"what the program n.node is made of: it does not say what it is made of"}) {
		t.Errorf("unknown: %v", got)
	}
	if got := d.dependsOn("pkg:npm/n@1.0.0|bin/tool"); !slices.Equal(got, []string{"pkg:cargo/serde@1.0.200"}) {
		t.Errorf("the program depends on %v", got)
	}
	if slices.ContainsFunc(d.Components, func(c component) bool { return c.Name == "cc" }) {
		t.Error("a crate that only ran at build time is listed")
	}
}

// elfWith makes an ELF file with one section besides that of names.
func elfWith(t *testing.T, name, text string) []byte {
	t.Helper()
	var section bytes.Buffer
	w := zlib.NewWriter(&section)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	names := "\x00" + name + "\x00.shstrtab\x00"
	const header, entry = 64, 64
	at := uint64(header + section.Len() + len(names))
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	put([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9), uint16(2), uint16(62), uint32(1), uint64(0), uint64(0), at,
		uint32(0), uint16(header), uint16(0), uint16(0), uint16(entry), uint16(3), uint16(2))
	b.Write(section.Bytes())
	b.WriteString(names)
	b.Write(make([]byte, entry))
	put(uint32(1), uint32(1), uint64(0), uint64(0), uint64(header), uint64(section.Len()), uint32(0), uint32(0), uint64(1), uint64(0))
	put(uint32(len(name)+2), uint32(3), uint64(0), uint64(0), uint64(header+section.Len()), uint64(len(names)), uint32(0), uint32(0), uint64(1), uint64(0))
	return b.Bytes()
}
