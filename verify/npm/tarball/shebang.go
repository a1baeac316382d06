package tarball

import (
	"bytes"
	"crypto/sha256"
	"hash"
)

// maxShebang is how far npm looks for the end of a script's first line (bin-links,
// lib/fix-bin.js).
const maxShebang = 2048

// shebang computes what SHA-256 a file has after npm has made the CRLF at the end of
// its first line an LF, as it does to scripts that it links in .bin.
type shebang struct {
	head []byte
	unix hash.Hash // nil: not a script of that kind, or not known yet
	done bool      // it is known
}

// write takes the next bytes, which begin at an offset.
func (s *shebang) write(p []byte, offset int64) {
	if s.unix != nil {
		s.unix.Write(p)
		return
	}
	if s.done {
		return
	}
	if offset == 0 && len(p) > 0 && p[0] != '#' {
		s.done = true
		return
	}
	s.head = append(s.head, p...)
	end := bytes.IndexByte(s.head[:min(len(s.head), maxShebang)], '\n')
	if end < 0 {
		s.done = len(s.head) >= maxShebang
		return
	}
	s.done = true
	// /^#![^\n]+\r\n/, of which the CR goes.
	if end >= 4 && bytes.HasPrefix(s.head, []byte("#!")) && s.head[end-1] == '\r' {
		s.unix = sha256.New()
		s.unix.Write(s.head[:end-1])
		s.unix.Write(s.head[end:])
	}
	s.head = nil
}

// digest is nil for a file that npm leaves alone.
func (s *shebang) digest() *[32]byte {
	if s.unix == nil {
		return nil
	}
	var sum [32]byte
	s.unix.Sum(sum[:0])
	return &sum
}
