package sigstore

import (
	"cmp"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// An Authority is a part of a trust root: a certificate authority, a log or a
// timestamp authority, with its validity.
type Authority struct {
	Kind  string    `json:"kind"` // certificate-authority, certificate-log, transparency-log, timestamp-authority
	Name  string    `json:"name"` // its address, or the subject of its certificate
	ID    string    `json:"id,omitempty"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end,omitzero"` // zero: no end
}

// Authorities lists what a root trusts, in the order of its file.
func (r *Root) Authorities() []Authority {
	var all []Authority
	for _, ca := range r.material.FulcioCertificateAuthorities() {
		if shared, ok := ca.(*sharedAuthority); ok {
			ca = shared.FulcioCertificateAuthority
		}
		if f, ok := ca.(*root.FulcioCertificateAuthority); ok {
			all = append(all, Authority{Kind: "certificate-authority", Name: nameOf(f.URI, f.Root), Start: f.ValidityPeriodStart, End: f.ValidityPeriodEnd})
		}
	}
	all = append(all, logsOf("certificate-log", r.material.CTLogs())...)
	all = append(all, logsOf("transparency-log", r.material.RekorLogs())...)
	for _, tsa := range r.material.TimestampingAuthorities() {
		if t, ok := tsa.(*root.SigstoreTimestampingAuthority); ok {
			all = append(all, Authority{Kind: "timestamp-authority", Name: nameOf(t.URI, t.Root), Start: t.ValidityPeriodStart, End: t.ValidityPeriodEnd})
		}
	}
	return all
}

func nameOf(uri string, certificate *x509.Certificate) string {
	if uri != "" || certificate == nil {
		return uri
	}
	return fmt.Sprint(certificate.Subject)
}

func logsOf(kind string, logs map[string]*root.TransparencyLog) []Authority {
	var all []Authority
	for _, id := range sortedIDs(logs) {
		l := logs[id]
		all = append(all, Authority{Kind: kind, Name: l.BaseURL, ID: hex.EncodeToString(l.ID), Start: l.ValidityPeriodStart, End: l.ValidityPeriodEnd})
	}
	return all
}

func sortedIDs(logs map[string]*root.TransparencyLog) []string {
	return slices.SortedFunc(maps.Keys(logs), func(a, b string) int {
		return cmp.Or(logs[a].ValidityPeriodStart.Compare(logs[b].ValidityPeriodStart), strings.Compare(a, b))
	})
}
