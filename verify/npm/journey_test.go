package npm_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/npmtest"
	"plimsoll.example/verify/sigstore"
)

// TestExpected: a package whose expectations are recorded, and its next version that is
// built in the same way.
func TestExpected(t *testing.T) {
	s := newScene(t, built+next("1.1.0", `{"provenance": true, "user": "ci", "maintainers": ["ann"], "trustedPublisher": true}`))
	s.record("foo@1.0.0")
	s.holds(s.check(s.lock("foo@1.0.0")), "foo@1.0.0")
	s.holds(s.check(s.lock("foo@1.1.0")), "foo@1.1.0")
	if r := result(t, s.check(s.lock("foo@1.1.0")), "foo@1.1.0"); r.Level != 1 || r.Published.Source != "log" || !r.Tarball {
		t.Errorf("found %+v", r)
	}
}

// TestBuiltOtherwise: a new version against what is recorded of the package.
func TestBuiltOtherwise(t *testing.T) {
	for name, c := range map[string]struct {
		registry string
		code     verify.Code
	}{
		"attestations stripped":               {`{"user": "ci", "trustedPublisher": true, "maintainers": ["ann"]}`, verify.CodeProvenanceLost},
		"announced, and not there":            {`{"announce": true, "user": "ci", "trustedPublisher": true}`, verify.CodeAttestationsWithheld},
		"announced and lost":                  {`{"announce": true, "user": "ci", "trustedPublisher": true}`, verify.CodeProvenanceLost},
		"a fork":                              {`{"provenance": {"repository": "https://github.com/mallory/foo"}, "trustedPublisher": true}`, verify.CodeRepositoryChanged},
		"a fork has another owner":            {`{"provenance": {"repository": "https://github.com/mallory/foo"}, "trustedPublisher": true}`, verify.CodeOwnerChanged},
		"a fork, and what package.json says":  {`{"provenance": {"repository": "https://github.com/mallory/foo"}, "trustedPublisher": true}`, verify.CodeManifestRepositoryDiffers},
		"a name that goes on":                 {`{"provenance": {"repository": "https://github.com/acme/foo-evil"}, "trustedPublisher": true}`, verify.CodeRepositoryChanged},
		"re-created under the same name":      {`{"provenance": {"repositoryId": "4711"}, "trustedPublisher": true}`, verify.CodeRepositoryRecreated},
		"a new owner under the same name":     {`{"provenance": {"ownerId": "4711"}, "trustedPublisher": true}`, verify.CodeOwnerChanged},
		"the victim's workflow, called":       {`{"provenance": {"repository": "https://github.com/mallory/foo", "san": "https://github.com/acme/foo/.github/workflows/release.yml@refs/tags/v1.1.0"}, "trustedPublisher": true}`, verify.CodeRepositoryChanged},
		"another workflow":                    {`{"provenance": {"workflow": ".github/workflows/ci.yml"}, "trustedPublisher": true}`, verify.CodeWorkflowChanged},
		"a workflow whose name goes on":       {`{"provenance": {"workflow": ".github/workflows/release.yml@evil.yml"}, "trustedPublisher": true}`, verify.CodeWorkflowChanged},
		"a branch":                            {`{"provenance": {"ref": "refs/heads/main"}, "trustedPublisher": true}`, verify.CodeRefKindChanged},
		"a pull request":                      {`{"provenance": {"ref": "refs/pull/7/merge"}, "trustedPublisher": true}`, verify.CodeRefKindChanged},
		"self-hosted":                         {`{"provenance": {"runner": "self-hosted"}, "trustedPublisher": true}`, verify.CodeRunnerChanged},
		"self-hosted, by itself":              {`{"provenance": {"runner": "self-hosted"}, "trustedPublisher": true}`, verify.CodeRunnerSelfHosted},
		"pull_request_target":                 {`{"provenance": {"trigger": "pull_request_target"}, "trustedPublisher": true}`, verify.CodeTriggerUntrusted},
		"a review of a pull request":          {`{"provenance": {"trigger": "pull_request_review"}, "trustedPublisher": true}`, verify.CodeTriggerUntrusted},
		"a page of the wiki":                  {`{"provenance": {"trigger": "gollum"}, "trustedPublisher": true}`, verify.CodeTriggerUntrusted},
		"a merge request":                     {`{"provenance": {"trigger": "merge_request_event"}, "trustedPublisher": true}`, verify.CodeTriggerUntrusted},
		"a CI that npm does not know":         {`{"provenance": {"issuer": "https://ci.example"}, "trustedPublisher": true}`, verify.CodeIssuerUnknown},
		"a mirror's own key":                  {`{"provenance": true, "signature": "other-key", "trustedPublisher": true}`, verify.CodeRegistryKeyUnknown},
		"no signature":                        {`{"provenance": true, "signature": "none", "trustedPublisher": true}`, verify.CodeRegistrySignatureMissing},
		"an ended key, after its end":         {`{"provenance": true, "signature": "expired-key", "trustedPublisher": true}`, verify.CodeKeyExpiredTimeUnsigned},
		"trusted publishing given up":         {`{"provenance": true, "user": "mallory"}`, verify.CodeTrustedPublishingLost},
		"published yesterday":                 {`{"provenance": true, "time": "2026-11-22T00:00:00Z", "trustedPublisher": true}`, verify.CodeTooYoung},
		"published tomorrow":                  {`{"provenance": true, "time": "2026-11-24T00:00:00Z", "trustedPublisher": true}`, verify.CodeTooYoung},
		"dormant, and another publisher":      {`{"provenance": true, "time": "2027-11-22T00:00:00Z", "user": "mallory", "trustedPublisher": true}`, verify.CodeDormantTakeover},
		"metadata tells of another script":    {`{"provenance": true, "metadata": {"scripts": {"postinstall": "node x.js"}}, "trustedPublisher": true}`, verify.CodeManifestScriptsDiffer},
		"another package's signed manifest":   {`{"provenance": true, "metadata": {"dist": {"signatures": [{"keyid": "KEYID", "sig": "SIG"}]}}, "trustedPublisher": true}`, verify.CodeRegistrySignatureInvalid},
		"an old version's signed manifest":    {`{"provenance": true, "metadata": {"dist": {"signatures": [{"keyid": "KEYID", "sig": "OLDSIG"}]}}, "trustedPublisher": true}`, verify.CodeRegistrySignatureInvalid},
		"a signature that is no base64":       {`{"provenance": true, "metadata": {"dist": {"signatures": [{"keyid": "x", "sig": "!"}]}}, "trustedPublisher": true}`, verify.CodeAnswerMalformed},
		"signatures of which one is unknown":  {`{"provenance": true, "metadata": {"dist": {"signatures": [{"keyid": "x", "sig": "AAAA"}]}}, "trustedPublisher": true}`, verify.CodeRegistryKeyUnknown},
		"dist.attestations is not an object":  {`{"provenance": true, "metadata": {"dist": {"attestations": "x"}}, "trustedPublisher": true}`, verify.CodeAnswerMalformed},
		"metadata of another registry's host": {`{"provenance": true, "metadata": {"dist": {"tarball": "https://elsewhere.example/foo/-/foo-1.1.0.tgz"}}, "trustedPublisher": true}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			other := newScene(t, built)
			digest := other.lock("foo@1.0.0")
			keyID, sig := other.sigstore.Sign("bar", "9.9.9", "sha512-x")
			_, old := other.sigstore.Sign("foo", "1.0.0", "sha512-"+digestIn(t, digest, "node_modules/foo"))
			text := strings.NewReplacer("KEYID", keyID, "OLDSIG", old, "SIG", sig).Replace(c.registry)
			s := newScene(t, built+next("1.1.0", text))
			s.record("foo@1.0.0")
			if name == "dormant, and another publisher" {
				s.inspector.Now = time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
			}
			report := s.check(s.lock("foo@1.1.0"))
			if c.code == "" { // it is not fetched from there: nobody can tell
				if r := result(t, report, "foo@1.1.0"); r.Outcome == npm.Held {
					t.Errorf("it holds: %v", codes(report, "foo@1.1.0"))
				}
				return
			}
			s.denies(report, "foo@1.1.0", c.code)
			next := s.inspector.Expectations.Update(report).Lines["foo@1"]
			if next.Repository != "https://github.com/acme/foo" || next.Versions["1.1.0"] != "" {
				t.Errorf("what is denied was recorded: %s", toJSON(t, next))
			}
			var none *npm.Expectations
			if first := none.Update(report); len(first.Lines) > 0 {
				t.Errorf("what is denied was recorded at first: %s", toJSON(t, first))
			}
		})
	}
}

// TestFirstDay: nothing is recorded, and what is to be seen all the same.
func TestFirstDay(t *testing.T) {
	lost := next("1.1.0", `{"user": "mallory"}`)
	t.Run("an earlier version had provenance", func(t *testing.T) {
		s := newScene(t, built+lost)
		s.denies(s.check(s.lock("foo@1.1.0")), "foo@1.1.0", verify.CodeProvenanceLost)
	})
	t.Run("the registry says that an earlier one had, and it does not hold", func(t *testing.T) {
		s := newScene(t, strings.Replace(built, `"provenance": true`, `"announce": true`, 1)+lost)
		if list := codes(s.check(s.lock("foo@1.1.0")), "foo@1.1.0"); strings.Contains(strings.Join(list, " "), "PROVENANCE_LOST") {
			t.Errorf("found %v", list)
		}
	})
	t.Run("an earlier version's provenance does not hold", func(t *testing.T) {
		s := newScene(t, built+lost)
		s.registry.Misbehave("/-/npm/v1/attestations/foo@1.0.0", npmtest.Body(good(s, strings.Repeat("0", 128))))
		if list := codes(s.check(s.lock("foo@1.1.0")), "foo@1.1.0"); strings.Contains(strings.Join(list, " "), "PROVENANCE_LOST") {
			t.Errorf("found %v", list)
		}
	})
	t.Run("another line had it", func(t *testing.T) {
		s := newScene(t, built+next("2.0.0", `{"user": "ci", "trustedPublisher": true, "maintainers": ["ann"]}`))
		s.record("foo@1.0.0")
		report := s.check(s.lock("foo@2.0.0"))
		s.denies(report, "foo@2.0.0", verify.CodeProvenanceLost)
		if list := strings.Join(codes(report, "foo@2.0.0"), " "); !strings.Contains(list, "warn NEW_PACKAGE") {
			t.Errorf("found %s", list)
		}
	})
	t.Run("another line had it, and the registry says no more that it had", func(t *testing.T) {
		before := newScene(t, built)
		before.record("foo@1.0.0")
		s := newScene(t, strings.Replace(built, `"provenance": true`, `"announce": false`, 1)+next("2.0.0", `{"user": "ci", "trustedPublisher": true, "maintainers": ["ann"]}`))
		s.inspector.Expectations = before.inspector.Expectations
		s.denies(s.check(s.lock("foo@2.0.0")), "foo@2.0.0", verify.CodeProvenanceLost)
	})
	t.Run("maintainers replaced", func(t *testing.T) {
		s := newScene(t, built+next("1.1.0", `{"provenance": true, "user": "ci", "maintainers": ["mallory"], "trustedPublisher": true}`))
		if list := strings.Join(codes(s.check(s.lock("foo@1.1.0")), "foo@1.1.0"), " "); list != "warn MAINTAINERS_REPLACED" {
			t.Errorf("found %s", list)
		}
	})
}

// TestLockfiles: what a lockfile says, and the registry does not.
func TestLockfiles(t *testing.T) {
	for name, c := range map[string]struct {
		change func(entry map[string]any)
		code   verify.Code
	}{
		"integrity missing":        {func(e map[string]any) { delete(e, "integrity") }, verify.CodeIntegrityMissing},
		"sha1 only":                {func(e map[string]any) { e["integrity"] = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" }, verify.CodeIntegrityWeak},
		"several, one wrong":       {func(e map[string]any) { e["integrity"] = e["integrity"].(string) + " " + otherIntegrity }, verify.CodeIntegrityAmbiguous},
		"changed":                  {func(e map[string]any) { e["integrity"] = otherIntegrity }, verify.CodeIntegrityChanged},
		"changed, as signed":       {func(e map[string]any) { e["integrity"] = otherIntegrity }, verify.CodeRegistrySignatureInvalid},
		"changed, as attested":     {func(e map[string]any) { e["integrity"] = otherIntegrity }, verify.CodeSubjectMismatch},
		"changed, as in the bytes": {func(e map[string]any) { e["integrity"] = otherIntegrity }, verify.CodeTarballMismatch},
		"resolved elsewhere":       {func(e map[string]any) { e["resolved"] = "https://elsewhere.example/foo/-/foo-1.0.0.tgz" }, verify.CodeResolvedElsewhere},
		"not in the registry":      {func(e map[string]any) { e["version"] = "1.0.9"; e["resolved"] = "" }, verify.CodeNotInRegistry},
		"a name that leaves":       {func(e map[string]any) { e["name"] = "../../etc/passwd"; e["resolved"] = "" }, verify.CodeAnswerMalformed},
		"a name with NUL":          {func(e map[string]any) { e["name"] = "foo\x00"; e["resolved"] = "" }, verify.CodeAnswerMalformed},
		"a name that writes":       {func(e map[string]any) { e["name"] = "foo\x1b[2K"; e["resolved"] = "" }, verify.CodeAnswerMalformed},
		"a version that leaves":    {func(e map[string]any) { e["version"] = "1.0.0/../../x"; e["resolved"] = "" }, verify.CodeAnswerMalformed},
		"git without a commit":     {func(e map[string]any) { e["resolved"] = "git+ssh://git@github.com/acme/foo.git#main" }, verify.CodeSourceUnpinned},
		"another source, pinned":   {func(e map[string]any) { e["resolved"] = "https://elsewhere.example/foo.tgz" }, verify.CodeRegistryDiffers},
		"a git commit": {func(e map[string]any) {
			e["resolved"] = "git+ssh://git@github.com/mallory/foo.git#0123456789012345678901234567890123456789"
			delete(e, "integrity")
		}, verify.CodeRegistryDiffers},
		"an address without bytes": {func(e map[string]any) {
			e["resolved"] = "https://elsewhere.example/foo.tgz"
			delete(e, "integrity")
		}, verify.CodeSourceUnpinned},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, built)
			s.record("foo@1.0.0")
			report := s.check(swap(t, s.lock("foo@1.0.0"), "node_modules/foo", c.change))
			s.denies(report, report.Packages[0].Package, c.code)
		})
	}
}

const otherIntegrity = "sha512-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="

// TestAnswers: what the registry answers about the attestations.
func TestAnswers(t *testing.T) {
	march := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	subject := func(change func(subjects []any) []any) func(map[string]any) {
		return func(st map[string]any) { st["subject"] = change(st["subject"].([]any)) }
	}
	named := func(name string) func(map[string]any) {
		return subject(func(s []any) []any { s[0].(map[string]any)["name"] = name; return s })
	}
	for name, c := range map[string]struct {
		answer func(s *scene, digest string) []byte
		code   verify.Code
	}{
		"an empty list": {func(s *scene, _ string) []byte { return s.sigstore.Answer() }, verify.CodeAnswerMalformed},
		"100 MB":        {func(s *scene, _ string) []byte { return nil }, verify.CodeAnswerMalformed},
		"nested 10,000 deep": {func(*scene, string) []byte {
			return []byte(`{"attestations":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + "}")
		}, verify.CodeAnswerMalformed},
		"cut":                    {func(*scene, string) []byte { return []byte(`{"attestations":[`) }, verify.CodeAnswerMalformed},
		"no provenance":          {answer(nil, drop), verify.CodeProvenanceMissing},
		"no publish attestation": {answer(drop, nil), verify.CodePublishMissing},
		"another version's":      {answer(named("pkg:npm/foo@1.0.1"), nil), verify.CodeSubjectMismatch},
		"another package's":      {answer(nil, named("pkg:npm/bar@1.0.0")), verify.CodeSubjectMismatch},
		"under a wrong purl":     {answer(nil, named("pkg:npm/Foo@1.0.0")), verify.CodeSubjectMismatch},
		"an encoded slash":       {answer(nil, named("pkg:npm/%40scope%2Ffoo@1.0.0")), verify.CodeSubjectMismatch},
		"a second subject": {answer(nil, subject(func(s []any) []any {
			return append(s, map[string]any{"name": "pkg:npm/bar@1.0.0", "digest": map[string]any{"sha512": strings.Repeat("0", 128)}})
		})), verify.CodeSubjectMismatch},
		"two provenances": {func(s *scene, d string) []byte {
			return s.sigstore.Answer(publish(s, d), provenance(s, d), provenance(s, d))
		}, verify.CodeAttestationRepeated},
		"two provenances, one bad": {func(s *scene, d string) []byte {
			return s.sigstore.Answer(publish(s, d), provenance(s, d), provenance(s, strings.Repeat("0", 128)))
		}, verify.CodeSubjectMismatch},
		"two publish attestations": {func(s *scene, d string) []byte {
			return s.sigstore.Answer(publish(s, d), publish(s, d), provenance(s, d))
		}, verify.CodeAttestationRepeated},
		"published to another registry": {func(s *scene, d string) []byte {
			return s.sigstore.Answer(s.sigstore.Publish("foo", "1.0.0", d, "https://evil.example", march), provenance(s, d))
		}, verify.CodePublishRegistryDiffers},
		"published as another version": {answer(func(st map[string]any) { st["predicate"].(map[string]any)["version"] = "1.0.1" }, nil), verify.CodePublishMismatch},
		"provenance signed by npm's key": {func(s *scene, d string) []byte {
			return s.sigstore.Answer(publish(s, d), s.sigstore.Publish("foo", "1.0.0", d, s.base, march, func(st map[string]any) { st["predicateType"] = "https://slsa.dev/provenance/v1" }))
		}, verify.CodeSignerUnknown},
		"publish attestation by a CI job": {func(s *scene, d string) []byte {
			return s.sigstore.Answer(s.sigstore.Provenance("foo", "1.0.0", d, npmtest.GitHub("acme/foo"), march, func(st map[string]any) {
				st["predicateType"] = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1"
				st["predicate"] = map[string]any{"name": "foo", "version": "1.0.0", "registry": s.base}
			}), provenance(s, d))
		}, verify.CodeSignerUnknown},
		"repository only in the predicate": {answer(nil, workflow("repository", "https://github.com/acme/bar")), verify.CodeProvenanceMismatch},
		"workflow only in the predicate":   {answer(nil, workflow("path", ".github/workflows/other.yml")), verify.CodeProvenanceMismatch},
		"commit only in the predicate": {answer(nil, func(st map[string]any) {
			deps := at(st, "predicate", "buildDefinition", "resolvedDependencies", 0).(map[string]any)
			deps["digest"] = map[string]any{"gitCommit": strings.Repeat("0", 40)}
		}), verify.CodeProvenanceMismatch},
		"runner only in the predicate": {answer(nil, func(st map[string]any) {
			at(st, "predicate", "runDetails", "builder").(map[string]any)["id"] = "https://github.com/actions/runner/self-hosted"
		}), verify.CodeProvenanceMismatch},
		"repository id only in the predicate": {answer(nil, github("repository_id", "4711")), verify.CodeProvenanceMismatch},
		"repository id as a number":           {answer(nil, github("repository_id", 4711)), verify.CodeProvenanceMismatch},
		"owner id only in the predicate":      {answer(nil, github("repository_owner_id", "4711")), verify.CodeProvenanceMismatch},
		"owner id as a list":                  {answer(nil, github("repository_owner_id", []any{})), verify.CodeProvenanceMismatch},
		"trigger only in the predicate":       {answer(nil, github("event_name", "release")), verify.CodeProvenanceMismatch},
		"ref only in the predicate":           {answer(nil, source("git+https://github.com/acme/foo@refs/tags/v1.0.1")), verify.CodeProvenanceMismatch},
		"source is not the repository":        {answer(nil, source("git+https://github.com/acme/foo-evil@refs/tags/v1.0.0")), verify.CodeProvenanceMismatch},
		"workflow's ref only there":           {answer(nil, workflow("ref", "refs/heads/main")), verify.CodeProvenanceMismatch},
		"no source":                           {answer(nil, func(st map[string]any) { set(st, []any{}, "predicate", "buildDefinition", "resolvedDependencies") }), verify.CodeProvenanceMismatch},
		"an empty predicate":                  {answer(nil, func(st map[string]any) { st["predicate"] = map[string]any{} }), verify.CodeProvenanceMismatch},
		"provenance 0.2 of nothing": {answer(nil, func(st map[string]any) {
			st["predicateType"], st["predicate"] = "https://slsa.dev/provenance/v0.2", map[string]any{}
		}), verify.CodeProvenanceMismatch},
		"provenance 0.1": {answer(nil, func(st map[string]any) { st["predicateType"] = "https://slsa.dev/provenance/v0.1" }), verify.CodeProvenanceMissing},
		"a bundle with a repeated key": {func(s *scene, d string) []byte {
			return []byte(strings.Replace(string(good(s, d)), `"dsseEnvelope":`, `"dsseEnvelope":{},"dsseEnvelope":`, 1))
		}, verify.CodeAnswerMalformed},
		"an answer with a repeated key": {func(s *scene, d string) []byte {
			return []byte(strings.Replace(string(good(s, d)), `{"attestations":`, `{"attestations":[],"attestations":`, 1))
		}, verify.CodeAnswerMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, built)
			lock := s.lock("foo@1.0.0")
			path := "/-/npm/v1/attestations/foo@1.0.0"
			if body := c.answer(s, digestIn(t, lock, "node_modules/foo")); body != nil {
				s.registry.Misbehave(path, npmtest.Body(body))
			} else {
				s.registry.Misbehave(path, npmtest.Huge(100<<20))
			}
			s.denies(s.check(lock), "foo@1.0.0", c.code)
		})
	}
	s := newScene(t, built)
	lock := s.lock("foo@1.0.0")
	s.registry.Misbehave("/-/npm/v1/attestations/foo@1.0.0", npmtest.Body(good(s, digestIn(t, lock, "node_modules/foo"))))
	s.holds(s.check(lock), "foo@1.0.0")
}

