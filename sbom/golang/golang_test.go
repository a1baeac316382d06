package golang_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plimsoll.example/sbom/golang"
)

func modCache(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// corpus lists a folder of PLIMSOLL_CORPUS, or skips.
func corpus(t testing.TB, kind string) []string {
	t.Helper()
	dir := os.Getenv("PLIMSOLL_CORPUS")
	if dir == "" {
		t.Skip("no Go modules and binaries: PLIMSOLL_CORPUS is not set")
	}
	paths, err := filepath.Glob(filepath.Join(dir, kind, "*"))
	if err != nil || len(paths) < 2 {
		t.Fatalf("expected at least two %s in the corpus, found %d, %v", kind, len(paths), err)
	}
	return paths
}

// ownBinary builds the tool itself.
func ownBinary(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plimsoll")
	out, err := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, "plimsoll.example/cmd/plimsoll").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return path
}

func linked(b *golang.Build) map[string]string {
	versions := map[string]string{}
	for _, m := range b.Modules {
		if m.Path != golang.Std {
			versions[m.Path] = m.Version
		}
	}
	return versions
}

// goVersion is the oracle of a binary: what `go version -m` lists.
func goVersion(t *testing.T, binary string) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	last := ""
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[0] == "dep":
			versions[f[1]], last = strings.TrimPrefix(f[2], "(devel)"), f[1]
		case len(f) >= 3 && f[0] == "=>" && f[2] == "(devel)": // a folder: the required path, without version
			versions[last] = ""
		case len(f) >= 3 && f[0] == "=>":
			delete(versions, last)
			versions[f[1]] = f[2]
		}
	}
	return versions
}

// goList is the oracle of a directory: the modules of the packages that its
// programs are linked from, or all its packages where it has no program.
func goList(t *testing.T, dir string, o golang.Options) map[string]string {
	t.Helper()
	run := func(args ...string) []string {
		args = append([]string{args[0], "-tags=" + strings.Join(o.Tags, ",")}, args[1:]...)
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off")
		if o.GOOS != "" {
			cmd.Env = append(cmd.Env, "GOOS="+o.GOOS)
		}
		out, err := cmd.Output()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			if strings.Contains(string(exit.Stderr), "disabled by GOPROXY=off") {
				t.Skipf("a module that only %s needs is not in the module cache", o.GOOS)
			}
			t.Fatalf("go %v in %s: %v\n%s", args, dir, err, exit.Stderr)
		}
		if err != nil {
			t.Fatalf("go %v in %s: %v", args, dir, err)
		}
		return strings.Fields(string(out))
	}
	roots := o.Main
	if len(roots) == 0 {
		roots = run("list", "-f", `{{if eq .Name "main"}}{{.ImportPath}}{{end}}`, "./...")
	}
	if len(roots) == 0 {
		roots = []string{"./..."}
	}
	versions := map[string]string{}
	for _, m := range run(append([]string{"list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{if not .Replace}}{{.Path}}@{{.Version}}{{else if .Replace.Version}}{{.Replace.Path}}@{{.Replace.Version}}{{else}}{{.Path}}@{{end}}{{end}}{{end}}`}, roots...)...) {
		path, version, _ := strings.Cut(m, "@")
		versions[path] = version
	}
	return versions
}

func TestBinaryAgainstGoVersion(t *testing.T) {
	check := func(t *testing.T, path string) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b, err := golang.ReadBinary(context.Background(), f, golang.Options{ModCache: modCache(t)})
		if err != nil {
			t.Fatal(err)
		}
		if want := goVersion(t, path); !maps.Equal(linked(b), want) || len(want) == 0 {
			t.Errorf("expected %v, found %v", want, linked(b))
		}
		if b.GoVersion == "" || !slices.Contains(b.Main.Edges, golang.Std) {
			t.Errorf("the standard library: version %q, edges %v", b.GoVersion, b.Main.Edges)
		}
	}
	t.Run("the tool itself", func(t *testing.T) { check(t, ownBinary(t)) })
	for _, path := range corpus(t, "binaries") {
		t.Run(filepath.Base(path), func(t *testing.T) { check(t, path) })
	}
}

