package verify

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	packageurl "github.com/package-url/packageurl-go"
	"plimsoll.example/attest"
	"plimsoll.example/verify/vers"
)

// ParseName checks what an artifact is said to be: a purl or an absolute URI.
// It returns it in the form in which names are compared.
func ParseName(name string) (string, error) {
	if len(name) > 2000 {
		return "", errors.New("expected at most 2,000 characters")
	}
	if strings.HasPrefix(name, "pkg:") {
		p, err := packageurl.FromString(name)
		if err != nil {
			return "", fmt.Errorf("expected a purl, found %q: %w", name, err)
		}
		if err := p.Normalize(); err != nil {
			return "", fmt.Errorf("expected a purl, found %q: %w", name, err)
		}
		return p.ToString(), nil
	}
	u, err := url.Parse(name)
	if err != nil || !u.IsAbs() || (u.Host == "" && u.Opaque == "") {
		return "", fmt.Errorf("expected a purl (pkg:generic/acme/shop@2.1.0) or a URI, found %q", name)
	}
	return name, nil
}

// sameName tells whether a statement's name for the artifact is the wanted one.
// Where the wanted purl has no version, any version will do; qualifiers that the
// wanted purl has must be there.
func sameName(wanted, found string) bool {
	if wanted == found {
		return true
	}
	w, errW := packageurl.FromString(wanted)
	f, errF := packageurl.FromString(found)
	if errW != nil || errF != nil || w.Normalize() != nil || f.Normalize() != nil {
		return false
	}
	if w.Type != f.Type || w.Namespace != f.Namespace || w.Name != f.Name || (w.Version != "" && w.Version != f.Version) || w.Subpath != f.Subpath {
		return false
	}
	has := f.Qualifiers.Map()
	for key, value := range w.Qualifiers.Map() {
		if has[key] != value {
			return false
		}
	}
	return true
}

// checkArtifactName checks a key of a policy's `artifacts`.
func checkArtifactName(name string) error {
	if name == "*" || artifactDigest().MatchString(name) {
		return nil
	}
	if strings.HasPrefix(name, "sha") || !strings.Contains(name, ":") {
		return fmt.Errorf("expected sha256:HEX, sha512:HEX, a purl, a URI or \"*\", found %q", name)
	}
	if strings.Contains(name, "*") {
		return fmt.Errorf("%q: \"*\" stands for every artifact and is no part of a name", name)
	}
	_, err := ParseName(name)
	return err
}

// appliesTo tells whether a rule is about an artifact: by what --as calls it, or
// by its digest.
func (r ArtifactRule) appliesTo(a Artifact) bool {
	if r.Name == "*" {
		return true
	}
	if alg, value, _ := strings.Cut(r.Name, ":"); artifactDigest().MatchString(r.Name) {
		return a.Digests[alg] == value
	}
	return a.As != "" && (sameName(r.Name, a.As) || sameName(r.Name, withoutSubpath(a.As)))
}

// withoutSubpath drops a purl's subpath: a rule about a package is one about all of it,
// else a name with a subpath would fall to the rule for anything.
func withoutSubpath(name string) string {
	p, err := packageurl.FromString(name)
	if err != nil {
		return name
	}
	p.Subpath = ""
	return p.ToString()
}

func (r ArtifactRule) checkMinVersion() error {
	if r.MinVersion == "" {
		return nil
	}
	p, err := packageurl.FromString(r.Name)
	if err != nil {
		return fmt.Errorf("goes with a purl, whose type says how versions are ordered, found %q", r.Name)
	}
	if p.Version != "" {
		return errors.New("goes with a purl without a version")
	}
	_, err = vers.AtLeast(p.Type, r.MinVersion, r.MinVersion)
	return err
}

// admitVersion stops a rollback.
func (r ArtifactRule) admitVersion(a Artifact) *Refusal {
	if r.MinVersion == "" {
		return nil
	}
	refuse := func(found string) *Refusal {
		return &Refusal{Code: CodeVersionTooLow, Expected: fmt.Sprintf("%s at version %s or higher", r.Name, r.MinVersion), Found: found}
	}
	p, err := packageurl.FromString(a.As)
	if err != nil || p.Version == "" {
		return refuse(fmt.Sprintf("no version in %q", a.As))
	}
	ok, err := vers.AtLeast(p.Type, p.Version, r.MinVersion)
	if err != nil {
		return refuse(fmt.Sprintf("version %q, which cannot be compared: %v", p.Version, err))
	}
	if !ok {
		return refuse("version " + p.Version)
	}
	return nil
}

// bind says what a verified statement calls the artifact, and refuses it if that
// is something else than what the artifact is deployed as. bound is false where
// the statement gives no name that could be compared.
func bind(v VerifiedStatement, artifact Artifact) (bound bool, _ *Refusal) {
	if artifact.As == "" {
		return false, nil
	}
	names, refusal := namesOf(v, artifact)
	if refusal != nil {
		return false, refusal
	}
	for _, n := range names {
		if !sameName(artifact.As, n.name) {
			return false, &Refusal{Code: CodeNameMismatch, Expected: artifact.As, Found: fmt.Sprintf("%s %s", n.where, n.name)}
		}
	}
	return len(names) > 0, nil
}

// A claimedName is what a statement calls the artifact, and where.
type claimedName struct{ where, name string }

// namesOf collects the names of the artifact in a statement: its subject where
// that is a purl, and the place that the predicate type has for it.
func namesOf(v VerifiedStatement, artifact Artifact) ([]claimedName, *Refusal) {
	var names []claimedName
	if s := v.subject; strings.HasPrefix(s.Name, "pkg:") {
		names = append(names, claimedName{"the subject's name", s.Name})
	}
	var more []claimedName
	var err error
	switch predicate := v.statement.Predicate; v.statement.PredicateType {
	case attest.TypeCycloneDX:
		more, err = sbomNames(predicate, artifact)
	case attest.TypeVSA:
		more, err = vsaNames(predicate)
	case typeRelease:
		more, err = releaseNames(predicate)
	}
	if err != nil {
		return nil, &Refusal{Code: CodePredicateMalformed, Expected: "a predicate that says what the artifact is", Found: err.Error()}
	}
	return append(names, more...), nil
}

// typeRelease is in-toto's release predicate, with which a registry or a release
// page says what it published.
const typeRelease = "https://in-toto.io/attestation/release/v0.1"

func releaseNames(predicate []byte) ([]claimedName, error) {
	var p struct {
		Purl string `json:"purl"`
	}
	if err := unmarshal(predicate, &p); err != nil {
		return nil, err
	}
	if p.Purl == "" {
		return nil, nil
	}
	return []claimedName{{"the release's purl", p.Purl}}, nil
}

// checkWaiverSubject checks what a waiver is about.
func checkWaiverSubject(subject string) error {
	if artifactDigest().MatchString(subject) {
		return nil
	}
	p, err := packageurl.FromString(subject)
	if err != nil || p.Version == "" {
		return fmt.Errorf("expected sha256:HEX of the artifact, or the purl of a component with its version, found %q", subject)
	}
	return nil
}
