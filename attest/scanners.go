package attest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
)

// parseOSVScanner reads the results of OSV-Scanner's JSON output.
func parseOSVScanner(data []byte) (vulns, error) {
	var results []struct {
		Packages []struct {
			Package struct {
				Name, Version, Ecosystem, Commit string
			} `json:"package"`
			Vulnerabilities []struct {
				ID       string `json:"id"`
				Severity []struct {
					Type  string `json:"type"`
					Score string `json:"score"`
				} `json:"severity"`
				Specific struct {
					Severity string `json:"severity"`
				} `json:"database_specific"`
			} `json:"vulnerabilities"`
		} `json:"packages"`
	}
	if err := jsonv2.Unmarshal(data, &results, jsonv2.MatchCaseInsensitiveNames(true)); err != nil {
		return vulns{}, fmt.Errorf("reading OSV-Scanner's report: %w", JSONError(err))
	}
	v := vulns{Scanner: scanner{URI: "https://github.com/google/osv-scanner"}}
	for i, r := range results {
		if r.Packages == nil {
			return vulns{}, fmt.Errorf("reading OSV-Scanner's report: results[%d] has no packages: it is another tool's report", i)
		}
		for _, p := range r.Packages {
			pkg := strings.Trim(p.Package.Ecosystem+"/"+p.Package.Name+"@"+cmp.Or(p.Package.Version, p.Package.Commit), "/@")
			for _, found := range p.Vulnerabilities {
				if found.ID == "" {
					return vulns{}, fmt.Errorf("reading OSV-Scanner's report: a vulnerability of %s has no id", clip(pkg))
				}
				var list []severity
				for _, s := range found.Severity {
					list = append(list, severity{s.Type, s.Score})
				}
				if s := found.Specific.Severity; s != "" && len(list) == 0 {
					list = []severity{{"severity", s}}
				}
				v.Scanner.Result = append(v.Scanner.Result, inPackage(found.ID, pkg, list))
			}
		}
	}
	return v, nil
}

// parseGrype reads Grype's JSON output.
func parseGrype(data []byte) (vulns, error) {
	var report struct {
		Matches []struct {
			Vulnerability struct {
				ID       string `json:"id"`
				Severity string `json:"severity"`
				CVSS     []struct {
					Version string `json:"version"`
					Vector  string `json:"vector"`
				} `json:"cvss"`
			} `json:"vulnerability"`
			Artifact struct {
				Name, Version, PURL string
			} `json:"artifact"`
		} `json:"matches"`
		Descriptor struct {
			Name      string    `json:"name"`
			Version   string    `json:"version"`
			Timestamp time.Time `json:"timestamp"`
			DB        struct {
				Built         time.Time `json:"built"` // before Grype 0.88
				SchemaVersion int       `json:"schemaVersion"`
				Status        struct {
					Built         time.Time `json:"built"`
					SchemaVersion string    `json:"schemaVersion"`
				} `json:"status"`
			} `json:"db"`
		} `json:"descriptor"`
	}
	if err := jsonv2.Unmarshal(data, &report, jsonv2.MatchCaseInsensitiveNames(true)); err != nil {
		return vulns{}, fmt.Errorf("reading Grype's report: %w", JSONError(err))
	}
	d := report.Descriptor
	if d.Name != "grype" {
		return vulns{}, fmt.Errorf("reading Grype's report: expected descriptor.name grype, found %q", clip(d.Name))
	}
	v := vulns{Scanner: scanner{URI: "https://github.com/anchore/grype", Version: d.Version}, Metadata: scanMetadata{d.Timestamp.UTC(), d.Timestamp.UTC()}}
	if built := latest(d.DB.Built, d.DB.Status.Built); !built.IsZero() {
		v.Scanner.DB = &scannerDB{Version: strings.TrimPrefix(d.DB.Status.SchemaVersion, "v"), LastUpdate: built}
	}
	for _, m := range report.Matches {
		if m.Vulnerability.ID == "" {
			return vulns{}, fmt.Errorf("reading Grype's report: a match of %s has no vulnerability id", clip(m.Artifact.Name))
		}
		var list []severity
		if s := m.Vulnerability.Severity; s != "" {
			list = append(list, severity{"severity", s})
		}
		for _, c := range m.Vulnerability.CVSS {
			list = append(list, severity{"CVSS_V" + c.Version, c.Vector})
		}
		pkg := cmp.Or(m.Artifact.PURL, strings.TrimSuffix(m.Artifact.Name+"@"+m.Artifact.Version, "@"))
		v.Scanner.Result = append(v.Scanner.Result, inPackage(m.Vulnerability.ID, pkg, list))
	}
	return v, nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		a = b
	}
	return a.UTC()
}

// parseTrivy reads Trivy's JSON output.
func parseTrivy(data []byte) (vulns, error) {
	var report struct {
		CreatedAt time.Time
		Trivy     struct{ Version string }
		Results   []struct {
			Target, Class   string
			Vulnerabilities []struct {
				VulnerabilityID, PkgName, InstalledVersion, Severity, SeveritySource string
				PkgIdentifier                                                        struct{ PURL string }
				CVSS                                                                 map[string]struct{ V2Vector, V3Vector, V40Vector string }
			}
		}
	}
	if err := jsonv2.Unmarshal(data, &report); err != nil {
		return vulns{}, fmt.Errorf("reading Trivy's report: %w", JSONError(err))
	}
	v := vulns{Scanner: scanner{URI: "https://github.com/aquasecurity/trivy", Version: report.Trivy.Version},
		Metadata: scanMetadata{report.CreatedAt.UTC(), report.CreatedAt.UTC()}}
	scanned, classes := false, map[string]bool{}
	for _, r := range report.Results {
		classes[cmp.Or(clip(r.Class), "none")] = true
		scanned = scanned || r.Class == "os-pkgs" || r.Class == "lang-pkgs" || len(r.Vulnerabilities) > 0
	}
	if !scanned {
		return vulns{}, fmt.Errorf("reading Trivy's report: no packages were scanned for vulnerabilities: expected a result of class os-pkgs or lang-pkgs, found %s",
			cmp.Or(strings.Join(sortedNames(classes), ", "), "no result"))
	}
	for _, r := range report.Results {
		for _, found := range r.Vulnerabilities {
			if found.VulnerabilityID == "" {
				return vulns{}, fmt.Errorf("reading Trivy's report: a vulnerability of %s has no VulnerabilityID", clip(r.Target))
			}
			var list []severity
			if found.Severity != "" {
				list = append(list, severity{cmp.Or(found.SeveritySource, "severity"), found.Severity})
			}
			for _, source := range sortedNames(found.CVSS) {
				c := found.CVSS[source]
				if vector := cmp.Or(c.V40Vector, c.V3Vector, c.V2Vector); vector != "" {
					list = append(list, severity{"CVSS " + source, vector})
				}
			}
			pkg := cmp.Or(found.PkgIdentifier.PURL, strings.TrimSuffix(found.PkgName+"@"+found.InstalledVersion, "@"))
			v.Scanner.Result = append(v.Scanner.Result, inPackage(found.VulnerabilityID, pkg, list))
		}
	}
	return v, nil
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
