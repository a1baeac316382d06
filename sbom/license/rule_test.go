package license

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRule(t *testing.T) {
	for _, c := range []struct {
		allow, deny, expression string
		ok                      bool
		why                     string
	}{
		{"MIT", "", "MIT", true, ""},
		{"MIT", "", "mit", true, ""},
		{"mit", "", "MIT", true, ""},
		{"MIT", "", "Apache-2.0", false, "Apache-2.0 is not among the allowed"},
		{"MIT", "", "MIT OR Apache-2.0", true, ""},
		{"MIT", "", "MIT or Apache-2.0", true, ""},
		{"MIT", "", "MIT AND Apache-2.0", false, "Apache-2.0 is not among the allowed"},
		{"MIT,Apache-2.0", "", "MIT and Apache-2.0", true, ""},
		{"MIT", "", "(MIT)", true, ""},
		{"MIT", "", "MIT OR Apache-2.0 AND BSD-3-Clause", true, ""},
		{"BSD-3-Clause", "", "MIT OR Apache-2.0 AND BSD-3-Clause", false, "MIT is not among"},
		{"MIT,BSD-3-Clause", "", "(MIT OR Apache-2.0) AND BSD-3-Clause", true, ""},
		{"MIT", "", "(MIT OR Apache-2.0) AND BSD-3-Clause", false, "BSD-3-Clause is not"},
		{"", "AGPL-3.0-only", "MIT OR AGPL-3.0-only", true, ""},
		{"", "AGPL-3.0-only", "MIT AND AGPL-3.0-only", false, "AGPL-3.0 is denied"},
		{"", "AGPL-3.0-only", "AGPL-3.0", false, "AGPL-3.0 is denied"},
		{"", "AGPL-3.0", "AGPL-3.0-only", false, "is denied"},
		{"", "AGPL-3.0-only", "AGPL-3.0-or-later", false, "is denied"},
		{"", "AGPL-3.0-only", "AGPL-3.0+", false, "is denied"},
		{"", "AGPL-3.0-or-later", "AGPL-3.0-only", false, "is denied"},
		{"", "GPL-2.0-only", "GPL-2.0-only WITH Classpath-exception-2.0", false, "is denied"},
		{"GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only", "GPL-2.0-only WITH Classpath-exception-2.0", true, ""},
		{"GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only", "GPL-2.0 WITH classpath-exception-2.0", true, ""},
		{"GPL-2.0-only WITH Classpath-exception-2.0", "", "GPL-2.0-only", false, "GPL-2.0 is not among"},
		{"GPL-2.0-only WITH Classpath-exception-2.0", "", "GPL-2.0-only WITH GCC-exception-2.0", false, "is not among"},
		{"GPL-2.0-only", "", "GPL-2.0-only WITH Classpath-exception-2.0", true, ""},
		{"GPL-2.0-only", "GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0", false, "is denied"},
		{"GPL-2.0-only", "", "GPL-2.0-or-later", true, ""},
		{"GPL-2.0-or-later", "", "GPL-2.0-only", false, "is not among"},
		{"GPL-2.0-or-later", "", "GPL-2.0+", true, ""},
		{"Apache-2.0", "", "Apache-2.0+", true, ""},
		{"", "Apache-1.0", "Apache-1.0+", false, "is denied"},
		{"", "GPL-3.0-only", "GPL-2.0-or-later", true, ""},
		{"LicenseRef-a", "", "LicenseRef-a", true, ""},
		{"LicenseRef-a", "", "LicenseRef-A", false, "is not among"},
		{"LicenseRef-a", "", "DocumentRef-x:LicenseRef-a", false, "is not among"},
		{"", "MIT", "DocumentRef-x:LicenseRef-a", true, ""},
		{"", "MIT", "", false, "found the end"},
		{"", "MIT", "NONE", false, "is no SPDX licence"},
		{"", "MIT", "NOASSERTION", false, "is no SPDX licence"},
		{"", "MIT", "SEE LICENSE IN x", false, "is no SPDX licence"},
		{"", "MIT", "UNLICENSED", false, "is no SPDX licence"},
		{"", "MIT", "Apache-2.0 Or ISC", false, "expected AND, OR"},
		{"", "MIT", "Apache-2.0 ISC", false, "expected AND, OR"},
		{"", "MIT", "(ISC", false, "expected )"},
		{"", "MIT", "ISC)", false, "expected AND, OR"},
		{"", "MIT", "()", false, "is no SPDX licence"},
		{"", "MIT", "AND ISC", false, "is no SPDX licence"},
		{"", "MIT", "ISC OR", false, "found the end"},
		{"", "MIT", "ISC WITH MIT", false, "no SPDX exception"},
		{"", "MIT", "(ISC) WITH Classpath-exception-2.0", false, "expected AND, OR"},
		{"", "MIT", "GPL-2.0-only+", false, "only and or later"},
		{"", "MIT", "ISC++", false, "is no SPDX licence"},
		{"", "MIT", "GPL-2.0-only WITH Classpath-exception-2.0 WITH GCC-exception-2.0", false, "expected AND, OR"},
		{"", "MIT", strings.Repeat("(", 100) + "ISC" + strings.Repeat(")", 100), false, "at most"},
		{"", "MIT", strings.Repeat("ISC OR ", 1001) + "ISC", false, "at most"},
		{"", "MIT", strings.Repeat(" ", 17<<10) + "ISC", false, "at most"},
	} {
		list := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, ",")
		}
		r, err := NewRule(list(c.allow), list(c.deny))
		if err != nil {
			t.Fatal(err)
		}
		if ok, why := r.Judge(c.expression); ok != c.ok || !strings.Contains(why, c.why) || (why == "") != ok {
			t.Errorf("allow [%s], deny [%s], %.80q: expected %v %q, found %v %q", c.allow, c.deny, c.expression, c.ok, c.why, ok, why)
		}
	}
}

