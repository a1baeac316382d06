package npm

import (
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
)

// A Certainty says how sure it is that a module of a bundle is of a package.
type Certainty int

// The certainties, least first.
const (
	Ambiguous Certainty = iota // by its name; the project has several versions
	ByName                     // by its name; the project has one version
	ByVersion                  // by name and version, which the path names
	ByPlace                    // it lies where the package lies
	ByContent                  // and its source is the installed file, byte for byte
)

func (c Certainty) String() string {
	return [...]string{"ambiguous", "name", "version", "place", "content"}[c]
}

// A Finding is a package of which something is in an output.
type Finding struct {
	Package   int    // index in Packages; -1: it is not in the project
	Name      string // of the package, where it is not in the project
	Within    int    // the package whose own build put it there, where it is not in the project
	Files     int    // modules
	Bytes     int64
	Source    bool      // the bytes are the sources'
	Certainty Certainty // of the least certain module
}

// Attribution finds the packages that modules are of.
type Attribution struct {
	project *Project
	files   fs.FS
	byPlace map[string]int   // packages by where they lie, links resolved
	byName  map[string][]int // by name and alias, workspaces apart
	folders []int            // workspaces, the deepest first
}

// NewAttribution prepares finding packages; files is the project's folder.
func NewAttribution(p *Project, files fs.FS) *Attribution {
	a := &Attribution{project: p, files: files, byPlace: map[string]int{}, byName: map[string][]int{}}
	for i, pkg := range p.Packages {
		to := i
		if pkg.IsLink {
			to = pkg.Link
		}
		if p.Placed {
			a.byPlace[pkg.Place] = to
		}
		if pkg.Installed != nil {
			a.byPlace[pkg.Installed.Place] = to
		}
		if pkg.IsLink || i == 0 {
			continue
		}
		if pkg.Source == SourceWorkspace {
			a.folders = append(a.folders, i)
			continue
		}
		a.byName[pkg.Name] = append(a.byName[pkg.Name], i)
	}
	slices.SortStableFunc(a.folders, func(x, y int) int { return len(p.Packages[y].Place) - len(p.Packages[x].Place) })
	return a
}

// Find lists the packages that an output's modules are of, the project itself (0)
// too, sorted by index and name. base is the folder that relative paths start from,
// below the project's; home is the project's folder as absolute paths name it.
func (a *Attribution) Find(o Output, base, home string) []Finding {
	type key struct {
		pkg, within int
		name        string
	}
	found := map[key]*Finding{}
	for _, m := range o.Modules {
		at, ok := modulePath(m.Path, base, home)
		if !ok {
			continue // the bundler's own
		}
		of := a.attribute(at, m)
		if one := of[0]; one.Package < 0 && one.Within > 0 {
			of = append(of, Finding{Package: one.Within, Certainty: ByPlace}) // whose file it is in
		}
		for _, f := range of {
			k := key{f.Package, f.Within, f.Name}
			have := found[k]
			if have == nil {
				have = &Finding{Package: f.Package, Name: f.Name, Within: f.Within, Certainty: f.Certainty}
				found[k] = have
			}
			have.Files++
			have.Bytes += m.Bytes
			have.Source = have.Source || m.IsSource
			have.Certainty = min(have.Certainty, f.Certainty)
		}
	}
	list := make([]Finding, 0, len(found))
	for _, f := range found {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(x, y Finding) int {
		if x.Package != y.Package {
			return x.Package - y.Package
		}
		if x.Name != y.Name {
			return strings.Compare(x.Name, y.Name)
		}
		return x.Within - y.Within
	})
	return list
}

