package golang

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// maxListing bounds what the go command may print.
const maxListing = 512 << 20

// listed is what `go list -json` says about a package.
type listed struct {
	ImportPath string
	Name       string
	Standard   bool
	DepOnly    bool
	Imports    []string
	ImportMap  map[string]string
	Module     *listedModule
}

// resolve applies the vendoring inside the standard library to an import: its
// golang.org/x/net is not the module of that name.
func (p *listed) resolve(imported string) string {
	if to, ok := p.ImportMap[imported]; ok {
		return to
	}
	return imported
}

type listedModule struct {
	Path, Version, Sum string
	Main               bool
	Replace            *listedModule
}

// ReadDirectory asks the go command what the module in dir links for the
// environment's GOOS, GOARCH and CGO_ENABLED: all its programs, or all its
// packages if it has no program. Tests and tools are left out. Nothing is
// fetched and nothing in dir is changed.
func ReadDirectory(ctx context.Context, dir string) (*Build, error) {
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		return nil, fmt.Errorf("reading Go module %q: %w", dir, err)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return nil, errors.New("reading a Go module needs the go command, which is not in PATH")
	}
	mode := "readonly"
	if _, err := os.Stat(filepath.Join(dir, "vendor", "modules.txt")); err == nil {
		mode = "vendor"
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading Go module %q: %w", dir, err)
	}
	environment, err := runGo(ctx, dir, mode, "env", "-json", "GOVERSION", "GOOS", "GOARCH", "CGO_ENABLED")
	if err != nil {
		return nil, fmt.Errorf("reading Go module %q: %w", dir, err)
	}
	out, err := runGo(ctx, dir, mode, "list", "-deps", "-buildvcs=false",
		"-json=ImportPath,Name,Standard,DepOnly,Imports,ImportMap,Module", "./...")
	if err != nil {
		return nil, fmt.Errorf("reading Go module %q: %w", dir, err)
	}
	packages, err := parseListing(out)
	if err != nil {
		return nil, fmt.Errorf("reading Go module %q: %w", dir, err)
	}
	b := &Build{}
	var env map[string]string
	if err := json.Unmarshal(environment, &env); err != nil {
		return nil, fmt.Errorf("reading Go module %q: what go env prints: %w", dir, err)
	}
	b.GoVersion = releaseOf(env["GOVERSION"])
	for _, key := range []string{"CGO_ENABLED", "GOARCH", "GOOS"} {
		b.Settings = append(b.Settings, Setting{key, env[key]})
	}
	if err := b.link(packages); err != nil {
		return nil, fmt.Errorf("reading Go module %q: %w", dir, err)
	}
	return b, nil
}

// runGo runs the go command with the network off. GOFLAGS is set as a whole:
// what the user or the project put there must not change what is read.
func runGo(ctx context.Context, dir, mode string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod="+mode, "GOTOOLCHAIN=local", "GOWORK=off", "GOVCS=*:off", "PWD="+dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &limited{&stdout, maxListing}, &limited{&stderr, 64 << 10}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, firstLines(stderr.String()))
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
		return 0, errors.New("the go command prints more than is read")
	}
	l.left -= len(p)
	return l.w.Write(p)
}

func firstLines(s string) string {
	const most = 5
	lines := strings.Split(strings.TrimSpace(s), "\n")
	// What it says of its attempts is not why it failed.
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "go: downloading ") })
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("and %d more lines", len(lines)-most))
	}
	return strings.Join(lines, "; ")
}

func parseListing(out []byte) ([]listed, error) {
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("what go list prints: %w", err)
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		return nil, errors.New("it has no packages for this GOOS and GOARCH")
	}
	return packages, nil
}

// link follows imports from the module's programs and turns what they reach into
// modules and edges.
func (b *Build) link(packages []listed) error {
	byPath := map[string]*listed{}
	var programs, all []string
	for i := range packages {
		p := &packages[i]
		byPath[p.ImportPath] = p
		if p.DepOnly {
			continue
		}
		all = append(all, p.ImportPath)
		if p.Name == "main" {
			programs = append(programs, p.ImportPath)
		}
	}
	roots := programs
	if len(roots) == 0 {
		roots = all
		b.Gaps = append(b.Gaps, "the module has no program: what is listed is what its packages link")
	}
	if len(programs) == 1 {
		b.Package = programs[0]
	}
	linked := map[string]bool{}
	var reach func(path string)
	reach = func(path string) {
		p := byPath[path]
		if p == nil || linked[path] {
			return
		}
		linked[path] = true
		for _, imported := range p.Imports {
			reach(p.resolve(imported))
		}
	}
	for _, r := range roots {
		reach(r)
	}
	modules, err := collectModules(packages, linked, byPath)
	if err != nil {
		return err
	}
	for _, m := range modules {
		if m.main {
			b.Main = m.Module
		} else {
			if m.Path == Std {
				m.Version = b.GoVersion
			}
			b.Modules = append(b.Modules, m.Module)
		}
	}
	b.Modules = distinct(b.Modules)
	return nil
}

type linkedModule struct {
	Module
	main bool
}

func collectModules(packages []listed, linked map[string]bool, byPath map[string]*listed) (map[string]*linkedModule, error) {
	modules := map[string]*linkedModule{}
	mains := 0
	// Every program links the standard library's runtime, also one that imports
	// nothing.
	modules[Std] = &linkedModule{Module: Module{Path: Std}}
	for _, p := range packages {
		if !linked[p.ImportPath] {
			continue
		}
		m, main := moduleOf(p)
		have := modules[m.Key()]
		if have == nil {
			have = &linkedModule{Module: m, main: main}
			modules[m.Key()] = have
			if main {
				mains++
			}
		}
		for _, imported := range p.Imports {
			to := byPath[p.resolve(imported)]
			if to == nil { // "C" and "unsafe"
				continue
			}
			if target, _ := moduleOf(*to); target.Key() != m.Key() {
				have.Edges = append(have.Edges, target.Key())
			}
		}
	}
	for _, m := range modules {
		if m.main {
			m.Edges = append(m.Edges, Std)
		}
		slices.Sort(m.Edges)
		m.Edges = slices.Compact(m.Edges)
	}
	if mains != 1 {
		return nil, fmt.Errorf("expected one main module, found %d", mains)
	}
	return modules, nil
}

func moduleOf(p listed) (m Module, main bool) {
	if p.Standard || p.Module == nil {
		return Module{Path: Std}, false
	}
	m = Module{Path: p.Module.Path, Version: p.Module.Version, Sum: p.Module.Sum}
	if r := p.Module.Replace; r != nil {
		m = replaced(m, r.Path, r.Version, r.Sum)
	}
	return m, p.Module.Main
}
