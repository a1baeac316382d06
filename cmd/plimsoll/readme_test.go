package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// readmePolicy is the policy that README.md shows, with a real key.
func readmePolicy(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "```yaml\nversion: 1\n")
	text, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("README.md shows no policy")
	}
	key, err := attest.GenerateKey(attest.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	pem := strings.Split(strings.TrimSpace(string(key.PublicPEM())), "\n")
	indent := "          "
	return "version: 1\n" + strings.Replace(text, indent+"...", indent+strings.Join(pem[1:len(pem)-1], "\n"+indent), 1)
}

func TestReadmePolicy(t *testing.T) {
	text := readmePolicy(t)
	policy, err := verify.ParsePolicy("README.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(policy.Signers) != 2 || len(policy.Requirements) != 3 {
		t.Errorf("found %+v", policy)
	}
}

// TestPolicySchema holds the JSON schema to the parser: both know the same keys.
func TestPolicySchema(t *testing.T) {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(verify.PolicySchema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("policy.json", value); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(doc) // dates become text
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(instance)
	}
	good := readmePolicy(t)
	if err := valid(good); err != nil {
		t.Errorf("the policy of README.md: %v", err)
	}
	for from, to := range map[string]string{
		"version: 1\n":          "version: 2\n",
		"holds: latest":         "holds: newest",
		"max-severity: medium":  "max-severity: bad",
		"min-level: 2":          "min-level: 5",
		"name: production":      "nane: production",
		"about-artifact: true":  "about: true",
		"signed-by: ci  ":       "signedby: ci  ",
		"reason: not reachable": "because: not reachable",
		"max-age: 7d":           "max-age: 1 week",
		"TOO_YOUNG: warn":       "TOO_YOUNG: allow",
		"[esbuild, sharp]":      "[]",
		"install-scripts: [":    "scripts: [",
		"INSTALL_SCRIPT: deny":  "install_script: deny",
	} {
		changed := strings.Replace(good, from, to, 1)
		if changed == good {
			t.Fatalf("%q is not in the policy", from)
		}
		_, err := verify.ParsePolicy("p", []byte(changed))
		if schemaErr := valid(changed); schemaErr == nil || err == nil {
			t.Errorf("%q: the schema says %v, the parser %v", to, schemaErr, err)
		}
	}
}