// TestDirectoryAgainstGoList: zero missing and zero extra, with the go command
// and without, for every program, platform and tag.
func TestDirectoryAgainstGoList(t *testing.T) {
	type dir struct {
		path    string
		options []golang.Options
	}
	dirs := map[string]dir{"this module": {"../..", []golang.Options{{}, {GOOS: "windows"}}}}
	for _, path := range corpus(t, "modules") {
		dirs[filepath.Base(path)] = dir{path, []golang.Options{{}}}
	}
	dirs["made"] = dir{filepath.Join(os.Getenv("PLIMSOLL_CORPUS"), "made", "app"), []golang.Options{
		{}, {Main: []string{"./cmd/server"}}, {Main: []string{"example.com/Made/app/cmd/tool"}}, {GOOS: "windows"},
		{Tags: []string{"extra"}}, {GOOS: "windows", Tags: []string{"extra", "other"}, Main: []string{"./cmd/server"}},
	}}
	for name, d := range dirs {
		for _, o := range d.options {
			o.ModCache = modCache(t)
			o.SkipZips, o.GoWork = true, "off"
			t.Run(fmt.Sprintf("%s/%s%v%v", name, o.GOOS, o.Tags, o.Main), func(t *testing.T) {
				t.Setenv("GOWORK", "off")
				want := goList(t, d.path, o)
				b, err := golang.ReadDirectory(context.Background(), d.path, o)
				if err != nil {
					t.Fatal(err)
				}
				sameModules(t, linked(b), want)
				for _, m := range append(b.Modules, b.Main) {
					if m.EdgesUnknown != "" {
						t.Errorf("%s: edges unknown: %s", m.Path, m.EdgesUnknown)
					}
				}
				t.Setenv("PATH", t.TempDir())
				without, err := golang.ReadDirectory(context.Background(), d.path, o)
				if err != nil {
					t.Fatal(err)
				}
				sameModules(t, linked(without), want)
				if len(without.Gaps) == 0 || without.GoVersion != "" {
					t.Errorf("what it costs to read without the go command is not said: %v, %q", without.Gaps, without.GoVersion)
				}
				sameEdges(t, without, b)
			})
		}
	}
}

// TestWorkspace: the workspace's modules are found with the go command and
// without, and a module of it that another one links keeps its own version.
func TestWorkspace(t *testing.T) {
	dir := filepath.Join(filepath.Dir(corpus(t, "modules")[0]), "..", "made")
	cache := modCache(t)
	for _, command := range []bool{true, false} {
		if !command {
			git, err := exec.LookPath("git")
			if err != nil {
				t.Skip("no git")
			}
			bin := t.TempDir()
			if err := os.Symlink(git, filepath.Join(bin, "git")); err != nil {
				t.Skip("no links here")
			}
			t.Setenv("PATH", bin)
		}
		builds, err := golang.ReadWorkspace(context.Background(), filepath.Join(dir, "go.work"), golang.Options{ModCache: cache})
		if err != nil {
			t.Fatal(err)
		}
		one, err := golang.ReadDirectory(context.Background(), filepath.Join(dir, "app"), golang.Options{ModCache: cache})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range append(builds, one) {
			lib := b.Modules[slices.IndexFunc(b.Modules, func(m golang.Module) bool { return m.Path == "example.com/Made/lib" })]
			if len(builds) != 1 || b.Main.Key() != "example.com/Made/app@v1.2.3" || lib.Version != "v0.4.0" || !lib.Workspace || lib.Local || len(b.Programs) != 2 {
				t.Errorf("with the go command %v: %d builds, %+v, %+v", command, len(builds), b.Main, lib)
			}
		}
	}
}

func sameModules(t *testing.T, got, want map[string]string) {
	t.Helper()
	for path, version := range want {
		if have, ok := got[path]; !ok || have != version {
			t.Errorf("missing: %s@%s, found %q", path, version, have)
		}
	}
	for path, version := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("extra: %s@%s", path, version)
		}
	}
}

// sameEdges: read either way, the modules depend on the same ones.
func sameEdges(t *testing.T, got, want *golang.Build) {
	t.Helper()
	edges := map[string][]string{}
	for _, m := range want.Modules {
		edges[m.Key()] = m.Edges
	}
	files := map[string][]golang.File{want.Main.Path: want.Main.CGo.Files}
	for _, m := range want.Modules {
		files[m.Path] = m.CGo.Files
	}
	for _, m := range append(got.Modules, got.Main) {
		if m.Path != golang.Std && !slices.Equal(m.CGo.Files, files[m.Path]) {
			t.Errorf("%s: expected C files %v, found %v", m.Path, files[m.Path], m.CGo.Files)
		}
	}
	for _, m := range got.Modules {
		// The standard library's own edges and the main module's version, which git
		// tells, are left out.
		path := func(s string) bool { return s == golang.Std || strings.HasPrefix(s, want.Main.Path) }
		a, b := slices.DeleteFunc(slices.Clone(m.Edges), path), slices.DeleteFunc(slices.Clone(edges[m.Key()]), path)
		if m.Path != golang.Std && !slices.Equal(a, b) {
			t.Errorf("%s: expected edges %v, found %v", m.Key(), b, a)
		}
	}
}

