package npm

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/semver"

	"plimsoll.example/attest"
)

// Metadata is what is used of a registry's metadata about one version. Nothing in it
// is signed: Dist.Signatures are over name, version and integrity alone.
type Metadata struct {
	Name             string            `json:"name,omitempty"`
	Version          string            `json:"version,omitempty"`
	Dist             Dist              `json:"dist"`
	Scripts          map[string]string `json:"scripts,omitempty"` // those that run at install
	HasInstallScript bool              `json:"hasInstallScript,omitzero"`
	GypFile          bool              `json:"gypfile,omitzero"`
	User             User              `json:"_npmUser,omitzero"`
	Maintainers      []Maintainer      `json:"maintainers,omitempty"`
	Time             time.Time         `json:"time,omitzero"` // of publication, as the registry says
	// Since is when the publisher's run of releases began that ends with this version;
	// zero: with this version.
	Since time.Time `json:"since,omitzero"`
	// Earlier are versions that were published before: the newest of them, and those
	// below this one, or of its line, for which the registry announces attestations.
	Earlier []Earlier `json:"earlier,omitempty"`
}

// Dist is what the metadata says of the tarball.
type Dist struct {
	Tarball      string          `json:"tarball,omitempty"`
	Integrity    string          `json:"integrity,omitempty"`
	Signatures   []DistSignature `json:"signatures,omitempty"`
	Attestations jsontext.Value  `json:"attestations,omitzero"` // an object announces attestations
}

// A DistSignature is the registry's over "NAME@VERSION:INTEGRITY".
type DistSignature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // base64
}

// A User is who published a version.
type User struct {
	Name             string         `json:"name,omitempty"`
	TrustedPublisher jsontext.Value `json:"trustedPublisher,omitzero"` // an object where CI published without a token
}

func (u User) trusted() bool { return u.TrustedPublisher.Kind() == '{' }

// A Maintainer is who may publish.
type Maintainer struct {
	Name string `json:"name"`
}

// UnmarshalJSONFrom also reads a maintainer that is text ("name <mail>").
func (m *Maintainer) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var object struct {
		Name flexible `json:"name"`
	}
	switch raw.Kind() {
	case '{':
		err = jsonv2.Unmarshal(raw, &object)
		m.Name = string(object.Name)
	case '"':
		err = jsonv2.Unmarshal(raw, &m.Name)
		m.Name, _, _ = strings.Cut(m.Name, " <")
	}
	return err
}

// Earlier is a version that was published before.
type Earlier struct {
	Version     string       `json:"version"`
	Integrity   string       `json:"integrity,omitempty"`
	Time        time.Time    `json:"time,omitzero"`
	User        User         `json:"_npmUser,omitzero"`
	Maintainers []Maintainer `json:"maintainers,omitempty"`
	Before      bool         `json:"before,omitzero"`    // the release before this one's run, by time
	Announced   bool         `json:"announced,omitzero"` // the registry announces attestations for it
}

// installScripts are what npm runs when it installs a package from a registry.
var installScripts = []string{"preinstall", "install", "postinstall"}

// announces says whether the metadata promises attestations.
func (m *Metadata) announces() bool { return m.Dist.Attestations.Kind() == '{' }

// maxSignatures bounds the registry's signatures over one version.
const maxSignatures = 16

// check refuses metadata in which something has a kind that no registry writes.
func (m *Metadata) check() error {
	if len(m.Dist.Attestations) > 0 {
		switch m.Dist.Attestations.Kind() {
		case '{', 'n':
		default:
			return errors.New("dist.attestations: expected an object")
		}
	}
	if len(m.Dist.Signatures) > maxSignatures {
		return fmt.Errorf("dist.signatures: expected at most %d, found %d", maxSignatures, len(m.Dist.Signatures))
	}
	for _, s := range m.Dist.Signatures {
		if _, err := base64.StdEncoding.DecodeString(s.Sig); err != nil || s.KeyID == "" {
			return errors.New("dist.signatures: expected a key's id and a signature in base64")
		}
	}
	return nil
}

// scripts returns the names of the install scripts that the metadata tells of.
func (m *Metadata) scripts() []string {
	var names []string
	for _, name := range installScripts {
		if m.Scripts[name] != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 && (m.GypFile || m.HasInstallScript) {
		names = append(names, "install")
	}
	return names
}

// flexible is text where old packages have anything.
type flexible string

func (f *flexible) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err == nil && raw.Kind() == '"' {
		return jsonv2.Unmarshal(raw, (*string)(f))
	}
	return err
}

