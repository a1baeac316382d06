package npmtest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/npmtest"
	"plimsoll.example/verify/sigstore"
)

const shop = `
-- foo@1.0.0/package/package.json --
{"repository": "github:acme/foo", "license": "MIT", "dependencies": {"@acme/bar": "^1.0.0"}, "readme": "x"}
-- foo@1.0.0/package/index.js --
module.exports = require('@acme/bar')
-- foo@1.0.0/registry.json --
{"provenance": true, "user": "dev", "maintainers": ["dev", "ops"], "time": "2026-02-01T08:00:00Z"}
-- foo@1.1.0/package/package.json --
{"repository": {"type": "git", "url": "git+https://github.com/acme/foo.git"}}
-- foo@1.1.0/registry.json --
{"provenance": {"repository": "https://github.com/acme/new", "runner": "self-hosted"}, "trustedPublisher": true}
-- foo@2.0.0-rc.1/package/package.json --
{}
-- @acme/bar@1.0.0/package/package.json --
{"name": "bar", "scripts": {"postinstall": "node -e 0"}}
-- @acme/bar@1.0.0/package/index.js --
module.exports = 'bar'
-- gyp@1.0.0/package/package.json --
{"gypfile": false}
-- gyp@1.0.0/package/binding.gyp --
-- gyp@1.0.1/package/package.json --
{}
-- gyp@1.0.1/package/binding.gyp --
-- odd@1.0.0/package/package.json --
{"repository": "acme/odd"}
-- odd@1.0.0/registry.json --
{"provenance": true, "announce": false, "signature": "none"}
-- odd@1.0.1/package/package.json --
{}
-- odd@1.0.1/registry.json --
{"announce": true, "signature": "expired-key"}
-- odd@1.0.2/package/package.json --
{"engines": {"node": "*"}}
-- odd@1.0.2/registry.json --
{"signature": "other-key", "metadata": {"deprecated": "old", "engines": null, "dist": {"tarball": "http://elsewhere.test/x.tgz"}}}
`

type served struct {
	*npmtest.Registry
	sigstore *npmtest.Sigstore
	url      string
}

func serve(t testing.TB, archive string) served {
	t.Helper()
	s := newSigstore(t)
	r, err := npmtest.NewRegistry(s, txtar.Parse([]byte(archive)))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.SetBase(server.URL + "/")
	return served{r, s, server.URL}
}