func drop(map[string]any) {}

var made = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func publish(s *scene, digest string) json.RawMessage {
	return s.sigstore.Publish("foo", "1.0.0", digest, s.base, made)
}

func provenance(s *scene, digest string) json.RawMessage {
	return s.sigstore.Provenance("foo", "1.0.0", digest, npmtest.GitHub("acme/foo"), made)
}

func good(s *scene, digest string) []byte {
	return s.sigstore.Answer(publish(s, digest), provenance(s, digest))
}

// answer is a good answer with its statements edited before they are signed; drop
// leaves one out.
func answer(pub, prov func(map[string]any)) func(s *scene, digest string) []byte {
	return func(s *scene, digest string) []byte {
		var members []json.RawMessage
		keep := func(edit func(map[string]any), make func(edits ...func(map[string]any)) json.RawMessage) {
			switch {
			case edit == nil:
				members = append(members, make())
			default:
				called := map[string]any{}
				edit2 := func(st map[string]any) { edit(st); called["x"] = true }
				members = append(members, make(edit2))
			}
		}
		if !isDrop(pub) {
			keep(pub, func(e ...func(map[string]any)) json.RawMessage {
				return s.sigstore.Publish("foo", "1.0.0", digest, s.base, made, e...)
			})
		}
		if !isDrop(prov) {
			keep(prov, func(e ...func(map[string]any)) json.RawMessage {
				return s.sigstore.Provenance("foo", "1.0.0", digest, npmtest.GitHub("acme/foo"), made, e...)
			})
		}
		return s.sigstore.Answer(members...)
	}
}