// time reads an RFC 3339 time; no text is the zero time.
func (f flexible) time() (time.Time, error) {
	if f == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, string(f))
	if err != nil {
		return time.Time{}, errors.New("expected an RFC 3339 time")
	}
	return t, nil
}

// texts are a mapping of texts where old packages have anything.
type texts map[string]string

func (t *texts) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil || raw.Kind() != '{' {
		return err
	}
	var fields map[string]flexible
	if err := jsonv2.Unmarshal(raw, &fields); err != nil {
		return err
	}
	*t = texts{}
	for k, v := range fields {
		if v != "" {
			(*t)[k] = string(v)
		}
	}
	return nil
}

// runsAtInstall are the scripts that run at install; the others are not kept: they are
// most of what a registry says of a version, and there are thousands of versions.
type runsAtInstall map[string]string

func (s *runsAtInstall) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var all texts
	if err := all.UnmarshalJSONFrom(dec); err != nil {
		return err
	}
	*s = nil
	for _, name := range installScripts {
		if all[name] != "" {
			if *s == nil {
				*s = runsAtInstall{}
			}
			(*s)[name] = all[name]
		}
	}
	return nil
}

// rawVersion is a version's metadata as a registry sends it.
type rawVersion struct {
	Name             flexible       `json:"name"`
	Version          flexible       `json:"version"`
	Dist             rawDist        `json:"dist"`
	Scripts          runsAtInstall  `json:"scripts"`
	HasInstallScript jsontext.Value `json:"hasInstallScript"`
	GypFile          jsontext.Value `json:"gypfile"`
	User             rawUser        `json:"_npmUser"`
	Maintainers      rawMaintainers `json:"maintainers"`
}

// savedVersion is a version's metadata as it is saved. What a registry sends has the
// package's own package.json in it, in which these names may be anything.
type savedVersion struct {
	rawVersion
	Time    flexible  `json:"time"`
	Since   flexible  `json:"since"`
	Earlier []Earlier `json:"earlier"`
}

type rawDist struct {
	Tarball      flexible        `json:"tarball"`
	Integrity    flexible        `json:"integrity"`
	Signatures   []DistSignature `json:"signatures"`
	Attestations jsontext.Value  `json:"attestations"`
}

// rawUser reads what is an object, and nothing else.
type rawUser User

func (u *rawUser) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil || raw.Kind() != '{' {
		return err
	}
	var object struct {
		Name             flexible       `json:"name"`
		TrustedPublisher jsontext.Value `json:"trustedPublisher"`
	}
	if err := jsonv2.Unmarshal(raw, &object); err != nil {
		return err
	}
	u.Name, u.TrustedPublisher = string(object.Name), object.TrustedPublisher.Clone()
	return nil
}

type rawMaintainers []Maintainer

func (m *rawMaintainers) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil || raw.Kind() != '[' {
		return err
	}
	return jsonv2.Unmarshal(raw, (*[]Maintainer)(m))
}

// metadata keeps what is used.
func (v *rawVersion) metadata() (*Metadata, error) {
	m := &Metadata{
		Name: string(v.Name), Version: string(v.Version),
		Dist: Dist{Tarball: string(v.Dist.Tarball), Integrity: string(v.Dist.Integrity), Signatures: v.Dist.Signatures, Attestations: v.Dist.Attestations.Clone()},
		User: User(v.User), Maintainers: v.Maintainers,
		HasInstallScript: v.HasInstallScript.Kind() == 't', GypFile: v.GypFile.Kind() == 't',
		Scripts: v.Scripts,
	}
	return m, m.check()
}

// parseMetadata reads the metadata of one version. Its errors say what is wrong.
func parseMetadata(body []byte) (*Metadata, error) {
	var saved savedVersion
	if err := jsonv2.Unmarshal(body, &saved); err != nil {
		return nil, attest.JSONError(err)
	}
	if jsontext.Value(body).Kind() != '{' { // null would be metadata that announces nothing
		return nil, errors.New("expected an object")
	}
	m, err := saved.metadata()
	if err != nil {
		return nil, err
	}
	if m.Time, err = saved.Time.time(); err != nil {
		return nil, fmt.Errorf("time: %w", err)
	}
	if m.Since, err = saved.Since.time(); err != nil {
		return nil, fmt.Errorf("since: %w", err)
	}
	m.Earlier = saved.Earlier
	return m, nil
}

