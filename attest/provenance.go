//lint:file-ignore SA1019 in-toto-golang calls its SLSA types superseded by generated protobuf ones, which keep a predicate as structpb and lose digits; these are plain JSON.

package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/common"
	slsa "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"
)

// Build types and builders that Provenance writes. GitHub's build type is the
// one GitHub and npm use for workflows; the others are defined here:
//
//   - gitlab-ci/v1: externalParameters holds `source` (the project's URL), `ref`
//     and `config` (the path of the CI file); internalParameters the ids of
//     project, pipeline, job and runner; resolvedDependencies the commit.
//   - local/v1: the build ran where no CI said anything. externalParameters is
//     empty and the builder is whoever holds the signing key.
const (
	buildTypeGitHub = "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1"
	buildTypeGitLab = "https://plimsoll.example/buildtypes/gitlab-ci/v1"
	buildTypeLocal  = "https://plimsoll.example/buildtypes/local/v1"
	builderGitHub   = "https://github.com/actions/runner" // and /github-hosted or /self-hosted
	builderLocal    = "https://plimsoll.example/builders/local"
)

// A Build is what the environment said about a build: the predicate of its SLSA
// provenance, and one line for people.
type Build struct {
	Predicate json.RawMessage
	Summary   string
}

// A BuildDescription is what a caller says about a build beside, or instead of, what
// the environment does.
type BuildDescription struct {
	BuildType    string            // with BuilderID: the platform is neither GitHub nor GitLab
	BuilderID    string            // alone: instead of the one that the CI is given
	Parameters   map[string]string // external ones
	Source       string            // URI of the repository
	Ref          string
	Commit       string // of the source, 40 or 64 hexadecimal digits
	Invocation   string // URI or id of the run
	Started      time.Time
	Finished     time.Time
	Dependencies []Dependency // that the build resolved, as an SBOM names them
}

// check reports what of a description does not go together.
func (d BuildDescription) check() error {
	switch {
	case d.BuildType != "" && d.BuilderID == "":
		return errors.New("describing the build: a build type needs the builder's id")
	case d.BuildType == "" && (len(d.Parameters) > 0 || d.Source != "" || d.Invocation != "" || !d.Started.IsZero() || !d.Finished.IsZero()):
		return errors.New("describing the build: parameters, source, run and times go with a build type; of GitHub and GitLab their variables tell them")
	case d.Source == "" && (d.Ref != "" || d.Commit != ""):
		return errors.New("describing the build: a ref and a commit go with a source")
	case d.Source != "" && d.Commit == "":
		return errors.New("describing the build: a source needs its commit, else it names any state of it")
	case !d.Finished.IsZero() && d.Finished.Before(d.Started):
		return errors.New("describing the build: it finished before it started")
	}
	return nil
}

