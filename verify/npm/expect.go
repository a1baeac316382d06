package npm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
)

// facts are what was verified of a package, as the expectations record it.
type facts struct {
	expected  Expected
	integrity string    // of this version
	asked     string    // the registry that was asked about it
	published time.Time // by the log; zero without provenance
}

// refKind says what a build's ref is.
func refKind(ref string) string {
	for prefix, kind := range map[string]string{"refs/tags/": "tag", "refs/heads/": "branch", "refs/pull/": "pull request", "refs/merge-requests/": "pull request"} {
		if strings.HasPrefix(ref, prefix) {
			return kind
		}
	}
	return "other"
}

// workflowPath returns the path of the workflow file in its repository. Both the path
// and the ref may contain an @: what is cut off is the ref of the build, or else what
// follows the last "@refs/", so that release.yml@evil.yml is never release.yml.
func workflowPath(o *Origin) string {
	path, cut := strings.CutSuffix(o.Workflow, "@"+o.Ref)
	if at := strings.LastIndex(path, "@refs/"); !cut && at >= 0 {
		path = path[:at]
	}
	if inside, ok := strings.CutPrefix(path, o.Repository+"/"); ok {
		return strings.TrimPrefix(inside, "/")
	}
	return path
}

// factsOf are what is known of a package that was checked.
func (j *job) factsOf(answered Answered) facts {
	f := facts{integrity: j.pkg.Integrity, asked: strings.TrimRight(answered.Registry, "/")}
	f.expected.Registry = strings.TrimRight(cmp.Or(answered.MirrorOf, answered.Registry), "/")
	if o := j.result.Origin; o != nil {
		f.published = o.PublishedAt
		f.expected.Provenance = true
		f.expected.Repository, f.expected.RepositoryID, f.expected.OwnerID = o.Repository, o.RepositoryID, o.OwnerID
		f.expected.Workflow, f.expected.Ref, f.expected.Runner = workflowPath(o), refKind(o.Ref), o.Runner
		f.expected.Registry = cmp.Or(f.expected.Registry, strings.TrimRight(o.Registry, "/"))
	}
	return f
}

// record completes the facts with the scripts that were found.
func (j *job) record() {
	if s := j.result.Scripts; s != nil {
		j.result.facts.expected.InstallScripts = s.Names
	}
}

// expectations compares what was found with what was recorded.
func (j *job) expectations(answered Answered) {
	j.result.facts = j.factsOf(answered)
	found := j.result.facts.expected
	e := j.inspector.Expectations
	line, recorded := e.line(j.pkg)
	switch {
	case e == nil:
		return
	case !recorded:
		j.newPackage(found)
		j.inPlaceOf()
		return
	}
	if held := line.Versions[j.pkg.Version]; held != "" && !j.ownChecksum() && !sameDigest(held, j.pkg.Integrity) {
		j.find(&verify.Refusal{Code: verify.CodeIntegrityChanged, Expected: held + ", as recorded", Found: cmp.Or(j.pkg.Integrity, "none")})
	}
	j.sameRegistry(line, found)
	j.inPlaceOf()
	if slices.Contains(line.Except, j.pkg.Version) && j.inspector.Expectations.holds(j.pkg, j.pkg.Integrity) {
		return // these very bytes were accepted as they are
	}
	j.sameBuild(line)
}

// inPlaceOf denies a package of a registry that is installed or required under the name
// of another one that is known, unless the expectations know it as that.
func (j *job) inPlaceOf() {
	for _, name := range j.names {
		known := j.beside.known[name]
		if len(known) == 0 || j.knownAs(name) {
			continue
		}
		j.find(&verify.Refusal{Code: verify.CodeRegistryDiffers, Expected: "the registry's package " + name + ", as is recorded of " + strings.Join(known, ", "), Found: j.pkg.String() + ", installed as " + name})
		return
	}
}

// knownAs tells whether the package is recorded as installed under another name.
func (j *job) knownAs(name string) bool {
	return slices.ContainsFunc(j.beside.known[j.pkg.Name], func(line string) bool { return slices.Contains(j.inspector.Expectations.Lines[line].InstalledAs, name) })
}

