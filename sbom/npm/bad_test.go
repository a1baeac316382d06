package npm_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"plimsoll.example/sbom/npm"
)

// good are small lockfiles of each format, by name and folder.
var good = map[string][2]string{
	"npm 1":  {"package-lock.json", `{"name":"r","lockfileVersion":1,"requires":true,"dependencies":{"a":{"version":"1.0.0","requires":{"b":"1"}},"b":{"version":"1.0.0","requires":{"a":"1"}}}}`},
	"npm 3":  {"package-lock.json", `{"name":"r","lockfileVersion":3,"packages":{"":{"dependencies":{"a":"1"}},"node_modules/a":{"version":"1.0.0","dependencies":{"b":"1"}},"node_modules/b":{"version":"1.0.0","dependencies":{"a":"1"}}}}`},
	"yarn 1": {"yarn.lock", "# yarn lockfile v1\n\n\na@1:\n  version \"1.0.0\"\n  dependencies:\n    b \"1\"\n\nb@1:\n  version \"1.0.0\"\n  dependencies:\n    a \"1\"\n"},
	"berry":  {"yarn.lock", "__metadata:\n  version: 8\n\n\"a@npm:1\":\n  version: 1.0.0\n  resolution: \"a@npm:1.0.0\"\n  dependencies:\n    b: \"npm:1\"\n\n\"b@npm:1\":\n  version: 1.0.0\n  resolution: \"b@npm:1.0.0\"\n  dependencies:\n    a: \"npm:1\"\n\n\"r@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"r@workspace:.\"\n  dependencies:\n    a: \"npm:1\"\n"},
	"pnpm 6": {"pnpm-lock.yaml", "lockfileVersion: '6.0'\ndependencies:\n  a:\n    specifier: '1'\n    version: 1.0.0\npackages:\n  /a@1.0.0:\n    resolution: {integrity: sha512-AA==}\n    dependencies:\n      b: 1.0.0\n  /b@1.0.0:\n    resolution: {integrity: sha512-AA==}\n    dependencies:\n      a: 1.0.0\n"},
	"pnpm 9": {"pnpm-lock.yaml", "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: '1'\n        version: 1.0.0\npackages:\n  a@1.0.0:\n    resolution: {integrity: sha512-AA==}\n  b@1.0.0:\n    resolution: {integrity: sha512-AA==}\nsnapshots:\n  a@1.0.0:\n    dependencies:\n      b: 1.0.0\n  b@1.0.0:\n    dependencies:\n      a: 1.0.0\n"},
	"bun":    {"bun.lock", `{"lockfileVersion":1,"workspaces":{"":{"name":"r","dependencies":{"a":"1",},},},"packages":{"a":["a@1.0.0","",{"dependencies":{"b":"1"}},"sha512-AA=="],"b":["b@1.0.0","",{"dependencies":{"a":"1"}},"sha512-AA=="],}}`},
}

// TestGoodForms: each format says the same of a circle of two packages, also with a
// byte order mark and CRLF.
func TestGoodForms(t *testing.T) {
	for name, lock := range good {
		for form, text := range map[string]string{
			"": lock[1], ", BOM": "\ufeff" + lock[1], ", CRLF": strings.ReplaceAll(lock[1], "\n", "\r\n"), ", both": "\ufeff" + strings.ReplaceAll(lock[1], "\n", "\r\n"),
		} {
			t.Run(name+form, func(t *testing.T) {
				p, err := npm.Read(context.Background(), fstest.MapFS{
					lock[0]: {Data: []byte(text)}, "package.json": {Data: []byte("\ufeff" + `{"name":"r","version":"1.0.0","dependencies":{"a":"1"}}`)},
				}, lock[0], npm.Options{})
				if err != nil {
					t.Fatal(err)
				}
				edges := map[string]bool{}
				for _, pkg := range p.Packages {
					for _, e := range pkg.Edges {
						edges[pkg.Name+" "+p.Packages[e.To].Name] = true
					}
				}
				if len(p.Packages) != 3 || len(p.Missing) != 0 || !edges["r a"] || !edges["a b"] || !edges["b a"] || len(edges) != 3 {
					t.Errorf("%d packages, edges %v, missing %v", len(p.Packages), edges, p.Missing)
				}
			})
		}
	}
}

