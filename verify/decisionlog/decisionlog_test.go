package decisionlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// TestMain lets the test binary be a process of its own that appends.
func TestMain(m *testing.M) {
	if file := os.Getenv("DECISIONLOG_TEST_FILE"); file != "" {
		if err := child(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child appends entries of some size, one at a time; without a number, until it is
// killed.
func child(file string) error {
	count, err := strconv.Atoi(os.Getenv("DECISIONLOG_TEST_COUNT"))
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(os.Getenv("DECISIONLOG_TEST_SIZE"))
	if err != nil {
		return err
	}
	limitFiles(os.Getenv("DECISIONLOG_TEST_LIMIT"))
	decision := json.RawMessage(`"` + strings.Repeat("a", size) + `"`)
	for i := 0; count < 0 || i < count; i++ {
		if _, err := Append(context.Background(), file, "test", time.Now(), decision); err != nil {
			return err
		}
	}
	return nil
}

func childCommand(t *testing.T, file string, count, size int, limit string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), "DECISIONLOG_TEST_FILE="+file, fmt.Sprint("DECISIONLOG_TEST_COUNT=", count),
		fmt.Sprint("DECISIONLOG_TEST_SIZE=", size), "DECISIONLOG_TEST_LIMIT="+limit)
	return c
}

var testTime = time.Date(2026, 11, 23, 16, 0, 0, 5, time.FixedZone("", 3600))

// newLog appends decisions one by one and returns the file.
func newLog(t testing.TB, origin string, n int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log.jsonl")
	for i := range n {
		mustAppend(t, file, origin, fmt.Sprintf(`{"n": %d, "verdict": "allowed"}`, i))
	}
	return file
}

func mustAppend(t testing.TB, file, origin string, decisions ...string) Head {
	t.Helper()
	head, err := Append(t.Context(), file, origin, testTime, raws(decisions)...)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func raws(decisions []string) (raw []json.RawMessage) {
	for _, d := range decisions {
		raw = append(raw, json.RawMessage(d))
	}
	return raw
}

func mustRead(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustWrite(t testing.TB, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func verifyBytes(data []byte) (Head, error) {
	return Verify(context.Background(), bytes.NewReader(data))
}

func mustVerify(t testing.TB, data []byte) Head {
	t.Helper()
	head, err := verifyBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func TestAppendAndVerify(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log.jsonl")
	mustAppend(t, file, `gate "1" ü`, ` { "a" : [ 1 , "<\u003c/" ] } `)
	head := mustAppend(t, file, `gate "1" ü`, `null`, `2`)
	data := mustRead(t, file)
	first := `{"schema":"https://plimsoll.example/schema/decision/v1","origin":"gate \"1\" ü","sequence":0,` +
		`"previous":"` + noHash + `","time":"2026-11-23T15:00:00Z","decision":{"a":[1,"<\u003c/"]}}`
	lines := strings.Split(string(data), "\n")
	if lines[0] != first {
		t.Errorf("expected\n%s\nfound\n%s", first, lines[0])
	}
	want := Head{Origin: `gate "1" ü`, Size: 3, Hash: hashOf([]byte(lines[2]))}
	if got := mustVerify(t, data); got != want || head != want {
		t.Errorf("expected %v, Append says %v, Verify %v", want, head, got)
	}
	if want, got := "gate \"1\" ü\n3\n"+want.Hash+"\n", string(head.Text()); want != got {
		t.Errorf("expected %q, found %q", want, got)
	}
	if got := (Head{}).Text(); len(got) != 0 {
		t.Errorf("expected no text of the zero head, found %q", got)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("expected mode 600, found %v, %v", info.Mode(), err)
	}
	// A reader that returns little at a time reads the same.
	if got, err := Verify(t.Context(), iotest.OneByteReader(bytes.NewReader(data))); got != want || err != nil {
		t.Errorf("expected %v, found %v, %v", want, got, err)
	}
}

// TestSmallestLine: what bounds the number of lines is less than any line has.
func TestSmallestLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log.jsonl")
	mustAppend(t, file, "a", "0")
	if n := len(mustRead(t, file)) - 1; n < minLine {
		t.Errorf("expected at least %d bytes, found %d", minLine, n)
	}
}

func TestAppendRefuses(t *testing.T) {
	ok := []string{`{}`}
	for _, c := range []struct {
		name, origin string
		now          time.Time
		decisions    []string
		want         string
	}{
		{"no-decision", "test", testTime, nil, "expected at least one decision"},
		{"empty-decision", "test", testTime, []string{`{}`, ``}, "decision 2: expected a decision in JSON, found nothing"},
		{"not-json", "test", testTime, []string{`{`}, "strict JSON"},
		{"two-values", "test", testTime, []string{`{} {}`}, "strict JSON"},
		{"two-lines", "test", testTime, []string{"{}\n{}"}, "strict JSON"},
		{"duplicate-key", "test", testTime, []string{`{"a":{"b":1,"b":2}}`}, "duplicate"},
		{"duplicate-key-escaped", "test", testTime, []string{`{"a":1,"\u0061":2}`}, "duplicate"},
		{"invalid-utf8", "test", testTime, []string{"\"\xff\""}, "UTF-8"},
		{"too-long", "test", testTime, []string{`"` + strings.Repeat("a", maxLine) + `"`}, "expected a decision of less than"},
		{"line-too-long", "test", testTime, []string{`"` + strings.Repeat("a", maxLine-100) + `"`}, "expected a line of at most"},
		{"no-origin", "", testTime, ok, "found 0"},
		{"long-origin", strings.Repeat("a", 257), testTime, ok, "found 257"},
		{"newline-in-origin", "a\nb", testTime, ok, "printable"},
		{"escape-in-origin", "a\x1b", testTime, ok, "printable"},
		{"bidi-in-origin", "a\u202e", testTime, ok, "printable"},
		{"invalid-origin", "a\xff", testTime, ok, "printable"},
		{"no-time", "test", time.Time{}, ok, "expected a time"},
		{"year-10000", "test", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), ok, "expected a time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log.jsonl")
			head, err := Append(t.Context(), file, c.origin, c.now, raws(c.decisions)...)
			if err == nil || !strings.Contains(err.Error(), c.want) || head != (Head{}) {
				t.Errorf("expected %q, found %v, %v", c.want, head, err)
			}
			if data, err := os.ReadFile(file); err == nil && len(data) > 0 {
				t.Errorf("expected nothing to be written, found %q", data)
			}
		})
	}
}

// TestAppendToBadTail: a last line that cannot be is refused, and left as it is.
func TestAppendToBadTail(t *testing.T) {
	good := string(mustRead(t, newLog(t, "test", 3)))
	lines := strings.SplitAfter(good, "\n")
	one := strings.TrimSuffix(lines[0], "\n")
	entry := func(sequence uint64, previous string) string {
		e := Entry{Origin: "test", Sequence: sequence, Previous: previous, Time: testTime, Decision: []byte("1")}
		line, err := e.appendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(line) + "\n"
	}
	hash := hashOf([]byte(one))
	for _, c := range []struct{ name, log, want string }{
		{"torn", good[:len(good)-1], fmt.Sprintf("truncate -s %d FILE", len(lines[0])+len(lines[1]))},
		{"torn-half", good[:len(good)-40], "expected a newline at its end"},
		{"torn-first", one[:50], "truncate -s 0 FILE"},
		{"torn-long", good + strings.Repeat("a", 100<<10), fmt.Sprintf("truncate -s %d FILE", len(good))},
		{"endless", good + strings.Repeat("a", maxLine+3), "at most 16777216 bytes, found a longer one"},
		{"endless-line", good + strings.Repeat("a", maxLine+3) + "\n", "at most 16777216 bytes, found a longer one"},
		{"line-over-bound", strings.Repeat("a", maxLine+1) + "\n", "at most 16777216 bytes, found 16777217"},
		{"empty-line", good + "\n", "JSON of schema"},
		{"other-file", "key: value\n", "JSON of schema"},
		{"carriage-return", strings.ReplaceAll(good, "\n", "\r\n"), "as Plimsoll writes it"},
		{"other-schema", strings.ReplaceAll(good, "decision/v1", "decision/v2"), "expected schema"},
		{"unknown-member", strings.ReplaceAll(good, `"origin"`, `"more":1,"origin"`), "JSON of schema"},
		{"name-in-other-case", strings.ReplaceAll(good, `"origin"`, `"Origin"`), "JSON of schema"},
		{"duplicate-member", strings.ReplaceAll(good, `"origin"`, `"sequence":2,"origin"`), "JSON of schema"},
		{"missing-member", strings.ReplaceAll(good, `"time":"2026-11-23T15:00:00Z",`, ``), "as Plimsoll writes it"},
		{"spaces", strings.ReplaceAll(good, `"n":`, `"n": `), "as Plimsoll writes it"},
		{"time-not-utc", strings.ReplaceAll(good, `15:00:00Z`, `16:00:00+01:00`), "as Plimsoll writes it"},
		{"bad-origin", strings.ReplaceAll(good, `"test"`, `"te\nst"`), "printable"},
		{"other-origin", strings.ReplaceAll(good, `"test"`, `"prod"`), `expected origin "test", found "prod"`},
		{"bad-previous", strings.ReplaceAll(good, `"sha256:`, `"sha256:A`), "a previous hash"},
		{"upper-case-hash", good[:len(good)-len(lines[2])] + entry(2, "sha256:"+strings.Repeat("A", 64)), "a previous hash"},
		{"first-of-sequence-1", entry(1, hash), "a sequence and a previous hash that can be"},
		{"first-with-previous", entry(0, hash), "a sequence and a previous hash that can be"},
		{"later-of-sequence-0", lines[0] + entry(0, hash), "a sequence and a previous hash that can be"},
		{"later-without-previous", lines[0] + entry(1, noHash), "a sequence and a previous hash that can be"},
		{"sequence-too-high", lines[0] + entry(5, hash), "a sequence and a previous hash that can be"},
		{"sequence-overflow", lines[0] + entry(1<<64-1, hash), "a sequence and a previous hash that can be"},
		{"sequence-too-low", strings.Repeat("a", maxLine+1) + "\n" + entry(1, hash), "a sequence and a previous hash that can be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log.jsonl")
			mustWrite(t, file, []byte(c.log))
			_, err := Append(t.Context(), file, "test", testTime, json.RawMessage(`{}`))
			var broken *BrokenError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("expected %q, found %v", c.want, err)
			}
			if got := string(mustRead(t, file)); got != c.log {
				t.Errorf("expected the log as it was, %d bytes, found %d", len(c.log), len(got))
			}
		})
	}
}

