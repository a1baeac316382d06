package attest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// vulns is the predicate of in-toto's vulns v0.2.
type vulns struct {
	Scanner  scanner      `json:"scanner"`
	Metadata scanMetadata `json:"metadata"`
}

type scanner struct {
	URI     string       `json:"uri"`
	Version string       `json:"version,omitempty"`
	DB      *scannerDB   `json:"db,omitempty"`
	Result  []vulnerable `json:"result"`
}

type scannerDB struct {
	URI        string    `json:"uri,omitempty"`
	Version    string    `json:"version,omitempty"`
	LastUpdate time.Time `json:"lastUpdate"`
}

// vulnerable is a vulnerability in one package; the package stands in the
// annotations, for the specification has no other place for it.
type vulnerable struct {
	ID          string              `json:"id"`
	Severity    []severity          `json:"severity"`
	Annotations []map[string]string `json:"annotations,omitempty"`
}

type severity struct {
	Method string `json:"method"`
	Score  string `json:"score"`
}

type scanMetadata struct {
	Started  time.Time `json:"scanStartedOn"`
	Finished time.Time `json:"scanFinishedOn"`
}

// ErrNoScanTime reports a scanner's report that does not say when it was made.
var ErrNoScanTime = errors.New("the report does not say when the scan was")

// ErrScanTime reports a report that says when it was made to a caller who says it too.
var ErrScanTime = errors.New("the report says itself when the scan was")

// ParseVulns turns a scanner's JSON report into a vulns v0.2 predicate: OSV-Scanner's,
// Grype's or Trivy's, or one that is such a predicate already. at is when the scan
// was, for reports that do not say, and for them alone: without it these are an
// [ErrNoScanTime], and with it the others an [ErrScanTime]. What is found is sorted, and
// each vulnerability of a package stands once, with every severity that is given for
// it. It returns how many there are.
func ParseVulns(report []byte, at time.Time) (predicate json.RawMessage, found int, err error) {
	var members map[string]jsontext.Value
	if err := jsonv2.Unmarshal(report, &members); err != nil {
		return nil, 0, fmt.Errorf("expected a scanner's report in JSON: %w", JSONError(err))
	}
	has := func(name string) bool { return members[name] != nil }
	var v vulns
	switch {
	case has("scanner") && has("metadata"):
		if err := CheckPredicate(TypeVulns, report); err != nil {
			return nil, 0, err
		}
		if err := jsonv2.Unmarshal(report, &v); err != nil {
			return nil, 0, JSONError(err)
		}
		if !at.IsZero() {
			return nil, 0, ErrScanTime
		}
		return report, len(v.Scanner.Result), nil
	case members["matches"].Kind() == '[' && has("descriptor"):
		v, err = parseGrype(report)
	case has("SchemaVersion") && (has("ArtifactName") || has("Results")):
		v, err = parseTrivy(report)
	case members["results"].Kind() == '[':
		v, err = parseOSVScanner(members["results"])
	default:
		return nil, 0, errors.New("expected a report of OSV-Scanner (results), Grype (matches) or Trivy (SchemaVersion), or a vulns v0.2 predicate, found JSON without their members")
	}
	if err != nil {
		return nil, 0, err
	}
	switch says := !v.Metadata.Finished.IsZero(); {
	case says && !at.IsZero():
		return nil, 0, ErrScanTime
	case !says && at.IsZero():
		return nil, 0, ErrNoScanTime
	case !says:
		v.Metadata = scanMetadata{at.UTC(), at.UTC()}
	}
	v.Scanner.sort()
	predicate, err = json.Marshal(v)
	return predicate, len(v.Scanner.Result), err
}

// sort sorts what was found. What stands twice becomes one with the severities of both.
func (s *scanner) sort() {
	compare := func(a, b vulnerable) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.pkg(), b.pkg()))
	}
	slices.SortStableFunc(s.Result, compare)
	merged := make([]vulnerable, 0, len(s.Result)) // an empty list: the scanner found nothing
	for _, v := range s.Result {
		if n := len(merged); n == 0 || compare(merged[n-1], v) != 0 {
			merged = append(merged, v)
			continue
		}
		last := &merged[len(merged)-1]
		for _, severity := range v.Severity {
			if !slices.Contains(last.Severity, severity) {
				last.Severity = append(last.Severity, severity)
			}
		}
	}
	s.Result = merged
}

func (v vulnerable) pkg() string {
	if len(v.Annotations) == 0 {
		return ""
	}
	return v.Annotations[0]["package"]
}

func inPackage(id, pkg string, severities []severity) vulnerable {
	v := vulnerable{ID: id, Severity: []severity{}}
	for _, s := range severities {
		if s.Method != "" && s.Score != "" {
			v.Severity = append(v.Severity, s)
		}
	}
	if pkg != "" {
		v.Annotations = []map[string]string{{"package": pkg}}
	}
	return v
}
