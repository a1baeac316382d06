package sigstore

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
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
