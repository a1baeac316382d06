package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

const attestExportHelp = `Usage: plimsoll attest export --dsse FILE [-o OUT]

Writes the bare DSSE envelopes of the bundles in FILE, one a line, for tools that read
no Sigstore bundles. What the bundle says beside the envelope (key hint, certificate,
log entry, time) is not in it. Nothing is verified: plimsoll verify does that.

Example:
  plimsoll attest export --dsse app.sigstore.jsonl -o app.intoto.jsonl
`

func runAttestExport(io stdio, args []string) error {
	flags := newFlags(io, "attest export", attestExportHelp)
	dsse := flags.Bool("dsse", false, "write bare DSSE envelopes (required: there is no other form)")
	out := flags.StringP("output", "o", "", "write to this file instead of standard output")
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() != 1:
		return usagef("attest export: expected one FILE, found %d", flags.NArg())
	case !*dsse:
		return usagef("attest export: expected --dsse, which says the form")
	}
	found, err := verify.FromPath(flags.Arg(0))
	if err != nil {
		return failed(err)
	}
	var lines bytes.Buffer
	for _, a := range found {
		if a.Problem != "" {
			return failed(fmt.Errorf("%s: %s", a.Source, a.Problem))
		}
		parsed, err := attest.ParseEnvelope(a.JSON)
		if err != nil {
			return failed(fmt.Errorf("%s: %w", a.Source, err)).withHint("nothing was written")
		}
		line, err := json.Marshal(parsed.Envelope)
		if err != nil {
			return failed(err)
		}
		lines.Write(append(line, '\n'))
	}
	if lines.Len() == 0 {
		return failed(errors.New("no attestation is in " + flags.Arg(0)))
	}
	if *out != "" {
		if sameFile(*out, flags.Arg(0)) {
			return usagef("attest export: --output %q is the input; name another file", *out)
		}
		return writeFile(*out, lines.Bytes(), 0o644)
	}
	_, err = io.out.Write(lines.Bytes())
	return err
}
