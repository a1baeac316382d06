package sbom

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/bmatcuk/doublestar/v4"

	"plimsoll.example/sbom/npm"
)

// bundleFile is a file that a bundler wrote.
type bundleFile struct {
	name     string    // below the project; of others, as much of the path as tells them apart
	artifact *Artifact // nil: it was not found

	path     string // cleaned, with slashes: where it was found, or as a report calls it
	findings []npm.Finding
}

// bundles reads bundlers' reports and marks the packages that are in their
// outputs.
type bundles struct {
	find  *npm.Attribution
	dir   string // the project's
	home  string // the same, absolute and without links
	files map[string]*bundleFile
	maps  bool // some are source maps
}

func readBundles(ctx context.Context, project *npm.Project, files fs.FS, dir string, reports []string) ([]*bundleFile, error) {
	paths, err := expandReports(reports)
	if err != nil {
		return nil, err
	}
	b := &bundles{find: npm.NewAttribution(project, files), dir: dir, files: map[string]*bundleFile{}}
	if b.home, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("reading bundle: %w", err)
	}
	if real, err := filepath.EvalSymlinks(b.home); err == nil {
		b.home = real
	}
	for _, report := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := b.read(report); err != nil {
			return nil, fmt.Errorf("%s: %w", report, err)
		}
	}
	list := b.named()
	for _, f := range list {
		b.find.Mark(f.name, f.findings)
	}
	if b.maps {
		project.Gaps = append(project.Gaps, "packages of which only JSON or other data is in the bundle: source maps tell of code; a metafile or stats tell of all")
	}
	return list, nil
}

// named gives each file a name of its own, and sorts them by it: a path from the
// project's folder, or the end of another path, no longer than it takes.
func (b *bundles) named() []*bundleFile {
	var list []*bundleFile
	taken := map[string]int{}
	for _, f := range b.files {
		list = append(list, f)
		for _, end := range ends(f.path) {
			taken[end]++
		}
	}
	slices.SortFunc(list, func(x, y *bundleFile) int { return strings.Compare(x.path, y.path) })
	used := map[string]bool{}
	for _, f := range list {
		f.name = f.path
		if !filepath.IsLocal(filepath.FromSlash(f.path)) {
			for _, end := range ends(f.path) {
				if f.name = end; taken[end] == 1 {
					break
				}
			}
		}
		for n := 2; used[f.name]; n++ {
			f.name = fmt.Sprintf("%s (%d)", f.path, n)
		}
		used[f.name] = true
	}
	slices.SortFunc(list, func(x, y *bundleFile) int { return strings.Compare(x.name, y.name) })
	return list
}

// ends lists the ends of a path, the shortest first; none leads upwards.
func ends(file string) []string {
	parts := strings.Split(strings.Trim(file, "/"), "/")
	var list []string
	for i := len(parts) - 1; i >= 0 && parts[i] != ".."; i-- {
		list = append(list, strings.Join(parts[i:], "/"))
	}
	return list
}

