package golang

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

func tree1(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const hello = "package main\n\nfunc main() {}\n"

// TestBadModules: a clear error or a stated gap, with the go command and without.
func TestBadModules(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string // part of the error; "": none
		gap   string // part of a gap; "": none is demanded
	}{
		"conflict markers":      {map[string]string{"go.mod": "module example.com/a\n<<<<<<< HEAD\ngo 1.24\n=======\ngo 1.25\n>>>>>>> b\n", "a.go": hello}, "go.mod:2: unknown directive", ""},
		"no module line":        {map[string]string{"go.mod": "go 1.24\n", "a.go": hello}, "names no module", ""},
		"empty go.mod":          {map[string]string{"go.mod": "", "a.go": hello}, "names no module", ""},
		"no package":            {map[string]string{"go.mod": "module example.com/a\n"}, "no packages", ""},
		"another platform's":    {map[string]string{"go.mod": "module example.com/a\n\ngo 1.24\n", "a_plan9.go": hello}, "no packages", ""},
		"a later Go":            {map[string]string{"go.mod": "module example.com/a\n\ngo 1.99\n", "a.go": hello}, "", "without the go command"},
		"a syntax error":        {map[string]string{"go.mod": "module example.com/a\n\ngo 1.24\n", "a.go": "package main\n\nimport \"fmt\n"}, "", "example.com/a"},
		"two packages":          {map[string]string{"go.mod": "module example.com/a\n\ngo 1.24\n", "a.go": hello, "b.go": "package b\n"}, "", "example.com/a"},
		"no such package of Go": {map[string]string{"go.mod": "module example.com/a\n\ngo 1.24\n", "a.go": "package main\n\nimport _ \"nosuchstd/x\"\n\nfunc main() {}\n"}, "", "nosuchstd/x"},
		"vendor lacks one": {map[string]string{
			"go.mod": "module example.com/a\n\ngo 1.24\n\nrequire example.com/b v1.1.0\n", "a.go": hello, "vendor/modules.txt": "# example.com/c v1.0.0\n## explicit\nexample.com/c\n"}, "inconsistent vendoring", ""},
		"an unknown import":   {map[string]string{"go.mod": "module example.com/a\n\ngo 1.24\n", "a.go": "package main\n\nimport _ \"example.com/nowhere\"\n\nfunc main() {}\n"}, "", "example.com/nowhere"},
		"a missing module":    {map[string]string{"go.mod": "module example.com/a\n\ngo 1.24\n\nrequire (\n\texample.com/b v1.0.0\n\texample.com/c v1.0.0 // indirect\n)\n", "a.go": "package main\n\nimport _ \"example.com/b\"\n\nfunc main() {}\n"}, "", "example.com/b"},
		"cyclic replacements": {map[string]string{"go.mod": "module example.com/a\n\ngo 1.24\n\nrequire example.com/b v1.0.0\n\nreplace example.com/b => example.com/c v1.0.0\n\nreplace example.com/c => example.com/b v1.0.0\n", "a.go": "package main\n\nimport _ \"example.com/b\"\n\nfunc main() {}\n"}, "", "example.com"},
		"a replaced itself":   {map[string]string{"go.mod": "module example.com/a\n\ngo 1.24\n\nrequire example.com/b v1.0.0\n\nreplace example.com/b => ./\n", "a.go": "package main\n\nimport _ \"example.com/b\"\n\nfunc main() {}\n"}, "", ""},
		"vendor disagrees": {map[string]string{
			"go.mod": "module example.com/a\n\ngo 1.24\n\nrequire example.com/b v1.1.0\n", "a.go": "package main\n\nimport _ \"example.com/b\"\n\nfunc main() {}\n",
			"vendor/modules.txt": "# example.com/b v1.0.0\n## explicit\nexample.com/b\n", "vendor/example.com/b/b.go": "package b\n"}, "inconsistent vendoring", ""},
		"vendor broken": {map[string]string{
			"go.mod": "module example.com/a\n\ngo 1.24\n", "a.go": hello, "vendor/modules.txt": "# a b c d\n"}, "vendor/modules.txt:1", ""},
		"an import cycle": {map[string]string{"go.mod": "module example.com/a\n\ngo 1.24\n", "a.go": "package main\n\nimport _ \"example.com/a/b\"\n\nfunc main() {}\n",
			"b/b.go": "package b\n\nimport _ \"example.com/a/c\"\n", "c/c.go": "package c\n\nimport _ \"example.com/a/b\"\n"}, "", ""},
	} {
		for _, command := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				dir := tree1(t, c.files)
				t.Setenv("GOWORK", "off")
				if !command {
					t.Setenv("PATH", t.TempDir())
				}
				b, err := ReadDirectory(context.Background(), dir, Options{ModCache: t.TempDir()})
				if c.want != "" {
					if err == nil || !strings.Contains(err.Error(), c.want) {
						t.Fatalf("expected an error about %q, found %v", c.want, err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if c.gap != "" && !strings.Contains(strings.Join(b.Gaps, "\n"), c.gap) {
					t.Errorf("expected a gap about %q, found %q", c.gap, b.Gaps)
				}
				if command && c.gap != "" && b.Main.EdgesUnknown == "" {
					t.Error("the go command could not load it, and its dependencies are said to be complete")
				}
				if strings.Contains(strings.Join(b.Gaps, "\n"), dir) {
					t.Errorf("a path of this machine is in %q", b.Gaps)
				}
			})
		}
	}
}

