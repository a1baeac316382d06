package golang

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestUnreached: only modules that nothing else leads to, and one of each ring.
func TestUnreached(t *testing.T) {
	b := &Build{Main: Module{Path: "main"}, Modules: []Module{
		{Path: "a", Edges: []string{"b"}},
		{Path: "b", Edges: []string{"x"}},
		{Path: "behind", Edges: []string{}},
		{Path: "ring1", Edges: []string{"ring2"}},
		{Path: "ring2", Edges: []string{"ring1", "behind"}},
		{Path: "x"},
		{Path: Std},
		{Path: "y"},
	}}
	if got := b.unreached([]string{"y"}); !slices.Equal(got, []string{"a", "ring1"}) {
		t.Errorf("found %v", got)
	}
	if got := b.unreached([]string{"a", "y", "ring2"}); len(got) != 0 {
		t.Errorf("found %v", got)
	}
}

func TestDistinct(t *testing.T) {
	modules := distinct([]Module{
		{Path: "a", Version: "v1.1.0", Required: "old"}, {Path: "a", Version: "v1.2.0"}, {Path: "a", Version: "v1.2.0", Required: "other"},
	})
	if len(modules) != 2 || modules[0].Key() != "a@v1.1.0" || modules[1].Key() != "a@v1.2.0" || modules[1].Required != "" {
		t.Errorf("found %+v", modules)
	}
}

func TestReleaseOf(t *testing.T) {
	for version, want := range map[string]string{
		"go1.26.8": "1.26.8", "go1.26.8 X:nogreenteagc": "1.26.8", "go1.27rc1": "1.27rc1",
		"go1.27-devel_4ad5537b Mon": "", "devel go1.27-4ad5537b": "", "": "",
	} {
		if got := releaseOf(version); got != want {
			t.Errorf("%q: expected %q, found %q", version, want, got)
		}
	}
}

// TestImportedBack: a dependency may import the main module; both ways of reading
// know it, or say that they do not.
func TestImportedBack(t *testing.T) {
	dir, app := "../../testdata/importedback", filepath.Join(t.TempDir(), "app")
	b, err := ReadDirectory(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if m := b.Modules[0]; m.Path != "example.com/dep" || !slices.Contains(m.Edges, b.Main.Key()) {
		t.Errorf("found %+v", m)
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", app, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(app)
	if err != nil {
		t.Fatal(err)
	}
	fromBinary, err := ReadBinary(context.Background(), bytes.NewReader(data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if m := fromBinary.Modules[0]; m.EdgesUnknown == "" || m.EdgesPartial {
		t.Errorf("found %+v", m)
	}
}
