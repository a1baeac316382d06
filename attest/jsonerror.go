package attest

import (
	"errors"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
)

// JSONError says what is wrong with JSON from outside without the names of this
// program's types: which value, at which place, was not expected.
func JSONError(err error) error {
	var semantic *jsonv2.SemanticError
	if !errors.As(err, &semantic) || semantic.GoType == nil {
		return err
	}
	kind := semantic.JSONKind.String()
	switch semantic.JSONKind {
	case '{':
		kind = "object"
	case '[':
		kind = "list"
	}
	at := clip(string(semantic.JSONPointer))
	if at == "" {
		at = "the top"
	}
	if semantic.Err != nil {
		return fmt.Errorf("at %s: unexpected %s: %w", at, kind, semantic.Err)
	}
	return fmt.Errorf("at %s: unexpected %s", at, kind)
}
