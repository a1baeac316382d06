package sigstore

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// fulcio answers with certificates that are good from start for so long, and counts
// them. other makes it certify a key of its own.
func fulcio(t *testing.T, start time.Time, lifetime time.Duration, other bool) (address string, issued *int) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issued = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			PublicKeyRequest struct {
				PublicKey struct {
					Content string `json:"content"`
				} `json:"publicKey"`
			} `json:"publicKeyRequest"`
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		block, _ := pem.Decode([]byte(request.PublicKeyRequest.PublicKey.Content))
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if other {
			public = key.Public()
		}
		*issued++
		subject, _ := url.Parse("https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main")
		if strings.Contains(r.Header.Get("Authorization"), strangerMark) {
			subject.Host = "stranger.example"
		}
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(*issued)), NotBefore: start, NotAfter: start.Add(lifetime), URIs: []*url.URL{subject}}
		der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, public, key)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{
			"certificates": []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))},
		}}})
	}))
	t.Cleanup(server.Close)
	return server.URL, issued
}

// tokens are given out in turn, the last one again and again.
func tokens(all ...string) TokenSource {
	return func(context.Context) (string, error) {
		token := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		return token, nil
	}
}

func keyless(t *testing.T, fulcioURL string, source TokenSource) *Keyless {
	t.Helper()
	n, err := NewNotary(t.Context(), Services{Fulcio: fulcioURL, Timestamps: []string{"http://127.0.0.1:1/"}}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	k, err := n.Keyless(t.Context(), source, DefaultAudience)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestCertificateIsShared: one certificate serves until it nears its end; then another is
// had, with another token.
func TestCertificateIsShared(t *testing.T) {
	good := jwt(t, map[string]any{"sub": "a", "aud": "sigstore", "exp": time.Now().Add(time.Hour).Unix()})
	old := jwt(t, map[string]any{"sub": "a", "aud": "sigstore", "exp": time.Now().Add(-time.Hour).Unix()})
	address, issued := fulcio(t, time.Now().Add(-time.Second), 10*time.Minute, false)
	k := keyless(t, address, tokens(good))
	for range 3 {
		if _, err := k.current(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if *issued != 1 {
		t.Errorf("expected one certificate, found %d", *issued)
	}

	address, issued = fulcio(t, time.Now().Add(-time.Second), renewBefore/2, false)
	k = keyless(t, address, tokens(good, good, old))
	for range 2 {
		if _, err := k.current(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if *issued != 2 {
		t.Errorf("expected a second certificate, found %d", *issued)
	}
	// the token expires half-way
	_, err := k.current(t.Context())
	if !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "signing takes longer than the first token or certificate is good for") {
		t.Errorf("expected an expired token to be named, found %v", err)
	}
}

// strangerMark is the end of a token for which fulcio certifies somebody else.
const strangerMark = "c3RyYW5nZXI"

// TestSignerStaysTheSame: a certificate that is had half-way is for who signed before.
func TestSignerStaysTheSame(t *testing.T) {
	good := jwt(t, map[string]any{"sub": "a", "aud": "sigstore", "exp": time.Now().Add(time.Hour).Unix()})
	address, _ := fulcio(t, time.Now().Add(-time.Second), renewBefore/2, false)
	k := keyless(t, address, tokens(good, good[:strings.LastIndexByte(good, '.')+1]+strangerMark))
	if _, err := k.current(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := k.current(t.Context()); !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "as before, found https://stranger.example/") {
		t.Errorf("expected another signer to be refused, found %v", err)
	}
}

// TestCertificateIsChecked: a certificate for another key, or at another time, signs
// nothing.
func TestCertificateIsChecked(t *testing.T) {
	good := jwt(t, map[string]any{"sub": "a", "aud": "sigstore", "exp": time.Now().Add(time.Hour).Unix()})
	for _, c := range []struct {
		start time.Time
		other bool
		want  string
	}{
		{time.Now(), true, "its certificate is for another key"},
		{time.Now().Add(time.Hour), false, "one of the two clocks is wrong"},
		{time.Now().Add(-time.Hour), false, "one of the two clocks is wrong"},
	} {
		address, _ := fulcio(t, c.start, 10*time.Minute, c.other)
		_, err := keyless(t, address, tokens(good)).current(t.Context())
		var service *ServiceError
		if !errors.As(err, &service) || service.URL != address || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, found %v", c.want, err)
		}
	}
}
