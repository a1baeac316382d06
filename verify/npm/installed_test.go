package npm_test

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"plimsoll.example/verify"
)

// TestBundledInstalled: what lies below a package is there because its tarball has it,
// or the lockfile has another package there; that the lockfile calls it bundled is not
// enough.
func TestBundledInstalled(t *testing.T) {
	const manifest = `{"name": "foo", "version": "1.0.0", "bundleDependencies": ["bar", "@a/b", "evil"], "dependencies": {"bar": "1", "@a/b": "1", "evil": "1"}}`
	s := newScene(t, "-- foo@1.0.0/package/package.json --\n"+manifest+"\n"+`-- foo@1.0.0/package/node_modules/bar/index.js --
bar
-- foo@1.0.0/package/node_modules/bar/node_modules/deep/index.js --
deep
-- foo@1.0.0/package/node_modules/@a/b/index.js --
b
`)
	var doc map[string]any
	if err := json.Unmarshal(s.lock("foo@1.0.0"), &doc); err != nil {
		t.Fatal(err)
	}
	packages := doc["packages"].(map[string]any)
	foo := packages["node_modules/foo"].(map[string]any)
	foo["bundleDependencies"], foo["dependencies"] = []string{"bar", "@a/b", "evil"}, map[string]string{"bar": "1", "@a/b": "1", "evil": "1"}
	for _, name := range []string{"bar", "@a/b", "evil"} {
		packages["node_modules/foo/node_modules/"+name] = map[string]any{"version": "1.0.0", "inBundle": true}
	}
	lock, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	files := fstest.MapFS{
		"node_modules/foo/package.json":                                file(manifest + "\n"),
		"node_modules/foo/node_modules/bar/index.js":                   file("bar\n"),
		"node_modules/foo/node_modules/bar/node_modules/deep/index.js": file("deep\n"),
		"node_modules/foo/node_modules/@a/b/index.js":                  file("b\n"),
	}
	s.inspector.Installed = files
	report := s.check(lock)
	if len(report.Denials) > 0 || slices.Contains(codes(report, "foo@1.0.0"), "deny INSTALLED_DIFFERS") {
		t.Errorf("found %v, %s", codes(report, "foo@1.0.0"), toJSON(t, report.Denials))
	}
	for _, place := range []string{"node_modules/foo/node_modules/evil", "node_modules/foo/node_modules/@a/c", "node_modules/foo/node_modules/bar/node_modules/x", "node_modules/@a/c", "node_modules/x"} {
		files[place+"/index.js"] = file("evil\n")
		report := s.check(lock)
		if len(report.Denials) != 1 || report.Denials[0].Code != verify.CodeInstalledDiffers || report.Denials[0].Found != place {
			t.Errorf("%s: found %s", place, toJSON(t, report.Denials))
		}
		delete(files, place+"/index.js")
	}
	files["node_modules/foo/node_modules/bar/index.js"] = file("changed\n")
	if list := strings.Join(codes(s.check(lock), "foo@1.0.0"), " "); !strings.Contains(list, "deny INSTALLED_DIFFERS") {
		t.Errorf("found %s", list)
	}
}

// TestStore: bun keeps packages in a folder and puts links to them in their places.
func TestStore(t *testing.T) {
	s := newScene(t, built)
	lock := s.lock("foo@1.0.0")
	const store = "node_modules/.bun/foo@1.0.0/node_modules/foo"
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(to), Mode: 0o777 | fs.ModeSymlink}
	}
	files := fstest.MapFS{
		store + "/package.json":  {Data: []byte("{\"name\": \"foo\", \"version\": \"1.0.0\", \"repository\": \"github:acme/foo\"}\n"), Mode: 0o644},
		"elsewhere/package.json": {Data: []byte("{\"name\": \"foo\", \"version\": \"1.0.0\", \"repository\": \"github:acme/foo\"}\n"), Mode: 0o644},
		"node_modules/foo":       link(".bun/foo@1.0.0/node_modules/foo"),
		"node_modules/.bin/foo":  link("../.bun/foo@1.0.0/node_modules/foo/cli.js"),
		"node_modules/again":     link(".bun/foo@1.0.0/node_modules/foo"),
	}
	s.inspector.Installed = files
	report := s.check(lock)
	s.holds(report, "foo@1.0.0")
	if len(report.Denials) > 0 {
		t.Errorf("found %s", toJSON(t, report.Denials))
	}
	files[store+"/index.js"] = &fstest.MapFile{Data: []byte("evil"), Mode: 0o644}
	s.denies(s.check(lock), "foo@1.0.0", verify.CodeInstalledDiffers)
	for _, to := range []string{"../elsewhere", "/elsewhere", ".bun/../../elsewhere", ".bun/missing"} {
		files["node_modules/foo"] = link(to)
		s.denies(s.check(lock), "foo@1.0.0", verify.CodeInstalledDiffers)
	}
	delete(files, store+"/index.js")
	files["node_modules/foo"] = link(".bun/foo@1.0.0/node_modules/foo")
	for _, name := range []string{"node_modules/more", "node_modules/.bin/more"} {
		files[name] = link("../elsewhere")
		if report := s.check(lock); len(report.Denials) != 1 || report.Denials[0].Found != name {
			t.Errorf("%s: found %s", name, toJSON(t, report.Denials))
		}
		delete(files, name)
	}
}
