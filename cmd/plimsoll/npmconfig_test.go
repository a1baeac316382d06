package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestAskNPM asks the npm that is installed, from inside a project, in its script.
func TestAskNPM(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("no npm on PATH")
	}
	home, project := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{
		filepath.Join(home, ".npmrc"):          "registry=http://127.0.0.1:9/${NPM_USERS}/\n",
		filepath.Join(project, ".npmrc"):       "registry=http://127.0.0.1:9/${CI_JOB_TOKEN}/\n",
		filepath.Join(project, "package.json"): "{}\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("TMPDIR", project)
	t.Setenv("TMP", project)
	t.Setenv("CI_JOB_TOKEN", "very-secret")
	t.Setenv("NPM_USERS", "users") // the operator's
	t.Setenv("Npm_Config_Registry", "http://127.0.0.1:9/very-secret/")
	t.Setenv("NODE_OPTIONS", "--require=./evil.js") // a project's node-options
	t.Setenv("npm_lifecycle_event", "check")
	t.Setenv("npm_config_registry", "http://127.0.0.1:9/very-secret/")
	t.Setenv("npm_config_userconfig", filepath.Join(project, ".npmrc"))
	if answer := askNPM(t.Context()); answer != "http://127.0.0.1:9/users/" {
		t.Errorf("npm answered %q", answer)
	}
}

// TestAskNPMEnds: what npm starts does not keep it waiting.
func TestAskNPMEnds(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("npm is a shell script here")
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte("#!/bin/sh\nsleep 15 &\necho https://registry.example/\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	began := time.Now()
	if answer := askNPM(t.Context()); answer != "" {
		t.Errorf("npm answered %q", answer)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