// TestDirectoryAndBinaryAgree: the same modules, whichever way they are read.
func TestDirectoryAndBinaryAgree(t *testing.T) {
	f, err := os.Open(ownBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	binary, err := golang.ReadBinary(context.Background(), f, golang.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := golang.ReadDirectory(context.Background(), "../..", golang.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(linked(binary), linked(dir)) {
		t.Errorf("binary %v\ndirectory %v", linked(binary), linked(dir))
	}
	// Without a module cache nothing is guessed.
	for _, m := range binary.Modules {
		if m.Path != golang.Std && (m.EdgesUnknown == "" || len(m.Edges) > 0) {
			t.Errorf("%s: edges %v, unknown %q", m.Path, m.Edges, m.EdgesUnknown)
		}
	}
	if binary.Main.EdgesUnknown == "" || len(binary.Gaps) == 0 {
		t.Error("that the edges are not known is not said")
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplaced: a folder that replaces a module keeps the required path and has
// no version; the folder's own path appears nowhere.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"go.mod":      "module example.com/app\n\ngo 1.24\n\nrequire example.com/Dep v1.2.3\n\nreplace example.com/Dep => ./fork\n",
		"main.go":     "package main\n\nimport \"example.com/Dep\"\n\nfunc main() { dep.F() }\n",
		"fork/go.mod": "module example.com/Dep\n\ngo 1.24\n",
		"fork/dep.go": "package dep\n\nfunc F() {}\n",
		// not linked: another platform, a test, another package
		"other/other.go":  "//go:build plan9\n\npackage other\n",
		"extra/go.mod":    "module example.com/app/extra\n",
		"main_test.go":    "package main\n\nimport \"testing\"\n\nfunc Test(t *testing.T) {}\n",
		"library/code.go": "package library\n\nimport _ \"net/http\"\n",
	})
	b, err := golang.ReadDirectory(context.Background(), dir, golang.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Modules) != 2 || b.Modules[0].Path != "example.com/Dep" || !b.Modules[0].Local || b.Modules[0].Version != "" || b.Modules[0].RequiredVersion != "v1.2.3" {
		t.Errorf("found %+v", b.Modules)
	}
	if !slices.Equal(b.Main.Edges, []string{"example.com/Dep", golang.Std}) {
		t.Errorf("edges %v", b.Main.Edges)
	}
	binary := filepath.Join(dir, "app")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f, err := os.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fromBinary, err := golang.ReadBinary(context.Background(), f, golang.Options{ModCache: modCache(t)})
	if err != nil {
		t.Fatal(err)
	}
	if m := fromBinary.Modules[0]; m.Path != "example.com/Dep" || !m.Local || m.Version != "" || m.EdgesUnknown == "" {
		t.Errorf("found %+v", m)
	}
}

func TestNotGo(t *testing.T) {
	self, err := os.ReadFile(ownBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty":         nil,
		"text":          []byte("hello"),
		"ELF magic":     []byte("\x7fELF"),
		"PE magic":      []byte("MZ"),
		"Mach-O magic":  {0xcf, 0xfa, 0xed, 0xfe},
		"truncated":     self[:4096],
		"half":          self[:len(self)/2],
		"no build info": bytes.ReplaceAll(self, []byte("\xff Go buildinf:"), []byte("\xff Go xuildinf:")),
	} {
		t.Run(name, func(t *testing.T) {
			if b, err := golang.ReadBinary(context.Background(), bytes.NewReader(data), golang.Options{}); !errors.Is(err, golang.ErrNotGo) {
				t.Errorf("expected ErrNotGo, found %+v, %v", b, err)
			}
		})
	}
}

func FuzzReadBinary(f *testing.F) {
	f.Add([]byte("\x7fELF"))
	f.Add([]byte("\xff Go buildinf:\x08\x02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := golang.ReadBinary(context.Background(), bytes.NewReader(data), golang.Options{}); err == nil && b.Main.Path == "" {
			t.Error("a build without a main module")
		}
	})
}

func BenchmarkBinary(b *testing.B) {
	data, err := os.ReadFile(ownBinary(b))
	if err != nil {
		b.Fatal(err)
	}
	cache := modCache(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := golang.ReadBinary(context.Background(), bytes.NewReader(data), golang.Options{ModCache: cache}); err != nil {
			b.Fatal(err)
		}
	}
}
