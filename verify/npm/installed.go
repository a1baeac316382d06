package npm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm/tarball"
)

// installed compares what lies in node_modules with the tarball.
func (j *job) installed(ctx context.Context, contents *tarball.Contents) error {
	if j.inspector.Installed == nil {
		return nil
	}
	compared := map[string]bool{}
	for _, place := range slices.Concat(j.result.Places, j.store) {
		if !strings.HasPrefix(place, nodeModules) && !strings.Contains(place, "/"+nodeModules) {
			continue
		}
		at := place
		info, err := fs.Lstat(j.inspector.Installed, place)
		if errors.Is(err, fs.ErrNotExist) {
			if slices.Contains(j.inspector.Missing, place) { // and not for another platform
				j.find(&verify.Refusal{Code: verify.CodeInstalledDiffers, Expected: "a package in " + place, Found: "none"})
			}
			continue
		}
		j.compared = true
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			if to := inStore(j.inspector.Installed, place); to != "" {
				at = to
				info, err = fs.Stat(j.inspector.Installed, at)
			}
		}
		if err != nil || !info.IsDir() { // npm puts no link in a package's place
			j.find(&verify.Refusal{Code: verify.CodeInstalledDiffers, Expected: "a folder at " + place, Found: "something else"})
			continue
		}
		j.holds = append(j.holds, at)
		if compared[at] {
			continue
		}
		compared[at] = true
		if contents == nil {
			j.findAs(&verify.Refusal{Code: verify.CodeTarballMissing, Expected: "the tarball, to compare " + place + " with", Found: "it is not at hand"}, verify.Deny)
			continue
		}
		sub, err := fs.Sub(j.inspector.Installed, at)
		if err != nil {
			return err
		}
		differences, err := contents.Compare(ctx, sub)
		if err != nil {
			return err
		}
		if len(differences) > 0 {
			j.find(&verify.Refusal{Code: verify.CodeInstalledDiffers, Expected: "the tarball's files in " + place, Found: describe(differences)})
		}
		for name := range contents.Files {
			for below := range strings.SplitSeq(upToPackages(name), "\n") {
				j.holds = append(j.holds, at+"/"+below)
			}
		}
	}
	return nil
}

const nodeModules = "node_modules/"

// upToPackages lists the folders of packages that a tarball's file lies in, a line each.
func upToPackages(name string) string {
	var all []string
	parts := strings.Split(name, "/")
	for i := 0; i+2 < len(parts) && parts[i]+"/" == nodeModules; i += 2 {
		if strings.HasPrefix(parts[i+1], "@") {
			i++
		}
		all = append(all, strings.Join(parts[:min(i+2, len(parts))], "/"))
	}
	return strings.Join(all, "\n")
}

// A stray walks the project's folders of packages for what neither the lockfile nor a
// tarball that was compared puts there.
type stray struct {
	files  fs.FS
	known  map[string]bool
	opaque map[string]bool // known, and what is in it is not: it comes from no registry
	found  []string
	caches []string // of tools, which are not compared
}

// strays lists what lies in node_modules and nothing puts there, and what was not
// compared.
func (i *Inspector) strays(jobs []*job) (found, notCompared []string, err error) {
	s := &stray{files: i.Installed, known: map[string]bool{}, opaque: map[string]bool{}}
	folders := map[string]bool{".": true}
	for _, j := range jobs {
		for _, place := range j.result.Places {
			if inside := strings.HasPrefix(place, nodeModules) || strings.Contains(place, "/"+nodeModules); !inside {
				// What lies beside a workspace, or above it, is found from there.
				for dir := place; dir != "." && dir != "/"; dir = path.Dir(dir) {
					folders[dir] = true
				}
			}
			if !j.bundled { // one lies there if its parent's tarball has it
				s.known[place] = true
			}
		}
		for _, place := range slices.Concat(j.holds, j.store) {
			s.known[place] = true
		}
		if j.source != lockfile.SourceRegistry {
			for _, place := range slices.Concat(j.result.Places, j.store) {
				s.opaque[place] = true
			}
		}
	}
	for _, j := range jobs {
		for _, place := range j.result.Places {
			if j.bundled && s.inOpaque(place) {
				s.known[place] = true
			}
		}
	}
	if err := s.store(); err != nil {
		return nil, nil, err
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		if err := s.walk(path.Join(folder, strings.TrimSuffix(nodeModules, "/")), true); err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(s.found)
	slices.Sort(s.caches)
	return slices.Compact(s.found), slices.Compact(s.caches), nil
}

// inOpaque tells whether a place is in a package of which there is no tarball to compare
// with.
func (s *stray) inOpaque(place string) bool {
	for dir := path.Dir(place); dir != "."; dir = path.Dir(dir) {
		if s.opaque[dir] {
			return true
		}
	}
	return false
}

// walk looks at one node_modules and at those of the packages in it. Top says that it is
// the project's or a workspace's, in which tools keep what is theirs.
func (s *stray) walk(folder string, top bool) error {
	switch info, err := fs.Lstat(s.files, folder); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("reading %s: %w", folder, err)
	case !info.IsDir(): // a link: what is in it looks for others beside where it leads to
		s.found = append(s.found, folder)
		return nil
	}
	entries, err := fs.ReadDir(s.files, folder)
	if err != nil {
		return fmt.Errorf("reading %s: %w", folder, err)
	}
	commands := false
	for _, e := range entries {
		at := folder + "/" + e.Name()
		switch {
		case e.Name() == ".bin" && e.IsDir():
			commands = true // when it is known what lies beside it
		case strings.HasPrefix(e.Name(), "."):
			s.dot(at, e, top)
		case strings.HasPrefix(e.Name(), "@") && e.IsDir():
			var scope []fs.DirEntry
			if scope, err = fs.ReadDir(s.files, at); err != nil {
				break
			}
			for _, in := range scope {
				err = cmp.Or(err, s.one(at+"/"+in.Name(), in))
			}
		default:
			err = s.one(at, e)
		}
		if err != nil {
			return err
		}
	}
	if commands {
		s.commands(folder)
	}
	return nil
}

