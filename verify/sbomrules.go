package verify

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	packageurl "github.com/package-url/packageurl-go"
	"go.yaml.in/yaml/v3"
	"plimsoll.example/attest"
	"plimsoll.example/sbom"
	"plimsoll.example/sbom/license"
	"plimsoll.example/verify/vers"
)

// SBOMRules say what a CycloneDX SBOM must be like, and what may be in it.
type SBOMRules struct {
	Profile       string // as in sbom.Profiles
	AboutArtifact bool   // metadata.component must have the artifact's digest, or the name of --as
	Hashes        bool   // every component must have a hash
	Deny          *vers.Set
	Licenses      *license.Rule
	// MissingLicenses lets components pass of which no licence is stated.
	MissingLicenses bool
}

func (p *policyParser) sbom(n *yaml.Node, what string, r *Requirement) error {
	if err := p.ofType(n, what, r, attest.TypeCycloneDX); err != nil {
		return err
	}
	f, err := p.mapping(n, what, "profile", "about-artifact", "hashes", "deny", "licenses")
	if err != nil {
		return err
	}
	rules := &SBOMRules{}
	if rules.Profile, err = p.optional(n, f, "profile"); err != nil {
		return err
	}
	if rules.Profile != "" && !slices.Contains(sbom.Profiles(), rules.Profile) {
		return p.errorf(f["profile"], "%s: profile: expected %s, found %q", what, strings.Join(sbom.Profiles(), " or "), rules.Profile)
	}
	if rules.AboutArtifact, err = p.truth(f, what, "about-artifact"); err != nil {
		return err
	}
	hashes, err := p.word(f, what, "hashes", "optional", "required")
	if err != nil {
		return err
	}
	rules.Hashes = hashes == "required"
	if rules.Deny, err = p.denied(f["deny"], what+": deny"); err != nil {
		return err
	}
	r.SBOM = rules
	return p.licenses(f["licenses"], what+": licenses", rules)
}

// denied reads a list of purls, or of {purl, vers}.
func (p *policyParser) denied(n *yaml.Node, what string) (*vers.Set, error) {
	if n == nil {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return nil, p.errorf(n, "%s: expected a list of at least one, found %s", what, kindName(n))
	}
	var patterns []vers.Pattern
	for _, c := range n.Content {
		purl, versions := c.Value, ""
		if c.Kind == yaml.MappingNode {
			f, err := p.mapping(c, what, "purl", "vers")
			if err != nil {
				return nil, err
			}
			if purl, err = p.text(c, f, "purl"); err != nil {
				return nil, err
			}
			if versions, err = p.text(c, f, "vers"); err != nil {
				return nil, err
			}
		} else if err := p.plain(c, what); err != nil {
			return nil, err
		}
		pattern, err := vers.ParsePattern(purl, versions)
		if err != nil {
			return nil, p.errorf(c, "%s: %v", what, err)
		}
		patterns = append(patterns, pattern)
	}
	return vers.NewSet(patterns...), nil
}

func (p *policyParser) licenses(n *yaml.Node, what string, rules *SBOMRules) error {
	if n == nil {
		return nil
	}
	f, err := p.mapping(n, what, "allow", "deny", "missing")
	if err != nil {
		return err
	}
	allow, err := p.texts(f, what, "allow")
	if err != nil {
		return err
	}
	deny, err := p.texts(f, what, "deny")
	if err != nil {
		return err
	}
	if len(allow)+len(deny) == 0 {
		return p.errorf(n, "%s: expected allow, deny or both", what)
	}
	rule, err := license.NewRule(allow, deny)
	if err != nil {
		return p.errorf(n, "%s: %v", what, err)
	}
	missing, err := p.word(f, what, "missing", "deny", "allow")
	rules.Licenses, rules.MissingLicenses = &rule, missing == "allow"
	return err
}

