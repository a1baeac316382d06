package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/sbom/git"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// npmExpectations says what a project expects of its packages.
type npmExpectations struct {
	from             string
	firstUse, update bool
	accept           []string

	accepted []npm.Accept
}

func (e *npmExpectations) add(flags *pflag.FlagSet) {
	flags.StringVar(&e.from, "expectations", "", "read the expectations from this file, or from git:REF:PATH; else from "+npm.ExpectationsFile+" beside the lockfile")
	flags.BoolVar(&e.firstUse, "first-use", false, "accept that there are no expectations yet")
	flags.BoolVar(&e.update, "update", false, "record what was found in the expectations, but for what is denied")
	flags.StringArrayVar(&e.accept, "accept", nil, "with --update, accept one finding: NAME@VERSION:CODE; may be repeated")
}

func (e *npmExpectations) check(flags *pflag.FlagSet) error {
	if len(e.accept) > 0 && !e.update {
		return usagef("npm: --accept goes with --update")
	}
	if e.update && strings.HasPrefix(e.from, "git:") {
		return usagef("npm: --update writes a file; --expectations names a commit")
	}
	for _, text := range e.accept {
		i := strings.LastIndexByte(text, ':')
		if i < 0 {
			return usagef("npm: --accept: expected NAME@VERSION:CODE, found %q", text)
		}
		a := npm.Accept{Package: text[:i], Code: verify.Code(text[i+1:])}
		if _, err := npm.ParsePackage(a.Package); err != nil {
			return usagef("npm: --accept: %w", err)
		}
		if !npm.Acceptable(a.Code) {
			return usagef("npm: --accept: %s cannot be accepted", a.Code).withHint("plimsoll npm --codes lists those that waivers may set aside")
		}
		e.accepted = append(e.accepted, a)
	}
	return nil
}

// path is the file that is read, and written by --update.
func (e *npmExpectations) path(dir string) string {
	if e.from != "" {
		return e.from
	}
	return filepath.Join(dir, npm.ExpectationsFile)
}

// open reads the expectations; nil if there are none.
func (e *npmExpectations) open(ctx context.Context, dir string) (*npm.Expectations, error) {
	var data []byte
	var err error
	name := e.path(dir)
	if rest, ok := strings.CutPrefix(e.from, "git:"); ok {
		ref, path, found := strings.Cut(rest, ":")
		if !found || ref == "" || path == "" {
			return nil, usagef("npm: --expectations: expected git:REF:PATH, found %q", e.from)
		}
		data, err = git.Show(ctx, dir, ref, path)
		if none := errors.As(err, new(*git.NoFileError)); none && e.firstUse {
			return nil, nil
		} else if none {
			return nil, usagef("npm: --expectations %s: %w", e.from, err).withHint("until it is committed there, --first-use says that nothing is expected yet; a path begins at the repository's top")
		} else if err != nil {
			return nil, usagef("npm: --expectations %s: %w", e.from, err).withHint("the commit must be here: a job that checks out one branch fetches the other first")
		}
	} else {
		data, err = readBounded(name, npm.MaxExpectations)
		if errors.Is(err, fs.ErrNotExist) && e.from == "" {
			return nil, nil
		}
		if errors.Is(err, fs.ErrNotExist) && e.firstUse {
			return nil, nil
		}
		if err != nil {
			return nil, usagef("npm: reading expectations: %w", err)
		}
	}
	expectations, err := npm.ParseExpectations(data)
	if err != nil {
		return nil, usagef("npm: %s: %w", name, err).withHint("plimsoll npm --update writes the file; take it from the last good commit")
	}
	return expectations, nil
}

// write records what was found.
func (e *npmExpectations) write(io stdio, dir string, old *npm.Expectations, report *npm.Report) error {
	if !e.update {
		return nil
	}
	if (npmOutcome{report: report}).exit() == exitNoDecision {
		fmt.Fprintln(io.err, "plimsoll: nothing was recorded: there is no decision; ask again")
		return nil
	}
	if len(report.Denials) > 0 {
		fmt.Fprintf(io.err, "plimsoll: nothing was recorded: %s\n", report.Denials[0].Code)
		return nil
	}
	for _, a := range e.accepted {
		if !slices.Contains(report.Accepted(), a) {
			fmt.Fprintf(io.err, "plimsoll: --accept %s:%s changes nothing: that was not found\n", printable(a.Package), a.Code)
		}
	}
	data, err := old.Update(report).Encode()
	if err != nil {
		return failed(err)
	}
	path := e.path(dir)
	if before, err := readBounded(path, npm.MaxExpectations); err == nil && bytes.Equal(before, data) {
		return nil
	}
	if err := attest.WriteFile(path, data, 0o644); err != nil {
		return failed(err)
	}
	fmt.Fprintf(io.err, "plimsoll: wrote %s: review and commit it\n", printable(path))
	return nil
}
