package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"e2e.plimsoll.example/services"
	"plimsoll.example/verify/npm/npmtest"
)

// npmRegistry is the one that runs; scripts that use it do not run side by side.
var npmRegistry *npmtest.Registry

// registry start: an empty registry of npm packages, to which npm can publish.
// registry tamper provenance|signature NAME VERSION: from now on it serves what was
// changed after it was signed. registry behave: no longer.
func registry(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && len(args) == 1 && args[0] == "start":
		r, err := npmtest.NewRegistry(running.Registry, &txtar.Archive{})
		ts.Check(err)
		r.SetBase("http://" + services.NPMRegistry)
		listener, err := net.Listen("tcp", services.NPMRegistry)
		ts.Check(err)
		server := &http.Server{Handler: r}
		go server.Serve(listener)
		ts.Defer(func() { server.Close() })
		npmRegistry = r
	case !neg && len(args) == 1 && args[0] == "behave":
		npmRegistry.Behave()
	case !neg && len(args) == 4 && args[0] == "tamper":
		path, change := "/"+args[2], tamperSignature
		if args[1] == "provenance" {
			path, change = "/-/npm/v1/attestations/"+args[2]+"@"+args[3], tamperProvenance
		}
		body, err := fetched("http://" + services.NPMRegistry + path)
		ts.Check(err)
		changed, err := change(body, args[3])
		ts.Check(err)
		npmRegistry.Misbehave(path, npmtest.Body(changed))
	default:
		ts.Fatalf("usage: registry start | tamper provenance|signature NAME VERSION | behave")
	}
}

func fetched(address string) ([]byte, error) {
	answer, err := http.Get(address)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}

// tamperProvenance puts another payload under the provenance's signature.
func tamperProvenance(body []byte, _ string) ([]byte, error) {
	var doc struct {
		Attestations []map[string]any `json:"attestations"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, err
	}
	for _, a := range doc.Attestations {
		if !strings.Contains(fmt.Sprint(a["predicateType"]), "slsa.dev") {
			continue
		}
		envelope := a["bundle"].(map[string]any)["dsseEnvelope"].(map[string]any)
		payload, err := base64.StdEncoding.DecodeString(envelope["payload"].(string))
		if err != nil {
			return nil, err
		}
		envelope["payload"] = base64.StdEncoding.EncodeToString(bytes.Replace(payload, []byte("acme"), []byte("evil"), 1))
	}
	return json.Marshal(doc)
}

// tamperSignature changes one bit in the middle of the registry's signature.
func tamperSignature(body []byte, version string) ([]byte, error) {
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, err
	}
	dist := doc["versions"].(map[string]any)[version].(map[string]any)["dist"].(map[string]any)
	for _, s := range dist["signatures"].([]any) {
		signature := s.(map[string]any)
		raw, err := base64.StdEncoding.DecodeString(signature["sig"].(string))
		if err != nil {
			return nil, err
		}
		raw[len(raw)/2] ^= 1
		signature["sig"] = base64.StdEncoding.EncodeToString(raw)
	}
	return json.Marshal(doc)
}

// differences between the verdicts of npm audit signatures and plimsoll npm that are
// meant, by npm's word and plimsoll's.
var differences = map[string]string{
	"verified/warning": "npm says nothing of a package that has a signature and no provenance; here that is a warning",
}

// audited AUDIT.json REPORT.json: npm audit signatures --json and plimsoll npm --format
// json say the same of every package, but for the differences that are meant.
func audited(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: audited AUDIT.json REPORT.json")
	}
	type named struct{ Name, Version string }
	var audit struct {
		Invalid, Missing, Verified []named
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &audit))
	var report struct {
		Packages []struct {
			Package, Outcome string
			Origin           *struct{ Repository string }
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &report))
	said := map[string]string{}
	for word, list := range map[string][]named{"invalid": audit.Invalid, "missing": audit.Missing, "verified": audit.Verified} {
		for _, p := range list {
			// With --include-attestations a package stands among the verified for its
			// attestation, and among the invalid for its signature.
			if id := p.Name + "@" + p.Version; said[id] == "" || word == "invalid" {
				said[id] = word
			}
		}
	}
	equal := map[string][]string{"invalid": {"denied"}, "missing": {"denied"}, "verified": {"holds"}}
	var lines []string
	for _, p := range report.Packages {
		npm := said[p.Package]
		if npm == "" && p.Outcome != "denied" {
			npm = "verified" // it lists only what has attestations
		}
		_, meant := differences[npm+"/"+p.Outcome]
		lines = append(lines, fmt.Sprintf("%s: npm %s, plimsoll %s", p.Package, npm, p.Outcome))
		if !slices.Contains(equal[npm], p.Outcome) && !meant {
			ts.Fatalf("%s", strings.Join(lines, "\n"))
		}
	}
	if len(report.Packages) != 3 {
		ts.Fatalf("expected 3 packages, found %d", len(report.Packages))
	}
	fmt.Fprintln(ts.Stdout(), strings.Join(lines, "\n"))
}
