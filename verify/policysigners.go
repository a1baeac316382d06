package verify

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"plimsoll.example/attest"
)

func (p *policyParser) signers(parent *yaml.Node, f map[string]*yaml.Node, policy *Policy) error {
	n := f["signers"]
	if n == nil && f["npm"] != nil && f["requirements"] == nil {
		return nil
	}
	if n == nil {
		return p.errorf(parent, "signers: missing; name at least one signer and its keys or identity (a policy for plimsoll npm alone says so by npm: {})")
	}
	names, values, err := p.named(n, "signers")
	if err != nil {
		return err
	}
	owner := map[string]string{}
	for i, name := range names {
		s, err := p.signer(values[i], name)
		if err != nil {
			return err
		}
		for _, k := range s.Keys {
			if other, dup := owner[k.ID]; dup {
				return p.errorf(values[i], "signer %s: key %s is listed under %s already; a key belongs to one signer, once", name, k.ID, other)
			}
			owner[k.ID] = name
		}
		for _, other := range policy.Signers {
			if s.Identity != nil && other.Identity != nil && s.Root == other.Root && s.Identity.overlaps(other.Identity) {
				return p.errorf(values[i], "signer %s: a certificate could be of signer %s too; an identity belongs to one signer, so narrow one of them", name, other.Name)
			}
		}
		policy.Signers = append(policy.Signers, s)
	}
	slices.SortFunc(policy.Signers, func(a, b Signer) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

var (
	windowKeys   = []string{"not-before", "not-after", "revoked"}
	witnessKeys  = []string{"root", "log-entries", "signed-times"}
	identityKeys = []string{"issuer", "identity", "repository", "owner-id", "ref", "runner", "trigger", "environment", "scts"}
)

func (p *policyParser) signer(n *yaml.Node, name string) (s Signer, err error) {
	what := "signer " + name
	f, err := p.mapping(n, what, slices.Concat([]string{"keys"}, identityKeys, witnessKeys, windowKeys)...)
	if err != nil {
		return Signer{}, err
	}
	s.Name = name
	least := 0 // log entries and times that are demanded where nothing is said
	if f["keys"] != nil {
		for _, key := range slices.Concat(identityKeys, windowKeys) {
			if f[key] != nil {
				return Signer{}, p.errorf(f[key], "%s: %s: goes with an identity, not beside keys (a key has its own not-before, not-after and revoked)", what, key)
			}
		}
		if s.Keys, err = p.keys(n, f["keys"], name); err != nil {
			return Signer{}, err
		}
	} else {
		if s.Identity, err = p.identity(n, f, what); err != nil {
			return Signer{}, err
		}
		least = 1
	}
	if s.Root, err = p.root(f["root"], what); err != nil {
		return Signer{}, err
	}
	if s.LogEntries, err = p.number(f, what, "log-entries", 0, 8, least); err != nil {
		return Signer{}, err
	}
	if s.SignedTimes, err = p.number(f, what, "signed-times", 0, 8, least); err != nil {
		return Signer{}, err
	}
	if s.Identity != nil && s.SignedTimes == 0 {
		return Signer{}, p.errorf(f["signed-times"], "%s: signed-times: a certificate is valid for minutes only, so at least one time must be signed", what)
	}
	s.SCTs, err = p.number(f, what, "scts", 0, 8, least)
	return s, err
}

func (p *policyParser) keys(parent, n *yaml.Node, signer string) ([]SignerKey, error) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return nil, p.errorf(parent, "signer %s: keys: expected a list of at least one key", signer)
	}
	var keys []SignerKey
	for _, c := range n.Content {
		k, err := p.key(c, signer)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(keys, func(other SignerKey) bool { return other.ID == k.ID }) {
			return nil, p.errorf(c, "signer %s: key %s is listed twice", signer, k.ID)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func (p *policyParser) key(n *yaml.Node, signer string) (SignerKey, error) {
	what := "a key of signer " + signer
	f, err := p.mapping(n, what, slices.Concat([]string{"pem"}, windowKeys)...)
	if err != nil {
		return SignerKey{}, err
	}
	pem, err := p.text(n, f, "pem")
	if err != nil {
		return SignerKey{}, err
	}
	public, err := attest.ParsePublicKey([]byte(pem))
	if err != nil {
		return SignerKey{}, p.errorf(f["pem"], "pem: %v", err)
	}
	id, err := attest.KeyID(public)
	if err != nil {
		return SignerKey{}, p.errorf(f["pem"], "pem: %v", err)
	}
	key := SignerKey{ID: id, Public: public}
	key.Window, err = p.window(f, what)
	return key, err
}

func (p *policyParser) window(f map[string]*yaml.Node, what string) (w Window, err error) {
	if n := f["not-before"]; n != nil {
		// A day begins in the morning, where not-after ends it at night.
		if w.NotBefore, err = p.instant(n, "not-before"); err != nil {
			return Window{}, err
		}
	}
	if n := f["not-after"]; n != nil {
		if w.NotAfter, err = p.date(n, "not-after"); err != nil {
			return Window{}, err
		}
		if !w.NotBefore.Before(w.NotAfter) {
			return Window{}, p.errorf(n, "%s: not-after: expected a time after not-before", what)
		}
	}
	if n := f["revoked"]; n != nil {
		w.Revoked, err = p.revocation(n, what)
	}
	return w, err
}

var artifactDigest = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
})

func (p *policyParser) revocation(n *yaml.Node, what string) (*Revocation, error) {
	what += ": revoked"
	f, err := p.mapping(n, what, "at", "reason", "except")
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"at", "reason"} {
		if f[key] == nil {
			return nil, p.errorf(n, "%s: %s: missing; it needs at and reason (superseded or compromised)", what, key)
		}
	}
	r := &Revocation{}
	if r.At, err = p.instant(f["at"], "at"); err != nil {
		return nil, err
	}
	reason, err := p.word(f, what, "reason", "superseded", "compromised")
	if err != nil {
		return nil, err
	}
	r.Compromised = reason == "compromised"
	if r.Except, err = p.texts(f, what, "except"); err != nil {
		return nil, err
	}
	if len(r.Except) > 0 && !r.Compromised {
		return nil, p.errorf(f["except"], "%s: except: goes with reason compromised; superseded keeps what was signed before", what)
	}
	for i, e := range r.Except {
		if !artifactDigest().MatchString(e) {
			return nil, p.errorf(f["except"].Content[i], "%s: except: expected sha256:HEX or sha512:HEX of an artifact, found %q", what, e)
		}
	}
	return r, nil
}

