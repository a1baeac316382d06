package verify

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"plimsoll.example/attest"
)

// unmarshal reads JSON strictly: one spelling of each member, once, and no
// trailing data. Members that into does not name are left alone, as in-toto
// demands of consumers (attestation spec v1, "Parsing rules").
func unmarshal(data []byte, into any) error {
	if err := jsonv2.Unmarshal(data, into); err != nil {
		return attest.JSONError(err)
	}
	return nil
}

// exactJSON returns JSON as Go values in which whole numbers keep their digits: as
// int64, as uint64 where that is too small, and else as text. data was parsed
// strictly before; what is not JSON becomes nil.
func exactJSON(data []byte) any {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	value, err := readValue(dec)
	if err != nil {
		return nil
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil
	}
	return value
}

func readValue(dec *jsontext.Decoder) (any, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		object := map[string]any{}
		for dec.PeekKind() != '}' {
			key, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			name := key.String() // before the next token, which takes its place
			if object[name], err = readValue(dec); err != nil {
				return nil, err
			}
		}
		_, err := dec.ReadToken()
		return object, err
	case '[':
		list := []any{}
		for dec.PeekKind() != ']' {
			value, err := readValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := dec.ReadToken()
		return list, err
	case '0':
		return exactNumber(token.String()), nil
	case '"':
		return token.String(), nil
	case 't', 'f':
		return token.Bool(), nil
	}
	return nil, nil
}

func exactNumber(text string) any {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return u
	}
	for _, c := range text {
		if c == '.' || c == 'e' || c == 'E' {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return text
			}
			return f
		}
	}
	return text
}