// isDrop tells drop, which changes nothing, from an edit.
func isDrop(edit func(map[string]any)) bool {
	if edit == nil {
		return false
	}
	defer func() { _ = recover() }()
	st := map[string]any{}
	edit(st)
	return len(st) == 0
}

func workflow(key, value string) func(map[string]any) {
	return func(st map[string]any) {
		at(st, "predicate", "buildDefinition", "externalParameters", "workflow").(map[string]any)[key] = value
	}
}

func github(key string, value any) func(map[string]any) {
	return func(st map[string]any) {
		set(st, value, "predicate", "buildDefinition", "internalParameters", "github", key)
	}
}

func source(uri string) func(map[string]any) {
	return func(st map[string]any) {
		set(st, uri, "predicate", "buildDefinition", "resolvedDependencies", 0, "uri")
	}
}

// TestAllReasons: everything that is wrong with an answer is said, not the first alone.
func TestAllReasons(t *testing.T) {
	s := newScene(t, built)
	lock := s.lock("foo@1.0.0")
	digest := digestIn(t, lock, "node_modules/foo")
	check := func(members ...json.RawMessage) string {
		s.registry.Misbehave("/-/npm/v1/attestations/foo@1.0.0", npmtest.Body(s.sigstore.Answer(members...)))
		return strings.Join(codes(s.checkOnce(lock), "foo@1.0.0"), ", ")
	}
	published := func(name, registry any) json.RawMessage {
		return s.sigstore.Publish("foo", "1.0.0", digest, s.base, made, func(st map[string]any) {
			set(st, name, "predicate", "name")
			set(st, registry, "predicate", "registry")
		})
	}
	proven := func(edits ...func(map[string]any)) json.RawMessage {
		return s.sigstore.Provenance("foo", "1.0.0", digest, npmtest.GitHub("acme/foo"), made, edits...)
	}
	for want, members := range map[string][]json.RawMessage{
		"deny PUBLISH_MISMATCH, deny PUBLISH_MISMATCH, deny PROVENANCE_MISMATCH, deny PROVENANCE_MISMATCH": {
			published("bar", ""), proven(github("event_name", "release"), github("repository_id", "4711"))},
		"deny PUBLISH_MISMATCH, deny PROVENANCE_MISSING":      {published("bar", s.base)},
		"deny SUBJECT_MISMATCH, deny PROVENANCE_MISMATCH":     {publish(s, strings.Repeat("0", 128)), proven(github("event_name", "release"))},
		"deny ATTESTATION_REPEATED, deny PROVENANCE_MISMATCH": {publish(s, digest), proven(), proven(github("event_name", "release"))},
		"deny PUBLISH_MISSING, deny PROVENANCE_MISSING":       {proven(func(st map[string]any) { st["predicateType"] = "https://example.com/other" })},
		"deny SUBJECT_MISMATCH, deny SUBJECT_MISMATCH":        {publish(s, strings.Repeat("0", 128)), provenance(s, strings.Repeat("1", 128))},
	} {
		if got := check(members...); got != want {
			t.Errorf("expected %s, found %s", want, got)
		}
	}
}

