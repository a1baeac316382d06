package verify

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"plimsoll.example/attest"
)

// VSARules say which verifier's summary is taken for what it checked (SLSA v1.1,
// "Verification Summary Attestation", "How to verify").
type VSARules struct {
	Verifier string   // verifier.id
	Levels   []string // each must be among verifiedLevels, or a higher one of its track
	Resource string   // resourceUri; "" for what --as names
	Policy   string   // policy.uri; "" for any
}

var levelName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([A-Z0-9_]+_LEVEL_)([0-9])$`) })

func (p *policyParser) vsa(n *yaml.Node, what string, r *Requirement) error {
	if err := p.ofType(n, what, r, attest.TypeVSA); err != nil {
		return err
	}
	f, err := p.mapping(n, what, "verifier", "levels", "resource", "policy")
	if err != nil {
		return err
	}
	rules := &VSARules{}
	if rules.Verifier, err = p.text(n, f, "verifier"); err != nil {
		return err
	}
	if rules.Levels, err = p.texts(f, what, "levels"); err != nil {
		return err
	}
	if len(rules.Levels) == 0 {
		return p.errorf(n, "%s: levels: missing; say what must have been verified, for example [SLSA_BUILD_LEVEL_2]", what)
	}
	if rules.Resource, err = p.optional(n, f, "resource"); err != nil {
		return err
	}
	if rules.Policy, err = p.optional(n, f, "policy"); err != nil {
		return err
	}
	r.VSA = rules
	return nil
}

// A summary is a VSA's predicate, as far as it is read here.
type summary struct {
	Verifier struct {
		ID string `json:"id"`
	} `json:"verifier"`
	TimeVerified string `json:"timeVerified"`
	Resource     string `json:"resourceUri"`
	Policy       struct {
		URI string `json:"uri"`
	} `json:"policy"`
	Result           string         `json:"verificationResult"`
	Levels           []string       `json:"verifiedLevels"`
	DependencyLevels map[string]int `json:"dependencyLevels"`
}

func readSummary(predicate []byte) (summary, error) {
	var s summary
	if err := unmarshal(predicate, &s); err != nil {
		return summary{}, err
	}
	if s.Verifier.ID == "" || s.Resource == "" || s.Result == "" || s.TimeVerified == "" {
		return summary{}, fmt.Errorf("expected verifier.id, timeVerified, resourceUri and verificationResult, and found one of them missing")
	}
	return s, nil
}

func vsaNames(predicate []byte) ([]claimedName, error) {
	s, err := readSummary(predicate)
	if err != nil {
		return nil, err
	}
	return []claimedName{{"the summary's resourceUri", s.Resource}}, nil
}

// reaches tells whether a level was verified: by itself, or by a higher one of the
// same track.
func (s summary) reaches(level string) bool {
	want := levelName().FindStringSubmatch(level)
	for _, l := range s.Levels {
		if l == level {
			return true
		}
		if has := levelName().FindStringSubmatch(l); want != nil && has != nil && has[1] == want[1] && has[2] > want[2] {
			return true
		}
	}
	return false
}

func (rules *VSARules) judge(e *evaluation, c candidate, j *judged) (refusals []*Refusal) {
	if rules == nil {
		return nil
	}
	s, err := readSummary(c.statement.statement.Predicate)
	if err != nil {
		return []*Refusal{{Code: CodePredicateMalformed, Expected: "a verification summary", Found: err.Error()}}
	}
	refuse := func(code Code, expected, found string) {
		refusals = append(refusals, &Refusal{Code: code, Expected: expected, Found: found})
	}
	if s.Verifier.ID != rules.Verifier {
		refuse(CodeVSAVerifierDiffers, "verifier "+rules.Verifier, s.Verifier.ID)
	}
	if s.Result != "PASSED" {
		refuse(CodeVSAFailed, "verificationResult PASSED", s.Result)
	}
	resource := rules.Resource
	if resource == "" {
		resource = e.artifact.As
	}
	switch {
	case resource == "":
		refuse(CodeNameMissing, "what the summary's resourceUri must be: `resource` in the policy, or --as", "neither")
	case !sameName(resource, s.Resource):
		refuse(CodeVSAResourceDiffers, "resourceUri "+resource, s.Resource)
	}
	if rules.Policy != "" && s.Policy.URI != rules.Policy {
		refuse(CodeVSAResourceDiffers, "a decision by policy "+rules.Policy, s.Policy.URI)
	}
	for _, level := range rules.Levels {
		if !s.reaches(level) {
			refuse(CodeLevelTooLow, level, "verified levels "+orNone(s.Levels))
		}
	}
	return refusals
}

// NPMRules say how many dependencies must have proven where they came from: by the
// summary of a verifier, whose counts must add up to the components of an SBOM; or
// by verifying saved answers of the registry again.
type NPMRules struct {
	SBOM     string // the requirement whose statement lists the dependencies
	Verifier string // verifier.id of the summary
	MinLevel int
	Below    int  // how many dependencies may be below MinLevel
	Answers  bool // verify saved answers instead
}

func (p *policyParser) npm(n *yaml.Node, what string, r *Requirement) error {
	f, err := p.mapping(n, what, "sbom", "verifier", "min-level", "below", "answers")
	if err != nil {
		return err
	}
	rules := &NPMRules{}
	if rules.SBOM, err = p.optional(n, f, "sbom"); err != nil {
		return err
	}
	if rules.Answers, err = p.truth(f, what, "answers"); err != nil {
		return err
	}
	if rules.Below, err = p.number(f, what, "below", 0, 1<<20, 0); err != nil {
		return err
	}
	if rules.Answers {
		for _, key := range []string{"verifier", "min-level", "sbom"} {
			if f[key] != nil {
				return p.errorf(f[key], "%s: %s: goes with a verifier's summary, and answers are verified here (of the SBOM that the requirement itself asks for)", what, key)
			}
		}
		r.NPM = rules
		return p.ofType(n, what, r, attest.TypeCycloneDX)
	}
	if err := p.ofType(n, what, r, attest.TypeVSA); err != nil {
		return err
	}
	if rules.SBOM == "" {
		return p.errorf(n, "%s: sbom: missing; name the requirement whose SBOM lists the dependencies, else one that is not counted would not be missed", what)
	}
	if rules.Verifier, err = p.text(n, f, "verifier"); err != nil {
		return err
	}
	rules.MinLevel, err = p.number(f, what, "min-level", 1, 4, 1)
	r.NPM = rules
	return err
}

const levelPrefix = "SLSA_BUILD_LEVEL_"

func (rules *NPMRules) judge(e *evaluation, c candidate, j *judged) []*Refusal {
	switch {
	case rules == nil:
		return nil
	case rules.Answers:
		return e.judgeAnswers(rules, c, j)
	}
	s, err := readSummary(c.statement.statement.Predicate)
	if err != nil {
		return []*Refusal{{Code: CodePredicateMalformed, Expected: "a verification summary", Found: err.Error()}}
	}
	var refusals []*Refusal
	refuse := func(code Code, expected, found string) {
		refusals = append(refusals, &Refusal{Code: code, Expected: expected, Found: found})
	}
	if s.Verifier.ID != rules.Verifier {
		refuse(CodeVSAVerifierDiffers, "verifier "+rules.Verifier, s.Verifier.ID)
	}
	if s.Result != "PASSED" {
		refuse(CodeVSAFailed, "verificationResult PASSED", s.Result)
	}
	total, below := 0, 0
	for _, name := range slices.Sorted(maps.Keys(s.DependencyLevels)) {
		count := s.DependencyLevels[name]
		number, isLevel := strings.CutPrefix(name, levelPrefix)
		level, err := strconv.Atoi(number)
		if !isLevel || err != nil || len(number) != 1 || count < 0 || count > 1<<30 {
			refuse(CodePredicateMalformed, "dependencyLevels with counts for "+levelPrefix+"0 to 4", fmt.Sprintf("%.60q: %d", name, count))
			continue
		}
		total += count
		if level < rules.MinLevel {
			below += count
		}
	}
	if below > rules.Below {
		refuse(CodeDependencyLevelLow, fmt.Sprintf("at most %d dependencies below %s%d", rules.Below, levelPrefix, rules.MinLevel), fmt.Sprint(below))
	}
	return append(refusals, e.judgeCount(rules, total)...)
}

// judgeCount demands that a summary counts every dependency in the SBOM: a level
// that it leaves out is not zero.
func (e *evaluation) judgeCount(rules *NPMRules, counted int) []*Refusal {
	other, _ := e.gate.Policy.requirement(rules.SBOM)
	o := e.outcome(other)
	if !o.info.Met || len(o.meeting) == 0 {
		return []*Refusal{{Code: CodeReferenceUnmet, Expected: fmt.Sprintf("requirement %q met, whose SBOM lists the dependencies", rules.SBOM), Found: "not met"}}
	}
	for _, c := range o.meeting {
		listed, err := dependenciesIn(c.statement.statement)
		if err != nil {
			return []*Refusal{{Code: CodePredicateMalformed, Expected: "an SBOM that lists dependencies", Found: err.Error()}}
		}
		if len(listed) != counted {
			return []*Refusal{{Code: CodeDependenciesOmitted, Expected: fmt.Sprintf("%d dependencies, as many as %s lists", len(listed), c.source),
				Found: fmt.Sprintf("%d in the summary's dependencyLevels", counted)}}
		}
	}
	return nil
}

// checkVerifiers demands that a summary of npm packages is by another signer than
// the build: a builder does not vouch for its own dependencies.
func (p *Policy) checkVerifiers() (requirement, signer string, ok bool) {
	var builders []string
	for _, r := range p.Requirements {
		if r.Provenance != nil || slices.Contains(r.Types, attest.TypeProvenance) || slices.Contains(r.Types, attest.TypeProvenanceV02) {
			builders = append(builders, r.SignedBy.AnyOf...)
		}
	}
	for _, r := range p.Requirements {
		if r.NPM == nil || r.NPM.Answers {
			continue
		}
		for _, s := range r.SignedBy.AnyOf {
			if slices.Contains(builders, s) {
				return r.Name, s, false
			}
		}
	}
	return "", "", true
}
