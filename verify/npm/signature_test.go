package npm_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm/npmtest"
)

// packument is a misbehaviour that changes a package's document, and no tarball.
func packument(t *testing.T, change func(doc map[string]any)) npmtest.Misbehaviour {
	return npmtest.Edit(func(body []byte) []byte {
		var doc map[string]any
		if json.Unmarshal(body, &doc) != nil {
			return body // the tarball
		}
		change(doc)
		out, err := json.Marshal(doc)
		if err != nil {
			t.Error(err)
		}
		return out
	})
}

// TestKeyEndedTime: what a signature by an ended key is worth depends on who says when
// the version was published: the log, which is signed, before the registry, which is not.
func TestKeyEndedTime(t *testing.T) {
	const before, after = "2024-01-01T00:00:00Z", "2026-03-01T12:00:00Z"
	told := func(when any) func(map[string]any) {
		return func(doc map[string]any) { at(doc, "time").(map[string]any)["1.0.0"] = when }
	}
	for name, c := range map[string]struct {
		published  string // as the log says, where there is provenance
		provenance bool
		told       func(doc map[string]any)
		want       string
	}{
		"the registry says before":                 {before, false, nil, "warn"},
		"the registry says after":                  {after, false, nil, "deny"},
		"nobody says when":                         {before, false, func(doc map[string]any) { delete(doc, "time") }, "deny"},
		"not of this version":                      {before, false, func(doc map[string]any) { delete(at(doc, "time").(map[string]any), "1.0.0") }, "deny"},
		"at the key's end":                         {before, false, told("2025-01-29T00:00:00Z"), "deny"},
		"a second before it":                       {before, false, told("2025-01-28T23:59:59Z"), "warn"},
		"the log says before":                      {before, true, nil, ""},
		"the log says before, the registry after":  {before, true, told(after), ""},
		"the log says before, the registry not":    {before, true, func(doc map[string]any) { delete(doc, "time") }, ""},
		"the log says after, the registry before":  {after, true, told(before), "deny"},
		"the log says after, the registry nothing": {after, true, func(doc map[string]any) { delete(doc, "time") }, "deny"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := `"time": "` + c.published + `", "signature": "expired-key"`
			if c.provenance {
				settings += `, "provenance": true`
			}
			s := newScene(t, strings.Replace(built, `"provenance": true`, settings, 1))
			lock := s.lock("foo@1.0.0")
			if c.told != nil {
				s.registry.Misbehave("/foo", packument(t, c.told))
			}
			effect := ""
			for _, f := range result(t, s.check(lock), "foo@1.0.0").Findings {
				if f.Code == verify.CodeKeyExpiredTimeUnsigned {
					effect = f.Effect.String()
				}
			}
			if effect != c.want {
				t.Errorf("expected %q, found %q", c.want, effect)
			}
		})
	}
}

// TestKeyEndedRecorded: a digest that the expectations hold needs no time.
func TestKeyEndedRecorded(t *testing.T) {
	s := newScene(t, strings.Replace(built, `"provenance": true`, `"time": "2024-01-01T00:00:00Z", "signature": "expired-key"`, 1))
	s.record("foo@1.0.0")
	s.registry.Misbehave("/foo", packument(t, func(doc map[string]any) { delete(doc, "time") }))
	if list := codes(s.check(s.lock("foo@1.0.0")), "foo@1.0.0"); slices.ContainsFunc(list, func(c string) bool { return strings.HasSuffix(c, "KEY_EXPIRED_TIME_UNSIGNED") }) {
		t.Errorf("found %v", list)
	}
}

