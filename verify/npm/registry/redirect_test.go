package registry

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func port(s *httptest.Server) string { return s.URL[strings.LastIndexByte(s.URL, ':'):] }

// Documents come from the registry's own host, and its token goes nowhere else.
func TestRedirects(t *testing.T) {
	other, otherAsked := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") })
	otherTLS, otherTLSAsked := serveTLS(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") })
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, tt := range []struct {
			name, location string
			ok             bool
		}{
			{"same host", "/there", true},
			{"relative", "there", true},
			{"another port", other.URL + "/there", false},
			{"another host", "http://localhost" + port(other) + "/there", false},
			{"subdomain", "http://sub.localhost" + port(other) + "/there", false},
			{"another scheme", otherTLS.URL + "/there", false},
			{"no scheme", "//127.0.0.1" + port(other) + "/there", false},
			{"file", "file:///etc/passwd", false},
			{"script", "javascript:alert(1)", false},
			{"nothing", "", false},
			{"no host", "http:///there", false},
			{"user", "http://u:hunter2@127.0.0.1/there", false},
			{"user of the same host", "http://u:hunter2@SELF/there", false},
			{"dots", "/a/%2e%2e/there", false},
			{"bad", "http://[/there?hunter2", false},
		} {
			s, asked := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/a" {
					w.Header().Set("Location", strings.Replace(tt.location, "SELF", r.Host, 1))
					w.WriteHeader(status)
				}
			})
			got, err := clientFor(t, s.URL, Options{}).Packument(t.Context(), "a")
			noToken(t, err)
			want := "/a Bearer " + token
			if tt.ok {
				want += ", /there Bearer " + token
			}
			var failed *RequestError
			if (err == nil) != tt.ok || (!tt.ok && (!errors.As(err, &failed) || failed.Status != status || got.Status != 0)) || asked.String() != want {
				t.Errorf("%d %s: %+v, %v; asked %s", status, tt.name, got, err, asked)
			}
		}
	}
	if otherAsked.String()+otherTLSAsked.String() != "" {
		t.Errorf("another was asked %s, %s", otherAsked, otherTLSAsked)
	}
}

func TestRedirectLoops(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var asked atomic.Int32
		s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, r.URL.Path+"x", status)
		})
		if _, err := clientFor(t, s.URL, Options{}).Packument(t.Context(), "a"); err == nil || asked.Load() != maxRedirects+1 {
			t.Errorf("%d: %v, asked %d times", status, err, asked.Load())
		}
	}
}

// tokensFor has a token for each of the servers.
func tokensFor(t *testing.T, registry string, o Options, servers ...*httptest.Server) *Client {
	t.Helper()
	var lines strings.Builder
	for _, s := range servers {
		lines.WriteString(s.URL[strings.Index(s.URL, "//"):] + "/:_authToken=" + token + "\n")
	}
	o.Wait = time.Millisecond
	c, err := NewClient(mustRead(t, Inputs{Flag: registry, UserConfig: []byte(lines.String())}), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A tarball may lie elsewhere, over https. There nothing is sent, even where a token
// for it is known, and nothing on the way back.
func TestTarballRedirects(t *testing.T) {
	plain, plainAsked := serve(t, func(w http.ResponseWriter, r *http.Request) {})
	var s, cdn *httptest.Server
	var asked, cdnAsked *recorder
	cdn, cdnAsked = serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/back":
			http.Redirect(w, r, s.URL+"/a.tgz", http.StatusFound)
		case "/plain":
			http.Redirect(w, r, plain.URL+"/a.tgz", http.StatusFound)
		case "/missing":
			http.NotFound(w, r)
		default:
			io.WriteString(w, "bytes")
		}
	})
	s, asked = serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if to, ok := strings.CutPrefix(r.URL.Path, "/to/"); ok {
			http.Redirect(w, r, cdn.URL+"/"+to+"?signature=hunter2", http.StatusTemporaryRedirect)
			return
		}
		io.WriteString(w, "bytes")
	})
	c := tokensFor(t, s.URL, Options{CAs: append(certificate(s), certificate(cdn)...)}, s, cdn)
	bearer := " Bearer " + token
	for _, tt := range []struct {
		path, body, asked, cdnAsked string
		status                      int
	}{
		{"/a.tgz", "bytes", "/a.tgz" + bearer, "", 200},
		{"/to/a.tgz", "bytes", "/to/a.tgz" + bearer, "/a.tgz", 200},
		{"/to/back", "bytes", "/to/back" + bearer + ", /a.tgz", "/back", 200},
		{"/to/missing", "", "/to/missing" + bearer, "/missing", 404},
		{"/to/plain", "", "/to/plain" + bearer, "/plain", 0},
	} {
		asked.asked, cdnAsked.asked = nil, nil
		var body bytes.Buffer
		status, size, err := c.Tarball(t.Context(), "a", s.URL+tt.path, &body)
		noToken(t, err)
		if status != tt.status || (err == nil) != (status != 0) || body.String() != tt.body || size != int64(body.Len()) {
			t.Errorf("%s: %d, %d bytes, %v", tt.path, status, size, err)
		}
		if asked.String() != tt.asked || cdnAsked.String() != tt.cdnAsked {
			t.Errorf("%s: asked %s; %s", tt.path, asked, cdnAsked)
		}
	}
	if plainAsked.String() != "" {
		t.Errorf("asked in the clear: %s", plainAsked)
	}
	cdn.Close()
	if _, _, err := c.Tarball(t.Context(), "a", s.URL+"/to/a.tgz", io.Discard); err == nil {
		t.Error("fetched from what is closed")
	} else {
		noToken(t, err)
	}
}

