package tarball

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestInstallScripts(t *testing.T) {
	for name, test := range map[string]struct {
		json    string
		gyp     bool
		install string
	}{
		"none":              {`{}`, false, ""},
		"all":               {`{"scripts":{"postinstall":"c","preinstall":"a","install":"b","prepare":"d","test":"e"}}`, true, "preinstall install postinstall"},
		"empty":             {`{"scripts":{"postinstall":"","install":""}}`, false, ""},
		"white space":       {`{"scripts":{"install":" "}}`, true, "install"},
		"not text":          {`{"scripts":{"install":1,"postinstall":["x"]}}`, false, ""},
		"no object":         {`{"scripts":["install"]}`, false, ""},
		"other case":        {`{"Scripts":{"install":"x"}}`, false, ""},
		"escaped":           {`{"scr\u0069pts":{"\u0069nstall":"x"}}`, false, "install"},
		"mark":              {"\ufeff" + `{"scripts":{"install":"x"}}`, false, "install"},
		"binding":           {`{}`, true, "install (binding.gyp)"},
		"binding, post":     {`{"scripts":{"postinstall":"x"}}`, true, "install (binding.gyp) postinstall"},
		"binding, pre":      {`{"scripts":{"preinstall":"x"}}`, true, "preinstall"},
		"gypfile false":     {`{"gypfile":false}`, true, ""},
		"gypfile true":      {`{"gypfile":true}`, true, "install (binding.gyp)"},
		"gypfile odd":       {`{"gypfile":"false"}`, true, "install (binding.gyp)"},
		"gypfile only":      {`{"gypfile":true}`, false, ""},
		"prepublish":        {`{"scripts":{"prepublish":"x","preprepare":"y","postprepare":"z","prepack":"p"}}`, false, ""},
		"twice elsewhere":   {`{"description":1,"description":2,"config":{"a":1,"a":2}}`, true, "install (binding.gyp)"},
		"invalid UTF-8":     {"{\"author\":\"\xff\",\"scripts\":{\"install\":\"\xff\"}}", false, "install"},
		"a lone surrogate":  {`{"author":"\ud800","scripts":{"install":"x"}}`, false, "install"},
		"scripts in config": {`{"config":{"scripts":{"install":"x"}}}`, false, ""},
	} {
		m, _, err := parseManifest([]byte(test.json))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(m.InstallScripts(test.gyp), " "); got != test.install {
			t.Errorf("%s: install scripts %q; expected %q", name, got, test.install)
		}
	}
}

func TestManifest(t *testing.T) {
	for name, test := range map[string]struct {
		json string
		want Manifest
	}{
		"repository as text":  {`{"repository":"github:a/b"}`, Manifest{Repository: "github:a/b"}},
		"repository":          {`{"repository":{"type":"git","url":"git+ssh://x","directory":"packages/a"}}`, Manifest{Repository: "git+ssh://x", Directory: "packages/a"}},
		"repository of lists": {`{"repository":[{"url":"x"}]}`, Manifest{}},
		"url of lists":        {`{"repository":{"url":["x"]}}`, Manifest{}},
		"bin as text":         {`{"name":"@s/a","bin":"./cli.js"}`, Manifest{Name: "@s/a", Bin: map[string]string{"a": "cli.js"}}},
		"bin":                 {`{"bin":{"x":"../../y","@s/z":"a\\b","n":1}}`, Manifest{Bin: map[string]string{"x": "y", "z": "a/b"}}},
		"bin as list":         {`{"bin":["a/b.js", 1]}`, Manifest{Bin: map[string]string{"b.js": "a/b.js"}}},
	} {
		m, _, err := parseManifest([]byte(test.json))
		if err != nil || m.Name != test.want.Name || m.Repository != test.want.Repository || m.Directory != test.want.Directory || !maps.Equal(m.Bin, test.want.Bin) {
			t.Errorf("%s: got %+v, %v", name, m, err)
		}
	}
}

// TestManifestError: what two parsers read differently.
func TestManifestError(t *testing.T) {
	for name, json := range map[string]string{
		"empty":                  "",
		"text":                   `"x"`,
		"null":                   `null`,
		"cut":                    `{"name":"a"`,
		"more after":             `{"name":"a"}{}`,
		"a zero after":           "{}\x00",
		"comment":                "{} // x",
		"two marks":              "\ufeff\ufeff{}",
		"name twice":             `{"name":"a","name":"b"}`,
		"name twice, escaped":    `{"name":"a","n\u0061me":"b"}`,
		"name twice, the same":   `{"name":"a","name":"a"}`,
		"version twice":          `{"version":"1.0.0","version":"2.0.0"}`,
		"scripts twice":          `{"scripts":{},"scripts":{"install":"x"}}`,
		"scripts, once null":     `{"scripts":{"install":"x"},"scripts":null}`,
		"script twice":           `{"scripts":{"install":"x","install":""}}`,
		"repository twice":       `{"repository":"a","repository":"b"}`,
		"url twice":              `{"repository":{"url":"a","url":"b"}}`,
		"folder twice":           `{"repository":{"directory":"a","directory":"b"}}`,
		"gypfile twice":          `{"gypfile":false,"gypfile":true}`,
		"bin twice":              `{"bin":"a","bin":"b"}`,
		"command twice":          `{"bin":{"a":"a","a":"b"}}`,
		"command twice, cleaned": `{"bin":{"a":"a","x/a":"b"}}`,
		"bin folder twice":       `{"directories":{"bin":"a","bin":"b"}}`,
		"name of no text":        `{"name":1}`,
		"name of null":           `{"name":null}`,
		"version of no text":     `{"version":["1.0.0"]}`,
	} {
		_, err := read(pack(item{name: manifestP, body: json}))
		if bad := (*ManifestError)(nil); !errors.As(err, &bad) || bad.Size == 0 || bad.SHA512 == [64]byte{} {
			t.Errorf("%s: got %v; expected a ManifestError", name, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(plainJSON))
	f.Add([]byte(`{"_id":1,"name":"a","bin":{"a":"b"},"scripts":{"install":"x"},"repository":{"url":"u","directory":"d"},"gypfile":false,"exports":{".":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, sum, err := parseManifest(data)
		if err != nil {
			return
		}
		for _, at := range m.Bin {
			if parts := strings.Split(at, "/"); slices.Contains(parts, "..") || parts[0] == "" {
				t.Fatalf("bin %q", at)
			}
		}
		if again, ok := meaning(data); ok && again != sum {
			t.Fatal("two meanings")
		}
	})
}
