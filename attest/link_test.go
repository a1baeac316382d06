package attest_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/attest"
)

// TestLayoutLink: in-toto-golang verifies the links that are written for its layouts,
// by every kind of key, under the name that it expects, and no changed one.
func TestLayoutLink(t *testing.T) {
	for _, algorithm := range attest.KeyAlgorithms() {
		t.Run(algorithm, func(t *testing.T) {
			k, err := attest.GenerateKey(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			link := attest.Link{Name: "build", Command: []string{"make", "a\nb\"\u2028é"}, Environment: map[string]string{"LANG": "C"},
				ByProducts: map[string]any{"return-value": 0}, Materials: []attest.Subject{{Name: "src/a", Digest: subject.Digest}}}
			name, nameErr := attest.LayoutFile("build", k)
			data, err := link.ForLayout([]attest.Subject{subject}, k)
			if err := errors.Join(nameErr, err); err != nil {
				t.Fatal(err)
			}
			if !attest.IsLayoutLink(data, "build", k) || attest.IsLayoutLink(data, "test", k) || attest.IsLayoutLink(data, "build", key(t)) || attest.IsLayoutLink([]byte("{}"), "build", k) {
				t.Error("the link is taken for another, or for none")
			}
			file := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			var public in_toto.Key
			if err := public.LoadKeyReaderDefaults(strings.NewReader(string(k.PublicPEM()))); err != nil {
				t.Fatal(err)
			}
			if want := "build." + public.KeyID[:8] + ".link"; name != want {
				t.Errorf("expected the name %s, found %s", want, name)
			}
			read, err := in_toto.LoadMetadata(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := read.VerifySignature(public); err != nil {
				t.Error(err)
			}
			payload, ok := read.GetPayload().(in_toto.Link)
			if !ok || payload.Products["app"]["sha256"] != subject.Digest["sha256"] || payload.Command[1] != link.Command[1] || len(payload.Materials) != 1 {
				t.Errorf("found %+v", read.GetPayload())
			}
			if err := os.WriteFile(file, []byte(strings.Replace(string(data), "make", "fake", 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			if read, err := in_toto.LoadMetadata(file); err == nil && read.VerifySignature(public) == nil {
				t.Error("a changed link verifies")
			}
		})
	}
}

// TestGenerateKey: a key of each kind is what it is called, and comes back from its
// PEM.
func TestGenerateKey(t *testing.T) {
	for _, algorithm := range attest.KeyAlgorithms() {
		k, err := attest.GenerateKey(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		data, err := k.PrivatePEM([]byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := attest.ParseKey(data, []byte("secret"))
		if err != nil || again.ID() != k.ID() || k.Algorithm() != algorithm {
			t.Errorf("%s: found %s, %v", algorithm, k.Algorithm(), err)
		}
		block, _ := pem.Decode(k.PublicPEM())
		if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			t.Error(err)
		}
	}
	if _, err := attest.GenerateKey("dsa"); err == nil {
		t.Error("dsa is a kind")
	}
}

// TestRecordFiles: patterns name files below a folder, each once; links stay inside.
func TestRecordFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a/x.js": "x", "a/b/y.js": "y", "a/b/empty": "", "z.txt": "z", ".git/config": "c"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"a/in": "../z.txt", "a/out": "/etc/passwd", "a/loop": "loop", "a/folder": "b"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	for _, c := range []struct{ patterns, exclude, want, ledOut string }{
		{"a", "", "a/b/empty a/b/y.js a/in a/x.js", "a/loop a/out"},
		{"**/*.js", "", "a/b/y.js a/x.js", ""},
		{"**/*.js a/x.js", "", "a/b/y.js a/x.js", ""},
		{"{a,b}/*.js", "", "a/x.js", ""},
		{".", ".git a/b", "a/in a/x.js z.txt", "a/loop a/out"},
		{".", "**/*.js .git **/out **/loop", "a/b/empty a/in z.txt", ""},
	} {
		r, err := attest.RecordFiles(context.Background(), dir, strings.Fields(c.patterns), strings.Fields(c.exclude), 0)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range r.Files {
			if names = append(names, f.Name); len(f.Digest["sha256"]) != 64 || len(f.Digest["sha512"]) != 128 {
				t.Errorf("%s: %v", f.Name, f.Digest)
			}
		}
		if got := strings.Join(names, " "); got != c.want || strings.Join(r.LedOut, " ") != c.ledOut {
			t.Errorf("%s without %s: expected %s and %s, found %s and %s", c.patterns, c.exclude, c.want, c.ledOut, got, r.LedOut)
		}
	}
	r, err := attest.RecordFiles(context.Background(), dir, []string{"a"}, nil, 5)
	if err != nil || !slices.Equal(r.Folders, []string{"a/folder"}) {
		t.Errorf("expected the link to a folder to be named, found %q, %v", r.Folders, err)
	}
	if _, err := attest.RecordFiles(context.Background(), dir, []string{"a"}, nil, 3); !errors.Is(err, attest.ErrTooMany) {
		t.Errorf("expected four files to be too many, found %v", err)
	}
	// what a folder above is excluded from is excluded
	var nothing *attest.ErrNothing
	for _, pattern := range []string{"a/b", "a/b/*", "a/x.js"} {
		if r, err := attest.RecordFiles(context.Background(), dir, []string{pattern}, []string{"a"}, 0); !errors.As(err, &nothing) {
			t.Errorf("%s without a: found %v, %v", pattern, r.Files, err)
		}
	}
	// names that read like patterns are names, where they are there
	for _, odd := range []string{"odd[1]", "{b", "b*"} {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, odd), 0o755), os.WriteFile(filepath.Join(dir, odd, "f"), []byte("f"), 0o644)); err != nil {
			t.Skip(err)
		}
		for _, pattern := range []string{odd, odd + "/f"} {
			if r, err := attest.RecordFiles(context.Background(), dir, []string{pattern}, nil, 0); err != nil || len(r.Files) != 1 || r.Files[0].Name != odd+"/f" {
				t.Errorf("%s: found %v, %v", pattern, r.Files, err)
			}
		}
	}
	for _, bad := range []string{"", "nothing*", "../x", "/etc/*", "a/[", ".git/none"} {
		if r, err := attest.RecordFiles(context.Background(), dir, []string{bad}, nil, 0); err == nil && bad != "" {
			t.Errorf("%q: found %v", bad, r.Files)
		}
	}
}

// TestRecordNotUTF8: two names that are one in JSON are no names for a statement.
func TestRecordNotUTF8(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a\xff"), nil, 0o644); err != nil {
		t.Skipf("this file system takes no such name: %v", err)
	}
	if r, err := attest.RecordFiles(context.Background(), dir, []string{"."}, nil, 0); err == nil || !strings.Contains(err.Error(), "expected a name in UTF-8") {
		t.Errorf("found %v, %v", r.Files, err)
	}
}
