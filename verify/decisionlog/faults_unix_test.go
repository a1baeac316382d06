//go:build unix

package decisionlog

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limitFiles bounds how large files can be written, as a full disk does.
func limitFiles(limit string) {
	if limit == "" {
		return
	}
	n, err := strconv.ParseUint(limit, 10, 63)
	if err != nil {
		panic(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
		panic(err)
	}
}

// TestRefusesWhatIsNoFile: and does not wait at a pipe.
func TestRefusesWhatIsNoFile(t *testing.T) {
	for _, c := range []struct {
		name, want string
		make       func(t *testing.T, path string)
	}{
		{"symlink", "a symbolic link", func(t *testing.T, path string) {
			mustWrite(t, path+".target", nil)
			if err := os.Symlink(path+".target", path); err != nil {
				t.Fatal(err)
			}
		}},
		{"dangling", "a symbolic link", func(t *testing.T, path string) {
			if err := os.Symlink("nothing", path); err != nil {
				t.Fatal(err)
			}
		}},
		{"device", "a symbolic link", func(t *testing.T, path string) {
			if err := os.Symlink("/dev/null", path); err != nil {
				t.Fatal(err)
			}
		}},
		{"folder", "a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{"pipe", "a pipe", func(t *testing.T, path string) {
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		for suffix, what := range map[string]string{"": "log", ".lock": "lock"} {
			t.Run(c.name+"-as-"+what, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "log.jsonl")
				c.make(t, file+suffix)
				_, err := Append(t.Context(), file, "test", testTime, json.RawMessage(`{}`))
				if err == nil || !strings.Contains(err.Error(), "found "+c.want) {
					t.Errorf("expected %q, found %v", c.want, err)
				}
				if _, err := os.Lstat(file + ".lock"); suffix == "" && err == nil {
					t.Error("expected no lock beside what is no log")
				}
				if data, err := os.ReadFile(file + suffix + ".target"); err == nil && len(data) > 0 {
					t.Errorf("expected nothing behind the link, found %q", data)
				}
			})
		}
	}
	if _, err := Append(t.Context(), "/dev/null", "test", testTime, json.RawMessage(`{}`)); err == nil || !strings.Contains(err.Error(), "found a device") {
		t.Errorf("expected a device to be refused, found %v", err)
	}
}

// TestOpenWithoutLooking: what takes the file's place after it was looked at is
// refused by open itself, without waiting.
func TestOpenWithoutLooking(t *testing.T) {
	file := newLog(t, "test", 1)
	link, pipe := file+".link", file+".pipe"
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(link, true); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("expected the link not to be followed, found %v", err)
	}
	if _, err := open(pipe, true); err == nil || !strings.Contains(err.Error(), "found a pipe") {
		t.Errorf("expected a pipe to be refused, found %v", err)
	}
	if _, err := open(file, false); !errors.Is(err, os.ErrExist) {
		t.Errorf("expected not to make what is there, found %v", err)
	}
	if f, err := os.OpenFile(pipe, os.O_WRONLY|openFlags, 0); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("expected opening a pipe not to wait, found %v, %v", f, err)
	}
}

// TestFullDisk: half a line is taken back, and the error is told.
func TestFullDisk(t *testing.T) {
	file := newLog(t, "test", 3)
	before := mustRead(t, file)
	limit := strconv.Itoa(len(before) + 300)
	out, err := childCommand(t, file, 1, 1000, limit).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "writing: file too large") || strings.Contains(string(out), "torn") {
		t.Errorf("expected a failed write, found %v: %s", err, out)
	}
	if after := mustRead(t, file); string(after) != string(before) {
		t.Errorf("expected the log as it was, %d bytes, found %d", len(before), len(after))
	}
	mustAppend(t, file, "test", `{}`)
	mustVerify(t, mustRead(t, file))

	// A log that could not be begun is not there.
	file = filepath.Join(t.TempDir(), "log.jsonl")
	if out, err := childCommand(t, file, 1, 1000, "300").CombinedOutput(); err == nil {
		t.Errorf("expected a failed write, found success: %s", out)
	}
	if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("expected no log, found %v", err)
	}
}

func sizeOf(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestKilled kills a process while it appends: the log verifies, or its end is
// reported as torn, by Verify and by Append, and what was there before is there.
func TestKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log.jsonl")
	mustAppend(t, file, "test", `{}`)
	var lines uint64 = 1
	grown, torn := 0, 0
	for i := range 50 {
		c := childCommand(t, file, -1, 2<<20, "")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// Every other one is killed soon after its first bytes, however slow it starts.
		before := sizeOf(t, file)
		for end := time.Now().Add(10 * time.Second); i%2 == 0 && sizeOf(t, file) == before && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if c.Wait() == nil {
			t.Fatal("expected it to be killed")
		}
		data := mustRead(t, file)
		head, err := verifyBytes(data)
		if err != nil {
			var broken *BrokenError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), "expected a newline at its end") {
				t.Fatalf("after %d: expected it to be torn, found %v", i, err)
			}
			_, err := Append(t.Context(), file, "test", testTime, json.RawMessage(`{}`))
			if err == nil || !strings.Contains(err.Error(), "expected a newline at its end") {
				t.Fatalf("after %d: expected Append to refuse a torn log, found %v", i, err)
			}
			torn++
			good := strings.LastIndexByte(string(data), '\n') + 1
			if err := os.Truncate(file, int64(good)); err != nil {
				t.Fatal(err)
			}
			head = mustVerify(t, data[:good])
		}
		if head.Size < lines {
			t.Fatalf("after %d: expected at least %d lines, found %d", i, lines, head.Size)
		}
		if head.Size > lines {
			grown++
		}
		if lines = head.Size; len(data) > 16<<20 { // else each turn takes longer
			first := strings.IndexByte(string(data), '\n') + 1
			if err := os.Truncate(file, int64(first)); err != nil {
				t.Fatal(err)
			}
			lines = 1
		}
	}
	if grown == 0 {
		t.Error("expected some to append before they were killed")
	}
	mustAppend(t, file, "test", `{}`)
	t.Logf("%d of 50 appended before they were killed, %d left a torn end", grown, torn)
}