// get returns an answer's status, header and body.
func (s served) get(t testing.TB, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest("GET", s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

type manifest struct {
	Name, Version    string
	Deprecated       string
	HasInstallScript bool           `json:"hasInstallScript"`
	Engines          map[string]any `json:"engines"`
	Readme           string         `json:"readme"`
	User             map[string]any `json:"_npmUser"`
	Maintainers      []map[string]any
	Dist             struct {
		Tarball, Integrity, Shasum string
		Signatures                 []struct{ Keyid, Sig string }
		Attestations               *struct{ URL string }
	}
}

type packument struct {
	Name     string
	DistTags map[string]string `json:"dist-tags"`
	Time     map[string]time.Time
	Versions map[string]manifest
}

func (s served) packument(t testing.TB, path string, header ...string) packument {
	t.Helper()
	res, body := s.get(t, path, header...)
	var p packument
	if err := json.Unmarshal(body, &p); err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %s %s, %v", path, res.Status, body, err)
	}
	return p
}

func TestPackument(t *testing.T) {
	s := serve(t, shop)
	p := s.packument(t, "/foo")
	if p.DistTags["latest"] != "1.1.0" || len(p.Versions) != 3 || len(p.Time) != 5 || !p.Time["1.0.0"].Equal(time.Date(2026, 2, 1, 8, 0, 0, 0, time.UTC)) || !p.Time["created"].Equal(p.Time["1.0.0"]) {
		t.Errorf("found %+v", p)
	}
	one := p.Versions["1.0.0"]
	if one.User["name"] != "dev" || len(one.Maintainers) != 2 || one.Readme != "x" || one.HasInstallScript {
		t.Errorf("foo@1.0.0: %+v", one)
	}
	if trusted, _ := p.Versions["1.1.0"].User["trustedPublisher"].(map[string]any); trusted["id"] != "github" || trusted["oidcConfigId"] == nil {
		t.Errorf("foo@1.1.0: %+v", p.Versions["1.1.0"].User)
	}
	if p.Versions["2.0.0-rc.1"].Dist.Attestations != nil {
		t.Error("a version without provenance announces attestations")
	}
	for _, path := range []string{"/@acme/bar", "/@acme%2fbar", "/@acme%2Fbar"} {
		if got := s.packument(t, path).Versions["1.0.0"]; got.Name != "@acme/bar" || got.Dist.Tarball != s.url+"/@acme/bar/-/bar-1.0.0.tgz" {
			t.Errorf("%s: %+v", path, got)
		}
	}
	abbreviated := []string{"Accept", "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"}
	short := s.packument(t, "/foo", abbreviated...)
	if v := short.Versions["1.0.0"]; len(short.Time) != 0 || v.Readme != "" || v.User != nil || !reflect.DeepEqual(v.Dist.Attestations, one.Dist.Attestations) || v.Dist.Integrity != one.Dist.Integrity {
		t.Errorf("abbreviated: %+v", short)
	}
	for id, want := range map[string]bool{"foo@1.0.0": false, "@acme/bar@1.0.0": true, "gyp@1.0.0": false, "gyp@1.0.1": true} {
		at := strings.LastIndex(id, "@")
		if got := s.packument(t, "/"+id[:at], abbreviated...).Versions[id[at+1:]].HasInstallScript; got != want {
			t.Errorf("%s: expected an install script %v, found %v", id, want, got)
		}
	}
	odd := s.packument(t, "/odd").Versions
	if two := odd["1.0.2"]; two.Deprecated != "old" || two.Engines != nil || two.Dist.Tarball != "http://elsewhere.test/x.tgz" || two.Dist.Integrity == "" {
		t.Errorf("metadata was not merged: %+v", two)
	}
	if _, body := s.get(t, "/odd/1.0.2"); bytes.Contains(body, []byte(`"engines"`)) {
		t.Errorf("null did not take away: %s", body)
	}
	if odd["1.0.0"].Dist.Attestations != nil || odd["1.0.1"].Dist.Attestations == nil {
		t.Error("announce counts for nothing")
	}
	for _, path := range []string{"/none", "/@acme/none", "/foo/-/foo-9.9.9.tgz", "/-/npm/v1/attestations/none@1.0.0", "/-/npm/v1/attestations/foo@2.0.0-rc.1", "/-/npm/v1/attestations/odd@1.0.1", "/foo/9.9.9", "/"} {
		if res, body := s.get(t, path); res.StatusCode != 404 || !json.Valid(body) {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
	}
	if _, body := s.get(t, "/foo/latest"); !bytes.Contains(body, []byte(`"version":"1.1.0"`)) {
		t.Errorf("/foo/latest: %s", body)
	}
}

func TestSignatures(t *testing.T) {
	s := serve(t, shop)
	keys, err := sigstore.ParseNPMKeys(s.sigstore.NPMKeys(), "npm:signatures")
	if err != nil {
		t.Fatal(err)
	}
	good := s.packument(t, "/@acme/bar").Versions["1.0.0"]
	odd := s.packument(t, "/odd").Versions
	check := func(m manifest, at time.Time) bool {
		return holds(t, keys, m.Dist.Signatures[0].Keyid, m.Dist.Signatures[0].Sig, npm.Package{Name: m.Name, Version: m.Version, Integrity: m.Dist.Integrity}, at)
	}
	if !check(good, march) {
		t.Error("a good signature does not hold")
	}
	if len(odd["1.0.0"].Dist.Signatures) != 0 {
		t.Error("none: there is one")
	}
	if expired := odd["1.0.1"]; check(expired, march) || !check(expired, march.AddDate(-3, 0, 0)) {
		t.Error("expired-key: expected a signature that held once")
	}
	if check(odd["1.0.2"], march) {
		t.Error("other-key: holds")
	}
	if _, body := s.get(t, "/-/npm/v1/keys"); !bytes.Equal(body, s.sigstore.KeysEndpoint()) {
		t.Errorf("keys: %s", body)
	}
}

func TestAttestations(t *testing.T) {
	s := serve(t, shop)
	checker := checkerOf(t, s.sigstore)
	for id, want := range map[string]string{"foo@1.0.0": "https://github.com/acme/foo", "foo@1.1.0": "https://github.com/acme/new", "odd@1.0.0": "https://github.com/acme/odd"} {
		pkg, err := npm.ParsePackage(id)
		if err != nil {
			t.Fatal(err)
		}
		m := s.packument(t, "/"+pkg.Name).Versions[pkg.Version]
		pkg.Integrity = m.Dist.Integrity
		_, answer := s.get(t, "/-/npm/v1/attestations/"+id)
		origin, err := npm.CheckAttestations(context.Background(), checker, pkg, answer)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if origin.Repository != want || origin.Registry != s.url || origin.Ref != "refs/tags/v"+pkg.Version {
			t.Errorf("%s: %+v", id, origin)
		}
		if selfHosted := origin.Runner == "self-hosted"; selfHosted != (id == "foo@1.1.0") {
			t.Errorf("%s: runner %s", id, origin.Runner)
		}
		if _, again := s.get(t, "/-/npm/v1/attestations/"+id); !bytes.Equal(answer, again) {
			t.Errorf("%s: another answer the second time", id)
		}
	}
	scoped := serve(t, "-- @acme/foo@1.0.0/package/package.json --\n{\"repository\": \"git@github.com:acme/foo.git\"}\n-- @acme/foo@1.0.0/registry.json --\n{\"provenance\": true}\n")
	_, plain := scoped.get(t, "/-/npm/v1/attestations/@acme/foo@1.0.0")
	if res, escaped := scoped.get(t, "/-/npm/v1/attestations/@acme%2ffoo@1.0.0"); res.StatusCode != 200 || !bytes.Equal(plain, escaped) {
		t.Errorf("escaped: %s %s", res.Status, escaped)
	}
}

func TestTarball(t *testing.T) {
	s := serve(t, shop)
	dist := s.packument(t, "/@acme/bar").Versions["1.0.0"].Dist
	_, body := s.get(t, strings.TrimPrefix(dist.Tarball, s.url))
	strong, weak := sha512.Sum512(body), sha1.Sum(body)
	if dist.Integrity != "sha512-"+base64.StdEncoding.EncodeToString(strong[:]) || dist.Shasum != hex.EncodeToString(weak[:]) {
		t.Error("the tarball is not what the metadata says")
	}
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	archive := tar.NewReader(zip)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		// The lie about the name stays, the missing version is put in.
		if h.Name == "package/package.json" && (!bytes.Contains(content, []byte(`"name": "bar"`)) || !bytes.Contains(content, []byte(`"version": "1.0.0"`))) {
			t.Errorf("package.json: %s", content)
		}
	}
	if want := []string{"package/index.js", "package/package.json"}; !reflect.DeepEqual(names, want) {
		t.Errorf("expected %v, found %v", want, names)
	}
	if again := serve(t, shop).packument(t, "/@acme/bar").Versions["1.0.0"].Dist; again.Integrity != dist.Integrity {
		t.Error("the same files make another tarball")
	}
}

func TestBadArchives(t *testing.T) {
	s := newSigstore(t)
	manifest := "-- foo@1.0.0/package/package.json --\n{}\n-- foo@1.0.0/registry.json --\n"
	for name, archive := range map[string]string{
		"no package.json":         "-- foo@1.0.0/package/index.js --\n",
		"another path":            "-- foo@1.0.0/index.js --\n",
		"no version":              "-- foo/package/package.json --\n{}\n",
		"a version with a slash":  "-- foo@1/0/package/package.json --\n{}\n",
		"no name":                 "-- @1.0.0/package/package.json --\n{}\n",
		"a version that is empty": "-- foo@/package/package.json --\n{}\n",
		"a file twice":            "-- foo@1.0.0/package/package.json --\n{}\n-- foo@1.0.0/package/package.json --\n{}\n",
		"settings twice":          manifest + "{}\n-- foo@1.0.0/registry.json --\n{}\n",
		"a broken package.json":   "-- foo@1.0.0/package/package.json --\n{\n",
		"no object":               "-- foo@1.0.0/package/package.json --\nnull\n",
		"an unknown word":         manifest + `{"provenence": true}`,
		"an unknown identity":     manifest + `{"provenance": {"repository": "https://github.com/a/b", "sha": "x"}}`,
		"a number for provenance": manifest + `{"provenance": 1}`,
		"an unknown signature":    manifest + `{"signature": "good"}`,
		"no repository":           manifest + `{"provenance": true}`,
		"no settings":             manifest + "\n",
	} {
		if _, err := npmtest.NewRegistry(s, txtar.Parse([]byte(archive))); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRequests(t *testing.T) {
	s := serve(t, shop)
	s.get(t, "/@acme%2fbar", "Authorization", "Bearer x", "Accept", "application/json")
	s.get(t, "/foo")
	host := strings.TrimPrefix(s.url, "http://")
	want := []npmtest.Request{{Method: "GET", Path: "/@acme%2fbar", Authorization: "Bearer x", Accept: "application/json", Host: host}, {Method: "GET", Path: "/foo", Host: host}}
	if got := s.Requests(); !reflect.DeepEqual(got, want) {
		t.Errorf("expected %v, found %v", want, got)
	}
}

func TestLockfile(t *testing.T) {
	s := serve(t, shop)
	data := s.Lockfile("app", "foo@1.0.0", "@acme/bar@1.0.0", "foo@1.1.0", "odd@1.0.2")
	project, err := lockfile.ParseLockfile("package-lock.json", data)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]lockfile.Package{}
	for _, p := range project.Packages {
		found[p.Place] = p
	}
	for place, id := range map[string]string{"node_modules/foo": "foo@1.0.0", "node_modules/@acme/bar": "@acme/bar@1.0.0", "node_modules/@acme/bar/node_modules/foo": "foo@1.1.0", "node_modules/odd": "odd@1.0.2"} {
		p, at := found[place], strings.LastIndex(id, "@")
		dist := s.packument(t, "/"+id[:at]).Versions[id[at+1:]].Dist
		if p.Name+"@"+p.Version != id || p.Integrity != dist.Integrity || (p.Resolved != dist.Tarball) != (id == "odd@1.0.2") {
			t.Errorf("%s: expected %s, found %+v", place, id, p)
		}
	}
	if bytes.Count(data, []byte("hasInstallScript")) != 1 {
		t.Errorf("expected one install script in %s", data)
	}
	defer func() {
		if recover() == nil {
			t.Error("a package that is not there: accepted")
		}
	}()
	s.Lockfile("app", "none@1.0.0")
}
