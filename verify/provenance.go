package verify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
	"plimsoll.example/attest"
)

// ProvenanceRules say where and how an artifact must have been built (SLSA v1.1,
// "Verifying artifacts"). What is empty is not demanded, except that external
// parameters that nobody named are always refused.
type ProvenanceRules struct {
	Builder    string // builder.id
	BuildType  string
	Source     string // URI of the source repository
	Ref        string // a pattern
	MinLevel   int
	Parameters []string // external parameters whose value may be anything
}

func (p *policyParser) provenance(n *yaml.Node, what string, r *Requirement) error {
	if err := p.ofType(n, what, r, attest.TypeProvenance, attest.TypeProvenanceV02); err != nil {
		return err
	}
	f, err := p.mapping(n, what, "builder", "build-type", "source", "ref", "min-level", "parameters")
	if err != nil {
		return err
	}
	rules := &ProvenanceRules{}
	for _, part := range []struct {
		key  string
		into *string
	}{{"builder", &rules.Builder}, {"build-type", &rules.BuildType}, {"source", &rules.Source}, {"ref", &rules.Ref}} {
		if *part.into, err = p.optional(n, f, part.key); err != nil {
			return err
		}
		if part.key != "ref" && strings.Contains(*part.into, "*") {
			return p.errorf(f[part.key], "%s: %s: is exact, and takes no *: found %q", what, part.key, *part.into)
		}
	}
	if strings.Count(rules.Ref, "*") > maxPatternStars {
		return p.errorf(f["ref"], "%s: ref: expected at most %d *", what, maxPatternStars)
	}
	if rules.MinLevel, err = p.number(f, what, "min-level", 1, 4, 0); err != nil {
		return err
	}
	if rules.Parameters, err = p.texts(f, what, "parameters"); err != nil {
		return err
	}
	if len(rules.Parameters) > 0 && rules.BuildType == "" {
		return p.errorf(f["parameters"], "%s: parameters: needs build-type, which says what they mean", what)
	}
	r.Provenance = rules
	return nil
}

// A build is what a provenance of either version says.
type build struct {
	builder, buildType  string
	source, ref, commit string
	parameters          map[string]jsontext.Value // external
	unknown             map[string]jsontext.Value // those of them whose meaning is not known
}

// knownParameters are the external parameters of a build type that say which
// source and workflow is built: these are compared by themselves. All others are
// choices of whoever started the build.
var knownParameters = map[string][]string{
	"https://actions.github.io/buildtypes/workflow/v1":                             {"workflow"},
	"https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1":       {"workflow"},
	"https://plimsoll.example/buildtypes/gitlab-ci/v1":                             {"source", "ref", "config"},
	"https://slsa-framework.github.io/gcb-buildtypes/triggered-build/v1":           {"sourceToBuild", "buildConfigSource"},
	"https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0": {"source", "workflow"},
}

