package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/decisionlog"
)

// recordFlags say in which log decisions are recorded, and whose log it is.
type recordFlags struct {
	file, origin string
	flags        *pflag.FlagSet
}

func (f *recordFlags) add(flags *pflag.FlagSet) {
	f.flags = flags
	flags.StringVar(&f.file, "record", "", "append the decisions to this log of JSON lines, each with the hash of the one before; plimsoll decisions verifies it")
	flags.StringVar(&f.origin, "record-origin", "", "whose log --record is (default: this host's name)")
}

// check refuses what could look as if decisions were recorded.
func (f *recordFlags) check() error {
	switch {
	case f.flags == nil: // policy test: nothing is recorded
		return nil
	case f.flags.Changed("record") && f.file == "":
		return usagef("verify: --record: expected a FILE, found an empty name")
	case f.flags.Changed("record-origin") && f.file == "":
		return usagef("verify: --record-origin goes with --record FILE")
	case f.flags.Changed("record-origin"):
		if err := decisionlog.CheckOrigin(f.origin); err != nil {
			return usagef("verify: --record-origin: %w", err)
		}
	}
	return nil
}

// append records every decision, also that there is none, and returns when they are
// on disk.
func (f *recordFlags) append(ctx context.Context, o outcome) error {
	if f.file == "" {
		return nil
	}
	origin := f.origin
	if origin == "" {
		host, err := os.Hostname()
		if err == nil {
			err = decisionlog.CheckOrigin(host)
		}
		if err != nil {
			return failed(fmt.Errorf("--record: this host's name: %w", err)).withHint("name the log with --record-origin NAME")
		}
		origin = host
	}
	var entries []json.RawMessage
	for _, d := range o.decisions {
		entry, err := marshalRecord(recordOf(o, d))
		if err != nil {
			return failed(fmt.Errorf("--record: %w", err))
		}
		entries = append(entries, entry)
	}
	_, err := decisionlog.Append(ctx, f.file, origin, now(), entries...)
	var broken *decisionlog.BrokenError
	switch {
	case errors.As(err, &broken):
		return failed(err).withHint("the decision was made and is not reported, because it could not be recorded; plimsoll decisions %s verifies the log", quoteArg(f.file))
	case err != nil:
		return failed(err).withHint("the decision was made and is not reported, because it could not be recorded; --record names a file, on a disk with room, that may be written to")
	}
	return nil
}

// A recordedDecision is what a log of decisions says of one.
type recordedDecision struct {
	Tool     string              `json:"tool"`
	Policy   recordedPolicy      `json:"policy"`
	Artifact string              `json:"artifact"`
	As       string              `json:"as"` // "" if nobody said
	Digests  attest.DigestSet    `json:"digests"`
	Files    []attest.Subject    `json:"files,omitempty"` // of a directory, which has no digests
	Verdict  string              `json:"verdict"`
	Error    string              `json:"error,omitempty"` // why there is no decision
	Enforced bool                `json:"enforced"`        // false: --warn-only turned a denial into 0
	Exit     int                 `json:"exit"`            // of this artifact by itself, whatever is enforced
	Clock    time.Time           `json:"clock"`
	Codes    []verify.Code       `json:"codes"`    // of denials and unmet requirements
	Evidence []string            `json:"evidence"` // digests of the attestations that requirements rest on
	Waivers  []verify.WaiverInfo `json:"waivers"`  // that were used
	Roots    []recordedRoot      `json:"roots"`
}

type recordedPolicy struct {
	File     string `json:"file"`
	Name     string `json:"name"`
	Digest   string `json:"digest"`
	Revision int    `json:"revision"` // 0: it has none
}

type recordedRoot struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// recordOf is what is recorded of a decision. Where there is none, what would have
// decided stands there all the same.
func recordOf(o outcome, d decision) recordedDecision {
	gate := o.gate
	r := recordedDecision{
		Tool:     "plimsoll " + version(),
		Policy:   recordedPolicy{File: o.policy, Name: gate.Policy.Name, Digest: gate.Policy.Digest, Revision: gate.Policy.Revision},
		Artifact: d.artifact, As: d.subject.As, Digests: d.subject.Digests, Files: d.subject.Files,
		Verdict: "no decision", Enforced: o.enforced, Exit: d.exit, Clock: gate.Now.UTC(),
		Codes: []verify.Code{}, Evidence: []string{}, Waivers: []verify.WaiverInfo{}, Roots: []recordedRoot{},
	}
	if r.Digests == nil {
		r.Digests = attest.DigestSet{}
	}
	for _, root := range gate.Roots {
		r.Roots = append(r.Roots, recordedRoot{root.Name, root.Digest})
	}
	if d.err != nil {
		r.Error = d.err.Error()
		return r
	}
	r.Verdict = d.report.Verdict.String()
	for _, f := range d.report.Denials {
		r.Codes = append(r.Codes, f.Code)
	}
	for _, q := range d.report.Requirements {
		for _, f := range q.Findings {
			if !q.Met {
				r.Codes = append(r.Codes, f.Code)
			}
		}
		for _, s := range q.RestsOn {
			r.Evidence = append(r.Evidence, s.Digest)
		}
	}
	for _, w := range d.report.Waivers {
		if w.Used {
			r.Waivers = append(r.Waivers, w)
		}
	}
	slices.Sort(r.Codes)
	r.Codes = slices.Compact(r.Codes)
	slices.Sort(r.Evidence)
	r.Evidence = slices.Compact(r.Evidence)
	return r
}

// marshalRecord writes a decision so that nothing in it reaches the terminal of
// somebody who reads the log.
func marshalRecord(r recordedDecision) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	return json.RawMessage(escapeUnprintable(b.String())), nil
}
