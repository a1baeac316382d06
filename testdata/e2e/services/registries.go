package services

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/registry"
)

// storageHost is where lockedRegistry's blobs are fetched from, as with a registry that
// keeps them in a cloud's storage.
const storageHost = "127.0.0.1:5003"

// Leaked holds what was shown to storageHost and is none of its business.
var Leaked sync.Map

// referrers is a registry with the referrers API.
func referrers() http.Handler {
	next := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			body, _ := io.ReadAll(io.LimitReader(r.Body, 4<<20))
			r.Body = io.NopCloser(bytes.NewReader(body))
			var manifest struct {
				Subject *struct {
					Digest string `json:"digest"`
				} `json:"subject"`
			}
			if json.Unmarshal(body, &manifest) == nil && manifest.Subject != nil {
				w.Header().Set("OCI-Subject", manifest.Subject.Digest) // which tells clients that the API is there
			}
		}
		next.ServeHTTP(w, r)
	})
}

// locked wants a token, which its token service gives to those with a password, and
// sends those who fetch a blob to another host.
func locked(next http.Handler) http.Handler {
	const token = "registry-token"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			if user, word, _ := r.BasicAuth(); user != TokenUser || word != TokenWord {
				http.Error(w, "no", http.StatusUnauthorized)
				return
			}
			json.NewEncoder(w).Encode(map[string]string{"token": token})
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+lockedRegistry+`/token",service="e2e"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
		case r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/sha256:"):
			http.Redirect(w, r, "http://"+storageHost+r.URL.Path, http.StatusTemporaryRedirect)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func storage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shown := r.Header.Get("Authorization"); shown != "" {
			Leaked.Store(shown, true)
		}
		next.ServeHTTP(w, r)
	})
}
