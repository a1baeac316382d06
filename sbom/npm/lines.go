package npm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tailscale/hujson"
	"go.yaml.in/yaml/v3"
)

// Lines says on which line of a lockfile, counted from 1, the entry of each package
// begins, by [Package.Place]; format is the file's base name. The project itself has
// line 1 where it has no entry. The lockfile must be one that [ParseLockfile] has
// read: what it refuses is not looked for here.
func Lines(format string, data []byte) (map[string]int, error) {
	if len(data) > MaxLockfile {
		return nil, fmt.Errorf("reading lockfile: expected at most %d bytes, found %d", MaxLockfile, len(data))
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var lines places
	var err error
	switch format {
	case "npm-shrinkwrap.json", "package-lock.json":
		lines, err = packageLockLines(data)
	case "pnpm-lock.yaml":
		lines, err = pnpmLines(data)
	case "yarn.lock":
		lines, err = yarnLines(data)
	case "bun.lock":
		lines, err = bunLines(data)
	default:
		return nil, fmt.Errorf("reading lockfile %q: expected one of %s", format, strings.Join(LockfileNames(), ", "))
	}
	if err != nil {
		return nil, errors.New(WithoutUsers(err.Error())) // libraries quote what they read
	}
	lines.add("", 1)
	return lines, nil
}

// places are lines by place; the first of two counts.
type places map[string]int

func (p places) add(place string, line int) {
	if _, again := p[place]; !again {
		p[place] = line
	}
}

// lineReader reads JSON and knows its lines.
type lineReader struct {
	*jsontext.Decoder
	data     []byte
	at, line int // so many newlines were before
}

func newLineReader(data []byte) *lineReader {
	return &lineReader{Decoder: jsontext.NewDecoder(bytes.NewBuffer(data)), data: data, line: 1}
}

// here is the line of the token that was read last.
func (r *lineReader) here() int {
	offset := int(r.InputOffset())
	r.line += bytes.Count(r.data[r.at:offset], []byte{'\n'})
	r.at = offset
	return r.line
}

// members calls do after each member's name, with its line.
func (r *lineReader) members(do func(name string, line int) error) error {
	return eachMember(r.Decoder, func(name string) error { return do(name, r.here()) })
}

func packageLockLines(data []byte) (places, error) {
	r := newLineReader(data)
	flat, nested := places{}, places{}
	var list []*nestedLine
	version, named := 0, 1
	err := r.members(func(name string, line int) error {
		switch name {
		case "lockfileVersion":
			return jsonv2.UnmarshalDecode(r.Decoder, &version)
		case "packages":
			return r.members(func(place string, line int) error {
				flat.add(place, line)
				return r.SkipValue()
			})
		case "dependencies":
			var err error
			list, err = r.nested()
			return err
		case "name":
			named = line
		}
		return r.SkipValue()
	})
	if err != nil {
		return nil, lockfileError(err)
	}
	if version != 1 {
		return flat, nil
	}
	nested.add("", named)
	return nested, nested.addNested("", list)
}

// nestedLine is a package of version 1 with those that are nested in it. Where these
// lie is known when all is read: a version, which may name a folder, can stand
// behind them.
type nestedLine struct {
	name, folder string
	isFolder     bool
	line         int
	inside       []*nestedLine
}

func (r *lineReader) nested() ([]*nestedLine, error) {
	var list []*nestedLine
	err := r.members(func(name string, line int) error {
		n := &nestedLine{name: name, line: line}
		list = append(list, n)
		return r.members(func(field string, _ int) (err error) {
			switch field {
			case "version":
				var version text
				err = version.UnmarshalJSONFrom(r.Decoder)
				n.folder, n.isFolder = folderOf(string(version))
			case "dependencies":
				n.inside, err = r.nested()
			default:
				err = r.SkipValue()
			}
			return err
		})
	})
	return list, err
}

// addNested adds places as unnest makes them.
func (p places) addNested(above string, list []*nestedLine) error {
	for _, n := range list {
		place := path.Join(above, NodeModules) + "/" + n.name
		if len(place) > maxPlace {
			return checkPlace(place)
		}
		p.add(place, n.line)
		inside := place
		if n.isFolder {
			inside = n.folder
			p.add(inside, n.line)
		}
		if err := p.addNested(inside, n.inside); err != nil {
			return err
		}
	}
	return nil
}

func bunLines(data []byte) (places, error) {
	if deeper(data, deepestBun) {
		return nil, fmt.Errorf("reading lockfile: nested deeper than %d levels", deepestBun)
	}
	plain, err := hujson.Standardize(data) // keeps the bytes' offsets
	if err != nil {
		return nil, fmt.Errorf("reading lockfile: %w", err)
	}
	r := newLineReader(plain)
	lines, keys, folders := places{}, places{}, map[string]string{}
	err = r.members(func(name string, _ int) error {
		return r.members(func(key string, line int) error {
			switch name {
			case "workspaces":
				lines.add(key, line)
			case "packages":
				keys.add(key, line)
				var value []jsontext.Value
				if err := jsonv2.UnmarshalDecode(r.Decoder, &value); err != nil {
					return err
				}
				var locator string
				if len(value) > 0 && jsonv2.Unmarshal(value[0], &locator) == nil {
					_, reference, _ := cutSpec(locator)
					if folder, ok := strings.CutPrefix(reference, "workspace:"); ok {
						folders[key] = folder
					}
				}
				return nil
			}
			return r.SkipValue()
		})
	})
	if err != nil {
		return nil, lockfileError(err)
	}
	for key, line := range keys {
		lines.add(bunPlace(key, folders), line)
	}
	return lines, nil
}

func yarnLines(data []byte) (places, error) {
	if bytes.HasPrefix(data, []byte("__metadata:")) || bytes.Contains(data, []byte("\n__metadata:")) {
		return berryLines(data)
	}
	lines := places{}
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		text = strings.TrimRight(text, "\r\n")
		if text == "" || text[0] == ' ' || text[0] == '#' {
			continue
		}
		patterns, rest, err := words(text)
		if err != nil || rest != ":" {
			return nil, fmt.Errorf("reading lockfile: line %d: expected an entry, NAME@RANGE and a colon", line)
		}
		lines.add(strings.Join(patterns, ", "), line)
	}
	return lines, nil
}

