package npm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxLockfile bounds a lockfile's bytes; one of 20,000 packages has about 8 MB.
const MaxLockfile = 64 << 20

// maxPlace bounds a place, so that looking upwards from it ends soon.
const maxPlace = 4096

// Names of the lockfiles that are read, in npm's order of preference.
var LockfileNames = []string{"npm-shrinkwrap.json", "package-lock.json"}

// A Project is what a lockfile says. Packages[0] is the project itself; the rest
// is sorted by place.
type Project struct {
	LockfileVersion int
	Packages        []Package
	Missing         []MissingEdge // required packages that lie nowhere
}

// A Package is one place in a lockfile.
type Package struct {
	Place      string // "", "node_modules/a", "packages/b"
	Name       string // the package's own name, also under an alias
	Version    string
	Resolved   string // where it was fetched from; "" if the lockfile leaves it out
	Integrity  string // SRI
	License    string // as written: an SPDX expression, or anything
	Source     Source
	Dev        bool // reachable through dev dependencies only
	Optional   bool // may be absent
	Peer       bool
	Bundled    bool // said to come in another package's tarball
	Bundler    int  // index of the package whose tarball it can lie in; 0: there is none
	IsLink     bool // the place stands for another
	Link       int  // index of that one
	Extraneous bool // installed, and required by nothing

	HasInstallScript bool
	Deprecated       string

	Edges []Edge // sorted by name
}

// A Source says where a package comes from.
type Source int

// The sources. The zero value vouches for nothing.
const (
	SourceUnknown   Source = iota
	SourceRegistry         // a registry's tarball
	SourceTarball          // a tarball somewhere else
	SourceGit              // a git commit
	SourceFile             // a tarball or folder on disk
	SourceWorkspace        // part of the project
)

func (s Source) String() string {
	return [...]string{"unknown source", "registry", "remote tarball", "git", "file", "workspace"}[s]
}

// An Edge is a dependency that was found.
type Edge struct {
	Name string // as required: an alias where there is one
	Spec string // as required
	Kind EdgeKind
	To   int // index in Packages, never a link
}

// A MissingEdge is a required dependency that lies nowhere.
type MissingEdge struct {
	From       int
	Name, Spec string
}

// An EdgeKind says which field of package.json an edge comes from.
type EdgeKind int

// The kinds of edges.
const (
	EdgeProd EdgeKind = iota
	EdgeDev
	EdgeOptional
	EdgePeer
	EdgeWorkspace
)

// lockfile is the JSON of package-lock.json (npm docs, "package-lock.json").
type lockfile struct {
	Name            string               `json:"name"`
	Version         string               `json:"version"`
	LockfileVersion int                  `json:"lockfileVersion"`
	Packages        map[string]*lockItem `json:"packages"`
}

type lockItem struct {
	Name                 string            `json:"name"`
	Version              string            `json:"version"`
	Resolved             flexible          `json:"resolved"`
	Integrity            string            `json:"integrity"`
	License              flexible          `json:"license"`
	Link                 bool              `json:"link"`
	Dev                  bool              `json:"dev"`
	Optional             bool              `json:"optional"`
	DevOptional          bool              `json:"devOptional"`
	Peer                 bool              `json:"peer"`
	InBundle             bool              `json:"inBundle"`
	Extraneous           bool              `json:"extraneous"`
	Workspaces           jsontext.Value    `json:"workspaces"`
	HasInstallScript     bool              `json:"hasInstallScript"`
	Deprecated           flexible          `json:"deprecated"`
	Dependencies         map[string]string `json:"dependencies"`
	DevDependencies      map[string]string `json:"devDependencies"`
	OptionalDependencies map[string]string `json:"optionalDependencies"`
	PeerDependencies     map[string]string `json:"peerDependencies"`
	BundleDependencies   jsontext.Value    `json:"bundleDependencies"`
}

// bundles says whether a package's tarball holds others: a list of names, or
// true for all its dependencies (package.json, "bundleDependencies").
func (item *lockItem) bundles() bool {
	v := strings.TrimSpace(string(item.BundleDependencies))
	return v != "" && v != "[]" && v != "false" && v != "null"
}

// flexible is text where npm also writes other JSON (`"deprecated": false`,
// licences as objects); such values read as "".
type flexible string

func (f *flexible) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '"' {
		var value struct {
			Type string `json:"type"` // a licence in package.json's oldest form
		}
		raw, err := dec.ReadValue()
		if err == nil && raw.Kind() == '{' && jsonv2.Unmarshal(raw, &value) == nil {
			*f = flexible(value.Type)
		}
		return err
	}
	token, err := dec.ReadToken()
	if err == nil {
		*f = flexible(token.String())
	}
	return err
}