// TestIgnore: folders that go.mod tells the go command to ignore.
func TestIgnore(t *testing.T) {
	dir := tree1(t, map[string]string{
		"go.mod": "module example.com/a\n\ngo 1.25\n\nignore (\n\t./skip\n\tnode_modules\n)\n", "a.go": hello,
		"skip/a.go": hello, "x/node_modules/y/a.go": hello, "x/skip/a.go": hello,
	})
	t.Setenv("GOWORK", "off")
	var programs []int
	for range 2 {
		b, err := ReadDirectory(context.Background(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, len(b.Programs))
		t.Setenv("PATH", t.TempDir())
	}
	if programs[0] != 2 || programs[1] != 2 {
		t.Errorf("expected two programs with the go command and without, found %v", programs)
	}
}

// TestMissingModule: it is listed, what it may bring is listed too, and nothing is
// said to be complete.
func TestMissingModule(t *testing.T) {
	dir := tree1(t, map[string]string{
		"go.mod": "module example.com/a\n\ngo 1.24\n\nrequire (\n\texample.com/b v1.0.0\n\texample.com/c v1.0.0 // indirect\n)\n",
		"a.go":   "package main\n\nimport _ \"example.com/b/pkg\"\n\nfunc main() {}\n",
	})
	b, err := ReadDirectory(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Modules) != 3 || b.Modules[0].Key() != "example.com/b@v1.0.0" || b.Modules[0].EdgesUnknown == "" || b.Modules[0].Unseen {
		t.Errorf("found %+v", b.Modules)
	}
	if c := b.Modules[1]; c.Key() != "example.com/c@v1.0.0" || !c.Unseen || c.EdgesUnknown == "" {
		t.Errorf("found %+v", c)
	}
}

// TestBadBinaries: cut off, made up, or huge.
func TestBadBinaries(t *testing.T) {
	dir := tree1(t, map[string]string{"go.mod": "module example.com/a\n\ngo 1.24\n", "a.go": hello})
	for _, goos := range []string{"linux", "darwin", "windows"} {
		out := filepath.Join(dir, "a-"+goos)
		build := exec.Command("go", "build", "-buildvcs=false", "-o", out, ".")
		build.Dir = dir
		build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOOS="+goos, "GOARCH=amd64")
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		read := func(data []byte) (*Build, error) {
			return ReadBinary(context.Background(), bytes.NewReader(data), Options{})
		}
		if b, err := read(data); err != nil || b.Main.Path != "example.com/a" || b.Native.Unknown != "" {
			t.Fatalf("%s: %+v, %v", goos, b, err)
		}
		for n := 1; n < len(data); n = n*3/2 + 1 { // cut off anywhere: no crash, and no build without a name
			if b, err := read(data[:n]); err == nil && b.Main.Path == "" || err != nil && !errors.Is(err, ErrNotGo) {
				t.Errorf("%s: cut off after %d bytes: %+v, %v", goos, n, b, err)
			}
		}
		at := bytes.Index(data, []byte("\xff Go buildinf:"))
		for _, length := range []string{"\xff\xff\xff\xff\x0f", "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\x00"} {
			lying := bytes.Clone(data)
			copy(lying[at+32:], length) // the length of the version text
			if b, err := read(lying); err == nil && b.Main.Path == "" || err != nil && !errors.Is(err, ErrNotGo) {
				t.Errorf("%s: a length that lies: %+v, %v", goos, b, err)
			}
		}
	}
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, []byte("\x7fELF\x02\x01\x01"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 2<<30); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	f, err := os.Open(huge)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if b, err := ReadBinary(context.Background(), f, Options{}); !errors.Is(err, ErrNotGo) {
		t.Errorf("found %+v, %v", b, err)
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<20 {
		t.Errorf("%d bytes were allocated for a file of zeros", after.TotalAlloc-before.TotalAlloc)
	}
}

func TestLinkerVersion(t *testing.T) {
	for flags, want := range map[string]string{
		"-X main.version=v1.2.3": "v1.2.3", "-s -w -X main.version=1.2.3": "v1.2.3", `-X "main.Version=1.2.3"`: "v1.2.3",
		"-X=main.version=1.2": "v1.2", "-X 'main.Version=v2.0.0-rc1'": "v2.0.0-rc1", "-X example.com/a/internal/v.Version=v2.0.0": "", "-X example.com/a/cmd/x.version=1.0.0": "",
		"-X=main.version=1.2.3 -X main.version=1.2.9": "v1.2.9", "-X main.version=1.2.3 -X main.version=dev": "",
		"-X example.com/a/v.version=1.0.0 -X main.version=2.0.0": "v2.0.0",
		"-X other.com/lib.Version=v9.9.9":                        "", "-X main.version=dev": "", "-X main.commit=1.2.3": "", "-X main.version": "", "-X": "", "": "",
		"-X main.version=$(rm)": "", "-X main.version=2024.1.1-1": "v2024.1.1-1", "-X main.version=2024.01.02": "2024.01.02",
	} {
		b := &Build{Main: Module{Path: "example.com/a"}, Package: "example.com/a/cmd/x", Settings: []Setting{{"-ldflags", flags}}}
		if _, got := b.linkerVersion(); got != want {
			t.Errorf("%q: expected %q, found %q", flags, want, got)
		}
	}
}

func FuzzNative(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Add([]byte("MZ\x90\x00"))
	f.Add([]byte("\xcf\xfa\xed\xfe"))
	f.Fuzz(func(_ *testing.T, data []byte) { readNative(bytes.NewReader(data)) })
}

func FuzzVendor(f *testing.F) {
	f.Add("# example.com/b v1.0.0 => ./b\n## explicit; go 1.24\nexample.com/b/pkg\n# example.com/c => example.com/d v1.0.0\n")
	f.Fuzz(func(t *testing.T, text string) {
		v := &vendored{dir: "vendor"}
		if v.parse(strings.NewReader(text)) != nil {
			return
		}
		for m := range v.modules {
			if folder := v.folder(Module{Path: m.Path, Version: m.Version}); folder != "" && !strings.HasPrefix(folder, "vendor"+string(filepath.Separator)) {
				t.Errorf("%v lies in %q", m, folder)
			}
		}
	})
}

func FuzzZip(f *testing.F) {
	var small bytes.Buffer
	w := zip.NewWriter(&small)
	if in, err := w.Create("example.com/a@v1.0.0/LICENSE"); err == nil {
		in.Write([]byte("MIT"))
	}
	w.Close()
	f.Add(small.Bytes())
	f.Fuzz(func(_ *testing.T, data []byte) {
		r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		zipSum(r)
		zipTexts(r, "example.com/a@v1.0.0/")
	})
}

func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"ImportPath": "a", "Name": "main", "Module": {"Path": "m", "Main": true, "Replace": {"Path": "./x"}}}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		packages, err := parseListing(data)
		if err != nil {
			return
		}
		l := newListing(packages)
		for i := range packages {
			if m := packages[i].Module; m != nil && m.Main {
				l.build(m.Path, "")
			}
		}
	})
}

