package sbom

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestIndent: as the standard library indents.
func TestIndent(t *testing.T) {
	for _, compact := range []string{
		`{}`, `[]`, `{"a":[]}`, `{"a":{},"b":[1,-2.5e3,true,null,{"c":"x, {y}: [z]"}]}`, `{"q\\":"\"\\\"{","é":"\u0001"}`, `"only"`,
	} {
		var want bytes.Buffer
		if err := json.Indent(&want, []byte(compact), "", "  "); err != nil {
			t.Fatal(err)
		}
		if got := appendIndented(nil, []byte(compact)); string(got) != want.String() {
			t.Errorf("%s: expected\n%s\nfound\n%s", compact, want.String(), got)
		}
	}
}