// gitlab is the identity of a GitLab job as Fulcio certifies it.
func gitlab() npmtest.Identity {
	id := npmtest.GitHub("acme/foo")
	id.Issuer, id.Repository = "https://gitlab.com", "https://gitlab.com/acme/foo"
	id.Ref, id.Runner, id.Trigger = "refs/heads/main", "gitlab-hosted", "push"
	id.RepositoryID, id.OwnerID = "4711", "42"
	id.BuildConfigURI = "https://gitlab.com/acme/foo//.gitlab-ci.yml@refs/heads/main"
	id.SAN = id.BuildConfigURI
	return id
}

// gitlabPredicate is the provenance that npm's client writes on GitLab.
func gitlabPredicate(id npmtest.Identity) map[string]any {
	return map[string]any{
		"buildType": "https://github.com/npm/cli/gitlab/v0alpha1", "builder": map[string]any{"id": id.Repository + "/-/runners/1"},
		"invocation": map[string]any{
			"configSource": map[string]any{"uri": "git+" + id.Repository, "digest": map[string]any{"sha1": id.Commit}, "entryPoint": "publish"},
			"parameters":   map[string]any{"CI_PROJECT_ID": "4711", "CI_PROJECT_NAMESPACE_ID": "42", "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_REF_NAME": "main"},
			"environment":  map[string]any{"name": "runner", "project": "acme/foo", "pipeline": map[string]any{"id": "1", "ref": ".gitlab-ci.yml"}},
		},
	}
}

