package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"plimsoll.example/attest"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata/script")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"plimsoll": func() {
			os.Exit(run(context.Background(), stdio{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
		},
	})
}

// goEnv are the go command's folders, which scripts share with the user.
func goEnv(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "env", "-json", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	var env map[string]string
	if err := json.Unmarshal(out, &env); err != nil {
		t.Fatal(err)
	}
	return env
}

// outside says where things are that the repository does not have; "" if absent.
func outside(t *testing.T, elems ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(elems...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// corpus is a path in the folder that .ci/run fills from package registries.
func corpus(t *testing.T, elems ...string) string {
	t.Helper()
	if os.Getenv("PLIMSOLL_CORPUS") == "" {
		return ""
	}
	return outside(t, append([]string{os.Getenv("PLIMSOLL_CORPUS")}, elems...)...)
}

// TestScript runs whole commands as a user would, testdata/script/*.txtar.
func TestScript(t *testing.T) {
	env := goEnv(t)
	vectors := outside(t, "../../../shared/vectors")
	cosign := corpus(t, "bin", "cosign")
	schema := corpus(t, "schema", "sarif-2.1.0.json")
	testdata, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join(testdata, "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "config"))
			e.Setenv("GOCACHE", env["GOCACHE"])
			e.Setenv("GOMODCACHE", env["GOMODCACHE"])
			e.Setenv("GOPROXY", "off")
			e.Setenv("GOFLAGS", "-mod=mod")
			e.Setenv("TESTDATA", testdata)
			e.Setenv("VECTORS", vectors)
			e.Setenv("COSIGN", cosign)
			e.Setenv("SARIF_SCHEMA", schema)
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "vectors":
				return vectors != "", nil
			case "cosign":
				return cosign != "", nil
			}
			return false, errors.New("unknown condition " + name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    scriptExits,
			"flip":     scriptFlip,
			"answer":   scriptAnswer,
			"count":    scriptCount,
			"policy":   scriptPolicy,
			"fill":     scriptFill,
			"layout":   scriptLayout,
			"payload":  scriptPayload,
			"registry": scriptRegistry,
			"sarif":    scriptSARIF,
		},
	})
}

// scriptExits runs a command and demands its exit code:
//
//	exits 3 plimsoll verify app --policy policy.yaml
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N cmd [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("running %s: %v", args[1], err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("expected exit code %d, found %d", want, code)
	}
}

// scriptFlip changes one bit:
//
//	flip FILE byte N       of the file's byte N
//	flip FILE KEY [LINE]   of the first JSON member KEY, which is base64, in the
//	                       file or in one of its lines
func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: flip FILE (byte N | KEY [LINE])")
	}
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	ts.Check(err)
	if args[1] == "byte" {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		data[n] ^= 1
	} else if len(args) == 3 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		lines := strings.SplitAfter(string(data), "\n")
		lines[n-1] = flipMember(ts, lines[n-1], args[1])
		data = []byte(strings.Join(lines, ""))
	} else {
		data = []byte(flipMember(ts, string(data), args[1]))
	}
	ts.Check(os.WriteFile(file, data, 0o644))
}

func flipMember(ts *testscript.TestScript, text, key string) string {
	before, rest, ok := strings.Cut(text, `"`+key+`"`)
	if !ok {
		ts.Fatalf("no member %q", key)
	}
	parts := strings.SplitN(rest, `"`, 3)
	raw, err := base64.StdEncoding.DecodeString(parts[1])
	ts.Check(err)
	raw[len(raw)/2] ^= 1
	return before + `"` + key + `"` + parts[0] + `"` + base64.StdEncoding.EncodeToString(raw) + `"` + parts[2]
}

// scriptAnswer stores a registry's answer about attestations as npm --offline
// reads it; without a file, the answer is 404:
//
//	answer DIR NAME VERSION [FILE]
func scriptAnswer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: answer DIR NAME VERSION [FILE]")
	}
	attestations := map[string]any{"status": 404}
	if len(args) == 4 {
		data, err := os.ReadFile(ts.MkAbs(args[3]))
		ts.Check(err)
		attestations = map[string]any{"status": 200, "body": json.RawMessage(data)}
	}
	doc, err := json.Marshal(map[string]any{
		"schema":  "https://plimsoll.example/schema/npm-answers/v1",
		"asked":   map[string]string{"name": args[1], "version": args[2]},
		"answers": map[string]any{"attestations": attestations},
	})
	ts.Check(err)
	name := strings.ReplaceAll(args[1], "/", "%2f") + "@" + args[2] + ".json"
	ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o755))
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), name), doc, 0o644))
}

