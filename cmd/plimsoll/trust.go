package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

const trustHelp = `Usage: plimsoll trust show [--trusted-root FILE] [--format FORMAT]
       plimsoll trust update --to FILE [--tuf-url URL --tuf-root FILE]

show lists what the trust root vouches for: the embedded one of Sigstore's public-good
instance, or the one in a file. update fetches the current root from its TUF
repository, verifies it, and writes it to FILE and its origin to FILE.origin.json, by
which verify tells its age. Nothing else is kept on this machine, and no other command
ever fetches a root.

Exit codes: 0 done; 1 the repository does not answer, or something cannot be read or
written; 2 flags or the root do not parse; 3 the repository's root does not verify
against, or is older than, what FILE has.

Examples:
  plimsoll trust show
  plimsoll trust update --to root.json
  plimsoll verify app --policy policy.yaml --trusted-root root.json
`

func runTrust(ctx context.Context, io stdio, args []string) error {
	if len(args) > 0 && args[0] == "show" {
		return runTrustShow(io, args[1:])
	}
	if len(args) > 0 && args[0] == "update" {
		return runTrustUpdate(ctx, io, args[1:])
	}
	flags := newFlags(io, "trust", trustHelp)
	if err := parse(flags, args); err != nil {
		return err
	}
	return usagef("trust: expected show or update").withHint("plimsoll trust --help tells more")
}

// trustJSON is what trust show --format json prints.
type trustJSON struct {
	Schema      string               `json:"schema"`
	Root        verify.RootInfo      `json:"root"`
	Authorities []sigstore.Authority `json:"authorities"`
}

func runTrustShow(io stdio, args []string) error {
	var f gateFlags
	var format string
	flags := newFlags(io, "trust show", trustHelp)
	flags.StringVar(&f.trustedRoot, "trusted-root", "", "show this trust root instead of the embedded one")
	addFormat(flags, &format)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usagef("trust show: expected no argument, found %q", flags.Arg(0))
	}
	data, info, err := f.rootFile("", verify.RootRef{})
	if err != nil {
		return err
	}
	root, err := sigstore.ParseRoot(data)
	if err != nil {
		return usagef("%q: %w", f.trustedRoot, err)
	}
	if format == "json" {
		return writeJSON(io.out, trustJSON{"https://plimsoll.example/schema/trust/v1", info, root.Authorities()})
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", printable(describeRoot(info, now())))
	if info.Expires != nil {
		fmt.Fprintf(&b, "its origin vouches for it until %s\n", info.Expires.Format(time.DateOnly))
	}
	b.WriteByte('\n')
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KIND\tNAME\tFROM\tTO")
	for _, a := range root.Authorities() {
		end := "open"
		if !a.End.IsZero() {
			end = a.End.UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", a.Kind, printable(a.Name), a.Start.UTC().Format(time.DateOnly), end)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err = io.out.Write(b.Bytes())
	return err
}

func runTrustUpdate(ctx context.Context, io stdio, args []string) error {
	var to, address, tufRoot string
	flags := newFlags(io, "trust update", trustHelp)
	flags.StringVar(&to, "to", "", "write the trust root to this file (required)")
	flags.StringVar(&address, "tuf-url", "", "the address of another TUF repository than the public-good instance's")
	flags.StringVar(&tufRoot, "tuf-root", "", "the TUF root (root.json) to begin from, for --tuf-url")
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return usagef("trust update: expected no argument, found %q", flags.Arg(0))
	case to == "":
		return usagef("trust update: expected --to FILE")
	case (address == "") != (tufRoot == ""):
		return usagef("trust update: --tuf-url and --tuf-root go together: without a root to begin from, the repository would vouch for itself")
	}
	repository := sigstore.Repository{URL: address}
	if tufRoot != "" {
		var err error
		if repository.Root, err = readBounded(tufRoot, maxRootFile); err != nil {
			return failed(fmt.Errorf("reading --tuf-root: %w", err))
		}
	}
	fetched, err := repository.Fetch(ctx)
	if err != nil {
		return failed(err).withHint("nothing was written; what was there is as it was")
	}
	return keepRoot(io, to, fetched)
}

// keepRoot writes a fetched root, unless one of a later state of the same repository
// is there: a repository that goes back is attacked, or a stale mirror.
func keepRoot(io stdio, to string, fetched *sigstore.Fetched) error {
	old, known := readOriginOf(to)
	if known && old.From == fetched.From && (old.RootVersion > fetched.RootVersion || old.TimestampVersion > fetched.TimestampVersion) {
		return &exitError{code: exitNo, err: fmt.Errorf("%s answered with root %d and timestamp %d, and %q has %d and %d: it went back",
			fetched.From, fetched.RootVersion, fetched.TimestampVersion, to, old.RootVersion, old.TimestampVersion),
			hint: "nothing was written; ask again later, or another mirror"}
	}
	o := origin{Schema: originSchema, Digest: digestOf(fetched.Root), From: fetched.From, Fetched: now().UTC().Truncate(time.Second), Expires: fetched.Expires,
		RootVersion: fetched.RootVersion, TimestampVersion: fetched.TimestampVersion}
	data, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return failed(err)
	}
	// The origin names the root's digest: a new one beside an old root tells nothing.
	if err := writeAll([]output{{to, fetched.Root, 0o644}, {to + originSuffix, append(data, '\n'), 0o644}}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%s: trust root %s from %s, vouched for until %s\n", printable(to), o.Digest, printable(o.From), o.Expires.Format(time.DateOnly))
	return err
}

// readOriginOf reads the origin of the root in a file.
func readOriginOf(file string) (origin, bool) {
	data, err := readBounded(file, maxRootFile)
	if err != nil {
		return origin{}, false
	}
	return readOrigin(file+originSuffix, digestOf(data))
}