func TestTarballAddresses(t *testing.T) {
	s, asked := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "bytes") })
	other, otherAsked := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "bytes") })
	c := clientFor(t, s.URL, Options{})
	c.config.Scopes["@other"] = other.URL + "/"
	for _, address := range []string{
		other.URL + "/a.tgz", "http://localhost" + port(s) + "/a.tgz", "https" + s.URL[4:] + "/a.tgz", "http://u:hunter2@" + s.URL[7:] + "/a.tgz",
		"/a.tgz", "", "file:///etc/passwd", "http://", "http:///a.tgz", "https:a.tgz", "http://[", "http://\x1b", s.URL + "/a/../b.tgz", s.URL + "/a/%2e%2e/b.tgz",
		s.URL + ".evil.example/a.tgz", "git+" + s.URL, " " + s.URL,
	} {
		_, _, err := c.Tarball(t.Context(), "a", address, io.Discard)
		if err == nil || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%q: %v", address, err)
		}
		noToken(t, err)
	}
	if asked.String()+otherAsked.String() != "" {
		t.Errorf("asked %s %s", asked, otherAsked)
	}
	if status, _, err := c.Tarball(t.Context(), "@other/a", other.URL+"/a.tgz", io.Discard); err != nil || status != 200 || otherAsked.String() != "/a.tgz" {
		t.Errorf("%d, %v, asked %s", status, err, otherAsked)
	}
}

