package npm_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// TestLines: versions of one package, of one line and of several.
func TestLines(t *testing.T) {
	const good = `{"provenance": true, "user": "ci", "maintainers": ["ann"], "trustedPublisher": true}`
	t.Run("two of one line, one bad", func(t *testing.T) {
		s := newScene(t, built+next("1.1.0", byMallory)+next("1.2.0", good))
		s.record("foo@1.0.0")
		report := s.check(lockTwo(t, s, "foo@1.2.0", "foo@1.1.0"))
		s.holds(report, "foo@1.2.0")
		s.denies(report, "foo@1.1.0", verify.CodeRepositoryChanged)
		x := s.inspector.Expectations.Update(report).Lines["foo@1"]
		if x.Versions["1.1.0"] != "" || x.Versions["1.2.0"] == "" || len(x.Except) > 0 || x.Repository != "https://github.com/acme/foo" {
			t.Errorf("found %s", toJSON(t, x))
		}
		var none *npm.Expectations
		if e := none.Update(s.check(lockTwo(t, s, "foo@1.2.0", "foo@1.1.0"))); len(e.Lines) > 0 {
			t.Errorf("recorded at first: %s", toJSON(t, e))
		}
	})
	t.Run("accepted for one, the other stays as it was", func(t *testing.T) {
		s := newScene(t, built+next("1.1.0", byMallory))
		s.record("foo@1.0.0")
		for _, code := range []verify.Code{verify.CodeRepositoryChanged, verify.CodeOwnerChanged, verify.CodeManifestRepositoryDiffers} {
			s.inspector.Accept = append(s.inspector.Accept, npm.Accept{Package: "foo@1.1.0", Code: code})
		}
		lock := lockTwo(t, s, "foo@1.1.0", "foo@1.0.0")
		s.inspector.Expectations = s.inspector.Expectations.Update(s.check(lock))
		if x := s.inspector.Expectations.Lines["foo@1"]; x.Repository != "https://github.com/mallory/foo" || !slices.Equal(x.Except, []string{"1.0.0"}) {
			t.Errorf("found %s", toJSON(t, x))
		}
		report := s.check(lock)
		if list := strings.Join(codes(report, "foo@1.0.0"), " "); strings.Contains(list, "CHANGED") {
			t.Errorf("what was held before: %s", list)
		}
	})
	for version, line := range map[string]string{"2.0.0": "foo@2", "2.0.0-beta.1": "foo@2", "0.9.0": "foo@0", "10.0.0": "foo@10"} {
		t.Run(version, func(t *testing.T) {
			s := newScene(t, built+next(version, byMallory))
			s.record("foo@1.0.0")
			report := s.check(s.lock("foo@" + version))
			r := result(t, report, "foo@"+version)
			i := slices.IndexFunc(r.Findings, func(f npm.Finding) bool { return f.Code == verify.CodeNewPackage })
			if i < 0 || !strings.Contains(r.Findings[i].Found, "of which only foo@1 is known, and built otherwise: from https://github.com/acme/foo, this one from https://github.com/mallory/foo") {
				t.Errorf("found %+v", r.Findings)
			}
			s = newScene(t, built+next(version, strings.Replace(good, `true, "user"`, `{"repository": "https://github.com/acme/foo"}, "user"`, 1)))
			s.record("foo@1.0.0")
			report = s.check(s.lock("foo@" + version))
			if r := result(t, report, "foo@"+version); r.Reason == nil || r.Reason.Code != verify.CodeNewPackage || strings.Contains(r.Reason.Found, "otherwise") {
				t.Errorf("found %+v", r.Findings)
			}
			if e := s.inspector.Expectations.Update(report); len(e.Lines) != 1 || !e.Lines[line].Provenance {
				t.Errorf("found %s", toJSON(t, e))
			}
		})
	}
	t.Run("an alias is its package", func(t *testing.T) {
		s := newScene(t, built)
		s.inspector.Advisories = malicious{"foo@1.0.0"}
		lock := swap(t, s.lock("foo@1.0.0"), "node_modules/foo", func(e map[string]any) { e["name"] = "foo" })
		lock = []byte(strings.Replace(string(lock), `"node_modules/foo"`, `"node_modules/react"`, 1))
		report := s.check(lock)
		s.denies(report, "foo@1.0.0", verify.CodeMalicious)
	})
}

