package vers

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	many := "vers:npm/" + strings.Repeat("1|", maxConstraints) + "1"
	for name, text := range map[string]string{
		"empty":                      "",
		"no scheme":                  "npm/1.0.0",
		"upper-case scheme":          "VERS:npm/1.0.0",
		"upper-case type":            "vers:NPM/1.0.0",
		"no type":                    "vers:/1.0.0",
		"type is a number":           "vers:1/1.0.0",
		"type percent-encoded":       "vers:np%6D/1.0.0",
		"reserved type invalid":      "vers:invalid/1.0.0",
		"no slash":                   "vers:npm",
		"no constraints":             "vers:npm/",
		"only a pipe":                "vers:npm/|",
		"leading pipe":               "vers:npm/|1.0.0",
		"trailing pipe":              "vers:npm/1.0.0|",
		"two pipes":                  "vers:npm/1.0.0||2.0.0",
		"explicit equal":             "vers:npm/=1.0.0",
		"double equal":               "vers:npm/==1.0.0",
		"comparator alone":           "vers:npm/>=",
		"unknown comparator":         "vers:npm/~1.0.0",
		"reversed comparator":        "vers:npm/=>1.0.0",
		"star with others":           "vers:npm/*|1.0.0",
		"star twice":                 "vers:npm/**",
		"star with version":          "vers:npm/*1.0.0",
		"star after comparator":      "vers:npm/>=*",
		"star encoded":               "vers:npm/%2A",
		"wildcard":                   "vers:npm/1.x",
		"space":                      "vers:npm/>= 1.0.0",
		"leading space":              " vers:npm/1.0.0",
		"trailing space":             "vers:npm/1.0.0 ",
		"newline":                    "vers:npm/1.0.0\n",
		"encoded space":              "vers:npm/1.0.0%20",
		"encoded newline":            "vers:npm/1.0.0%0A",
		"NUL":                        "vers:npm/1.0.0\x00",
		"encoded NUL":                "vers:npm/1.0.0%00",
		"not ASCII":                  "vers:npm/1.0.０",
		"encoded not ASCII":          "vers:foo/1.0.%EF%BC%90",
		"infinity":                   "vers:maven/%E2%88%9E",
		"bad percent":                "vers:npm/1.0.0%",
		"bad percent digits":         "vers:npm/1.0.0%zz",
		"encoded twice":              "vers:npm/%253E1.0.0",
		"not sorted":                 "vers:npm/2.0.0|1.0.0",
		"not sorted as versions":     "vers:npm/1.10.0|1.9.0",
		"not sorted !=":              "vers:npm/>=1.2.0|<1.2.9|!=1.2.5",
		"twice":                      "vers:npm/1.0.0|1.0.0",
		"twice with comparator":      "vers:npm/<1.0.0|>=1.0.0",
		"twice, written differently": "vers:npm/1.0.0|1.0.0+build",
		"twice, unknown type":        "vers:foo/1|!=1",
		"two lower bounds":           "vers:npm/>1.0.0|>=2.0.0",
		"two upper bounds":           "vers:npm/<1.0.0|<=2.0.0",
		"two upper bounds, !=":       "vers:npm/<1.0.0|!=1.5.0|<=2.0.0",
		"equal, then upper":          "vers:npm/1.0.0|<2.0.0",
		"lower, then equal":          "vers:npm/>1.0.0|1.5.0|<2.0.0",
		"unknown type, redundant":    "vers:foo/>1|>2",
		"no version":                 "vers:npm/latest",
		"leading zero":               "vers:npm/01.0.0",
		"long number":                "vers:npm/1.0.0-1234567890123456789",
		"long version":               "vers:foo/" + strings.Repeat("1", maxVersion+1),
		"many constraints":           many,
		"long":                       "vers:foo/" + strings.Repeat("1", maxRange),
	} {
		r, err := Parse(text)
		if err == nil {
			t.Errorf("%s: %.80q is accepted", name, text)
		}
		if _, err := r.Contains("1.0.0"); err == nil {
			t.Errorf("%s: the range returned with the error contains or does not contain", name)
		}
	}
}

