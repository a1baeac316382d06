package git_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll.example/sbom/git"
)

// repository makes one with a commit; do runs git in it.
func repository(t *testing.T) (dir string, do func(args ...string)) {
	t.Helper()
	dir = t.TempDir()
	do = func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	do("init", "-q", "-b", "main", ".")
	write(t, filepath.Join(dir, "app", "main.go"), "package main\n")
	do("add", ".")
	do("commit", "-q", "-m", "first")
	return dir, do
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir string) *git.Checkout {
	t.Helper()
	c, err := git.Read(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRead(t *testing.T) {
	dir, do := repository(t)
	do("tag", "app/v1.0.0")
	do("tag", "-a", "-m", "annotated", "v2.0.0")
	c := read(t, filepath.Join(dir, "app"))
	if c.Prefix != "app/" || c.Shallow || c.Changed || !slices.Equal(c.Here, []string{"app/v1.0.0", "v2.0.0"}) || !c.Time.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("found %+v", c)
	}
	if top := read(t, dir); top.Prefix != "" {
		t.Errorf("found %+v", top)
	}
	write(t, filepath.Join(dir, "b.txt"), "b")
	do("add", ".")
	do("commit", "-q", "-m", "second")
	if c := read(t, dir); len(c.Here) != 0 || len(c.Before) != 2 {
		t.Errorf("found %+v", c)
	}
}

// TestChanged: what would be compiled counts, also in a new folder and if the
// user's settings hide it; an SBOM beside the sources does not.
func TestChanged(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		want bool
	}{
		"an SBOM": {"app.cdx.json", false}, "a source": {"app/new.go", true}, "a folder of sources": {"new/deep/a.go", true},
		"C": {"app/x.c", true}, "a changed file": {"app/main.go", true}, "a name with a space": {"app/a b.go", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, do := repository(t)
			do("config", "status.showUntrackedFiles", "no")
			write(t, filepath.Join(dir, c.path), "package new\n")
			if got := read(t, dir).Changed; got != c.want {
				t.Errorf("expected %v, found %v", c.want, got)
			}
		})
	}
}

// TestHookEnvironment: in a hook, variables name that repository, and not the one
// that is asked about.
func TestHookEnvironment(t *testing.T) {
	dir, _ := repository(t)
	other, do := repository(t)
	do("tag", "v9.9.9")
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	t.Setenv("GIT_WORK_TREE", other)
	if c := read(t, dir); len(c.Here) != 0 {
		t.Errorf("found %v", c.Here)
	}
}

func TestNone(t *testing.T) {
	if c, err := git.Read(context.Background(), t.TempDir()); !errors.Is(err, git.ErrNone) {
		t.Errorf("found %+v, %v", c, err)
	}
	empty := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", empty).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if c, err := git.Read(context.Background(), empty); err == nil || !strings.Contains(err.Error(), "has no commit") {
		t.Errorf("found %+v, %v", c, err)
	}
	dir, _ := repository(t)
	t.Setenv("PATH", t.TempDir())
	if c, err := git.Read(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "no git command") {
		t.Errorf("found %+v, %v", c, err)
	}
}

// TestHooksDoNotRun: the repository is somebody else's.
func TestHooksDoNotRun(t *testing.T) {
	dir, do := repository(t)
	ran := filepath.Join(t.TempDir(), "ran")
	script := "#!/bin/sh\ntouch " + ran + "\n"
	write(t, filepath.Join(dir, ".git", "monitor"), script)
	write(t, filepath.Join(dir, ".git", "hooks", "post-index-change"), script)
	for _, name := range []string{"monitor", "hooks/post-index-change"} {
		if err := os.Chmod(filepath.Join(dir, ".git", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	do("config", "core.fsmonitor", filepath.Join(dir, ".git", "monitor"))
	do("config", "filter.mine.clean", "touch "+ran+"; cat")
	do("config", "filter.mine.required", "true")
	write(t, filepath.Join(dir, ".gitattributes"), "*.go filter=mine\n")
	os.Remove(ran) // git ran it for the config
	write(t, filepath.Join(dir, "app", "main.go"), "package main // changed\n")
	read(t, dir)
	if _, err := os.Stat(ran); err == nil {
		t.Error("a program of the repository was run")
	}
}

func TestShallow(t *testing.T) {
	dir, do := repository(t)
	write(t, filepath.Join(dir, "b.txt"), "b")
	do("tag", "v1.0.0")
	do("add", ".")
	do("commit", "-q", "-m", "second")
	clone := filepath.Join(t.TempDir(), "clone")
	if out, err := exec.Command("git", "clone", "-q", "--depth", "1", "file://"+dir, clone).CombinedOutput(); err != nil {
		t.Skipf("git cannot clone here: %s", strings.TrimSpace(string(out)))
	}
	if c := read(t, clone); !c.Shallow || len(c.Before) != 0 {
		t.Errorf("found %+v", c)
	}
}
