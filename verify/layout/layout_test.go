package layout_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/layout"
)

// TestAccepted: what an accepted artifact rests on is told.
func TestAccepted(t *testing.T) {
	c := newChain(t)
	result, err := check(c.input(t))
	if err != nil {
		t.Fatal(err)
	}
	k := keys()
	want := layout.Result{Owners: []string{k["owner"].ID()}, Expires: now.AddDate(0, 7, 0).Truncate(24 * 3600e9), Products: []string{"app.tgz"}, Steps: []layout.StepInfo{
		{Name: "build", Threshold: 1, CommandChecked: true, Functionaries: []layout.Functionary{{KeyID: id(t, "alice"), Key: k["alice"].ID(), Link: "build.link"}}},
		{Name: "package", Threshold: 1, Functionaries: []layout.Functionary{{KeyID: id(t, "bob"), Key: k["bob"].ID(), Link: "package.link"}}},
	}}
	if !reflect.DeepEqual(result, want) {
		t.Errorf("expected %+v, found %+v", want, result)
	}
}

// TestEveryKind: owners and functionaries with every kind of key; links as plimsoll run
// writes them, as in-toto-golang's writer does, and in a DSSE envelope; the layout in a
// DSSE envelope too.
func TestEveryKind(t *testing.T) {
	for _, algorithm := range attest.KeyAlgorithms() {
		t.Run(algorithm, func(t *testing.T) {
			k, err := attest.GenerateKey(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			key := public(t, k)
			c := newChain(t)
			c.owners, c.in.Owners = []*attest.Key{k}, []crypto.PublicKey{k.Public()}
			c.layout.Keys = map[string]in_toto.Key{key.KeyID: key}
			for i := range c.layout.Steps {
				c.layout.Steps[i].PubKeys = []string{key.KeyID}
				c.links[i].by = k
			}
			if _, err := check(c.input(t)); err != nil {
				t.Fatal(err)
			}
			own := c.link("build").link
			ours, err := attest.Link{Name: "build", Command: own.Command, ByProducts: own.ByProducts, Environment: map[string]string{"LANG": "C"},
				Materials: subjects(own.Materials)}.ForLayout(subjects(own.Products), k)
			if err != nil {
				t.Fatal(err)
			}
			c.more, c.links = []layout.Link{{Name: "ours", Data: ours}}, c.links[1:]
			if _, err := check(c.input(t)); err != nil {
				t.Errorf("ours: %v", err)
			}
			if key.KeyType == "rsa" {
				return // our DSSE signatures with RSA are PKCS #1 v1.5, in-toto's are PSS
			}
			c.links[0].dsse = true
			c.finished = func(in *layout.Input) { in.Layout = seal(t, c.layout, k) }
			if _, err := check(c.input(t)); err != nil {
				t.Errorf("DSSE: %v", err)
			}
		})
	}
}

func subjects(of map[string]in_toto.HashObj) []attest.Subject {
	var all []attest.Subject
	for name, digests := range of {
		all = append(all, attest.Subject{Name: name, Digest: attest.DigestSet(digests)})
	}
	return all
}

// TestEnvelopeOfTheLibrary: what in-toto-golang puts into DSSE envelopes is read, with
// RSA too.
func TestEnvelopeOfTheLibrary(t *testing.T) {
	k, err := attest.GenerateKey("rsa-3072")
	if err != nil {
		t.Fatal(err)
	}
	wrap := func(v any) []byte {
		var env in_toto.Envelope
		file := t.TempDir() + "/x"
		if err := errors.Join(env.SetPayload(v), env.Sign(private(t, k)), env.Dump(file)); err != nil {
			t.Fatal(err)
		}
		return read(t, file)
	}
	key := public(t, k)
	c := newChain(t)
	c.layout.Keys[key.KeyID] = key
	c.step("build").PubKeys = []string{key.KeyID}
	c.finished = func(in *layout.Input) { in.Links[0].Data = wrap(c.links[0].link) }
	if _, err := check(c.input(t)); err != nil {
		t.Error(err)
	}
	c = newChain(t)
	c.in.Owners = []crypto.PublicKey{keys()["mallory"].Public(), k.Public()}
	c.layout.Readme = ""
	c.finished = func(in *layout.Input) { in.Layout = wrap(c.layout) }
	if result, err := check(c.input(t)); err != nil || !slices.Equal(result.Owners, []string{k.ID()}) {
		t.Errorf("found %+v, %v", result, err)
	}
	// With a newline in a text the library writes JSON that is none.
	c.layout.Readme = "a\nb"
	expect(t, c.input(t), verify.CodeLayoutInvalid, "in string")
}

// TestDigestsOfTwoTools: one functionary's tool records SHA-256, another's SHA-512 too.
func TestDigestsOfTwoTools(t *testing.T) {
	c := newChain(t)
	for _, artifacts := range []map[string]in_toto.HashObj{c.link("build").link.Materials, c.link("build").link.Products} {
		for _, digests := range artifacts {
			delete(digests, "sha512")
		}
	}
	c.link("package").link.Materials["bin/app"] = hashes(digests(t, "ELF"))
	if _, err := check(c.input(t)); err != nil {
		t.Error(err)
	}
}

// TestThreshold: two of three, with a link that does not count beside them.
func TestThreshold(t *testing.T) {
	c := newChain(t)
	two(t, c)
	junk := c.link("build").link
	junk.Products = map[string]in_toto.HashObj{}
	c.more = []layout.Link{{Name: "by mallory", Data: sign(t, junk, keys()["mallory"])}, {Name: "junk", Data: []byte("{")}, {Name: "other", Data: sign(t, in_toto.Link{Type: "link", Name: "test"}, keys()["alice"])},
		{Name: "again", Data: sign(t, c.links[0].link, keys()["alice"])}}
	result, err := check(c.input(t))
	if err != nil {
		t.Fatal(err)
	}
	var by []string
	for _, f := range result.Steps[0].Functionaries {
		by = append(by, f.KeyID)
	}
	if len(by) != 2 || !slices.IsSorted(by) {
		t.Errorf("found %q", by)
	}
	var reasons []string
	for _, u := range result.Unusable {
		reasons = append(reasons, u.Link+": "+u.Reason)
	}
	if got := strings.Join(reasons, "\n"); len(reasons) != 3 || !strings.Contains(got, "names no key") || !strings.Contains(got, `about step "test"`) {
		t.Errorf("found %s", got)
	}
}

// two lets build be done by alice and bob, both.
func two(t testing.TB, c *chain) {
	c.step("build").PubKeys, c.step("build").Threshold = []string{id(t, "alice"), id(t, "bob")}, 2
	second := *c.link("build")
	second.by, second.name = keys()["bob"], "build by bob"
	second.link.Products = map[string]in_toto.HashObj{}
	for name, digests := range c.link("build").link.Products {
		second.link.Products[name] = hashes(attest.DigestSet(digests))
	}
	c.links = append(c.links, second)
}

// TestPythonLayout: keys as the other implementation writes them now, without
// keyid_hash_algorithms, with ids to match; signed is what is in the file, not what is
// left of it in in-toto-golang's types.
func TestPythonLayout(t *testing.T) {
	c := newChain(t)
	key := public(t, keys()["alice"])
	form := map[string]any{"keytype": key.KeyType, "scheme": key.Scheme, "keyval": map[string]string{"public": key.KeyVal.Public}}
	other := canonicalID(t, form)
	form["keyid"] = other
	data, err := json.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	old, err := json.Marshal(c.layout.Keys[key.KeyID])
	if err != nil {
		t.Fatal(err)
	}
	c.text = func(s string) string {
		return strings.ReplaceAll(strings.Replace(s, string(old), string(data), 1), key.KeyID, other)
	}
	c.finished = func(in *layout.Input) {
		in.Links[0].Data = []byte(strings.Replace(string(in.Links[0].Data), key.KeyID, other, 1))
	}
	if _, err := check(c.input(t)); err != nil {
		t.Error(err)
	}
}

// TestShellVariable: what the shell substitutes is no parameter of the layout's.
func TestShellVariable(t *testing.T) {
	c := newChain(t)
	command := []string{"sh", "-c", "make VERSION=${VERSION}"}
	c.step("build").ExpectedCommand, c.link("build").link.Command = command, command
	if _, err := check(c.input(t)); err != nil {
		t.Error(err)
	}
}

// TestEnds: a context that ended is no refusal.
func TestEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := layout.Check(ctx, newChain(t).input(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v", err)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func canonicalID(t testing.TB, form any) string {
	t.Helper()
	block := in_toto.Metablock{Signed: form}
	data, err := block.GetSignableRepresentation()
	if err != nil {
		t.Fatal(err)
	}
	return digests(t, string(data))["sha256"]
}
