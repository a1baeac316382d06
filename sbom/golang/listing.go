package golang

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// listed is what `go list -json` says about a package, or what was read from its
// files without the go command.
type listed struct {
	ImportPath string
	Name       string
	Dir        string
	Standard   bool
	DepOnly    bool
	Imports    []string
	ImportMap  map[string]string
	Module     *listedModule

	CgoFiles, CFiles, CXXFiles, MFiles, FFiles, SwigFiles, SwigCXXFiles, SysoFiles []string
	CgoLDFLAGS, CgoPkgConfig, EmbedFiles                                           []string

	missing string // why its files could not be read
}

type listedModule struct {
	Path, Version, Sum string
	Dir                string
	Main               bool
	Replace            *listedModule
}

// within says whether a path is a folder or lies below it.
func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || os.IsPathSeparator(rest[0]))
}

// resolve applies the vendoring inside the standard library to an import: its
// golang.org/x/net is not the module of that name.
func (p *listed) resolve(imported string) string {
	if to, ok := p.ImportMap[imported]; ok {
		return to
	}
	return imported
}

// native are the package's files in other languages that are linked. Where cgo is
// off, only the system objects are.
func (p *listed) native() []string {
	if len(p.CgoFiles)+len(p.SwigFiles)+len(p.SwigCXXFiles) == 0 {
		return p.SysoFiles
	}
	return slices.Concat(p.CFiles, p.CXXFiles, p.MFiles, p.FFiles, p.SwigFiles, p.SwigCXXFiles, p.SysoFiles)
}

func parseListing(out []byte) ([]listed, error) {
	var packages []listed
	// A *bytes.Buffer is read in place. The go command names each member once.
	for dec := jsontext.NewDecoder(bytes.NewBuffer(out), jsontext.AllowDuplicateNames(true)); ; {
		var p listed
		if err := json.UnmarshalDecode(dec, &p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("what go list prints: %w", err)
		}
		packages = append(packages, p)
	}
	return packages, nil
}

// A listing is the packages of one or several main modules with all that they
// import.
type listing struct {
	packages []listed
	byPath   map[string]*listed
	folders  map[string]string // module key -> where its files are
}

func newListing(packages []listed) *listing {
	l := &listing{packages: packages, byPath: make(map[string]*listed, len(packages)), folders: map[string]string{}}
	for i := range packages {
		p := &packages[i]
		l.byPath[p.ImportPath] = p
		if p.Module != nil && !p.Standard {
			m, dir := p.Module, p.Module.Dir
			if dir == "" && m.Replace != nil {
				dir = m.Replace.Dir
			}
			if rest, ok := below(p.ImportPath, m.Path); ok && p.Dir != "" && (dir == "" || !within(p.Dir, dir)) { // vendored
				dir = strings.TrimSuffix(strings.TrimSuffix(p.Dir, filepath.FromSlash(rest)), string(filepath.Separator))
			}
			if dir != "" {
				l.folders[moduleOf(p).Key()] = dir
			}
		}
	}
	return l
}

// build follows imports from the programs of the main module at path and turns
// what they reach into modules and edges.
func (l *listing) build(path, version string) (*Build, error) {
	b := &Build{Main: Module{Path: path, Version: version}}
	var programs, all []string
	for i := range l.packages {
		p := &l.packages[i]
		if p.DepOnly || p.Module == nil || !p.Module.Main || p.Module.Path != path {
			continue
		}
		all = append(all, p.ImportPath)
		if p.Name == "main" {
			programs = append(programs, p.ImportPath)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("module %s has no packages for this GOOS and GOARCH", path)
	}
	roots := programs
	if len(roots) == 0 {
		roots = all
		b.Gaps = append(b.Gaps, "module "+path+" has no program: what is listed is what its packages link")
	}
	if len(programs) == 1 {
		b.Package = programs[0]
	}
	linked := map[string]bool{}
	for _, r := range roots {
		l.reach(r, linked)
	}
	l.collect(b, linked)
	if len(programs) > 1 {
		slices.Sort(programs)
		for _, p := range programs {
			b.Programs = append(b.Programs, l.program(p, b.Main))
		}
	}
	return b, nil
}

func (l *listing) reach(path string, linked map[string]bool) {
	p := l.byPath[path]
	if p == nil || linked[path] {
		return
	}
	linked[path] = true
	for _, imported := range p.Imports {
		l.reach(p.resolve(imported), linked)
	}
}

// program lists the modules that the main module's packages in a program import.
func (l *listing) program(path string, main Module) Program {
	linked := map[string]bool{}
	l.reach(path, linked)
	program := Program{Package: path, Edges: []string{Std}}
	for i := range l.packages {
		p := &l.packages[i]
		if !linked[p.ImportPath] || p.Module == nil || !p.Module.Main || p.Module.Path != main.Path {
			continue
		}
		for _, imported := range p.Imports {
			if to := l.byPath[p.resolve(imported)]; to != nil {
				if key := moduleOf(to).Key(); key != main.Key() {
					program.Edges = append(program.Edges, key)
				}
			}
		}
	}
	slices.Sort(program.Edges)
	program.Edges = slices.Compact(program.Edges)
	return program
}

// collect turns the linked packages into modules with edges.
func (l *listing) collect(b *Build, linked map[string]bool) {
	// Every program links the standard library's runtime, also one that imports
	// nothing.
	main := b.Main
	main.Edges = []string{Std}
	modules := map[string]*Module{Std: {Path: Std}, main.Key(): &main}
	for i := range l.packages {
		p := &l.packages[i]
		if !linked[p.ImportPath] && p.missing != unseen {
			continue
		}
		m := moduleOf(p)
		m.Unseen = p.missing == unseen
		have := modules[m.Key()]
		if have == nil {
			have = &m
			modules[m.Key()] = have
		}
		if p.missing != "" {
			have.EdgesUnknown = p.missing
		}
		if m.Path == Std {
			continue
		}
		for _, imported := range p.Imports {
			to := l.byPath[p.resolve(imported)]
			if to == nil { // "C" and "unsafe"
				continue
			}
			if key := moduleOf(to).Key(); key != m.Key() {
				have.Edges = append(have.Edges, key)
			}
		}
		have.CGo.add(p, l.folders[m.Key()])
	}
	for _, m := range modules {
		slices.Sort(m.Edges)
		m.Edges = slices.Compact(m.Edges)
		m.EdgesPartial = m.EdgesUnknown != "" && len(m.Edges) > 0
		m.CGo.sort()
		if m != &main {
			b.Modules = append(b.Modules, *m)
		}
	}
	b.Main = main
	b.Modules = distinct(b.Modules)
}

// moduleOf is the module that a package is linked from, with replacements
// applied.
func moduleOf(p *listed) Module {
	if p.Standard || p.Module == nil {
		return Module{Path: Std}
	}
	m := Module{Path: p.Module.Path, Version: p.Module.Version, Sum: p.Module.Sum, Workspace: p.Module.Main}
	if r := p.Module.Replace; r != nil {
		m = replaced(m, r.Path, r.Version, r.Sum)
	}
	return m
}

// relative is a path below dir with slashes; "" if it is not below.
func relative(dir, path string) string {
	rest, ok := strings.CutPrefix(path, dir)
	if !ok {
		return ""
	}
	return strings.TrimLeft(strings.ReplaceAll(rest, `\`, "/"), "/")
}
