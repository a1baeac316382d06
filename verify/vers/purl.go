package vers

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	packageurl "github.com/package-url/packageurl-go"
)

const maxPurl = 64 << 10 // bytes

// A target is what a purl names, in the form in which names are compared.
type target struct {
	kind, namespace, name string
	version               string
	qualifiers            map[string]string
	subpath               string
}

// path returns the part of a purl between its type and its qualifiers, as written.
func path(purl string) string {
	s, _, _ := strings.Cut(purl, "#")
	s, _, _ = strings.Cut(s, "?")
	_, s, _ = strings.Cut(s, ":")
	_, s, _ = strings.Cut(strings.TrimLeft(s, "/"), "/")
	return strings.TrimLeft(s, "/")
}

// parseTarget reads a purl. What purls may be written like in more than one way
// comes out as one; what two readers could take for different packages is an error.
func parseTarget(purl string) (target, error) {
	if len(purl) > maxPurl {
		return target{}, fmt.Errorf("expected a purl of at most %d bytes, found %d", maxPurl, len(purl))
	}
	for i := range len(purl) {
		if purl[i] <= ' ' || purl[i] == 0x7f {
			return target{}, fmt.Errorf("%s: expected no spaces and no control characters in a purl", abbreviated(purl))
		}
	}
	// Of a@1@2 one reader takes the version after the first "@", another after the last.
	if p := path(purl); p != "" && strings.Count(p[1:], "@") > 1 {
		return target{}, fmt.Errorf(`%s: expected one "@" before the version, found several`, abbreviated(purl))
	}
	p, err := packageurl.FromString(purl)
	if err != nil {
		return target{}, fmt.Errorf("%s: %w", abbreviated(purl), err)
	}
	t := target{kind: p.Type, version: p.Version, qualifiers: p.Qualifiers.Map(), subpath: p.Subpath}
	t.namespace, t.name, err = names(p.Type, p.Namespace, p.Name)
	if err != nil {
		return target{}, fmt.Errorf("%s: %w", abbreviated(purl), err)
	}
	return t, nil
}

// names folds the spellings of a namespace and a name into one.
func names(kind, namespace, name string) (string, string, error) {
	// A slash may have been encoded, and so be in the name: %40scope%2Fname.
	var parts []string
	for part := range strings.SplitSeq(namespace+"/"+name, "/") {
		if part == "" {
			continue
		}
		if err := checkName(part); err != nil {
			return "", "", err
		}
		parts = append(parts, foldName(kind, part))
	}
	if len(parts) == 0 {
		return "", "", errors.New("expected a name, found none")
	}
	last := len(parts) - 1
	namespace, name = strings.Join(parts[:last], "/"), parts[last]
	switch kind {
	case "npm":
		if namespace != "" && namespace[0] != '@' {
			namespace = "@" + namespace
		}
		fallthrough
	case "pypi", "golang", "cargo", "gem", "nuget", "maven":
		if strings.Contains(name, "@") {
			return "", "", fmt.Errorf(`expected a name without "@" for type %s, found %q`, kind, name)
		}
	}
	return namespace, name, nil
}

// checkName refuses parts of names that look like another to a reader or a program.
func checkName(part string) error {
	switch {
	case part == "." || part == "..":
		return fmt.Errorf("expected a name, found %q in it", part)
	case strings.TrimSpace(part) != part:
		return fmt.Errorf("expected a name without spaces around it, found %q", part)
	case strings.Contains(part, "%"):
		return fmt.Errorf("expected a name that is percent-encoded once, found %q after decoding", part)
	case !utf8.ValidString(part):
		return fmt.Errorf("expected a name in UTF-8, found %q", part)
	}
	for _, r := range part {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("expected printable characters in a name, found %q", part)
		}
	}
	return nil
}

// foldName returns a part of a name in the form in which the type compares it. Where
// a registry is strict about case, folding still loses nothing: no two packages of
// these types that differ in case only are both to be trusted.
func foldName(kind, part string) string {
	switch kind {
	case "npm", "github", "nuget", "oci":
		return strings.ToLower(part)
	case "golang":
		// Go's module cache writes !azure for Azure.
		return strings.ToLower(strings.ReplaceAll(part, "!", ""))
	case "pypi":
		return foldPyPI(part)
	}
	return part
}

// foldPyPI: PyPA's name normalization: lower case, and runs of "-", "_" and "." are one "-".
func foldPyPI(s string) string {
	var b strings.Builder
	run := false
	for _, r := range strings.ToLower(s) {
		if r == '-' || r == '_' || r == '.' {
			run = true
			continue
		}
		if run {
			b.WriteByte('-')
			run = false
		}
		b.WriteRune(r)
	}
	if run {
		b.WriteByte('-')
	}
	return b.String()
}
