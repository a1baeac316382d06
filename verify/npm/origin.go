package npm

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/mod/semver"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// attestations verifies publish attestation and provenance, where there are any.
func (j *job) attestations(ctx context.Context, answered Answered, integrity string) error {
	if answered.AttestationsErr != nil {
		return j.refuse(answered.AttestationsErr)
	}
	if answered.Attestations == nil {
		if answered.Metadata != nil && answered.Metadata.announces() {
			j.find(withheld())
			return nil
		}
		j.find(noAttestations())
		return nil
	}
	// What they would be about may not be known, as integrity says. What is invalid whatever
	// they are about is invalid then too: they are verified as about the bytes that they
	// name, and vouch for nothing.
	pkg := j.pkg
	if pkg.Integrity = integrity; integrity == "" {
		pkg.Integrity = integrityNamed(answered.Attestations)
	}
	origin, refused, err := checkAttestations(ctx, j.inspector.Checker, pkg, answered.Attestations)
	if err != nil {
		return err
	}
	for _, r := range refused {
		j.find(r)
	}
	if origin != nil && len(refused) == 0 && integrity != "" {
		j.attestationsOf(origin, answered)
	}
	return nil
}

func withheld() *verify.Refusal {
	return &verify.Refusal{Code: verify.CodeAttestationsWithheld, Expected: "the attestations that the version's metadata announces", Found: "404"}
}

func noAttestations() *verify.Refusal {
	return &verify.Refusal{Code: verify.CodeNoAttestations, Expected: "attestations", Found: "none: the registry has none for this version",
		Remedy: "nothing, if the package never had any; else find out why it lost them"}
}

// outsiders are events on GitHub, and of merge requests on GitLab, that somebody without
// rights in the repository can cause, with what they wrote.
var outsiders = []string{
	"pull_request_target", "pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_comment",
	"issue_comment", "issues", "discussion", "discussion_comment", "fork", "watch", "gollum",
	"merge_request_event", "external_pull_request_event",
}

// build judges how a verified provenance says that the package was built.
func (j *job) build(origin *Origin) {
	if slices.Contains(outsiders, origin.Trigger) {
		j.find(&verify.Refusal{Code: verify.CodeTriggerUntrusted, Expected: "a build set off by a push, a release or a maintainer", Found: origin.Trigger})
	}
	if origin.Runner == "self-hosted" {
		j.find(&verify.Refusal{Code: verify.CodeRunnerSelfHosted, Expected: "a runner of the CI service", Found: origin.Runner})
	}
	j.result.Level = 1
	if j.inspector.Policy != nil {
		j.result.Level = j.inspector.Policy.LevelOf(origin.signature, origin.builder, j.artifact(), j.inspector.Now)
	}
}

// artifact is what attestations are about, as a policy names artifacts.
func (j *job) artifact() verify.Artifact {
	artifact := verify.Artifact{Name: j.pkg.String()}
	if sum, err := SHA512(j.pkg.Integrity); err == nil {
		artifact.Digests = attest.DigestSet{"sha512": sum}
	}
	return artifact
}

// sameRegistry compares two addresses of registries. Scheme and host are the same in
// capitals; a path is not: one host may have a registry "private" and one "Private".
func sameRegistry(a, b string) bool { return registryAddress(a) == registryAddress(b) }

func registryAddress(s string) string {
	s = strings.TrimRight(s, "/")
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !ascii(u.Host) {
		return s
	}
	u.Host = strings.ToLower(u.Host)
	if u.Scheme == "https" {
		u.Host = strings.TrimSuffix(u.Host, ":443")
	}
	return u.String()
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// lostBeside looks among the packages of a project, where nothing is recorded of them, for
// versions without provenance of a name of which an earlier one has it. A registry that
// does not announce what an earlier one has keeps nobody from seeing that.
func lostBeside(jobs []*job) {
	proven := map[string][]*job{}
	for _, j := range jobs {
		if j.result.Origin != nil {
			proven[j.pkg.Name] = append(proven[j.pkg.Name], j)
		}
	}
	for _, j := range jobs {
		_, recorded := j.inspector.Expectations.line(j.pkg)
		if recorded || j.result.Origin != nil || !j.withoutProvenance() || j.finds(verify.CodeProvenanceLost) {
			continue
		}
		for _, other := range proven[j.pkg.Name] {
			if other.before(j) {
				j.find(lost(other.pkg, other.result.Origin))
				j.result.settle(true)
				break
			}
		}
	}
}

// before tells whether a version was published before another one, as
// [packument.published] does.
func (j *job) before(other *job) bool {
	this, that := j.result.Published, other.result.Published
	if this != nil && that != nil && !this.At.Before(that.At) {
		return false
	}
	lower := semver.Compare("v"+j.pkg.Version, "v"+other.pkg.Version) < 0
	return lower || this != nil && that != nil && LineOf(j.pkg) == LineOf(other.pkg)
}

// finds tells whether there is a finding of a code.
func (j *job) finds(code verify.Code) bool {
	return slices.ContainsFunc(j.result.Findings, func(f Finding) bool { return f.Code == code })
}

func lost(earlier Package, origin *Origin) *verify.Refusal {
	return &verify.Refusal{Code: verify.CodeProvenanceLost, Expected: fmt.Sprintf("provenance, as %s has (%s)", earlier, origin.Repository), Found: "none"}
}

// downgrade looks, where nothing is recorded of the package and this version has no
// provenance, whether an earlier one had it. That one is verified: a registry's word
// that there was some would let anybody raise an alarm.
func (j *job) downgrade(ctx context.Context, answered Answered) error {
	if j.result.Origin != nil || answered.Metadata == nil || answered.Attestations != nil || answered.AttestationsErr != nil {
		return nil
	}
	if _, recorded := j.inspector.Expectations.line(j.pkg); recorded {
		return nil
	}
	for _, e := range answered.Metadata.Earlier {
		if !e.Announced && !e.Before { // the release before may have what is not announced
			continue
		}
		earlier := Package{Name: j.pkg.Name, Version: e.Version, Integrity: e.Integrity}
		if earlier.check() != nil {
			continue
		}
		other, err := j.inspector.Evidence.Answers(ctx, earlier)
		if err != nil {
			return err
		}
		if other.AttestationsErr != nil {
			if err := j.refuse(other.AttestationsErr); err != nil {
				return err
			}
			continue
		}
		if other.Attestations == nil {
			continue
		}
		origin, refused, err := checkAttestations(ctx, j.inspector.Checker, earlier, other.Attestations)
		if err != nil {
			return err
		}
		if origin != nil && len(refused) == 0 {
			j.find(lost(earlier, origin))
			return nil
		}
	}
	return nil
}
