package sbom_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll.example/sbom"
	"plimsoll.example/sbom/golang"
	"plimsoll.example/sbom/license"
)

// The tests in this file are named after mistakes that SBOM generators make. They
// read the workspace in testdata/golang/made, which .ci/corpus turns into a
// repository with tags (app/v1.2.3, lib/v0.4.0, v9.9.9) and binaries.

func made(t testing.TB, elems ...string) string {
	t.Helper()
	dir := os.Getenv("PLIMSOLL_CORPUS")
	if dir == "" {
		t.Skip("no workspace made for the purpose: PLIMSOLL_CORPUS is not set")
	}
	return filepath.Join(append([]string{dir}, elems...)...)
}

func goOptions(t testing.TB) sbom.Options {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return sbom.Options{Go: golang.Options{ModCache: strings.TrimSpace(string(out))}}
}

func component1(t testing.TB, d document, name string) component {
	t.Helper()
	var found []component
	for _, c := range d.all() {
		if c.Name == name {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		t.Fatalf("expected one component %q, found %d", name, len(found))
	}
	return found[0]
}

func names(d document) []string {
	var list []string
	for _, c := range d.Components {
		list = append(list, c.Name)
	}
	return list
}

// TestMistakeDirhashAsSHA256: go.sum's h1 is a property; the hashes are those of
// the zip, whose files have that h1.
func TestMistakeDirhashAsSHA256(t *testing.T) {
	o := goOptions(t)
	d := parse(t, generate(t, made(t, "made", "app"), o))
	checked := 0
	for _, c := range d.Components {
		h1 := c.property("plimsoll:gomod:h1")
		if len(h1) == 0 || len(c.Hashes) == 0 {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h1[0], "h1:"))
		if err != nil {
			t.Fatal(err)
		}
		zip, err := os.ReadFile(filepath.Join(o.Go.ModCache, "cache", "download", filepath.FromSlash(c.Name), "@v", c.Version+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(zip)
		if c.Hashes[0].Alg != "SHA-256" || c.Hashes[0].Content != hex.EncodeToString(sum[:]) || c.Hashes[0].Content == hex.EncodeToString(raw) {
			t.Errorf("%s: hashes %v", c.Name, c.Hashes)
		}
		checked++
	}
	if checked < 4 {
		t.Errorf("only %d modules have hashes", checked)
	}
}

// TestMistakeTagOfAnotherModule: the repository's v9.9.9 is not app's version.
func TestMistakeTagOfAnotherModule(t *testing.T) {
	data := generate(t, made(t, "made", "app"), goOptions(t))
	d := parse(t, data)
	if d.Metadata.Component.Version != "v1.2.3" || component1(t, d, "example.com/Made/lib").Version != "v0.4.0" || bytes.Contains(data, []byte("v9.9.9")) {
		t.Errorf("found %s and %s", d.Metadata.Component.Version, component1(t, d, "example.com/Made/lib").Version)
	}
}

// TestMistakeLocalReplace: a go.work with a folder in place of a module is read;
// the folder's path and "(devel)" are no names; what it stands in for is said.
func TestMistakeLocalReplace(t *testing.T) {
	for _, path := range []string{made(t, "made", "go.work"), made(t, "made", "app"), made(t, "binaries", "made-cgo")} {
		data := generate(t, path, goOptions(t))
		if bytes.Contains(data, []byte("./fork")) || bytes.Contains(data, []byte(`"version": "(devel)"`)) || bytes.Contains(data, []byte("@(devel)")) {
			t.Errorf("%s: the folder or (devel) is in the document", path)
		}
		c := component1(t, parse(t, data), "example.com/forked")
		if c.Version != "" || c.PURL != "pkg:golang/example.com/forked" || len(c.Pedigree.Ancestors) != 1 || c.Pedigree.Ancestors[0].PURL != "pkg:golang/example.com/forked@v1.0.0" {
			t.Errorf("%s: found %+v", path, c)
		}
		if h := c.property("plimsoll:gomod:local:h1"); strings.HasSuffix(path, "made-cgo") != (len(h) == 0) {
			t.Errorf("%s: digest of the folder: %v", path, h)
		}
	}
}

// TestMistakeVersionBeforeReplace: the version that is linked is listed.
func TestMistakeVersionBeforeReplace(t *testing.T) {
	for _, path := range []string{made(t, "made", "app"), made(t, "binaries", "made-cgo")} {
		c := component1(t, parse(t, generate(t, path, goOptions(t))), "rsc.io/sampler")
		if c.Version != "v1.99.99" || len(c.Pedigree.Ancestors) != 1 || c.Pedigree.Ancestors[0].Version != "v1.3.0" {
			t.Errorf("%s: found %+v", path, c)
		}
	}
}

// TestMistakeNotLinked: modules of tests, tools, other platforms, other programs
// and other tags are not listed.
func TestMistakeNotLinked(t *testing.T) {
	o := goOptions(t)
	o.Go.Main = []string{"./cmd/server"}
	server := names(parse(t, generate(t, made(t, "made", "app"), o)))
	for _, name := range []string{"rsc.io/pdf", "rsc.io/2fa", "golang.org/x/sys", "golang.org/x/sync", "rsc.io/qr"} {
		if slices.Contains(server, name) {
			t.Errorf("%s is listed", name)
		}
	}
	o.Go.GOOS, o.Go.Tags = "windows", []string{"extra"}
	windows := names(parse(t, generate(t, made(t, "made", "app"), o)))
	for _, name := range []string{"golang.org/x/sys", "rsc.io/qr"} {
		if !slices.Contains(windows, name) {
			t.Errorf("%s is not listed for windows with extra", name)
		}
	}
}

// TestMistakeStandardLibrary: it is there, with the toolchain's version and not
// the one that go.mod asks for, and the toolchain is a tool.
func TestMistakeStandardLibrary(t *testing.T) {
	out, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "go"), " ")
	for _, path := range []string{made(t, "made", "app"), made(t, "binaries", "made-tool")} {
		data := generate(t, path, goOptions(t))
		if c := component1(t, parse(t, data), "stdlib"); c.PURL != "pkg:golang/stdlib@"+want {
			t.Errorf("%s: found %s", path, c.PURL)
		}
		if !bytes.Contains(data, []byte(`"name": "go",`)) {
			t.Errorf("%s: the toolchain is no tool", path)
		}
	}
}

