package oci_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"plimsoll.example/attest/oci"
)

func serve(t *testing.T, handler http.Handler) (host string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func newRegistry(t *testing.T, referrers bool) string {
	return serve(t, registry.New(registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0))))
}

// pushIndex pushes an index of two images and a thing that is neither.
func pushIndex(t *testing.T, tag string) {
	t.Helper()
	ref, err := name.NewTag(tag)
	if err != nil {
		t.Fatal(err)
	}
	var index v1.ImageIndex = empty.Index
	for _, p := range []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64", Variant: "v8"}, {OS: "unknown", Architecture: "unknown"}} {
		image, err := random.Image(100, 1)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &p}})
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
}

func resolve(t *testing.T, c *oci.Client, text, platform string) []oci.Image {
	t.Helper()
	ref, err := oci.ParseReference(text)
	if err != nil {
		t.Fatal(err)
	}
	images, err := c.Resolve(ref, platform)
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// TestAttached: what is pushed is listed and pulled, once, with and without the
// referrers API, and of the right image.
func TestAttached(t *testing.T) {
	for _, referrers := range []bool{true, false} {
		host := newRegistry(t, referrers)
		pushIndex(t, host+"/app:v1")
		c := oci.NewClient(t.Context())
		all := resolve(t, c, "oci://"+host+"/app:v1", oci.AllPlatforms)
		if len(all) != 3 || all[0].Platform != "" || all[2].Platform != "linux/arm64/v8" {
			t.Fatalf("expected the index and two images, found %v", all)
		}
		arm := resolve(t, c, "oci://"+host+"/app:v1", "linux/arm64/v8")
		if len(arm) != 1 || arm[0].Digest != all[2].Digest || "sha256:"+arm[0].Subject.Digest["sha256"] != arm[0].Digest.DigestStr() || len(arm[0].Subject.Digest["sha512"]) != 128 {
			t.Errorf("found %+v", arm)
		}
		digests := map[string]bool{}
		for _, bundle := range []string{"{\n \"a\": 1\n}", `{"b":2}`, `{"b":2}`} {
			digest, err := c.Push(arm[0], []byte(bundle), "https://example.com/p")
			if err != nil {
				t.Fatal(err)
			}
			digests[digest] = true
		}
		if len(digests) != 2 || c.Fallback() == referrers {
			t.Errorf("expected two attestations, found %v; fallback %v", digests, c.Fallback())
		}
		attached, err := c.List(arm[0])
		if err != nil || len(attached) != 2 {
			t.Fatalf("found %v, %v", attached, err)
		}
		lines := map[string]bool{}
		for _, a := range attached {
			line, err := c.Pull(arm[0], a)
			if err != nil || a.PredicateType != "https://example.com/p" || !digests[a.Digest] {
				t.Errorf("found %+v, %v", a, err)
			}
			lines[string(line)] = true
		}
		if !lines[`{"a":1}`] || !lines[`{"b":2}`] {
			t.Errorf("found %v", lines)
		}
		if others, err := c.List(all[0]); err != nil || len(others) != 0 {
			t.Errorf("the index has %v, %v", others, err)
		}
		ref, _ := oci.ParseReference("oci://" + host + "/app:v1")
		if _, err := c.Resolve(ref, "linux/s390x"); !errors.Is(err, oci.ErrPlatform) {
			t.Errorf("expected no such platform, found %v", err)
		}
		missing, _ := oci.ParseReference("oci://" + host + "/app:v2")
		if _, err := c.Resolve(missing, ""); !errors.Is(err, oci.ErrNotFound) {
			t.Errorf("expected nothing there, found %v", err)
		}
	}
}

// TestReferences: registry and tag or digest are named, or it is no reference.
func TestReferences(t *testing.T) {
	for text, good := range map[string]bool{
		"oci://registry.example/app:1": true, "oci://registry.example/a/b@sha256:" + strings.Repeat("a", 64): true, "oci://127.0.0.1:5000/app:1": true,
		"registry.example/app:1": false, "oci://registry.example/app": false, "oci://app:1": false, "oci://": false, "oci://registry.example/APP:1": false,
		"oci://registry.example/app@sha256:aa": false, "oci://registry.example/../app:1": false, "oci://user:word@registry.example/app:1": false,
	} {
		if _, err := oci.ParseReference(text); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestLyingRegistry: a manifest of another digest than the one it was asked for by is
// not taken.
func TestLyingRegistry(t *testing.T) {
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("a", 64))
			io.WriteString(w, `{"schemaVersion":2}`)
		}
	}))
	ref, err := oci.ParseReference("oci://" + host + "/app@sha256:" + strings.Repeat("a", 64))
	if err != nil {
		t.Fatal(err)
	}
	if images, err := oci.NewClient(t.Context()).Resolve(ref, ""); err == nil {
		t.Errorf("found %v", images[0].Digest)
	}
	// what a tag is said to be counts for nothing: its bytes do
	images := resolve(t, oci.NewClient(t.Context()), "oci://"+host+"/app:v1", "")
	if found := images[0].Digest.DigestStr(); found == "sha256:"+strings.Repeat("a", 64) || found != "sha256:"+images[0].Subject.Digest["sha256"] {
		t.Errorf("found %s", found)
	}
}

