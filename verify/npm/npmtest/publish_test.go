package npmtest_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/npmtest"
)

func TestPublish(t *testing.T) {
	s := serve(t, "")
	checker := checkerOf(t, s.sigstore)
	tarball := []byte("pretend tarball")
	sum := sha512.Sum512(tarball)
	pkg := npm.Package{Name: "@acme/new", Version: "1.0.0", Integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:])}
	var member struct {
		Bundle json.RawMessage `json:"bundle"`
	}
	provenance := s.sigstore.Provenance(pkg.Name, pkg.Version, hex.EncodeToString(sum[:]), npmtest.GitHub("acme/new"), march)
	if err := json.Unmarshal(provenance, &member); err != nil {
		t.Fatal(err)
	}
	put := func(change func(doc map[string]any)) int {
		doc := map[string]any{"_id": pkg.Name, "name": pkg.Name, "dist-tags": map[string]any{"next": pkg.Version},
			"versions": map[string]any{pkg.Version: map[string]any{"name": pkg.Name, "version": pkg.Version, "dist": map[string]any{"integrity": "sha512-wrong"}}},
			"_attachments": map[string]any{
				"@acme/new-1.0.0.tgz":      map[string]any{"data": base64.StdEncoding.EncodeToString(tarball)},
				"@acme/new-1.0.0.sigstore": map[string]any{"data": string(member.Bundle)},
			}}
		change(doc)
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest("PUT", s.url+"/@acme%2fnew", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	for name, change := range map[string]func(doc map[string]any){
		"another name": func(doc map[string]any) { doc["name"] = "other" },
		"no versions":  func(doc map[string]any) { doc["versions"] = map[string]any{} },
		"no tarball":   func(doc map[string]any) { delete(doc["_attachments"].(map[string]any), "@acme/new-1.0.0.tgz") },
		"another version": func(doc map[string]any) {
			doc["versions"] = map[string]any{"2.0.0": doc["versions"].(map[string]any)["1.0.0"]}
		},
		"another manifest": func(doc map[string]any) {
			doc["versions"].(map[string]any)["1.0.0"].(map[string]any)["name"] = "other"
		},
		"no base64": func(doc map[string]any) {
			doc["_attachments"] = map[string]any{"x.tgz": map[string]any{"data": "!"}}
		},
		"no bundle": func(doc map[string]any) {
			doc["_attachments"].(map[string]any)["x.sigstore"] = map[string]any{"data": "{}"}
		},
	} {
		if status := put(change); status != 400 {
			t.Errorf("%s: expected 400, found %d", name, status)
		}
	}
	if status := put(func(map[string]any) {}); status != 201 {
		t.Fatalf("expected 201, found %d", status)
	}
	if status := put(func(map[string]any) {}); status != 403 {
		t.Errorf("the same again: expected 403, found %d", status)
	}
	p := s.packument(t, "/@acme%2fnew")
	if m := p.Versions["1.0.0"]; m.Dist.Integrity != pkg.Integrity || len(m.Dist.Signatures) != 1 || m.Dist.Attestations == nil || p.DistTags["next"] != "1.0.0" {
		t.Errorf("found %+v", p)
	}
	_, answer := s.get(t, "/-/npm/v1/attestations/@acme%2fnew@1.0.0")
	if _, err := npm.CheckAttestations(context.Background(), checker, pkg, answer); err != nil {
		t.Error(err)
	}
	pkg.Integrity = "sha512-" + base64.StdEncoding.EncodeToString(make([]byte, 64))
	var refused *verify.Refusal
	if _, err := npm.CheckAttestations(context.Background(), checker, pkg, answer); !errors.As(err, &refused) {
		t.Errorf("other bytes: expected a refusal, found %v", err)
	}
}
