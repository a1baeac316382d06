package registry

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const token = "Zq7secret"

// recorder remembers what was asked of a server, and with which credentials.
type recorder struct {
	mu    sync.Mutex
	asked []string // PATH AUTHORIZATION
}

func (r *recorder) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		r.asked = append(r.asked, strings.TrimSpace(q.URL.EscapedPath()+" "+q.Header.Get("Authorization")))
		r.mu.Unlock()
		h.ServeHTTP(w, q)
	})
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.asked, ", ")
}

func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, *recorder) {
	t.Helper()
	r := new(recorder)
	s := httptest.NewServer(r.wrap(h))
	t.Cleanup(s.Close)
	return s, r
}

func serveTLS(t *testing.T, h http.HandlerFunc) (*httptest.Server, *recorder) {
	t.Helper()
	r := new(recorder)
	s := httptest.NewUnstartedServer(r.wrap(h))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, r
}

func certificate(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// clientFor asks the registry at an address, with a token for its host.
func clientFor(t *testing.T, address string, o Options) *Client {
	t.Helper()
	config := mustRead(t, Inputs{Flag: address, UserConfig: []byte(address[strings.Index(address, "//"):] + "/:_authToken=" + token)})
	if o.Wait == 0 {
		o.Wait = time.Millisecond
	}
	c, err := NewClient(config, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// noToken fails where a text holds what it must not.
func noToken(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("an error holds a secret: %v", err)
		}
	}
}

func TestAsk(t *testing.T) {
	s, asked := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.UserAgent() != "test" {
			t.Errorf("%s %s", r.Method, r.UserAgent())
		}
		if strings.Contains(r.URL.Path, "attestations") {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, "{}")
	})
	c := clientFor(t, s.URL, Options{UserAgent: "test"})
	got, err := c.Packument(t.Context(), "@a/b")
	if err != nil || got.Status != 200 || string(got.Body) != "{}" || got.Registry != s.URL+"/" {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = c.Attestations(t.Context(), "@a/b", "1.0.0-rc.1+x")
	if err != nil || got.Status != 404 || got.Body != nil {
		t.Errorf("%+v, %v", got, err)
	}
	want := "/@a%2fb Bearer " + token + ", /-/npm/v1/attestations/@a%2fb@1.0.0-rc.1+x Bearer " + token
	if asked.String() != want {
		t.Errorf("asked %s", asked)
	}
}

func TestStatuses(t *testing.T) {
	for status, times := range map[int]int{
		200: 1, 204: 1, 206: 1, 300: 1, 304: 1, 305: 1, 400: 1, 401: 1, 403: 1, 404: 1, 410: 1, 418: 1, 429: 4, 500: 4, 501: 1, 502: 4, 503: 4, 504: 4,
	} {
		var asked atomic.Int32
		s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
		})
		got, err := clientFor(t, s.URL, Options{}).Packument(t.Context(), "a")
		noToken(t, err)
		var failed *RequestError
		if ok := status == 200 || status == 404; ok != (err == nil) || (ok && got.Status != status) || (!ok && (got.Status != 0 || !errors.As(err, &failed) || failed.Status != status)) {
			t.Errorf("%d: %+v, %v", status, got, err)
		}
		if int(asked.Load()) != times {
			t.Errorf("%d was asked %d times", status, asked.Load())
		}
	}
}

func TestRepeats(t *testing.T) {
	var asked atomic.Int32
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= 3 {
			w.WriteHeader(500)
		}
		io.WriteString(w, "x")
	})
	if got, err := clientFor(t, s.URL, Options{}).Packument(t.Context(), "a"); err != nil || string(got.Body) != "x" || asked.Load() != 4 {
		t.Errorf("%+v, %v, asked %d times", got, err, asked.Load())
	}
}

