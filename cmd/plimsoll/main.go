// Command plimsoll says what a build is made of, who says so, and whether it may
// be deployed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/pflag"
)

// The exit codes. Only 0 of verify may deploy.
const (
	exitYes        = 0 // allowed, written, complete
	exitNoDecision = 1 // local I/O, network, a recovered panic
	exitUsage      = 2 // flags, or the operator's own policy or key does not parse
	exitNo         = 3 // denied
)

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// command is one word after plimsoll.
type command struct {
	name     string
	synopsis string
	run      func(ctx context.Context, io stdio, args []string) error
}

// commands is the table from which help and dispatch both come.
func commands() []command {
	return []command{
		{"release", "sbom, attest and verify in one step", runRelease},
		{"sbom", "write a CycloneDX SBOM of a build", runSBOM},
		{"attest", "sign statements about artifacts", runAttest},
		{"verify", "decide whether artifacts may be deployed", runVerify},
		{"decisions", "verify the log that verify --record wrote", runDecisions},
		{"run", "run a build step and record what it read and wrote", runRun},
		{"npm", "check where npm packages came from", runNPM},
		{"policy", "explain, propose, test and sign policies", runPolicy},
		{"trust", "show or update the trust root", runTrust},
		{"key", "make a signing key", runKey},
		{"version", "print the version", runVersion},
	}
}

func main() {
	// Commands are short, and most end before their garbage is worth collecting:
	// that saves a fifth of their time. The limit keeps long ones small.
	setGarbage(800, 128<<20)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, stdio{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}

// setGarbage says how much garbage is let lie. GOGC and GOMEMLIMIT in the
// environment still win.
func setGarbage(percent int, limit int64) {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// run executes one command line. It alone turns an error into an exit code.
func run(ctx context.Context, io stdio, args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(io.err, "plimsoll: internal error: %s\n", printable(fmt.Sprint(p)))
			fmt.Fprintf(io.err, "plimsoll: hint: no decision was made; please report this, see SECURITY.md\n")
			if os.Getenv("PLIMSOLL_TRACE") != "" {
				io.err.Write(debug.Stack())
			}
			code = exitNoDecision
		}
	}()
	err := dispatch(ctx, io, args)
	if err == nil {
		return exitYes
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitNoDecision, err: err}
	}
	if exit.err != nil {
		fmt.Fprintf(io.err, "plimsoll: %s\n", printable(exit.err.Error()))
	}
	if exit.hint != "" {
		fmt.Fprintf(io.err, "plimsoll: hint: %s\n", printable(exit.hint))
	}
	return exit.code
}

func dispatch(ctx context.Context, io stdio, args []string) error {
	if len(args) == 0 {
		return usagef("expected a command").withHint("plimsoll --help lists them")
	}
	switch args[0] {
	case "--help", "-h", "help":
		return printHelp(io.out)
	case "--version":
		return runVersion(ctx, io, nil)
	}
	for _, c := range commands() {
		if c.name == args[0] {
			err := c.run(ctx, io, args[1:])
			if errors.Is(err, pflag.ErrHelp) {
				return nil
			}
			return err
		}
	}
	return usagef("unknown command %q", args[0]).withHint("plimsoll --help lists them")
}

func printHelp(w io.Writer) error {
	var b strings.Builder
	b.WriteString("plimsoll says what a build is made of, who says so, and whether it may be deployed.\n\nUsage: plimsoll COMMAND [ARGUMENTS]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-9s %s\n", c.name, c.synopsis)
	}
	b.WriteString("\nplimsoll COMMAND --help tells more. Exit codes: 0 yes, 1 no decision, 2 usage, 3 no.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// exitError is an error that knows its exit code. The zero code would be a yes,
// so it is only made by the functions below.
type exitError struct {
	code int
	err  error // nil: everything was said already
	hint string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func (e *exitError) withHint(format string, args ...any) *exitError {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

func usagef(format string, args ...any) *exitError {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// failed is an error without a decision.
func failed(err error) *exitError { return &exitError{code: exitNoDecision, err: err} }

// newFlags returns a flag set for a command. help is printed on stdout for
// --help.
func newFlags(io stdio, name, help string) *pflag.FlagSet {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SetInterspersed(true)
	flags.SortFlags = false
	flags.SetOutput(io.err)
	flags.Usage = func() { fmt.Fprintf(io.out, "%s\nFlags:\n%s", help, flags.FlagUsages()) }
	return flags
}

// A formatFlag is one of some formats, text unless another is given.
type formatFlag struct {
	value   *string
	formats []string
}

// addFormat adds --format: text, json, and more where the command has them.
func addFormat(flags *pflag.FlagSet, format *string, more ...string) {
	*format = "text"
	f := &formatFlag{format, append([]string{"text", "json"}, more...)}
	flags.Var(f, "format", f.choice())
}

func (f *formatFlag) choice() string {
	last := len(f.formats) - 1
	return strings.Join(f.formats[:last], ", ") + " or " + f.formats[last]
}

func (f *formatFlag) String() string { return *f.value }
func (f *formatFlag) Type() string   { return "format" }

func (f *formatFlag) Set(value string) error {
	if !slices.Contains(f.formats, value) {
		return fmt.Errorf("expected %s, found %q", f.choice(), value)
	}
	*f.value = value
	return nil
}

// parse parses flags; a mistake is one line that names the flag. A flag that
// takes one value may be given once: a second --policy must not replace the
// first without a word.
func parse(flags *pflag.FlagSet, args []string) error {
	seen := map[string]bool{}
	err := flags.ParseAll(args, func(f *pflag.Flag, value string) error {
		if _, many := f.Value.(pflag.SliceValue); seen[f.Name] && !many {
			return fmt.Errorf("--%s is given twice", f.Name)
		}
		seen[f.Name] = true
		return flags.Set(f.Name, value)
	})
	if errors.Is(err, pflag.ErrHelp) {
		return err
	} else if err != nil {
		return usagef("%s: %w", flags.Name(), err).withHint("plimsoll %s --help lists the flags", flags.Name())
	}
	return nil
}

// printable replaces what does not print, so that names from outside cannot write
// to the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && r != '\t' { // control and format characters, bidirectional ones too
			return '\uFFFD'
		}
		return r
	}, s)
}

// worst joins exit codes over many artifacts: 2 before 3 before 1 before 0.
func worst(codes ...int) int {
	for _, code := range []int{exitUsage, exitNo, exitNoDecision} {
		for _, c := range codes {
			if c == code {
				return code
			}
		}
	}
	return exitYes
}
