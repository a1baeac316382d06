package golang

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"plimsoll.example/sbom/git"
)

// A tree is one module, or the modules of a workspace.
type tree struct {
	dir     string
	work    *modfile.WorkFile // the go.work that was named, or the one that applies
	workDir string
	targets []*mainModule // whose programs are read, sorted by path
	others  []*mainModule // the workspace's other modules
	vendor  *vendored
}

// A mainModule is a module that is built where it lies.
type mainModule struct {
	path, dir string
	pattern   string // for the go command
	file      *modfile.File

	version, versionUnknown string // from git
	gap                     string // why a repository that is there does not tell
	embedded                []string
	checkout                *git.Checkout
}

// maxModFile bounds go.mod, go.work and go.sum.
const maxModFile = 16 << 20

func readModFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxModFile {
		return nil, fmt.Errorf("expected %s to be a file of at most %d bytes, found %s of %d", filepath.Base(path), maxModFile, info.Mode().Type(), info.Size())
	}
	return os.ReadFile(path)
}

func openMain(dir string) (*mainModule, error) {
	data, err := readModFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, err
	}
	f, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if f.Module == nil || f.Module.Mod.Path == "" {
		return nil, errors.New("go.mod names no module")
	}
	return &mainModule{path: f.Module.Mod.Path, dir: dir, pattern: "./...", file: f}, nil
}

func openModule(dir string) (*tree, error) {
	m, err := openMain(dir)
	if err != nil {
		return nil, err
	}
	return &tree{dir: dir, targets: []*mainModule{m}}, nil
}

func openWorkspace(file string) (*tree, error) {
	t := &tree{dir: filepath.Dir(file), workDir: filepath.Dir(file)}
	data, err := readModFile(file)
	if err != nil {
		return nil, err
	}
	if t.work, err = modfile.ParseWork("go.work", data, nil); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if len(t.work.Use) == 0 {
		return nil, errors.New("go.work uses no module")
	}
	for _, u := range t.work.Use {
		m, err := openMain(t.used(u.Path))
		if err != nil {
			return nil, fmt.Errorf("the module in %s: %w", u.Path, err)
		}
		m.pattern = u.Path + "/..."
		if u.Path == "." {
			m.pattern = "./..."
		}
		t.targets = append(t.targets, m)
	}
	slices.SortFunc(t.targets, func(a, b *mainModule) int { return strings.Compare(a.path, b.path) })
	return t, nil
}

// used is the folder of a module that go.work uses.
func (t *tree) used(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(t.workDir, filepath.FromSlash(path))
}

// goWork is the go.work file that the go command is to use: the one that was
// named or that applies to the module, or "off".
func (t *tree) goWork() string {
	if t.work == nil {
		return "off"
	}
	file, err := filepath.Abs(filepath.Join(t.workDir, "go.work"))
	if err != nil {
		return "off"
	}
	return file
}

// findVendor finds the go.work that applies to a module, and the vendor folder.
func (t *tree) findVendor(env environment) (err error) {
	if t.work == nil && env.GOWORK != "" && env.GOWORK != "off" {
		t.joinWorkspace(env.GOWORK)
	}
	dir := t.dir
	if t.work != nil {
		dir = t.workDir
	}
	t.vendor, err = readVendor(filepath.Join(dir, "vendor"))
	return err
}

