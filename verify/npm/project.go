package npm

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
)

// job is one package version to check.
type job struct {
	pkg        Package
	source     lockfile.Source
	bundled    bool
	entry      lockfile.Package // one of its places
	inspector  *Inspector
	beside     beside
	waivers    *verify.WaiverBook
	names      []string // others than its own under which it is installed or required
	undeclared []string // those of them under which nothing asks for this package
	unasked    string   // what is required, where that is a registry's package and this is none
	brings     []string // places below its own of packages that are said to come in its tarball
	compared   bool     // with what is installed
	holds      []string // places of packages that its tarball puts below its own
	store      []string // folders of bun's that the package lies in
	result     Result
}

// beside is what all jobs of a run are judged beside. It is only read.
type beside struct {
	inUse map[string]bool     // the names of packages that come from a registry
	known map[string][]string // the lines that are recorded, by name, in their order
}

func newBeside(jobs []*job, e *Expectations) beside {
	b := beside{inUse: map[string]bool{}, known: map[string][]string{}}
	for _, j := range jobs {
		if j.source == lockfile.SourceRegistry && !j.bundled {
			b.inUse[j.pkg.Name] = true
		}
	}
	if e != nil {
		for _, line := range slices.Sorted(maps.Keys(e.Lines)) {
			b.known[nameOf(line)] = append(b.known[nameOf(line)], line)
		}
	}
	return b
}

func collect(project *lockfile.Project) []*job {
	type key struct {
		pkg      Package
		source   lockfile.Source
		bundled  bool
		resolved string
	}
	byKey := map[key]*job{}
	var jobs []*job
	of := make([]*job, len(project.Packages))
	for i, p := range project.Packages {
		if i == 0 {
			continue
		}
		// A bundled package has no integrity of its own; one that has is checked.
		bundled := p.Bundled && p.Bundler != 0 && p.Integrity == "" && p.Resolved == ""
		k := key{Package{p.Name, p.Version, p.Integrity}, p.Source, bundled, p.Resolved}
		if p.Source == lockfile.SourceWorkspace {
			k.resolved = "" // the link to the folder, and the folder
		}
		j := byKey[k]
		if j == nil {
			j = &job{pkg: k.pkg, source: k.source, bundled: k.bundled, entry: p}
			j.result = Result{Package: k.pkg.String(), Purl: k.pkg.purl(), Kind: j.kind(), Integrity: p.Integrity,
				Places: []string{}, Findings: []Finding{}, name: p.Name, version: p.Version}
			byKey[k], jobs = j, append(jobs, j)
		}
		of[i] = j
		j.entry.HasInstallScript = j.entry.HasInstallScript || p.HasInstallScript
		j.entry.HasShrinkwrap = j.entry.HasShrinkwrap || p.HasShrinkwrap
		j.entry.Patch = cmp.Or(j.entry.Patch, p.Patch)
		j.entry.Checksum = cmp.Or(j.entry.Checksum, p.Checksum, p.Unpatched)
		if p.Place != "" {
			j.result.Places = append(j.result.Places, p.Place)
		}
		j.names = append(j.names, p.Names...)
		j.undeclared = append(j.undeclared, p.Undeclared...)
		j.unasked = cmp.Or(j.unasked, p.Unasked)
	}
	for i, p := range project.Packages {
		if in := of[p.Bundler]; in != nil && of[i].bundled {
			in.brings = append(in.brings, strings.TrimPrefix(p.Place, project.Packages[p.Bundler].Place+"/"))
		}
	}
	for _, j := range jobs {
		j.brings = sorted(j.brings)
		j.names, j.undeclared = sorted(j.names), sorted(j.undeclared)
		j.result.names, j.result.undeclared = j.names, j.undeclared
		if j.source != lockfile.SourceWorkspace {
			j.result.Aliases = j.names
		}
	}
	slices.SortFunc(jobs, func(a, b *job) int {
		return cmp.Or(strings.Compare(a.pkg.Name, b.pkg.Name), strings.Compare(a.pkg.Version, b.pkg.Version),
			strings.Compare(a.pkg.Integrity, b.pkg.Integrity), cmp.Compare(a.source, b.source), strings.Compare(a.entry.Resolved, b.entry.Resolved))
	})
	return jobs
}

// sorted is a list in its order, each once.
func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func (j *job) kind() string {
	if j.bundled {
		return "bundled"
	}
	return j.source.String()
}

