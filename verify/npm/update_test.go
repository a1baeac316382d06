package npm_test

import (
	"slices"
	"strings"
	"testing"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

const (
	byMallory = `{"provenance": {"repository": "https://github.com/mallory/foo"}, "trustedPublisher": true}`
	byNobody  = `{"user": "ci", "trustedPublisher": true, "maintainers": ["ann"]}`
)

// TestUpdateForgetsNothing: of a name that is denied, what was recorded stays, so that
// the second run denies too.
func TestUpdateForgetsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		packages string
		lock     string
		change   func(entry map[string]any)
		code     verify.Code
	}{
		"from a commit": {built, "foo@1.0.0", func(e map[string]any) {
			e["resolved"] = "git+ssh://git@github.com/mallory/foo.git#" + strings.Repeat("0", 40)
			delete(e, "integrity")
		}, verify.CodeRegistryDiffers},
		"from an address":        {built, "foo@1.0.0", func(e map[string]any) { e["resolved"] = "https://elsewhere.example/foo.tgz" }, verify.CodeRegistryDiffers},
		"another line, stripped": {strings.Replace(built, `"provenance": true`, `"announce": false`, 1) + next("2.0.0", byNobody), "foo@2.0.0", nil, verify.CodeProvenanceLost},
	} {
		t.Run(name, func(t *testing.T) {
			before := newScene(t, built)
			before.record("foo@1.0.0")
			s := newScene(t, c.packages)
			s.inspector.Expectations = before.inspector.Expectations
			line := s.inspector.Expectations.Lines["foo@1"]
			line.Registry = s.base
			s.inspector.Expectations.Lines["foo@1"] = line
			lock := s.lock(c.lock)
			if c.change != nil {
				lock = swap(t, lock, "node_modules/foo", c.change)
			}
			report := s.check(lock)
			s.denies(report, c.lock, c.code)
			s.inspector.Expectations = s.inspector.Expectations.Update(report)
			if !s.inspector.Expectations.Lines["foo@1"].Provenance {
				t.Errorf("forgotten: %s", toJSON(t, s.inspector.Expectations))
			}
			s.denies(s.check(lock), c.lock, c.code)
		})
	}
	t.Run("not used any more", func(t *testing.T) {
		s := newScene(t, built+"-- bar@1.0.0/package/package.json --\n{\"name\": \"bar\", \"version\": \"1.0.0\"}\n")
		s.record("foo@1.0.0", "bar@1.0.0")
		s.record("bar@1.0.0")
		if lines := s.inspector.Expectations.Lines; len(lines) != 1 {
			t.Errorf("found %v", lines)
		}
	})
}

