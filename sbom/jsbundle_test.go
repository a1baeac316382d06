package sbom_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"errors"
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
		"another's elsewhere":  {"/build/app/node_modules/b/node_modules/a/x.js", "", []string{"npm:node_modules/b/(in its files)/a name", "pkg:npm/b@1.0.0 place"}},
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

// marked lists the components that a document says are in the bundle, as REF
// CERTAINTY FILES.
func marked(d document) []string {
	var list []string
	for _, c := range d.all() {
		if certainty := c.property("plimsoll:bundle:certainty"); len(certainty) > 0 {
			list = append(list, c.BOMRef+" "+certainty[0]+" "+strings.Join(c.property("plimsoll:bundle:file"), ","))
		}
	}
	slices.Sort(list)
	return list
}

// metafile is esbuild's, with the modules of each output.
func metafile(t *testing.T, outputs map[string][]string) string {
	t.Helper()
	all := map[string]any{}
	for name, modules := range outputs {
		in := map[string]any{}
		for _, m := range modules {
			in[m] = map[string]any{"bytesInOutput": 1}
		}
		all[name] = map[string]any{"inputs": in}
	}
	data, err := json.Marshal(map[string]any{"inputs": map[string]any{}, "outputs": all})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func bundle(t *testing.T, dir string, reports ...string) document {
	t.Helper()
	for i := range reports {
		reports[i] = filepath.Join(dir, reports[i])
	}
	data := generate(t, dir, sbom.Options{Bundles: reports})
	checkGraph(t, data)
	return parse(t, data)
}

// TestBundleSeveralOutputs: outputs of one base name are two files, wherever they
// lie; where two reports tell of one, none of their packages is lost.
func TestBundleSeveralOutputs(t *testing.T) {
	files := lock(`
		"": {"name":"r","version":"1.0.0","dependencies":{"a":"1","b":"1","c":"1"}},
		"node_modules/a": {"version":"1.0.0"}, "node_modules/b": {"version":"1.0.0"}, "node_modules/c": {"version":"1.0.0"}`)
	const a, b, c = "node_modules/a/x.js", "node_modules/b/x.js", "node_modules/c/x.js"
	files["report/meta.json"] = metafile(t, map[string][]string{"../../gone/1/out.js": {a}, "../../gone/2/out.js": {b}, "there/out.js": {c}})
	files["report/out.js"] = "x()" // beside the report, and it may be any of the three
	files["again.json"] = metafile(t, map[string][]string{"there/out.js": {a, c}})
	d := bundle(t, javascript(t, files), "report/meta.json", "again.json")
	want := []string{"pkg:npm/a@1.0.0 place 1/out.js,there/out.js", "pkg:npm/b@1.0.0 place 2/out.js", "pkg:npm/c@1.0.0 place there/out.js"}
	if got := marked(d); !slices.Equal(got, want) {
		t.Errorf("expected %v\nfound %v", want, got)
	}
	for _, name := range []string{"file:1/out.js", "file:2/out.js", "file:there/out.js"} {
		if hashes := d.component(t, name).Hashes; len(hashes) > 0 {
			t.Errorf("%s has the hashes of another file: %v", name, hashes)
		}
	}
}

// TestBundleFolders: a file is a workspace's if it lies in it, and not if a folder
// of the same name lies elsewhere in the project; of a file of another machine that
// is less sure. A package that may lie in two places there is either.
func TestBundleFolders(t *testing.T) {
	files := lock(`
		"": {"name":"r","version":"1.0.0","workspaces":["*"],"dependencies":{"a":"1"}},
		"ui": {"version":"1.0.0","dependencies":{"a":"2"}}, "node_modules/ui": {"resolved":"ui","link":true},
		"node_modules/a": {"version":"1.0.0"}, "ui/node_modules/a": {"version":"2.0.0"}`)
	for module, want := range map[string][]string{
		"src/ui/x.js":                    {"pkg:npm/r@1.0.0 place out.js"},
		"ui/x.js":                        {"npm:ui place out.js"},
		"node_modules/ui/x.js":           {"npm:ui place out.js"},
		"/build/r/ui/x.js":               {"npm:ui name out.js"},
		"/build/other/x.js":              {"pkg:npm/r@1.0.0 name out.js"},
		"/build/ui/node_modules/a/x.js":  {"pkg:npm/a@1.0.0 ambiguous out.js", "pkg:npm/a@2.0.0 ambiguous out.js"},
		"/build/r/node_modules/a/x.js":   {"pkg:npm/a@1.0.0 place out.js"},
		"../../r/node_modules/a/x.js":    {"pkg:npm/a@1.0.0 ambiguous out.js", "pkg:npm/a@2.0.0 ambiguous out.js"},
		"../folder/node_modules/a/x.js":  {"pkg:npm/a@1.0.0 place out.js"},
		"ui/node_modules/a/x.js?worker#": {"pkg:npm/a@2.0.0 place out.js"},
	} {
		files["meta.json"] = metafile(t, map[string][]string{"out.js": {module}})
		if got := marked(bundle(t, javascript(t, files), "meta.json")); !slices.Equal(got, want) {
			t.Errorf("%s: expected %v, found %v", module, want, got)
		}
	}
}

// TestBundleOddFolder: the project's folder may have characters that mean something
// in addresses and to bundlers.
func TestBundleOddFolder(t *testing.T) {
	files := lock(`"": {"name":"r","version":"1.0.0","dependencies":{"a":"1"}}, "node_modules/a": {"version":"1.0.0"}`)
	dir := filepath.Join(javascript(t, files), "c#p %41!q")
	for name, text := range files {
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{real + "/node_modules/a/x.js", "/loader!" + real + "/node_modules/a/x.js?query"} {
		if err := os.WriteFile(filepath.Join(dir, "meta.json"), []byte(metafile(t, map[string][]string{"out.js": {filepath.ToSlash(module)}})), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := marked(bundle(t, dir, "meta.json")); !slices.Equal(got, []string{"pkg:npm/a@1.0.0 place out.js"}) {
			t.Errorf("%s: found %v", module, got)
		}
	}
}

// TestBundlePrefixed: a byte order mark, and the line that keeps a map from being run
// as a script, are no part of a report.
func TestBundlePrefixed(t *testing.T) {
	files := lock(`"": {"name":"r","version":"1.0.0","dependencies":{"a":"1"}}, "node_modules/a": {"version":"1.0.0"}`)
	files["1/x.js.map"] = ")]}'\n" + `{"version":3,"sources":["../node_modules/a/x.js"],"mappings":"AAAA"}`
	files["2/x.js.map"] = "\ufeff" + `{"version":3,"sources":["../node_modules/a/y%20z.js"],"mappings":"AAAA"}`
	files["3.json"] = "\ufeff" + metafile(t, map[string][]string{"3.js": {"node_modules/a/x.js"}})
	want := []string{"pkg:npm/a@1.0.0 place 1/x.js,2/x.js,3.js"}
	if got := marked(bundle(t, javascript(t, files), "{1,2}/*.map", "3.json")); !slices.Equal(got, want) {
		t.Errorf("expected %v, found %v", want, got)
	}
}

// TestBundleInstalledByYarn: a lockfile that knows no places is helped by
// node_modules: each place in it, and links to workspaces.
func TestBundleInstalledByYarn(t *testing.T) {
	files := map[string]string{
		"package.json":                               `{"name":"r","version":"1.0.0","workspaces":["packages/*"],"dependencies":{"a":"1"}}`,
		"packages/w/package.json":                    `{"name":"w","version":"1.0.0","dependencies":{"a":"2","b":"1"}}`,
		"yarn.lock":                                  "# yarn lockfile v1\na@1:\n  version \"1.0.0\"\n  resolved \"https://registry.example/a/-/a-1.0.0.tgz\"\na@2:\n  version \"2.0.0\"\n  resolved \"https://registry.example/a/-/a-2.0.0.tgz\"\nb@1:\n  version \"1.0.0\"\n  resolved \"https://registry.example/b/-/b-1.0.0.tgz\"\n  dependencies:\n    a \"2\"\n",
		"node_modules/a/package.json":                `{"name":"a","version":"1.0.0"}`,
		"node_modules/b/package.json":                `{"name":"b","version":"1.0.0"}`,
		"node_modules/b/node_modules/a/package.json": `{"name":"a","version":"2.0.0"}`,
		"packages/w/node_modules/a/package.json":     `{"name":"a","version":"2.0.0"}`,
	}
	for module, want := range map[string]string{
		"node_modules/a/x.js":                "pkg:npm/a@1.0.0 place out.js",
		"node_modules/b/node_modules/a/x.js": "pkg:npm/a@2.0.0 place out.js",
		"packages/w/node_modules/a/x.js":     "pkg:npm/a@2.0.0 place out.js",
		"node_modules/w/x.js":                "npm:packages/w place out.js",
	} {
		files["meta.json"] = metafile(t, map[string][]string{"out.js": {module}})
		dir := javascript(t, files)
		if err := os.Symlink("../packages/w", filepath.Join(dir, "node_modules", "w")); err != nil {
			t.Skip(err)
		}
		if got := marked(bundle(t, dir, "meta.json")); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: expected %v, found %v", module, want, got)
		}
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
