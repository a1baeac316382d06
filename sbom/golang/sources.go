package golang

import (
	"errors"
	"fmt"
	"go/build"
	"go/version"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// A sourceReader finds packages without the go command: in the main modules, the
// folders that replace modules, the vendor folder and the module cache.
type sourceReader struct {
	tree     *tree
	context  build.Context
	goroot   string // "": there is no toolchain
	cache    cache
	required map[string]module.Version // path -> required version, after minimal version selection
	replace  map[module.Version]module.Version
	packages map[string]*listed
	gaps     map[string]bool
	unread   map[string]bool // paths of modules whose files are not there
	unfound  map[string]bool // import paths that no module has
}

// maxPackages bounds what is read without the go command.
const maxPackages = 100_000

// withoutCommand is the environment as far as it is known without a go command.
func withoutCommand(o Options) environment {
	c := buildContext(environment{}, o)
	env := environment{GOOS: c.GOOS, GOARCH: c.GOARCH, CGO_ENABLED: "0"}
	if c.CgoEnabled {
		env.CGO_ENABLED = "1"
	}
	return env
}

// buildContext says which files belong to the build.
func buildContext(env environment, o Options) build.Context {
	c := build.Default
	c.GOROOT, c.GOPATH = "", ""
	c.BuildTags = slices.Clone(o.Tags)
	for _, set := range []struct {
		field  *string
		values []string
	}{{&c.GOOS, []string{o.GOOS, env.GOOS}}, {&c.GOARCH, []string{o.GOARCH, env.GOARCH}}} {
		for _, v := range set.values {
			if v != "" {
				*set.field = v
				break
			}
		}
	}
	switch {
	case env.CGO_ENABLED != "":
		c.CgoEnabled = env.CGO_ENABLED == "1"
	case c.GOOS != runtime.GOOS || c.GOARCH != runtime.GOARCH:
		c.CgoEnabled = false
	}
	return c
}

// fromSources lists the targets' packages and what they import by reading the
// sources that are there. why is the reason not to have asked the go command.
func (t *tree) fromSources(env environment, o Options, why string) (packages []listed, gaps []string, err error) {
	r := &sourceReader{
		tree: t, goroot: env.GOROOT, context: buildContext(env, o), cache: cache{modules: o.ModCache},
		packages: map[string]*listed{}, gaps: map[string]bool{}, unread: map[string]bool{}, unfound: map[string]bool{},
	}
	if r.cache.modules == "" {
		r.cache.modules = env.GOMODCACHE
	}
	r.selectVersions()
	if err := r.checkVendor(); err != nil {
		return nil, nil, err
	}
	roots, err := r.roots(o.Main)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range roots {
		if err := r.follow(p); err != nil {
			return nil, nil, err
		}
	}
	r.addUnseen()
	for _, p := range r.packages {
		for _, imported := range p.Imports {
			if r.unfound[imported] && p.missing == "" {
				p.missing = "it imports " + imported + ", which no module has that is required"
			}
		}
	}
	packages = make([]listed, 0, len(r.packages))
	for _, name := range slices.Sorted(maps.Keys(r.packages)) {
		packages = append(packages, *r.packages[name])
	}
	gaps = []string{"the sources were read without the go command: " + why}
	gaps = append(gaps, slices.Sorted(maps.Keys(r.gaps))...)
	return packages, gaps, nil
}

// selectVersions selects the version of each module: the highest that any go.mod
// requires (go.dev/ref/mod, "minimal version selection"). From go 1.17 on the main
// module's go.mod lists every module that its packages need, so no other is read.
func (r *sourceReader) selectVersions() {
	r.required, r.replace = map[string]module.Version{}, map[module.Version]module.Version{}
	old := false
	for _, m := range slices.Concat(r.tree.targets, r.tree.others) {
		r.addReplaces(m.file.Replace, m.dir)
		old = old || m.file.Go == nil || version.Compare("go"+m.file.Go.Version, "go1.17") < 0
	}
	if r.tree.work != nil {
		r.addReplaces(r.tree.work.Replace, r.tree.workDir) // these win
	}
	var todo []module.Version
	add := func(requires []*modfile.Require) {
		for _, q := range requires {
			if have, ok := r.required[q.Mod.Path]; !ok || semver.Compare(q.Mod.Version, have.Version) > 0 {
				r.required[q.Mod.Path] = q.Mod
				todo = append(todo, q.Mod)
			}
		}
	}
	for _, m := range slices.Concat(r.tree.targets, r.tree.others) {
		add(m.file.Require)
	}
	for old && len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		f, err := r.goMod(next)
		if err != nil {
			r.gaps["which versions are selected: the go.mod of "+next.String()+" is not there"] = true
			continue
		}
		add(f.Require)
	}
}

