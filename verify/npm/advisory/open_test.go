package advisory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestEmpty(t *testing.T) {
	archive := zipped(t, nil)
	if _, err := OpenZip(t.Context(), bytes.NewReader(archive), int64(len(archive))); !errors.Is(err, ErrEmpty) {
		t.Errorf("zip: %v", err)
	}
	for name, fsys := range map[string]fs.FS{
		"nothing": folder(nil),
		"no MAL-": folder(map[string]string{"GHSA-1.json": doc("GHSA-1", "a", all, ""), "mal-1.json": "", "MAL-1.txt": ""}),
		"a zip":   folder(map[string]string{"all.zip": string(archive)}),
	} {
		if _, err := OpenFolder(t.Context(), fsys); !errors.Is(err, ErrEmpty) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenFolder(t.Context(), os.DirFS(filepath.Join(t.TempDir(), "none"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestTwice(t *testing.T) {
	record := doc("MAL-1", "a", all, "")
	_, err := OpenFolder(t.Context(), folder(map[string]string{"a/MAL-1.json": record, "b/MAL-1.json": record}))
	if err == nil || !strings.Contains(err.Error(), "two records") {
		t.Error(err)
	}
}

// TestLinks: nothing behind a link is read, and it is told that there is one.
func TestLinks(t *testing.T) {
	outside := t.TempDir()
	write(t, filepath.Join(outside, "MAL-9.json"), doc("MAL-9", "a", all, ""))
	for name, target := range map[string]string{"MAL-9.json": filepath.Join(outside, "MAL-9.json"), "npm": outside} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "MAL-1.json"), doc("MAL-1", "a", all, ""))
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		if _, err := OpenFolder(t.Context(), os.DirFS(dir)); err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s: %v", name, err)
		}
	}
	special := folder(map[string]string{"MAL-1.json": doc("MAL-1", "a", all, "")})
	special["MAL-2.json"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	if _, err := OpenFolder(t.Context(), special); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFirstError: the same error every time, that of the first file.
func TestFirstError(t *testing.T) {
	files := map[string]string{}
	for i := range 200 {
		id := fmt.Sprintf("MAL-%03d", i)
		files[id+".json"] = doc(id, "a", all, "")
		if i > 100 {
			files[id+".json"] = "{"
		}
	}
	for range 50 {
		if _, err := OpenFolder(t.Context(), folder(files)); err == nil || !strings.Contains(err.Error(), "MAL-101") {
			t.Fatal(err)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	files := map[string]string{"MAL-1.json": doc("MAL-1", "a", all, "")}
	archive := zipped(t, files)
	if _, err := OpenZip(ctx, bytes.NewReader(archive), int64(len(archive))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := OpenFolder(ctx, folder(files)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestBounds(t *testing.T) {
	files := map[string]string{"GHSA-1.json": "x"}
	for i := range 4 {
		id := fmt.Sprintf("MAL-%d", i)
		files[id+".json"] = doc(id, "a", all, "")
	}
	size := int64(len(files["MAL-1.json"]))
	exact := limits{files: 6, record: size, records: 4 * size, listing: 1 << 20} // the folder itself is the sixth
	archive := zipped(t, files)
	open := map[string]func(limits) error{
		"folder": func(b limits) error { _, err := openFolder(t.Context(), folder(files), b); return err },
		"zip": func(b limits) error {
			_, err := openZip(t.Context(), bytes.NewReader(archive), int64(len(archive)), b)
			return err
		},
	}
	for how, open := range open {
		if err := open(exact); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		for want, change := range map[string]func(*limits){
			"files":            func(b *limits) { b.files = 4 },
			"which no record":  func(b *limits) { b.record-- },
			"bytes of records": func(b *limits) { b.records-- },
		} {
			b := exact
			change(&b)
			if err := open(b); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, expected %q", how, err, want)
			}
		}
	}
	small := exact
	small.listing = 100
	if err := open["zip"](small); err == nil || !strings.Contains(err.Error(), "list of files is too long") {
		t.Error(err)
	}
	// What is read after the listing does not count against it.
	b := exact
	for b.listing = 0; ; b.listing++ {
		if _, err := zipFiles(bytes.NewReader(archive), int64(len(archive)), b); err == nil {
			break
		}
	}
	if err := open["zip"](b); err != nil {
		t.Error(err)
	}
	if _, err := OpenZip(t.Context(), bytes.NewReader(archive), maxZip+1); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
}
