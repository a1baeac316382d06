package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/sigstore"
)

const npmHelp = `Usage: plimsoll npm NAME@VERSION --integrity SRI --attestations FILE
       plimsoll npm --offline DIR [PATH]

Checks where npm packages came from: that the registry vouches for having
published exactly these bytes under this name (publish attestation), and that a
CI job built them from a commit (provenance). Both are verified through Sigstore
with the embedded trust root and npm's keys, and bound to name, version and
integrity.

The first form checks one registry answer in FILE. The second checks each
package of the project, package-lock.json or npm-shrinkwrap.json at PATH against
the answers kept in DIR (NAME@VERSION.json); a package for which the registry has
no attestations is a warning, one whose answer is not there is no decision.

It says who built a package from what, not that the package is safe.

Run it before npm ci --ignore-scripts, in a job that holds no signing identity.

Exit codes: 0 nothing denied; 1 an answer is missing; 2 flags; 3 denied.

Examples:
  plimsoll npm sigstore@2.3.1 --integrity sha512-... --attestations answer.json
  plimsoll npm --offline answers .
`

type npmFlags struct {
	integrity, attestations, offline, format string
}

func runNPM(ctx context.Context, io stdio, args []string) error {
	var f npmFlags
	flags := newFlags(io, "npm", npmHelp)
	flags.StringVar(&f.integrity, "integrity", "", "the package's integrity, as in a lockfile: sha512-...")
	flags.StringVar(&f.attestations, "attestations", "", "the registry's answer about the package's attestations")
	flags.StringVar(&f.offline, "offline", "", "the folder of kept answers")
	addFormat(flags, &f.format)
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 1:
		return usagef("npm: expected one NAME@VERSION or PATH, found %d", flags.NArg())
	case f.attestations != "" && f.offline != "":
		return usagef("npm: --attestations is for one package, --offline for a project; name one of them")
	case f.attestations != "" || f.integrity != "":
		return runNPMPackage(ctx, io, f, flags.Arg(0))
	case f.offline == "":
		return usagef("npm: expected --offline DIR, or NAME@VERSION with --integrity and --attestations")
	}
	path := flags.Arg(0)
	if path == "" {
		path = "."
	}
	if _, err := os.Stat(path); err != nil {
		if _, err := npm.ParsePackage(path); err == nil {
			return usagef("npm: --offline is for a project; one package needs --integrity SRI and --attestations FILE")
		}
	}
	return runNPMProject(ctx, io, f, path)
}

// npmChecker knows the embedded trust root and npm's attestation keys.
func npmChecker() (*sigstore.LogChecker, *sigstore.Root, error) {
	root, err := sigstore.PublicGood()
	if err != nil {
		return nil, nil, err
	}
	keys, err := sigstore.NPMAttestationKeys()
	if err != nil {
		return nil, nil, err
	}
	checker, err := sigstore.NewLogChecker(root, keys)
	return checker, root, err
}

func runNPMPackage(ctx context.Context, io stdio, f npmFlags, arg string) error {
	switch {
	case f.attestations == "":
		return usagef("npm: expected --attestations FILE beside --integrity")
	case f.integrity == "":
		return usagef("npm: expected --integrity SRI beside --attestations").withHint("it stands in package-lock.json; without it, the answer could be about any bytes")
	}
	pkg, err := npm.ParsePackage(arg)
	if err != nil {
		return usagef("npm: %w", err)
	}
	pkg.Integrity = f.integrity
	if _, err := npm.SHA512(f.integrity); err != nil {
		return usagef("npm: --integrity: %w", err)
	}
	checker, root, err := npmChecker()
	if err != nil {
		return err
	}
	answer, err := readBounded(f.attestations, npm.MaxAnswer)
	if errors.Is(err, errTooBig) {
		err = &verify.Refusal{Code: verify.CodeAnswerMalformed, Expected: fmt.Sprintf("at most %d bytes", npm.MaxAnswer), Found: "more"}
	} else if err != nil {
		return failed(fmt.Errorf("reading the registry's answer: %w", err)).withHint("name the file that holds it")
	}
	result := npm.Result{Package: pkg.String(), Integrity: pkg.Integrity, Places: []string{}}
	if err == nil {
		result.Origin, err = npm.CheckAttestations(ctx, checker, pkg, answer)
	}
	switch {
	case err == nil && result.Origin != nil:
		result.Outcome = npm.Held
	case errors.As(err, &result.Reason): // the zero outcome denies
	case err != nil:
		return failed(err)
	default:
		return failed(errors.New("internal error: no origin and no reason"))
	}
	return reportNPM(io, f.format, root, []npm.Result{result})
}

