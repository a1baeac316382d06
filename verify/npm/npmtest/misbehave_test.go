package npmtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plimsoll.example/verify/npm/npmtest"
)

func TestMisbehave(t *testing.T) {
	s := serve(t, shop)
	const tarball = "/foo/-/foo-1.0.0.tgz"
	_, good := s.get(t, tarball)

	s.Misbehave("/foo/-/", npmtest.WrongBytes())
	if _, body := s.get(t, tarball); bytes.Equal(body, good) || len(body) != len(good) {
		t.Error("WrongBytes: the right ones")
	}
	if res, _ := s.get(t, "/foo"); res.StatusCode != 200 {
		t.Error("a misbehaviour reaches another path")
	}
	s.Misbehave("/foo", npmtest.Status(429, 2, "3"))
	for i, want := range []int{429, 429, 200} {
		res, _ := s.get(t, tarball)
		if res.StatusCode != want || (res.Header.Get("Retry-After") == "3") != (want == 429) {
			t.Errorf("Status, time %d: expected %d, found %s, Retry-After %q", i+1, want, res.Status, res.Header.Get("Retry-After"))
		}
	}
	s.Misbehave("/foo", npmtest.Status(500, 0, ""))
	for range 3 {
		if res, _ := s.get(t, "/foo"); res.StatusCode != 500 || res.Header["Retry-After"] != nil {
			t.Errorf("Status always: %s", res.Status)
		}
	}
	s.Misbehave("/@acme/", npmtest.RedirectTo("http://elsewhere.test/x"))
	for _, path := range []string{"/@acme/bar", "/@acme%2fbar"} {
		if res, _ := s.get(t, path); res.StatusCode != 302 || res.Header.Get("Location") != "http://elsewhere.test/x" {
			t.Errorf("RedirectTo: %s %s", res.Status, res.Header.Get("Location"))
		}
	}
	s.Misbehave("/-/npm/v1/keys", npmtest.Huge(1<<20))
	if _, body := s.get(t, "/-/npm/v1/keys"); len(body) != 1<<20 || !json.Valid(body) {
		t.Errorf("Huge: %d bytes", len(body))
	}
	s.Misbehave("/none", npmtest.Body([]byte("{}")))
	if res, body := s.get(t, "/none"); res.StatusCode != 200 || string(body) != "{}" {
		t.Errorf("Body: %s %s", res.Status, body)
	}
	s.Behave()
	if _, body := s.get(t, tarball); !bytes.Equal(body, good) {
		t.Error("Behave: it does not")
	}
}

func TestCut(t *testing.T) {
	s := serve(t, shop)
	s.Misbehave("/", npmtest.Cut())
	res, err := http.Get(s.url + "/foo")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || int64(len(body)) != res.ContentLength/2 || len(body) == 0 {
		t.Errorf("%d of %d bytes, %v", len(body), res.ContentLength, err)
	}
}

func TestSlow(t *testing.T) {
	s := serve(t, shop)
	s.Misbehave("/foo", npmtest.Slow(50*time.Millisecond))
	s.Misbehave("/", npmtest.Status(503, 0, ""))
	start := time.Now()
	if res, _ := s.get(t, "/foo"); res.StatusCode != 503 || time.Since(start) < 50*time.Millisecond {
		t.Errorf("%s after %s", res.Status, time.Since(start))
	}
	s.Misbehave("/odd", npmtest.Slow(time.Hour))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+"/odd", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("expected the deadline's end, found %v", err)
	}
}

// FuzzServe: no request makes the handler panic, and every answer but a tarball is
// JSON.
func FuzzServe(f *testing.F) {
	s := serve(f, shop)
	for _, path := range []string{"/foo", "/@acme%2fbar", "/foo/-/foo-1.0.0.tgz", "/-/npm/v1/keys", "/-/npm/v1/attestations/foo@1.0.0", "/foo/latest", "//", "/-/", "/%2f"} {
		f.Add("GET", path, "application/json", []byte(nil))
	}
	f.Add("PUT", "/foo", "", []byte(`{"name":"foo","versions":{"3.0.0":{"name":"foo","version":"3.0.0"}},"_attachments":{"x.tgz":{"data":"AAAA"},"x.sigstore":{"data":"{\"dsseEnvelope\":{\"payload\":\"e30=\"}}"}}}`))
	f.Fuzz(func(t *testing.T, method, path, accept string, body []byte) {
		req, err := http.NewRequest(method, s.url, bytes.NewReader(body))
		if err != nil {
			return
		}
		if req.URL, err = req.URL.Parse(s.url + "/" + strings.TrimPrefix(path, "/")); err != nil {
			return
		}
		req.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		if kind := w.Header().Get("Content-Type"); kind != "application/octet-stream" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s: %q", w.Code, kind, w.Body)
		}
	})
}
