package golang

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// Why a binary's edges are not, or not all, known.
const (
	noModFile       = "its go.mod is not in the module cache"
	noRequires      = "its go.mod requires nothing, as one does that was made for a module without"
	workspaceModule = "it is a module of the workspace, and its go.mod is not in the binary"
	localModule     = "a folder replaces it, and its go.mod is not in the binary"
	noModCache      = "no module cache was read"
	fromModFile     = "they are what its go.mod requires directly; what of that is linked, a binary does not say"
	mainUnknown     = "a binary does not say which modules the main module requires itself; the ones listed are those that nothing else is known to lead to"
)

// connect finds edges in the module cache: a module depends on the linked
// modules that its go.mod requires directly.
func (b *Build) connect(c cache) {
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
		m.Edges, m.EdgesUnknown = requirements(*m, c, linked)
		m.EdgesPartial = m.EdgesUnknown == fromModFile
		if !m.EdgesPartial {
			why[m.EdgesUnknown]++
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(why)) {
		b.Gaps = append(b.Gaps, fmt.Sprintf("the dependencies of %d of %d modules: %s", why[reason], len(b.Modules)-1, reason))
	}
	var reason string
	b.Main.Edges, reason = requirements(b.Main, c, linked)
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
func requirements(m Module, c cache, linked map[string]string) (edges []string, unknown string) {
	switch {
	case m.Local:
		return nil, localModule
	case m.Workspace:
		return nil, workspaceModule
	case c.modules == "":
		return nil, noModCache
	}
	name := c.file(m.Path, m.Version, ".mod")
	if name == "" {
		return nil, noModFile
	}
	data, err := os.ReadFile(name)
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
	slices.Sort(edges)
	return slices.Compact(edges), fromModFile
}
