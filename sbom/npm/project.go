package npm

// A Project is what a lockfile or a node_modules folder says. Packages[0] is the
// project itself; the rest is sorted by place or entry.
type Project struct {
	Format   Format
	Packages []Package
	Missing  []MissingEdge // required packages that lie nowhere
	Gaps     []string      // what is not known about the project, in sentences
	Notes    []string      // what else a person should know
	Drift    []Drift       // where node_modules disagrees with the lockfile
	Omitted  []Omission    // what was left out because it was asked for

	// Placed says that Place is where a package lies below the project. Lockfiles
	// of yarn and pnpm say only what is required.
	Placed bool

	// PeersUnknown is why peers are not known, where the lockfile does not hold
	// them; a package that is installed has its package.json to say.
	PeersUnknown string

	overrides overrides // that the lockfile repeats
	guessed   bool      // what the project itself requires is not known

	at map[string]int // packages by where they are installed, where Place does not say
}

// A Package is one place in a lockfile, or one entry.
type Package struct {
	Place      string // "", "node_modules/a", "packages/b"; of lockfiles that know no places, the entry's key
	Name       string // the package's own name, also under an alias
	Version    string
	Resolved   string // where it was fetched from; "" if the lockfile leaves it out
	Integrity  string // SRI of the tarball
	Checksum   string // yarn's, of its own archive: no digest of the tarball
	License    string // as declared: an SPDX expression, or anything
	Source     Source
	Dev        bool // reachable through dev dependencies only
	Optional   bool // may be absent
	Peer       bool
	Bundled    bool   // said to come in another package's tarball
	Bundler    int    // index of the package whose tarball it can lie in; 0: there is none
	IsLink     bool   // the place stands for another
	Link       int    // index of that one
	Extraneous bool   // installed, and required by nothing
	Patch      string // of the patch that the package manager applies to it
	Unpatched  string // yarn's checksum of what Patch is applied to, where the patched package has none

	// Names are other names than its own under which it is installed or required, sorted;
	// Undeclared those of them under which nothing asks for this package.
	Names, Undeclared []string
	// Unasked is, of a package that comes from no registry, what is required where that
	// is a registry's package; "nothing" where nothing requires it.
	Unasked string

	TarballHolds     string // packages of which the lockfile says no more than that they come in the tarball
	HasInstallScript bool
	HasShrinkwrap    bool // npm reads an npm-shrinkwrap.json in its tarball
	Deprecated       string
	Engines          []string // "node >=18", sorted
	Funding          []string // addresses, sorted

	In        []InOutput // the bundler's outputs that something of it is in, by file
	Inlined   string     // NAME@VERSION of the package whose own build has put it into its files
	Installed *Installed // what lies in node_modules; nil: not looked at, or not there

	added bool // it is installed, and not in the lockfile
	own   bool // one of the project's folders, by its package.json or the lockfile

	Edges        []Edge // sorted by name
	EdgesUnknown string // why not all edges are known; "": they are
}

// An InOutput says how much of a package is in a file that a bundler wrote.
type InOutput struct {
	File      string
	Modules   int
	Bytes     int64
	Source    bool // the bytes are the sources'
	Certainty Certainty
}

// A Format is a file that says what a project is made of, and its version.
type Format struct {
	File    string // base name: "package-lock.json"
	Version string // "3", "9.0"
}

func (f Format) String() string {
	if f.Version == "" {
		return f.File
	}
	return f.File + " version " + f.Version
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
	Name     string // as required: an alias where there is one
	Spec     string // as required
	Kind     EdgeKind
	Optional bool // a peer that may be absent
	To       int  // index in Packages, never a link

	SpecUnknown bool // Spec is not what is required: the lockfile does not say
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
