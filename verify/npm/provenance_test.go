package npm_test

import (
	"strings"
	"testing"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/npmtest"
)

// provenOtherwise checks foo with a provenance whose predicate is changed before it is
// signed.
func provenOtherwise(t *testing.T, id npmtest.Identity, edit func(st map[string]any)) (*scene, *npm.Report) {
	t.Helper()
	s := newScene(t, strings.NewReplacer("github:acme/foo", id.Repository, `"provenance": true`, `"provenance": {"repository": "`+id.Repository+`"}`).Replace(built))
	lock := s.lock("foo@1.0.0")
	digest := digestIn(t, lock, "node_modules/foo")
	s.registry.Misbehave("/-/npm/v1/attestations/foo@1.0.0", npmtest.Body(s.sigstore.Answer(publish(s, digest), s.sigstore.Provenance("foo", "1.0.0", digest, id, made, edit))))
	return s, s.check(lock)
}

// put sets a value of a predicate; nil takes it away.
func put(value any, path ...any) func(predicate map[string]any) {
	return func(p map[string]any) {
		if value == nil {
			delete(at(p, path[:len(path)-1]...).(map[string]any), path[len(path)-1].(string))
			return
		}
		set(p, value, path...)
	}
}

func both(edits ...func(map[string]any)) func(map[string]any) {
	return func(p map[string]any) {
		for _, e := range edits {
			e(p)
		}
	}
}

// TestPredicateV1: a predicate that contradicts the certificate in one place does not
// hold, whatever it leaves out in another.
func TestPredicateV1(t *testing.T) {
	workflow := []any{"buildDefinition", "externalParameters", "workflow"}
	in := func(key string) []any { return append(workflow[:len(workflow):len(workflow)], key) }
	builder := func(id any) func(map[string]any) { return put(id, "runDetails", "builder", "id") }
	invocation := func(id any) func(map[string]any) { return put(id, "runDetails", "metadata", "invocationId") }
	second := func(uri string, digest map[string]any) func(map[string]any) {
		return func(p map[string]any) {
			b := p["buildDefinition"].(map[string]any)
			b["resolvedDependencies"] = append(b["resolvedDependencies"].([]any), map[string]any{"uri": uri, "digest": digest})
		}
	}
	id := npmtest.GitHub("acme/foo")
	other := map[string]any{"gitCommit": strings.Repeat("a", 40)}
	for name, c := range map[string]struct {
		edit  func(predicate map[string]any)
		holds bool
	}{
		"as the certificate":                  {func(map[string]any) {}, true},
		"no workflow":                         {put(nil, workflow...), true},
		"no ref of the workflow":              {put(nil, in("ref")...), true},
		"no path of the workflow":             {put(nil, in("path")...), true},
		"another path, no ref":                {both(put(nil, in("ref")...), put(".github/workflows/evil.yml", in("path")...)), false},
		"the beginning of the path, no ref":   {both(put(nil, in("ref")...), put(".github/workflows/release", in("path")...)), false},
		"another path, no ref nor repository": {both(put(nil, in("ref")...), put(nil, in("repository")...), put(".github/workflows/evil.yml", in("path")...)), false},
		"another ref, no path":                {both(put(nil, in("path")...), put("refs/heads/evil", in("ref")...)), false},
		"the end of the ref, no path":         {both(put(nil, in("path")...), put("v1.0.0", in("ref")...)), false},
		"a workflow that is no object":        {put("evil", workflow...), false},
		"github that is no object":            {put([]any{"x"}, "buildDefinition", "internalParameters", "github"), false},
		"another dependency":                  {second("https://github.com/slsa-framework/slsa-github-generator@refs/tags/v2", other), true},
		"the same source again":               {second("git+"+id.Repository+"@"+id.Ref, map[string]any{"gitCommit": id.Commit}), true},
		"the same source at another commit":   {second("git+"+id.Repository+"@"+id.Ref, other), false},
		"the same in capitals, other commit":  {second("git+https://github.com/Acme/Foo.git", other), false},
		"the same source a hundred times": {func(p map[string]any) {
			for range 100 {
				second("git+"+id.Repository+"@"+id.Ref, map[string]any{"gitCommit": id.Commit})(p)
			}
		}, false},
		"the same source at another ref":   {second("git+"+id.Repository+"@refs/heads/evil", map[string]any{"gitCommit": id.Commit}), false},
		"another invocation":               {invocation("https://github.com/mallory/foo/actions/runs/1"), false},
		"another attempt":                  {invocation(strings.TrimSuffix(id.RunInvocation, "1") + "2"), false},
		"an invocation that is no address": {invocation("4711-1"), true},
		"no invocation":                    {invocation(nil), true},
		"a builder of another host":        {builder("https://evil.example/self-hosted"), false},
		"a runner of another kind":         {builder("https://github.com/actions/runner/self-hosted"), false},
		"a runner in capitals":             {builder("https://github.com/Actions/runner/self-hosted"), false},
		"a runner whose name goes on":      {builder("https://github.com/actions/runner-x/github-hosted"), false},
		"a runner of no kind":              {builder("https://github.com/actions/runner"), true},
		"no builder":                       {builder(nil), false},
		"a workflow that others call":      {builder("https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_nodejs_slsa3.yml@refs/tags/v2.0.0"), true},
		"a workflow without a ref":         {builder("https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_nodejs_slsa3.yml"), false},
		"the build type of GitLab":         {put("https://github.com/npm/cli/gitlab/v0alpha1", "buildDefinition", "buildType"), false},
	} {
		t.Run(name, func(t *testing.T) {
			s, report := provenOtherwise(t, id, func(st map[string]any) { c.edit(st["predicate"].(map[string]any)) })
			if c.holds {
				s.holds(report, "foo@1.0.0")
				return
			}
			s.denies(report, "foo@1.0.0", verify.CodeProvenanceMismatch)
		})
	}
}

