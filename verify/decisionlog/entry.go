package decisionlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema names the JSON of a line.
const Schema = "https://plimsoll.example/schema/decision/v1"

const (
	// maxLine bounds a line without its newline. Over it a line is refused by
	// Append as well as by Verify, so that no log is written that cannot be read.
	maxLine = 16 << 20
	// minLine is less than any line has: it tells how many lines at most fit into
	// what lies before one.
	minLine = 200
	// maxOrigin bounds an origin, in bytes.
	maxOrigin = 256

	hashPrefix = "sha256:"
	// noHash is the previous hash of the first line.
	noHash = hashPrefix + "0000000000000000000000000000000000000000000000000000000000000000"
)

// An Entry is one line of a log.
type Entry struct {
	Schema   string          `json:"schema"`
	Origin   string          `json:"origin"`   // whose log it is
	Sequence uint64          `json:"sequence"` // from 0, without gaps
	Previous string          `json:"previous"` // "sha256:HEX" of the line before, without its newline; zeros in the first
	Time     time.Time       `json:"time"`     // RFC 3339, UTC, whole seconds, by the writer's clock: it may go back
	Decision json.RawMessage `json:"decision"`
}

// A BrokenError says where a log is not a chain that [Append] wrote.
type BrokenError struct {
	Line            uint64 // from 1; 0: the last, of which nobody counted the number
	Expected, Found string
}

func (e *BrokenError) Error() string {
	line := "the last line"
	if e.Line > 0 {
		line = fmt.Sprintf("line %d", e.Line)
	}
	return fmt.Sprintf("%s: expected %s, found %s", line, e.Expected, e.Found)
}

// CheckOrigin tells whether origin may name a log: 1 to 256 bytes of UTF-8 that
// prints, so that it fits on a line of [Head.Text] and on a terminal.
func CheckOrigin(origin string) error {
	switch {
	case origin == "" || len(origin) > maxOrigin:
		return fmt.Errorf("expected an origin of 1 to %d bytes, found %d", maxOrigin, len(origin))
	case !utf8.ValidString(origin) || strings.ContainsFunc(origin, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("expected an origin of printable UTF-8, found %q", origin)
	}
	return nil
}

// appendTo appends the line to b, without a newline. There is one encoding of an
// entry only.
func (e *Entry) appendTo(b []byte) ([]byte, error) {
	b = append(b, `{"schema":"`+Schema+`","origin":`...)
	b, err := jsontext.AppendQuote(b, e.Origin)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"sequence":`...)
	b = strconv.AppendUint(b, e.Sequence, 10)
	b = append(b, `,"previous":"`+e.Previous+`","time":"`...)
	b = e.Time.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","decision":`...)
	decision := jsontext.Value(bytes.Clone(e.Decision))
	if err := decision.Compact(); err != nil {
		return nil, err
	}
	return append(append(b, decision...), '}'), nil
}

// parseLine reads a line without its newline: strict JSON, and exactly the bytes
// that appendTo makes of what it says. Nothing that a reader of JSON skips, spacing
// or an unknown member, can then hide in a log.
func parseLine(line []byte) (Entry, *BrokenError) {
	var e Entry
	if err := jsonv2.Unmarshal(line, &e, jsonv2.RejectUnknownMembers(true)); err != nil {
		return Entry{}, &BrokenError{Expected: "JSON of schema " + Schema, Found: clip(err.Error())}
	}
	if e.Schema != Schema {
		return Entry{}, &BrokenError{Expected: "schema " + Schema, Found: clip(strconv.Quote(e.Schema))}
	}
	if err := CheckOrigin(e.Origin); err != nil {
		return Entry{}, &BrokenError{Expected: fmt.Sprintf("an origin of 1 to %d bytes of printable UTF-8", maxOrigin), Found: clip(strconv.Quote(e.Origin))}
	}
	if !isHash(e.Previous) {
		return Entry{}, &BrokenError{Expected: "a previous hash, sha256: and 64 lower-case hexadecimal digits", Found: clip(strconv.Quote(e.Previous))}
	}
	if again, err := e.appendTo(make([]byte, 0, len(line))); err != nil || !bytes.Equal(again, line) {
		return Entry{}, &BrokenError{Expected: "a line as Plimsoll writes it", Found: "the same JSON with other spacing, order, escapes or time"}
	}
	return e, nil
}

func isHash(s string) bool {
	digits, ok := strings.CutPrefix(s, hashPrefix)
	return ok && len(digits) == 2*sha256.Size && strings.Trim(digits, "0123456789abcdef") == ""
}

// hashOf is the hash of a line without its newline.
func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hashPrefix + hex.EncodeToString(sum[:])
}

// clip bounds what an error repeats of a file's text.
func clip(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// strict demands that a decision is strict JSON within bounds: one value, no
// duplicate names, valid UTF-8.
func strict(decision json.RawMessage) error {
	if len(decision) > maxLine {
		return fmt.Errorf("expected a decision of less than %d bytes, found %d", maxLine, len(decision))
	}
	if len(bytes.TrimSpace(decision)) == 0 {
		return errors.New("expected a decision in JSON, found nothing")
	}
	var v jsontext.Value
	if err := jsonv2.Unmarshal(decision, &v); err != nil {
		return fmt.Errorf("expected a decision in strict JSON: %s", clip(err.Error()))
	}
	return nil
}
