package layout_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/verify"
	"plimsoll.example/verify/layout"
)

// FuzzLink: no bytes of a link make Check panic, and none but the right ones are
// accepted.
func FuzzLink(f *testing.F) {
	c := newChain(f)
	in := c.input(f)
	f.Add(in.Links[0].Data)
	f.Add(seal(f, c.links[0].link, keys()["alice"]))
	f.Add([]byte(`{"signed":{"_type":"layout","name":"build"},"signatures":[{"keyid":"","sig":"00"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := in
		in.Links = []layout.Link{{Name: "fuzzed", Data: data}, in.Links[1]}
		result, err := check(in)
		if err == nil && result.Steps[0].Functionaries[0].KeyID != id(t, "alice") {
			t.Errorf("accepted as %+v", result)
		}
		var refusal *verify.Refusal
		if err != nil && !errors.As(err, &refusal) {
			t.Errorf("no refusal: %v", err)
		}
	})
}

// FuzzLayout: no layout that its owner signs makes Check panic, be it in the guard or
// behind it.
func FuzzLayout(f *testing.F) {
	c := newChain(f)
	in := c.input(f)
	block := string(in.Layout)
	f.Add(block[strings.Index(block, `"signed": `)+10 : strings.LastIndex(block, `"signatures"`)-4])
	f.Add(`{"_type":"layout","steps":[{"expected_products":[[]]}],"keys":{},"expires":"2030-01-01T00:00:00Z"}`)
	f.Fuzz(func(t *testing.T, signed string) {
		in := in
		in.Layout = sealBytes(t, []byte(signed), in_toto.PayloadType, keys()["owner"])
		result, err := check(in)
		if err == nil && len(result.Steps) == 0 {
			t.Errorf("accepted as %+v", result)
		}
	})
}

// FuzzPattern: what the guard lets through, in-toto-golang's matcher reads as path.Match
// does, where there are no folders.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"*", "a*b", "[a-c]x", `\[id\].js`, "?", "[!a]", "[^a]", "a[", "[]", "[]a]", `[\]a]`, "a//b", "é*"} {
		f.Add(seed, "abc")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if layout.GuardPattern(pattern) != nil || layout.GuardPath(name) != nil || strings.Contains(name, "/") {
			return
		}
		want, err := path.Match(pattern, name)
		if got := len(in_toto.NewSet(name).Filter(pattern)) == 1; err != nil || got != want {
			t.Errorf("%q matches %q: %t in in-toto-golang, %t, %v in path.Match", pattern, name, got, want, err)
		}
	})
}

// TestNeverCalled lists what is used of in-toto-golang. What runs commands, reads files,
// prints or substitutes is not there.
func TestNeverCalled(t *testing.T) {
	want := []string{"ErrUnsupportedKeyType", "HashObj", "ISO8601DateSchema", "Inspection", "Key", "Layout", "Link", "Metablock", "Metadata", "NewSet", "PayloadType",
		"ReduceStepsMetadata", "Signature", "Step", "UnpackRule", "VerifyArtifacts", "VerifyLayoutSignatures", "VerifyLinkSignatureThesholds"}
	var found []string
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "in_toto" && !slices.Contains(found, s.Sel.Name) {
					found = append(found, s.Sel.Name)
				}
			}
			return true
		})
	}
	for _, name := range found {
		if !slices.Contains(want, name) {
			t.Errorf("in_toto.%s is used: does it run, read or print anything?", name)
		}
	}
	if len(found) < 10 {
		t.Errorf("found only %q", found)
	}
}

// BenchmarkCheck: 20 steps, of which each hands 1,000 files to the next.
func BenchmarkCheck(b *testing.B) {
	c := newChain(b)
	c.layout.Steps, c.links = nil, nil
	files := map[string]in_toto.HashObj{}
	for i := range 1000 {
		name := fmt.Sprintf("node_modules/package%d/index.js", i)
		files[name] = hashes(digests(b, name))
	}
	files["app.tgz"] = hashes(digests(b, "tgz"))
	before := "step0"
	for i := range 20 {
		name := fmt.Sprint("step", i)
		rules := [][]string{{"MATCH", "*", "WITH", "PRODUCTS", "FROM", before}, {"DISALLOW", "*"}}
		c.layout.Steps = append(c.layout.Steps, newStep(name, rules, rules, nil, id(b, "alice")))
		c.links = append(c.links, madeLink{name: name, by: keys()["alice"], link: in_toto.Link{Type: "link", Name: name, ByProducts: map[string]any{"return-value": 0}, Environment: map[string]any{}, Materials: files, Products: files}})
		before = name
	}
	c.in.Step = before
	in := c.input(b)
	size := 0
	for _, l := range in.Links {
		size += len(l.Data)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := check(in); err != nil {
			b.Fatal(err)
		}
	}
}
