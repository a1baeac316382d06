package npm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxBundle bounds what a bundler tells of its work; with all sources in it, a
// source map of 20,000 modules has about 100 MB.
const MaxBundle = 256 << 20

// An Output is a file that a bundler wrote, with the modules that are in it.
type Output struct {
	Name    string // path, from where the bundler ran or from the report's folder
	Modules []Module
}

// A Module is a source file of which something is in an output.
type Module struct {
	Path     string // as the bundler names it
	Bytes    int64  // in the output; where the report does not say, of the source
	IsSource bool   // Bytes are the source's
	IsURL    bool   // Path is a URL, or relative to one: it may be encoded
	Content  string // of the source, where the report holds it
}

// ErrNotBundle reports JSON that no bundler writes.
var ErrNotBundle = errors.New("expected esbuild's metafile, webpack's or rollup's stats, or a source map")

// ParseBundle reads what a bundler tells of its work: esbuild's metafile, webpack's
// stats, rollup's output or the raw data of its visualizer. Modules of which
// nothing is left in an output are not in it. A source map is for [ParseSourceMap];
// isMap says that data is one.
func ParseBundle(data []byte) (outputs []Output, isMap bool, err error) {
	if len(data) > MaxBundle {
		return nil, false, fmt.Errorf("reading bundle: expected at most %d bytes, found %d", MaxBundle, len(data))
	}
	data = withoutPrefix(data)
	var members map[string]jsontext.Value
	if err := jsonv2.Unmarshal(data, &members, lenient); err != nil {
		return nil, false, fmt.Errorf("reading bundle: %w: %w", ErrNotBundle, err)
	}
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { _, ok := members[name]; return !ok })
	}
	switch {
	case has("mappings") || has("version", "sections"):
		return nil, true, nil
	case has("inputs", "outputs"):
		outputs, err = parseMetafile(data)
	case has("output"):
		outputs, err = parseRollup(members["output"])
	case has("tree", "nodeParts"):
		outputs, err = parseVisualizer(data)
	case has("modules") || has("chunks", "assets") || has("children"):
		outputs, err = parseWebpack(data)
	default:
		return nil, false, fmt.Errorf("reading bundle: %w, found JSON without their members", ErrNotBundle)
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading bundle: %w", err)
	}
	if len(outputs) == 0 {
		return nil, false, errors.New("reading bundle: it names no output")
	}
	slices.SortFunc(outputs, func(a, b Output) int { return strings.Compare(a.Name, b.Name) })
	for _, o := range outputs {
		slices.SortFunc(o.Modules, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	}
	return outputs, false, nil
}

// lenient reads what tools write: unknown members, and invalid UTF-8 in sources.
var lenient = jsonv2.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// parseMetafile reads esbuild's metafile (esbuild, "Metafile").
func parseMetafile(data []byte) ([]Output, error) {
	var meta struct {
		Outputs map[string]struct {
			Inputs map[string]struct {
				BytesInOutput int64 `json:"bytesInOutput"`
			} `json:"inputs"`
		} `json:"outputs"`
	}
	if err := jsonv2.Unmarshal(data, &meta, lenient); err != nil {
		return nil, err
	}
	var outputs []Output
	for _, name := range sortedKeys(meta.Outputs) {
		if beside(name) {
			continue
		}
		o := Output{Name: name}
		for module, in := range meta.Outputs[name].Inputs {
			if in.BytesInOutput > 0 {
				o.Modules = append(o.Modules, Module{Path: module, Bytes: in.BytesInOutput})
			}
		}
		outputs = append(outputs, o)
	}
	return outputs, nil
}

// beside says whether an output only goes with another: its map, or the comments
// of licences.
func beside(name string) bool {
	return strings.HasSuffix(name, ".map") || strings.HasSuffix(name, ".LEGAL.txt") || strings.HasSuffix(name, ".LICENSE.txt")
}

// parseRollup reads the chunks of rollup's bundle.write (rollup, "JavaScript API").
func parseRollup(data []byte) ([]Output, error) {
	var chunks []struct {
		FileName string `json:"fileName"`
		Type     string `json:"type"`
		Modules  map[string]struct {
			RenderedLength int64 `json:"renderedLength"`
		} `json:"modules"`
	}
	if err := jsonv2.Unmarshal(data, &chunks, lenient); err != nil {
		return nil, err
	}
	var outputs []Output
	for _, c := range chunks {
		if beside(c.FileName) || c.FileName == "" {
			continue
		}
		o := Output{Name: c.FileName}
		for id, m := range c.Modules {
			if m.RenderedLength > 0 {
				o.Modules = append(o.Modules, Module{Path: id, Bytes: m.RenderedLength})
			}
		}
		outputs = append(outputs, o)
	}
	return outputs, nil
}

// parseVisualizer reads the raw data of rollup-plugin-visualizer.
func parseVisualizer(data []byte) ([]Output, error) {
	var raw struct {
		NodeParts map[string]struct {
			RenderedLength int64 `json:"renderedLength"`
		} `json:"nodeParts"`
		NodeMetas map[string]struct {
			ID          string            `json:"id"`
			ModuleParts map[string]string `json:"moduleParts"`
		} `json:"nodeMetas"`
	}
	if err := jsonv2.Unmarshal(data, &raw, lenient); err != nil {
		return nil, err
	}
	byFile := map[string][]Module{}
	for _, meta := range raw.NodeMetas {
		for file, part := range meta.ModuleParts {
			if n := raw.NodeParts[part].RenderedLength; n > 0 {
				byFile[file] = append(byFile[file], Module{Path: meta.ID, Bytes: n})
			}
		}
	}
	var outputs []Output
	for _, name := range sortedKeys(byFile) {
		outputs = append(outputs, Output{Name: name, Modules: byFile[name]})
	}
	return outputs, nil
}

func filepathToSlash(s string) string { return strings.ReplaceAll(s, `\`, "/") }
