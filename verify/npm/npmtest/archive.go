package npmtest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/rogpeppe/go-internal/txtar"
)

// settings is a registry.json.
type settings struct {
	Time             time.Time      `json:"time"`
	User             string         `json:"user"`
	Maintainers      []string       `json:"maintainers"`
	TrustedPublisher bool           `json:"trustedPublisher"`
	Provenance       jsontext.Value `json:"provenance"`
	Signature        string         `json:"signature"`
	Metadata         map[string]any `json:"metadata"`
	Announce         *bool          `json:"announce"`
}

// Values of settings.Signature.
const (
	signatureNone    = "none"
	signatureExpired = "expired-key"
	signatureOther   = "other-key"
)

// defaultTime is when a version was published whose settings do not say: after the
// end of the expired key.
var defaultTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// version is one version of a package.
type version struct {
	name, version string
	settings
	identity      *Identity      // of the provenance; nil for none
	manifest      map[string]any // package.json, under the name and version of its path
	installScript bool
	tarball       []byte
	integrity     string // SRI
	shasum        string // SHA-1, hexadecimal
	sha512        string // hexadecimal
	uploaded      jsontext.Value
	attestations  []byte // made when first asked for
}

// parseArchive reads the versions in an archive.
func parseArchive(archive *txtar.Archive) ([]*version, error) {
	type contents struct {
		files    map[string][]byte
		settings []byte
	}
	found := map[string]*contents{}
	for _, f := range archive.Files {
		id, file, inPackage := strings.Cut(f.Name, "/package/")
		if !inPackage {
			var ok bool
			if id, ok = strings.CutSuffix(f.Name, "/registry.json"); !ok {
				return nil, fmt.Errorf("expected NAME@VERSION/package/FILE or NAME@VERSION/registry.json, found %q", f.Name)
			}
		}
		c := found[id]
		if c == nil {
			c = &contents{files: map[string][]byte{}}
			found[id] = c
		}
		_, again := c.files[file]
		if inPackage && again || !inPackage && c.settings != nil {
			return nil, fmt.Errorf("%s is there twice", f.Name)
		}
		if inPackage {
			c.files[file] = f.Data
		} else {
			c.settings = f.Data
		}
	}
	var versions []*version
	for id, c := range found {
		v, err := newVersion(id, c.files, c.settings)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		versions = append(versions, v)
	}
	slices.SortFunc(versions, func(a, b *version) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.version, b.version))
	})
	return versions, nil
}

// splitID splits NAME@VERSION.
func splitID(id string) (name, version string, ok bool) {
	at := strings.LastIndexByte(id, '@')
	if at <= 0 || at == len(id)-1 || strings.Contains(id[at:], "/") {
		return "", "", false
	}
	return id[:at], id[at+1:], true
}

func newVersion(id string, files map[string][]byte, registryJSON []byte) (*version, error) {
	v := &version{}
	var ok bool
	if v.name, v.version, ok = splitID(id); !ok {
		return nil, errors.New("expected NAME@VERSION")
	}
	if err := v.readManifest(files); err != nil {
		return nil, fmt.Errorf("package.json: %w", err)
	}
	if registryJSON == nil {
		registryJSON = []byte("{}")
	}
	// A word that nobody knows would be a test of something else than it says.
	if err := jsonv2.Unmarshal(registryJSON, &v.settings, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("registry.json: %w", err)
	}
	if v.Time.IsZero() {
		v.Time = defaultTime
	}
	if !slices.Contains([]string{"", signatureNone, signatureExpired, signatureOther}, v.Signature) {
		return nil, fmt.Errorf("registry.json: expected the signature %q, %q or %q, found %q", signatureNone, signatureExpired, signatureOther, v.Signature)
	}
	if err := v.readIdentity(); err != nil {
		return nil, fmt.Errorf("registry.json: %w", err)
	}
	tarball, err := pack(files)
	if err != nil {
		return nil, err
	}
	v.setTarball(tarball)
	return v, nil
}

