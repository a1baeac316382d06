package npm

import (
	"cmp"
	"slices"
	"time"

	"plimsoll.example/verify"
)

// An Outcome is what became of one package. The zero value denies.
type Outcome int

// The outcomes, worst first.
const (
	Denied     Outcome = iota // something is wrong
	Undecided                 // nobody can tell: an answer is missing
	Warned                    // nothing is wrong, and something does not vouch for it
	NotChecked                // not from a registry: nothing could vouch for it
	Held                      // registry signature or attestations hold, and nothing speaks against it
)

func (o Outcome) String() string {
	return [...]string{"denied", "undecided", "warning", "not checked", "holds"}[o]
}

// MarshalText makes an outcome a word in JSON.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// A Finding is a reason with what becomes of it.
type Finding struct {
	verify.Finding
	Effect verify.Effect `json:"effect"`
}

// decides tells whether a finding counts against the package.
func (f Finding) decides() bool { return f.WaivedBy == "" && f.Effect != verify.NotMade }

// A Result is one package version of a project with its outcome and reasons.
type Result struct {
	Package   string   `json:"package"` // NAME@VERSION
	Purl      string   `json:"purl"`
	Kind      string   `json:"kind"` // registry, workspace, git, remote tarball, file, bundled, unknown source
	Aliases   []string `json:"aliases,omitempty"`
	Integrity string   `json:"integrity,omitempty"`
	Places    []string `json:"places"`
	Outcome   Outcome  `json:"outcome"`
	// Reason is the finding that the outcome rests on, where it does not hold.
	Reason   *Finding  `json:"reason,omitempty"`
	Findings []Finding `json:"findings"` // in the order of the checks
	Origin   *Origin   `json:"origin,omitempty"`
	// Signature is the registry's, if one was verified.
	Signature *RegistrySignature `json:"registrySignature,omitempty"`
	Published *Published         `json:"published,omitempty"`
	Scripts   *Scripts           `json:"installScripts,omitempty"`
	Tarball   bool               `json:"tarballRead"` // its bytes are those that the lockfile demands
	Level     int                `json:"buildLevel"`  // SLSA build level of its verified provenance; 0 without

	name, version string
	names         []string // others than its own under which it is installed or required
	undeclared    []string // those of them that nothing asks for
	facts         facts
}

// Asked is the registry whose answers the result rests on; "" if that is not known.
func (r Result) Asked() string { return r.facts.asked }

// A RegistrySignature is a registry's signature over name, version and integrity.
type RegistrySignature struct {
	KeyID    string    `json:"keyId"`
	KeyEnded time.Time `json:"keyEnded,omitzero"` // the key has ended since
}

// Published says when a version was published, and who says so.
type Published struct {
	At     time.Time `json:"at"`
	Source string    `json:"source"` // "log", or "registry, unsigned"
}

// Where a time of publication comes from.
const (
	timeOfLog      = "log"
	timeOfRegistry = "registry, unsigned"
)

// Scripts are the scripts that run when a package is installed.
type Scripts struct {
	Names  []string `json:"names"`
	Source string   `json:"source"` // "tarball", or "lockfile or metadata, unsigned"
}

// Where scripts are known from.
const (
	scriptsOfTarball  = "tarball"
	scriptsOfMetadata = "lockfile or metadata, unsigned"
)

// settle puts what was found into the order of the steps, and decides by it. That a
// package is malicious is what it is denied for, whatever else is wrong.
func (r *Result) settle(registry bool) {
	order(r.Findings)
	r.Outcome = Held
	if !registry {
		r.Outcome = NotChecked
	}
	for i, f := range r.Findings {
		outcome := Warned
		switch {
		case !f.decides():
			continue
		case f.Code == verify.CodeNoAnswer:
			outcome = Undecided
		case f.Effect == verify.Deny:
			outcome = Denied
		}
		if outcome < r.Outcome || outcome == Denied && f.Code == verify.CodeMalicious && r.Reason.Code != f.Code {
			r.Outcome, r.Reason = outcome, &r.Findings[i]
		}
	}
	// What nothing at all vouches for does not hold.
	if r.Outcome == Held && r.Origin == nil && r.Signature == nil {
		r.Outcome = Warned
	}
	if r.Reason == nil && r.Outcome != Held {
		for i := range r.Findings {
			if r.Findings[i].WaivedBy == "" {
				r.Reason = &r.Findings[i]
				break
			}
		}
	}
}

// order puts findings into the order of the steps. An answer that is missing stands where
// one that is malformed would.
func order(findings []Finding) {
	if len(findings) < 2 {
		return
	}
	step := func(code verify.Code) int {
		if code == verify.CodeNoAnswer {
			code = verify.CodeAnswerMalformed
		}
		_, at, _ := verify.NPMCodeOf(code)
		return at
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(step(a.Code), step(b.Code)) })
}
