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
// registry tamper KIND NAME VERSION: from now on it serves what was changed after it was
// signed (the kinds are in tampers). registry behave: no longer.
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
	case !neg && len(args) == 4 && args[0] == "tamper" && tampers[args[1]] != nil:
		path := "/-/npm/v1/attestations/" + args[2] + "@" + args[3]
		if args[1] == "signature" {
			path = "/" + args[2]
		}
		body, err := fetched("http://" + services.NPMRegistry + path)
		ts.Check(err)
		changed, err := tampers[args[1]](body, args[3])
		ts.Check(err)
		if changed == nil {
			npmRegistry.Misbehave(path, npmtest.Status(http.StatusNotFound, 0, ""))
			return
		}
		npmRegistry.Misbehave(path, npmtest.Body(changed))
	default:
		ts.Fatalf("usage: registry start | tamper KIND NAME VERSION | behave")
	}
}

// tampers change what a registry answers about a version; nil is that it has nothing.
var tampers = map[string]func(body []byte, version string) ([]byte, error){
	// another payload under the provenance's signature
	"provenance": eachBundle(func(bundle map[string]any) {
		envelope := bundle["dsseEnvelope"].(map[string]any)
		payload, _ := base64.StdEncoding.DecodeString(envelope["payload"].(string))
		envelope["payload"] = base64.StdEncoding.EncodeToString(bytes.Replace(payload, []byte("acme"), []byte("evil"), 1))
	}),
	"signature": tamperSignature,
	"withheld":  func([]byte, string) ([]byte, error) { return nil, nil },
	// the attestations that npm published of another package
	"another": func([]byte, string) ([]byte, error) {
		return fetched("http://" + services.NPMRegistry + "/-/npm/v1/attestations/@acme%2fscoped@2.0.0")
	},
	"log time": eachBundle(func(bundle map[string]any) {
		for _, e := range entriesOf(bundle) {
			e["integratedTime"] = "1700000000"
		}
	}),
	"log entry": eachBundle(func(bundle map[string]any) {
		delete(bundle["verificationMaterial"].(map[string]any), "tlogEntries")
	}),
}

func entriesOf(bundle map[string]any) []map[string]any {
	var entries []map[string]any
	for _, e := range bundle["verificationMaterial"].(map[string]any)["tlogEntries"].([]any) {
		entries = append(entries, e.(map[string]any))
	}
	return entries
}

// eachBundle changes the provenance's bundle.
func eachBundle(change func(bundle map[string]any)) func(body []byte, version string) ([]byte, error) {
	return func(body []byte, _ string) ([]byte, error) {
		var doc struct {
			Attestations []map[string]any `json:"attestations"`
		}
		if err := json.Unmarshal(body, &doc); err != nil {
			return nil, err
		}
		for _, a := range doc.Attestations {
			if strings.Contains(fmt.Sprint(a["predicateType"]), "slsa.dev") {
				change(a["bundle"].(map[string]any))
			}
		}
		return json.Marshal(doc)
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
// meant: of which package, npm's word and plimsoll's. A row that is not needed any more
// fails the script.
var differences = map[string]string{
	"plain@1.0.0: npm silent, plimsoll warning":       "npm says nothing of a package that has a signature and no provenance; here that is a warning",
	"plain@1.0.0: npm stopped, plimsoll warning":      "npm stops at the first answer that is about another package, or is not there; here each is judged",
	"@acme/scoped@2.0.0: npm stopped, plimsoll holds": "the same",
}

// stops are the errors at which npm stops without a word about the other packages.
var stops = []string{"EATTESTATIONSUBJECT", "E404"}

// differed are the rows that were needed.
var differed = map[string]bool{}

// audited AUDIT.json REPORT.json: npm audit signatures --json and plimsoll npm --format
// json say the same of every package, but for the differences that are meant. audited
// end: each of those was needed.
func audited(ts *testscript.TestScript, neg bool, args []string) {
	if !neg && len(args) == 1 && args[0] == "end" {
		for row := range differences {
			if !differed[row] {
				ts.Fatalf("not needed any more: %s", row)
			}
		}
		return
	}
	if neg || len(args) != 2 {
		ts.Fatalf("usage: audited AUDIT.json REPORT.json | end")
	}
	said := auditSays(ts, args[0])
	var report struct {
		Packages []struct{ Package, Outcome string }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &report))
	equal := map[string]string{"invalid": "denied", "missing": "denied", "verified": "holds"}
	var lines, wrong []string
	for _, p := range report.Packages {
		npm := said(p.Package)
		line := fmt.Sprintf("%s: npm %s, plimsoll %s", p.Package, npm, p.Outcome)
		lines = append(lines, line)
		switch {
		case equal[npm] == p.Outcome:
		case differences[line] != "":
			differed[line] = true
		default:
			wrong = append(wrong, line)
		}
	}
	if len(wrong) > 0 || len(lines) != 3 {
		ts.Fatalf("they differ:\n%s\nof:\n%s", strings.Join(wrong, "\n"), strings.Join(lines, "\n"))
	}
	fmt.Fprintln(ts.Stdout(), strings.Join(lines, "\n"))
}

// auditSays reads what npm says of each package: verified, invalid or missing; silent of
// what it does not list, and stopped where it looked no further.
func auditSays(ts *testscript.TestScript, file string) func(id string) string {
	type named struct{ Name, Version string }
	var audit struct {
		Invalid, Missing, Verified []named
		Error                      *struct{ Code, Summary string }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &audit))
	if audit.Error != nil {
		if !slices.Contains(stops, audit.Error.Code) {
			ts.Fatalf("npm: %s: %s", audit.Error.Code, audit.Error.Summary)
		}
		return func(id string) string {
			if slices.Contains(strings.FieldsFunc(audit.Error.Summary, func(r rune) bool { return r == ' ' || r == '/' }), id) {
				return "invalid"
			}
			return "stopped"
		}
	}
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
	return func(id string) string {
		if said[id] == "" {
			return "silent"
		}
		return said[id]
	}
}