// expandReports lists the files that the caller named: files, patterns in which *
// stands for anything in a name and ** for folders, and folders, which stand for
// the source maps in them.
func expandReports(reports []string) ([]string, error) {
	var all []string
	for _, report := range reports {
		info, err := os.Stat(report)
		pattern := report
		switch {
		case err == nil && !info.IsDir():
			all = append(all, report)
			continue
		case err == nil:
			pattern = filepath.Join(report, "**", "*.map")
		case !strings.ContainsAny(report, "*?[{"):
			return nil, fmt.Errorf("reading bundle: %w", err)
		}
		found, err := glob(filepath.ToSlash(pattern))
		if err != nil {
			return nil, fmt.Errorf("reading bundle: %w", err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("reading bundle: %q names no file", pattern)
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// glob finds files by a pattern in which ** stands for any folders, or none, and
// {a,b} for either. It does not look into node_modules.
func glob(pattern string) ([]string, error) {
	pattern = path.Clean(pattern)
	if !doublestar.ValidatePattern(pattern) {
		return nil, fmt.Errorf("%q: %w", pattern, doublestar.ErrBadPattern)
	}
	base, _ := doublestar.SplitPattern(pattern)
	deep, parts := strings.Contains(pattern, "**"), strings.Count(pattern, "/")
	var found []string
	err := filepath.WalkDir(filepath.FromSlash(base), func(file string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == npm.NodeModules || (!deep && strings.Count(filepath.ToSlash(file), "/") >= parts)):
			return fs.SkipDir
		case !e.IsDir() && doublestar.MatchUnvalidated(pattern, filepath.ToSlash(file)):
			found = append(found, file)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return found, err
}

func (b *bundles) read(report string) error {
	data, err := readReport(report)
	if err != nil {
		return err
	}
	outputs, isMap, err := npm.ParseBundle(data)
	if err != nil {
		return err
	}
	if !isMap {
		bases := map[string]int{}
		for _, o := range outputs {
			bases[path.Base(filepath.ToSlash(o.Name))]++
		}
		for _, o := range outputs {
			b.add(o, b.locate(report, o.Name, bases[path.Base(filepath.ToSlash(o.Name))] == 1), "")
		}
		return nil
	}
	file := strings.TrimSuffix(report, ".map")
	if info, err := os.Stat(file); file == report || err != nil || !info.Mode().IsRegular() {
		file = ""
	}
	var generated []byte
	if file != "" {
		if generated, err = readReport(file); err != nil {
			return err
		}
	}
	o, err := npm.ParseSourceMap(data, generated)
	if err != nil {
		return err
	}
	if file == "" {
		o.Name = b.below(strings.TrimSuffix(report, ".map"))
	}
	b.maps = true
	b.add(*o, file, b.below(filepath.Dir(report)))
	return nil
}

func readReport(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading bundle: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > npm.MaxBundle {
		return nil, fmt.Errorf("reading bundle: expected a file of at most %d bytes, found %s of %d", npm.MaxBundle, info.Mode(), info.Size())
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading bundle: %w", err)
	}
	return data, nil
}

// locate finds the file that a report calls name: from the project's folder, or
// beside the report, also by its last part where that is no other's; and in one of
// these folders; "" if it is not there. A report may come from anybody, and is not to
// have other files read.
func (b *bundles) locate(report, name string, alone bool) string {
	beside := filepath.Dir(report)
	name = filepath.FromSlash(name)
	files := []string{filepath.Join(b.dir, name), name, filepath.Join(beside, name)}
	if alone {
		files = append(files, filepath.Join(beside, filepath.Base(name)))
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if rel := b.below(file); filepath.IsLocal(filepath.FromSlash(rel)) || inside(beside, file) {
			return file
		}
	}
	return ""
}

// inside says whether a file lies in a folder, links resolved.
func inside(dir, file string) bool {
	for _, path := range []*string{&dir, &file} {
		abs, err := filepath.Abs(*path)
		if err != nil {
			return false
		}
		if *path, err = filepath.EvalSymlinks(abs); err != nil {
			return false
		}
	}
	rel, err := filepath.Rel(dir, file)
	return err == nil && filepath.IsLocal(rel)
}

// below is a path from the project's folder; relative paths in source maps start
// there.
func (b *bundles) below(file string) string {
	abs, err := filepath.Abs(file)
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	rel, err := filepath.Rel(b.home, abs)
	if err != nil {
		return ""
	}
	return filepath.ToSlash(rel)
}

// add notes what is in an output. Where two reports tell of one, the first counts,
// and of packages that it does not know, the other.
func (b *bundles) add(o npm.Output, file, base string) {
	at := path.Clean(filepath.ToSlash(o.Name))
	if file != "" {
		at = b.below(file)
	}
	findings := b.find.Find(o, base, filepath.ToSlash(b.home))
	if f := b.files[at]; f != nil {
		f.findings = npm.MergeFindings(f.findings, findings)
		return
	}
	f := &bundleFile{path: at, findings: findings}
	b.files[at] = f
	if opened, err := os.Open(file); file != "" && err == nil {
		f.artifact, _ = hashArtifact(opened, path.Base(at))
		opened.Close()
	}
}

// bundleNodes makes the bundler's outputs components: the project depends on them,
// and they on the packages that are in them.
func (p *npmProject) bundleNodes(files []*bundleFile, o Options) (nodes []*node, gaps []string) {
	inside := map[string][]string{} // refs of what is in a file
	for i, pkg := range p.Packages {
		for _, in := range pkg.In {
			if i > 0 {
				inside[in.File] = append(inside[in.File], p.refs[p.groupOf[i]])
			}
		}
	}
	for _, f := range files {
		c := cdx.Component{BOMRef: "file:" + f.name, Type: cdx.ComponentTypeFile, Name: f.name, Version: p.Packages[0].Version, Scope: cdx.ScopeRequired}
		if c.Version == "" {
			addProperty(&c, "plimsoll:version:unknown", "the project has none")
		}
		if f.artifact != nil {
			c.Hashes = fileHashes(f.artifact.SHA256, f.artifact.SHA512)
			addFileProperties(&c, path.Base(f.name), "non-executable", "no archive", "structured")
		} else {
			addProperty(&c, "plimsoll:unknown:hash", "a bundler's report names it, and it was not found")
			gaps = append(gaps, fmt.Sprintf("the hash of %s: a bundler's report names it, and it was not found", f.name))
		}
		addProperty(&c, "plimsoll:unknown:license", "it is made of what it depends on")
		addProperty(&c, "plimsoll:unknown:identifier", "it is a file of this build")
		if c.Manufacturer, c.Supplier = o.Manufacturer.entity(), o.Supplier.entity(); c.Manufacturer == nil && c.Supplier == nil {
			addProperty(&c, "plimsoll:unknown:producer", "nobody was named as the manufacturer or supplier")
		}
		nodes = append(nodes, &node{component: c, edges: inside[f.name]})
		p.nodes[0].edges = append(p.nodes[0].edges, c.BOMRef)
	}
	return nodes, gaps
}

// bundled says on a component whether it is in the bundler's outputs: in which, with
// how many bytes, and how sure that is.
func (p *npmProject) bundled(c *cdx.Component, g npmGroup) {
	byFile := map[string]npm.InOutput{}
	for _, i := range g.places {
		for _, in := range p.Packages[i].In {
			have, again := byFile[in.File]
			if again {
				in.Bytes, in.Modules = in.Bytes+have.Bytes, in.Modules+have.Modules
				in.Source, in.Certainty = in.Source || have.Source, min(in.Certainty, have.Certainty)
			}
			byFile[in.File] = in
		}
	}
	addProperty(c, "plimsoll:bundle:included", strconv.FormatBool(len(byFile) > 0))
	if len(byFile) == 0 {
		return
	}
	var total int64
	what, least := "bytes", npm.ByContent
	for _, file := range slices.Sorted(maps.Keys(byFile)) {
		in := byFile[file]
		if in.Source {
			what = "sourceBytes"
		}
		total += in.Bytes
		least = min(least, in.Certainty)
		addProperty(c, "plimsoll:bundle:file", file)
		addOccurrence(c, cdx.EvidenceOccurrence{Location: file, AdditionalContext: fmt.Sprintf("%d %s of %d modules", in.Bytes, what, in.Modules)})
	}
	addProperty(c, "plimsoll:bundle:"+what, strconv.FormatInt(total, 10))
	addProperty(c, "plimsoll:bundle:certainty", least.String())
}

var errNoBundles = errors.New("leaving out what is not in the bundle: no bundle was named")
