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

// registryAddress says whether a package's address has the form that registries
// use: .../NAME/-/BASENAME-VERSION.tgz.
func (pkg *Package) registryAddress() bool {
	address, _, _ := strings.Cut(pkg.Resolved, "?")
	address = encodedScope.Replace(address)
	return strings.HasSuffix(address, "/"+pkg.Name+"/-/"+path.Base(pkg.Name)+"-"+pkg.Version+".tgz")
}

// encodedScope undoes how some registries write a scope in an address.
var encodedScope = strings.NewReplacer("%40", "@", "%2f", "/", "%2F", "/")

// findBundlers finds, for packages that are said to be bundled, an installed
// package above them whose tarball holds others. Without one, "inBundle" is a
// word in a lockfile: npm fetches such a package like any other.
func (p *Project) findBundlers(lock lockfile, index map[string]int) {
	for i := range p.Packages {
		pkg := &p.Packages[i]
		if !pkg.Bundled {
			continue
		}
		for place := pkg.Place; ; {
			at := strings.LastIndex(place, "/node_modules/")
			if at < 0 {
				break
			}
			place = place[:at]
			above, ok := index[place]
			if ok && inNodeModules(place) && lock.Packages[place].bundles() && !p.Packages[above].Bundled {
				pkg.Bundler = above
				break
			}
		}
	}
}
