package sbom

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"

	"plimsoll.example/sbom/npm"
)

// npmPURL writes a package's purl. What does not come from a registry says where
// from; a folder of the project has no purl, for it would name whatever a
// registry has under that name.
func npmPURL(pkg npm.Package, root bool) string {
	if pkg.Name == "" {
		return ""
	}
	var qualifiers packageurl.Qualifiers
	switch pkg.Source {
	case npm.SourceGit:
		vcs := pkg.Resolved
		if !strings.HasPrefix(vcs, "git+") {
			vcs = "git+" + vcs
		}
		if vcs = withoutUser(vcs); vcs == "" {
			return "" // an empty qualifier would name whatever a registry has
		}
		qualifiers = packageurl.Qualifiers{{Key: "vcs_url", Value: vcs}}
	case npm.SourceTarball:
		address := withoutUser(pkg.Resolved)
		if address == "" {
			return ""
		}
		qualifiers = packageurl.Qualifiers{{Key: "download_url", Value: address}}
	case npm.SourceRegistry:
	default:
		if !root || pkg.Version == "" {
			return ""
		}
	}
	namespace, name := "", pkg.Name
	if i := strings.IndexByte(name, '/'); i > 0 && name[0] == '@' {
		namespace, name = name[:i], name[i+1:]
	}
	return packageurl.NewPackageURL(packageurl.TypeNPM, namespace, name, pkg.Version, qualifiers, "").ToString()
}

func splitScope(name string) (group, rest string) {
	if i := strings.IndexByte(name, '/'); i > 0 && name[0] == '@' {
		return name[:i], name[i+1:]
	}
	return "", name
}

// distribution returns where a package's bytes are, if that can be written as a
// URL: npm's scp-like git addresses cannot.
func distribution(pkg npm.Package) string {
	switch pkg.Source {
	case npm.SourceRegistry, npm.SourceTarball, npm.SourceGit:
		return withoutUser(pkg.Resolved)
	}
	return ""
}

// withoutUser drops user names, which may be tokens, passwords and secret parameters
// from an address, but for the user git of ssh; "" if it is no address. npm writes
// HOST:PATH behind git+ssh://, which no URL has; it becomes HOST/PATH.
func withoutUser(address string) string {
	address = npm.WithoutUsers(address)
	u, err := url.Parse(address)
	if err != nil {
		scheme, rest, _ := strings.Cut(address, "://")
		host, path, scp := strings.Cut(rest, ":")
		if !scp || strings.Contains(host, "/") {
			return ""
		}
		u, err = url.Parse(scheme + "://" + host + "/" + path)
	}
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	if _, secret := u.User.Password(); secret || u.User.Username() != "git" || !strings.HasSuffix(u.Scheme, "ssh") {
		u.User = nil
	}
	return writtenURL(u)
}

// writtenURL writes a URL; "" if it has what no URL may hold (RFC 3986, appendix A;
// RFC 3987, 2.2): the library keeps a query and a host as they are.
func writtenURL(u *url.URL) string {
	s := u.String()
	if strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == utf8.RuneError || strings.ContainsRune("\"<>\\^`{|}", r)
	}) {
		return ""
	}
	return s
}

// page returns the address of a web page, without user names; "" if it is none.
func page(address string) string {
	if u, err := url.Parse(address); err != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return withoutUser(address)
}

// specWithoutUser does the same to what a package requires, where that is an
// address. Other forms have an @ before a version, or hold an address.
func specWithoutUser(spec string) string {
	scheme, _, address := strings.Cut(spec, ":")
	if !address || !strings.ContainsAny(spec, "@?") {
		return spec
	}
	switch scheme {
	case "npm", "workspace", "catalog", "jsr", "file", "link", "portal", "patch", "exec":
		return npm.WithoutUsers(spec)
	}
	if address := withoutUser(spec); address != "" {
		return address
	}
	return "(an address)"
}

// integrityAlgorithms are the SRI algorithms, strongest first (W3C Subresource
// Integrity, and npm's sha1).
var integrityAlgorithms = []struct {
	prefix string
	name   cdx.HashAlgorithm
	length int
}{
	{"sha512-", cdx.HashAlgoSHA512, 64}, {"sha384-", cdx.HashAlgoSHA384, 48}, {"sha256-", cdx.HashAlgoSHA256, 32}, {"sha1-", cdx.HashAlgoSHA1, 20},
}

func integrityHashes(integrity string) []cdx.Hash {
	var hashes []cdx.Hash
	for field := range strings.FieldsSeq(integrity) {
		for _, a := range integrityAlgorithms {
			encoded, ok := strings.CutPrefix(field, a.prefix)
			if !ok {
				continue
			}
			encoded, _, _ = strings.Cut(encoded, "?")
			if raw, err := base64.StdEncoding.DecodeString(encoded); err == nil && len(raw) == a.length {
				hashes = append(hashes, cdx.Hash{Algorithm: a.name, Value: hex.EncodeToString(raw)})
			}
		}
	}
	slices.SortFunc(hashes, func(a, b cdx.Hash) int {
		return strings.Compare(string(a.Algorithm)+a.Value, string(b.Algorithm)+b.Value)
	})
	return slices.Compact(hashes)
}

// repositoryAddress is what package.json says of a repository, as a URL: addresses,
// git's HOST:PATH, and npm's short forms of known hosts.
func repositoryAddress(s string) string {
	if host, path, ok := strings.Cut(s, ":"); ok && !strings.Contains(path, ":") && !strings.HasPrefix(path, "//") {
		known := map[string]string{"github": "https://github.com/", "gitlab": "https://gitlab.com/", "bitbucket": "https://bitbucket.org/"}[host]
		if known == "" {
			return ""
		}
		s = known + path
	} else if strings.Count(s, "/") == 1 && !strings.ContainsAny(s, ": ") {
		s = "https://github.com/" + s
	}
	return withoutUser(s)
}