// addReplaces takes the replacements of a go.mod or go.work that lies in dir.
func (r *sourceReader) addReplaces(replaces []*modfile.Replace, dir string) {
	for _, rep := range replaces {
		r.replace[rep.Old] = rep.New
		if modfile.IsDirectoryPath(rep.New.Path) && !filepath.IsAbs(rep.New.Path) {
			r.replace[rep.Old] = module.Version{Path: filepath.Join(dir, rep.New.Path)}
		}
	}
}

// replacement is what a required module is replaced by; ok is false if by nothing.
func (r *sourceReader) replacement(m module.Version) (to module.Version, ok bool) {
	if to, ok = r.replace[m]; !ok {
		to, ok = r.replace[module.Version{Path: m.Path}]
	}
	return to, ok
}

func (r *sourceReader) goMod(m module.Version) (*modfile.File, error) {
	name := ""
	to, replaced := r.replacement(m)
	switch {
	case replaced && to.Version == "":
		name = filepath.Join(to.Path, "go.mod")
	case replaced:
		name = r.cache.file(to.Path, to.Version, ".mod")
	default:
		name = r.cache.file(m.Path, m.Version, ".mod")
	}
	if name == "" {
		return nil, errors.New("there is none")
	}
	data, err := readModFile(name)
	if err != nil {
		return nil, err
	}
	return modfile.ParseLax("go.mod", data, nil)
}

// checkVendor holds that vendor/modules.txt and go.mod agree about versions, as
// the go command does.
func (r *sourceReader) checkVendor() error {
	if r.tree.vendor == nil {
		return nil
	}
	paths := slices.Sorted(maps.Keys(r.required))
	for _, p := range paths {
		q := r.required[p]
		if r.tree.vendor.modules[q] || slices.ContainsFunc(slices.Concat(r.tree.targets, r.tree.others), func(m *mainModule) bool { return m.path == p }) {
			continue
		}
		have := "lacks it"
		for m := range r.tree.vendor.modules {
			if m.Path == p {
				have = "has " + m.Version
			}
		}
		return fmt.Errorf("inconsistent vendoring: go.mod requires %s, vendor/modules.txt %s; run go mod vendor", q, have)
	}
	return nil
}

// roots are the import paths of the programs that were asked for, or of every
// package of the targets.
func (r *sourceReader) roots(asked []string) ([]string, error) {
	var roots []string
	for _, m := range r.tree.targets {
		found, err := r.walk(m)
		if err != nil {
			return nil, err
		}
		roots = append(roots, found...)
	}
	if len(asked) == 0 {
		return roots, nil
	}
	var chosen []string
	for _, a := range asked {
		name := r.tree.importPath(a)
		if !slices.Contains(roots, name) {
			return nil, fmt.Errorf("there is no package %s", a)
		}
		chosen = append(chosen, name)
	}
	return chosen, nil
}

// importPath turns ./PATH, from the folder that is read, into an import path.
func (t *tree) importPath(asked string) string {
	if asked != "." && !strings.HasPrefix(asked, "./") {
		return asked
	}
	at := filepath.Join(t.dir, filepath.FromSlash(asked))
	for _, m := range t.targets {
		if rest, err := filepath.Rel(m.dir, at); err == nil && rest != ".." && !strings.HasPrefix(rest, ".."+string(filepath.Separator)) {
			return path.Join(m.path, filepath.ToSlash(rest))
		}
	}
	return asked
}