func FuzzLinkerVersion(f *testing.F) {
	f.Add(`-s -X "main.version=1.2.3"`)
	f.Fuzz(func(_ *testing.T, flags string) {
		b := &Build{Main: Module{Path: "example.com/a"}, Settings: []Setting{{"-ldflags", flags}}}
		b.resolveVersion()
	})
}

// FuzzGoMod reads a module without the go command: go.mod and a source.
func FuzzGoMod(f *testing.F) {
	f.Add("module example.com/a\n\ngo 1.16\n\nrequire example.com/b v1.0.0\n\nreplace example.com/b => ./b\n", "package main\n\nimport _ \"example.com/b\"\n\nfunc main() {}\n")
	f.Fuzz(func(t *testing.T, mod, source string) {
		dir := t.TempDir()
		for name, text := range map[string]string{"go.mod": mod, "a.go": source, "b/b.go": "package b\n"} {
			path := filepath.Join(dir, name)
			if os.MkdirAll(filepath.Dir(path), 0o755) != nil || os.WriteFile(path, []byte(text), 0o644) != nil {
				t.Skip()
			}
		}
		tree, err := openModule(dir)
		if err != nil {
			return
		}
		packages, _, err := tree.fromSources(environment{GOOS: "linux", GOARCH: "amd64"}, Options{ModCache: dir}, "fuzzing")
		if err != nil {
			return
		}
		newListing(packages).build(tree.targets[0].path, "")
	})
}

// TestFolderSum: an unchanged copy of a module has go.sum's digest.
func TestFolderSum(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}} {{.Version}} {{.Sum}}", "golang.org/x/sync").Output()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(out))
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(fields[0])); err != nil {
		t.Fatal(err)
	}
	v := module.Version{Path: "golang.org/x/sync", Version: fields[1]}
	if got := folderSum(dir, v); len(fields) == 3 && got != fields[2] {
		t.Errorf("expected %s, found %s", fields[2], got)
	}
	if err := os.WriteFile(filepath.Join(dir, "new.go"), []byte("package sync\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := folderSum(dir, v); got == "" || got == fields[len(fields)-1] {
		t.Errorf("after a change: %s", got)
	}
}
