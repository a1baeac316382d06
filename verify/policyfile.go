package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"plimsoll.example/attest"
)

// MaxPolicy bounds a policy file.
const MaxPolicy = 1 << 20

// A PolicyError is a mistake in a policy file, with its place.
type PolicyError struct {
	File    string
	Line    int // 0: the file as a whole
	Problem string
}

func (e *PolicyError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Problem)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
}

// ParsePolicy reads a policy file strictly: unknown and repeated keys, aliases,
// several documents, names that nothing defines, and a policy that demands
// nothing are all errors, each a *PolicyError with the line. file is its name in
// errors. The caller must trust where data came from.
func ParsePolicy(file string, data []byte) (*Policy, error) {
	if len(data) > MaxPolicy {
		return nil, &PolicyError{File: file, Problem: fmt.Sprintf("expected at most %d bytes, found %d", MaxPolicy, len(data))}
	}
	p := &policyParser{file: file}
	policy, err := p.parse(data)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	policy.Digest = "sha256:" + hex.EncodeToString(sum[:])
	return policy, nil
}

type policyParser struct{ file string }

func (p *policyParser) errorf(n *yaml.Node, format string, args ...any) error {
	return &PolicyError{File: p.file, Line: n.Line, Problem: fmt.Sprintf(format, args...)}
}

