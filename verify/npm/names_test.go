package npm_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// plainly is a package that says no more than its name and version.
func plainly(name, version string) string {
	return fmt.Sprintf("-- %s@%s/package/package.json --\n{\"name\": %[1]q, \"version\": %[2]q}\n", name, version)
}

// replaced is the lockfile of foo and other in which something else lies in foo's place.
func replaced(t *testing.T, s *scene, spec string, entry func(evil map[string]any) map[string]any) []byte {
	t.Helper()
	var evil map[string]any
	swap(t, s.lock("evil@1.0.0"), "node_modules/evil", func(e map[string]any) { evil = e })
	return packagesOf(t, s.lock("foo@1.0.0", "other@1.0.0"), func(p map[string]any) {
		p[""].(map[string]any)["dependencies"] = map[string]string{"foo": spec, "other": "1.0.0"}
		entry := entry(maps.Clone(evil))
		p["node_modules/foo"] = entry
		if to, ok := entry["resolved"].(string); ok && entry["link"] == true && p[to] == nil {
			p[to] = map[string]any{"name": "foo", "version": "1.0.0"}
		}
	})
}

// denied lists the codes for which something is denied.
func denied(report *npm.Report) []string {
	var list []string
	for _, r := range report.Packages {
		for _, f := range r.Findings {
			if f.Effect == verify.Deny && f.WaivedBy == "" {
				list = append(list, r.Package+" "+string(f.Code))
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TestInstalledInPlaceOf: what lies in the place of a package that is known is no new
// package, whatever name it gives itself, and the second run says so too.
func TestInstalledInPlaceOf(t *testing.T) {
	const packages = built
	named := func(entry map[string]any, more ...string) map[string]any {
		for i := 0; i < len(more); i += 2 {
			entry[more[i]] = more[i+1]
		}
		return entry
	}
	own := func(more ...string) func(map[string]any) map[string]any {
		return func(map[string]any) map[string]any { return named(map[string]any{"version": "1.0.0"}, more...) }
	}
	link := func(to string) func(map[string]any) map[string]any {
		return func(map[string]any) map[string]any { return map[string]any{"resolved": to, "link": true} }
	}
	const commit = "git+ssh://git@elsewhere.example/foo.git#0123456789012345678901234567890123456789"
	for name, c := range map[string]struct {
		spec    string
		entry   func(evil map[string]any) map[string]any
		pkg     string
		first   verify.Code // without expectations
		folders string      // that the project calls its workspaces
	}{
		"another package":               {"^1.0.0", func(e map[string]any) map[string]any { return named(e, "name", "evil") }, "evil@1.0.0", verify.CodeAliasUndeclared, ""},
		"another package, as asked for": {"npm:evil@1", func(e map[string]any) map[string]any { return named(e, "name", "evil") }, "evil@1.0.0", "", ""},
		"a commit":                      {"^1.0.0", own("name", "zzz", "resolved", commit), "zzz@1.0.0", verify.CodeResolvedElsewhere, ""},
		"a commit, as asked for":        {commit, own("name", "zzz", "resolved", commit), "zzz@1.0.0", "", ""},
		"an address":                    {"^1.0.0", own("name", "zzz", "resolved", "https://elsewhere.example/x.tgz", "integrity", otherIntegrity), "zzz@1.0.0", verify.CodeResolvedElsewhere, ""},
		"a file":                        {"^1.0.0", own("name", "zzz", "resolved", "file:x.tgz", "integrity", otherIntegrity), "zzz@1.0.0", verify.CodeResolvedElsewhere, ""},
		"a folder beside the project":   {"^1.0.0", link("../elsewhere"), "foo@1.0.0", verify.CodeResolvedElsewhere, ""},
		"a folder that is no workspace": {"^1.0.0", link("vendor/foo"), "foo@1.0.0", verify.CodeResolvedElsewhere, ""},
		"a link to another package":     {"^1.0.0", link("node_modules/other"), "other@1.0.0", verify.CodeAliasUndeclared, ""},
		"a workspace":                   {"^1.0.0", link("packages/foo"), "foo@1.0.0", "", "packages/*"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, packages+plainly("evil", "1.0.0")+plainly("other", "1.0.0"))
			lock := replaced(t, s, c.spec, c.entry)
			if c.folders != "" {
				lock = packagesOf(t, lock, func(p map[string]any) { p[""].(map[string]any)["workspaces"] = []string{c.folders} })
			}
			if report := s.check(lock); c.first != "" {
				s.denies(report, c.pkg, c.first)
			} else if list := denied(report); len(list) > 0 {
				t.Errorf("without expectations: %v", list)
			}
			s.record("foo@1.0.0", "other@1.0.0")
			before := s.inspector.Expectations.Lines["foo@1"]
			for range 2 {
				report := s.check(lock)
				s.denies(report, c.pkg, verify.CodeRegistryDiffers)
				s.inspector.Expectations = s.inspector.Expectations.Update(report)
				if after := s.inspector.Expectations.Lines["foo@1"]; toJSON(t, after) != toJSON(t, before) {
					t.Errorf("foo@1 is recorded as %s", toJSON(t, after))
				}
			}
			if _, recorded := s.inspector.Expectations.Lines["evil@1"]; recorded {
				t.Error("evil@1 is recorded")
			}
			for _, code := range []verify.Code{verify.CodeRegistryDiffers, verify.CodeAliasUndeclared, verify.CodeResolvedElsewhere} {
				s.inspector.Accept = append(s.inspector.Accept, npm.Accept{Package: c.pkg, Code: code}, npm.Accept{Package: "foo@1.0.0", Code: code})
			}
			report := s.check(lock)
			if list := denied(report); len(list) > 0 {
				t.Errorf("accepted, and denied for %v", list)
			}
			s.inspector.Expectations = s.inspector.Expectations.Update(report)
			if _, there := s.inspector.Expectations.Lines["foo@1"]; there {
				t.Error("foo@1 is still recorded, and nothing of it is used")
			}
			s.inspector.Accept = nil
			for _, pkg := range denied(s.check(lock)) {
				if !strings.HasSuffix(pkg, string(verify.CodeResolvedElsewhere)) { // of what is never recorded
					t.Errorf("recorded, and denied: %s", pkg)
				}
			}
		})
	}
}

// TestAliasRecorded: an alias of a name that is known too goes on where the expectations
// were recorded with it, and a folder beside a registry's package of its name.
func TestAliasRecorded(t *testing.T) {
	s := newScene(t, built+plainly("evil", "1.0.0")+plainly("evil", "1.1.0")+plainly("evil", "2.0.0")+plainly("other", "1.0.0"))
	both := func(version string) []byte {
		var evil map[string]any
		swap(t, s.lock("evil@"+version), "node_modules/evil", func(e map[string]any) { e["name"], evil = "evil", e })
		return packagesOf(t, s.lock("foo@1.0.0", "other@1.0.0"), func(p map[string]any) {
			p["packages/a"] = map[string]any{"name": "a", "version": "1.0.0", "dependencies": map[string]string{"foo": "npm:evil@*"}}
			p["packages/a/node_modules/foo"] = evil
			p[""].(map[string]any)["workspaces"] = []string{"packages/*"}
			p["node_modules/a"] = map[string]any{"resolved": "packages/a", "link": true}
			p["packages/other"] = map[string]any{"name": "other", "version": "2.0.0"}
			p["packages/a/node_modules/other"] = map[string]any{"resolved": "packages/other", "link": true}
		})
	}
	report := s.check(both("1.0.0"))
	if list := denied(report); len(list) > 0 {
		t.Fatalf("denied: %v", list)
	}
	if r := result(t, report, "evil@1.0.0"); !slices.Equal(r.Aliases, []string{"foo"}) {
		t.Errorf("found %v", r.Aliases)
	}
	s.inspector.Expectations = s.inspector.Expectations.Update(report)
	if as := s.inspector.Expectations.Lines["evil@1"].InstalledAs; !slices.Equal(as, []string{"foo"}) {
		t.Errorf("recorded as %v", as)
	}
	for _, version := range []string{"1.0.0", "1.1.0", "2.0.0"} {
		report := s.check(both(version))
		if list := denied(report); len(list) > 0 {
			t.Errorf("%s: denied: %v", version, list)
		}
		s.inspector.Expectations = s.inspector.Expectations.Update(report)
	}
	data, err := s.inspector.Expectations.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := npm.ParseExpectations(data); err != nil {
		t.Error(err)
	}
}

// TestAddressOfAnother: a tarball at a registry's address of another name or version is
// that one, whatever its entry says, and a registry's package comes from no other place.
func TestAddressOfAnother(t *testing.T) {
	for name, c := range map[string]struct {
		spec, resolved string
		found          []string
	}{
		"another version":                  {"1.0.0", "BASE/evil/-/evil-6.6.6.tgz", []string{"MALICIOUS", "RESOLVED_ELSEWHERE"}},
		"another version, as asked for":    {"BASE/evil/-/evil-6.6.6.tgz", "BASE/evil/-/evil-6.6.6.tgz", []string{"MALICIOUS", "RESOLVED_ELSEWHERE"}},
		"another name":                     {"1.0.0", "BASE/other/-/other-1.0.0.tgz", []string{"RESOLVED_ELSEWHERE"}},
		"another name, a scope's":          {"1.0.0", "BASE/@x/evil/-/evil-1.0.0.tgz", []string{"RESOLVED_ELSEWHERE"}},
		"elsewhere, in no form":            {"^1.0.0", "https://elsewhere.example/evil.tgz", []string{"RESOLVED_ELSEWHERE"}},
		"elsewhere, as asked for":          {"https://elsewhere.example/evil.tgz", "https://elsewhere.example/evil.tgz", nil},
		"on the registry, in another form": {"latest", "BASE/files/evil.tgz", []string{"RESOLVED_ELSEWHERE"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, built+plainly("evil", "1.0.0")+plainly("evil", "6.6.6"))
			s.inspector.Advisories = malicious{"evil@6.6.6"}
			lock := packagesOf(t, s.lock("foo@1.0.0", "evil@1.0.0"), func(p map[string]any) {
				p[""].(map[string]any)["dependencies"] = map[string]string{"foo": "1.0.0", "evil": strings.Replace(c.spec, "BASE", s.base, 1)}
				p["node_modules/evil"].(map[string]any)["resolved"] = strings.Replace(c.resolved, "BASE", s.base, 1)
			})
			var found []string
			for _, f := range denied(s.check(lock)) {
				found = append(found, strings.TrimPrefix(f, "evil@1.0.0 "))
			}
			if !slices.Equal(found, c.found) {
				t.Errorf("expected %v, found %v", c.found, found)
			}
		})
	}
}

// TestPrivateRegistry: a package of a private registry is asked for and recorded, whatever
// the form of its address, and one of the name from another registry denies.
func TestPrivateRegistry(t *testing.T) {
	const hex = "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0"
	answers := func(version, registry string) npm.Answers {
		pkg := npm.Package{Name: "@acme/lib", Version: version}
		return npm.Answers{Files: fstest.MapFS{npm.FileName(pkg): {Data: []byte(`{"schema":"` + npm.AnswersSchema + `","asked":{"name":"@acme/lib","version":"` + version + `","registry":"` + registry +
			`","scoped":true},"answers":{"attestations":{"status":404},"metadata":{"status":200,"body":{"time":"2025-01-01T00:00:00Z"}}}}`)}}}
	}
	for name, address := range map[string]string{
		"Artifactory":     "https://private.example/artifactory/api/npm/npm-local/@acme/lib/-/@acme/lib-1.0.0.tgz",
		"GitLab":          "https://private.example/api/v4/projects/1/packages/npm/@acme/lib/-/@acme/lib-1.0.0.tgz",
		"GitHub Packages": "https://private.example/download/@acme/lib/1.0.0/" + hex,
		"npm":             "https://private.example/@acme/lib/-/lib-1.0.0.tgz",
	} {
		t.Run(name, func(t *testing.T) {
			check := func(i *npm.Inspector, version, resolved string) *npm.Report {
				t.Helper()
				project, err := lockfile.ParseLockfile("package-lock.json", fmt.Appendf(nil, `{"lockfileVersion":3,"packages":{"":{"dependencies":{"@acme/lib":"^1.0.0"}},"node_modules/@acme/lib":{"version":%q,"resolved":%q,"integrity":%q}}}`, version, resolved, otherIntegrity))
				if err != nil {
					t.Fatal(err)
				}
				report, err := i.Project(t.Context(), project)
				if err != nil {
					t.Fatal(err)
				}
				return report
			}
			i := &npm.Inspector{Checker: crash{}, Now: sceneNow, Evidence: answers("1.0.0", "https://private.example/")}
			i.Expectations = i.Expectations.Update(check(i, "1.0.0", address))
			if line := i.Expectations.Lines["@acme/lib@1"]; line.Registry != "https://private.example" {
				t.Fatalf("recorded: %s", toJSON(t, i.Expectations))
			}
			i.Evidence = answers("1.9.9", "https://registry.example/")
			if list := denied(check(i, "1.9.9", "https://registry.example/@acme/lib/-/lib-1.9.9.tgz")); !slices.Contains(list, "@acme/lib@1.9.9 REGISTRY_DIFFERS") {
				t.Errorf("found %v", list)
			}
		})
	}
}

// TestUnpinned: only a whole commit id is a commit, and only where it stands for one.
func TestUnpinned(t *testing.T) {
	const id = "0123456789012345678901234567890123456789"
	npmLock := func(resolved string) (string, string) {
		return "package-lock.json", fmt.Sprintf(`{"lockfileVersion":3,"packages":{"":{"dependencies":{"x":%q}},"node_modules/x":{"version":"1.0.0","resolved":%[1]q}}}`, resolved)
	}
	berryLock := func(resolved string) (string, string) {
		return "yarn.lock", fmt.Sprintf("__metadata:\n  version: 8\n\"r@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"r@workspace:.\"\n  dependencies:\n    x: %q\n\"x@%[1]s\":\n  version: 1.0.0\n  resolution: \"x@%[1]s\"\n  checksum: 10c0/00\n", resolved)
	}
	for name, c := range map[string]struct {
		lock     func(string) (string, string)
		resolved string
		pinned   bool
	}{
		"a commit":                     {npmLock, "git+ssh://git@elsewhere.example/x.git#" + id, true},
		"a branch called like a key":   {npmLock, "git+ssh://git@elsewhere.example/x.git#x/commit=" + id, false},
		"a branch called yarn's key":   {npmLock, "git+ssh://git@elsewhere.example/x.git#commit=" + id, false},
		"a short id":                   {npmLock, "git+ssh://git@elsewhere.example/x.git#" + id[:7], false},
		"two fragments":                {npmLock, "git+ssh://git@elsewhere.example/x.git#" + id + "#" + id, false},
		"yarn, a commit":               {berryLock, "git@elsewhere.example:x.git#commit=" + id, true},
		"yarn, a commit and workspace": {berryLock, "https://elsewhere.example/x.git#commit=" + id + "&workspace=x", true},
		"yarn, another key":            {berryLock, "https://elsewhere.example/x.git#head=main&xcommit=" + id, false},
		"yarn, two commits":            {berryLock, "https://elsewhere.example/x.git#commit=" + id + "&commit=" + id, false},
		"yarn, a branch beside it":     {berryLock, "https://elsewhere.example/x.git#commit=main&x=" + id, false},
		"an archive of a commit":       {npmLock, "https://codeload.github.com/acme/x/tar.gz/" + id, true},
		"an archive of a branch":       {npmLock, "https://codeload.github.com/acme/x/tar.gz/main", false},
		"an archive of a tag":          {npmLock, "https://codeload.github.com/acme/x/tar.gz/refs/tags/" + id, false},
		"an archive, with a query":     {npmLock, "https://codeload.github.com/acme/x/tar.gz/" + id + "?x", false},
		"an archive, unencrypted":      {npmLock, "http://codeload.github.com/acme/x/tar.gz/" + id, false},
		"an archive of another host":   {npmLock, "https://codeload.github.com.elsewhere.example/acme/x/tar.gz/" + id, false},
		"an address that ends so":      {npmLock, "https://elsewhere.example/" + id, false},
		"a query that ends so":         {npmLock, "https://elsewhere.example/x.tgz?/" + id, false},
	} {
		t.Run(name, func(t *testing.T) {
			file, lock := c.lock(c.resolved)
			project, err := lockfile.ParseLockfile(file, []byte(lock))
			if err != nil {
				t.Fatal(err)
			}
			inspector := &npm.Inspector{Checker: crash{}, Evidence: npm.Answers{Files: fstest.MapFS{}}, Now: sceneNow}
			report, err := inspector.Project(t.Context(), project)
			if err != nil {
				t.Fatal(err)
			}
			if list := denied(report); len(list) == 0 != c.pinned || !c.pinned && list[0] != "x@1.0.0 SOURCE_UNPINNED" {
				t.Errorf("found %v", list)
			}
		})
	}
}

// TestMaliciousByPlace: an advisory is found by the name that a package is installed as.
func TestMaliciousByPlace(t *testing.T) {
	s := newScene(t, built+plainly("other", "1.0.0"))
	s.inspector.Advisories = malicious{"evil@1.0.0"}
	entry := `{"lockfileVersion":3,"packages":{"":{"dependencies":{"evil":"%s"}},"node_modules/evil":{"name":"other","version":"1.0.0","resolved":"%s","integrity":"` + otherIntegrity + `"}}}`
	for resolved, spec := range map[string]string{"https://elsewhere.example/x.tgz": "https://elsewhere.example/x.tgz", s.base + "/other/-/other-1.0.0.tgz": "^1.0.0", "": "^1.0.0", "git+https://elsewhere.example/x.git#0123456789012345678901234567890123456789": "acme/x"} {
		s.denies(s.check(fmt.Appendf(nil, entry, spec, resolved)), "other@1.0.0", verify.CodeMalicious)
	}
	// An alias that the project asks for is what it is.
	if list := codes(s.check(fmt.Appendf(nil, entry, "npm:other@1.0.0", s.base+"/other/-/other-1.0.0.tgz")), "other@1.0.0"); slices.Contains(list, "deny MALICIOUS") {
		t.Errorf("found %v", list)
	}
}

// TestManyNames would take minutes if each name were compared with each other.
func TestManyNames(t *testing.T) {
	const n = 200_000
	project := &lockfile.Project{Packages: make([]lockfile.Package, 1, n+1)}
	expectations := &npm.Expectations{Lines: map[string]npm.Expected{}}
	names := make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("a%07d", i)
		expectations.Lines[fmt.Sprintf("old%d@1", i)] = npm.Expected{Versions: map[string]string{}}
	}
	project.Packages = append(project.Packages,
		lockfile.Package{Name: "foo", Version: "1.0.0", Integrity: otherIntegrity, Source: lockfile.SourceRegistry, Place: "node_modules/foo", Names: names, Undeclared: names})
	for i := range n / 100 {
		project.Packages = append(project.Packages, lockfile.Package{Name: fmt.Sprintf("new%d", i), Version: "1.0.0", Integrity: otherIntegrity, Source: lockfile.SourceRegistry, Place: fmt.Sprintf("node_modules/new%d", i)})
	}
	inspector := &npm.Inspector{Checker: crash{}, Evidence: npm.Answers{Files: fstest.MapFS{}}, Now: sceneNow, Expectations: expectations, Advisories: malicious{"x@1.0.0"}}
	report, err := inspector.Project(context.Background(), project)
	if err != nil {
		t.Fatal(err)
	}
	if r := result(t, report, "foo@1.0.0"); len(r.Aliases) != n {
		t.Errorf("found %d aliases", len(r.Aliases))
	}
}
