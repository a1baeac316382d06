package npm_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/sigstore"
)

// vectorsDir holds what npm's registry really answered; see its README.
const vectorsDir = "../../../shared/vectors/npm"

type vector struct {
	File, Package, Version, Expected, Reason string
	Subjects                                 []struct{ Name, SHA512 string }
}

// vectors returns the registry answers (not the single bundles), or skips.
func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(vectorsDir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no outside vectors at %s", vectorsDir)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all, answers []vector
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if !strings.HasPrefix(v.File, "sigstore-go.") {
			answers = append(answers, v)
		}
	}
	if len(answers) < 10 {
		t.Fatalf("expected at least 10 answers in the index, found %d", len(answers))
	}
	return answers
}

func (v vector) read(t testing.TB) (npm.Package, []byte) {
	t.Helper()
	answer, err := os.ReadFile(filepath.Join(vectorsDir, v.File))
	if err != nil {
		t.Fatal(err)
	}
	return npm.Package{Name: v.Package, Version: v.Version, Integrity: sri(t, v.Subjects[0].SHA512)}, answer
}

func sri(t testing.TB, hexDigest string) string {
	t.Helper()
	raw, err := hex.DecodeString(hexDigest)
	if err != nil {
		t.Fatal(err)
	}
	return "sha512-" + base64.StdEncoding.EncodeToString(raw)
}

func checker(t testing.TB) verify.Checker {
	t.Helper()
	root, err := sigstore.PublicGood()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sigstore.NPMAttestationKeys()
	if err != nil {
		t.Fatal(err)
	}
	c, err := sigstore.NewLogChecker(root, keys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.File, func(t *testing.T) {
			pkg, answer := v.read(t)
			origin, err := npm.CheckAttestations(context.Background(), checker(t), pkg, answer)
			if (v.Expected == "valid") != (err == nil) {
				t.Fatalf("expected %s (%s), found origin %+v, error %v", v.Expected, v.Reason, origin, err)
			}
			if err != nil {
				var r *verify.Refusal
				if !errors.As(err, &r) {
					t.Fatalf("expected a refusal with a code, found %v", err)
				}
				t.Log(err)
				return
			}
			t.Logf("%+v", origin)
		})
	}
}
