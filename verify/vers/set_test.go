package vers

import (
	"fmt"
	"strings"
	"testing"
)

func mustPattern(t testing.TB, purl, vers string) Pattern {
	t.Helper()
	p, err := ParsePattern(purl, vers)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParsePatternRefuses(t *testing.T) {
	for name, c := range map[string]struct{ purl, vers string }{
		"empty":                   {"", ""},
		"no purl":                 {"event-stream", ""},
		"upper-case scheme":       {"PKG:npm/event-stream", ""},
		"no name":                 {"pkg:npm/", ""},
		"no type":                 {"pkg:event-stream", ""},
		"only a version":          {"pkg:npm/@1.0.0", ""},
		"version missing":         {"pkg:npm/event-stream@", ""},
		"version missing, query":  {"pkg:npm/event-stream@?a=b", ""},
		"two versions":            {"pkg:npm/event-stream@1.0.0@2.0.0", ""},
		"name with @":             {"pkg:npm/event-stream%401.0.0@2.0.0", ""},
		"no npm version":          {"pkg:npm/event-stream@latest", ""},
		"version *":               {"pkg:npm/event-stream@*", ""},
		"version * of no order":   {"pkg:deb/debian/openssl@*", ""},
		"version with a space":    {"pkg:deb/debian/openssl@1%20", ""},
		"version and range":       {"pkg:npm/event-stream@1.0.0", "vers:npm/1.0.0"},
		"part of a name":          {"pkg:npm/event-*", ""},
		"encoded star in a name":  {"pkg:npm/event-%2A", ""},
		"star in the namespace":   {"pkg:npm/*/x", ""},
		"star without namespace":  {"pkg:npm/*", ""},
		"malformed range":         {"pkg:npm/event-stream", "vers:npm/>1.0.0|>2.0.0"},
		"range of no scheme":      {"pkg:npm/event-stream", ">1.0.0"},
		"range of another type":   {"pkg:npm/event-stream", "vers:cargo/>1.0.0"},
		"generic for pypi":        {"pkg:pypi/django", "vers:generic/>=1.0.0"},
		"generic for deb":         {"pkg:deb/debian/openssl", "vers:generic/>=1.0.0"},
		"no order":                {"pkg:deb/debian/openssl", "vers:deb/<1.0"},
		"space":                   {"pkg:npm/event-stream ", ""},
		"encoded space":           {"pkg:npm/event-stream%20", ""},
		"NUL":                     {"pkg:npm/event-stream\x00", ""},
		"dots":                    {"pkg:npm/../event-stream", ""},
		"qualifier twice":         {"pkg:npm/event-stream?a=1&a=2", ""},
		"long":                    {"pkg:npm/" + strings.Repeat("a", maxPurl), ""},
		"bad percent":             {"pkg:npm/event-stream%", ""},
		"encoded twice":           {"pkg:npm/event%252Dstream", ""},
		"namespace and name only": {"pkg:npm/%2F", ""},
	} {
		p, err := ParsePattern(c.purl, c.vers)
		if err == nil {
			t.Errorf("%s: %.80q is accepted", name, c.purl)
		}
		if _, ok, err := NewSet(p).Match("pkg:npm/event-stream@1.0.0"); ok || err == nil {
			t.Errorf("%s: a set with the pattern beside the error answers", name)
		}
	}
}

// TestMatch: each line is a pattern, a component, and the answer: yes, no, or error
// where it cannot be told.
func TestMatch(t *testing.T) {
	const stream, scope, logging, long = "pkg:npm/event-stream@3.3.6", "pkg:npm/%40scope/*", "pkg:golang/github.com/Sirupsen/logrus", "1234567890123456789"
	for _, c := range []struct{ name, purl, vers, component, want string }{
		{"same", stream, "", "pkg:npm/event-stream@3.3.6", "yes"},
		{"other version", stream, "", "pkg:npm/event-stream@3.3.5", "no"},
		{"prerelease of it", stream, "", "pkg:npm/event-stream@3.3.6-rc.1", "no"},
		{"other name", stream, "", "pkg:npm/event-stream2@3.3.6", "no"},
		{"other type", stream, "", "pkg:cargo/event-stream@3.3.6", "no"},
		{"in a scope", stream, "", "pkg:npm/%40scope/event-stream@3.3.6", "no"},
		{"no version", stream, "", "pkg:npm/event-stream", "error"},
		{"empty version", stream, "", "pkg:npm/event-stream@", "error"},
		{"no version, other name", stream, "", "pkg:npm/event-streams", "no"},
		{"percent-encoded name", stream, "", "pkg:npm/%65vent%2Dstream@3.3.6", "yes"},
		{"percent-encoded version", stream, "", "pkg:npm/event-stream@3%2E3.6", "yes"},
		{"encoded twice", stream, "", "pkg:npm/event%252Dstream@3.3.6", "error"},
		{"upper case", stream, "", "pkg:npm/Event-Stream@3.3.6", "yes"},
		{"upper-case type and scheme", stream, "", "PKG:NPM/event-stream@3.3.6", "yes"},
		{"slashes after the scheme", stream, "", "pkg://npm/event-stream@3.3.6", "yes"},
		{"double slash", stream, "", "pkg:npm//event-stream@3.3.6", "yes"},
		{"encoded slash", stream, "", "pkg:npm/%2Fevent-stream@3.3.6", "yes"},
		{"dots", stream, "", "pkg:npm/./event-stream@3.3.6", "error"},
		{"dots up", stream, "", "pkg:npm/x/../event-stream@3.3.6", "error"},
		{"slash at the end", stream, "", "pkg:npm/event-stream/@3.3.6", "error"},
		{"v before the version", stream, "", "pkg:npm/event-stream@v3.3.6", "yes"},
		{"= before the version", stream, "", "pkg:npm/event-stream@=3.3.6", "error"},
		{"build metadata", stream, "", "pkg:npm/event-stream@3.3.6%2Bharmless", "yes"},
		{"leading zero", stream, "", "pkg:npm/event-stream@3.3.06", "error"},
		{"long number", stream, "", "pkg:npm/event-stream@3.3." + long, "error"},
		{"a tag", stream, "", "pkg:npm/event-stream@latest", "error"},
		{"a path in the version", stream, "", "pkg:npm/event-stream@3.3.6/x", "error"},
		{"NUL in the version", stream, "", "pkg:npm/event-stream@3.3.6%00", "error"},
		{"NUL in the name", stream, "", "pkg:npm/event-stream%00@3.3.6", "error"},
		{"raw NUL", stream, "", "pkg:npm/event-stream\x00@3.3.6", "error"},
		{"space after the version", stream, "", "pkg:npm/event-stream@3.3.6%20", "error"},
		{"space after the name", stream, "", "pkg:npm/event-stream%20@3.3.6", "error"},
		{"raw space", stream, "", "pkg:npm/event-stream@3.3.6 ", "error"},
		{"wide space", stream, "", "pkg:npm/event-stream%E3%80%80@3.3.6", "error"},
		{"invisible character", stream, "", "pkg:npm/event%E2%80%8B-stream@3.3.6", "error"},
		{"right to left", stream, "", "pkg:npm/event-stream%E2%80%AE@3.3.6", "error"},
		{"no UTF-8", stream, "", "pkg:npm/event-stream%FF@3.3.6", "error"},
		{"look-alike (not matched)", stream, "", "pkg:npm/%D0%B5vent-stream@3.3.6", "no"},
		{"look-alike digit", stream, "", "pkg:npm/event-stream@3.3.%EF%BC%96", "error"},
		{"two versions", stream, "", "pkg:npm/event-stream@3.3.6@1.0.0", "error"},
		{"version in the name", stream, "", "pkg:npm/event-stream%403.3.6@1.0.0", "error"},
		{"qualifiers", stream, "", "pkg:npm/event-stream@3.3.6?vcs_url=git@github.com&a=%40", "yes"},
		{"subpath", stream, "", "pkg:npm/event-stream@3.3.6#index.js", "yes"},
		{"qualifier twice", stream, "", "pkg:npm/event-stream@3.3.6?a=1&a=2", "error"},
		{"bad percent", stream, "", "pkg:npm/event-stream%@3.3.6", "error"},
		{"no purl", stream, "", "event-stream@3.3.6", "error"},
		{"empty", stream, "", "", "error"},
		{"long purl", stream, "", "pkg:npm/" + strings.Repeat("a", maxPurl), "error"},
		{"any version", "pkg:npm/event-stream", "", "pkg:npm/event-stream@latest", "yes"},
		{"any version, none", "pkg:npm/event-stream", "", "pkg:npm/event-stream", "yes"},
		{"any range, none", "pkg:npm/event-stream", "vers:npm/*", "pkg:npm/event-stream", "yes"},
		{"pattern in upper case", "pkg:npm/Event-Stream", "", "pkg:npm/event-stream@1.0.0", "yes"},

		{"scope", scope, "", "pkg:npm/%40scope/x@1.0.0", "yes"},
		{"scope in upper case", scope, "", "pkg:npm/%40SCOPE/x@1.0.0", "yes"},
		{"raw @", scope, "", "pkg:npm/@scope/x@1.0.0", "yes"},
		{"scope without @", scope, "", "pkg:npm/scope/x@1.0.0", "yes"},
		{"scope with encoded slash", scope, "", "pkg:npm/%40scope%2Fx@1.0.0", "yes"},
		{"double slash after scope", scope, "", "pkg:npm/%40scope//x@1.0.0", "yes"},
		{"other scope", scope, "", "pkg:npm/%40scope2/x@1.0.0", "no"},
		{"name like the scope", scope, "", "pkg:npm/scope@1.0.0", "no"},
		{"scope, without version", scope, "", "pkg:npm/%40scope/x", "yes"},
		{"scope, range", scope, "vers:npm/<2.0.0", "pkg:npm/%40scope/x@1.0.0", "yes"},
		{"scope, range, no version", scope, "vers:npm/<2.0.0", "pkg:npm/%40scope/x", "error"},
		{"name is a star", stream, "", "pkg:npm/%2A@3.3.6", "no"},
		{"namespace below", "pkg:golang/github.com/evil/*", "", "pkg:golang/github.com/evil/x/v2@v2.0.0", "yes"},
		{"namespace beside", "pkg:golang/github.com/evil/*", "", "pkg:golang/github.com/evil2/x@v2.0.0", "no"},
		{"namespace itself", "pkg:golang/github.com/evil/*", "", "pkg:golang/github.com/evil@v2.0.0", "no"},

		{"golang case", logging, "", "pkg:golang/github.com/sirupsen/Logrus@v1.0.0", "yes"},
		{"golang module cache", logging, "", "pkg:golang/github.com/%21sirupsen/logrus@v1.0.0", "yes"},
		{"golang encoded path", logging, "", "pkg:golang/github.com%2FSirupsen%2Flogrus@v1.0.0", "yes"},
		{"golang version without v", logging, "vers:golang/<v1.2.0", "pkg:golang/github.com/sirupsen/logrus@1.1.0", "yes"},
		{"golang incompatible", logging, "vers:golang/v2.0.0", "pkg:golang/github.com/sirupsen/logrus@v2.0.0%2Bincompatible", "yes"},
		{"golang raw +", logging, "vers:golang/v2.0.0", "pkg:golang/github.com/sirupsen/logrus@v2.0.0+incompatible", "yes"},
		{"golang devel", logging, "vers:golang/v2.0.0", "pkg:golang/github.com/sirupsen/logrus@(devel)", "error"},
		{"github case", "pkg:github/Actions/Checkout@v4.1.0", "", "pkg:github/actions/checkout@4.1.0", "yes"},
		{"github commit for a version", "pkg:github/actions/checkout@v4.1.0", "", "pkg:github/actions/checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "error"},
		{"github commit", "pkg:github/actions/checkout@aaaa", "", "pkg:github/actions/checkout@aaaa", "yes"},
		{"github other commit", "pkg:github/actions/checkout@aaaa", "", "pkg:github/actions/checkout@bbbb", "no"},
		{"oci digest", "pkg:oci/app@sha256%3Aaa", "", "pkg:oci/App@sha256:aa", "yes"},
		{"oci other digest", "pkg:oci/app@sha256%3Aaa", "", "pkg:oci/app@sha256:bb", "no"},
		{"pypi folding", "pkg:pypi/zope.interface", "", "pkg:pypi/Zope_-Interface@5.0", "yes"},
		{"pypi folding, pattern", "pkg:pypi/Zope__interface", "", "pkg:pypi/zope.interface@5.0", "yes"},
		{"pypi spelling of a version", "pkg:pypi/django@1.0rc1", "", "pkg:pypi/django@1.0.0.RC1", "yes"},
		{"pypi equal version", "pkg:pypi/django@1.0rc1", "", "pkg:pypi/django@1.0.0-rc.1", "yes"},
		{"pypi local", "pkg:pypi/django@1.0", "", "pkg:pypi/django@1.0%2Bacme", "yes"},
		{"nuget case", "pkg:nuget/Newtonsoft.Json@13.0.1", "", "pkg:nuget/newtonsoft.json@13.0.1.0", "yes"},
		{"maven", "pkg:maven/org.apache.logging.log4j/log4j-core", "vers:maven/<2.17.1", "pkg:maven/org.apache.logging.log4j/log4j-core@2.14", "yes"},
		{"maven case is kept", "pkg:maven/org.x/Core@1.0", "", "pkg:maven/org.x/core@1.0", "no"},
		{"cargo case is kept", "pkg:cargo/Serde", "", "pkg:cargo/serde@1.0.0", "no"},
		{"deb equal", "pkg:deb/debian/xz-utils@5.6.0-0.2", "", "pkg:deb/debian/xz-utils@5.6.0-0.2?arch=amd64", "yes"},
		{"deb not equal", "pkg:deb/debian/xz-utils@5.6.0-0.2", "", "pkg:deb/debian/xz-utils@5.6.0-0.3", "no"},
		{"deb list", "pkg:deb/debian/xz-utils", "vers:deb/5.6.0-0.2|5.6.1-1", "pkg:deb/debian/xz-utils@5.6.1-1", "yes"},
		{"generic range", "pkg:npm/x", "vers:generic/<2.0.0", "pkg:npm/x@1.9.0", "yes"},
		{"generic range for a type without order", "pkg:hex/x", "vers:generic/<2.0.0", "pkg:hex/x@1.9.0", "yes"},
		{"generic, unordered", "pkg:generic/x", "vers:generic/<2.0.0", "pkg:generic/x@2024a", "error"},
		{"generic with spaces", "pkg:generic/x", "", "pkg:generic/My%20App@1", "no"},
		{"qualifier", "pkg:deb/debian/x?arch=amd64", "", "pkg:deb/debian/x@1?arch=amd64&distro=y", "yes"},
		{"other qualifier", "pkg:deb/debian/x?arch=amd64", "", "pkg:deb/debian/x@1?arch=arm64", "no"},
		{"no qualifier", "pkg:deb/debian/x?arch=amd64", "", "pkg:deb/debian/x@1", "error"},
		{"no qualifier, other version", "pkg:deb/debian/x@1?arch=amd64", "", "pkg:deb/debian/x@2", "no"},
		{"subpath of the pattern", "pkg:golang/a.b/c#d", "", "pkg:golang/a.b/c@v1.0.0#d", "yes"},
		{"other subpath", "pkg:golang/a.b/c#d", "", "pkg:golang/a.b/c@v1.0.0#e", "no"},
		{"no subpath", "pkg:golang/a.b/c#d", "", "pkg:golang/a.b/c@v1.0.0", "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mustPattern(t, c.purl, c.vers)
			found, ok, err := NewSet(p).Match(c.component)
			got := map[bool]string{true: "yes", false: "no"}[ok]
			if err != nil {
				got = "error"
				if ok {
					t.Error("yes beside an error")
				}
			}
			if got != c.want {
				t.Errorf("%s and %.80q: expected %s, got %s, %v", p, c.component, c.want, got, err)
			}
			if ok != (found.String() != "") || (ok && found.String() != strings.TrimSpace(c.purl+" "+c.vers)) {
				t.Errorf("found %q", found)
			}
		})
	}
}

func TestSetOrder(t *testing.T) {
	s := NewSet(
		mustPattern(t, "pkg:npm/%40a/*", "vers:npm/<1.0.0"),
		mustPattern(t, "pkg:npm/%40a/b", "vers:npm/<2.0.0"),
		mustPattern(t, "pkg:npm/%40a/*", ""),
		mustPattern(t, "pkg:npm/%40a/b", "vers:npm/<3.0.0"),
		mustPattern(t, "pkg:npm/c@1.0.0", ""),
	)
	for component, want := range map[string]string{
		"pkg:npm/%40a/b@0.1.0": "pkg:npm/%40a/* vers:npm/<1.0.0",
		"pkg:npm/%40a/b@1.1.0": "pkg:npm/%40a/b vers:npm/<2.0.0",
		"pkg:npm/%40a/b@2.1.0": "pkg:npm/%40a/*",
		// The first cannot tell, the third can.
		"pkg:npm/%40a/b":       "pkg:npm/%40a/*",
		"pkg:npm/%40a/c@1.0.0": "pkg:npm/%40a/*",
	} {
		p, ok, err := s.Match(component)
		if !ok || err != nil || p.String() != want {
			t.Errorf("%s: expected %s, got %s, %v, %v", component, want, p, ok, err)
		}
	}
}

func TestEmptySet(t *testing.T) {
	good := mustPattern(t, "pkg:npm/x", "")
	for name, s := range map[string]*Set{"nil": nil, "zero": {}, "empty": NewSet(), "zero pattern": NewSet(good, Pattern{})} {
		if _, ok, err := s.Match("pkg:npm/y@1.0.0"); ok || err == nil {
			t.Errorf("%s: answers", name)
		}
	}
}

// FuzzMatch: no panic, never yes beside an error, and a component with the name and
// the version of a pattern is never let through.
func FuzzMatch(f *testing.F) {
	for _, c := range [][3]string{
		{"pkg:npm/event-stream@3.3.6", "", "pkg:npm/Event-Stream@v3.3.6"},
		{"pkg:npm/%40scope/*", "vers:npm/<2.0.0", "pkg:npm/@scope/x@1.0.0"},
		{"pkg:golang/github.com/Sirupsen/logrus", "vers:golang/<v1.2.0", "pkg:golang/github.com/%21sirupsen/logrus@v1.1.0+incompatible"},
		{"pkg:maven/org.x/core", "vers:maven/<2.0-beta9", "pkg:maven/org.x/core@1.0.Final"},
		{"pkg:pypi/zope.interface@1.0rc1", "", "pkg:pypi/Zope_interface@1.0.0-rc.1"},
		{"pkg:deb/debian/x@1?arch=amd64#a", "", "pkg:deb/debian/x@1"},
	} {
		f.Add(c[0], c[1], c[2])
	}
	f.Fuzz(func(t *testing.T, purl, vers, component string) {
		p, err := ParsePattern(purl, vers)
		s := NewSet(p)
		found, ok, matchErr := s.Match(component)
		if ok && (matchErr != nil || err != nil || found.String() != p.String()) {
			t.Fatalf("%q matches beside an error: %v, %v", component, err, matchErr)
		}
		if err != nil {
			if matchErr == nil {
				t.Fatalf("%q %q: the pattern beside the error answers", purl, vers)
			}
			return
		}
		if vers == "" && !p.anyName {
			if _, ok, err := s.Match(purl); !ok && err == nil {
				t.Fatalf("%q does not match itself", purl)
			}
			upper := strings.Replace(purl, "pkg:"+p.target.kind, "pkg:"+strings.ToUpper(p.target.kind), 1)
			if _, ok, err := s.Match(upper); !ok && err == nil {
				t.Fatalf("%q does not match %q", purl, upper)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	var patterns []Pattern
	for i := range 500 {
		switch i % 5 {
		case 0:
			patterns = append(patterns, mustPattern(b, fmt.Sprintf("pkg:npm/%%40scope%d/*", i), ""))
		case 1:
			patterns = append(patterns, mustPattern(b, fmt.Sprintf("pkg:npm/name%d@1.2.3", i), ""))
		default:
			patterns = append(patterns, mustPattern(b, fmt.Sprintf("pkg:npm/name%d", i), "vers:npm/>=1.2.0|!=1.2.5|<1.2.9"))
		}
	}
	s := NewSet(patterns...)
	components := make([]string, 10000)
	for i := range components {
		components[i] = fmt.Sprintf("pkg:npm/name%d@2.%d.0", i, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range components {
			if _, ok, err := s.Match(c); ok || err != nil {
				b.Fatal(c, ok, err)
			}
		}
	}
}

func BenchmarkContains(b *testing.B) {
	var text strings.Builder
	text.WriteString("vers:npm/0.0.1")
	for i := 1; i < maxConstraints; i++ {
		fmt.Fprintf(&text, "|%d.0.0", i)
	}
	r, err := Parse(text.String())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, err := r.Contains("999.0.1"); ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
