package layout_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/layout"
)

type attack struct {
	name  string
	do    func(t *testing.T, c *chain)
	code  verify.Code
	words string
}

func finished(do func(in *layout.Input)) func(*testing.T, *chain) {
	return func(_ *testing.T, c *chain) { c.finished = do }
}

func edit(old, with string) func(*testing.T, *chain) {
	return func(_ *testing.T, c *chain) { c.text = replaced(old, with) }
}

// firstRule puts a rule before build's product rules.
func firstRule(words ...string) func(*testing.T, *chain) {
	return func(_ *testing.T, c *chain) {
		s := c.step("build")
		s.ExpectedProducts = append([][]string{words}, s.ExpectedProducts...)
	}
}

func stepName(name string) func(*testing.T, *chain) {
	return func(_ *testing.T, c *chain) { c.layout.Steps[1].Name = name }
}

// addProduct lets build's link hold one product more, which a rule allows.
func addProduct(name string, digests in_toto.HashObj) func(*testing.T, *chain) {
	return func(t *testing.T, c *chain) {
		firstRule("ALLOW", "*")(t, c)
		c.link("build").link.Products[name] = digests
	}
}

// link edits a link's JSON before it is signed.
func link(step, old, with string) func(*testing.T, *chain) {
	return func(_ *testing.T, c *chain) { c.link(step).text = replaced(old, with) }
}

func run(t *testing.T, attacks []attack) {
	t.Helper()
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			c := newChain(t)
			a.do(t, c)
			expect(t, c.input(t), a.code, a.words)
		})
	}
}

// TestLayoutSigner: who signs the layout, and when.
func TestLayoutSigner(t *testing.T) {
	run(t, []attack{
		{"no owners", finished(func(in *layout.Input) { in.Owners = nil }), verify.CodeLayoutSignatureInvalid, "at least one key"},
		{"no signature", func(_ *testing.T, c *chain) { c.owners = nil }, verify.CodeLayoutSignatureInvalid, "0 signatures"},
		{"signed by another", func(_ *testing.T, c *chain) { c.owners = []*attest.Key{keys()["mallory"]} }, verify.CodeLayoutSignatureInvalid, "none of them"},
		{"signed by a functionary", func(_ *testing.T, c *chain) { c.owners = []*attest.Key{keys()["alice"]} }, verify.CodeLayoutSignatureInvalid, "none of them"},
		{"another under the owner's id", func(t *testing.T, c *chain) {
			c.owners = []*attest.Key{keys()["mallory"]}
			c.finished = func(in *layout.Input) {
				in.Layout = bytes.ReplaceAll(in.Layout, []byte(id(t, "mallory")), []byte(id(t, "owner")))
			}
		}, verify.CodeLayoutSignatureInvalid, "none of them"},
		{"changed after signing", finished(func(in *layout.Input) { in.Layout = bytes.Replace(in.Layout, []byte("src/*"), []byte("s*"), 1) }), verify.CodeLayoutSignatureInvalid, "none of them"},
		{"too many signatures", func(_ *testing.T, c *chain) {
			for range layout.MaxSignatures + 1 {
				c.owners = append(c.owners, keys()["mallory"])
			}
		}, verify.CodeLayoutInvalid, "at most 32 signatures"},
		{"weak owner", finished(func(in *layout.Input) {
			k, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
			in.Owners = []crypto.PublicKey{k.Public()}
		}), verify.CodeLayoutSignatureInvalid, "P-224"},
		{"nil owner", finished(func(in *layout.Input) { in.Owners = []crypto.PublicKey{nil} }), verify.CodeLayoutSignatureInvalid, "expected an ECDSA"},
		{"expired", func(_ *testing.T, c *chain) { c.layout.Expires = "2026-06-01T11:59:59Z" }, verify.CodeLayoutExpired, "it expired at 2026-06-01"},
		{"expires at this moment", func(_ *testing.T, c *chain) { c.layout.Expires = "2026-06-01T12:00:00Z" }, verify.CodeLayoutExpired, "it expired"},
		{"expires never", func(_ *testing.T, c *chain) { c.layout.Expires = "" }, verify.CodeLayoutInvalid, "`expires`"},
		{"expires some day", func(_ *testing.T, c *chain) { c.layout.Expires = "2027-01-01" }, verify.CodeLayoutInvalid, "`expires`"},
		{"no time", finished(func(in *layout.Input) { in.Now = time.Time{} }), verify.CodeLayoutExpired, "no time"},
	})
}

