package npm

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxManifest bounds a package.json.
const maxManifest = 4 << 20

// manifest is a package.json. What is in node_modules was written by strangers,
// and npm and node take it as it comes: members of a wrong type read as absent.
type manifest struct {
	Name                 text        `json:"name"`
	Version              text        `json:"version"`
	License              licenseText `json:"license"`
	Licenses             licenseText `json:"licenses"`
	Author               person      `json:"author"`
	Maintainers          people      `json:"maintainers"`
	Homepage             text        `json:"homepage"`
	Repository           addressText `json:"repository"`
	Engines              stringMap   `json:"engines"`
	Funding              addresses   `json:"funding"`
	Scripts              stringMap   `json:"scripts"`
	Gypfile              gypfile     `json:"gypfile"`
	Dependencies         stringMap   `json:"dependencies"`
	DevDependencies      stringMap   `json:"devDependencies"`
	OptionalDependencies stringMap   `json:"optionalDependencies"`
	PeerDependencies     stringMap   `json:"peerDependencies"`
	PeerDependenciesMeta peersMeta   `json:"peerDependenciesMeta"`
	BundleDependencies   bundleList  `json:"bundleDependencies"`
	BundledDependencies  bundleList  `json:"bundledDependencies"`
	Workspaces           rawValue    `json:"workspaces"`
	OS                   present     `json:"os"`
	CPU                  present     `json:"cpu"`
	Resolutions          stringMap   `json:"resolutions"`
	Overrides            rawValue    `json:"overrides"`
	PNPM                 rawValue    `json:"pnpm"`
}

// parseManifest reads a package.json.
func parseManifest(data []byte) (*manifest, error) {
	m := &manifest{}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	// As node reads it: the last of two members of one name counts.
	err := jsonv2.Unmarshal(data, m, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return m, err
}

// license is what the package declares; the plural is npm's oldest form.
func (m *manifest) license() string {
	return cmp.Or(string(m.License), string(m.Licenses))
}

// requires says whether the package needs another at run time, or can use it; the
// range may be empty.
func (m *manifest) requires(name string) bool {
	_, needs := m.Dependencies[name]
	_, uses := m.OptionalDependencies[name]
	return needs || uses
}

// spec is what is required under a name; "" if nothing is.
func (m *manifest) spec(name string) string {
	for _, list := range []stringMap{m.OptionalDependencies, m.Dependencies, m.DevDependencies, m.PeerDependencies} {
		if spec, ok := list[name]; ok {
			return spec
		}
	}
	return ""
}

// bundles says whether a tarball of this package holds the package called name.
func (m *manifest) bundles(name string) bool {
	for _, list := range []bundleList{m.BundleDependencies, m.BundledDependencies} {
		if list.all && m.requires(name) || slices.Contains(list.names, name) {
			return true
		}
	}
	return false
}

// item is what the manifest says, as a lockfile would say it.
func (m *manifest) item() *lockItem {
	return &lockItem{
		Dependencies: m.Dependencies, DevDependencies: m.DevDependencies,
		OptionalDependencies: m.OptionalDependencies, PeerDependencies: m.PeerDependencies,
		PeerDependenciesMeta: m.PeerDependenciesMeta,
	}
}

// installScripts are the scripts that npm runs when it installs the package
// (npm docs, "scripts"), sorted; prepare runs for git dependencies too, and only
// for them.
func (m *manifest) installScripts(git bool) []Script {
	var list []Script
	for _, name := range []string{"install", "postinstall", "preinstall", "prepare"} {
		if command := m.Scripts[name]; command != "" && (name != "prepare" || git) {
			list = append(list, Script{Name: name, Command: command})
		}
	}
	return list
}

// A Script is a command that runs when a package is installed.
type Script struct{ Name, Command string }

// A Person made a package, as its package.json says.
type Person struct{ Name, Email, URL string }

type text string

func (t *text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '"' {
		return dec.SkipValue()
	}
	token, err := dec.ReadToken()
	if err == nil {
		*t = text(token.String())
	}
	return err
}

type rawValue jsontext.Value

func (v *rawValue) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	*v = rawValue(slices.Clone(raw))
	return err
}

// gypfile says whether a package asks npm not to compile it: "gypfile": false.
type gypfile struct{ declined bool }

func (g *gypfile) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	g.declined = dec.PeekKind() == 'f'
	return dec.SkipValue()
}

// present says that a member is there.
type present bool

func (p *present) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*p = true
	return dec.SkipValue()
}

// stringMap keeps the members that are strings.
type stringMap map[string]string

func (m *stringMap) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*m = nil // the last of two members counts
	return eachMember(dec, func(name string) error {
		if dec.PeekKind() != '"' {
			return dec.SkipValue()
		}
		token, err := dec.ReadToken()
		if err == nil {
			if *m == nil {
				*m = stringMap{}
			}
			(*m)[name] = token.String()
		}
		return err
	})
}

