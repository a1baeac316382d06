package npm

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm/tarball"
)

// manifest judges the package.json in a tarball whose bytes are those that the
// lockfile demands.
func (j *job) manifest(contents *tarball.Contents, answered Answered) {
	if contents == nil {
		return
	}
	m := contents.Manifest
	if m.Name != j.pkg.Name || withoutBuild(m.Version) != withoutBuild(j.pkg.Version) {
		j.find(&verify.Refusal{Code: verify.CodeManifestDiffers, Expected: j.pkg.String(), Found: fmt.Sprintf("%.200q", m.Name+"@"+m.Version)})
	}
	scripts := m.InstallScripts(contents.BindingGyp)
	j.result.Scripts = &Scripts{Names: append([]string{}, scripts...), Source: scriptsOfTarball}
	if answered.Metadata != nil {
		told := answered.Metadata.scripts()
		same := slices.Equal(runAtInstall(told), runAtInstall(scripts))
		if len(answered.Metadata.Scripts) == 0 && answered.Metadata.HasInstallScript { // it says only that there are some
			same = len(scripts) > 0
		}
		if !same {
			j.find(&verify.Refusal{Code: verify.CodeManifestScriptsDiffer, Expected: "install scripts " + listed(scripts) + ", as in the tarball", Found: listed(told) + " in the metadata"})
		} else if name := otherWords(m.Scripts, answered.Metadata.Scripts); name != "" {
			j.find(&verify.Refusal{Code: verify.CodeManifestScriptsDiffer, Expected: fmt.Sprintf("the script %s as in the tarball: %.200q", name, m.Scripts[name]), Found: fmt.Sprintf("%.200q in the metadata", answered.Metadata.Scripts[name])})
		}
	}
	if o := j.result.Origin; o != nil && m.Repository != "" {
		if said := repositoryURL(m.Repository); !strings.EqualFold(said, repositoryURL(o.Repository)) {
			j.find(&verify.Refusal{Code: verify.CodeManifestRepositoryDiffers, Expected: o.Repository + ", where it was built", Found: fmt.Sprintf("%.200q in package.json", m.Repository)})
		}
	}
}

// bundle denies packages that the lockfile says come in the tarball and that are not in it:
// npm fetches them, and the lockfile has no digest of them.
func (j *job) bundle(contents *tarball.Contents) {
	if contents == nil || len(j.brings) == 0 {
		return
	}
	inside := map[string]bool{}
	for name := range contents.Files {
		for place := range strings.SplitSeq(upToPackages(name), "\n") {
			inside[place] = true
		}
	}
	for _, place := range j.brings {
		if !inside[place] {
			j.find(&verify.Refusal{Code: verify.CodeIntegrityMissing, Expected: "a package in the tarball at " + place + ", as the lockfile says", Found: "none",
				Remedy: "look at who changed the lockfile; let npm write the entry again"})
		}
	}
}

// shrinkwrap denies a package of which the lockfile says that its tarball holds a lockfile
// of its own: npm reads that, and installs what it says, at other digests too.
func (j *job) shrinkwrap(contents *tarball.Contents) {
	if !j.entry.HasShrinkwrap {
		return
	}
	found := "hasShrinkwrap: npm reads a lockfile in the tarball"
	if contents != nil {
		if found = lockfileIn(contents); found == "" {
			return
		}
	}
	j.find(&verify.Refusal{Code: verify.CodeShrinkwrapInside, Expected: "packages that this lockfile names, at its digests", Found: found})
}

