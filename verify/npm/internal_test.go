package npm

import (
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
)

func TestRepositoryURL(t *testing.T) {
	const want = "https://github.com/acme/foo"
	for _, s := range []string{
		"acme/foo", "github:acme/foo", "github:acme/foo#main", "https://github.com/acme/foo", "https://github.com/acme/foo.git", "git+https://github.com/acme/foo.git",
		"git://github.com/acme/foo.git", "git+ssh://git@github.com/acme/foo.git", "git@github.com:acme/foo.git", "https://www.github.com/acme/foo/",
		"https://github.com/acme/foo/tree/main/packages/x", "https://github.com/acme/foo#readme", "http://user:pass@github.com/acme/foo",
		"git+ssh://git@github.com:acme/foo.git", "ssh://git@github.com:acme/foo.git", "ssh://git:x@github.com:acme/foo.git", "git+ssh://github.com:acme/foo", "git://git@github.com:acme/foo.git",
		"git+https://github.com:acme/foo.git", "https://github.com:443/acme/foo", "https://github.com:22/acme/foo", "git@github.com/acme/foo.git", "git@github.com/acme/foo#main",
		"https:github.com/acme/foo", "http:github.com/acme/foo.git", "https:/github.com/acme/foo", "https:////github.com/acme/foo", "HTTPS://GitHub.com/acme/foo", "git@github.com:/acme/foo",
	} {
		if got := repositoryURL(s); got != want {
			t.Errorf("%s: expected %s, found %s", s, want, got)
		}
	}
	for _, s := range []string{"acme/foo-evil", "gitlab:acme/foo", "https://github.com.evil/acme/foo", "https://github.com/mallory/foo", "https://evil.example/github.com/acme/foo", "acme", "",
		"git@evil.example:github.com/acme/foo", "git+ssh://git@evil.example:github.com/acme/foo.git", "git://github.com@evil.example:acme/foo.git", "git@github.com@evil.example:acme/foo",
		"https://github.com@evil.example/acme/foo", "https://github.com:acme@evil.example/acme/foo", "https://evil.example:acme/foo", "https:evil.example/github.com/acme/foo", "https:evil.example/acme/foo",
		"git@github.com.evil/acme/foo.git", "git@evil.example/acme/foo.git", "ssh://git@github.com.evil:acme/foo.git", "ssh://git@github.com:mallory/foo.git", "git@github.com/mallory/foo.git",
		"https:github.com.evil/acme/foo", "github.com/acme/foo", "git+https://github.com:acme/foo-evil.git", "acme/foo@evil", "https://github.com:acme/../mallory/foo", "https://evil.example#@github.com:acme/foo",
		"https://evil.example?@github.com:acme/foo", "git@evil.example#@github.com/acme/foo"} {
		if got := repositoryURL(s); got == want {
			t.Errorf("%s is taken for %s", s, want)
		}
	}
	if got := repositoryURL("gitlab:group/sub/foo"); got != "https://gitlab.com/group/sub/foo" {
		t.Errorf("found %s", got)
	}
}

func TestSameRegistry(t *testing.T) {
	const one = "https://registry.example/npm/Private"
	for _, s := range []string{one, one + "/", "HTTPS://Registry.Example/npm/Private", "https://registry.example:443/npm/Private/"} {
		if !sameRegistry(one, s) || !sameRegistry(s, one) {
			t.Errorf("%s is not taken for %s", s, one)
		}
	}
	for _, s := range []string{
		"", "https://registry.example", "https://registry.example/npm/private", "http://registry.example/npm/Private", "https://registry.example:8443/npm/Private",
		"https://registry.example.evil/npm/Private", "https://user@registry.example.evil/npm/Private", "https://registry.example/npm/Private?x", "https://registry.example/npm/Private#x",
		"https://registry.example/npm%2FPrivate", "https://registry.example/npm/Private/../x", "https://registry.e\u212aample/npm/Private", "registry.example/npm/Private",
	} {
		if sameRegistry(one, s) || sameRegistry(s, one) {
			t.Errorf("%s is taken for %s", s, one)
		}
	}
	if sameRegistry("https://kay.example", "https://\u212aay.example") {
		t.Error("a letter that looks the same is taken for the same")
	}
}

