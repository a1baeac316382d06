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
	"testing/fstest"
	"time"

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

// TestSignatureVectors: registry signatures from the wild, with npm's keys. Time is
// judged apart.
func TestSignatureVectors(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(vectorsDir, "registry-signatures.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no outside vectors at %s", vectorsDir)
	}
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ Name, Version, Integrity, KeyID, Sig, Expected string }
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	keys, err := sigstore.ParseRegistryKeys(sigstore.NPMKeysJSON())
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 8 {
		t.Fatalf("expected at least 8 signatures, found %d", len(rows))
	}
	for _, row := range rows {
		sig, err := base64.StdEncoding.DecodeString(row.Sig)
		if err != nil {
			t.Fatal(err)
		}
		_, until, err := keys.VerifyMessage([]byte(row.Name+"@"+row.Version+":"+row.Integrity), row.KeyID, sig)
		if (err == nil) != (row.Expected == "valid") {
			t.Errorf("%s@%s: expected %s, found %v", row.Name, row.Version, row.Expected, err)
		}
		if err == nil && strings.HasPrefix(row.KeyID, "SHA256:jl3b") && until.Format("2006-01-02") != "2025-01-29" {
			t.Errorf("%s: its key ends %s", row.Name, until)
		}
		if _, _, err := keys.VerifyMessage([]byte("x"+row.Name+"@"+row.Version+":"+row.Integrity), row.KeyID, sig); err == nil {
			t.Errorf("%s: valid for another name", row.Name)
		}
	}
}

// TestManifestVector: a version's metadata as npm's registry has it, with its
// attestations.
func TestManifestVector(t *testing.T) {
	pkg, answer := vectorNamed(t, goodNew)
	metadata, err := os.ReadFile(filepath.Join(vectorsDir, "mykvm-novnc.novnc-1.7.0-manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sigstore.ParseRegistryKeys(sigstore.NPMKeysJSON())
	if err != nil {
		t.Fatal(err)
	}
	file := `{"schema":"` + npm.AnswersSchema + `","answers":{"metadata":{"status":200,"body":` + string(metadata) + `},"attestations":{"status":200,"body":` + string(answer) + `}}}`
	inspector := &npm.Inspector{Checker: checker(t), Keys: keys, Evidence: npm.Answers{Files: fstest.MapFS{npm.FileName(pkg): {Data: []byte(file)}}}, Now: sceneNow, MinAge: 72 * time.Hour}
	report, err := inspector.Project(context.Background(), npm.Single(pkg))
	if err != nil {
		t.Fatal(err)
	}
	r := report.Packages[0]
	if r.Outcome != npm.Held || r.Signature == nil || r.Origin == nil || len(codes(report, r.Package)) > 0 {
		t.Errorf("found %v: %+v", r.Outcome, r.Findings)
	}
	// The same metadata for another package's lockfile entry.
	other := pkg
	other.Integrity = otherIntegrity
	if report, err = inspector.Project(context.Background(), npm.Single(other)); err != nil || report.Packages[0].Outcome != npm.Denied {
		t.Errorf("another integrity: %v, %v", report, err)
	}
}
