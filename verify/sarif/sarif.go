// Package sarif writes decisions as SARIF 2.1.0 (OASIS, "Static Analysis Results
// Interchange Format"), which code hosts show beside a change.
//
// A [Run] is one decision: a result a reason, and a result of kind pass for each
// artifact that is allowed, so that an empty file never means that all is well.
package sarif

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// A Rule is a reason code with its meaning.
type Rule struct{ ID, Meaning, Remedy string }

// A Result is one reason, or with Pass that there is none.
type Result struct {
	RuleID   string
	Level    string // error, warning or note; none with Pass
	Pass     bool
	Message  string
	Artifact string // a path, a purl or another URI
	Line     int    // in the artifact; 0: none
	// Identity is what makes the reason the same one in another run, beside rule and
	// artifact: the requirement and the component, and nothing that changes with time.
	Identity   string
	Suppressed string // who set it aside, and why; "": nobody
}

// A Run is one run of the tool.
type Run struct {
	Version    string
	Rules      []Rule
	Results    []Result
	Failures   []string       // why no decision could be made
	Properties map[string]any // of the run
	ExitCode   int
}

type (
	text struct {
		Text string `json:"text"`
	}
	document struct {
		Schema  string   `json:"$schema"`
		Version string   `json:"version"`
		Runs    []runDoc `json:"runs"`
	}
	runDoc struct {
		Tool        toolDoc         `json:"tool"`
		Invocations []invocationDoc `json:"invocations"`
		Results     []resultDoc     `json:"results"`
		Properties  map[string]any  `json:"properties,omitempty"`
	}
	toolDoc struct {
		Driver driverDoc `json:"driver"`
	}
	driverDoc struct {
		Name    string    `json:"name"`
		Version string    `json:"version,omitempty"`
		Rules   []ruleDoc `json:"rules"`
	}
	ruleDoc struct {
		ID          string `json:"id"`
		Description text   `json:"shortDescription"`
		Help        text   `json:"help"`
	}
	invocationDoc struct {
		Successful    bool              `json:"executionSuccessful"`
		ExitCode      int               `json:"exitCode"`
		Notifications []notificationDoc `json:"toolExecutionNotifications,omitempty"`
	}
	notificationDoc struct {
		Level   string `json:"level"`
		Message text   `json:"message"`
	}
	resultDoc struct {
		RuleID       string            `json:"ruleId"`
		Kind         string            `json:"kind"`
		Level        string            `json:"level"`
		Message      text              `json:"message"`
		Locations    []locationDoc     `json:"locations,omitempty"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Suppressions []suppressionDoc  `json:"suppressions,omitempty"`
	}
	locationDoc struct {
		Physical physicalDoc `json:"physicalLocation"`
	}
	physicalDoc struct {
		Artifact artifactDoc `json:"artifactLocation"`
		Region   *regionDoc  `json:"region,omitempty"`
	}
	artifactDoc struct {
		URI string `json:"uri"`
	}
	regionDoc struct {
		StartLine int `json:"startLine"`
	}
	suppressionDoc struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

// Write writes a run. It returns only errors of writing.
func Write(w io.Writer, run Run) error {
	doc := runDoc{
		Tool:        toolDoc{driverDoc{Name: "plimsoll", Version: run.Version, Rules: rulesOf(run)}},
		Invocations: []invocationDoc{{Successful: len(run.Failures) == 0, ExitCode: run.ExitCode}},
		Results:     []resultDoc{},
		Properties:  run.Properties,
	}
	for _, f := range run.Failures {
		doc.Invocations[0].Notifications = append(doc.Invocations[0].Notifications, notificationDoc{"error", text{f}})
	}
	for _, r := range run.Results {
		doc.Results = append(doc.Results, resultOf(r))
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []runDoc{doc}})
}

// rulesOf lists the rules that results name, sorted.
func rulesOf(run Run) []ruleDoc {
	rules := []ruleDoc{}
	for _, r := range run.Rules {
		if slices.ContainsFunc(run.Results, func(result Result) bool { return result.RuleID == r.ID }) {
			rules = append(rules, ruleDoc{r.ID, text{cmp.Or(r.Meaning, r.ID)}, text{cmp.Or(r.Remedy, r.ID)}})
		}
	}
	slices.SortFunc(rules, func(a, b ruleDoc) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(rules, func(a, b ruleDoc) bool { return a.ID == b.ID })
}

func resultOf(r Result) resultDoc {
	kind, level := "fail", r.Level
	if r.Pass {
		kind, level = "pass", "none" // SARIF 3.27.9: another kind than fail has level none
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{r.RuleID, r.Artifact, r.Identity}, "\x00")))
	doc := resultDoc{RuleID: r.RuleID, Kind: kind, Level: level, Message: text{cmp.Or(r.Message, r.RuleID)},
		Fingerprints: map[string]string{"plimsoll/v1": hex.EncodeToString(sum[:])}}
	if r.Artifact != "" {
		location := locationDoc{physicalDoc{Artifact: artifactDoc{URIOf(r.Artifact)}}}
		if r.Line > 0 {
			location.Physical.Region = &regionDoc{r.Line}
		}
		doc.Locations = []locationDoc{location}
	}
	if r.Suppressed != "" {
		doc.Suppressions = []suppressionDoc{{"external", r.Suppressed}}
	}
	return doc
}

// URIOf returns an artifact's name as a URI reference (RFC 3986): what is one with a
// known scheme as it is, else a path.
func URIOf(name string) string {
	for _, scheme := range []string{"oci://", "https://", "http://", "pkg:", "urn:", "sha256:", "sha512:"} {
		if rest, ok := strings.CutPrefix(name, scheme); ok {
			return scheme + escape(rest)
		}
	}
	path := filepath.ToSlash(name)
	if len(path) > 2 && path[1] == ':' && path[2] == '/' { // a drive
		return "file:///" + escape(path)
	}
	if strings.HasPrefix(path, "/") {
		return "file://" + escape(path)
	}
	escaped := escape(path)
	if first, _, _ := strings.Cut(escaped, "/"); strings.Contains(first, ":") {
		return "./" + escaped // else the part before the colon were a scheme
	}
	return escaped
}

// escape leaves what may stand in a path, and escapes all else: a percent sign too,
// for a file may be named so.
func escape(path string) string {
	return strings.ReplaceAll((&url.URL{Path: "/" + path}).EscapedPath()[1:], "//", "/%2F")
}
