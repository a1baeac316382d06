package main

import (
	"cmp"
	"context"
	"crypto"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

// runPolicyInit proposes a policy from the attestations that are there and verify.
func runPolicyInit(ctx context.Context, io stdio, args []string) error {
	var f verifyFlags
	var keyFiles []string
	flags := newFlags(io, "policy init", policyHelp)
	flags.StringArrayVar(&keyFiles, "public-key", nil, "a public key that may have signed; attestations name keys and do not carry them")
	flags.StringArrayVar(&f.attestations, "attestations", nil, "read attestations from this file, folder or oci://IMAGE, and not from beside the artifact")
	flags.StringVar(&f.trustedRoot, "trusted-root", "", "verify certificates by this trust root instead of the public-good one")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("policy init: expected one ARTIFACT, found %d", flags.NArg())
	}
	keys, err := readPublicKeys(keyFiles)
	if err != nil {
		return err
	}
	checker, err := f.openChecker(keys)
	if err != nil {
		return err
	}
	p := &proposal{keys: keys, signers: map[string]string{}, artifact: flags.Arg(0), trustedRoot: f.trustedRoot}
	for _, c := range openArtifacts(ctx, &f, flags.Arg(0)) {
		if c.decided != nil {
			return failed(fmt.Errorf("reading %q: %w", c.arg, cmp.Or(c.decided.err, attest.ErrEmptyArtifact)))
		}
		found, err := c.collect(ctx, f.attestations)
		if err != nil {
			return failed(err)
		}
		for _, a := range found {
			statement, err := verify.Open(ctx, checker, a.JSON, c.artifact)
			if err != nil {
				fmt.Fprintf(io.err, "plimsoll: left out %s: %s\n", printable(a.Source), printable(err.Error()))
				continue
			}
			p.add(statement)
		}
	}
	if len(p.requirements) == 0 {
		return failed(fmt.Errorf("no attestation about %q could be verified", flags.Arg(0))).
			withHint("name the signer's public key with --public-key FILE, or the trust root with --trusted-root FILE")
	}
	text := p.yaml(now())
	if _, err := verify.ParsePolicy("proposal", []byte(text)); err != nil {
		return failed(fmt.Errorf("internal error: the proposal is no policy: %w", err))
	}
	_, err = io.out.Write([]byte(text))
	return err
}

func readPublicKeys(files []string) (map[string][]byte, error) {
	keys := map[string][]byte{}
	for _, file := range files {
		data, err := readBounded(file, 1<<16)
		if err != nil {
			return nil, failed(fmt.Errorf("reading --public-key: %w", err))
		}
		key, err := attest.ParsePublicKey(data)
		if err != nil {
			return nil, usagef("--public-key %q: %w", file, err)
		}
		id, err := attest.KeyID(key)
		if err != nil {
			return nil, usagef("--public-key %q: %w", file, err)
		}
		keys[id] = data
	}
	return keys, nil
}

// openChecker trusts the keys, and every certificate of the root: whom they name is
// what is proposed.
func (f *gateFlags) openChecker(keys map[string][]byte) (verify.Checker, error) {
	load := sigstore.PublicGood
	if f.trustedRoot != "" {
		data, err := readBounded(f.trustedRoot, maxRootFile)
		if err != nil {
			return nil, failed(fmt.Errorf("reading trust root: %w", err))
		}
		root, err := sigstore.ParseRoot(data)
		if err != nil {
			return nil, usagef("--trusted-root %q: %w", f.trustedRoot, err)
		}
		load = func() (*sigstore.Root, error) { return root, nil }
	}
	root := &sigstore.NamedRoot{Name: verify.PublicGoodName, Load: load, Certificates: true, Least: sigstore.Witnesses{LogEntries: 1, SCTs: 1}}
	var pinned []sigstore.PinnedKey
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		var key crypto.PublicKey
		key, err := attest.ParsePublicKey(keys[id])
		if err != nil {
			return nil, err
		}
		pinned = append(pinned, sigstore.PinnedKey{Public: key, Root: root})
	}
	return sigstore.NewPolicyChecker(pinned, []*sigstore.NamedRoot{root})
}

