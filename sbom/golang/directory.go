package golang

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// maxListing bounds what the go command may print.
const maxListing = 512 << 20

// ReadDirectory reads what the module in dir links: its programs (all, or those
// of [Options.Main]), or all its packages if it has no program. Tests and tools
// are left out. Nothing is fetched and nothing in dir is changed.
//
// It asks the go command. Where that is missing, or cannot load every package,
// the sources that are there are read instead, and the build's gaps say so.
func ReadDirectory(ctx context.Context, dir string, o Options) (*Build, error) {
	abs, err := resolved(dir)
	if err != nil {
		return nil, fmt.Errorf("reading Go module %q: %w", dir, err)
	}
	t, err := openModule(abs)
	if err != nil {
		return nil, fmt.Errorf("reading Go module %q: %w", dir, err)
	}
	builds, err := t.read(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("reading Go module %q: %w", dir, err)
	}
	return builds[0], nil
}

// resolved is where a path leads, links followed: git and the go command then see
// the same folder.
func resolved(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// ReadWorkspace reads the modules of a go.work file that have programs, or all of
// them if none has.
func ReadWorkspace(ctx context.Context, file string, o Options) ([]*Build, error) {
	abs, err := resolved(file)
	if err != nil {
		return nil, fmt.Errorf("reading Go workspace %q: %w", file, err)
	}
	t, err := openWorkspace(abs)
	if err != nil {
		return nil, fmt.Errorf("reading Go workspace %q: %w", file, err)
	}
	builds, err := t.read(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("reading Go workspace %q: %w", file, err)
	}
	withPrograms := slices.DeleteFunc(slices.Clone(builds), func(b *Build) bool { return b.Package == "" && len(b.Programs) == 0 })
	if len(withPrograms) > 0 {
		return withPrograms, nil
	}
	return builds, nil
}

// read reads the tree's main modules, in the order of their paths.
func (t *tree) read(ctx context.Context, o Options) ([]*Build, error) {
	env, err := t.environment(ctx, o)
	if err != nil {
		return nil, err
	}
	if len(o.Tags) == 0 {
		o.Tags = tagsOf(env.GOFLAGS)
	}
	if err := t.findVendor(env); err != nil {
		return nil, err
	}
	packages, gaps, note, err := t.packages(ctx, env, o)
	if err != nil {
		return nil, err
	}
	t.setVersions(ctx, packages)
	l := newListing(packages)
	if err := l.checkPrograms(o.Main); err != nil {
		return nil, err
	}
	var builds []*Build
	for _, m := range t.targets {
		b, err := l.build(m.path, m.version)
		if err != nil {
			if len(t.targets) > 1 && len(o.Main) > 0 {
				continue // its programs were not asked for
			}
			return nil, err
		}
		b.Gaps, b.Note = append(b.Gaps, gaps...), note
		if note != "" && b.Main.EdgesUnknown == "" {
			b.Main.EdgesUnknown, b.Main.EdgesPartial = "the go command could not load every package", true
		}
		t.finish(b, m, env, o)
		if err := b.describe(ctx, o, t.vendor, l.folders); err != nil {
			return nil, err
		}
		if err := b.hashFiles(l.folders); err != nil {
			return nil, err
		}
		builds = append(builds, b)
	}
	if len(builds) == 0 {
		return nil, errors.New("it has no packages for this GOOS and GOARCH")
	}
	return builds, nil
}

// environment is what the go command says of itself; without it, what is known
// without asking.
type environment struct {
	GOVERSION, GOOS, GOARCH, CGO_ENABLED, CC, GOWORK, GOMODCACHE, GOROOT, GOFLAGS string
	command                                                                       bool // there is a go command
}

func (t *tree) environment(ctx context.Context, o Options) (environment, error) {
	var env environment
	if _, err := exec.LookPath("go"); err != nil {
		env = withoutCommand(o)
		env.GOWORK = t.findWork(o.GoWork)
		return env, nil
	}
	out, err := runGo(ctx, t.dir, o, nil, "env", "-json", "GOVERSION", "GOOS", "GOARCH", "CGO_ENABLED", "CC", "GOWORK", "GOMODCACHE", "GOROOT", "GOFLAGS")
	if err != nil {
		return env, err
	}
	if err := json.Unmarshal(out, &env); err != nil {
		return env, fmt.Errorf("what go env prints: %w", err)
	}
	env.command = true
	return env, nil
}

// tagsOf returns the build tags in GOFLAGS.
func tagsOf(goflags string) []string {
	var tags []string
	for _, f := range splitQuoted(goflags) {
		if list, ok := strings.CutPrefix("-"+strings.TrimLeft(f, "-"), "-tags="); ok && list != "" {
			tags = strings.Split(list, ",")
		}
	}
	return tags
}

// packages asks the go command for the targets' packages and all that they
// import; where it cannot tell, the sources are read, and note has its words.
func (t *tree) packages(ctx context.Context, env environment, o Options) (packages []listed, gaps []string, note string, err error) {
	if !env.command {
		packages, gaps, err = t.fromSources(env, o, "there is none in PATH")
		return packages, gaps, "", err
	}
	out, err := runGo(ctx, t.dir, o, t.mode(), t.listArguments(o)...)
	if err == nil {
		packages, err = parseListing(out)
		return packages, nil, "", err
	}
	if ctx.Err() != nil {
		return nil, nil, "", ctx.Err()
	}
	// What must not be read around.
	for _, fatal := range []string{"checksum mismatch", "SECURITY ERROR", "inconsistent vendoring"} {
		if strings.Contains(err.Error(), fatal) {
			return nil, nil, "", err
		}
	}
	packages, gaps, second := t.fromSources(env, o, "it could not load every package")
	return packages, gaps, err.Error(), second
}

func (t *tree) listArguments(o Options) []string {
	args := []string{"list", "-deps", "-buildvcs=false",
		"-json=ImportPath,Name,Dir,Standard,DepOnly,Imports,ImportMap,Module,EmbedFiles,CgoFiles,CFiles,CXXFiles,MFiles,FFiles,SwigFiles,SwigCXXFiles,SysoFiles,CgoLDFLAGS,CgoPkgConfig"}
	if len(o.Tags) > 0 {
		args = append(args, "-tags="+strings.Join(o.Tags, ","))
	}
	args = append(args, "--")
	if len(o.Main) > 0 {
		return append(args, o.Main...)
	}
	for _, m := range t.targets {
		args = append(args, m.pattern)
	}
	return args
}

// mode is the environment in which the go command lists packages. GOFLAGS is set
// as a whole: of what the user has there, only -tags changes what is linked.
func (t *tree) mode() []string {
	mod := "readonly"
	if t.vendor != nil {
		mod = "vendor"
	}
	return []string{"GOFLAGS=-mod=" + mod, "GOWORK=" + t.goWork()}
}

// runGo runs the go command with the network off.
func runGo(ctx context.Context, dir string, o Options, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOTOOLCHAIN=local", "GOVCS=*:off")
	if abs, err := filepath.Abs(dir); err == nil {
		cmd.Env = append(cmd.Env, "PWD="+abs)
	}
	if o.GOOS != "" {
		cmd.Env = append(cmd.Env, "GOOS="+o.GOOS)
	}
	if o.GOARCH != "" {
		cmd.Env = append(cmd.Env, "GOARCH="+o.GOARCH)
	}
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &limited{&stdout, maxListing}, &limited{&stderr, 64 << 10}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, firstLines(stderr.String(), dir))
	}
	return stdout.Bytes(), nil
}