// dot judges what begins with a dot, which node finds by its name as it finds a package.
// The package managers' notes are no code; what tools keep for themselves is not compared.
func (s *stray) dot(place string, e fs.DirEntry, top bool) {
	switch name := e.Name(); {
	case top && e.Type().IsRegular() && slices.Contains([]string{".package-lock.json", ".yarn-integrity", ".yarn-state.yml", ".modules.yaml"}, name):
	case place+"/" == bunStore && e.IsDir(): // it is walked by itself
	case top && e.IsDir() && slices.Contains([]string{".cache", ".vite", ".vite-temp"}, name):
		s.caches = append(s.caches, place)
	default:
		s.found = append(s.found, place)
	}
}

func (s *stray) one(place string, e fs.DirEntry) error {
	switch {
	case !s.known[place] && e.Type()&fs.ModeSymlink != 0 && s.linked(place):
		s.known[place] = true
	case !s.known[place]:
		s.found = append(s.found, place)
	case e.IsDir() && !(s.opaque[place] && strings.HasPrefix(place, bunStore)): // there a package's own lie beside it
		return s.walk(place+"/"+strings.TrimSuffix(nodeModules, "/"), false)
	}
	return nil
}

// plainLink tells whether a link leads where its text says, as package managers write it:
// what goes up again behind a name goes up from where that name leads to.
func plainLink(to string) bool { return !path.IsAbs(to) && path.Clean(to) == to }

// linked tells whether a link leads to a package that was compared, or to a folder of
// the project, in which bun puts it for another one.
func (s *stray) linked(place string) bool {
	to, err := fs.ReadLink(s.files, place)
	if err != nil || !plainLink(to) {
		return false
	}
	at := path.Join(path.Dir(place), to)
	return s.known[at] && (inStore(s.files, place) != "" || !strings.Contains(at+"/", nodeModules))
}

// commands looks at the links to packages' commands: what lies there runs by its bare
// name in every script.
func (s *stray) commands(folder string) {
	bin := folder + "/.bin"
	entries, err := fs.ReadDir(s.files, bin)
	if err != nil {
		s.found = append(s.found, bin)
		return
	}
	for _, e := range entries {
		at := bin + "/" + e.Name()
		if e.Type()&fs.ModeSymlink == 0 {
			if runtime.GOOS != "windows" { // where npm writes scripts there
				s.found = append(s.found, at)
			}
			continue
		}
		to, err := fs.ReadLink(s.files, at)
		if err != nil || !plainLink(to) || !s.inPackage(folder, path.Join(bin, to)) {
			s.found = append(s.found, at)
		}
	}
}

// inPackage tells whether a path lies in a package that is known of a node_modules, among
// its own files: what lies in a node_modules below it is not what was compared with it.
func (s *stray) inPackage(folder, name string) bool {
	for dir := path.Dir(name); strings.HasPrefix(dir, folder+"/") || strings.HasPrefix(dir, bunStore); dir = path.Dir(dir) {
		if s.known[dir] {
			return !strings.Contains(name[len(dir):], "/"+nodeModules)
		}
	}
	return false
}

func describe(differences []tarball.Difference) string {
	const most = 20
	var parts []string
	for i, d := range differences {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(differences)-most))
			break
		}
		kind := d.Kind
		if kind == tarball.Mode {
			kind = "made executable"
		}
		parts = append(parts, fmt.Sprintf("%s %.200q", kind, d.Path))
	}
	return strings.Join(parts, ", ")
}
