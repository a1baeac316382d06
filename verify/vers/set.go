package vers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Set is a list of patterns, indexed by what they name. It does not change, and may
// be used by several goroutines. A nil or an empty Set answers with an error.
type Set struct {
	patterns []Pattern
	byName   map[string][]int // positions in patterns, rising
	byPrefix map[string][]int // those with any name in a namespace
	broken   bool
}

// NewSet returns a set of patterns that ParsePattern returned.
func NewSet(patterns ...Pattern) *Set {
	s := &Set{patterns: slices.Clone(patterns), byName: map[string][]int{}, byPrefix: map[string][]int{}}
	for i, p := range s.patterns {
		t := p.target
		switch {
		case t.name == "":
			s.broken = true
		case p.anyName:
			key := t.kind + "/" + t.namespace
			s.byPrefix[key] = append(s.byPrefix[key], i)
		default:
			key := t.fullName()
			s.byName[key] = append(s.byName[key], i)
		}
	}
	return s
}

// fullName returns type, namespace and name as one key.
func (t target) fullName() string {
	if t.namespace == "" {
		return t.kind + "/" + t.name
	}
	return t.kind + "/" + t.namespace + "/" + t.name
}

// Match returns the first pattern, in the order of NewSet, that means the component
// with this purl. Without an error, false says that no pattern means it. An error
// says that it cannot be told, which callers that deny what matches must treat the
// same: the purl is malformed, or a version, qualifier or subpath is missing or cannot
// be compared. A pattern that matches counts more than one that cannot tell.
func (s *Set) Match(purl string) (Pattern, bool, error) {
	if s == nil || len(s.patterns) == 0 || s.broken {
		return Pattern{}, false, errors.New("expected patterns to match with, found none or an empty one")
	}
	c, err := parseTarget(purl)
	if err != nil {
		return Pattern{}, false, err
	}
	var unclear error
	for _, i := range s.candidates(c) {
		ok, err := s.patterns[i].matches(c)
		if ok {
			return s.patterns[i], true, nil
		}
		if err != nil && unclear == nil {
			unclear = fmt.Errorf("whether it matches %s cannot be told: %w", s.patterns[i], err)
		}
	}
	return Pattern{}, false, unclear
}

// candidates returns the positions of the patterns that name the component, rising.
func (s *Set) candidates(c target) []int {
	name := c.fullName()
	found := s.byName[name]
	if len(s.byPrefix) == 0 {
		return found
	}
	alone := true
	for end := strings.LastIndexByte(name, '/'); end > len(c.kind); end = strings.LastIndexByte(name[:end], '/') {
		if more := s.byPrefix[name[:end]]; len(more) > 0 {
			if alone {
				found, alone = slices.Clone(found), false
			}
			found = append(found, more...)
		}
	}
	if !alone {
		slices.Sort(found)
	}
	return found
}
