package npm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
)

// sourceMap is a source map of version 3 (ECMA-426).
type sourceMap struct {
	Version        int       `json:"version"`
	File           text      `json:"file"`
	SourceRoot     text      `json:"sourceRoot"`
	Sources        []*string `json:"sources"`
	SourcesContent []*string `json:"sourcesContent"`
	Mappings       string    `json:"mappings"`
	Sections       []struct {
		Offset struct{ Line, Column int } `json:"offset"`
		Map    *sourceMap                 `json:"map"`
	} `json:"sections"`
}

// ParseSourceMap reads a source map. generated is the file that it is about, from
// which the bytes of each source are counted; without it, they are counted as far
// as the map tells. A source to which nothing is mapped is not in the output.
func ParseSourceMap(data, generated []byte) (*Output, error) {
	var m sourceMap
	if err := jsonv2.Unmarshal(withoutPrefix(data), &m, lenient); err != nil {
		return nil, fmt.Errorf("reading source map: %w", err)
	}
	if m.Version != 3 {
		return nil, fmt.Errorf("reading source map: expected version 3, found %d", m.Version)
	}
	lines := newLineIndex(generated)
	counts := map[string]*Module{}
	if err := m.count(counts, lines, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("reading source map: %w", err)
	}
	o := &Output{Name: string(m.File)}
	for _, name := range sortedKeys(counts) {
		o.Modules = append(o.Modules, *counts[name])
	}
	return o, nil
}

// withoutPrefix cuts off a byte order mark, and the line that servers put before a
// source map against its inclusion as a script (ECMA-426, "Decoding source maps").
func withoutPrefix(data []byte) []byte {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if bytes.HasPrefix(data, []byte(")]}'")) {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return data
}

// maxSections bounds how maps may hold maps; the standard allows one level.
const maxSections = 2

func (m *sourceMap) count(counts map[string]*Module, lines lineIndex, line, column, depth int) error {
	if depth >= maxSections {
		return errors.New("sections in sections")
	}
	for _, s := range m.Sections {
		if s.Map == nil || s.Offset.Line < 0 || s.Offset.Column < 0 {
			return errors.New("a section without a map, or before the start")
		}
		if err := s.Map.count(counts, lines, s.Offset.Line, s.Offset.Column, depth+1); err != nil {
			return err
		}
	}
	sizes := make([]int64, len(m.Sources))
	if err := eachSegment(m.Mappings, len(m.Sources), func(atLine, from, to, source int) {
		if atLine == 0 {
			from += column
			if to >= 0 {
				to += column
			}
		}
		sizes[source] += lines.bytes(atLine+line, from, to)
	}); err != nil {
		return err
	}
	for i, size := range sizes {
		if size == 0 || m.Sources[i] == nil {
			continue
		}
		name := *m.Sources[i]
		if root := string(m.SourceRoot); root != "" {
			name = strings.TrimSuffix(root, "/") + "/" + name
		}
		if counts[name] == nil {
			counts[name] = &Module{Path: name, IsURL: true}
			if i < len(m.SourcesContent) && m.SourcesContent[i] != nil {
				counts[name].Content = *m.SourcesContent[i]
			}
		}
		counts[name].Bytes += size
	}
	return nil
}

// lineIndex finds bytes of a generated file by line and column. Columns count
// UTF-16 units (ECMA-426, "position types").
type lineIndex struct {
	lines [][]byte
	marks [][]mark // of a line, once it was asked for: every stride-th column
}

// mark is where a character begins, the first at a column or after it.
type mark struct{ at, column int }

// stride is how many columns are walked at most to find one.
const stride = 64

func newLineIndex(generated []byte) lineIndex {
	if generated == nil {
		return lineIndex{}
	}
	lines := bytes.SplitAfter(generated, []byte("\n"))
	return lineIndex{lines: lines, marks: make([][]mark, len(lines))}
}

// bytes counts the bytes between two columns; to < 0 is the end of the line. Where
// the line is not known, a unit is a byte, and an open end is one.
func (l lineIndex) bytes(line, from, to int) int64 {
	if line >= len(l.lines) {
		return int64(max(to-from, 1))
	}
	end := len(l.lines[line])
	if to >= 0 {
		end = l.offset(line, to)
	}
	return int64(max(end-l.offset(line, from), 0))
}

// offset is the byte at a column, or the line's end.
func (l lineIndex) offset(line, column int) int {
	text := l.lines[line]
	if l.marks[line] == nil {
		l.marks[line] = markColumns(text)
	}
	marks := l.marks[line]
	if column/stride >= len(marks) {
		return len(text)
	}
	m := marks[column/stride]
	for m.column < column && m.at < len(text) {
		r, size := utf8.DecodeRune(text[m.at:])
		m.at, m.column = m.at+size, m.column+units(r)
	}
	return m.at
}

// markColumns marks every stride-th column.
func markColumns(text []byte) []mark {
	marks := make([]mark, 0, len(text)/stride+1)
	for m := (mark{}); m.at < len(text); {
		if m.column >= len(marks)*stride {
			marks = append(marks, m)
		}
		r, size := utf8.DecodeRune(text[m.at:])
		m.at, m.column = m.at+size, m.column+units(r)
	}
	return marks
}

// units is how many UTF-16 units a character has.
func units(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

// eachSegment decodes mappings: for each segment that names a source, the line,
// its first column and the one after its last (-1: the end of the line), and the
// source.
//
// > [Mappings are] base64 VLQ; [...] each group of lines is separated by ";" and
// > each segment by ",". (ECMA-426, "Mappings".)
func eachSegment(mappings string, sources int, do func(line, from, to, source int)) error {
	line, column, source := 0, 0, 0
	open, openFrom := -1, 0 // the segment before, which ends where the next begins
	var fields [5]int
	for i := 0; ; {
		if i == len(mappings) || mappings[i] == ';' {
			if open >= 0 {
				do(line, openFrom, -1, open)
			}
			if open, column = -1, 0; i == len(mappings) {
				return nil
			}
			line++
			i++
			continue
		}
		if mappings[i] == ',' {
			i++
			continue
		}
		n := 0
		for i < len(mappings) && mappings[i] != ',' && mappings[i] != ';' {
			value, used := vlq(mappings[i:])
			if used == 0 || n == len(fields) {
				return fmt.Errorf("mappings: no base64 VLQ at byte %d", i)
			}
			fields[n] = value
			n++
			i += used
		}
		if n != 1 && n != 4 && n != 5 {
			return fmt.Errorf("mappings: a segment of %d fields before byte %d", n, i)
		}
		if column += fields[0]; column < 0 {
			return fmt.Errorf("mappings: a column before the line's start, before byte %d", i)
		}
		if open >= 0 {
			do(line, openFrom, column, open)
			open = -1
		}
		if n == 1 {
			continue
		}
		source += fields[1]
		if source < 0 || source >= sources {
			return fmt.Errorf("mappings: source %d of %d before byte %d", source, sources, i)
		}
		open, openFrom = source, column
	}
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

var base64Values = func() (values [256]int8) {
	for i := range values {
		values[i] = int8(strings.IndexByte(base64Digits, byte(i)))
	}
	return values
}()

// vlq decodes one number and says how many digits it has; 0: it is none.
func vlq(s string) (value, used int) {
	for shift := 0; used < len(s) && shift <= 30; shift += 5 {
		digit := int(base64Values[s[used]])
		if digit < 0 {
			return 0, 0
		}
		used++
		value |= (digit & 31) << shift
		if digit&32 == 0 {
			if value&1 != 0 {
				return -(value >> 1), used
			}
			return value >> 1, used
		}
	}
	return 0, 0
}
