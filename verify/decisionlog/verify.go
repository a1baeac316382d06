// Package decisionlog keeps a log of decisions that shows when it was changed.
//
// A log is a file of JSON lines, an [Entry] each: the origin whose log it is, a
// sequence number, the hash of the line before, the time, and the decision. Each
// line covers all lines before it by its hash, so that none of them can be changed,
// removed, inserted or moved without changing the last.
//
// A chain of hashes alone does not keep out somebody who may write the file: they
// can cut lines off its end, or write all of it anew. What does is a head that lies
// elsewhere: [Head.Text] is a small text to be signed and timestamped. A later log
// of the same origin must, cut to as many lines as that head's Size, have its Hash.
//
// An entry is on disk before [Append] returns, so that no decision that anybody
// acted on is missing.
package decisionlog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A Head says how far a log goes: everything up to its last line. The zero Head is
// of no log.
type Head struct {
	Origin string // whose log it is
	Size   uint64 // how many lines
	Hash   string // "sha256:HEX" of the last line, without its newline
}

// Text returns the head as three lines: origin, size, hash. Equal heads have equal
// texts, and other heads others. Of the zero Head it is empty: there is nothing to
// sign.
func (h Head) Text() []byte {
	if h.Size == 0 {
		return nil
	}
	return []byte(h.Origin + "\n" + strconv.FormatUint(h.Size, 10) + "\n" + h.Hash + "\n")
}

// Verify reads a log to its end and returns its head if it is a chain of entries of
// one origin. A [*BrokenError] says where it is none; an empty log is none either.
// Any other error means that the log could not be read.
//
// The head says nothing about lines that were cut off, or of a log that was written
// anew as a whole: compare it with one that was kept or signed before.
func Verify(ctx context.Context, r io.Reader) (Head, error) {
	head := Head{Hash: noHash}
	lines := lineReader{r: bufio.NewReaderSize(r, 64<<10)}
	for {
		if err := ctx.Err(); err != nil {
			return Head{}, err
		}
		line, err := lines.next()
		var broken *BrokenError
		switch {
		case err == io.EOF && head.Size == 0:
			return Head{}, &BrokenError{Line: 1, Expected: "at least one line", Found: "none"}
		case err == io.EOF:
			return head, nil
		case errors.As(err, &broken):
			broken.Line = head.Size + 1
			return Head{}, broken
		case err != nil:
			return Head{}, fmt.Errorf("reading line %d of a decision log: %w", head.Size+1, err)
		}
		if broken := head.follow(line); broken != nil {
			broken.Line = head.Size + 1
			return Head{}, broken
		}
	}
}

// follow moves the head on by a line, if it is the next one.
func (h *Head) follow(line []byte) *BrokenError {
	e, broken := parseLine(line)
	if broken != nil {
		return broken
	}
	if h.Size == 0 {
		h.Origin = e.Origin
	}
	switch {
	case e.Origin != h.Origin:
		return &BrokenError{Expected: fmt.Sprintf("origin %q, as in line 1", h.Origin), Found: strconv.Quote(e.Origin)}
	case e.Sequence != h.Size:
		return &BrokenError{Expected: fmt.Sprintf("sequence %d", h.Size),
			Found: fmt.Sprintf("%d: lines were removed, inserted, repeated or moved", e.Sequence)}
	case e.Previous != h.Hash && h.Size == 0:
		return &BrokenError{Expected: "previous " + h.Hash + ", as nothing is before it", Found: e.Previous}
	case e.Previous != h.Hash:
		return &BrokenError{Expected: fmt.Sprintf("previous %s, the hash of line %d", h.Hash, h.Size),
			Found: fmt.Sprintf("%s: line %d is not the one that it was written after", e.Previous, h.Size)}
	}
	h.Size++
	h.Hash = hashOf(line)
	return nil
}

// A lineReader reads lines and holds one at a time.
type lineReader struct {
	r    *bufio.Reader
	long []byte // of a line that is longer than r's buffer
}

// next returns the next line without its newline, good until the next call; io.EOF
// after the last; a *BrokenError if it is too long or has no newline.
func (l *lineReader) next() ([]byte, error) {
	l.long = l.long[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.long)+len(bytes.TrimSuffix(part, []byte{'\n'})) > maxLine {
			return nil, &BrokenError{Expected: fmt.Sprintf("a line of at most %d bytes", maxLine), Found: "a longer one"}
		}
		switch {
		case err == nil && len(l.long) == 0:
			return part[:len(part)-1], nil
		case err == nil:
			l.long = append(l.long, part[:len(part)-1]...)
			return l.long, nil
		case err == bufio.ErrBufferFull:
			l.long = append(l.long, part...)
		case err == io.EOF && len(l.long)+len(part) > 0:
			return nil, &BrokenError{Expected: "a newline at its end",
				Found: fmt.Sprintf("none after %d bytes: it is torn, by a crash while writing, a writer that is not done, or a change", len(l.long)+len(part))}
		default:
			return nil, err
		}
	}
}