// walk finds a module's packages: folders with Go files, but for those that the
// go command leaves out.
func (r *sourceReader) walk(m *mainModule) ([]string, error) {
	var found []string
	err := filepath.WalkDir(m.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return withoutPath(err)
		}
		if !e.IsDir() {
			if dir := filepath.Dir(name); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
				found = append(found, path.Join(m.path, relative(filepath.Clean(m.dir), dir)))
			}
			return nil
		}
		if name == m.dir {
			return nil
		}
		base := e.Name()
		if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor" {
			return fs.SkipDir
		}
		if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
			return fs.SkipDir // another module
		}
		if m.ignores(relative(filepath.Clean(m.dir), name)) {
			return fs.SkipDir
		}
		return nil
	})
	slices.Sort(found)
	return slices.Compact(found), err
}

// ignores says whether go.mod has an ignore directive for a folder: a path from
// the module's top if it begins with ./, else one at any depth (go.dev/ref/mod,
// "ignore directive").
func (m *mainModule) ignores(folder string) bool {
	for _, i := range m.file.Ignore {
		rooted, ok := strings.CutPrefix(i.Path, "./")
		if ok && folder == path.Clean(rooted) {
			return true
		}
		if any := path.Clean(i.Path); !ok && (folder == any || strings.HasSuffix(folder, "/"+any)) {
			return true
		}
	}
	return false
}

// follow reads a package and all that it imports.
func (r *sourceReader) follow(root string) error {
	for todo := []string{root}; len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if have := r.packages[name]; have != nil || name == "C" || name == "unsafe" {
			if have != nil && name == root {
				have.DepOnly = false
			}
			continue
		}
		if len(r.packages) >= maxPackages {
			return fmt.Errorf("it imports more than %d packages", maxPackages)
		}
		p := r.load(name)
		if p == nil {
			continue
		}
		p.DepOnly = name != root
		r.packages[name] = p
		todo = append(todo, p.Imports...)
	}
	return nil
}

// load reads one package; nil if none of its files belongs to the build.
func (r *sourceReader) load(name string) *listed {
	p := &listed{ImportPath: name}
	dir, m := r.find(name)
	if m == nil {
		if r.isStandard(name) {
			p.Standard = true
			return p
		}
		r.unfound[name] = true
		r.gaps["no module that is required has the package "+name] = true
		return nil
	}
	p.Module, p.Dir = m, dir
	if dir == "" {
		p.missing = "the module's files are neither in the module cache nor in a vendor folder"
		r.unread[m.Path] = true
		r.gaps["what "+m.Path+" imports: "+p.missing] = true
		return p
	}
	found, err := r.context.ImportDir(dir, 0)
	var none *build.NoGoError
	switch {
	case errors.As(err, &none):
		return nil
	case err != nil:
		p.missing = "a package of it cannot be read"
		r.gaps["what package "+name+" imports: "+withoutFolder(err, dir)] = true
	}
	p.Name, p.Imports = found.Name, found.Imports
	p.CgoFiles, p.CFiles, p.CXXFiles, p.MFiles, p.FFiles = found.CgoFiles, found.CFiles, found.CXXFiles, found.MFiles, found.FFiles
	p.SysoFiles = found.SysoFiles
	if r.context.CgoEnabled {
		p.SwigFiles, p.SwigCXXFiles = found.SwigFiles, found.SwigCXXFiles
	}
	p.CgoLDFLAGS, p.CgoPkgConfig = found.CgoLDFLAGS, found.CgoPkgConfig
	return p
}

// standardFolders are the first elements of the standard library's import paths.
var standardFolders = strings.Fields(`archive arena bufio builtin bytes cmp compress container context crypto database debug embed
	encoding errors expvar flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp
	runtime simd slices sort strconv strings structs sync syscall testing text time unicode unique uuid weak`)

