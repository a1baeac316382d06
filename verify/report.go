package verify

import (
	"time"

	"plimsoll.example/attest"
)

// A Verdict is a decision. The zero value denies.
type Verdict int

// The verdicts.
const (
	Denied Verdict = iota
	Allowed
	AllowedWithWaivers // some reasons were set aside by waivers of the policy
)

// Deploys tells whether the artifact may be deployed.
func (v Verdict) Deploys() bool { return v == Allowed || v == AllowedWithWaivers }

func (v Verdict) String() string {
	switch v {
	case Allowed:
		return "allowed"
	case AllowedWithWaivers:
		return "allowed with waivers"
	}
	return "denied"
}

// MarshalText makes a verdict a word in JSON.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// A Report is a decision about one artifact with everything it rests on.
type Report struct {
	Artifact     string            `json:"artifact"`
	Digests      attest.DigestSet  `json:"digests"`
	As           string            `json:"as,omitempty"` // what it is deployed as
	Bound        bool              `json:"bound"`        // a verified statement says that it is what As names
	Verdict      Verdict           `json:"verdict"`
	Policy       PolicyInfo        `json:"policy"`
	Roots        []RootInfo        `json:"roots"`
	Clock        time.Time         `json:"clock"`    // the time that was taken as now
	ClockSet     bool              `json:"clockSet"` // by --at: not the machine's clock
	Requirements []RequirementInfo `json:"requirements"`
	Denials      []Finding         `json:"denials"`    // reasons that are about no single requirement
	Waivers      []WaiverInfo      `json:"waivers"`    // the policy's, as far as they are about this artifact or did not count
	Unusable     []Finding         `json:"unusable"`   // attestations that satisfy nothing, and why
	Found        []StatementInfo   `json:"found"`      // statements that were verified
	NotChecked   []string          `json:"notChecked"` // what this decision does not rest on
}

// PolicyInfo identifies the policy of a report.
type PolicyInfo struct {
	Name     string     `json:"name"`
	Digest   string     `json:"digest"`
	Revision int        `json:"revision,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	SignedBy string     `json:"signedBy,omitempty"` // who signed the policy, if that was asked for
}

// RootInfo identifies a trust root that the policy names.
type RootInfo struct {
	Name    string     `json:"name"`
	Digest  string     `json:"digest"`
	Date    *time.Time `json:"date,omitempty"`    // when it was fetched from its origin, if known
	Expires *time.Time `json:"expires,omitempty"` // until when its origin vouches for it, if known
}

// RequirementInfo is one requirement's outcome: Met with the statements it rests
// on, or the findings that say why not.
type RequirementInfo struct {
	Name     string          `json:"name"`
	Met      bool            `json:"met"`
	Waived   bool            `json:"waived,omitempty"`     // met with the help of waivers
	Level    int             `json:"buildLevel,omitempty"` // SLSA build level of the provenance it rests on
	RestsOn  []StatementInfo `json:"restsOn"`
	Findings []Finding       `json:"findings"`
	Notes    []string        `json:"notes,omitempty"` // what a reader should know even if it is met
}

// A WaiverInfo says what became of a waiver.
type WaiverInfo struct {
	Code     Code      `json:"code"`
	Subject  string    `json:"subject"`
	Advisory string    `json:"advisory,omitempty"`
	Owner    string    `json:"owner"`
	Reason   string    `json:"reason"`
	Expires  time.Time `json:"expires"`
	// Used tells that it set a finding aside; else Problem says why not.
	Used    bool `json:"used"`
	Problem Code `json:"problem,omitempty"`
}

// A StatementInfo names a verified statement.
type StatementInfo struct {
	Source        string       `json:"source"` // file:line
	PredicateType string       `json:"predicateType"`
	Signer        string       `json:"signer"` // the policy's name, "" if it is none
	KeyID         string       `json:"keyId,omitempty"`
	Certificate   *Certificate `json:"certificate,omitempty"`
	SignedAt      *time.Time   `json:"signedAt,omitempty"` // the oldest signed time
	LogEntries    int          `json:"logEntries,omitempty"`
	Digest        string       `json:"digest"` // "sha256:HEX" of the attestation's bytes
}

// A Finding is one reason: what was expected, what was found, what to do.
type Finding struct {
	Code     Code   `json:"code"`
	Source   string `json:"source,omitempty"`   // the attestation's place
	Subject  string `json:"subject,omitempty"`  // the component that it is about
	Advisory string `json:"advisory,omitempty"` // the advisory that it is about
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
	Remedy   string `json:"remedy"`
	WaivedBy string `json:"waivedBy,omitempty"` // who set it aside: a waiver's owner, or a VEX signer
}

// finding turns a refusal into a finding about source.
func (r *Refusal) finding(source string) Finding {
	return Finding{Code: r.Code, Source: source, Subject: r.Subject, Advisory: r.Advisory,
		Expected: r.Expected, Found: r.Found, Remedy: r.WhatToDo()}
}