// modulePath turns what a bundler calls a module into a path from the project's
// folder, or as much of it as is known; false for modules that bundlers make up.
func modulePath(name, base, home string) (string, bool) {
	name = filepathToSlash(strings.TrimLeft(name, "\x00"))
	if i := strings.LastIndexByte(name, '!'); i >= 0 {
		name = name[i+1:] // behind webpack's loaders
	}
	for _, prefix := range []string{"(disabled):", "pnp:", "file://"} {
		name = strings.TrimPrefix(name, prefix)
	}
	if rest, ok := strings.CutPrefix(name, "webpack://"); ok {
		// webpack://NAMESPACE/./PATH, from the folder that webpack ran in. The
		// namespace is the project's name, which may have a scope.
		var own bool
		if _, name, own = strings.Cut(rest, "/./"); !own {
			_, name, _ = strings.Cut(rest, "/")
			if strings.Contains("/"+name, "/webpack/") || strings.Contains("/"+name, "/external ") {
				return "", false
			}
		}
		base = ""
	}
	if i := strings.IndexAny(name, "?#"); i > 0 {
		name = name[:i]
	}
	if decoded, err := url.PathUnescape(name); err == nil {
		name = decoded
	}
	switch {
	case name == "" || strings.HasPrefix(name, "<") || strings.ContainsFunc(name, isControl):
		return "", false
	case strings.HasPrefix(name, "webpack/") || strings.HasPrefix(name, "external "):
		return "", false
	case strings.HasPrefix(name, "/") || (len(name) > 2 && name[1] == ':'):
		name = path.Clean(name)
		if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(home, "/")+"/"); ok && home != "" {
			return rest, true
		}
		return name, true
	case !strings.Contains(name, "/") && strings.Contains(name, ":"):
		return "", false // a namespace of a plugin
	}
	return path.Join(base, name), true
}

// attribute finds the package of one module, or several that it may be of.
func (a *Attribution) attribute(at string, m Module) []Finding {
	cut := strings.LastIndex("/"+at, "/"+NodeModules+"/")
	if cut < 0 {
		return []Finding{{Package: a.folderOf(at), Certainty: ByPlace}}
	}
	inside := at[cut+len(NodeModules)+1:]
	name := inside
	if parts := strings.SplitN(inside, "/", 3); strings.HasPrefix(inside, "@") && len(parts) > 2 {
		name = parts[0] + "/" + parts[1]
	} else {
		name = parts[0]
	}
	place := at[:cut+len(NodeModules)+1] + name
	if i, ok := a.byPlace[place]; ok {
		return a.compared(i, place, at[len(place):], name, m)
	}
	if i, ok := a.versionIn(at[:cut], name); ok {
		return []Finding{{Package: i, Certainty: ByVersion}}
	}
	for from := place; movable(place, from); { // the longest end of the path at which a package lies
		if i, ok := a.byPlace[from]; ok {
			return a.compared(i, from, at[len(place):], name, m)
		}
		_, next, _ := strings.Cut(from, "/")
		if !strings.Contains(next, NodeModules+"/") {
			break
		}
		from = next
	}
	around := a.around(place)
	if around > 0 {
		// It is said to lie inside a package, where nothing lies: that one's own
		// build has put it into its files.
		return []Finding{{Package: -1, Name: name, Within: around, Certainty: ByName}}
	}
	switch list := a.byName[name]; len(list) {
	case 0:
		return []Finding{{Package: -1, Name: name, Certainty: ByName}}
	case 1:
		return []Finding{{Package: list[0], Certainty: ByName}}
	default:
		certainty := Ambiguous
		if a.oneVersion(list) {
			certainty = ByName
		}
		var all []Finding
		for _, i := range list {
			all = append(all, Finding{Package: i, Certainty: certainty})
		}
		return all
	}
}

// movable says whether a path may be that of a package at its end, in a project that
// lies elsewhere: not if what is before it leads out of the project or into a hidden
// folder, such as a cache.
func movable(place, end string) bool {
	before := strings.TrimSuffix(place, end)
	return !strings.HasPrefix(before, "../") && !strings.Contains("/"+before, "/.")
}

// compared is what a module is of that lies where package i does.
func (a *Attribution) compared(i int, place, rest, name string, m Module) []Finding {
	if f, certain := a.compare(i, place, rest, m); certain {
		return []Finding{f}
	}
	return []Finding{{Package: -1, Name: name, Within: a.around(place), Certainty: ByName}}
}

