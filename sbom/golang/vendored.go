package golang

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
)

// vendored is a vendor folder: which modules it has (vendor/modules.txt, written
// by `go mod vendor`).
type vendored struct {
	dir      string
	modules  map[module.Version]bool   // as required
	packages map[string]module.Version // import path -> module as required
}

// maxModulesTxt bounds vendor/modules.txt.
const maxModulesTxt = 16 << 20

// readVendor reads a vendor folder; nil without error if there is none.
func readVendor(dir string) (*vendored, error) {
	f, err := os.Open(filepath.Join(dir, "modules.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading vendor/modules.txt: %w", withoutPath(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxModulesTxt {
		return nil, fmt.Errorf("reading vendor/modules.txt: expected at most %d bytes", maxModulesTxt)
	}
	v := &vendored{dir: dir}
	if err := v.parse(f); err != nil {
		return nil, fmt.Errorf("reading vendor/modules.txt%w", err)
	}
	return v, nil
}

func (v *vendored) parse(r io.Reader) (err error) {
	v.modules, v.packages = map[module.Version]bool{}, map[string]module.Version{}
	var current module.Version
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		header, ok := strings.CutPrefix(line, "# ")
		switch {
		case ok:
			if current, err = v.header(header); err != nil {
				return fmt.Errorf(":%d: %w", n, err)
			}
		case line != "" && !strings.HasPrefix(line, "#") && current.Path != "":
			v.packages[line] = current
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf(": %w", withoutPath(err))
	}
	return nil
}

// header reads "PATH VERSION", "PATH VERSION => PATH [VERSION]", "PATH => ...".
func (v *vendored) header(line string) (module.Version, error) {
	left, right, isReplaced := strings.Cut(line, "=>")
	f := strings.Fields(left)
	if len(f) == 0 || len(f) > 2 {
		return module.Version{}, fmt.Errorf("expected a module and a version, found %q", line)
	}
	m := module.Version{Path: f[0]}
	if len(f) == 2 {
		m.Version = f[1]
	}
	if isReplaced {
		if to := strings.Fields(right); len(to) != 1 && len(to) != 2 {
			return m, fmt.Errorf("expected what replaces %s, found %q", m.Path, line)
		}
	}
	if m.Version == "" { // the trailing list of replacements without version
		return module.Version{}, nil
	}
	v.modules[m] = true
	return m, nil
}

// folder returns where a module's files are; "" if this version is not there.
func (v *vendored) folder(m Module) string {
	required := module.Version{Path: m.Path, Version: m.Version}
	if m.Required != "" {
		required = module.Version{Path: m.Required, Version: m.RequiredVersion}
	} else if m.RequiredVersion != "" {
		required.Version = m.RequiredVersion
	}
	if !v.modules[required] || module.CheckPath(required.Path) != nil {
		return ""
	}
	return filepath.Join(v.dir, filepath.FromSlash(required.Path))
}
