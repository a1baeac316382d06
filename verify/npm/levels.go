package npm

import "plimsoll.example/verify"

// Levels counts, of the dependencies that an SBOM lists, how many have which SLSA build
// level by this report. What the report did not verify by name, version and digest is
// level 0, and so is what is denied or undecided. It returns also the bundles that the
// levels rest on.
func (r *Report) Levels(dependencies []verify.Dependency) (levels map[int]int, bundles []string) {
	type key struct{ name, version, sha512 string }
	found := map[key]*Result{}
	for i := range r.Packages {
		p := &r.Packages[i]
		sum, err := SHA512(p.Integrity)
		if err != nil || p.Origin == nil || p.undecided() {
			continue
		}
		// It may come from more than one place, and not be vouched for in each.
		if k := (key{p.name, p.version, sum}); found[k] == nil || found[k].Level < p.Level {
			found[k] = p
		}
	}
	levels = map[int]int{0: 0}
	for _, d := range dependencies {
		level := 0
		if result := found[key{d.Name, d.Version, d.SHA512}]; result != nil {
			level = result.Level
			bundles = append(bundles, result.Origin.Bundle)
		}
		levels[level]++
	}
	return levels, bundles
}
