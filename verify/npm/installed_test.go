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
	"plimsoll.example/verify/npm"
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
	if r := result(t, report, "foo@1.0.0"); r.Outcome != npm.Denied || r.Reason.Code != verify.CodeIntegrityMissing || !strings.Contains(r.Reason.Expected, "node_modules/evil") {
		t.Errorf("evil is in no tarball, found %v %v", r.Outcome, r.Reason)
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

// TestStrays: what node or a script would find in node_modules and no tarball holds.
func TestStrays(t *testing.T) {
	s := newScene(t, built)
	lock := packagesOf(t, s.lock("foo@1.0.0"), func(packages map[string]any) {
		packages["packages/ws"] = map[string]any{"name": "ws", "version": "1.0.0"}
		packages["node_modules/ws"] = map[string]any{"resolved": "packages/ws", "link": true}
	})
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(to), Mode: 0o777 | fs.ModeSymlink}
	}
	installed := func() fstest.MapFS {
		return fstest.MapFS{
			"node_modules/foo/package.json":   file("{\"name\": \"foo\", \"version\": \"1.0.0\", \"repository\": \"github:acme/foo\"}\n"),
			"node_modules/.bin/foo":           link("../foo/package.json"),
			"node_modules/.package-lock.json": file("{}"),
			"node_modules/.cache/x/y.js":      file("of a tool"),
			"node_modules/ws":                 link("../packages/ws"),
			"packages/ws/package.json":        file("{}"),
		}
	}
	s.inspector.Installed = installed()
	report := s.check(lock)
	s.holds(report, "foo@1.0.0")
	if len(report.Denials) > 0 || !slices.Equal(report.NotCompared, []string{"node_modules/.cache"}) {
		t.Errorf("found %s, %v", toJSON(t, report.Denials), report.NotCompared)
	}
	for name, c := range map[string]struct {
		files fstest.MapFS
		found string
	}{
		"a folder with a dot":                          {fstest.MapFS{"node_modules/.evil/index.js": file("evil")}, "node_modules/.evil"},
		"a file with a dot":                            {fstest.MapFS{"node_modules/.evil.js": file("evil")}, "node_modules/.evil.js"},
		"a link with a dot":                            {fstest.MapFS{"node_modules/.cache": link("../packages")}, "node_modules/.cache"},
		"a folder with a dot below a package":          {fstest.MapFS{"node_modules/foo/node_modules/.cache/index.js": file("evil")}, "node_modules/foo/node_modules/.cache"},
		"a note that is a folder":                      {fstest.MapFS{"node_modules/.yarn-integrity/index.js": file("evil")}, "node_modules/.yarn-integrity"},
		"a store that is a link":                       {fstest.MapFS{"node_modules/.bun": link("../packages")}, "node_modules/.bun"},
		"a command of a folder with a dot":             {fstest.MapFS{"node_modules/.bin/tsc": link("../foo/node_modules/.evil/r"), "node_modules/foo/node_modules/.evil/r": file("evil")}, "node_modules/.bin/tsc"},
		"a command of a cache":                         {fstest.MapFS{"node_modules/.bin/tsc": link("../.cache/x/y.js")}, "node_modules/.bin/tsc"},
		"a command behind a link":                      {fstest.MapFS{"node_modules/.bin/tsc": link("../ws/../foo/package.json"), "packages/foo/package.json": file("evil")}, "node_modules/.bin/tsc"},
		"commands that are a link":                     {fstest.MapFS{"node_modules/.bin": link("../tools/bin"), "tools/bin/tsc": link("../foo/cli.js"), "tools/foo/cli.js": file("evil")}, "node_modules/.bin"},
		"packages between the project and a workspace": {fstest.MapFS{"packages/node_modules/foo/index.js": file("evil")}, "packages/node_modules/foo"},
		"packages of a workspace that are a link":      {fstest.MapFS{"packages/ws/node_modules": link("../../node_modules")}, "packages/ws/node_modules"},
	} {
		t.Run(name, func(t *testing.T) {
			files := installed()
			for at, f := range c.files {
				for known := range files {
					if strings.HasPrefix(known, at+"/") {
						delete(files, known)
					}
				}
				files[at] = f
			}
			s.inspector.Installed = files
			var found []string
			for _, d := range s.check(lock).Denials {
				found = append(found, d.Found)
			}
			if !slices.Contains(found, c.found) {
				t.Errorf("found %v", found)
			}
		})
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
