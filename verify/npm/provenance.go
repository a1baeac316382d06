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
	repository, commit, ref, repositoryID, ownerID, trigger, workflow string
	refName                                                           string // of a branch or tag
	builder                                                           string
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
	var said claims
	var err error
	if s.predicateType == attest.TypeProvenanceV02 {
		said, err = claimsV02(s.Statement().Predicate)
	} else {
		said, err = claimsV1(s.Statement().Predicate)
	}
	if err != nil {
		return nil, "", []*verify.Refusal{{Code: verify.CodeProvenanceMismatch, Expected: "SLSA provenance", Found: err.Error()}}
	}
	var refused []*verify.Refusal
	workflow, refName := said.asClaimed(c)
	for _, f := range []struct {
		what, certificate, predicate string
		required                     bool
	}{
		{"repository", c.Repository, said.repository, true},
		{"commit", c.Commit, said.commit, true},
		{"ref", c.Ref, said.ref, false},
		{"repository id", c.RepositoryID, said.repositoryID, false},
		{"owner id", c.OwnerID, said.ownerID, false},
		{"trigger", c.Trigger, said.trigger, false},
		{"workflow", workflow, said.workflow, false},
		{"name of the ref", refName, said.refName, false},
		{"runner", c.Runner, runnerOf(said.builder), false},
	} {
		unknown := f.certificate == "" || f.predicate == ""
		if (f.required && unknown) || (!unknown && f.certificate != f.predicate) {
			refused = append(refused, &verify.Refusal{Code: verify.CodeProvenanceMismatch,
				Expected: fmt.Sprintf("%s %q, as in the certificate", f.what, f.certificate), Found: fmt.Sprintf("%.200q", f.predicate)})
		}
	}
	return c, said.builder, refused
}

// githubRunner is the builder of npm's provenance on GitHub, before the kind of runner.
const githubRunner = "https://github.com/actions/runner/"

// runnerOf returns the kind of runner that a builder's name gives; "" if it gives none.
func runnerOf(builder string) string {
	kind, ok := strings.CutPrefix(builder, githubRunner)
	if !ok {
		return ""
	}
	return kind
}

// claimsV1 reads SLSA provenance v1 as npm's client writes it on GitHub
// (build type github-actions-buildtypes/workflow/v1).
func claimsV1(predicate []byte) (claims, error) {
	var p slsa.ProvenancePredicate
	if err := jsonv2.Unmarshal(predicate, &p); err != nil {
		return claims{}, err
	}
	workflow := object(object(p.BuildDefinition.ExternalParameters)["workflow"])
	github := object(object(p.BuildDefinition.InternalParameters)["github"])
	c := claims{
		repository:   text(workflow["repository"]),
		repositoryID: text(github["repository_id"]),
		ownerID:      text(github["repository_owner_id"]),
		trigger:      text(github["event_name"]),
		builder:      p.RunDetails.Builder.ID,
	}
	if path, ref := text(workflow["path"]), text(workflow["ref"]); path != "" && ref != "" {
		c.workflow = c.repository + "/" + path + "@" + ref
	}
	deps := p.BuildDefinition.ResolvedDependencies
	if c.repository == "" && len(deps) > 0 {
		c.repository, _ = splitSource(deps[0].URI)
	}
	for _, d := range deps {
		if repository, ref := splitSource(d.URI); repository == c.repository && c.repository != "" {
			c.ref, c.commit = ref, d.Digest["gitCommit"]
			return c, nil
		}
	}
	return claims{}, fmt.Errorf("no resolved dependency is the source repository %.200q", c.repository)
}

// claimsV02 reads SLSA provenance v0.2 as npm's client wrote it until version 9,
// and still writes it on GitLab.
func claimsV02(predicate []byte) (claims, error) {
	var p struct {
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
	}
	if err := jsonv2.Unmarshal(predicate, &p); err != nil {
		return claims{}, err
	}
	source, env := p.Invocation.ConfigSource, p.Invocation.Environment
	if strings.HasPrefix(p.BuildType, buildTypeGitLab) {
		c := claimsGitLab(object(p.Invocation.Parameters))
		c.repository, _ = splitSource(source.URI) // what follows the @ is the commit again, or nothing
		c.commit, c.builder = source.Digest["sha1"], p.Builder.ID
		if path := text(object(env["pipeline"])["ref"]); plainPath(path) {
			c.workflow = c.repository + "//" + path
		}
		return c, nil
	}
	c := claims{
		commit:       source.Digest["sha1"],
		repositoryID: text(env["GITHUB_REPOSITORY_ID"]),
		ownerID:      text(env["GITHUB_REPOSITORY_OWNER_ID"]),
		trigger:      text(env["GITHUB_EVENT_NAME"]),
		builder:      p.Builder.ID,
	}
	c.repository, c.ref = splitSource(source.URI)
	// GITHUB_WORKFLOW_REF is OWNER/REPO/PATH@REF.
	if ref := text(env["GITHUB_WORKFLOW_REF"]); ref != "" {
		if host, _, ok := strings.Cut(strings.TrimPrefix(c.repository, "https://"), "/"); ok {
			c.workflow = "https://" + host + "/" + ref
		}
	}
	return c, nil
}

// buildTypeGitLab is how the build type of npm's provenance on GitLab begins.
const buildTypeGitLab = "https://github.com/npm/cli/gitlab/"

// claimsGitLab reads the job's variables, which npm's client writes as parameters.
func claimsGitLab(variables map[string]any) claims {
	return claims{
		repositoryID: text(variables["CI_PROJECT_ID"]),
		ownerID:      text(variables["CI_PROJECT_NAMESPACE_ID"]),
		trigger:      text(variables["CI_PIPELINE_SOURCE"]),
		refName:      text(variables["CI_COMMIT_REF_NAME"]),
	}
}

// plainPath tells whether a GitLab project's CI configuration is a file of its own
// repository, and not one of another project (PATH@PROJECT) or at an address.
func plainPath(path string) bool { return path != "" && !strings.ContainsAny(path, "@:") }

// asClaimed returns a certificate's workflow and ref as far as a predicate names them:
// npm's provenance on GitLab has the workflow without a ref, and of the ref the name.
func (said claims) asClaimed(c *verify.Certificate) (workflow, refName string) {
	workflow, refName = c.BuildConfig, c.Ref
	if c.Issuer != issuerGitLab {
		return workflow, refName
	}
	for _, kind := range []string{"refs/heads/", "refs/tags/"} {
		if name, ok := strings.CutPrefix(c.Ref, kind); ok {
			return strings.TrimSuffix(workflow, "@"+c.Ref), name
		}
	}
	return strings.TrimSuffix(workflow, "@"+c.Ref), "" // of a merge request, it is the branch's name
}

// splitSource splits "git+REPOSITORY@REF".
func splitSource(uri string) (repository, ref string) {
	repository, ref, _ = strings.Cut(strings.TrimPrefix(uri, "git+"), "@")
	return repository, ref
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
