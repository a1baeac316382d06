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
)

func (v Verdict) String() string {
	if v == Allowed {
		return "allowed"
	}
	return "denied"
}

// MarshalText makes a verdict a word in JSON.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// A Report is a decision about one artifact with everything it rests on.
type Report struct {
	Artifact     string            `json:"artifact"`
	Digests      attest.DigestSet  `json:"digests"`
	Verdict      Verdict           `json:"verdict"`
	Policy       PolicyInfo        `json:"policy"`
	Clock        time.Time         `json:"clock"` // the time that was taken as now
	Requirements []RequirementInfo `json:"requirements"`
	Denials      []Finding         `json:"denials"`    // reasons that are about no single requirement
	Unusable     []Finding         `json:"unusable"`   // attestations that satisfy nothing, and why
	Found        []StatementInfo   `json:"found"`      // statements that were verified
	NotChecked   []string          `json:"notChecked"` // what this decision does not rest on
}

// PolicyInfo identifies the policy of a report.
type PolicyInfo struct {
	Name    string     `json:"name"`
	Digest  string     `json:"digest"`
	Expires *time.Time `json:"expires,omitempty"`
}

// RequirementInfo is one requirement's outcome: Met with the statement it rests
// on, or the finding that says why not.
type RequirementInfo struct {
	Name    string         `json:"name"`
	Met     bool           `json:"met"`
	RestsOn *StatementInfo `json:"restsOn,omitempty"`
	Finding *Finding       `json:"finding,omitempty"`
}

// A StatementInfo names a verified statement.
type StatementInfo struct {
	Source        string `json:"source"` // file:line
	PredicateType string `json:"predicateType"`
	Signer        string `json:"signer"` // the policy's name, "" if it is none
	KeyID         string `json:"keyId"`
}

// A Finding is one reason: what was expected, what was found, what to do.
type Finding struct {
	Code     Code   `json:"code"`
	Source   string `json:"source,omitempty"` // the attestation's place
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
	Remedy   string `json:"remedy"`
}

// finding turns a refusal into a finding about source.
func (r *Refusal) finding(source string) Finding {
	return Finding{Code: r.Code, Source: source, Expected: r.Expected, Found: r.Found, Remedy: r.WhatToDo()}
}
