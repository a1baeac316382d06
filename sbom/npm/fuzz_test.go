package npm_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"testing/fstest"

	"plimsoll.example/sbom/npm"
)

// checkProject holds what every reader promises: edges lead to packages that are no
// links.
func checkProject(t *testing.T, p *npm.Project) {
	t.Helper()
	if len(p.Packages) == 0 {
		t.Fatal("no project")
	}
	for _, pkg := range p.Packages {
		for _, e := range pkg.Edges {
			if e.To < 0 || e.To >= len(p.Packages) || p.Packages[e.To].IsLink {
				t.Errorf("%q: an edge to %d of %d", pkg.Place, e.To, len(p.Packages))
			}
		}
		if pkg.Link < 0 || pkg.Link >= len(p.Packages) || pkg.Bundler < 0 || pkg.Bundler >= len(p.Packages) {
			t.Errorf("%q: a link to %d, a bundler %d", pkg.Place, pkg.Link, pkg.Bundler)
		}
	}
	for _, m := range p.Missing {
		if m.From < 0 || m.From >= len(p.Packages) {
			t.Errorf("missing from %d", m.From)
		}
	}
}

func fuzzLockfile(f *testing.F, file string, forms ...string) {
	for _, form := range forms {
		f.Add([]byte(good[form][1]))
	}
	if file == "yarn.lock" { // a range without a protocol, and resolutions
		f.Add([]byte("__metadata:\n version: 0\n0:\n resolution: \"0@workspace:\"\n dependencies:\n  0:\n"))
		f.Add([]byte("# yarn lockfile v1\n:\n")) // an entry without patterns
	}
	manifest := &fstest.MapFile{Data: []byte(`{"name":"r","version":"1.0.0","dependencies":{"a":"1","b":"1"},"devDependencies":{"c":"1"},"workspaces":["w"],"resolutions":{"b":"2"}}`)}
	f.Fuzz(func(t *testing.T, data []byte) {
		files := fstest.MapFS{file: {Data: data}, "package.json": manifest, "w/package.json": manifest, "node_modules/a/package.json": manifest}
		for _, o := range []npm.Options{{}, {LockfileOnly: true, Omit: []string{"dev", "optional", "peer"}}} {
			p, err := npm.Read(context.Background(), files, file, o)
			if err == nil {
				checkProject(t, p)
			}
		}
	})
}

func FuzzPackageLock(f *testing.F) { fuzzLockfile(f, "package-lock.json", "npm 1", "npm 3") }
func FuzzYarn(f *testing.F)        { fuzzLockfile(f, "yarn.lock", "yarn 1", "berry") }
func FuzzPNPM(f *testing.F)        { fuzzLockfile(f, "pnpm-lock.yaml", "pnpm 6", "pnpm 9") }
func FuzzBun(f *testing.F)         { fuzzLockfile(f, "bun.lock", "bun") }

