package golang

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// ErrNotGo reports a file that is not a Go binary with build information.
var ErrNotGo = errors.New("not a Go binary with build information")

// ReadBinary reads a Go binary's build information. modCache is the module cache
// to take edges from; with "" there are none. A file that is not a Go binary
// gives [ErrNotGo].
func ReadBinary(r io.ReaderAt, modCache string) (build *Build, err error) {
	defer func() {
		// debug/buildinfo reads formats that an attacker may have made up.
		if p := recover(); p != nil {
			build, err = nil, fmt.Errorf("reading Go binary: %w (the reader crashed: %v)", ErrNotGo, p)
		}
	}()
	info, err := buildinfo.Read(r)
	if err != nil {
		return nil, fmt.Errorf("reading Go binary: %w (%w)", ErrNotGo, err)
	}
	if info.Main.Path == "" && info.Path == "" {
		return nil, fmt.Errorf("reading Go binary: %w (it names no module)", ErrNotGo)
	}
	b := &Build{Package: info.Path, GoVersion: releaseOf(info.GoVersion)}
	for _, s := range info.Settings {
		b.Settings = append(b.Settings, Setting{s.Key, s.Value})
	}
	slices.SortFunc(b.Settings, func(a, c Setting) int { return strings.Compare(a.Key, c.Key) })
	b.Main = Module{Path: info.Main.Path, Version: known(info.Main.Version), Sum: info.Main.Sum}
	if b.Main.Path == "" { // built outside any module: go build file.go
		b.Main.Path = info.Path
	}
	for _, d := range info.Deps {
		m := Module{Path: d.Path, Version: known(d.Version), Sum: d.Sum}
		if d.Replace != nil {
			m = replaced(m, d.Replace.Path, d.Replace.Version, d.Replace.Sum)
		}
		b.Modules = append(b.Modules, m)
	}
	b.Modules = append(b.Modules, Module{Path: Std, Version: b.GoVersion})
	slices.SortFunc(b.Modules, func(a, c Module) int { return strings.Compare(a.Path, c.Path) })
	b.connect(modCache)
	return b, nil
}

// known drops "(devel)", which is no version.
func known(version string) string {
	if version == "(devel)" {
		return ""
	}
	return version
}

// releaseOf turns "go1.26.8 X:nocoverageredesign" into "1.26.8", and a
// development version into "".
func releaseOf(goVersion string) string {
	release, _, _ := strings.Cut(strings.TrimPrefix(goVersion, "go"), " ")
	if release == "" || release[0] < '0' || release[0] > '9' {
		return ""
	}
	return release
}

// replaced applies a replacement. One by a folder keeps the required identity:
// the folder's path says where it lay on one machine, and nothing else.
func replaced(m Module, path, version, sum string) Module {
	if version == "" || modfile.IsDirectoryPath(path) || filepath.IsAbs(path) {
		return Module{Path: m.Path, RequiredVersion: m.Version, Local: true}
	}
	return Module{Path: path, Version: version, Sum: sum, Required: m.Path, RequiredVersion: m.Version}
}

// unknownEdges is why a binary's edges are not all known.
const (
	noModFile   = "its go.mod is not in the module cache"
	localModule = "a folder replaces it, and its go.mod is not in the binary"
	mainUnknown = "a binary does not say which modules the main module requires itself; the ones listed are those that no other module is known to require"
	noModCache  = "no module cache was read"
)

// connect finds edges in the module cache: a module depends on the linked
// modules that its go.mod requires directly.
func (b *Build) connect(modCache string) {
	linked := map[string]string{} // required path -> linked path
	for _, m := range b.Modules {
		linked[m.Path] = m.Path
		if m.Required != "" {
			linked[m.Required] = m.Path
		}
	}
	required := map[string]bool{}
	gaps := 0
	for i := range b.Modules {
		m := &b.Modules[i]
		if m.Path == Std {
			continue
		}
		m.Edges, m.EdgesUnknown = requirements(*m, modCache, linked)
		for _, e := range m.Edges {
			required[e] = true
		}
		if m.EdgesUnknown != "" {
			gaps++
		}
	}
	if gaps > 0 {
		b.Gaps = append(b.Gaps, fmt.Sprintf("the dependencies of %d of %d modules are not known: their go.mod is not in the module cache", gaps, len(b.Modules)-1))
	}
	b.Main.Edges, b.Main.EdgesUnknown = requirements(b.Main, modCache, linked)
	if b.Main.EdgesUnknown != "" {
		b.Main.Edges, b.Main.EdgesUnknown = b.uncovered(required), mainUnknown
		b.Gaps = append(b.Gaps, mainUnknown)
	}
	if !slices.Contains(b.Main.Edges, Std) {
		b.Main.Edges = append(b.Main.Edges, Std)
		slices.Sort(b.Main.Edges)
	}
}

// uncovered returns the modules that nothing known requires, and one of each
// ring of modules that only require each other: the main module must reach them.
func (b *Build) uncovered(required map[string]bool) []string {
	edges := map[string][]string{}
	for _, m := range b.Modules {
		edges[m.Path] = m.Edges
	}
	reached := map[string]bool{}
	var reach func(path string)
	reach = func(path string) {
		if !reached[path] {
			reached[path] = true
			for _, e := range edges[path] {
				reach(e)
			}
		}
	}
	var direct []string
	for pass := range 2 {
		for _, m := range b.Modules {
			if m.Path != Std && !reached[m.Path] && (pass == 1 || !required[m.Path]) {
				direct = append(direct, m.Path)
				reach(m.Path)
			}
		}
	}
	return direct
}

// requirements reads a module's go.mod in the cache.
func requirements(m Module, modCache string, linked map[string]string) (edges []string, unknown string) {
	switch {
	case m.Local:
		return nil, localModule
	case modCache == "":
		return nil, noModCache
	case m.Version == "":
		return nil, noModFile
	}
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return nil, noModFile
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return nil, noModFile
	}
	data, err := os.ReadFile(filepath.Join(modCache, "cache", "download", filepath.FromSlash(path), "@v", version+".mod"))
	if err != nil {
		return nil, noModFile
	}
	f, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		return nil, "its go.mod in the module cache does not parse"
	}
	for _, r := range f.Require {
		to, ok := linked[r.Mod.Path]
		if ok && !r.Indirect && to != m.Path {
			edges = append(edges, to)
		}
	}
	edges = append(edges, Std)
	slices.Sort(edges)
	return slices.Compact(edges), ""
}
