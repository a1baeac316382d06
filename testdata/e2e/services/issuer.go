package services

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"
)

// Identity is what the issuer's tokens for jobs say, in the certificate's form.
const Identity = "https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v1.2.3"

// Email is whom the issuer's tokens for people name.
const Email = "dev@acme.test"

// ciClaims are those of a job of GitHub Actions, as GitHub documents them.
var ciClaims = map[string]any{
	"sub": "repo:acme/shop:ref:refs/tags/v1.2.3", "ref": "refs/tags/v1.2.3", "sha": commit, "event_name": "push",
	"repository": "acme/shop", "repository_owner": "acme", "repository_id": "101", "repository_owner_id": "202", "repository_visibility": "public",
	"run_id": "303", "run_attempt": "1", "workflow": "release", "runner_environment": "github-hosted",
	"job_workflow_ref": "acme/shop/.github/workflows/release.yml@refs/tags/v1.2.3", "job_workflow_sha": commit,
	"workflow_ref": "acme/shop/.github/workflows/release.yml@refs/tags/v1.2.3", "workflow_sha": commit,
}

const commit = "0123456789abcdef0123456789abcdef01234567"

// Bearer is what a job shows to get a token.
const Bearer = "job-secret"

// An Issuer signs identity tokens.
type Issuer struct {
	key    *rsa.PrivateKey
	server *http.Server
	// Lifetime is how long tokens are good for; it may be negative.
	Lifetime time.Duration
}

func startIssuer() (*Issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	i := &Issuer{key: key, Lifetime: 5 * time.Minute}
	mux := http.NewServeMux()
	for _, path := range []string{"/email", "/ci"} {
		mux.HandleFunc("GET "+path+"/.well-known/openid-configuration", i.configuration)
		mux.HandleFunc("GET "+path+"/keys", i.keys)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", i.configuration)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /ci/token", i.job("/ci"))
	mux.HandleFunc("GET /github/token", i.job(""))
	i.server = &http.Server{Handler: mux}
	listener, err := net.Listen("tcp", strings.TrimPrefix(IssuerURL, "http://"))
	if err != nil {
		return nil, err
	}
	go i.server.Serve(listener)
	return i, nil
}

func (i *Issuer) configuration(w http.ResponseWriter, r *http.Request) {
	issuer := issuerOf(strings.TrimSuffix(r.URL.Path, "/.well-known/openid-configuration"))
	json.NewEncoder(w).Encode(map[string]any{
		"issuer": issuer, "jwks_uri": issuer + "/keys", "authorization_endpoint": issuer + "/auth", "token_endpoint": issuer + "/token",
		"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": encode(i.key.N.Bytes()), "e": encode(big.NewInt(int64(i.key.E)).Bytes()),
	}}})
}

// issuerOf is what the issuer at a path is called; at none it is GitHub's.
func issuerOf(path string) string {
	if path == "" {
		return gitHubIssuer
	}
	return IssuerURL + path
}

// job answers as GitHub's token service does.
func (i *Issuer) job(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(r.Header.Get("Authorization"), "bearer "+Bearer) {
			http.Error(w, "expected the job's token", http.StatusUnauthorized)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"value": i.Token(path, r.URL.Query().Get("audience"), ciClaims)})
	}
}

// EmailToken is a token of a person.
func (i *Issuer) EmailToken() string {
	return i.Token("/email", "sigstore", map[string]any{"sub": "1", "email": Email, "email_verified": true})
}

// Token signs claims.
func (i *Issuer) Token(path, audience string, claims map[string]any) string {
	now := time.Now()
	all := map[string]any{"iss": issuerOf(path), "aud": audience, "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(i.Lifetime).Unix()}
	for k, v := range claims {
		all[k] = v
	}
	body, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT","kid":"1"}`)) + "." + encode(body)
	digest := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + encode(sig)
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