func TestRuleErrors(t *testing.T) {
	for _, c := range [][2][]string{
		{nil, nil}, {{"MIT", "mit"}, nil}, {{"MIT"}, {"MIT"}}, {{"GPL-2.0"}, {"GPL-2.0-only"}}, {{"MIT OR ISC"}, nil}, {{"(MIT)", "MIT"}, nil}, {{""}, nil}, {{"foo"}, nil}, {{"NONE"}, nil},
	} {
		if r, err := NewRule(c[0], c[1]); err == nil {
			t.Errorf("%v: accepted %+v", c, r)
		}
	}
	if ok, why := (Rule{}).Judge("MIT"); ok || why == "" {
		t.Errorf("the zero rule: %v %q", ok, why)
	}
	if ok, _ := (Rule{}).judge(Expression{}); ok {
		t.Error("the zero expression is allowed")
	}
	var unknown *UnknownLicenseError
	if _, err := ParseExpression("MIT OR Foo-1.0"); !errors.As(err, &unknown) || unknown.ID != "Foo-1.0" {
		t.Errorf("found %v", err)
	}
}

// TestExpressionsAgree: what one parser takes for an expression the other does.
func TestExpressionsAgree(t *testing.T) {
	for id := range idSet() {
		if _, err := ParseExpression(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func FuzzParseExpression(f *testing.F) {
	for _, s := range []string{"MIT", "(MIT OR GPL-2.0+) AND LicenseRef-x", "GPL-2.0-only WITH Classpath-exception-2.0", "((", "mit and isc"} {
		f.Add(s)
	}
	rule, err := NewRule(nil, []string{"MIT"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseExpression(s)
		if IsExpression(s) && err != nil && len(s) < 1000 && !strings.Contains(s, "only+") && strings.Count(s, "(") < 60 {
			t.Errorf("%q is an expression: %v", s, err)
		}
		if err != nil {
			return
		}
		if len(e.Licenses()) == 0 {
			t.Errorf("%q has no licence", s)
		}
		if ok, why := rule.Judge(s); ok == (why != "") {
			t.Errorf("%q: %v %q", s, ok, why)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	rule, err := NewRule([]string{"MIT", "Apache-2.0", "BSD-3-Clause"}, []string{"AGPL-3.0-only"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for i := range 10_000 {
			rule.Judge([]string{"MIT", "(MIT OR GPL-2.0-or-later) AND Apache-2.0", fmt.Sprintf("LicenseRef-%d", i)}[i%3])
		}
	}
}
