package vers

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"deps.dev/util/semver"
)

const (
	maxVersion = 1024 // bytes
	// maxDigits is how many digits a number may have. Beyond 64 bits the library
	// compares the numbers of prereleases as text, where 10 is below 9.
	maxDigits = 18
)

// An ordering compares the versions of one scheme. The zero value orders nothing.
type ordering struct {
	scheme string
	system semver.System
	// loose: not every version of the scheme has a place in the order, and one that
	// has none (a digest, a commit) can still be compared for equality.
	loose bool
	// strict: numbers have no leading zeros, by semantic versioning.
	strict bool
	// full: versions with fewer than three numbers are tags that move.
	full bool
}

// orderingOf returns how versions of a scheme are ordered; ok is false where they
// are not. Schemes are named like types of purl.
func orderingOf(scheme string) (_ ordering, ok bool) {
	o := ordering{scheme: scheme}
	switch scheme {
	case "npm":
		o.system, o.strict = semver.NPM, true
	case "cargo":
		o.system, o.strict = semver.Cargo, true
	case "golang":
		o.system, o.strict = semver.Go, true
	case "pypi":
		o.system = semver.PyPI
	case "maven":
		o.system = semver.Maven
	case "nuget":
		o.system = semver.NuGet
	case "gem":
		o.system = semver.RubyGems
	case "generic":
		o.loose, o.strict = true, true
	case "github", "oci":
		o.loose, o.strict, o.full = true, true, true
	default:
		return ordering{}, false
	}
	return o, true
}

// A version has a place in the order of its scheme.
type version struct {
	full   *semver.Version
	public *semver.Version // without PyPI's local part
	local  bool
}

// checkVersion refuses what is no version in any scheme. Versions with white space,
// control characters or bytes beyond ASCII would look like another one to a reader.
func checkVersion(text string) error {
	switch {
	case text == "":
		return errors.New("expected a version, found none")
	case len(text) > maxVersion:
		return fmt.Errorf("expected a version of at most %d bytes, found %d", maxVersion, len(text))
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return fmt.Errorf("expected printable ASCII characters in a version, found %q", text)
		}
	}
	return nil
}

// parse returns a version with its place in the order, or an error where it has none.
func (o ordering) parse(text string) (version, error) {
	if err := checkVersion(text); err != nil {
		return version{}, err
	}
	wrong := func(why string) (version, error) {
		return version{}, fmt.Errorf("%q has no place in the order of %s versions: %s", text, o.scheme, why)
	}
	if strings.Contains(text, "*") {
		return wrong("it contains *")
	}
	if longestNumber(text) > maxDigits {
		return wrong(fmt.Sprintf("it has a number of more than %d digits", maxDigits))
	}
	bare := strings.TrimPrefix(text, "v")
	switch {
	case bare == "" || (o.system != semver.Maven && (bare[0] < '0' || bare[0] > '9')):
		return wrong("it does not start with a number")
	case o.full && strings.Count(release(bare), ".") != 2:
		return wrong("it has not three numbers")
	case o.strict && leadingZero(bare):
		return wrong("it has a number with a leading zero")
	case (o.system == semver.RubyGems || o.system == semver.Maven) && ambiguous(text):
		return wrong("it has empty parts, or a zero before other parts after its numbers")
	case o.system == semver.Maven && !plainMaven().MatchString(text):
		return wrong("it has not the plain form of numbers and qualifiers (1.2.3-rc.1) for which the order is certain")
	case o.system == semver.Go:
		bare = "v" + bare
	case o.system == semver.Maven:
		bare = text
	}
	full, err := o.system.Parse(bare)
	if err != nil {
		return wrong(err.Error())
	}
	if full.IsWildcard() {
		return wrong("it is a wildcard")
	}
	v := version{full: full, public: full}
	if head, _, found := strings.Cut(bare, "+"); found && o.system == semver.PyPI {
		v.local = true
		if v.public, err = o.system.Parse(head); err != nil {
			return wrong(err.Error())
		}
	}
	return v, nil
}

