package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

const runHelp = `Usage: plimsoll run --step NAME --products GLOB... (--key KEY | --keyless) [--materials GLOB...] -- CMD...

Runs a command as it would run without us, and signs what it read and wrote: the
files that --materials names before it, those that --products names after it, the
command, and when it ran (in-toto link v0.3, into NAME.link.sigstore.json). Of the
environment it records what --env names, and nothing else. Files are named below the
current directory; ** stands for any folders, {a,b} for either, a folder for all
that is in it. Links are not followed out of the directory.

The exit code is the command's; 125 says that it could not be recorded, 126 that it
cannot be run, 127 that it is not there, and 128 and a signal's number that the
signal ended it. A command that fails leaves no link.

The command can read what you can read, the key too: sign in a job that runs no
code of others, or with a key that this job cannot read.

Examples:
  plimsoll run --step build --materials . --exclude .git --products dist --key build.pem -- make dist
  plimsoll run --step test --products report.xml --key ci.pem --layout-link -- make test
`

// exitRun says that a command could not be recorded.
const exitRun = 125

type runFlags struct {
	signerFlags
	step, output                              string
	materials, products, exclude, environment []string
	layoutLink                                bool
}

func runRun(ctx context.Context, io stdio, args []string) error {
	var f runFlags
	flags := newFlags(io, "run", runHelp)
	flags.SetInterspersed(false)
	flags.StringVar(&f.step, "step", "", "the step's name (required)")
	flags.StringArrayVar(&f.materials, "materials", nil, "record these files before the command runs")
	flags.StringArrayVar(&f.products, "products", nil, "record these files after it ran (required)")
	flags.StringArrayVar(&f.exclude, "exclude", nil, "record none of these files")
	flags.StringArrayVar(&f.environment, "env", nil, "record this variable of the environment")
	flags.StringVarP(&f.output, "output", "o", "", "write the link here instead of NAME.link.sigstore.json")
	flags.BoolVar(&f.layoutLink, "layout-link", false, "write NAME.KEYID.link too, which in-toto's layouts read")
	f.signerFlags.add(flags)
	err := parse(flags, args)
	if err == nil {
		err = f.check(flags)
	}
	if err != nil {
		return asRunError(err)
	}
	signing, err := f.prepare(ctx, io)
	if err != nil {
		return asRunError(err)
	}
	if f.layoutLink && signing.localKey() == nil {
		return asRunError(usagef("run: --layout-link goes with a key in a file: in-toto's layouts know no other signers"))
	}
	link := attest.Link{Name: f.step, Command: flags.Args(), Environment: map[string]string{}}
	for _, name := range f.environment {
		if value, set := os.LookupEnv(name); set {
			link.Environment[name] = value
		}
	}
	materials, err := f.record(ctx, io, "--materials", f.materials)
	if err != nil {
		return asRunError(err)
	}
	link.Materials = materials
	started := time.Now()
	if err := f.clear(signing); err != nil {
		return asRunError(err)
	}
	if err := execute(ctx, io, flags.Args()); err != nil {
		return err
	}
	// An interrupt was the command's to answer, and it ended well.
	ctx = context.WithoutCancel(ctx)
	link.ByProducts = map[string]any{
		"return-value": 0,
		"startedOn":    started.UTC().Format(time.RFC3339), "finishedOn": time.Now().UTC().Format(time.RFC3339),
	}
	if err := f.write(ctx, io, link, signing); err != nil {
		return asRunError(err)
	}
	return nil
}

