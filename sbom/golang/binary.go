package golang

import (
	"cmp"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"maps"
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
	b.Modules = distinct(b.Modules)
	b.connect(modCache)
	return b, nil
}

// distinct sorts modules and drops what is linked under two names.
func distinct(modules []Module) []Module {
	slices.SortFunc(modules, func(a, b Module) int {
		return cmp.Or(strings.Compare(a.Key(), b.Key()), strings.Compare(a.Required, b.Required))
	})
	return slices.CompactFunc(modules, func(a, b Module) bool { return a.Key() == b.Key() })
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
	if release == "" || release[0] < '0' || release[0] > '9' || strings.Contains(release, "devel") {
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

// Why a binary's edges are not, or not all, known.
const (
	noModFile   = "its go.mod is not in the module cache"
	noRequires  = "its go.mod requires nothing, as one does that was made for a module without"
	localModule = "a folder replaces it, and its go.mod is not in the binary"
	noModCache  = "no module cache was read"
	fromModFile = "they are what its go.mod requires directly; what of that is linked, a binary does not say"
	mainUnknown = "a binary does not say which modules the main module requires itself; the ones listed are those that nothing else is known to lead to"
)

// connect finds edges in the module cache: a module depends on the linked
// modules that its go.mod requires directly.
func (b *Build) connect(modCache string) {
	linked := map[string]string{b.Main.Path: b.Main.Key()} // required path -> key
	for _, m := range b.Modules {
		if m.Required != "" {
			linked[m.Required] = m.Key() // required under this path, whatever is linked for it
		} else {
			linked[m.Path] = m.Key()
		}
	}
	why := map[string]int{}
	for i := range b.Modules {
		m := &b.Modules[i]
		if m.Path == Std {
			continue
		}
		m.Edges, m.EdgesUnknown = requirements(*m, modCache, linked)
		m.EdgesPartial = m.EdgesUnknown == fromModFile
		if !m.EdgesPartial {
			why[m.EdgesUnknown]++
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(why)) {
		b.Gaps = append(b.Gaps, fmt.Sprintf("the dependencies of %d of %d modules: %s", why[reason], len(b.Modules)-1, reason))
	}
	var reason string
	b.Main.Edges, reason = requirements(b.Main, modCache, linked)
	b.Main.EdgesUnknown, b.Main.EdgesPartial = mainUnknown, true
	if reason == fromModFile {
		b.Main.EdgesUnknown = fromModFile
	} else {
		b.Gaps = append(b.Gaps, mainUnknown)
	}
	// Whatever nothing known leads to, the main module must lead to.
	b.Main.Edges = append(b.Main.Edges, b.unreached(b.Main.Edges)...)
	b.Main.Edges = append(b.Main.Edges, Std)
	slices.Sort(b.Main.Edges)
	b.Main.Edges = slices.Compact(b.Main.Edges)
}

// unreached returns modules from which all those can be reached that the given
// ones do not lead to: those that nothing unreached leads to, and the first of
// each ring of modules that only lead to each other.
func (b *Build) unreached(from []string) []string {
	edges := map[string][]string{}
	for _, m := range b.Modules {
		edges[m.Key()] = m.Edges
	}
	reach := func(seen map[string]bool, start ...string) map[string]bool {
		for todo := start; len(todo) > 0; {
			key := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if !seen[key] {
				seen[key] = true
				todo = append(todo, edges[key]...)
			}
		}
		return seen
	}
	reached := reach(map[string]bool{Std: true, b.Main.Key(): true}, slices.Clone(from)...)
	leadsTo := map[string]map[string]bool{}
	var left []string
	for _, m := range b.Modules {
		if key := m.Key(); !reached[key] {
			left = append(left, key)
			leadsTo[key] = reach(map[string]bool{}, key)
		}
	}
	var sources []string
	for _, key := range left {
		above := slices.ContainsFunc(left, func(other string) bool { return leadsTo[other][key] && !leadsTo[key][other] })
		sameRing := slices.ContainsFunc(sources, func(other string) bool { return leadsTo[other][key] })
		if !above && !sameRing {
			sources = append(sources, key)
		}
	}
	return sources
}

// requirements reads a module's go.mod in the cache. unknown is never empty: a
// go.mod says what is required, not what of it is linked.
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
	if len(f.Require) == 0 && (f.Go == nil || strings.HasSuffix(m.Version, "+incompatible")) {
		return nil, noRequires // the go command made it up
	}
	for _, r := range f.Require {
		to, ok := linked[r.Mod.Path]
		if ok && !r.Indirect && to != m.Key() {
			edges = append(edges, to)
		}
	}
	edges = append(edges, Std)
	slices.Sort(edges)
	return slices.Compact(edges), fromModFile
}
