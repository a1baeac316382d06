package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"plimsoll.example/verify/npm/advisory"
)

// npmAdvisories says where it is written which packages are malicious.
type npmAdvisories struct {
	path   string
	maxAge string
	least  int

	database *advisory.Database
}

func (a *npmAdvisories) add(flags *pflag.FlagSet) {
	flags.StringVar(&a.path, "advisories", "", "deny what MAL- records of this OSV export call malicious: a folder, or a zip")
	flags.StringVar(&a.maxAge, "advisories-max-age", "14d", "how old the newest advisory may be (14d, 36h)")
	flags.IntVar(&a.least, "advisories-least", 1000, "how many records there must be at least")
}

func (a *npmAdvisories) check(flags *pflag.FlagSet) error {
	if a.path == "" && (flags.Changed("advisories-max-age") || flags.Changed("advisories-least")) {
		return usagef("npm: --advisories-max-age and --advisories-least go with --advisories")
	}
	if a.least < 1 {
		return usagef("npm: --advisories-least: expected at least 1, found %d", a.least)
	}
	return nil
}

// maxAdvisories bounds a zip of advisories.
const maxAdvisories = 2 << 30

// open reads the records, and refuses what is too old or too small to rely on.
func (a *npmAdvisories) open(ctx context.Context, clock time.Time) error {
	if a.path == "" {
		return nil
	}
	maxAge, err := parseAge(a.maxAge)
	if err != nil {
		return usagef("npm: --advisories-max-age: %w", err)
	}
	info, err := os.Stat(a.path)
	if err != nil {
		return failed(fmt.Errorf("--advisories: %w", err))
	}
	if info.IsDir() {
		a.database, err = advisory.OpenFolder(ctx, os.DirFS(a.path))
	} else {
		var data []byte
		if data, err = readBounded(a.path, maxAdvisories); err != nil {
			return failed(fmt.Errorf("--advisories: %w", err))
		}
		a.database, err = advisory.OpenZip(ctx, bytes.NewReader(data), int64(len(data)))
	}
	if err != nil {
		return failed(fmt.Errorf("--advisories: %w", err)).withHint("fetch the export again")
	}
	if err := a.database.Fresh(clock, maxAge, a.least); err != nil {
		return failed(fmt.Errorf("--advisories: %w", err)).withHint("fetch the export again; --advisories-max-age and --advisories-least set the bounds")
	}
	return nil
}

// Malicious implements [npm.Advisories].
func (a *npmAdvisories) Malicious(name, version string) []string {
	var ids []string
	for _, r := range a.database.Malicious(name, version) {
		ids = append(ids, r.ID)
	}
	return ids
}