// compare holds a module's source against the installed file. If they differ, the
// module is of another version, which some package's own build has put into its
// files. Bundlers write line ends of their own.
func (a *Attribution) compare(i int, place, rest string, m Module) (Finding, bool) {
	f := Finding{Package: i, Certainty: ByPlace}
	if m.Content == "" || a.files == nil || !fs.ValidPath(place+rest) {
		return f, true
	}
	data, err := readBounded(a.files, place+rest, MaxLockfile)
	if err != nil {
		return f, true // packages are published without the sources that their maps name
	}
	clean := strings.NewReplacer("\r\n", "\n", "\ufeff", "")
	if strings.TrimSpace(clean.Replace(string(data))) != strings.TrimSpace(clean.Replace(m.Content)) {
		return f, false
	}
	f.Certainty = ByContent
	return f, true
}

// around is the package that a place lies inside; 0 for none.
func (a *Attribution) around(place string) int {
	for {
		cut := strings.LastIndex(place, "/"+NodeModules+"/")
		if cut < 0 {
			return 0
		}
		place = place[:cut]
		for from := place; ; {
			if i, ok := a.byPlace[from]; ok && i > 0 && inNodeModules(from) {
				return i
			}
			next := strings.IndexByte(from, '/')
			if next < 0 {
				break
			}
			from = from[next+1:]
		}
	}
}

// folderOf is the workspace that a file of the project lies in; 0 for the project.
func (a *Attribution) folderOf(at string) int {
	for _, i := range a.folders {
		place := a.project.Packages[i].Place
		if place != "" && (strings.HasPrefix(at, place+"/") || strings.Contains(at, "/"+place+"/")) {
			return i
		}
	}
	return 0
}

func (a *Attribution) oneVersion(list []int) bool {
	return !slices.ContainsFunc(list, func(i int) bool {
		return a.project.Packages[i].Version != a.project.Packages[list[0]].Version
	})
}

// versionIn finds a package by the version in its path: pnpm's and bun's
// STORE/NAME@VERSION..., yarn's cache/NAME-npm-VERSION-HASH.zip.
func (a *Attribution) versionIn(above, name string) (int, bool) {
	above = strings.TrimSuffix(above, "/")
	key := path.Base(above)
	flat := strings.ReplaceAll(name, "/", "+")
	dashed := strings.ReplaceAll(name, "/", "-")
	for _, i := range a.byName[name] {
		version := a.project.Packages[i].Version
		if version == "" {
			continue
		}
		for _, form := range []string{flat + "@" + version, dashed + "-npm-" + version} {
			if rest, ok := strings.CutPrefix(key, form); ok && (rest == "" || strings.ContainsAny(rest[:1], "_(-")) {
				return i, true
			}
		}
	}
	return 0, false
}

// Mark notes the findings about the output called file on the project's packages.
// What is in an output and not in the project becomes a package of its own, of
// unknown version.
func (p *Project) Mark(file string, findings []Finding) {
	for _, f := range findings {
		i := f.Package
		if i < 0 {
			i = p.inlined(f)
		}
		p.Packages[i].In = append(p.Packages[i].In, InOutput{File: file, Modules: f.Files, Bytes: f.Bytes, Source: f.Source, Certainty: f.Certainty})
	}
}

// inlined returns the package for a finding that is not in the project.
func (p *Project) inlined(f Finding) int {
	within := p.Packages[f.Within]
	pkg := Package{Name: f.Name, Source: SourceUnknown, Dev: within.Dev, Optional: within.Optional}
	if f.Within > 0 {
		pkg.Inlined = within.Name + "@" + within.Version
	}
	pkg.Place = path.Join(within.Place, "(in its files)", f.Name)
	pkg.EdgesUnknown = "only its name is known, from a bundler's report"
	for i, have := range p.Packages {
		if have.Place == pkg.Place {
			return i
		}
	}
	p.Packages = append(p.Packages, pkg)
	i := len(p.Packages) - 1
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