// TestMistakeRootName: the root is the module, wherever it lies, with the
// capitals and the v that it has; checkGraph holds that all is reached from it.
func TestMistakeRootName(t *testing.T) {
	data := generate(t, made(t, "made", "app"), goOptions(t))
	root := parse(t, data).Metadata.Component
	if root.Name != "example.com/Made/app" || root.PURL != "pkg:golang/example.com/Made/app@v1.2.3" {
		t.Errorf("found %+v", root)
	}
	checkGraph(t, data)
	binary := parse(t, generate(t, made(t, "binaries", "made-tool"), goOptions(t))).Metadata.Component
	if binary.Name != "example.com/Made/app" || binary.PURL != "pkg:golang/example.com/Made/app#cmd/tool" {
		t.Errorf("found %+v", binary)
	}
}

// TestMistakeArtifactDigest: the binary's own digests are its component's.
func TestMistakeArtifactDigest(t *testing.T) {
	path := made(t, "binaries", "made-tool")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	root := parse(t, generate(t, path, goOptions(t))).Metadata.Component
	if len(root.Hashes) != 2 || root.Hashes[0].Content != hex.EncodeToString(sum[:]) || root.Hashes[1].Alg != "SHA-512" {
		t.Errorf("found %v", root.Hashes)
	}
}