// TestBadLockfiles: what is wrong with each is said.
func TestBadLockfiles(t *testing.T) {
	deepJSON := strings.Repeat(`{"a":`, 10_000) + strings.Repeat("}", 10_000)
	deepYAML := strings.Repeat("{a: ", 10_000) + strings.Repeat("}", 10_000)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", 'b'+i, 'b'+i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", 'a'+i), 9), ","))
	}
	for _, c := range []struct{ name, file, text, want string }{
		{"conflict, npm", "package-lock.json", "{\n<<<<<<< HEAD\n}", "merge conflict markers"},
		{"conflict, yarn", "yarn.lock", "# yarn lockfile v1\n<<<<<<< HEAD\na@1:\n=======\n>>>>>>> b\n", "merge conflict markers"},
		{"conflict, pnpm", "pnpm-lock.yaml", "lockfileVersion: '9.0'\n<<<<<<< HEAD\n", "merge conflict markers"},
		{"version, npm", "package-lock.json", `{"lockfileVersion":9,"packages":{"":{}}}`, "expected lockfileVersion 1, 2 or 3, found 9"},
		{"version, yarn", "yarn.lock", "# yarn lockfile v2\n", `expected "# yarn lockfile v1" or a "__metadata" entry`},
		{"version, berry", "yarn.lock", "__metadata:\n  cacheKey: 8\n", "expected a version in __metadata"},
		{"version, pnpm", "pnpm-lock.yaml", "lockfileVersion: 5.4\n", `expected lockfileVersion 6 or 9, found "5.4"`},
		{"version, bun", "bun.lock", `{"lockfileVersion":7,"workspaces":{"":{}}}`, "expected lockfileVersion 0 to 2, found 7"},
		{"no version, bun", "bun.lock", `{"workspaces":{"":{}}}`, "found none"},
		{"empty, npm", "package-lock.json", "", "reading lockfile"},
		{"empty, yarn", "yarn.lock", "", "found neither"},
		{"empty, pnpm", "pnpm-lock.yaml", "", "reading lockfile"},
		{"empty, bun", "bun.lock", "", "reading lockfile"},
		{"deep, npm", "package-lock.json", deepJSON, "reading lockfile"},
		{"deep, bun", "bun.lock", deepJSON, "nested deeper than 1000 levels"},
		{"deeper, bun, comments", "bun.lock", strings.Repeat("/* \" ] */[// \" ]\n", 2_000), "nested deeper than 1000 levels"},
		{"deeper, bun", "bun.lock", strings.Repeat("[", 1_000_000), "nested deeper than 1000 levels"},
		{"deep, pnpm", "pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages: " + deepYAML, "reading lockfile"},
		{"deep, berry", "yarn.lock", "__metadata: " + deepYAML, "reading lockfile"},
		{"aliases, pnpm", "pnpm-lock.yaml", "lockfileVersion: '9.0'\n" + bomb + "packages: {x@1: {engines: *i}}\n", "package managers write none"},
		{"one alias, berry", "yarn.lock", "__metadata:\n  version: &v 8\n\"r@workspace:.\":\n  version: *v\n  resolution: \"r@workspace:.\"\n", "line 4: the alias *v"},
		{"deep place, npm", "package-lock.json", `{"lockfileVersion":3,"packages":{"":{},"` + strings.Repeat("a/", 300) + `a":{}}}`, "300 folders deep, at most 256"},
		{"many members, pnpm", "pnpm-lock.yaml", "lockfileVersion: '9.0'\n" + manyMembers("", 2000), "2001 members, at most 1000 are read there"},
		{"many members of a package, pnpm", "pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  a@1:\n" + manyMembers("    ", 2000), "line 4: 2000 members"},
		{"many members of a resolution, pnpm", "pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  a@1:\n    resolution:\n" + manyMembers("      ", 2000), "line 5: 2000 members"},
		{"twice, npm", "package-lock.json", `{"lockfileVersion":3,"packages":{"":{},"":{}}}`, "duplicate"},
		{"twice, yarn", "yarn.lock", "# yarn lockfile v1\na@1:\n  version \"1\"\na@1:\n  version \"2\"\n", `two entries for "a@1"`},
		{"field twice, yarn", "yarn.lock", "# yarn lockfile v1\na@1:\n  version \"1\"\n  version \"2\"\n", `line 4: expected each field once, found "version" again`},
		{"twice, berry", "yarn.lock", "__metadata:\n  version: 8\na@npm:1:\n  resolution: a@npm:1\na@npm:1:\n  resolution: a@npm:2\n", "stands there twice"},
		{"workspace twice, berry", "yarn.lock", "__metadata:\n  version: 8\n\"r@workspace:.\":\n  resolution: \"r@workspace:.\"\n\"w@workspace:w\":\n  resolution: \"w@workspace:w\"\n\"x@workspace:w\":\n  resolution: \"x@workspace:./w\"\n", `two entries for the workspace "w"`},
		{"project twice, berry", "yarn.lock", "__metadata:\n  version: 8\n\"r@workspace:.\":\n  resolution: \"r@workspace:.\"\n\"x@workspace:.\":\n  resolution: \"x@workspace:.\"\n", `two entries for the workspace "."`},
		{"peers without end, berry", "yarn.lock", manyPeers(2500), "more than 5000000 pairs"},
		{"twice, pnpm", "pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  a@1: {}\n  a@1: {}\n", "stands there twice"},
		{"twice, bun", "bun.lock", `{"lockfileVersion":1,"workspaces":{"":{}},"packages":{"a":["a@1"],"a":["a@2"]}}`, "duplicate"},
		{"above, npm", "package-lock.json", `{"lockfileVersion":3,"packages":{"":{},"node_modules/../../x":{}}}`, "names no package"},
		{"above, bun", "bun.lock", `{"lockfileVersion":1,"workspaces":{"":{}},"packages":{"..":["x@1.0.0"]}}`, "names no package"},
		{"control, npm", "package-lock.json", `{"lockfileVersion":3,"packages":{"":{},"node_modules/a\u0007":{}}}`, "control characters"},
		{"control, yarn", "yarn.lock", "# yarn lockfile v1\n\"a\x07@1\":\n  version \"1\"\n", "no control characters"},
		{"control, pnpm", "pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  \"a\\a@1\": {}\nsnapshots:\n  \"a\\a@1\": {}\n", "control characters"},
		{"no project, npm", "package-lock.json", `{"lockfileVersion":3,"packages":{}}`, `expected an entry ""`},
		{"no project, berry", "yarn.lock", "__metadata:\n  version: 8\n", "NAME@workspace:."},
		{"no snapshot, pnpm", "pnpm-lock.yaml", "lockfileVersion: '9.0'\nsnapshots:\n  a@1: {}\n", `has no entry "a@1" in packages`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := npm.ParseLockfile(c.file, []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("expected %q, found %v", c.want, err)
			}
		})
	}
}

