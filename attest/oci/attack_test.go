package oci_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"plimsoll.example/attest/oci"
)

// TestReferrerOfOther: what is listed for an image and is about another is not its
// attestation.
func TestReferrerOfOther(t *testing.T) {
	good := newRegistry(t, false)
	pushIndex(t, good+"/app:v1")
	c := oci.NewClient(t.Context())
	all := resolve(t, c, "oci://"+good+"/app:v1", oci.AllPlatforms)
	if _, err := c.Push(all[1], []byte(`{"a":1}`), "https://example.com/p"); err != nil {
		t.Fatal(err)
	}
	real := registryProxy(t, good)
	tag := func(i oci.Image) string { return strings.Replace(i.Digest.DigestStr(), ":", "-", 1) }
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.Replace(r.URL.Path, tag(all[2]), tag(all[1]), 1) // the list of another image
		real.ServeHTTP(w, r)
	}))
	c = oci.NewClient(t.Context())
	arm := resolve(t, c, "oci://"+host+"/app:v1", all[2].Platform)[0]
	attached, err := c.List(arm)
	if err != nil || len(attached) != 1 || attached[0].Problem == "" {
		t.Errorf("expected one that cannot be used, found %+v, %v", attached, err)
	}
}

// TestSignedSchema1: an old kind of manifest, of which the library takes the registry's
// word for the digest, is no way to have other bytes taken.
func TestSignedSchema1(t *testing.T) {
	good := newRegistry(t, true)
	pushIndex(t, good+"/app:v1")
	c := oci.NewClient(t.Context())
	index := resolve(t, c, "oci://"+good+"/app:v1", "")[0]
	digest, err := c.Push(index, []byte(`{"a":1}`), "https://example.com/p")
	if err != nil {
		t.Fatal(err)
	}
	real := registryProxy(t, good)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/manifests/"+digest) {
			real.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		real.ServeHTTP(answer, r)
		w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
		w.Header().Set("Docker-Content-Digest", digest)
		io.WriteString(w, strings.Replace(answer.Body.String(), "https://example.com/p", "https://example.com/q", 1))
	}))
	c = oci.NewClient(t.Context())
	attached, err := c.List(resolve(t, c, "oci://"+host+"/app:v1", "")[0])
	if err == nil && (len(attached) != 1 || attached[0].Problem == "") {
		t.Errorf("expected a manifest with other bytes to be refused, found %+v", attached)
	}
}

// TestBundleIsObject: what is JSON and no object is no bundle; a file that begins with it
// could not be appended to.
func TestBundleIsObject(t *testing.T) {
	host := newRegistry(t, true)
	pushIndex(t, host+"/app:v1")
	c := oci.NewClient(t.Context())
	index := resolve(t, c, "oci://"+host+"/app:v1", "")[0]
	for _, body := range []string{`"text"`, `5`, ` [{}]`, `null`} {
		if _, err := c.Push(index, []byte(body), "https://example.com/p"); err != nil {
			t.Fatal(err)
		}
	}
	attached, err := c.List(index)
	if err != nil || len(attached) != 4 {
		t.Fatalf("found %v, %v", attached, err)
	}
	for _, a := range attached {
		if line, err := c.Pull(index, a); err == nil {
			t.Errorf("found the bundle %s", line)
		}
	}
}