// A packument is a registry's document about all versions of a package.
type packument struct {
	versions map[string]*rawVersion
	times    map[string]time.Time
	order    []string // versions with a time, oldest first
}

// maxVersions bounds the versions of one package.
const maxVersions = 100_000

func parsePackument(body []byte, name string) (*packument, error) {
	var doc struct {
		Name     flexible               `json:"name"`
		Versions map[string]*rawVersion `json:"versions"`
		Time     texts                  `json:"time"`
	}
	// READMEs are cut at a byte, not at a character.
	if err := jsonv2.Unmarshal(body, &doc, jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, attest.JSONError(err)
	}
	switch {
	case string(doc.Name) != name:
		return nil, errors.New("it is about another package")
	case len(doc.Versions) > maxVersions:
		return nil, errors.New("it has too many versions")
	}
	p := &packument{versions: doc.Versions, times: map[string]time.Time{}}
	for _, version := range slices.Sorted(maps.Keys(doc.Versions)) { // of two faults, always the same is told
		v := doc.Versions[version]
		if v == nil {
			return nil, errors.New("it has a version that is null")
		}
		if text := doc.Time[version]; text != "" {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return nil, errors.New("time: expected RFC 3339 times")
			}
			p.times[version] = t
			p.order = append(p.order, version)
		}
	}
	slices.SortFunc(p.order, func(a, b string) int {
		return cmp.Or(p.times[a].Compare(p.times[b]), semver.Compare("v"+a, "v"+b), strings.Compare(a, b))
	})
	return p, nil
}

// maxEarlier is how many earlier versions are asked for attestations.
const maxEarlier = 3

// of returns the metadata of a version with what is used of the earlier ones; nil if
// there is no such version.
func (p *packument) of(version string) (*Metadata, error) {
	raw := p.versions[version]
	if raw == nil {
		return nil, nil
	}
	m, err := raw.metadata()
	if err != nil {
		return nil, err
	}
	m.Time = p.times[version]
	if i := slices.Index(p.order, version); i > 0 {
		before := p.beforeRun(i)
		m.Earlier = append(m.Earlier, p.earlier(p.order[before], true))
		if before+1 < i {
			m.Since = p.times[p.order[before+1]]
		}
	}
	var announced []string
	for v, other := range p.versions {
		if other.Dist.Attestations.Kind() == '{' && p.published(v, version) {
			announced = append(announced, v)
		}
	}
	slices.SortFunc(announced, func(a, b string) int {
		return cmp.Or(semver.Compare("v"+b, "v"+a), strings.Compare(b, a)) // the nearest first
	})
	for _, v := range announced[:min(len(announced), maxEarlier)] {
		if len(m.Earlier) > 0 && m.Earlier[0].Version == v {
			continue
		}
		m.Earlier = append(m.Earlier, p.earlier(v, false))
	}
	return m, nil
}

// published tells whether a version was published before another one, of which it tells
// what the package was like: a lower one, or one of the same line by its time. Where the
// time of one is not known, a lower one counts as earlier.
func (p *packument) published(v, before string) bool {
	this, other := p.times[v], p.times[before]
	known := !this.IsZero() && !other.IsZero()
	if known && !this.Before(other) {
		return false
	}
	return semver.Compare("v"+v, "v"+before) < 0 || (known && semver.Major("v"+v) == semver.Major("v"+before))
}

// runWindow is how long the releases of one publisher count as one: who takes a package
// over could else hide it by publishing twice.
const runWindow = 30 * 24 * time.Hour

// beforeRun returns the place, in the order of time, of the release before the one at i
// and those of the same publisher shortly before that.
func (p *packument) beforeRun(i int) int {
	last := p.order[i]
	user := p.versions[last].User.Name
	k := i - 1
	for k > 0 && user != "" && p.versions[p.order[k]].User.Name == user && p.times[last].Sub(p.times[p.order[k]]) <= runWindow {
		k--
	}
	return k
}

func (p *packument) earlier(version string, before bool) Earlier {
	v := p.versions[version]
	return Earlier{
		Version: version, Integrity: string(v.Dist.Integrity), Time: p.times[version], User: User(v.User),
		Maintainers: v.Maintainers, Before: before, Announced: v.Dist.Attestations.Kind() == '{',
	}
}
