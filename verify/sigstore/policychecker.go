package sigstore

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"
	sgverify "github.com/sigstore/sigstore-go/pkg/verify"

	"plimsoll.example/verify"
)

// A PinnedKey is a key that a policy trusts, and the root that vouches for the
// logs and timestamps of its signatures.
type PinnedKey struct {
	Public crypto.PublicKey
	Root   *NamedRoot
}

// A NamedRoot is a trust root as a policy names it. Load is called when something
// needs it, and what it returns is kept.
type NamedRoot struct {
	Name string
	Load func() (*Root, error)
	// Certificates says that the policy has signers whose certificates this root
	// vouches for; Least is what the least demanding of them wants.
	Certificates bool
	Least        Witnesses
	MostSCTs     int // what the most demanding of them wants
}

// A PolicyChecker accepts envelopes that were signed by one of a policy's keys, or
// with a certificate of one of its trust roots. Of a certificate, whom it names is
// reported and not judged; its log entries, times and timestamps must hold. Of a
// key, those that the bundle has are verified by the key's root and reported; if
// they do not hold, there are none and Problem says why. The zero PolicyChecker
// accepts nothing.
type PolicyChecker struct {
	keys  *KeyChecker
	byKey map[string]*NamedRoot // attest.KeyID
	roots []*NamedRoot          // that vouch for certificates
}

// NewPolicyChecker returns a checker for what a policy names.
func NewPolicyChecker(keys []PinnedKey, roots []*NamedRoot) (*PolicyChecker, error) {
	c := &PolicyChecker{byKey: map[string]*NamedRoot{}}
	var public []crypto.PublicKey
	for _, k := range keys {
		public = append(public, k.Public)
	}
	var err error
	if c.keys, err = NewKeyChecker(public); err != nil {
		return nil, err
	}
	for i, k := range c.keys.keys {
		c.byKey[k.id] = keys[i].Root
	}
	for _, r := range roots {
		if r.Certificates {
			c.roots = append(c.roots, r)
		}
	}
	return c, nil
}

// Check implements [verify.Checker].
func (c *PolicyChecker) Check(ctx context.Context, raw verify.Raw) (verify.Signature, error) {
	switch {
	case c.keys == nil:
		return verify.Signature{}, errors.New("the zero PolicyChecker")
	case raw.Certificate && len(c.roots) > 0:
		return c.checkCertificate(ctx, raw)
	}
	signature, err := c.keys.Check(ctx, raw)
	if err != nil {
		return verify.Signature{}, err
	}
	if root := c.byKey[signature.KeyID]; root != nil && raw.Witnessed {
		if err := c.witness(&signature, root, raw); err != nil {
			return verify.Signature{}, err
		}
	}
	return signature, nil
}

// checkCertificate asks each root. The reason of the root that got furthest is the
// most telling.
func (c *PolicyChecker) checkCertificate(ctx context.Context, raw verify.Raw) (verify.Signature, error) {
	var reasons []*verify.Refusal
	for _, named := range c.roots {
		trusted, err := named.Load()
		if err != nil {
			return verify.Signature{}, fmt.Errorf("trust root %s: %w", named.Name, err)
		}
		checker, err := NewLogChecker(trusted, nil)
		if err != nil {
			return verify.Signature{}, err
		}
		checker.least = named.Least
		signature, err := checker.Check(ctx, raw)
		for more := named.Least.SCTs + 1; err == nil && more <= named.MostSCTs; more++ {
			// How many there are is found out by asking: sigstore-go does not count.
			checker.least.SCTs = more
			stronger, short := checker.Check(ctx, raw)
			if short != nil {
				break
			}
			signature = stronger
		}
		if err == nil {
			signature.Root = named.Name
			return signature, nil
		}
		var refused *verify.Refusal
		if !errors.As(err, &refused) {
			return verify.Signature{}, err
		}
		refused.Expected += " (trust root " + named.Name + ")"
		reasons = append(reasons, refused)
	}
	slices.SortStableFunc(reasons, func(a, b *verify.Refusal) int { return depth(b.Code) - depth(a.Code) })
	return verify.Signature{}, reasons[0]
}

// depth orders the steps of a verification: a root that does not know the log or
// the authority refuses earlier than the one that does.
func depth(code verify.Code) int {
	order := []verify.Code{verify.CodeLogMissing, verify.CodeLogInvalid, verify.CodeTimeInvalid, verify.CodeCertificateInvalid,
		verify.CodeCertificateExpired, verify.CodeSCTInvalid, verify.CodeSignatureInvalid, verify.CodeStatementMalformed}
	return slices.Index(order, code)
}

// witness adds the verified log entries and times of a key's signature. A log entry
// or a timestamp is no part of what was signed: whoever holds the file may add one
// or take one away, so that a bad one makes nothing worse than none.
func (c *PolicyChecker) witness(signature *verify.Signature, named *NamedRoot, raw verify.Raw) error {
	e, err := parseEntity(raw.JSON)
	if err != nil {
		return err
	}
	if err := e.mustBe(raw); err != nil {
		return err
	}
	timestamps, err := e.Timestamps()
	if err != nil {
		signature.Problem = reason(err)
		return nil
	}
	if len(e.entries) == 0 && len(timestamps) == 0 {
		return nil
	}
	trusted, err := named.Load()
	if err != nil {
		return fmt.Errorf("trust root %s: %w", named.Name, err)
	}
	key, err := c.keys.expiringKey(signature.KeyID)
	if err != nil {
		return err
	}
	material := root.TrustedMaterialCollection{root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return key, nil }), trusted.material}
	if err := addWitnesses(signature, e, material); err != nil {
		signature.Times, signature.LogEntries, signature.Proofs = nil, 0, 0
		signature.Problem = "what the bundle has does not hold by trust root " + named.Name + ": " + reason(err)
		return nil
	}
	signature.Root, signature.RootDigest = named.Name, trusted.digest
	return nil
}

// addWitnesses verifies the log entries and timestamps of a bundle, all of them.
func addWitnesses(s *verify.Signature, e *entity, material root.TrustedMaterial) error {
	stamps, bad, err := sgverify.VerifySignedTimestamp(e, material)
	if err != nil {
		return err
	}
	if len(bad) > 0 {
		return bad[0]
	}
	for _, t := range stamps {
		s.Times = append(s.Times, verify.SignedTime{Kind: "timestamp-authority", Time: t.Time.UTC()})
	}
	if err := e.checkBodies(); err != nil {
		return err
	}
	if len(e.entries) > 0 {
		promised, err := sgverify.VerifyTlogEntry(e, material, len(e.entries), true)
		if err != nil {
			return err
		}
		for _, t := range promised {
			s.Times = append(s.Times, verify.SignedTime{Kind: "log", Time: t.Time.UTC()})
		}
	}
	slices.SortFunc(s.Times, func(a, b verify.SignedTime) int { return a.Time.Compare(b.Time) })
	s.LogEntries, s.Proofs = len(e.entries), e.proofs
	if n := len(s.Times); n > 0 && e.proofs < len(e.entries) && !s.Times[n-1].Time.Before(proofsSince) {
		return errors.New("a promise of inclusion without a proof, which logs have given since 2024")
	}
	return nil
}

// expiringKey returns a key without an end: whether it may be used is the policy's
// to say.
func (c *KeyChecker) expiringKey(id string) (*root.ExpiringKey, error) {
	for _, k := range c.keys {
		if k.id == id {
			return k.expiring, nil
		}
	}
	return nil, fmt.Errorf("no key %s", strings.TrimSpace(id))
}