func (v *version) setTarball(tarball []byte) {
	v.tarball = tarball
	strong, weak := sha512.Sum512(tarball), sha1.Sum(tarball)
	v.integrity = "sha512-" + base64.StdEncoding.EncodeToString(strong[:])
	v.sha512, v.shasum = hex.EncodeToString(strong[:]), hex.EncodeToString(weak[:])
}

// readManifest reads the package.json. What the tarball says of name and version is
// left as it is, so that a test can have one that lies; if it says nothing, they are
// put in. The registry goes by the path.
func (v *version) readManifest(files map[string][]byte) error {
	data, ok := files["package.json"]
	if !ok {
		return errors.New("there is none")
	}
	if err := json.Unmarshal(data, &v.manifest); err != nil {
		return err
	}
	if v.manifest == nil {
		return errors.New("expected an object, found null")
	}
	missing := false
	for key, value := range map[string]string{"name": v.name, "version": v.version} {
		if _, ok := v.manifest[key]; !ok {
			v.manifest[key], missing = value, true
		}
	}
	if missing {
		files["package.json"] = append(must(json.MarshalIndent(v.manifest, "", "  ")), '\n')
	}
	v.manifest["name"], v.manifest["version"] = v.name, v.version
	_, gyp := files["binding.gyp"]
	v.installScript = runsScript(v.manifest, gyp)
	return nil
}

// runsScript says whether npm runs something when it installs a package: a script, or
// node-gyp if there is a binding.gyp and no script in its place.
func runsScript(manifest map[string]any, gyp bool) bool {
	scripts, _ := manifest["scripts"].(map[string]any)
	for _, name := range []string{"preinstall", "install", "postinstall"} {
		if s, _ := scripts[name].(string); s != "" {
			return true
		}
	}
	return gyp && manifest["gypfile"] != false
}

// readIdentity reads who signs the provenance, if anybody does.
func (v *version) readIdentity() error {
	var id Identity
	switch kind := v.Provenance.Kind(); {
	case len(v.Provenance) == 0 || kind == 'n' || kind == 'f':
		return nil
	case kind == '{':
		if err := jsonv2.Unmarshal(v.Provenance, &id, jsonv2.RejectUnknownMembers(true)); err != nil {
			return err
		}
	case kind != 't':
		return fmt.Errorf("expected a provenance that is true or an object, found %s", v.Provenance)
	}
	if id.Repository == "" {
		repo := repositoryOf(v.manifest)
		if repo == "" {
			return errors.New("expected a repository on GitHub in package.json, for the provenance")
		}
		id.Repository = "https://github.com/" + repo
	}
	id.Ref = cmp.Or(id.Ref, "refs/tags/v"+v.version)
	id = id.complete()
	v.identity = &id
	return nil
}

// repositoryOf returns OWNER/NAME of a package.json's repository, if it is on GitHub.
func repositoryOf(manifest map[string]any) string {
	address, _ := manifest["repository"].(string)
	if object, ok := manifest["repository"].(map[string]any); ok {
		address, _ = object["url"].(string)
	}
	address = strings.TrimSuffix(strings.TrimPrefix(address, "github:"), ".git")
	for _, before := range []string{"github.com/", "github.com:"} {
		if _, rest, ok := strings.Cut(address, before); ok {
			address = rest
		}
	}
	if strings.Count(address, "/") != 1 || strings.ContainsAny(address, ":@") {
		return ""
	}
	return address
}

// pack makes the tarball, always the same of the same files: in the order of names, of
// the time that npm gives its files, and not compressed.
func pack(files map[string][]byte) ([]byte, error) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var out bytes.Buffer
	zip := must(gzip.NewWriterLevel(&out, gzip.NoCompression))
	archive := tar.NewWriter(zip)
	for _, name := range names {
		err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "package/" + name, Mode: 0o644, Size: int64(len(files[name])),
			ModTime: time.Date(1985, 10, 26, 8, 15, 0, 0, time.UTC)})
		if err != nil {
			return nil, err
		}
		if _, err := archive.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
