package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Identity is whom a certificate must name. Issuer is exact; Subject is exact
// or a pattern with `*`; what is empty is not demanded.
type Identity struct {
	Issuer  string
	Subject string // the certificate's subject alternative name
	// Where the build's source is (extensions .12 and .15): the certificate's
	// identity alone is the workflow file, which any repository may call.
	Repository, RepositoryID string
	OwnerID                  string // .17
	Ref                      string // .14, a pattern
	Runner                   string // .11
	Trigger                  string // .20
	Environment              string // .23
	Window
}

// maySign tells whether a verified certificate is of this identity. A field that
// the policy demands and the certificate lacks does not match.
func (i *Identity) maySign(c *Certificate) bool {
	exact := func(want, found string) bool { return want == "" || want == found }
	return i.Issuer != "" && i.Issuer == c.Issuer &&
		i.Subject != "" && matchPattern(i.Subject, c.Identity) &&
		exact(i.Repository, c.Repository) && exact(i.RepositoryID, c.RepositoryID) &&
		exact(i.OwnerID, c.OwnerID) && exact(i.Runner, c.Runner) &&
		exact(i.Trigger, c.Trigger) && exact(i.Environment, c.Environment) &&
		(i.Ref == "" || matchPattern(i.Ref, c.Ref))
}

// matchPattern matches the whole of text; `*` stands for any characters but `/`
// and `@`, so that it never reaches into another part of an identity.
func matchPattern(pattern, text string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	text, ok := strings.CutPrefix(text, first)
	if !ok || !star {
		return ok && text == ""
	}
	for i := 0; ; i++ {
		if matchPattern(rest, text[i:]) {
			return true
		}
		if i == len(text) || text[i] == '/' || text[i] == '@' {
			return false
		}
	}
}

// patternsMeet tells whether some text matches both patterns.
func patternsMeet(a, b string) bool {
	switch {
	case a == "" && b == "":
		return true
	case strings.HasPrefix(a, "*"):
		return patternsMeet(a[1:], b) || (b != "" && b[0] != '/' && b[0] != '@' && patternsMeet(a, b[1:]))
	case strings.HasPrefix(b, "*"):
		return patternsMeet(b, a)
	}
	return a != "" && b != "" && a[0] == b[0] && patternsMeet(a[1:], b[1:])
}

// overlaps tells whether one certificate could be of both identities.
func (i *Identity) overlaps(other *Identity) bool {
	may := func(a, b string) bool { return a == "" || b == "" || a == b }
	patterns := func(a, b string) bool { return a == "" || b == "" || patternsMeet(a, b) }
	return i.Issuer == other.Issuer && patterns(i.Subject, other.Subject) &&
		may(i.Repository, other.Repository) && may(i.RepositoryID, other.RepositoryID) &&
		may(i.OwnerID, other.OwnerID) && may(i.Runner, other.Runner) && may(i.Trigger, other.Trigger) &&
		may(i.Environment, other.Environment) && patterns(i.Ref, other.Ref)
}

// identify returns the policy's signer who made a verified signature, and the
// window that holds for it.
func (p *Policy) identify(s Signature) (Signer, Window, *Refusal) {
	var found []Signer
	var window Window
	for _, signer := range p.Signers {
		for _, k := range signer.Keys {
			if k.ID == s.KeyID && s.KeyID != "" && s.Certificate == nil {
				found, window = append(found, signer), k.Window
			}
		}
		if i := signer.Identity; i != nil && s.Certificate != nil && signer.Root.vouchedFor(s) && i.maySign(s.Certificate) {
			found, window = append(found, signer), i.Window
		}
	}
	switch len(found) {
	case 0:
		return Signer{}, Window{}, &Refusal{Code: CodeSignerUnknown, Expected: p.describeSigners(s), Found: s.describe()}
	case 1:
		return found[0], window, nil
	}
	return Signer{}, Window{}, &Refusal{Code: CodeSignerAmbiguous, Expected: "a signature by one of the policy's signers",
		Found: fmt.Sprintf("%s, who is both %q and %q", s.describe(), found[0].Name, found[1].Name)}
}

// vouchedFor tells whether this root vouched for a signature. A file is told by its
// digest: who verifies without the policy's roots does not know what it calls them.
func (r RootRef) vouchedFor(s Signature) bool {
	if r.File != "" {
		return s.RootDigest == "sha256:"+r.SHA256
	}
	return s.Root == PublicGoodName
}

// describeSigners lists whom the policy knows of the kind that signed.
func (p *Policy) describeSigners(s Signature) string {
	var known []string
	for _, signer := range p.Signers {
		if i := signer.Identity; i != nil && s.Certificate != nil {
			known = append(known, fmt.Sprintf("%q: %s", signer.Name, nearest(i, s.Certificate)))
		}
		for _, k := range signer.Keys {
			if s.Certificate == nil {
				known = append(known, fmt.Sprintf("%q: key %s", signer.Name, k.ID))
			}
		}
	}
	if len(known) == 0 {
		return "a signature by one of the policy's signers, none of whom signs in this way"
	}
	return strings.Join(known, "; or ")
}

