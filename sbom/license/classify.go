package license

import (
	"bytes"
	"cmp"
	"slices"
	"sync"

	"github.com/google/licensecheck"
)

// licensecheck's own scanner of all its licences takes two seconds to build. So
// each licence has a scanner of its own, built when it is needed: a text is
// compared with the common licences first, and where they leave words over, with
// those that share phrases with it.

// leftOver is how many words of a text may be left over by the common licences:
// a heading and a name.
const leftOver = 12

// classify returns the SPDX identifiers of the licences in a text, sorted, and
// the share of its words that they cover in percent. An identifier that the SPDX
// list lacks becomes a LicenseRef-.
func classify(text []byte) (found []string, percent int) {
	total := countWords(text)
	if bytes.IndexByte(text, 0) >= 0 || total == 0 {
		return nil, 0 // no text
	}
	spans := spansOf(commonScanner(), text)
	if total-covered(text, disjoint(spans)) > leftOver {
		have := map[uint64]bool{}
		for _, p := range phrases(text) {
			have[p] = true
		}
		spans = append(spans, scan(text, func(k *known) bool { return !k.common && k.related(have) })...)
	}
	spans = disjoint(spans)
	for _, s := range spans {
		id := s.id
		if !IsID(id) {
			id = "LicenseRef-" + id
		}
		found = append(found, id)
	}
	slices.Sort(found)
	return slices.Compact(found), 100 * covered(text, spans) / total
}

// A known licence of the library.
type known struct {
	licensecheck.License
	common  bool
	scanner func() *licensecheck.Scanner
	phrases func() []uint64
}

// licenses are the library's licences that have a text.
var licenses = sync.OnceValue(func() []*known {
	common := []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}
	var all []*known
	for _, l := range licensecheck.BuiltinLicenses() {
		if l.LRE == "" {
			continue // an address; it does not say that the text's licence is the one there
		}
		all = append(all, &known{
			License: l,
			common:  slices.Contains(common, l.ID),
			scanner: sync.OnceValue(func() *licensecheck.Scanner {
				scanner, err := licensecheck.NewScanner([]licensecheck.License{l})
				if err != nil {
					panic("the licence library's own licence " + l.ID + " does not parse: " + err.Error()) // a test builds each
				}
				return scanner
			}),
			phrases: sync.OnceValue(func() []uint64 { return phrases([]byte(l.LRE)) }),
		})
	}
	return all
})

// commonScanner compares with the common licences at once.
var commonScanner = sync.OnceValue(func() *licensecheck.Scanner {
	var common []licensecheck.License
	for _, k := range licenses() {
		if k.common {
			common = append(common, k.License)
		}
	}
	scanner, err := licensecheck.NewScanner(common)
	if err != nil {
		panic("the licence library's own licences do not parse together: " + err.Error()) // a test builds it
	}
	return scanner
})

// span is where a licence stands in a text.
type span struct {
	start, end int
	id         string
}

func scan(text []byte, which func(*known) bool) []span {
	var spans []span
	for _, k := range licenses() {
		if which(k) {
			spans = append(spans, spansOf(k.scanner(), text)...)
		}
	}
	return spans
}

func spansOf(scanner *licensecheck.Scanner, text []byte) []span {
	var spans []span
	for _, m := range scanner.Scan(text).Match {
		spans = append(spans, span{m.Start, m.End, m.ID})
	}
	return spans
}

// disjoint keeps the longest spans that do not overlap, in order: a licence that
// has another one's text in it is the longer.
func disjoint(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(b.end-b.start, a.end-a.start), cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id))
	})
	var kept []span
	for _, s := range spans {
		if !slices.ContainsFunc(kept, func(k span) bool { return s.start < k.end && k.start < s.end }) {
			kept = append(kept, s)
		}
	}
	slices.SortFunc(kept, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	return kept
}

func covered(text []byte, spans []span) int {
	n := 0
	for _, s := range spans {
		n += countWords(text[s.start:s.end])
	}
	return n
}

// phrase is how many words in a row are compared; share is the part of a
// licence's phrases, one in so many, that a text must have to be compared fully.
const phrase, share = 4, 4

// related says whether a text with the given phrases shares enough of them.
func (k *known) related(have map[uint64]bool) bool {
	shared := 0
	all := k.phrases()
	for _, p := range all {
		if have[p] {
			shared++
		}
	}
	return shared > 0 && shared*share >= len(all)
}

// phrases hashes each run of words. The hash only narrows down what is compared.
func phrases(text []byte) []uint64 {
	const prime = 1099511628211 // FNV-1a
	var all []uint64
	var last [phrase]uint64
	n := 0
	eachWord(text, func(word []byte) {
		h := uint64(14695981039346656037)
		for _, c := range word {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			h = (h ^ uint64(c)) * prime
		}
		last[n%phrase] = h
		if n++; n >= phrase {
			h = 0
			for i := range phrase {
				h = (h ^ last[(n+i)%phrase]) * prime
			}
			all = append(all, h)
		}
	})
	return all
}

func countWords(text []byte) int {
	n := 0
	eachWord(text, func([]byte) { n++ })
	return n
}

// eachWord calls do with each run of letters and digits, and of bytes outside
// ASCII.
func eachWord(text []byte, do func([]byte)) {
	start := -1
	for i, c := range text {
		inside := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80
		switch {
		case inside && start < 0:
			start = i
		case !inside && start >= 0:
			do(text[start:i])
			start = -1
		}
	}
	if start >= 0 {
		do(text[start:])
	}
}
