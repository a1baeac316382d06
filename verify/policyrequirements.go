package verify

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"plimsoll.example/attest"
)

func (p *policyParser) requirements(parent *yaml.Node, f map[string]*yaml.Node, policy *Policy) error {
	n := f["requirements"]
	if n == nil && f["npm"] != nil {
		return nil // for plimsoll npm; plimsoll verify denies by it
	}
	if n == nil {
		return p.errorf(parent, "requirements: missing; a policy without requirements would allow anything (one for plimsoll npm alone says so by npm: {})")
	}
	names, values, err := p.named(n, "requirements")
	if err != nil {
		return err
	}
	for i, name := range names {
		r, err := p.requirement(values[i], name, policy)
		if err != nil {
			return err
		}
		policy.Requirements = append(policy.Requirements, r)
	}
	return nil
}

func (p *policyParser) requirement(n *yaml.Node, name string, policy *Policy) (Requirement, error) {
	what := "requirement " + name
	r := Requirement{Name: name, file: p.file, line: n.Line}
	f, err := p.mapping(n, what, "type", "signed-by", "holds", "max-age", "provenance", "sbom", "npm", "vulns", "vsa", "layout", "rules")
	if err != nil {
		return r, err
	}
	if r.SignedBy, err = p.signedBy(n, f["signed-by"], what, policy); err != nil {
		return r, err
	}
	holds, err := p.word(f, what, "holds", "any", "latest", "all")
	if err != nil {
		return r, err
	}
	r.Holds = map[string]Holds{"any": HoldsAny, "latest": HoldsLatest, "all": HoldsAll}[holds]
	if r.MaxAge, err = p.duration(f, what, "max-age"); err != nil {
		return r, err
	}
	if r.Types, err = p.types(n, f, what); err != nil {
		return r, err
	}
	for _, section := range []struct {
		key   string
		parse func(*yaml.Node, string, *Requirement) error
	}{
		{"provenance", p.provenance}, {"sbom", p.sbom}, {"npm", p.npm}, {"vulns", p.vulns}, {"vsa", p.vsa}, {"layout", p.layout}, {"rules", p.rules},
	} {
		if f[section.key] != nil {
			if err := section.parse(f[section.key], what+": "+section.key, &r); err != nil {
				return r, err
			}
		}
	}
	for _, name := range r.SignedBy.AnyOf {
		if s, _ := policy.signer(name); r.Layout != nil && len(s.Keys) == 0 {
			return r, p.errorf(f["signed-by"], "%s: signed-by: %s is an identity, and in-toto layouts are signed by keys", what, name)
		}
	}
	if r.Layout != nil && r.SignedBy.Threshold != 1 {
		return r, p.errorf(f["signed-by"], "%s: signed-by: one owner signs a layout; a threshold stands in the layout itself", what)
	}
	if r.Holds == HoldsLatest && r.MaxAge == 0 {
		return r, p.errorf(f["holds"], "%s: holds: latest needs max-age, else whoever withholds the newest statement decides", what)
	}
	return r, nil
}

// types reads `type`: one predicate type or several.
func (p *policyParser) types(n *yaml.Node, f map[string]*yaml.Node, what string) ([]string, error) {
	t := f["type"]
	if f["layout"] != nil {
		for _, key := range []string{"type", "holds", "max-age", "rules", "provenance", "sbom", "npm", "vulns", "vsa"} {
			if f[key] != nil {
				return nil, p.errorf(f[key], "%s: %s: a layout says by itself what it demands; make another requirement of this", what, key)
			}
		}
		return nil, nil
	}
	if t != nil && t.Kind == yaml.SequenceNode {
		return p.texts(f, what, "type")
	}
	one, err := p.text(n, f, "type")
	return []string{one}, err
}

// ofType demands that a section goes with the requirement's predicate types.
func (p *policyParser) ofType(n *yaml.Node, what string, r *Requirement, types ...string) error {
	for _, t := range r.Types {
		if !slices.Contains(types, t) {
			return p.errorf(n, "%s: goes with type %s, not with %s (%s)", what, strings.Join(types, " or "), t, attest.ShortType(t))
		}
	}
	return nil
}

// signedBy reads a signer's name, or {any-of, threshold, agree}.
func (p *policyParser) signedBy(parent, n *yaml.Node, what string, policy *Policy) (SignedBy, error) {
	if n == nil {
		return SignedBy{}, p.errorf(parent, "%s: signed-by: missing; a statement by anybody says nothing", what)
	}
	what += ": signed-by"
	s := SignedBy{Threshold: 1}
	names := []*yaml.Node{n}
	if n.Kind == yaml.ScalarNode {
		if err := p.plain(n, what); err != nil {
			return SignedBy{}, err
		}
		s.AnyOf = []string{n.Value}
	} else {
		f, err := p.mapping(n, what, "any-of", "threshold", "agree")
		if err != nil {
			return SignedBy{}, err
		}
		if s.AnyOf, err = p.texts(f, what, "any-of"); err != nil {
			return SignedBy{}, err
		}
		if len(s.AnyOf) == 0 {
			return SignedBy{}, p.errorf(n, "%s: any-of: missing; name at least one signer", what)
		}
		names = f["any-of"].Content
		if s.Threshold, err = p.number(f, what, "threshold", 1, len(s.AnyOf), 1); err != nil {
			return SignedBy{}, err
		}
		if f["agree"] != nil {
			if _, err := p.word(f, what, "agree", "predicate"); err != nil {
				return SignedBy{}, err
			}
			if s.Agree = true; s.Threshold < 2 {
				return SignedBy{}, p.errorf(f["agree"], "%s: agree: needs a threshold of 2 at least", what)
			}
		}
	}
	for i, name := range s.AnyOf {
		if _, known := policy.signer(name); !known {
			return SignedBy{}, p.errorf(names[i], "%s: no signer %q is defined", what, name)
		}
	}
	slices.Sort(s.AnyOf)
	return s, nil
}
