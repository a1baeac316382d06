package decisionlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestAttacks changes logs in the ways that a chain shows.
func TestAttacks(t *testing.T) {
	good := strings.SplitAfter(string(mustRead(t, newLog(t, "test", 5))), "\n")[:5]
	// Another log of the same origin, and one of another.
	file := newLog(t, "test", 0)
	for range 5 {
		mustAppend(t, file, "test", `{"verdict":"denied"}`)
	}
	twin := strings.SplitAfter(string(mustRead(t, file)), "\n")[:5]
	foreign := strings.SplitAfter(string(mustRead(t, newLog(t, "prod", 5))), "\n")[:5]
	with := func(change func(lines []string) []string) string {
		return strings.Join(change(slices.Clone(good)), "")
	}
	for _, c := range []struct{ name, log, want string }{
		{"changed", with(func(l []string) []string { l[2] = strings.Replace(l[2], "allowed", "denied", 1); return l }),
			"line 4: expected previous " + hashOf([]byte(strings.TrimSuffix(strings.Replace(good[2], "allowed", "denied", 1), "\n"))) + ", the hash of line 3, found " + hashOf([]byte(strings.TrimSuffix(good[2], "\n")))},
		{"changed-time", with(func(l []string) []string { l[0] = strings.Replace(l[0], "15:00", "15:01", 1); return l }), "line 2: expected previous"},
		{"removed-first", with(func(l []string) []string { return l[1:] }), "line 1: expected sequence 0, found 1"},
		{"removed", with(func(l []string) []string { return slices.Delete(l, 2, 3) }), "line 3: expected sequence 2, found 3"},
		{"removed-two", with(func(l []string) []string { return slices.Delete(l, 1, 3) }), "line 2: expected sequence 1, found 3"},
		{"inserted-twin", with(func(l []string) []string { return slices.Insert(l, 2, twin[2]) }), "line 3: expected previous"},
		{"replaced-by-twin", with(func(l []string) []string { l[2] = twin[2]; return l }), "line 3: expected previous"},
		{"first-replaced-by-twin", with(func(l []string) []string { l[0] = twin[0]; return l }), "line 2: expected previous"},
		{"tail-of-twin", with(func(l []string) []string { return append(l[:3], twin[3:]...) }), "line 4: expected previous"},
		{"inserted-foreign", with(func(l []string) []string { return slices.Insert(l, 2, foreign[2]) }), `line 3: expected origin "test", as in line 1, found "prod"`},
		{"last-foreign", with(func(l []string) []string { l[4] = foreign[4]; return l }), `line 5: expected origin "test"`},
		{"reordered", with(func(l []string) []string { l[1], l[2] = l[2], l[1]; return l }), "line 2: expected sequence 1, found 2"},
		{"reversed", with(func(l []string) []string { slices.Reverse(l); return l }), "line 1: expected sequence 0, found 4"},
		{"duplicated", with(func(l []string) []string { return slices.Insert(l, 2, l[1]) }), "line 3: expected sequence 2, found 1"},
		{"duplicated-first", with(func(l []string) []string { return slices.Insert(l, 0, l[0]) }), "line 2: expected sequence 1, found 0"},
		{"duplicated-last", with(func(l []string) []string { return append(l, l[4]) }), "line 6: expected sequence 5, found 4"},
		{"log-twice", with(func(l []string) []string { return append(l, l...) }), "line 6: expected sequence 5, found 0"},
		{"sequence-gap", with(func(l []string) []string { l[3] = strings.Replace(l[3], `"sequence":3`, `"sequence":4`, 1); return l }), "line 4: expected sequence 3, found 4"},
		{"first-with-previous", with(func(l []string) []string { l[0] = strings.Replace(l[0], ":00", ":10", 1); return l }), "line 1: expected previous " + noHash + ", as nothing is before it"},
		{"torn", with(func(l []string) []string { l[4] = l[4][:30]; return l }), "line 5: expected a newline at its end, found none after 30 bytes"},
		{"without-last-newline", with(func(l []string) []string { l[4] = strings.TrimSuffix(l[4], "\n"); return l }), "line 5: expected a newline at its end"},
		{"joined", with(func(l []string) []string { l[1] = strings.TrimSuffix(l[1], "\n"); return l }), "line 2: expected JSON"},
		{"empty-line", with(func(l []string) []string { return slices.Insert(l, 2, "\n") }), "line 3: expected JSON"},
		{"empty-last-line", with(func(l []string) []string { return append(l, "\n") }), "line 6: expected JSON"},
		{"long-schema", with(func(l []string) []string { return append(l, `{"schema":"`+strings.Repeat("a", 10000)+`"}`+"\n") }), "line 6: expected schema"},
		{"long-name", with(func(l []string) []string { return append(l, `{"`+strings.Repeat("a", 10000)+`":1}`+"\n") }), "line 6: expected JSON"},
		{"null", with(func(l []string) []string { return append(l, "null\n") }), "line 6: expected schema"},
		{"spaces", with(func(l []string) []string { l[4] = strings.Replace(l[4], "{", "{ ", 1); return l }), "line 5: expected a line as Plimsoll writes it"},
		{"unknown-member", with(func(l []string) []string { l[4] = strings.Replace(l[4], "{", `{"x":1,`, 1); return l }), "line 5: expected JSON"},
		{"duplicate-member", with(func(l []string) []string { l[4] = strings.Replace(l[4], `"n":4`, `"n":4,"n":5`, 1); return l }), "line 5: expected JSON"},
		{"too-long", with(func(l []string) []string { return append(l, strings.Repeat("a", maxLine+1)+"\n") }), "line 6: expected a line of at most 16777216 bytes"},
		{"endless", with(func(l []string) []string { return append(l, strings.Repeat("a", maxLine+1)) }), "line 6: expected a line of at most 16777216 bytes"},
		{"empty", "", "line 1: expected at least one line, found none"},
		{"a-newline", "\n", "line 1: expected JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			head, err := verifyBytes([]byte(c.log))
			var broken *BrokenError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.want) || head != (Head{}) {
				t.Errorf("expected %q, found %v, %v", c.want, head, err)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("expected a short error, found %d bytes", len(err.Error()))
			}
		})
	}
}