// isStandard says whether an import path is the standard library's: it has that
// package's folder, or where no toolchain is here, a folder of that name.
func (r *sourceReader) isStandard(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	if strings.Contains(first, ".") || module.CheckImportPath(name) != nil {
		return false
	}
	if r.goroot != "" {
		return hasGo(filepath.Join(r.goroot, "src", filepath.FromSlash(name)))
	}
	return slices.Contains(standardFolders, first)
}

// find returns the module that has a package, and its folder; "" if the module's
// files are not there.
func (r *sourceReader) find(name string) (dir string, m *listedModule) {
	for _, main := range slices.Concat(r.tree.targets, r.tree.others) {
		if rest, ok := below(name, main.path); ok {
			if dir := filepath.Join(main.dir, filepath.FromSlash(rest)); hasGo(dir) {
				return dir, &listedModule{Path: main.path, Main: true, Dir: main.dir}
			}
		}
	}
	if v := r.tree.vendor; v != nil {
		if required, ok := v.packages[name]; ok && module.CheckImportPath(name) == nil {
			m := r.module(required)
			m.Dir = filepath.Join(v.dir, filepath.FromSlash(required.Path))
			return filepath.Join(v.dir, filepath.FromSlash(name)), m
		}
	}
	// The longest path that has the package wins (go.dev/ref/mod, "Resolving a
	// package to a module").
	var first *listedModule
	for prefix := name; prefix != "."; prefix = path.Dir(prefix) {
		required, ok := r.required[prefix]
		if !ok {
			continue
		}
		m := r.module(required)
		rest, _ := below(name, prefix)
		if m.Dir == "" {
			if first == nil {
				first = m
			}
			continue
		}
		if dir := filepath.Join(m.Dir, filepath.FromSlash(rest)); hasGo(dir) {
			return dir, m
		}
	}
	return "", first
}

// module is a required module with its replacement, and its folder if it is there.
func (r *sourceReader) module(required module.Version) *listedModule {
	m := &listedModule{Path: required.Path, Version: required.Version}
	to, replaced := r.replacement(required)
	switch {
	case replaced && to.Version == "":
		m.Replace = &listedModule{Path: "./local"} // its path says where it lay on one machine
		m.Dir = to.Path
	case replaced:
		m.Replace = &listedModule{Path: to.Path, Version: to.Version}
		m.Dir = r.extracted(to)
	default:
		m.Dir = r.extracted(required)
	}
	return m
}

// extracted is the folder of a module in the module cache; "" if it is not there.
func (r *sourceReader) extracted(m module.Version) string {
	p, err := module.EscapePath(m.Path)
	if err != nil || r.cache.modules == "" {
		return ""
	}
	v, err := module.EscapeVersion(m.Version)
	if err != nil {
		return ""
	}
	dir := filepath.Join(r.cache.modules, filepath.FromSlash(p)+"@"+v)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// addUnseen adds, where a module could not be read, those that are required and
// were not reached: they may be linked through it.
func (r *sourceReader) addUnseen() {
	if len(r.unread) == 0 {
		return
	}
	reached := map[string]bool{}
	for _, p := range r.packages {
		if p.Module != nil {
			reached[p.Module.Path] = true
		}
	}
	for _, required := range r.required {
		if !reached[required.Path] {
			r.packages["\x00"+required.Path] = &listed{ImportPath: "\x00" + required.Path, DepOnly: true, Module: r.module(required), missing: unseen}
		}
	}
}

const unseen = "whether it is linked could not be seen: modules that may import it are missing"

// below returns the path of a package in a module.
func below(name, module string) (rest string, ok bool) {
	if name == module {
		return "", true
	}
	return strings.CutPrefix(name, module+"/")
}

func hasGo(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return !e.IsDir() && strings.HasSuffix(e.Name(), ".go")
	})
}

// withoutFolder is an error's text without the folder, which is a place on this
// machine.
func withoutFolder(err error, dir string) string {
	text := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	return strings.ReplaceAll(text, dir, "its folder")
}
