package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/net/http/httpproxy"
)

// maxHeader bounds the header of an answer.
const maxHeader = 1 << 20

// repeating returns a client that repeats what failed, and follows no redirection.
func repeating(transport http.RoundTripper, o Options) *http.Client {
	again := retryablehttp.NewClient()
	again.Logger = nil
	again.RetryMax = retries
	again.RetryWaitMin, again.RetryWaitMax = o.Wait, 16*o.Wait
	again.Backoff = func(least, most time.Duration, attempt int, response *http.Response) time.Duration {
		return min(max(retryablehttp.DefaultBackoff(least, most, attempt, response), 0), maxRetryAfter)
	}
	again.CheckRetry = func(ctx context.Context, response *http.Response, err error) (bool, error) {
		if errors.As(err, new(*notPublicError)) {
			return false, err
		}
		return retryablehttp.DefaultRetryPolicy(ctx, response, err)
	}
	again.ErrorHandler = retryablehttp.PassthroughErrorHandler
	again.HTTPClient = &http.Client{
		Transport: holding{transport},
		Timeout:   o.PerRequest,
	}
	return again.StandardClient()
}

// heldLocation is a key that no server can send, for the space in it.
const heldLocation = "held location"

// holding keeps where an answer leads to from http.Client, which would read it before
// it asks whether to follow, repeat the request where it is no address, and show it.
type holding struct{ http.RoundTripper }

func (h holding) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := h.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Header[heldLocation] = []string{response.Header.Get("Location")}
		response.Header.Del("Location")
	}
	return response, err
}

// transports returns how the operator's registries are reached, and how a project's. A
// connection is never shared between them.
func transports(config *Config, o Options) (plain, guarded http.RoundTripper, err error) {
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, nil, errors.New("internal error: no transport")
	}
	for _, address := range []string{config.proxy, config.httpsProxy} {
		if err := checkProxy(address); err != nil {
			return nil, nil, err
		}
	}
	proxies := httpproxy.Config{HTTPProxy: config.proxy, HTTPSProxy: config.httpsProxy, NoProxy: config.noProxy}
	choose := proxies.ProxyFunc()
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if trust.RootCAs, err = roots(config.CAs, o.CAs); err != nil {
		return nil, nil, err
	}
	dialer := func(control func(string, string, syscall.RawConn) error) func(context.Context, string, string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, Control: control}).DialContext
	}
	transport := func() *http.Transport {
		t := base.Clone()
		t.MaxIdleConnsPerHost, t.MaxConnsPerHost = mostRequests, mostRequests
		t.MaxResponseHeaderBytes = maxHeader
		t.TLSClientConfig = trust.Clone()
		t.TLSNextProto = nil // made anew, for this configuration
		t.ForceAttemptHTTP2 = true
		return t
	}
	ours, theirs := transport(), transport()
	ours.Proxy = func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
	ours.DialContext = dialer(nil)
	theirs.Proxy = nil
	theirs.DialContext = dialer(publicOnly)
	return ours, &guard{choose: choose, ours: ours, theirs: theirs}, nil
}

// A guard dials what a project named only where it is of the public internet. Where a
// proxy dials, which the operator named, that must look itself.
type guard struct {
	choose       func(*url.URL) (*url.URL, error)
	ours, theirs *http.Transport
}

func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	proxy, err := g.choose(r.URL)
	if err != nil {
		return nil, err
	}
	if proxy != nil {
		return g.ours.RoundTrip(r)
	}
	return g.theirs.RoundTrip(r)
}

// checkProxy refuses an address that would be taken for no proxy. It does not repeat
// it: it may hold a password.
func checkProxy(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if !strings.Contains(address, "://") {
		u, err = url.Parse("http://" + address)
	}
	if err == nil && u.Hostname() != "" {
		switch u.Scheme {
		case "http", "https", "socks5", "socks5h":
			return nil
		}
	}
	return errors.New("the proxy of npm's configuration or of the environment: expected an address such as http://proxy.example:3128")
}

// roots are the system's certificates and those of PEM files; nil: the system's.
func roots(files ...[]byte) (*x509.CertPool, error) {
	var pool *x509.CertPool
	for _, pem := range files {
		if len(pem) == 0 {
			continue
		}
		if pool == nil {
			var err error
			if pool, err = x509.SystemCertPool(); err != nil {
				pool = x509.NewCertPool()
			}
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("the certificates of npm's configuration (ca, cafile): expected PEM, found none")
		}
	}
	return pool, nil
}

// A notPublicError is an address that a project's host led to.
type notPublicError struct{ address string }

func (e *notPublicError) Error() string {
	return fmt.Sprintf("%s is not an address of the public internet, and the project named its host", e.address)
}

// publicOnly refuses to dial what is no address of the public internet, whatever name
// led there.
func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !publicIP(at.Addr()) {
		return &notPublicError{address}
	}
	return nil
}
