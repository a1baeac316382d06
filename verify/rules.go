package verify

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"go.yaml.in/yaml/v3"
	"plimsoll.example/attest"
)

// Bounds of rules: what one may cost (in CEL's units, about one for each step and
// for each ten bytes of a string that is read), how large one may be, and how many
// combinations of statements are tried where rules refer to other requirements.
const (
	maxRuleCost     = 5_000_000
	maxRuleSize     = 10_000
	maxCombinations = 64
)

// A Rule is a CEL expression that must be true of a statement.
//
// It sees `subject` (name, digest), `predicate`, `signer` (name, and keyId or
// the certificate's fields), `time` (now, and signed and claimed where there are
// such), and `statements`, the statements that meet other requirements, each with
// these four: statements.sbom.predicate.metadata. `matches` is of the whole string.
// Whole numbers of a predicate keep their digits: they are int, or uint where that
// is too small, or else text.
type Rule struct {
	CEL     string
	Message string // for whom it is false

	program cel.Program
	refers  []string // requirements whose statements it reads
}

// ruleEnvironment declares what rules see. It costs a few milliseconds and is made
// for policies with rules only.
var ruleEnvironment = sync.OnceValues(func() (*cel.Env, error) {
	object := cel.MapType(cel.StringType, cel.DynType)
	withoutMatches := &env.LibrarySubset{ExcludeFunctions: []*env.Function{env.NewFunction("matches")}}
	return cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(withoutMatches)),
		cel.ParserExpressionSizeLimit(maxRuleSize),
		cel.Variable("subject", object),
		cel.Variable("predicate", cel.DynType),
		cel.Variable("signer", object),
		cel.Variable("time", object),
		cel.Variable("statements", object),
		// CEL's own finds a match anywhere, so that a pattern for one repository
		// would also be met by another whose name contains it.
		cel.Function("matches",
			cel.MemberOverload("whole_string_matches", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(wholeMatch)),
			cel.Overload("matches_whole_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(wholeMatch))),
	)
})

func wholeMatch(text, pattern ref.Val) ref.Val {
	t, isText := text.(types.String)
	p, isPattern := pattern.(types.String)
	if !isText || !isPattern {
		return types.MaybeNoSuchOverloadErr(text)
	}
	// By itself first: a lone parenthesis would end the group, and the anchors would
	// hold for a part of the pattern only.
	_, err := regexp.Compile(string(p))
	var re *regexp.Regexp
	if err == nil {
		re, err = regexp.Compile(`\A(?:` + string(p) + `)\z`)
	}
	if err != nil {
		return types.NewErr("matches: %v", err)
	}
	return types.Bool(re.MatchString(string(t)))
}

// matchCost charges for what a pattern reads.
type matchCost struct{}

func (matchCost) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	if function != "matches" {
		return nil
	}
	cost := uint64(100) // compiling
	for _, a := range args {
		if s, ok := a.(types.String); ok {
			cost += uint64(len(s))
		}
	}
	return &cost
}

// rules reads `rules` and compiles each.
func (p *policyParser) rules(n *yaml.Node, what string, r *Requirement) error {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return p.errorf(n, "%s: expected a list of at least one, found %s", what, kindName(n))
	}
	for _, c := range n.Content {
		f, err := p.mapping(c, what, "cel", "message")
		if err != nil {
			return err
		}
		var rule Rule
		if rule.CEL, err = p.text(c, f, "cel"); err != nil {
			return err
		}
		if rule.Message, err = p.text(c, f, "message"); err != nil {
			return p.errorf(c, "%s: message: missing; say what is wrong when the rule is false", what)
		}
		if err := rule.compile(); err != nil {
			return p.errorf(f["cel"], "%s: cel: %v", what, err)
		}
		r.Rules = append(r.Rules, rule)
	}
	return nil
}

func (r *Rule) compile() error {
	environment, err := ruleEnvironment()
	if err != nil {
		return err
	}
	compiled, issues := environment.Compile(r.CEL)
	if issues.Err() != nil {
		return errors.New(strings.Join(strings.Fields(issues.Err().Error()), " "))
	}
	if t := compiled.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return fmt.Errorf("expected true or false, found a rule that yields %s", t)
	}
	if r.refers, err = references(compiled); err != nil {
		return err
	}
	r.program, err = environment.Program(compiled, cel.CostLimit(maxRuleCost), cel.CostTracking(matchCost{}), cel.InterruptCheckFrequency(1000))
	return err
}

