package npm_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"plimsoll.example/sbom/npm"
)

// oracle finds edges in another way than the product: it writes out every folder
// that node would look into and takes the first that is there.
type oracle struct {
	Packages map[string]struct {
		Version, Resolved, Integrity                                          string
		Dev, Link                                                             bool
		Dependencies, DevDependencies, OptionalDependencies, PeerDependencies map[string]string
		Workspaces                                                            []string
	}
}

func (o oracle) find(place, name string) (string, bool) {
	segments := strings.Split(place, "/")
	if place == "" {
		segments = nil
	}
	for n := len(segments); n >= 0; n-- {
		if n > 0 && segments[n-1] == "node_modules" {
			continue
		}
		folder := strings.Join(append(slices.Clone(segments[:n]), "node_modules", name), "/")
		if p, ok := o.Packages[folder]; ok {
			if p.Link {
				return p.Resolved, true
			}
			return folder, true
		}
	}
	return "", false
}

func (o oracle) edges() map[string]bool {
	edges := map[string]bool{}
	for place, p := range o.Packages {
		if p.Link {
			continue
		}
		all := []map[string]string{p.Dependencies, p.OptionalDependencies, p.PeerDependencies}
		if !strings.Contains(place, "node_modules") {
			all = append(all, p.DevDependencies)
		}
		for _, deps := range all {
			for name := range deps {
				if to, ok := o.find(place, name); ok {
					edges[place+" -> "+to] = true
				}
			}
		}
	}
	for _, p := range o.Packages {
		if p.Link {
			edges[" -> "+p.Resolved] = true
		}
	}
	return edges
}

// TestEdgesAgainstOracle: on real lockfiles, zero missing, zero extra.
func TestEdgesAgainstOracle(t *testing.T) {
	for _, file := range []string{"shop-v3.json", "shop-v2.json", "big-v3.json"} {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile("../../testdata/npm/" + file)
			if err != nil {
				t.Fatal(err)
			}
			var o oracle
			if err := json.Unmarshal(data, &o); err != nil {
				t.Fatal(err)
			}
			p, err := npm.ParseLockfile("package-lock.json", data)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Packages) != len(o.Packages) {
				t.Errorf("expected %d places, found %d", len(o.Packages), len(p.Packages))
			}
			want, found := o.edges(), map[string]bool{}
			for _, pkg := range p.Packages {
				for _, e := range pkg.Edges {
					found[pkg.Place+" -> "+p.Packages[e.To].Place] = true
				}
				if got := o.Packages[pkg.Place]; pkg.Integrity != got.Integrity || pkg.Dev != got.Dev {
					t.Errorf("%s: found %+v", pkg.Place, pkg)
				}
			}
			for e := range want {
				if !found[e] {
					t.Errorf("missing edge %s", e)
				}
			}
			for e := range found {
				if !want[e] {
					t.Errorf("extra edge %s", e)
				}
			}
			if len(want) < 300 {
				t.Errorf("expected a real project, found %d edges", len(want))
			}
		})
	}
}