// readBuild reads SLSA provenance v1 or v0.2.
func readBuild(s attest.Statement) (build, error) {
	if s.PredicateType == attest.TypeProvenanceV02 {
		return readBuildV02(s.Predicate)
	}
	var p struct {
		BuildDefinition struct {
			BuildType          string                    `json:"buildType"`
			ExternalParameters map[string]jsontext.Value `json:"externalParameters"`
			Dependencies       []struct {
				URI    string            `json:"uri"`
				Digest map[string]string `json:"digest"`
			} `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		RunDetails struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
		} `json:"runDetails"`
	}
	if err := unmarshal(s.Predicate, &p); err != nil {
		return build{}, err
	}
	b := build{builder: p.RunDetails.Builder.ID, buildType: p.BuildDefinition.BuildType, parameters: p.BuildDefinition.ExternalParameters}
	if b.builder == "" || b.buildType == "" {
		return build{}, fmt.Errorf("expected a builder's id and a build type, found %q and %q", b.builder, b.buildType)
	}
	b.readSource()
	for i, d := range p.BuildDefinition.Dependencies {
		source, ref := splitSource(d.URI)
		if b.source == "" && i == 0 && strings.HasPrefix(d.URI, "git+") {
			b.source, b.ref = source, ref
		}
		if source == b.source && source != "" && b.commit == "" {
			b.commit = cmp.Or(d.Digest["gitCommit"], d.Digest["sha1"])
		}
	}
	return b, nil
}

// readSource takes the parameters that say what is built from those that nobody
// knows. A parameter that has another form, or that contradicts one before it, stays
// with the unknown.
func (b *build) readSource() {
	b.unknown = maps.Clone(b.parameters)
	for _, name := range knownParameters[b.buildType] {
		if value := b.parameters[name]; value != nil && b.readParameter(name, value) {
			delete(b.unknown, name)
		}
	}
}

// readParameter tells whether a parameter says no more than source, ref and the file
// in it that describes the build.
func (b *build) readParameter(name string, value jsontext.Value) bool {
	var object struct {
		Repository string `json:"repository"`
		Ref        string `json:"ref"`
		Path       string `json:"path"`
	}
	var text string
	switch {
	case value.Kind() == '{':
		return jsonv2.Unmarshal(value, &object, jsonv2.RejectUnknownMembers(true)) == nil && b.isFrom(object.Repository, object.Ref)
	case jsonv2.Unmarshal(value, &text) != nil:
		return false
	case name == "source":
		return b.isFrom(splitSource(text))
	case name == "ref":
		return b.isFrom(b.source, text)
	}
	// A file of the source; GitLab also takes FILE@PROJECT and addresses.
	return name == "config" && !strings.ContainsAny(text, "@:")
}

// isFrom notes source and ref, and tells whether they agree with what is known.
func (b *build) isFrom(source, ref string) bool {
	if (b.source != "" && source != "" && b.source != source) || (b.ref != "" && ref != "" && b.ref != ref) {
		return false
	}
	b.source, b.ref = cmp.Or(b.source, source), cmp.Or(b.ref, ref)
	return true
}

func readBuildV02(predicate []byte) (build, error) {
	var p struct {
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
		BuildType  string `json:"buildType"`
		Invocation struct {
			ConfigSource struct {
				URI    string            `json:"uri"`
				Digest map[string]string `json:"digest"`
			} `json:"configSource"`
			Parameters jsontext.Value `json:"parameters"`
		} `json:"invocation"`
	}
	if err := unmarshal(predicate, &p); err != nil {
		return build{}, err
	}
	b := build{builder: p.Builder.ID, buildType: p.BuildType}
	if b.builder == "" || b.buildType == "" {
		return build{}, fmt.Errorf("expected a builder's id and a build type, found %q and %q", b.builder, b.buildType)
	}
	source := p.Invocation.ConfigSource
	b.source, b.ref = splitSource(source.URI)
	b.commit = cmp.Or(source.Digest["gitCommit"], source.Digest["sha1"])
	if v := p.Invocation.Parameters; !isEmptyJSON(v) {
		if jsonv2.Unmarshal(v, &b.unknown) != nil {
			b.unknown = map[string]jsontext.Value{"parameters": v}
		}
	}
	return b, nil
}

// splitSource splits git+REPOSITORY@REF. An @ before the path is a user's.
func splitSource(uri string) (repository, ref string) {
	uri = strings.TrimPrefix(uri, "git+")
	_, rest, ok := strings.Cut(uri, "://")
	if !ok {
		rest = uri
	}
	slash := strings.IndexByte(rest, '/')
	at := strings.IndexByte(rest[max(slash, 0):], '@')
	if slash < 0 || at < 0 {
		return uri, ""
	}
	end := len(uri) - len(rest) + slash + at
	return uri[:end], uri[end+1:]
}

func isEmptyJSON(v jsontext.Value) bool {
	switch string(slices.DeleteFunc(slices.Clone([]byte(v)), func(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' })) {
	case "", "null", "{}", "[]", `""`:
		return true
	}
	return false
}

// judge compares a provenance with the rules, and with the certificate that it was
// signed with: what the predicate says is written in the build itself, what the
// certificate says is not.
func (rules *ProvenanceRules) judge(e *evaluation, c candidate, j *judged) (refusals []*Refusal) {
	if rules == nil {
		return nil
	}
	b, err := readBuild(c.statement.statement)
	if err != nil {
		return []*Refusal{{Code: CodePredicateMalformed, Expected: "SLSA provenance", Found: err.Error()}}
	}
	differ := func(code Code, what, want, found string) {
		if want != "" && want != found {
			refusals = append(refusals, &Refusal{Code: code, Expected: what + " " + want, Found: cmp.Or(found, "none")})
		}
	}
	if cert := c.statement.Signature().Certificate; cert != nil { // which knows better than nothing
		b.source, b.ref = cmp.Or(b.source, cert.Repository), cmp.Or(b.ref, cert.Ref)
	}
	differ(CodeBuilderDiffers, "builder", rules.Builder, b.builder)
	differ(CodeBuildTypeDiffers, "build type", rules.BuildType, b.buildType)
	differ(CodeSourceDiffers, "source", rules.Source, b.source)
	if rules.Ref != "" && !matchPattern(rules.Ref, b.ref) {
		refusals = append(refusals, &Refusal{Code: CodeRefDiffers, Expected: "ref " + rules.Ref, Found: cmp.Or(b.ref, "none")})
	}
	if cert := c.statement.Signature().Certificate; cert != nil {
		for _, pair := range []struct{ what, certificate, predicate string }{
			{"source", cert.Repository, b.source}, {"ref", cert.Ref, b.ref}, {"commit", cert.Commit, b.commit},
		} {
			if pair.certificate != "" && pair.predicate != "" {
				differ(CodeCertificateDiffers, pair.what+" as in the certificate,", pair.certificate, pair.predicate)
			}
		}
		differ(CodeSourceDiffers, "source in the certificate", rules.Source, cert.Repository)
		if rules.Ref != "" && !matchPattern(rules.Ref, cert.Ref) {
			refusals = append(refusals, &Refusal{Code: CodeRefDiffers, Expected: "ref " + rules.Ref + " in the certificate", Found: cmp.Or(cert.Ref, "none")})
		}
	}
	level := e.gate.Policy.level(c.signer.Name, b.builder)
	if j.level = level; level < rules.MinLevel {
		refusals = append(refusals, &Refusal{Code: CodeLevelTooLow, Expected: fmt.Sprintf("SLSA build level %d", rules.MinLevel),
			Found: fmt.Sprintf("level %d, which is what the policy's `levels` give signer %q with builder %s", level, c.signer.Name, b.builder)})
	}
	for _, name := range slices.Sorted(maps.Keys(b.unknown)) {
		if !isEmptyJSON(b.unknown[name]) && !slices.Contains(rules.Parameters, name) {
			refusals = append(refusals, &Refusal{Code: CodeParameterUnknown, Expected: "no external parameter but those that the policy names for build type " + b.buildType,
				Found: fmt.Sprintf("%q: %.200s", name, b.unknown[name])})
		}
	}
	return refusals
}
