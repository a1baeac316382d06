package kms_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"plimsoll.example/attest/kms"
)

// TestPluginEnds: a plugin ends with its context, whatever it started.
func TestPluginEnds(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sigstore-kms-slow"), []byte("#!/bin/sh\nsleep 8\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := kms.Open(ctx, "slow://key")
	if errors.Is(err, kms.ErrNoPlugin) {
		t.Skip(err) // no scripts here
	}
	if err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("after %s found %v", time.Since(start), err)
	}
}