func runNPMProject(ctx context.Context, io stdio, f npmFlags, path string) error {
	if info, err := os.Stat(f.offline); err != nil {
		return failed(fmt.Errorf("reading kept answers: %w", err)).withHint("--offline names the folder that holds them")
	} else if !info.IsDir() {
		return failed(fmt.Errorf("reading kept answers: expected a folder, found a file: %q", f.offline))
	}
	project, err := readLockfile(path)
	var refused *exitError
	if errors.As(err, &refused) && refused.code == exitNo && f.format == "json" {
		// A no has a document, whatever it is about.
		if err := writeJSON(io.out, npmJSON{Schema: npmSchema, Exit: exitNo, Packages: []npm.Result{}, Error: refused.Error()}); err != nil {
			return failed(fmt.Errorf("writing the report: %w", err))
		}
	}
	if err != nil {
		return err
	}
	checker, root, err := npmChecker()
	if err != nil {
		return err
	}
	results, err := npm.CheckProject(ctx, checker, project, npm.Answers{Files: os.DirFS(f.offline)})
	if err != nil {
		return failed(err)
	}
	return reportNPM(io, f.format, root, results)
}

// npmLockfiles are the lockfiles of npm, in its order of preference.
var npmLockfiles = []string{"npm-shrinkwrap.json", "package-lock.json"}

// readLockfile reads the lockfile at path, or in the project at path. A lockfile
// that cannot be read as one denies: it is what the packages' producer controls.
func readLockfile(path string) (*lockfile.Project, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		for _, name := range npmLockfiles {
			if _, err := os.Stat(filepath.Join(path, name)); err == nil {
				path = filepath.Join(path, name)
				break
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, failed(err)
			}
		}
		if info, err = os.Stat(path); err == nil && info.IsDir() {
			err = fmt.Errorf("%q: expected one of %s, found none", path, strings.Join(npmLockfiles, " or "))
		}
	}
	if err != nil {
		return nil, failed(fmt.Errorf("reading lockfile: %w", err)).withHint("npm install --package-lock-only writes a package-lock.json")
	}
	data, err := readBounded(path, lockfile.MaxLockfile)
	if errors.Is(err, errTooBig) {
		return nil, &exitError{code: exitNo, err: fmt.Errorf("reading lockfile: %w", err)}
	} else if err != nil {
		return nil, failed(fmt.Errorf("reading lockfile: %w", err))
	}
	project, err := lockfile.ParseLockfile("package-lock.json", data) // whatever it is called, it is npm's
	if err != nil {
		return nil, (&exitError{code: exitNo, err: fmt.Errorf("%s: %w", path, err)}).withHint("npm install --package-lock-only writes it anew; look at what changed")
	}
	return project, nil
}

// reportNPM prints results and turns them into an exit code.
func reportNPM(io stdio, format string, root *sigstore.Root, results []npm.Result) error {
	code := npmExit(results)
	var err error
	if format == "json" {
		err = printNPMJSON(io.out, root, code, results)
	} else {
		err = printNPM(io.out, root, code, results)
	}
	if err != nil {
		return failed(fmt.Errorf("writing the report: %w", err))
	}
	if code != exitYes {
		return &exitError{code: code}
	}
	return nil
}

// npmExit is 3 if anything is denied or nothing could be checked, else 1 if
// anything is undecided.
func npmExit(results []npm.Result) int {
	if !slices.ContainsFunc(results, func(r npm.Result) bool { return r.Outcome != npm.NotChecked }) {
		return exitNo
	}
	code := exitYes
	for _, r := range results {
		switch r.Outcome {
		case npm.Held, npm.Warned, npm.NotChecked:
		case npm.Undecided:
			code = worst(code, exitNoDecision)
		default:
			code = worst(code, exitNo)
		}
	}
	return code
}
