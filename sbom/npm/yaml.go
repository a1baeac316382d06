package npm

import (
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// decodeYAML reads the next document of a lockfile. Package managers write no
// aliases, and a few lines of them can stand for more than memory holds; the library
// bounds them by what it decodes in one go, which here is one entry at a time.
func decodeYAML(decoder *yaml.Decoder, v any) error {
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return fmt.Errorf("reading lockfile: %w", err)
	}
	for todo := []*yaml.Node{&document}; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], n.Content...)
		if n.Kind == yaml.AliasNode {
			return fmt.Errorf("reading lockfile: line %d: the alias *%.100s: package managers write none", n.Line, n.Value)
		}
	}
	decode := document.Decode
	if _, long := v.(yaml.Unmarshaler); !long && len(document.Content) == 1 {
		decode = func(v any) error { return decodeStruct(document.Content[0], v) }
	}
	if err := decode(v); err != nil {
		return fmt.Errorf("reading lockfile: %w", err)
	}
	return nil
}

// entries is a long YAML mapping. The library compares each key with each other
// one; here a key that comes twice is an error too, in linear time.
type entries[V any] map[string]*V

func (m *entries[V]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected a mapping", n.Line)
	}
	*m = make(entries[V], len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: expected a key of text", key.Line)
		}
		if _, again := (*m)[key.Value]; again {
			return fmt.Errorf("line %d: %.200q stands there twice", key.Line, WithoutUsers(key.Value))
		}
		if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
			(*m)[key.Value] = nil
			continue
		}
		v := new(V)
		if err := decodeStruct(value, v); err != nil {
			return err
		}
		(*m)[key.Value] = v
	}
	return nil
}

// maxMembers bounds the members of what is decoded into a struct: the library
// compares each name with each other one.
const maxMembers = 1000

func decodeStruct(n *yaml.Node, v any) error {
	if n.Kind == yaml.MappingNode && len(n.Content) > 2*maxMembers {
		return fmt.Errorf("line %d: %d members, at most %d are read there", n.Line, len(n.Content)/2, maxMembers)
	}
	return n.Decode(v)
}

// textMap is a YAML mapping of text to text, with the same care.
type textMap map[string]string

func (m *textMap) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: expected a mapping", n.Line)
	}
	*m = make(textMap, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: expected text", key.Line)
		}
		if _, again := (*m)[key.Value]; again {
			return fmt.Errorf("line %d: %.200q stands there twice", key.Line, WithoutUsers(key.Value))
		}
		(*m)[key.Value] = value.Value
	}
	return nil
}