// TestHostileRegistry: whatever a registry answers, nothing panics, and nothing that is
// no bundle is one.
func TestHostileRegistry(t *testing.T) {
	good := newRegistry(t, true)
	pushIndex(t, good+"/app:v1")
	real := registryProxy(t, good)
	digest := "sha256:" + strings.Repeat("a", 64)
	index := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[`
	image := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[`
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `{"manifests":null}`, index + `]}`, index + `null]}`, index + `{}]}`, index + `{"digest":"` + digest + `"}]}`,
		index + `{"digest":"` + digest + `","mediaType":"application/vnd.oci.image.manifest.v1+json","size":-1,"platform":{}}]}`,
		index + `{"digest":"sha256:aa"}]}`, image + `]}`, image + `null]}`, image + `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":-5,"digest":"` + digest + `"}]}`,
		image + `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":99999999999,"digest":"` + digest + `"}]}`,
	} {
		for kind, status := range map[string]int{
			"application/vnd.oci.image.index.v1+json": http.StatusOK, "application/vnd.oci.image.manifest.v1+json": http.StatusOK, "text/html": http.StatusNotFound,
		} {
			hostile := false
			host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !hostile || r.URL.Path == "/v2/" {
					real.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", kind)
				w.WriteHeader(status)
				io.WriteString(w, body)
			}))
			c := oci.NewClient(t.Context())
			before := resolve(t, c, "oci://"+host+"/app:v1", "")
			hostile = true
			ref, err := oci.ParseReference("oci://" + host + "/app:v1")
			if err != nil {
				t.Fatal(err)
			}
			for _, platform := range []string{"", oci.AllPlatforms, "linux/amd64"} {
				c.Resolve(ref, platform)
			}
			attached, _ := c.List(before[0])
			for _, a := range attached {
				if line, err := c.Pull(before[0], a); err == nil {
					t.Errorf("%q: found the bundle %q", body, line)
				}
			}
			c.Push(before[0], []byte("{}"), "https://example.com/p")
		}
	}
}

// TestBusyRegistry: a registry that is busy for a moment is asked again.
func TestBusyRegistry(t *testing.T) {
	good := newRegistry(t, true)
	pushIndex(t, good+"/app:v1")
	real := registryProxy(t, good)
	var asked atomic.Int32
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") && asked.Add(1) == 1 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		real.ServeHTTP(w, r)
	}))
	resolve(t, oci.NewClient(t.Context()), "oci://"+host+"/app:v1", "")
	if asked.Load() != 2 {
		t.Errorf("expected it to be asked twice, found %d", asked.Load())
	}
}

func registryProxy(t *testing.T, host string) http.Handler {
	t.Helper()
	u, err := url.Parse("http://" + host)
	if err != nil {
		t.Fatal(err)
	}
	return httputil.NewSingleHostReverseProxy(u)
}
