package attest_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"plimsoll.example/attest"
)

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
	trivy := func(results string) []byte {
		return []byte(`{"SchemaVersion":2,"ArtifactName":"a","CreatedAt":"2026-01-02T03:04:05Z","Results":[` + results + `]}`)
	}
	if predicate, _, err := attest.ParseVulns(trivy(`{"Target":"go.mod","Class":"lang-pkgs"}`), zero); err != nil || !strings.Contains(string(predicate), `"result":[]`) {
		t.Errorf("nothing found: %s, %v", predicate, err)
	}
	for _, unscanned := range []string{``, `{"Target":"a","Class":"secret"},{"Target":"b","Class":"config"}`} {
		if predicate, _, err := attest.ParseVulns(trivy(unscanned), zero); err == nil || !strings.Contains(err.Error(), "no packages were scanned for vulnerabilities") {
			t.Errorf("a report without a scan for vulnerabilities is a clean one: %s, %v", predicate, err)
		}
	}
	if _, _, err := attest.ParseVulns(trivy(`{"Class":"os-pkgs"}`), time.Unix(1750000000, 0)); !errors.Is(err, attest.ErrScanTime) {
		t.Errorf("a scan is made younger: %v", err)
	}
	if _, _, err := attest.ParseVulns(again, time.Unix(1750000000, 0)); !errors.Is(err, attest.ErrScanTime) {
		t.Errorf("a predicate's scan is made younger: %v", err)
	}
	twice, found, err := attest.ParseVulns(trivy(`{"Class":"os-pkgs","Vulnerabilities":[{"VulnerabilityID":"C","PkgName":"a","Severity":"LOW"}]},{"Class":"lang-pkgs","Vulnerabilities":[{"VulnerabilityID":"C","PkgName":"a","Severity":"CRITICAL"}]}`), zero)
	if err != nil || found != 1 || !strings.Contains(string(twice), `"LOW"`) || !strings.Contains(string(twice), `"CRITICAL"`) {
		t.Errorf("expected both severities, found %s, %v", twice, err)
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
		{`<testsuite name="s"><testcase name="a"/><testcase name="a"><error/></testcase><testcase classname="k" name="b"/></testsuite>`, `{"result":"FAILED","configuration":[],"passedTests":["k.b"],"warnedTests":[],"failedTests":["a","a #2"]}`},
		{`<testsuites><testsuite><testcase name="a"/></testsuite><testsuite><testcase name="a"/></testsuite></testsuites>`, `{"result":"PASSED","configuration":[],"passedTests":["a","a #2"],"warnedTests":[],"failedTests":[]}`},
		{"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><testsuite><testcase name=\"\xe4\"/></testsuite>", `{"result":"PASSED","configuration":[],"passedTests":["ä"],"warnedTests":[],"failedTests":[]}`},
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
	for _, bad := range []string{``, `x`, `<html/>`, `<testsuite>`, `<testsuite/>`, `<testsuite tests="500"><testcase name="a"/></testsuite>`, `<testsuite><testcase/></testsuite>`, `<?xml version="1.0" encoding="KOI8-R"?><testsuite><testcase name="a"/></testsuite>`, `{"a":1}`, `{"Action":"run","Test":"T"}`, `{"Action":`, `{"Action":"pass","Package":"p"}`} {
		if p, _, err := attest.ParseTests([]byte(bad), nil, ""); err == nil {
			t.Errorf("%s: found %s", bad, p)
		}
	}
}

// TestPredicateRules: what a predicate's members must be together, in whatever JSON they
// are written.
func TestPredicateRules(t *testing.T) {
	vex := func(version, statement string) string {
		return `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://acme.example/1","author":"A","timestamp":"2026-01-01T00:00:00Z","version":` + version + `,"statements":[` + statement + `]}`
	}
	vulns := func(started, finished string) string {
		return `{"scanner":{"uri":"https://s.example","result":[]},"metadata":{"scanStartedOn":"` + started + `","scanFinishedOn":"` + finished + `"}}`
	}
	const fixed = `{"vulnerability":{"name":"CVE-1"},"status":"fixed"}`
	for _, c := range []struct{ uri, predicate, want string }{
		{attest.TypeOpenVEX, vex("1", fixed), ""},
		{attest.TypeOpenVEX, strings.Replace(vex("1", fixed), "/v0.2.0", "", 1), ""},
		{attest.TypeOpenVEX, strings.Replace(vex("1", fixed), "openvex.dev/ns", "openvex.dev/nsx", 1), "@context: expected https://openvex.dev/ns or a version of it"},
		{attest.TypeOpenVEX, vex("0", fixed), "version: expected 1 or more, found 0"},
		{attest.TypeOpenVEX, vex("1.5", fixed), "version: expected 1 or more"},
		{attest.TypeOpenVEX, vex("-1", fixed), "version: expected 1 or more"},
		{attest.TypeOpenVEX, vex("1", `{"vulnerability":"CVE-1","status":"fixed"}`), "statements[0].vulnerability: expected an object"},
		{attest.TypeOpenVEX, vex("1", `{"vulnerability":{},"status":"fixed"}`), "statements[0].vulnerability.name: it is required"},
		{attest.TypeOpenVEX, vex("1", `{"vulnerability":{"name":"C"},"status":"not\u005faffected"}`), "not_affected needs a justification"},
		{attest.TypeOpenVEX, vex("1", `{"vulnerability":{"name":"C"},"status":"not_affected","justification":"we think so"}`), "statements[0].justification: expected component_not_present or"},
		{attest.TypeOpenVEX, vex("1", `{"vulnerability":{"name":"C"},"status":"not_affected","justification":"component_not_present"}`), ""},
		{attest.TypeOpenVEX, vex("1", `{"vulnerability":{"name":"C"},"status":"affecte\u0064"}`), "affected needs an action_statement"},
		{attest.TypeTestResult, `{"result":"PASSED","configuration":[],"failedTests":["a"]}`, "result: expected FAILED, because failedTests lists 1, found PASSED"},
		{attest.TypeTestResult, `{"result":"PASSED","configuration":[],"failedTests":[]}`, ""},
		{attest.TypeVulns, vulns("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), ""},
		{attest.TypeVulns, vulns("2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"), "metadata: scanFinishedOn: it is before scanStartedOn"},
	} {
		err := attest.CheckPredicate(c.uri, []byte(c.predicate))
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: expected %q, found %v", c.predicate, c.want, err)
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