// TestMistakeVersionGuessed: what hides the version is said, -X tells it, and a
// flag sets it.
func TestMistakeVersionGuessed(t *testing.T) {
	hidden := parse(t, generate(t, made(t, "binaries", "made-tool"), goOptions(t))).Metadata.Component
	if why := hidden.property("plimsoll:version:unknown"); hidden.Version != "" || len(why) != 1 || !strings.Contains(why[0], "-trimpath hides") {
		t.Errorf("found %q, %v", hidden.Version, why)
	}
	told := parse(t, generate(t, made(t, "binaries", "made-darwin"), goOptions(t))).Metadata.Component
	if told.Version != "v7.8.9" || !slices.Equal(told.property("plimsoll:version:from"), []string{"-ldflags -X main.version"}) {
		t.Errorf("found %q, %v", told.Version, told.Properties)
	}
	o := goOptions(t)
	o.Version = "v3.0.0"
	if set := parse(t, generate(t, made(t, "binaries", "made-tool"), o)).Metadata.Component; set.PURL != "pkg:golang/example.com/Made/app@v3.0.0#cmd/tool" {
		t.Errorf("found %s", set.PURL)
	}
}

// TestMistakeOtherFolder: the same bytes from another folder, in another time
// zone, with another module cache folder, and no path of this machine in them.
func TestMistakeOtherFolder(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "else", "where")
	if err := os.CopyFS(elsewhere, os.DirFS(made(t, "made"))); err != nil {
		t.Fatal(err)
	}
	first := generate(t, made(t, "made", "app"), goOptions(t))
	zone := time.Local
	time.Local = time.FixedZone("elsewhere", -7*3600)
	defer func() { time.Local = zone }()
	second := generate(t, filepath.Join(elsewhere, "app"), goOptions(t))
	if !bytes.Equal(first, second) {
		t.Errorf("the bytes differ:\n%s\n%s", first, second)
	}
	if !bytes.Contains(first, []byte(`"timestamp": "2026-01-02T03:04:05Z"`)) {
		t.Error("the commit's time is not the document's")
	}
	for _, path := range []string{made(t), goOptions(t).Go.ModCache, os.TempDir() + "/"} {
		if bytes.Contains(first, []byte(path)) {
			t.Errorf("%s is in the document", path)
		}
	}
}

// TestMistakeColdCache: without module cache no licence, hash or edge is claimed,
// and each says why.
func TestMistakeColdCache(t *testing.T) {
	o := sbom.Options{Go: golang.Options{ModCache: t.TempDir()}}
	data := generate(t, made(t, "binaries", "made-cgo"), o)
	for _, c := range parse(t, data).Components {
		if !strings.HasPrefix(c.PURL, "pkg:golang/") || c.Name == "stdlib" {
			continue
		}
		if len(c.Hashes)+len(c.Licenses) > 0 || len(c.property("plimsoll:unknown:hash")) == 0 || len(c.property("plimsoll:unknown:license")) == 0 || len(c.property("plimsoll:dependencies:unknown")) == 0 {
			t.Errorf("found %+v", c)
		}
	}
	checkGraph(t, data)
}

// TestMistakeLicenses: expressions of the SPDX list only; go-digest's code is not
// under its documentation's licence.
func TestMistakeLicenses(t *testing.T) {
	o := goOptions(t)
	o.Go.SkipZips = true
	d := parse(t, generate(t, made(t, "binaries", "cosign"), o))
	known := 0
	for _, c := range d.Components {
		for _, l := range c.Licenses {
			known++
			if !license.IsExpression(l.Expression) {
				t.Errorf("%s: %q", c.Name, l.Expression)
			}
		}
	}
	if l := component1(t, d, "github.com/opencontainers/go-digest").Licenses; len(l) != 1 || l[0].Expression != "Apache-2.0" {
		t.Errorf("go-digest: %v", l)
	}
	if known < 240 {
		t.Errorf("only %d of %d components have a licence", known, len(d.Components))
	}
}