// TestLongLines: lines up to the bound are appended, found again and verified.
func TestLongLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log.jsonl")
	mustAppend(t, file, "test", `""`)
	overhead := len(mustRead(t, file)) - 1
	long := `"` + strings.Repeat("a", maxLine-overhead) + `"`
	mustAppend(t, file, "test", `"`+strings.Repeat("a", 200<<10)+`"`)
	mustAppend(t, file, "test", long)
	head := mustAppend(t, file, "test", `{}`)
	if got := mustVerify(t, mustRead(t, file)); got != head || head.Size != 4 {
		t.Errorf("expected %v, found %v", head, got)
	}
	if _, err := Append(t.Context(), file, "test", testTime, json.RawMessage(long[:len(long)-1]+`a"`)); err == nil {
		t.Error("expected a line over the bound to be refused")
	}
}

// TestAppendToEmpty: a log that somebody made, for its owner or mode, is begun.
func TestAppendToEmpty(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log.jsonl")
	mustWrite(t, file, nil)
	mustAppend(t, file, "test", `{}`)
	mustVerify(t, mustRead(t, file))
}

// TestProcesses: many processes at once write one chain.
func TestProcesses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log.jsonl")
	var children []*exec.Cmd
	for range 20 {
		c := childCommand(t, file, 20, 100, "")
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, c)
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	if head := mustVerify(t, mustRead(t, file)); head.Size != 400 {
		t.Errorf("expected 400 lines, found %d", head.Size)
	}
}

