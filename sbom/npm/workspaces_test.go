package npm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"plimsoll.example/sbom/npm"
)

// places lists where the project's own folders lie.
func places(p *npm.Project) []string {
	var list []string
	for i, pkg := range p.Packages {
		if i > 0 && pkg.Source == npm.SourceWorkspace && !pkg.IsLink {
			list = append(list, pkg.Place)
		}
	}
	slices.Sort(list)
	return list
}

// workspaceTree is a project of folders with a package.json, of which node_modules
// links to some.
func workspaceTree(workspaces string, folders ...string) map[string]string {
	files := map[string]string{"package.json": `{"name":"r","workspaces":` + workspaces + `}`}
	for _, folder := range folders {
		name := folder[strings.LastIndex(folder, "/")+1:]
		files[folder+"/package.json"] = fmt.Sprintf(`{"name":%q,"version":"1.0.0"}`, name)
	}
	return files
}

// TestWorkspacePatterns: yarn.lock of version 1 does not say which folders are
// workspaces; package.json's patterns do, in all their forms.
func TestWorkspacePatterns(t *testing.T) {
	folders := []string{"packages/a", "packages/b", "packages/deep/c", "packages/deep/fixtures/d", "packages/a/node_modules/x", "apps/e", ".hidden/f", "tools/g"}
	for _, c := range []struct {
		patterns string
		want     []string
		gap      string
	}{
		{`["packages/*"]`, []string{"packages/a", "packages/b"}, ""},
		{`["./packages/*/"]`, []string{"packages/a", "packages/b"}, ""},
		{`{"packages":["packages/*"],"nohoist":["x"]}`, []string{"packages/a", "packages/b"}, ""},
		{`["packages/**"]`, []string{"packages/a", "packages/b", "packages/deep/c", "packages/deep/fixtures/d"}, ""},
		{`["packages/**","!packages/**/fixtures/**"]`, []string{"packages/a", "packages/b", "packages/deep/c"}, ""},
		{`["packages/**","!packages/**/fixtures/**","packages/deep/fixtures/d"]`, []string{"packages/a", "packages/b", "packages/deep/c", "packages/deep/fixtures/d"}, ""},
		{`["packages/{a,b}","{apps,tools}/*"]`, []string{"apps/e", "packages/a", "packages/b", "tools/g"}, ""},
		{`["{packages/deep,apps}/*"]`, []string{"apps/e", "packages/deep/c"}, ""},
		{`["packages/[ab]"]`, []string{"packages/a", "packages/b"}, ""},
		{`[".hidden/*"]`, []string{".hidden/f"}, ""},
		{`["**/*"]`, []string{"apps/e", "packages/a", "packages/b", "packages/deep/c", "packages/deep/fixtures/d", "tools/g"}, ""},
		{`["apps/*","gone/*"]`, []string{"apps/e"}, `"gone/*" names: no folder with a package.json is there`},
		{`["apps/*","packages/!(a)"]`, []string{"apps/e"}, `"packages/!(a)" names: it leads out of the project, or is written in a way that is not read`},
		{`["apps/*","../x/*"]`, []string{"apps/e"}, `"../x/*" names: it leads out`},
		{`["apps/*","{a,a,a,a,a,a,a,a,a,a}{a,a,a,a,a,a,a,a,a,a}{a,a,a,a,a,a,a,a,a,a}x"]`, []string{"apps/e"}, "is written in a way that is not read"},
		{`["apps/*","packages/[a"]`, []string{"apps/e"}, `"packages/[a" names`},
	} {
		files := workspaceTree(c.patterns, folders...)
		files["yarn.lock"] = "# yarn lockfile v1\n"
		p := readFiles(t, "yarn.lock", files)
		if got := places(p); !slices.Equal(got, c.want) {
			t.Errorf("%s: expected %v, found %v", c.patterns, c.want, got)
		}
		if gaps := strings.Join(p.Gaps, "\n"); !strings.Contains(gaps, c.gap) || (c.gap == "") != (gaps == "") {
			t.Errorf("%s: gaps %q", c.patterns, gaps)
		}
	}
}

