package license

import "testing"

func TestIsExpression(t *testing.T) {
	for s, want := range map[string]bool{
		"MIT": true, "(MIT OR Apache-2.0)": true, "MIT AND (BSD-2-Clause OR Apache-2.0)": true,
		"GPL-2.0-only WITH Classpath-exception-2.0": true, "GPL-2.0+": true, "LicenseRef-x": true,
		"DocumentRef-a:LicenseRef-b": true, "((MIT))": true, "CC0-1.0": true, "(GPL-2.0-only WITH Classpath-exception-2.0) OR MIT": true,
		"": false, "MIT OR": false, "OR MIT": false, "MIT Apache-2.0": false, "(MIT": false, "MIT)": false,
		"()": false, "MIT OR ()": false, "MIT/X11": false, "BSD, MIT": false, "UNLICENSED": false,
		"SEE LICENSE IN LICENSE.md": false, "MIT and BSD": false, "AND": false, "http://x/y": false, "-MIT": false,
		"BSD": false, "CUSTOM": false, "MIT WITH": false, "MIT WITH MIT": false, "LicenseRef-": false,
		"sha256:ab": false, "MIT\nMPL-2.0": false, "Classpath-exception-2.0": false,
	} {
		if got := IsExpression(s); got != want {
			t.Errorf("IsExpression(%q): expected %v, found %v", s, want, got)
		}
	}
}

func FuzzIsExpression(f *testing.F) {
	f.Add("(MIT OR Apache-2.0)")
	f.Add("GPL-2.0-only WITH Classpath-exception-2.0")
	f.Fuzz(func(_ *testing.T, s string) { IsExpression(s) })
}