// TestWaitsNoLonger: who waits for the lock ends with the context, with an error.
func TestWaitsNoLonger(t *testing.T) {
	file := newLog(t, "test", 1)
	before := mustRead(t, file)
	unlock, err := lock(t.Context(), file+".lock", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Append(ctx, file, "test", testTime, json.RawMessage(`{}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("expected the deadline, found %v", err)
	}
	if _, err := lock(t.Context(), file+".lock", 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), "another process held it for 50ms") {
		t.Errorf("expected a second lock to be refused, found %v", err)
	}
	if !bytes.Equal(mustRead(t, file), before) {
		t.Error("expected the log as it was")
	}
}

func TestVerifyEnds(t *testing.T) {
	data := mustRead(t, newLog(t, "test", 2))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if head, err := Verify(ctx, bytes.NewReader(data)); !errors.Is(err, context.Canceled) || head != (Head{}) {
		t.Errorf("expected %v, found %v, %v", context.Canceled, head, err)
	}
	// What could not be read is no broken log.
	failing := io.MultiReader(bytes.NewReader(data), iotest.ErrReader(errors.New("made up")))
	var broken *BrokenError
	if head, err := Verify(t.Context(), failing); err == nil || errors.As(err, &broken) || head != (Head{}) || !strings.Contains(err.Error(), "reading line 3") {
		t.Errorf("expected the reader's error, found %v, %v", head, err)
	}
}