// A proposal collects who signed what.
type proposal struct {
	keys         map[string][]byte
	artifact     string
	trustedRoot  string
	signers      map[string]string // what identifies a signer -> its name
	order        []signerProposal
	requirements []requirementProposal
}

type signerProposal struct {
	name string
	body *yaml.Node
}

type requirementProposal struct{ name, predicateType, signer string }

func (p *proposal) add(v verify.VerifiedStatement) {
	signer := p.signer(v.Signature())
	predicateType := v.Statement().PredicateType
	for _, r := range p.requirements {
		if r.predicateType == predicateType && r.signer == signer {
			return
		}
	}
	name := attest.ShortType(predicateType)
	for n := 2; slices.ContainsFunc(p.requirements, func(r requirementProposal) bool { return r.name == name }); n++ {
		name = fmt.Sprintf("%s-%d", attest.ShortType(predicateType), n)
	}
	p.requirements = append(p.requirements, requirementProposal{name, predicateType, signer})
}

// signer names who signed, once.
func (p *proposal) signer(s verify.Signature) string {
	c := s.Certificate
	identity := s.KeyID
	if c != nil {
		identity = c.Issuer + "\n" + c.Identity + "\n" + c.Repository
	}
	if name, known := p.signers[identity]; known {
		return name
	}
	name := "signer"
	if n := len(p.signers); n > 0 {
		name = fmt.Sprintf("signer-%d", n+1)
	}
	p.signers[identity] = name
	body := mappingNode()
	if c == nil {
		key := mappingNode()
		setNode(key, "pem", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.LiteralStyle, Value: strings.TrimSpace(string(p.keys[s.KeyID])) + "\n"})
		setNode(body, "keys", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{key}})
	} else {
		setText(body, "issuer", c.Issuer)
		setText(body, "identity", c.Identity)
		if c.Repository != "" || c.RepositoryID != "" {
			repository := mappingNode()
			setText(repository, "uri", c.Repository)
			setText(repository, "id", c.RepositoryID)
			setNode(body, "repository", repository)
		}
		setText(body, "runner", c.Runner)
	}
	p.order = append(p.order, signerProposal{name, body})
	return name
}

func mappingNode() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func setText(n *yaml.Node, key, value string) {
	if value != "" {
		setNode(n, key, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.DoubleQuotedStyle})
	}
}

func setNode(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

// yaml writes the proposal, for a year.
func (p *proposal) yaml(now time.Time) string {
	doc, signers, requirements := mappingNode(), mappingNode(), mappingNode()
	for _, s := range p.order {
		setNode(signers, s.name, s.body)
	}
	for _, r := range p.requirements {
		body := mappingNode()
		setText(body, "type", r.predicateType)
		setText(body, "signed-by", r.signer)
		setNode(requirements, r.name, body)
	}
	setNode(doc, "signers", signers)
	setNode(doc, "requirements", requirements)
	body, err := yaml.Marshal(doc)
	if err != nil {
		panic(err) // nodes of our own always encode
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Proposed by plimsoll policy init from what is attested about %q.\n", printable(filepath.Base(p.artifact)))
	b.WriteString("# Whoever signed is proposed as who may sign: is that who should? Widen tags with *\n")
	b.WriteString("# (identity: ...@refs/tags/v*), add what the statements must say, and see what it\n# means with: plimsoll policy explain FILE\n")
	if p.trustedRoot != "" {
		b.WriteString("# Certificates were verified by --trusted-root, which verify needs too.\n")
	}
	fmt.Fprintf(&b, "version: 1\nname: proposed\nrevision: 1\nexpires: %s\n", now.UTC().AddDate(1, 0, 0).Format(time.DateOnly))
	b.Write(body)
	return b.String()
}
