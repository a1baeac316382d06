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
	if common := disjoint(spans); total-covered(text, common) > leftOver {
		related := relatedTo(licenses(), text, common, 0)
		for _, r := range restOf(text, common) {
			for _, k := range relatedTo(related, text[r.start:r.end], r.common, r.start) {
				for _, s := range spansOf(k.scanner(), text[r.start:r.end]) {
					spans = append(spans, span{s.start + r.start, s.end + r.start, s.id})
				}
			}
		}
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
			phrases: sync.OnceValue(func() []uint64 { return phrases([]byte(l.LRE), func(int, int) bool { return true }) }),
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

// rest is a part of a text that the common licences leave over, with those before
// and after it: a licence may have one of them in it.
type rest struct {
	start, end int
	common     []span
}

// restOf lists what is left over and is more than a heading and a name.
func restOf(text []byte, common []span) []rest {
	var list []rest
	for i := 0; i <= len(common); i++ {
		r := rest{0, len(text), nil}
		from, to := 0, len(text)
		if i > 0 {
			from, r.start = common[i-1].end, common[i-1].start
			r.common = append(r.common, common[i-1])
		}
		if i < len(common) {
			to, r.end = common[i].start, common[i].end
			r.common = append(r.common, common[i])
		}
		if countWords(text[from:to]) > leftOver {
			list = append(list, r)
		}
	}
	return list
}

// relatedTo keeps the licences that share phrases with a text, and some with what
// the common ones leave over of it. offset is where the text begins in the one that
// the spans are of.
func relatedTo(from []*known, text []byte, common []span, offset int) []*known {
	all := newPhraseSet(phrases(text, func(int, int) bool { return true }))
	over := newPhraseSet(phrases(text, func(start, end int) bool {
		return !slices.ContainsFunc(common, func(s span) bool { return s.start <= start+offset && end+offset <= s.end })
	}))
	var related []*known
	for _, k := range from {
		if !k.common && k.related(all, over) {
			related = append(related, k)
		}
	}
	return related
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

// newPhrases is how many phrases a licence must share with what the common licences leave
// over of a text: else it has no more to say than they.
const newPhrases = 2

// related says whether a text with the given phrases shares enough of them, some of
// them in the rest that the common licences leave over.
func (k *known) related(all, rest *phraseSet) bool {
	phrases := k.phrases()
	if rest.count(phrases, newPhrases) < newPhrases {
		return false
	}
	enough := max((len(phrases)+share-1)/share, 1)
	return all.count(phrases, enough) >= enough
}

// phraseSet holds phrases; most that it does not hold a few bits tell.
type phraseSet struct {
	bits [1 << 10]uint64
	all  map[uint64]struct{}
}

func newPhraseSet(phrases []uint64) *phraseSet {
	s := &phraseSet{all: make(map[uint64]struct{}, len(phrases))}
	for _, p := range phrases {
		s.all[p] = struct{}{}
		s.bits[p>>6&(1<<10-1)] |= 1 << (p & 63)
	}
	return s
}

// count counts the phrases that the set holds, until there are enough.
func (s *phraseSet) count(phrases []uint64, enough int) int {
	n := 0
	for _, p := range phrases {
		if s.bits[p>>6&(1<<10-1)]&(1<<(p&63)) == 0 {
			continue
		}
		if _, ok := s.all[p]; ok {
			if n++; n >= enough {
				break
			}
		}
	}
	return n
}

// phrases hashes each run of words that is wanted, by where it starts and ends. The
// hash only narrows down what is compared.
func phrases(text []byte, wanted func(start, end int) bool) []uint64 {
	const prime = 1099511628211 // FNV-1a
	var all []uint64
	var last [phrase]uint64
	var starts [phrase]int
	n := 0
	eachWord(text, func(start, end int) {
		h := uint64(14695981039346656037)
		for _, c := range text[start:end] {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			h = (h ^ uint64(c)) * prime
		}
		last[n%phrase], starts[n%phrase] = h, start
		if n++; n >= phrase && wanted(starts[n%phrase], end) {
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
	eachWord(text, func(int, int) { n++ })
	return n
}

// eachWord calls do with the ends of each run of letters and digits, and of bytes outside
// ASCII.
func eachWord(text []byte, do func(start, end int)) {
	start := -1
	for i, c := range text {
		inside := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80
		switch {
		case inside && start < 0:
			start = i
		case !inside && start >= 0:
			do(start, i)
			start = -1
		}
	}
	if start >= 0 {
		do(start, len(text))
	}
}
