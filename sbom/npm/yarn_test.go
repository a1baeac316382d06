package npm_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"plimsoll.example/sbom/npm"
)

// readFiles reads a project of a few files.
func readFiles(t *testing.T, lockfile string, files map[string]string) *npm.Project {
	t.Helper()
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	p, err := npm.Read(t.Context(), all, lockfile, npm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// byName finds the only package of that name.
func byName(t *testing.T, p *npm.Project, name string) npm.Package {
	t.Helper()
	var found []npm.Package
	for _, pkg := range p.Packages {
		if pkg.Name == name && !pkg.IsLink {
			found = append(found, pkg)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d packages are called %s", len(found), name)
	}
	return found[0]
}

// TestYarnAliasWithoutRange: what an alias leads to has its own name, though no range
// is said.
func TestYarnAliasWithoutRange(t *testing.T) {
	p, err := npm.ParseLockfile("yarn.lock", []byte("# yarn lockfile v1\n\"foo@npm:bar\":\n  version \"1.0.0\"\n\"baz@npm:@s/qux\":\n  version \"1.0.0\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	byName(t, p, "bar")
	byName(t, p, "@s/qux")
}

// TestYarnOfflineMirror: an entry that leaves out the registry's address is a registry's
// package, if that is what is required.
func TestYarnOfflineMirror(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, fields string
		source          npm.Source
	}{
		"a file of the mirror":      {"foo@^1.0.0", "resolved foo-1.0.0.tgz#0000000000000000000000000000000000000000\n  integrity sha512-x", npm.SourceRegistry},
		"of it, by its SHA-1":       {"foo@^1.0.0", "resolved foo-1.0.0.tgz#0000000000000000000000000000000000000000", npm.SourceRegistry},
		"a digest alone":            {"foo@latest", "integrity sha512-x", npm.SourceRegistry},
		"an alias":                  {"bar@npm:foo@1", "integrity sha512-x", npm.SourceRegistry},
		"no digest":                 {"foo@^1.0.0", "resolved foo-1.0.0.tgz", npm.SourceUnknown},
		"nothing":                   {"foo@^1.0.0", "dependencies:", npm.SourceUnknown},
		"a folder":                  {"foo@file:./foo", "integrity sha512-x", npm.SourceFile},
		"of a commit":               {"foo@acme/foo", "resolved foo-1.0.0.tgz#0000000000000000000000000000000000000000", npm.SourceUnknown},
		"a path":                    {"foo@^1.0.0", "resolved ../foo-1.0.0.tgz\n  integrity sha512-x", npm.SourceUnknown},
		"a file that is no tarball": {"foo@^1.0.0", "resolved foo\n  integrity sha512-x", npm.SourceUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := npm.ParseLockfile("yarn.lock", []byte("# yarn lockfile v1\n\""+c.pattern+"\":\n  version \"1.0.0\"\n  "+c.fields+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			pkg := byName(t, p, "foo")
			if pkg.Source != c.source || c.source == npm.SourceRegistry && pkg.Resolved != "" {
				t.Errorf("found %v, %q", pkg.Source, pkg.Resolved)
			}
		})
	}
}

// TestBerryEmptyRange: a dependency with an empty range is no dependency for
// development.
func TestBerryEmptyRange(t *testing.T) {
	p := readFiles(t, "yarn.lock", map[string]string{
		"package.json": `{"name":"r","dependencies":{"a":""},"devDependencies":{"b":""}}`,
		"yarn.lock": `__metadata:
  version: 8
"r@workspace:.":
  resolution: "r@workspace:."
  dependencies:
    a: "npm:"
    b: "npm:"
"a@npm:":
  version: 1.0.0
  resolution: "a@npm:1.0.0"
"b@npm:":
  version: 1.0.0
  resolution: "b@npm:1.0.0"
`})
	if byName(t, p, "a").Dev || !byName(t, p, "b").Dev {
		t.Errorf("a and b: for development: %v, %v", byName(t, p, "a").Dev, byName(t, p, "b").Dev)
	}
}

// TestBerryPeersOfLongChain: a peer reaches the last of many packages that hand it
// on, in whichever order they stand.
func TestBerryPeersOfLongChain(t *testing.T) {
	const n = 3000
	var lock strings.Builder
	fmt.Fprintf(&lock, "__metadata:\n  version: 8\n\"r@workspace:.\":\n  resolution: \"r@workspace:.\"\n  dependencies:\n    p%05d: \"npm:1\"\n    react: \"npm:1\"\n", n)
	lock.WriteString("\"react@npm:1\":\n  version: 1.0.0\n  resolution: \"react@npm:1.0.0\"\n")
	for i := n; i > 0; i-- {
		fmt.Fprintf(&lock, "\"p%05d@npm:1\":\n  version: 1.0.0\n  resolution: \"p%05d@npm:1.0.0\"\n  peerDependencies:\n    react: \"*\"\n", i, i)
		if i > 1 {
			fmt.Fprintf(&lock, "  dependencies:\n    p%05d: \"npm:1\"\n", i-1)
		}
	}
	p, err := npm.ParseLockfile("yarn.lock", []byte(lock.String()))
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= n; i++ {
		pkg := byName(t, p, fmt.Sprintf("p%05d", i))
		if last := len(pkg.Edges) - 1; last < 0 || pkg.Edges[last].Name != "react" || pkg.Edges[last].Kind != npm.EdgePeer {
			t.Fatalf("%s requires %v", pkg.Name, pkg.Edges)
		}
	}
}
