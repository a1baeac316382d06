package verify

import _ "embed"

// policySchema is the JSON schema of the policy file, for editors. What it cannot
// say (names that must be defined, keys that go together) ParsePolicy checks.
//
//go:embed policy.schema.json
var policySchema string

// PolicySchema returns the JSON schema (2020-12) of the policy file.
func PolicySchema() string { return policySchema }
