package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"

	"github.com/in-toto/in-toto-golang/in_toto"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptFill writes files from templates, in which @PEM:FILE@ stands for a public key
// (in one line, quoted) and @SHA256:FILE@ for a file's digest:
//
//	fill policy.yaml=policy.in ...
func scriptFill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fill FILE=TEMPLATE ...")
	}
	for _, arg := range args {
		to, from, _ := strings.Cut(arg, "=")
		text := regexp.MustCompile(`@(PEM|SHA256):([^@]+)@`).ReplaceAllStringFunc(ts.ReadFile(from), func(mark string) string {
			kind, file, _ := strings.Cut(strings.Trim(mark, "@"), ":")
			data := ts.ReadFile(file)
			if kind == "PEM" {
				return `"` + strings.ReplaceAll(data, "\n", `\n`) + `"`
			}
			sum := sha256.Sum256([]byte(data))
			return hex.EncodeToString(sum[:])
		})
		ts.Check(os.WriteFile(ts.MkAbs(to), []byte(text), 0o644))
	}
}

// scriptLayout writes an in-toto layout with one step, build, signed by an owner:
//
//	layout OWNERKEY FUNCTIONARYPUB FILE
func scriptLayout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: layout OWNERKEY FUNCTIONARYPUB FILE")
	}
	var owner, functionary in_toto.Key
	ts.Check(errors.Join(owner.LoadKeyReaderDefaults(strings.NewReader(ts.ReadFile(args[0]))),
		functionary.LoadKeyReaderDefaults(strings.NewReader(ts.ReadFile(args[1])))))
	block := in_toto.Metablock{Signed: in_toto.Layout{
		Type: "layout", Expires: "2099-01-01T00:00:00Z", Keys: map[string]in_toto.Key{functionary.KeyID: functionary}, Inspect: []in_toto.Inspection{},
		Steps: []in_toto.Step{{Type: "step", PubKeys: []string{functionary.KeyID}, Threshold: 1, ExpectedCommand: []string{},
			SupplyChainItem: in_toto.SupplyChainItem{Name: "build",
				ExpectedMaterials: [][]string{{"ALLOW", "*"}, {"DISALLOW", "*"}},
				ExpectedProducts:  [][]string{{"CREATE", "built"}, {"DISALLOW", "*"}}}}},
	}}
	ts.Check(block.Sign(owner))
	var b bytes.Buffer
	ts.Check(json.NewEncoder(&b).Encode(block))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b.Bytes(), 0o644))
}
