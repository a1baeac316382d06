package attest_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/attest"
)

// TestLayoutLink: in-toto-golang verifies the links that are written for its layouts,
// by every kind of key, under the name that it expects, and no changed one.
func TestLayoutLink(t *testing.T) {
	for _, algorithm := range attest.KeyAlgorithms() {
		t.Run(algorithm, func(t *testing.T) {
			k, err := attest.GenerateKey(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			link := attest.Link{Name: "build", Command: []string{"make", "a\nb\"\u2028é"}, Environment: map[string]string{"LANG": "C"},
				ByProducts: map[string]any{"return-value": 0}, Materials: []attest.Subject{{Name: "src/a", Digest: subject.Digest}}}
			name, data, err := link.ForLayout([]attest.Subject{subject}, k)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			var public in_toto.Key
			if err := public.LoadKeyReaderDefaults(strings.NewReader(string(k.PublicPEM()))); err != nil {
				t.Fatal(err)
			}
			if want := "build." + public.KeyID[:8] + ".link"; name != want {
				t.Errorf("expected the name %s, found %s", want, name)
			}
			read, err := in_toto.LoadMetadata(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := read.VerifySignature(public); err != nil {
				t.Error(err)
			}
			payload, ok := read.GetPayload().(in_toto.Link)
			if !ok || payload.Products["app"]["sha256"] != subject.Digest["sha256"] || payload.Command[1] != link.Command[1] || len(payload.Materials) != 1 {
				t.Errorf("found %+v", read.GetPayload())
			}
			if err := os.WriteFile(file, []byte(strings.Replace(string(data), "make", "fake", 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			if read, err := in_toto.LoadMetadata(file); err == nil && read.VerifySignature(public) == nil {
				t.Error("a changed link verifies")
			}
		})
	}
}

// TestGenerateKey: a key of each kind is what it is called, and comes back from its
// PEM.
func TestGenerateKey(t *testing.T) {
	for _, algorithm := range attest.KeyAlgorithms() {
		k, err := attest.GenerateKey(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		data, err := k.PrivatePEM([]byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := attest.ParseKey(data, []byte("secret"))
		if err != nil || again.ID() != k.ID() || k.Algorithm() != algorithm {
			t.Errorf("%s: found %s, %v", algorithm, k.Algorithm(), err)
		}
		block, _ := pem.Decode(k.PublicPEM())
		if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			t.Error(err)
		}
	}
	if _, err := attest.GenerateKey("dsa"); err == nil {
		t.Error("dsa is a kind")
	}
}

// TestRecordFiles: patterns name files below a folder, each once; links stay inside.
func TestRecordFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a/x.js": "x", "a/b/y.js": "y", "a/b/empty": "", "z.txt": "z", ".git/config": "c"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"a/in": "../z.txt", "a/out": "/etc/passwd", "a/loop": "loop", "a/folder": "b"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	for _, c := range []struct{ patterns, exclude, want, ledOut string }{
		{"a", "", "a/b/empty a/b/y.js a/in a/x.js", "a/loop a/out"},
		{"**/*.js", "", "a/b/y.js a/x.js", ""},
		{"**/*.js a/x.js", "", "a/b/y.js a/x.js", ""},
		{"{a,b}/*.js", "", "a/x.js", ""},
		{".", ".git a/b", "a/in a/x.js z.txt", "a/loop a/out"},
		{".", "**/*.js .git **/out **/loop", "a/b/empty a/in z.txt", ""},
	} {
		r, err := attest.RecordFiles(context.Background(), dir, strings.Fields(c.patterns), strings.Fields(c.exclude))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range r.Files {
			if names = append(names, f.Name); len(f.Digest["sha256"]) != 64 || len(f.Digest["sha512"]) != 128 {
				t.Errorf("%s: %v", f.Name, f.Digest)
			}
		}
		if got := strings.Join(names, " "); got != c.want || strings.Join(r.LedOut, " ") != c.ledOut {
			t.Errorf("%s without %s: expected %s and %s, found %s and %s", c.patterns, c.exclude, c.want, c.ledOut, got, r.LedOut)
		}
	}
	for _, bad := range []string{"", "nothing*", "../x", "/etc/*", "a/[", ".git/none"} {
		if r, err := attest.RecordFiles(context.Background(), dir, []string{bad}, nil); err == nil && bad != "" {
			t.Errorf("%q: found %v", bad, r.Files)
		}
	}
}

// TestReports: what scanners and test runners write becomes the standard's predicate,
// sorted, each finding once; what is no such report is refused.
func TestReports(t *testing.T) {
	predicate, found, err := attest.ParseVulns([]byte(`{"matches":[
		{"vulnerability":{"id":"CVE-2"},"artifact":{"name":"a","version":"1"}},
		{"vulnerability":{"id":"CVE-1","severity":"High","cvss":[{"version":"3.1","vector":"V"}]},"artifact":{"purl":"pkg:npm/a@1"}},
		{"vulnerability":{"id":"CVE-1","severity":"High"},"artifact":{"purl":"pkg:npm/a@1"}}],
		"descriptor":{"name":"grype","version":"1","timestamp":"2026-01-02T03:04:05+01:00","db":{"built":"2026-01-01T00:00:00Z"}}}`), zero)
	want := `{"scanner":{"uri":"https://github.com/anchore/grype","version":"1","db":{"lastUpdate":"2026-01-01T00:00:00Z"},"result":[` +
		`{"id":"CVE-1","severity":[{"method":"severity","score":"High"},{"method":"CVSS_V3.1","score":"V"}],"annotations":[{"package":"pkg:npm/a@1"}]},` +
		`{"id":"CVE-2","severity":[],"annotations":[{"package":"a@1"}]}]},"metadata":{"scanStartedOn":"2026-01-02T02:04:05Z","scanFinishedOn":"2026-01-02T02:04:05Z"}}`
	if err != nil || found != 2 || string(predicate) != want {
		t.Errorf("expected %s\nfound %s, %d, %v", want, predicate, found, err)
	}
	again, found, err := attest.ParseVulns(predicate, zero)
	if err != nil || found != 2 || string(again) != string(predicate) {
		t.Errorf("a predicate is not kept as it is: %s, %v", again, err)
	}
	if predicate, _, err := attest.ParseVulns([]byte(`{"SchemaVersion":2,"ArtifactName":"a","CreatedAt":"2026-01-02T03:04:05Z"}`), zero); err != nil || !strings.Contains(string(predicate), `"result":[]`) {
		t.Errorf("nothing found: %s, %v", predicate, err)
	}
	if predicate, _, err := attest.ParseVulns([]byte(`{"SchemaVersion":2,"ArtifactName":"a","CreatedAt":"2020-01-02T03:04:05Z"}`), time.Unix(1750000000, 0)); err != nil || !strings.Contains(string(predicate), `"scanFinishedOn":"2020-`) {
		t.Errorf("a scan is made younger: %s, %v", predicate, err)
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"matches":[{}],"descriptor":{"name":"grype","timestamp":"2026-01-02T03:04:05Z"}}`, `{"matches":1,"descriptor":{}}`, `{"results":[{"packages":[{"vulnerabilities":[{}]}]}]}`,
		`{"SchemaVersion":2,"Results":[{"Vulnerabilities":[{}]}],"CreatedAt":"2026-01-02T03:04:05Z"}`, `{"scanner":{},"metadata":{}}`, `{"results":[],"results":[]}`,
		`{"results":null}`, `{"matches":null,"descriptor":{"name":"grype","timestamp":"2026-01-02T03:04:05Z"}}`, `{"matches":[],"descriptor":{"name":"other","timestamp":"2026-01-02T03:04:05Z"}}`,
		`{"results":[{"check_id":"x","path":"a.py"}],"errors":[]}`} {
		if p, _, err := attest.ParseVulns([]byte(bad), time.Unix(1750000000, 0)); err == nil {
			t.Errorf("%s: found %s", bad, p)
		}
	}
	for _, c := range []struct{ report, want string }{
		{`<testsuite name="s"><testcase name="a"/><testcase name="a"><error/></testcase><testcase classname="k" name="b"/></testsuite>`, `{"result":"FAILED","configuration":[],"passedTests":["k.b"],"warnedTests":[],"failedTests":["a"]}`},
		{`<testsuites><testsuite name="s" failures="1"><testcase name="a"/></testsuite></testsuites>`, `{"result":"FAILED","configuration":[],"passedTests":["a"],"warnedTests":[],"failedTests":["s"]}`},
		{`<testsuites><testsuite name="o"><testsuite name="s" errors="00"><testcase name="a"/></testsuite></testsuite></testsuites>`, `{"result":"PASSED","configuration":[],"passedTests":["a"],"warnedTests":[],"failedTests":[]}`},
		{`{"Action":"run","Package":"p","Test":"T"}` + "\n" + `{"Action":"fail","Package":"p","Test":"T"}` + "\n" + `{"Action":"fail","Package":"p"}`, `{"result":"FAILED","configuration":[],"passedTests":[],"warnedTests":[],"failedTests":["p.T"]}`},
		{`<testsuites tests="2" failures="1"><testsuite name="s"><testcase name="a"/><testcase name="b"/></testsuite></testsuites>`, `{"result":"FAILED","configuration":[],"passedTests":["a","b"],"warnedTests":[],"failedTests":["testsuites"]}`},
		{`<testsuites><failure/><testsuite name="s"><testcase name="a"/></testsuite></testsuites>`, `{"result":"FAILED","configuration":[],"passedTests":["a"],"warnedTests":[],"failedTests":["testsuites"]}`},
		{`{"Action":"fail","Package":"p"}`, `{"result":"FAILED","configuration":[],"passedTests":[],"warnedTests":[],"failedTests":["p"]}`},
	} {
		predicate, _, err := attest.ParseTests([]byte(c.report), nil, "")
		if err != nil || string(predicate) != c.want {
			t.Errorf("%s: expected %s, found %s, %v", c.report, c.want, predicate, err)
		}
		if !json.Valid(predicate) || attest.CheckPredicate(attest.TypeTestResult, predicate) != nil {
			t.Errorf("%s is no predicate", predicate)
		}
	}
	for _, bad := range []string{``, `x`, `<html/>`, `<testsuite>`, `<testsuite/>`, `<testsuite tests="500"><testcase name="a"/></testsuite>`, `<testsuite><testcase/></testsuite>`, `{"a":1}`, `{"Action":"run","Test":"T"}`, `{"Action":`, `{"Action":"pass","Package":"p"}`} {
		if p, _, err := attest.ParseTests([]byte(bad), nil, ""); err == nil {
			t.Errorf("%s: found %s", bad, p)
		}
	}
}

// FuzzReports: whatever a report holds, what is made of it has what its type requires.
func FuzzReports(f *testing.F) {
	f.Add([]byte(`{"matches":[{"vulnerability":{"id":"CVE-1","cvss":[{"version":"3.1","vector":"V"}]},"artifact":{"name":"a"}}],"descriptor":{"name":"grype","timestamp":"2026-01-02T03:04:05Z"}}`))
	f.Add([]byte(`{"SchemaVersion":2,"Results":[{"Vulnerabilities":[{"VulnerabilityID":"C","CVSS":{"nvd":{"V3Vector":"V"}}}]}],"CreatedAt":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"results":[{"packages":[{"package":{"name":"a","ecosystem":"npm"},"vulnerabilities":[{"id":"G","severity":[{"type":"T","score":"S"}]}]}]}]}`))
	f.Add([]byte(`<testsuites><testsuite name="s" failures="1"><testcase classname="c" name="n"><failure/></testcase></testsuite></testsuites>`))
	f.Add([]byte("{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"T\"}"))
	f.Add([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{"purl":"pkg:npm/a@1","hashes":[{"alg":"SHA-1","content":"00"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if predicate, _, err := attest.ParseVulns(data, time.Unix(1750000000, 0)); err == nil {
			if err := attest.CheckPredicate(attest.TypeVulns, predicate); err != nil {
				t.Errorf("%s: %v", predicate, err)
			}
		}
		if predicate, counts, err := attest.ParseTests(data, nil, ""); err == nil {
			if err := attest.CheckPredicate(attest.TypeTestResult, predicate); err != nil || counts.Passed+counts.Failed == 0 {
				t.Errorf("%s: %v, %v", predicate, counts, err)
			}
		}
		if s, err := attest.ParseSBOM(data); err == nil {
			list, err := s.Dependencies()
			for _, d := range list {
				if d.PURL == "" || len(d.Digest) == 0 || d.Digest.WellFormed() != nil {
					t.Errorf("%+v, %v", d, err)
				}
			}
		}
	})
}
