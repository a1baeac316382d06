package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/tarball"
)

// An npmTarget is what is checked: a lockfile, or a single package.
type npmTarget struct {
	name    string // for reports: the lockfile's path, or NAME@VERSION
	dir     string // where the project lies
	project *lockfile.Project
	lock    []byte // the lockfile; nil for a single package
	single  bool
}

// maxTarball bounds a .tgz that is checked.
const maxTarball = 512 << 20

// readTarget reads what PATH names into target, whose name is good also where the rest is
// refused.
func (f *npmFlags) readTarget(ctx context.Context, path string, target *npmTarget) error {
	if f.integrity != "" {
		pkg, err := f.onePackage(path)
		if err == nil {
			*target = npmTarget{name: pkg.String(), dir: ".", project: npm.Single(pkg), single: true}
		}
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return failed(fmt.Errorf("reading lockfile: %w", err)).withHint("name a project, a lockfile, a .tgz, or NAME@1.2.3 with --integrity; npm install --package-lock-only writes a package-lock.json")
	}
	if !info.IsDir() && strings.HasSuffix(path, ".tgz") {
		return f.readTarball(ctx, path, target)
	}
	return target.readProject(path, info.IsDir())
}

// readTarball makes a target of a single tarball: its package.json says which package
// it claims to be, and its digest is what must be signed.
func (f *npmFlags) readTarball(ctx context.Context, path string, target *npmTarget) error {
	data, err := readBounded(path, maxTarball)
	if err != nil {
		return failed(fmt.Errorf("reading tarball: %w", err))
	}
	contents, err := tarball.Read(ctx, bytes.NewReader(data))
	if err != nil {
		return &exitError{code: exitNo, err: fmt.Errorf("%s: %w", path, err)}
	}
	pkg, err := npm.ParsePackage(contents.Manifest.Name + "@" + contents.Manifest.Version)
	if err != nil {
		return &exitError{code: exitNo, err: fmt.Errorf("%s: package.json: %w", path, err)}
	}
	pkg.Integrity = "sha512-" + base64.StdEncoding.EncodeToString(contents.SHA512[:])
	f.tarballs.given = &givenTarball{contents}
	*target = npmTarget{name: path, dir: filepath.Dir(path), project: npm.Single(pkg), single: true}
	return nil
}

// readProject reads a lockfile. One that cannot be read as one denies: it is what
// the packages' producer controls.
func (t *npmTarget) readProject(path string, folder bool) error {
	dir, file := filepath.Dir(path), filepath.Base(path)
	if folder {
		found, err := lockfile.Find(os.DirFS(path))
		switch {
		case err != nil:
			return failed(fmt.Errorf("reading lockfile: %s: %w", path, err))
		case len(found) == 0 || found[0] == lockfile.NodeModules:
			return failed(fmt.Errorf("reading lockfile: %q: expected one of %s, found none", path, strings.Join(lockfile.LockfileNames(), ", "))).
				withHint("npm install --package-lock-only writes a package-lock.json")
		case len(found) > 1:
			return usagef("npm: %q has several lockfiles: %s", path, strings.Join(found, ", ")).withHint("name the one that is installed from: plimsoll npm %s", filepath.Join(path, found[0]))
		}
		dir, file = path, found[0]
	}
	path = filepath.Join(dir, file)
	t.name, t.dir = filepath.ToSlash(path), dir
	data, err := readBounded(path, lockfile.MaxLockfile)
	if errors.Is(err, errTooBig) {
		return &exitError{code: exitNo, err: fmt.Errorf("reading lockfile: %w", err)}
	} else if err != nil {
		return failed(fmt.Errorf("reading lockfile: %w", err))
	}
	t.lock = data
	if t.project, err = lockfile.ParseLockfileIn(os.DirFS(dir), formatOf(file), data); err != nil {
		return (&exitError{code: exitNo, err: fmt.Errorf("%s: %w", path, err)}).withHint("let the package manager write it anew, and look at what changed")
	}
	return nil
}

// formatOf returns the name of the lockfile that a file is, by its own name or by what
// follows its last dot: a copy of package-lock.json is often called otherwise.
func formatOf(file string) string {
	for _, name := range lockfile.LockfileNames() {
		if file == name {
			return name
		}
	}
	switch {
	case strings.HasSuffix(file, ".yaml"):
		return "pnpm-lock.yaml"
	case strings.HasSuffix(file, "yarn.lock"):
		return "yarn.lock"
	case strings.HasSuffix(file, "bun.lock"):
		return "bun.lock"
	}
	return "package-lock.json"
}

// project checks every package of a project.
func (f *npmFlags) project(ctx context.Context, io stdio, path string) error {
	target := npmTarget{name: filepath.ToSlash(path)}
	err := f.checkProject(ctx, io, path, &target)
	return f.refusedWhole(io, target.name, err)
}

