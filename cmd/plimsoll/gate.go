package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

// gateFlags say by which policy to decide, and what it rests on.
type gateFlags struct {
	policy      string
	trustedRoot string
	npmAnswers  string
	at          string
	signature   policySignatureFlags
}

func (f *gateFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.policy, "policy", "", "decide by this policy (required)")
	flags.StringVar(&f.trustedRoot, "trusted-root", "", "use this trust root (trusted_root.json, or several as JSON lines) where the policy says public-good")
	flags.StringVar(&f.npmAnswers, "npm-answers", "", "the registry's answers that plimsoll npm --save kept, for a policy that verifies them")
	flags.StringVar(&f.at, "at", "", "decide as of this time (RFC 3339) instead of the machine's clock; for audits, no gate does this")
	f.signature.add(flags)
}

// clock is the time to decide at, and whether it was given.
func (f *gateFlags) clock() (t time.Time, given bool, err error) {
	if f.at == "" {
		return now(), false, nil
	}
	t, err = time.Parse(time.RFC3339, f.at)
	if err != nil {
		return time.Time{}, false, usagef("--at: expected an RFC 3339 time (2026-11-23T16:00:00Z), found %q", f.at)
	}
	return t.UTC(), true, nil
}

// A policyFile is a policy that was read, and what it refers to.
type policyFile struct {
	name string
	gate verify.Gate
	// refusal denies every artifact: the policy itself may not decide.
	refusal *verify.Refusal
	state   *policyState // to be written when the decision is made; nil: none
}

// open reads the policy and wires what it refers to. Mistakes in it are usage errors;
// that it is unsigned, rolled back or without an end is a refusal.
func (f *gateFlags) open(ctx context.Context) (*policyFile, error) {
	clock, given, err := f.clock()
	if err != nil {
		return nil, err
	}
	data, err := readBounded(f.policy, verify.MaxPolicy)
	if errors.Is(err, errTooBig) {
		return nil, usagef("policy: %w", err)
	} else if err != nil {
		return nil, usagef("reading policy: %w", err).withHint("--policy names a YAML file; plimsoll policy init proposes one")
	}
	p, err := f.wire(f.policy, data, clock)
	if err != nil {
		return nil, err
	}
	p.gate.ClockSet = given
	f.signature.root = func() (*sigstore.Root, error) {
		root, _, err := f.rootFile(f.policy, verify.RootRef{})
		if err != nil {
			return nil, err
		}
		return sigstore.ParseRoot(root)
	}
	if p.refusal, err = f.signature.admit(ctx, p, data, clock); err != nil {
		return nil, err
	}
	return p, nil
}

// newGate is the gate of a policy that refers to no files and is not signed.
func newGate(file string, data []byte) (verify.Gate, error) {
	p, err := (&gateFlags{}).wire(file, data, now())
	if err != nil {
		return verify.Gate{}, err
	}
	return p.gate, nil
}

func (f *gateFlags) wire(file string, data []byte, clock time.Time) (*policyFile, error) {
	policy, err := verify.ParsePolicy(file, data)
	if err != nil {
		return nil, usagef("policy %w", err).withHint("plimsoll policy schema describes the keys of a policy; README.md shows them")
	}
	for i := range policy.Requirements {
		if l := policy.Requirements[i].Layout; l != nil {
			if l.Data, err = f.pinned(file, l.File, l.SHA256, maxLayout); err != nil {
				return nil, err
			}
		}
	}
	roots, infos, err := f.roots(file, policy)
	if err != nil {
		return nil, err
	}
	checker, err := newPolicyChecker(policy, roots)
	if err != nil {
		return nil, usagef("policy %s: %w", file, err)
	}
	gate := verify.Gate{Policy: policy, Checker: checker, Now: clock, Roots: infos, Layouts: layoutChecker{}}
	if f.npmAnswers != "" {
		if gate.Packages, err = newPackageChecker(f.npmAnswers); err != nil {
			return nil, err
		}
	} else if policy.NeedsAnswers() {
		return nil, usagef("policy %s: it verifies saved npm answers; name the folder with --npm-answers DIR", file)
	}
	return &policyFile{name: file, gate: gate}, nil
}

// maxLayout bounds an in-toto layout.
const maxLayout = 4 << 20

