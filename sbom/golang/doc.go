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
// Where the go command or a module is missing, the sources that are there are
// read instead, and [Build.Gaps] says what that costs.
//
// The module cache and a vendor folder give licences, and the cache the zip of a
// module, whose hash counts only after its files were checked against go.sum.
//
// The package knows nothing of CycloneDX.
package golang

import "time"

// Options say how a build is read. The zero value reads with the environment's
// GOOS, GOARCH and CGO_ENABLED, and knows no module cache.
type Options struct {
	GOOS, GOARCH string   // "": the environment's
	Tags         []string // build tags
	Main         []string // of a directory: import paths or ./paths of programs; none: all
	ModCache     string   // Go's module cache; "": none
	Facts        string   // folder that keeps what was learned from module zips; "": none
	Vendor       string   // of a binary: the vendor folder it was built with; "": none
	GoWork       string   // where there is no go command: the environment's GOWORK
	SkipZips     bool     // do not read module zips whole: no hashes
}

// A Build is a main module with everything that is linked with it.
type Build struct {
	Main      Module
	Package   string    // import path of the main package, if there is just one
	Programs  []Program // of a directory with several
	GoVersion string    // "1.26.8"; "" if unknown
	Toolchain string    // as the toolchain calls itself: "go1.26.8 X:nogreenteagc"; "" if unknown
	Settings  []Setting // sorted by key
	Modules   []Module  // without Main, sorted by path; the standard library is Std
	Native    Native    // what does not come from Go
	Time      time.Time // of the commit it was built from; zero if unknown
	Gaps      []string  // what could not be known, in sentences
	Note      string    // what the go command said of it; it may name folders of this machine
}

// A Program is one of several main packages.
type Program struct {
	Package string   // import path
	Edges   []string // keys of the modules that the main module's packages in it import
}

// Native is what a build links besides Go.
type Native struct {
	Libraries []string // shared libraries by the name that the loader looks for, sorted
	Compilers []string // C compilers as they call themselves, sorted
	Unknown   string   // why they are not known
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
	// VersionFrom says where a main module's version comes from, and
	// VersionUnknown why there is none.
	VersionFrom, VersionUnknown string

	Sum string // go.sum's "h1:..." of the module's files; a dirhash
	// Required is the path by which others require it, where a replacement by
	// another module gave it another, and the version before the replacement.
	Required        string
	RequiredVersion string
	// Local says that a folder replaces it, so that its version is unknown.
	// LocalSum is the dirhash of the folder's files under the required name and
	// version: where it is go.sum's, the folder is an unchanged copy.
	Local       bool
	LocalSum    string
	RequiredSum string // go.sum's dirhash of the required version
	// Workspace says that it is another module of the same go.work.
	Workspace bool
	// Unseen says that it is required, and that whether it is linked could not be
	// seen.
	Unseen bool

	// Edges are the keys of the modules it depends on, sorted, the main module and
	// Std among them. EdgesUnknown is why they are not, or not all, known;
	// EdgesPartial says that the ones that are there are.
	Edges        []string
	EdgesUnknown string
	EdgesPartial bool

	// SHA256 and SHA512 are of the module's zip, in hexadecimal; HashUnknown is why
	// they are not known.
	SHA256, SHA512 string
	HashUnknown    string
	License        string // SPDX expression concluded from its texts
	LicenseUnknown string

	Place string // where it stands: "go.mod", "vendor/PATH"; "" if nowhere
	Line  int    // in Place, if that is a file with lines
	CGo   CGo
}

// CGo is what a module's linked packages hold besides Go.
type CGo struct {
	Files   []File   // C, C++, Objective-C, Fortran, SWIG and syso files, sorted
	LDFlags []string // of #cgo directives, sorted
	PkgConf []string // pkg-config packages, sorted
}

// A File is a source file inside a module.
type File struct {
	Path           string // slash-separated, in the module
	SHA256, SHA512 string // hexadecimal
}

// Key tells linked modules apart: a replacement may link two versions of one
// path. It is PATH@VERSION, or PATH where the version is not known, and Std.
func (m Module) Key() string {
	if m.Path == Std || m.Version == "" {
		return m.Path
	}
	return m.Path + "@" + m.Version
}