func TestRetryAfter(t *testing.T) {
	var asked atomic.Int32
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
		}
	})
	start := time.Now()
	if _, err := clientFor(t, s.URL, Options{}).Packument(t.Context(), "a"); err != nil || asked.Load() != 2 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
	if took := time.Since(start); took < time.Second {
		t.Errorf("it was asked again after %s", took)
	}
	// The deadline is not waited out: an hour is more than it.
	s, _ = serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(429)
	})
	_, err := clientFor(t, s.URL, Options{Deadline: 300 * time.Millisecond}).Packument(t.Context(), "a")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestDeadline(t *testing.T) {
	stop := make(chan struct{})
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
		}
		<-stop
	})
	defer close(stop)
	c := clientFor(t, s.URL, Options{Deadline: 200 * time.Millisecond})
	var all sync.WaitGroup
	for i := range 40 { // more than there are slots
		all.Go(func() {
			_, err := c.Packument(context.Background(), []string{"a", "begun"}[i%2])
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	// A single request has its own bound, and is asked again within the whole.
	var asked atomic.Int32
	s, _ = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			<-stop
		}
	})
	if _, err := clientFor(t, s.URL, Options{PerRequest: 200 * time.Millisecond}).Packument(t.Context(), "a"); err != nil || asked.Load() < 2 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := clientFor(t, s.URL, Options{}).Packument(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// cut sends less than it said, in one of two ways.
func cut(w http.ResponseWriter, chunked bool) {
	if !chunked {
		w.Header().Set("Content-Length", "100")
	}
	io.WriteString(w, "{")
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestCutBody(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		for _, times := range []int32{1, 2, 3} {
			var asked atomic.Int32
			s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) <= times {
					cut(w, chunked)
				}
				io.WriteString(w, "whole")
			})
			c := clientFor(t, s.URL, Options{})
			got, err := c.Packument(t.Context(), "a")
			if times == 1 && (err != nil || string(got.Body) != "whole") {
				t.Errorf("%+v, %v", got, err)
			}
			if times > 1 && (!errors.Is(err, io.ErrUnexpectedEOF) || got.Body != nil || got.Status != 0) {
				t.Errorf("%+v, %v", got, err)
			}
			if asked.Load() != 2 && (times > 1 || asked.Load() != times+1) {
				t.Errorf("asked %d times", asked.Load())
			}
			asked.Store(0)
			if _, _, err := c.Tarball(t.Context(), "a", s.URL+"/a.tgz", io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) || asked.Load() != 1 {
				t.Errorf("tarball: %v, asked %d times", err, asked.Load())
			}
		}
	}
}

// zeros writes n zeros.
func zeros(w io.Writer, n int) {
	block := make([]byte, 1<<20)
	for ; n > 0; n -= len(block) {
		if _, err := w.Write(block[:min(n, len(block))]); err != nil {
			return
		}
	}
}

func TestTooLong(t *testing.T) {
	const most = maxAttestations
	for _, tt := range []struct {
		name string
		size int
		long bool
		h    func(w http.ResponseWriter, size int)
	}{
		{"at its bound", most, false, func(w http.ResponseWriter, size int) { zeros(w, size) }},
		{"chunked", most + 1, true, func(w http.ResponseWriter, size int) { zeros(w, size) }},
		{"announced", most + 1, true, func(w http.ResponseWriter, size int) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			w.(http.Flusher).Flush()
			w.Write([]byte("x"))
		}},
		{"compressed", most + 1, true, func(w http.ResponseWriter, size int) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			zeros(z, size)
			z.Close()
		}},
	} {
		var asked atomic.Int32
		s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			tt.h(w, tt.size)
		})
		got, err := clientFor(t, s.URL, Options{}).Attestations(t.Context(), "a", "1.0.0")
		var long *TooLongError
		if errors.As(err, &long) != tt.long || (tt.long && (long.Most != most || got.Body != nil)) || (!tt.long && len(got.Body) != most) {
			t.Errorf("%s: %d bytes, %v", tt.name, len(got.Body), err)
		}
		if asked.Load() != 1 {
			t.Errorf("%s: asked %d times", tt.name, asked.Load())
		}
	}
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeader))
	})
	if _, err := clientFor(t, s.URL, Options{}).Packument(t.Context(), "a"); err == nil || len(err.Error()) > 2000 {
		t.Errorf("a long header: %v", err)
	}
}

