package services

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"plimsoll.example/verify/npm/npmtest"
)

// Names that npm's client has built in. In the namespace of the tests they are this
// machine (testdata/e2e/run writes its hosts file), where one front answers for all.
const (
	gitHubIssuer = "https://token.actions.githubusercontent.com"
	tufHost      = "tuf-repo-cdn.sigstore.dev"
	frontAddress = "127.0.0.1:443"
)

// NPMRegistry is where the registry of npm packages listens.
const NPMRegistry = "127.0.0.1:4873"

// web makes the certificates of the front.
func (p pki) web() error {
	topKey, err := newKey()
	if err != nil {
		return err
	}
	top, err := p.issue(authority("web"), nil, topKey.Public(), topKey)
	if err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	leaf, err := p.issue(&x509.Certificate{
		DNSNames: []string{"token.actions.githubusercontent.com", "fulcio.sigstore.dev", "rekor.sigstore.dev", tufHost},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, top, key.Public(), topKey)
	if err != nil {
		return err
	}
	if err := p.writeKey("web-key.pem", key); err != nil {
		return err
	}
	if err := p.writeCertificates("web-ca.pem", top); err != nil {
		return err
	}
	return p.writeCertificates("web-cert.pem", leaf)
}

// startFront answers under the names that npm has built in.
func (s *Services) startFront() error {
	pair, err := tls.LoadX509KeyPair(s.File("web-cert.pem"), s.File("web-key.pem"))
	if err != nil {
		return err
	}
	hosts := map[string]http.Handler{
		"token.actions.githubusercontent.com": proxy(IssuerURL),
		"fulcio.sigstore.dev":                 proxy(FulcioURL),
		"rekor.sigstore.dev":                  proxy(Rekor1URL),
		tufHost:                               http.FileServer(http.Dir(s.File("tuf"))),
	}
	listener, err := net.Listen("tcp", frontAddress)
	if err != nil {
		return err
	}
	go http.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}}), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := hosts[r.Host]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		http.Error(w, "no such host here", http.StatusMisdirectedRequest)
	}))
	return nil
}

// prepareNPM makes the registry's own keys, a trust root that knows them and the
// services (npm_root.json), and TUF repositories that serve it, and another one
// (tuf-other), to npm's client.
func (s *Services) prepareNPM() (err error) {
	if s.Registry, err = npmtest.NewSigstore(); err != nil {
		return err
	}
	services, err := os.ReadFile(s.File("trusted_root.json"))
	if err != nil {
		return err
	}
	merged, err := mergeRoots(services, s.Registry.TrustedRoot())
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.File("npm_root.json"), merged, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(s.File("npm_keys.json"), s.Registry.NPMKeys(), 0o600); err != nil {
		return err
	}
	return writeTUF(s.File("tuf"), merged)
}

// mergeRoots joins the authorities and logs of two trust roots.
func mergeRoots(a, b []byte) ([]byte, error) {
	var x, y map[string]any
	if err := json.Unmarshal(a, &x); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &y); err != nil {
		return nil, err
	}
	for _, key := range []string{"tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities"} {
		first, _ := x[key].([]any)
		second, _ := y[key].([]any)
		x[key] = append(first, second...)
	}
	return json.Marshal(x)
}

// writeTUF writes a TUF repository with one target, which one key signs.
func writeTUF(dir string, trusted []byte) error {
	expires := time.Now().Add(24 * time.Hour).UTC()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	key, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return err
	}
	signer, err := signature.LoadSigner(private, crypto.Hash(0))
	if err != nil {
		return err
	}
	root := metadata.Root(expires)
	root.Signed.ConsistentSnapshot = true
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		if err := root.Signed.AddKey(key, role); err != nil {
			return err
		}
	}
	targets := metadata.Targets(expires)
	info, err := metadata.TargetFile().FromBytes("trusted_root.json", trusted, "sha256")
	if err != nil {
		return err
	}
	targets.Signed.Targets["trusted_root.json"] = info
	if err := os.MkdirAll(filepath.Join(dir, "targets"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "targets", fmt.Sprintf("%x.trusted_root.json", []byte(info.Hashes["sha256"]))), trusted, 0o600); err != nil {
		return err
	}
	snapshot, timestamp := metadata.Snapshot(expires), metadata.Timestamp(expires)
	for _, err := range []error{
		signTo(filepath.Join(dir, "1.root.json"), root, signer), signTo(filepath.Join(dir, "root.json"), root, signer),
		signTo(filepath.Join(dir, "1.targets.json"), targets, signer), signTo(filepath.Join(dir, "1.snapshot.json"), snapshot, signer),
		signTo(filepath.Join(dir, "timestamp.json"), timestamp, signer),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func signTo[T metadata.Roles](file string, m *metadata.Metadata[T], signer signature.Signer) error {
	m.ClearSignatures()
	if _, err := m.Sign(signer); err != nil {
		return err
	}
	return m.ToFile(file, true)
}
