package verify

import (
	"crypto"
	"slices"
	"time"
)

// A Policy says who may sign and what an artifact needs. The zero Policy allows
// nothing. ParsePolicy makes one from a file.
type Policy struct {
	Name         string
	Revision     int       // grows with each change, so that an older one can be told; 0: none
	Expires      time.Time // zero: never
	Signers      []Signer  // sorted by name
	Levels       []Level
	Requirements []Requirement
	// Artifacts says which requirements hold for what. Nil means that every
	// requirement holds for every artifact.
	Artifacts []ArtifactRule
	Waivers   []Waiver
	NPM       NPMSettings // for plimsoll npm
	// DenyUnusable denies an artifact about which anything unusable was found.
	DenyUnusable bool
	// DenyUnnamed denies an artifact that is not bound to a name.
	DenyUnnamed bool
	RootMaxAge  time.Duration // zero: any age of a trust root
	Digest      string        // "sha256:..." of the file
}

// A Signer is a name for keys that are trusted alike, or for an identity in
// certificates.
type Signer struct {
	Name     string
	Keys     []SignerKey
	Identity *Identity // nil if Keys are given
	Root     RootRef   // vouches for certificates, and for the signed times of keys
	// How many verified log entries, each of another log, signed times, each of
	// another authority, and certificate timestamps a signature must have.
	LogEntries, SignedTimes, SCTs int
}

// A Window is when a key or an identity may sign, and whether it was revoked.
type Window struct {
	NotBefore time.Time // zero: no beginning
	NotAfter  time.Time // zero: no end
	Revoked   *Revocation
}

// A Revocation says from when signatures count for nothing. Superseded refuses
// those from then on, and those without signed time; Compromised refuses all but
// those about the digests in Except.
type Revocation struct {
	At          time.Time
	Compromised bool
	Except      []string // "sha256:HEX" of artifacts
}

// A SignerKey is a public key that a signer signs with.
type SignerKey struct {
	ID     string // attest.KeyID
	Public crypto.PublicKey
	Window
}

// PublicGoodName names Sigstore's public-good instance in a policy.
const PublicGoodName = "public-good"

// A RootRef names a trust root: PublicGoodName, or a file and its digest. The
// zero RootRef is the public-good instance.
type RootRef struct {
	File   string // "" for the public-good instance
	SHA256 string // hex
}

// Name returns what reports call the root.
func (r RootRef) Name() string {
	if r.File == "" {
		return PublicGoodName
	}
	return r.File
}

// A Level is the most that builds by a builder are worth when a signer vouches
// for them (SLSA v1.1, "Verifying artifacts", step 1).
type Level struct {
	Signer  string
	Builder string
	Level   int
}

// An ArtifactRule says what an artifact needs that has this name.
type ArtifactRule struct {
	Name       string // "*", "sha256:HEX", "sha512:HEX", a purl or a URI
	Require    []string
	MinVersion string // of what --as names; "" for any
}

// How many of the statements must meet a requirement.
type Holds int

// The zero Holds lets one statement suffice.
const (
	HoldsAny Holds = iota
	HoldsLatest
	HoldsAll
)

// A Requirement is a statement that must be there, and what it must say.
type Requirement struct {
	Name     string
	Types    []string // predicate types, any of which will do
	SignedBy SignedBy
	Holds    Holds
	MaxAge   time.Duration // zero: any age

	Provenance *ProvenanceRules
	SBOM       *SBOMRules
	NPM        *NPMRules
	Vulns      *VulnRules
	VSA        *VSARules
	Layout     *LayoutRules
	Rules      []Rule

	file string // where it stands, for errors of a later step
	line int
}

// SignedBy says how many of which signers must sign, each a statement of their
// own that meets every rule.
type SignedBy struct {
	AnyOf     []string // signers' names, sorted
	Threshold int      // at least 1
	// Agree demands that the statements that are counted have equal predicates.
	Agree bool
}

// A Waiver sets one reason aside for one subject until a day.
type Waiver struct {
	Code     Code
	Subject  string // "sha256:HEX" of an artifact, or purl@version of a component
	Advisory string // "" for any, where the code is about an advisory
	Owner    string
	Reason   string
	Expires  time.Time
}

// MaxWaiver is how far ahead a waiver's expiry may be.
const MaxWaiver = 90 * 24 * time.Hour

// PublicKeys returns the keys of all signers.
func (p *Policy) PublicKeys() []crypto.PublicKey {
	var keys []crypto.PublicKey
	for _, s := range p.Signers {
		for _, k := range s.Keys {
			keys = append(keys, k.Public)
		}
	}
	return keys
}

// Roots returns every trust root that the policy names, once, in the order of
// its signers.
func (p *Policy) Roots() []RootRef {
	var roots []RootRef
	for _, s := range p.Signers {
		if !slices.Contains(roots, s.Root) {
			roots = append(roots, s.Root)
		}
	}
	return roots
}

// NeedsAnswers tells whether the policy verifies a registry's saved answers.
func (p *Policy) NeedsAnswers() bool {
	return slices.ContainsFunc(p.Requirements, func(r Requirement) bool { return r.NPM != nil && r.NPM.Answers })
}

func (p *Policy) signer(name string) (Signer, bool) {
	i := slices.IndexFunc(p.Signers, func(s Signer) bool { return s.Name == name })
	if i < 0 {
		return Signer{}, false
	}
	return p.Signers[i], true
}

func (p *Policy) requirement(name string) (Requirement, bool) {
	i := slices.IndexFunc(p.Requirements, func(r Requirement) bool { return r.Name == name })
	if i < 0 {
		return Requirement{Name: name}, false
	}
	return p.Requirements[i], true
}

// level returns what a build by a builder is worth: 1 where the policy says
// nothing (SLSA v1.1: a level is claimed for a builder by whoever verifies).
func (p *Policy) level(signer, builder string) int {
	for _, l := range p.Levels {
		if l.Signer == signer && l.Builder == builder {
			return l.Level
		}
	}
	return 1
}

// LevelOf returns what a build is worth by whoever made a verified signature about it:
// the level of the policy's table for that signer and builder, else 1 (SLSA v1.1: a
// level is claimed for a builder by whoever verifies). A signature that the policy would
// not admit about the artifact (revoked, out of its window, too few witnesses) is worth
// no more than one by nobody that it knows.
func (p *Policy) LevelOf(s Signature, builder string, artifact Artifact, now time.Time) int {
	signer, window, refused := p.identify(s)
	if refused != nil || signer.admit(window, s, artifact, now) != nil {
		return 1
	}
	return p.level(signer.Name, builder)
}

// demand returns what must hold for an artifact: the rules that apply to it, and
// the requirements, in the order of their names.
func (p *Policy) demand(a Artifact) (rules []ArtifactRule, reqs []Requirement) {
	if p.Artifacts == nil {
		return nil, p.Requirements
	}
	var names []string
	for _, rule := range p.Artifacts {
		if rule.appliesTo(a) {
			rules = append(rules, rule)
			names = append(names, rule.Require...)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		req, _ := p.requirement(name) // what nothing defines, nothing meets
		reqs = append(reqs, req)
	}
	return rules, reqs
}
