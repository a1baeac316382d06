package vers

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const (
	maxRange       = 64 << 10 // bytes
	maxConstraints = 1000
)

// A Range is a set of versions of one scheme. The zero Range is not a range: asked
// what it contains, it returns an error.
type Range struct {
	text        string
	scheme      string
	order       ordering
	ordered     bool
	all         bool // vers:npm/*
	constraints []constraint
}

type constraint struct {
	comparator string // one of those in comparators, or "" for equal
	text       string
	version    version // only where the scheme has an order
}

// Type returns the scheme of the versions: npm, pypi, deb.
func (r Range) Type() string { return r.scheme }

// String returns the range as it was written.
func (r Range) String() string { return r.text }

// Parse reads a version range specifier. What the specification allows tools to
// put right is an error here: upper case, an explicit "=", constraints that are not
// sorted by version, not unique or redundant.
func Parse(text string) (Range, error) {
	if len(text) > maxRange {
		return Range{}, fmt.Errorf("expected a version range of at most %d bytes, found %d", maxRange, len(text))
	}
	wrong := func(format string, args ...any) (Range, error) {
		return Range{}, fmt.Errorf("version range %s: %s", abbreviated(text), fmt.Sprintf(format, args...))
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return wrong("expected printable ASCII characters without spaces, found %q", text[i:i+1])
		}
	}
	rest, ok := strings.CutPrefix(text, "vers:")
	if !ok {
		return wrong("expected vers:TYPE/CONSTRAINTS")
	}
	scheme, list, ok := strings.Cut(rest, "/")
	if !ok || list == "" || !validScheme(scheme) {
		return wrong("expected vers:TYPE/CONSTRAINTS, the type in lower case")
	}
	r := Range{text: text, scheme: scheme}
	r.order, r.ordered = orderingOf(scheme)
	if list == "*" {
		r.all = true
		return r, nil
	}
	if n := strings.Count(list, "|") + 1; n > maxConstraints {
		return wrong("expected at most %d constraints, found %d", maxConstraints, n)
	}
	for one := range strings.SplitSeq(list, "|") {
		c, err := r.constraint(one)
		if err != nil {
			return wrong("%v", err)
		}
		r.constraints = append(r.constraints, c)
	}
	if err := r.check(); err != nil {
		return wrong("%v", err)
	}
	return r, nil
}

