package npm

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"plimsoll.example/verify"
)

// A Package is what is about to be used: a name, a version, and the digest that
// the lockfile demands.
type Package struct {
	Name      string
	Version   string
	Integrity string // SRI, "sha512-..."
}

// npm's rules for names, and what old packages got away with; exact versions.
// Compiled when first used: a start of the program that needs none pays nothing.
var (
	namePattern    = pattern(`^(@[a-zA-Z0-9~_-][a-zA-Z0-9~._-]*/)?[a-zA-Z0-9~_-][a-zA-Z0-9~._!'()*-]*$`)
	versionPattern = pattern(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
)

func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// maxName is npm's own bound.
const maxName = 214

// ParsePackage reads NAME@VERSION.
func ParsePackage(s string) (Package, error) {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 {
		return Package{}, fmt.Errorf("expected NAME@VERSION, found %q", s)
	}
	p := Package{Name: s[:at], Version: s[at+1:]}
	return p, p.check()
}

func (p Package) check() error {
	if len(p.Name) > maxName || !namePattern().MatchString(p.Name) {
		return fmt.Errorf("expected the name of an npm package, found %q", p.Name)
	}
	if len(p.Version) > maxName || !versionPattern().MatchString(p.Version) {
		return fmt.Errorf("expected an exact version of %s (1.2.3), found %q", p.Name, p.Version)
	}
	return nil
}

// purl is the subject's name as npm's registry and client write it: the scope's
// @ encoded, nothing else.
func (p Package) purl() string {
	name := p.Name
	if strings.HasPrefix(name, "@") {
		name = "%40" + name[1:]
	}
	return "pkg:npm/" + name + "@" + p.Version
}

// String returns NAME@VERSION.
func (p Package) String() string { return p.Name + "@" + p.Version }

// SHA512 returns the hexadecimal SHA-512 in an SRI string, which must be there
// once. Weaker digests beside it are ignored, as npm ignores them; a second,
// different SHA-512 would let either file pass and is refused.
func SHA512(integrity string) (string, error) {
	var digests []string
	fields := strings.Fields(integrity)
	for _, field := range fields {
		encoded, ok := strings.CutPrefix(field, "sha512-")
		if !ok {
			continue
		}
		encoded, _, _ = strings.Cut(encoded, "?") // SRI options
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil || len(raw) != 64 {
			return "", &verify.Refusal{Code: verify.CodeIntegrityWeak, Expected: "sha512- and the base64 of 64 bytes", Found: fmt.Sprintf("%.120q", field)}
		}
		if digest := hex.EncodeToString(raw); len(digests) == 0 || digests[0] != digest {
			digests = append(digests, digest)
		}
	}
	switch {
	case len(fields) == 0:
		return "", &verify.Refusal{Code: verify.CodeIntegrityMissing, Expected: "an integrity of sha512", Found: "none"}
	case len(digests) == 0:
		return "", &verify.Refusal{Code: verify.CodeIntegrityWeak, Expected: "an integrity of sha512", Found: fmt.Sprintf("%.120q", integrity)}
	case len(digests) > 1:
		return "", &verify.Refusal{Code: verify.CodeIntegrityAmbiguous, Expected: "one sha512", Found: fmt.Sprintf("%d different ones", len(digests))}
	}
	return digests[0], nil
}