// limited is a writer that fails when it has taken left bytes.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, errors.New("the command prints more than is read")
	}
	l.left -= len(p)
	return l.w.Write(p)
}

// firstLines shortens what the go command says, without the folder it ran in.
func firstLines(s, dir string) string {
	const most = 5
	if abs, err := filepath.Abs(dir); err == nil {
		s = strings.ReplaceAll(s, abs+string(filepath.Separator), "")
	}
	lines := strings.Split(strings.TrimSpace(s), "\n")
	// What it says of its attempts is not why it failed.
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "go: downloading ") })
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("and %d more lines", len(lines)-most))
	}
	return strings.Join(lines, "; ")
}

// checkPrograms holds that what was asked for as a program is one.
func (l *listing) checkPrograms(asked []string) error {
	if len(asked) == 0 {
		return nil
	}
	for i := range l.packages {
		p := &l.packages[i]
		if !p.DepOnly && p.Name != "main" && p.missing == "" {
			return fmt.Errorf("expected a program, found package %s (%s)", p.ImportPath, p.Name)
		}
	}
	return nil
}

// hashFiles hashes the modules' files in other languages.
func (b *Build) hashFiles(folders map[string]string) error {
	if err := b.Main.CGo.hash(folders[b.Main.Key()]); err != nil {
		return err
	}
	for i := range b.Modules {
		m := &b.Modules[i]
		if err := m.CGo.hash(folders[m.Key()]); err != nil {
			return fmt.Errorf("module %s: %w", m.Path, err)
		}
	}
	return nil
}