// yamlLine finds the line in the YAML library's own errors.
var yamlLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^yaml: line (\d+): (.*)$`) })

func (p *policyParser) parse(data []byte) (*Policy, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, &PolicyError{File: p.file, Problem: "the policy is empty; an empty policy would demand nothing"}
	} else if err != nil {
		e := &PolicyError{File: p.file, Problem: strings.TrimPrefix(err.Error(), "yaml: ")}
		if m := yamlLine().FindStringSubmatch(err.Error()); m != nil {
			fmt.Sscan(m[1], &e.Line)
			e.Problem = m[2]
		}
		return nil, e
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, &PolicyError{File: p.file, Problem: "expected one YAML document, found more"}
	}
	if len(doc.Content) != 1 || doc.Content[0].Tag == "!!null" {
		return nil, &PolicyError{File: p.file, Problem: "the policy is empty; an empty policy would demand nothing"}
	}
	return p.policy(doc.Content[0])
}

func (p *policyParser) policy(n *yaml.Node) (*Policy, error) {
	f, err := p.mapping(n, "the policy", "version", "name", "expires", "signers", "artifacts", "requirements")
	if err != nil {
		return nil, err
	}
	version, err := p.text(n, f, "version")
	if err != nil {
		return nil, err
	}
	if version != "1" {
		return nil, p.errorf(f["version"], "version: expected 1, found %q", version)
	}
	policy := &Policy{}
	if f["name"] != nil {
		if policy.Name, err = p.text(n, f, "name"); err != nil {
			return nil, err
		}
	}
	if f["expires"] != nil {
		if policy.Expires, err = p.date(f["expires"], "expires"); err != nil {
			return nil, err
		}
	}
	if policy.Signers, err = p.signers(n, f["signers"]); err != nil {
		return nil, err
	}
	if policy.Requirements, err = p.requirements(n, f["requirements"], policy); err != nil {
		return nil, err
	}
	if f["artifacts"] != nil {
		if policy.Artifacts, err = p.artifacts(f["artifacts"], policy); err != nil {
			return nil, err
		}
	}
	return policy, nil
}

func (p *policyParser) signers(parent, n *yaml.Node) ([]Signer, error) {
	if n == nil {
		return nil, p.errorf(parent, "signers: missing; name at least one signer and its keys")
	}
	names, values, err := p.named(n, "signers")
	if err != nil {
		return nil, err
	}
	owner := map[string]string{}
	var signers []Signer
	for i, name := range names {
		f, err := p.mapping(values[i], "signer "+name, "keys")
		if err != nil {
			return nil, err
		}
		keys := f["keys"]
		if keys == nil || keys.Kind != yaml.SequenceNode || len(keys.Content) == 0 {
			return nil, p.errorf(values[i], "signer %s: keys: expected a list of at least one key", name)
		}
		s := Signer{Name: name}
		for _, k := range keys.Content {
			key, err := p.key(k, name)
			if err != nil {
				return nil, err
			}
			if other, dup := owner[key.ID]; dup {
				return nil, p.errorf(k, "signer %s: key %s is listed under %s already; a key belongs to one signer, once", name, key.ID, other)
			}
			owner[key.ID] = name
			s.Keys = append(s.Keys, key)
		}
		signers = append(signers, s)
	}
	slices.SortFunc(signers, func(a, b Signer) int { return strings.Compare(a.Name, b.Name) })
	return signers, nil
}

func (p *policyParser) key(n *yaml.Node, signer string) (SignerKey, error) {
	f, err := p.mapping(n, "a key of signer "+signer, "pem", "not-after")
	if err != nil {
		return SignerKey{}, err
	}
	pem, err := p.text(n, f, "pem")
	if err != nil {
		return SignerKey{}, err
	}
	public, err := attest.ParsePublicKey([]byte(pem))
	if err != nil {
		return SignerKey{}, p.errorf(f["pem"], "pem: %v", err)
	}
	id, err := attest.KeyID(public)
	if err != nil {
		return SignerKey{}, p.errorf(f["pem"], "pem: %v", err)
	}
	key := SignerKey{ID: id, Public: public}
	if f["not-after"] != nil {
		key.NotAfter, err = p.date(f["not-after"], "not-after")
	}
	return key, err
}

func (p *policyParser) requirements(parent, n *yaml.Node, policy *Policy) ([]Requirement, error) {
	if n == nil {
		return nil, p.errorf(parent, "requirements: missing; a policy without requirements would allow anything")
	}
	names, values, err := p.named(n, "requirements")
	if err != nil {
		return nil, err
	}
	var reqs []Requirement
	for i, name := range names {
		f, err := p.mapping(values[i], "requirement "+name, "type", "signed-by", "holds")
		if err != nil {
			return nil, err
		}
		r := Requirement{Name: name}
		if r.Type, err = p.text(values[i], f, "type"); err != nil {
			return nil, err
		}
		if r.SignedBy, err = p.text(values[i], f, "signed-by"); err != nil {
			return nil, err
		}
		if _, known := policy.signer(r.SignedBy); !known {
			return nil, p.errorf(f["signed-by"], "requirement %s: signed-by: no signer %q is defined", name, r.SignedBy)
		}
		if h := f["holds"]; h != nil && h.Value != "any" {
			return nil, p.errorf(h, "requirement %s: holds: expected any, found %q", name, h.Value)
		}
		reqs = append(reqs, r)
	}
	return reqs, nil
}

// artifactKey is what this version can bind an artifact by.
var artifactKey = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\*|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
})

func (p *policyParser) artifacts(n *yaml.Node, policy *Policy) (map[string][]string, error) {
	names, values, err := p.named(n, "artifacts")
	if err != nil {
		return nil, err
	}
	artifacts := map[string][]string{}
	for i, name := range names {
		if !artifactKey().MatchString(name) {
			return nil, p.errorf(values[i], "artifacts: expected sha256:HEX, sha512:HEX or \"*\", found %q", name)
		}
		f, err := p.mapping(values[i], "artifact "+name, "require")
		if err != nil {
			return nil, err
		}
		require := f["require"]
		if require == nil || require.Kind != yaml.SequenceNode || len(require.Content) == 0 {
			return nil, p.errorf(values[i], "artifact %s: require: expected a list of at least one requirement", name)
		}
		for _, r := range require.Content {
			if r.Kind != yaml.ScalarNode {
				return nil, p.errorf(r, "artifact %s: require: expected a requirement's name, found %s", name, kindName(r))
			}
			if !slices.ContainsFunc(policy.Requirements, func(q Requirement) bool { return q.Name == r.Value }) {
				return nil, p.errorf(r, "artifact %s: require: no requirement %q is defined", name, r.Value)
			}
			artifacts[name] = append(artifacts[name], r.Value)
		}
	}
	return artifacts, nil
}
