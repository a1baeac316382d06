package npm

import (
	"fmt"
	"path"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// nestedItem is a package in a lockfile of version 1 (npm 6): packages that lie in
// its node_modules folder are nested in it, and requires is what package.json
// calls dependencies and optionalDependencies. Peers are not written.
type nestedItem struct {
	Version      text                   `json:"version"`
	Resolved     flexible               `json:"resolved"`
	Integrity    text                   `json:"integrity"`
	Dev          bool                   `json:"dev"`
	Optional     bool                   `json:"optional"`
	Bundled      bool                   `json:"bundled"`
	Requires     stringMap              `json:"requires"` // true at the top
	Dependencies map[string]*nestedItem `json:"dependencies"`
}

// unnest turns the packages of version 1 into places. What it does not hold about
// the project and its folders is read from their package.json.
func unnest(lock *lockfile, folders manifests) ([]string, error) {
	var gaps []string
	var nested map[string]*nestedItem
	if len(lock.Nested) > 0 {
		if err := jsonv2.Unmarshal(lock.Nested, &nested); err != nil {
			return nil, lockfileError(err)
		}
	}
	root := &lockItem{Name: lock.Name, Version: lock.Version}
	lock.Packages = map[string]*lockItem{"": root}
	if m, err := folders.read(""); err == nil {
		*root = *m.item()
		root.Name, root.Version, root.Workspaces = lock.Name, lock.Version, jsontext.Value(m.Workspaces)
	} else {
		gaps = append(gaps, "which packages the project itself requires: package.json is not beside the lockfile, and version 1 does not say")
		root.Dependencies = unrequired(nested)
		lock.guessed = true
	}
	u := unnester{lock: lock, folders: folders}
	if err := u.add("", nested); err != nil {
		return nil, err
	}
	slices.Sort(u.gaps)
	return append(gaps, slices.Compact(u.gaps)...), nil
}

// unrequired names the packages that no other requires.
func unrequired(all map[string]*nestedItem) map[string]string {
	required := map[string]bool{}
	var walk func(map[string]*nestedItem)
	walk = func(items map[string]*nestedItem) {
		for _, item := range items {
			if item == nil {
				continue
			}
			for name := range item.Requires {
				required[name] = true
			}
			walk(item.Dependencies)
		}
	}
	walk(all)
	list := map[string]string{}
	for name := range all {
		if !required[name] {
			list[name] = "*"
		}
	}
	return list
}

type unnester struct {
	lock    *lockfile
	folders manifests
	gaps    []string
}

func (u *unnester) add(above string, items map[string]*nestedItem) error {
	for _, name := range sortedKeys(items) {
		item := items[name]
		place := path.Join(above, "node_modules") + "/" + name
		if item == nil {
			return fmt.Errorf("reading lockfile: %.200q is null", place)
		}
		if len(place) > maxPlace {
			return checkPlace(place)
		}
		inside := place
		if folder, ok := folderOf(string(item.Version)); ok {
			u.lock.Packages[place] = &lockItem{Link: true, Resolved: flexible(folder)}
			u.folder(folder, name, item)
			inside = folder
		} else {
			u.lock.Packages[place] = item.flat(name)
		}
		if err := u.add(inside, item.Dependencies); err != nil {
			return err
		}
	}
	return nil
}

// folder adds a folder of the project, or beside it, that a package links to: the
// project itself too. One that two packages link to has the name of the first, and
// is for development only if it is for both.
func (u *unnester) folder(place, name string, item *nestedItem) {
	if have, again := u.lock.Packages[place]; again {
		have.Dev, have.Optional = have.Dev && item.Dev, have.Optional && item.Optional
		return
	}
	flat := &lockItem{Name: name, Dependencies: item.Requires, Dev: item.Dev, Optional: item.Optional}
	if m, err := u.folders.read(place); err == nil {
		flat = m.item()
		flat.Name, flat.Version, flat.License = string(m.Name), string(m.Version), flexible(m.license())
		flat.Dev, flat.Optional = item.Dev, item.Optional
		if flat.Name == "" {
			flat.Name = name
		}
	} else {
		u.gaps = append(u.gaps, fmt.Sprintf("version and licence of the folder %q: its package.json cannot be read, and version 1 does not say", place))
	}
	u.lock.Packages[place] = flat
}

// folderOf returns the folder that a version names; tarballs on disk are none, and
// of a folder that is named from the top of a file system no more is known than that.
func folderOf(version string) (string, bool) {
	at, ok := strings.CutPrefix(version, "file:")
	if !ok || isTarball(at) || path.IsAbs(filepathToSlash(at)) {
		return "", false
	}
	return folderPlace(at), true
}

// flat is the package as later versions write it.
func (item *nestedItem) flat(name string) *lockItem {
	flat := &lockItem{
		Version: string(item.Version), Resolved: item.Resolved, Integrity: string(item.Integrity),
		Dev: item.Dev, Optional: item.Optional, InBundle: item.Bundled, Dependencies: item.Requires,
	}
	version := string(item.Version)
	if alias, ok := strings.CutPrefix(version, "npm:"); ok {
		flat.Name, flat.Version, _ = cutSpec(alias)
	} else if strings.Contains(version, ":") {
		// An address; which version lies there it does not say.
		flat.Resolved, flat.Version = flexible(version), ""
	}
	if flat.Name == name {
		flat.Name = ""
	}
	return flat
}

// cutSpec cuts NAME@REST, where a scope's @ is part of the name.
func cutSpec(s string) (name, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	at := strings.IndexByte(s[1:], '@')
	if at < 0 {
		return s, "", false
	}
	return s[:at+1], s[at+2:], true
}

func isTarball(name string) bool {
	return strings.HasSuffix(name, ".tgz") || strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tar")
}