func (p *policyParser) identity(n *yaml.Node, f map[string]*yaml.Node, what string) (*Identity, error) {
	if f["issuer"] == nil && f["identity"] == nil {
		return nil, p.errorf(n, "%s: expected keys, or issuer and identity", what)
	}
	i := &Identity{}
	var err error
	if i.Issuer, err = p.text(n, f, "issuer"); err != nil {
		return nil, err
	}
	if i.Subject, err = p.text(n, f, "identity"); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		key  string
		into *string
	}{{"owner-id", &i.OwnerID}, {"ref", &i.Ref}, {"runner", &i.Runner}, {"trigger", &i.Trigger}, {"environment", &i.Environment}} {
		if *part.into, err = p.optional(n, f, part.key); err != nil {
			return nil, err
		}
	}
	if r := f["repository"]; r != nil {
		rf, err := p.mapping(r, what+": repository", "uri", "id")
		if err != nil {
			return nil, err
		}
		if i.Repository, err = p.optional(r, rf, "uri"); err != nil {
			return nil, err
		}
		if i.RepositoryID, err = p.optional(r, rf, "id"); err != nil {
			return nil, err
		}
		if i.Repository == "" && i.RepositoryID == "" {
			return nil, p.errorf(r, "%s: repository: expected uri, id or both", what)
		}
	}
	if err := i.check(); err != nil {
		return nil, p.errorf(f["identity"], "%s: %v", what, err)
	}
	i.Window, err = p.window(f, what)
	return i, err
}

// maxPatternStars keeps the matching of a pattern cheap.
const maxPatternStars = 4

// ciIssuers sign for whatever workflow runs, so that the identity alone does not
// say whose source was built.
var ciIssuers = []string{
	"https://token.actions.githubusercontent.com", "https://gitlab.com", "https://agent.buildkite.com",
	"https://oidc.circleci.com", "https://oidc.codefresh.io",
}