// references finds the requirements that a rule names. They must be written out,
// so that what a requirement rests on can be read in the policy.
func references(compiled *cel.Ast) ([]string, error) {
	found := map[string]bool{}
	root := ast.NavigateAST(compiled.NativeRep())
	var err error
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		switch {
		case e.Kind() == ast.SelectKind && isStatements(e.AsSelect().Operand()):
			found[e.AsSelect().FieldName()] = true
		case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "_[_]" && isStatements(e.AsCall().Args()[0]):
			key := e.AsCall().Args()[1]
			if name, ok := "", key.Kind() == ast.LiteralKind; ok {
				name, ok = key.AsLiteral().Value().(string)
				if ok {
					found[name] = true
					return
				}
			}
			err = errors.New("statements[...]: expected a requirement's name in quotes")
		}
	}))
	uses := 0
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if isStatements(e) {
			uses++
		}
	}))
	named := 0
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if (e.Kind() == ast.SelectKind && isStatements(e.AsSelect().Operand())) ||
			(e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "_[_]" && isStatements(e.AsCall().Args()[0])) {
			named++
		}
	}))
	if err == nil && uses != named {
		err = errors.New("statements: expected the name of a requirement after it (statements.sbom, or statements[\"built-here\"])")
	}
	return slices.Sorted(maps.Keys(found)), err
}

func isStatements(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == "statements" }