// lockfileIn names a lockfile in a tarball, in any spelling that a file system which ignores
// case finds; "" if there is none. npm reads all three (arborist's Shrinkwrap.load).
func lockfileIn(contents *tarball.Contents) string {
	var found []string
	for name := range contents.Files {
		for _, file := range []string{"npm-shrinkwrap.json", "package-lock.json", "yarn.lock"} {
			if strings.EqualFold(name, file) {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	return strings.Join(found, ", ")
}

// otherWords names the first install script that runs something else than the metadata
// says; "" if none does. npm takes the folder of commands off when it publishes
// (@npmcli/package-json, lib/normalize.js, step scripts).
func otherWords(scripts, told map[string]string) string {
	for _, name := range installScripts {
		here, there := scripts[name], told[name]
		if here != "" && there != "" && commandFolder().ReplaceAllString(here, "") != commandFolder().ReplaceAllString(there, "") {
			return name
		}
	}
	return ""
}

var commandFolder = pattern(`^(\.[/\\])?node_modules[/\\]\.bin[/\\]`)

// runAtInstall makes an implicit build of binding.gyp the script that npm's registry
// writes in its place.
func runAtInstall(names []string) []string {
	var plain []string
	for _, n := range names {
		n, _, _ = strings.Cut(n, " ")
		plain = append(plain, n)
	}
	slices.Sort(plain)
	return plain
}

func listed(names []string) string {
	if len(names) == 0 {
		return "(none)"
	}
	return strings.Join(names, ", ")
}

func withoutBuild(version string) string {
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), "+")
	return version
}

// hosted are npm's shorthands for repositories.
var hosted = pattern(`^(?:(github|gitlab|bitbucket):)?([\w.-]+)/([\w./-]+)(?:#.*)?$`)

// scpLike is git@HOST:PATH.
var scpLike = pattern(`^(?:[\w.-]+@)?([\w.-]+\.[\w-]+):(.+)$`)

// More forms that hosted-git-info, by which npm reads them, takes for addresses: a ":" in
// place of a "/" behind the host, no "//" behind the scheme, and no scheme at all.
var (
	colonLike  = pattern(`^((?:https?|ssh|git)://(?:[^@/?#]*@)?[\w.-]+):([^@?#]*)(#.*)?$`)
	schemeLike = pattern(`^(?i:https?):/*([^/].*)$`)
	userLike   = pattern(`^[\w.-]+@([\w.-]+\.[\w-]+/[^@]+)$`)
	portLike   = pattern(`^[0-9]+(/|$)`)
)

// repositoryURL returns https://HOST/PATH of the forms in which package.json names a
// repository; text that is none of them as it is.
func repositoryURL(s string) string {
	address := strings.TrimPrefix(strings.TrimSpace(s), "git+")
	if m := hosted().FindStringSubmatch(address); m != nil {
		host := map[string]string{"": "github.com", "github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}[m[1]]
		address = "https://" + host + "/" + m[2] + "/" + m[3]
	} else if m := schemeLike().FindStringSubmatch(address); m != nil {
		address = "https://" + m[1]
	} else if m := userLike().FindStringSubmatch(address); m != nil {
		address = "https://" + m[1]
	} else if m := scpLike().FindStringSubmatch(address); m != nil && !strings.Contains(address, "://") {
		address = "https://" + m[1] + "/" + strings.TrimLeft(m[2], "/")
	}
	if m := colonLike().FindStringSubmatch(address); m != nil && !portLike().MatchString(m[2]) {
		address = m[1] + "/" + strings.TrimLeft(m[2], "/")
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return s
	}
	host := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if host == "github.com" && len(parts) > 2 { // .../tree/main/packages/x
		parts = parts[:2]
	}
	return "https://" + host + "/" + strings.TrimSuffix(strings.Join(parts, "/"), ".git")
}

// scripts judges what runs when the package is installed. It is read from the tarball
// if that is at hand; what lockfile and metadata say is nobody's word.
func (j *job) scripts(answered *Answered) {
	if j.result.Scripts == nil {
		j.result.Scripts = j.toldScripts(answered)
	}
	if j.result.Scripts == nil {
		switch j.source {
		case lockfile.SourceRegistry:
			j.find(&verify.Refusal{Code: verify.CodeScriptsUnknown, Expected: "the tarball or the version's metadata", Found: "neither"})
		case lockfile.SourceGit:
			j.find(&verify.Refusal{Code: verify.CodeScriptsUnknown, Expected: "the repository's package.json", Found: "a git dependency, of which npm runs prepare too",
				Remedy: "read its scripts; install with --ignore-scripts"})
		case lockfile.SourceTarball, lockfile.SourceFile:
			j.find(&verify.Refusal{Code: verify.CodeScriptsUnknown, Expected: "the tarball", Found: "it is not read: it comes from no registry",
				Remedy: "read its scripts; install with --ignore-scripts"})
		}
		return
	}
	scripts := j.result.Scripts.Names
	if len(scripts) == 0 || j.mayRunScripts() {
		return
	}
	r := &verify.Refusal{Code: verify.CodeInstallScript, Expected: "no install script", Found: listed(scripts) + " (" + j.result.Scripts.Source + ")"}
	if line, recorded := j.inspector.Expectations.line(j.pkg); recorded {
		if j.newScripts(line.InstallScripts, answered) {
			r = &verify.Refusal{Code: verify.CodeInstallScriptNew, Expected: "install scripts " + listed(line.InstallScripts) + ", as recorded", Found: listed(scripts) + " (" + j.result.Scripts.Source + ")"}
		}
	}
	j.find(r)
}

// newScripts tells whether a package has install scripts that were not recorded. A
// lockfile, and metadata that names none, say only that there are some.
func (j *job) newScripts(recorded []string, answered *Answered) bool {
	found := j.result.Scripts
	if found.Source == scriptsOfMetadata {
		if answered == nil || answered.Metadata == nil || len(answered.Metadata.Scripts) == 0 {
			return len(recorded) == 0
		}
		recorded = runAtInstall(recorded)
	}
	return slices.ContainsFunc(found.Names, func(s string) bool { return !slices.Contains(recorded, s) })
}

func (j *job) toldScripts(answered *Answered) *Scripts {
	told := &Scripts{Names: []string{}, Source: scriptsOfMetadata}
	known := j.entry.HasInstallScript
	if known {
		told.Names = append(told.Names, "install")
	}
	if answered != nil && answered.Metadata != nil {
		known = true
		if names := answered.Metadata.scripts(); len(names) > 0 {
			told.Names = names
		}
	}
	if !known {
		return nil
	}
	return told
}

func (j *job) mayRunScripts() bool {
	if j.inspector.Policy == nil {
		return false
	}
	allowed := j.inspector.Policy.NPM.InstallScripts
	return slices.Contains(allowed, j.pkg.Name) || slices.Contains(allowed, j.pkg.String())
}

// malicious looks the package up in the advisories.
func (j *job) malicious() {
	if j.inspector.Advisories == nil || j.source == lockfile.SourceWorkspace {
		return
	}
	for _, pkg := range j.calledSo() {
		for _, id := range j.inspector.Advisories.Malicious(pkg.Name, pkg.Version) {
			j.find(&verify.Refusal{Code: verify.CodeMalicious, Advisory: id, Expected: "a package that no advisory calls malicious", Found: fmt.Sprintf("%.100s is about %s", id, pkg)})
		}
	}
}

// calledSo lists what a package may be: what the lockfile calls it, what its address does,
// and what it is installed as. An alias of a registry's package that is asked for says
// nothing about what it is.
func (j *job) calledSo() []Package {
	var all []Package
	seen := map[Package]bool{}
	add := func(name, version string) {
		if pkg := (Package{Name: name, Version: version}); name != "" && !seen[pkg] {
			seen[pkg], all = true, append(all, pkg)
		}
	}
	add(j.pkg.Name, j.pkg.Version)
	names := j.undeclared
	if j.source != lockfile.SourceRegistry {
		names = j.names
	}
	for _, name := range names {
		add(name, j.pkg.Version)
	}
	if name, version, ok := j.entry.Addressed(); ok {
		add(name, version)
		for _, as := range names {
			add(as, version)
		}
	}
	return all
}
