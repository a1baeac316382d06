package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"plimsoll.example/attest"
)

const (
	// bundleType begins the type of a Sigstore bundle, of whatever version.
	bundleType = "application/vnd.dev.sigstore.bundle"
	// emptyType is the type of the empty configuration (OCI image specification 1.1,
	// "Guidance for an Empty Descriptor").
	emptyType = "application/vnd.oci.empty.v1+json"

	annotationContent   = "dev.sigstore.bundle.content"
	annotationPredicate = "dev.sigstore.bundle.predicateType"

	// maxReferrers bounds the attestations of one image.
	maxReferrers = 1000
	// maxBundle bounds one of them.
	maxBundle = 128 << 20
)

// Attached is an attestation of an image. Nothing that is said about it is verified.
type Attached struct {
	Digest        string // of its manifest
	PredicateType string
	Problem       string // why it cannot be used; "": it may be one
	Size          int64  // of its bundle, in bytes; [Client.Pull] returns no more
	bundle        v1.Descriptor
}

const notThere = "it is listed, and not there"

// An UnusableError is an attestation that is not what it should be. It is no reason to
// do without the others: anyone who may write to a repository could block it.
type UnusableError struct{ problem string }

func (e *UnusableError) Error() string { return e.problem }

// manifest is bytes that remote.Put takes.
type manifest struct{ raw []byte }

func (m manifest) RawManifest() ([]byte, error)        { return m.raw, nil }
func (m manifest) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// fallbackTries is how often a list that somebody else overwrote is written again.
const fallbackTries = 5

// Push attaches a bundle to an image and returns the digest of its manifest. The same
// bundle has the same digest, and pushing it again changes nothing.
func (c *Client) Push(image Image, bundle []byte, predicateType string) (string, error) {
	repository := image.Digest.Context()
	empty, layer := static.NewLayer([]byte("{}"), emptyType), static.NewLayer(bundle, attest.BundleMediaType)
	m := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: attest.BundleMediaType, Subject: &image.manifest,
		Annotations: map[string]string{annotationContent: "dsse-envelope", annotationPredicate: predicateType},
	}
	for _, l := range []v1.Layer{empty, layer} {
		if err := remote.WriteLayer(repository, l, c.options...); err != nil {
			return "", explain(err)
		}
	}
	var err error
	if m.Config, err = describe(empty); err != nil {
		return "", err
	}
	one, err := describe(layer)
	if err != nil {
		return "", err
	}
	m.Layers = []v1.Descriptor{one}
	raw, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	for try := range fallbackTries {
		if err := remote.Put(repository.Digest(digest.String()), manifest{raw}, c.options...); err != nil {
			return "", explain(err)
		}
		if !c.Fallback() {
			return digest.String(), nil // the registry keeps the list
		}
		listed, err := c.isListed(image, digest)
		if err != nil {
			return "", err
		}
		if listed {
			return digest.String(), nil
		}
		time.Sleep(time.Duration(try+1) * 50 * time.Millisecond)
	}
	return "", fmt.Errorf("%s: the registry has no referrers API, and others overwrote the list of attestations %d times", image.Digest, fallbackTries)
}

func describe(l v1.Layer) (v1.Descriptor, error) {
	var d v1.Descriptor
	var err error
	if d.MediaType, err = l.MediaType(); err == nil {
		if d.Digest, err = l.Digest(); err == nil {
			d.Size, err = l.Size()
		}
	}
	return d, err
}

func (c *Client) isListed(image Image, digest v1.Hash) (bool, error) {
	listed, err := c.referrers(image)
	return slices.ContainsFunc(listed, func(d v1.Descriptor) bool { return d.Digest == digest }), err
}