// TestAccept: an entry changes only where a person accepted what was found, of that
// package and nothing else.
func TestAccept(t *testing.T) {
	accept := func(s *scene, codes ...verify.Code) {
		for _, code := range codes {
			s.inspector.Accept = append(s.inspector.Accept, npm.Accept{Package: "foo@1.1.0", Code: code})
		}
	}
	update := func(s *scene) npm.Expected {
		return s.inspector.Expectations.Update(s.check(s.lock("foo@1.1.0"))).Lines["foo@1"]
	}
	t.Run("what was not found", func(t *testing.T) {
		s := newScene(t, built+next("1.1.0", byNobody))
		s.record("foo@1.0.0")
		accept(s, verify.CodeProvenanceLost, verify.CodeRepositoryChanged, verify.CodeOwnerChanged, verify.CodeWorkflowChanged, verify.CodeRefKindChanged, verify.CodeRunnerChanged, verify.CodeRegistryDiffers)
		old := s.inspector.Expectations.Lines["foo@1"]
		x := update(s)
		if x.Repository != old.Repository || x.RepositoryID != old.RepositoryID || x.OwnerID != old.OwnerID || x.Workflow != old.Workflow || x.Ref != old.Ref || x.Runner != old.Runner || x.Registry != old.Registry {
			t.Errorf("%s became %s", toJSON(t, old), toJSON(t, x))
		}
		if !slices.Equal(x.Except, []string{"1.1.0"}) {
			t.Errorf("the loss that was accepted is not recorded: %s", toJSON(t, x))
		}
		report := s.check(s.lock("foo@1.1.0"))
		if list := report.Accepted(); !slices.Equal(list, []npm.Accept{{Package: "foo@1.1.0", Code: verify.CodeProvenanceLost}}) {
			t.Errorf("accepted %v", list)
		}
	})
	t.Run("malicious", func(t *testing.T) {
		s := newScene(t, built+next("1.1.0", `{"provenance": true, "trustedPublisher": true}`))
		s.record("foo@1.0.0")
		s.inspector.Advisories = malicious{"foo@1.1.0"}
		accept(s, verify.CodeMalicious)
		s.denies(s.check(s.lock("foo@1.1.0")), "foo@1.1.0", verify.CodeMalicious)
		if x := update(s); x.Versions["1.1.0"] != "" {
			t.Errorf("recorded: %s", toJSON(t, x))
		}
	})
	t.Run("what is invalid", func(t *testing.T) {
		s := newScene(t, built+next("1.1.0", `{"provenance": true, "trustedPublisher": true, "signature": "other-key"}`))
		s.record("foo@1.0.0")
		accept(s, verify.CodeRegistryKeyUnknown)
		s.denies(s.check(s.lock("foo@1.1.0")), "foo@1.1.0", verify.CodeRegistryKeyUnknown)
	})
	t.Run("another version's", func(t *testing.T) {
		s := newScene(t, built+next("1.1.0", byMallory))
		s.record("foo@1.0.0")
		for _, code := range []verify.Code{verify.CodeRepositoryChanged, verify.CodeOwnerChanged} {
			s.inspector.Accept = append(s.inspector.Accept, npm.Accept{Package: "foo@1.0.0", Code: code})
		}
		s.denies(s.check(s.lock("foo@1.1.0")), "foo@1.1.0", verify.CodeRepositoryChanged)
	})
	t.Run("warned of, and not accepted", func(t *testing.T) {
		s := newScene(t, scripted("1.0.0", "preinstall")+scripted("1.1.0", "postinstall")+"-- foo@1.1.0/registry.json --\n{\"provenance\": {\"repository\": \"https://github.com/acme/foo\"}}\n")
		s.record("foo@1.0.0")
		if x := update(s); x.Provenance || !slices.Equal(x.InstallScripts, []string{"preinstall"}) || x.Versions["1.1.0"] == "" {
			t.Errorf("found %s", toJSON(t, x))
		}
		accept(s, verify.CodeProvenanceGained)
		if x := update(s); !x.Provenance || x.Repository != "https://github.com/acme/foo" || !slices.Equal(x.InstallScripts, []string{"preinstall"}) {
			t.Errorf("found %s", toJSON(t, x))
		}
	})
	t.Run("one of two scripts", func(t *testing.T) {
		s := newScene(t, scripted("1.0.0", "preinstall")+scripted("1.1.0", "postinstall"))
		s.record("foo@1.0.0")
		accept(s, verify.CodeInstallScriptNew)
		if x := update(s); !slices.Equal(x.InstallScripts, []string{"postinstall", "preinstall"}) {
			t.Errorf("found %s", toJSON(t, x))
		}
	})
}

// scripted is a version of foo that runs a script when it is installed.
func scripted(version, script string) string {
	return "-- foo@" + version + "/package/package.json --\n{\"name\": \"foo\", \"version\": \"" + version + "\", \"scripts\": {\"" + script + "\": \"node x.js\"}}\n"
}

// malicious is a package that an advisory is about.
type malicious []string

func (m malicious) Malicious(name, version string) []string {
	if slices.Contains(m, name+"@"+version) {
		return []string{"MAL-2026-1"}
	}
	return nil
}

