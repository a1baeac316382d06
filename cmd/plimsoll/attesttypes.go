package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"plimsoll.example/attest"
)

const attestTypesHelp = `Usage: plimsoll attest types

Lists the kinds of statement that are known by name, with what each predicate must
have. Others are signed as they are, by --predicate FILE --type URI.
`

func runAttestTypes(io stdio, args []string) error {
	flags := newFlags(io, "attest types", attestTypesHelp)
	var format string
	addFormat(flags, &format)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usagef("attest types: expected no argument, found %q", flags.Arg(0))
	}
	if format == "json" {
		type entry struct {
			URI      string   `json:"predicateType"`
			Name     string   `json:"name"`
			About    string   `json:"about"`
			Required []string `json:"required"`
		}
		out := struct {
			Schema string  `json:"schema"`
			Types  []entry `json:"types"`
		}{Schema: "https://plimsoll.example/schema/attest-types/v1"}
		for _, t := range attest.PredicateTypes() {
			out.Types = append(out.Types, entry{t.URI, t.Short, t.About, t.Required()})
		}
		encoder := json.NewEncoder(io.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(out)
	}
	for _, t := range attest.PredicateTypes() {
		fmt.Fprintf(io.out, "%-10s  %s\n            %s\n            requires %s\n", t.Short, t.About, t.URI, strings.Join(t.Required(), ", "))
	}
	return nil
}
