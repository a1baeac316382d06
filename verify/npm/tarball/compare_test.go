package tarball

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// testPackage has of each kind of file one.
var testPackage = []item{
	{name: manifestP, body: `{"name":"a","version":"1.0.0","bin":"cli.js","directories":{"bin":"commands"},"exports":{"a":1,"b":2},"config":{"a":1,"b":2}}`},
	{name: "package/cli.js", body: "#!/usr/bin/env node\r\nrun()\r\n"},
	{name: "package/other.js", body: "#!/usr/bin/env node\r\nrun()\r\n"},
	{name: "package/commands/c", body: "#!/bin/sh\n"},
	{name: "package/index.js", body: "module"},
	{name: "package/tool", body: "tool", mode: 0o755},
	{name: "package/.gitignore", body: "ignored"},
	{name: "package/sub/.gitignore", body: "one"},
	{name: "package/sub/.npmignore", body: "two"},
	{name: "package/node_modules/b/index.js", body: "bundled"},
	{name: "package/node_modules/@s/c/index.js", body: "bundled"},
}

const npm6 = `{
  "_from": "a@1.0.0",
  "_id": "a@1.0.0",
  "bin": "cli.js",
  "config": {"b": 2, "a": 1},
  "directories": {"bin": "commands"},
  "exports": {"a": 1, "b": 2},
  "name": "a",
  "version": "1.0.0"
}
`

