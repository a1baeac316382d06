package sarif_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"plimsoll.example/verify/sarif"
)

// schema compiles the SARIF schema of PLIMSOLL_CORPUS, or skips.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	dir := os.Getenv("PLIMSOLL_CORPUS")
	if dir == "" {
		t.Skip("no SARIF schema: PLIMSOLL_CORPUS is not set")
	}
	data, err := os.ReadFile(filepath.Join(dir, "schema", "sarif-2.1.0.json"))
	if err != nil {
		t.Skipf("no SARIF schema: %v", err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var rules = []sarif.Rule{
	{ID: "UNUSED", Meaning: "no result has it"},
	{ID: "VULNERABLE", Meaning: "the scan found one", Remedy: "update {it}"},
	{ID: "ALLOWED", Meaning: "it may be deployed", Remedy: "nothing"},
}

// full has everything that a run may have.
func full() sarif.Run {
	return sarif.Run{
		ToolVersion: "v1.2.3", InformationURI: "https://plimsoll.example", Rules: rules, ExitCode: 3,
		Properties: map[string]any{"policyDigest": "sha256:00", "notChecked": []string{"x"}, "enforced": true, "a": 1},
		Results: []sarif.Result{
			{RuleID: "VULNERABLE", Level: sarif.LevelError, Message: "expected none, found one", Artifact: "dir/a b", Source: "dir/a b.sigstore.jsonl", Line: 2,
				Subject: []string{"scan", "pkg:npm/x@1", "CVE-1"}, Properties: map[string]any{"requirement": "scan"}},
			{RuleID: "VULNERABLE", Level: sarif.LevelError, Message: "expected none, found one", Artifact: "dir/a b", Subject: []string{"scan", "pkg:npm/y@1", "CVE-1"}, Suppression: "waiver of alice"},
			{RuleID: "ALLOWED", Level: sarif.Pass, Message: "allowed", Artifact: "oci://r.example:5000/n@sha256:00 (linux/amd64)"},
			{RuleID: "SOMETHING_NEW", Level: sarif.LevelNote, Message: "found\x00\x1b[31m\u202e\u2028\U000e0001 <&> \xff", Artifact: "/tmp/x"},
			{RuleID: "ABOUT_NOTHING", Level: sarif.LevelWarning, Message: "w"},
		},
		Notifications: []sarif.Notification{
			{Level: sarif.LevelError, Message: "no decision", Artifact: "missing"},
			{Level: sarif.LevelWarning, Message: "not enforced"},
		},
	}
}

func write(t *testing.T, run sarif.Run) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := sarif.Write(&b, run); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A logged is what a reader sees of a log.
type logged struct {
	Schema  string `json:"$schema"`
	Version string
	Runs    []struct {
		Tool struct {
			Driver struct {
				Name, Version, InformationURI string
				Rules                         []struct {
					ID                     string
					ShortDescription, Help *struct{ Text string }
				}
			}
		}
		Invocations []struct {
			ExecutionSuccessful        *bool
			ExitCode                   *int
			ToolExecutionNotifications []struct{ Level string }
		}
		Results []struct {
			RuleID              string
			RuleIndex           *int
			Kind, Level         string
			Message             struct{ Text string }
			Locations           []place
			RelatedLocations    []place
			PartialFingerprints map[string]string
			Suppressions        []struct{ Kind, Status, Justification string }
		}
	}
}

type place struct {
	PhysicalLocation struct {
		ArtifactLocation struct{ URI string }
		Region           *struct{ StartLine int }
	}
}

func read(t *testing.T, data []byte) logged {
	t.Helper()
	var l logged
	if err := json.Unmarshal(data, &l); err != nil {
		t.Fatal(err)
	}
	if len(l.Runs) != 1 {
		t.Fatalf("expected one run, found %d", len(l.Runs))
	}
	return l
}

// TestSchema: what is written is valid against SARIF 2.1.0, and the schema that
// says so can say no.
func TestSchema(t *testing.T) {
	s := schema(t)
	valid := func(data []byte) error {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return s.Validate(doc)
	}
	data := write(t, full())
	if err := valid(data); err != nil {
		t.Errorf("%v in\n%s", err, data)
	}
	for _, u := range uris {
		run := full()
		run.Results[0].Artifact, run.Results[0].Source = u.name, u.name
		if err := valid(write(t, run)); err != nil {
			t.Errorf("%q: %v", u.name, err)
		}
	}
	for old, bad := range map[string]string{
		`"level": "error"`:         `"level": "fatal"`,
		`"kind": "external"`:       `"kind": "elsewhere"`,
		`"uri": "file:///tmp/x"`:   `"uri": "%zz"`,
		`"executionSuccessful"`:    `"successful"`,
		`"startLine": 2`:           `"startLine": 0`,
		`"ruleIndex": 0`:           `"ruleIndex": "0"`,
		`"version": "2.1.0"`:       `"version": "2.2.0"`,
		`"justification": "waiver`: `"reason": "waiver`,
	} {
		if !bytes.Contains(data, []byte(old)) {
			t.Errorf("%s is not written", old)
		} else if valid(bytes.Replace(data, []byte(old), []byte(bad), 1)) == nil {
			t.Errorf("the schema accepts %s", bad)
		}
	}
}

// TestWrite looks at what the schema does not: that a log says what the run said.
func TestWrite(t *testing.T) {
	data := write(t, full())
	l := read(t, data)
	if l.Version != "2.1.0" || l.Schema == "" || !bytes.HasSuffix(data, []byte("}\n")) {
		t.Errorf("found %q, %q", l.Version, l.Schema)
	}
	run := l.Runs[0]
	var ids []string
	for _, r := range run.Tool.Driver.Rules {
		ids = append(ids, r.ID)
	}
	if got := strings.Join(ids, " "); got != "ABOUT_NOTHING ALLOWED SOMETHING_NEW VULNERABLE" {
		t.Errorf("rules: %s", got)
	}
	if d := run.Tool.Driver; d.Name != "plimsoll" || d.Version != "v1.2.3" || d.Rules[3].Help.Text != "update {{it}}" || d.Rules[3].ShortDescription.Text != "the scan found one" || d.Rules[2].Help != nil {
		t.Errorf("driver: %+v", d)
	}
	if i := run.Invocations; len(i) != 1 || *i[0].ExecutionSuccessful || *i[0].ExitCode != 3 || len(i[0].ToolExecutionNotifications) != 2 {
		t.Errorf("invocations: %+v", i)
	}
	for i, want := range []struct{ kind, level, artifact string }{
		{"fail", "error", "dir/a%20b"}, {"fail", "error", "dir/a%20b"},
		{"pass", "none", "oci://r.example:5000/n@sha256:00%20(linux/amd64)"},
		{"fail", "note", "file:///tmp/x"}, {"fail", "warning", ""},
	} {
		r := run.Results[i]
		artifact := ""
		if len(r.Locations) > 0 {
			artifact = r.Locations[0].PhysicalLocation.ArtifactLocation.URI
		}
		if r.Kind != want.kind || r.Level != want.level || artifact != want.artifact || ids[*r.RuleIndex] != r.RuleID {
			t.Errorf("result %d: expected %v, found %+v at %q", i, want, r, artifact)
		}
		if suppressed := len(r.Suppressions) > 0; suppressed != (i == 1) {
			t.Errorf("result %d: suppressed: %v", i, suppressed)
		}
	}
	if s := run.Results[1].Suppressions[0]; s.Kind != "external" || s.Status != "accepted" || s.Justification != "waiver of alice" {
		t.Errorf("suppression: %+v", s)
	}
	if r := run.Results[0].RelatedLocations; len(r) != 1 || r[0].PhysicalLocation.Region.StartLine != 2 || r[0].PhysicalLocation.ArtifactLocation.URI != "dir/a%20b.sigstore.jsonl" {
		t.Errorf("source: %+v", r)
	}
}

// TestSame: the same run gives the same bytes.
func TestSame(t *testing.T) {
	want := write(t, full())
	for range 20 {
		if !bytes.Equal(write(t, full()), want) {
			t.Fatal("two runs differ")
		}
	}
}

// TestControl: control and format characters are escapes, and < > & are not.
func TestControl(t *testing.T) {
	data := string(write(t, full()))
	for _, r := range data {
		if r != '\n' && (r < 0x20 || r == 0x7f || r == 0x202e || r == 0x2028 || r == 0xe0001) {
			t.Errorf("%U is written as it is", r)
		}
	}
	if want := `found\u0000\u001b[31m\u202e\u2028\udb40\udc01 <&> ` + "\ufffd"; !strings.Contains(data, want) && !strings.Contains(data, strings.ReplaceAll(want, "\ufffd", `\ufffd`)) {
		t.Errorf("expected %s in\n%s", want, data)
	}
}

// TestMessages: text from outside is neither a link nor a placeholder.
func TestMessages(t *testing.T) {
	run := full()
	run.Results[0].Message = "found [sign in](https://evil.example) {0} [a\\](1)"
	if got := read(t, write(t, run)).Runs[0].Results[0].Message.Text; got != "found [sign in] (https://evil.example) {{0}} [a\\] (1)" {
		t.Errorf("found %q", got)
	}
}

// TestRefused: a log never reads better than what happened.
func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*sarif.Run){
		"the zero value":             func(r *sarif.Run) { *r = sarif.Run{} },
		"a success about nothing":    func(r *sarif.Run) { *r = sarif.Run{Successful: true} },
		"unsuccessful with exit 0":   func(r *sarif.Run) { r.ExitCode = 0 },
		"successful with an error":   func(r *sarif.Run) { r.Successful = true },
		"a zero result":              func(r *sarif.Run) { r.Results[0] = sarif.Result{} },
		"no level":                   func(r *sarif.Run) { r.Results[0].Level = "" },
		"an unknown level":           func(r *sarif.Run) { r.Results[0].Level = "none" },
		"no rule":                    func(r *sarif.Run) { r.Results[0].RuleID = "" },
		"no message":                 func(r *sarif.Run) { r.Results[0].Message = "" },
		"a suppressed pass":          func(r *sarif.Run) { r.Results[2].Suppression = "x" },
		"a silent notification":      func(r *sarif.Run) { r.Notifications[0].Message = "" },
		"a notification of no level": func(r *sarif.Run) { r.Notifications[1].Level = "" },
		"a passing notification":     func(r *sarif.Run) { r.Notifications[1].Level = sarif.Pass },
		"what is no JSON":            func(r *sarif.Run) { r.Properties["x"] = func() {} },
	} {
		t.Run(name, func(t *testing.T) {
			run := full()
			change(&run)
			var b bytes.Buffer
			if err := sarif.Write(&b, run); err == nil || b.Len() > 0 {
				t.Errorf("expected an error and nothing written, found %v and %d bytes", err, b.Len())
			}
		})
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestBrokenWriter(t *testing.T) {
	if err := sarif.Write(brokenWriter{}, full()); !errors.Is(err, errBroken) {
		t.Errorf("expected %v, found %v", errBroken, err)
	}
}

// TestFingerprints: a finding keeps its identity when its words and its place in
// a file change, and only then.
func TestFingerprints(t *testing.T) {
	fingerprints := func(results ...sarif.Result) (all []string) {
		run := full()
		run.Results = results
		for _, r := range read(t, write(t, run)).Runs[0].Results {
			if len(r.PartialFingerprints) != 1 {
				t.Fatalf("fingerprints: %v", r.PartialFingerprints)
			}
			all = append(all, r.PartialFingerprints["plimsollFinding/v1"])
		}
		return all
	}
	one := full().Results[0]
	want := fingerprints(one)[0]
	for name, c := range map[string]struct {
		change func(*sarif.Result)
		same   bool
	}{
		"message":     {func(r *sarif.Result) { r.Message = "found at 2026-01-01" }, true},
		"level":       {func(r *sarif.Result) { r.Level = sarif.LevelNote }, true},
		"line":        {func(r *sarif.Result) { r.Line = 9 }, true},
		"suppression": {func(r *sarif.Result) { r.Suppression = "x" }, true},
		"properties":  {func(r *sarif.Result) { r.Properties = nil }, true},
		"rule":        {func(r *sarif.Result) { r.RuleID = "OTHER" }, false},
		"artifact":    {func(r *sarif.Result) { r.Artifact = "other" }, false},
		"source":      {func(r *sarif.Result) { r.Source = "other" }, false},
		"subject":     {func(r *sarif.Result) { r.Subject = []string{"scan", "pkg:npm/x@2", "CVE-1"} }, false},
		"parts moved": {func(r *sarif.Result) { r.Subject = []string{"scanpkg:npm/x@1", "", "CVE-1"} }, false},
		"parts fewer": {func(r *sarif.Result) { r.Subject = []string{"scan", "pkg:npm/x@1"} }, false},
	} {
		changed := one
		c.change(&changed)
		if got := fingerprints(changed)[0]; (got == want) != c.same {
			t.Errorf("%s: same: %v", name, got == want)
		}
	}
	if twice := fingerprints(one, one); twice[0] != want || twice[0] == twice[1] {
		t.Errorf("two findings that look the same: %v", twice)
	}
}

// FuzzWrite: whatever the text, a log is JSON that holds the result.
func FuzzWrite(f *testing.F) {
	f.Add("VULNERABLE", "found [x](1) {0}", "app", "a:1", "x", "why")
	f.Add("\x00", "\u202e\xff", "a b", "", "", "")
	f.Fuzz(func(t *testing.T, rule, message, artifact, source, subject, why string) {
		run := sarif.Run{ToolVersion: message, Rules: rules, ExitCode: 3, Successful: true, Properties: map[string]any{subject: message},
			Results: []sarif.Result{{RuleID: rule, Level: sarif.LevelError, Message: message, Artifact: artifact, Source: source, Subject: []string{subject}, Suppression: why}}}
		var b bytes.Buffer
		if err := sarif.Write(&b, run); err != nil {
			if rule != "" && message != "" {
				t.Fatal(err)
			}
			return
		}
		l := read(t, b.Bytes())
		if r := l.Runs[0].Results; len(r) != 1 || r[0].Level != "error" || (len(r[0].Suppressions) == 1) != (why != "") {
			t.Fatalf("found %+v", r)
		}
	})
}
