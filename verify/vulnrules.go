package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	packageurl "github.com/package-url/packageurl-go"
	cvss20 "github.com/pandatix/go-cvss/20"
	cvss30 "github.com/pandatix/go-cvss/30"
	cvss31 "github.com/pandatix/go-cvss/31"
	cvss40 "github.com/pandatix/go-cvss/40"
	"go.yaml.in/yaml/v3"
	"plimsoll.example/attest"
)

// VulnRules say which vulnerabilities a scan may have found (in-toto vulns v0.2),
// and whose VEX statements may say that one does not affect the artifact.
type VulnRules struct {
	MaxSeverity Severity
	VEXSigners  []string
}

// A Severity is how bad a vulnerability is. The zero Severity is not known.
type Severity int

// The severities, as CVSS 3.1 section 5 ("Qualitative Severity Rating Scale") has
// them.
const (
	SeverityUnknown Severity = iota
	SeverityNone
	SeverityLow
	SeverityMedium
	SeverityHigh
	SeverityCritical
)

func severityNames() []string {
	return []string{"unknown", "none", "low", "medium", "high", "critical"}
}

func (s Severity) String() string { return severityNames()[s] }

func (p *policyParser) vulns(n *yaml.Node, what string, r *Requirement) error {
	if err := p.ofType(n, what, r, attest.TypeVulns); err != nil {
		return err
	}
	f, err := p.mapping(n, what, "max-severity", "vex-signers")
	if err != nil {
		return err
	}
	if f["max-severity"] == nil {
		return p.errorf(n, "%s: max-severity: missing; say the worst that may be there (none, low, medium, high)", what)
	}
	word, err := p.word(f, what, "max-severity", "none", "low", "medium", "high")
	if err != nil {
		return err
	}
	rules := &VulnRules{MaxSeverity: Severity(slices.Index(severityNames(), word))}
	if rules.VEXSigners, err = p.texts(f, what, "vex-signers"); err != nil {
		return err
	}
	if r.MaxAge == 0 {
		return p.errorf(n, "%s: needs max-age beside it; an old scan knows nothing of what was found since", what)
	}
	r.Vulns = rules
	return nil
}

// A vulnerability in a package, as a scan tells it.
type vulnerability struct {
	id, pkg  string
	severity Severity
	said     string // the severities as they were given
}

func readScan(predicate []byte) ([]vulnerability, error) {
	var p struct {
		Scanner struct {
			URI    string `json:"uri"`
			Result *[]struct {
				ID       string `json:"id"`
				Severity []struct {
					Method string `json:"method"`
					Score  string `json:"score"`
				} `json:"severity"`
				Annotations []map[string]any `json:"annotations"`
			} `json:"result"`
		} `json:"scanner"`
	}
	if err := unmarshal(predicate, &p); err != nil {
		return nil, err
	}
	if p.Scanner.URI == "" || p.Scanner.Result == nil {
		return nil, fmt.Errorf("expected scanner.uri and scanner.result, and found one of them missing")
	}
	var found []vulnerability
	for i, r := range *p.Scanner.Result {
		if r.ID == "" {
			return nil, fmt.Errorf("scanner.result[%d] has no id", i)
		}
		v := vulnerability{id: r.ID}
		for _, a := range r.Annotations {
			if name, ok := a["package"].(string); ok && v.pkg == "" {
				v.pkg = packagePurl(name)
			}
		}
		var said []string
		unreadable := false
		for _, s := range r.Severity {
			// Of what several sources say, the worst counts.
			one := severityOf(s.Score)
			v.severity, unreadable = max(v.severity, one), unreadable || one == SeverityUnknown
			said = append(said, strings.TrimSpace(s.Method+" "+s.Score))
		}
		if unreadable && v.severity < SeverityCritical {
			v.severity = SeverityUnknown // what could not be read may be worse
		}
		v.said = strings.Join(said, ", ")
		found = append(found, v)
	}
	return found, nil
}

