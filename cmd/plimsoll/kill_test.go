package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"plimsoll.example/attest"
)

// TestKilledWhileAppending kills attest at 200 random points: the file never holds half
// a line, and never loses one that it had.
func TestKilledWhileAppending(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no program can be killed there as here")
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	plimsoll := filepath.Join(dir, "plimsoll")
	if err := os.Symlink(self, plimsoll); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) *exec.Cmd {
		c := exec.Command(plimsoll, args...)
		c.Dir = dir
		return c
	}
	if out, err := run("key", "generate", "--no-passphrase", "-o", "key.pem").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "app"), []byte("app"), 0o644); err != nil {
		t.Fatal(err)
	}
	// A large predicate makes writing take long enough to be hit.
	predicate := filepath.Join(dir, "predicate.json")
	if err := os.WriteFile(predicate, fmt.Appendf(nil, `{"a":%q}`, bytes.Repeat([]byte("a"), 1<<19)), 0o644); err != nil {
		t.Fatal(err)
	}
	attestOnce := func(name string) *exec.Cmd {
		return run("attest", "app", "--name", name, "--predicate", "predicate.json", "--type", "https://example.com/p", "--key", "key.pem")
	}
	began := time.Now()
	if out, err := attestOnce("first").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	whole := time.Since(began)
	file := filepath.Join(dir, "app"+attest.BundlesSuffix)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	killed, appended := 0, 0
	for i := range 200 {
		c := attestOnce(fmt.Sprint("n", i))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Float64() * 2.5 * float64(whole)))
		c.Process.Kill()
		if c.Wait() != nil {
			killed++
		}
		now, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
		if !bytes.HasPrefix(now, before) {
			t.Fatalf("after %d: what was there is lost: %d bytes before, %d now", i, len(before), len(now))
		}
		added := now[len(before):]
		if len(added) > 0 && (bytes.Count(added, []byte{'\n'}) != 1 || added[len(added)-1] != '\n' || !json.Valid(added)) {
			t.Fatalf("after %d: expected one whole line more, found %d bytes", i, len(added))
		}
		if len(added) > 0 {
			appended++
		}
		before = now
		if len(before) > 8<<20 { // else the file grows and each turn takes longer
			before = before[:bytes.IndexByte(before, '\n')+1]
			if err := os.WriteFile(file, before, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if killed == 0 || appended == 0 {
		t.Errorf("expected some runs to be killed and some to append, found %d and %d", killed, appended)
	}
	// What a killed run leaves behind stops nobody.
	if out, err := attestOnce("last").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%d of 200 were killed, %d appended", killed, appended)
}

// TestInterruptedBeforeStart: a step that was interrupted before its command ran does
// not run it.
func TestInterruptedBeforeStart(t *testing.T) {
	var said bytes.Buffer
	quiet := stdio{bytes.NewReader(nil), &said, &said}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := execute(ctx, quiet, []string{os.Args[0], "-test.run=^$", "-test.list=x"})
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != exitRun || !strings.Contains(exit.Error(), "interrupted before") {
		t.Errorf("expected it not to run, found %v", err)
	}
}
