package sbom

import (
	"context"
	"fmt"
	"runtime"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"golang.org/x/sync/errgroup"

	"plimsoll.example/sbom/npm"
)

// Attested is what was verified of where a package came from.
type Attested struct {
	// Outcome is "verified", "none" where the registry has no attestations, or the
	// reason why nothing was verified.
	Outcome string
	BuiltBy string // by whom, from what: a sentence
	URL     string // where the attestation is
	SHA256  string // of the attestation's bundle, hexadecimal
}

// attestedVerified is the outcome that makes evidence.
const attestedVerified = "verified"

// attest asks of each component of a registry what was verified of it, and writes that
// into the component. What is not verified is no evidence; a property says why.
func (p *npmProject) attest(ctx context.Context, o Options) error {
	if o.Attested == nil {
		return nil
	}
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i, g := range p.groups {
		first := p.Packages[g.places[0]]
		if i == 0 || first.Source != npm.SourceRegistry || (first.Bundled && first.Integrity == "") {
			continue
		}
		workers.Go(func() error {
			a, err := o.Attested(ctx, first.Name, first.Version, first.Integrity)
			if err != nil {
				return fmt.Errorf("verifying where %s@%s comes from: %w", first.Name, first.Version, err)
			}
			a.describe(&p.nodes[i].component)
			return nil
		})
	}
	return workers.Wait()
}

func (a Attested) describe(c *cdx.Component) {
	addProperty(c, "plimsoll:npm:provenance", a.Outcome)
	if a.Outcome != attestedVerified {
		return
	}
	if c.Evidence == nil {
		c.Evidence = &cdx.Evidence{}
	}
	certain := float32(1)
	c.Evidence.Identity = &cdx.EvidenceIdentityChoice{Identities: &[]cdx.EvidenceIdentity{{
		Field: cdx.EvidenceIdentityFieldTypePURL, Confidence: &certain, ConcludedValue: c.PackageURL,
		Methods: &[]cdx.EvidenceIdentityMethod{{Technique: cdx.EvidenceIdentityTechniqueAttestation, Confidence: &certain, Value: a.BuiltBy}},
	}}}
	ref := cdx.ExternalReference{Type: cdx.ERTypeAttestation, URL: a.URL, Comment: "npm provenance",
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: a.SHA256}}}
	refs := []cdx.ExternalReference{}
	if c.ExternalReferences != nil {
		refs = *c.ExternalReferences
	}
	refs = append(refs, ref)
	c.ExternalReferences = &refs
}