// aliased denies a package that is installed under another name than its own, and nothing
// asks for that. Of one that is not what is required at all, that is said.
func (j *job) aliased() {
	if j.bundled || j.source == lockfile.SourceUnknown || j.unasked != "" {
		return
	}
	for _, name := range j.undeclared {
		if !j.knownAs(name) {
			j.find(&verify.Refusal{Code: verify.CodeAliasUndeclared, Expected: "the package " + name, Found: j.pkg.String() + ", installed as " + name})
			return
		}
	}
}

// elsewhere judges a package that is no registry's: a name that is known from one must
// not come from somewhere else without a word. A folder of the project may have the name
// of a registry's package that is in use beside it.
func (j *job) elsewhere() {
	if j.inspector.Expectations == nil || j.bundled {
		return
	}
	folder := j.source == lockfile.SourceWorkspace
	found := j.whence(originOfURL)
	for _, name := range slices.Concat([]string{j.pkg.Name}, j.names) {
		known := j.beside.known[name]
		if len(known) == 0 || folder && j.beside.inUse[name] {
			continue
		}
		if name != j.pkg.Name {
			found = j.pkg.String() + " from " + found + ", installed as " + name
		}
		r := &verify.Refusal{Code: verify.CodeRegistryDiffers, Expected: "a registry's package, as is recorded of " + strings.Join(known, ", "), Found: found}
		if folder && j.pkg.Version == "" { // there is no NAME@VERSION to accept
			r.Remedy = "look at who changed the lockfile; if it is right, take " + strings.Join(known, ", ") + " out of the expectations"
		}
		j.find(r)
		return
	}
	if folder {
		return
	}
	j.find(&verify.Refusal{Code: verify.CodeNewPackage, Expected: "a package that the expectations know", Found: j.pkg.String() + ", " + found,
		Remedy: "review it as source code of your own: the expectations record packages of registries only"})
}

// newPackage judges a package line that is not recorded. Another line of the same name
// tells where the name comes from.
func (j *job) newPackage(found Expected) {
	r := &verify.Refusal{Code: verify.CodeNewPackage, Expected: "a package that the expectations know", Found: j.pkg.String()}
	others := j.beside.known[j.pkg.Name]
	if len(others) > 0 {
		r.Found += ", of which only " + strings.Join(others, ", ") + " is known" + j.builtOtherwise(others)
	}
	if len(others) == 0 {
		r.Found += ", seen for the first time"
	}
	j.find(r)
	had := ""
	for _, line := range others {
		other := j.inspector.Expectations.Lines[line]
		j.sameRegistry(other, found)
		if other.Provenance {
			had = line
		}
	}
	if had != "" && j.result.Origin == nil && (j.withoutProvenance() || j.unbound()) {
		j.find(&verify.Refusal{Code: verify.CodeProvenanceLost, Expected: "provenance, as is recorded of " + had, Found: "none"})
	}
}

// builtOtherwise says that a new line is built by somebody else than the lines of the same
// name; "" if it is not.
func (j *job) builtOtherwise(lines []string) string {
	if j.result.Origin == nil {
		return ""
	}
	said := ""
	for _, line := range lines {
		known := j.inspector.Expectations.Lines[line]
		if !known.Provenance {
			continue
		}
		if known.Repository == j.result.Origin.Repository && len(known.differences(j.result.facts)) == 0 {
			return ""
		}
		said = ", and built otherwise: from " + known.Repository
	}
	if said != "" {
		said += ", this one from " + j.result.Origin.Repository
	}
	return said
}

// withoutProvenance tells whether it is certain that there is none. Where the answer is
// missing or invalid, that is a finding of its own.
func (j *job) withoutProvenance() bool {
	return slices.ContainsFunc(j.result.Findings, func(f Finding) bool {
		return f.Code == verify.CodeNoAttestations || f.Code == verify.CodeAttestationsWithheld
	})
}