// check refuses identities that are wider than they look.
func (i *Identity) check() error {
	if !i.exactIssuer() {
		return fmt.Errorf("issuer: expected an exact https address, found %q", i.Issuer)
	}
	for _, exact := range []struct{ what, value string }{{"repository: uri", i.Repository}, {"repository: id", i.RepositoryID},
		{"owner-id", i.OwnerID}, {"runner", i.Runner}, {"trigger", i.Trigger}, {"environment", i.Environment}} {
		if strings.Contains(exact.value, "*") {
			return fmt.Errorf("%s: is exact, and takes no *: found %q", exact.what, exact.value)
		}
	}
	if strings.Count(i.Subject, "*") > maxPatternStars || strings.Count(i.Ref, "*") > maxPatternStars || len(i.Subject) > 1000 || len(i.Ref) > 1000 {
		return fmt.Errorf("expected patterns with at most %d * and 1,000 characters", maxPatternStars)
	}
	if i.fromCI() && i.Repository == "" && i.RepositoryID == "" {
		return fmt.Errorf("repository: missing; %q names a workflow, which any repository may call: say whose source may be built, best by its id", i.Subject)
	}
	return i.checkPattern()
}

// exactIssuer tells whether the issuer is an address; without TLS only on this
// machine, where issuers of tests are.
func (i *Identity) exactIssuer() bool {
	u, err := url.Parse(i.Issuer)
	if err != nil || u.Host == "" || strings.Contains(i.Issuer, "*") {
		return false
	}
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	return u.Scheme == "https" || (u.Scheme == "http" && local)
}

// fromCI tells whether the identity is a workflow's.
func (i *Identity) fromCI() bool {
	for _, issuer := range ciIssuers {
		if i.Issuer == issuer || strings.HasPrefix(i.Issuer, issuer+"/") {
			return true
		}
	}
	// GitHub and GitLab under names of their owners'.
	return strings.Contains(i.Subject, "@refs/") || strings.Contains(i.Subject, "/.github/workflows/") || strings.Contains(i.Subject, "//.gitlab-ci")
}

// checkPattern demands that a pattern names host, owner and repository by itself.
func (i *Identity) checkPattern() error {
	fixed, _, star := strings.Cut(i.Subject, "*")
	if !star {
		return nil
	}
	rest, ok := strings.CutPrefix(fixed, "https://")
	switch {
	case !ok:
		return fmt.Errorf("identity: a * is for the workflow and ref of a https:// identity; write out %q", i.Subject)
	case strings.Count(rest, "/") < 3:
		return fmt.Errorf("identity: a * must come after host, owner and repository, found %q", i.Subject)
	case strings.Contains(i.Subject, "//.gitlab-ci") && !strings.Contains(rest, "//"):
		return fmt.Errorf("identity: a * must come after the project's whole path, found %q", i.Subject)
	case strings.Contains(fixed, "/../") || strings.Contains(fixed, "/./"):
		return fmt.Errorf("identity: expected a path without dots, found %q", i.Subject)
	}
	if i.Issuer == "https://gitlab.com" && !strings.Contains(rest, "//") {
		return fmt.Errorf("identity: a * must come after the project's whole path (and its //), found %q", i.Subject)
	}
	return nil
}

var sha256Hex = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })

// root reads `public-good`, or a file with its digest.
func (p *policyParser) root(n *yaml.Node, what string) (RootRef, error) {
	if n == nil {
		return RootRef{}, nil
	}
	what += ": root"
	if n.Kind == yaml.ScalarNode {
		if n.Value != PublicGoodName {
			return RootRef{}, p.errorf(n, "%s: expected %s, or {file, sha256}, found %q", what, PublicGoodName, n.Value)
		}
		return RootRef{}, nil
	}
	file, digest, err := p.pinnedFile(n, what)
	if err == nil && file == PublicGoodName {
		return RootRef{}, p.errorf(n, "%s: file: %q would be taken for Sigstore's public-good instance in reports; give the file another name", what, file)
	}
	return RootRef{File: file, SHA256: digest}, err
}

// pinnedFile reads {file, sha256}: what a policy refers to is pinned by digest, so
// that the policy's own digest says all of what decides.
func (p *policyParser) pinnedFile(n *yaml.Node, what string, more ...string) (file, digest string, err error) {
	f, err := p.mapping(n, what, slices.Concat([]string{"file", "sha256"}, more)...)
	if err != nil {
		return "", "", err
	}
	if file, err = p.text(n, f, "file"); err != nil {
		return "", "", err
	}
	if f["sha256"] == nil {
		return "", "", p.errorf(n, "%s: sha256: missing; a file that a policy refers to is pinned by its digest", what)
	}
	if digest, err = p.text(n, f, "sha256"); err != nil {
		return "", "", err
	}
	if !sha256Hex().MatchString(digest) {
		return "", "", p.errorf(f["sha256"], "%s: sha256: expected 64 lower-case hexadecimal digits, found %q", what, digest)
	}
	return file, digest, nil
}
