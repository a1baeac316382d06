package tarball

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is what an entry is; the rest is refused.
type kind int

const (
	kindFile kind = iota
	kindFolder
	kindLink // symbolic or hard
)

// entry is a header of the archive with what the extended headers before it say.
type entry struct {
	name string
	kind kind
	size int64
	mode int64
}

// archive reads a tar (POSIX.1-2024, pax, "ustar Interchange Format" and "pax
// Interchange Format"; GNU tar's long names). The standard library's reader is made
// to read what it can; this one refuses whatever node-tar, which npm extracts with,
// reads otherwise, and each such difference is named where it is refused.
type archive struct {
	r         io.Reader
	left, pad int64 // of the entry's body

	extended *extended // that the next entry is described by
}

// extended is what a pax header or GNU's long names say about the next entry.
type extended struct {
	path, link       string
	hasPath, hasLink bool
	size             int64 // -1: not said
	pax              bool
}

const (
	blockSize   = 512
	maxExtended = 1 << 20 // node-tar ignores longer ones
)

// Read reads the body of the entry that next has returned.
func (a *archive) Read(p []byte) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	n, err := a.r.Read(p[:min(int64(len(p)), a.left)])
	a.left -= int64(n)
	if err == io.EOF && a.left > 0 {
		return n, malformed("it ends within an entry")
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// next goes to the next file, folder or link; io.EOF is the archive's end.
func (a *archive) next() (entry, error) {
	for {
		if err := a.skip(); err != nil {
			return entry{}, err
		}
		var block [blockSize]byte
		switch _, err := io.ReadFull(a.r, block[:]); {
		case err == io.EOF:
			return entry{}, a.end()
		case errors.Is(err, io.ErrUnexpectedEOF):
			return entry{}, malformed("it ends within a header")
		case err != nil:
			return entry{}, err
		}
		if block == [blockSize]byte{} {
			// One such block is skipped by some readers and ends the archive for others,
			// and what follows two is read by some (tar -i): only zeros may follow.
			if err := zeros(a.r, "after the archive's end"); err != nil {
				return entry{}, err
			}
			return entry{}, a.end()
		}
		e, done, err := a.header(&block)
		if done || err != nil {
			return e, err
		}
	}
}

func (a *archive) end() error {
	if a.extended != nil {
		return malformed("it ends after an extended header")
	}
	return io.EOF
}

// skip goes past what is left of the body and its padding.
func (a *archive) skip() error {
	n, err := io.CopyN(io.Discard, a.r, a.left+a.pad)
	missing := a.left + a.pad - n
	a.left, a.pad = 0, 0
	if errors.Is(err, io.EOF) && missing > 0 {
		return malformed("it ends within an entry")
	}
	return err
}

// header reads a header; done is false for one that describes the next entry.
func (a *archive) header(block *[blockSize]byte) (e entry, done bool, err error) {
	raw, err := parseHeader(block)
	if err != nil {
		return entry{}, false, err
	}
	switch raw.kind {
	case 'x', 'g', 'L', 'K':
		return entry{}, false, a.extend(raw)
	}
	x := a.extended
	a.extended = nil
	e = entry{name: raw.name, size: raw.size, mode: raw.mode}
	link := raw.link
	if x != nil {
		if x.hasPath {
			e.name = x.path
		}
		if x.hasLink {
			link = x.link
		}
		if x.size >= 0 {
			e.size = x.size
		}
	}
	if err := checkName(e.name); err != nil {
		return entry{}, false, err
	}
	if e.kind, err = kindOf(raw.kind, e, link); err != nil {
		return entry{}, false, err
	}
	if e.kind == kindFolder {
		e.size = 0 // some writers give a folder's size, and none its body
	}
	a.left, a.pad = e.size, -e.size&(blockSize-1)
	return e, true, nil
}

func kindOf(flag byte, e entry, link string) (kind, error) {
	slash := strings.HasSuffix(e.name, "/")
	isLink := flag == '1' || flag == '2'
	switch {
	case isLink != (link != ""):
		// node-tar reads the body of such an entry as the next headers.
		return 0, malformed("entry %.200q of type %q has the link target %.100q", e.name, flag, link)
	case isLink && e.size != 0:
		return 0, malformed("the link %.200q has %d bytes, which readers skip or do not", e.name, e.size)
	case isLink:
		return kindLink, nil
	case flag == '5':
		return kindFolder, nil
	case slash && e.size != 0:
		return 0, malformed("entry %.200q is named as a folder and has %d bytes", e.name, e.size)
	case flag != '0' && flag != 0:
		return 0, malformed("entry %.200q is of type %q; expected files, folders and links", e.name, flag)
	case slash:
		return kindFolder, nil
	}
	return kindFile, nil
}

// checkName refuses names that readers cut or decode differently.
func checkName(name string) error {
	switch {
	case name == "":
		return malformed("an entry has no name")
	case !utf8.ValidString(name):
		return malformed("the name %.200q is not UTF-8", name)
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return malformed("the name %.200q has control characters", name)
		}
	}
	return nil
}

