package npm_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plimsoll.example/sbom/npm"
)

// checkLines: each package has a line, and its name or the end of its place is
// written there.
func checkLines(t *testing.T, format string, data []byte) {
	t.Helper()
	p, err := npm.ParseLockfile(format, data)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := npm.Lines(format, data)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Split(string(data), "\n")
	for i, pkg := range p.Packages {
		line := lines[pkg.Place]
		if line < 1 || line > len(text) {
			t.Errorf("%q: line %d of %d", pkg.Place, line, len(text))
			continue
		}
		last := pkg.Place[strings.LastIndex(pkg.Place, "/")+1:]
		if i > 0 && !strings.Contains(text[line-1], pkg.Name) && !strings.Contains(text[line-1], last) {
			t.Errorf("%q: line %d is %q", pkg.Place, line, text[line-1])
		}
	}
}

func TestLines(t *testing.T) {
	for name, test := range map[string]struct {
		format, data string
		want         map[string]int
	}{
		"npm 3": {"package-lock.json", "\ufeff{\"lockfileVersion\":3,\n\"packages\":{\n\"\":{\"name\":\"p\"},\n\"node_modules/a\":{\"version\":\"1.0.0\"},\r\n\n\"node_modules/b\":{\"version\":\"1.0.0\"}}}",
			map[string]int{"": 3, "node_modules/a": 4, "node_modules/b": 6}},
		"npm 2": {"npm-shrinkwrap.json", "{\"dependencies\":{\n\"a\":{\"version\":\"1.0.0\"}},\"lockfileVersion\":2,\n\"packages\":{\"\":{\"name\":\"p\"},\n\"node_modules/a\":{\"version\":\"1.0.0\"}}}",
			map[string]int{"": 3, "node_modules/a": 4}},
		"npm 1": {"package-lock.json", "{\"lockfileVersion\":1,\n\"name\":\"p\",\"dependencies\":{\n\"a\":{\"dependencies\":{\n\"b\":{\"version\":\"1.0.0\"}},\n\"version\":\"file:pkgs/a\"},\n\"c\":{\"version\":\"1.0.0\",\"dependencies\":{\n\"d\":{\"version\":\"1.0.0\"}}}}}",
			map[string]int{"": 2, "node_modules/a": 3, "pkgs/a": 3, "pkgs/a/node_modules/b": 4, "node_modules/c": 6, "node_modules/c/node_modules/d": 7}},
		"yarn 1": {"yarn.lock", "# yarn lockfile v1\n\n\n\"a@^1\", a@1.x:\n  version \"1.0.0\"\n  dependencies:\n    b \"1\"\nb@1:\r\n  version \"1.0.0\"\n",
			map[string]int{"": 1, "a@^1, a@1.x": 4, "b@1": 8}},
		"berry": {"yarn.lock", "__metadata:\n  version: 8\n\n\"a@npm:^1, a@npm:1.x\":\n  version: 1.0.0\n  resolution: \"a@npm:1.0.0\"\n\n\"p@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"p@workspace:.\"\n\n\"w@workspace:w\":\n  version: 0.0.0-use.local\n  resolution: \"w@workspace:w\"\n",
			map[string]int{"a@npm:^1, a@npm:1.x": 4, "": 8, "w": 12}},
		"pnpm 9": {"pnpm-lock.yaml", "---\nlockfileVersion: '9.0'\nsnapshots:\n  x@1.0.0: {}\n---\nlockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: '1'\n        version: 1.0.0\n      l:\n        specifier: link:../l\n        version: link:../l\npackages:\n  a@1.0.0:\n    resolution: {integrity: sha512-AA==}\nsnapshots:\n  a@1.0.0: {}\n",
			map[string]int{"": 8, "../l": 13, "a@1.0.0": 20}},
		"pnpm 6": {"pnpm-lock.yaml", "lockfileVersion: '6.0'\ndependencies:\n  a:\n    specifier: '1'\n    version: 1.0.0\npackages:\n\n  /a@1.0.0:\n    resolution: {integrity: sha512-AA==}\n",
			map[string]int{"": 1, "/a@1.0.0": 8}},
		"bun": {"bun.lock", "{\n\"lockfileVersion\": 1, /* a\n comment */\n\"workspaces\": {\n\"\": {\"name\": \"p\"},\n\"w\": {\"name\": \"w\"},\n},\n\"packages\": {\n\"w\": [\"w@workspace:w\"],\n\"w/a\": [\"a@1.0.0\", \"\", {}, \"sha512-AA==\"],\n\"a\": [\"a@2.0.0\", \"\", {}, \"sha512-AA==\"],\n}}",
			map[string]int{"": 5, "w": 6, "node_modules/w": 9, "w/node_modules/a": 10, "node_modules/a": 11}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := npm.Lines(test.format, []byte(test.data))
			if err != nil {
				t.Fatal(err)
			}
			for place, line := range test.want {
				if got[place] != line {
					t.Errorf("%q: line %d, expected %d", place, got[place], line)
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("got %v", got)
			}
			checkLines(t, test.format, []byte(test.data))
		})
	}
	if _, err := npm.Lines("Cargo.lock", nil); err == nil {
		t.Error("an unknown format: expected an error")
	}
}

// TestLinesOfRealLockfiles looks at those of the repository, and of the corpus
// where there is one.
func TestLinesOfRealLockfiles(t *testing.T) {
	seen := 0
	check := func(format, file string) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := npm.ParseLockfile(format, data); err != nil {
			return // a test of what is refused
		}
		seen++
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) { checkLines(t, format, data) })
	}
	for _, name := range []string{"shop-v2.json", "shop-v3.json", "big-v3.json"} {
		check("package-lock.json", filepath.Join("../../testdata/npm", name))
	}
	folders := []string{"../../testdata"}
	if cache, err := os.UserCacheDir(); err == nil {
		folders = append(folders, filepath.Join(cache, "plimsoll-ci", "corpus", "js"))
	}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil && file == folder:
				return fs.SkipDir
			case err != nil:
				return err
			case d.IsDir() && d.Name() == npm.NodeModules:
				return fs.SkipDir
			case !d.IsDir() && slices.Contains(npm.LockfileNames(), d.Name()):
				check(d.Name(), file)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 3 {
		t.Errorf("looked at %d lockfiles only", seen)
	}
}