// predicate describes a build on a platform of which nothing else is known.
func (d BuildDescription) predicate() (slsa.ProvenancePredicate, string) {
	parameters := map[string]string{}
	maps.Copy(parameters, d.Parameters)
	p := slsa.ProvenancePredicate{
		BuildDefinition: slsa.ProvenanceBuildDefinition{BuildType: d.BuildType, ExternalParameters: parameters},
		RunDetails:      slsa.ProvenanceRunDetails{BuildMetadata: slsa.BuildMetadata{InvocationID: d.Invocation}},
	}
	if d.Source != "" {
		source := slsa.ResourceDescriptor{URI: "git+" + strings.TrimPrefix(d.Source, "git+"), Digest: common.DigestSet{"gitCommit": d.Commit}}
		if d.Ref != "" {
			source.URI += "@" + d.Ref
		}
		p.BuildDefinition.ResolvedDependencies = []slsa.ResourceDescriptor{source}
	}
	metadata := &p.RunDetails.BuildMetadata
	metadata.StartedOn, metadata.FinishedOn = unlessZero(d.Started), unlessZero(d.Finished)
	return p, "a build on " + d.BuilderID
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Provenance describes a build as SLSA provenance v1: the one that the environment
// variables tell of, by GitHub Actions or GitLab CI; on another platform, as the
// caller describes it; or else a local build that says of itself that it is one.
// getenv is os.Getenv or a stand-in.
//
// The description is written in the job itself and is as honest as that job: a
// verifier must give it level 1 at most unless the signer is isolated from it
// (SLSA v1.0, "Provenance is Authentic").
//
// A CI that announces itself but does not say which source, commit and workflow it
// builds is an error that names the variables; what else it leaves out is left
// out here.
func Provenance(getenv func(string) string, d BuildDescription) (Build, error) {
	if err := d.check(); err != nil {
		return Build{}, err
	}
	env := &environment{get: getenv}
	var predicate slsa.ProvenancePredicate
	var summary string
	switch {
	case d.BuildType != "":
		predicate, summary = d.predicate()
	case getenv("GITHUB_ACTIONS") == "true":
		predicate, summary = env.github()
	case getenv("GITLAB_CI") == "true":
		predicate, summary = env.gitlab()
	default:
		predicate, summary = local()
	}
	if len(env.missing) > 0 {
		return Build{}, fmt.Errorf("describing the build: the CI's environment lacks %s", strings.Join(env.missing, ", "))
	}
	if len(env.wrong) > 0 {
		return Build{}, fmt.Errorf("describing the build: %s", strings.Join(env.wrong, "; "))
	}
	if d.BuilderID != "" {
		predicate.RunDetails.Builder.ID = d.BuilderID
	}
	for _, dependency := range d.Dependencies {
		predicate.BuildDefinition.ResolvedDependencies = append(predicate.BuildDefinition.ResolvedDependencies,
			slsa.ResourceDescriptor{URI: dependency.PURL, Digest: common.DigestSet(dependency.Digest)})
	}
	raw, err := json.Marshal(predicate)
	if err != nil {
		return Build{}, fmt.Errorf("describing the build: %w", err)
	}
	return Build{Predicate: raw, Summary: summary}, nil
}

// environment collects the names of required variables that are not set.
type environment struct {
	get     func(string) string
	missing []string
	wrong   []string
}

func (e *environment) need(name string) string {
	v := e.get(name)
	if v == "" {
		e.missing = append(e.missing, name)
	}
	return v
}

// needLike is need of a variable with a form; like says it in words.
func (e *environment) needLike(name string, form *regexp.Regexp, like string) string {
	v := e.need(name)
	if v != "" && !form.MatchString(v) {
		e.wrong = append(e.wrong, fmt.Sprintf("%s: expected %s, found %q", name, like, clip(v)))
	}
	return v
}

var (
	commitForm   = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	numberForm   = regexp.MustCompile(`^[0-9]+$`)
	originForm   = regexp.MustCompile(`^https?://[^/?#\s@]+(/[^?#\s]*)?$`)
	pairForm     = regexp.MustCompile(`^[^/\s@]+/[^/\s@]+$`)
	workflowForm = regexp.MustCompile(`^[^/\s@]+/[^/\s@]+/[^\s@]+@[^\s]+$`)
)

const (
	likeCommit = "a commit's 40 or 64 hexadecimal digits"
	likeOrigin = "an address such as https://ci.example"
)

// set returns those of the named variables that are set.
func (e *environment) set(names map[string]string) map[string]string {
	values := map[string]string{}
	for key, name := range names {
		if v := e.get(name); v != "" {
			values[key] = v
		}
	}
	return values
}

// github fills the workflow build type v1 from GitHub's documented default
// variables (GitHub docs, "Variables reference").
func (e *environment) github() (slsa.ProvenancePredicate, string) {
	repository := e.needLike("GITHUB_SERVER_URL", originForm, likeOrigin) + "/" + e.needLike("GITHUB_REPOSITORY", pairForm, "OWNER/REPOSITORY")
	// GITHUB_WORKFLOW_REF is OWNER/REPO/PATH@REF: the workflow that runs, which
	// need not be of the commit that GITHUB_REF names.
	workflow, ref, _ := strings.Cut(e.needLike("GITHUB_WORKFLOW_REF", workflowForm, "OWNER/REPOSITORY/PATH@REF"), "@")
	path := strings.TrimPrefix(workflow, e.get("GITHUB_REPOSITORY")+"/")
	run := repository + "/actions/runs/" + e.needLike("GITHUB_RUN_ID", numberForm, "a number")
	if attempt := e.get("GITHUB_RUN_ATTEMPT"); attempt != "" {
		run += "/attempts/" + attempt
	}
	commit := e.needLike("GITHUB_SHA", commitForm, likeCommit)
	builder := builderGitHub
	if runner := e.get("RUNNER_ENVIRONMENT"); runner != "" {
		builder += "/" + runner
	}
	return slsa.ProvenancePredicate{
		BuildDefinition: slsa.ProvenanceBuildDefinition{
			BuildType: buildTypeGitHub,
			ExternalParameters: map[string]any{"workflow": map[string]string{
				"ref": ref, "repository": repository, "path": path,
			}},
			InternalParameters: map[string]any{"github": e.set(map[string]string{
				"event_name":          "GITHUB_EVENT_NAME",
				"repository_id":       "GITHUB_REPOSITORY_ID",
				"repository_owner_id": "GITHUB_REPOSITORY_OWNER_ID",
				"runner_environment":  "RUNNER_ENVIRONMENT",
			})},
			ResolvedDependencies: gitCommit(repository, e.need("GITHUB_REF"), commit),
		},
		RunDetails: slsa.ProvenanceRunDetails{
			Builder:       slsa.Builder{ID: builder},
			BuildMetadata: slsa.BuildMetadata{InvocationID: run},
		},
	}, "GitHub Actions run " + run
}

// gitlab fills the gitlab-ci build type v1 from GitLab's predefined variables
// (GitLab docs, "Predefined CI/CD variables reference").
func (e *environment) gitlab() (slsa.ProvenancePredicate, string) {
	project, job, builder := e.needLike("CI_PROJECT_URL", originForm, likeOrigin), e.get("CI_JOB_URL"), e.needLike("CI_SERVER_URL", originForm, likeOrigin)
	if runner := e.get("CI_RUNNER_ID"); runner != "" {
		builder += "/-/runners/" + runner
	}
	ref := "refs/heads/" + e.get("CI_COMMIT_REF_NAME")
	if tag := e.get("CI_COMMIT_TAG"); tag != "" {
		ref = "refs/tags/" + tag
	} else {
		e.need("CI_COMMIT_REF_NAME")
	}
	metadata := slsa.BuildMetadata{InvocationID: job}
	if started, err := time.Parse(time.RFC3339, e.get("CI_JOB_STARTED_AT")); err == nil {
		started = started.UTC()
		metadata.StartedOn = &started
	}
	return slsa.ProvenancePredicate{
		BuildDefinition: slsa.ProvenanceBuildDefinition{
			BuildType: buildTypeGitLab,
			ExternalParameters: map[string]string{
				"source": project, "ref": ref, "config": e.need("CI_CONFIG_PATH"),
			},
			InternalParameters: e.set(map[string]string{
				"project_id":  "CI_PROJECT_ID",
				"pipeline_id": "CI_PIPELINE_ID",
				"job_name":    "CI_JOB_NAME",
				"event":       "CI_PIPELINE_SOURCE",
			}),
			ResolvedDependencies: gitCommit(project, ref, e.needLike("CI_COMMIT_SHA", commitForm, likeCommit)),
		},
		RunDetails: slsa.ProvenanceRunDetails{
			Builder:       slsa.Builder{ID: builder},
			BuildMetadata: metadata,
		},
	}, strings.TrimSpace("GitLab CI job " + job)
}

func local() (slsa.ProvenancePredicate, string) {
	return slsa.ProvenancePredicate{
		BuildDefinition: slsa.ProvenanceBuildDefinition{
			BuildType:          buildTypeLocal,
			ExternalParameters: map[string]any{},
		},
		RunDetails: slsa.ProvenanceRunDetails{Builder: slsa.Builder{ID: builderLocal}},
	}, "a local build: no CI vouches for it"
}

func gitCommit(repository, ref, commit string) []slsa.ResourceDescriptor {
	return []slsa.ResourceDescriptor{{
		URI:    "git+" + repository + "@" + ref,
		Digest: common.DigestSet{"gitCommit": commit},
	}}
}
