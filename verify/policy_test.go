package verify_test

import (
	"errors"
	"strings"
	"testing"

	"plimsoll.example/verify"
)

// TestPolicyErrors: each mistake is refused with its line. In each policy, KEY
// stands for a good list of keys.
func TestPolicyErrors(t *testing.T) {
	s, other := newSigner(t), newSigner(t)
	keys := "[{pem: \"" + strings.ReplaceAll(string(s.PublicPEM()), "\n", `\n`) + "\"}]"
	otherKeys := strings.ReplaceAll(keys, strings.ReplaceAll(string(s.PublicPEM()), "\n", `\n`), strings.ReplaceAll(string(other.PublicPEM()), "\n", `\n`))
	head := "version: 1\nsigners:\n  release: {keys: KEY}\n"
	for name, c := range map[string]struct {
		policy string
		line   int
		words  string
	}{
		"empty":                  {"", 0, "the policy is empty"},
		"null":                   {"~\n", 0, "the policy is empty"},
		"a list":                 {"- a\n", 1, "expected a mapping, found a list"},
		"two documents":          {head + "requirements:\n  a: {type: t, signed-by: release}\n---\nversion: 1\n", 0, "expected one YAML document"},
		"no version":             {"signers: {}\n", 1, "version: missing"},
		"version 2":              {"version: 2\n", 1, `version: expected 1, found "2"`},
		"unknown key":            {"version: 1\nsigner: {}\n", 2, `unknown key "signer"`},
		"repeated key":           {"version: 1\nname: a\nname: b\n", 3, "there already on line 2"},
		"no signers":             {"version: 1\nrequirements: {}\n", 1, "signers: missing"},
		"empty signers":          {"version: 1\nsigners: {}\n", 2, "expected at least one"},
		"signers null":           {"version: 1\nsigners:\n", 2, "expected a mapping, found nothing"},
		"unknown in signer":      {"version: 1\nsigners:\n  release:\n    isuer: x\n", 4, `unknown key "isuer"`},
		"no keys":                {"version: 1\nsigners:\n  release: {keys: []}\n", 3, "expected a list of at least one key"},
		"unknown in key":         {"version: 1\nsigners:\n  release:\n    keys:\n      - pem: x\n        revokd: y\n", 6, `unknown key "revokd"`},
		"junk key":               {"version: 1\nsigners:\n  release:\n    keys:\n      - pem: junk\n", 5, "expected a PEM block"},
		"a key twice":            {"version: 1\nsigners:\n  a: {keys: KEY}\n  b: {keys: KEY}\n", 4, "a key belongs to one signer"},
		"bad date":               {"version: 1\nexpires: soon\n", 2, `expected a date`},
		"impossible date":        {"version: 1\nexpires: 2026-02-31\n", 2, `expected a date`},
		"no requirements":        {head, 1, "requirements: missing"},
		"empty requirements":     {head + "requirements: {}\n", 4, "expected at least one"},
		"unknown in requirement": {head + "requirements:\n  a: {type: t, signed-by: release, rulez: []}\n", 5, `unknown key "rulez"`},
		"no type":                {head + "requirements:\n  a: {signed-by: release}\n", 5, "type: missing"},
		"empty type":             {head + "requirements:\n  a: {type: '', signed-by: release}\n", 5, "type: expected text"},
		"no signed-by":           {head + "requirements:\n  a: {type: t}\n", 5, "signed-by: missing"},
		"unknown signer":         {head + "requirements:\n  a: {type: t, signed-by: relaese}\n", 5, `no signer "relaese" is defined`},
		"signed-by a list":       {head + "requirements:\n  a: {type: t, signed-by: [release]}\n", 5, "expected a mapping, found a list"},
		"holds some":             {head + "requirements:\n  a: {type: t, signed-by: release, holds: some}\n", 5, "holds: expected any or latest or all"},
		"alias":                  {"version: 1\nname: &x a\nsigners: *x\n", 2, "anchors and aliases are not read"},
		"merge":                  {"version: 1\n<<: {name: a}\n", 2, "plain key"},
		"artifact by name":       {head + "requirements:\n  a: {type: t, signed-by: release}\nartifacts:\n  app: {require: [a]}\n", 7, "expected sha256:HEX"},
		"artifact, no require":   {head + "requirements:\n  a: {type: t, signed-by: release}\nartifacts:\n  \"*\": {require: []}\n", 7, "require: expected a list of at least one"},
		"artifact, unknown":      {head + "requirements:\n  a: {type: t, signed-by: release}\nartifacts:\n  \"*\": {require: [b]}\n", 7, `no requirement "b" is defined`},
		"no artifacts":           {head + "requirements:\n  a: {type: t, signed-by: release}\nartifacts: {}\n", 6, "expected at least one"},
		"the zero time":          {"version: 1\nexpires: 0001-01-01T00:00:00Z\n", 2, "expected a date"},
		"the day before it":      {"version: 1\nexpires: 0000-12-31\n", 2, "expected a date"},
		"a date in a list":       {"version: 1\nexpires: [2027-01-01]\n", 2, "expected a date"},
		"a tag":                  {"version: 1\nname: !x a\n", 2, "tags are not read"},
		"a tag on a mapping":     {"version: 1\nsigners: !x {}\n", 2, "tags are not read"},
		"a key that is no text":  {"version: 1\nsigners:\n  ~: {keys: KEY}\n", 3, "plain key"},
		"an anchor on a key":     {"version: 1\n&x name: a\n", 2, "anchors and aliases"},
		"tab":                    {"version: 1\n\tname: a\n", 2, "tab"},
		"cut":                    {"version: 1\nsigners: {release: \n", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			policy := strings.Replace(c.policy, "KEY", keys, 2)
			p, err := verify.ParsePolicy("policy.yaml", []byte(policy))
			var e *verify.PolicyError
			if !errors.As(err, &e) {
				t.Fatalf("expected a *PolicyError, found %+v, %v", p, err)
			}
			if c.words == "" {
				return
			}
			if e.Line != c.line || !strings.Contains(e.Problem, c.words) {
				t.Errorf("expected line %d with %q, found %v", c.line, c.words, err)
			}
		})
	}
	good := strings.Replace(head, "KEY", keys, 1) + "  other: {keys: " + otherKeys + "}\nrequirements:\n  a: {type: t, signed-by: release, holds: any}\n"
	if _, err := verify.ParsePolicy("policy.yaml", []byte(good)); err != nil {
		t.Errorf("a good policy: %v", err)
	}
}

func TestCodesAreOneTable(t *testing.T) {
	seen := map[verify.Code]bool{}
	for _, c := range verify.Codes() {
		if seen[c.Code] || c.Meaning == "" || c.Remedy == "" || strings.ToUpper(string(c.Code)) != string(c.Code) {
			t.Errorf("%+v", c)
		}
		seen[c.Code] = true
		if c.Code.Remedy() != c.Remedy {
			t.Errorf("%s: remedy %q", c.Code, c.Code.Remedy())
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	s := newSigner(f)
	f.Add(s.policy("expires: 2027-01-01\n"))
	f.Add(s.policy("artifacts:\n  \"*\": {require: [it]}\n"))
	f.Fuzz(func(t *testing.T, data string) {
		p, err := verify.ParsePolicy("p", []byte(data))
		if err == nil && (len(p.Requirements) == 0 || len(p.Signers) == 0) {
			t.Errorf("a policy that demands nothing: %+v", p)
		}
	})
}