// refersTo lists the requirements whose statements this one looks at.
func (r Requirement) refersTo() []string {
	var names []string
	for _, rule := range r.Rules {
		names = append(names, rule.refers...)
	}
	if r.NPM != nil && !r.NPM.Answers {
		names = append(names, r.NPM.SBOM)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// references demands that what requirements refer to is there and that no
// requirement refers to itself, not even by others.
func (p *policyParser) references(policy *Policy) error {
	done := map[string]bool{}
	var visit func(r Requirement, path []string) error
	visit = func(r Requirement, path []string) error {
		if slices.Contains(path, r.Name) {
			return &PolicyError{File: p.file, Line: r.line, Problem: fmt.Sprintf("requirement %s: refers to itself (%s)", r.Name, strings.Join(append(path, r.Name), " to "))}
		}
		if done[r.Name] {
			return nil
		}
		for _, name := range r.refersTo() {
			other, known := policy.requirement(name)
			if !known {
				return &PolicyError{File: p.file, Line: r.line, Problem: fmt.Sprintf("requirement %s: refers to requirement %q, which is not defined", r.Name, name)}
			}
			if other.Layout != nil {
				return &PolicyError{File: p.file, Line: r.line, Problem: fmt.Sprintf("requirement %s: refers to %q, a layout, which has no statement", r.Name, name)}
			}
			if err := visit(other, append(path, r.Name)); err != nil {
				return err
			}
		}
		done[r.Name] = true
		return nil
	}
	for _, r := range policy.Requirements {
		if err := visit(r, nil); err != nil {
			return err
		}
	}
	return nil
}

// judgeRules demands that all rules are true of a statement, together with one
// choice of the statements that they refer to.
func (e *evaluation) judgeRules(req Requirement, c candidate) []*Refusal {
	if len(req.Rules) == 0 {
		return nil
	}
	choices, refused := e.choices(req)
	if refused != nil {
		return []*Refusal{refused}
	}
	self := e.activation(c)
	var first []*Refusal
	for _, statements := range choices {
		vars := map[string]any{"statements": statements}
		maps.Copy(vars, self)
		var refusals []*Refusal
		for _, rule := range req.Rules {
			if r := e.judgeRule(rule, vars); r != nil {
				refusals = append(refusals, r)
			}
		}
		if e.err != nil || len(refusals) == 0 {
			return nil
		}
		if first == nil {
			first = refusals
		}
	}
	return first
}

// choices returns every combination of statements that meet the requirements
// which the rules refer to.
func (e *evaluation) choices(req Requirement) ([]map[string]any, *Refusal) {
	choices := []map[string]any{{}}
	for _, name := range req.refersTo() {
		other, _ := e.gate.Policy.requirement(name)
		o := e.outcome(other)
		if !o.info.Met || len(o.meeting) == 0 {
			return nil, &Refusal{Code: CodeReferenceUnmet, Expected: fmt.Sprintf("requirement %q met, whose statement a rule reads", name), Found: "not met"}
		}
		var more []map[string]any
		for _, chosen := range choices {
			for _, c := range o.meeting {
				with := maps.Clone(chosen)
				with[name] = e.activation(c)
				more = append(more, with)
			}
		}
		if len(more) > maxCombinations {
			return nil, &Refusal{Code: CodeRuleError, Expected: fmt.Sprintf("at most %d combinations of the statements that the rules refer to", maxCombinations), Found: fmt.Sprint(len(more))}
		}
		choices = more
	}
	return choices, nil
}

// judgeRule evaluates one rule: whatever is not true is false.
func (e *evaluation) judgeRule(rule Rule, vars map[string]any) *Refusal {
	value, _, err := rule.program.ContextEval(e.ctx, vars)
	if e.ctx.Err() != nil {
		e.err = e.ctx.Err()
		return nil
	}
	expected := fmt.Sprintf("%s (%s)", rule.Message, rule.CEL)
	switch {
	case err != nil && strings.Contains(err.Error(), "no such key"):
		return &Refusal{Code: CodeRuleFieldMissing, Expected: expected, Found: "a missing field: " + shorten(err.Error())}
	case err != nil:
		return &Refusal{Code: CodeRuleError, Expected: expected, Found: "an error: " + shorten(err.Error())}
	case value == types.True:
		return nil
	case value == types.False:
		return &Refusal{Code: CodeRuleFalse, Expected: expected, Found: "false", Remedy: rule.Message}
	}
	return &Refusal{Code: CodeRuleError, Expected: expected, Found: "neither true nor false"}
}

func shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 300 {
		return text[:300] + "..."
	}
	return text
}

// activation returns what rules see of a statement.
func (e *evaluation) activation(c candidate) map[string]any {
	if known, ok := e.parsed[c.source+"\x00"+c.digest].(map[string]any); ok {
		return known
	}
	s := c.statement
	vars := map[string]any{
		"subject":   subjectValue(s.subject),
		"predicate": exactJSON(s.statement.Predicate),
		"signer":    signerValue(c),
		"time":      e.timeValue(s),
	}
	e.parsed[c.source+"\x00"+c.digest] = vars
	return vars
}

func subjectValue(s attest.Subject) map[string]any {
	digest := map[string]any{}
	for alg, value := range s.Digest {
		digest[alg] = value
	}
	return map[string]any{"name": s.Name, "digest": digest}
}

func signerValue(c candidate) map[string]any {
	v := map[string]any{"name": c.signer.Name}
	signature := c.statement.Signature()
	if signature.KeyID != "" {
		v["keyId"] = signature.KeyID
	}
	if cert := signature.Certificate; cert != nil {
		for key, value := range map[string]string{"issuer": cert.Issuer, "identity": cert.Identity, "runner": cert.Runner,
			"repository": cert.Repository, "commit": cert.Commit, "ref": cert.Ref, "repositoryId": cert.RepositoryID, "ownerId": cert.OwnerID,
			"buildConfig": cert.BuildConfig, "trigger": cert.Trigger, "runInvocation": cert.RunInvocation, "environment": cert.Environment} {
			if value != "" {
				v[key] = value
			}
		}
	}
	return v
}

func (e *evaluation) timeValue(s VerifiedStatement) map[string]any {
	v := map[string]any{"now": e.gate.Now.UTC()}
	if t := s.Signature().Time(); !t.IsZero() {
		v["signed"] = t
	}
	if t, err := claimedTime(s.statement); err == nil && !t.IsZero() {
		v["claimed"] = t
	}
	return v
}

// hasOwnTime tells whether statements of all these types claim a time.
func hasOwnTime(types []string) bool {
	own := []string{attest.TypeProvenance, attest.TypeProvenanceV02, attest.TypeVulns, attest.TypeVSA, attest.TypeCycloneDX, attest.TypeSPDX2, attest.TypeOpenVEX}
	return !slices.ContainsFunc(types, func(t string) bool { return !slices.Contains(own, t) })
}

// claimedTime returns the time that a statement gives for what it is about; zero if
// it gives none, or its type has no place for one.
func claimedTime(s attest.Statement) (time.Time, error) {
	var p struct {
		RunDetails struct {
			Metadata struct {
				Finished string `json:"finishedOn"`
			} `json:"metadata"`
		} `json:"runDetails"`
		Metadata struct {
			ScanFinished  string `json:"scanFinishedOn"`
			BuildFinished string `json:"buildFinishedOn"`
			Timestamp     string `json:"timestamp"`
		} `json:"metadata"`
		TimeVerified string `json:"timeVerified"`
		Timestamp    string `json:"timestamp"`
		CreationInfo struct {
			Created string `json:"created"`
		} `json:"creationInfo"`
	}
	var text *string
	switch s.PredicateType {
	case attest.TypeProvenance:
		text = &p.RunDetails.Metadata.Finished
	case attest.TypeProvenanceV02:
		text = &p.Metadata.BuildFinished
	case attest.TypeVulns:
		text = &p.Metadata.ScanFinished
	case attest.TypeVSA:
		text = &p.TimeVerified
	case attest.TypeCycloneDX:
		text = &p.Metadata.Timestamp
	case attest.TypeSPDX2:
		text = &p.CreationInfo.Created
	case attest.TypeOpenVEX:
		text = &p.Timestamp
	default: // as hasOwnTime says
		return time.Time{}, nil
	}
	if err := unmarshal(s.Predicate, &p); err != nil {
		return time.Time{}, err
	}
	if *text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		return time.Time{}, fmt.Errorf("expected an RFC 3339 time, found %.100q", *text)
	}
	return t.UTC(), nil
}