// pinned reads a file that a policy refers to, relative to the policy, and compares
// its digest.
func (f *gateFlags) pinned(policy, file, digest string, most int64) ([]byte, error) {
	path := file
	if !filepath.IsAbs(file) {
		path = filepath.Join(filepath.Dir(policy), file)
	}
	data, err := readBounded(path, most)
	if err != nil {
		return nil, usagef("policy %s: %w", policy, err).withHint("%s is looked for beside the policy", file)
	}
	if found := strings.TrimPrefix(digestOf(data), "sha256:"); found != digest {
		return nil, usagef("policy %s: %q: expected sha256 %s, found %s", policy, file, digest, found).
			withHint("fetch the file again from its origin; if the new one is right, pin its digest in the policy")
	}
	return data, nil
}

// roots reads the trust roots of a policy. The embedded one is parsed only when a
// signature needs it.
func (f *gateFlags) roots(file string, policy *verify.Policy) (map[verify.RootRef]*sigstore.NamedRoot, []verify.RootInfo, error) {
	roots := map[verify.RootRef]*sigstore.NamedRoot{}
	var infos []verify.RootInfo
	for _, ref := range policy.Roots() {
		data, origin, err := f.rootFile(file, ref)
		if err != nil {
			return nil, nil, err
		}
		load := sync.OnceValues(func() (*sigstore.Root, error) { return sigstore.ParseRoot(data) })
		if ref.File != "" || f.trustedRoot != "" {
			if _, err := load(); err != nil {
				return nil, nil, usagef("%s: %w", origin.Name, err)
			}
		}
		roots[ref] = &sigstore.NamedRoot{Name: ref.Name(), Load: load}
		infos = append(infos, origin)
	}
	for _, s := range policy.Signers {
		if s.Identity == nil {
			continue
		}
		named, asked := roots[s.Root], sigstore.Witnesses{LogEntries: s.LogEntries, SCTs: s.SCTs}
		if !named.Certificates {
			named.Certificates, named.Least = true, asked
		}
		named.Least.LogEntries = min(named.Least.LogEntries, asked.LogEntries)
		named.Least.SCTs = min(named.Least.SCTs, asked.SCTs)
		named.MostSCTs = max(named.MostSCTs, asked.SCTs)
	}
	return roots, infos, nil
}

// rootFile reads a trust root and what is known of its age.
func (f *gateFlags) rootFile(policy string, ref verify.RootRef) ([]byte, verify.RootInfo, error) {
	info := verify.RootInfo{Name: ref.Name()}
	var data []byte
	var err error
	switch {
	case ref.File != "":
		data, err = f.pinned(policy, ref.File, ref.SHA256, maxRootFile)
	case f.trustedRoot != "":
		info.Name = ref.Name() + " as in " + f.trustedRoot
		if data, err = readBounded(f.trustedRoot, maxRootFile); err != nil {
			err = usagef("reading trust root: %w", err).withHint("--trusted-root names a trusted_root.json; plimsoll trust update writes one")
		}
	default:
		data = sigstore.PublicGoodJSON()
		taken, expires := sigstore.PublicGoodDates()
		info.Date, info.Expires = &taken, &expires
	}
	if err != nil {
		return nil, info, err
	}
	info.Digest = digestOf(data)
	if path := f.originOf(policy, ref); path != "" {
		if o, ok := readOrigin(path, info.Digest); ok {
			info.Date, info.Expires = &o.Fetched, &o.Expires
		}
	}
	return data, info, nil
}

// originOf is the file that tells the age of a root which is no embedded one.
func (f *gateFlags) originOf(policy string, ref verify.RootRef) string {
	switch {
	case ref.File != "" && filepath.IsAbs(ref.File):
		return ref.File + originSuffix
	case ref.File != "":
		return filepath.Join(filepath.Dir(policy), ref.File) + originSuffix
	case f.trustedRoot != "":
		return f.trustedRoot + originSuffix
	}
	return ""
}

func newPolicyChecker(policy *verify.Policy, roots map[verify.RootRef]*sigstore.NamedRoot) (*sigstore.PolicyChecker, error) {
	var keys []sigstore.PinnedKey
	for _, s := range policy.Signers {
		for _, k := range s.Keys {
			keys = append(keys, sigstore.PinnedKey{Public: k.Public, Root: roots[s.Root]})
		}
	}
	var certificates []*sigstore.NamedRoot
	for _, ref := range policy.Roots() {
		certificates = append(certificates, roots[ref])
	}
	return sigstore.NewPolicyChecker(keys, certificates)
}

// describeSigned says who signed something, for errors.
func describeSigned(s verify.Signature) string {
	if s.Certificate != nil {
		return fmt.Sprintf("%s (%s)", s.Certificate.Identity, s.Certificate.Issuer)
	}
	return "key " + s.KeyID
}