func TestOriginOfURL(t *testing.T) {
	for address, want := range map[string]string{
		"https://registry.example/foo": "https://registry.example", "HTTPS://Registry.Example:443/foo": "https://registry.example", "http://registry.example:80/": "http://registry.example",
		"https://registry.example:80/foo": "https://registry.example:80", "http://registry.example:443": "http://registry.example:443", "https://registry.example:8443/foo": "https://registry.example:8443",
		"https://[::1]:443/foo": "https://[::1]",
	} {
		if got := originOfURL(address); got != want {
			t.Errorf("%s: expected %s, found %s", address, want, got)
		}
	}
}

// TestPackumentFaults: of two faults, the same is told each time.
func TestPackumentFaults(t *testing.T) {
	const body = `{"name":"a","versions":{"1.0.0":{},"2.0.0":null,"3.0.0":{}},"time":{"1.0.0":"x","3.0.0":"y"}}`
	for range 200 {
		if _, err := parsePackument([]byte(body), "a"); err == nil || err.Error() != "time: expected RFC 3339 times" {
			t.Fatalf("found %v", err)
		}
	}
}

// FuzzPackument: whatever a registry says, what is kept of it is read back the same.
func FuzzPackument(f *testing.F) {
	f.Add([]byte(`{"name":"a","versions":{"1.0.0":{"dist":{"integrity":"sha512-x","signatures":[{"keyid":"k","sig":"AAAA"}],"attestations":{}},"_npmUser":{"name":"u","trustedPublisher":{}},"maintainers":[{"name":"m"},"n <n@x>"]},"1.1.0":{"scripts":{"install":"x","test":1}}},"time":{"1.0.0":"2026-01-01T00:00:00Z","1.1.0":"2026-01-02T00:00:00.000Z","created":"x"}}`))
	f.Add([]byte(`{"name":"a","versions":{"1.0.0":null}}`))
	f.Add([]byte(`{"name":"a","versions":{"1.0.0":{"dist":{"attestations":{}},"_npmUser":{"trustedPublisher":{}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePackument(data, "a")
		if err != nil {
			return
		}
		for version := range p.versions {
			m, err := p.of(version)
			if err != nil {
				continue
			}
			body, err := jsonv2.Marshal(m, jsonv2.Deterministic(true))
			if err != nil {
				continue // what is no valid UTF-8 is not saved
			}
			again, err := parseMetadata(body)
			if err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			second, err := jsonv2.Marshal(again, jsonv2.Deterministic(true))
			if err != nil || string(second) != string(body) {
				t.Errorf("saved as %s, read as %s (%v)", body, second, err)
			}
			if again.announces() != m.announces() || again.User.trusted() != m.User.trusted() {
				t.Errorf("%s: what is announced is lost in %s", data, body)
			}
		}
	})
}

// FuzzExpectations: what is read is written the same, and read again.
func FuzzExpectations(f *testing.F) {
	f.Add([]byte(`{"schema":"` + ExpectationsSchema + `","packages":{"a@1":{"provenance":true,"repository":"https://github.com/a/a","versions":{"1.0.0":"sha512-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="},"except":["1.0.0"]}}}`))
	f.Add([]byte(`{"schema":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseExpectations(data)
		if err != nil {
			return
		}
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseExpectations(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if second, err := again.Encode(); err != nil || string(second) != string(text) {
			t.Errorf("%s became %s (%v)", text, second, err)
		}
	})
}

// FuzzAnswersFile: a file of answers never panics, and never is an answer about another
// package.
func FuzzAnswersFile(f *testing.F) {
	f.Add([]byte(`{"schema":"` + AnswersSchema + `","asked":{"name":"a","version":"1.0.0","registry":"https://registry.example"},"answers":{"metadata":{"status":200,"body":{"dist":{}}},"attestations":{"status":404}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		answered, err := parseAnswers(Package{Name: "a", Version: "1.0.0"}, data)
		if err == nil && answered.Attestations != nil && answered.AttestationsErr != nil {
			t.Error("an answer and none at once")
		}
	})
}