// compare returns less than zero, zero or more for a version below, at or above a
// bound. It asks the library both ways, since an answer that depends on the
// order of the question is none.
func (v version) compare(bound version) (int, error) {
	a := v.full
	if !bound.local {
		// PEP 440: local parts are ignored unless the specifier has one. Else
		// 1.0+x would slip by a rule that denies everything up to 1.0.
		a = v.public
	}
	b := bound.full
	there, back := sign(a.Compare(b)), sign(b.Compare(a))
	if there != -back {
		return 0, fmt.Errorf("%q and %q have no order", a, b)
	}
	return there, nil
}

// sameVersion tells whether two versions of a scheme are the same. The error says
// that it cannot be told.
func sameVersion(scheme, a, b string) (bool, error) {
	for _, one := range []string{a, b} {
		if err := checkVersion(one); err != nil {
			return false, err
		}
	}
	o, ok := orderingOf(scheme)
	if a == b || !ok {
		return a == b, nil
	}
	x, errX := o.parse(a)
	y, errY := o.parse(b)
	if errX != nil && errY != nil && o.loose {
		// Two digests, commits or tags that are not versions.
		return false, nil
	}
	// One of the two may be a commit, and the other the name of the same commit.
	if err := errors.Join(errX, errY); err != nil {
		return false, err
	}
	c, err := x.compare(y)
	return c == 0, err
}

// AtLeast tells whether a version of a package is least or higher, in the order of
// the type of its purl. It is an error if the type has no order known here, or one
// of the two no place in it; that never means that the version is high enough.
func AtLeast(purlType, version, least string) (bool, error) {
	o, ok := orderingOf(purlType)
	if !ok {
		return false, fmt.Errorf("versions of type %q have no order known here", purlType)
	}
	l, err := o.parse(least)
	if err != nil {
		return false, err
	}
	v, err := o.parse(version)
	if err != nil {
		return false, err
	}
	c, err := v.compare(l)
	return err == nil && c >= 0, err
}

// release returns a version up to its prerelease or build metadata.
func release(v string) string {
	if i := strings.IndexAny(v, "-+"); i >= 0 {
		return v[:i]
	}
	return v
}

// leadingZero finds numbers that are written with zeros before them. The library
// takes them for the number, other programs for text or for octal.
func leadingZero(v string) bool {
	v, _, _ = strings.Cut(v, "+")
	core := release(v)
	for i, list := range []string{core, strings.TrimPrefix(v[len(core):], "-")} {
		for part := range strings.SplitSeq(list, ".") {
			if len(part) > 1 && part[0] == '0' && (i == 0 || strings.Trim(part, "0123456789") == "") {
				return true
			}
		}
	}
	return false
}

// longestNumber returns the length of the longest run of digits.
func longestNumber(s string) (longest int) {
	run := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// plainMaven is the form of Maven's versions for which the library's order is one:
// numbers without leading zeros, then one of the qualifiers that Maven knows, with or
// without a number. Of 1, 01 and 1A00 it holds each to be the next, and the first to be
// above the last; of 1.0.A1, 1.A and 1 each to be above the next, and the first below
// the last.
var plainMaven = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*(-(?i:alpha|beta|milestone|rc|cr|snapshot|ga|final|release|sp)([.-]?[1-9][0-9]*)?)?$`)
})

// ambiguous finds versions of gem and maven that the library does not order. Of
// the gem 2.0.beta.0.1 it compares only 2.0.beta, so that 2.0.beta.0.2 would be the
// same version; of 1..A0, 1 and 1C0A for Maven, each is above the next and below it.
func ambiguous(v string) bool {
	if strings.Contains(v, "..") {
		return true
	}
	start := strings.IndexFunc(v, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if start < 0 {
		return false
	}
	zero := false
	for rest := v[start:]; rest != ""; {
		n := 1
		for n < len(rest) && class(rest[n]) == class(rest[0]) {
			n++
		}
		part := rest[:n]
		rest = rest[n:]
		switch {
		case class(part[0]) == separator && n > 1:
			return true
		case class(part[0]) == separator:
			continue
		case strings.Trim(part, "0") == "":
			zero = true
		case zero:
			return true
		}
	}
	return false
}

const (
	letter = iota
	digit
	separator
)

func class(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return digit
	case c == '.' || c == '-':
		return separator
	}
	return letter
}

func sign(n int) int {
	return min(max(n, -1), 1)
}