// TestLostInTheSameRun: that a version lost what an earlier one has in the same project is
// seen whatever the registry announces, and is no exception before a person accepts it.
func TestLostInTheSameRun(t *testing.T) {
	version := func(version, time, more string) string {
		return next(version, `{"time": "`+time+`", "maintainers": ["ann"], "trustedPublisher": true, "user": "ci"`+more+`}`)
	}
	const (
		provenance = `, "provenance": true, "announce": false`
		january    = "2026-01-01T00:00:00Z"
		february   = "2026-02-01T00:00:00Z"
		march      = "2026-03-01T00:00:00Z"
	)
	for name, c := range map[string]struct {
		packages, with, without string
		lost                    bool
	}{
		"the next one":            {version("1.0.0", january, provenance) + version("1.1.0", february, ""), "1.0.0", "1.1.0", true},
		"behind another":          {version("1.0.0", january, provenance) + version("1.0.1", february, "") + version("1.1.0", march, ""), "1.0.0", "1.1.0", true},
		"another line":            {version("1.0.0", january, provenance) + version("1.0.1", february, "") + version("2.0.0", march, ""), "1.0.0", "2.0.0", true},
		"a lower one of the line": {version("1.5.0", january, provenance) + version("1.5.1", february, "") + version("1.0.9", march, ""), "1.5.0", "1.0.9", true},
		"before there was any":    {version("1.0.0", january, "") + version("1.5.0", february, provenance), "1.5.0", "1.0.0", false},
		"a line that went on":     {version("2.0.0", january, "") + version("1.9.0", february, provenance), "1.9.0", "2.0.0", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.packages)
			lock := lockOfTwo(t, s, "foo@"+c.with, "foo@"+c.without)
			report := s.check(lock)
			list := codes(report, "foo@"+c.without)
			if got := slices.Contains(list, "deny PROVENANCE_LOST"); got != c.lost {
				t.Fatalf("found %v", list)
			}
			line, base := npm.LineOf(npm.Package{Name: "foo", Version: c.without}), npm.LineOf(npm.Package{Name: "foo", Version: c.with})
			var none *npm.Expectations
			if _, recorded := none.Update(report).Lines[line]; recorded == c.lost {
				t.Errorf("recorded: %v", recorded)
			}
			s.inspector.Accept = []npm.Accept{{Package: "foo@" + c.without, Code: verify.CodeProvenanceLost}}
			x := none.Update(s.check(lock)).Lines[line]
			if x.Versions[c.without] == "" || x.Provenance != (line == base) || slices.Contains(x.Except, c.without) != x.Provenance {
				t.Errorf("found %s", toJSON(t, x))
			}
		})
	}
}

// lockOfTwo is the lockfile of two versions of foo.
func lockOfTwo(t *testing.T, s *scene, one, two string) []byte {
	t.Helper()
	var nested map[string]any
	swap(t, s.lock(two), "node_modules/foo", func(e map[string]any) { nested = e })
	return packagesOf(t, s.lock(one), func(p map[string]any) { p["packages/a/node_modules/foo"] = nested })
}

// TestUnknownIsNotNone: where nobody could tell whether there is provenance, that there is
// none is not recorded.
func TestUnknownIsNotNone(t *testing.T) {
	for name, c := range map[string]struct {
		packages string
		change   func(e map[string]any)
		recorded bool
	}{
		"a weak digest":           {built, func(e map[string]any) { e["integrity"] = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" }, false},
		"no digest":               {built, func(e map[string]any) { delete(e, "integrity") }, false},
		"a weak digest, and none": {next("1.0.0", byNobody), func(e map[string]any) { e["integrity"] = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.packages)
			s.inspector.Policy = &verify.Policy{}
			s.inspector.Policy.NPM.Codes = map[verify.Code]verify.Effect{verify.CodeIntegrityMissing: verify.Warn, verify.CodeIntegrityWeak: verify.Warn, verify.CodeNoLockfileDigest: verify.Warn}
			var none *npm.Expectations
			e := none.Update(s.check(swap(t, s.lock("foo@1.0.0"), "node_modules/foo", c.change)))
			if line, recorded := e.Lines["foo@1"]; recorded != c.recorded || line.Provenance {
				t.Errorf("found %s", toJSON(t, e))
			}
		})
	}
}

// TestPolicyRecordsNothing: a policy that warns of a change, or waives it for a while,
// does not make it what is expected.
func TestPolicyRecordsNothing(t *testing.T) {
	lenient := func(codes ...verify.Code) *verify.Policy {
		p := &verify.Policy{}
		p.NPM.Codes = map[verify.Code]verify.Effect{}
		for _, c := range codes {
			p.NPM.Codes[c] = verify.Warn
		}
		return p
	}
	all := []verify.Code{verify.CodeRepositoryChanged, verify.CodeOwnerChanged, verify.CodeProvenanceLost, verify.CodeManifestRepositoryDiffers, verify.CodeTrustedPublishingLost,
		verify.CodeAttestationsWithheld, verify.CodeRegistryDiffers, verify.CodeIntegrityWeak, verify.CodeIntegrityMissing}
	for name, version := range map[string]string{"built by another": byMallory, "stripped": byNobody, "withheld": `{"announce": true, "trustedPublisher": true}`} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, built+next("1.1.0", version))
			s.record("foo@1.0.0")
			s.inspector.Policy = lenient(all...)
			report := s.check(s.lock("foo@1.1.0"))
			if r := result(t, report, "foo@1.1.0"); r.Outcome != npm.Warned {
				t.Fatalf("%v %v", r.Outcome, r.Findings)
			}
			s.inspector.Expectations = s.inspector.Expectations.Update(report)
			s.inspector.Policy = nil
			if r := result(t, s.check(s.lock("foo@1.1.0")), "foo@1.1.0"); r.Outcome != npm.Denied {
				t.Errorf("without the policy: %v %v", r.Outcome, r.Findings)
			}
			if name == "built by another" {
				return
			}
			first := newScene(t, built+next("1.1.0", version))
			first.inspector.Policy = lenient(all...)
			var none *npm.Expectations
			if e := none.Update(first.check(first.lock("foo@1.1.0"))); len(e.Lines) > 0 {
				t.Errorf("recorded at first: %s", toJSON(t, e))
			}
		})
	}
	t.Run("a digest that the lockfile lost", func(t *testing.T) {
		s := newScene(t, built)
		s.record("foo@1.0.0")
		s.inspector.Policy = lenient(all...)
		for _, weak := range []string{"sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", ""} {
			report := s.check(swap(t, s.lock("foo@1.0.0"), "node_modules/foo", func(e map[string]any) { e["integrity"] = weak }))
			s.denies(report, "foo@1.0.0", verify.CodeIntegrityChanged)
			if x := s.inspector.Expectations.Update(report).Lines["foo@1"]; x.Versions["1.0.0"] == "" {
				t.Errorf("the digest is not recorded any more: %s", toJSON(t, x))
			}
			// Of another version of the line nothing binds the attestations to bytes.
			other := newScene(t, built+next("1.1.0", `{"provenance": true, "trustedPublisher": true}`))
			other.inspector.Expectations, other.inspector.Policy = s.inspector.Expectations, s.inspector.Policy
			report = other.check(swap(t, other.lock("foo@1.1.0"), "node_modules/foo", func(e map[string]any) { e["integrity"] = weak }))
			if list := codes(report, "foo@1.1.0"); !slices.Contains(list, "warn PROVENANCE_LOST") {
				t.Errorf("found %v", list)
			}
		}
	})
}

