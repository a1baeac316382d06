package services

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/digitorus/timestamp"
)

// Services that do not behave, and that no real program can be made to be.
const (
	OnceURL      = "http://127.0.0.1:4001"               // Rekor v1, which answers 409 to what it holds already
	SlowURL      = "http://127.0.0.1:4002"               // Rekor v1, which takes entries and does not answer
	AheadURL     = "http://127.0.0.1:4003/api/timestamp" // a timestamp authority whose clock is an hour ahead
	ElsewhereURL = "http://127.0.0.1:4004"               // sends every request elsewhere
	EndlessURL   = "http://127.0.0.1:4005"               // answers without an end
	BusyURL      = "http://127.0.0.1:4006"               // Fulcio, which answers 503 once and then as it should
	NobodyURL    = "http://127.0.0.1:4007"               // nobody listens
)

// Elsewhere counts the requests that followed a redirection.
var Elsewhere sync.Map

func (s *Services) startDoubles() error {
	ahead, err := s.ahead()
	if err != nil {
		return err
	}
	registry := referrers()
	for address, handler := range map[string]http.Handler{
		"http://" + goRegistry: registry, "http://" + lockedRegistry: locked(registry), "http://" + storageHost: storage(registry),
		OnceURL: once(), SlowURL: slow(), AheadURL: ahead, ElsewhereURL: elsewhere(), EndlessURL: endless(), BusyURL: busy(),
	} {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		listener, err := net.Listen("tcp", u.Host)
		if err != nil {
			return err
		}
		go http.Serve(listener, handler)
	}
	return nil
}

func proxy(to string) http.Handler {
	u, err := url.Parse(to)
	if err != nil {
		panic(err)
	}
	return httputil.NewSingleHostReverseProxy(u)
}

// once remembers the log's answers by what was asked. The log itself would do so on any
// storage but memory.
func once() http.Handler {
	var mu sync.Mutex
	uuids, answers := map[string]string{}, map[string][]byte{}
	next := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		u, _ := url.Parse(Rekor1URL)
		r.SetURL(u)
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if uuid := path.Base(r.URL.Path); r.Method == http.MethodGet && answers[uuid] != nil {
			w.Header().Set("Content-Type", "application/json")
			w.Write(answers[uuid])
			return
		}
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if uuid := uuids[string(body)]; uuid != "" {
			w.Header().Set("Location", "/api/v1/log/entries/"+uuid)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, `{"code":409,"message":"an equivalent entry already exists"}`)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		keep := &recorder{ResponseWriter: w}
		next.ServeHTTP(keep, r)
		uuid := strings.Trim(w.Header().Get("Etag"), `"`)
		uuids[string(body)], answers[uuid] = uuid, keep.body.Bytes()
	})
}

type recorder struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

func slow() http.Handler {
	next := proxy(Rekor1URL)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			<-r.Context().Done()
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ahead signs times with the real authority's key: only the clock is wrong.
func (s *Services) ahead() (http.Handler, error) {
	chain, err := os.ReadFile(s.File("tsa-chain.pem"))
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(s.File("tsa-key.pem"))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(chain)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	block, _ = pem.Decode(keyPEM)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked, err := timestamp.ParseRequest(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		signed := timestamp.Timestamp{
			HashAlgorithm: asked.HashAlgorithm, HashedMessage: asked.HashedMessage, Time: time.Now().Add(time.Hour),
			SerialNumber: big.NewInt(time.Now().UnixNano()), Policy: []int{1, 3, 6, 1, 4, 1, 57264, 2}, AddTSACertificate: false,
		}
		answer, err := signed.CreateResponseWithOpts(leaf, key.(crypto.Signer), crypto.SHA256)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(answer)
	}), nil
}

func elsewhere() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/followed") {
			Elsewhere.Store(r.URL.String(), true)
			return
		}
		http.Redirect(w, r, ElsewhereURL+"/followed"+r.URL.Path, http.StatusTemporaryRedirect)
	})
}

func endless() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		for block := bytes.Repeat([]byte{' '}, 1<<20); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
}

func busy() http.Handler {
	var mu sync.Mutex
	asked := 0
	next := proxy(FulcioURL)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		first := asked == 1
		mu.Unlock()
		if first {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}
