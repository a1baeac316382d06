package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of what a registry may answer, in bytes as they are read, not as they are
// sent.
const (
	maxPackument    = 128 << 20
	maxAttestations = 16 << 20
	maxTarball      = 512 << 20
)

const (
	mostRequests   = 16
	retries        = 3
	maxRetryAfter  = 30 * time.Second
	maxRedirects   = 5
	defaultTimeout = 2 * time.Minute
	defaultWait    = 500 * time.Millisecond
)

// Options say how a registry is asked. The zero value is good.
type Options struct {
	Evidence   string        // ask this registry for metadata and attestations
	Deadline   time.Duration // for all requests together, from NewClient on; 0: 10 minutes
	PerRequest time.Duration // 0: 2 minutes
	Wait       time.Duration // before a request is repeated, at first; 0: half a second
	UserAgent  string
	CAs        []byte // certificates that are trusted beside the system's, PEM
}

// An Answer is what a registry said: 200 with a body, or 404.
type Answer struct {
	Status   int
	Body     []byte
	Registry string // the address that was asked
}

// A RequestError is a question that got no answer.
type RequestError struct {
	URL    string
	Status int // 0: there was none
	Err    error
}

func (e *RequestError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s answered status %d", e.URL, e.Status)
	}
	return fmt.Sprintf("%s: %.1000s", e.URL, withoutUsers(e.Err.Error()))
}

func (e *RequestError) Unwrap() error { return e.Err }

// A TooLongError is an answer over its bound.
type TooLongError struct{ Most int64 }

func (e *TooLongError) Error() string {
	return fmt.Sprintf("the answer is longer than %d bytes", e.Most)
}

// A Client asks registries. It may be used by several goroutines.
type Client struct {
	config   *Config
	evidence string
	http     *http.Client // for what the operator named
	guarded  *http.Client // for what a project named: the public internet only
	agent    string
	until    time.Time
	slots    chan struct{}
	patience patience
}

// NewClient returns a client. Nothing is asked yet.
func NewClient(config *Config, o Options) (*Client, error) {
	if config == nil {
		return nil, errors.New("expected a configuration, found none")
	}
	c := &Client{config: config, agent: o.UserAgent, slots: make(chan struct{}, mostRequests)}
	if o.Evidence != "" {
		var err error
		if c.evidence, err = parseAddress(o.Evidence); err != nil {
			return nil, fmt.Errorf("the registry for evidence: %w", err)
		}
	}
	if o.Deadline <= 0 {
		o.Deadline = 10 * time.Minute
	}
	if o.PerRequest <= 0 {
		o.PerRequest = defaultTimeout
	}
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	c.until = time.Now().Add(o.Deadline)
	plain, guarded, err := transports(config, o)
	if err != nil {
		return nil, err
	}
	c.http, c.guarded = repeating(plain, o), repeating(guarded, o)
	return c, nil
}

// Packument asks for a registry's document about all versions of a package.
func (c *Client) Packument(ctx context.Context, name string) (Answer, error) {
	base, err := c.base(name)
	if err != nil {
		return Answer{}, err
	}
	return c.get(ctx, base, strings.Replace(name, "/", "%2f", 1), maxPackument)
}

// Attestations asks for the attestations of a version.
func (c *Client) Attestations(ctx context.Context, name, version string) (Answer, error) {
	base, err := c.base(name)
	if err != nil {
		return Answer{}, err
	}
	if !versionPattern().MatchString(version) {
		return Answer{Registry: base}, fmt.Errorf("expected an exact version, found %.100q", version)
	}
	return c.get(ctx, base, "-/npm/v1/attestations/"+strings.Replace(name, "/", "%2f", 1)+"@"+url.PathEscape(version), maxAttestations)
}