// fromRegistry finds what cannot vouch for a package that is no registry's.
func (j *job) fromRegistry() bool {
	if j.source == lockfile.SourceRegistry && !j.bundled {
		return true
	}
	other := func(found string) *verify.Refusal {
		return &verify.Refusal{Code: verify.CodeNotFromRegistry, Expected: "a registry package", Found: found}
	}
	j.takenFromElsewhere()
	switch {
	case j.bundled:
		j.find(other("one that lies in its parent's tarball"))
	case j.source == lockfile.SourceUnknown:
		r := other("a lockfile entry that is neither a package nor a folder of the project")
		r.Remedy = "look at the entry in the lockfile; let the package manager write it anew"
		j.findAs(r, verify.Deny)
	case j.source == lockfile.SourceGit && !pinnedCommit(j.entry.Resolved):
		j.find(&verify.Refusal{Code: verify.CodeSourceUnpinned, Expected: "a commit", Found: lockfile.WithoutUsers(j.entry.Resolved)})
	case j.source == lockfile.SourceTarball:
		if _, err := SHA512(j.pkg.Integrity); err != nil && !pinnedArchive(j.entry.Resolved) {
			j.find(&verify.Refusal{Code: verify.CodeSourceUnpinned, Expected: "an integrity of sha512 for " + lockfile.WithoutUsers(j.entry.Resolved), Found: cmp.Or(j.pkg.Integrity, "none")})
			return false
		}
		j.find(other(j.source.String()))
	default:
		j.find(other(j.source.String()))
	}
	return false
}

// takenFromElsewhere denies a package that comes from no registry where a registry's is
// required, and one at a registry's address of another package.
func (j *job) takenFromElsewhere() {
	if j.bundled || j.source == lockfile.SourceUnknown {
		return
	}
	if j.unasked != "" {
		j.find(&verify.Refusal{Code: verify.CodeResolvedElsewhere, Expected: "a registry's package, as is required: " + j.unasked, Found: j.whence(lockfile.WithoutUsers),
			Remedy: "look at who changed the lockfile; if it is right, have package.json ask for that address"})
	} else if name, version, ok := j.entry.Addressed(); ok && j.pkg.Version != "" && j.source == lockfile.SourceTarball {
		j.find(&verify.Refusal{Code: verify.CodeResolvedElsewhere, Expected: "the address of " + j.pkg.String(), Found: "that of " + name + "@" + version})
	}
}

// whence says where a package comes from that is no registry's, by its address as shown
// tells it.
func (j *job) whence(shown func(address string) string) string {
	switch {
	case j.source == lockfile.SourceWorkspace:
		return "the folder " + strings.Join(j.result.Places, ", ")
	case j.entry.Resolved != "":
		return j.source.String() + " " + shown(j.entry.Resolved)
	}
	return j.source.String()
}

// patched says that the package manager changes a package's files after they were
// checked.
func (j *job) patched() {
	if j.entry.Patch != "" {
		j.find(&verify.Refusal{Code: verify.CodeNotFromRegistry, Expected: "a registry package as it is", Found: fmt.Sprintf("one that the package manager patches: %.200q", j.entry.Patch),
			Remedy: "review the patch as source code of your own"})
	}
}

// pinnedCommit tells whether a git address ends in a whole commit id. What else follows
// the # (a branch of any name, semver:RANGE) pins nothing.
func pinnedCommit(address string) bool {
	_, commit, found := strings.Cut(address, "#")
	return found && commitID(commit)
}

// pinnedArchive tells whether an address is a host's archive of one commit.
func pinnedArchive(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Host != "codeload.github.com" {
		return false
	}
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/") // OWNER/REPOSITORY/tar.gz/COMMIT
	return len(parts) == 4 && parts[2] == "tar.gz" && commitID(parts[3])
}

func commitID(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == "" && (len(s) == 40 || len(s) == 64)
}

// collectOne is the job of one registry package that stands in no lockfile.
func collectOne(pkg Package) *job {
	return collect(Single(pkg))[0]
}

// Single returns a project whose only package is one of a registry.
func Single(pkg Package) *lockfile.Project {
	return &lockfile.Project{Packages: []lockfile.Package{{}, {Name: pkg.Name, Version: pkg.Version, Integrity: pkg.Integrity, Source: lockfile.SourceRegistry}}}
}
