package oci

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestSlowAnswer: an answer that begins and does not end is not waited for.
func TestSlowAnswer(t *testing.T) {
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		for {
			w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			select {
			case <-ended:
				return
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(ended) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := NewClient(ctx)
	c.options = append(c.options, remote.WithTransport(noteReferrers{deadline{patient(), 200 * time.Millisecond}, c.fallback}))
	ref, err := ParseReference("oci://" + strings.TrimPrefix(server.URL, "http://") + "/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Resolve(ref, ""); err == nil || !strings.Contains(err.Error(), "takes longer than") || ctx.Err() != nil {
		t.Errorf("found %v", err)
	}
}
