package npm

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"

	lockfile "plimsoll.example/sbom/npm"
)

// bunStore is the folder in which bun keeps packages, each in
// NAME@VERSION/node_modules/NAME, to put links to them in their places. A "/" in a name
// is "+" there, and a package that has peers has a digest of them behind its version.
const bunStore = nodeModules + ".bun/"

var peersDigest = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\+[0-9a-f]{16}$`) })

// inStore returns what a link leads to, if that is in bun's store.
func inStore(files fs.FS, place string) string {
	to, err := fs.ReadLink(files, place)
	if err != nil || !plainLink(to) {
		return ""
	}
	if at := path.Join(path.Dir(place), to); strings.HasPrefix(at, bunStore) {
		return at
	}
	return ""
}

// findStored tells each package which folders of bun's store are its own.
func findStored(files fs.FS, jobs []*job) error {
	entries, err := fs.ReadDir(files, strings.TrimSuffix(bunStore, "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", bunStore, err)
	}
	registry, others := map[string]*job{}, map[string]*job{}
	for _, j := range jobs {
		name := strings.ReplaceAll(j.pkg.Name, "/", "+") + "@"
		switch {
		case j.source == lockfile.SourceRegistry && !j.bundled:
			registry[name+j.pkg.Version] = j
		case j.source != lockfile.SourceRegistry:
			others[name] = j
		}
	}
	for _, e := range entries {
		entry := e.Name()
		at := strings.IndexByte(entry[min(1, len(entry)):], '@') + 2 // behind the @ of NAME@
		j := registry[entry]
		if j == nil {
			j = registry[peersDigest().ReplaceAllString(entry, "")]
		}
		if j == nil && at >= 2 && at <= len(entry) && !versionPattern().MatchString(peersDigest().ReplaceAllString(entry[at:], "")) {
			j = others[entry[:at]] // NAME@git+..., NAME@file+...
		}
		if j != nil {
			j.store = append(j.store, bunStore+entry+"/"+nodeModules+j.pkg.Name)
		}
	}
	return nil
}

// store looks at the folders of bun's store, and at those in which it puts links for the
// packages there.
func (s *stray) store() error {
	entries, err := fs.ReadDir(s.files, strings.TrimSuffix(bunStore, "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", bunStore, err)
	}
	for _, e := range entries {
		folder := bunStore + e.Name()
		if e.Name() != strings.TrimSuffix(nodeModules, "/") {
			folder += "/" + strings.TrimSuffix(nodeModules, "/")
		}
		if err := s.walk(folder, false); err != nil {
			return err
		}
	}
	return nil
}
