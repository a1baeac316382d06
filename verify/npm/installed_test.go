package npm_test

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	lockfile "plimsoll.example/sbom/npm"
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
	delete(files, store+"/index.js")
	for _, to := range []string{"../elsewhere", "/elsewhere", ".bun/../../elsewhere", ".bun/missing"} {
		files["node_modules/foo"] = link(to)
		s.denies(s.check(lock), "foo@1.0.0", verify.CodeInstalledDiffers)
	}
	files["node_modules/foo"] = link(".bun/foo@1.0.0/node_modules/foo")
	for _, name := range []string{"node_modules/more", "node_modules/.bin/more"} {
		files[name] = link("../elsewhere")
		if report := s.check(lock); len(report.Denials) != 1 || report.Denials[0].Found != name {
			t.Errorf("%s: found %s", name, toJSON(t, report.Denials))
		}
		delete(files, name)
	}
}

// TestWholeStore: what lies in bun's store is compared, whoever has a link to it.
func TestWholeStore(t *testing.T) {
	const bar = "-- bar@2.0.0/package/package.json --\n{\"name\": \"bar\", \"version\": \"2.0.0\", \"repository\": \"github:acme/bar\"}\n-- bar@2.0.0/registry.json --\n{\"provenance\": true}\n"
	s := newScene(t, built+bar)
	lock := s.lock("foo@1.0.0", "bar@2.0.0")
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(to), Mode: 0o777 | fs.ModeSymlink}
	}
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	const fooStore, barStore = "node_modules/.bun/foo@1.0.0+0123456789abcdef/node_modules/", "node_modules/.bun/bar@2.0.0/node_modules/"
	files := func() fstest.MapFS {
		return fstest.MapFS{
			fooStore + "foo/package.json": file("{\"name\": \"foo\", \"version\": \"1.0.0\", \"repository\": \"github:acme/foo\"}\n"),
			fooStore + "bar":              link("../../bar@2.0.0/node_modules/bar"),
			fooStore + ".bin/bar":         link("../bar/cli.js"),
			barStore + "bar/package.json": file("{\"name\": \"bar\", \"version\": \"2.0.0\", \"repository\": \"github:acme/bar\"}\n"),
			"node_modules/foo":            link(".bun/foo@1.0.0+0123456789abcdef/node_modules/foo"),
		}
	}
	s.inspector.Installed = files()
	report := s.check(lock)
	s.holds(report, "foo@1.0.0")
	s.holds(report, "bar@2.0.0")
	if len(report.Denials) > 0 {
		t.Errorf("found %s", toJSON(t, report.Denials))
	}
	changed := files()
	changed[barStore+"bar/package.json"] = file("{}\n")
	s.inspector.Installed = changed
	s.denies(s.check(lock), "bar@2.0.0", verify.CodeInstalledDiffers)
	for name, to := range map[string]*fstest.MapFile{
		"node_modules/.bun/evil@1.0.0/node_modules/evil/package.json": file("{}"),
		"node_modules/.bun/bar@2.0.1/node_modules/bar/package.json":   file("{}"),
		barStore + "evil/package.json":                                file("{}"),
		barStore + "evil":                                             link("../../../../elsewhere"),
		fooStore + ".bin/evil":                                        link("../evil/cli.js"),
		fooStore + ".bin/text":                                        file("#!/bin/sh"),
		"node_modules/.bun/node_modules/evil":                         link("../../../elsewhere"),
	} {
		more := files()
		more[name] = to
		s.inspector.Installed = more
		if report := s.check(lock); len(report.Denials) != 1 || !strings.HasPrefix(name, report.Denials[0].Found) {
			t.Errorf("%s: found %s", name, toJSON(t, report.Denials))
		}
	}
}

// TestBundledElsewhere: what a package that is no registry's brings along is its own.
func TestBundledElsewhere(t *testing.T) {
	s := newScene(t, built)
	lock := s.lock("foo@1.0.0")
	project, err := lockfile.ParseLockfile("package-lock.json", lock)
	if err != nil {
		t.Fatal(err)
	}
	own := len(project.Packages)
	project.Packages = append(project.Packages,
		lockfile.Package{Place: "node_modules/own", Name: "own", Version: "1.0.0", Source: lockfile.SourceFile},
		lockfile.Package{Place: "node_modules/own/node_modules/in", Name: "in", Version: "1.0.0", Source: lockfile.SourceRegistry, Bundled: true, Bundler: own})
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	files := fstest.MapFS{
		"node_modules/foo/package.json":                 file("{\"name\": \"foo\", \"version\": \"1.0.0\", \"repository\": \"github:acme/foo\"}\n"),
		"node_modules/own/package.json":                 file("{}"),
		"node_modules/own/node_modules/in/package.json": file("{}"),
	}
	s.inspector.Installed = files
	s.connect()
	for _, denials := range []int{0, 1} {
		report, err := s.inspector.Project(t.Context(), project)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Denials) != denials {
			t.Errorf("expected %d denials, found %s", denials, toJSON(t, report.Denials))
		}
		files["node_modules/own/node_modules/stray/package.json"] = file("{}")
	}
}
