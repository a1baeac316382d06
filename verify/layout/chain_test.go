package layout_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/layout"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// keys are made once: owner, alice and bob of the layout, mallory of nothing.
var keys = sync.OnceValue(func() map[string]*attest.Key {
	all := map[string]*attest.Key{}
	for _, name := range []string{"owner", "owner2", "alice", "bob", "mallory"} {
		k, err := attest.GenerateKey("ed25519")
		if err != nil {
			panic(err)
		}
		all[name] = k
	}
	return all
})

func digests(t testing.TB, text string) attest.DigestSet {
	t.Helper()
	d, _, err := attest.Digest(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func private(t testing.TB, k *attest.Key) in_toto.Key {
	t.Helper()
	data, err := k.PrivatePEM(nil)
	var key in_toto.Key
	if err := errors.Join(err, key.LoadKeyReaderDefaults(bytes.NewReader(data))); err != nil {
		t.Fatal(err)
	}
	return key
}

func public(t testing.TB, k *attest.Key) in_toto.Key {
	t.Helper()
	var key in_toto.Key
	if err := key.LoadKeyReaderDefaults(bytes.NewReader(k.PublicPEM())); err != nil {
		t.Fatal(err)
	}
	return key
}

func id(t testing.TB, name string) string { return public(t, keys()[name]).KeyID }

// sign signs anything as in-toto-golang's Metablock does.
func sign(t testing.TB, signed any, by ...*attest.Key) []byte {
	t.Helper()
	block := in_toto.Metablock{Signed: signed, Signatures: []in_toto.Signature{}}
	for _, k := range by {
		if err := block.Sign(private(t, k)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.MarshalIndent(block, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// seal signs anything as in-toto-golang's DSSE envelope does.
func seal(t testing.TB, signed any, by *attest.Key) []byte {
	t.Helper()
	payload, err := json.Marshal(signed)
	if err != nil {
		t.Fatal(err)
	}
	return sealBytes(t, payload, in_toto.PayloadType, by)
}

func sealBytes(t testing.TB, payload []byte, payloadType string, by *attest.Key) []byte {
	t.Helper()
	sig, err := by.SignMessage(context.Background(), attest.PAE(payloadType, payload), attest.SchemeCurve)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{"payloadType": payloadType, "payload": base64.StdEncoding.EncodeToString(payload),
		"signatures": []map[string]string{{"keyid": public(t, by).KeyID, "sig": base64.StdEncoding.EncodeToString(sig)}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A chain is a supply chain of two steps, build and package, before it is signed.
type chain struct {
	layout   in_toto.Layout
	text     func(string) string // changes the layout's JSON before it is signed
	owners   []*attest.Key       // who sign the layout
	links    []madeLink
	more     []layout.Link
	in       layout.Input // but for Layout and Links
	finished func(*layout.Input)
}

type madeLink struct {
	name string
	link in_toto.Link
	text func(string) string
	by   *attest.Key
	dsse bool
}

func (c *chain) step(name string) *in_toto.Step {
	return &c.layout.Steps[slices.IndexFunc(c.layout.Steps, func(s in_toto.Step) bool { return s.Name == name })]
}

func (c *chain) link(name string) *madeLink {
	return &c.links[slices.IndexFunc(c.links, func(l madeLink) bool { return l.link.Name == name })]
}

func hashes(d attest.DigestSet) in_toto.HashObj { return in_toto.HashObj(maps.Clone(d)) }

func newStep(name string, materials, products [][]string, command []string, ids ...string) in_toto.Step {
	return in_toto.Step{Type: "step", PubKeys: ids, Threshold: 1, ExpectedCommand: command,
		SupplyChainItem: in_toto.SupplyChainItem{Name: name, ExpectedMaterials: materials, ExpectedProducts: products}}
}

func newChain(t testing.TB) *chain {
	t.Helper()
	source, app, archive := hashes(digests(t, "package main\n")), hashes(digests(t, "ELF")), hashes(digests(t, "tgz"))
	k := keys()
	c := &chain{owners: []*attest.Key{k["owner"]}, layout: in_toto.Layout{Type: "layout", Expires: "2027-01-01T00:00:00Z", Readme: "how a\nb is made",
		Inspect: []in_toto.Inspection{}, Keys: map[string]in_toto.Key{id(t, "alice"): public(t, k["alice"]), id(t, "bob"): public(t, k["bob"])},
		Steps: []in_toto.Step{
			newStep("build", [][]string{{"ALLOW", "src/*"}, {"DISALLOW", "*"}}, [][]string{{"CREATE", "bin/app"}, {"MATCH", "src/*", "WITH", "MATERIALS", "FROM", "build"}, {"DISALLOW", "*"}},
				[]string{"make", "app"}, id(t, "alice")),
			newStep("package", [][]string{{"MATCH", "app", "IN", "bin/", "WITH", "PRODUCTS", "IN", "bin", "FROM", "build"}, {"DISALLOW", "*"}}, [][]string{{"CREATE", "app.tgz"}, {"ALLOW", "bin/app"}, {"DISALLOW", "*"}},
				nil, id(t, "bob")),
		}}}
	ok := map[string]any{"return-value": 0, "stdout": "", "stderr": ""}
	c.links = []madeLink{
		{name: "build.link", by: k["alice"], link: in_toto.Link{Type: "link", Name: "build", Command: []string{"make", "app"}, ByProducts: ok, Environment: map[string]any{},
			Materials: map[string]in_toto.HashObj{"src/main.go": source}, Products: map[string]in_toto.HashObj{"src/main.go": source, "bin/app": app}}},
		{name: "package.link", by: k["bob"], link: in_toto.Link{Type: "link", Name: "package", Command: []string{"tar", "czf", "app.tgz", "bin"}, ByProducts: maps.Clone(ok), Environment: map[string]any{},
			Materials: map[string]in_toto.HashObj{"bin/app": app}, Products: map[string]in_toto.HashObj{"bin/app": app, "app.tgz": archive}}},
	}
	c.in = layout.Input{Owners: []crypto.PublicKey{k["owner"].Public()}, Step: "package", Artifact: digests(t, "tgz"), Now: now}
	return c
}

// input signs everything.
func (c *chain) input(t testing.TB) layout.Input {
	t.Helper()
	in := c.in
	edited := func(v any, edit func(string) string) any {
		if edit == nil {
			return v
		}
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		changed := edit(string(data))
		if changed == string(data) {
			t.Fatalf("the edit changes nothing in %s", data)
		}
		return json.RawMessage(changed)
	}
	in.Layout = sign(t, edited(c.layout, c.text), c.owners...)
	for _, l := range c.links {
		signed := edited(l.link, l.text)
		if l.dsse {
			in.Links = append(in.Links, layout.Link{Name: l.name, Data: seal(t, signed, l.by)})
		} else {
			in.Links = append(in.Links, layout.Link{Name: l.name, Data: sign(t, signed, l.by)})
		}
	}
	in.Links = append(in.Links, c.more...)
	if c.finished != nil {
		c.finished(&in)
	}
	return in
}

func check(in layout.Input) (layout.Result, error) { return layout.Check(context.Background(), in) }

// expect wants a refusal by this code, whose text holds these words.
func expect(t *testing.T, in layout.Input, code verify.Code, words string) {
	t.Helper()
	result, err := check(in)
	var refusal *verify.Refusal
	if !errors.As(err, &refusal) || refusal.Code != code || !strings.Contains(refusal.Error(), words) || refusal.WhatToDo() == "" || refusal.Expected == "" || refusal.Found == "" {
		t.Errorf("expected %s with %q, found %v", code, words, err)
	}
	if result.Steps != nil || result.Products != nil || result.Owners != nil {
		t.Errorf("a refusal with a result: %+v", result)
	}
}

func replaced(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}

// signature is the hexadecimal signature of signed.
func signature(t testing.TB, signed any, by *attest.Key) string {
	t.Helper()
	block := in_toto.Metablock{Signed: signed}
	if err := block.Sign(private(t, by)); err != nil {
		t.Fatal(err)
	}
	if _, err := hex.DecodeString(block.Signatures[0].Sig); err != nil {
		t.Fatal(err)
	}
	return block.Signatures[0].Sig
}
