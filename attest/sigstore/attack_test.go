package sigstore

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"plimsoll.example/attest"
)

// TestRetryAfter: a service cannot make us wait for as long as it says.
func TestRetryAfter(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	n := &Notary{services: Services{Timestamps: []string{server.URL}}, patience: time.Second}
	var service *ServiceError
	if _, err := n.timestamps(ctx, []byte("sig")); !errors.As(err, &service) || ctx.Err() != nil {
		t.Errorf("expected an answer of the service, found %v", err)
	}
}

// TestTokensAreNotEchoed: a service that answers with what it was sent does not make us
// print it.
func TestTokensAreNotEchoed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "you sent "+r.Header.Get("Authorization"), http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	token := jwt(t, map[string]any{"sub": "a", "aud": "sigstore", "exp": time.Now().Add(time.Hour).Unix()})
	if _, err := keyless(t, server.URL, tokens(token)).current(t.Context()); err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "you sent") {
		t.Errorf("Fulcio: found %v", err)
	}
	env := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "the-bearer-word"}
	source, err := AmbientToken(func(name string) string { return env[name] }, "sigstore", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source(t.Context()); err == nil || strings.Contains(err.Error(), "the-bearer-word") || !strings.Contains(err.Error(), "you sent") {
		t.Errorf("GitHub: found %v", err)
	}
}

// TestAddressesKeepPasswords: an address that is refused is not repeated with its password.
func TestAddressesKeepPasswords(t *testing.T) {
	for _, address := range []string{"ftp://user:word-of-pass@tsa.example", "https://user:word-of-pass%zz@tsa.example", "//user:word-of-pass@tsa.example", "https://user:word-of-pass@"} {
		if err := checkURL(address, false); err == nil || strings.Contains(err.Error(), "word-of-pass") {
			t.Errorf("%s: found %v", address, err)
		}
	}
}

// TestTokenCommandEnds: a program for tokens ends with its context, whatever it started.
func TestTokenCommandEnds(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := CommandToken("sh", "-c", "sleep 8; echo token")(ctx); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("after %s found %v", time.Since(start), err)
	}
}

// TestNoDebugOutput: no variable of the environment has the exchange with a log printed.
func TestNoDebugOutput(t *testing.T) {
	t.Setenv("DEBUG", "1")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, "{\"message\":\"\x1b[2Jhello\"}")
	}))
	t.Cleanup(server.Close)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = w
	said := make(chan string)
	go func() {
		data, _ := io.ReadAll(r)
		said <- string(data)
	}()
	key, err := attest.GenerateKey(attest.DefaultKeyAlgorithm)
	if err == nil {
		_, err = hostile(t, Services{Logs: []Log{{server.URL, 1}}}, key)
	}
	os.Stderr = stderr
	w.Close()
	if text := <-said; text != "" || err == nil {
		t.Errorf("found %v and on stderr %q", err, text)
	}
}

// TestServiceNamedTwice: what could not verify, because one service counts once, is
// refused before anything is public.
func TestServiceNamedTwice(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(server.Close)
	for _, s := range []Services{
		{Timestamps: []string{server.URL + "/ts", server.URL + "/ts"}},
		{Logs: []Log{{server.URL, 1}, {server.URL + "/", 0}}},
	} {
		if _, err := NewNotary(t.Context(), s, &Root{}, 0); err == nil || !strings.Contains(err.Error(), "named twice") || asked > 0 {
			t.Errorf("asked %d times, found %v", asked, err)
		}
	}
	if _, err := NewNotary(t.Context(), Services{Timestamps: []string{server.URL + "/a", server.URL + "/b"}, Logs: []Log{{server.URL, 1}}}, &Root{}, 0); err != nil {
		t.Error(err)
	}
}
