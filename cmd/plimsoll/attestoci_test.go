package main

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"strings"
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

// newImage pushes an index of one image and returns its name.
func newImage(t *testing.T, platform v1.Platform) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	image := strings.TrimPrefix(server.URL, "http://") + "/app:v1"
	tag, err := name.NewTag(image)
	if err != nil {
		t.Fatal(err)
	}
	one, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: one, Descriptor: v1.Descriptor{Platform: &platform}})); err != nil {
		t.Fatal(err)
	}
	return oci.Scheme + image
}

// attach attaches bundles to the last image of image's index.
func attach(t *testing.T, image string, bundles ...string) {
	t.Helper()
	client, images, err := resolve(t.Context(), image, oci.AllPlatforms)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bundles {
		if _, err := client.Push(images[len(images)-1], []byte(b), "https://example.com/\x1b[2Jp"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestListPrints: nothing that a registry says of an image writes to the terminal, or
// into another column.
func TestListPrints(t *testing.T) {
	image := newImage(t, v1.Platform{OS: "linux", Architecture: "amd64\x1b[2J\tsha256:another"})
	attach(t, image, `{"a":1}`)
	var out, errs bytes.Buffer
	if code := run(t.Context(), stdio{nil, &out, &errs}, []string{"attest", "list", image, "--platform", "all"}); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	if !strings.Contains(out.String(), "example.com") || strings.ContainsAny(out.String(), "\x1b\t") || strings.Contains(out.String(), " sha256:another") {
		t.Errorf("found %q", &out)
	}
}

// TestPullIsBounded: long bundles, which anybody may attach, do not push short ones out,
// nor take more than what verify reads.
func TestPullIsBounded(t *testing.T) {
	image := newImage(t, v1.Platform{OS: "linux", Architecture: "amd64"})
	long := func(name string) string { return `{"` + name + `":"` + strings.Repeat("a", 600) + `"}` }
	attach(t, image, long("a"), long("b"), `{"short":1}`, long("c"))
	client, images, err := resolve(t.Context(), image, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	left := int64(1000)
	lines, err := pullImage(stdio{nil, io.Discard, &errs}, client, images[0], &left)
	if err != nil || len(lines) != 2 || string(lines[0]) != `{"short":1}` || left < 0 || strings.Count(errs.String(), "left out") != 2 {
		t.Errorf("found %q, %v, %d left: %s", lines, err, left, &errs)
	}
}
