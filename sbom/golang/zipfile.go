package golang

import (
	"archive/zip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"

	"plimsoll.example/sbom/license"
)

// zipFacts are what a module's zip tells. They are kept by the dirhash of the
// zip, and hold for the file of this size and time only: another zip may have the
// same files and other bytes.
type zipFacts struct {
	Path, Version, Sum string
	Size               int64
	Modified           time.Time
	SHA256, SHA512     string
	License            license.Conclusion
}

// A cache is Go's module cache and what was learned from it.
type cache struct {
	modules  string // "": none
	facts    string // "": none
	skipZips bool
}

// factsVersion changes with what is kept and how licences are concluded.
const factsVersion = "v1"

// Why a module's hash or licence is not known.
const (
	notInCache    = "the module's zip is not in the module cache"
	noCache       = "no module cache was read"
	noSum         = "no go.sum line says what the module's files are"
	zipsSkipped   = "module zips were not read, as was asked"
	localFiles    = "a folder replaces the module; there is no zip of it"
	builtHere     = "the module was built where it lies; there is no zip of it"
	vendoredFiles = "the module is vendored; its zip is not in the module cache"
)

// file returns a path in the module cache's download folder; "" if there is none.
func (c cache) file(path, version, suffix string) string {
	escaped, err := module.EscapePath(path)
	if err != nil || c.modules == "" || version == "" {
		return ""
	}
	v, err := module.EscapeVersion(version)
	if err != nil {
		return ""
	}
	return filepath.Join(c.modules, "cache", "download", filepath.FromSlash(escaped), "@v", v+suffix)
}

// describe fills in what the zip of a module tells.
func (c cache) describe(m *Module) {
	name := c.file(m.Path, m.Version, ".zip")
	if name == "" {
		m.HashUnknown, m.LicenseUnknown = noCache, noCache
		if c.modules != "" {
			m.HashUnknown, m.LicenseUnknown = notInCache, notInCache
		}
		return
	}
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		m.HashUnknown, m.LicenseUnknown = notInCache, notInCache
		return
	}
	if m.Sum == "" {
		m.HashUnknown, m.LicenseUnknown = noSum, noSum
		return
	}
	facts, err := c.kept(m, info)
	if err != nil {
		if facts, err = c.read(name, m, info); err != nil {
			m.HashUnknown = "the module's zip in the module cache cannot be read: " + withoutPath(err).Error()
			m.LicenseUnknown = m.HashUnknown
			return
		}
		if facts.Sum == m.Sum && facts.SHA256 != "" {
			c.keep(facts)
		}
	}
	switch {
	case facts.Sum != "" && facts.Sum != m.Sum:
		// The zip is not what was linked, or was changed since.
		reason := fmt.Sprintf("the zip in the module cache is another: expected %s, found %s", m.Sum, facts.Sum)
		m.HashUnknown, m.LicenseUnknown = reason, reason
		return
	case c.skipZips: // also where they were read before: what is kept must not change the document
		m.HashUnknown = zipsSkipped
	default:
		m.SHA256, m.SHA512 = facts.SHA256, facts.SHA512
	}
	m.License, m.LicenseUnknown = facts.License.Expression, facts.License.Unknown
}