// FuzzManifest: whatever a package.json in node_modules is, the rest is read.
func FuzzManifest(f *testing.F) {
	for _, seed := range []string{`{"name":"a","version":"1.0.0","license":{"type":"MIT"},"author":"A <a@b> (c)","bundleDependencies":true}`, `[]`, `{"funding":[{"url":"x"}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		files := fstest.MapFS{
			"package.json": {Data: data}, "node_modules/a/package.json": {Data: data}, "node_modules/b/package.json": {Data: []byte(`{"name":"b","version":"1.0.0"}`)},
			"node_modules/.package-lock.json": {Data: data},
		}
		p, err := npm.Read(context.Background(), files, npm.NodeModules, npm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		checkProject(t, p)
		for _, pkg := range p.Packages {
			if pkg.Place == "node_modules/b" {
				return
			}
		}
		if len(p.Gaps) == 0 {
			t.Error("b was lost without a word")
		}
	})
}

func FuzzBundle(f *testing.F) {
	for _, seed := range []string{
		`{"inputs":{},"outputs":{"d/a.js":{"inputs":{"node_modules/a/x.js":{"bytesInOutput":3}}}}}`,
		`{"output":[{"fileName":"a.js","modules":{"/x/node_modules/a/x.js":{"renderedLength":1}}}]}`,
		`{"modules":[{"name":"./node_modules/a/x.js","chunks":[1],"modules":[{"name":"x"}],"children":[]}],"chunks":[{"id":1,"files":["a.js"]}]}`,
		`{"version":2,"tree":{},"nodeParts":{"p":{"renderedLength":3}},"nodeMetas":{"m":{"id":"/x/node_modules/a/x.js","moduleParts":{"a.js":"p"}}}}`,
	} {
		f.Add([]byte(seed))
	}
	p, err := npm.ParseLockfile(good["npm 3"][0], []byte(good["npm 3"][1]))
	if err != nil {
		f.Fatal(err)
	}
	a := npm.NewAttribution(p, nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		outputs, _, err := npm.ParseBundle(data)
		if err != nil {
			return
		}
		for _, o := range outputs {
			for _, found := range a.Find(o, "dist", "/home") {
				if found.Package >= len(p.Packages) || found.Within >= len(p.Packages) || (found.Package < 0 && found.Name == "") {
					t.Errorf("found %+v", found)
				}
			}
		}
	})
}

func FuzzSourceMap(f *testing.F) {
	f.Add([]byte(`{"version":3,"sources":["a.js","b.js"],"mappings":"AAAA,CCAA;AADA,E"}`), []byte("ab\nc\n"))
	f.Add([]byte(`{"version":3,"sections":[{"offset":{"line":1,"column":2},"map":{"version":3,"sources":["a.js"],"mappings":"AAAA"}}]}`), []byte("é\n🂡x"))
	f.Fuzz(func(t *testing.T, data, generated []byte) {
		o, err := npm.ParseSourceMap(data, generated)
		if err != nil {
			return
		}
		for _, m := range o.Modules {
			if m.Bytes <= 0 {
				t.Errorf("%q: %d bytes", m.Path, m.Bytes)
			}
		}
	})
}

// TestSourceMapBytes: each byte of the generated file is of one source, or of none.
func TestSourceMapBytes(t *testing.T) {
	data, err := json.Marshal(map[string]any{"version": 3, "sourceRoot": "src", "sources": []any{"a.js", "b.js", "unused.js", nil}, "mappings": "AAAA,ECAA,E;ADAA"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := npm.ParseSourceMap(data, []byte("aabb??\nsecond é\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Modules) != 2 || o.Modules[0].Path != "src/a.js" || o.Modules[0].Bytes != 2+10 || o.Modules[1].Bytes != 2 {
		t.Errorf("found %+v", o.Modules)
	}
	for _, bad := range []string{
		`{"version":2,"mappings":""}`, `{"version":3,"sources":[],"mappings":"AAAA"}`, `{"version":3,"sources":["a"],"mappings":"A!AA"}`,
		`{"version":3,"sources":["a"],"mappings":"gggggggggggA"}`, `{"version":3,"sources":["a"],"mappings":"AAAAAA"}`, `{"version":3,"sections":[{}]}`,
	} {
		if o, err := npm.ParseSourceMap([]byte(bad), nil); err == nil {
			t.Errorf("%s: found %+v", bad, o)
		}
	}
}

// BenchmarkRead reads lockfiles, without and with what is installed.
func BenchmarkRead(b *testing.B) {
	corpus := os.Getenv("PLIMSOLL_CORPUS")
	if corpus == "" {
		b.Skip("no JavaScript projects: PLIMSOLL_CORPUS is not set")
	}
	for _, c := range []struct {
		name, project, file string
		only                bool
	}{
		{"npm", "npm-large", "package-lock.json", true}, {"installed", "npm-large", "package-lock.json", false},
		{"pnpm", "pnpm9-large", "pnpm-lock.yaml", true}, {"bun", "bun-large", "bun.lock", true},
		{"yarn1", "yarn1-medium", "yarn.lock", true}, {"berry", "berry-medium", "yarn.lock", true},
	} {
		b.Run(c.name, func(b *testing.B) {
			root, err := os.OpenRoot(corpus + "/js/" + c.project)
			if err != nil {
				b.Skip(err)
			}
			defer root.Close()
			b.ReportAllocs()
			for b.Loop() {
				p, err := npm.Read(context.Background(), root.FS(), c.file, npm.Options{LockfileOnly: c.only})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(p.Packages)), "packages")
			}
		})
	}
}