// TestMistakeCGo: C sources are components with hashes, the binary's shared
// libraries too, and the C compiler is a tool.
func TestMistakeCGo(t *testing.T) {
	c := component1(t, parse(t, generate(t, made(t, "made", "app"), goOptions(t))), "native/add.c")
	if c.PURL != "pkg:golang/example.com/Made/app@v1.2.3#native/add.c" || len(c.Hashes) != 2 {
		t.Errorf("found %+v", c)
	}
	data := generate(t, made(t, "binaries", "made-cgo"), goOptions(t))
	checkGraph(t, data)
	if !slices.Contains(names(parse(t, data)), "libc.so.6") || !bytes.Contains(data, []byte(`"name": "GCC"`)) {
		t.Errorf("the shared libraries or the compiler are missing: %v", names(parse(t, data)))
	}
	windows := names(parse(t, generate(t, made(t, "binaries", "made-windows.exe"), goOptions(t))))
	darwin := names(parse(t, generate(t, made(t, "binaries", "made-darwin"), goOptions(t))))
	if !slices.Contains(windows, "kernel32.dll") || !slices.ContainsFunc(darwin, func(s string) bool { return strings.Contains(s, "libSystem") }) {
		t.Errorf("windows %v, darwin %v", windows, darwin)
	}
}

// TestMistakeUnneededModule: a required module that is nowhere, and that nothing
// links, costs nothing but a word.
func TestMistakeUnneededModule(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.com/app\n\ngo 1.24\n\nrequire example.com/gone v1.0.0\n",
		"main.go": "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println() }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := parse(t, generate(t, dir, goOptions(t)))
	if got := names(d); !slices.Equal(got, []string{"stdlib"}) {
		t.Errorf("found %v", got)
	}
}

// TestMistakeChangedZip: a zip in the module cache that is not go.sum's gives
// neither hashes nor licences, also after what it told was kept.
func TestMistakeChangedZip(t *testing.T) {
	o := goOptions(t)
	cache := t.TempDir()
	at := filepath.Join("cache", "download", "rsc.io", "quote", "@v")
	if err := os.CopyFS(filepath.Join(cache, at), os.DirFS(filepath.Join(o.Go.ModCache, at))); err != nil {
		t.Fatal(err)
	}
	o.Go.ModCache, o.Go.Facts = cache, t.TempDir()
	quote := func() component {
		return component1(t, parse(t, generate(t, made(t, "binaries", "made-cgo"), o)), "rsc.io/quote")
	}
	if c := quote(); len(c.Hashes) != 2 || len(c.Licenses) != 1 {
		t.Fatalf("found %+v", c)
	}
	kept := 0
	if err := filepath.WalkDir(o.Go.Facts, func(_ string, e fs.DirEntry, err error) error {
		if !e.IsDir() {
			kept++
		}
		return err
	}); err != nil || kept != 1 {
		t.Errorf("expected one file of facts, found %d, %v", kept, err)
	}
	if again := quote(); len(again.Hashes) != 2 {
		t.Errorf("found %+v", again)
	}
	o.Go.SkipZips = true
	if skipped := quote(); len(skipped.Hashes) > 0 || len(skipped.Licenses) != 1 {
		t.Errorf("found %+v", skipped)
	}
	o.Go.SkipZips = false
	zip := filepath.Join(cache, at, "v1.5.2.zip")
	data, err := os.ReadFile(zip)
	if err != nil {
		t.Fatal(err)
	}
	for i := 64; i < len(data); i += len(data) / 7 {
		changed := slices.Clone(data)
		changed[i] ^= 1
		if err := os.Chmod(zip, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(zip, append(changed, 0), 0o644); err != nil {
			t.Fatal(err)
		}
		c := quote()
		if sum := sha256.Sum256(append(changed, 0)); len(c.Hashes) > 0 && c.Hashes[0].Content != hex.EncodeToString(sum[:]) {
			t.Errorf("byte %d changed: hashes of other bytes", i)
		} else if len(c.Hashes) > 0 {
			continue // the files are the same: a byte that no file has
		}
		if len(c.Licenses) > 0 || len(c.property("plimsoll:unknown:hash")) != 1 || !strings.Contains(c.property("plimsoll:unknown:hash")[0], "another") {
			t.Errorf("byte %d changed: found %+v", i, c)
		}
	}
}

// TestSeveral: one document, one root each, what is the same once.
func TestSeveral(t *testing.T) {
	paths := []string{made(t, "binaries", "made-tool"), made(t, "binaries", "made-cgo"), made(t, "binaries", "made-darwin")}
	data := generateAll(t, paths, goOptions(t))
	checkGraph(t, data)
	d := parse(t, data)
	if len(d.Metadata.Component.Components) != 3 {
		t.Errorf("expected three roots, found %d", len(d.Metadata.Component.Components))
	}
	component1(t, d, "stdlib")
	same := []string{paths[0], paths[0], paths[0], made(t, "made", "app"), made(t, "made", "go.work"), paths[1]}
	checkGraph(t, generateAll(t, same, goOptions(t)))
	if again := generateAll(t, paths, goOptions(t)); !bytes.Equal(data, again) {
		t.Error("the bytes differ")
	}
}

// TestSerial: derived by default, another each run if asked.
func TestSerial(t *testing.T) {
	path := lockfile(t, fixtures()["npm v3"])
	o := sbom.Options{RandomSerial: true}
	if a, b := generate(t, path, o), generate(t, path, o); parse(t, a).SerialNumber == parse(t, b).SerialNumber {
		t.Error("twice the same")
	}
	if _, err := sbom.Generate(context.Background(), []string{path}, sbom.Options{SpecVersion: "1.5"}); err == nil {
		t.Error("CycloneDX 1.5 was accepted")
	}
}

// TestMistakeDuplicateEdges, of a module that many packages import, and
// TestMistakeRandomRefs: checkGraph holds the first, and that a reference is a
// purl the second.
func TestMistakeDuplicateEdges(t *testing.T) {
	checkGraph(t, generate(t, made(t, "modules", "cosign"), goOptions(t)))
}

func TestMistakeRandomRefs(t *testing.T) {
	for _, c := range parse(t, generate(t, made(t, "made", "app"), goOptions(t))).all() {
		if c.BOMRef != c.PURL && !strings.Contains(c.BOMRef, "|native/add.c") {
			t.Errorf("the bom-ref %q is not the purl %q", c.BOMRef, c.PURL)
		}
	}
}

// TestMistakeGitAddress: an address that no URL has becomes one, or is left out.
func TestMistakeGitAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "package-lock.json")
	lock := `{"name":"r","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"r","version":"1.0.0","dependencies":{"a":"1"}},
		"node_modules/a":{"version":"1.0.0","resolved":"git+ssh://git@example.com:o/a.git#0123"}}}`
	if err := os.WriteFile(path, []byte(lock), 0o644); err != nil {
		t.Fatal(err)
	}
	if data := generate(t, path, sbom.Options{}); bytes.Contains(data, []byte("git@example.com:")) || !bytes.Contains(data, []byte("git+ssh://git@example.com/o/a.git#0123")) {
		t.Errorf("found %s", data)
	}
}