var (
	namePattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(@[a-zA-Z0-9~_-][a-zA-Z0-9~._-]*/)?[a-zA-Z0-9~_-][a-zA-Z0-9~._!'()*-]*$`)
	})
	versionPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z.+-]{1,214}$`) })
)

// base is the registry that is asked about a package.
func (c *Client) base(name string) (string, error) {
	if len(name) > 214 || !namePattern().MatchString(name) {
		return "", fmt.Errorf("expected the name of a package, found %.100q", name)
	}
	if c.evidence != "" {
		return c.evidence, nil
	}
	address, ok := c.config.For(name)
	if !ok {
		return "", fmt.Errorf("no registry is known for %s", name)
	}
	return address, nil
}

// get asks for a document. A body that is cut off is asked for once more.
func (c *Client) get(ctx context.Context, base, path string, most int64) (Answer, error) {
	answer := Answer{Registry: base}
	var err error
	for range 2 {
		var body bytes.Buffer
		answer.Status, _, err = c.fetch(ctx, base+path, false, most, &body)
		var failed *RequestError
		if err == nil {
			answer.Body = body.Bytes()
			return answer, nil
		}
		if !errors.As(err, &failed) || failed.Status != 200 || errors.As(err, new(*TooLongError)) {
			break
		}
	}
	answer.Status = 0
	return answer, err
}

// Tarball fetches a tarball into w. Its address must be of the host of the package's
// registry; from there it may lead to another, which gets no credentials. Only with
// status 200 and no error is what was written the whole of it. It is not repeated when
// it is cut off: w has begun.
func (c *Client) Tarball(ctx context.Context, name, address string, w io.Writer) (status int, size int64, err error) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") || dotted(u.EscapedPath()) {
		return 0, 0, fmt.Errorf("expected the address of a tarball, found %.200q", withoutUsers(address))
	}
	scope, _, _ := strings.Cut(name, "/")
	if !slices.Contains([]string{originOf(c.evidence), originOf(c.config.Registry), originOf(c.config.Scopes[scope])}, origin(u)) {
		return 0, 0, fmt.Errorf("the tarball lies at %.200q, which is no host of a registry that is asked", u.Host)
	}
	return c.fetch(ctx, address, true, maxTarball, w)
}

// fetch follows redirections itself: to the same host with its credentials, elsewhere,
// where that is allowed, with none, and with none on the way back.
func (c *Client) fetch(ctx context.Context, address string, elsewhere bool, most int64, w io.Writer) (status int, size int64, err error) {
	ctx, cancel := context.WithDeadline(ctx, c.until)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return 0, 0, &RequestError{URL: address, Err: ctx.Err()}
	}
	first, err := url.Parse(address)
	if err != nil {
		return 0, 0, errors.New("expected an address")
	}
	client := c.http
	if slices.Contains(c.config.untrusted, origin(first)) {
		client = c.guarded
	}
	u, home := first, true
	for range maxRedirects + 1 {
		response, err := c.ask(ctx, client, u, home)
		if err != nil {
			return 0, 0, &RequestError{URL: address, Err: err}
		}
		if !slices.Contains([]int{301, 302, 303, 307, 308}, response.StatusCode) {
			size, err = readAnswer(response, most, w)
			if err != nil || (response.StatusCode != 200 && response.StatusCode != 404) {
				return response.StatusCode, size, &RequestError{URL: address, Status: response.StatusCode, Err: err}
			}
			return response.StatusCode, size, nil
		}
		drain(response)
		u, err = next(u, response.Header.Get(heldLocation), client == c.guarded)
		if err == nil && origin(u) != origin(first) {
			home = false
			if !elsewhere || u.Scheme != "https" {
				err = fmt.Errorf("it leads to another host, %.100q", u.Host)
			}
		}
		if err != nil {
			return 0, 0, &RequestError{URL: address, Status: response.StatusCode, Err: err}
		}
	}
	return 0, 0, &RequestError{URL: address, Err: errors.New("it leads from one address to the next")}
}

// next is where a redirection leads to. What a project named does not lead to what is
// not of the public internet, by its name here, by its address when it is dialled.
func next(u *url.URL, location string, guarded bool) (*url.URL, error) {
	to, err := u.Parse(location)
	if err != nil || location == "" || to.User != nil || to.Hostname() == "" || (to.Scheme != "https" && to.Scheme != "http") || dotted(to.EscapedPath()) {
		return nil, errors.New("it leads to no address")
	}
	if guarded && !publicName(to.Hostname()) {
		return nil, fmt.Errorf("it leads to %.100q, which is not a host of the public internet", to.Host)
	}
	return to, nil
}

func (c *Client) ask(ctx context.Context, client *http.Client, u *url.URL, withCredentials bool) (*http.Response, error) {
	if err := c.patience.lost(origin(u)); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("expected an address")
	}
	if c.agent != "" {
		request.Header.Set("User-Agent", c.agent)
	}
	if header := c.config.authorization(u); withCredentials && header != "" {
		request.Header.Set("Authorization", header)
	}
	response, err := client.Do(request)
	// Its text has the address that was led to, which may be signed: who reads it may
	// fetch it.
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	if ctx.Err() == nil { // else the time was over
		c.patience.note(origin(u), err)
	}
	return response, err
}

// readAnswer reads a body, bounded. What is no 200 is read for the connection's sake.
func readAnswer(response *http.Response, most int64, w io.Writer) (int64, error) {
	if response.StatusCode != 200 {
		drain(response)
		return 0, nil
	}
	defer response.Body.Close()
	if response.ContentLength > most {
		return 0, &TooLongError{most}
	}
	size, err := io.Copy(w, io.LimitReader(response.Body, most+1))
	if err == nil && size > most {
		err = &TooLongError{most}
	}
	return size, err
}

// drain reads the little that is left, so that the connection can be used again.
func drain(response *http.Response) {
	io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	response.Body.Close()
}

// withoutUsers drops user names and passwords from addresses in a text.
func withoutUsers(text string) string {
	return users().ReplaceAllString(text, "//")
}

var users = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`//[^/\s]*@`) })
