// Package oci keeps attestations where images are: as referrers of an image in its
// registry (OCI distribution specification 1.1), in the form that cosign writes and
// reads. Where a registry has no referrers API, they are listed under the fallback tag.
//
// Nothing that comes from a registry is verified here, but that bytes have the digest
// under which they were asked for.
package oci

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"plimsoll.example/attest"
)

// Scheme begins the name of an image.
const Scheme = "oci://"

// AllPlatforms names an index and every image in it.
const AllPlatforms = "all"

// maxPlatforms bounds the images of one index.
const maxPlatforms = 256

// A Reference names an image: oci://REGISTRY/REPOSITORY:TAG or @sha256:DIGEST.
type Reference struct {
	name.Reference
}

// ParseReference reads a [Reference]. Registry and tag or digest must be named: none is
// taken for granted.
func ParseReference(text string) (Reference, error) {
	rest, ok := strings.CutPrefix(text, Scheme)
	if !ok {
		return Reference{}, fmt.Errorf("expected %sREGISTRY/REPOSITORY:TAG or @DIGEST, found %q", Scheme, text)
	}
	ref, err := name.ParseReference(rest, name.StrictValidation)
	if err != nil || slices.ContainsFunc(strings.Split(rest, "/"), func(part string) bool { return strings.Trim(part, ".") == "" }) {
		return Reference{}, fmt.Errorf("expected %sREGISTRY/REPOSITORY:TAG or @DIGEST, found %q", Scheme, text)
	}
	return Reference{ref}, nil
}

// An Image is a manifest in a registry, by digest.
type Image struct {
	Digest   name.Digest
	Platform string // "": of the index, or of an image that stands alone
	Subject  attest.Subject
	manifest v1.Descriptor
}

// A Client speaks to registries, with the credentials of the docker configuration and
// its helpers.
type Client struct {
	options  []remote.Option
	fallback *atomic.Bool
}

// NewClient returns a client.
func NewClient(ctx context.Context) *Client {
	c := &Client{fallback: &atomic.Bool{}}
	c.options = []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("plimsoll"),
		remote.WithTransport(noteReferrers{deadline{patient(), endWithin}, c.fallback}), remote.WithJobs(1),
	}
	return c
}

const (
	// answerWithin is how long a registry may take to begin an answer.
	answerWithin = time.Minute
	// endWithin is how long one request may take, and its answer.
	endWithin = 10 * time.Minute
)

// patient is the library's transport, which alone would wait forever.
func patient() http.RoundTripper {
	usual, ok := remote.DefaultTransport.(*http.Transport)
	if !ok {
		return remote.DefaultTransport
	}
	t := usual.Clone()
	t.ResponseHeaderTimeout = answerWithin
	return t
}

// Fallback says whether a registry that was asked has no referrers API, so that its
// list of referrers is a tag, which two who write at once may each overwrite.
func (c *Client) Fallback() bool { return c.fallback.Load() }

// noteReferrers looks at how registries answer about referrers.
type noteReferrers struct {
	http.RoundTripper
	missing *atomic.Bool
}

func (t noteReferrers) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(r)
	if err == nil && strings.Contains(r.URL.Path, "/referrers/sha256:") {
		switch response.StatusCode {
		case http.StatusNotFound, http.StatusBadRequest, http.StatusNotAcceptable:
			t.missing.Store(true)
		case http.StatusOK:
			// With a parameter, the library would take it for another type, and read a tag.
			if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err == nil {
				response.Header.Set("Content-Type", kind)
			}
			if response.Header.Get("Content-Type") != string(types.OCIImageIndex) {
				t.missing.Store(true)
			} else if nextLink(response.Header) != "" {
				return t.joinPages(r, response)
			}
		}
	}
	return response, err
}

// ErrPlatform reports a platform that an image does not have.
var ErrPlatform = errors.New("no such platform")

// Resolve finds the manifest that ref names now. With platform, OS/ARCH[/VARIANT], it
// is that of the platform's image; with [AllPlatforms] the index and all of its images.
func (c *Client) Resolve(ref Reference, platform string) ([]Image, error) {
	top, err := remote.Get(ref.Reference, c.options...)
	if err != nil {
		return nil, explain(err)
	}
	whole, err := newImage(ref, top.Descriptor, "", top.Manifest)
	if err != nil || platform == "" {
		return []Image{whole}, err
	}
	if !top.MediaType.IsIndex() {
		if platform == AllPlatforms {
			return []Image{whole}, nil
		}
		return nil, fmt.Errorf("%w: %s is one image and no index of several", ErrPlatform, ref)
	}
	index, err := top.ImageIndex()
	if err != nil {
		return nil, explain(err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		return nil, explain(err)
	}
	if len(list.Manifests) > maxPlatforms {
		return nil, fmt.Errorf("the index %s lists %d images, more than %d", ref, len(list.Manifests), maxPlatforms)
	}
	var images []Image
	if platform == AllPlatforms {
		images = append(images, whole)
	}
	var have []string
	for _, m := range list.Manifests {
		if m.Platform == nil || !m.MediaType.IsImage() || m.Platform.OS == "unknown" { // BuildKit's own attestations
			continue
		}
		found := m.Platform.String()
		have = append(have, found)
		if platform != AllPlatforms && platform != found {
			continue
		}
		one, err := remote.Get(ref.Context().Digest(m.Digest.String()), c.options...)
		if err != nil {
			return nil, explain(err)
		}
		image, err := newImage(ref, one.Descriptor, found, one.Manifest)
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	if platform != AllPlatforms && len(images) != 1 {
		return nil, fmt.Errorf("%w: expected %s, found %s", ErrPlatform, platform, strings.Join(have, ", "))
	}
	return images, nil
}

// newImage hashes a manifest anew: the registry's word for its digest is not taken.
func newImage(ref Reference, d v1.Descriptor, platform string, manifest []byte) (Image, error) {
	short, long := sha256.Sum256(manifest), sha512.Sum512(manifest)
	if found := "sha256:" + hex.EncodeToString(short[:]); d.Digest.String() != found {
		return Image{}, fmt.Errorf("%s: expected a manifest of digest %s, found %s", ref, d.Digest, found)
	}
	return Image{
		Digest: ref.Context().Digest(d.Digest.String()), Platform: platform,
		Subject: attest.Subject{Name: ref.Context().Name(), Digest: attest.DigestSet{
			"sha256": hex.EncodeToString(short[:]), "sha512": hex.EncodeToString(long[:]),
		}},
		manifest: v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: int64(len(manifest))},
	}, nil
}

// ErrDenied reports a registry that wants other credentials.
var ErrDenied = errors.New("the registry does not let you")

// ErrNotFound reports what a registry does not have.
var ErrNotFound = errors.New("the registry does not have it")

// explain turns a registry's answer into an error that can be told from others.
func explain(err error) error {
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return fmt.Errorf("%w: %w", ErrDenied, err)
		case http.StatusNotFound:
			return fmt.Errorf("%w: %w", ErrNotFound, err)
		}
	}
	return err
}
