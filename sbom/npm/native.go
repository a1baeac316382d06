package npm

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxNativeDepth is how deep below a package its programs are looked for:
// bin/esbuild, build/Release/x.node, prebuilds/linux-x64/x.node.
const maxNativeDepth = 4

// findNative lists a package's files that are made for a processor. Only packages
// that can have such files are searched: those that say for which platform they
// are, that run something when they are installed, or that have a .node file or a
// program at the top or in bin.
func (in *Installed) findNative(files fs.FS) {
	m := in.manifest
	likely := bool(m.OS || m.CPU) || in.BindingGyp || len(in.Scripts) > 0
	for _, name := range in.names {
		likely = likely || strings.HasSuffix(name, ".node") || name == "prebuilds"
	}
	if likely {
		in.searchNative(files, ".", 0)
		slices.Sort(in.Native)
	}
}

func (in *Installed) searchNative(files fs.FS, dir string, depth int) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := e.Name()
		at := path.Join(dir, name)
		switch {
		case e.IsDir() && name != NodeModules && depth < maxNativeDepth:
			in.searchNative(files, at, depth+1)
		case e.Type().IsRegular() && !textFile(name) && isNative(files, at):
			in.Native = append(in.Native, at)
		}
	}
}

// textFile says whether a name is of a file that is no program.
func textFile(name string) bool {
	switch path.Ext(name) {
	case ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".json", ".md", ".map", ".txt", ".c", ".cc", ".h", ".cpp", ".hpp", ".css", ".html", ".yml", ".yaml", ".svg", ".png", ".gyp", ".gypi":
		return true
	}
	return false
}

// isNative says by its first bytes whether a file is an ELF, PE or Mach-O file.
func isNative(files fs.FS, name string) bool {
	f, err := files.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [4]byte
	if n, _ := f.Read(head[:]); n < 4 {
		return false
	}
	switch string(head[:]) {
	case "\x7fELF", "\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf":
		return true
	case "\xca\xfe\xba\xbe": // a universal Mach-O file, or a Java class
		return path.Ext(name) != ".class"
	}
	return string(head[:2]) == "MZ"
}
