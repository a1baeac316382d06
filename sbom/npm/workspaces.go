package npm

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// workspaces are the patterns by which package.json names the project's folders. Of
// the patterns that match a folder the last one counts; one that begins with ! takes
// it out (npm's map-workspaces).
type workspaces struct {
	patterns []string
	unread   []string // that are written in a way that is not read
}

// newWorkspaces reads package.json's "workspaces": a list of patterns, or an
// object that holds one under "packages".
func newWorkspaces(raw jsontext.Value) workspaces {
	var list []string
	var object struct {
		Packages []string `json:"packages"`
	}
	if len(raw) > 0 && jsonv2.Unmarshal(raw, &list) != nil && jsonv2.Unmarshal(raw, &object) == nil {
		list = object.Packages
	}
	var w workspaces
	for _, pattern := range list {
		negated := strings.HasPrefix(pattern, "!")
		clean := path.Clean(strings.Trim(strings.TrimPrefix(pattern, "!"), "/"))
		// Of the shell's patterns, those with parentheses are not read.
		if strings.Contains(clean, "(") || !quick(clean) || !fs.ValidPath(clean) || !doublestar.ValidatePattern(clean) {
			w.unread = append(w.unread, pattern)
			continue
		}
		if negated {
			clean = "!" + clean
		}
		w.patterns = append(w.patterns, clean)
	}
	return w
}

// quick says whether matching a pattern ends soon: each group of alternatives, and
// each **, multiplies the ways to try.
func quick(pattern string) bool {
	ways := 1
	for range strings.Count(pattern, "{") {
		if ways *= strings.Count(pattern, ",") + 1; ways > 1000 {
			return false
		}
	}
	return strings.Count(pattern, "**") <= 4 && strings.Count(pattern, "*") <= 16
}

// match says whether a folder is one of the project's.
func (w workspaces) match(place string) bool {
	for _, pattern := range slices.Backward(w.patterns) {
		bare, negated := strings.CutPrefix(pattern, "!")
		if doublestar.MatchUnvalidated(bare, place) {
			return !negated
		}
	}
	return false
}

// workspaceFolders lists the project itself, and the folders that its package.json
// calls workspaces.
func (f manifests) workspaceFolders() (places, gaps []string) {
	m, err := f.read("")
	if err != nil {
		return []string{""}, nil
	}
	places, gaps = f.matching(newWorkspaces([]byte(m.Workspaces)))
	return append([]string{""}, places...), gaps
}

// matching lists the folders with a package.json that are workspaces, sorted, and
// what is not known of them.
func (f manifests) matching(w workspaces) (places, gaps []string) {
	for _, pattern := range w.unread {
		gaps = append(gaps, fmt.Sprintf("the workspaces that the pattern %q names: it leads out of the project, or is written in a way that is not read", pattern))
	}
	found := map[string]bool{}
	for _, pattern := range w.patterns {
		if strings.HasPrefix(pattern, "!") {
			continue
		}
		before := len(found)
		if err := f.search(pattern, found); err != nil {
			gaps = append(gaps, fmt.Sprintf("the workspaces that the pattern %q names: %v", pattern, err))
		} else if len(found) == before && !slices.ContainsFunc(sortedKeys(found), func(place string) bool { return doublestar.MatchUnvalidated(pattern, place) }) {
			gaps = append(gaps, fmt.Sprintf("the workspaces that the pattern %q names: no folder with a package.json is there", pattern))
		}
	}
	for _, place := range sortedKeys(found) {
		if w.match(place) {
			places = append(places, place)
		}
	}
	return places, gaps
}

// search finds the folders with a package.json that a pattern names.
func (f manifests) search(pattern string, found map[string]bool) error {
	base, _ := doublestar.SplitPattern(pattern)
	deepest := strings.Count(pattern, "/")
	if strings.Contains(pattern, "**") {
		deepest = maxPlace
	}
	hidden := strings.HasPrefix(pattern, ".") || strings.Contains(pattern, "/.")
	err := fs.WalkDir(f.files, base, func(place string, e fs.DirEntry, err error) error {
		switch name := path.Base(place); {
		case err != nil:
			return err
		case !e.IsDir() && e.Type()&fs.ModeSymlink == 0:
			return nil
		case name == NodeModules || (strings.HasPrefix(name, ".") && name != "." && !hidden):
			return skip(e)
		}
		if place != "." && doublestar.MatchUnvalidated(pattern, place) {
			if info, err := fs.Stat(f.files, path.Join(place, "package.json")); err == nil && info.Mode().IsRegular() {
				found[place] = true
			}
		}
		if strings.Count(place, "/") >= deepest && place != "." {
			return skip(e)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// skip leaves out a folder; links to folders are not walked anyway, and skipping one
// would skip what lies beside it.
func skip(e fs.DirEntry) error {
	if e.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// installAlways makes of an edge to a workspace, which may be for development only,
// one that no option leaves out: package managers install workspaces in any case.
func (e *Edge) installAlways() {
	if e.Kind != EdgeProd {
		e.Kind, e.Optional = EdgeWorkspace, false
	}
}

// settleOwn says which packages are folders of the project; where a pattern is not read, it
// may be about any folder below it.
func (p *Project) settleOwn(w workspaces) {
	for i := range p.Packages {
		place := p.Packages[i].Place
		p.Packages[i].own = !inNodeModules(place) && place != ".." && !strings.HasPrefix(place, "../") && (w.match(place) || len(w.unread) > 0)
	}
}

// connectWorkspaces makes the project depend on its workspaces, which are installed
// with it though nothing need require them. Where a lockfile holds all that is
// required, so is a linked folder that nothing else requires: its pattern may be in
// a form that is not read.
func (p *Project) connectWorkspaces(w workspaces, locked bool) {
	root := &p.Packages[0]
	for _, pattern := range w.unread {
		if locked {
			p.Gaps = append(p.Gaps, fmt.Sprintf("which folders are workspaces by the pattern %.100q: it leads out of the project, or is written in a way that is not read", pattern))
		}
	}
	have := map[int]bool{}
	for i, e := range root.Edges {
		have[e.To] = true
		if to := p.Packages[e.To].Place; !inNodeModules(to) && w.match(to) {
			root.Edges[i].installAlways()
		}
	}
	p.settleOwn(w)
	required := map[int]bool{}
	for _, pkg := range p.Packages {
		for _, e := range pkg.Edges {
			required[e.To] = true
		}
	}
	for _, pkg := range p.Packages {
		if !pkg.IsLink || pkg.Link == 0 || have[pkg.Link] {
			continue
		}
		to := p.Packages[pkg.Link]
		alone := locked && !required[pkg.Link] && !pkg.Extraneous && !to.Extraneous && pkg.Place == NodeModules+"/"+nameOfPlace(pkg.Place)
		if !alone && !w.match(to.Place) {
			continue
		}
		have[pkg.Link] = true
		root.Edges = append(root.Edges, Edge{Name: pkg.Name, Kind: EdgeWorkspace, To: pkg.Link})
	}
	slices.SortFunc(root.Edges, func(a, b Edge) int { return strings.Compare(a.Name, b.Name) })
}
