package sigstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
)

// A Repository is a TUF repository that holds a trust root (The Update Framework
// specification 1.0). The zero Repository is that of the public-good instance.
type Repository struct {
	URL    string
	Root   []byte // the TUF root to begin from, which the caller trusts
	Target string // "" for trusted_root.json
}

// A Fetched is a trust root that a repository vouches for, until when, and by which
// of its metadata.
type Fetched struct {
	Root             []byte // the file; it parses
	From             string
	Expires          time.Time // of the TUF root
	RootVersion      int64
	TimestampVersion int64 // grows with each change, so that an older state can be told
}

// fetchPatience bounds one request.
const fetchPatience = 30 * time.Second

// Fetch asks the repository for its trust root and verifies it, from the TUF root on.
// Nothing is read from or kept on this machine.
func (r Repository) Fetch(ctx context.Context) (*Fetched, error) {
	if r.URL == "" && r.Root == nil {
		r.URL, r.Root = tuf.DefaultMirror, tuf.DefaultRoot()
	}
	if r.Target == "" {
		r.Target = "trusted_root.json"
	}
	if u, err := url.Parse(r.URL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("fetching a trust root: expected the address of a TUF repository, found %q", r.URL)
	}
	if len(r.Root) == 0 {
		return nil, errors.New("fetching a trust root: there is no TUF root to begin from")
	}
	cfg, err := config.New(r.URL, r.Root)
	if err != nil {
		return nil, fmt.Errorf("fetching a trust root: %w", err)
	}
	cfg.DisableLocalCache = true
	cfg.PrefixTargetsWithHash = true
	if err := bindRequests(ctx, cfg); err != nil {
		return nil, fmt.Errorf("fetching a trust root: %w", err)
	}
	up, err := updater.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("fetching a trust root: reading the TUF root: %w", err)
	}
	if err := up.Refresh(); err != nil {
		return nil, fmt.Errorf("fetching a trust root from %s: %w", r.URL, err)
	}
	info, err := up.GetTargetInfo(r.Target)
	if err != nil {
		return nil, fmt.Errorf("fetching a trust root from %s: %q: %w", r.URL, r.Target, err)
	}
	if info.Length > maxRoot {
		return nil, fmt.Errorf("fetching a trust root from %s: expected at most %d bytes, found %d", r.URL, maxRoot, info.Length)
	}
	_, data, err := up.DownloadTarget(info, "", "")
	if err != nil {
		return nil, fmt.Errorf("fetching a trust root from %s: %w", r.URL, err)
	}
	if _, err := ParseRoot(data); err != nil {
		return nil, err
	}
	trusted := up.GetTrustedMetadataSet()
	return &Fetched{Root: data, From: r.URL, Expires: trusted.Root.Signed.Expires.UTC(),
		RootVersion: trusted.Root.Signed.Version, TimestampVersion: trusted.Timestamp.Signed.Version}, nil
}

// bindRequests lets ctx end every request, follows no redirection, and tries twice.
func bindRequests(ctx context.Context, cfg *config.UpdaterConfig) error {
	client := &http.Client{Timeout: fetchPatience, Transport: inContext{ctx},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if err := cfg.SetDefaultFetcherHTTPClient(client); err != nil {
		return err
	}
	return cfg.SetDefaultFetcherRetry(200*time.Millisecond, 2)
}

// inContext makes requests that end with a context: go-tuf's have none.
type inContext struct{ ctx context.Context }

func (c inContext) RoundTrip(r *http.Request) (*http.Response, error) {
	return http.DefaultTransport.RoundTrip(r.WithContext(c.ctx))
}