// validScheme allows letters, digits, "." and "-", a letter first. The specification
// reserves "invalid" for ranges that every tool must refuse.
func validScheme(s string) bool {
	return s != "" && s[0] >= 'a' && s[0] <= 'z' && s != "invalid" &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

func (r Range) constraint(text string) (c constraint, err error) {
	for _, comparator := range []string{">=", "<=", "!=", ">", "<"} {
		if strings.HasPrefix(text, comparator) {
			c.comparator = comparator
			break
		}
	}
	raw := text[len(c.comparator):]
	if raw == "" {
		return c, fmt.Errorf("expected a version after %q, found none", c.comparator)
	}
	if strings.ContainsAny(raw, "<>=!*|") {
		return c, fmt.Errorf(`%q: expected a version, optionally after != < <= > or >=, and < > = ! * | percent-encoded in it`, text)
	}
	if c.text, err = url.PathUnescape(raw); err != nil {
		return c, err
	}
	if err := checkVersion(c.text); err != nil {
		return c, err
	}
	if r.ordered {
		c.version, err = r.order.parse(c.text)
	}
	return c, err
}

// check holds the constraints to the rules of the specification: strictly rising
// versions, and no constraint that another makes redundant. Leaving "!=" out, an
// upper bound may follow only a lower bound, or nothing; an equality or a lower
// bound may not follow a lower bound.
func (r Range) check() error {
	seen := map[string]bool{}
	last := "" // the last constraint but "!="
	first := true
	for i, c := range r.constraints {
		if seen[c.text] {
			return fmt.Errorf("version %q stands there twice", c.text)
		}
		seen[c.text] = true
		if r.ordered && i > 0 {
			d, err := r.constraints[i-1].version.compare(c.version)
			if err != nil {
				return err
			}
			if d >= 0 {
				return fmt.Errorf("expected rising versions, found %q before %q", r.constraints[i-1].text, c.text)
			}
		}
		if c.comparator == "!=" {
			continue
		}
		if !first && lower(last) != upper(c.comparator) {
			return fmt.Errorf("%q makes what stands before it redundant, or is redundant", c.comparator+c.text)
		}
		first, last = false, c.comparator
	}
	return nil
}

func lower(comparator string) bool { return strings.HasPrefix(comparator, ">") }
func upper(comparator string) bool { return strings.HasPrefix(comparator, "<") }

// decidable tells whether there are versions of which the range can say whether it
// contains them, other than those that it names.
func (r Range) decidable() bool {
	if r.ordered || r.all {
		return true
	}
	for _, c := range r.constraints {
		if lower(c.comparator) || upper(c.comparator) {
			return false
		}
	}
	return true
}

// Contains tells whether a version is in the range. An error means that it cannot
// be told: the version has no place in the order of the scheme, or the scheme no
// order that is known here. A caller that looks for what is denied must deny then.
func (r Range) Contains(version string) (bool, error) {
	switch {
	case r.scheme == "":
		return false, errors.New("expected a version range, found none")
	case version == "":
		return false, errors.New("expected a version, found none")
	case r.all:
		return true, nil
	case !r.ordered:
		return r.containsText(version)
	}
	v, err := r.order.parse(version)
	if err != nil {
		return false, err
	}
	return r.contains(v)
}

// contains follows the specification, "Checking if a version is contained within a
// range": a version that an equality or an inclusive bound names is in. Else a version
// that "!=" names is out. Else it is in if it lies below the first bound and that is
// an upper one, above the last and that is a lower one, or between a lower bound and
// the upper bound that follows it. A range of nothing but "!=" contains everything
// else, on which the specification is silent: read as empty it would deny nothing.
func (r Range) contains(v version) (bool, error) {
	named, excluded, inside := false, false, false
	above, open := false, false // v is above the last lower bound; which has no upper bound yet
	bounds, others := 0, 0
	for _, c := range r.constraints {
		d, err := v.compare(c.version)
		if err != nil {
			return false, err
		}
		if d == 0 && c.inclusive() {
			named = true
		}
		switch {
		case c.comparator == "!=":
			excluded = excluded || d == 0
			continue
		case lower(c.comparator):
			above, open = d > 0, true
			bounds++
		case upper(c.comparator):
			inside = inside || (d < 0 && (bounds == 0 || above))
			above, open = false, false
			bounds++
		}
		others++
	}
	inside = inside || (open && above) || others == 0
	return named || (inside && !excluded), nil
}

// inclusive tells whether the version that the constraint names is in the range.
func (c constraint) inclusive() bool {
	return c.comparator == "" || c.comparator == "<=" || c.comparator == ">="
}

// containsText decides by equality of strings, for schemes without a known order.
func (r Range) containsText(version string) (bool, error) {
	if err := checkVersion(version); err != nil {
		return false, err
	}
	others, bound := 0, false
	for _, c := range r.constraints {
		if c.text == version && c.inclusive() {
			return true, nil
		}
		if c.text == version && c.comparator == "!=" {
			return false, nil
		}
		bound = bound || lower(c.comparator) || upper(c.comparator)
		if c.comparator != "!=" {
			others++
		}
	}
	if bound {
		return false, fmt.Errorf("versions of scheme %q have no order known here, so whether %q is in %s cannot be told", r.scheme, version, abbreviated(r.text))
	}
	return others == 0, nil
}

// abbreviated quotes the beginning of a text for a message.
func abbreviated(s string) string {
	if len(s) > 200 {
		return fmt.Sprintf("%q...", s[:200])
	}
	return fmt.Sprintf("%q", s)
}