func (f *npmFlags) checkProject(ctx context.Context, io stdio, path string, target *npmTarget) error {
	summary, err := f.vsa.begin(ctx, io)
	if err != nil {
		return err
	}
	if err := f.readTarget(ctx, path, target); err != nil {
		return err
	}
	if target.single && f.expectations.update {
		return usagef("npm: --update records the packages of a project, and %s is one by itself", path)
	}
	inspector, policy, err := f.inspector()
	if err != nil {
		return err
	}
	if inspector.Expectations, err = f.expectations.open(ctx, target.dir); err != nil {
		return err
	}
	inspector.NeedExpectations = !target.single && !f.expectations.firstUse
	inspector.Accept = f.expectations.accepted
	inspector.Registry = f.registry.evidence
	if err := f.advisories.open(ctx, f.clock); err != nil {
		return err
	}
	if f.advisories.database != nil {
		inspector.Advisories = &f.advisories
	}
	if err := summary.read(ctx); err != nil {
		return err
	}
	if inspector.Evidence, err = f.registry.open(ctx, io, target); err != nil {
		return err
	}
	if inspector.Tarballs, err = f.tarballs.open(&f.registry); err != nil {
		return err
	}
	if f.installed {
		if err := f.openInstalled(ctx, inspector, target); err != nil {
			return err
		}
	}
	if f.registry.client != nil {
		inspector.Workers = 16 // they wait for the network
	}
	inspector.KeysOfAll = f.trust.keys != ""
	report, err := f.inspect(ctx, io, inspector, target)
	if err != nil {
		return failed(err)
	}
	o := npmOutcome{report: report, policy: policy, roots: f.trust, clock: f.clock, target: target.name, lock: target, advisories: f.advisories.database}
	if err := f.registry.saveKeys(f.trust.keysJSON); err != nil {
		return failed(err)
	}
	if err := f.expectations.write(io, target.dir, inspector.Expectations, report); err != nil {
		return err
	}
	if err := summary.write(ctx, io, o); err != nil {
		return err
	}
	return f.print(io, o)
}

// openInstalled has node_modules compared with the tarballs.
func (f *npmFlags) openInstalled(ctx context.Context, inspector *npm.Inspector, target *npmTarget) error {
	if target.single || !target.project.Placed {
		return usagef("npm: --installed needs a lockfile that says where packages lie, package-lock.json or bun.lock")
	}
	files := os.DirFS(target.dir)
	if _, err := fs.Stat(files, "node_modules/.store"); err == nil {
		return usagef("npm: --installed does not know how npm's linked strategy lays packages out (node_modules/.store)").withHint("compare a node_modules that npm ci --ignore-scripts made without --install-strategy=linked")
	}
	inspector.Installed = files
	read, err := lockfile.Read(ctx, files, target.project.Format.File, lockfile.Options{})
	if err != nil {
		return failed(fmt.Errorf("reading node_modules: %w", err))
	}
	for _, d := range read.Drift {
		switch d.Kind {
		case lockfile.DriftExtraneous, lockfile.DriftLink:
			inspector.Extraneous = append(inspector.Extraneous, d.Place)
		case lockfile.DriftMissing:
			inspector.Missing = append(inspector.Missing, d.Place)
		}
	}
	return nil
}

// inspect shows progress on a terminal.
func (f *npmFlags) inspect(ctx context.Context, io stdio, inspector *npm.Inspector, target *npmTarget) (*npm.Report, error) {
	tick, done := progress(io, "checking packages", len(target.project.Packages)-1)
	defer done()
	inspector.Progress = func(int, int) { tick() }
	inspector.Workers = max(inspector.Workers, runtime.GOMAXPROCS(0))
	return inspector.Project(ctx, target.project)
}

// readAnswer reads a registry's answer that is checked by hand.
func readAnswer(file string) ([]byte, error) {
	data, err := readBounded(file, npm.MaxAnswer)
	if errors.Is(err, errTooBig) {
		refusal := &verify.Refusal{Code: verify.CodeAnswerMalformed, Expected: fmt.Sprintf("at most %d bytes", npm.MaxAnswer), Found: "more"}
		return nil, &exitError{code: exitNo, err: refusal}
	} else if err != nil {
		return nil, failed(fmt.Errorf("reading the registry's answer: %w", err)).withHint("name the file that holds it")
	}
	return data, nil
}

// givenTarball is the one that PATH named.
type givenTarball struct{ contents *tarball.Contents }

// Contents implements [npm.Tarballs].
func (g *givenTarball) Contents(context.Context, npm.Package, string) (*tarball.Contents, error) {
	return g.contents, nil
}