// TestGitLab: what npm's provenance on GitLab says must be what the certificate says.
func TestGitLab(t *testing.T) {
	put := func(value any, path ...any) func(map[string]any) {
		return func(p map[string]any) { set(p, value, path...) }
	}
	for name, c := range map[string]struct {
		edit func(predicate map[string]any)
		code verify.Code
	}{
		"as the certificate":        {func(map[string]any) {}, ""},
		"the commit after the @":    {put("git+https://gitlab.com/acme/foo@"+gitlab().Commit, "invocation", "configSource", "uri"), ""},
		"another project's config":  {put("ci.yml@acme/templates", "invocation", "environment", "pipeline", "ref"), ""},
		"no variables":              {put(map[string]any{}, "invocation", "parameters"), ""},
		"another repository":        {put("git+https://gitlab.com/acme/bar", "invocation", "configSource", "uri"), verify.CodeProvenanceMismatch},
		"a repository that goes on": {put("git+https://gitlab.com/acme/foo-evil", "invocation", "configSource", "uri"), verify.CodeProvenanceMismatch},
		"another commit":            {put(strings.Repeat("0", 40), "invocation", "configSource", "digest", "sha1"), verify.CodeProvenanceMismatch},
		"no commit":                 {put(map[string]any{}, "invocation", "configSource", "digest"), verify.CodeProvenanceMismatch},
		"another repository id":     {put("4712", "invocation", "parameters", "CI_PROJECT_ID"), verify.CodeProvenanceMismatch},
		"another id, as a number":   {put(4712, "invocation", "parameters", "CI_PROJECT_ID"), verify.CodeProvenanceMismatch},
		"another owner id":          {put("43", "invocation", "parameters", "CI_PROJECT_NAMESPACE_ID"), verify.CodeProvenanceMismatch},
		"another trigger":           {put("schedule", "invocation", "parameters", "CI_PIPELINE_SOURCE"), verify.CodeProvenanceMismatch},
		"another ref":               {put("evil", "invocation", "parameters", "CI_COMMIT_REF_NAME"), verify.CodeProvenanceMismatch},
		"another workflow":          {put("evil.yml", "invocation", "environment", "pipeline", "ref"), verify.CodeProvenanceMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, strings.NewReplacer("github:acme/foo", "gitlab:acme/foo",
				`"provenance": true`, `"provenance": {"repository": "https://gitlab.com/acme/foo"}`).Replace(built))
			id := gitlab()
			lock := s.lock("foo@1.0.0")
			digest := digestIn(t, lock, "node_modules/foo")
			body := s.sigstore.Answer(publish(s, digest), s.sigstore.Provenance("foo", "1.0.0", digest, id, made, func(st map[string]any) {
				p := gitlabPredicate(id)
				c.edit(p)
				st["predicateType"], st["predicate"] = "https://slsa.dev/provenance/v0.2", p
			}))
			s.registry.Misbehave("/-/npm/v1/attestations/foo@1.0.0", npmtest.Body(body))
			report := s.check(lock)
			if c.code == "" {
				s.holds(report, "foo@1.0.0")
				return
			}
			s.denies(report, "foo@1.0.0", c.code)
		})
	}
}

