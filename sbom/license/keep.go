package license

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// keptVersion names what decides about a text: raise its first part with every
// change of what [classify] finds; the second is the version of licensecheck.
const keptVersion = "1-licensecheck-v0.3.1"

// mostKept bounds the texts that are remembered from run to run; 3,000 packages have
// about 1,000.
const mostKept = 50_000

// OpenMemo returns a memo that knows what was found in texts before, as folder keeps
// it; "" keeps nothing. Who can write the folder decides what texts are said to be.
func OpenMemo(folder string) *Memo {
	m := &Memo{}
	if folder == "" {
		return m
	}
	m.file = filepath.Join(folder, "licences-"+keptVersion)
	if info, err := os.Stat(m.file); err != nil || !info.Mode().IsRegular() || info.Size() > mostKept*200 {
		return m
	}
	data, err := os.ReadFile(m.file)
	if err != nil {
		return m
	}
	texts := make(map[textID]*remembered, bytes.Count(data, []byte("\n")))
	for line := range strings.Lines(string(data)) {
		id, r, ok := parseKept(strings.TrimSuffix(line, "\n"))
		if !ok {
			return m // somebody else's, or half of one
		}
		texts[id] = r
	}
	m.texts = texts
	return m
}

// parseKept reads "SHA256 PERCENT ID,ID".
func parseKept(line string) (id textID, r *remembered, ok bool) {
	fields := strings.Split(line, " ")
	if len(fields) != 3 || len(fields[0]) != hex.EncodedLen(len(id)) {
		return id, nil, false
	}
	if _, err := hex.Decode(id[:], []byte(fields[0])); err != nil {
		return id, nil, false
	}
	r = &remembered{}
	var err error
	if r.percent, err = strconv.Atoi(fields[1]); err != nil || r.percent < 0 || r.percent > 100 {
		return id, nil, false
	}
	if fields[2] != "" {
		r.found = strings.Split(fields[2], ",")
	}
	if slices.ContainsFunc(r.found, func(id string) bool { return !IsID(id) && !strings.HasPrefix(id, "LicenseRef-") }) {
		return id, nil, false
	}
	r.once.Do(func() {})
	return id, r, true
}

// Keep keeps what the memo knows where it was opened from, if it learned anything.
// That it cannot be kept costs time and nothing else.
func (m *Memo) Keep() {
	if m.file == "" || !m.learned || len(m.texts) > mostKept {
		return
	}
	lines := make([]string, 0, len(m.texts))
	for id, r := range m.texts {
		lines = append(lines, fmt.Sprintf("%x %d %s\n", id, r.percent, strings.Join(r.found, ",")))
	}
	slices.Sort(lines)
	if os.MkdirAll(filepath.Dir(m.file), 0o755) != nil {
		return
	}
	tmp, err := os.CreateTemp(filepath.Dir(m.file), ".new-")
	if err != nil {
		return
	}
	_, err = tmp.WriteString(strings.Join(lines, ""))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), m.file)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
}

// textID is the digest of a text as [plainText] leaves it.
type textID [sha256.Size]byte
