package main

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/gofrs/flock"
	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

// policySignatureSuffix names the bundle that signs a policy.
const policySignatureSuffix = ".sigstore.json"

// policySignatureFlags say who must have signed the policy, and which older ones
// are refused.
type policySignatureFlags struct {
	keys             []string
	identity, issuer string
	minimum          int
	state            string
	root             func() (*sigstore.Root, error) // that vouches for --policy-identity
}

func (f *policySignatureFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.keys, "policy-key", nil, "the policy must be signed (POLICY.sigstore.json) by the public key in this file; of several, by one")
	flags.StringVar(&f.identity, "policy-identity", "", "the policy must be signed by this exact identity in a certificate, from --policy-issuer")
	flags.StringVar(&f.issuer, "policy-issuer", "", "the issuer of --policy-identity")
	flags.IntVar(&f.minimum, "policy-min-version", 0, "refuse a policy whose revision is lower")
	flags.StringVar(&f.state, "policy-state", "", "keep the highest revision seen in this file, and refuse a policy that is older")
}

func (f *policySignatureFlags) check(command string) error {
	switch {
	case (f.identity == "") != (f.issuer == ""):
		return usagef("%s: --policy-identity and --policy-issuer go together", command)
	case f.identity != "" && len(f.keys) > 0:
		return usagef("%s: expected --policy-key or --policy-identity, found both", command)
	case f.minimum < 0:
		return usagef("%s: --policy-min-version: expected a revision, found %d", command, f.minimum)
	}
	return nil
}

// admit verifies the policy's signature and revision, as far as the flags demand
// it, and notes who signed. A refusal denies.
func (f *policySignatureFlags) admit(ctx context.Context, p *policyFile, data []byte, clock time.Time) (*verify.Refusal, error) {
	if len(f.keys) > 0 || f.identity != "" {
		refused, err := f.verify(ctx, p, data, clock)
		if err != nil || refused != nil {
			return refused, err
		}
	}
	policy := p.gate.Policy
	if f.minimum > 0 && policy.Revision < f.minimum {
		return &verify.Refusal{Code: verify.CodePolicyRolledBack, Expected: fmt.Sprintf("revision %d or higher", f.minimum),
			Found: describeRevision(policy.Revision)}, nil
	}
	if f.state == "" {
		return nil, nil
	}
	var refused *verify.Refusal
	var err error
	p.state, refused, err = openPolicyState(ctx, f.state, policy)
	return refused, err
}

func describeRevision(revision int) string {
	if revision == 0 {
		return "a policy without `revision`"
	}
	return fmt.Sprintf("revision %d", revision)
}

func (f *policySignatureFlags) verify(ctx context.Context, p *policyFile, data []byte, clock time.Time) (*verify.Refusal, error) {
	unsigned := func(found string) (*verify.Refusal, error) {
		return &verify.Refusal{Code: verify.CodePolicyUnsigned, Expected: "the policy signed by " + f.describe(), Found: found}, nil
	}
	file := p.name + policySignatureSuffix
	bundle, err := readBounded(file, maxRootFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unsigned(fmt.Sprintf("no %q", file))
	case errors.Is(err, errTooBig):
		return unsigned(err.Error())
	case err != nil:
		return nil, failed(fmt.Errorf("reading the policy's signature: %w", err))
	}
	keys, err := f.publicKeys()
	if err != nil {
		return nil, err
	}
	signature, err := sigstore.CheckFile(ctx, bundle, data, keys, f.root)
	var refused *verify.Refusal
	switch {
	case errors.As(err, &refused):
		return unsigned(fmt.Sprintf("%s: %s", file, refused.Error()))
	case err != nil:
		return nil, failed(err)
	}
	if c := signature.Certificate; f.identity != "" && (c == nil || c.Identity != f.identity || c.Issuer != f.issuer) {
		return unsigned("one by " + describeSigned(signature))
	}
	for _, t := range signature.Times {
		if t.Time.After(clock.Add(5 * time.Minute)) {
			return unsigned("one of the future, " + t.Time.Format(time.RFC3339))
		}
	}
	if p.gate.Policy.Expires.IsZero() {
		return &verify.Refusal{Code: verify.CodePolicyUnlimited, Expected: "`expires` in a signed policy", Found: "none"}, nil
	}
	p.gate.SignedBy = describeSigned(signature)
	return nil, nil
}

