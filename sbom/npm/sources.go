package npm

import (
	"path"
	"strings"
)

// inNodeModules says whether a place is below a node_modules folder; others are
// folders of the project.
func inNodeModules(place string) bool { return strings.Contains("/"+place, "/node_modules/") }

func isURL(s string) bool { return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") }

// settleSources says where each package comes from. A registry's tarball is told
// from another by its address, not by what somebody claims to require: that says
// nothing about what is installed.
func (p *Project) settleSources() {
	for i := range p.Packages {
		pkg := &p.Packages[i]
		resolved := pkg.Resolved
		switch {
		case i == 0 || pkg.IsLink:
			pkg.Source = SourceWorkspace
		case !inNodeModules(pkg.Place):
			if resolved == "" && pkg.Integrity == "" {
				pkg.Source = SourceWorkspace
			} // else it says that it was fetched, which no folder of the project is
		default:
			pkg.Source = pkg.fetchedFrom()
		}
	}
}

// fetchedFrom says where a package comes from that is no folder of the project, by
// its address.
func (pkg *Package) fetchedFrom() Source {
	resolved := pkg.Resolved
	switch {
	case strings.HasPrefix(resolved, "git+") || strings.HasPrefix(resolved, "git:") || strings.HasPrefix(resolved, "git@"):
		return SourceGit
	case strings.HasPrefix(resolved, "file:"):
		return SourceFile
	case isURL(resolved) && !pkg.registryAddress():
		return SourceTarball
	case isURL(resolved) || (resolved == "" && pkg.Version != ""):
		// npm leaves the address out with omit-lockfile-registry-resolved, and
		// for bundled packages.
		return SourceRegistry
	}
	return SourceUnknown
}

// registryAddress says whether a package's address is one at which registries have it.
func (pkg *Package) registryAddress() bool {
	name, version, ok := pkg.Addressed()
	return ok && name == pkg.Name && version == pkg.Version
}

// Addressed returns the name and version of which a registry has its tarball at the
// address that the package is fetched from, if the address has such a form:
//
//	.../NAME/-/BASENAME-VERSION.tgz         npm, and most others
//	.../@SCOPE/NAME/-/@SCOPE/NAME-VERSION.tgz   Artifactory, GitLab, Google
//	.../NAME/download/BASENAME-VERSION.tgz  cnpm; a scope may be repeated too
//	.../download/NAME/VERSION/HEX           GitHub Packages
//	.../~/N/NAME/VERSION.tgz                JSR
func (pkg *Package) Addressed() (name, version string, ok bool) {
	if !isURL(pkg.Resolved) {
		return "", "", false
	}
	address, _, _ := strings.Cut(pkg.Resolved, "#")
	address, _, _ = strings.Cut(address, "?")
	address = encodedScope.Replace(address)
	for _, form := range []func(string) (string, string, bool){inFolder, atDownload, atJSR} {
		if name, version, ok := form(address); ok {
			return name, version, true
		}
	}
	return "", "", false
}

// inFolder reads .../NAME/-/BASENAME-VERSION.tgz and its like.
func inFolder(address string) (name, version string, ok bool) {
	for _, between := range []string{"/-/", "/download/"} {
		at := strings.LastIndex(address, between)
		if at < 0 {
			continue
		}
		name := lastName(address[:at])
		file, tgz := strings.CutSuffix(address[at+len(between):], ".tgz")
		if scope, _, scoped := strings.Cut(name, "/"); scoped {
			file = strings.TrimPrefix(file, scope+"/")
		}
		if version, ok := strings.CutPrefix(file, path.Base(name)+"-"); ok && tgz && looksLikeVersion(version) {
			return name, version, true
		}
	}
	return "", "", false
}

// atDownload reads .../download/NAME/VERSION/HEX.
func atDownload(address string) (name, version string, ok bool) {
	above, sum := path.Split(address)
	above, version = path.Split(strings.TrimSuffix(above, "/"))
	_, name, ok = strings.Cut(strings.TrimSuffix(above, "/"), "/download/")
	return name, version, ok && name == lastName(name) && looksLikeVersion(version) && isHex(sum)
}

// atJSR reads .../~/N/NAME/VERSION.tgz.
func atJSR(address string) (name, version string, ok bool) {
	above, file := path.Split(address)
	above = strings.TrimSuffix(above, "/")
	name = lastName(above)
	version, ok = strings.CutSuffix(file, ".tgz")
	mount := path.Dir(strings.TrimSuffix(above, "/"+name))
	return name, version, ok && path.Base(mount) == "~" && looksLikeVersion(version)
}

// lastName returns the name of a package that a path ends in.
func lastName(path string) string {
	parts := strings.Split(path, "/")
	if n := len(parts); n >= 2 && strings.HasPrefix(parts[n-2], "@") {
		return parts[n-2] + "/" + parts[n-1]
	}
	return parts[len(parts)-1]
}

func looksLikeVersion(s string) bool {
	return s != "" && s[0] >= '0' && s[0] <= '9' && strings.Count(s, ".") >= 2 && !strings.Contains(s, "/")
}

func isHex(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// encodedScope undoes how some registries write a scope in an address.
var encodedScope = strings.NewReplacer("%40", "@", "%2f", "/", "%2F", "/")
