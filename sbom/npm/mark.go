package npm

import (
	"path"
	"slices"
)

// MergeFindings adds to what one report tells of an output the packages of which
// only another report of it tells.
func MergeFindings(first, second []Finding) []Finding {
	type key struct {
		pkg, within int
		name        string
	}
	have := make(map[key]bool, len(first))
	for _, f := range first {
		have[key{f.Package, f.Within, f.Name}] = true
	}
	merged := slices.Clone(first)
	for _, f := range second {
		if !have[key{f.Package, f.Within, f.Name}] {
			merged = append(merged, f)
		}
	}
	return merged
}

// Mark notes the findings about the output called file, which is marked once, on the
// project's packages. What is in an output and not in the project becomes a package
// of its own, of unknown version.
func (a *Attribution) Mark(file string, findings []Finding) {
	for _, f := range findings {
		i := f.Package
		if i < 0 {
			i = a.inline(f)
		}
		pkg := &a.project.Packages[i]
		pkg.In = append(pkg.In, InOutput{File: file, Modules: f.Files, Bytes: f.Bytes, Source: f.Source, Certainty: f.Certainty})
	}
}

// inline returns the package for a finding that is not in the project.
func (a *Attribution) inline(f Finding) int {
	p := a.project
	within := p.Packages[f.Within]
	place := path.Join(within.Place, "(in its files)", f.Name)
	if i, ok := a.inlined[place]; ok {
		return i
	}
	pkg := Package{Place: place, Name: f.Name, Source: SourceUnknown, Dev: within.Dev, Optional: within.Optional}
	if f.Within > 0 {
		pkg.Inlined = within.Name + "@" + within.Version
	}
	pkg.EdgesUnknown = "only its name is known, from a bundler's report"
	p.Packages = append(p.Packages, pkg)
	i := len(p.Packages) - 1
	a.inlined[place] = i
	p.Packages[f.Within].Edges = append(p.Packages[f.Within].Edges, Edge{Name: f.Name, Kind: EdgeProd, To: i})
	return i
}

// KeepBundled leaves out the packages of which nothing is in any output.
func (p *Project) KeepBundled() {
	n := p.drop(func(i int) bool { return len(p.Packages[i].In) > 0 })
	if n > 0 {
		p.Omitted = append(p.Omitted, Omission{What: "what is not in the bundle", Count: n})
	}
}
