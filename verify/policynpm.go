package verify

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// npmSettings reads the section by which plimsoll npm decides. An empty one marks a policy
// that is for plimsoll npm alone, such as one of waivers.
func (p *policyParser) npmSettings(_ *yaml.Node, f map[string]*yaml.Node, policy *Policy) error {
	n := f["npm"]
	if n == nil {
		return nil
	}
	f, err := p.mapping(n, "npm", "codes", "install-scripts")
	if err != nil {
		return err
	}
	if c := f["codes"]; c != nil {
		if err := p.npmCodes(c, policy); err != nil {
			return err
		}
	}
	scripts, err := p.texts(f, "npm", "install-scripts")
	if err != nil {
		return err
	}
	for i, name := range scripts {
		if strings.ContainsAny(name, "* ") {
			return p.errorf(f["install-scripts"].Content[i], "npm: install-scripts: expected NAME or NAME@VERSION, found %q", name)
		}
	}
	policy.NPM.InstallScripts = scripts
	return nil
}

func (p *policyParser) npmCodes(n *yaml.Node, policy *Policy) error {
	names, values, err := p.named(n, "npm: codes")
	if err != nil {
		return err
	}
	policy.NPM.Codes = map[Code]Effect{}
	for i, name := range names {
		code := Code(name)
		if err := policy.NPM.checkCode(code); err != nil {
			return p.errorf(values[i], "npm: codes: %v", err)
		}
		word, err := p.word(map[string]*yaml.Node{name: values[i]}, "npm: codes", name, "deny", "warn")
		if err != nil {
			return err
		}
		policy.NPM.Codes[code] = map[string]Effect{"deny": Deny, "warn": Warn}[word]
	}
	return nil
}