// TestCutOff: of lines that are missing at the end only the head tells.
func TestCutOff(t *testing.T) {
	data := mustRead(t, newLog(t, "test", 5))
	whole := mustVerify(t, data)
	seen := map[string]bool{string(whole.Text()): true}
	for i := range data[:len(data)-1] {
		head, err := verifyBytes(data[:i])
		if i > 0 && data[i-1] == '\n' {
			if err != nil || seen[string(head.Text())] {
				t.Errorf("the first %d bytes: expected another head, found %v, %v", i, head, err)
			}
			seen[string(head.Text())] = true
		} else if err == nil {
			t.Errorf("the first %d bytes: expected it to be torn, found %v", i, head)
		}
	}
}

// TestEveryBit flips each bit of a small log. What is in the last line nothing
// covers but the head.
func TestEveryBit(t *testing.T) {
	data := mustRead(t, newLog(t, "test", 3))
	head := mustVerify(t, data)
	last := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	accepted := 0
	for i := range data {
		for bit := range 8 {
			changed := bytes.Clone(data)
			changed[i] ^= 1 << bit
			got, err := verifyBytes(changed)
			if err != nil {
				continue
			}
			accepted++
			if i < last || i == len(data)-1 || got.Hash == head.Hash {
				t.Errorf("byte %d, bit %d: expected a refusal or another hash, found %v", i, bit, got)
			}
		}
	}
	if accepted == 0 {
		t.Error("expected changes of the last line's decision to be seen by the head only")
	}
}

// FuzzVerify: whatever is accepted is a chain whose lines are the only encoding of
// what they say.
func FuzzVerify(f *testing.F) {
	for n := range 4 {
		file := newLog(f, "test", 0)
		for i := range n {
			mustAppend(f, file, "test", fmt.Sprintf(`{"n":%d,"s":"a\u0062\n"}`, i))
		}
		if n > 0 {
			data := mustRead(f, file)
			f.Add(data)
			f.Add(data[:len(data)-1])
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		head, err := verifyBytes(data)
		if err != nil {
			if head != (Head{}) || len(err.Error()) > 2000 {
				t.Errorf("expected no head and a short error, found %v, %v", head, err)
			}
			return
		}
		lines := bytes.Split(data, []byte("\n"))
		if uint64(len(lines)) != head.Size+1 || len(lines[head.Size]) != 0 {
			t.Fatalf("expected %d whole lines, found %d", head.Size, len(lines))
		}
		previous := noHash
		for i, line := range lines[:head.Size] {
			e, broken := parseLine(line)
			if broken != nil || e.Sequence != uint64(i) || e.Previous != previous || e.Origin != head.Origin {
				t.Fatalf("line %d: %v, %v", i+1, e, broken)
			}
			previous = hashOf(line)
		}
		if previous != head.Hash || bytes.Count(head.Text(), []byte("\n")) != 3 {
			t.Errorf("expected hash %s, found %v", previous, head)
		}
	})
}
