// Package sarif writes decisions as SARIF 2.1.0, the format in which code scanning
// services and editors read findings. It knows a dozen fields of it, and no more.
//
// A log has one run. A run has results: a finding that fails (an error, a warning
// or a note), one that fails and was set aside (a suppression), or a pass. What
// kept the tool from finding out is a notification, and makes the run unsuccessful.
// A reader of SARIF takes a run without results for a clean one, so Write refuses
// a run that says nothing.
//
// The output is a function of the run: rules are sorted, results keep their order,
// and no clock, path or environment is looked at.
package sarif

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// schemaURI names the schema of SARIF 2.1.0 with its errata.
const schemaURI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// fingerprint names the kind of fingerprint that results have. The number rises if
// it is computed in another way, so that old and new ones are not compared.
const fingerprint = "plimsollFinding/v1"

// The levels of a Result, and of a Notification. A Result has one or is a Pass.
const (
	LevelError   = "error"
	LevelWarning = "warning"
	LevelNote    = "note"
	Pass         = "pass" // SARIF's kind "pass": what the rule asks for is so
)

// A Rule is a kind of finding.
type Rule struct{ ID, Meaning, Remedy string }

// A Result is one finding. The zero value is refused: it has neither rule nor level.
type Result struct {
	RuleID       string
	Level        string // LevelError, LevelWarning, LevelNote or Pass
	Message      string // plain text, which may come from outside
	Artifact     string // what was decided about: a path, or the name of an image or digest
	ArtifactLine int    // the line in it; 0: none
	// Source is the file or name where it was found, if that is not the artifact, and
	// Line the line in it; 0: none.
	Source string
	Line   int
	// Subject says what it is about beside rule, artifact and source. With these it
	// makes the result's identity between runs: it must hold no time, count or text
	// for people.
	Subject []string
	// Suppression says who set it aside and why; "": nobody did.
	Suppression string
	Properties  map[string]any
}

// A Notification is about the run, not about what was looked at.
type Notification struct {
	Level    string // LevelError, LevelWarning or LevelNote
	Message  string
	Artifact string // "": about no single one
}

// A Run is one run of the tool. The zero value is refused.
type Run struct {
	ToolVersion    string
	InformationURI string // about the tool; "": left out
	// Rules describe the rules of Results. Those that no result has are left out; a
	// rule that is not described is written with nothing but its id.
	Rules         []Rule
	Results       []Result
	Notifications []Notification
	Properties    map[string]any
	ExitCode      int
	// Successful tells that the run found out everything it was asked; a denial is
	// a success.
	Successful bool
}

// Write writes a run as a SARIF log. It refuses, and writes nothing, where the log
// would read better than what happened.
func Write(w io.Writer, run Run) error {
	if err := run.check(); err != nil {
		return fmt.Errorf("writing SARIF: %w", err)
	}
	rules, index := run.rules()
	results := make([]resultJSON, len(run.Results))
	seen := map[string]int{}
	for i, r := range run.Results {
		results[i] = r.json(index[r.RuleID])
		id := r.identity()
		seen[id]++
		results[i].PartialFingerprints = map[string]string{fingerprint: fmt.Sprintf("%s:%d", id, seen[id])}
	}
	invocation := invocationJSON{ExecutionSuccessful: run.Successful, ExitCode: run.ExitCode}
	for _, n := range run.Notifications {
		invocation.Notifications = append(invocation.Notifications, notificationJSON{n.Level, text(n.Message), locations(n.Artifact)})
	}
	driver := driverJSON{Name: "plimsoll", Version: run.ToolVersion, InformationURI: run.InformationURI, Rules: rules}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(logJSON{Schema: schemaURI, Version: "2.1.0", Runs: []runJSON{{
		Tool: toolJSON{driver}, Invocations: []invocationJSON{invocation}, Results: results, Properties: run.Properties,
	}}})
	if err != nil {
		return fmt.Errorf("writing SARIF: %w", err)
	}
	_, err = io.WriteString(w, escape(b.String()))
	return err
}

