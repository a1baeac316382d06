package npm

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// parseYarn reads a yarn.lock: of version 1, or of yarn 2 and later ("berry"),
// which are YAML.
func parseYarn(data []byte, folders manifests) (*Project, error) {
	if bytes.HasPrefix(data, []byte("__metadata:")) || bytes.Contains(data, []byte("\n__metadata:")) {
		return parseBerry(data, folders)
	}
	if !bytes.Contains(data, []byte("yarn lockfile v1")) {
		return nil, errors.New(`reading lockfile: expected "# yarn lockfile v1" or a "__metadata" entry, found neither`)
	}
	return parseClassic(data, folders)
}

// classicEntry is a package in a yarn.lock of version 1, which lists the patterns
// (NAME@RANGE) that it meets.
type classicEntry struct {
	patterns                     []string
	version, resolved, integrity string
	prod, optional               map[string]string
}

// readClassic reads yarn's own format: entries at the margin, their fields by two
// spaces, dependencies by four.
func readClassic(data []byte) ([]*classicEntry, error) {
	var list []*classicEntry
	var entry *classicEntry
	var deps map[string]string
	fields := map[string]bool{}
	line := 0
	bad := func(expected string) error {
		return fmt.Errorf("reading lockfile: line %d: expected %s", line, expected)
	}
	for text := range strings.Lines(string(data)) {
		line++
		text = strings.TrimRight(text, "\r\n")
		trimmed := strings.TrimLeft(text, " ")
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if strings.ContainsFunc(trimmed, isControl) {
			return nil, bad("no control characters")
		}
		words, rest, err := words(trimmed)
		if err != nil {
			return nil, bad(err.Error())
		}
		switch indent := len(text) - len(trimmed); {
		case indent == 0 && rest == ":" && len(words) > 0:
			entry, deps = &classicEntry{patterns: words}, nil
			clear(fields)
			list = append(list, entry)
		case entry == nil || len(words) == 0:
			return nil, bad("an entry, NAME@RANGE:")
		case indent == 2 && rest == ":" && len(words) == 1:
			deps = map[string]string{}
			switch words[0] {
			case "dependencies":
				entry.prod = deps
			case "optionalDependencies":
				entry.optional = deps
			}
			fallthrough
		case indent == 2 && rest == "" && len(words) == 2:
			if fields[words[0]] {
				return nil, bad("each field once, found " + strconv.Quote(words[0]) + " again")
			}
			fields[words[0]] = true
			if rest == ":" {
				continue
			}
			deps = nil
			switch words[0] {
			case "version":
				entry.version = words[1]
			case "resolved":
				entry.resolved = words[1]
			case "integrity":
				entry.integrity = words[1]
			}
		case indent == 4 && deps != nil && rest == "" && len(words) == 2:
			if _, again := deps[words[0]]; again {
				return nil, bad("each dependency once, found " + strconv.Quote(words[0]) + " again")
			}
			deps[words[0]] = words[1]
		default:
			return nil, bad("a field of an entry")
		}
	}
	return list, nil
}

// words cuts a line into words, which are bare or JSON strings; commas between
// them are dropped, and what follows the last is returned.
func words(line string) (list []string, rest string, err error) {
	for line != "" {
		switch {
		case line[0] == ' ' || line[0] == ',':
			line = line[1:]
		case line == ":":
			return list, ":", nil
		case line[0] == '"':
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, "", errors.New("a string that ends")
			}
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, "", errors.New("a JSON string")
			}
			list, line = append(list, word), line[len(quoted):]
		default:
			end := strings.IndexAny(line, " ,")
			if end < 0 {
				end = len(line)
			}
			word := line[:end]
			line = line[end:]
			if line == "" && strings.HasSuffix(word, ":") {
				word, line = word[:len(word)-1], ":"
			}
			list = append(list, word)
		}
	}
	return list, "", nil
}

// classic resolves the patterns of a yarn.lock of version 1.
type classic struct {
	*graph
	folders  manifests
	patterns map[string]int   // NAME@RANGE
	named    map[string][]int // every package under a name or alias
	own      map[string]int   // workspaces by name
}

func parseClassic(data []byte, folders manifests) (*Project, error) {
	entries, err := readClassic(data)
	if err != nil {
		return nil, err
	}
	c := &classic{graph: newGraph(), folders: folders, patterns: map[string]int{}, named: map[string][]int{}, own: map[string]int{}}
	c.Format.Version = "1"
	slices.SortFunc(entries, func(a, b *classicEntry) int { return slices.Compare(a.patterns, b.patterns) })
	for _, e := range entries {
		i := c.add(e.pkg())
		for _, pattern := range e.patterns {
			if _, again := c.patterns[pattern]; again {
				return nil, fmt.Errorf("reading lockfile: two entries for %.200q", WithoutUsers(pattern))
			}
			c.patterns[pattern] = i
			name, _, _ := cutSpec(pattern)
			if list := c.named[name]; len(list) == 0 || list[len(list)-1] != i {
				c.named[name] = append(list, i)
			}
		}
	}
	c.connectOwn()
	for i, e := range entries {
		requirements(e.prod, e.optional, nil, func(name, spec string, kind EdgeKind) {
			c.edge(i+1, Edge{Name: name, Spec: spec, Kind: kind, To: c.find(name, spec)})
		})
	}
	c.lackPeers("yarn.lock of version 1")
	if c.Packages[0].EdgesUnknown != "" {
		c.connectUnrequired()
	}
	return c.finish()
}

