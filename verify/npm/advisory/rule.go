package advisory

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// rule says which versions of a package a record is about. A nil rule is about
// every version.
type rule struct {
	versions []string
	spans    []span
	ranged   bool // there were ranges, which those that tell nothing here count for
}

// span is a range of semantic versions, its events in the order in which they are
// applied. Versions have the "v" in front that x/mod/semver asks for.
type span struct {
	events []event
	limits []string
}

type event struct {
	kind    kind
	version string // "" stands before every other version, for x/mod/semver too
}

// kind is what an event does. The order is that of events of one version: with
// fixed first, "affected up to 2.0.0, and again from 2.0.0" includes 2.0.0, and
// with last_affected last, "from 2.0.0 to 2.0.0" ends there.
type kind uint8

const (
	fixed kind = iota
	introduced
	lastAffected
)

// includes tells whether the rule is about a version. Nobody can tell for an empty
// version: then it is.
func (r *rule) includes(version string) bool {
	if r == nil || strings.TrimSpace(version) == "" || slices.Contains(r.versions, version) {
		return true
	}
	asked, ok := semantic(loose(version))
	for _, listed := range r.versions {
		if l, known := semantic(loose(listed)); ok && known && semver.Compare(l, asked) == 0 {
			return true
		}
	}
	if !ok {
		return r.ranged
	}
	return slices.ContainsFunc(r.spans, func(s span) bool { return s.includes(asked) })
}

// includes is the schema's own algorithm ("Evaluation": IncludedInRanges and
// BeforeLimits). The order is that of semver 2.0, section 11: a prerelease of a
// version that is affected from its release on is not affected. npm's rule that a
// range holds no prereleases is not applied.
func (s span) includes(version string) bool {
	before := func(limit string) bool { return semver.Compare(version, limit) < 0 }
	if len(s.limits) > 0 && !slices.ContainsFunc(s.limits, before) {
		return false
	}
	in := false
	for _, e := range s.events {
		order := semver.Compare(version, e.version)
		switch {
		case e.kind == introduced && order >= 0:
			in = true
		case e.kind == fixed && order >= 0, e.kind == lastAffected && order > 0:
			in = false
		}
	}
	return in
}

// loose takes away what npm takes away of a version: "v1.0.0", "=1.0.0" and
// " 1.0.0" are installed as 1.0.0. So is 1.0.0+a, which the order of versions does
// not tell from 1.0.0.
func loose(version string) string {
	return strings.TrimSpace(strings.TrimLeft(version, " \t\r\nv="))
}

// semantic returns a version as x/mod/semver reads it, and whether it is one.
// "1" and "1.2" are versions to x/mod/semver, and are none to semver 2.0.
func semantic(version string) (string, bool) {
	core, _, _ := strings.Cut(version, "+")
	core, _, _ = strings.Cut(core, "-")
	v := "v" + version
	return v, strings.Count(core, ".") == 2 && semver.IsValid(v)
}

// ruleOf makes the rule of an affected package; nil is every version.
func ruleOf(a affected) *rule {
	// A list with an empty version in it was not written as it was meant.
	if len(a.Versions) == 0 && len(a.Ranges) == 0 || slices.Contains(a.Versions, "") {
		return nil
	}
	r := &rule{versions: slices.Clip(a.Versions), ranged: len(a.Ranges) > 0}
	for _, rng := range a.Ranges {
		if rng.Type != "SEMVER" && len(a.Versions) > 0 {
			continue // the list says which versions those are
		}
		s, ok := spanOf(rng)
		if !ok || s.everything() {
			return nil
		}
		r.spans = append(r.spans, s)
	}
	return r
}

// everything tells whether a span has a beginning before all versions and no end.
// Most have: as a nil rule they take no memory.
func (s span) everything() bool {
	return len(s.limits) == 0 && len(s.events) == 1 && s.events[0] == event{kind: introduced}
}

// spanOf reads a range, and tells whether it could be read.
//
// > Only a single type (either introduced, fixed, last_affected, limit) is allowed
// > in each event object. [...] Entries in the events array can contain either
// > last_affected or fixed events, but not both. [...] There must be at least one
// > introduced object in the events array.
func spanOf(r versionRange) (span, bool) {
	if r.Type != "SEMVER" {
		return span{}, false
	}
	var s span
	var has [lastAffected + 1]bool
	unlimited := false
	for _, e := range r.Events {
		if e.Limit != nil && strings.Contains(*e.Limit, "*") {
			unlimited = true
			continue
		}
		k, version, ok := e.read()
		if !ok {
			return span{}, false
		}
		if e.Limit != nil {
			s.limits = append(s.limits, version)
			continue
		}
		has[k] = true
		s.events = append(s.events, event{k, version})
	}
	if unlimited {
		s.limits = nil
	}
	slices.SortStableFunc(s.events, func(a, b event) int {
		return cmp.Or(semver.Compare(a.version, b.version), cmp.Compare(a.kind, b.kind))
	})
	return s, has[introduced] && !(has[fixed] && has[lastAffected])
}

// read returns what an event does and its version, and whether both could be read.
// The kind of a limit has no meaning.
func (e rangeEvent) read() (k kind, version string, ok bool) {
	values := 0
	for i, v := range []*string{fixed: e.Fixed, introduced: e.Introduced, lastAffected: e.LastAffected, lastAffected + 1: e.Limit} {
		if v != nil {
			values, k, version = values+1, kind(i), *v
		}
	}
	if values != 1 {
		return 0, "", false
	}
	// > introduced allows a version of the value "0" to represent a version that
	// > sorts before any other version.
	if k == introduced && version == "0" {
		return k, "", true
	}
	version, ok = semantic(version)
	return k, version, ok
}
