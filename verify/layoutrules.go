package verify

import (
	"context"
	"crypto"
	"errors"
	"time"

	"go.yaml.in/yaml/v3"
	"plimsoll.example/attest"
)

// LayoutRules name an in-toto layout that the artifact must come out of. Who may
// sign the layout are the keys of the requirement's signers.
type LayoutRules struct {
	File   string
	SHA256 string
	Step   string // the step whose products the artifact must be among
	Data   []byte // the file's bytes, set by whoever loads the policy
}

// A LayoutCheck is what a LayoutChecker decides about.
type LayoutCheck struct {
	Layout   []byte
	Owners   []crypto.PublicKey // any of whom may have signed the layout
	Links    []Attestation      // files as found, unverified: links, and other things
	Step     string
	Artifact attest.DigestSet
	Now      time.Time
}

// A LayoutResult says what a layout that holds rests on.
type LayoutResult struct {
	Notes []string
	Used  []string // the sources of the links that counted
}

// A LayoutChecker follows an in-toto layout. It returns a result only if all of the
// layout holds and the artifact is a product of the step; else a *Refusal, or
// another error where nothing could be decided.
type LayoutChecker interface {
	CheckLayout(ctx context.Context, check LayoutCheck) (LayoutResult, error)
}

func (p *policyParser) layout(n *yaml.Node, what string, r *Requirement) error {
	f, err := p.mapping(n, what, "file", "sha256", "artifact-step")
	if err != nil {
		return err
	}
	rules := &LayoutRules{}
	pinned := &yaml.Node{Kind: yaml.MappingNode, Line: n.Line}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "artifact-step" {
			pinned.Content = append(pinned.Content, n.Content[i], n.Content[i+1])
		}
	}
	if rules.File, rules.SHA256, err = p.pinnedFile(pinned, what); err != nil {
		return err
	}
	if f["artifact-step"] == nil {
		return p.errorf(n, "%s: artifact-step: missing; without it nothing ties the artifact to the layout's steps", what)
	}
	rules.Step, err = p.text(n, f, "artifact-step")
	r.Layout = rules
	return err
}

// followLayout asks the layout checker about the artifact.
func (e *evaluation) followLayout(req Requirement, o *outcome) {
	check := LayoutCheck{Layout: req.Layout.Data, Links: e.raw, Step: req.Layout.Step, Artifact: e.artifact.Digests, Now: e.gate.Now}
	for _, name := range req.SignedBy.AnyOf {
		signer, _ := e.gate.Policy.signer(name)
		for _, k := range signer.Keys {
			if k.Revoked == nil && (k.NotAfter.IsZero() || e.gate.Now.Before(k.NotAfter)) && !e.gate.Now.Before(k.NotBefore) {
				check.Owners = append(check.Owners, k.Public)
			}
		}
	}
	if e.gate.Layouts == nil || len(req.Layout.Data) == 0 {
		e.err = errors.New("the policy has a layout, and nothing was wired to follow it")
		return
	}
	result, err := e.gate.Layouts.CheckLayout(e.ctx, check)
	var refused *Refusal
	switch {
	case err == nil:
		o.info.Met, o.info.Notes = true, result.Notes
		e.links = append(e.links, result.Used...)
	case errors.As(err, &refused):
		o.info.Findings = []Finding{refused.finding(req.Layout.File)}
	default:
		e.err = err
	}
}