// ParseLockfile reads a package-lock.json or npm-shrinkwrap.json of version 2 or
// 3. Duplicate keys and trailing data are errors.
func ParseLockfile(data []byte) (*Project, error) {
	if len(data) > MaxLockfile {
		return nil, fmt.Errorf("reading lockfile: expected at most %d bytes, found %d", MaxLockfile, len(data))
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	for _, marker := range []string{"<<<<<<< ", ">>>>>>> "} {
		if bytes.HasPrefix(data, []byte(marker)) || bytes.Contains(data, []byte("\n"+marker)) {
			return nil, errors.New("reading lockfile: it has merge conflict markers; resolve them with: npm install --package-lock-only")
		}
	}
	var lock lockfile
	if err := jsonv2.Unmarshal(data, &lock); err != nil {
		var odd *jsonv2.SemanticError
		if errors.As(err, &odd) {
			return nil, fmt.Errorf("reading lockfile: at %.200q: JSON that no npm writes there (%s)", string(odd.JSONPointer), odd.JSONKind)
		}
		return nil, fmt.Errorf("reading lockfile: %w", err)
	}
	if lock.LockfileVersion != 2 && lock.LockfileVersion != 3 {
		return nil, fmt.Errorf("reading lockfile: expected lockfileVersion 2 or 3, found %d; npm 7 and later write them", lock.LockfileVersion)
	}
	for place, item := range lock.Packages {
		if item == nil {
			return nil, fmt.Errorf("reading lockfile: place %.200q is null", place)
		}
	}
	root := lock.Packages[""]
	if root == nil {
		return nil, errors.New(`reading lockfile: expected an entry "" for the project in "packages", found none`)
	}
	if root.Link {
		return nil, errors.New(`reading lockfile: the entry "" for the project is a link`)
	}
	if root.Name == "" {
		root.Name = lock.Name
	}
	if root.Version == "" {
		root.Version = lock.Version
	}
	return build(lock)
}

// build turns places into packages with edges.
func build(lock lockfile) (*Project, error) {
	places := make([]string, 0, len(lock.Packages))
	for place := range lock.Packages {
		if err := checkPlace(place); err != nil {
			return nil, fmt.Errorf("reading lockfile: %w", err)
		}
		places = append(places, place)
	}
	slices.Sort(places) // "" comes first
	index := make(map[string]int, len(places))
	for i, place := range places {
		index[place] = i
	}
	p := &Project{LockfileVersion: lock.LockfileVersion, Packages: make([]Package, len(places))}
	for i, place := range places {
		p.Packages[i] = describe(place, lock.Packages[place])
	}
	for i, place := range places {
		item := lock.Packages[place]
		if !item.Link {
			continue
		}
		target, ok := index[string(item.Resolved)]
		if !ok || lock.Packages[string(item.Resolved)].Link || target == i {
			return nil, fmt.Errorf("reading lockfile: %q links to %q, which is not there", place, item.Resolved)
		}
		p.Packages[i].IsLink, p.Packages[i].Link = true, target
		p.Packages[i].Version = p.Packages[target].Version
	}
	names := map[string]bool{} // that something lies under
	for _, place := range places {
		if inNodeModules(place) {
			names[nameOfPlace(place)] = true
		}
	}
	for i, place := range places {
		p.connect(i, lock.Packages[place], index, names)
	}
	p.connectWorkspaces(workspacePatterns(lock.Packages[""].Workspaces))
	slices.SortFunc(p.Missing, compareMissing)
	p.settleSources()
	p.findBundlers(lock, index)
	return p, nil
}

// checkPlace refuses places that no npm writes and that would leave the project.
func checkPlace(place string) error {
	if len(place) > maxPlace {
		return fmt.Errorf("place %.100q... is %d bytes long, at most %d are read", place, len(place), maxPlace)
	}
	for part := range strings.SplitSeq(place, "/") {
		if (part == "" && place != "") || part == "." {
			return fmt.Errorf("place %q is not a clean relative path", place)
		}
		if strings.ContainsFunc(part, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
			return fmt.Errorf("place %q has control characters or backslashes", place)
		}
	}
	if strings.Contains(place, "node_modules/..") || place == "node_modules" || strings.HasSuffix(place, "/node_modules") {
		return fmt.Errorf("place %q names no package", place)
	}
	return nil
}

func describe(place string, item *lockItem) Package {
	name := item.Name
	if name == "" {
		name = nameOfPlace(place)
	}
	return Package{
		Place: place, Name: name, Version: item.Version,
		Resolved: string(item.Resolved), Integrity: item.Integrity, License: string(item.License),
		Dev: item.Dev, Optional: item.Optional || item.DevOptional, Peer: item.Peer, Bundled: item.InBundle, Extraneous: item.Extraneous,
		HasInstallScript: item.HasInstallScript, Deprecated: string(item.Deprecated),
	}
}

// nameOfPlace returns the name under which node finds a place: what follows the
// last node_modules, or the last part of a workspace's path.
func nameOfPlace(place string) string {
	if i := strings.LastIndex(place, "node_modules/"); i >= 0 {
		return place[i+len("node_modules/"):]
	}
	parts := strings.Split(place, "/")
	if n := len(parts); n >= 2 && strings.HasPrefix(parts[n-2], "@") {
		return parts[n-2] + "/" + parts[n-1] // the folder of a scope, as npm names it
	}
	return parts[len(parts)-1]
}