func (f *policySignatureFlags) describe() string {
	if f.identity != "" {
		return fmt.Sprintf("%s (%s)", f.identity, f.issuer)
	}
	return fmt.Sprintf("the key of %q", f.keys)
}

func (f *policySignatureFlags) publicKeys() ([]crypto.PublicKey, error) {
	var keys []crypto.PublicKey
	for _, file := range f.keys {
		data, err := readBounded(file, 1<<16)
		if err != nil {
			return nil, usagef("reading --policy-key: %w", err)
		}
		key, err := attest.ParsePublicKey(data)
		if err != nil {
			return nil, usagef("--policy-key %q: %w", file, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// policyStateSchema names the JSON of --policy-state.
const policyStateSchema = "https://plimsoll.example/schema/policy-state/v1"

// A policyState is the newest policy that was seen.
type policyState struct {
	Schema   string `json:"schema"`
	Name     string `json:"name"`
	Revision int    `json:"revision"`
	Digest   string `json:"digest"`

	file string
	lock *flock.Flock
}

// openPolicyState compares a policy with the newest that was seen. The file stays
// locked until the state is kept or closed, so that of two runs at once none puts
// an older revision back.
func openPolicyState(ctx context.Context, file string, policy *verify.Policy) (*policyState, *verify.Refusal, error) {
	next := &policyState{Schema: policyStateSchema, Name: policy.Name, Revision: policy.Revision, Digest: policy.Digest, file: file}
	next.lock = flock.New(file + ".lock")
	if ok, err := next.lock.TryLockContext(ctx, 20*time.Millisecond); err != nil || !ok {
		return nil, nil, failed(fmt.Errorf("locking policy state %q: %w", file, err))
	}
	refused, err := next.compare()
	if refused != nil || err != nil {
		next.close()
		return nil, refused, err
	}
	return next, nil, nil
}

func (s *policyState) compare() (*verify.Refusal, error) {
	rolledBack := func(expected, found string) *verify.Refusal {
		return &verify.Refusal{Code: verify.CodePolicyRolledBack, Expected: expected, Found: found}
	}
	if s.Revision == 0 {
		return rolledBack("a policy with a `revision`, to tell an older one", "none"), nil
	}
	data, err := readBounded(s.file, 1<<16)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failed(fmt.Errorf("reading policy state: %w", err))
	}
	var old policyState
	if jsonv2.Unmarshal(data, &old) != nil || old.Schema != policyStateSchema || old.Revision <= 0 {
		return nil, failed(fmt.Errorf("reading policy state %q: expected JSON of schema %s", s.file, policyStateSchema)).
			withHint("find out what changed the file; without it nobody can tell whether the policy was rolled back")
	}
	switch {
	case old.Name != s.Name:
		return rolledBack(fmt.Sprintf("policy %q, which the state is about", old.Name), fmt.Sprintf("%q", s.Name)), nil
	case s.Revision < old.Revision:
		return rolledBack(fmt.Sprintf("revision %d or higher, which was in force before", old.Revision), describeRevision(s.Revision)), nil
	case s.Revision == old.Revision && s.Digest != old.Digest:
		return rolledBack(fmt.Sprintf("revision %d as it was before, %s", old.Revision, old.Digest), s.Digest+": each change needs another revision"), nil
	}
	return nil, nil
}

// keep writes the state down.
func (s *policyState) keep() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return attest.WriteFile(s.file, append(data, '\n'), 0o644)
}

func (s *policyState) close() { _ = s.lock.Unlock() }
