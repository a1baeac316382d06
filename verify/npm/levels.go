package npm

import (
	"encoding/base64"
	"encoding/hex"

	packageurl "github.com/package-url/packageurl-go"

	"plimsoll.example/verify"
)

// Levels counts, of the dependencies that an SBOM lists, how many have which SLSA build
// level by this report: each once, by name, version and digest. What the report did not
// verify is level 0. It returns also the bundles that the levels rest on.
func (r *Report) Levels(packages []verify.NPMPackage) (levels map[int]int, bundles []string) {
	found := map[Package]*Result{}
	for i := range r.Packages {
		p := &r.Packages[i]
		found[Package{Name: p.name, Version: p.version, Integrity: p.Integrity}] = p
	}
	levels = map[int]int{0: 0}
	for _, p := range packages {
		level := 0
		if purl, err := packageurl.FromString(p.Purl); err == nil {
			if result := found[Package{Name: p.Name, Version: purl.Version, Integrity: integrityOf(p.SHA512)}]; result != nil && result.Origin != nil && !result.undecided() {
				level = result.Level
				bundles = append(bundles, result.Origin.Bundle)
			}
		}
		levels[level]++
	}
	return levels, bundles
}

// integrityOf turns a digest into the form of lockfiles; "" if it is none.
func integrityOf(sha512 string) string {
	raw, err := hex.DecodeString(sha512)
	if err != nil || len(raw) != 64 {
		return ""
	}
	return "sha512-" + base64.StdEncoding.EncodeToString(raw)
}
