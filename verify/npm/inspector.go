package npm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
)

// RegistryKeys verify a registry's signatures.
type RegistryKeys interface {
	// VerifyMessage verifies a signature by the key that keyID names, and returns from
	// when until when that key may be used (zero: no end). Errors are *verify.Refusal.
	VerifyMessage(message []byte, keyID string, sig []byte) (notBefore, notAfter time.Time, err error)
}

// Advisories know malicious packages.
type Advisories interface {
	// Malicious returns the ids of the advisories that call a version malicious.
	Malicious(name, version string) []string
}

// An Inspector checks the packages of a project. Checker and Evidence must be there;
// what else is nil is not checked, and reported as not made.
type Inspector struct {
	Checker  verify.Checker // must know the trust root and npm's attestation keys
	Evidence Evidence
	Keys     RegistryKeys
	// KeysOfAll says that Keys are also those of registries of a scope's own, so that a
	// missing signature is a finding there too.
	KeysOfAll    bool
	Tarballs     Tarballs
	Installed    fs.FS    // the project's folder, to compare what is in node_modules; nil: not asked for
	Extraneous   []string // places in node_modules where something else lies than the lockfile says
	Missing      []string // places in node_modules where nothing lies, and something should
	Expectations *Expectations
	// NeedExpectations denies a project without Expectations.
	NeedExpectations bool
	Advisories       Advisories
	Policy           *verify.Policy // nil: the defaults
	Accept           []Accept
	Registry         string // the registry that publish attestations must be of; "": the one that was asked
	Now              time.Time
	MinAge           time.Duration
	Sleep            time.Duration // how long without a release is dormant
	Workers          int           // packages at once; 0: one a core
	Progress         func(done, all int)
}

// An Accept sets one finding about one version aside, so that the expectations can
// be changed.
type Accept struct {
	Package string // NAME@VERSION
	Code    verify.Code
}

// Report is what was found out about a project.
type Report struct {
	Packages []Result            `json:"packages"` // by name and version
	Denials  []Finding           `json:"denials"`  // about the project as a whole
	Waivers  []verify.WaiverInfo `json:"waivers"`
	// NotCompared are folders in node_modules in which tools keep files of their own.
	NotCompared []string `json:"notCompared,omitempty"`
}

// Project checks each package of a lockfile. Every place in the lockfile but the
// project itself is in exactly one result; places with the same name, version,
// integrity and source share one. The order is by name and version.
//
// An error means that there is no decision about anything (ctx ended, a check
// panicked, the evidence cannot be read).
func (i *Inspector) Project(ctx context.Context, project *lockfile.Project) (*Report, error) {
	jobs := collect(project)
	all := newBeside(jobs, i.Expectations)
	if i.Installed != nil {
		if err := findStored(i.Installed, jobs); err != nil {
			return nil, err
		}
	}
	waivers := i.waivers()
	var workers errgroup.Group
	workers.SetLimit(max(i.Workers, runtime.GOMAXPROCS(0)))
	var done atomic.Int64
	for _, j := range jobs {
		j.inspector, j.beside, j.waivers = i, all, waivers
		workers.Go(func() error {
			err := j.run(ctx)
			if n := int(done.Add(1)); i.Progress != nil {
				i.Progress(n, len(jobs))
			}
			return err
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, err
	}
	lostBeside(jobs)
	report := &Report{Packages: make([]Result, len(jobs))}
	var err error
	if report.Denials, report.NotCompared, err = i.denials(jobs); err != nil {
		return nil, err
	}
	for n, j := range jobs {
		report.Packages[n] = j.result
		waivers.Use(plain(j.result.Findings))
	}
	report.Waivers = waivers.Report()
	return report, nil
}

func (i *Inspector) waivers() *verify.WaiverBook {
	var all []verify.Waiver
	if i.Policy != nil {
		all, _ = i.Policy.NPMWaivers()
	}
	return verify.NewWaiverBook(all, verify.Artifact{}, i.Now)
}

func plain(findings []Finding) []verify.Finding {
	list := make([]verify.Finding, len(findings))
	for i, f := range findings {
		list[i] = f.Finding
	}
	return list
}

// denials are about the project as a whole. It returns also what in node_modules was not
// compared.
func (i *Inspector) denials(jobs []*job) (denials []Finding, notCompared []string, err error) {
	denials = []Finding{}
	add := func(code verify.Code, expected, found string) {
		denials = append(denials, Finding{Finding: verify.Finding{Code: code, Expected: expected, Found: found, Remedy: code.Remedy()}})
	}
	if !slices.ContainsFunc(jobs, func(j *job) bool { return j.source == lockfile.SourceRegistry && !j.bundled }) {
		add(verify.CodeNothingToCheck, "packages from a registry", "none")
	}
	if p := i.Policy; p != nil && !p.Expires.IsZero() && !i.Now.Before(p.Expires) {
		add(verify.CodePolicyExpired, "a policy in force", "one that expired on "+day(p.Expires))
	}
	strays := slices.Clone(i.Extraneous)
	if i.Installed != nil {
		var more []string
		if more, notCompared, err = i.strays(jobs); err != nil {
			return nil, nil, err
		}
		strays = append(strays, more...)
	}
	slices.Sort(strays)
	for _, place := range slices.Compact(strays) {
		add(verify.CodeInstalledDiffers, "what the lockfile or a package's tarball puts in node_modules", place)
	}
	if i.Installed != nil && !slices.ContainsFunc(jobs, func(j *job) bool { return j.compared }) {
		add(verify.CodeNothingToCheck, "packages in node_modules", "none")
	}
	if i.NeedExpectations && i.Expectations == nil {
		add(verify.CodeNoExpectations, "a file of expectations", "none")
	}
	return denials, notCompared, nil
}

// run fills in the result. An error is no decision about the whole run.
func (j *job) run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("checking %s: internal error: %v", j.result.Package, p)
		}
	}()
	registry, err := j.check(ctx)
	if err != nil {
		return fmt.Errorf("checking %s: %w", j.result.Package, err)
	}
	j.result.settle(registry)
	return nil
}

