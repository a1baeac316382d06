package tarball

import (
	"bufio"
	"compress/gzip"
	"io"
)

// maxMembers bounds how many gzips may stand one after the other.
const maxMembers = 100_000

// members decodes gzips that stand one after the other, as zlib under node does.
// After a member node goes on where the next byte is not zero, and how it reads
// zeros followed by something else depends on how the bytes arrive: after a member
// comes another one, zeros only, or nothing.
type members struct {
	r    *bufio.Reader
	z    *gzip.Reader
	n    int
	done bool
}

func newMembers(r io.Reader) (*members, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	magic, err := buffered.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return nil, malformed("expected a gzip, which begins with 1f8b, found %q", magic)
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, malformed("%v", err)
	}
	z.Multistream(false)
	return &members{r: buffered, z: z, n: 1}, nil
}

func (m *members) Read(p []byte) (int, error) {
	for !m.done {
		n, err := m.z.Read(p)
		if err == io.EOF {
			if err = m.next(); err == nil && n == 0 {
				continue
			}
		}
		return n, err
	}
	return 0, io.EOF
}

// next goes on to the next member; after the last one done is set.
func (m *members) next() error {
	first, err := m.r.ReadByte()
	switch {
	case err == io.EOF:
		m.done = true
		return nil
	case err != nil:
		return err
	case first == 0:
		m.done = true
		return zeros(m.r, "after the gzip")
	}
	if err := m.r.UnreadByte(); err != nil {
		return err
	}
	if m.n++; m.n > maxMembers {
		return malformed("more than %d gzip members, at most so many are read", maxMembers)
	}
	if first != 0x1f {
		return malformed("the gzip is followed by something else")
	}
	if err := m.z.Reset(m.r); err != nil {
		return err
	}
	m.z.Multistream(false)
	return nil
}

// zeros reads to the end, and refuses anything but zeros.
func zeros(r io.Reader, where string) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		for _, c := range buf[:n] {
			if c != 0 {
				return malformed("there is something %s that readers skip or do not", where)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
