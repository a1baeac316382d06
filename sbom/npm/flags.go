package npm

import (
	"fmt"
	"slices"
	"strings"
)

// reach says which packages can be reached from the project through edges that
// pass.
func (p *Project) reach(pass func(Edge) bool) []bool {
	reached := make([]bool, len(p.Packages))
	reached[0] = true
	todo := []int{0}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, e := range p.Packages[at].Edges {
			if !reached[e.To] && pass(e) {
				reached[e.To] = true
				todo = append(todo, e.To)
			}
		}
	}
	return reached
}

func notDev(e Edge) bool      { return e.Kind != EdgeDev }
func notOptional(e Edge) bool { return e.Kind != EdgeOptional && !e.Optional }
func notPeer(e Edge) bool     { return e.Kind != EdgePeer }

// settleFlags derives what npm writes into its lockfiles: a package is dev,
// optional or peer if it can be reached through such edges only, and may be
// absent too if it can be reached through dev and optional edges only.
func (p *Project) settleFlags() {
	all := p.reach(func(Edge) bool { return true })
	noDev, noOptional, noPeer := p.reach(notDev), p.reach(notOptional), p.reach(notPeer)
	neither := p.reach(func(e Edge) bool { return notDev(e) && notOptional(e) })
	for i := range p.Packages {
		pkg := &p.Packages[i]
		if pkg.IsLink {
			i = pkg.Link
		}
		pkg.Extraneous = !all[i]
		if pkg.Extraneous {
			continue
		}
		pkg.Dev = !noDev[i]
		pkg.Optional = !noOptional[i] || (noDev[i] && noOptional[i] && !neither[i])
		pkg.Peer = !noPeer[i]
	}
}

// An Omission is what was left out because the caller asked for it.
type Omission struct {
	What  string // "dev", "optional", "peer"; several together are separated by commas
	Count int    // places or entries
}

// OmitKinds returns what [Options.Omit] may name, as npm's --omit does.
func OmitKinds() []string { return []string{"dev", "optional", "peer"} }

// omit leaves out what is reachable through edges of the named kinds only.
func (p *Project) omit(kinds []string) error {
	if len(kinds) == 0 {
		return nil
	}
	var tests []func(Edge) bool
	for _, kind := range kinds {
		test, ok := map[string]func(Edge) bool{"dev": notDev, "optional": notOptional, "peer": notPeer}[kind]
		if !ok {
			return fmt.Errorf("leaving out packages: expected dev, optional or peer, found %q", kind)
		}
		tests = append(tests, test)
	}
	pass := func(e Edge) bool {
		return !slices.ContainsFunc(tests, func(test func(Edge) bool) bool { return !test(e) })
	}
	reached := p.reach(pass)
	for i := range p.Packages { // what stays for another reason is not needed for this one
		p.Packages[i].Edges = slices.DeleteFunc(p.Packages[i].Edges, func(e Edge) bool { return !pass(e) })
	}
	if before := p.drop(func(i int) bool { return reached[i] || p.Packages[i].Extraneous }); before > 0 {
		p.Omitted = append(p.Omitted, Omission{What: strings.Join(slices.Compact(slices.Sorted(slices.Values(kinds))), ","), Count: before})
	}
	return nil
}

// drop leaves out packages that are not kept, with the edges and notes about them,
// and returns how many they were. Links go with what they link to.
func (p *Project) drop(keep func(i int) bool) int {
	at := make([]int, len(p.Packages))
	var kept []Package
	for i, pkg := range p.Packages {
		at[i] = -1
		to := i
		if pkg.IsLink {
			to = pkg.Link
		}
		if i == 0 || keep(to) {
			at[i] = len(kept)
			kept = append(kept, pkg)
		}
	}
	for i := range kept {
		pkg := &kept[i]
		var edges []Edge
		for _, e := range pkg.Edges {
			if e.To = at[e.To]; e.To >= 0 {
				edges = append(edges, e)
			}
		}
		pkg.Edges = edges
		if pkg.IsLink {
			pkg.Link = at[pkg.Link]
		}
		pkg.Bundler = max(at[pkg.Bundler], 0)
	}
	for place, i := range p.at {
		if p.at[place] = at[i]; at[i] < 0 {
			delete(p.at, place)
		}
	}
	p.Missing = slices.DeleteFunc(p.Missing, func(m MissingEdge) bool { return at[m.From] < 0 })
	for i := range p.Missing {
		p.Missing[i].From = at[p.Missing[i].From]
	}
	dropped := len(p.Packages) - len(kept)
	p.Packages = kept
	return dropped
}
