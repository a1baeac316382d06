package npm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
)

// An Outcome is what became of one package. The zero value denies.
type Outcome int

// The outcomes, worst first.
const (
	Denied     Outcome = iota // something is wrong
	Undecided                 // nobody can tell: an answer is missing
	Warned                    // nothing is wrong, and nothing vouches for it
	NotChecked                // not from a registry: nothing could vouch for it
	Held                      // publish attestation and provenance hold
)

func (o Outcome) String() string {
	return [...]string{"denied", "undecided", "warning", "not checked", "holds"}[o]
}

// MarshalText makes an outcome a word in JSON.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// A Result is one package version of a project with its outcome and reason.
type Result struct {
	Package   string          `json:"package"` // NAME@VERSION
	Integrity string          `json:"integrity,omitempty"`
	Places    []string        `json:"places"`
	Outcome   Outcome         `json:"outcome"`
	Reason    *verify.Refusal `json:"reason,omitempty"`
	Origin    *Origin         `json:"origin,omitempty"`
}

// CheckProject checks each package of a lockfile against stored answers. Every
// place in the lockfile but the project itself is in exactly one result; places
// with the same name, version, integrity and source share one. The order is by
// name and version.
//
// An error means that there is no decision about anything (ctx ended, a check
// panicked, the folder cannot be read).
func CheckProject(ctx context.Context, checker verify.Checker, project *lockfile.Project, answers Answers) ([]Result, error) {
	jobs := collect(project)
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for _, j := range jobs {
		workers.Go(func() error { return j.run(ctx, checker, answers) })
	}
	if err := workers.Wait(); err != nil {
		return nil, err
	}
	results := make([]Result, len(jobs))
	for i, j := range jobs {
		results[i] = j.result
	}
	return results, nil
}

// job is one package version to check.
type job struct {
	pkg     Package
	source  lockfile.Source
	bundled bool
	result  Result
}

func collect(project *lockfile.Project) []*job {
	type key struct {
		pkg     Package
		source  lockfile.Source
		bundled bool
	}
	byKey := map[key]*job{}
	var jobs []*job
	for i, p := range project.Packages {
		if i == 0 {
			continue
		}
		// A bundled package has no integrity of its own; one that has is checked.
		bundled := p.Bundled && p.Bundler != 0 && p.Integrity == "" && p.Resolved == ""
		k := key{Package{p.Name, p.Version, p.Integrity}, p.Source, bundled}
		j := byKey[k]
		if j == nil {
			j = &job{pkg: k.pkg, source: k.source, bundled: k.bundled}
			j.result = Result{Package: k.pkg.String(), Integrity: p.Integrity}
			byKey[k], jobs = j, append(jobs, j)
		}
		j.result.Places = append(j.result.Places, p.Place)
	}
	slices.SortFunc(jobs, func(a, b *job) int {
		return cmp.Or(strings.Compare(a.pkg.Name, b.pkg.Name), strings.Compare(a.pkg.Version, b.pkg.Version),
			strings.Compare(a.pkg.Integrity, b.pkg.Integrity), cmp.Compare(a.source, b.source))
	})
	return jobs
}

// run fills in the result. An error is no decision about the whole run.
func (j *job) run(ctx context.Context, checker verify.Checker, answers Answers) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("checking %s: internal error: %v", j.result.Package, p)
		}
	}()
	j.result.Origin, err = j.check(ctx, checker, answers)
	var r *verify.Refusal
	switch {
	case err == nil && j.result.Origin != nil:
		j.result.Outcome = Held
		return nil
	case !errors.As(err, &r):
		if err == nil {
			err = errors.New("internal error: no origin and no reason")
		}
		return fmt.Errorf("checking %s: %w", j.result.Package, err)
	}
	j.result.Reason = r
	switch r.Code {
	case verify.CodeNoAnswer:
		j.result.Outcome = Undecided
	case verify.CodeNoAttestations:
		j.result.Outcome = Warned
	case verify.CodeNotFromRegistry:
		if j.source != lockfile.SourceUnknown {
			j.result.Outcome = NotChecked
		}
	default:
		j.result.Outcome = Denied
	}
	return nil
}

func (j *job) check(ctx context.Context, checker verify.Checker, answers Answers) (*Origin, error) {
	switch {
	case j.bundled:
		return nil, &verify.Refusal{Code: verify.CodeNotFromRegistry, Expected: "a registry package", Found: "one that lies in its parent's tarball"}
	case j.source == lockfile.SourceUnknown:
		return nil, &verify.Refusal{Code: verify.CodeNotFromRegistry, Expected: "a source that npm writes", Found: "a lockfile entry that is neither a package nor a folder of the project",
			Remedy: "look at the entry in the lockfile; let npm write it anew"}
	case j.source != lockfile.SourceRegistry:
		return nil, &verify.Refusal{Code: verify.CodeNotFromRegistry, Expected: "a registry package", Found: j.source.String()}
	}
	return CheckStored(ctx, checker, j.pkg, answers)
}

// CheckStored verifies where a registry package came from by the answers that were
// saved of it, as [CheckAttestations] does. That there are none is a *verify.Refusal.
func CheckStored(ctx context.Context, checker verify.Checker, pkg Package, answers Answers) (*Origin, error) {
	if err := pkg.check(); err != nil {
		return nil, malformed("a registry package", err.Error())
	}
	if _, err := SHA512(pkg.Integrity); err != nil {
		return nil, err
	}
	got, err := answers.attestations(pkg)
	if err != nil {
		return nil, err
	}
	if got.attestations == nil {
		if got.announced {
			return nil, &verify.Refusal{Code: verify.CodeProvenanceMissing, Expected: "the attestations that the version's metadata announces", Found: "404"}
		}
		return nil, &verify.Refusal{Code: verify.CodeNoAttestations, Expected: "attestations", Found: "none: the registry has none for this version",
			Remedy: "nothing, if the package never had any; else find out why it lost them"}
	}
	return CheckAttestations(ctx, checker, pkg, got.attestations)
}
