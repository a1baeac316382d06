package sbom_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"plimsoll.example/sbom"
)

// TestAttested: what was verified of a package is evidence in its component, valid
// against the schemas, and what was not is none.
func TestAttested(t *testing.T) {
	dir := javascript(t, map[string]string{"package-lock.json": `{"name":"app","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"app","version":"1.0.0"},
		"node_modules/good":{"version":"1.0.0","integrity":"sha512-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="},
		"node_modules/bad":{"version":"2.0.0","integrity":"sha512-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="}}}`})
	attested := func(_ context.Context, name, version, _ string) (sbom.Attested, error) {
		if name+"@"+version == "good@1.0.0" {
			return sbom.Attested{Outcome: "verified", BuiltBy: "built by X from Y at commit Z", URL: "https://registry.example/-/npm/v1/attestations/good@1.0.0", SHA256: strings.Repeat("ab", 32)}, nil
		}
		return sbom.Attested{Outcome: "LOG_INVALID"}, nil
	}
	for _, version := range []string{"1.7", "1.6"} {
		o := sbom.Options{Attested: attested, SpecVersion: version}
		doc, err := sbom.Generate(context.Background(), []string{dir}, o)
		if err != nil {
			t.Fatal(err)
		}
		text := string(doc.JSON())
		for words, n := range map[string]int{`"technique": "attestation"`: 1, `"built by X from Y at commit Z"`: 1, `"type": "attestation"`: 1, `"plimsoll:npm:provenance"`: 2, `"LOG_INVALID"`: 1} {
			if strings.Count(text, words) != n {
				t.Errorf("%s: expected %s %d times in\n%s", version, words, n, text)
			}
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc.JSON()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema(t, version).Validate(value); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
	broken := func(context.Context, string, string, string) (sbom.Attested, error) {
		return sbom.Attested{}, errors.New("cut")
	}
	if doc, err := sbom.Generate(context.Background(), []string{dir}, sbom.Options{Attested: broken}); err == nil {
		t.Errorf("a document was written: %s", doc.JSON())
	}
}
