package npm

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"plimsoll.example/verify"
)

// Update returns the expectations with what a report found. A package line that is not
// recorded is added if all that was found of its versions is settled. An entry that is
// there gets its new versions, and changes otherwise only where a finding about it was
// accepted. Of a package that is denied nothing is recorded, and what is recorded of its
// name stays. Versions and packages that the project does not use any more are left out.
func (e *Expectations) Update(report *Report) *Expectations {
	byLine, open := map[string][]Result{}, map[string]bool{}
	for _, r := range report.Packages {
		if r.Kind == "registry" {
			line := LineOf(Package{Name: r.name, Version: r.version})
			byLine[line] = append(byLine[line], r)
		}
		if r.unsettled() || (r.Kind != "registry" && !r.accepts(verify.CodeRegistryDiffers)) {
			open[r.name] = true
			for _, name := range r.names {
				open[name] = true
			}
		}
	}
	next := &Expectations{Lines: map[string]Expected{}}
	if e != nil {
		for line, recorded := range e.Lines {
			if open[nameOf(line)] {
				next.Lines[line] = recorded
			}
		}
	}
	for _, line := range slices.Sorted(maps.Keys(byLine)) {
		results := byLine[line]
		// The newest first: a line is what its newest version is.
		slices.SortStableFunc(results, func(a, b Result) int {
			return cmp.Or(semver.Compare("v"+b.version, "v"+a.version), strings.Compare(b.version, a.version))
		})
		var old Expected
		recorded := false
		if e != nil {
			old, recorded = e.Lines[line]
		}
		switch {
		case recorded:
			next.Lines[line] = old.updated(results)
		case !slices.ContainsFunc(results, Result.unsettled) && !slices.ContainsFunc(results, Result.unknown):
			next.Lines[line] = first(results)
		}
	}
	return next
}

// changes are the findings that tell of something else than is recorded. That a policy
// waives or only warns of one does not make it what is expected: a waiver ends.
var changes = []verify.Code{verify.CodeRegistryDiffers, verify.CodeProvenanceLost, verify.CodeAttestationsWithheld, verify.CodeRepositoryChanged,
	verify.CodeRepositoryRecreated, verify.CodeOwnerChanged, verify.CodeWorkflowChanged, verify.CodeRefKindChanged, verify.CodeRunnerChanged}

// unsettled tells that a package is denied, nobody can tell, or it differs from what is
// recorded and a person has not accepted that.
func (r Result) unsettled() bool {
	return r.undecided() || slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return slices.Contains(changes, f.Code) && f.WaivedBy != byAccept
	})
}

// unknown tells that nobody can tell whether a package has provenance: the lockfile has no
// digest that it could be about.
func (r Result) unknown() bool {
	_, err := SHA512(r.facts.integrity)
	return err != nil && !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Code == verify.CodeNoAttestations })
}

// undecided tells that a package is denied or nobody can tell.
func (r Result) undecided() bool { return r.Outcome == Denied || r.Outcome == Undecided }

// accepts tells that there was such a finding, and that a person accepted it.
func (r Result) accepts(code verify.Code) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Code == code && f.WaivedBy == byAccept })
}

// first is what is recorded of a line at first: what the newest of its versions is that
// has provenance, else that there is none.
func first(results []Result) Expected {
	base := results[0]
	if i := slices.IndexFunc(results, func(r Result) bool { return r.Origin != nil }); i >= 0 {
		base = results[i]
	}
	x := base.facts.expected
	x.Versions, x.InstalledAs = map[string]string{}, nil
	var scripts []string
	for _, r := range results {
		x = x.with(r)
		scripts = append(scripts, r.facts.expected.InstallScripts...)
	}
	slices.Sort(scripts)
	x.InstallScripts = slices.Compact(scripts)
	return x
}

// with records a version, and that it differs from its line if it does.
func (x Expected) with(r Result) Expected {
	if _, err := SHA512(r.facts.integrity); err != nil {
		return x
	}
	x.Versions[r.version] = r.facts.integrity
	x.InstalledAs = sorted(append(slices.Clone(x.InstalledAs), r.otherNames()...))
	if x.Provenance && (r.Origin == nil || len(x.differences(r.facts)) > 0) {
		x.Except = append(x.Except, r.version)
		slices.Sort(x.Except)
		x.Except = slices.Compact(x.Except)
	}
	return x
}

// otherNames are the names under which a package is installed, and something asks for that
// or a person accepted it.
func (r Result) otherNames() []string {
	if r.accepts(verify.CodeAliasUndeclared) || r.accepts(verify.CodeRegistryDiffers) {
		return r.names
	}
	return slices.DeleteFunc(slices.Clone(r.names), func(name string) bool { return slices.Contains(r.undeclared, name) })
}

// updated is a recorded line with the versions that are used now.
func (x Expected) updated(results []Result) Expected {
	old := x
	for _, r := range results {
		if !r.unsettled() {
			x = x.accepted(r)
		}
	}
	x.Versions, x.Except, x.InstalledAs = map[string]string{}, nil, nil
	for _, r := range results {
		if held := old.Versions[r.version]; held != "" { // what was recorded stays
			x.Versions[r.version] = held
			if slices.Contains(old.Except, r.version) {
				x.Except = append(x.Except, r.version)
			}
		}
		for _, name := range r.names { // those that were recorded stay too
			if slices.Contains(old.InstalledAs, name) {
				x.InstalledAs = append(x.InstalledAs, name)
			}
		}
		if !r.unsettled() {
			x = x.with(r)
		}
	}
	x.Except, x.InstalledAs = sorted(x.Except), sorted(x.InstalledAs)
	return x
}

// accepted changes what the accepted findings are about. That a version lost its
// provenance is accepted for that version alone.
func (x Expected) accepted(r Result) Expected {
	f := r.facts.expected
	for _, found := range r.Findings {
		if found.WaivedBy != byAccept {
			continue
		}
		switch found.Code {
		case verify.CodeRegistryDiffers:
			x.Registry = f.Registry
		case verify.CodeProvenanceGained:
			f.Registry, f.InstallScripts = x.Registry, x.InstallScripts
			x = f
		case verify.CodeRepositoryChanged, verify.CodeRepositoryRecreated:
			x.Repository, x.RepositoryID = f.Repository, f.RepositoryID
		case verify.CodeOwnerChanged:
			x.OwnerID = f.OwnerID
		case verify.CodeWorkflowChanged:
			x.Workflow = f.Workflow
		case verify.CodeRefKindChanged:
			x.Ref = f.Ref
		case verify.CodeRunnerChanged:
			x.Runner = f.Runner
		case verify.CodeInstallScript, verify.CodeInstallScriptNew:
			x.InstallScripts = slices.Concat(x.InstallScripts, r.facts.expected.InstallScripts)
			slices.Sort(x.InstallScripts)
			x.InstallScripts = slices.Compact(x.InstallScripts)
		}
	}
	return x
}