// TestExpectationsRefused: a file that says something that nothing will ever be
// compared with.
func TestExpectationsRefused(t *testing.T) {
	const entry = `{"provenance": false, "versions": {}}`
	file := func(packages string) []byte {
		return []byte(`{"schema": "` + npm.ExpectationsSchema + `", "packages": {` + packages + `}}`)
	}
	if got := npm.LineOf(npm.Package{Name: "foo", Version: "01.2.3"}); got != "foo@1" {
		t.Errorf("found line %s", got)
	}
	if _, err := npm.ParseExpectations(file(`"foo@1": ` + entry + `, "@a/foo@0": ` + entry + `, "__proto__@1": ` + entry)); err != nil {
		t.Error(err)
	}
	for _, packages := range []string{
		`"foo": ` + entry, `"@1": ` + entry, `"foo@": ` + entry, `"foo@1.0.0": ` + entry, `"foo@1.0": ` + entry, `"foo@1.2.3-": ` + entry, `"foo@1.2.3+": ` + entry,
		`"foo@v1": ` + entry, `"foo@01": ` + entry, `"foo@1 ": ` + entry, `"../foo@1": ` + entry,
		`"foo@1": ` + entry + `, "foo@1": ` + entry,
		`"foo@1": {"provenance": false, "Versions": {}, "versions": {}}`,
		`"foo@1": {"provenance": false, "provenance": true, "versions": {}}`,
		`"foo@1": {"provenance": true, "versions": {}}`,
		`"foo@1": null`, `"foo@1": {}`, `"foo@1": {"provenance": false}`, `"foo@1": {"provenance": false, "versions": null}`,
		`"foo@1": {"provenance": false, "repository": "https://github.com/acme/foo", "versions": {}}`,
		`"foo@1": {"provenance": false, "versions": {"2.0.0": "` + otherIntegrity + `"}}`,
		`"foo@1": {"provenance": false, "versions": {"1.0.0": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="}}`,
		`"foo@1": {"provenance": false, "versions": {"1.0.0": "` + otherIntegrity + `", "1.0.0": "` + otherIntegrity + `"}}`,
		`"foo@1": {"provenance": false, "versions": {}, "except": ["1.0.0"]}`,
	} {
		if e, err := npm.ParseExpectations(file(packages)); err == nil {
			t.Errorf("%s: accepted: %s", packages, toJSON(t, e))
		}
	}
}