// check makes every check; what they find is put into the order of the steps by settle. It tells whether the package is a registry's.
func (j *job) check(ctx context.Context) (registry bool, err error) {
	j.malicious()
	j.aliased()
	if !j.fromRegistry() {
		j.shrinkwrap(nil)
		j.elsewhere()
		j.scripts(nil)
		return false, nil
	}
	if err := j.pkg.check(); err != nil {
		j.find(&verify.Refusal{Code: verify.CodeAnswerMalformed, Expected: "the name and version of a registry package", Found: err.Error()})
		return true, nil
	}
	answered, err := j.inspector.Evidence.Answers(ctx, j.pkg)
	if err != nil {
		return true, err
	}
	contents, err := j.bytes(ctx, answered)
	if err != nil {
		return true, err
	}
	digest := j.integrity()
	j.patched()
	j.resolved(answered)
	j.signature(answered, digest)
	if err := j.attestations(ctx, answered, digest); err != nil {
		return true, err
	}
	j.keyEnded(answered, digest) // the log's time is known now
	j.manifest(contents, answered)
	j.bundle(contents)
	j.shrinkwrap(contents)
	j.expectations(answered)
	if err := j.downgrade(ctx, answered); err != nil {
		return true, err
	}
	j.age(answered)
	j.takeover(answered)
	j.scripts(&answered)
	j.record()
	return true, j.installed(ctx, contents)
}

// find adds a finding with the effect that its code has by default.
func (j *job) find(r *verify.Refusal) { j.findAs(r, j.defaultOf(r.Code)) }

func (j *job) defaultOf(code verify.Code) verify.Effect {
	row, _, _ := verify.NPMCodeOf(code) // the zero effect denies
	return row.Effect
}

// findAs adds a finding that has another effect here than by default.
func (j *job) findAs(r *verify.Refusal, effect verify.Effect) {
	if j.inspector.Policy != nil {
		effect = j.inspector.Policy.NPM.Effect(r.Code, effect)
	}
	f := Finding{Effect: effect, Finding: verify.Finding{Code: r.Code, Subject: j.result.Purl, Advisory: r.Advisory,
		Expected: r.Expected, Found: r.Found, Remedy: r.WhatToDo()}}
	if effect != verify.NotMade && r.Code != verify.CodeNoAnswer {
		if f.WaivedBy = j.waivers.CoveredBy(f.Finding); j.accepted(r.Code) {
			f.WaivedBy = byAccept
		}
	}
	j.result.Findings = append(j.result.Findings, f)
}

// accepted tells whether the user accepts a finding. What cannot be waived cannot be
// accepted.
func (j *job) accepted(code verify.Code) bool {
	return slices.Contains(j.inspector.Accept, Accept{j.result.Package, code}) && Acceptable(code)
}

// byAccept is who sets aside what the user accepts.
const byAccept = "--accept"

// Acceptable tells whether a finding may be accepted: one that may be waived, but that a
// package is malicious, which is waived for one advisory at a time.
func Acceptable(code verify.Code) bool {
	row, _, _ := verify.NPMCodeOf(code)
	return row.Waivable && code != verify.CodeMalicious
}

// Accepted lists what of the accepted findings was found.
func (r *Report) Accepted() []Accept {
	var list []Accept
	for _, p := range r.Packages {
		for _, f := range p.Findings {
			if f.WaivedBy == byAccept {
				list = append(list, Accept{p.Package, f.Code})
			}
		}
	}
	return list
}

// refuse adds a refusal as a finding; other errors end the run.
func (j *job) refuse(err error) error {
	var r *verify.Refusal
	if errors.As(err, &r) {
		j.find(r)
		return nil
	}
	return err
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
	got, err := answers.Answers(ctx, pkg)
	switch {
	case err != nil:
		return nil, err
	case got.AttestationsErr != nil:
		return nil, got.AttestationsErr
	case got.MetadataErr != nil:
		return nil, got.MetadataErr
	case got.Attestations != nil:
		return CheckAttestations(ctx, checker, pkg, got.Attestations)
	case got.Metadata != nil && got.Metadata.announces():
		return nil, withheld()
	}
	return nil, noAttestations()
}

// Answer checks a registry's answer about one package's attestations, and nothing
// else.
func (i *Inspector) Answer(ctx context.Context, pkg Package, answer []byte) (*Report, error) {
	if len(answer) == 0 {
		answer = []byte("null")
	}
	j := collectOne(pkg)
	j.inspector, j.waivers = i, i.waivers()
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("checking %s: internal error: %v", pkg, p)
			}
		}()
		digest := j.integrity()
		return j.attestations(ctx, Answered{Attestations: answer}, digest)
	}()
	if err != nil {
		return nil, err
	}
	j.result.settle(true)
	return &Report{Packages: []Result{j.result}, Denials: []Finding{}, Waivers: j.waivers.Report()}, nil
}