// findWork finds the go.work that applies, as the go command does: the one that
// GOWORK names, or the nearest above; "" if there is none.
func (t *tree) findWork(named string) string {
	if named != "" {
		return named
	}
	dir, err := filepath.Abs(t.dir)
	if err != nil {
		return ""
	}
	for {
		file := filepath.Join(dir, "go.work")
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// joinWorkspace applies a go.work that the go command found, if the module is
// one of those it uses; a broken one is the go command's to report.
func (t *tree) joinWorkspace(file string) {
	w, err := openWorkspace(file)
	if err != nil {
		return
	}
	here, err := os.Stat(t.dir)
	if err != nil {
		return
	}
	for _, m := range w.targets {
		if there, err := os.Stat(m.dir); err == nil && os.SameFile(here, there) {
			t.work, t.workDir = w.work, w.workDir
		} else {
			t.others = append(t.others, m)
		}
	}
	if t.work == nil {
		t.others = nil
	}
}

// finish says how and where a build's modules were read.
func (t *tree) finish(b *Build, m *mainModule, env environment, o Options) {
	if b.Main.VersionUnknown = m.versionUnknown; m.version != "" {
		b.Main.VersionFrom = fromTag
	}
	if m.checkout != nil {
		b.Time = m.checkout.Time
	}
	if m.gap != "" {
		b.Gaps = append(b.Gaps, m.gap)
	}
	if t.vendor != nil {
		b.Gaps = append(b.Gaps, "whether the vendor folder's files are those of the modules: they were not compared")
	}
	b.GoVersion, b.Toolchain = releaseOf(env.GOVERSION), env.GOVERSION
	for i := range b.Modules {
		if b.Modules[i].Path == Std {
			b.Modules[i].Version = b.GoVersion
		}
	}
	settings := []Setting{{"CGO_ENABLED", env.CGO_ENABLED}, {"GOARCH", env.GOARCH}, {"GOOS", env.GOOS}, {"-tags", strings.Join(o.Tags, ",")}}
	if b.usesCGo() {
		settings = append(settings, Setting{"CC", filepath.Base(env.CC)})
		b.Native.Unknown = "which shared libraries and which C compiler take part, only the binary tells"
	}
	if m.checkout != nil {
		settings = append(settings, Setting{"vcs.revision", m.checkout.ID})
	}
	b.Settings = slices.DeleteFunc(settings, func(s Setting) bool { return s.Value == "" || s.Value == "." })
	slices.SortFunc(b.Settings, func(a, c Setting) int { return strings.Compare(a.Key, c.Key) })
	sums := t.sums()
	for i := range b.Modules {
		mod := &b.Modules[i]
		if mod.Sum == "" && !mod.Local {
			mod.Sum = sums[module.Version{Path: mod.Path, Version: mod.Version}]
		}
		if mod.Local {
			mod.RequiredSum = sums[module.Version{Path: mod.Path, Version: mod.RequiredVersion}]
		}
		mod.Place, mod.Line = t.place(m, *mod)
	}
}

func (b *Build) usesCGo() bool {
	uses := func(m Module) bool { return len(m.CGo.Files)+len(m.CGo.LDFlags)+len(m.CGo.PkgConf) > 0 }
	return uses(b.Main) || slices.ContainsFunc(b.Modules, uses)
}

// place is where a module stands: in the vendor folder, or required in go.mod.
func (t *tree) place(m *mainModule, mod Module) (string, int) {
	if mod.Path == Std {
		return "", 0
	}
	required := cmp.Or(mod.Required, mod.Path)
	if t.vendor != nil && t.vendor.folder(mod) != "" {
		return "vendor/" + required, 0
	}
	for _, r := range m.file.Require {
		if r.Mod.Path == required && r.Syntax != nil {
			return "go.mod", r.Syntax.Start.Line
		}
	}
	return "", 0
}

// sums reads the go.sum files: "PATH VERSION HASH" a line, the module's own and
// not those of its go.mod (VERSION/go.mod).
func (t *tree) sums() map[module.Version]string {
	sums := map[module.Version]string{}
	var files []string
	for _, m := range slices.Concat(t.targets, t.others) {
		files = append(files, filepath.Join(m.dir, "go.sum"))
	}
	if t.work != nil {
		files = append(files, filepath.Join(t.workDir, "go.work.sum"))
	}
	for _, file := range files {
		data, err := readModFile(file)
		if err != nil {
			continue // what it would tell is then missing, and said so
		}
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) == 3 && !strings.HasSuffix(f[1], "/go.mod") && strings.HasPrefix(f[2], "h1:") {
				sums[module.Version{Path: f[0], Version: f[1]}] = f[2]
			}
		}
	}
	return sums
}

// setVersions gives the main modules among the packages their versions.
func (t *tree) setVersions(ctx context.Context, packages []listed) {
	byPath := map[string]*mainModule{}
	for _, m := range slices.Concat(t.targets, t.others) {
		byPath[m.path] = m
	}
	for i := range packages {
		module := packages[i].Module
		if module == nil || !module.Main || byPath[module.Path] == nil {
			continue
		}
		m := byPath[module.Path]
		m.embedded = append(m.embedded, packages[i].embedded(m.dir)...)
	}
	for i := range packages {
		if module := packages[i].Module; module != nil && module.Main && byPath[module.Path] != nil {
			m := byPath[module.Path]
			m.readVersion(ctx)
			module.Version = m.version
		}
	}
}

// embedded are the files that a package embeds, by their path in the module.
func (p *listed) embedded(moduleDir string) []string {
	var files []string
	for _, f := range p.EmbedFiles {
		files = append(files, path.Join(relative(moduleDir, p.Dir), f))
	}
	return files
}

// readVersion takes the module's version from git, once.
func (m *mainModule) readVersion(ctx context.Context) {
	if m.version != "" || m.versionUnknown != "" {
		return
	}
	var err error
	if m.checkout, err = git.Read(ctx, m.dir); err == nil {
		for _, f := range m.embedded {
			m.checkout.Changed = m.checkout.Changed || slices.Contains(m.checkout.Untracked, m.checkout.Prefix+f)
		}
		m.version, err = tagVersion(m.checkout, m.path)
	}
	if err != nil {
		m.versionUnknown = err.Error()
		if m.checkout == nil && !errors.Is(err, git.ErrNone) {
			m.gap = "the version and the time of module " + m.path + ": " + err.Error()
		}
	}
}