// eachMember calls do with the decoder before each member's value; what is no
// object has no members.
func eachMember(dec *jsontext.Decoder, do func(name string) error) error {
	if dec.PeekKind() != '{' {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := do(name.String()); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// peersMeta holds the names of peers that may be absent.
type peersMeta map[string]bool

func (m *peersMeta) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*m = nil
	return eachMember(dec, func(name string) error {
		return eachMember(dec, func(member string) error {
			if member == "optional" && dec.PeekKind() == 't' {
				if *m == nil {
					*m = peersMeta{}
				}
				(*m)[name] = true
			}
			return dec.SkipValue()
		})
	})
}

// bundleList is "bundleDependencies": names, or true for all dependencies.
type bundleList struct {
	all   bool
	names []string
}

func (b *bundleList) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*b = bundleList{}
	switch dec.PeekKind() {
	case 't':
		b.all = true
		return dec.SkipValue()
	case '[':
		return eachElement(dec, func() error {
			var name text
			err := name.UnmarshalJSONFrom(dec)
			b.names = append(b.names, string(name))
			return err
		})
	case '{': // npm takes the names of an object
		return eachMember(dec, func(name string) error {
			b.names = append(b.names, name)
			return dec.SkipValue()
		})
	}
	return dec.SkipValue()
}

func eachElement(dec *jsontext.Decoder, do func() error) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		if err := do(); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// licenseText is a licence: text, an object with a type, or a list of these, of
// which a user may choose.
type licenseText string

func (l *licenseText) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = ""
	switch dec.PeekKind() {
	case '"':
		token, err := dec.ReadToken()
		*l = licenseText(strings.TrimSpace(token.String()))
		return err
	case '{':
		var name text
		err := eachMember(dec, func(member string) error {
			if member == "type" || (member == "name" && name == "") {
				return name.UnmarshalJSONFrom(dec)
			}
			return dec.SkipValue()
		})
		*l = licenseText(strings.TrimSpace(string(name)))
		return err
	case '[':
		var all []string
		err := eachElement(dec, func() error {
			var one licenseText
			err := one.UnmarshalJSONFrom(dec)
			if one != "" {
				all = append(all, string(one))
			}
			return err
		})
		switch {
		case len(all) == 1:
			*l = licenseText(all[0])
		case len(all) > 1:
			*l = licenseText("(" + strings.Join(all, " OR ") + ")")
		}
		return err
	}
	return dec.SkipValue()
}

// person is "NAME <EMAIL> (URL)" or an object (package.json, "people fields").
type person Person

func (p *person) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*p = person{}
	switch dec.PeekKind() {
	case '"':
		token, err := dec.ReadToken()
		if err == nil {
			*p = parsePerson(token.String())
		}
		return err
	case '{':
		return eachMember(dec, func(member string) error {
			var value text
			err := value.UnmarshalJSONFrom(dec)
			switch member {
			case "name":
				p.Name = strings.TrimSpace(string(value))
			case "email", "mail":
				p.Email = strings.TrimSpace(string(value))
			case "url", "web":
				p.URL = strings.TrimSpace(string(value))
			}
			return err
		})
	}
	return dec.SkipValue()
}

func parsePerson(s string) person {
	var p person
	cut := func(open, end string) (inside string) {
		before, rest, ok := strings.Cut(s, open)
		if !ok {
			return ""
		}
		inside, after, _ := strings.Cut(rest, end)
		s = before + " " + after
		return strings.TrimSpace(inside)
	}
	p.Email = cut("<", ">")
	p.URL = cut("(", ")")
	p.Name = strings.Join(strings.Fields(s), " ")
	return p
}

type people []Person

func (l *people) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = nil
	if dec.PeekKind() != '[' {
		return dec.SkipValue()
	}
	return eachElement(dec, func() error {
		var one person
		err := one.UnmarshalJSONFrom(dec)
		if one.Name != "" {
			*l = append(*l, Person(one))
		}
		return err
	})
}

// addressText is an address, or an object that has one under "url".
type addressText string

func (a *addressText) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*a = ""
	if dec.PeekKind() != '{' {
		return (*text)(a).UnmarshalJSONFrom(dec)
	}
	return eachMember(dec, func(member string) error {
		if member == "url" {
			return (*text)(a).UnmarshalJSONFrom(dec)
		}
		return dec.SkipValue()
	})
}

// addresses is one address or a list of them.
type addresses []string

func (l *addresses) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = nil
	one := func() error {
		var a addressText
		err := a.UnmarshalJSONFrom(dec)
		if a != "" {
			*l = append(*l, string(a))
		}
		return err
	}
	var err error
	if dec.PeekKind() == '[' {
		err = eachElement(dec, one)
	} else {
		err = one()
	}
	slices.Sort(*l)
	*l = slices.Compact(*l)
	return err
}

// pairs lists a map's members as "NAME VALUE", sorted.
func (m stringMap) pairs() []string {
	var list []string
	for name, value := range m {
		list = append(list, name+" "+value)
	}
	slices.Sort(list)
	return list
}