// TestTwoSignatures: a signature by a current key makes one by an ended key, which says
// the same, of no moment; one that does not hold denies beside whatever does.
func TestTwoSignatures(t *testing.T) {
	const ended = "KEY_EXPIRED_TIME_UNSIGNED"
	signatures := func(kind string) any {
		s := newScene(t, strings.Replace(built, `"provenance": true`, `"signature": "`+kind+`"`, 1))
		s.lock("foo@1.0.0")
		answer, err := http.Get(s.base + "/foo")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var doc map[string]any
		if err := json.NewDecoder(answer.Body).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		return at(doc, "versions", "1.0.0", "dist", "signatures", 0)
	}
	current, old, unknown := signatures(""), signatures("expired-key"), signatures("other-key")
	for name, c := range map[string]struct {
		signatures []any
		want       string
	}{
		"by the current key":            {[]any{current}, ""},
		"by both":                       {[]any{current, old}, ""},
		"by both, the ended one first":  {[]any{old, current}, ""},
		"by the ended key":              {[]any{old}, "deny " + ended},
		"by the ended one, twice":       {[]any{old, old}, "deny " + ended},
		"by the current and no known":   {[]any{current, unknown}, "deny REGISTRY_KEY_UNKNOWN"},
		"by the ended one and no known": {[]any{old, unknown}, "deny REGISTRY_KEY_UNKNOWN deny " + ended},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, strings.Replace(built, `"provenance": true, `, "", 1))
			lock := s.lock("foo@1.0.0")
			s.registry.Misbehave("/foo", packument(t, func(doc map[string]any) {
				at(doc, "versions", "1.0.0", "dist").(map[string]any)["signatures"] = c.signatures
			}))
			report := s.check(lock)
			list := slices.DeleteFunc(codes(report, "foo@1.0.0"), func(code string) bool { return code == "warn NO_ATTESTATIONS" })
			if got := strings.Join(list, " "); got != c.want {
				t.Errorf("expected %q, found %q", c.want, got)
			}
			if r := result(t, report, "foo@1.0.0"); !strings.HasPrefix(name, "by the ended") && (r.Signature == nil || !r.Signature.KeyEnded.IsZero()) {
				t.Errorf("the current key's signature is not told: %+v", r.Signature)
			}
		})
	}
}

// TestOrder: all that speaks against a package is told in the order of the steps.
func TestOrder(t *testing.T) {
	s := newScene(t, "-- foo@1.0.0/package/package.json --\n{\"name\": \"foo\", \"version\": \"1.0.0\", \"repository\": \"github:acme/bar\", \"scripts\": {\"postinstall\": \"node x.js\"}}\n"+
		"-- foo@1.0.0/registry.json --\n{\"provenance\": {\"repository\": \"https://github.com/acme/foo\", \"runner\": \"self-hosted\"}, \"signature\": \"expired-key\", \"time\": \"2026-11-22T12:00:00Z\"}\n"+
		"-- bar@1.0.0/package/package.json --\n{\"name\": \"bar\", \"version\": \"1.0.0\"}\n")
	s.record("bar@1.0.0")
	s.inspector.Advisories = malicious{"foo@1.0.0"}
	s.inspector.Registry = "https://registry.example"
	lock := swap(t, s.lock("foo@1.0.0"), "node_modules/foo", func(e map[string]any) { e["resolved"] = "https://elsewhere.example/foo/-/foo-1.0.0.tgz" })
	want := "deny RESOLVED_ELSEWHERE, deny KEY_EXPIRED_TIME_UNSIGNED, deny PUBLISH_REGISTRY_DIFFERS, deny RUNNER_SELF_HOSTED, deny MANIFEST_REPOSITORY_DIFFERS, " +
		"warn NEW_PACKAGE, deny TOO_YOUNG, warn INSTALL_SCRIPT, deny MALICIOUS"
	report := s.check(lock)
	if got := strings.Join(codes(report, "foo@1.0.0"), ", "); got != want {
		t.Errorf("found %s", got)
	}
	if r := result(t, report, "foo@1.0.0"); r.Reason == nil || r.Reason.Code != verify.CodeMalicious {
		t.Errorf("that it is malicious is not what it is denied for first: %+v", r.Reason)
	}
}