// lockTwo has two versions of one package.
func lockTwo(t *testing.T, s *scene, top, below string) []byte {
	t.Helper()
	var entry any
	swap(t, s.lock(below), "node_modules/foo", func(e map[string]any) { entry = e })
	return packagesOf(t, s.lock(top), func(packages map[string]any) { packages["node_modules/x/node_modules/foo"] = entry })
}

// TestEarlier: which earlier versions are asked, where nothing is recorded.
func TestEarlier(t *testing.T) {
	const lost = `{"user": "mallory"}`
	version := func(version, time, more string) string {
		return next(version, `{"time": "`+time+`", "maintainers": ["ann"]`+more+`}`)
	}
	const provenance = `, "provenance": true`
	for name, c := range map[string]struct {
		packages string
		lost     bool
	}{
		"the one before":                              {version("1.0.0", "2026-01-01T00:00:00Z", provenance), true},
		"the one before, not announced":               {version("1.0.0", "2026-01-01T00:00:00Z", provenance+`, "announce": false`), true},
		"a prerelease":                                {version("1.1.0-rc.1", "2026-01-01T00:00:00Z", provenance), true},
		"another major":                               {version("0.9.0", "2026-01-01T00:00:00Z", provenance), true},
		"behind one without":                          {version("1.0.0", "2026-01-01T00:00:00Z", provenance) + version("1.0.1", "2026-01-02T00:00:00Z", ""), true},
		"behind four without":                         {version("1.0.0", "2026-01-01T00:00:00Z", provenance) + version("1.0.1", "2026-01-02T00:00:00Z", "") + version("1.0.2", "2026-01-03T00:00:00Z", "") + version("1.0.3", "2026-01-04T00:00:00Z", "") + version("1.0.4", "2026-01-05T00:00:00Z", ""), true},
		"behind three that are only announced":        {version("1.0.0", "2026-01-01T00:00:00Z", provenance) + version("1.0.1", "2026-01-02T00:00:00Z", `, "announce": true`) + version("1.0.2", "2026-01-03T00:00:00Z", `, "announce": true`), true},
		"deprecated":                                  {version("1.0.0", "2026-01-01T00:00:00Z", provenance+`, "metadata": {"deprecated": "do not use"}`), true},
		"a higher one, published before":              {version("2.0.0", "2026-01-01T00:00:00Z", provenance), true},
		"a higher one of the line, and one since":     {version("1.2.0", "2026-01-01T00:00:00Z", provenance) + version("1.0.9", "2026-01-02T00:00:00Z", ""), true},
		"a higher one of another line, and one since": {version("2.0.0", "2026-01-01T00:00:00Z", provenance) + version("1.0.9", "2026-01-02T00:00:00Z", ""), false},
		"a later one":                                 {version("1.2.0", "2026-04-01T00:00:00Z", provenance), false},
		"none":                                        {version("1.0.0", "2026-01-01T00:00:00Z", ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.packages+next("1.1.0", lost))
			if got := slices.Contains(codes(s.check(s.lock("foo@1.1.0")), "foo@1.1.0"), "deny PROVENANCE_LOST"); got != c.lost {
				t.Errorf("found %v: %v", got, codes(s.check(s.lock("foo@1.1.0")), "foo@1.1.0"))
			}
		})
	}
}

// TestAge: what a registry says of the time.
func TestAge(t *testing.T) {
	at := func(when string) string { return next("1.0.0", `{"time": "`+when+`"}`) }
	for name, c := range map[string]struct {
		packages string
		least    time.Duration
		want     string
	}{
		"old":                     {at("2026-01-01T00:00:00Z"), 72 * time.Hour, ""},
		"three days, to a second": {at("2026-11-20T00:00:00Z"), 72 * time.Hour, ""},
		"a second less":           {at("2026-11-20T00:00:01Z"), 72 * time.Hour, "deny TOO_YOUNG"},
		"of the future":           {at("2030-01-01T00:00:00Z"), 72 * time.Hour, "deny TOO_YOUNG"},
		"any age":                 {at("2026-11-22T23:59:59Z"), 0, ""},
		"the log says younger":    {next("1.0.0", `{"time": "2026-11-22T00:00:00Z", "provenance": true}`), 72 * time.Hour, "deny TOO_YOUNG"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.packages)
			s.inspector.MinAge = c.least
			list := slices.DeleteFunc(codes(s.check(s.lock("foo@1.0.0")), "foo@1.0.0"), func(code string) bool { return code == "warn NO_ATTESTATIONS" })
			if got := strings.Join(list, " "); got != c.want {
				t.Errorf("found %q", got)
			}
		})
	}
}

