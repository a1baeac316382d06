package sigstore

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
)

// maxConfig bounds trust root and signing configuration files.
const maxConfig = 4 << 20

// Services are those that are asked.
type Services struct {
	Fulcio     string   // certificate authority; "": none
	Timestamps []string // timestamp authorities, each with its whole path
	Logs       []Log
}

// A Log is a transparency log.
type Log struct {
	URL     string
	Version uint32 // of Rekor's interface: 1, 2, or 0: ask it
}

// Empty says whether there is none.
func (s Services) Empty() bool { return s.Fulcio == "" && len(s.Timestamps) == 0 && len(s.Logs) == 0 }

func (s Services) check() error {
	if s.Fulcio != "" {
		if err := checkURL(s.Fulcio, true); err != nil {
			return fmt.Errorf("certificate authority: %w", err)
		}
	}
	// A service counts once: what one said twice would not verify, after it was public.
	times, logs := map[string]bool{}, map[string]bool{}
	for _, u := range s.Timestamps {
		if err := checkURL(u, false); err != nil {
			return fmt.Errorf("timestamp authority: %w", err)
		}
		if times[trimSlash(u)] {
			return fmt.Errorf("timestamp authority: %s is named twice", clip(u))
		}
		times[trimSlash(u)] = true
	}
	for _, l := range s.Logs {
		if err := checkURL(l.URL, false); err != nil {
			return fmt.Errorf("log: %w", err)
		}
		if logs[trimSlash(l.URL)] {
			return fmt.Errorf("log: %s is named twice", clip(l.URL))
		}
		logs[trimSlash(l.URL)] = true
	}
	return nil
}

// ParseSigningConfig reads the services that a signing configuration names as valid at a time
// (sigstore.trustroot.v1.SigningConfig, v0.2).
func ParseSigningConfig(data []byte, now time.Time) (Services, error) {
	fail := func(err error) (Services, error) {
		return Services{}, fmt.Errorf("reading signing configuration: %w", err)
	}
	if len(data) > maxConfig {
		return fail(fmt.Errorf("expected at most %d bytes, found %d", maxConfig, len(data)))
	}
	if !jsontext.Value(data).IsValid() {
		return fail(errors.New("not valid JSON (or it repeats a key)"))
	}
	config, err := root.NewSigningConfigFromJSON(data)
	if err != nil {
		return fail(err)
	}
	var s Services
	if all := config.FulcioCertificateAuthorityURLs(); len(all) > 0 {
		service, err := root.SelectService(all, sign.FulcioAPIVersions, now)
		if err != nil {
			return fail(fmt.Errorf("caUrls: %w", err))
		}
		s.Fulcio = service.URL
	}
	if all := config.TimestampAuthorityURLs(); len(all) > 0 {
		services, err := root.SelectServices(all, config.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, now)
		if err != nil {
			return fail(fmt.Errorf("tsaUrls: %w", err))
		}
		for _, service := range services {
			s.Timestamps = append(s.Timestamps, service.URL)
		}
	}
	if all := config.RekorLogURLs(); len(all) > 0 {
		services, err := root.SelectServices(all, config.RekorLogURLsConfig(), sign.RekorAPIVersions, now)
		if err != nil {
			return fail(fmt.Errorf("rekorTlogUrls: %w", err))
		}
		for _, service := range services {
			s.Logs = append(s.Logs, Log{service.URL, service.MajorAPIVersion})
		}
	}
	if s.Empty() {
		return fail(errors.New("it names no service"))
	}
	return s, s.check()
}

// A Root is a Sigstore trust root, against which bundles are verified before they are
// returned.
type Root struct {
	material *root.TrustedRoot
}

// ParseRoot reads a trusted_root.json (sigstore.trustroot.v1.TrustedRoot). The caller
// must trust where data came from.
func ParseRoot(data []byte) (*Root, error) {
	if len(data) > maxConfig {
		return nil, fmt.Errorf("reading trust root: expected at most %d bytes, found %d", maxConfig, len(data))
	}
	if !jsontext.Value(data).IsValid() {
		return nil, errors.New("reading trust root: not valid JSON (or it repeats a key)")
	}
	material, err := root.NewTrustedRootFromJSON(data)
	if err != nil {
		return nil, fmt.Errorf("reading trust root: %w", err)
	}
	return &Root{material}, nil
}

// Services are those that the root names and trusts now: the newest certificate
// authority and timestamp authority, and a log, of Rekor v1 where there is one, because
// more tools read its entries.
func (r *Root) Services(now time.Time) (Services, error) {
	var s Services
	valid := func(start, end time.Time) bool {
		return !now.Before(start) && (end.IsZero() || now.Before(end))
	}
	var newest time.Time
	for _, ca := range r.material.FulcioCertificateAuthorities() {
		if f, ok := ca.(*root.FulcioCertificateAuthority); ok && f.URI != "" && valid(f.ValidityPeriodStart, f.ValidityPeriodEnd) && !f.ValidityPeriodStart.Before(newest) {
			s.Fulcio, newest = f.URI, f.ValidityPeriodStart
		}
	}
	newest = time.Time{}
	for _, authority := range r.material.TimestampingAuthorities() {
		if t, ok := authority.(*root.SigstoreTimestampingAuthority); ok && t.URI != "" && valid(t.ValidityPeriodStart, t.ValidityPeriodEnd) && !t.ValidityPeriodStart.Before(newest) {
			s.Timestamps, newest = []string{t.URI}, t.ValidityPeriodStart
		}
	}
	var logs []Log
	for _, l := range r.material.RekorLogs() {
		if l.BaseURL != "" && valid(l.ValidityPeriodStart, l.ValidityPeriodEnd) {
			logs = append(logs, Log{l.BaseURL, rekorVersion(l)})
		}
	}
	slices.SortFunc(logs, func(a, b Log) int {
		if a.Version != b.Version {
			return int(a.Version) - int(b.Version)
		}
		return strings.Compare(b.URL, a.URL) // of several shards, the one of the later year
	})
	if len(logs) > 0 {
		s.Logs = logs[:1]
	}
	if s.Empty() {
		return s, errors.New("the trust root names no address of a service")
	}
	return s, s.check()
}

// rekorVersion tells a log's version by its id: Rekor v1's is the SHA-256 of its key,
// v2's the hash of a signed note's key.
func rekorVersion(l *root.TransparencyLog) uint32 {
	der, err := x509.MarshalPKIXPublicKey(l.PublicKey)
	if sum := sha256.Sum256(der); err == nil && bytes.Equal(sum[:], l.ID) {
		return 1
	}
	return 2
}
