package npm

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tailscale/hujson"
)

// bunLock is a bun.lock: JSON with trailing commas. A package's key says where it
// lies, with no word between the names: "a/b" is node_modules/a/node_modules/b.
type bunLock struct {
	Version    int                         `json:"lockfileVersion"`
	Workspaces map[string]*bunWorkspace    `json:"workspaces"`
	Packages   map[string][]jsontext.Value `json:"packages"`
	Patches    map[string]string           `json:"patchedDependencies"`
	Overrides  jsontext.Value              `json:"overrides"`
}

type bunWorkspace struct {
	Name                 string            `json:"name"`
	Version              string            `json:"version"`
	Dependencies         map[string]string `json:"dependencies"`
	DevDependencies      map[string]string `json:"devDependencies"`
	OptionalDependencies map[string]string `json:"optionalDependencies"`
	PeerDependencies     map[string]string `json:"peerDependencies"`
	OptionalPeers        []string          `json:"optionalPeers"`
	Bundled              bool              `json:"bundled"`
}

// newestBun is the newest version of bun.lock that is known.
const newestBun = 2

func parseBun(data []byte, _ manifests) (*Project, error) {
	if deeper(data, deepestBun) {
		return nil, fmt.Errorf("reading lockfile: nested deeper than %d levels", deepestBun)
	}
	plain, err := hujson.Standardize(data)
	if err != nil {
		return nil, fmt.Errorf("reading lockfile: %w", err)
	}
	lock := bunLock{Version: -1}
	if err := jsonv2.Unmarshal(plain, &lock); err != nil {
		return nil, lockfileError(err)
	}
	if lock.Version < 0 || lock.Version > newestBun {
		return nil, fmt.Errorf("reading lockfile: expected lockfileVersion 0 to %d, found %s", newestBun, strings.Replace(strconv.Itoa(lock.Version), "-1", "none", 1))
	}
	if lock.Workspaces[""] == nil {
		return nil, fmt.Errorf(`reading lockfile: expected an entry "" for the project in "workspaces", found none`)
	}
	flat := lockfile{Packages: map[string]*lockItem{}}
	for place, w := range lock.Workspaces {
		if w == nil {
			return nil, fmt.Errorf("reading lockfile: workspace %.200q is null", place)
		}
		flat.Packages[place] = w.item()
	}
	folders := map[string]string{} // of packages that stand for a folder, by key
	patches := map[string]string{} // by key
	for key, value := range lock.Packages {
		if err := lock.add(&flat, folders, patches, key, value); err != nil {
			return nil, err
		}
	}
	for key, value := range flat.Packages { // now that all folders are known
		if place := bunPlace(key, folders); strings.HasPrefix(key, bunKey) {
			delete(flat.Packages, key)
			if _, again := flat.Packages[place]; again {
				return nil, fmt.Errorf("reading lockfile: two packages lie at %.200q", place)
			}
			flat.Packages[place] = value
			if patch := patches[key]; patch != "" {
				patches[place] = patch
			}
		}
	}
	p, err := build(flat)
	if err != nil {
		return nil, err
	}
	p.Format.Version = strconv.Itoa(lock.Version)
	p.connectWorkspaces(workspaces{patterns: []string{"**"}}, true)
	p.overrides = overrides{}
	p.overrides.add(lock.Overrides, "", 0)
	for i := range p.Packages {
		p.Packages[i].Patch = patches[p.Packages[i].Place]
		p.Packages[i].settleBundler(p)
	}
	p.settleFlags()
	return p, nil
}

// deepestBun bounds nesting; the library that reads comments and trailing commas
// has no bound, and would use up the stack.
const deepestBun = 1000