// nearest describes an identity, and first of it what the certificate differs in.
func nearest(i *Identity, c *Certificate) string {
	differ := func(label, want, found string, same bool) string {
		if want == "" || same {
			return ""
		}
		return fmt.Sprintf("%s %s (found %s)", label, want, cmp.Or(found, "none"))
	}
	exact := func(label, want, found string) string { return differ(label, want, found, want == found) }
	var parts []string
	for _, part := range []string{
		exact("issuer", i.Issuer, c.Issuer),
		differ("identity", i.Subject, c.Identity, matchPattern(i.Subject, c.Identity)),
		exact("source repository", i.Repository, c.Repository),
		exact("repository id", i.RepositoryID, c.RepositoryID),
		exact("owner id", i.OwnerID, c.OwnerID),
		differ("ref", i.Ref, c.Ref, matchPattern(i.Ref, c.Ref)),
		exact("runner", i.Runner, c.Runner),
		exact("trigger", i.Trigger, c.Trigger),
		exact("environment", i.Environment, c.Environment),
	} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return i.Subject + ", vouched for by another trust root"
	}
	return strings.Join(parts, ", ")
}

// describe says who signed, with what tells one caller of a workflow from
// another.
func (s Signature) describe() string {
	if c := s.Certificate; c != nil {
		text := fmt.Sprintf("%s (issuer %s", c.Identity, c.Issuer)
		if c.Repository != "" {
			text += ", source repository " + c.Repository
		}
		if c.RepositoryID != "" {
			text += " id " + c.RepositoryID
		}
		return text + ")"
	}
	if s.KeyName != "" {
		return "key " + s.KeyName
	}
	return "key " + s.KeyID
}

// admit judges what bears witness to a signature: as many log entries, times and
// certificate timestamps as the signer must have, within the window, and not
// revoked.
func (s Signer) admit(w Window, sig Signature, artifact Artifact, now time.Time) *Refusal {
	if sig.LogEntries < s.LogEntries {
		return &Refusal{Code: CodeLogMissing, Expected: fmt.Sprintf("entries in %d logs, as signer %q must have", s.LogEntries, s.Name),
			Found: fmt.Sprintf("%d%s", sig.LogEntries, because(sig.Problem))}
	}
	if len(sig.Times) < s.SignedTimes {
		return &Refusal{Code: CodeTimeMissing, Expected: fmt.Sprintf("%d signed times, as signer %q must have", s.SignedTimes, s.Name),
			Found: fmt.Sprintf("%d%s", len(sig.Times), because(sig.Problem))}
	}
	if sig.Certificate != nil && sig.SCTs < s.SCTs {
		return &Refusal{Code: CodeSCTInvalid, Expected: fmt.Sprintf("%d certificate timestamps, as signer %q must have", s.SCTs, s.Name),
			Found: fmt.Sprint(sig.SCTs)}
	}
	if r := w.admit(sig, now); r != nil {
		return r
	}
	return w.Revoked.admit(sig, artifact)
}

func because(problem string) string {
	if problem == "" {
		return ""
	}
	return ": " + problem
}

// admit binds the signed times to the window; without one it binds now.
func (w Window) admit(sig Signature, now time.Time) *Refusal {
	times := sig.Times
	what := "signed"
	if len(times) == 0 {
		times, what = []SignedTime{{Time: now}}, "not signed with a time, and it is now"
	}
	for _, t := range times {
		if !w.NotBefore.IsZero() && t.Time.Before(w.NotBefore) {
			return &Refusal{Code: CodeKeyNotYetValid, Expected: "a signature not before " + stamp(w.NotBefore),
				Found: fmt.Sprintf("%s, %s %s", sig.describe(), what, stamp(t.Time))}
		}
		if !w.NotAfter.IsZero() && !t.Time.Before(w.NotAfter) {
			return &Refusal{Code: CodeKeyExpired, Expected: "a signature before " + stamp(w.NotAfter),
				Found: fmt.Sprintf("%s, %s %s", sig.describe(), what, stamp(t.Time))}
		}
	}
	return nil
}

// admit applies a revocation; nil admits.
func (r *Revocation) admit(sig Signature, artifact Artifact) *Refusal {
	if r == nil {
		return nil
	}
	if r.Compromised {
		for alg, value := range artifact.Digests {
			if slices.Contains(r.Except, alg+":"+value) {
				return nil
			}
		}
		return &Refusal{Code: CodeSignerRevoked, Expected: "a signer that is not compromised, or an artifact that its revocation lists",
			Found: fmt.Sprintf("%s, compromised on %s", sig.describe(), stamp(r.At))}
	}
	if len(sig.Times) == 0 {
		return &Refusal{Code: CodeSignerRevoked, Expected: "a time, signed by a log or an authority, before " + stamp(r.At),
			Found: sig.describe() + ", superseded then, without a signed time" + because(sig.Problem)}
	}
	for _, t := range sig.Times {
		if !t.Time.Before(r.At) {
			return &Refusal{Code: CodeSignerRevoked, Expected: "a signature before " + stamp(r.At),
				Found: fmt.Sprintf("%s, superseded then, signed %s", sig.describe(), stamp(t.Time))}
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
