package npm

import (
	"context"

	"plimsoll.example/verify/npm/tarball"
)

// Evidence gives a registry's answers about packages, saved ones, or new ones
// that are asked for. It may be used by several goroutines.
type Evidence interface {
	// Answers returns what is known of a version. An error ends the run; what a
	// registry failed to say stands in the Answered.
	Answers(ctx context.Context, pkg Package) (Answered, error)
}

// Answered is what a registry answered about one version.
type Answered struct {
	Registry string // the address that was asked for signatures; "" if that is not known
	Mirror   string // the address that tarballs come from, if it is another
	MirrorOf string // the registry that the one asked stands for, if whoever asked said so
	Scoped   bool   // the registry is that of the package's scope, and not the default one
	// Metadata is nil with MetadataErr nil where the registry says that there is no
	// such version (MetadataAsked), or was not asked.
	Metadata      *Metadata
	MetadataAsked bool
	MetadataErr   error // a *verify.Refusal

	// Attestations is nil with AttestationsErr nil where the registry has none.
	Attestations    []byte
	AttestationsErr error // a *verify.Refusal

	TarballKept bool  // the tarball was kept beside these answers
	TarballErr  error // a *verify.Refusal: why it could not be had
}

// Tarballs gives packages' tarballs. It may be used by several goroutines.
type Tarballs interface {
	// Contents returns what the tarball of a package holds, and nil where it is not at
	// hand. What it is not believed before its SHA-512 was compared. A *verify.Refusal
	// is an answer, another error ends the run.
	Contents(ctx context.Context, pkg Package, address string) (*tarball.Contents, error)
}
