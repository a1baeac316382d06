package sarif

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestURIOf(t *testing.T) {
	for name, want := range map[string]string{
		"app":                      "app",
		"dist/my app":              "dist/my%20app",
		"100%":                     "100%25",
		"a?b#c":                    "a%3Fb%23c",
		"a:b/c":                    "./a:b/c",
		"/opt/app":                 "file:///opt/app",
		"ä":                        "%C3%A4",
		"C:/x/y":                   "file:///C:/x/y",
		"oci://r.example/a:1":      "oci://r.example/a:1",
		"sha256:00":                "sha256:00",
		"pkg:npm/%40a/b@1":         "pkg:npm/%2540a/b@1",
		"\x1b[2J":                  "%1B%5B2J",
		"https://a.example/x?y=<z": "https://a.example/x%3Fy=%3Cz",
	} {
		got := URIOf(name)
		if got != want {
			t.Errorf("%q: expected %q, found %q", name, want, got)
		}
		if _, err := url.Parse(got); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
}

func sample() Run {
	return Run{Version: "v1", ExitCode: 3, Properties: map[string]any{"a": 1}, Failures: []string{"no answer"},
		Rules: []Rule{{"B", "b", "do b"}, {"A", "a", "do a"}, {"UNUSED", "", ""}, {"OK", "", ""}},
		Results: []Result{
			{RuleID: "B", Level: "error", Message: "m", Artifact: "app", Line: 3, Identity: "x"},
			{RuleID: "A", Level: "note", Message: "escape \x1b", Suppressed: "by web"},
			{RuleID: "OK", Pass: true, Artifact: "other"},
		}}
}

func TestWrite(t *testing.T) {
	var b, again bytes.Buffer
	if err := Write(&b, sample()); err != nil {
		t.Fatal(err)
	}
	if err := Write(&again, sample()); err != nil || b.String() != again.String() {
		t.Error("two runs differ")
	}
	var doc document
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	run := doc.Runs[0]
	if rules := run.Tool.Driver.Rules; len(rules) != 3 || rules[0].ID != "A" || rules[1].ID != "B" {
		t.Errorf("rules: %+v", rules)
	}
	if run.Invocations[0].Successful || len(run.Invocations[0].Notifications) != 1 || run.Invocations[0].ExitCode != 3 {
		t.Errorf("invocation: %+v", run.Invocations)
	}
	if r := run.Results[2]; r.Kind != "pass" || r.Level != "none" || r.Message.Text == "" {
		t.Errorf("pass: %+v", r)
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("an escape character is there as it is")
	}
	same, other := sample().Results[0], sample().Results[0]
	same.Message, other.Identity = "another message", "y"
	print := func(r Result) string { return resultOf(r).Fingerprints["plimsoll/v1"] }
	if print(same) != print(sample().Results[0]) || print(other) == print(same) {
		t.Error("fingerprints")
	}
}

// TestSchema validates a run against the OASIS schema, which .ci/corpus fetches.
func TestSchema(t *testing.T) {
	corpus := os.Getenv("PLIMSOLL_CORPUS")
	if corpus == "" {
		t.Skip("PLIMSOLL_CORPUS names no folder with schema/sarif-2.1.0.json")
	}
	file := filepath.Join(corpus, "schema", "sarif-2.1.0.json")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no SARIF schema: %v", err)
	}
	schema, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]Run{"some": sample(), "none": {}} {
		var b bytes.Buffer
		if err := Write(&b, run); err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(&b)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
