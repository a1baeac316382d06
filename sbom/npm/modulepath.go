package npm

import (
	"net/url"
	"path"
	"strings"
)

// modulePath turns what a bundler calls a module into a path from the project's
// folder, or as much of it as is known; false for modules that bundlers make up.
// base is the folder that relative paths start from, as seen from the project's; home is
// the project's folder as absolute paths name it.
func modulePath(m Module, base, home string) (string, bool) {
	name, address := filepathToSlash(strings.TrimLeft(m.Path, "\x00")), m.IsURL
	if at, ok := inHome(name, home); ok {
		return withoutQuery(at), true
	}
	if i := strings.LastIndexByte(name, '!'); i >= 0 {
		name = name[i+1:] // behind webpack's loaders
	}
	for _, prefix := range []string{"(disabled):", "pnp:"} {
		name = strings.TrimPrefix(name, prefix)
	}
	if rest, ok := strings.CutPrefix(name, "file://"); ok {
		name, address = rest, true
	}
	if rest, ok := strings.CutPrefix(name, "webpack://"); ok {
		// webpack://NAMESPACE/./PATH, from the folder that webpack ran in. The
		// namespace is the project's name, which may have a scope.
		var own bool
		if _, name, own = strings.Cut(rest, "/./"); !own {
			_, name, _ = strings.Cut(rest, "/")
			if strings.Contains("/"+name, "/webpack/") || strings.Contains("/"+name, "/external ") {
				return "", false
			}
		}
		base, address = "", true
	}
	if at, ok := inHome(name, home); ok && !address {
		return withoutQuery(at), true
	}
	name = withoutQuery(name)
	if decoded, err := url.PathUnescape(name); err == nil && address {
		name = decoded
	}
	switch {
	case name == "" || strings.HasPrefix(name, "<") || strings.ContainsFunc(name, isControl):
		return "", false
	case strings.HasPrefix(name, "webpack/") || strings.HasPrefix(name, "external "):
		return "", false
	case isAbsolute(name):
		if at, ok := inHome(name, home); ok {
			return at, true
		}
		return path.Clean(name), true
	case !strings.Contains(name, "/") && strings.Contains(name, ":"):
		return "", false // a namespace of a plugin
	}
	name = path.Join(base, name)
	if strings.HasPrefix(name, "../") { // it may come back in
		if at, ok := inHome(path.Join(home, name), home); ok {
			return at, true
		}
	}
	return name, true
}

func isAbsolute(name string) bool {
	return strings.HasPrefix(name, "/") || (len(name) > 2 && name[1] == ':' && name[2] == '/')
}

// inHome cuts the project's folder off an absolute path.
func inHome(name, home string) (string, bool) {
	if home == "" || !isAbsolute(name) {
		return "", false
	}
	return strings.CutPrefix(path.Clean(name), strings.TrimSuffix(home, "/")+"/")
}

// withoutQuery cuts off what bundlers add to the name of a file; folders above the
// last node_modules may have such characters in their names.
func withoutQuery(name string) string {
	from := max(strings.LastIndex(name, "/"+NodeModules+"/"), 0)
	if i := strings.IndexAny(name[from:], "?#"); i > 0 {
		return name[:from+i]
	}
	return name
}
