package sigstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	// maxAnswer bounds what a service may answer.
	maxAnswer = 8 << 20
	// retries follow a request that failed for no fault of its own: no connection,
	// 429, 5xx.
	retries = 2
	// DefaultPatience is how long a service may take for one request.
	DefaultPatience = 60 * time.Second
)

// newClient returns a client whose requests end with ctx, each after at most patience,
// and are repeated where that may help. It follows no redirection: tokens and
// signatures go to the service that was named and to no other.
func newClient(ctx context.Context, patience time.Duration) *http.Client {
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.RetryMax = retries
	client.RetryWaitMin, client.RetryWaitMax = time.Second, 4*time.Second
	client.Backoff = backoff
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	client.HTTPClient = &http.Client{
		Timeout:       patience,
		Transport:     boundedTransport{http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &http.Client{Transport: boundTransport{ctx, &retryablehttp.RoundTripper{Client: client}}}
}

// backoff is the library's, which alone would wait for as long as a Retry-After says.
func backoff(least, most time.Duration, attempt int, response *http.Response) time.Duration {
	return min(retryablehttp.DefaultBackoff(least, most, attempt, response), most)
}

// boundTransport ends requests with a context, which sigstore-go's clients do not give
// theirs, and follows no redirection, which they would.
type boundTransport struct {
	ctx  context.Context
	next http.RoundTripper
}

func (t boundTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r.WithContext(t.ctx))
	if err == nil && response.StatusCode >= 300 && response.StatusCode < 400 {
		response.Body.Close()
		return nil, fmt.Errorf("it answered %s, and redirections are not followed", response.Status)
	}
	return response, err
}

// boundedTransport cuts answers off.
type boundedTransport struct{ next http.RoundTripper }

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err == nil {
		response.Body = &boundedBody{response.Body, maxAnswer}
	}
	return response, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// checkURL refuses addresses that cannot be meant, and, where a secret would be sent,
// those that do not encrypt.
func checkURL(address string, secret bool) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		if i := strings.LastIndexByte(address, '@'); i >= 0 { // before it may be a password
			address = "..." + address[i:]
		}
		return fmt.Errorf("expected an address such as https://service.example, found %q", clip(address))
	case u.User != nil || u.Fragment != "":
		return errors.New("expected an address without user name, password or fragment")
	case secret && u.Scheme != "https" && !loopback(u.Hostname()):
		return fmt.Errorf("expected https, found %q: an identity token would be sent in the clear", clip(address))
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// clip shortens what a service says, and makes one line of it.
func clip(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 300 {
		text = text[:300] + "..."
	}
	return text
}

// withoutSecret drops a token from an error: a service may answer with what it was sent.
func withoutSecret(err error, secret string) error {
	if text := err.Error(); strings.Contains(text, secret) {
		return errors.New(strings.ReplaceAll(text, secret, "[token]"))
	}
	return err
}

// guard turns a panic into an error: the libraries' clients take it for granted that an
// answer holds what was asked for.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = errors.New("its answer is not what was asked for")
	}
}

// A ServiceError is a service that did not answer, or not as it should.
type ServiceError struct {
	Service string // what it is
	URL     string
	Err     error
}

func (e *ServiceError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.Service, e.URL, clip(e.Err.Error()))
}

func (e *ServiceError) Unwrap() error { return e.Err }
