package oci_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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

// TestReferrersOnPages: a list that a registry gives on several pages is read to its end.
func TestReferrersOnPages(t *testing.T) {
	good := newRegistry(t, true)
	pushIndex(t, good+"/app:v1")
	c := oci.NewClient(t.Context())
	index := resolve(t, c, "oci://"+good+"/app:v1", "")[0]
	for _, b := range []string{`{"a":1}`, `{"a":2}`, `{"a":3}`} {
		if _, err := c.Push(index, []byte(b), "https://example.com/p"); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := c.List(index)
	if err != nil || len(whole) != 3 {
		t.Fatalf("found %v, %v", whole, err)
	}
	real := registryProxy(t, good)
	for name, next := range map[string]string{
		"relative": "%[2]s?page=%[1]d", "whole": "http://%[3]s%[2]s?page=%[1]d", "another host": "https://elsewhere.example%[2]s?page=%[1]d",
		"another path": "/v2/other%[2]s?page=%[1]d", "without end": "%[2]s?page=0&more=%[1]d",
	} {
		host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, "/referrers/") {
				real.ServeHTTP(w, r)
				return
			}
			page := 0
			fmt.Sscan(r.URL.Query().Get("page"), &page)
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			if page < 2 {
				w.Header().Set("Link", "<"+fmt.Sprintf(next, page+1, r.URL.Path, r.Host)+`>; rel="next"`)
			}
			fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":%q}]}`, whole[page].Digest)
		}))
		c := oci.NewClient(t.Context())
		attached, err := c.List(resolve(t, c, "oci://"+host+"/app:v1", "")[0])
		if found := len(attached); (name == "another path" || name == "without end") != (err != nil) || (err == nil && found != 3) {
			t.Errorf("%s: found %d, %v", name, found, err)
		}
	}
}

// TestTypeWithParameters: a type that a registry says with a parameter is the same type.
func TestTypeWithParameters(t *testing.T) {
	good := newRegistry(t, true)
	pushIndex(t, good+"/app:v1")
	u, err := url.Parse("http://" + good)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.ModifyResponse = func(r *http.Response) error {
		if strings.Contains(r.Request.URL.Path, "/referrers/") {
			r.Header.Set("Content-Type", r.Header.Get("Content-Type")+"; charset=utf-8")
		}
		return nil
	}
	host := serve(t, proxy)
	c := oci.NewClient(t.Context())
	index := resolve(t, c, "oci://"+host+"/app:v1", "")[0]
	if _, err := c.Push(index, []byte(`{"a":1}`), "https://example.com/p"); err != nil || c.Fallback() {
		t.Errorf("found %v; fallback %v", err, c.Fallback())
	}
	if attached, err := c.List(index); err != nil || len(attached) != 1 {
		t.Errorf("found %v, %v", attached, err)
	}
}
