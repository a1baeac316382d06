package verify

import (
	"slices"
	"time"

	packageurl "github.com/package-url/packageurl-go"
)

// A WaiverBook keeps which waivers were used in one decision. CoveredBy may be called
// by several goroutines.
type WaiverBook struct {
	waivers  []Waiver
	artifact Artifact
	now      time.Time
	used     []bool
}

// NewWaiverBook opens a book of waivers about an artifact, or, with the zero Artifact,
// about what findings name as their subject.
func NewWaiverBook(waivers []Waiver, artifact Artifact, now time.Time) *WaiverBook {
	return &WaiverBook{waivers: waivers, artifact: artifact, now: now, used: make([]bool, len(waivers))}
}

// NPMWaivers parts the policy's waivers into those about findings of plimsoll npm and
// those about decisions on artifacts.
func (p *Policy) NPMWaivers() (npm, artifacts []Waiver) {
	for _, w := range p.Waivers {
		if _, there := npmRow(w.Code); there {
			npm = append(npm, w)
		} else {
			artifacts = append(artifacts, w)
		}
	}
	return npm, artifacts
}

// CoveredBy returns the owner of a waiver in force that sets a finding aside, or "".
func (b *WaiverBook) CoveredBy(f Finding) string {
	for _, w := range b.waivers {
		if b.inForce(w) == "" && w.covers(f, b.artifact) {
			return "waiver of " + w.Owner
		}
	}
	return ""
}

// Use notes which waivers set findings aside that the decision rests on.
func (b *WaiverBook) Use(findings []Finding) {
	for i, w := range b.waivers {
		b.used[i] = b.used[i] || slices.ContainsFunc(findings, func(f Finding) bool { return f.WaivedBy != "" && b.inForce(w) == "" && w.covers(f, b.artifact) })
	}
}

// inForce returns why a waiver does not count, or "".
func (b *WaiverBook) inForce(w Waiver) Code {
	switch {
	case !b.now.Before(w.Expires):
		return CodeWaiverExpired
	// A date means the end of its day, so that 90 days from today may be 91.
	case w.Expires.Sub(b.now) > MaxWaiver+24*time.Hour:
		return CodeWaiverTooLong
	}
	return ""
}

func (w Waiver) covers(f Finding, artifact Artifact) bool {
	if !w.Code.Waivable() || w.Code != f.Code || (w.Advisory != "" && w.Advisory != f.Advisory) {
		return false
	}
	if artifactDigest().MatchString(w.Subject) {
		for alg, value := range artifact.Digests {
			if w.Subject == alg+":"+value {
				return true
			}
		}
		return false
	}
	return samePackage(w.Subject, f.Subject)
}

// samePackage compares type, namespace, name and version of two purls, and the
// qualifiers that the first has.
func samePackage(a, b string) bool {
	x, errX := packageurl.FromString(a)
	y, errY := packageurl.FromString(b)
	if errX != nil || errY != nil || x.Normalize() != nil || y.Normalize() != nil {
		return false
	}
	has := y.Qualifiers.Map()
	for key, value := range x.Qualifiers.Map() {
		if has[key] != value {
			return false
		}
	}
	return x.Type == y.Type && x.Namespace == y.Namespace && x.Name == y.Name && x.Version == y.Version && x.Version != ""
}

// Report says what became of each waiver; one that set nothing aside is an orphan.
func (b *WaiverBook) Report() []WaiverInfo {
	var infos []WaiverInfo
	for i, w := range b.waivers {
		info := WaiverInfo{Code: w.Code, Subject: w.Subject, Advisory: w.Advisory, Owner: w.Owner, Reason: w.Reason,
			Expires: w.Expires, Used: b.used[i], Problem: b.inForce(w)}
		if info.Problem == "" && !info.Used {
			info.Problem = CodeWaiverUnused
		}
		infos = append(infos, info)
	}
	return infos
}