// manyMembers is YAML of n members that mean nothing.
func manyMembers(indent string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sm%d: 1\n", indent, i)
	}
	return b.String()
}

// manyPeers is a yarn.lock in which n packages require one that has n peers.
func manyPeers(n int) string {
	var project, packages, peers strings.Builder
	for i := range n {
		fmt.Fprintf(&project, "    p%d: \"npm:1\"\n", i)
		fmt.Fprintf(&packages, "\"p%d@npm:1\":\n  version: 1.0.0\n  resolution: \"p%d@npm:1.0.0\"\n  dependencies:\n    all: \"npm:1\"\n", i, i)
		fmt.Fprintf(&peers, "    p%d: \"*\"\n", i)
	}
	return "__metadata:\n  version: 8\n\"r@workspace:.\":\n  resolution: \"r@workspace:.\"\n  dependencies:\n" + project.String() +
		packages.String() + "\"all@npm:1\":\n  version: 1.0.0\n  resolution: \"all@npm:1.0.0\"\n  peerDependencies:\n" + peers.String()
}

// TestErrorsHideSecrets: user names and passwords of addresses stand in no error,
// whatever library it comes from.
func TestErrorsHideSecrets(t *testing.T) {
	const secret = "https://user:s3cret@example.com/a.tgz"
	long := strings.Repeat("x", 170) + secret
	for _, c := range []struct{ file, text string }{
		{"yarn.lock", "# yarn lockfile v1\n\"a@" + secret + "\":\n  version \"1\"\n\"a@" + secret + "\":\n  version \"1\"\n"},
		{"yarn.lock", "# yarn lockfile v1\n\"a@" + long + "\":\n  version \"1\"\n\"a@" + long + "\":\n  version \"1\"\n"},
		{"yarn.lock", "__metadata:\n  version: 8\n\"a@" + secret + "\":\n  version: 1\n\"a@" + secret + "\":\n  version: 1\n"},
		{"yarn.lock", "__metadata:\n  version: 8\n\"a@" + secret + "\":\n  resolution: " + secret + "\n"},
		{"pnpm-lock.yaml", "lockfileVersion: '9.0'\nsnapshots:\n  a@" + secret + ": {}\n"},
		{"pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  a@" + secret + ": {}\n"},
		{"package-lock.json", `{"lockfileVersion":3,"packages":{"":{},"` + secret + `":{"dependencies":[]}}}`},
		{"package-lock.json", `{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"link":true,"resolved":"` + secret + `"}}}`},
		{"package-lock.json", `{"lockfileVersion":3,"packages":{"` + secret + `":{},"` + secret + `":{}}}`},
		{"bun.lock", `{"lockfileVersion":1,"workspaces":{"":{}},"packages":{"a":["` + secret + `"]}}`},
	} {
		_, err := npm.ParseLockfile(c.file, []byte(c.text))
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", c.file, err)
		}
	}
}

