package vers

import (
	"errors"
	"fmt"
	"strings"
)

// A Pattern says which packages are meant. The zero Pattern means none that could
// be told: a Set with one in it answers with errors.
type Pattern struct {
	purl    string // as written
	target  target
	anyName bool // any name in the namespace
	ranged  bool
	within  Range
}

// String returns the purl and the range as they were written.
func (p Pattern) String() string {
	if p.ranged {
		return p.purl + " " + p.within.text
	}
	return p.purl
}

// ParsePattern reads a purl, and a version range unless that is empty:
//
//	pkg:npm/event-stream@3.3.6    this version
//	pkg:npm/event-stream          any version, or those in the range
//	pkg:npm/%40scope/*            any name in the namespace, and in namespaces below
//
// Qualifiers and a subpath are demanded of a component only if the pattern has
// them. A range must be of the purl's type, or generic where versions of that type
// are semantic versions, and one that can be decided.
func ParsePattern(purl, vers string) (Pattern, error) {
	p := Pattern{purl: purl}
	if !strings.HasPrefix(purl, "pkg:") {
		return Pattern{}, fmt.Errorf("expected a purl (pkg:TYPE/NAME), found %s", abbreviated(purl))
	}
	var err error
	if p.target, err = parseTarget(purl); err != nil {
		return Pattern{}, err
	}
	wrong := func(why string) (Pattern, error) {
		return Pattern{}, fmt.Errorf("%s: %s", abbreviated(purl), why)
	}
	t := &p.target
	if t.name == "*" {
		p.anyName = true
		if t.namespace == "" {
			return wrong(`"*" stands for the names in a namespace, found none before it`)
		}
	}
	if (strings.Contains(t.name, "*") && !p.anyName) || strings.Contains(t.namespace+t.version, "*") {
		return wrong(`"*" stands for a whole name, and is no part of one, nor a version: leave the version away`)
	}
	if t.version == "" && strings.HasSuffix(path(purl), "@") {
		return wrong(`expected a version after "@"`)
	}
	if t.version != "" {
		if vers != "" {
			return wrong("has a version, and a version range beside it")
		}
		if err := checkExact(t.kind, t.version); err != nil {
			return wrong(err.Error())
		}
		return p, nil
	}
	if vers == "" {
		return p, nil
	}
	if p.within, err = Parse(vers); err != nil {
		return Pattern{}, err
	}
	p.ranged = true
	if err := fits(p.within, t.kind); err != nil {
		return wrong(err.Error())
	}
	return p, nil
}

// checkExact refuses a version that no component of the type can have.
func checkExact(kind, version string) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	o, ok := orderingOf(kind)
	if !ok || o.loose {
		return nil
	}
	_, err := o.parse(version)
	return err
}

// fits tells whether a range can say something about versions of a type of purl.
func fits(r Range, kind string) error {
	switch {
	case !r.decidable():
		return fmt.Errorf("versions of scheme %q have no order known here, so expected only versions, !=VERSION or *, found %s", r.scheme, abbreviated(r.text))
	case r.scheme == kind:
		return nil
	case r.scheme != "generic":
		return fmt.Errorf("expected a range of versions of type %q (vers:%s/...), found %q", kind, kind, r.scheme)
	}
	switch kind {
	case "pypi", "maven", "nuget", "gem", "deb", "rpm", "alpm", "apk":
		// There 1.0-1 is above 1.0, or nearly so, and a semantic version below it.
		return fmt.Errorf("versions of type %q are not ordered like semantic versions: expected a range that begins with vers:%s/, found vers:generic/", kind, kind)
	}
	return nil
}

// matches tells whether a component of which name and namespace match is meant.
func (p Pattern) matches(c target) (bool, error) {
	missing := ""
	for key, value := range p.target.qualifiers {
		found, ok := c.qualifiers[key]
		if ok && found != value {
			return false, nil
		}
		if !ok {
			missing = "qualifier " + key
		}
	}
	if p.target.subpath != "" {
		if c.subpath != "" && c.subpath != p.target.subpath {
			return false, nil
		}
		if c.subpath == "" {
			missing = "subpath"
		}
	}
	ok, err := p.matchesVersion(c)
	if err != nil || !ok {
		return false, err
	}
	if missing != "" {
		return false, fmt.Errorf("it has no %s to compare with %s", missing, p)
	}
	return true, nil
}

func (p Pattern) matchesVersion(c target) (bool, error) {
	switch {
	case p.target.version == "" && !p.ranged, p.ranged && p.within.all:
		return true, nil
	case c.version == "":
		return false, errors.New("it has no version to compare with " + p.String())
	case p.ranged:
		return p.within.Contains(c.version)
	}
	return sameVersion(c.kind, c.version, p.target.version)
}