// predicateV02 is the provenance that npm's client wrote on GitHub before version 1.
func predicateV02(id npmtest.Identity) map[string]any {
	return map[string]any{
		"buildType": "https://github.com/npm/cli/gha/v2", "builder": map[string]any{"id": "https://github.com/actions/runner"},
		"invocation": map[string]any{
			"configSource": map[string]any{"uri": "git+" + id.Repository + "@" + id.Ref, "digest": map[string]any{"sha1": id.Commit}, "entryPoint": id.Workflow},
			"environment": map[string]any{"GITHUB_EVENT_NAME": id.Trigger, "GITHUB_REF": id.Ref, "GITHUB_REPOSITORY": "acme/foo", "GITHUB_REPOSITORY_ID": id.RepositoryID,
				"GITHUB_REPOSITORY_OWNER_ID": id.OwnerID, "GITHUB_SHA": id.Commit, "GITHUB_WORKFLOW_REF": "acme/foo/" + id.Workflow + "@" + id.Ref},
		},
		"metadata":  map[string]any{"buildInvocationId": "4711-1"},
		"materials": []any{map[string]any{"uri": "git+" + id.Repository + "@" + id.Ref, "digest": map[string]any{"sha1": id.Commit}}},
	}
}

// TestPredicateV02: the same of the older format.
func TestPredicateV02(t *testing.T) {
	env := func(key string, value any) func(map[string]any) { return put(value, "invocation", "environment", key) }
	entry := func(value any) func(map[string]any) { return put(value, "invocation", "configSource", "entryPoint") }
	id := npmtest.GitHub("acme/foo")
	for name, c := range map[string]struct {
		edit  func(predicate map[string]any)
		holds bool
	}{
		"as the certificate":               {func(map[string]any) {}, true},
		"the first form of an entry point": {both(entry("acme/foo/"+id.Workflow+"@"+id.Ref), put("https://github.com/npm/cli@9.2.0", "builder", "id"), put("https://github.com/npm/cli/gha@v0", "buildType")), true},
		"no environment":                   {put(map[string]any{}, "invocation", "environment"), true},
		"another entry point":              {entry(".github/workflows/evil.yml"), false},
		"another entry point, with a ref":  {entry(id.Workflow + "@refs/heads/evil"), false},
		"another repository's entry point": {entry("mallory/foo/" + id.Workflow + "@" + id.Ref), false},
		"another workflow":                 {env("GITHUB_WORKFLOW_REF", "acme/foo/.github/workflows/evil.yml@"+id.Ref), false},
		"another ref of the workflow":      {env("GITHUB_WORKFLOW_REF", "acme/foo/"+id.Workflow+"@refs/heads/evil"), false},
		"another repository's workflow":    {env("GITHUB_WORKFLOW_REF", "mallory/foo/"+id.Workflow+"@"+id.Ref), false},
		"another repository":               {env("GITHUB_REPOSITORY", "mallory/foo"), false},
		"another repository id":            {env("GITHUB_REPOSITORY_ID", "4711"), false},
		"another owner id":                 {env("GITHUB_REPOSITORY_OWNER_ID", "4711"), false},
		"another ref":                      {env("GITHUB_REF", "refs/heads/evil"), false},
		"another commit":                   {env("GITHUB_SHA", strings.Repeat("0", 40)), false},
		"another trigger":                  {env("GITHUB_EVENT_NAME", "release"), false},
		"another source":                   {put("git+https://github.com/mallory/foo@"+id.Ref, "invocation", "configSource", "uri"), false},
		"another commit of the source":     {put(strings.Repeat("0", 40), "invocation", "configSource", "digest", "sha1"), false},
		"another commit of the material":   {put(strings.Repeat("0", 40), "materials", 0, "digest", "sha1"), false},
		"another material":                 {put("git+https://github.com/acme/bar", "materials", 0, "uri"), true},
		"a runner of another kind":         {put("https://github.com/actions/runner/self-hosted", "builder", "id"), false},
		"a builder of another host":        {put("https://evil.example/actions/runner", "builder", "id"), false},
		"the build type of GitLab, another trigger": {both(put("https://github.com/npm/cli/gitlab/v0alpha1", "buildType"), env("GITHUB_EVENT_NAME", "pull_request_target"),
			env("GITHUB_WORKFLOW_REF", "acme/foo/x@refs/heads/evil")), false},
	} {
		t.Run(name, func(t *testing.T) {
			s, report := provenOtherwise(t, id, func(st map[string]any) {
				p := predicateV02(id)
				c.edit(p)
				st["predicateType"], st["predicate"] = "https://slsa.dev/provenance/v0.2", p
			})
			if c.holds {
				s.holds(report, "foo@1.0.0")
				return
			}
			s.denies(report, "foo@1.0.0", verify.CodeProvenanceMismatch)
		})
	}
}

