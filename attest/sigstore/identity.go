package sigstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"time"

	"plimsoll.example/attest"
)

// DefaultAudience is whom an identity token is for, unless the certificate authority
// wants another.
const DefaultAudience = "sigstore"

// ErrToken reports an identity token that cannot serve.
var ErrToken = errors.New("identity token")

// maxToken bounds identity tokens.
const maxToken = 64 << 10

// A TokenSource returns an identity token (OpenID Connect, a JWT), another one each
// time where that can be had.
type TokenSource func(ctx context.Context) (string, error)

// ErrNoIdentity reports an environment in which no identity token is to be had.
var ErrNoIdentity = errors.New("no identity token is to be had here")

// AmbientToken finds the identity that the environment gives a job: SIGSTORE_ID_TOKEN,
// which GitLab CI sets for an entry of that name under id_tokens, or GitHub Actions'
// request address and token. Without either the error is [ErrNoIdentity].
func AmbientToken(getenv func(string) string, audience string, patience time.Duration) (TokenSource, error) {
	if token := getenv("SIGSTORE_ID_TOKEN"); token != "" {
		return func(context.Context) (string, error) { return token, nil }, nil
	}
	address, bearer := getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || bearer == "" {
		return nil, ErrNoIdentity
	}
	if err := checkURL(address, true); err != nil {
		return nil, fmt.Errorf("ACTIONS_ID_TOKEN_REQUEST_URL: %w", err)
	}
	return func(ctx context.Context) (string, error) {
		token, err := askGitHub(ctx, address, bearer, audience, patience)
		if err != nil {
			return "", &ServiceError{"GitHub's token service", withoutQuery(address), withoutSecret(err, bearer)}
		}
		return token, nil
	}, nil
}

func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}

func askGitHub(ctx context.Context, address, bearer, audience string, patience time.Duration) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("audience", audience)
	u.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "bearer "+bearer)
	response, err := newClient(ctx, patience).Do(request)
	if err != nil {
		return "", withoutMethod(err) // nor the address, which holds a query
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxToken))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answered %s: %s", response.Status, body) // clipped with the rest
	}
	var answer struct {
		Value string `json:"value"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Value == "" {
		return "", errors.New("its answer holds no token")
	}
	return answer.Value, nil
}

// FileToken reads the token from a file, anew each time.
func FileToken(file string) TokenSource {
	return func(context.Context) (string, error) {
		f, err := attest.OpenRegular(file)
		if err != nil {
			return "", fmt.Errorf("reading identity token: %w", err)
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxToken+1))
		if err != nil {
			return "", fmt.Errorf("reading identity token: %w", err)
		}
		return string(data), nil
	}
}

// CommandToken runs a program that prints the token, anew each time.
func CommandToken(command string, args ...string) TokenSource {
	return func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		var out, said bytes.Buffer
		run := exec.CommandContext(ctx, command, args...)
		run.Stdout, run.Stderr = &limitedBuffer{&out}, &limitedBuffer{&said}
		run.WaitDelay = time.Second // what it started may hold its output after it was ended
		if err := run.Run(); err != nil {
			return "", fmt.Errorf("running %q for an identity token: %w: %s", command, err, clip(said.String()))
		}
		return out.String(), nil
	}
}

// limitedBuffer keeps no more than a token may have.
type limitedBuffer struct{ *bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := maxToken + 1 - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

// An identity is what a token says, which only the certificate authority verifies.
type identity struct {
	token           string
	issuer, subject string
	expires         time.Time
}

// readToken looks at a token before it is sent anywhere, for what is wrong with it.
func readToken(token, audience string, now time.Time) (identity, error) {
	token = strings.TrimSpace(token)
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return identity{}, fmt.Errorf("%w: expected a JWT (three parts with dots between them)", ErrToken)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return identity{}, fmt.Errorf("%w: expected a JWT, found parts that are not base64", ErrToken)
	}
	var claims struct {
		Issuer   string          `json:"iss"`
		Subject  string          `json:"sub"`
		Email    string          `json:"email"`
		Workflow string          `json:"job_workflow_ref"`
		Audience json.RawMessage `json:"aud"`
		Expires  json.Number     `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return identity{}, fmt.Errorf("%w: expected a JWT, found claims that are not JSON", ErrToken)
	}
	var audiences []string
	if json.Unmarshal(claims.Audience, &audiences) != nil {
		audiences = make([]string, 1)
		json.Unmarshal(claims.Audience, &audiences[0])
	}
	if !slices.Contains(audiences, audience) {
		return identity{}, fmt.Errorf("%w: expected one for the audience %q, found %q", ErrToken, audience, clip(strings.Join(audiences, ", ")))
	}
	seconds, err := claims.Expires.Float64()
	if err != nil {
		return identity{}, fmt.Errorf("%w: it does not say when it expires", ErrToken)
	}
	id := identity{token: token, issuer: claims.Issuer, subject: claims.Subject, expires: time.Unix(int64(seconds), 0).UTC()}
	switch {
	case claims.Email != "":
		id.subject = claims.Email
	case claims.Workflow != "":
		id.subject = claims.Workflow
	}
	if !now.Before(id.expires) {
		return identity{}, fmt.Errorf("%w: it expired at %s; now it is %s", ErrToken, id.expires.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return id, nil
}
