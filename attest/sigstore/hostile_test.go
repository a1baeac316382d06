package sigstore

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plimsoll.example/attest"
)

// TestHostileAnswers: whatever a service answers, it is an error that names the service,
// and never a bundle.
func TestHostileAnswers(t *testing.T) {
	key, err := attest.GenerateKey(attest.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	const uuid = "24296fb24b8ad77a0000000000000000000000000000000000000000000000000000000000000000"
	answers := []string{
		``, `{}`, `[]`, `null`, `"text"`, `{"a":`, "\x30\x03\x02\x01\x00", strings.Repeat("[", 10000),
		`{"` + uuid + `":{}}`, `{"` + uuid + `":null}`, `{"` + uuid + `":{"body":"e30=","integratedTime":1,"logIndex":0,"logID":"00"}}`,
		`{"` + uuid + `":{"body":"!","integratedTime":1,"logIndex":0,"logID":"zz","verification":{"inclusionProof":{"hashes":null},"signedEntryTimestamp":"AA=="}}}`,
		`{"logIndex":"0"}`, `{"logIndex":"0","inclusionProof":{"checkpoint":{}},"canonicalizedBody":"e30="}`, `{"logIndex":-1}`,
		`{"signedCertificateEmbeddedSct":{"chain":{"certificates":[""]}}}`, `{"signedCertificateEmbeddedSct":{"chain":{"certificates":["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]}}}`,
	}
	for _, status := range []int{http.StatusOK, http.StatusCreated, http.StatusNoContent, http.StatusConflict, http.StatusTeapot} {
		for i, answer := range answers {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Location", "/api/v1/log/entries/"+uuid)
				w.Header().Set("Etag", uuid)
				w.WriteHeader(status)
				fmt.Fprint(w, answer)
			}))
			for _, services := range []Services{
				{Timestamps: []string{server.URL}}, {Logs: []Log{{server.URL, 1}}}, {Logs: []Log{{server.URL, 2}}}, {Logs: []Log{{server.URL, 0}}},
			} {
				line, err := hostile(t, services, key)
				var service *ServiceError
				if !errors.As(err, &service) || service.URL != server.URL {
					t.Errorf("answer %d (%.40q) with status %d of %+v: expected an error that names it, found %v, %.80s", i, answer, status, services, err, line)
				}
			}
			n := &Notary{services: Services{Fulcio: server.URL}, patience: time.Minute}
			var service *ServiceError
			if _, err := n.certify(t.Context(), identity{token: jwt(t, map[string]any{"sub": "a", "aud": "sigstore"})}); !errors.As(err, &service) {
				t.Errorf("answer %d (%.40q) with status %d of Fulcio: found %v", i, answer, status, err)
			}
			server.Close()
		}
	}
}

func hostile(t *testing.T, services Services, key *attest.Key) (line []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	n, err := NewNotary(t.Context(), services, &Root{}, 0)
	if err != nil {
		return nil, err
	}
	payload := []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"` + strings.Repeat("a", 64) + `"}}],"predicateType":"https://example.com/p"}`)
	return n.ByKey(t.Context(), key, payload)
}
