package layout

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/in-toto/in-toto-golang/in_toto"
)

// guardRules checks one list of artifact rules.
func guardRules(step, kind string, rules [][]string, steps map[string]bool) error {
	fail := func(expected, found, remedy string) error {
		return invalid(fmt.Sprintf("step %s, %s: %s", quote(step), kind, expected), found, remedy)
	}
	if len(rules) > MaxRules {
		return fail(fmt.Sprintf("at most %d rules", MaxRules), fmt.Sprintf("%d", len(rules)), "")
	}
	for _, rule := range rules {
		if err := guardRule(rule, steps); err != nil {
			return fail("rules that mean what they say", fmt.Sprintf("%s: %v", quote(strings.Join(rule, " ")), err), "")
		}
	}
	// > Hence, it is left to a terminal DISALLOW rule to fail overall verification
	// (in-toto-golang, VerifyArtifacts): a file that no rule names is let through.
	last := []string{"", ""}
	if len(rules) > 0 {
		last = rules[len(rules)-1]
	}
	if !strings.EqualFold(last[0], "DISALLOW") || last[1] != "*" {
		return fail("rules that end in DISALLOW *, else every file that no rule names is allowed", quote(strings.Join(last, " ")),
			`add ["DISALLOW", "*"] at the end of the step's `+kind+" and have an owner sign the layout again")
	}
	return nil
}

// guardRule checks one rule. in-toto-golang panics at an empty one, takes any word for
// MATERIALS or PRODUCTS, and a step that is not there for one without files.
func guardRule(rule []string, steps map[string]bool) error {
	if len(rule) < 2 {
		return errors.New("expected a rule and a pattern")
	}
	data, err := in_toto.UnpackRule(rule)
	if err != nil {
		return errors.New("expected ALLOW, DISALLOW, CREATE, DELETE, MODIFY or REQUIRE and a pattern, or MATCH pattern [IN folder] WITH MATERIALS or PRODUCTS [IN folder] FROM step")
	}
	for _, text := range rule {
		if p := placeholder(text, false); p != "" {
			return fmt.Errorf("the parameter %s is not substituted", p)
		}
	}
	if err := guardPattern(data["pattern"]); err != nil {
		return err
	}
	switch data["type"] {
	case "require":
		if strings.ContainsAny(data["pattern"], `*?[\`) {
			return errors.New("REQUIRE takes one file's name, no pattern")
		}
	case "match":
		if data["dstType"] != "materials" && data["dstType"] != "products" {
			return fmt.Errorf("expected MATERIALS or PRODUCTS, found %s", quote(data["dstType"]))
		}
		if !steps[data["dstName"]] {
			return fmt.Errorf("the layout has no step %s", quote(data["dstName"]))
		}
		for i, word := range rule {
			// the prefixes by their place: an empty one is not to be seen in data
			if i > 1 && i%2 == 1 && strings.EqualFold(rule[i-1], "in") {
				if err := guardPath(strings.TrimSuffix(word, "/")); err != nil {
					return fmt.Errorf("IN %s: %w", quote(word), err)
				}
			}
		}
	}
	return nil
}

// guardPattern refuses patterns that do not mean the same to everybody: in-toto-golang
// cleans a pattern as if it were a path (a/../* is *), reads [^a] as a class of two
// characters, where other tools negate it, and lets a pattern that it cannot read match
// nothing.
func guardPattern(pattern string) error {
	if err := guardPath(pattern); err != nil {
		return err
	}
	class := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']' || pattern[i-1] == '['
		case c == '[':
			class = true
			if i+1 < len(pattern) && (pattern[i+1] == '!' || pattern[i+1] == '^') {
				return errors.New("negated classes ([!a], [^a]) are not read alike by all; list what is meant")
			}
		}
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return errors.New("the pattern is malformed")
	}
	return nil
}

// guardPath wants a path from the folder where the steps are performed, in the one way
// that it can be written.
func guardPath(name string) error {
	switch {
	case name == "" || name == ".":
		return errors.New("expected the path of a file, found none")
	case strings.HasPrefix(name, "/") || len(name) > 2 && name[1] == ':' && (name[2] == '/' || name[2] == '\\'):
		return errors.New("the path is absolute")
	case name == ".." || strings.HasPrefix(name, "../") || strings.HasSuffix(name, "/..") || strings.Contains(name, "/../"):
		return errors.New("the path leads upwards (..)")
	case path.Clean(name) != name:
		return fmt.Errorf("the path is not clean; expected %s", quote(path.Clean(name)))
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("the path holds control characters")
	}
	return nil
}