// TestVendoredCGo: files of a vendored module are named in the module, and a copy
// without all its files is not compared with the whole.
func TestVendoredCGo(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                        "module example.com/app\n\ngo 1.24\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ../dep\n",
		"main.go":                       "package main\n\nimport \"example.com/dep/c\"\n\nfunc main() { c.F() }\n",
		"vendor/modules.txt":            "# example.com/dep v1.0.0 => ../dep\n## explicit; go 1.24\nexample.com/dep/c\n# example.com/dep => ../dep\n",
		"vendor/example.com/dep/c/c.go": "package c\n\n// void f(void);\nimport \"C\"\n\nfunc F() { C.f() }\n",
		"vendor/example.com/dep/c/f.c":  "void f(void) {}\n",
		"vendor/example.com/dep/c/s.go": "package c\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CGO_ENABLED", "1")
	o := goOptions(t)
	for range 2 { // with the go command and without
		data := generate(t, dir, o)
		d := parse(t, data)
		if c := component1(t, d, "c/f.c"); len(c.Hashes) != 2 || bytes.Contains(data, []byte(dir)) {
			t.Errorf("found %s", data)
		}
		if c := component1(t, d, "example.com/dep"); len(c.property("plimsoll:gomod:local:h1")) > 0 || !strings.Contains(c.Pedigree.Notes, "not known") {
			t.Errorf("found %+v", c)
		}
		t.Setenv("PATH", t.TempDir())
	}
}