// read reads a zip: its own hashes, the dirhash of its files, and its licences.
// A zip that is none has the dirhash "unreadable".
func (c cache) read(name string, m *Module, info os.FileInfo) (zipFacts, error) {
	facts := zipFacts{Path: m.Path, Version: m.Version, Size: info.Size(), Modified: info.ModTime().UTC()}
	f, err := os.Open(name)
	if err != nil {
		return facts, err
	}
	defer f.Close()
	r, err := zip.NewReader(f, info.Size())
	if err != nil {
		facts.Sum = "no zip"
		return facts, nil
	}
	prefix := m.Path + "@" + m.Version + "/"
	if !c.skipZips {
		if facts.Sum, err = zipSum(r); err != nil {
			facts.Sum = "an unreadable zip"
			return facts, nil
		}
		if facts.Sum != m.Sum {
			return facts, nil
		}
		h256, h512 := sha256.New(), sha512.New()
		if _, err := io.CopyBuffer(io.MultiWriter(h256, h512), struct{ io.Reader }{f}, make([]byte, 1<<18)); err != nil {
			return facts, err
		}
		facts.SHA256, facts.SHA512 = hex.EncodeToString(h256.Sum(nil)), hex.EncodeToString(h512.Sum(nil))
	}
	texts, err := zipTexts(r, prefix)
	if err != nil {
		facts.License.Unknown = "its texts cannot be read: " + err.Error()
		return facts, nil
	}
	facts.License = license.Conclude(texts)
	return facts, nil
}

// zipSum is the dirhash of a zip's files, within the bounds that the go command
// sets for modules (golang.org/x/mod/zip).
func zipSum(r *zip.Reader) (string, error) {
	files := make([]string, 0, len(r.File))
	byName := make(map[string]*zip.File, len(r.File))
	var size uint64
	for _, f := range r.File {
		if size += f.UncompressedSize64; f.UncompressedSize64 > modzip.MaxZipFile || size > modzip.MaxZipFile {
			return "", fmt.Errorf("its files are larger than %d bytes", int64(modzip.MaxZipFile))
		}
		if byName[f.Name] != nil {
			return "", fmt.Errorf("it has %q twice", f.Name)
		}
		byName[f.Name] = f
		files = append(files, f.Name)
	}
	buf := make([]byte, 1<<16)
	return dirhash.Hash1(files, func(name string) (io.ReadCloser, error) {
		in, err := byName[name].Open()
		return buffered{in, buf}, err
	})
}

// buffered is a file that copies itself through one buffer: io.Copy would make one
// for each of thousands of files.
type buffered struct {
	io.ReadCloser
	buf []byte
}

func (b buffered) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{b.ReadCloser}, b.buf)
}

func zipTexts(r *zip.Reader, prefix string) ([]license.Text, error) {
	var texts []license.Text
	for _, f := range r.File {
		name, ok := strings.CutPrefix(f.Name, prefix)
		if !ok || !license.IsTextName(name) {
			continue
		}
		if f.UncompressedSize64 > license.MaxText {
			return nil, fmt.Errorf("%s is larger than %d bytes", name, license.MaxText)
		}
		in, err := f.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(in, license.MaxText+1))
		if err = errors.Join(err, in.Close()); err != nil {
			return nil, err
		}
		texts = append(texts, license.Text{Name: name, Data: data})
	}
	return texts, nil
}

func (c cache) factsFile(sum string) string {
	digest := sha256.Sum256([]byte(sum))
	name := hex.EncodeToString(digest[:])
	return filepath.Join(c.facts, "go-modules-"+factsVersion, name[:2], name[2:]+".json")
}

// kept returns what was learned from a zip before.
func (c cache) kept(m *Module, info os.FileInfo) (zipFacts, error) {
	var facts zipFacts
	if c.facts == "" {
		return facts, os.ErrNotExist
	}
	data, err := os.ReadFile(c.factsFile(m.Sum))
	if err != nil {
		return facts, err
	}
	if err := json.Unmarshal(data, &facts); err != nil {
		return facts, err
	}
	if facts.Path != m.Path || facts.Version != m.Version || facts.Sum != m.Sum || facts.SHA256 == "" || facts.Size != info.Size() || !facts.Modified.Equal(info.ModTime()) {
		return facts, errors.New("it is about another zip")
	}
	return facts, nil
}

// keep keeps what was learned. That it cannot be kept costs time and nothing else.
func (c cache) keep(facts zipFacts) {
	if c.facts == "" {
		return
	}
	name := c.factsFile(facts.Sum)
	data, err := json.Marshal(facts)
	if err != nil || os.MkdirAll(filepath.Dir(name), 0o755) != nil {
		return
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
}