// TestOldExtensions: certificates of before 2023-04-18 say who signed in extensions
// that count for nothing afterwards.
func TestOldExtensions(t *testing.T) {
	before, since := time.Date(2023, 4, 17, 23, 59, 59, 0, time.UTC), time.Date(2023, 4, 18, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		extensions string
		at         time.Time
		code       verify.Code
	}{
		"all, before":         {"", before, ""},
		"all, since":          {"", since, ""},
		"old ones, before":    {"old", before, ""},
		"old ones, since":     {"old", since, verify.CodeIssuerUnknown},
		"old ones, now":       {"old", made, verify.CodeIssuerUnknown},
		"old and issuer":      {"old and issuer", before, ""},
		"old and issuer, now": {"old and issuer", made, verify.CodeProvenanceMismatch},
		"old issuer, before":  {"old issuer", before, ""},
		"old issuer, since":   {"old issuer", since, verify.CodeIssuerUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, built)
			lock := s.lock("foo@1.0.0")
			digest := digestIn(t, lock, "node_modules/foo")
			id := npmtest.GitHub("acme/foo")
			id.Extensions = c.extensions
			s.registry.Misbehave("/-/npm/v1/attestations/foo@1.0.0", npmtest.Body(s.sigstore.Answer(
				s.sigstore.Publish("foo", "1.0.0", digest, s.base, c.at), s.sigstore.Provenance("foo", "1.0.0", digest, id, c.at))))
			report := s.check(lock)
			if c.code != "" {
				s.denies(report, "foo@1.0.0", c.code)
				return
			}
			s.holds(report, "foo@1.0.0")
			if o := result(t, report, "foo@1.0.0").Origin; o.Repository != id.Repository || o.Commit != id.Commit || o.Ref != id.Ref || o.Trigger != id.Trigger {
				t.Errorf("found %+v", o)
			}
		})
	}
}

