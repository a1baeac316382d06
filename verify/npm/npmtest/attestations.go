package npmtest

import (
	"encoding/json"
	"path"
	"strings"
	"time"

	"plimsoll.example/attest"
)

// Types of statements, which npm writes in two versions.
const (
	statementV01 = "https://in-toto.io/Statement/v0.1" // the registry
	statementV1  = "https://in-toto.io/Statement/v1"   // the client
)

// Provenance returns the member of a registry's answer about attestations with the
// publisher's SLSA provenance, signed at a time in a job with this identity. The
// predicate says the same as the certificate. Each edit may change the statement
// before it is signed; the digest is hexadecimal.
func (s *Sigstore) Provenance(name, version, sha512hex string, id Identity, at time.Time, edit ...func(map[string]any)) json.RawMessage {
	at = at.Truncate(time.Second)
	text := statement(statementV1, name, version, sha512hex, attest.TypeProvenance, id.predicate(), edit)
	return member(text, s.signWithCertificate(text, id, at))
}

// Publish returns the member with the registry's own attestation that it published
// these bytes, signed by its valid key.
func (s *Sigstore) Publish(name, version, sha512hex, registryURL string, at time.Time, edit ...func(map[string]any)) json.RawMessage {
	at = at.Truncate(time.Second)
	text := statement(statementV01, name, version, sha512hex, attest.TypeNPMPublishV01,
		map[string]any{"name": name, "version": version, "registry": registryURL}, edit)
	return member(text, s.signWithKey(text, s.npm, at))
}

// Answer returns a registry's answer with these members.
func (s *Sigstore) Answer(members ...json.RawMessage) []byte {
	if members == nil {
		members = []json.RawMessage{}
	}
	return must(json.Marshal(map[string]any{"attestations": members}))
}

// member names the predicate type that is signed, whatever an edit made of it.
func member(statement []byte, bundle json.RawMessage) json.RawMessage {
	var signed struct {
		PredicateType any `json:"predicateType"`
	}
	must(0, json.Unmarshal(statement, &signed))
	return must(json.Marshal(map[string]any{"predicateType": signed.PredicateType, "bundle": bundle}))
}

func statement(kind, name, version, sha512hex, predicateType string, predicate map[string]any, edit []func(map[string]any)) []byte {
	st := map[string]any{
		"_type": kind,
		"subject": []any{map[string]any{
			"name": "pkg:npm/" + strings.Replace(name, "@", "%40", 1) + "@" + version, "digest": map[string]any{"sha512": sha512hex},
		}},
		"predicateType": predicateType, "predicate": predicate,
	}
	for _, e := range edit {
		e(st)
	}
	return must(json.Marshal(st))
}

// predicate is SLSA provenance v1 as npm's client writes it in GitHub Actions.
func (id Identity) predicate() map[string]any {
	workflow := filled(map[string]any{"ref": id.Ref, "repository": id.Repository, "path": id.Workflow})
	github := filled(map[string]any{"event_name": id.Trigger, "repository_id": id.RepositoryID, "repository_owner_id": id.OwnerID})
	source := "git+" + id.Repository
	if id.Ref != "" {
		source += "@" + id.Ref
	}
	return map[string]any{
		"buildDefinition": map[string]any{
			"buildType":          "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
			"externalParameters": map[string]any{"workflow": workflow},
			"internalParameters": map[string]any{"github": github},
			"resolvedDependencies": []any{map[string]any{
				"uri": source, "digest": filled(map[string]any{"gitCommit": id.Commit}),
			}},
		},
		"runDetails": map[string]any{
			"builder":  map[string]any{"id": "https://" + path.Join("github.com/actions/runner", id.Runner)},
			"metadata": filled(map[string]any{"invocationId": id.RunInvocation}),
		},
	}
}

// filled leaves out what is empty.
func filled(m map[string]any) map[string]any {
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	return m
}