// extend reads a header that describes the next entry. Where there are two, readers
// differ in which counts, and node-tar has changed: at most one of each kind stands
// before an entry, and pax beside none of GNU's.
func (a *archive) extend(raw rawHeader) error {
	if raw.size > maxExtended {
		return malformed("an extended header of %d bytes, at most %d are read", raw.size, maxExtended)
	}
	if raw.link != "" {
		return malformed("an extended header of type %q has a link target", raw.kind)
	}
	body := make([]byte, raw.size)
	a.left, a.pad = raw.size, -raw.size&(blockSize-1)
	if _, err := io.ReadFull(a, body); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
			err = malformed("it ends within an extended header")
		}
		return err
	}
	x := a.extended
	if x != nil && (raw.kind == 'x' || raw.kind == 'g' || x.pax) {
		return malformed("two extended headers before one entry")
	}
	if raw.kind == 'x' || raw.kind == 'g' {
		records, err := parsePax(body, raw.kind == 'g')
		if raw.kind == 'x' {
			a.extended = records
		}
		return err
	}
	if x == nil {
		x = &extended{size: -1}
		a.extended = x
	}
	text, _, _ := strings.Cut(string(body), "\x00")
	if text == "" || raw.kind == 'L' && x.hasPath || raw.kind == 'K' && x.hasLink {
		return malformed("two long names before one entry, or an empty one")
	}
	if raw.kind == 'L' {
		x.path, x.hasPath = text, true
	} else {
		x.link, x.hasLink = text, true
	}
	return nil
}

// parsePax reads the records of a pax header, "LENGTH KEY=VALUE\n". Of a global one,
// which node-tar applies to all entries that follow and other readers do not, no
// record may matter.
func parsePax(body []byte, global bool) (*extended, error) {
	x := &extended{size: -1, pax: true}
	seen := map[string]bool{}
	for len(body) > 0 {
		digits, _, ok := bytes.Cut(body, []byte(" "))
		n, err := strconv.Atoi(string(digits))
		if !ok || err != nil || strconv.Itoa(n) != string(digits) || n > len(body) || n < len(digits)+4 || body[n-1] != '\n' {
			return nil, malformed("a pax header has the record %.100q; expected LENGTH KEY=VALUE", body)
		}
		key, value, ok := strings.Cut(string(body[len(digits)+1:n-1]), "=")
		if !ok || key == "" {
			return nil, malformed("a pax header has the record %.100q; expected LENGTH KEY=VALUE", body[:n])
		}
		body = body[n:]
		if err := x.record(key, value, seen, global); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (x *extended) record(key, value string, seen map[string]bool, global bool) error {
	switch key {
	case "path", "linkpath", "size":
		if seen[key] || value == "" || global {
			return malformed("a pax header says %q twice, to nothing, or for all entries", key)
		}
		seen[key] = true
		if strings.ContainsAny(value, "\x00\n") {
			return malformed("a pax header has a %s that readers cut: %.100q", key, value)
		}
	case "mode", "type":
		return malformed("a pax header has %q, which some readers know", key)
	}
	if strings.HasPrefix(key, "GNU.sparse") {
		return malformed("it holds a sparse file")
	}
	// node-tar parts records at each newline, also at one within a value: such a
	// value must hold nothing that could be a record that matters.
	if i := strings.IndexByte(value, '\n'); i >= 0 {
		for _, name := range []string{"path=", "size="} {
			if strings.Contains(value[i:], name) {
				return malformed("a pax header hides %q in the value of %.100q", name, key)
			}
		}
	}
	switch key {
	case "path":
		x.path, x.hasPath = value, true
	case "linkpath":
		x.link, x.hasLink = value, true
	case "size":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 || strconv.FormatInt(n, 10) != value {
			return malformed("a pax header has the size %.100q", value)
		}
		x.size = n
	}
	return nil
}
