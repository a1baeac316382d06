package tarball

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A Manifest is what matters of a package.json. Members of a type that npm does not
// take read as absent, but for the name and the version, of which it takes text only.
type Manifest struct {
	Name, Version string
	Repository    string            // as written: the text, or the object's url
	Directory     string            // the repository's directory, where it is an object
	Scripts       map[string]string // those that are text
	GypFile       *bool             // nil where it is neither true nor false
	Bin           map[string]string // paths below the package by command, as npm cleans them

	binFolder string // directories.bin
}

// InstallScripts names the scripts that npm runs when it installs the package from
// a registry: preinstall, install and postinstall, in this order, where they are not
// empty; and "install (binding.gyp)" where npm runs "node-gyp rebuild" of its own
// accord. Its rule (@npmcli/arborist, lib/arborist/rebuild.js, addToBuildSet; the
// same in @npmcli/package-json's step gypfile): binding.gyp lies at the top,
// gypfile is not false, and there is neither an install nor a preinstall script.
func (m Manifest) InstallScripts(bindingGyp bool) []string {
	var list []string
	for _, name := range []string{"preinstall", "install"} {
		if m.Scripts[name] != "" {
			list = append(list, name)
		}
	}
	if bindingGyp && len(list) == 0 && (m.GypFile == nil || *m.GypFile) {
		list = append(list, "install (binding.gyp)")
	}
	if m.Scripts["postinstall"] != "" {
		list = append(list, "postinstall")
	}
	return list
}

// isBin says whether npm makes a file executable.
func (m Manifest) isBin(name string) bool {
	for _, at := range m.Bin {
		if at == name {
			return true
		}
	}
	return m.binFolder != "" && strings.HasPrefix(name, m.binFolder+"/")
}

func odd(format string, args ...any) error {
	return &ManifestError{Reason: fmt.Sprintf(format, args...)}
}

// parseManifest reads a package.json, and the digest of what it means. It is read as
// npm does, by JSON.parse after a byte order mark; but where a member that matters
// stands there twice, of which JSON.parse takes the last and other parsers the
// first, it is refused.
func parseManifest(data []byte) (Manifest, [sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	p := &manifestParser{}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if err := p.parse(data); err != nil {
		return Manifest{}, sum, err
	}
	if err := p.settleBin(); err != nil {
		return Manifest{}, sum, err
	}
	sum, _ = meaning(data)
	return p.m, sum, nil
}

type manifestParser struct {
	m       Manifest
	binText string // "bin" as text: the command is called as the package
}

func (p *manifestParser) parse(data []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if dec.PeekKind() != '{' {
		return odd("expected a JSON object")
	}
	members := []string{"name", "version", "repository", "scripts", "gypfile", "bin", "directories"}
	err := object(dec, "", members, func(name string) error { return p.member(dec, name) })
	if err != nil {
		return err
	}
	if rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return odd("expected nothing after the object, found %.20q", rest)
	}
	return nil
}

func (p *manifestParser) member(dec *jsontext.Decoder, name string) error {
	kind := dec.PeekKind()
	var err error
	switch name {
	case "name", "version":
		if kind != '"' {
			return odd("expected text as %s", name)
		}
		to := &p.m.Name
		if name == "version" {
			to = &p.m.Version
		}
		*to, err = word(dec)
		return err
	case "repository":
		if kind == '"' {
			p.m.Repository, err = word(dec)
			return err
		}
		return object(dec, name, []string{"url", "directory"}, func(member string) error {
			switch member {
			case "url":
				p.m.Repository, err = word(dec)
			case "directory":
				p.m.Directory, err = word(dec)
			default:
				err = skip(dec)
			}
			return err
		})
	case "scripts":
		return words(dec, name, &p.m.Scripts)
	case "gypfile":
		if kind == 't' || kind == 'f' {
			value := kind == 't'
			p.m.GypFile = &value
		}
	case "bin":
		if kind == '"' {
			p.binText, err = word(dec)
			return err
		}
		if kind == '[' {
			return p.binList(dec)
		}
		return words(dec, name, &p.m.Bin)
	case "directories":
		return object(dec, name, []string{"bin"}, func(member string) error {
			if member != "bin" {
				return skip(dec)
			}
			p.m.binFolder, err = word(dec)
			return err
		})
	}
	return skip(dec)
}

