package npm_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"plimsoll.example/sbom/npm"
)

// TestWebpackPartial: stats that leave out which modules are where are an error, and
// not a bundle of nothing; in whichever member they say it, it is found.
func TestWebpackPartial(t *testing.T) {
	const chunks = `"chunks":[{"id":1,"files":["out.js"]}]`
	for _, c := range []struct{ stats, want string }{
		{`{"modules":[{"name":"./a.js","chunks":[1]}],` + chunks + `}`, ""},
		{`{"modules":[{"name":"./a.js","chunks":[]},{"name":"./b.js","orphan":true}],` + chunks + `}`, ""},
		{`{"modules":[{"type":"modules by path","children":[{"name":"./a.js","chunks":[1]}]}],` + chunks + `}`, ""},
		{`{"modules":[{"name":"./a.js + 1 modules","chunks":[1],"modules":[{"name":"./a.js"},{"name":"./b.js"}]}],` + chunks + `}`, ""},
		{`{"assets":[],"chunks":[{"id":1,"files":["out.js"],"modules":[{"name":"./a.js"}]}]}`, ""},
		{`{"modules":[{"name":"./a.js"}],` + chunks + `}`, `in which file "./a.js" is`},
		{`{"modules":[{"name":"./a.js","chunks":[1]}],"filteredModules":3,` + chunks + `}`, "what 3 modules are"},
		{`{"modules":[{"type":"modules by path","filteredChildren":2,"children":[{"name":"./a.js","chunks":[1]}]}],` + chunks + `}`, "what 2 modules are"},
		{`{"modules":[{"name":"./a.js + 12 modules","chunks":[1]}],` + chunks + `}`, `in "./a.js + 12 modules"`},
		{`{"modules":[{"name":"./a.js","chunks":[1],"filteredModules":1,"modules":[{"name":"./b.js"}]}],` + chunks + `}`, `in "./a.js"`},
		{`{"assets":[],` + chunks + `}`, "which modules are in out.js"},
		{`{"chunks":[{"id":1,"files":["out.js"],"filteredModules":1,"modules":[{"name":"./a.js"}]}],"modules":[]}`, "which modules are in out.js"},
		{`{"children":[{"modules":[{"name":"./a.js"}],` + chunks + `}]}`, `in which file "./a.js" is`},
		{`{"modules":[]}`, "which modules are in its files"},
	} {
		outputs, _, err := npm.ParseBundle([]byte(c.stats))
		switch {
		case c.want == "" && (err != nil || len(outputs) != 1 || outputs[0].Name != "out.js"):
			t.Errorf("%s: found %v, %v", c.stats, outputs, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: expected %q, found %v", c.stats, c.want, err)
		}
	}
}

// TestSourceMapColumns: columns count UTF-16 units, bytes are bytes, wherever in a
// long line they are.
func TestSourceMapColumns(t *testing.T) {
	var line, mappings strings.Builder
	want := map[string]int64{}
	column, last, lastSource := 0, 0, 0
	for i := range 3000 {
		source := i % 3
		text := []string{"a", "é\U0001F600", "日\U0001F600\U0001F600x"}[source] + strings.Repeat("z", i%7)
		mappings.WriteString(vlq(column-last) + vlq(source-lastSource) + "AA,")
		last, lastSource = column, source
		line.WriteString(text)
		column += len(utf16.Encode([]rune(text)))
		want[fmt.Sprintf("%d.js", source)] += int64(len(text))
	}
	data, err := json.Marshal(map[string]any{"version": 3, "sources": []string{"0.js", "1.js", "2.js"}, "mappings": mappings.String()})
	if err != nil {
		t.Fatal(err)
	}
	o, err := npm.ParseSourceMap(data, []byte(line.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range o.Modules {
		if m.Bytes != want[m.Path] {
			t.Errorf("%s: expected %d bytes, found %d", m.Path, want[m.Path], m.Bytes)
		}
	}
	if _, err := npm.ParseSourceMap([]byte(`{"version":3,"sources":["a"],"mappings":"AAAA,D"}`), []byte("x")); err == nil {
		t.Error("a column before the start of a line is accepted")
	}
}

// vlq encodes a number as source maps do.
func vlq(n int) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	rest := n << 1
	if n < 0 {
		rest = -n<<1 | 1
	}
	var s strings.Builder
	for {
		digit := rest & 31
		if rest >>= 5; rest > 0 {
			digit |= 32
		}
		s.WriteByte(digits[digit])
		if rest == 0 {
			return s.String()
		}
	}
}
