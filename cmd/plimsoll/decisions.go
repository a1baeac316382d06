package main

import (
	"context"
	"errors"
	"fmt"

	"plimsoll.example/attest"
	"plimsoll.example/verify/decisionlog"
)

const decisionsHelp = `Usage: plimsoll decisions FILE

Verifies a log that plimsoll verify --record wrote: that no line of it was changed,
removed, inserted or moved. It prints the log's head: the origin, the number of
lines, and the hash of the last one, which covers all others.

Lines that were cut off the end, or a log that was written anew as a whole, show
only beside a head that was kept before: sign it, with a timestamp if you can.

Exit codes: 0 it is whole; 1 it cannot be read; 2 flags; 3 it is broken.

Examples:
  plimsoll decisions log.jsonl > head.txt
  plimsoll attest head.txt --predicate log.json --type https://acme.example/log --key key.pem
`

func runDecisions(ctx context.Context, io stdio, args []string) error {
	flags := newFlags(io, "decisions", decisionsHelp)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("decisions: expected one FILE, found %d", flags.NArg())
	}
	file := flags.Arg(0)
	f, err := attest.OpenRegular(file)
	if err != nil {
		return failed(fmt.Errorf("reading decision log %q: %w", file, attest.WithoutPath(err)))
	}
	defer f.Close()
	head, err := decisionlog.Verify(ctx, f)
	var broken *decisionlog.BrokenError
	switch {
	case errors.As(err, &broken):
		return (&exitError{code: exitNo, err: fmt.Errorf("decision log %q is broken: %w", file, err)}).
			withHint("keep a copy, and compare it with one that was kept before and with the heads that were signed")
	case err != nil:
		return failed(fmt.Errorf("decision log %q: %w", file, attest.WithoutPath(err)))
	}
	if _, err := io.out.Write(head.Text()); err != nil {
		return failed(fmt.Errorf("writing the head: %w", err))
	}
	return nil
}