func TestContains(t *testing.T) {
	for _, c := range []struct{ text, in, out, unclear string }{
		{"vers:npm/*", "1.0.0 0.0.0-0 latest", "", ""},
		{"vers:foo/*", "1 x", "", ""},
		{"vers:npm/1.2.3", "1.2.3 v1.2.3 1.2.3+build", "1.2.4 1.2.3-rc.1 2.0.0", "1.2.03 latest 1.2.3\x00 1.2.3\u200b １.2.3 =1.2.3 1.2.x 1.2.* 1.2.3. *"},
		{"vers:npm/>=1.2.0|!=1.2.5|<1.2.9", "1.2.0 1.2.4 1.2.6 1.2.8 1.2.9-rc.1", "1.2.5 1.2.5+x 1.2.9 1.1.9 1.3.0 1.2.0-rc.1", "01.2.1 git+ssh://x#1.2.1"},
		{"vers:npm/>1.0.0", "1.0.1 99999.0.0 2.0.0-rc.1", "1.0.0 0.9.0 1.0.0-rc.1", ""},
		{"vers:npm/>=1.0.0", "1.0.0 1.0.1", "0.9.0", ""},
		{"vers:npm/<1.0.0", "0.9.0 1.0.0-rc.1", "1.0.0 1.0.1", ""},
		{"vers:npm/<=1.0.0", "0.9.0 1.0.0", "1.0.1", ""},
		{"vers:npm/<1.0.0|>=2.0.0", "0.1.0 2.0.0 3.0.0", "1.0.0 1.5.0 1.9.9", ""},
		{"vers:npm/<1.0.0|>=2.0.0|<3.0.0|>4.0.0|<=5.0.0", "0.1.0 2.5.0 4.0.1 5.0.0", "1.0.0 3.0.0 3.5.0 4.0.0 5.0.1", ""},
		{"vers:npm/<1.0.0|1.5.0|2.5.0|>=4.0.0", "0.1.0 1.5.0 2.5.0 4.0.0", "1.0.0 1.6.0 3.9.0", ""},
		{"vers:npm/1.0.0|>=2.0.0", "1.0.0 2.0.0", "1.5.0 0.9.0", ""},
		{"vers:npm/1.0.0|!=1.5.0", "1.0.0", "1.5.0 1.4.0", ""},
		{"vers:npm/!=1.5.0", "1.0.0 2.0.0", "1.5.0 1.5.0+x", "latest"},
		{"vers:npm/!=1.5.0|!=1.6.0", "1.0.0 2.0.0", "1.5.0 1.6.0", ""},
		{"vers:npm/!=0.5.0|<1.0.0|!=3.0.0|>=4.0.0|!=5.0.0", "0.4.0 4.0.0 6.0.0", "0.5.0 3.0.0 5.0.0 2.0.0", ""},
		{"vers:npm/<2.0.0-rc.10", "2.0.0-rc.9 2.0.0-beta 2.0.0-999999999999999999", "2.0.0 2.0.0-rc.10 2.0.0-rc.11", "2.0.0-1000000000000000000"},
		{"vers:golang/>=1.2.0|<v2.0.0", "v1.2.0 1.2.0 v1.9.9 v1.2.1-0.20200101000000-abcdefabcdef", "v2.0.0 v2.0.0+incompatible v1.1.0 2.1.0+incompatible", "V1.2.0 vv1.2.0 (devel) v01.2.0 master go1.2.3"},
		{"vers:golang/v2.0.0%2Bincompatible", "v2.0.0 v2.0.0+incompatible 2.0.0", "v2.0.1+incompatible", ""},
		{"vers:pypi/<=1.0", "1.0 1.0.0 1.0+acme 0.9 1.0rc1 1.0.dev1", "1.0.1 1.0.post1 2!0.1", "latest 1.0+ 1.0_x"},
		{"vers:pypi/1.0%2Bacme", "1.0+acme", "1.0 1.0+other", ""},
		{"vers:pypi/>=2021.5.30|<2022", "2021.5.30 2021.12.1", "2022.1.1", ""},
		{"vers:maven/>=2.0-beta9|<2.15.0", "2.0-beta9 2.0 2.14.1 2.15.0-SNAPSHOT 2.15.0-rc1", "2.15 2.15.0 2.16.0 1.9 2.0-beta8", "2.1∞ 2.1.99999999999999999999 2.15.0.Final 2.01 1A00 2.0-jre"},
		{"vers:nuget/<1.0.0", "0.9 1.0.0-Alpha 1.0.0-beta", "1.0 1.0.0.0 1.0.0.1", ""},
		{"vers:gem/>=1.0|<2.0.beta2", "1.0 1.9.9.9 2.0.beta1 2.0.a", "2.0 2.0.beta2 2.0.rc1", "2.0.beta.0.1 2.0.beta..1"},
		{"vers:cargo/<1.0.0", "0.9.0 1.0.0-alpha", "1.0.0 1.0.0+x", "latest"},
		{"vers:generic/<2.0.0", "1.9.9 v1.9 1", "2.0.0 v2.1", "2024a sha256:00"},
		{"vers:github/<2.0.0", "v1.9.9", "v2.0.0", "v1 v1.9 1234567890123456789012345678901234567890"},
		{"vers:oci/<2.0.0", "1.9.9", "2.0.0", "1 latest sha256:00"},
		{"vers:deb/1.0-1|2.0-1", "1.0-1 2.0-1", "1.0-2 1.5", "1.0\x00"},
		{"vers:rpm/!=1.0-1", "1.0-2", "1.0-1", ""},
		{"vers:deb/1.0-1|>=2.0-1|!=3", "1.0-1 2.0-1", "3", "1.0-2 2.0-2"},
		{"vers:deb/<2.0-1", "", "", "1.0 2.0-1"},
		{"vers:foo/a%7Cb", "a|b", "a b", ""},
	} {
		r, err := Parse(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		if want := strings.TrimPrefix(c.text[:strings.Index(c.text, "/")], "vers:"); r.Type() != want || r.String() != c.text {
			t.Errorf("%s: type %q, string %q", c.text, r.Type(), r)
		}
		for _, v := range strings.Fields(c.in) {
			if ok, err := r.Contains(v); !ok || err != nil {
				t.Errorf("%s: %q: expected in, got %v, %v", c.text, v, ok, err)
			}
		}
		for _, v := range strings.Fields(c.out) {
			if ok, err := r.Contains(v); ok || err != nil {
				t.Errorf("%s: %q: expected out, got %v, %v", c.text, v, ok, err)
			}
		}
		for _, v := range strings.Fields(c.unclear) {
			if ok, err := r.Contains(v); ok || err == nil {
				t.Errorf("%s: %q: expected an error, got %v", c.text, v, ok)
			}
		}
		if ok, err := r.Contains(""); ok || err == nil {
			t.Errorf("%s: the empty version: expected an error, got %v", c.text, ok)
		}
		for _, v := range []string{"1.2.3 ", " 1.2.3", strings.Repeat("1.", maxVersion) + "1"} {
			if ok, err := r.Contains(v); !r.all && (ok || err == nil) {
				t.Errorf("%s: %.20q: expected an error, got %v", c.text, v, ok)
			}
		}
	}
}

func TestZeroRange(t *testing.T) {
	if ok, err := (Range{}).Contains("1.0.0"); ok || err == nil {
		t.Error("the zero range answers")
	}
}

func TestAtLeast(t *testing.T) {
	for _, c := range []struct {
		kind, version, least string
		want                 string
	}{
		{"npm", "1.2.3", "1.2.3", "true"},
		{"npm", "1.10.0", "1.9.0", "true"},
		{"npm", "1.2.3-rc.1", "1.2.3", "false"},
		{"npm", "1.2.2", "1.2.3", "false"},
		{"npm", "1.2.3+old", "1.2.3", "true"},
		{"npm", "latest", "1.2.3", "error"},
		{"npm", "", "1.2.3", "error"},
		{"npm", "1.2.3", "", "error"},
		{"npm", "01.2.3", "1.2.3", "error"},
		{"npm", "9999999999999999999.0.0", "1.2.3", "error"},
		{"NPM", "1.2.3", "1.2.3", "error"},
		{"golang", "v1.2.3", "1.2.3", "true"},
		{"golang", "v1.2.2", "v1.2.3", "false"},
		{"pypi", "1.0.post1", "1.0", "true"},
		{"pypi", "1.0rc1", "1.0", "false"},
		{"pypi", "1.0+x", "1.0", "true"},
		{"maven", "1.0-SNAPSHOT", "1.0", "false"},
		{"nuget", "1.0.0.1", "1.0", "true"},
		{"gem", "1.0.a", "1.0", "false"},
		{"cargo", "1.0.0", "1.0.1", "false"},
		{"generic", "v2.1", "2.0.9", "true"},
		{"oci", "2.1.0", "2.0.9", "true"},
		{"oci", "2.1", "2.0.9", "error"},
		{"oci", "sha256:00", "2.0.9", "error"},
		{"deb", "1.0", "1.0", "error"},
		{"unknown", "1.0.0", "1.0.0", "error"},
		{"", "1.0.0", "1.0.0", "error"},
	} {
		ok, err := AtLeast(c.kind, c.version, c.least)
		got := fmt.Sprint(ok)
		if err != nil {
			got = "error"
			if ok {
				t.Errorf("%v: true beside an error", c)
			}
		}
		if got != c.want {
			t.Errorf("%v: got %s, %v", c, got, err)
		}
	}
}

// FuzzParse: no panic, a range that parses is bounded, and its own versions are in
// it or not as their comparators say.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"vers:npm/*", "vers:npm/>=1.2.0|!=1.2.5|<1.2.9", "vers:pypi/1.0rc1|>2!1.0.post1", "vers:maven/<1.0-alpha-1|>=2.0.Final",
		"vers:gem/1.0.a|<2.0.rc1", "vers:nuget/<1.0.0.1-Beta", "vers:deb/1%3A1.0|!=2", "vers:golang/v1.2.3%2Bincompatible", "vers:generic/1|2"} {
		f.Add(s, "1.2.5")
	}
	f.Fuzz(func(t *testing.T, text, version string) {
		r, err := Parse(text)
		if err != nil {
			if ok, err := r.Contains(version); ok || err == nil {
				t.Fatalf("%q: the range beside the error answers", text)
			}
			return
		}
		if ok, err := r.Contains(version); ok && err != nil {
			t.Fatalf("%q contains %q, and cannot tell", text, version)
		}
		if !r.decidable() {
			return
		}
		for _, c := range r.constraints {
			ok, err := r.Contains(c.text)
			if err != nil {
				t.Fatalf("%q: its own version %q: %v", text, c.text, err)
			}
			if ok != c.inclusive() {
				t.Fatalf("%q: its own version %q: got %v", text, c.text, ok)
			}
		}
	})
}