// TestPredicateOfAnotherCI: what a GitLab job signs is read as npm writes it on GitLab.
func TestPredicateOfAnotherCI(t *testing.T) {
	id := gitlab()
	for name, edit := range map[string]func(st map[string]any){
		"v1": func(map[string]any) {},
		"the build type of GitHub": func(st map[string]any) {
			p := gitlabPredicate(id)
			p["buildType"] = "https://github.com/npm/cli/gha/v2"
			st["predicateType"], st["predicate"] = "https://slsa.dev/provenance/v0.2", p
		},
		"another project's runner": func(st map[string]any) {
			p := gitlabPredicate(id)
			p["builder"] = map[string]any{"id": "https://gitlab.com/acme/foo-evil/-/runners/1"}
			st["predicateType"], st["predicate"] = "https://slsa.dev/provenance/v0.2", p
		},
		"another project's address": func(st map[string]any) {
			p := gitlabPredicate(id)
			at(p, "invocation", "parameters").(map[string]any)["CI_PROJECT_URL"] = "https://gitlab.com/acme/bar"
			st["predicateType"], st["predicate"] = "https://slsa.dev/provenance/v0.2", p
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, report := provenOtherwise(t, id, edit)
			s.denies(report, "foo@1.0.0", verify.CodeProvenanceMismatch)
		})
	}
}
