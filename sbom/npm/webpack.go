package npm

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// webpackStats is what webpack tells (webpack, "Stats Data").
type webpackStats struct {
	OutputPath string          `json:"outputPath"`
	Modules    []webpackModule `json:"modules"`
	Filtered   int             `json:"filteredModules"`
	Chunks     []webpackChunk  `json:"chunks"`
	Assets     []webpackAsset  `json:"assets"`
	Children   []webpackStats  `json:"children"`
}

type webpackChunk struct {
	ID       jsontext.Value  `json:"id"`
	Files    []string        `json:"files"`
	Modules  []webpackModule `json:"modules"`
	Filtered int             `json:"filteredModules"`
}

type webpackAsset struct {
	Name   string           `json:"name"`
	Chunks []jsontext.Value `json:"chunks"`
}

type webpackModule struct {
	Name             string           `json:"name"`
	NameForCondition string           `json:"nameForCondition"`
	ModuleType       string           `json:"moduleType"`
	Size             float64          `json:"size"`
	Orphan           bool             `json:"orphan"`
	Chunks           []jsontext.Value `json:"chunks"` // nil: it is not said
	Modules          []webpackModule  `json:"modules"`
	Filtered         int              `json:"filteredModules"`
	Children         []webpackModule  `json:"children"` // of a group, "modules by path"
	FilteredChildren int              `json:"filteredChildren"`
}

// webpackPartial reports stats in which not all modules are.
func webpackPartial(what string) error {
	return fmt.Errorf("webpack's stats do not say %s; write all of them, as stats.toJson() without options does, or webpack --json with no stats in its configuration", what)
}

func parseWebpack(data []byte) ([]Output, error) {
	var stats webpackStats
	if err := jsonv2.Unmarshal(data, &stats, lenient); err != nil {
		return nil, err
	}
	if len(stats.Modules) == 0 && len(stats.Children) == 0 && len(stats.Chunks) == 0 {
		return nil, webpackPartial("which modules are in its files")
	}
	return stats.outputs()
}

func (s *webpackStats) outputs() ([]Output, error) {
	byFile := map[string][]Module{}
	add := func(files []string, modules []Module) {
		for _, name := range files {
			if !beside(name) {
				name = path.Join(filepathToSlash(s.OutputPath), name)
				byFile[name] = append(byFile[name], modules...)
			}
		}
	}
	files := s.files()
	for _, names := range files {
		add(names, nil)
	}
	if err := s.modules(files, add); err != nil {
		return nil, err
	}
	var outputs []Output
	for _, name := range sortedKeys(byFile) {
		outputs = append(outputs, Output{Name: name, Modules: byFile[name]})
	}
	for _, child := range s.Children {
		inside, err := child.outputs()
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, inside...)
	}
	return outputs, nil
}

// files lists the files of each chunk.
func (s *webpackStats) files() map[string][]string {
	files := map[string][]string{}
	for _, c := range s.Chunks {
		files[string(c.ID)] = append(files[string(c.ID)], c.Files...)
	}
	if len(s.Chunks) == 0 {
		for _, a := range s.Assets {
			for _, id := range a.Chunks {
				files[string(id)] = append(files[string(id)], a.Name)
			}
		}
	}
	return files
}

// modules adds the modules to the files that they are in: as the list of modules
// says, or without one, that of each chunk.
func (s *webpackStats) modules(files map[string][]string, add func([]string, []Module)) error {
	if s.Filtered > 0 {
		return webpackPartial(fmt.Sprintf("what %d modules are (filteredModules)", s.Filtered))
	}
	if len(s.Modules) == 0 {
		for _, c := range s.Chunks {
			if len(c.Modules) == 0 && len(c.Files) > 0 || c.Filtered > 0 {
				return webpackPartial(fmt.Sprintf("which modules are in %s", strings.Join(c.Files, ", ")))
			}
			list, err := leaves(c.Modules, nil)
			if err != nil {
				return err
			}
			add(c.Files, list)
		}
		return nil
	}
	modules, err := ungrouped(s.Modules, nil)
	if err != nil {
		return err
	}
	for _, m := range modules {
		if m.Orphan {
			continue // nothing of it was written
		}
		if m.Chunks == nil {
			return webpackPartial(fmt.Sprintf("in which file %.200q is (chunks of modules)", m.Name))
		}
		list, err := leaves([]webpackModule{m}, nil)
		if err != nil {
			return err
		}
		for _, id := range m.Chunks {
			add(files[string(id)], list)
		}
	}
	return nil
}

// ungrouped lists the modules in groups, which are none themselves.
func ungrouped(modules, list []webpackModule) ([]webpackModule, error) {
	var err error
	for _, m := range modules {
		if m.FilteredChildren > 0 {
			return nil, webpackPartial(fmt.Sprintf("what %d modules are (filteredChildren)", m.FilteredChildren))
		}
		if len(m.Children) == 0 {
			list = append(list, m)
		} else if list, err = ungrouped(m.Children, list); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// joined is the end of the name of several modules that webpack made one of.
var joined = regexp.MustCompile(` \+ \d+ modules?$`)

// leaves adds the modules that are joined in one, or the module itself. webpack's
// own runtime is of no package of the project.
func leaves(modules []webpackModule, list []Module) ([]Module, error) {
	modules, err := ungrouped(modules, nil)
	if err != nil {
		return nil, err
	}
	for _, m := range modules {
		switch {
		case m.ModuleType == "runtime":
			continue
		case m.Filtered > 0 || (len(m.Modules) == 0 && joined.MatchString(m.Name)):
			return nil, webpackPartial(fmt.Sprintf("which modules are in %.200q (nestedModules)", m.Name))
		case len(m.Modules) > 0:
			if list, err = leaves(m.Modules, list); err != nil {
				return nil, err
			}
			continue
		}
		name := m.NameForCondition
		if name == "" {
			name = m.Name
			if i := strings.LastIndexByte(name, '!'); i >= 0 {
				name = name[i+1:] // behind the loaders
			}
		}
		list = append(list, Module{Path: name, Bytes: int64(m.Size), IsSource: true})
	}
	return list, nil
}