// severityOf reads a severity as scanners give it: a word, a CVSS score, or a CVSS
// vector of any version.
func severityOf(score string) Severity {
	switch strings.ToUpper(strings.TrimSpace(score)) {
	case "NONE", "INFORMATIONAL":
		return SeverityNone
	case "LOW", "NEGLIGIBLE":
		return SeverityLow
	case "MEDIUM", "MODERATE":
		return SeverityMedium
	case "HIGH", "IMPORTANT":
		return SeverityHigh
	case "CRITICAL":
		return SeverityCritical
	}
	if plain := strings.TrimSpace(score); strings.Trim(plain, "0123456789.") == "" {
		if number, err := strconv.ParseFloat(plain, 64); err == nil {
			return severityOfScore(number)
		}
	}
	number, err := scoreOfVector(strings.TrimSpace(score))
	if err != nil {
		return SeverityUnknown
	}
	return severityOfScore(number)
}

func severityOfScore(score float64) Severity {
	switch {
	case !(score >= 0 && score <= 10):
		return SeverityUnknown
	case score == 0:
		return SeverityNone
	case score < 4:
		return SeverityLow
	case score < 7:
		return SeverityMedium
	case score < 9:
		return SeverityHigh
	}
	return SeverityCritical
}

func scoreOfVector(vector string) (float64, error) {
	switch {
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		v, err := cvss40.ParseVector(vector)
		if err != nil {
			return 0, err
		}
		return v.Score(), nil
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		v, err := cvss31.ParseVector(vector)
		if err != nil {
			return 0, err
		}
		return v.BaseScore(), nil
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		v, err := cvss30.ParseVector(vector)
		if err != nil {
			return 0, err
		}
		return v.BaseScore(), nil
	}
	v, err := cvss20.ParseVector(vector)
	if err != nil {
		return 0, err
	}
	return v.BaseScore(), nil
}

// ecosystems maps the names of package ecosystems (OSV schema, "affected[].package")
// to types of purl.
var ecosystems = map[string]string{
	"npm": packageurl.TypeNPM, "Go": packageurl.TypeGolang, "PyPI": packageurl.TypePyPi, "crates.io": packageurl.TypeCargo,
	"RubyGems": packageurl.TypeGem, "NuGet": packageurl.TypeNuget, "Packagist": packageurl.TypeComposer, "Maven": packageurl.TypeMaven,
	"Pub": "pub", "Hex": packageurl.TypeHex,
}

// packagePurl returns the purl of a package that a scan names as a purl, or as
// ECOSYSTEM/NAME@VERSION; else the name as it is.
func packagePurl(name string) string {
	ecosystem, rest, ok := strings.Cut(name, "/")
	kind := ecosystems[ecosystem]
	at := strings.LastIndexByte(rest, '@')
	if !ok || kind == "" || at <= 0 || strings.HasPrefix(name, "pkg:") {
		return name
	}
	full, version := rest[:at], rest[at+1:]
	if kind == packageurl.TypeMaven {
		full = strings.Replace(full, ":", "/", 1)
	}
	namespace, short := "", full
	if slash := strings.LastIndexByte(full, '/'); slash >= 0 {
		namespace, short = full[:slash], full[slash+1:]
	}
	p := packageurl.NewPackageURL(kind, namespace, short, version, nil, "")
	if p.Normalize() != nil {
		return name
	}
	return p.ToString()
}

// judge refuses each vulnerability above the limit, unless a VEX signer states that
// it does not affect the artifact.
func (rules *VulnRules) judge(e *evaluation, c candidate, j *judged) (refusals []*Refusal) {
	if rules == nil {
		return nil
	}
	found, err := readScan(c.statement.statement.Predicate)
	if err != nil {
		return []*Refusal{{Code: CodePredicateMalformed, Expected: "a vulnerability scan", Found: err.Error()}}
	}
	vex, notes := e.readVEX(rules.VEXSigners)
	j.notes = append(j.notes, notes...)
	for _, v := range found {
		r := &Refusal{Code: CodeVulnerable, Subject: v.pkg, Advisory: v.id, Expected: "nothing worse than " + rules.MaxSeverity.String(),
			Found: fmt.Sprintf("%s in %s, %s (%s)", v.id, cmp.Or(v.pkg, "a package that the scan does not name"), v.severity, cmp.Or(v.said, "no severity given"))}
		switch {
		case v.severity == SeverityUnknown:
			r.Code = CodeSeverityUnknown
		case v.severity <= rules.MaxSeverity:
			continue
		}
		r.waivedBy = vex.clears(v)
		refusals = append(refusals, r)
	}
	return refusals
}
