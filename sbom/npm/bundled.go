package npm

import (
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
)

// bundleNames lists what a package's tarball holds by bundleDependencies: a list of
// names, or true for all its dependencies (package.json, "bundleDependencies").
func (item *lockItem) bundleNames() []string {
	var names []string
	if jsonv2.Unmarshal(item.BundleDependencies, &names) == nil {
		return names
	}
	if item.BundleDependencies.Kind() == 't' {
		return slices.Concat(sortedKeys(item.Dependencies), sortedKeys(item.OptionalDependencies))
	}
	return nil
}

// A bundler finds, for packages that are said to be bundled, the package above them
// whose tarball holds them. Without one, "inBundle" is a word in a lockfile: npm fetches
// such a package like any other, and without any digest.
type bundler struct {
	*Project
	above  []int   // the package in whose node_modules a package lies directly; 0: none
	inside [][]int // those that lie directly in a package's
	of     []int   // in whose tarball a package lies; 0: in none
}

// findBundlers follows npm (arborist's Node.getBundler): a package is bundled that the
// one above it names, that lies in a bundled one, or that a bundled one requires and that
// lies beside it in the bundler.
func (p *Project) findBundlers(lock lockfile, index map[string]int) {
	b := bundler{Project: p, above: make([]int, len(p.Packages)), inside: make([][]int, len(p.Packages)), of: make([]int, len(p.Packages))}
	for i, pkg := range p.Packages {
		if at := strings.LastIndex(pkg.Place, "/node_modules/"); at >= 0 && inNodeModules(pkg.Place[:at]) {
			b.above[i] = index[pkg.Place[:at]]
			b.inside[b.above[i]] = append(b.inside[b.above[i]], i)
		}
	}
	for i, pkg := range p.Packages { // those above come first
		names := lock.Packages[pkg.Place].bundleNames()
		if i == 0 || b.of[i] != 0 || pkg.IsLink || !inNodeModules(pkg.Place) {
			continue
		}
		for _, name := range names {
			if in, ok := index[pkg.Place+"/node_modules/"+name]; ok {
				b.hold(i, in)
			}
		}
	}
	for i := range p.Packages {
		if p.Packages[i].Bundled {
			p.Packages[i].Bundler = b.of[i]
		}
	}
}

// hold notes that a package lies in the tarball of a bundler, with what that brings.
func (b *bundler) hold(bundler, first int) {
	for todo := []int{first}; len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if b.of[i] != 0 {
			continue
		}
		b.of[i] = bundler
		todo = append(todo, b.inside[i]...)
		for _, e := range b.Packages[i].Edges {
			if b.above[e.To] == bundler {
				todo = append(todo, e.To)
			}
		}
	}
}
