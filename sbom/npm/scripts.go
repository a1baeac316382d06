package npm

import (
	"context"
	"io/fs"
	"path"
	"strings"
)

// InstallScript names the first package in a folder's node_modules that runs a script
// when it is installed, or is compiled then, as NAME@VERSION; "" if none is seen. npm's
// own note is believed; without it the packages are looked at. It is a hint for
// people: what cannot be read is not said.
func InstallScript(ctx context.Context, folder fs.FS) string {
	if _, err := fs.Stat(folder, NodeModules); err != nil {
		return ""
	}
	if hidden := readHidden(folder); hidden != nil {
		for _, place := range sortedKeys(hidden) {
			if item := hidden[place]; item != nil && item.HasInstallScript {
				return strings.TrimSuffix(nameOfPlace(place)+"@"+item.Version, "@")
			}
		}
		return ""
	}
	w := &walker{ctx: ctx, files: folder, seen: map[string]bool{}}
	if err := w.folder(""); err != nil {
		return ""
	}
	for _, in := range w.found {
		if in.isLink || in.outside || in.problem != "" {
			continue
		}
		data, err := readBounded(folder, path.Join(in.Place, "package.json"), maxManifest)
		if err != nil {
			continue
		}
		m, err := parseManifest(data)
		if err != nil {
			continue
		}
		_, err = fs.Stat(folder, path.Join(in.Place, "binding.gyp"))
		in.BindingGyp = err == nil
		if in.describe(m); len(in.Scripts) > 0 || in.BindingGyp {
			return strings.TrimSuffix(in.Name+"@"+in.Version, "@")
		}
	}
	return ""
}