// TestWorkspacesInLockfile: folders that npm's lockfile links to are workspaces, and
// stay without packages for development, however package.json names them; one that
// a package requires by its folder is no workspace.
func TestWorkspacesInLockfile(t *testing.T) {
	for _, patterns := range []string{`["packages/{a,b}"]`, `["packages/**"]`, `["packages/@(a|b)"]`, `["packages/*","!packages/c"]`} {
		lock := `{"lockfileVersion":3,"packages":{
			"":{"name":"r","version":"1.0.0","workspaces":` + patterns + `},
			"packages/a":{"version":"1.0.0","dependencies":{"c":"file:../c","x":"1"}}, "node_modules/a":{"resolved":"packages/a","link":true},
			"packages/b":{"version":"1.0.0"}, "node_modules/b":{"resolved":"packages/b","link":true},
			"packages/c":{"version":"1.0.0"}, "node_modules/c":{"resolved":"packages/c","link":true},
			"old":{"version":"1.0.0","extraneous":true}, "node_modules/old":{"resolved":"old","link":true,"extraneous":true},
			"node_modules/x":{"version":"1.0.0"}}}`
		p := readFiles(t, "package-lock.json", map[string]string{"package-lock.json": lock})
		var got []string
		for _, e := range p.Packages[0].Edges {
			if e.Kind == npm.EdgeWorkspace {
				got = append(got, p.Packages[e.To].Place)
			}
		}
		want := []string{"packages/a", "packages/b"}
		if patterns == `["packages/**"]` {
			want = append(want, "packages/c")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: expected %v, found %v", patterns, want, got)
		}
	}
}

// TestVersionOneFolders: version 1 may link to the project itself, twice to one
// folder, and to a folder from the top of the file system.
func TestVersionOneFolders(t *testing.T) {
	p := readFiles(t, "package-lock.json", map[string]string{
		"package.json":   `{"name":"r","version":"1.0.0","dependencies":{"r":"file:","a":"file:x","c":"file:/abs/c"},"devDependencies":{"b":"file:x"}}`,
		"x/package.json": `{"name":"x","version":"2.0.0"}`,
		"package-lock.json": `{"name":"r","version":"1.0.0","lockfileVersion":1,"requires":true,"dependencies":{
			"a":{"version":"file:x"},"b":{"version":"file:x","dev":true},"c":{"version":"file:/abs/c"},"r":{"version":"file:"}}}`})
	if x := byName(t, p, "x"); x.Place != "x" || x.Dev || x.Version != "2.0.0" {
		t.Errorf("the folder is %+v", x)
	}
	if c := byName(t, p, "c"); c.Source != npm.SourceFile || c.Version != "" {
		t.Errorf("the folder elsewhere is %+v", c)
	}
	if byName(t, p, "r").Place != "" || len(p.Packages[0].Edges) != 4 {
		t.Errorf("the project requires %v", p.Packages[0].Edges)
	}
}

// TestOtherName: a package.json that has another name than its lockfile is told as
// that, and not as another version.
func TestOtherName(t *testing.T) {
	p := readFiles(t, "package-lock.json", map[string]string{
		"package.json":      `{"name":"new","version":"1.0.0"}`,
		"package-lock.json": `{"name":"old","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"old","version":"1.0.0"}}}`})
	if len(p.Drift) != 1 || p.Drift[0].String() != `other package: at "package.json", expected old, found new` {
		t.Errorf("found %v", p.Drift)
	}
}