// A component of a CycloneDX document, as far as rules read it.
type component struct {
	Ref      string `json:"bom-ref"`
	Type     string `json:"type"`
	Group    string `json:"group"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Purl     string `json:"purl"`
	Hashes   []hash `json:"hashes"`
	Licenses []struct {
		Expression string `json:"expression"`
		License    struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"license"`
	} `json:"licenses"`
	References []struct {
		Type   string `json:"type"`
		Hashes []hash `json:"hashes"`
	} `json:"externalReferences"`
	Components []component `json:"components"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

// A document is a CycloneDX document, as far as rules read it.
type document struct {
	Metadata struct {
		Component component `json:"component"`
	} `json:"metadata"`
	Components []component `json:"components"`
}

func readDocument(predicate []byte) (*document, error) {
	d := &document{}
	if err := unmarshal(predicate, d); err != nil {
		return nil, err
	}
	return d, nil
}

// all lists every component but the main one, nested ones too.
func (d *document) all() []component {
	var list []component
	var add func([]component)
	add = func(components []component) {
		for _, c := range components {
			list = append(list, c)
			add(c.Components)
		}
	}
	add(d.Metadata.Component.Components)
	add(d.Components)
	return list
}

// name shows a component.
func (c component) name() string {
	if c.Purl != "" {
		return c.Purl
	}
	return strings.Trim(c.Group+"/"+c.Name+"@"+c.Version, "/@")
}

// hashed tells whether a component, or what it was distributed as, has a hash.
func (c component) hashed() bool {
	if len(c.Hashes) > 0 {
		return true
	}
	for _, r := range c.References {
		if (r.Type == "distribution" || r.Type == "source-distribution") && len(r.Hashes) > 0 {
			return true
		}
	}
	return false
}

// sbomNames returns what an SBOM calls the artifact: the purl of its main
// component, if that has one.
func sbomNames(predicate []byte, artifact Artifact) ([]claimedName, error) {
	var d struct {
		Metadata struct {
			Component struct {
				Purl    string `json:"purl"`
				Name    string `json:"name"`
				Version string `json:"version"`
			} `json:"component"`
		} `json:"metadata"`
	}
	if err := unmarshal(predicate, &d); err != nil {
		return nil, err
	}
	main := d.Metadata.Component
	if main.Purl != "" {
		return []claimedName{{"metadata.component of the SBOM is", main.Purl}}, nil
	}
	as, err := packageurl.FromString(artifact.As)
	if err != nil || main.Name == "" {
		return nil, nil
	}
	// Without a purl, name and version are compared with those of --as.
	full := strings.Trim(as.Namespace+"/"+as.Name, "/")
	if main.Name != as.Name && main.Name != full || (as.Version != "" && main.Version != as.Version) {
		return []claimedName{{"metadata.component of the SBOM is", strings.Trim(main.Name+"@"+main.Version, "@")}}, nil
	}
	return []claimedName{{"metadata.component of the SBOM is", artifact.As}}, nil
}

func (rules *SBOMRules) judge(e *evaluation, c candidate, j *judged) (refusals []*Refusal) {
	if rules == nil {
		return nil
	}
	predicate := c.statement.statement.Predicate
	malformed := func(err error) []*Refusal {
		return []*Refusal{{Code: CodePredicateMalformed, Expected: "a CycloneDX document", Found: err.Error()}}
	}
	if rules.Profile != "" {
		assessment, err := sbom.Check(bytes.NewReader(predicate), rules.Profile)
		if err != nil {
			return malformed(err)
		}
		if assessment.Failed {
			refusals = append(refusals, &Refusal{Code: CodeSBOMIncomplete, Expected: "all that profile " + rules.Profile + " requires", Found: describeAssessment(assessment)})
		}
	}
	d, err := readDocument(predicate)
	if err != nil {
		return malformed(err)
	}
	if rules.AboutArtifact {
		if r := d.aboutArtifact(e.artifact, c); r != nil {
			refusals = append(refusals, r)
		}
	}
	if main := d.Metadata.Component; rules.Deny != nil && main.Purl != "" {
		rules.judgeDenied(main, func(code Code, expected, found string) {
			refusals = append(refusals, &Refusal{Code: code, Subject: main.Purl, Expected: expected, Found: found})
		})
	}
	for _, component := range d.all() {
		refusals = append(refusals, rules.judgeComponent(component)...)
	}
	return refusals
}

func describeAssessment(a *sbom.Assessment) string {
	var failed []string
	for _, f := range a.Findings {
		if f.Level == sbom.Required && f.Status == sbom.Fail {
			failed = append(failed, f.Element+" ("+f.Field+")")
		}
	}
	return "missing or wrong: " + orNone(failed)
}

// aboutArtifact demands that the main component has the artifact's digest, or is
// what the artifact is deployed as.
func (d *document) aboutArtifact(a Artifact, c candidate) *Refusal {
	main := d.Metadata.Component
	same, other := d.mainHashes(a)
	expected := "metadata.component with a hash of the artifact, " + describeDigests(a.Digests)
	switch {
	case other != "":
		return &Refusal{Code: CodeSBOMNotAbout, Expected: expected, Found: other}
	case same > 0:
		return nil
	}
	if names, err := sbomNames(c.statement.statement.Predicate, a); a.As != "" && err == nil && len(names) > 0 {
		return nil // and bind has compared them
	}
	return &Refusal{Code: CodeSBOMNotAbout, Expected: expected + ", or named as --as says", Found: cmp.Or(main.name(), "no main component") + " without one"}
}

// mainHashes counts the main component's hashes that are the artifact's, and names one
// that is of something else.
func (d *document) mainHashes(a Artifact) (same int, other string) {
	for _, h := range d.Metadata.Component.Hashes {
		alg := strings.ReplaceAll(strings.ToLower(h.Alg), "-", "")
		switch digest, known := a.Digests[alg]; {
		case known && digest == strings.ToLower(h.Content):
			same++
		case known:
			other = h.Alg + " " + h.Content
		}
	}
	return same, other
}

// judgeComponent applies the rules about single components.
func (rules *SBOMRules) judgeComponent(c component) (refusals []*Refusal) {
	refuse := func(code Code, expected, found string) {
		refusals = append(refusals, &Refusal{Code: code, Subject: c.Purl, Expected: expected, Found: found})
	}
	if rules.Hashes && !c.hashed() {
		refuse(CodeComponentNoHash, "a hash of every component", c.name()+" without one")
	}
	if rules.Deny != nil {
		rules.judgeDenied(c, refuse)
	}
	if rules.Licenses != nil {
		rules.judgeLicenses(c, refuse)
	}
	return refusals
}

func (rules *SBOMRules) judgeDenied(c component, refuse func(code Code, expected, found string)) {
	if c.Purl == "" {
		if c.Type != "file" {
			refuse(CodeComponentUnclear, "a purl for every component, to compare with what is denied", c.name()+" without one")
		}
		return
	}
	pattern, denied, err := rules.Deny.Match(c.Purl)
	switch {
	case err != nil:
		refuse(CodeComponentUnclear, "a component that can be compared with what is denied", fmt.Sprintf("%s: %v", c.Purl, err))
	case denied:
		refuse(CodeComponentDenied, "no component that matches "+pattern.String(), c.Purl)
	}
}

func (rules *SBOMRules) judgeLicenses(c component, refuse func(code Code, expected, found string)) {
	if len(c.Licenses) == 0 {
		if c.Type != "file" && !rules.MissingLicenses {
			refuse(CodeLicenseUnclear, "a licence for every component", c.name()+" without one")
		}
		return
	}
	for _, l := range c.Licenses {
		text := cmp.Or(l.Expression, l.License.ID, l.License.Name)
		ok, why := rules.Licenses.Judge(text)
		if ok {
			continue
		}
		code := CodeLicenseDenied
		if _, err := license.ParseExpression(text); err != nil {
			code = CodeLicenseUnclear
		}
		refuse(code, "licences that the policy allows", fmt.Sprintf("%s: %q, %s", c.name(), text, why))
	}
}
