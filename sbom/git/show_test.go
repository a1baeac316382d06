package git

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestShow: a file as it is in one commit that is named without doubt, and nothing else.
func TestShow(t *testing.T) {
	dir := t.TempDir()
	command := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	command("init", "-q", "-b", "main", ".")
	write("file.json", "first")
	write("sub/file.json", "below")
	write("empty.json", "")
	write("other", "secret")
	if err := os.Symlink("other", filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	command("add", ".")
	command("commit", "-q", "-m", "first")
	first := command("rev-parse", "HEAD")
	command("tag", "-a", "v1", "-m", "x")
	command("checkout", "-q", "-b", "change")
	write("file.json", "second")
	command("commit", "-q", "-am", "second")
	write("file.json", "not committed")

	for _, ref := range []string{"main", "refs/heads/main", first, first[:12], "v1", "change~1", "HEAD^"} {
		if data, err := Show(context.Background(), dir, ref, "file.json"); err != nil || string(data) != "first" {
			t.Errorf("%s: found %q, %v", ref, data, err)
		}
	}
	for path, want := range map[string]string{"sub/file.json": "below", "link.json": "other"} { // a link's own text, not what it leads to
		if data, err := Show(context.Background(), filepath.Join(dir, "sub"), "main", path); err != nil || string(data) != want {
			t.Errorf("%s: found %q, %v", path, data, err)
		}
	}
	for _, ref := range []string{"", "-", "--all", "--output=x", "main..change", "main...change", "^main", "main^@", "main^!", "@{u}", "main@{u}", ":/first", "main:file.json", "main\nchange", "main change",
		"nobranch", "HEAD^{tree}", "main^{tree}", strings.Repeat("0", 40), "../main", "main*", "\x00"} {
		if data, err := Show(context.Background(), dir, ref, "file.json"); err == nil {
			t.Errorf("%q: found %q", ref, data)
		}
	}
	for _, path := range []string{"", "/etc/passwd", "../file.json", "../../etc/passwd", "sub/../../x", "sub", "missing", "empty.json", "file.json\nother", ".git/config"} {
		if data, err := Show(context.Background(), dir, "main", path); err == nil {
			t.Errorf("%q: found %q", path, data)
		}
	}
	// Only of what a commit that is here does not have is it said that there is none.
	for path, none := range map[string]bool{"missing": true, "sub/missing": true, "missing/file.json": true, "*.json": true, ":(top)x": true, "sub": false, "empty.json": false, "../file.json": false} {
		_, err := Show(context.Background(), filepath.Join(dir, "sub"), "main", path)
		if errors.As(err, new(*NoFileError)) != none {
			t.Errorf("%q: %v", path, err)
		}
	}
	if _, err := Show(context.Background(), dir, "nobranch", "missing"); err == nil || errors.As(err, new(*NoFileError)) {
		t.Errorf("no commit: %v", err)
	}
	if data, err := Show(context.Background(), t.TempDir(), "main", "file.json"); err == nil {
		t.Errorf("in no repository: found %q", data)
	}
	// Whoever may push a tag does not say what the protected branch is.
	command("update-ref", "refs/remotes/origin/main", first)
	if data, err := Show(context.Background(), dir, "origin/main", "file.json"); err != nil || string(data) != "first" {
		t.Errorf("found %q, %v", data, err)
	}
	for _, ref := range []string{"main", "origin/main", "main~0", "main^{commit}"} {
		if !strings.ContainsAny(ref, "~^") {
			command("tag", ref, "change")
		}
		if data, err := Show(context.Background(), dir, ref, "file.json"); err == nil {
			t.Errorf("%s, a branch and a tag: found %q", ref, data)
		}
		if data, err := Show(context.Background(), dir, "refs/heads/main", "file.json"); err != nil || string(data) != "first" {
			t.Errorf("found %q, %v", data, err)
		}
	}
}
