package npm_test

import (
	"crypto/sha256"
	"encoding/hex"
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
