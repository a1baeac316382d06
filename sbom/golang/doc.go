// Package golang reads facts about Go builds: which modules are linked into a
// binary, or would be linked into the programs of a module directory, and how
// they depend on each other.
//
// A binary tells its modules (debug/buildinfo) but not their edges; those come
// from the go.mod files in the module cache, as far as they are there. What is
// not known is said in [Module.EdgesUnknown] and never guessed.
//
// A directory is asked through the go command, without network and without
// changing anything; edges are then the imports of the packages that are linked.
//
// The package knows nothing of CycloneDX.
package golang

// A Build is a main module with everything that is linked with it.
type Build struct {
	Main      Module
	Package   string    // import path of the main package, if there is just one
	GoVersion string    // "1.26.8"; "" if unknown
	Settings  []Setting // sorted by key
	Modules   []Module  // without Main, sorted by path; the standard library is Std
	Gaps      []string  // what could not be known, in sentences
}

// Std is the path by which edges name the standard library.
const Std = "std"

// A Setting is how something was built: GOOS, GOARCH, CGO_ENABLED, -tags,
// vcs.revision and the like.
type Setting struct{ Key, Value string }

// Setting returns a setting's value, "" if it is not known.
func (b *Build) Setting(key string) string {
	for _, s := range b.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// A Module is a module as it is linked.
type Module struct {
	Path    string // what is linked: the replacement's path, if it is a module
	Version string // "v1.2.3"; "" if unknown
	Sum     string // go.sum's "h1:..." of the module's files; a dirhash
	// Required is the path by which others require it, where a replacement by
	// another module gave it another, and the version before the replacement.
	Required        string
	RequiredVersion string
	// Local says that a folder replaces it, so that its version is unknown.
	Local bool
	// Edges are the keys of the modules it depends on, sorted, the main module and
	// Std among them. EdgesUnknown is why they are not, or not all, known;
	// EdgesPartial says that the ones that are there are.
	Edges        []string
	EdgesUnknown string
	EdgesPartial bool
}

// Key tells linked modules apart: a replacement may link two versions of one
// path. It is PATH@VERSION, or PATH where the version is not known, and Std.
func (m Module) Key() string {
	if m.Path == Std || m.Version == "" {
		return m.Path
	}
	return m.Path + "@" + m.Version
}