// TestLayoutFile: what the layout's bytes are.
func TestLayoutFile(t *testing.T) {
	run(t, []attack{
		{"nothing", finished(func(in *layout.Input) { in.Layout = nil }), verify.CodeLayoutInvalid, "a signed layout"},
		{"too large", finished(func(in *layout.Input) {
			in.Layout = append(in.Layout, bytes.Repeat([]byte(" "), layout.MaxLayout)...)
		}), verify.CodeLayoutInvalid, "at most 4194304 bytes"},
		{"nested deep", finished(func(in *layout.Input) {
			in.Layout = []byte(`{"signatures":[],"signed":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + "}")
		}), verify.CodeLayoutInvalid, "nested at most 32"},
		{"nested deep in the envelope", finished(func(in *layout.Input) {
			in.Layout = sealBytes(t, []byte(strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 40)), in_toto.PayloadType, keys()["owner"])
		}), verify.CodeLayoutInvalid, "nested at most 32"},
		{"a link", finished(func(in *layout.Input) { in.Layout = in.Links[0].Data }), verify.CodeLayoutInvalid, `"link"`},
		{"trailing data", finished(func(in *layout.Input) { in.Layout = append(in.Layout, "{}"...) }), verify.CodeLayoutInvalid, "a signed layout"},
		{"duplicate key", finished(func(in *layout.Input) {
			in.Layout = bytes.Replace(in.Layout, []byte(`"inspect"`), []byte(`"readme": "x", "inspect"`), 1)
		}), verify.CodeLayoutInvalid, "duplicate"},
		{"both forms", finished(func(in *layout.Input) {
			in.Layout = bytes.Replace(in.Layout, []byte(`{`), []byte(`{"payload": "e30=", "payloadType": "application/vnd.in-toto+json",`), 1)
		}), verify.CodeLayoutInvalid, "must be one"},
		{"neither form", finished(func(in *layout.Input) { in.Layout = []byte(`{"signatures": []}`) }), verify.CodeLayoutInvalid, "a Metablock"},
		{"base64 of another spelling", finished(func(in *layout.Input) {
			in.Layout = bytes.Replace(sealBytes(t, []byte("{}  "), in_toto.PayloadType, keys()["owner"]), []byte("e30gIA=="), []byte("e30gIB=="), 1)
		}), verify.CodeLayoutInvalid, "illegal base64"},
		{"another payload type", finished(func(in *layout.Input) {
			in.Layout = sealBytes(t, []byte("{}"), "application/json", keys()["owner"])
		}), verify.CodeLayoutInvalid, "payloadType"},
		{"unknown member beside", finished(func(in *layout.Input) { in.Layout = bytes.Replace(in.Layout, []byte(`{`), []byte(`{"x": 1,`), 1) }), verify.CodeLayoutInvalid, "unknown"},
		{"unknown member", edit(`"readme":`, `"policy":1,"readme":`), verify.CodeLayoutInvalid, "unknown"},
		{"member in capitals", edit(`"steps":`, `"Steps":[],"steps":`), verify.CodeLayoutInvalid, "unknown"},
		{"signature in capitals", finished(func(in *layout.Input) {
			at := bytes.Index(in.Layout, []byte(`"sig": "`)) + 8
			copy(in.Layout[at:], bytes.ToUpper(in.Layout[at:at+128]))
		}), verify.CodeLayoutInvalid, "lower-case"},
		{"no such step", finished(func(in *layout.Input) { in.Step = "publish" }), verify.CodeLayoutInvalid, `steps "build", "package"`},
		{"no step named", finished(func(in *layout.Input) { in.Step = "" }), verify.CodeLayoutInvalid, `steps "build"`},
	})
}

// TestGuard: layouts that their owner signed, and that are refused all the same.
func TestGuard(t *testing.T) {
	const bad = verify.CodeLayoutInvalid
	alice := func(c *chain, do func(*in_toto.Key)) {
		for key, value := range c.layout.Keys {
			if strings.Contains(value.KeyVal.Public, public(t, keys()["alice"]).KeyVal.Public) {
				do(&value)
				c.layout.Keys[key] = value
			}
		}
	}
	run(t, []attack{
		{"no steps", func(_ *testing.T, c *chain) { c.layout.Steps = nil }, bad, "every artifact"},
		{"too many steps", func(_ *testing.T, c *chain) {
			for i := range layout.MaxSteps {
				c.layout.Steps = append(c.layout.Steps, newStep(fmt.Sprint("s", i), nil, nil, nil))
			}
		}, bad, "at most 256 steps"},
		{"no kind of step", func(_ *testing.T, c *chain) { c.step("build").Type = "" }, bad, `"_type": "step"`},
		{"name empty", stepName(""), bad, "step names"},
		{"name a dot", stepName("."), bad, "step names"},
		{"name upwards", stepName("..package"), bad, "step names"},
		{"name a path", stepName("a/b"), bad, "step names"},
		{"name absolute", stepName("/a"), bad, "step names"},
		{"name a path on Windows", stepName(`a\b`), bad, "step names"},
		{"name with NUL", stepName("a\x00b"), bad, "step names"},
		{"name a pattern", stepName("pack*"), bad, "step names"},
		{"name a class", stepName("[p]ackage"), bad, "step names"},
		{"name a question", stepName("packag?"), bad, "step names"},
		{"name long", stepName(strings.Repeat("a", 201)), bad, "step names"},
		{"name twice", stepName("build"), bad, "step names"},
		{"threshold 0", func(_ *testing.T, c *chain) { c.step("build").Threshold = 0 }, bad, "a threshold from 1 to 1"},
		{"threshold negative", func(_ *testing.T, c *chain) { c.step("build").Threshold = -1 }, bad, "a threshold"},
		{"threshold missing", edit(`"threshold":1,`, ``), bad, "a threshold"},
		{"threshold null", edit(`"threshold":1,`, `"threshold":null,`), bad, "a threshold"},
		{"threshold not met by anyone", func(_ *testing.T, c *chain) { c.step("build").Threshold = 2 }, bad, "a threshold"},
		{"one key twice in a step", func(t *testing.T, c *chain) {
			c.step("build").PubKeys, c.step("build").Threshold = []string{id(t, "alice"), id(t, "alice")}, 2
		}, bad, "each once"},
		{"one key by two ids", func(t *testing.T, c *chain) {
			key := public(t, keys()["alice"])
			form := map[string]any{"keytype": key.KeyType, "scheme": key.Scheme, "keyval": map[string]string{"public": key.KeyVal.Public}}
			key.KeyID, key.KeyIDHashAlgorithms = canonicalID(t, form), nil
			c.layout.Keys[key.KeyID] = key
			c.step("build").PubKeys, c.step("build").Threshold = append(c.step("build").PubKeys, key.KeyID), 2
		}, bad, "the same key"},
		{"key not in the layout", func(t *testing.T, c *chain) {
			c.step("build").PubKeys = append(c.step("build").PubKeys, id(t, "mallory"))
		}, bad, "pubkeys that are in"},
		{"key under another's id", func(t *testing.T, c *chain) {
			key := public(t, keys()["mallory"])
			key.KeyID = id(t, "alice")
			c.layout.Keys[key.KeyID] = key
		}, bad, "another key stands under"},
		{"key of another keyid", func(t *testing.T, c *chain) { alice(c, func(k *in_toto.Key) { k.KeyID = id(t, "bob") }) }, bad, "its keyid is"},
		{"private key", func(t *testing.T, c *chain) { alice(c, func(k *in_toto.Key) { k.KeyVal.Private = "ab" }) }, bad, "private key"},
		{"certificate", func(t *testing.T, c *chain) { alice(c, func(k *in_toto.Key) { k.KeyVal.Certificate = "x" }) }, bad, "certificate"},
		{"key short", func(t *testing.T, c *chain) {
			alice(c, func(k *in_toto.Key) { k.KeyVal.Public = k.KeyVal.Public[:62] })
		}, bad, "64 lower-case"},
		{"key of another kind", func(t *testing.T, c *chain) {
			k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			addKey(t, c, k.Public(), "rsa", "rsassa-pss-sha256")
		}, bad, `signs by ecdsa`},
		{"key of another kind, scheme and all", func(t *testing.T, c *chain) {
			k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			addKey(t, c, k.Public(), "rsa", "ecdsa-sha2-nistp256")
		}, bad, `signs by ecdsa`},
		{"too many keys", func(_ *testing.T, c *chain) {
			for i := range layout.MaxKeys {
				c.layout.Keys[fmt.Sprint(i)] = in_toto.Key{}
			}
		}, bad, "and 1024 keys"},
		{"key of another scheme", func(t *testing.T, c *chain) { alice(c, func(k *in_toto.Key) { k.Scheme = "rsassa-pss-sha256" }) }, bad, "signs by ed25519"},
		{"key weak", func(t *testing.T, c *chain) {
			k, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
			addKey(t, c, k.Public(), "ecdsa", "ecdsa-sha2-nistp224")
		}, bad, "P-224"},
		{"GPG key", func(t *testing.T, c *chain) { alice(c, func(k *in_toto.Key) { k.KeyType = "gpg" }) }, bad, "usable keys"},
		{"certificates for a step", func(_ *testing.T, c *chain) {
			c.step("build").CertificateConstraints = []in_toto.CertificateConstraint{{CommonName: "*"}}
		}, bad, "cert_constraints"},
		{"root CAs", func(_ *testing.T, c *chain) { c.layout.RootCas = map[string]in_toto.Key{"a": {}} }, bad, "certificate authorities"},
		{"intermediate CAs", func(_ *testing.T, c *chain) { c.layout.IntermediateCas = map[string]in_toto.Key{"a": {}} }, bad, "certificate authorities"},
		{"parameter in the command", func(_ *testing.T, c *chain) { c.step("build").ExpectedCommand[1] = "v={version}" }, bad, "{version}"},
		{"parameter in a rule", firstRule("DISALLOW", "{secret}"), bad, "{secret}"},
		{"too many rules", func(_ *testing.T, c *chain) {
			for range layout.MaxRules {
				c.step("build").ExpectedMaterials = append(c.step("build").ExpectedMaterials, []string{"DISALLOW", "*"})
			}
		}, bad, "at most 512 rules"},
		{"materials open", func(_ *testing.T, c *chain) {
			c.step("build").ExpectedMaterials = [][]string{{"DISALLOW", "*"}, {"ALLOW", "src/*"}}
		}, bad, "expected_materials: rules that end in DISALLOW *"},
		{"products open", func(_ *testing.T, c *chain) { c.step("package").ExpectedProducts = nil }, bad, "expected_products: rules that end in DISALLOW *"},
		{"products open at the end", func(_ *testing.T, c *chain) {
			c.step("package").ExpectedProducts = [][]string{{"ALLOW", "*"}}
		}, bad, "rules that end in DISALLOW *"},
		{"products half open", func(_ *testing.T, c *chain) {
			c.step("package").ExpectedProducts = [][]string{{"DISALLOW", "?*"}}
		}, bad, "rules that end in DISALLOW *"},
		{"rule empty", firstRule(), bad, "expected a rule"},
		{"rule of one word", firstRule("ALLOW"), bad, "expected a rule"},
		{"rule unknown", firstRule("PERMIT", "*"), bad, "expected ALLOW"},
		{"rule cut off", firstRule("MATCH", "*", "WITH", "PRODUCTS"), bad, "expected ALLOW"},
		{"match of neither kind", firstRule("MATCH", "*", "WITH", "PRODUCT", "FROM", "build"), bad, "MATERIALS or PRODUCTS"},
		{"match of no step", firstRule("MATCH", "*", "WITH", "PRODUCTS", "FROM", "biuld"), bad, "has no step"},
		{"match in upwards", firstRule("MATCH", "*", "IN", "../x", "WITH", "PRODUCTS", "FROM", "build"), bad, "upwards"},
		{"match in root", firstRule("MATCH", "*", "WITH", "PRODUCTS", "IN", "/x", "FROM", "build"), bad, "absolute"},
		{"match in nothing", firstRule("MATCH", "*", "IN", "", "WITH", "PRODUCTS", "FROM", "build"), bad, "found none"},
		{"match in here", firstRule("MATCH", "*", "IN", "./", "WITH", "PRODUCTS", "FROM", "build"), bad, "found none"},
		{"require a pattern", firstRule("REQUIRE", "bin/*"), bad, "one file's name"},
		{"class negated", firstRule("DISALLOW", "[!a]*"), bad, "negated"},
		{"class negated otherwise", firstRule("DISALLOW", "x[^a]*"), bad, "negated"},
		{"class open", firstRule("DISALLOW", "a[b"), bad, "malformed"},
		{"pattern empty", firstRule("DISALLOW", ""), bad, "found none"},
		{"pattern upwards", firstRule("ALLOW", "a/../*"), bad, "upwards"},
		{"pattern upwards at the end", firstRule("DISALLOW", "a/.."), bad, "upwards"},
		{"pattern absolute", firstRule("DISALLOW", "/etc/*"), bad, "absolute"},
		{"pattern absolute on Windows", firstRule("DISALLOW", `C:/x`), bad, "absolute"},
		{"pattern unclean", firstRule("DISALLOW", "a//b"), bad, `expected "a/b"`},
		{"pattern a folder", firstRule("DISALLOW", "a/"), bad, `expected "a"`},
		{"pattern with NUL", firstRule("DISALLOW", "a\x00"), bad, "control"},
	})
}

func addKey(t *testing.T, c *chain, public crypto.PublicKey, kind, scheme string) {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	key := in_toto.Key{KeyType: kind, Scheme: scheme, KeyVal: in_toto.KeyVal{Public: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}}
	key.KeyID = canonicalID(t, map[string]any{"keytype": kind, "scheme": scheme, "keyval": map[string]string{"public": key.KeyVal.Public}})
	c.layout.Keys[key.KeyID] = key
}

// TestInspection: nothing of a layout is run, and nothing is printed.
func TestInspection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ran")
	c := newChain(t)
	c.layout.Inspect = []in_toto.Inspection{{Type: "inspection", Run: []string{"touch", file}, SupplyChainItem: in_toto.SupplyChainItem{Name: "look",
		ExpectedMaterials: [][]string{{"DISALLOW", "*"}}, ExpectedProducts: [][]string{{"DISALLOW", "*"}}}}}
	expect(t, c.input(t), verify.CodeLayoutInvalid, `1 inspections, the first of them "look"`)
	if _, err := os.Stat(file); err == nil {
		t.Error("the inspection was run")
	}
}

// TestQuiet: in-toto-golang prints warnings; nothing that leads to one gets there.
func TestQuiet(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	defer func() { os.Stdout = stdout }()
	for _, do := range []func(*testing.T, *chain){func(*testing.T, *chain) {}, firstRule("DISALLOW", "a[b"), link("build", `"make"`, `"gmake"`), firstRule("DISALLOW", "bin/*")} {
		c := newChain(t)
		do(t, c)
		_, _ = check(c.input(t))
	}
	w.Close()
	if out, err := io.ReadAll(r); err != nil || len(out) > 0 {
		t.Errorf("found %q, %v", out, err)
	}
}

// TestLinks: links that are not usable, so that their step has too few.
func TestLinks(t *testing.T) {
	const missing = verify.CodeLayoutLinkMissing
	good := hashes(digests(t, "x"))
	bare := func(edit func(s string) string) func(*testing.T, *chain) {
		return finished(func(in *layout.Input) { in.Links[0].Data = []byte(edit(string(in.Links[0].Data))) })
	}
	run(t, []attack{
		{"none", finished(func(in *layout.Input) { in.Links = nil }), missing, `step "build" by 1 of`},
		{"too many", finished(func(in *layout.Input) { in.Links = append(in.Links, make([]layout.Link, layout.MaxLinks)...) }), missing, "at most 1024"},
		{"too large together", finished(func(in *layout.Input) {
			big := make([]byte, layout.MaxLink)
			for range layout.MaxLinkBytes / layout.MaxLink {
				in.Links = append(in.Links, layout.Link{Data: big})
			}
		}), missing, "268435456 bytes together"},
		{"too large", bare(func(s string) string { return s + strings.Repeat(" ", layout.MaxLink) }), missing, "at most 33554432 bytes"},
		{"by another", func(_ *testing.T, c *chain) { c.link("build").by = keys()["mallory"] }, missing, "names no key"},
		{"by another step's functionary", func(_ *testing.T, c *chain) { c.link("build").by = keys()["bob"] }, missing, "names no key"},
		{"by the owner", func(_ *testing.T, c *chain) { c.link("build").by = keys()["owner"] }, missing, "names no key"},
		{"by another in alice's name", func(t *testing.T, c *chain) {
			c.link("build").by = keys()["mallory"]
			c.finished = func(in *layout.Input) {
				in.Links[0].Data = bytes.ReplaceAll(in.Links[0].Data, []byte(id(t, "mallory")), []byte(id(t, "alice")))
			}
		}, missing, "the signature is not by key"},
		{"changed", bare(replaced("src/main.go", "src/mine.go")), missing, "the signature is not by key"},
		{"not signed", bare(func(s string) string { return s[:strings.Index(s, `"signatures"`)] + `"signatures": []}` }), missing, "expected one signature, found 0"},
		{"signature empty", bare(func(s string) string {
			return s[:strings.Index(s, `"signatures"`)] + `"signatures": [{"keyid": "", "sig": ""}]}`
		}), missing, "a signature is empty"},
		{"signed by two", func(t *testing.T, c *chain) {
			c.finished = func(in *layout.Input) {
				in.Links[0].Data = sign(t, c.links[0].link, keys()["mallory"], keys()["alice"])
			}
		}, missing, "expected one signature, found 2"},
		{"signed twice under one id", func(t *testing.T, c *chain) {
			c.finished = func(in *layout.Input) { in.Links[0].Data = sign(t, c.links[0].link, keys()["alice"], keys()["alice"]) }
		}, missing, "expected one signature, found 2"},
		{"another link's signature", func(t *testing.T, c *chain) {
			other := c.links[0].link
			other.Environment = map[string]any{"x": "y"}
			sig, wrong := signature(t, c.links[0].link, keys()["alice"]), signature(t, other, keys()["alice"])
			c.finished = func(in *layout.Input) {
				in.Links[0].Data = bytes.Replace(in.Links[0].Data, []byte(sig), []byte(wrong), 1)
			}
		}, missing, "the signature is not by key"},
		{"about another step", link("build", `"name":"build"`, `"name":"Build"`), missing, `found 0`},
		{"by another, behind much junk", func(_ *testing.T, c *chain) {
			c.more = append(c.more, layout.Link{Name: "late", Data: sign(t, c.links[0].link, keys()["mallory"])})
			c.links = c.links[1:]
			c.finished = func(in *layout.Input) { in.Links = append(make([]layout.Link, 20), in.Links...) }
		}, missing, `"late" is unusable: the layout names no key`},
		{"a sublayout", func(t *testing.T, c *chain) {
			c.finished = func(in *layout.Input) {
				sub := newChain(t)
				sub.text = replaced(`"_type":"layout"`, `"_type":"layout","name":"build"`)
				sub.owners = []*attest.Key{keys()["alice"]}
				in.Links[0].Data = sub.input(t).Layout
			}
		}, missing, "sublayouts are not supported"},
		{"a statement", link("build", `"_type":"link"`, `"_type":"https://in-toto.io/Statement/v1"`), missing, "--layout-link"},
		{"unknown member", link("build", `"name":`, `"x":1,"name":`), missing, "unknown"},
		{"no products", link("build", `"products":`, `"products":null,"x":`), missing, "unknown"},
		{"products null", func(_ *testing.T, c *chain) { c.link("build").link.Products = nil }, missing, "it has no products"},
		{"materials null", func(_ *testing.T, c *chain) { c.link("build").link.Materials = nil }, missing, "it has no materials"},
		{"a fraction, which canonical JSON has not", bare(replaced(`"environment": {}`, `"environment": {"a": 0.5}`)), missing, "the signature is not by key"},
		{"name doubled slash", addProduct("a//b", good), missing, "not clean"},
		{"name with dot", addProduct("./a", good), missing, "not clean"},
		{"name upwards", addProduct("../a", good), missing, "upwards"},
		{"name absolute", addProduct("/a", good), missing, "absolute"},
		{"name with NUL", addProduct("a\x00", good), missing, "control"},
		{"name empty", addProduct("", good), missing, "found none"},
		{"digest short", addProduct("a", in_toto.HashObj{"sha256": good["sha256"][:62]}), missing, "64 lower-case"},
		{"digest in capitals", addProduct("a", in_toto.HashObj{"sha256": strings.ToUpper(good["sha256"])}), missing, "64 lower-case"},
		{"digest none", addProduct("a", in_toto.HashObj{}), missing, "expected a sha256 or sha512"},
		{"digest null", addProduct("a", nil), missing, "expected a sha256 or sha512"},
		{"digest weak", addProduct("a", in_toto.HashObj{"sha1": good["sha256"][:40]}), missing, "expected a sha256 or sha512"},
		{"digest of an unknown kind in capitals", addProduct("a", in_toto.HashObj{"sha256": good["sha256"], "x": "AB"}), missing, "not lower-case"},
		{"one of two", func(t *testing.T, c *chain) { two(t, c); c.links = c.links[:2] }, missing, `by 2 of`},
		{"one of two, twice", func(t *testing.T, c *chain) { two(t, c); c.links[2].by = keys()["alice"] }, missing, `by 2 of`},
	})
}

// TestRules: links by the right functionaries that say the wrong thing.
func TestRules(t *testing.T) {
	const wrong = verify.CodeLayoutRuleFalse
	sum := func(text string) in_toto.HashObj { return hashes(digests(t, text)) }
	alsoBuild := func(t *testing.T, c *chain, change func(*in_toto.Link)) {
		two(t, c)
		change(&c.links[2].link)
	}
	run(t, []attack{
		{"return value 1", link("build", `"return-value":0`, `"return-value":1`), wrong, "a return-value of 0"},
		{"return value missing", func(_ *testing.T, c *chain) { delete(c.link("package").link.ByProducts, "return-value") }, wrong, "found none"},
		{"return value null", link("build", `"return-value":0`, `"return-value":null`), wrong, "a return-value of 0"},
		{"return value text", link("build", `"return-value":0`, `"return-value":"0"`), wrong, "a return-value of 0"},
		{"return value tiny", func(_ *testing.T, c *chain) {
			link("build", `"return-value":0`, `"return-value":1e-999`)(t, c)
			c.link("build").dsse = true
		}, wrong, "a return-value of 0"},
		{"no byproducts", func(_ *testing.T, c *chain) { c.link("build").link.ByProducts = nil }, wrong, "found none"},
		{"another command", link("build", `"make"`, `"gmake"`), wrong, `the command ["make" "app"]`},
		{"the command in one word", link("build", `["make","app"]`, `["make app"]`), wrong, `found ["make app"]`},
		{"no command", link("build", `["make","app"]`, `[]`), wrong, `the command`},
		{"a file that no rule names", func(_ *testing.T, c *chain) {
			c.link("build").link.Materials["evil"], c.link("build").link.Materials["also evil"] = sum("evil"), sum("evil")
		}, wrong, `"also", "evil", "evil", which rule [DISALLOW *] disallows`},
		{"another file under the right name", func(_ *testing.T, c *chain) {
			c.link("package").link.Materials["bin/app"] = sum("other")
			c.link("package").link.Products["bin/app"] = sum("other")
		}, wrong, "bin/app"},
		{"created out of what was there", func(_ *testing.T, c *chain) {
			firstRule("ALLOW", "src/*")(t, c)
			c.step("build").ExpectedMaterials[0] = []string{"ALLOW", "*"}
			c.link("build").link.Materials["bin/app"] = sum("ELF")
		}, wrong, "bin/app"},
		{"modified to itself", func(_ *testing.T, c *chain) {
			c.step("build").ExpectedProducts[1] = []string{"MODIFY", "src/*"}
			c.link("build").link.Materials["src/main.go"] = in_toto.HashObj{"sha256": sum("package main\n")["sha256"]}
		}, wrong, "src/main.go"},
		{"required and missing", firstRule("REQUIRE", "bin/signature"), wrong, "REQUIRE"},
		{"matched outside of the folder", func(_ *testing.T, c *chain) {
			c.link("package").link.Materials["app"] = sum("ELF")
			c.link("build").link.Products["bin/app"] = sum("ELF")
		}, wrong, `"app" outside of it`},
		{"two that disagree", func(t *testing.T, c *chain) {
			alsoBuild(t, c, func(l *in_toto.Link) { l.Products["bin/app"] = sum("other") })
		}, wrong, "links that agree"},
		{"two that disagree on materials", func(t *testing.T, c *chain) {
			alsoBuild(t, c, func(l *in_toto.Link) { l.Materials = map[string]in_toto.HashObj{} })
		}, wrong, "links that agree"},
		{"two by one functionary", func(t *testing.T, c *chain) {
			second := *c.link("build")
			second.name, second.link.Environment = "older", map[string]any{"older": "yes"}
			c.links = append(c.links, second)
		}, wrong, "two that differ"},
		{"no digest in common", func(_ *testing.T, c *chain) {
			c.link("build").link.Products["bin/app"] = in_toto.HashObj{"sha256": sum("ELF")["sha256"]}
			c.link("package").link.Materials["bin/app"] = in_toto.HashObj{"sha512": sum("ELF")["sha512"]}
		}, wrong, "links that have sha256, or that have sha512, of every file"},
		{"half the digests of another file", func(_ *testing.T, c *chain) {
			c.link("build").link.Materials["src/main.go"] = in_toto.HashObj{"sha256": sum("package main\n")["sha256"]}
			forged := in_toto.HashObj{"sha256": sum("ELF")["sha256"], "sha512": sum("other")["sha512"]}
			c.link("package").link.Materials["bin/app"] = forged
			c.link("package").link.Products["bin/app"] = forged
		}, wrong, "have all other digests in common"},
	})
}

// TestProduct: the layout is met, and the file on disk is another.
func TestProduct(t *testing.T) {
	const missing = verify.CodeLayoutProductMissing
	other := digests(t, "another tgz")
	artifact := func(d attest.DigestSet) func(*testing.T, *chain) {
		return finished(func(in *layout.Input) { in.Artifact = d })
	}
	mixed := maps.Clone(digests(t, "tgz"))
	weak := strings.Repeat("a", 40)
	mixed["sha512"] = other["sha512"]
	run(t, []attack{
		{"another file", artifact(other), missing, `2 products, none of them it: "app.tgz", "bin/app"`},
		{"another step's product", artifact(digests(t, "ELF2")), missing, "none of them it"},
		{"a material", func(t *testing.T, c *chain) { c.in.Step = "build"; c.in.Artifact = digests(t, "package main") }, missing, "none of them it"},
		{"half the digests", artifact(mixed), missing, "none of them it"},
		{"no digests", artifact(nil), missing, "neither"},
		{"empty digest", artifact(attest.DigestSet{"sha256": ""}), missing, "64 lower-case"},
		{"weak digest", artifact(attest.DigestSet{"sha1": strings.Repeat("a", 40)}), missing, "neither"},
		{"only a weak digest in common", func(t *testing.T, c *chain) {
			p := c.link("package").link.Products
			p["app.tgz"]["sha1"] = weak
			for _, l := range c.links {
				for _, artifacts := range []map[string]in_toto.HashObj{l.link.Materials, l.link.Products} {
					for _, d := range artifacts {
						delete(d, "sha512")
					}
				}
			}
			c.in.Artifact = attest.DigestSet{"sha512": digests(t, "tgz")["sha512"], "sha1": weak}
		}, missing, "none of them it"},
		{"capitals", artifact(attest.DigestSet{"sha256": strings.ToUpper(other["sha256"])}), missing, "64 lower-case"},
		{"of the build step", finished(func(in *layout.Input) { in.Step = "build" }), missing, "none of them it"},
	})
	// one digest of the artifact is enough, and so is one of the link
	c := newChain(t)
	c.in.Artifact = attest.DigestSet{"sha512": digests(t, "tgz")["sha512"], "gitCommit": strings.Repeat("a", 40)}
	if _, err := check(c.input(t)); err != nil {
		t.Error(err)
	}
}

// TestFlips: one accepted set, each byte of the layout and of the links changed in turn,
// in one bit and in that of upper case. Nothing is still accepted but the key id of the
// layout's signature: that is a hint which nobody signed, and every owner's key is
// tried. (White space, which signatures do not cover either, was taken out.)
func TestFlips(t *testing.T) {
	c := newChain(t)
	in := c.input(t)
	compact := func(data []byte) []byte {
		var b bytes.Buffer
		if err := json.Compact(&b, data); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	in.Layout = compact(in.Layout)
	hint := []byte(id(t, "owner"))
	for file := range 3 {
		data := &in.Layout
		if file > 0 {
			in.Links[file-1].Data = compact(in.Links[file-1].Data)
			data = &in.Links[file-1].Data
		}
		whole := *data
		at := bytes.LastIndex(whole, hint)
		accepted := 0
		for i := range whole {
			inHint := file == 0 && i >= at && i < at+len(hint)
			for _, bit := range []byte{1 << (i % 8), 1 << 5} {
				flipped := bytes.Clone(whole)
				flipped[i] ^= bit
				*data = flipped
				if _, err := check(in); err == nil {
					accepted++
					if !inHint {
						t.Fatalf("file %d: accepted with byte %d changed: %s", file, i, flipped[max(0, i-20):min(len(flipped), i+20)])
					}
				}
			}
		}
		*data = whole
		if _, err := check(in); err != nil || (accepted > 0) != (file == 0) {
			t.Errorf("file %d: %d flips accepted, %v", file, accepted, err)
		}
	}
}
