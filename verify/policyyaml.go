package verify

import (
	"slices"
	"strconv"
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

// instant reads YYYY-MM-DD, which means the beginning of that day in UTC, or an
// RFC 3339 time.
func (p *policyParser) instant(n *yaml.Node, key string) (time.Time, error) {
	t, err := p.date(n, key)
	if _, day := time.Parse(time.DateOnly, n.Value); err == nil && day == nil {
		t = t.AddDate(0, 0, -1)
	}
	return t, err
}

// optional returns a scalar, or "" where it is not given.
func (p *policyParser) optional(parent *yaml.Node, fields map[string]*yaml.Node, key string) (string, error) {
	if fields[key] == nil {
		return "", nil
	}
	return p.text(parent, fields, key)
}

// texts returns a list of scalars without repetition, at least one; nil where the
// key is not given.
func (p *policyParser) texts(fields map[string]*yaml.Node, what, key string) ([]string, error) {
	n := fields[key]
	if n == nil {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return nil, p.errorf(n, "%s: %s: expected a list of at least one, found %s", what, key, kindName(n))
	}
	var list []string
	for _, c := range n.Content {
		if err := p.plain(c, what+": "+key); err != nil {
			return nil, err
		}
		if slices.Contains(list, c.Value) {
			return nil, p.errorf(c, "%s: %s: %q is there twice", what, key, c.Value)
		}
		list = append(list, c.Value)
	}
	return list, nil
}

// plain refuses what is not text written out.
func (p *policyParser) plain(n *yaml.Node, what string) error {
	if n.Kind != yaml.ScalarNode || n.Value == "" || n.Tag == "!!null" || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return p.errorf(n, "%s: expected text, found %s", what, kindName(n))
	}
	return nil
}

// number returns a whole number between least and most, or otherwise where the
// key is not given.
func (p *policyParser) number(fields map[string]*yaml.Node, what, key string, least, most, otherwise int) (int, error) {
	n := fields[key]
	if n == nil {
		return otherwise, nil
	}
	value, err := strconv.Atoi(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode || value < least || value > most || strconv.Itoa(value) != n.Value {
		return 0, p.errorf(n, "%s: %s: expected a whole number from %d to %d, found %q", what, key, least, most, n.Value)
	}
	return value, nil
}

// word returns one of some words, the first where the key is not given.
func (p *policyParser) word(fields map[string]*yaml.Node, what, key string, words ...string) (string, error) {
	n := fields[key]
	if n == nil {
		return words[0], nil
	}
	if n.Kind != yaml.ScalarNode || !slices.Contains(words, n.Value) {
		return "", p.errorf(n, "%s: %s: expected %s, found %q", what, key, strings.Join(words, " or "), n.Value)
	}
	return n.Value, nil
}

// truth returns true or false; false where the key is not given.
func (p *policyParser) truth(fields map[string]*yaml.Node, what, key string) (bool, error) {
	word, err := p.word(fields, what, key, "false", "true")
	return word == "true", err
}

// duration reads a number of days, hours or minutes: 7d, 36h, 30m. Zero where the
// key is not given.
func (p *policyParser) duration(fields map[string]*yaml.Node, what, key string) (time.Duration, error) {
	n := fields[key]
	if n == nil {
		return 0, nil
	}
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute}
	if last := len(n.Value) - 1; last > 0 && n.Kind == yaml.ScalarNode {
		count, err := strconv.Atoi(n.Value[:last])
		if unit := units[n.Value[last]]; err == nil && unit > 0 && count > 0 && count <= 36500 && strconv.Itoa(count) == n.Value[:last] {
			return time.Duration(count) * unit, nil
		}
	}
	return 0, p.errorf(n, "%s: %s: expected days, hours or minutes (7d, 36h, 30m), found %q", what, key, n.Value)
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
