package git

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// gitIn runs git in a folder, apart from the settings of this machine.
func gitIn(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// commit makes a repository whose app/file.json holds a text.
func commit(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	gitIn(t, dir, "init", "-q", "-b", "main", ".")
	put(t, filepath.Join(dir, "app", "file.json"), text)
	gitIn(t, dir, "add", ".")
	gitIn(t, dir, "commit", "-q", "-m", "x")
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEmbedded: a change commits what makes a folder a repository, with its own main and
// with settings that run a program. Neither counts.
func TestEmbedded(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("runs a shell")
	}
	evil := commit(t, "evil")
	for _, folder := range []string{"app", "app/below"} {
		t.Run(folder, func(t *testing.T) {
			dir := commit(t, "protected")
			ran := filepath.Join(t.TempDir(), "ran")
			if err := os.CopyFS(filepath.Join(dir, "app", "copy"), os.DirFS(filepath.Join(evil, ".git"))); err != nil {
				t.Fatal(err)
			}
			at := filepath.Join(dir, folder)
			for _, name := range []string{"HEAD", "objects", "refs"} {
				put(t, filepath.Join(at, ".keep"), "")
				if err := os.Rename(filepath.Join(dir, "app", "copy", name), filepath.Join(at, name)); err != nil {
					t.Fatal(err)
				}
			}
			put(t, filepath.Join(at, "config"), "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tpartialClone = origin\n[remote \"origin\"]\n\turl = ext::sh -c \"touch% "+ran+"\"\n\tpromisor = true\n[protocol \"ext\"]\n\tallow = always\n[core]\n\tfsmonitor = touch "+ran+"\n")
			objects, err := filepath.Glob(filepath.Join(at, "objects", "??", "*"))
			if err != nil || len(objects) == 0 {
				t.Fatal("no objects", err)
			}
			for _, missing := range append([]string{""}, objects...) {
				if missing != "" {
					os.Remove(missing)
				}
				if data, err := Show(context.Background(), at, "main", "app/file.json"); !errors.Is(err, errEmbedded) {
					t.Errorf("without %q: found %q, %v", filepath.Base(missing), data, err)
				}
				if c, err := Read(context.Background(), at); !errors.Is(err, errEmbedded) {
					t.Errorf("without %q: found %+v, %v", filepath.Base(missing), c, err)
				}
			}
			if _, err := os.Stat(ran); err == nil {
				t.Error("a program of the change was run")
			}
			if data, err := Show(context.Background(), dir, "main", "app/file.json"); err != nil || string(data) != "protected" {
				t.Errorf("in the folder above: found %q, %v", data, err)
			}
		})
	}
}

// TestOutputBelievesNoBareRepository: git itself is told so too.
func TestOutputBelievesNoBareRepository(t *testing.T) {
	bare := filepath.Join(commit(t, "evil"), ".git")
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(bare, moved); err != nil {
		t.Fatal(err)
	}
	if text, err := output(context.Background(), moved, "cat-file", "blob", "main:app/file.json"); err == nil {
		t.Errorf("found %q", text)
	}
}

// TestNothingIsFetched: what is not in a partial clone is not there, whatever its settings
// would run to get it; and refs/replace puts nothing in a commit's place.
func TestNothingIsFetched(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("runs a shell")
	}
	dir := commit(t, "protected")
	ran := filepath.Join(t.TempDir(), "ran")
	blob, err := output(context.Background(), dir, "rev-parse", "main:app/file.json")
	if err != nil {
		t.Fatal(err)
	}
	blob = strings.TrimSpace(blob)
	for key, value := range map[string]string{"core.repositoryformatversion": "1", "extensions.partialClone": "origin", "remote.origin.promisor": "true", "protocol.ext.allow": "always", "remote.origin.url": "ext::sh -c touch% " + ran} {
		gitIn(t, dir, "config", key, value)
	}
	object := filepath.Join(dir, ".git", "objects", blob[:2], blob[2:])
	kept, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(object); err != nil {
		t.Fatal(err)
	}
	if data, err := Show(context.Background(), dir, "main", "app/file.json"); err == nil {
		t.Errorf("found %q", data)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a program was run")
	}
	put(t, object, string(kept))
	put(t, filepath.Join(dir, "other"), "replaced")
	gitIn(t, dir, "add", "other")
	other, err := output(context.Background(), dir, "rev-parse", ":other")
	if err != nil {
		t.Fatal(err)
	}
	gitIn(t, dir, "replace", blob, strings.TrimSpace(other))
	if data, err := Show(context.Background(), dir, "main", "app/file.json"); err != nil || string(data) != "protected" {
		t.Errorf("found %q, %v", data, err)
	}
}

// TestSubmodule: a change makes a submodule of the project's folder, whose branches are
// those of a repository that it names.
func TestSubmodule(t *testing.T) {
	dir, evil := commit(t, "protected"), commit(t, "evil")
	gitIn(t, dir, "rm", "-qr", "app")
	gitIn(t, dir, "submodule", "--quiet", "add", evil, "app")
	for _, at := range []string{"app", "app/app"} {
		for _, ref := range []string{"main", "origin/main", "HEAD"} {
			if data, err := Show(context.Background(), filepath.Join(dir, at), ref, "app/file.json"); err == nil || !strings.Contains(err.Error(), "submodule") {
				t.Errorf("%s in %s: found %q, %v", ref, at, data, err)
			}
		}
	}
	if data, err := Show(context.Background(), dir, "main", "app/file.json"); err != nil || string(data) != "protected" {
		t.Errorf("found %q, %v", data, err)
	}
}

// TestCommand: what a dependency calls git is not git.
func TestCommand(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("runs a shell")
	}
	dir := commit(t, "protected")
	bin := filepath.Join(dir, "node_modules", ".bin")
	put(t, filepath.Join(bin, "git"), "#!/bin/sh\necho evil\n")
	if err := os.Chmod(filepath.Join(bin, "git"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	if data, err := Show(context.Background(), dir, "main", "app/file.json"); err != nil || string(data) != "protected" {
		t.Errorf("found %q, %v", data, err)
	}
	if c, err := Head(context.Background(), dir); err != nil || c.ID == "evil" {
		t.Errorf("found %+v, %v", c, err)
	}
}