// FuzzOrder looks for versions that the library does not order: three of which the
// first is above the second, the second above the third, but not the first above the third.
func FuzzOrder(f *testing.F) {
	schemes := []string{"npm", "cargo", "golang", "pypi", "maven", "nuget", "gem", "generic", "github"}
	for i := range schemes {
		f.Add(uint8(i), "1.0.0-rc.1", "1.0.0", "1.0.1+x")
		f.Add(uint8(i), "1.0.a1", "1.0.b", "1.0.post1")
	}
	f.Fuzz(func(t *testing.T, n uint8, a, b, c string) {
		o, _ := orderingOf(schemes[int(n)%len(schemes)])
		var v [3]version
		for i, text := range []string{a, b, c} {
			var err error
			if v[i], err = o.parse(text); err != nil || v[i].local {
				return
			}
		}
		ab, err1 := v[0].compare(v[1])
		bc, err2 := v[1].compare(v[2])
		ac, err3 := v[0].compare(v[2])
		if err1 != nil || err2 != nil || err3 != nil {
			return
		}
		if (ab <= 0 && bc <= 0 && ac > 0) || (ab >= 0 && bc >= 0 && ac < 0) || (ab == 0 && bc == 0 && ac != 0) {
			t.Fatalf("%s: %q %d %q %d %q, but %d", o.scheme, a, ab, b, bc, c, ac)
		}
	})
}
