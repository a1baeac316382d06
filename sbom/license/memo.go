package license

import (
	"bytes"
	"crypto/sha256"
	"sync"
)

// A Memo remembers what texts say: in thousands of packages there are but a few
// different ones. The zero value is ready, and may be used at once by many;
// [OpenMemo] remembers from run to run.
type Memo struct {
	mu      sync.Mutex
	texts   map[textID]*remembered
	file    string // that keeps it; "": none
	learned bool   // more than the file holds
}

type remembered struct {
	once    sync.Once
	found   []string
	percent int
}

// Conclude is [Conclude], remembering.
func (m *Memo) Conclude(texts []Text) Conclusion { return conclude(texts, m.classify) }

// classify classifies a text without its copyright notices. If it is no licence so,
// it is looked at with them: some licences have a notice of their own.
func (m *Memo) classify(text []byte) ([]string, int) {
	found, percent := m.remember(plainText(text, false))
	if percent < enough {
		found, percent = m.remember(plainText(text, true))
	}
	return found, percent
}

func (m *Memo) remember(plain []byte) ([]string, int) {
	id := textID(sha256.Sum256(plain))
	m.mu.Lock()
	r := m.texts[id]
	if r == nil {
		if m.texts == nil {
			m.texts = map[textID]*remembered{}
		}
		r = &remembered{}
		m.texts[id], m.learned = r, true
	}
	m.mu.Unlock()
	r.once.Do(func() { r.found, r.percent = classify(plain) })
	return r.found, r.percent
}

// longestNotice bounds a line that is taken for a copyright notice.
const longestNotice = 200

// plainText is a text without what differs from package to package and says
// nothing about the licence: empty lines, spaces, and lines that are copyright
// notices, unless these are wanted.
func plainText(text []byte, notices bool) []byte {
	plain := make([]byte, 0, len(text))
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if !notices && len(line) < longestNotice && isNotice(line) {
			continue
		}
		before := len(plain)
		for word := range bytes.FieldsSeq(line) {
			plain = append(append(plain, word...), ' ')
		}
		if len(plain) > before { // lists are told by how lines begin
			plain[len(plain)-1] = '\n'
		}
	}
	return plain
}

// isNotice says whether a line begins as a copyright notice does: the word and the
// sign, or one of them and a year. "(c)" alone begins a paragraph of Apache-2.0.
func isNotice(line []byte) bool {
	line = bytes.TrimLeft(line, "#*/-> \t")
	rest, word := cutFold(line, "copyright")
	rest = bytes.TrimLeft(rest, " \t:")
	sign := false
	for _, s := range []string{"(c)", "©"} {
		if after, ok := cutFold(rest, s); ok {
			rest, sign = bytes.TrimLeft(after, " \t"), true
		}
	}
	year := len(rest) >= 4 && (rest[0] == '1' || rest[0] == '2') && rest[1] >= '0' && rest[1] <= '9'
	return (word && sign) || ((word || sign) && year)
}

func cutFold(s []byte, prefix string) ([]byte, bool) {
	if len(s) < len(prefix) || !bytes.EqualFold(s[:len(prefix)], []byte(prefix)) {
		return s, false
	}
	return s[len(prefix):], true
}