// TestTruncatedLockfiles: cut off after any byte, a lockfile is an error, or says no
// more than what is there.
func TestTruncatedLockfiles(t *testing.T) {
	for name, lock := range good {
		for i := range len(lock[1]) {
			p, err := npm.ParseLockfile(lock[0], []byte(lock[1][:i]))
			if err == nil && len(p.Packages) > 3 {
				t.Errorf("%s, %d bytes: %d packages", name, i, len(p.Packages))
			}
			if err == nil && strings.HasPrefix(lock[1], "{") {
				t.Errorf("%s: %d of %d bytes are accepted", name, i, len(lock[1]))
			}
		}
	}
}

// TestPrototype: names that mean something to JavaScript are names.
func TestPrototype(t *testing.T) {
	p, err := npm.ParseLockfile("package-lock.json", []byte(`{"lockfileVersion":3,"packages":{"":{"dependencies":{"__proto__":"1","constructor":"1"}},
		"node_modules/__proto__":{"version":"1.0.0"},"node_modules/constructor":{"version":"1.0.0"}}}`))
	if err != nil || len(p.Packages) != 3 || len(p.Packages[0].Edges) != 2 {
		t.Errorf("found %+v, %v", p, err)
	}
}

// TestBadNodeModules: links in circles and out of the project, packages that cannot
// be read, and pipes are stated, and the rest is read.
func TestBadNodeModules(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	write("package.json", `{"name":"r","version":"1.0.0","dependencies":{"good":"1"}}`)
	write("node_modules/good/package.json", `{"name":"good","version":"1.0.0","license":"MIT"}`)
	write("node_modules/array/package.json", `[]`)
	write("node_modules/empty/package.json", ``)
	write("node_modules/types/package.json", `{"name":"types","version":"1.0.0","version":"2.0.0","dependencies":[1],"license":{"type":7},"author":[],"engines":"x","scripts":null,"workspaces":{"packages":3}}`)
	write("node_modules/nothing/readme", "")
	write("node_modules/folder/package.json/x", "")
	write("lib/package.json", `{"name":"lib","version":"0.1.0"}`)
	link("loop", "node_modules/loop")
	link("..", "node_modules/self")
	link("../lib", "node_modules/lib")
	link("../../../../../etc", "node_modules/out")
	link("/etc", "node_modules/absolute")
	if err := os.MkdirAll(filepath.Join(dir, "node_modules/pipe"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("mkfifo", filepath.Join(dir, "node_modules/pipe/package.json")).Run(); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := npm.Read(ctx, root.FS(), npm.NodeModules, npm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, pkg := range p.Packages {
		found[pkg.Place] = pkg.Name + "@" + pkg.Version
	}
	for place, want := range map[string]string{"node_modules/good": "good@1.0.0", "node_modules/types": "types@2.0.0", "lib": "lib@0.1.0"} {
		if found[place] != want {
			t.Errorf("%s: expected %s, found %s", place, want, found[place])
		}
	}
	gaps := strings.Join(p.Gaps, "\n")
	for _, place := range []string{"array", "empty", "nothing", "folder", "pipe", "loop", "out", "absolute"} {
		if !strings.Contains(gaps, fmt.Sprintf("%q", "node_modules/"+place)) {
			t.Errorf("%s is not stated in\n%s", place, gaps)
		}
	}
}

// denied is a file system of which some files and folders may not be read.
type denied struct {
	fstest.MapFS
	names []string
}

func (d denied) check(op, name string) error {
	for _, no := range d.names {
		if name == no || strings.HasPrefix(name, no+"/") {
			return &fs.PathError{Op: op, Path: name, Err: fs.ErrPermission}
		}
	}
	return nil
}

func (d denied) Open(name string) (fs.File, error) {
	if err := d.check("open", name); err != nil {
		return nil, err
	}
	return d.MapFS.Open(name)
}

func (d denied) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := d.check("open", name); err != nil {
		return nil, err
	}
	return d.MapFS.ReadDir(name)
}

// TestUnreadable: what may not be read is stated, and nothing is said to be missing
// that may lie there.
func TestUnreadable(t *testing.T) {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"package.json":                   `{"name":"r","dependencies":{"a":"1","b":"1","c":"1","@s/d":"1"}}`,
		"package-lock.json":              `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"1","b":"1","c":"1","@s/d":"1"}},"node_modules/a":{"version":"1.0.0"},"node_modules/b":{"version":"1.0.0"},"node_modules/c":{"version":"1.0.0"},"node_modules/@s/d":{"version":"1.0.0"}}}`,
		"yarn.lock":                      "# yarn lockfile v1\na@1:\n  version \"1.0.0\"\nb@1:\n  version \"1.0.0\"\nc@1:\n  version \"1.0.0\"\n\"@s/d@1\":\n  version \"1.0.0\"\n",
		"node_modules/a/package.json":    `{"name":"a","version":"1.0.0"}`,
		"node_modules/b/package.json":    `{"name":"b","version":"1.0.0"}`,
		"node_modules/c/package.json":    `{"name":"c","version":"1.0.0"}`,
		"node_modules/c/LICENSE":         "text",
		"node_modules/c/LICENSES/MIT":    "text",
		"node_modules/@s/d/package.json": `{"name":"@s/d","version":"1.0.0"}`,
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for _, lockfile := range []string{"package-lock.json", "yarn.lock"} {
		p, err := npm.Read(t.Context(), denied{files, []string{"node_modules/a", "node_modules/b/package.json", "node_modules/c/LICENSE", "node_modules/@s"}}, lockfile, npm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			`what lies at "node_modules/a": permission denied`, `what lies at "node_modules/b": its package.json cannot be read: permission denied`,
			`what lies in "node_modules/@s": permission denied`, `what the licence text node_modules/c/LICENSE says: permission denied`,
		}
		if slices.Sort(p.Gaps); !slices.Equal(p.Gaps, want) || len(p.Drift) > 0 {
			t.Errorf("%s: expected gaps %q, found %q, drift %v", lockfile, want, p.Gaps, p.Drift)
		}
	}
}

// TestTooLarge: more than the bound is an error, and is not read.
func TestTooLarge(t *testing.T) {
	for _, lock := range good {
		_, err := npm.Read(context.Background(), fstest.MapFS{lock[0]: {Data: make([]byte, npm.MaxLockfile+1)}}, lock[0], npm.Options{})
		if err == nil || !strings.Contains(err.Error(), "expected a file of at most 67108864 bytes") {
			t.Errorf("%s: %v", lock[0], err)
		}
	}
	if _, _, err := npm.ParseBundle(make([]byte, npm.MaxBundle+1)); err == nil || !strings.Contains(err.Error(), "expected at most") {
		t.Errorf("a bundler's report: %v", err)
	}
}
