package npm

import (
	"io/fs"
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
	byName  map[string][]int // by name
	folders []int            // workspaces, the deepest first
	inlined map[string]int   // packages that are in others' files, by place
}

// NewAttribution prepares finding packages; files is the project's folder.
func NewAttribution(p *Project, files fs.FS) *Attribution {
	a := &Attribution{project: p, files: files, byPlace: map[string]int{}, byName: map[string][]int{}, inlined: map[string]int{}}
	for place, i := range p.at {
		a.byPlace[place] = i
	}
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
		at, ok := modulePath(m, base, home)
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

// attribute finds the package of one module, or several that it may be of.
func (a *Attribution) attribute(at string, m Module) []Finding {
	cut := strings.LastIndex("/"+at, "/"+NodeModules+"/")
	if cut < 0 {
		return []Finding{a.folderOf(at)}
	}
	inside := at[cut+len(NodeModules)+1:]
	name := inside
	if parts := strings.SplitN(inside, "/", 3); strings.HasPrefix(inside, "@") && len(parts) > 2 {
		name = parts[0] + "/" + parts[1]
	} else {
		name = parts[0]
	}
	place := at[:cut+len(NodeModules)+1] + name
	rest := at[len(place):]
	if i, ok := a.byPlace[place]; ok {
		return a.compared([]string{place}, []int{i}, rest, name, m)
	}
	if i, ok := a.versionIn(at[:cut], name); ok {
		return []Finding{{Package: i, Certainty: ByVersion}}
	}
	if places, list := a.moved(place); len(list) > 0 {
		return a.compared(places, list, rest, name, m)
	}
	if around := a.around(place); around > 0 {
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
		return several(list, certainty)
	}
}

func several(list []int, certainty Certainty) []Finding {
	all := make([]Finding, 0, len(list))
	for _, i := range list {
		all = append(all, Finding{Package: i, Certainty: certainty})
	}
	return all
}

// moved finds the packages that a place may be of in a project that lies elsewhere:
// what comes before the first node_modules is left out a folder at a time. What comes
// after says inside which package it lies, and stays.
func (a *Attribution) moved(place string) (places []string, list []int) {
	first := strings.Index("/"+place, "/"+NodeModules+"/")
	for at := 0; at < first; {
		at += strings.IndexByte(place[at:], '/') + 1
		if !movable(place[:at]) {
			break
		}
		if i, ok := a.byPlace[place[at:]]; ok && !slices.Contains(list, i) {
			places, list = append(places, place[at:]), append(list, i)
		}
	}
	return places, list
}

// movable says whether a path may be that of a package in a project that lies
// elsewhere: not if what is before it leads out of the project or into a hidden
// folder, such as a cache.
func movable(before string) bool {
	return !strings.HasPrefix(before, "../") && !strings.Contains("/"+before, "/.")
}

// compared is what a module is of that may lie where any of some packages do, at the
// places by the same index.
func (a *Attribution) compared(places []string, list []int, rest, name string, m Module) []Finding {
	var kept []int
	for n, i := range list {
		f, certain := a.compare(i, places[n], rest, m)
		if certain && (f.Certainty == ByContent || len(list) == 1) {
			return []Finding{f}
		}
		if certain {
			kept = append(kept, i)
		}
	}
	switch len(kept) {
	case 0:
		return []Finding{{Package: -1, Name: name, Within: a.around(places[0]), Certainty: ByName}}
	case 1: // the others' files have other content
		return several(kept, ByPlace)
	}
	return several(kept, Ambiguous)
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
		if !inNodeModules(place) {
			return 0
		}
		if i, ok := a.byPlace[place]; ok && i > 0 {
			return i
		}
		if _, list := a.moved(place); len(list) == 1 && list[0] > 0 {
			return list[0]
		}
	}
}

// folderOf finds the workspace that a file of the project lies in, else the project.
// Of a file that lies elsewhere, its path has the workspace's in it.
func (a *Attribution) folderOf(at string) Finding {
	elsewhere := path.IsAbs(at) || strings.HasPrefix(at, "../") || (len(at) > 1 && at[1] == ':')
	for _, i := range a.folders {
		place := a.project.Packages[i].Place
		switch {
		case place == "":
		case strings.HasPrefix(at, place+"/"):
			return Finding{Package: i, Certainty: ByPlace}
		case elsewhere && strings.Contains(at, "/"+place+"/"):
			return Finding{Package: i, Certainty: ByName}
		}
	}
	if elsewhere {
		return Finding{Certainty: ByName}
	}
	return Finding{Certainty: ByPlace}
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
