//go:build unix

package verify_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"plimsoll.example/verify"
)

func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBeside: what belongs to the artifact is found, the file of bundles first;
// what belongs to another is not.
func TestBeside(t *testing.T) {
	dir := t.TempDir()
	app := put(t, dir, "app", "x")
	for _, name := range []string{"app.sigstore.jsonl", "app.sbom.sigstore.json", "app.sigstore.json", "app.0.sigstore.json",
		"app.js.sigstore.jsonl", "app2.sigstore.jsonl", "other.sigstore.json", "app.a.b.sigstore.json", "app.sigstore.jsonl.lock"} {
		put(t, dir, name, "{}\n")
	}
	found, err := verify.Beside(app)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range found {
		names = append(names, filepath.Base(a.Source))
	}
	if got := strings.Join(names, " "); got != "app.sigstore.jsonl:1 app.0.sigstore.json app.sbom.sigstore.json app.sigstore.json" {
		t.Errorf("found %s", got)
	}
}

// TestNobodyBlocks: files that anyone may put beside an artifact do not hide the
// good ones and do not end the run.
func TestNobodyBlocks(t *testing.T) {
	s := newSigner(t)
	a, subject := artifact(t, "app")
	dir := t.TempDir()
	app := put(t, dir, "app", "app")
	put(t, dir, "app.0.sigstore.json", strings.Repeat("{}\n", 5000))
	put(t, dir, "app.sigstore.jsonl", string(s.about(t, predicateType, subject))+"\n")
	if err := os.Mkdir(filepath.Join(dir, "app.a.sigstore.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nothing", filepath.Join(dir, "app.b.sigstore.json")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "app.c.sigstore.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range 6 { // sparse: more than is read, together
		name := filepath.Join(dir, fmt.Sprintf("app.big%d.sigstore.json", i))
		put(t, dir, filepath.Base(name), "")
		if err := os.Truncate(name, 100<<20); err != nil {
			t.Fatal(err)
		}
	}
	found, err := verify.Beside(app)
	if err != nil {
		t.Fatal(err)
	}
	g := gate(t, s.policy(""))
	r, err := g.Decide(t.Context(), a, found)
	if err != nil || r.Verdict != verify.Allowed {
		t.Errorf("found %v, %v, %s", r.Verdict, err, codes(r))
	}
	total := 0
	for _, f := range found {
		total += len(f.JSON)
	}
	if total > 256<<20 || len(found) > 5000 {
		t.Errorf("read %d bytes in %d attestations", total, len(found))
	}
	// The same, named by the operator, is an error and no decision.
	if _, err := verify.FromPath(filepath.Join(dir, "app.c.sigstore.json")); err == nil {
		t.Error("a pipe, named: accepted")
	}
}

// TestJunkLeavesRoom: files of junk, however many lines they have, neither crash the
// search nor keep it from the good ones after them.
func TestJunkLeavesRoom(t *testing.T) {
	dir := t.TempDir()
	junk := []byte(strings.Repeat("{}\n", 1024))
	for i := range 6 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("app.%d.sigstore.json", i)), junk, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "app.zz.sigstore.json"), []byte(`{"good":1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	beside, err := verify.Beside(filepath.Join(dir, "app"))
	if err != nil {
		t.Fatal(err)
	}
	folder, err := verify.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	for what, found := range map[string][]verify.Attestation{"beside": beside, "folder": folder} {
		good := slices.ContainsFunc(found, func(a verify.Attestation) bool { return string(a.JSON) == `{"good":1}` })
		told := slices.ContainsFunc(found, func(a verify.Attestation) bool { return strings.Contains(a.Problem, "left out") })
		if !good || !told || len(found) > 5000 {
			t.Errorf("%s: %d found, the good one %v, what was left out told %v", what, len(found), good, told)
		}
	}
}
