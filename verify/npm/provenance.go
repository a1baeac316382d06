//lint:file-ignore SA1019 in-toto-golang calls its SLSA types superseded by generated protobuf ones, which keep a predicate as structpb and lose digits; these are plain JSON.

package npm

import (
	"fmt"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	slsa "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// The CI systems whose identities npm accepts for provenance.
const (
	issuerGitHub = "https://token.actions.githubusercontent.com"
	issuerGitLab = "https://gitlab.com"
)

// claims are the fields of a provenance predicate that a certificate has too. A
// field is empty where the predicate's format lacks it.
type claims struct {
	repositoryID, ownerID, trigger string
	workflows                      []workflow
	refName                        string // of a branch or tag
	invocation                     string // an address
	builder                        string
	sources                        []source // what was built, wherever the predicate says it; repository and commit are in the first
}

// source is a repository at a commit.
type source struct{ repository, ref, commit string }

// maxSources bounds what may be wrong with one predicate.
const maxSources = 64

// workflow is a path, and the ref that it is of where that stands apart from it.
type workflow struct{ path, ref string }

// claim is one field of a predicate beside that of the certificate.
type claim struct {
	what, certificate, predicate string
	required                     bool
}

// checkProvenance checks that a provenance was signed with a certificate of a
// known CI, and that its predicate does not contradict that certificate. It
// returns the certificate, for nothing that only the predicate says is believed, and
// the builder that the predicate claims.
func checkProvenance(s statement) (*verify.Certificate, string, []*verify.Refusal) {
	c := s.Signature().Certificate
	if c == nil {
		return nil, "", []*verify.Refusal{{Code: verify.CodeSignerUnknown, Expected: "provenance signed with a CI's certificate", Found: "one by key " + s.Signature().Signer()}}
	}
	if c.Issuer != issuerGitHub && c.Issuer != issuerGitLab {
		return nil, "", []*verify.Refusal{{Code: verify.CodeIssuerUnknown, Expected: issuerGitHub + " or " + issuerGitLab, Found: fmt.Sprintf("%.200q", c.Issuer)}}
	}
	said, err := claimsOf(s, c)
	if n := len(said.sources); err == nil && n > maxSources {
		err = fmt.Errorf("the source %d times", n)
	}
	if err != nil {
		return nil, "", []*verify.Refusal{{Code: verify.CodeProvenanceMismatch, Expected: "SLSA provenance as it is written in the CI of the certificate", Found: err.Error()}}
	}
	var refused []*verify.Refusal
	for _, f := range said.beside(c) {
		unknown := f.certificate == "" || f.predicate == ""
		if (f.required && unknown) || (!unknown && f.certificate != f.predicate) {
			refused = append(refused, &verify.Refusal{Code: verify.CodeProvenanceMismatch,
				Expected: fmt.Sprintf("%s %q, as in the certificate", f.what, f.certificate), Found: fmt.Sprintf("%.200q", f.predicate)})
		}
	}
	if expected := builderMismatch(c, said.builder); expected != "" {
		refused = append(refused, &verify.Refusal{Code: verify.CodeProvenanceMismatch, Expected: expected, Found: fmt.Sprintf("%.200q", said.builder)})
	}
	return c, said.builder, refused
}

// claimsOf reads a predicate as it is written in the CI that the certificate is of: what
// a predicate says of itself must not choose what of it is compared.
func claimsOf(s statement, c *verify.Certificate) (claims, error) {
	predicate, v02 := s.Statement().Predicate, s.predicateType == attest.TypeProvenanceV02
	switch {
	case c.Issuer == issuerGitLab && v02:
		return claimsGitLab(predicate)
	case c.Issuer == issuerGitLab:
		return claims{}, fmt.Errorf("%s, which is not written on GitLab", s.predicateType)
	case v02:
		return claimsV02(predicate)
	}
	return claimsV1(predicate)
}

// beside pairs what is claimed with what the certificate says.
func (said claims) beside(c *verify.Certificate) []claim {
	all := []claim{
		{"repository id", c.RepositoryID, said.repositoryID, false},
		{"owner id", c.OwnerID, said.ownerID, false},
		{"trigger", c.Trigger, said.trigger, false},
		{"name of the ref", refName(c.Ref), said.refName, false},
		{"invocation", c.RunInvocation, said.invocation, false},
	}
	for _, w := range said.workflows {
		all = append(all, w.beside(workflowIn(c)))
	}
	sources := said.sources
	if len(sources) == 0 {
		sources = []source{{}}
	}
	for i, s := range sources {
		all = append(all, claim{"repository", c.Repository, s.repository, i == 0}, claim{"commit", c.Commit, s.commit, i == 0}, claim{"ref", c.Ref, s.ref, false})
	}
	return all
}

// workflowIn returns PATH@REF of the certificate's workflow, as npm's client cuts it out
// (libnpmpublish, lib/provenance.js): the path in the repository, or from its owner on if
// it is of another. On GitLab the path stands behind two slashes.
func workflowIn(c *verify.Certificate) string {
	below, ok := strings.CutPrefix(c.BuildConfig, c.Repository+"/")
	if !ok {
		below = strings.TrimPrefix(c.BuildConfig, gitHub)
	}
	return strings.TrimPrefix(below, "/")
}

// beside compares as much as is claimed of a workflow with the certificate's PATH@REF.
func (w workflow) beside(certificate string) claim {
	claimed := w.path
	switch {
	case w.path != "" && w.ref != "":
		claimed = w.path + "@" + w.ref
	case w.path != "" && strings.HasPrefix(certificate, w.path+"@"):
		claimed = certificate
	case w.path == "" && w.ref != "":
		if claimed = "@" + w.ref; strings.HasSuffix(certificate, claimed) {
			claimed = certificate
		}
	}
	return claim{"workflow", certificate, claimed, false}
}

// refName is the name of a branch or tag; "" of what else there is: of a merge request on
// GitLab, the name in the predicate is the branch's.
func refName(ref string) string {
	for _, kind := range []string{"refs/heads/", "refs/tags/"} {
		if name, ok := strings.CutPrefix(ref, kind); ok {
			return name
		}
	}
	return ""
}

const (
	gitHub = "https://github.com/"
	// githubRunner is the builder of npm's provenance on GitHub, before the kind of runner.
	githubRunner = gitHub + "actions/runner"
	// githubClient is the one that npm's client first wrote, before its version.
	githubClient = gitHub + "npm/cli@"
)

// builderMismatch says which builder is expected, if that of a predicate contradicts the
// certificate: GitHub's runner is of the certificate's kind; else it may be a workflow on
// GitHub that others call, of which the certificate does not always tell. On GitLab it is
// a runner of the project.
func builderMismatch(c *verify.Certificate, builder string) (expected string) {
	if c.Issuer == issuerGitLab {
		if runner := c.Repository + "/-/runners/"; !strings.HasPrefix(builder, runner) {
			return "builder " + runner + "ID"
		}
		return ""
	}
	kind, ofKind := strings.CutPrefix(builder, githubRunner+"/")
	switch {
	case ofKind && c.Runner != "" && kind != c.Runner:
		return fmt.Sprintf("builder %q, as in the certificate", githubRunner+"/"+c.Runner)
	case ofKind, builder == githubRunner, strings.HasPrefix(builder, githubClient), workflowBuilder().MatchString(builder):
		return ""
	}
	return "builder " + githubRunner + "/KIND, or a workflow on GitHub"
}

var workflowBuilder = pattern(`^https://github\.com/[\w.-]+/[\w.-]+/\.github/workflows/[^@]+@.+$`)

// claimsV1 reads SLSA provenance v1 as npm's client writes it on GitHub
// (build type github-actions-buildtypes/workflow/v1).
func claimsV1(predicate []byte) (claims, error) {
	var p slsa.ProvenancePredicate
	if err := jsonv2.Unmarshal(predicate, &p); err != nil {
		return claims{}, err
	}
	if strings.HasPrefix(p.BuildDefinition.BuildType, buildTypeGitLab) {
		return claims{}, fmt.Errorf("build type %.200q", p.BuildDefinition.BuildType)
	}
	built, err := objectIn(p.BuildDefinition.ExternalParameters, "workflow")
	if err != nil {
		return claims{}, err
	}
	github, err := objectIn(p.BuildDefinition.InternalParameters, "github")
	if err != nil {
		return claims{}, err
	}
	c := claims{
		repositoryID: text(github["repository_id"]),
		ownerID:      text(github["repository_owner_id"]),
		trigger:      text(github["event_name"]),
		workflows:    []workflow{{text(built["path"]), text(built["ref"])}},
		invocation:   addressed(p.RunDetails.BuildMetadata.InvocationID),
		builder:      p.RunDetails.Builder.ID,
	}
	repository, deps := text(built["repository"]), p.BuildDefinition.ResolvedDependencies
	if repository == "" && len(deps) > 0 {
		repository, _ = splitSource(deps[0].URI)
	}
	for _, d := range deps {
		of, ref := splitSource(d.URI)
		switch {
		case of == repository && len(c.sources) == 0:
			c.sources = append(c.sources, source{repository, ref, d.Digest["gitCommit"]})
		case sameRepository(of, repository): // another word on the same, in whatever spelling
			c.sources = append(c.sources, source{"", ref, d.Digest["gitCommit"]})
		}
	}
	if len(c.sources) == 0 || c.sources[0].repository == "" {
		return claims{}, fmt.Errorf("no resolved dependency is the source repository %.200q", repository)
	}
	return c, nil
}

func sameRepository(a, b string) bool { return strings.EqualFold(repositoryURL(a), repositoryURL(b)) }

// addressed returns an invocation that is named by its address, as the certificate names
// it; other builders have names of their own.
func addressed(invocation string) string {
	if strings.Contains(invocation, "://") {
		return invocation
	}
	return ""
}

// predicateV02 is SLSA provenance v0.2, as far as it is read.
type predicateV02 struct {
	BuildType string `json:"buildType"`
	Builder   struct {
		ID string `json:"id"`
	} `json:"builder"`
	Invocation struct {
		ConfigSource struct {
			URI        string            `json:"uri"`
			Digest     map[string]string `json:"digest"`
			EntryPoint string            `json:"entryPoint"`
		} `json:"configSource"`
		Parameters  any            `json:"parameters"`
		Environment map[string]any `json:"environment"`
	} `json:"invocation"`
	Metadata struct {
		BuildInvocationID string `json:"buildInvocationId"`
	} `json:"metadata"`
	Materials []struct {
		URI    string            `json:"uri"`
		Digest map[string]string `json:"digest"`
	} `json:"materials"`
}

// sources are the configuration's source, and each material that is the same repository.
func (p *predicateV02) sources() []source {
	from := p.Invocation.ConfigSource
	repository, ref := splitSource(from.URI)
	all := []source{{repository, ref, from.Digest["sha1"]}}
	for _, m := range p.Materials {
		if of, ref := splitSource(m.URI); sameRepository(of, repository) {
			all = append(all, source{"", ref, m.Digest["sha1"]})
		}
	}
	return all
}

// claimsV02 reads SLSA provenance v0.2 as npm's client wrote it on GitHub until version 9.
func claimsV02(predicate []byte) (claims, error) {
	var p predicateV02
	if err := jsonv2.Unmarshal(predicate, &p); err != nil {
		return claims{}, err
	}
	if strings.HasPrefix(p.BuildType, buildTypeGitLab) {
		return claims{}, fmt.Errorf("build type %.200q", p.BuildType)
	}
	env := p.Invocation.Environment
	c := claims{
		repositoryID: text(env["GITHUB_REPOSITORY_ID"]),
		ownerID:      text(env["GITHUB_REPOSITORY_OWNER_ID"]),
		trigger:      text(env["GITHUB_EVENT_NAME"]),
		builder:      p.Builder.ID,
		sources:      p.sources(),
		invocation:   addressed(p.Metadata.BuildInvocationID),
	}
	told := source{"", text(env["GITHUB_REF"]), text(env["GITHUB_SHA"])}
	if slug := text(env["GITHUB_REPOSITORY"]); slug != "" {
		told.repository = gitHub + slug
	}
	c.sources = append(c.sources, told)
	// GITHUB_WORKFLOW_REF is OWNER/REPO/PATH@REF; so was the entry point at first, which
	// is the path since.
	slug := strings.TrimPrefix(c.sources[0].repository, gitHub) + "/"
	for _, of := range []string{text(env["GITHUB_WORKFLOW_REF"]), p.Invocation.ConfigSource.EntryPoint} {
		c.workflows = append(c.workflows, workflow{path: strings.TrimPrefix(of, slug)})
	}
	return c, nil
}

// buildTypeGitLab is how the build type of npm's provenance on GitLab begins.
const buildTypeGitLab = "https://github.com/npm/cli/gitlab/"

// claimsGitLab reads SLSA provenance v0.2 as npm's client writes it on GitLab, with the
// job's variables as parameters.
func claimsGitLab(predicate []byte) (claims, error) {
	var p predicateV02
	if err := jsonv2.Unmarshal(predicate, &p); err != nil {
		return claims{}, err
	}
	if !strings.HasPrefix(p.BuildType, buildTypeGitLab) {
		return claims{}, fmt.Errorf("build type %.200q", p.BuildType)
	}
	variables := object(p.Invocation.Parameters)
	c := claims{
		repositoryID: text(variables["CI_PROJECT_ID"]),
		ownerID:      text(variables["CI_PROJECT_NAMESPACE_ID"]),
		trigger:      text(variables["CI_PIPELINE_SOURCE"]),
		refName:      text(variables["CI_COMMIT_REF_NAME"]),
		builder:      p.Builder.ID,
		sources:      p.sources(),
		invocation:   addressed(p.Metadata.BuildInvocationID),
	}
	for i := range c.sources {
		c.sources[i].ref = "" // what follows the @ is the commit again, or nothing
	}
	c.sources = append(c.sources, source{text(variables["CI_PROJECT_URL"]), "", text(variables["CI_COMMIT_SHA"])})
	if path := text(object(p.Invocation.Environment["pipeline"])["ref"]); plainPath(path) {
		c.workflows = []workflow{{path: path}}
	}
	return c, nil
}

// plainPath tells whether a GitLab project's CI configuration is a file of its own
// repository, and not one of another project (PATH@PROJECT) or at an address.
func plainPath(path string) bool { return path != "" && !strings.ContainsAny(path, "@:") }

// splitSource splits "git+REPOSITORY@REF".
func splitSource(uri string) (repository, ref string) {
	repository, ref, _ = strings.Cut(strings.TrimPrefix(uri, "git+"), "@")
	return repository, ref
}

// objectIn returns an object's member that is an object; one that is there and none must
// not pass for one that is not there.
func objectIn(v any, name string) (map[string]any, error) {
	found, there := object(v)[name]
	m, ok := found.(map[string]any)
	if there && found != nil && !ok {
		return nil, fmt.Errorf("%s that is no object", name)
	}
	return m, nil
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// text returns a value as it is compared. One that is there and no text must not pass
// for one that is not there.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprintf("%v", v)
}