func (j *job) sameRegistry(line, found Expected) {
	if line.Registry == "" {
		return
	}
	r := &verify.Refusal{Code: verify.CodeRegistryDiffers, Expected: line.Registry + ", as recorded"}
	switch {
	case found.Registry != "" && !sameRegistry(found.Registry, line.Registry):
		r.Found = found.Registry
	case found.Registry == "" && j.entry.Resolved != "" && originOfURL(j.entry.Resolved) != originOfURL(line.Registry):
		r.Found = originOfURL(j.entry.Resolved) + " in the lockfile"
	default:
		return
	}
	if !slices.ContainsFunc(j.result.Findings, func(f Finding) bool { return f.Code == r.Code }) {
		j.find(r)
	}
}

// sameBuild compares a package's provenance with what is recorded of its line.
func (j *job) sameBuild(line Expected) {
	switch {
	case !line.Provenance && j.result.Origin != nil:
		j.find(&verify.Refusal{Code: verify.CodeProvenanceGained, Expected: "no provenance, as recorded", Found: "provenance from " + j.result.Origin.Repository})
	case !line.Provenance:
	case j.result.Origin != nil:
		for _, d := range line.differences(j.result.facts) {
			d.Remedy = fmt.Sprintf("%s; if it is right: --update --accept %s:%s", d.Code.Remedy(), j.pkg, d.Code)
			j.find(d)
		}
	case j.withoutProvenance():
		j.find(&verify.Refusal{Code: verify.CodeProvenanceLost, Expected: "provenance from " + line.Repository + ", as recorded", Found: "none"})
	case j.unbound():
		j.find(&verify.Refusal{Code: verify.CodeProvenanceLost, Expected: "provenance from " + line.Repository + ", as recorded", Found: "none that is about these bytes: the lockfile has no digest of them"})
	}
}

// ownChecksum tells that the lockfile has a digest, and not of the tarball.
func (j *job) ownChecksum() bool { return j.pkg.Integrity == "" && j.entry.Checksum != "" }

// unbound tells that the lockfile has no digest that an attestation could be about.
func (j *job) unbound() bool {
	_, err := SHA512(j.pkg.Integrity)
	return err != nil && !j.ownChecksum()
}

// idsSince is from when certificates carry the ids of repository and owner, and the
// workflow and the runner.
var idsSince = time.Date(2023, 4, 18, 0, 0, 0, 0, time.UTC)

// differences are what a verified provenance is otherwise than recorded. What a
// certificate of the time before idsSince lacks is not compared.
func (x Expected) differences(f facts) []*verify.Refusal {
	var all []*verify.Refusal
	found, old := f.expected, f.published.Before(idsSince)
	differs := func(want, is string) bool { return want != "" && want != is && !(old && is == "") }
	changed := func(code verify.Code, expected, found string) {
		all = append(all, &verify.Refusal{Code: code, Expected: expected + ", as recorded", Found: cmp.Or(found, "none")})
	}
	otherID := differs(x.RepositoryID, found.RepositoryID)
	switch sameName := x.Repository == found.Repository; {
	case otherID && sameName:
		changed(verify.CodeRepositoryRecreated, "repository id "+x.RepositoryID+" of "+x.Repository, found.RepositoryID)
	case otherID || (!sameName && (x.RepositoryID == "" || found.RepositoryID == "")):
		changed(verify.CodeRepositoryChanged, x.Repository+withID(x.RepositoryID), found.Repository+withID(found.RepositoryID))
	case !sameName:
		changed(verify.CodeRepositoryChanged, x.Repository, found.Repository+", a new name of the same repository")
	}
	if differs(x.OwnerID, found.OwnerID) {
		changed(verify.CodeOwnerChanged, "owner id "+x.OwnerID, found.OwnerID)
	}
	if differs(x.Workflow, found.Workflow) {
		changed(verify.CodeWorkflowChanged, x.Workflow, found.Workflow)
	}
	if differs(x.Ref, found.Ref) {
		changed(verify.CodeRefKindChanged, "a build of a "+x.Ref, "of a "+found.Ref)
	}
	if differs(x.Runner, found.Runner) {
		changed(verify.CodeRunnerChanged, x.Runner, found.Runner)
	}
	return all
}

func withID(id string) string {
	if id == "" {
		return ""
	}
	return " (id " + id + ")"
}
