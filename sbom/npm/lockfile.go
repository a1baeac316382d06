package npm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxLockfile bounds a lockfile's bytes; one of 20,000 packages has about 8 MB.
const MaxLockfile = 64 << 20

// Bounds of a place, so that looking upwards from it ends soon.
const (
	maxPlace = 4096
	maxParts = 256
)

// lockfile is the JSON of package-lock.json (npm docs, "package-lock.json").
type lockfile struct {
	Name            string               `json:"name"`
	Version         string               `json:"version"`
	LockfileVersion int                  `json:"lockfileVersion"`
	Packages        map[string]*lockItem `json:"packages"`

	Nested jsontext.Value `json:"dependencies"` // version 1; 2 repeats them

	guessed bool // the root's dependencies are
}

// lockItem is one place; package.json has the same fields, and a few more.
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
	HasShrinkwrap        bool              `json:"hasShrinkwrap"`
	Deprecated           flexible          `json:"deprecated"`
	Dependencies         map[string]string `json:"dependencies"`
	DevDependencies      map[string]string `json:"devDependencies"`
	OptionalDependencies map[string]string `json:"optionalDependencies"`
	PeerDependencies     map[string]string `json:"peerDependencies"`
	PeerDependenciesMeta peersMeta         `json:"peerDependenciesMeta"`
	Engines              stringMap         `json:"engines"`
	Funding              addresses         `json:"funding"`
	BundleDependencies   jsontext.Value    `json:"bundleDependencies"`
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

// parsePackageLock reads a package-lock.json or npm-shrinkwrap.json of version 1,
// 2 or 3. Duplicate keys and trailing data are errors.
func parsePackageLock(data []byte, folders manifests) (*Project, error) {
	var lock lockfile
	if err := jsonv2.Unmarshal(data, &lock); err != nil {
		return nil, lockfileError(err)
	}
	var gaps []string
	switch lock.LockfileVersion {
	case 1:
		var err error
		if gaps, err = unnest(&lock, folders); err != nil {
			return nil, err
		}
	case 2, 3:
	default:
		return nil, fmt.Errorf("reading lockfile: expected lockfileVersion 1, 2 or 3, found %d; npm install --package-lock-only writes 3", lock.LockfileVersion)
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
	root.Name, root.Version = cmp.Or(root.Name, lock.Name), cmp.Or(root.Version, lock.Version)
	p, err := build(lock)
	if err != nil {
		return nil, err
	}
	p.Format.Version = strconv.Itoa(lock.LockfileVersion)
	p.Gaps = append(p.Gaps, gaps...)
	p.guessed = lock.guessed
	if lock.LockfileVersion == 1 {
		p.lackPeers("package-lock.json of version 1")
		if len(gaps) > 0 && folders.files == nil {
			p.Packages[0].EdgesUnknown = "package.json, which says what the project requires, was not read"
		}
	}
	return p, nil
}

// lockfileError says where JSON is not what a package manager writes.
func lockfileError(err error) error {
	var odd *jsonv2.SemanticError
	if errors.As(err, &odd) {
		return fmt.Errorf("reading lockfile: at %.200q: JSON that no package manager writes there (%s)", WithoutUsers(string(odd.JSONPointer)), odd.JSONKind)
	}
	return fmt.Errorf("reading lockfile: %w", err)
}

// lackPeers notes that a format does not say which peers packages have.
func (p *Project) lackPeers(format string) {
	p.PeersUnknown = format + " does not hold peer dependencies"
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
	p := &Project{Packages: make([]Package, len(places)), Placed: true}
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
			return nil, fmt.Errorf("reading lockfile: %q links to %q, which is not there", place, WithoutUsers(string(item.Resolved)))
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
	p.connectWorkspaces(newWorkspaces(lock.Packages[""].Workspaces), lock.LockfileVersion >= 2)
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
	if parts := strings.Count(place, "/"); parts > maxParts {
		return fmt.Errorf("place %.100q... is %d folders deep, at most %d are read", place, parts, maxParts)
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
		HasInstallScript: item.HasInstallScript, HasShrinkwrap: item.HasShrinkwrap, Deprecated: string(item.Deprecated),
		Engines: item.Engines.pairs(), Funding: item.Funding,
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
