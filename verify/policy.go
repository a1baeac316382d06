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
	Expires      time.Time // zero: never
	Signers      []Signer  // sorted by name
	Requirements []Requirement
	// Artifacts maps "sha256:HEX", "sha512:HEX" or, for any artifact, "*" to the
	// names of the requirements that hold for it; an artifact under several has to
	// meet them all. Nil means that every requirement holds for every artifact.
	Artifacts map[string][]string
	Digest    string // "sha256:..." of the file
}

// A Signer is a name for keys that are trusted alike.
type Signer struct {
	Name string
	Keys []SignerKey
}

// A SignerKey is a public key that a signer signs with.
type SignerKey struct {
	ID       string // attest.KeyID
	Public   crypto.PublicKey
	NotAfter time.Time // zero: no end
}

// A Requirement is one statement that must be there.
type Requirement struct {
	Name     string
	Type     string // predicate type
	SignedBy string // signer's name
}

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

// signerOf returns the signer that a key belongs to; a key belongs to one only.
func (p *Policy) signerOf(keyID string) (Signer, SignerKey, bool) {
	for _, s := range p.Signers {
		for _, k := range s.Keys {
			if k.ID == keyID && keyID != "" {
				return s, k, true
			}
		}
	}
	return Signer{}, SignerKey{}, false
}

func (p *Policy) signer(name string) (Signer, bool) {
	i := slices.IndexFunc(p.Signers, func(s Signer) bool { return s.Name == name })
	if i < 0 {
		return Signer{}, false
	}
	return p.Signers[i], true
}

// requirementsFor returns what must hold for an artifact; ok is false if the
// policy lists artifacts and this is none of them.
func (p *Policy) requirementsFor(a Artifact) (reqs []Requirement, ok bool) {
	if p.Artifacts == nil {
		return p.Requirements, true
	}
	names := slices.Clone(p.Artifacts["*"]) // for any, also one that is listed
	for alg, value := range a.Digests {
		names = append(names, p.Artifacts[alg+":"+value]...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		i := slices.IndexFunc(p.Requirements, func(r Requirement) bool { return r.Name == name })
		if i < 0 {
			reqs = append(reqs, Requirement{Name: name}) // what nothing defines, nothing meets
			continue
		}
		reqs = append(reqs, p.Requirements[i])
	}
	return reqs, len(names) > 0
}