func (c *Client) referrers(image Image) ([]v1.Descriptor, error) {
	index, err := remote.Referrers(image.Digest, c.options...)
	if err != nil {
		return nil, explain(err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		return nil, explain(err)
	}
	if len(list.Manifests) > maxReferrers {
		return nil, fmt.Errorf("%s has %d referrers, more than %d", image.Digest, len(list.Manifests), maxReferrers)
	}
	return list.Manifests, nil
}

// List returns an image's attestations, sorted by digest. Referrers of other kinds,
// signatures and SBOMs of other tools, are left out.
func (c *Client) List(image Image) ([]Attached, error) {
	listed, err := c.referrers(image)
	if err != nil {
		return nil, err
	}
	var all []Attached
	for _, d := range listed {
		if d.ArtifactType != "" && d.ArtifactType != emptyType && !strings.HasPrefix(d.ArtifactType, bundleType) {
			continue // where a list says nothing, the manifest does
		}
		found, err := c.read(image, d)
		if err != nil {
			return nil, err
		}
		if all = append(all, found...); len(all) > maxReferrers { // a manifest may have many
			return nil, fmt.Errorf("%s has more than %d attestations", image.Digest, maxReferrers)
		}
	}
	slices.SortFunc(all, func(a, b Attached) int { return strings.Compare(a.Digest, b.Digest) })
	return all, nil
}

// read looks for bundles in a referrer's manifest.
func (c *Client) read(image Image, d v1.Descriptor) ([]Attached, error) {
	if d.MediaType != "" && !d.MediaType.IsImage() {
		return nil, nil
	}
	got, err := remote.Get(image.Digest.Context().Digest(d.Digest.String()), c.options...)
	if err = explain(err); errors.Is(err, ErrNotFound) { // deleted, and still in a fallback tag's list
		return []Attached{{Digest: d.Digest.String(), Problem: notThere}}, nil
	}
	if err != nil {
		return nil, err
	}
	if got.MediaType == types.DockerManifestSchema1Signed { // the library does not hash these, but believes a header
		return []Attached{{Digest: d.Digest.String(), Problem: "its manifest is of a kind whose digest cannot be verified"}}, nil
	}
	m, err := v1.ParseManifest(bytes.NewReader(got.Manifest))
	if err != nil {
		return []Attached{{Digest: d.Digest.String(), Problem: "its manifest does not parse"}}, nil
	}
	problem := ""
	if m.Subject == nil || m.Subject.Digest != image.manifest.Digest { // a list may be another image's, or anybody's
		problem = "it is listed, and not about this image"
	}
	var all []Attached
	for _, l := range m.Layers {
		if strings.HasPrefix(string(l.MediaType), bundleType) {
			all = append(all, Attached{Digest: d.Digest.String(), PredicateType: m.Annotations[annotationPredicate], Problem: problem, Size: l.Size, bundle: l})
		}
	}
	return all, nil
}

// Pull returns an attestation's bundle as one line of JSON, without the newline.
func (c *Client) Pull(image Image, a Attached) ([]byte, error) {
	if a.Problem != "" {
		return nil, &UnusableError{a.Problem}
	}
	if a.bundle.Size > maxBundle || a.bundle.Size < 0 {
		return nil, &UnusableError{fmt.Sprintf("expected a bundle of at most %d bytes, found %d", maxBundle, a.bundle.Size)}
	}
	layer, err := remote.Layer(image.Digest.Context().Digest(a.bundle.Digest.String()), c.options...)
	if err != nil {
		return nil, explain(err)
	}
	body, err := layer.Compressed() // as it is kept; its digest is verified while it is read
	if err = explain(err); errors.Is(err, ErrNotFound) {
		return nil, &UnusableError{notThere}
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, a.bundle.Size+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Digest, err)
	}
	if int64(len(data)) != a.bundle.Size {
		return nil, &UnusableError{fmt.Sprintf("expected a bundle of %d bytes, found another length", a.bundle.Size)}
	}
	var line bytes.Buffer
	if json.Compact(&line, data) != nil || line.Bytes()[0] != '{' { // a file that begins with another could not be added to
		return nil, &UnusableError{"expected a bundle, found no JSON object"}
	}
	return line.Bytes(), nil
}