// TestNearestWins: a nested version is found before the one above it, a folder
// called my_node_modules is no node_modules, and a workspace sees its own first.
func TestNearestWins(t *testing.T) {
	p, err := npm.ParseLockfile("package-lock.json", []byte(`{"name":"r","lockfileVersion":3,"packages":{
		"": {"dependencies":{"a":"1","b":"1"},"workspaces":{"packages":["./my_*/"]}},
		"node_modules/a": {"version":"1.0.0","dependencies":{"b":"2"}},
		"node_modules/a/node_modules/b": {"version":"2.0.0","dependencies":{"c":"1"}},
		"node_modules/b": {"version":"1.0.0"},
		"node_modules/c": {"version":"1.0.0"},
		"my_node_modules": {"name":"mine","version":"0.1.0","dependencies":{"b":"3"}},
		"my_node_modules/node_modules/b": {"version":"3.0.0"},
		"node_modules/mine": {"resolved":"my_node_modules","link":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	edges := map[string]string{}
	for _, pkg := range p.Packages {
		for _, e := range pkg.Edges {
			edges[pkg.Place+" "+e.Name] = p.Packages[e.To].Place
		}
	}
	for edge, want := range map[string]string{
		" a": "node_modules/a", " b": "node_modules/b", " mine": "my_node_modules",
		"node_modules/a b":                "node_modules/a/node_modules/b",
		"node_modules/a/node_modules/b c": "node_modules/c",
		"my_node_modules b":               "my_node_modules/node_modules/b",
	} {
		if edges[edge] != want {
			t.Errorf("%q: expected %s, found %s", edge, want, edges[edge])
		}
	}
}

// TestFolders: folders outside the project do not see its packages, a scope's
// folder keeps its scope, only what the project lists is a workspace, and a
// project may require itself.
func TestFolders(t *testing.T) {
	p, err := npm.ParseLockfile("package-lock.json", []byte(`{"name":"r","version":"1.0.0","lockfileVersion":3,"packages":{
		"": {"name":"r","dependencies":{"r":"file:.","out":"file:../out"},"workspaces":["packages/**"]},
		"node_modules/ms": {"version":"1.0.0"},
		"node_modules/r": {"resolved":"","link":true},
		"node_modules/out": {"resolved":"../out","link":true},
		"../out": {"version":"0.1.0","dependencies":{"ms":"2.1.3"}},
		"packages/@acme/core": {"version":"1.0.0","dependencies":{"lib":"file:../../../lib"}},
		"node_modules/@acme/core": {"resolved":"packages/@acme/core","link":true},
		"node_modules/lib": {"resolved":"lib","link":true},
		"lib": {"version":"1.0.0"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	edges := map[string]bool{}
	for _, pkg := range p.Packages {
		for _, e := range pkg.Edges {
			edges[pkg.Place+" -> "+p.Packages[e.To].Place] = true
		}
		if pkg.Place == "packages/@acme/core" && pkg.Name != "@acme/core" {
			t.Errorf("found name %s", pkg.Name)
		}
	}
	for edge, want := range map[string]bool{
		" -> ": true, " -> ../out": true, " -> packages/@acme/core": true, "packages/@acme/core -> lib": true,
		"../out -> node_modules/ms": false, " -> lib": false,
	} {
		if edges[edge] != want {
			t.Errorf("edge %q: expected %v, found %v", edge, want, edges[edge])
		}
	}
	if len(p.Missing) != 1 || p.Missing[0].Name != "ms" {
		t.Errorf("missing: %+v", p.Missing)
	}
	if _, err := npm.ParseLockfile("package-lock.json", []byte(`{"lockfileVersion":3,"packages":{"":{"link":true,"resolved":"node_modules/a"},"node_modules/a":{"version":"1.0.0"}}}`)); err == nil {
		t.Error("a project that is a link: accepted")
	}
}

func TestSources(t *testing.T) {
	p, err := npm.ParseLockfile("package-lock.json", []byte(`{"name":"r","lockfileVersion":3,"packages":{
		"": {"dependencies":{"tar":"https://example.com/tar.tgz","reg":"1","git":"github:a/b","file":"file:x.tgz","bare":"1","alias":"npm:real@1"}},
		"node_modules/tar": {"version":"1.0.0","resolved":"https://example.com/tar.tgz","integrity":"sha512-AA=="},
		"node_modules/reg": {"version":"1.0.0","resolved":"https://registry.example/reg/-/reg-1.0.0.tgz","integrity":"sha512-AA=="},
		"node_modules/git": {"version":"1.0.0","resolved":"git+ssh://git@github.com/a/b.git#0123456789012345678901234567890123456789"},
		"node_modules/file": {"version":"1.0.0","resolved":"file:x.tgz","integrity":"sha512-AA=="},
		"node_modules/bare": {"version":"1.0.0","integrity":"sha512-AA=="},
		"node_modules/@s/enc": {"version":"1.0.0","resolved":"https://registry.example/%40s%2fenc/-/enc-1.0.0.tgz","integrity":"sha512-AA=="},
		"node_modules/override": {"version":"1.0.0","resolved":"https://example.com/fork.tgz","integrity":"sha512-AA=="},
		"node_modules/alias": {"name":"real","version":"1.0.0","integrity":"sha512-AA=="},
		"node_modules/odd": {"version":"1.0.0","resolved":"ftp://x"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range p.Packages {
		want := map[string]npm.Source{
			"": npm.SourceWorkspace, "node_modules/tar": npm.SourceTarball, "node_modules/reg": npm.SourceRegistry,
			"node_modules/override": npm.SourceTarball, "node_modules/@s/enc": npm.SourceRegistry,
			"node_modules/git": npm.SourceGit, "node_modules/file": npm.SourceFile, "node_modules/bare": npm.SourceRegistry,
			"node_modules/alias": npm.SourceRegistry, "node_modules/odd": npm.SourceUnknown,
		}[pkg.Place]
		if pkg.Source != want {
			t.Errorf("%s: expected %s, found %s", pkg.Place, want, pkg.Source)
		}
		if pkg.Place == "node_modules/alias" && pkg.Name != "real" {
			t.Errorf("an alias: found name %s", pkg.Name)
		}
	}
}