// binList reads "bin" as a list, whose commands are called as their files.
func (p *manifestParser) binList(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return odd("%v", err)
	}
	p.m.Bin = map[string]string{}
	for dec.PeekKind() != ']' {
		at, err := word(dec)
		if err != nil {
			return err
		}
		if at != "" {
			p.m.Bin[path.Base(at)] = at
		}
	}
	_, err := dec.ReadToken()
	if err != nil {
		return odd("%v", err)
	}
	return nil
}

// settleBin cleans commands and paths as npm does (@npmcli/package-json,
// lib/normalize.js, secureAndUnixifyPath).
func (p *manifestParser) settleBin() error {
	list := p.m.Bin
	if p.binText != "" {
		list = map[string]string{p.m.Name: p.binText}
	}
	p.m.Bin = nil
	for name, at := range list {
		name, at = path.Base(below(name)), below(at)
		if name == "." || at == "" {
			continue
		}
		if p.m.Bin == nil {
			p.m.Bin = map[string]string{}
		}
		if before, again := p.m.Bin[name]; again && before != at {
			return odd("the command %.100q stands for two files", name)
		}
		p.m.Bin[name] = at
	}
	p.m.binFolder = below(p.m.binFolder)
	return nil
}

// below is a path that cannot leave the package.
func below(at string) string {
	at = strings.NewReplacer(`\`, "/", ":", "/").Replace(at)
	return strings.TrimPrefix(path.Clean("/"+at), "/")
}

// object calls do before each member's value; one of the names that matter must
// not come twice, of which nil stands for all. What is no object has no members.
func object(dec *jsontext.Decoder, where string, matter []string, do func(name string) error) error {
	if dec.PeekKind() != '{' {
		return skip(dec)
	}
	if _, err := dec.ReadToken(); err != nil {
		return odd("%v", err)
	}
	seen := map[string]bool{}
	for dec.PeekKind() != '}' {
		name, err := word(dec)
		if err != nil {
			return err
		}
		if matter == nil || slices.Contains(matter, name) {
			if seen[name] {
				return odd("%.200q stands there twice", strings.TrimPrefix(where+"."+name, "."))
			}
			seen[name] = true
		}
		if err := do(name); err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return odd("%v", err)
	}
	return nil
}

// words reads the members that are text.
func words(dec *jsontext.Decoder, where string, to *map[string]string) error {
	return object(dec, where, nil, func(name string) error {
		if dec.PeekKind() != '"' {
			return skip(dec)
		}
		if *to == nil {
			*to = map[string]string{}
		}
		value, err := word(dec)
		(*to)[name] = value
		return err
	})
}

// word reads text; a value of another kind reads as none.
func word(dec *jsontext.Decoder) (string, error) {
	if dec.PeekKind() != '"' {
		return "", skip(dec)
	}
	token, err := dec.ReadToken()
	if err != nil {
		return "", odd("%v", err)
	}
	return token.String(), nil
}

func skip(dec *jsontext.Decoder) error {
	if err := dec.SkipValue(); err != nil {
		return odd("%v", err)
	}
	return nil
}

// meaning is a digest of a package.json's members in any order, without those
// that begin with "_", which npm up to 6 adds on install. The order within exports
// and imports counts for node, and so here. Where a member of the top stands there
// twice, or the text cannot be read, there is none.
func meaning(data []byte) (sum [sha256.Size]byte, ok bool) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	if dec.PeekKind() != '{' {
		return sum, false
	}
	if _, err := dec.ReadToken(); err != nil {
		return sum, false
	}
	var members []string
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return sum, false
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return sum, false
		}
		value = value.Clone()
		if key == "exports" || key == "imports" {
			err = value.Compact()
		} else {
			err = value.Canonicalize()
		}
		if err != nil {
			return sum, false
		}
		if !strings.HasPrefix(key, "_") {
			members = append(members, fmt.Sprintf("%q:%s\n", key, value))
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return sum, false
	}
	if len(bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n")) > 0 {
		return sum, false
	}
	slices.Sort(members)
	return sha256.Sum256([]byte(strings.Join(members, ""))), true
}
