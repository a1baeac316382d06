package npmtest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// maxPublished bounds what a client may publish.
const maxPublished = 64 << 20

// published is what npm's client sends to publish a version.
type published struct {
	Name        string                    `json:"name"`
	Versions    map[string]map[string]any `json:"versions"`
	DistTags    map[string]string         `json:"dist-tags"`
	Attachments map[string]struct {
		Data string `json:"data"`
	} `json:"_attachments"`
}

func readPublished(w http.ResponseWriter, req *http.Request) (published, error) {
	var doc published
	data, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxPublished))
	if err != nil {
		return doc, err
	}
	return doc, json.Unmarshal(data, &doc)
}

// publish takes in one new version: its tarball, its manifest, and its provenance if
// there is one, which is not verified.
func (r *Registry) publish(name string, doc published) response {
	if doc.Name != name || len(doc.Versions) != 1 {
		return failure(http.StatusBadRequest, fmt.Sprintf("expected one version of %q", name))
	}
	for number, manifest := range doc.Versions {
		if r.packages[name][number] != nil {
			return failure(http.StatusForbidden, fmt.Sprintf("%s@%s is published already", name, number))
		}
		v, err := doc.version(name, number, manifest)
		if err != nil {
			return failure(http.StatusBadRequest, err.Error())
		}
		r.add(v)
		for tag, to := range doc.DistTags {
			r.tags[name][tag] = to
		}
	}
	res := answerJSON(map[string]bool{"ok": true})
	res.status = http.StatusCreated
	return res
}

func (doc published) version(name, number string, manifest map[string]any) (*version, error) {
	if manifest["name"] != name || manifest["version"] != number {
		return nil, fmt.Errorf("expected the manifest of %s@%s", name, number)
	}
	v := &version{name: name, version: number, manifest: manifest, settings: settings{Time: time.Now().UTC().Truncate(time.Second), User: "publisher", Maintainers: []string{"publisher"}}}
	gyp, _ := manifest["gypfile"].(bool)
	v.installScript = runsScript(manifest, gyp)
	for file, attached := range doc.Attachments {
		switch {
		case strings.HasSuffix(file, ".tgz"):
			tarball, err := base64.StdEncoding.DecodeString(attached.Data)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", file, err)
			}
			v.setTarball(tarball)
		case strings.HasSuffix(file, ".sigstore"):
			var err error
			if v.uploaded, err = uploadedMember(attached.Data); err != nil {
				return nil, fmt.Errorf("%q: %w", file, err)
			}
		}
	}
	if len(v.tarball) == 0 {
		return nil, errors.New("expected a tarball among the attachments")
	}
	return v, nil
}

// uploadedMember makes a member of the answer about attestations of a bundle.
func uploadedMember(bundle string) (jsontext.Value, error) {
	var b struct {
		DSSEEnvelope struct {
			Payload []byte `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal([]byte(bundle), &b); err != nil {
		return nil, err
	}
	var statement struct {
		PredicateType string `json:"predicateType"`
	}
	if err := json.Unmarshal(b.DSSEEnvelope.Payload, &statement); err != nil {
		return nil, fmt.Errorf("the bundle's payload: %w", err)
	}
	return json.Marshal(map[string]any{"predicateType": statement.PredicateType, "bundle": json.RawMessage(bundle)})
}