// scriptCount demands a number of lines in a file:
//
//	count FILE N
func scriptCount(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: count FILE N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	if found := strings.Count(ts.ReadFile(args[0]), "\n"); found != want {
		ts.Fatalf("%s: expected %d lines, found %d", args[0], want, found)
	}
}

// scriptPolicy writes a policy that demands an SBOM and a provenance by signer
// release, whose key is PUB. Further words change it:
//
//	policy PUB FILE                 as it is
//	policy PUB FILE intern PUB2     a second signer, intern, that nothing asks for
//	policy PUB FILE expires DATE    the policy ends
//	policy PUB FILE not-after DATE  the key ends
//	policy PUB FILE only DIGEST     for one artifact
func scriptPolicy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || (len(args) != 2 && len(args) != 4) {
		ts.Fatalf("usage: policy PUB FILE [intern PUB2 | expires DATE | not-after DATE | only DIGEST]")
	}
	word, value := "", ""
	if len(args) == 4 {
		word, value = args[2], args[3]
	}
	key := func(pub string) string {
		return "    keys:\n      - pem: |\n          " + strings.ReplaceAll(strings.TrimSpace(ts.ReadFile(pub)), "\n", "\n          ") + "\n"
	}
	text := "version: 1\nname: production\n"
	if word == "expires" {
		text += "expires: " + value + "\n"
	}
	text += "signers:\n  release:\n" + key(args[0])
	if word == "not-after" {
		text += "        not-after: " + value + "\n"
	}
	if word == "intern" {
		text += "  intern:\n" + key(value)
	}
	if word == "only" {
		text += "artifacts:\n  " + value + ": {require: [sbom]}\n"
	}
	text += "requirements:\n  built: {type: https://slsa.dev/provenance/v1, signed-by: release}\n" +
		"  sbom: {type: https://cyclonedx.org/bom, signed-by: release}\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// TestPanicIsNoDecision: a crash is 1 in every command, never a yes and never a
// no.
func TestPanicIsNoDecision(t *testing.T) {
	var stderr strings.Builder
	defer func(clock func() time.Time) { now = clock }(now)
	now = func() time.Time { panic("made up") }
	dir := t.TempDir()
	file := filepath.Join(dir, "app")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key.pem")
	quiet := stdio{strings.NewReader(""), &stderr, &stderr}
	if code := run(t.Context(), quiet, []string{"key", "generate", "-o", key, "--no-passphrase"}); code != exitYes {
		t.Fatalf("key generate: %d: %s", code, stderr.String())
	}
	if code := run(t.Context(), quiet, []string{"release", file, "--source", "../..", "--key", key}); code != exitNoDecision {
		t.Errorf("expected exit code %d, found %d: %s", exitNoDecision, code, stderr.String())
	}
	if !strings.Contains(stderr.String(), "no decision was made") {
		t.Errorf("expected a word about it, found %q", stderr.String())
	}
}

func TestWorst(t *testing.T) {
	for _, c := range []struct {
		codes []int
		want  int
	}{
		{nil, exitYes}, {[]int{0, 0}, exitYes}, {[]int{0, 1}, exitNoDecision},
		{[]int{1, 3, 0}, exitNo}, {[]int{3, 2, 1}, exitUsage},
	} {
		if got := worst(c.codes...); got != c.want {
			t.Errorf("worst(%v): expected %d, found %d", c.codes, c.want, got)
		}
	}
}

func TestPrintable(t *testing.T) {
	hostile := "a\x1b[2Jb\u202ec\u009bd\ne"
	if got := printable(hostile); strings.ContainsAny(got, "\x1b\u202e\u009b\n") {
		t.Errorf("printable(%q) = %q", hostile, got)
	}
}

// scriptPayload prints the statement in a file's first bundle:
//
//	payload app.sigstore.jsonl
func scriptPayload(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: payload FILE")
	}
	line, _, _ := strings.Cut(ts.ReadFile(args[0]), "\n")
	parsed, err := attest.ParseEnvelope([]byte(line))
	ts.Check(err)
	_, err = ts.Stdout().Write(append(parsed.Envelope.Payload, '\n'))
	ts.Check(err)
}
