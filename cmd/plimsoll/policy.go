package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

const policyHelp = `Usage: plimsoll policy schema
       plimsoll policy explain POLICY
       plimsoll policy init ARTIFACT [--public-key FILE]... [--attestations PATH]...
       plimsoll policy test CASES
       plimsoll policy sign POLICY --key FILE

schema prints the JSON schema of a policy, with which editors complete and check it.
explain says in plain sentences what a policy demands, and what can be defeated by
withholding an attestation. init proposes a policy from the attestations that are
there. test runs a policy over cases in a YAML file. sign writes POLICY.sigstore.json,
which verify demands with --policy-key or --policy-identity.

Exit codes: 0 done; 1 something cannot be read or written; 2 flags or policy do not
parse; 3 a case came out otherwise than expected.

Examples:
  plimsoll policy schema >policy.schema.json
  plimsoll policy explain policy.yaml
  plimsoll policy init app --public-key release.pub >policy.yaml
  plimsoll policy test cases.yaml
`

func runPolicy(ctx context.Context, io stdio, args []string) error {
	commands := map[string]func(context.Context, stdio, []string) error{
		"schema": runPolicySchema, "explain": runPolicyExplain, "init": runPolicyInit, "test": runPolicyTest, "sign": runPolicySign,
	}
	if len(args) > 0 {
		if run := commands[args[0]]; run != nil {
			return run(ctx, io, args[1:])
		}
	}
	flags := newFlags(io, "policy", policyHelp)
	if err := parse(flags, args); err != nil {
		return err
	}
	return usagef("policy: expected schema, explain, init, test or sign").withHint("plimsoll policy --help tells more")
}

func runPolicySchema(_ context.Context, stdio stdio, args []string) error {
	flags := newFlags(stdio, "policy schema", policyHelp)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usagef("policy schema: expected no argument, found %q", flags.Arg(0))
	}
	_, err := io.WriteString(stdio.out, verify.PolicySchema())
	return err
}

func runPolicyExplain(_ context.Context, stdio stdio, args []string) error {
	flags := newFlags(stdio, "policy explain", policyHelp)
	if err := parse(flags, args); err != nil {
		return err
	}
	policy, _, err := readPolicy("policy explain", flags.Args())
	if err != nil {
		return err
	}
	var b strings.Builder
	for line := range strings.Lines(policy.Explain()) {
		b.WriteString(printable(strings.TrimSuffix(line, "\n")) + "\n")
	}
	_, err = io.WriteString(stdio.out, b.String())
	return err
}

// readPolicy reads the one policy that a command is about.
func readPolicy(command string, args []string) (*verify.Policy, []byte, error) {
	if len(args) != 1 {
		return nil, nil, usagef("%s: expected one POLICY, found %d", command, len(args))
	}
	data, err := readBounded(args[0], verify.MaxPolicy)
	if errors.Is(err, errTooBig) {
		return nil, nil, usagef("policy: %w", err)
	} else if err != nil {
		return nil, nil, failed(fmt.Errorf("reading policy: %w", err))
	}
	policy, err := verify.ParsePolicy(args[0], data)
	if err != nil {
		return nil, nil, usagef("policy %w", err).withHint("plimsoll policy schema describes the keys of a policy; README.md shows them")
	}
	return policy, data, nil
}

// runPolicySign signs a policy as what it is: a release of rules.
func runPolicySign(ctx context.Context, io stdio, args []string) error {
	var f signerFlags
	flags := newFlags(io, "policy sign", policyHelp)
	f.add(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := f.check("policy sign", flags); err != nil {
		return err
	}
	if f.signers() > 1 {
		return usagef("policy sign: a policy has one signature; name one --key, or --keyless")
	}
	policy, data, err := readPolicy("policy sign", flags.Args())
	if err != nil {
		return err
	}
	if policy.Expires.IsZero() {
		return usagef("policy %s: expires: missing; a signed policy must have an end", flags.Arg(0))
	}
	digests, _, err := attest.Digest(strings.NewReader(string(data)))
	if err != nil {
		return failed(err)
	}
	subject := attest.Subject{Name: policy.Name, Digest: digests}
	predicate := fmt.Sprintf(`{"purl":%q}`, fmt.Sprintf("pkg:generic/policy@%d", policy.Revision))
	payload, err := attest.NewStatement([]attest.Subject{subject}, typeRelease, []byte(predicate))
	if err != nil {
		return failed(err)
	}
	s, err := f.prepare(ctx, io)
	if err != nil {
		return err
	}
	file := flags.Arg(0) + policySignatureSuffix
	if err := mayReplace(file, s.signers[0], "or remove it if its signer is no longer right"); err != nil {
		return err
	}
	if err := s.begin(ctx, io); err != nil {
		return err
	}
	bundle, err := s.signers[0].sign(ctx, payload)
	if err != nil {
		return serviceFailed(err)
	}
	if err := attest.WriteFile(file, append(bundle, '\n'), 0o644); err != nil {
		return failed(err)
	}
	_, err = fmt.Fprintf(io.out, "%s: signed by %s into %s\n", printable(flags.Arg(0)), printable(s.signers[0].name()), printable(file))
	return err
}

// typeRelease is the predicate type of a policy's signature.
const typeRelease = "https://in-toto.io/attestation/release/v0.1"
