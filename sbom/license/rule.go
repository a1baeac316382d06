package license

import (
	"fmt"
	"slices"
	"strings"
)

// A Rule says which licences are allowed: only those in Allow, if there are any, and
// none of those in Deny. The zero Rule allows nothing.
//
// Of OR the recipient chooses, so one allowed side is enough; of AND both must be
// allowed. X-or-later may be taken as X: where X is allowed it is, and where X is
// denied it is denied, for nobody can say what later versions are. An exception only
// adds permissions: what holds for X holds for X WITH anything, unless that very form
// is listed.
type Rule struct {
	Allow, Deny []string

	allow, deny map[string]bool // as Expression.name
}

// NewRule makes a rule of SPDX licences, LicenseRef-s, and ID WITH EXCEPTION.
func NewRule(allow, deny []string) (Rule, error) {
	r := Rule{Allow: allow, Deny: deny, allow: map[string]bool{}, deny: map[string]bool{}}
	if len(allow)+len(deny) == 0 {
		return Rule{}, fmt.Errorf("expected licences that are allowed or denied")
	}
	for _, list := range []struct {
		entries []string
		into    map[string]bool
	}{{allow, r.allow}, {deny, r.deny}} {
		for _, entry := range list.entries {
			e, err := ParseExpression(entry)
			if err != nil {
				return Rule{}, err
			}
			if e.operator != opLicense {
				return Rule{}, fmt.Errorf("expected one licence, found %q", clip(entry))
			}
			if name := e.name(); r.allow[name] || r.deny[name] {
				return Rule{}, fmt.Errorf("%q is listed twice", clip(entry))
			}
			list.into[e.name()] = true
		}
	}
	return r, nil
}

// Judge tells whether an expression is allowed, and which part of it decided.
func (r Rule) Judge(expression string) (ok bool, why string) {
	e, err := ParseExpression(expression)
	if err != nil {
		return false, err.Error()
	}
	return r.judge(e)
}

func (r Rule) judge(e Expression) (bool, string) {
	switch e.operator {
	case opLicense:
		return r.judgeLicense(e)
	case opAnd:
		for _, o := range e.operands {
			if ok, why := r.judge(o); !ok {
				return false, why
			}
		}
		return true, ""
	case opOr:
		var reasons []string
		for _, o := range e.operands {
			ok, why := r.judge(o)
			if ok {
				return true, ""
			}
			if !slices.Contains(reasons, why) {
				reasons = append(reasons, why)
			}
		}
		return false, strings.Join(reasons, ", and ")
	}
	return false, "no licence"
}

func (r Rule) judgeLicense(e Expression) (bool, string) {
	exact := e.name()
	plain := e
	plain.exception = ""
	base := plain
	base.orLater = false
	later := base
	later.orLater = true
	if r.deny[exact] {
		return false, exact + " is denied"
	}
	if e.exception != "" && r.allow[exact] {
		return true, ""
	}
	// X is denied by a rule about X or about X and later, and X or later by either.
	for _, name := range []string{plain.name(), base.name(), later.name()} {
		if r.deny[name] {
			return false, name + " is denied"
		}
	}
	if len(r.allow) == 0 {
		if len(r.deny) == 0 {
			return false, "no licence is allowed"
		}
		return true, ""
	}
	if r.allow[exact] || r.allow[plain.name()] || (e.orLater && r.allow[base.name()]) {
		return true, ""
	}
	return false, exact + " is not among the allowed"
}