// yamlNode is a document's content.
type yamlNode struct{ *yaml.Node }

func (n *yamlNode) UnmarshalYAML(node *yaml.Node) error {
	n.Node = node
	return nil
}

// members calls do with each member.
func (n yamlNode) members(do func(key, value yamlNode)) {
	if n.Node == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		do(yamlNode{n.Content[i]}, yamlNode{n.Content[i+1]})
	}
}

// member is the value of a member, or nothing.
func (n yamlNode) member(name string) (found yamlNode) {
	n.members(func(key, value yamlNode) {
		if key.Value == name {
			found = value
		}
	})
	return found
}

// text is a scalar's.
func (n yamlNode) text() string {
	if n.Node == nil {
		return ""
	}
	return n.Value
}

func berryLines(data []byte) (places, error) {
	var lock yamlNode
	if err := decodeYAML(yaml.NewDecoder(bytes.NewReader(data)), &lock); err != nil {
		return nil, err
	}
	lines := places{}
	lock.members(func(key, entry yamlNode) {
		if key.Value == "__metadata" {
			return
		}
		_, reference, _ := cutSpec(entry.member("resolution").text())
		if folder, ok := strings.CutPrefix(reference, "workspace:"); ok {
			lines.add(folderPlace(folder), key.Line)
			return
		}
		lines.add(key.Value, key.Line)
	})
	return lines, nil
}

func pnpmLines(data []byte) (places, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var lock yamlNode
	for {
		var next yamlNode
		err := decodeYAML(decoder, &next)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		lock = next // the last document is the project's
	}
	lines := places{}
	lock.member("importers").members(func(key, _ yamlNode) { lines.add(folderPlace(key.Value), key.Line) })
	list := lock.member("packages")
	if strings.HasPrefix(lock.member("lockfileVersion").text(), "9") {
		list = lock.member("snapshots")
	}
	list.members(func(key, _ yamlNode) { lines.add(key.Value, key.Line) })
	// Folders that are only linked to have the line of what links to them.
	linked := func(place string, from yamlNode) {
		for _, field := range []string{"optionalDependencies", "dependencies", "devDependencies"} {
			from.member(field).members(func(key, value yamlNode) {
				version := value.text()
				if value.Kind == yaml.MappingNode {
					version = value.member("version").text()
				}
				if link, ok := strings.CutPrefix(version, "link:"); ok {
					lines.add(folderPlace(path.Join(place, link)), key.Line)
				}
			})
		}
	}
	linked("", lock)
	lock.member("importers").members(func(key, value yamlNode) { linked(folderPlace(key.Value), value) })
	list.members(func(_, value yamlNode) { linked("", value) })
	return lines, nil
}
