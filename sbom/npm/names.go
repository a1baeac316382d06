package npm

import (
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A request is what a requirement asks for.
type request struct {
	known     bool   // the lockfile tells what is asked for
	elsewhere bool   // an address, a commit, or a folder
	name      string // of npm:NAME@RANGE
}

// parseRequest reads a requirement of package.json (npm's package-arg, with the
// protocols of the other package managers). A catalog stands elsewhere.
func parseRequest(spec string) request {
	for {
		source, _, ok := cutPatch(spec)
		if !ok {
			break
		}
		_, spec, _ = cutSpec(source)
	}
	if strings.HasPrefix(spec, "catalog:") {
		return request{}
	}
	if real, ok := strings.CutPrefix(spec, "npm:"); ok {
		name, _, _ := cutSpec(real)
		return request{known: true, name: name}
	}
	return request{known: true, elsewhere: strings.ContainsAny(spec, ":/") || strings.HasPrefix(spec, ".") || isTarball(spec)}
}

// asks says whether this package under another name is asked for: what lies at an
// address has the name that it gives itself.
func (r request) asks(pkg *Package) bool {
	return !r.known || r.elsewhere || r.name == pkg.Name
}

// overrides are the requirements that replace others, by the name that is required.
type overrides map[string][]string

// deepestOverride bounds how deep npm's overrides are nested.
const deepestOverride = 16

// add reads npm's "overrides", yarn's "resolutions" or pnpm's "overrides": names, with
// ranges or with packages that require them before, and what is taken instead.
func (o overrides) add(raw jsontext.Value, above string, depth int) {
	var members map[string]jsontext.Value
	if len(raw) == 0 || depth > deepestOverride || jsonv2.Unmarshal(raw, &members, lenient) != nil {
		return
	}
	for key, value := range members {
		name := overridden(key)
		if key == "." {
			name = above
		}
		var spec string
		if value.Kind() == '"' && jsonv2.Unmarshal(value, &spec, lenient) == nil {
			o[name] = append(o[name], spec)
			continue
		}
		o.add(value, name, depth+1)
	}
}

// overridden returns the name that a key is about: of a>b@>1, a@1/b, **/b and @s/b the last.
func overridden(key string) string {
	for at := len(key) - 1; at > 0; at-- {
		if key[at] == '>' && !strings.ContainsRune(" |@", rune(key[at-1])) { // else it is of a range
			key = key[at+1:]
			break
		}
	}
	name, _, _ := cutSpec(lastName(key))
	return name
}

// addManifest reads the overrides of the project's package.json.
func (o overrides) addManifest(m *manifest) {
	var pnpm struct {
		Overrides jsontext.Value `json:"overrides"`
	}
	if len(m.PNPM) > 0 && jsonv2.Unmarshal([]byte(m.PNPM), &pnpm, lenient) == nil {
		o.add(pnpm.Overrides, "", 0)
	}
	o.add(jsontext.Value(m.Overrides), "", 0)
	for key, spec := range m.Resolutions {
		o[overridden(key)] = append(o[overridden(key)], spec)
	}
}

// A namer gathers under which names packages are installed, and what is asked for.
type namer struct {
	*Project
	overrides overrides
	manifests map[int]*manifest // of the project's own folders, where the lockfile only repeats them
	wanted    []wanted          // of Packages
}

// wanted is what is known of the requirements that a package meets.
type wanted struct {
	names []string // other than its own under which it is installed or required
	asked []string // those of them under which it is asked for
	fits  bool     // something asks for what is not a registry's, or nobody can tell
	plain string   // a requirement of a registry's package
}

// settleNames says under which names packages are installed, and whether that is what
// the project asks for. What a package.json says counts more than what the lockfile
// says of it: whoever changes a lockfile alone changes no package.json.
func (p *Project) settleNames(folders manifests) {
	n := namer{Project: p, overrides: p.overrides, manifests: map[int]*manifest{}, wanted: make([]wanted, len(p.Packages))}
	if n.overrides == nil {
		n.overrides = overrides{}
	}
	for i, pkg := range p.Packages {
		if folders.files == nil || pkg.IsLink || (i > 0 && pkg.Source != SourceWorkspace) {
			continue
		}
		m, err := folders.read(pkg.Place)
		if err != nil {
			continue
		}
		if i == 0 {
			n.overrides.addManifest(m)
		}
		if strings.HasPrefix(p.Format.File, "package-lock") || p.Format.File == "npm-shrinkwrap.json" {
			n.manifests[i] = m
		}
	}
	if m := n.manifests[0]; m != nil {
		p.settleOwn(newWorkspaces([]byte(m.Workspaces)))
	}
	for i := range p.Packages {
		n.addPlace(i)
		for _, e := range p.Packages[i].Edges {
			n.addEdge(i, e)
		}
	}
	for i := range p.Packages {
		n.settle(i)
	}
}

// addPlace adds the name under which node finds a place.
func (n *namer) addPlace(i int) {
	pkg := &n.Packages[i]
	if !n.Placed || i == 0 || !inNodeModules(pkg.Place) {
		return
	}
	to := i
	if pkg.IsLink {
		to = pkg.Link
	}
	if name := nameOfPlace(pkg.Place); name != n.Packages[to].Name {
		n.wanted[to].names = append(n.wanted[to].names, name)
	}
}

func (n *namer) addEdge(from int, e Edge) {
	if e.Kind == EdgeWorkspace || e.To == 0 {
		return
	}
	to, w := &n.Packages[e.To], &n.wanted[e.To]
	requests := make([]request, 0, 2)
	spec := e.Spec
	if m := n.manifests[from]; m != nil {
		spec = m.spec(e.Name)
	}
	if !e.SpecUnknown {
		requests = append(requests, parseRequest(spec))
	} else {
		requests = append(requests, request{})
	}
	for _, instead := range n.overrides[e.Name] {
		requests = append(requests, parseRequest(instead))
	}
	asked := false
	for _, r := range requests {
		asked = asked || r.asks(to)
		w.fits = w.fits || !r.known || r.elsewhere
	}
	if w.plain == "" {
		w.plain = strings.TrimSuffix(e.Name+"@"+spec, "@")
	}
	if e.Name != to.Name && to.Name != "" {
		w.names = append(w.names, e.Name)
		if asked {
			w.asked = append(w.asked, e.Name)
		}
	}
}

// settle notes what was gathered about a package.
func (n *namer) settle(i int) {
	pkg, w := &n.Packages[i], &n.wanted[i]
	w.names = append(w.names, pkg.Names...)
	slices.Sort(w.names)
	pkg.Names = slices.Compact(w.names)
	if i == 0 || pkg.IsLink || n.Packages[0].EdgesUnknown != "" || n.guessed || (pkg.Bundled && pkg.Bundler != 0) {
		return // what comes in another package's tarball was put there by its publisher
	}
	slices.Sort(w.asked)
	for _, name := range pkg.Names {
		if _, asked := slices.BinarySearch(w.asked, name); !asked {
			pkg.Undeclared = append(pkg.Undeclared, name)
		}
	}
	switch {
	case pkg.Source == SourceRegistry || pkg.Source == SourceUnknown || w.fits || pkg.own:
	case w.plain != "":
		pkg.Unasked = WithoutUsers(w.plain)
	case pkg.Source != SourceWorkspace:
		pkg.Unasked = "nothing"
	}
}