// TestDormant: the first release after a long sleep.
func TestDormant(t *testing.T) {
	version := func(version, time, user string) string {
		return next(version, `{"time": "`+time+`", "user": "`+user+`"}`)
	}
	for name, c := range map[string]struct {
		packages string
		effect   string // of DORMANT_TAKEOVER
	}{
		"another publisher":                   {version("1.0.0", "2024-01-01T00:00:00Z", "ann") + version("1.1.0", "2026-01-01T00:00:00Z", "bob"), "deny"},
		"the same":                            {version("1.0.0", "2024-01-01T00:00:00Z", "ann") + version("1.1.0", "2026-01-01T00:00:00Z", "ann"), ""},
		"another publisher, twice":            {version("1.0.0", "2024-01-01T00:00:00Z", "ann") + version("1.0.1", "2026-01-01T00:00:00Z", "bob") + version("1.1.0", "2026-01-30T00:00:00Z", "bob"), "deny"},
		"another publisher, three times":      {version("1.0.0", "2024-01-01T00:00:00Z", "ann") + version("2.0.1", "2026-01-01T00:00:00Z", "bob") + version("0.9.1", "2026-01-01T00:00:01Z", "bob") + version("1.1.0", "2026-01-01T00:00:02Z", "bob"), "deny"},
		"another publisher, long ago":         {version("1.0.0", "2024-01-01T00:00:00Z", "ann") + version("1.0.1", "2026-01-01T00:00:00Z", "bob") + version("1.1.0", "2026-02-01T00:00:00Z", "bob"), ""},
		"nearly a year, and a month":          {version("1.0.0", "2024-01-01T00:00:00Z", "ann") + version("1.0.1", "2024-12-15T00:00:00Z", "bob") + version("1.1.0", "2025-01-10T00:00:00Z", "bob"), ""},
		"only one publisher":                  {version("1.0.0", "2026-01-01T00:00:00Z", "bob") + version("1.0.1", "2026-01-01T00:00:01Z", "bob") + version("1.1.0", "2026-01-01T00:00:02Z", "bob"), ""},
		"no sleep":                            {version("1.0.0", "2025-06-01T00:00:00Z", "ann") + version("1.1.0", "2026-01-01T00:00:00Z", "bob"), ""},
		"nobody is named any more":            {version("1.0.0", "2024-01-01T00:00:00Z", "ann") + version("1.1.0", "2026-01-01T00:00:00Z", ""), "deny"},
		"nobody is named":                     {version("1.0.0", "2024-01-01T00:00:00Z", "") + version("1.1.0", "2026-01-01T00:00:00Z", ""), "not made"},
		"other capitals":                      {version("1.0.0", "2024-01-01T00:00:00Z", "ann") + version("1.1.0", "2026-01-01T00:00:00Z", "Ann"), "deny"},
		"another line in between":             {version("1.0.0", "2024-01-01T00:00:00Z", "ann") + version("2.0.0", "2025-12-01T00:00:00Z", "bob") + version("1.1.0", "2026-01-01T00:00:00Z", "bob"), ""},
		"all of one moment":                   {version("1.0.0", "2026-01-01T00:00:00Z", "ann") + version("1.1.0", "2026-01-01T00:00:00Z", "bob"), ""},
		"ten years ago":                       {version("1.0.0", "2014-01-01T00:00:00Z", "ann") + version("1.1.0", "2016-01-01T00:00:00Z", "bob"), "warn"},
		"ten years ago, and a month later":    {version("1.0.0", "2014-01-01T00:00:00Z", "ann") + version("1.0.1", "2016-01-01T00:00:00Z", "bob") + version("1.1.0", "2016-01-30T00:00:00Z", "bob"), "warn"},
		"a year ago":                          {version("1.0.0", "2014-01-01T00:00:00Z", "ann") + version("1.1.0", "2025-11-23T00:00:00Z", "bob"), "warn"},
		"a second less":                       {version("1.0.0", "2014-01-01T00:00:00Z", "ann") + version("1.1.0", "2025-11-23T00:00:01Z", "bob"), "deny"},
		"the higher one was published before": {version("9.0.0", "2024-01-01T00:00:00Z", "ann") + version("1.1.0", "2026-01-01T00:00:00Z", "bob"), "deny"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.packages)
			effect := ""
			for _, f := range result(t, s.check(s.lock("foo@1.1.0")), "foo@1.1.0").Findings {
				if f.Code == verify.CodeDormantTakeover {
					effect = f.Effect.String()
				}
			}
			if effect != c.effect {
				t.Errorf("found %q, expected %q", effect, c.effect)
			}
		})
	}
}