// check refuses what a reader would take for less than it is.
func (run Run) check() error {
	if len(run.Results) == 0 && len(run.Notifications) == 0 {
		return errors.New("expected results or notifications, found neither: it would read as if all were well")
	}
	if !run.Successful && run.ExitCode == 0 {
		return errors.New("expected an exit code other than 0 for a run that was not successful")
	}
	for i, r := range run.Results {
		switch {
		case r.RuleID == "":
			return fmt.Errorf("result %d: expected a rule", i)
		case r.Message == "":
			return fmt.Errorf("result %d (%s): expected a message", i, r.RuleID)
		case !slices.Contains([]string{LevelError, LevelWarning, LevelNote, Pass}, r.Level):
			return fmt.Errorf("result %d (%s): expected error, warning, note or pass, found level %q", i, r.RuleID, r.Level)
		case r.Level == Pass && r.Suppression != "":
			return fmt.Errorf("result %d (%s): a pass cannot be suppressed", i, r.RuleID)
		}
	}
	for i, n := range run.Notifications {
		switch {
		case n.Message == "":
			return fmt.Errorf("notification %d: expected a message", i)
		case !slices.Contains([]string{LevelError, LevelWarning, LevelNote}, n.Level):
			return fmt.Errorf("notification %d: expected error, warning or note, found level %q", i, n.Level)
		case n.Level == LevelError && run.Successful:
			return fmt.Errorf("notification %d: expected an unsuccessful run, found an error: %s", i, n.Message)
		}
	}
	return nil
}

// rules returns the rules that results have, by id, and their places.
func (run Run) rules() ([]ruleJSON, map[string]int) {
	described := map[string]Rule{}
	for _, r := range run.Rules {
		described[r.ID] = r
	}
	var ids []string
	for _, r := range run.Results {
		ids = append(ids, r.RuleID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	rules, index := make([]ruleJSON, len(ids)), map[string]int{}
	for i, id := range ids {
		index[id] = i
		rules[i].ID = id
		if described[id].Meaning != "" {
			meaning := text(described[id].Meaning)
			rules[i].Short, rules[i].Full = &meaning, &meaning
		}
		if described[id].Remedy != "" {
			remedy := text(described[id].Remedy)
			rules[i].Help = &remedy
		}
	}
	return rules, index
}

// identity is the same in every run for the same rule, artifact, source and
// subject. Each part has its length before it: what moves from one part into the
// next is another finding. The line is not part of it, as it changes with what is
// added above.
func (r Result) identity() string {
	h := sha256.New()
	for _, part := range append([]string{r.RuleID, uri(r.Artifact), uri(r.Source)}, r.Subject...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (r Result) json(rule int) resultJSON {
	out := resultJSON{RuleID: r.RuleID, RuleIndex: rule, Kind: "fail", Level: r.Level, Message: text(r.Message),
		Locations: locations(r.Artifact), Properties: r.Properties}
	if r.Level == Pass {
		// "If kind has any value other than "fail", then … level SHALL be "none"."
		// (SARIF 2.1.0, 3.27.10)
		out.Kind, out.Level = "pass", "none"
	}
	if r.ArtifactLine > 0 && len(out.Locations) > 0 {
		out.Locations[0].Physical.Region = &regionJSON{r.ArtifactLine}
	}
	if r.Source != "" {
		out.Related = locations(r.Source)
		if r.Line > 0 {
			out.Related[0].Physical.Region = &regionJSON{r.Line}
		}
	}
	if r.Suppression != "" {
		out.Suppressions = []suppressionJSON{{Kind: "external", Status: "accepted", Justification: r.Suppression}}
	}
	return out
}

func locations(name string) []locationJSON {
	if name == "" {
		return nil
	}
	return []locationJSON{{Physical: physicalJSON{Artifact: artifactJSON{URI: uri(name)}}}}
}

// text makes a message of text that may come from outside. In a SARIF message
// "{0}" is a placeholder (3.11.5) and "[text](target)" a link (3.11.6): the first is
// written as the specification says, the second is taken apart, because an
// attestation by anybody must not put a link into somebody's report.
func text(s string) messageJSON {
	return messageJSON{strings.NewReplacer("{", "{{", "}", "}}", "](", "] (").Replace(s)}
}

// escape escapes what a terminal or a viewer could take for a command: control and
// format characters, those that turn the direction of text too. JSON keeps such
// characters in strings only, where \u says the same.
func escape(doc string) string {
	var b strings.Builder
	for _, r := range doc {
		switch {
		case unicode.IsPrint(r) || r == '\n':
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
