package attest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A shape is what a JSON value must look like. Members that it does not name are
// anybody's: specifications grow.
type shape struct {
	kind    kind
	members []member                                      // of an object
	each    *shape                                        // of a list: its elements
	filled  bool                                          // a list that is not empty
	values  []string                                      // of a text: one of these
	rule    func(members map[string]jsontext.Value) error // of an object: what else holds
}

type kind int

const (
	kindAnything kind = iota
	kindObject
	kindList
	kindText
	kindURI
	kindTime
	kindNumber
)

func (k kind) String() string {
	return [...]string{"a value", "an object", "a list", "text that is not empty", "a URI", "a time (RFC 3339)", "a number"}[k]
}

type member struct {
	name     string
	optional bool
	shape    shape
}

var (
	anything  = shape{kind: kindAnything}
	text      = shape{kind: kindText}
	uri       = shape{kind: kindURI}
	timestamp = shape{kind: kindTime}
	number    = shape{kind: kindNumber}
)

func object(members ...member) shape   { return shape{kind: kindObject, members: members} }
func list(each shape) shape            { return shape{kind: kindList, each: &each} }
func some(each shape) shape            { return shape{kind: kindList, each: &each, filled: true} }
func oneOf(values ...string) shape     { return shape{kind: kindText, values: values} }
func must(name string, s shape) member { return member{name, false, s} }
func may(name string, s shape) member  { return member{name, true, s} }

// holding adds to an object's shape what its members must be together.
func (s shape) holding(rule func(members map[string]jsontext.Value) error) shape {
	s.rule = rule
	return s
}

func (s shape) expected(found any) error { return fmt.Errorf("expected %s, found %v", s.kind, found) }

func atPath(at string, err error) error {
	if at == "" {
		return err
	}
	return fmt.Errorf("%s: %w", strings.TrimPrefix(at, "."), err)
}

// check reports the first thing that a value lacks; at is the path to it.
func (s shape) check(value jsontext.Value, at string) error {
	switch s.kind {
	case kindObject:
		return s.checkObject(value, at)
	case kindList:
		return s.checkList(value, at)
	case kindText, kindURI, kindTime:
		return s.checkText(value, at)
	case kindNumber:
		if value.Kind() != '0' {
			return atPath(at, s.expected(describeKind(value)))
		}
	}
	return nil
}

func (s shape) checkObject(value jsontext.Value, at string) error {
	if value.Kind() != '{' {
		return atPath(at, s.expected(describeKind(value)))
	}
	if len(s.members) == 0 {
		return nil
	}
	var members map[string]jsontext.Value
	if err := jsonv2.Unmarshal(value, &members); err != nil {
		return JSONError(err)
	}
	for _, m := range s.members {
		inner, ok := members[m.name]
		if !ok || inner.Kind() == 'n' {
			if m.optional {
				continue
			}
			return atPath(at+"."+m.name, errors.New("it is required, and missing"))
		}
		if err := m.shape.check(inner, at+"."+m.name); err != nil {
			return err
		}
	}
	if s.rule != nil {
		if err := s.rule(members); err != nil {
			return atPath(at, err)
		}
	}
	return nil
}

func (s shape) checkList(value jsontext.Value, at string) error {
	if value.Kind() != '[' {
		return atPath(at, s.expected(describeKind(value)))
	}
	var elements []jsontext.Value
	if err := jsonv2.Unmarshal(value, &elements); err != nil {
		return JSONError(err)
	}
	if s.filled && len(elements) == 0 {
		return atPath(at, errors.New("expected at least one element, found none"))
	}
	for i, e := range elements {
		if err := s.each.check(e, fmt.Sprintf("%s[%d]", at, i)); err != nil {
			return err
		}
	}
	return nil
}

func (s shape) checkText(value jsontext.Value, at string) error {
	var found string
	if value.Kind() != '"' || jsonv2.Unmarshal(value, &found) != nil || found == "" {
		return atPath(at, s.expected(clip(string(value))))
	}
	switch {
	case len(s.values) > 0 && !slices.Contains(s.values, found):
		return atPath(at, fmt.Errorf("expected %s, found %q", strings.Join(s.values, " or "), clip(found)))
	case s.kind == kindTime:
		if _, err := time.Parse(time.RFC3339, found); err != nil {
			return atPath(at, s.expected(fmt.Sprintf("%q", clip(found))))
		}
	case s.kind == kindURI:
		// > A URI as specified in RFC 3986. (in-toto, "ResourceURI" and "TypeURI")
		if u, err := url.Parse(found); err != nil || u.Scheme == "" || strings.ContainsAny(found, " \t\n") {
			return atPath(at, s.expected(fmt.Sprintf("%q", clip(found))))
		}
	}
	return nil
}

func describeKind(value jsontext.Value) string {
	switch value.Kind() {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "text"
	case '0':
		return "a number"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "no JSON"
}

// required lists the paths of what must be there.
func (s shape) required(at string) []string {
	var paths []string
	switch s.kind {
	case kindObject:
		for _, m := range s.members {
			if m.optional {
				continue
			}
			inner := m.shape.required(at + "." + m.name)
			if len(inner) == 0 {
				inner = []string{strings.TrimPrefix(at+"."+m.name, ".")}
			}
			paths = append(paths, inner...)
		}
	case kindList:
		paths = s.each.required(at + "[]")
	}
	return paths
}
