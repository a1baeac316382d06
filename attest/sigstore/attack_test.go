package sigstore

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
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