// distrusting asks a registry as if only a project had named it.
func distrusting(t *testing.T, address string, o Options, user string) *Client {
	t.Helper()
	config := mustRead(t, Inputs{Flag: address, UserConfig: []byte(user)})
	config.untrusted = []string{originOf(address)}
	o.Wait = time.Millisecond
	c, err := NewClient(config, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Whatever a project's host resolves to, it is not dialled but on the public internet,
// nor is what it leads to; it is not asked again.
func TestProjectIsGuarded(t *testing.T) {
	s, asked := serveTLS(t, func(http.ResponseWriter, *http.Request) {})
	for _, address := range []string{s.URL, "https://localhost" + port(s), "https://LOCALHOST" + port(s)} {
		c := distrusting(t, address, Options{CAs: certificate(s)}, "")
		_, err := c.Packument(t.Context(), "a")
		if err == nil || !strings.Contains(err.Error(), "not an address of the public internet") {
			t.Errorf("%s: %v", address, err)
		}
		if _, _, err := c.Tarball(t.Context(), "a", address+"/a.tgz", io.Discard); err == nil {
			t.Errorf("%s: its tarball is fetched", address)
		}
	}
	if asked.String() != "" {
		t.Errorf("asked %s", asked)
	}
	u, _ := url.Parse("https://r.example.com/")
	for _, location := range []string{"https://127.0.0.1/", "https://169.254.169.254/", "https://a.internal/", "https://127.0.0.１/"} {
		if to, err := next(u, location, true); err == nil {
			t.Errorf("a project's registry leads to %s", to)
		}
		if _, err := next(u, location, false); err != nil {
			t.Errorf("the operator's registry does not lead to %s: %v", location, err)
		}
	}
}

// A project's redirection to a name is looked at when that is dialled: the transport of
// its client does not know who is dialled.
func TestProjectRedirectIsGuarded(t *testing.T) {
	s, asked := serveTLS(t, func(http.ResponseWriter, *http.Request) {})
	c := distrusting(t, "https://r.example.com/", Options{CAs: certificate(s)}, "")
	u, _ := url.Parse("https://localhost" + port(s) + "/")
	response, err := c.ask(t.Context(), c.guarded, u, false)
	if err == nil {
		response.Body.Close()
	}
	if !errors.As(err, new(*notPublicError)) || asked.String() != "" {
		t.Errorf("%v, asked %s", err, asked)
	}
}

// A proxy, which is the operator's, may lie on a private address; what is asked goes
// through it, a project's registry too.
func TestProxy(t *testing.T) {
	forward := &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(r.URL.String())), Request: r, Header: http.Header{}}, nil
	})}
	var login atomic.Value
	p, asked := serve(t, func(w http.ResponseWriter, r *http.Request) {
		login.Store(r.Header.Get("Proxy-Authorization"))
		forward.ServeHTTP(w, r)
	})
	user := "proxy=http://u:hunter2@" + p.URL[7:] + "\nnoproxy=direct.invalid"
	for _, c := range []*Client{
		distrusting(t, "http://r.example.com", Options{}, user),
		tokensForConfig(t, "http://r.example.com", user),
	} {
		got, err := c.Packument(t.Context(), "a")
		if err != nil || string(got.Body) != "http://r.example.com/a" || login.Load() != "Basic dTpodW50ZXIy" {
			t.Errorf("%+v, %v, %v", got, err, login.Load())
		}
	}
	if asked.String() != "/a, /a" {
		t.Errorf("asked %s", asked)
	}
	if _, err := distrusting(t, "http://direct.invalid", Options{Deadline: 5 * time.Second}, user).Packument(t.Context(), "a"); err == nil {
		t.Error("asked through the proxy what is excepted")
	}
	p.Close()
	for _, scheme := range []string{"http", "https"} {
		_, err := tokensForConfig(t, scheme+"://r.example.com", user+"\n//r.example.com/:_authToken="+token).Packument(t.Context(), "a")
		if err == nil {
			t.Errorf("%s: asked through a proxy that is closed", scheme)
		}
		noToken(t, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func tokensForConfig(t *testing.T, address, user string) *Client {
	t.Helper()
	c, err := NewClient(mustRead(t, Inputs{Flag: address, UserConfig: []byte(user)}), Options{Wait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestErrorsHoldNoUsers(t *testing.T) {
	for in, want := range map[string]string{
		"dial http://u:hunter2@h/a":     "dial http://h/a",
		"http://u:hun@ter2@h, //x@y z@": "http://h, //y z@",
		"https://h/@a/b":                "https://h/@a/b",
		"a@b":                           "a@b",
	} {
		if got := withoutUsers(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	e := &RequestError{URL: "https://h/a", Err: errors.New(strings.Repeat("x", 1<<20))}
	if len(e.Error()) > 2000 {
		t.Errorf("%d bytes", len(e.Error()))
	}
	all := []string{(&RequestError{URL: "https://h/a", Status: 403}).Error(), (&TooLongError{5}).Error(), (&notPublicError{"10.0.0.1:443"}).Error()}
	if !slices.Equal(all, []string{"https://h/a answered status 403", "the answer is longer than 5 bytes", "10.0.0.1:443 is not an address of the public internet, and the project named its host"}) {
		t.Errorf("%q", all)
	}
}