func (f *runFlags) check(flags *pflag.FlagSet) error {
	switch {
	case f.step == "" || strings.ContainsAny(f.step, `/\`) || strings.HasPrefix(f.step, "."):
		return usagef("run: --step: expected a name without slashes, found %q", f.step)
	case len(f.products) == 0:
		return usagef("run: expected --products GLOB: a link without products is about nothing")
	case f.signers() > 1:
		return usagef("run: expected one --key, or --keyless, found %d signers: a link is one bundle", f.signers())
	case flags.NArg() == 0 || flags.ArgsLenAtDash() != 0:
		return usagef("run: expected -- and a command after the flags")
	}
	return f.signerFlags.check("run", flags)
}

// asRunError gives an error of our own the code by which it is told from the
// command's.
func asRunError(err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = failed(err)
	}
	exit.code = exitRun
	return exit
}

// record hashes files, and says which links were not followed.
func (f *runFlags) record(ctx context.Context, io stdio, flag string, patterns []string) ([]attest.Subject, error) {
	r, err := attest.RecordFiles(ctx, ".", patterns, f.exclude, 0)
	var nothing *attest.ErrNothing
	if errors.As(err, &nothing) {
		return nil, failed(fmt.Errorf("step %q: %s: %w", f.step, flag, nothing)).withHint("name what is there, or leave it out")
	}
	if err != nil {
		return nil, failed(fmt.Errorf("step %q: %w", f.step, err))
	}
	for _, name := range r.LedOut {
		fmt.Fprintf(io.err, "plimsoll: not recorded: %s is a link that leads nowhere in this directory\n", printable(name))
	}
	for _, name := range r.Folders {
		fmt.Fprintf(io.err, "plimsoll: not recorded: %s is a link to a folder; name the folder itself if it belongs to the step\n", printable(name))
	}
	return r.Files, nil
}

// execute runs a command with our own streams, passes signals on to it, and returns
// nil only if it succeeded.
func execute(ctx context.Context, io stdio, args []string) error {
	command := exec.Command(args[0], args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = io.in, io.out, io.err
	forward, stop := catchSignals()
	defer stop()
	if ctx.Err() != nil { // a signal that came before there was a command to pass it on to
		return &exitError{code: exitRun, err: fmt.Errorf("interrupted before %q was run", args[0])}
	}
	err := command.Start()
	switch {
	case errors.Is(err, os.ErrNotExist) && isThere(command.Path):
		return &exitError{code: 126, err: fmt.Errorf("running %q: the interpreter that its first line names is not there", args[0])}
	case errors.Is(err, exec.ErrNotFound) && isThere(args[0]):
		return &exitError{code: 126, err: fmt.Errorf("running %q: it is no program that can be run", args[0])}
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist):
		return &exitError{code: 127, err: fmt.Errorf("running %q: it is not there", args[0])}
	case err != nil:
		return &exitError{code: 126, err: fmt.Errorf("running %q: %w", args[0], attest.WithoutPath(err))}
	}
	forward(command.Process)
	err = command.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		code := exitCode(exit.ProcessState)
		return &exitError{code: code, err: fmt.Errorf("%q ended with %s: no link was written", filepath.Base(args[0]), exit.ProcessState)}
	}
	return &exitError{code: exitRun, err: fmt.Errorf("running %q: %w", args[0], err)}
}

// isThere says whether a command that names a path, and is not looked for, is there.
func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil && strings.ContainsRune(filepath.ToSlash(path), '/')
}

// link is the file that the link is written to.
func (f *runFlags) link() string {
	if f.output != "" {
		return f.output
	}
	return splitName(f.step, attest.TypeLink)
}

// clear removes the links of an earlier run by the same signer: if the step fails, none
// is to be found. Files of others stay, and nothing is run.
func (f *runFlags) clear(signing *signing) error {
	if info, err := os.Stat(filepath.Dir(f.link())); err != nil || !info.IsDir() {
		return failed(fmt.Errorf("the link is to go into %q, which is no folder", filepath.Dir(f.link()))).withHint("make it before the step is run")
	}
	if err := mayReplace(f.link(), signing.signers[0], "-o names another file"); err != nil {
		return err
	}
	old := []string{f.link()}
	if f.layoutLink {
		layout, err := f.layoutFile(signing.localKey())
		if err != nil {
			return err
		}
		old = append(old, layout)
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return failed(fmt.Errorf("removing the step's earlier link: %w", err))
		}
	}
	return nil
}

// layoutFile names the link for layouts. What is there already must be one.
func (f *runFlags) layoutFile(key *attest.Key) (string, error) {
	name, err := attest.LayoutFile(f.step, key)
	if err != nil {
		return "", failed(err)
	}
	old, err := readBounded(name, verify.MaxAttestation)
	if err == nil && !attest.IsLayoutLink(old, f.step, key) || err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", failed(fmt.Errorf("writing %q: it is there already and no link of step %q by this key", name, f.step)).withHint("it would be lost; move it away")
	}
	return name, nil
}

// write records the products, signs the link and writes it.
func (f *runFlags) write(ctx context.Context, io stdio, link attest.Link, signing *signing) (err error) {
	defer recovered(&err)
	products, err := f.record(ctx, io, "--products", f.products)
	if err != nil {
		return err
	}
	if len(products) > attest.MaxSubjects {
		return failed(fmt.Errorf("step %q: --products names %d files, a statement holds %d", f.step, len(products), attest.MaxSubjects)).
			withHint("name fewer, or pack them into an archive and name that")
	}
	predicate, err := link.Predicate()
	if err != nil {
		return err
	}
	payload, err := attest.NewStatement(products, attest.TypeLink, predicate)
	if err != nil {
		return err
	}
	if err := signing.begin(ctx, io); err != nil {
		return err
	}
	by := signing.signers[0]
	bundle, err := by.sign(ctx, payload)
	if err != nil {
		return serviceFailed(err)
	}
	name := f.link()
	files := []output{{name, append(bundle, '\n'), 0o644}}
	if f.layoutLink {
		layout, err := attest.LayoutFile(f.step, signing.localKey())
		if err != nil {
			return err
		}
		data, err := link.ForLayout(products, signing.localKey())
		if err != nil {
			return err
		}
		files = append(files, output{layout, data, 0o644})
	}
	if err := writeAll(files); err != nil {
		return err
	}
	for _, file := range files {
		fmt.Fprintf(io.err, "plimsoll: step %s: %d materials, %d products, signed by %s into %s\n", printable(f.step), len(link.Materials), len(products), printable(by.name()), printable(file.path))
	}
	return nil
}
