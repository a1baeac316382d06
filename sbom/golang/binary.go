package golang

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
)

// ErrNotGo reports a file that is not a Go binary with build information.
var ErrNotGo = errors.New("not a Go binary with build information")

// ReadBinary reads a Go binary: its build information, what its headers say it
// links besides Go, and from the module cache or the vendor folder of the options
// the modules' edges, hashes and licences. A file that is not a Go binary gives
// [ErrNotGo].
func ReadBinary(ctx context.Context, r io.ReaderAt, o Options) (*Build, error) {
	info, err := readBuildInfo(r)
	if err != nil {
		return nil, err
	}
	b := &Build{Package: info.Path, GoVersion: releaseOf(info.GoVersion), Toolchain: info.GoVersion, Native: readNative(r)}
	for _, s := range info.Settings {
		b.Settings = append(b.Settings, Setting{s.Key, s.Value})
	}
	slices.SortFunc(b.Settings, func(a, c Setting) int { return strings.Compare(a.Key, c.Key) })
	b.Time, _ = time.Parse(time.RFC3339, b.Setting("vcs.time")) // an unreadable time is none
	b.Main = Module{Path: info.Main.Path, Version: known(info.Main.Version), Sum: info.Main.Sum}
	if b.Main.Path == "" { // built outside any module: go build file.go
		b.Main.Path = info.Path
	}
	b.resolveVersion()
	for _, d := range info.Deps {
		m := Module{Path: d.Path, Version: known(d.Version), Sum: d.Sum}
		if d.Replace != nil {
			m = replaced(m, d.Replace.Path, d.Replace.Version, d.Replace.Sum)
		} else if m.Version == "" {
			m.Workspace = true // of the same go.work: a dependency without replacement has a version
		}
		b.Modules = append(b.Modules, m)
	}
	b.Modules = append(b.Modules, Module{Path: Std, Version: b.GoVersion})
	b.Modules = distinct(b.Modules)
	var vendor *vendored
	if o.Vendor != "" {
		if vendor, err = readVendor(o.Vendor); err != nil {
			return nil, err
		} else if vendor == nil {
			return nil, errors.New("reading the vendor folder: it has no modules.txt, which go mod vendor writes")
		}
	}
	if len(b.Native.Compilers) > 0 {
		b.Gaps = append(b.Gaps, "which C libraries were linked into the binary itself: it does not say")
	}
	b.connect(cache{modules: o.ModCache})
	if err := b.describe(ctx, o, vendor, nil); err != nil {
		return nil, err
	}
	return b, nil
}

// readBuildInfo is debug/buildinfo.Read without its crashes: it reads formats
// that an attacker may have made up.
func readBuildInfo(r io.ReaderAt) (info *buildinfo.BuildInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			info, err = nil, fmt.Errorf("reading Go binary: %w (the reader crashed: %v)", ErrNotGo, p)
		}
	}()
	info, err = buildinfo.Read(r)
	if err != nil {
		return nil, fmt.Errorf("reading Go binary: %w (%w)", ErrNotGo, err)
	}
	if info.Main.Path == "" && info.Path == "" {
		return nil, fmt.Errorf("reading Go binary: %w (it names no module)", ErrNotGo)
	}
	return info, nil
}

// distinct sorts modules and drops what is linked under two names.
func distinct(modules []Module) []Module {
	slices.SortFunc(modules, func(a, b Module) int {
		return cmp.Or(strings.Compare(a.Key(), b.Key()), strings.Compare(a.Required, b.Required))
	})
	return slices.CompactFunc(modules, func(a, b Module) bool { return a.Key() == b.Key() })
}

// known drops "(devel)", which is no version.
func known(version string) string {
	if version == "(devel)" {
		return ""
	}
	return version
}

// releaseOf turns "go1.26.8 X:nocoverageredesign" into "1.26.8", and a
// development version into "".
func releaseOf(goVersion string) string {
	release, _, _ := strings.Cut(strings.TrimPrefix(goVersion, "go"), " ")
	if release == "" || release[0] < '0' || release[0] > '9' || strings.Contains(release, "devel") {
		return ""
	}
	return release
}

// replaced applies a replacement. One by a folder keeps the required identity:
// the folder's path says where it lay on one machine, and nothing else.
func replaced(m Module, path, version, sum string) Module {
	if version == "" || modfile.IsDirectoryPath(path) || filepath.IsAbs(path) {
		return Module{Path: m.Path, RequiredVersion: m.Version, Local: true}
	}
	return Module{Path: path, Version: version, Sum: sum, Required: m.Path, RequiredVersion: m.Version}
}
