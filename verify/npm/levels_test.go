package npm_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strings"
	"testing"

	"plimsoll.example/verify"
)

// levelPolicy is a policy by which acme's builds are worth level 3.
func levelPolicy(t *testing.T, signer string) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy("p.yaml", []byte(`version: 1
signers:
  acme:
    issuer: https://token.actions.githubusercontent.com
    identity: https://github.com/acme/foo/.github/workflows/release.yml@refs/tags/v1.0.0
    repository: {uri: https://github.com/acme/foo}
`+signer+`levels: [{signer: acme, builder: https://github.com/actions/runner/github-hosted, level: 3}]
npm: {codes: {TOO_YOUNG: deny}}
`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLevelOfSigner: a build is worth what the policy says of its signer only as far as
// the policy would take that signature. It was made in March 2026.
func TestLevelOfSigner(t *testing.T) {
	s := newScene(t, built)
	lock := s.lock("foo@1.0.0")
	sum := sha256.Sum256(s.sigstore.TrustedRoot())
	pinned := "    root: {file: root.json, sha256: " + hex.EncodeToString(sum[:]) + "}\n"
	for name, c := range map[string]struct {
		signer string
		level  int
	}{
		"as it is":                           {pinned, 3},
		"public-good, which is another root": {"", 1},
		"another root":                       {"    root: {file: root.json, sha256: " + strings.Repeat("0", 64) + "}\n", 1},
		"compromised":                        {pinned + "    revoked: {at: 2027-01-01, reason: compromised}\n", 1},
		"compromised, but for these bytes":   {pinned + "    revoked: {at: 2025-01-01, reason: compromised, except: ['sha512:" + digestIn(t, lock, "node_modules/foo") + "']}\n", 3},
		"superseded before":                  {pinned + "    revoked: {at: 2025-01-01, reason: superseded}\n", 1},
		"superseded since":                   {pinned + "    revoked: {at: 2026-06-01, reason: superseded}\n", 3},
		"ended before":                       {pinned + "    not-after: 2025-01-01\n", 1},
		"ended since":                        {pinned + "    not-after: 2026-06-01\n", 3},
		"not yet":                            {pinned + "    not-before: 2026-06-01\n", 1},
		"another log demanded":               {pinned + "    log-entries: 2\n", 1},
		"another time demanded":              {pinned + "    signed-times: 2\n", 1},
		"another timestamp of the issuer's":  {pinned + "    scts: 2\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s.inspector.Policy = levelPolicy(t, c.signer)
			if r := result(t, s.check(lock), "foo@1.0.0"); r.Level != c.level {
				t.Errorf("expected level %d, found %d", c.level, r.Level)
			}
		})
	}
}

// TestLevels: of what an SBOM lists, each dependency counts once, and what was not
// verified is level 0.
func TestLevels(t *testing.T) {
	s := newScene(t, built+"-- bar@1.0.0/package/package.json --\n{\"name\": \"bar\", \"version\": \"1.0.0\"}\n")
	lock := s.lock("foo@1.0.0", "bar@1.0.0")
	digest, bar := digestIn(t, lock, "node_modules/foo"), digestIn(t, lock, "node_modules/bar")
	hashes := func(sum string) string { return `"hashes":[{"alg":"SHA-512","content":"` + sum + `"}]` }
	distributed := func(sum string) string {
		return `"externalReferences":[{"type":"distribution","url":"x",` + hashes(sum) + `}]`
	}
	foo := func(purl, more string) string {
		return `{"type":"library","name":"foo","purl":"` + purl + `",` + more + `}`
	}
	entry := func(change func(e map[string]any)) func([]byte) []byte {
		return func(lock []byte) []byte { return swap(t, lock, "node_modules/foo", change) }
	}
	for name, c := range map[string]struct {
		components string
		lock       func(lock []byte) []byte
		zero, one  int
	}{
		"this program's":        {foo("pkg:npm/foo@1.0.0", distributed(digest)), nil, 0, 1},
		"npm's own":             {foo("pkg:npm/foo@1.0.0", hashes(digest)), nil, 0, 1},
		"both, in capitals":     {foo("pkg:npm/foo@1.0.0", hashes(strings.ToUpper(digest))+","+distributed(digest)), nil, 0, 1},
		"both, and they differ": {foo("pkg:npm/foo@1.0.0", hashes(digest)+","+distributed(bar)), nil, 1, 0},
		"no digest":             {foo("pkg:npm/foo@1.0.0", `"version":"1.0.0"`), nil, 1, 0},
		"another digest":        {foo("pkg:npm/foo@1.0.0", hashes(bar)), nil, 1, 0},
		"one that is spelt in four ways": {foo("pkg:npm/foo@1.0.0", hashes(digest)) + "," + foo("pkg:npm/foo@1.0.0?repository_url=x", hashes(digest)) + "," +
			foo("pkg:npm/foo@1.0.0#lib", distributed(digest)) + "," + foo("pkg:npm/%66oo@1.0.0", hashes(digest)), nil, 0, 1},
		"what nobody vouches for": {foo("pkg:npm/foo@1.0.0", hashes(digest)+`,"components":[{"type":"library","name":"nested"},{"type":"file","name":"x.js"}]`) +
			`,{"type":"library","name":"bar","purl":"pkg:npm/bar@1.0.0",` + hashes(bar) + `},{"type":"library","name":"d","purl":"pkg:golang/d@1"},{"type":"operating-system","name":"os"}`, nil, 4, 1},
		"a lockfile that says sha1 too": {foo("pkg:npm/foo@1.0.0", hashes(digest)), entry(func(e map[string]any) {
			e["integrity"] = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= " + e["integrity"].(string)
		}), 0, 1},
		"beside a remote tarball of the same": {foo("pkg:npm/foo@1.0.0", hashes(digest)), func(lock []byte) []byte {
			return packagesOf(t, lock, func(p map[string]any) {
				e := maps.Clone(p["node_modules/foo"].(map[string]any))
				e["resolved"] = s.base + "/mirror/foo.tgz"
				p["node_modules/x/node_modules/foo"] = e
			})
		}, 0, 1},
		"denied": {foo("pkg:npm/foo@1.0.0", hashes(digest)), entry(func(e map[string]any) { e["resolved"] = "https://elsewhere.example/foo/-/foo-1.0.0.tgz" }), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			lock := lock
			if c.lock != nil {
				lock = c.lock(lock)
			}
			listed, err := verify.DependenciesOf([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[`+c.components+`]}`), verify.Artifact{Name: "app"})
			if err != nil {
				t.Fatal(err)
			}
			levels, bundles := s.checkOnce(lock).Levels(listed)
			if levels[0] != c.zero || levels[1] != c.one || len(bundles) != c.one {
				t.Errorf("found %v and %d bundles", levels, len(bundles))
			}
		})
	}
}