// TestKeyEnded: npm's key had ended at the log's time.
func TestKeyEnded(t *testing.T) {
	s := newScene(t, built)
	var doc map[string]any
	if err := json.Unmarshal(s.sigstore.NPMKeys(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, k := range doc["keys"].([]any) {
		at(k, "publicKey", "validFor").(map[string]any)["end"] = "2026-02-01T00:00:00Z"
	}
	ended, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	s.inspector.Checker = s.checker(ended)
	s.denies(s.check(s.lock("foo@1.0.0")), "foo@1.0.0", verify.CodeKeyExpired)
	if s.inspector.Keys, err = sigstore.ParseRegistryKeys(ended); err != nil {
		t.Fatal(err)
	}
	s.denies(s.check(s.lock("foo@1.0.0")), "foo@1.0.0", verify.CodeKeyExpiredTimeUnsigned)
	// Published before the key's end, as the registry says: a warning; and nothing at
	// all once the digest is recorded.
	s = newScene(t, strings.Replace(built, `"provenance": true`, `"time": "2024-01-01T00:00:00Z", "signature": "expired-key"`, 1))
	if list := strings.Join(codes(s.check(s.lock("foo@1.0.0")), "foo@1.0.0"), ", "); list != "warn KEY_EXPIRED_TIME_UNSIGNED, warn NO_ATTESTATIONS" {
		t.Errorf("found %s", list)
	}
	s.record("foo@1.0.0")
	if list := strings.Join(codes(s.check(s.lock("foo@1.0.0")), "foo@1.0.0"), ", "); list != "warn NO_ATTESTATIONS" {
		t.Errorf("found %s", list)
	}
}

// TestTarballs: bytes that are others are called so, whether they can be read or not;
// a damaged entry of npm's cache is none.
func TestTarballs(t *testing.T) {
	s := newScene(t, built)
	lock := s.lock("foo@1.0.0")
	s.registry.Misbehave("/foo/-/", npmtest.WrongBytes())
	s.denies(s.checkOnce(lock), "foo@1.0.0", verify.CodeTarballMismatch)
	s.registry.Behave()
	s.registry.Misbehave("/foo/-/", npmtest.Body([]byte("no tarball")))
	s.denies(s.checkOnce(lock), "foo@1.0.0", verify.CodeTarballMismatch)
	s.registry.Behave()
	s.registry.Misbehave("/foo/-/", npmtest.Cut())
	if r := result(t, s.checkOnce(lock), "foo@1.0.0"); r.Outcome != npm.Undecided {
		t.Errorf("cut: %v %v", r.Outcome, r.Findings)
	}
	pkg := npm.Package{Name: "foo", Version: "1.0.0", Integrity: otherIntegrity}
	sum, err := npm.SHA512(otherIntegrity)
	if err != nil {
		t.Fatal(err)
	}
	cache := &npm.SourcedTarballs{Sources: []npm.TarballSource{npm.CachedTarballs{Files: fstest.MapFS{
		"_cacache/content-v2/sha512/" + sum[:2] + "/" + sum[2:4] + "/" + sum[4:]: {Data: []byte("damaged")},
	}}}}
	if contents, err := cache.Contents(context.Background(), pkg, ""); contents != nil || err != nil {
		t.Errorf("found %v, %v", contents, err)
	}
}

// TestEmptyObjects: what announces is an object, whether anything is in it or not.
func TestEmptyObjects(t *testing.T) {
	s := newScene(t, built)
	lock := s.lock("foo@1.0.0")
	s.registry.Misbehave("/-/npm/v1/attestations/", npmtest.Status(404, 0, ""))
	s.registry.Misbehave("/foo", npmtest.Edit(func(body []byte) []byte {
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil {
			return body // the tarball
		}
		at(doc, "versions", "1.0.0", "dist").(map[string]any)["attestations"] = map[string]any{}
		out, err := json.Marshal(doc)
		if err != nil {
			t.Error(err)
		}
		return out
	}))
	s.denies(s.check(lock), "foo@1.0.0", verify.CodeAttestationsWithheld)
}
