package verify

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// mapping returns the fields of a YAML mapping and refuses keys that are not
// known, repeated, or not plain text. what names the mapping in errors.
func (p *policyParser) mapping(n *yaml.Node, what string, known ...string) (map[string]*yaml.Node, error) {
	fields := map[string]*yaml.Node{}
	err := p.eachField(n, what, func(key, value *yaml.Node) error {
		if !slices.Contains(known, key.Value) {
			return p.errorf(key, "%s: unknown key %q; known here: %s", what, key.Value, strings.Join(known, ", "))
		}
		fields[key.Value] = value
		return nil
	})
	return fields, err
}

// named returns the keys and values of a mapping whose keys are names of the
// user's, in file order; there must be one at least.
func (p *policyParser) named(n *yaml.Node, what string) (names []string, values []*yaml.Node, err error) {
	err = p.eachField(n, what, func(key, value *yaml.Node) error {
		names, values = append(names, key.Value), append(values, value)
		return nil
	})
	if err == nil && len(names) == 0 {
		err = p.errorf(n, "%s: expected at least one, found none", what)
	}
	return names, values, err
}

func (p *policyParser) eachField(n *yaml.Node, what string, do func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return p.errorf(n, "%s: expected a mapping, found %s", what, kindName(n))
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Value == "" || key.Tag != "!!str" {
			return p.errorf(key, "%s: expected a plain key, found %s", what, kindName(key))
		}
		if value.Style&yaml.TaggedStyle != 0 || key.Style&yaml.TaggedStyle != 0 {
			return p.errorf(value, "%s: %s: tags are not read in a policy", what, key.Value)
		}
		if value.Kind == yaml.AliasNode || value.Anchor != "" || key.Anchor != "" {
			return p.errorf(value, "%s: %s: anchors and aliases are not read in a policy; write it out", what, key.Value)
		}
		if line, dup := seen[key.Value]; dup {
			return p.errorf(key, "%s: key %q is there already on line %d", what, key.Value, line)
		}
		seen[key.Value] = key.Line
		if err := do(key, value); err != nil {
			return err
		}
	}
	return nil
}

// text returns a required scalar.
func (p *policyParser) text(parent *yaml.Node, fields map[string]*yaml.Node, key string) (string, error) {
	n := fields[key]
	if n == nil {
		return "", p.errorf(parent, "%s: missing", key)
	}
	if n.Kind != yaml.ScalarNode || n.Value == "" || n.Tag == "!!null" {
		return "", p.errorf(n, "%s: expected text, found %s", key, kindName(n))
	}
	return n.Value, nil
}

// date reads YYYY-MM-DD, which means the end of that day in UTC, or an RFC 3339
// time.
func (p *policyParser) date(n *yaml.Node, key string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, n.Value)
	if err == nil {
		t = t.AddDate(0, 0, 1)
	} else {
		t, err = time.Parse(time.RFC3339, n.Value)
	}
	// The zero time would mean that there is no end.
	if err != nil || n.Kind != yaml.ScalarNode || t.Year() < 2000 {
		return time.Time{}, p.errorf(n, "%s: expected a date (2027-06-30) or an RFC 3339 time, found %q", key, n.Value)
	}
	return t.UTC(), nil
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.Value == "" || n.Tag == "!!null" {
		return "nothing"
	}
	return "text"
}