// TestDormantLogged: that a release is old enough is not believed where the log says that
// it is younger.
func TestDormantLogged(t *testing.T) {
	s := newScene(t, next("1.0.0", `{"time": "2014-01-01T00:00:00Z", "user": "ann"}`)+next("1.1.0", `{"time": "2026-01-01T00:00:00Z", "user": "bob", "provenance": true}`))
	s.registry.Misbehave("/foo", packument(t, func(doc map[string]any) { at(doc, "time").(map[string]any)["1.1.0"] = "2016-01-01T00:00:00Z" }))
	s.denies(s.check(s.lock("foo@1.1.0")), "foo@1.1.0", verify.CodeDormantTakeover)
}

// TestOwnNames: package.json, which registries repeat, may have any names.
func TestOwnNames(t *testing.T) {
	s := newScene(t, next("1.0.0", `{"provenance": true, "metadata": {"time": "noon", "since": 1999, "earlier": "yes", "announced": [], "integrity": {}}}`))
	s.holds(s.check(s.lock("foo@1.0.0")), "foo@1.0.0")
}

// TestPatched: a package that the package manager changes is not said to be as it was
// published without a word.
func TestPatched(t *testing.T) {
	s := newScene(t, built)
	project, err := lockfile.ParseLockfile("package-lock.json", s.lock("foo@1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range project.Packages {
		project.Packages[i].Patch = "patches/foo.patch"
	}
	s.connect()
	report, err := s.inspector.Project(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(report.Packages[0].Findings, func(f npm.Finding) bool {
		return f.Code == verify.CodeNotFromRegistry && f.Effect == verify.NotMade && strings.Contains(f.Found, "patches/foo.patch")
	}) {
		t.Errorf("found %+v", report.Packages[0].Findings)
	}
}

// TestOtherPlatform: yarn patches a package for another platform only there, and has no
// checksum of it here. What it is a patch of has one.
func TestOtherPlatform(t *testing.T) {
	s := newScene(t, strings.ReplaceAll(built, "foo@1.0.0", "fsevents@2.3.3"))
	const lock = `__metadata:
  version: 8

"fsevents@npm:^2.3.3":
  version: 2.3.3
  resolution: "fsevents@npm:2.3.3"
  checksum: 10c0/00
  conditions: os=darwin
  linkType: hard

"fsevents@patch:fsevents@npm%3A^2.3.3#optional!builtin<compat/fsevents>":
  version: 2.3.3
  resolution: "fsevents@patch:fsevents@npm%3A2.3.3#optional!builtin<compat/fsevents>::version=2.3.3&hash=df0bf1"
  conditions: os=darwin
  linkType: hard

"x@workspace:.":
  version: 0.0.0-use.local
  resolution: "x@workspace:."
  dependencies:
    fsevents: "npm:^2.3.3"
  linkType: soft
`
	project, err := lockfile.ParseLockfile("yarn.lock", []byte(lock))
	if err != nil {
		t.Fatal(err)
	}
	s.connect()
	s.inspector.Tarballs = nil
	report, err := s.inspector.Project(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	if list := codes(report, "fsevents@2.3.3"); !slices.Contains(list, "deny NO_LOCKFILE_DIGEST") || slices.Contains(list, "deny INTEGRITY_MISSING") {
		t.Errorf("found %v", list)
	}
	s.connect()
	if report, err = s.inspector.Project(t.Context(), project); err != nil {
		t.Fatal(err)
	}
	if list := codes(report, "fsevents@2.3.3"); strings.Contains(strings.Join(list, " "), "INTEGRITY_MISSING") || strings.Contains(strings.Join(list, " "), "NO_LOCKFILE_DIGEST") {
		t.Errorf("with the tarball at hand: found %v", list)
	}
	without, err := lockfile.ParseLockfile("yarn.lock", []byte(strings.Replace(lock, "  checksum: 10c0/00\n", "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if report, err = s.inspector.Project(t.Context(), without); err != nil {
		t.Fatal(err)
	}
	s.denies(report, "fsevents@2.3.3", verify.CodeIntegrityMissing)
}
