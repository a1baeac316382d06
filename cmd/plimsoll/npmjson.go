package main

import (
	"io"
	"time"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/advisory"
)

// npmSchema names the JSON of npm.
const npmSchema = "https://plimsoll.example/schema/npm/v1"

// npmJSON is what npm --format json prints.
type npmJSON struct {
	Schema       string              `json:"schema"`
	Exit         int                 `json:"exit"`
	Target       string              `json:"target"` // the lockfile, or the package
	Clock        time.Time           `json:"clock"`
	TrustRoot    string              `json:"trustRoot"`        // digest
	RegistryKeys string              `json:"registryKeys"`     // digest
	Policy       string              `json:"policy,omitempty"` // digest
	Advisories   *advisory.Info      `json:"advisories,omitempty"`
	Counts       map[string]int      `json:"counts"`  // packages by outcome
	NotMade      map[string]int      `json:"notMade"` // packages by code of the check that could not be made
	NotChecked   []string            `json:"notChecked"`
	Registries   map[string]int      `json:"registries"` // packages by the registry that was asked
	Denials      []npm.Finding       `json:"denials"`    // about the project as a whole
	Packages     []npm.Result        `json:"packages"`
	Waivers      []verify.WaiverInfo `json:"waivers"`
	Error        string              `json:"error,omitempty"` // why the lockfile as a whole is denied
}

func (o npmOutcome) printJSON(w io.Writer) error {
	doc := npmJSON{
		Schema: npmSchema, Exit: o.exit(), Target: o.target, Clock: o.clock.UTC(), TrustRoot: o.roots.rootDigest, RegistryKeys: o.roots.keysDigest,
		Counts: map[string]int{}, NotMade: map[string]int{}, Registries: map[string]int{}, NotChecked: append([]string{}, o.unchecked()...),
		Denials: o.report.Denials, Packages: append([]npm.Result{}, o.report.Packages...), Waivers: append([]verify.WaiverInfo{}, o.report.Waivers...),
	}
	if o.policy != nil {
		doc.Policy = o.policy.Digest
	}
	if o.advisories != nil {
		info := o.advisories.Info()
		doc.Advisories = &info
	}
	for _, r := range o.report.Packages {
		doc.Counts[r.Outcome.String()]++
		if asked := r.Asked(); asked != "" {
			doc.Registries[asked]++
		}
	}
	codes, counts := o.notMade()
	for _, c := range codes {
		doc.NotMade[string(c)] = counts[c]
	}
	return writeJSON(w, doc)
}
