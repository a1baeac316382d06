package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
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

// policyKeys are the keys of a policy; README.md and [PolicySchema] say what they
// mean.
var policyKeys = []string{"version", "name", "revision", "expires", "unusable", "unnamed", "root-max-age",
	"signers", "levels", "artifacts", "requirements", "npm", "waivers"}

func (p *policyParser) policy(n *yaml.Node) (*Policy, error) {
	f, err := p.mapping(n, "the policy", policyKeys...)
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
	for _, part := range []func(*yaml.Node, map[string]*yaml.Node, *Policy) error{
		p.head, p.npmSettings, p.signers, p.levels, p.requirements, p.artifacts, p.waivers,
	} {
		if err := part(n, f, policy); err != nil {
			return nil, err
		}
	}
	if requirement, signer, ok := policy.checkVerifiers(); !ok {
		return nil, p.errorf(f["requirements"], "requirement %s: signed-by: %s signs builds too; a builder does not vouch for its own dependencies", requirement, signer)
	}
	return policy, p.references(policy)
}

// head reads what is about the policy as a whole.
func (p *policyParser) head(n *yaml.Node, f map[string]*yaml.Node, policy *Policy) (err error) {
	if policy.Name, err = p.optional(n, f, "name"); err != nil {
		return err
	}
	if policy.Revision, err = p.number(f, "the policy", "revision", 1, 1<<30, 0); err != nil {
		return err
	}
	if f["expires"] != nil {
		if policy.Expires, err = p.date(f["expires"], "expires"); err != nil {
			return err
		}
	}
	unusable, err := p.word(f, "the policy", "unusable", "report", "deny")
	if err != nil {
		return err
	}
	unnamed, err := p.word(f, "the policy", "unnamed", "report", "deny")
	if err != nil {
		return err
	}
	policy.DenyUnusable, policy.DenyUnnamed = unusable == "deny", unnamed == "deny"
	policy.RootMaxAge, err = p.duration(f, "the policy", "root-max-age")
	return err
}

func (p *policyParser) levels(_ *yaml.Node, f map[string]*yaml.Node, policy *Policy) error {
	n := f["levels"]
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return p.errorf(n, "levels: expected a list of at least one, found %s", kindName(n))
	}
	for _, c := range n.Content {
		f, err := p.mapping(c, "a level", "signer", "builder", "level")
		if err != nil {
			return err
		}
		var l Level
		if l.Signer, err = p.text(c, f, "signer"); err != nil {
			return err
		}
		if l.Builder, err = p.text(c, f, "builder"); err != nil {
			return err
		}
		if l.Level, err = p.number(f, "a level", "level", 0, 4, -1); err != nil {
			return err
		}
		if l.Level < 0 {
			return p.errorf(c, "level: missing")
		}
		if _, known := policy.signer(l.Signer); !known {
			return p.errorf(f["signer"], "levels: signer: no signer %q is defined", l.Signer)
		}
		for _, other := range policy.Levels {
			if other.Signer == l.Signer && other.Builder == l.Builder {
				return p.errorf(c, "levels: signer %s with builder %s is there twice", l.Signer, l.Builder)
			}
		}
		policy.Levels = append(policy.Levels, l)
	}
	return nil
}

func (p *policyParser) artifacts(_ *yaml.Node, f map[string]*yaml.Node, policy *Policy) error {
	n := f["artifacts"]
	if n == nil {
		return nil
	}
	names, values, err := p.named(n, "artifacts")
	if err != nil {
		return err
	}
	for i, name := range names {
		if err := checkArtifactName(name); err != nil {
			return p.errorf(values[i], "artifacts: %v", err)
		}
		what := "artifact " + name
		f, err := p.mapping(values[i], what, "require", "min-version")
		if err != nil {
			return err
		}
		rule := ArtifactRule{Name: name}
		if rule.Require, err = p.texts(f, what, "require"); err != nil {
			return err
		}
		if len(rule.Require) == 0 {
			return p.errorf(values[i], "%s: require: expected a list of at least one requirement", what)
		}
		for j, r := range rule.Require {
			if _, known := policy.requirement(r); !known {
				return p.errorf(f["require"].Content[j], "%s: require: no requirement %q is defined", what, r)
			}
		}
		if rule.MinVersion, err = p.optional(values[i], f, "min-version"); err != nil {
			return err
		}
		if err := rule.checkMinVersion(); err != nil {
			return p.errorf(f["min-version"], "%s: min-version: %v", what, err)
		}
		policy.Artifacts = append(policy.Artifacts, rule)
	}
	return nil
}

func (p *policyParser) waivers(_ *yaml.Node, f map[string]*yaml.Node, policy *Policy) error {
	n := f["waivers"]
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return p.errorf(n, "waivers: expected a list of at least one, found %s", kindName(n))
	}
	for _, c := range n.Content {
		f, err := p.mapping(c, "a waiver", "code", "subject", "advisory", "owner", "reason", "expires")
		if err != nil {
			return err
		}
		var w Waiver
		var code string
		for _, part := range []struct {
			key  string
			into *string
		}{{"code", &code}, {"subject", &w.Subject}, {"owner", &w.Owner}, {"reason", &w.Reason}} {
			if f[part.key] == nil {
				return p.errorf(c, "a waiver: %s: missing; it needs code, subject, owner, reason and expires", part.key)
			}
			if *part.into, err = p.text(c, f, part.key); err != nil {
				return err
			}
		}
		w.Code = Code(code)
		if w.Advisory, err = p.optional(c, f, "advisory"); err != nil {
			return err
		}
		if f["expires"] == nil {
			return p.errorf(c, "a waiver: expires: missing; one without an end is a rule that nobody reads again")
		}
		if w.Expires, err = p.date(f["expires"], "expires"); err != nil {
			return err
		}
		switch {
		case !w.Code.known():
			return p.errorf(f["code"], "a waiver: code: %q is none; plimsoll verify --codes lists them", code)
		case !w.Code.Waivable():
			return p.errorf(f["code"], "a waiver: code: %s cannot be waived: it is about signatures, subjects, identity, policy or trust, or about a whole statement", code)
		}
		if w.Advisory == "" && (w.Code == CodeVulnerable || w.Code == CodeSeverityUnknown || w.Code == CodeMalicious) {
			return p.errorf(c, "a waiver: advisory: missing; %s is waived for one advisory at a time", code)
		}
		if err := checkWaiverSubject(w.Subject); err != nil {
			return p.errorf(f["subject"], "a waiver: subject: %v", err)
		}
		policy.Waivers = append(policy.Waivers, w)
	}
	return nil
}