// TestWorkspaceForDevelopment: a workspace that the project also requires for
// development is installed in any case, and so is what it requires.
func TestWorkspaceForDevelopment(t *testing.T) {
	for lockfile, text := range map[string]string{
		"package-lock.json": `{"lockfileVersion":3,"packages":{"":{"name":"r","workspaces":["packages/*"],"devDependencies":{"ws":"*"}},
			"packages/ws":{"version":"1.0.0","dependencies":{"foo":"1"}},"node_modules/ws":{"resolved":"packages/ws","link":true},"node_modules/foo":{"version":"1.0.0"}}}`,
		"pnpm-lock.yaml": "lockfileVersion: '6.0'\nimporters:\n  .:\n    devDependencies:\n      ws:\n        specifier: 'workspace:*'\n        version: link:packages/ws\n  packages/ws:\n    dependencies:\n      foo:\n        specifier: '1'\n        version: 1.0.0\npackages:\n  /foo@1.0.0:\n    resolution: {integrity: sha512-AA==}\n    dev: false\n",
		"yarn.lock":      "# yarn lockfile v1\nfoo@1:\n  version \"1.0.0\"\n",
		"bun.lock":       `{"lockfileVersion":1,"workspaces":{"":{"name":"r","devDependencies":{"ws":"workspace:*"}},"packages/ws":{"name":"ws","version":"1.0.0","dependencies":{"foo":"1"}}},"packages":{"ws":["ws@workspace:packages/ws"],"foo":["foo@1.0.0","",{},"sha512-AA=="]}}`,
	} {
		files := map[string]string{lockfile: text,
			"package.json":             `{"name":"r","workspaces":["packages/*"],"devDependencies":{"ws":"*"}}`,
			"packages/ws/package.json": `{"name":"ws","version":"1.0.0","dependencies":{"foo":"1"}}`}
		p := readFiles(t, lockfile, files)
		if foo, ws := byName(t, p, "foo"), byName(t, p, "ws"); foo.Dev || ws.Dev {
			t.Errorf("%s: foo and ws are for development: %v, %v", lockfile, foo.Dev, ws.Dev)
		}
		all := fstest.MapFS{}
		for name, text := range files {
			all[name] = &fstest.MapFile{Data: []byte(text)}
		}
		p, err := npm.Read(t.Context(), all, lockfile, npm.Options{Omit: []string{"dev"}})
		if err != nil {
			t.Fatal(err)
		}
		byName(t, p, "foo")
		byName(t, p, "ws")
	}
}

// TestPNPMParentheses: a path may have parentheses, as sets of peers do.
func TestPNPMParentheses(t *testing.T) {
	p, err := npm.ParseLockfile("pnpm-lock.yaml", []byte("lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      t:\n        specifier: file:t(1).tgz\n        version: file:t(1).tgz(p@1.0.0)\npackages:\n  t@file:t(1).tgz:\n    resolution: {tarball: 'file:t(1).tgz'}\n    version: 1.0.0\n  p@1.0.0:\n    resolution: {integrity: sha512-AA==}\nsnapshots:\n  t@file:t(1).tgz(p@1.0.0):\n    dependencies:\n      p: 1.0.0\n  p@1.0.0: {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if tgz := byName(t, p, "t"); tgz.Version != "1.0.0" || len(tgz.Edges) != 1 {
		t.Errorf("found %+v", tgz)
	}
}

// TestBunDetails: the address of another registry, and the patch of a package that
// is from none, are kept.
func TestBunDetails(t *testing.T) {
	p, err := npm.ParseLockfile("bun.lock", []byte(`{"lockfileVersion":1,"workspaces":{"":{"name":"r","dependencies":{"foo":"1","g":"github:o/g"}}},
		"packages":{"foo":["foo@1.0.0","https://registry.example/foo/-/foo-1.0.0.tgz",{},"sha512-AA=="],"g":["g@github:o/g#abc",{},"o-g-abc"]},
		"patchedDependencies":{"g@github:o/g#abc":"patches/g.patch"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if foo, g := byName(t, p, "foo"), byName(t, p, "g"); foo.Resolved != "https://registry.example/foo/-/foo-1.0.0.tgz" || g.Patch != "patches/g.patch" || foo.Patch != "" {
		t.Errorf("found %+v and %+v", foo, g)
	}
}