// deeper says whether brackets outside of strings and comments are nested deeper
// than that.
func deeper(data []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '/' && bytes.HasPrefix(data[i:], []byte("//")):
			i += skipPast(data[i:], "\n")
		case c == '/' && bytes.HasPrefix(data[i:], []byte("/*")):
			i += 1 + skipPast(data[i+2:], "*/") + 1
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// skipPast is how many bytes there are before the last of end, or all.
func skipPast(data []byte, end string) int {
	if i := bytes.Index(data, []byte(end)); i >= 0 {
		return i + len(end) - 1
	}
	return len(data)
}

// bunKey marks a key that is not yet a place; no place begins so.
const bunKey = "\x00"

// bunPlace turns a key into a place: one that begins with a workspace's name lies
// in that folder.
func bunPlace(key string, folders map[string]string) string {
	names := bunNames(strings.TrimPrefix(key, bunKey))
	place := ""
	if folder, ok := folders[names[0]]; ok && len(names) > 1 {
		place, names = folder, names[1:]
	}
	for _, name := range names {
		place = path.Join(place, NodeModules) + "/" + name
	}
	return place
}

// bunNames cuts a key into names.
func bunNames(key string) []string {
	parts := strings.Split(key, "/")
	var names []string
	for i := 0; i < len(parts); i++ {
		name := parts[i]
		if strings.HasPrefix(name, "@") && i+1 < len(parts) {
			i++
			name += "/" + parts[i]
		}
		names = append(names, name)
	}
	return names
}

func (w *bunWorkspace) item() *lockItem {
	item := &lockItem{
		Name: w.Name, Version: w.Version, Dependencies: w.Dependencies, DevDependencies: w.DevDependencies,
		OptionalDependencies: w.OptionalDependencies, PeerDependencies: w.PeerDependencies, InBundle: w.Bundled,
		PeerDependenciesMeta: peersMeta{},
	}
	for _, name := range w.OptionalPeers {
		item.PeerDependenciesMeta[name] = true
	}
	return item
}

// add adds a package: [NAME@VERSION, REGISTRY, {...}, INTEGRITY], of which some
// are left out where a package is from no registry.
func (lock *bunLock) add(flat *lockfile, folders, patches map[string]string, key string, value []jsontext.Value) error {
	bad := func(expected string) error {
		return fmt.Errorf("reading lockfile: package %.200q: expected %s", WithoutUsers(key), expected)
	}
	var locator string
	if len(value) == 0 || jsonv2.Unmarshal(value[0], &locator) != nil {
		return bad("[NAME@VERSION, ...]")
	}
	name, reference, ok := cutSpec(locator)
	if !ok || key == "" || strings.Contains(name, ":") {
		return bad(fmt.Sprintf("NAME@VERSION, found %.200q", WithoutUsers(locator)))
	}
	if folder, ok := strings.CutPrefix(reference, "workspace:"); ok {
		folders[key] = folder
		flat.Packages[bunKey+key] = &lockItem{Name: name, Link: true, Resolved: flexible(folder)}
		return nil
	}
	info := &bunWorkspace{}
	var words []string
	for _, v := range value[1:] {
		var word string
		switch v.Kind() {
		case '{':
			if jsonv2.Unmarshal(v, info) != nil {
				return bad("an object of dependencies")
			}
		case '"':
			if jsonv2.Unmarshal(v, &word) != nil {
				return bad("text")
			}
			words = append(words, word)
		}
	}
	item := info.item()
	item.Name, item.Version = name, reference
	if n := len(words); n > 0 && strings.Contains(words[n-1], "-") && strings.HasPrefix(words[n-1], "sha") {
		item.Integrity = words[n-1]
	}
	if len(words) > 0 && isURL(words[0]) && isTarball(words[0]) {
		item.Resolved = flexible(words[0]) // of another registry than the first
	}
	switch {
	case strings.HasPrefix(reference, "root:"):
		item.Link, item.Resolved = true, ""
	case strings.HasPrefix(reference, "git+") || strings.HasPrefix(reference, "git@") || strings.HasPrefix(reference, "github:"):
		item.Version, item.Resolved = "", flexible(strings.Replace(reference, "github:", "git+https://github.com/", 1))
	case isURL(reference):
		item.Version, item.Resolved = "", flexible(reference)
	case strings.HasPrefix(reference, "file:") || strings.HasPrefix(reference, "link:") || strings.HasPrefix(reference, "."):
		_, at, found := strings.Cut(reference, ":")
		if !found {
			at = reference
		}
		item.Version, item.Resolved = "", flexible("file:"+strings.TrimPrefix(at, "./"))
	}
	if patch := lock.Patches[locator]; patch != "" {
		patches[bunKey+key] = patch
	}
	flat.Packages[bunKey+key] = item
	return nil
}

// settleBundler finds the package that a bundled one lies in, which bun.lock does
// not mark.
func (pkg *Package) settleBundler(p *Project) {
	if !pkg.Bundled {
		return
	}
	at := strings.LastIndex(pkg.Place, "/"+NodeModules+"/")
	if at < 0 {
		return
	}
	i, ok := slices.BinarySearchFunc(p.Packages, pkg.Place[:at], func(p Package, place string) int { return strings.Compare(p.Place, place) })
	if ok && !p.Packages[i].Bundled {
		pkg.Bundler = i
	}
}