func TestCompare(t *testing.T) {
	c, err := read(pack(testPackage...))
	if err != nil {
		t.Fatal(err)
	}
	file := func(body string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(body), Mode: 0o644} }
	program := func(body string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(body), Mode: 0o755} }
	link := &fstest.MapFile{Data: []byte("index.js"), Mode: fs.ModeSymlink | 0o777}
	for name, test := range map[string]struct {
		change map[string]*fstest.MapFile // nil: removed
		want   string
	}{
		"as npm extracts": {nil, ""},
		"as linked": {map[string]*fstest.MapFile{
			"cli.js":     program("#!/usr/bin/env node\nrun()\r\n"),
			"commands/c": program("#!/bin/sh\n"),
		}, ""},
		"as npm 6 has it":         {map[string]*fstest.MapFile{manifestName: file(npm6)}, ""},
		"manifest written anew":   {map[string]*fstest.MapFile{manifestName: file(strings.ReplaceAll(npm6, "\n", ""))}, ""},
		"manifest with a script":  {map[string]*fstest.MapFile{manifestName: file(strings.Replace(npm6, `"name"`, `"main": "evil.js", "name"`, 1))}, "changed package.json"},
		"manifest lacks a member": {map[string]*fstest.MapFile{manifestName: file(strings.Replace(npm6, `"bin": "cli.js",`, "", 1))}, "changed package.json"},
		"exports in other order":  {map[string]*fstest.MapFile{manifestName: file(strings.Replace(npm6, `{"a": 1, "b": 2}`, `{"b": 2, "a": 1}`, 1))}, "changed package.json"},
		"manifest with a name twice": {map[string]*fstest.MapFile{
			manifestName: file(strings.Replace(npm6, `"name"`, `"name": "b", "name"`, 1)),
		}, "changed package.json"},
		"manifest and more":       {map[string]*fstest.MapFile{manifestName: file(npm6 + "{}")}, "changed package.json"},
		"manifest is no JSON":     {map[string]*fstest.MapFile{manifestName: file("module")}, "changed package.json"},
		"manifest is gone":        {map[string]*fstest.MapFile{manifestName: nil}, "removed package.json"},
		"changed":                 {map[string]*fstest.MapFile{"index.js": file("Module")}, "changed index.js"},
		"longer":                  {map[string]*fstest.MapFile{"index.js": file("module ")}, "changed index.js"},
		"shorter":                 {map[string]*fstest.MapFile{"index.js": file("modul")}, "changed index.js"},
		"emptied":                 {map[string]*fstest.MapFile{"index.js": file("")}, "changed index.js"},
		"added":                   {map[string]*fstest.MapFile{"sub/evil.js": file("evil"), "build/x.node": file("")}, "added build/x.node, added sub/evil.js"},
		"removed":                 {map[string]*fstest.MapFile{"index.js": nil}, "removed index.js"},
		"a folder in its place":   {map[string]*fstest.MapFile{"index.js": nil, "index.js/index.js": file("evil")}, "removed index.js, added index.js/index.js"},
		"executable":              {map[string]*fstest.MapFile{"index.js": program("module")}, "mode index.js"},
		"executable and changed":  {map[string]*fstest.MapFile{"index.js": program("Module")}, "changed index.js, mode index.js"},
		"no longer executable":    {map[string]*fstest.MapFile{"tool": file("tool")}, ""},
		"first line of no bin":    {map[string]*fstest.MapFile{"other.js": file("#!/usr/bin/env node\nrun()\r\n")}, "changed other.js"},
		"all lines of a bin":      {map[string]*fstest.MapFile{"cli.js": file("#!/usr/bin/env node\nrun()\n")}, "changed cli.js"},
		"other bin of that size":  {map[string]*fstest.MapFile{"cli.js": file("#!/usr/bin/env node\nRun()\r\n")}, "changed cli.js"},
		"symbolic link":           {map[string]*fstest.MapFile{"evil.js": link}, "added evil.js"},
		"link in a file's place":  {map[string]*fstest.MapFile{"tool": link}, "added tool, removed tool"},
		"pipe":                    {map[string]*fstest.MapFile{"p": {Mode: fs.ModeNamedPipe}}, "added p"},
		"kept .gitignore":         {map[string]*fstest.MapFile{".npmignore": nil, ".gitignore": file("ignored")}, ""},
		".gitignore twice":        {map[string]*fstest.MapFile{".gitignore": file("ignored")}, "added .npmignore"},
		"other .npmignore":        {map[string]*fstest.MapFile{".npmignore": file("another")}, "changed .npmignore"},
		"no .npmignore":           {map[string]*fstest.MapFile{".npmignore": nil}, "removed .gitignore"},
		"no .npmignore below":     {map[string]*fstest.MapFile{"sub/.npmignore": nil}, "removed sub/.npmignore"},
		"one for the other":       {map[string]*fstest.MapFile{"sub/.npmignore": file("one")}, "changed sub/.npmignore"},
		"another package":         {map[string]*fstest.MapFile{"node_modules/d/index.js": file("d"), "node_modules/@s/d/x": file("d"), "node_modules/.bin/x": link}, ""},
		"another package, linked": {map[string]*fstest.MapFile{"node_modules/d": link, "node_modules/@s/d": link}, ""},
		"a linked scope":          {map[string]*fstest.MapFile{"node_modules/@t": link}, "added node_modules/@t"},
		"a file in node_modules":  {map[string]*fstest.MapFile{"node_modules/evil.js": file("d")}, "added node_modules/evil.js"},
		"deeper node_modules":     {map[string]*fstest.MapFile{"sub/node_modules/d/index.js": file("d")}, "added sub/node_modules/d/index.js"},
		"bundled, changed":        {map[string]*fstest.MapFile{"node_modules/b/index.js": file("Bundled")}, "changed node_modules/b/index.js"},
		"bundled, added":          {map[string]*fstest.MapFile{"node_modules/@s/c/evil.js": file("evil")}, "added node_modules/@s/c/evil.js"},
		"bundled, removed":        {map[string]*fstest.MapFile{"node_modules/b/index.js": nil}, "removed node_modules/b/index.js"},
		"bundled, linked":         {map[string]*fstest.MapFile{"node_modules/b/index.js": nil, "node_modules/b": link}, "added node_modules/b, removed node_modules/b/index.js"},
		"bundled has another":     {map[string]*fstest.MapFile{"node_modules/b/node_modules/e/x": file("e")}, ""},
		"bundled, executable":     {map[string]*fstest.MapFile{"node_modules/b/index.js": program("bundled")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fstest.MapFS{}
			for _, it := range testPackage {
				name := strings.TrimPrefix(it.name, "package/")
				switch name {
				case ".gitignore":
					name = ".npmignore"
				case "sub/.gitignore":
					continue
				}
				mode := fs.FileMode(0o644)
				if it.mode != 0 {
					mode = fs.FileMode(it.mode)
				}
				dir[name] = &fstest.MapFile{Data: []byte(it.body), Mode: mode}
			}
			for name, f := range test.change {
				if dir[name] = f; f == nil {
					delete(dir, name)
				}
			}
			got, err := c.Compare(context.Background(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if said := say(got); said != test.want {
				t.Errorf("got %q; expected %q", said, test.want)
			}
		})
	}
}

func say(list []Difference) string {
	var words []string
	for _, d := range list {
		words = append(words, d.Kind+" "+d.Path)
	}
	return strings.Join(words, ", ")
}

// TestCompareError: what cannot be read is not the same.
func TestCompareError(t *testing.T) {
	c, err := read(pack(testPackage...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Compare(context.Background(), os.DirFS(filepath.Join(t.TempDir(), "none"))); !errors.Is(err, fs.ErrNotExist) {
		t.Error("no folder:", err)
	}
	if _, err := new(Contents).Compare(context.Background(), fstest.MapFS{}); err == nil {
		t.Error("no contents: expected an error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Compare(ctx, fstest.MapFS{}); !errors.Is(err, context.Canceled) {
		t.Error("cancelled:", err)
	}
	got, err := c.Compare(context.Background(), fstest.MapFS{"x": {Mode: fs.ModeDir}})
	if err != nil || len(got) != len(c.Files)-1 {
		t.Errorf("an empty folder: %d differences of %d, %v", len(got), len(c.Files), err)
	}
}

// TestNPM compares what npm packs with what npm installs of it.
func TestNPM(t *testing.T) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not here:", err)
	}
	dir := t.TempDir()
	write := func(name, body string, mode fs.FileMode) {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(body), mode); err != nil {
			t.Fatal(err)
		}
	}
	run := func(in string, args ...string) {
		cmd := exec.Command(npm, args...)
		cmd.Dir = filepath.Join(dir, in)
		cmd.Env = append(os.Environ(), "npm_config_cache="+filepath.Join(dir, "cache"), "npm_config_offline=true", "npm_config_audit=false", "npm_config_fund=false", "npm_config_update_notifier=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("npm %v: %v\n%s", args, err, out)
		}
	}
	write("a/package.json", `{"name":"@scope/a","version":"1.2.3","bin":{"a":"cli.js"},"repository":{"type":"git","url":"git+ssh://example.org/a.git"},"bundleDependencies":["b"],"dependencies":{"b":"1.0.0"},"scripts":{"prepare":"node -v"}}`, 0o644)
	write("a/cli.js", "#!/usr/bin/env node\r\nconsole.log(1)\r\n", 0o644)
	write("a/lib/"+strings.Repeat("a-long-folder-name/", 12)+"größe.js", "x", 0o644)
	write("a/.npmignore", "tmp\n", 0o644)
	write("a/tool.sh", "#!/bin/sh\n", 0o755)
	write("a/node_modules/b/package.json", `{"name":"b","version":"1.0.0","bin":"b.js"}`, 0o644)
	write("a/node_modules/b/b.js", "#!/usr/bin/env node\r\n", 0o644)
	write("p/package.json", `{"name":"p","version":"1.0.0","private":true}`, 0o644)
	run("a", "pack", "--ignore-scripts")
	tgz := filepath.Join(dir, "a", "scope-a-1.2.3.tgz")
	run("p", "install", "--ignore-scripts", tgz)
	f, err := os.Open(tgz)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := Read(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	if c.Manifest.Name != "@scope/a" || c.Manifest.Version != "1.2.3" || c.Manifest.Repository == "" || len(c.Files) < 6 {
		t.Errorf("got %+v", c)
	}
	folder := filepath.Join(dir, "p", "node_modules", "@scope", "a")
	script, err := os.ReadFile(filepath.Join(folder, "cli.js"))
	if err != nil || strings.HasPrefix(string(script), "#!/usr/bin/env node\r") {
		t.Errorf("npm has left the first line as it is: %q, %v", script, err)
	}
	compare := func() string {
		got, err := c.Compare(context.Background(), os.DirFS(folder))
		if err != nil {
			t.Fatal(err)
		}
		return say(got)
	}
	if got := compare(); got != "" {
		t.Errorf("after npm install: %s", got)
	}
	write("p/node_modules/@scope/a/tool.sh", "#!/bin/zh\n", 0o755)
	write("p/node_modules/@scope/a/lib/new.js", "x", 0o644)
	if err := os.Symlink("tool.sh", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, "node_modules", "b", "b.js")); err != nil {
		t.Fatal(err)
	}
	want := []string{"added lib/new.js", "added link", "changed tool.sh", "removed node_modules/b/b.js"}
	got := strings.Split(compare(), ", ")
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("after changes: %q; expected %q", got, want)
	}
}

func BenchmarkCompare(b *testing.B) {
	items := []item{manifestItem}
	dir := fstest.MapFS{manifestName: {Data: []byte(plainJSON)}}
	for i := range 500 {
		body := strings.Repeat(fmt.Sprint("line ", i, "\n"), 1000)
		items = append(items, item{name: fmt.Sprintf("package/lib/%d.js", i), body: body})
		dir[fmt.Sprintf("lib/%d.js", i)] = &fstest.MapFile{Data: []byte(body)}
	}
	c, err := read(pack(items...))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if list, err := c.Compare(context.Background(), dir); err != nil || len(list) > 0 {
			b.Fatal(list, err)
		}
	}
}
