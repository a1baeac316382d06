package sigstore_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

// realBundle is a provenance that GitHub's runners signed for npm.
func realBundle(t testing.TB) ([]byte, verify.Artifact) {
	t.Helper()
	files, err := fs.Glob(os.DirFS("../../../shared/vectors/npm"), "sigstore-go.*.json")
	if err != nil || len(files) == 0 {
		t.Skip("no vectors at ../shared/vectors/npm")
	}
	for _, file := range files {
		data, err := os.ReadFile("../../../shared/vectors/npm/" + file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := attest.ParseEnvelope(data)
		if err != nil || !parsed.Certificate {
			continue
		}
		statement, err := attest.ParseStatement(parsed.Envelope.Payload)
		if err != nil {
			continue
		}
		artifact := verify.Artifact{Name: "x", Digests: statement.Subject[0].Digest}
		if _, err := verify.Open(context.Background(), publicGoodChecker(t), data, artifact); err == nil {
			return data, artifact
		}
	}
	t.Skip("no vector is by a certificate and accepted")
	return nil, verify.Artifact{}
}

func publicGoodChecker(t testing.TB) *sigstore.PolicyChecker {
	t.Helper()
	checker, err := sigstore.NewPolicyChecker(nil, []*sigstore.NamedRoot{{Name: verify.PublicGoodName, Load: sigstore.PublicGood,
		Certificates: true, Least: sigstore.Witnesses{LogEntries: 1, SCTs: 1}, MostSCTs: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return checker
}

// TestEveryByte: one byte of a real bundle's payload, signature, certificate or log
// entry, changed anywhere, is never accepted, and never a crash.
func TestEveryByte(t *testing.T) {
	t.Run("npm", func(t *testing.T) {
		data, artifact := realBundle(t)
		everyByte(t, data, artifact, publicGoodChecker(t))
	})
	t.Run("Rekor v2", func(t *testing.T) {
		dir := "../../../shared/vectors/conformance/rekor2-dsse-happy-path/"
		data, err := os.ReadFile(dir + "bundle.sigstore.json")
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("no vectors at ../shared/vectors/conformance")
		}
		parsed, parseErr := attest.ParseEnvelope(data)
		statement, statementErr := attest.ParseStatement(parsed.Envelope.Payload)
		if err := errors.Join(err, parseErr, statementErr); err != nil {
			t.Fatal(err)
		}
		load := func() (*sigstore.Root, error) { return caseRoot(dir + "trusted_root.json") }
		checker, err := sigstore.NewPolicyChecker(nil, []*sigstore.NamedRoot{{Name: "case", Load: load, Certificates: true,
			Least: sigstore.Witnesses{LogEntries: 1, SCTs: 1}, MostSCTs: 1}})
		if err != nil {
			t.Fatal(err)
		}
		everyByte(t, data, verify.Artifact{Name: "x", Digests: statement.Subject[0].Digest}, checker)
	})
}

func everyByte(t *testing.T, data []byte, artifact verify.Artifact, checker verify.Checker) {
	var bundle map[string]any
	if err := json.Unmarshal(data, &bundle); err != nil {
		t.Fatal(err)
	}
	changed := 0
	eachBase64(bundle, "", func(path string, value []byte, set func([]byte)) {
		// Of a timestamp's message only what the authority signed is held to its signature:
		// a status or a certificate around it may be another, and is not read.
		if strings.HasSuffix(path, "/signedTimestamp") {
			return
		}
		// Certificates above the leaf are not read: the trust root has them.
		if strings.Contains(path, "/certificates/") && !strings.Contains(path, "/certificates/0/") {
			return
		}
		step := 1
		if testing.Short() || len(value) > 2000 {
			step = 7
		}
		for i := 0; i < len(value); i += step {
			value[i] ^= 1
			set(value)
			raw, err := json.Marshal(bundle)
			if err != nil {
				t.Fatal(err)
			}
			_, err = verify.Open(context.Background(), checker, raw, artifact)
			var refused *verify.Refusal
			if err == nil {
				t.Errorf("%s, byte %d: accepted", path, i)
			} else if !errors.As(err, &refused) {
				t.Errorf("%s, byte %d: %v", path, i, err)
			}
			changed++
			value[i] ^= 1
		}
		set(value)
	})
	if changed < 1000 {
		t.Errorf("only %d bytes were changed", changed)
	}
	raw, err := json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.Open(context.Background(), checker, raw, artifact); err != nil {
		t.Errorf("the bundle as it was: %v", err)
	}
}

// eachBase64 visits every member of a bundle that holds bytes.
func eachBase64(value any, path string, do func(path string, bytes []byte, set func([]byte))) {
	visit := func(child any, path string, set func(string)) {
		text, ok := child.(string)
		if bytes, err := base64.StdEncoding.DecodeString(text); ok && err == nil && len(text) >= 16 && !strings.HasSuffix(path, "Root") {
			do(path, bytes, func(b []byte) { set(base64.StdEncoding.EncodeToString(b)) })
			return
		}
		eachBase64(child, path, do)
	}
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			visit(child, path+"/"+key, func(s string) { v[key] = s })
		}
	case []any:
		for i, child := range v {
			visit(child, fmt.Sprintf("%s/%d", path, i), func(s string) { v[i] = s })
		}
	}
}

// TestSwappedEntries: the log entry of one bundle says nothing about another.
func TestSwappedEntries(t *testing.T) {
	data, artifact := realBundle(t)
	checker := publicGoodChecker(t)
	var bundle map[string]any
	if err := json.Unmarshal(data, &bundle); err != nil {
		t.Fatal(err)
	}
	material := bundle["verificationMaterial"].(map[string]any)
	entries := material["tlogEntries"].([]any)
	refused := func(what string, want ...verify.Code) {
		t.Helper()
		raw, err := json.Marshal(bundle)
		if err != nil {
			t.Fatal(err)
		}
		_, err = verify.Open(context.Background(), checker, raw, artifact)
		var r *verify.Refusal
		if !errors.As(err, &r) {
			t.Fatalf("%s: %v", what, err)
		}
		for _, c := range want {
			if r.Code == c {
				return
			}
		}
		t.Errorf("%s: expected %v, found %v", what, want, r)
	}
	material["tlogEntries"] = []any{entries[0], entries[0]}
	refused("one entry twice", verify.CodeLogInvalid)
	material["tlogEntries"] = []any{}
	refused("no entry", verify.CodeLogMissing)
	other := otherEntry(t, data)
	material["tlogEntries"] = []any{other}
	refused("another bundle's entry", verify.CodeLogInvalid, verify.CodeCertificateExpired, verify.CodeAttestationMalformed)
	material["tlogEntries"] = entries
	many := make([]any, 40)
	for i := range many {
		many[i] = entries[0]
	}
	material["tlogEntries"] = many
	refused("forty entries", verify.CodeAttestationMalformed)
}

// otherEntry returns the log entry of another real bundle.
func otherEntry(t testing.TB, not []byte) any {
	t.Helper()
	files, err := fs.Glob(os.DirFS("../../../shared/vectors/conformance"), "*/bundle.sigstore.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile("../../../shared/vectors/conformance/" + file)
		if err != nil || string(data) == string(not) || strings.Contains(file, "_fail") {
			continue
		}
		var b struct {
			Material struct {
				Entries []any `json:"tlogEntries"`
			} `json:"verificationMaterial"`
		}
		if json.Unmarshal(data, &b) == nil && len(b.Material.Entries) > 0 {
			return b.Material.Entries[0]
		}
	}
	t.Skip("no other bundle at ../shared/vectors/conformance")
	return nil
}