func TestAtOnce(t *testing.T) {
	// Over HTTP/2 all requests share one connection, and nothing else bounds them.
	for name, start := range map[string]func(*testing.T, http.HandlerFunc) (*httptest.Server, *recorder){"HTTP/1.1": serve, "HTTP/2.0": serveTLS} {
		var now, most atomic.Int32
		var addresses sync.Map
		s, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Proto != name {
				t.Errorf("%s: asked over %s", name, r.Proto)
			}
			addresses.Store(r.RemoteAddr, true)
			n := now.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(20 * time.Millisecond)
			now.Add(-1)
		})
		o := Options{}
		if s.TLS != nil {
			o.CAs = certificate(s)
		}
		c := clientFor(t, s.URL, o)
		var all sync.WaitGroup
		for range 80 {
			all.Go(func() {
				if _, err := c.Packument(t.Context(), "a"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if most.Load() > mostRequests || most.Load() < 2 {
			t.Errorf("%s: %d requests at once", name, most.Load())
		}
		if n := countAddresses(&addresses); n > mostRequests {
			t.Errorf("%s: %d connections", name, n)
		}
	}
}

// countAddresses counts those that a server was asked from.
func countAddresses(addresses *sync.Map) (n int) {
	addresses.Range(func(any, any) bool { n++; return true })
	return n
}

func TestKeepAlive(t *testing.T) {
	var addresses sync.Map
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		addresses.Store(r.RemoteAddr, true)
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/there", http.StatusFound)
		case "/missing":
			http.NotFound(w, r)
		}
	})
	c := clientFor(t, s.URL, Options{})
	for range 5 {
		for _, name := range []string{"a", "moved", "missing"} {
			if _, err := c.Packument(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := countAddresses(&addresses); n != 1 {
		t.Errorf("%d connections for one after the other", n)
	}
}

func TestHTTP2(t *testing.T) {
	var protocol atomic.Value
	s, _ := serveTLS(t, func(w http.ResponseWriter, r *http.Request) { protocol.Store(r.Proto) })
	config := mustRead(t, Inputs{Flag: s.URL, FromProject: true, ProjectConfig: []byte("@p:registry=https://p.example.com")})
	config.CAs = certificate(s)
	for name, o := range map[string]Options{"of the configuration": {}, "of the options": {CAs: certificate(s)}} {
		if name == "of the options" {
			config.CAs = nil
		}
		c, err := NewClient(config, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Packument(t.Context(), "a"); err != nil || protocol.Load() != "HTTP/2.0" {
			t.Errorf("certificates %s: %v over %v", name, err, protocol.Load())
		}
		if g := c.guarded; g == c.http {
			t.Error("what a project named is asked by the operator's client")
		}
		config.CAs = certificate(s)
	}
	// Without its certificate it is not believed, and not asked again.
	config.CAs = nil
	c, err := NewClient(config, Options{Wait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Packument(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
	for _, bad := range []Options{{CAs: []byte("x")}, {Evidence: "x"}, {Evidence: "https://u:hunter2@h.example"}} {
		_, err := NewClient(config, bad)
		if err == nil {
			t.Errorf("%+v is accepted", bad)
		}
		noToken(t, err)
	}
	if _, err := NewClient(nil, Options{}); err == nil {
		t.Error("no configuration is accepted")
	}
	config.CAs = []byte("garbage")
	if _, err := NewClient(config, Options{CAs: certificate(s)}); err == nil {
		t.Error("certificates that are none are accepted beside some that are")
	}
}

func TestNames(t *testing.T) {
	s, asked := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := clientFor(t, s.URL, Options{})
	for _, name := range []string{
		"", ".", "..", "../a", "a/..", "a/b", "a/b/c", "@a", "@a/", "@/a", "@a/..", "@../a", "@a/../b", "@a/b/c", "a\x00", "a\n", "a\x1b[2J", "a b", "a%2f..", "a%00",
		"a?b", "a#b", "a@b", "a\\b", "//evil.example/a", "https://evil.example/a", "ａ", strings.Repeat("a", 215), ".a", "@.a/b", "@a/.b",
	} {
		_, err := c.Packument(t.Context(), name)
		if err == nil || strings.ContainsAny(err.Error(), "\x00\n\x1b") {
			t.Errorf("name %q: %v", name, err)
		}
		if _, err := c.Attestations(t.Context(), name, "1.0.0"); err == nil {
			t.Errorf("name %q is asked for attestations", name)
		}
	}
	for _, version := range []string{"", "1.0.0/..", "../..", "1\x00", "1\n", "1 ", "^1", "*", "1?x", "1#x", "1%2f", strings.Repeat("1", 215)} {
		if _, err := c.Attestations(t.Context(), "a", version); err == nil {
			t.Errorf("version %q is asked for", version)
		}
	}
	if asked.String() != "" {
		t.Errorf("asked %s", asked)
	}
}

func TestEvidence(t *testing.T) {
	s, asked := serve(t, func(http.ResponseWriter, *http.Request) {})
	other, otherAsked := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := clientFor(t, other.URL, Options{Evidence: s.URL})
	if got, err := c.Packument(t.Context(), "a"); err != nil || got.Registry != s.URL+"/" {
		t.Errorf("%+v, %v", got, err)
	}
	if asked.String() != "/a" || otherAsked.String() != "" {
		t.Errorf("asked %s; %s", asked, otherAsked)
	}
	if _, err := clientFor(t, other.URL, Options{}).base("a"); err != nil {
		t.Error(err)
	}
	none, err := NewClient(&Config{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.Packument(t.Context(), "a"); err == nil {
		t.Error("asked, and no registry is known")
	}
	if _, _, err := none.Tarball(t.Context(), "a", "https://h.example/a.tgz", new(bytes.Buffer)); err == nil {
		t.Error("fetched, and no registry is known")
	}
}