// pkg describes an entry.
func (e *classicEntry) pkg() Package {
	p := Package{Place: strings.Join(e.patterns, ", "), Version: e.version, Integrity: e.integrity}
	var names []string
	for _, pattern := range e.patterns {
		name, spec, _ := cutSpec(pattern)
		names = append(names, name)
		if alias, ok := strings.CutPrefix(spec, "npm:"); ok {
			if real, _, _ := cutSpec(alias); real != "" {
				name = real
			}
		}
		if p.Name == "" || strings.Contains(e.resolved, "/"+name+"/-/") {
			p.Name = name
		}
	}
	p.Names = slices.DeleteFunc(names, func(name string) bool { return name == p.Name })
	address, fragment, _ := strings.Cut(e.resolved, "#")
	p.Resolved = e.resolved
	if p.fetchedFrom() != SourceGit {
		p.Resolved = address
		// yarn 1 wrote the tarball's SHA-1 there before it knew integrity.
		if raw, err := hex.DecodeString(fragment); err == nil && len(raw) == 20 && p.Integrity == "" {
			p.Integrity = "sha1-" + base64.StdEncoding.EncodeToString(raw)
		}
	}
	p.Source = p.fetchedFrom()
	if e.registryUnsaid(p) {
		p.Source, p.Resolved = SourceRegistry, ""
	} else if e.resolved == "" {
		p.Source = SourceUnknown
		if _, spec, _ := cutSpec(e.patterns[0]); strings.HasPrefix(spec, "file:") || strings.HasPrefix(spec, ".") {
			p.Source, p.Resolved = SourceFile, "file:"+strings.TrimPrefix(strings.TrimPrefix(spec, "file:"), "./")
		}
	}
	return p
}

// registryUnsaid says whether an entry is of a registry's package at an address that it
// leaves out: it has only a digest, or the plain name of a file in yarn's offline mirror.
func (e *classicEntry) registryUnsaid(p Package) bool {
	if p.Integrity == "" || p.Resolved != "" && (strings.ContainsAny(p.Resolved, `/\:`) || !isTarball(p.Resolved)) {
		return false
	}
	return !slices.ContainsFunc(e.patterns, func(pattern string) bool {
		_, spec, _ := cutSpec(pattern)
		return parseRequest(spec).elsewhere
	})
}

// connectOwn adds what the project and its workspaces require, which the lockfile
// does not say.
func (c *classic) connectOwn() {
	root, err := c.folders.read("")
	if err != nil {
		c.Packages[0].EdgesUnknown = "package.json, which says what the project requires, was not read"
		c.Gaps = append(c.Gaps, "which packages the project itself requires, and which are for development only: package.json is not beside yarn.lock")
		return
	}
	all := []*manifest{root}
	at := []int{0}
	places, gaps := c.folders.matching(newWorkspaces([]byte(root.Workspaces)))
	c.Gaps = append(c.Gaps, gaps...)
	for _, place := range places {
		if m, err := c.folders.read(place); err == nil {
			i := c.addFolder(place, string(m.Name))
			all, at = append(all, m), append(at, i)
			c.own[string(m.Name)] = i
		}
	}
	for n, m := range all {
		i := at[n]
		requirements(m.Dependencies, m.OptionalDependencies, m.DevDependencies, func(name, spec string, kind EdgeKind) {
			c.edge(i, Edge{Name: name, Spec: spec, Kind: kind, To: c.find(name, spec)})
		})
		for _, name := range sortedKeys(m.PeerDependencies) {
			spec := m.PeerDependencies[name]
			c.edge(i, Edge{Name: name, Spec: spec, Kind: EdgePeer, Optional: m.PeerDependenciesMeta[name], To: c.find(name, spec)})
		}
	}
}

// find returns the package that meets a requirement, or -1: by its pattern, among
// the workspaces, or the only one of that name (resolutions change what is
// required).
func (c *classic) find(name, spec string) int {
	if i, ok := c.patterns[name+"@"+spec]; ok {
		return i
	}
	if i, ok := c.own[name]; ok {
		return i
	}
	if folder, ok := strings.CutPrefix(spec, "link:"); ok {
		return c.addLinked(strings.TrimPrefix(folder, "./"), name)
	}
	if list := c.named[name]; len(list) == 1 {
		return list[0]
	}
	return -1
}

// connectUnrequired makes the project depend on what nothing else requires, where
// it is not known what it requires; from circles, the first.
func (g *graph) connectUnrequired() {
	required := make([]bool, len(g.Packages))
	for _, pkg := range g.Packages {
		for _, e := range pkg.Edges {
			required[e.To] = true
		}
	}
	reached := make([]bool, len(g.Packages))
	mark := func(i int) {
		g.edge(0, Edge{Name: g.Packages[i].Name, Kind: EdgeProd, To: i})
		for todo := []int{i}; len(todo) > 0; {
			at := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if reached[at] {
				continue
			}
			reached[at] = true
			for _, e := range g.Packages[at].Edges {
				todo = append(todo, e.To)
			}
		}
	}
	for i := range g.Packages {
		if i > 0 && !required[i] {
			mark(i)
		}
	}
	for i := range g.Packages {
		if i > 0 && !reached[i] {
			mark(i)
		}
	}
}
