package npm_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
)

// vectorNamed returns a good answer to attack.
func vectorNamed(t testing.TB, file string) (npm.Package, []byte) {
	t.Helper()
	for _, v := range vectors(t) {
		if v.File == file {
			return v.read(t)
		}
	}
	t.Fatalf("no vector %s", file)
	return npm.Package{}, nil
}

const (
	goodV1  = "slsa-verifier.provenance-npm-test-cli-v1-prega.tgz.json" // sigstore 2.3.1, bundles 0.2
	goodNew = "mykvm-novnc.novnc-1.7.0-attestations.json"               // scoped, bundle 0.3
	other   = "slsa-verifier.gundam-visor-cli-v1-tag.tgz.json"
)

// edit changes an answer as JSON.
func edit(t testing.TB, answer []byte, change func(attestations []any) []any) []byte {
	t.Helper()
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader(answer))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	doc["attestations"] = change(doc["attestations"].([]any))
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// at walks into JSON.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(map[string]any)[p]
		case int:
			v = v.([]any)[p]
		}
	}
	return v
}

func set(v any, value any, path ...any) {
	last := path[len(path)-1]
	parent := at(v, path[:len(path)-1]...)
	switch last := last.(type) {
	case string:
		parent.(map[string]any)[last] = value
	case int:
		parent.([]any)[last] = value
	}
}

// TestAttacks: each is refused with its own code. Index 0 of the good answer is
// the publish attestation, 1 the provenance.
func TestAttacks(t *testing.T) {
	pkg, good := vectorNamed(t, goodV1)
	if _, err := npm.CheckAttestations(context.Background(), checker(t), pkg, good); err != nil {
		t.Fatalf("the good answer: %v", err)
	}
	_, foreign := vectorNamed(t, other)
	var foreignDoc map[string]any
	if err := json.Unmarshal(foreign, &foreignDoc); err != nil {
		t.Fatal(err)
	}
	tlog := []any{"bundle", "verificationMaterial", "tlogEntries"}
	deep := func(i int, path ...any) []any { return append([]any{i}, path...) }
	rebase := func(a []any, i int, change func(payload string) string) []any {
		raw, err := base64.StdEncoding.DecodeString(at(a, i, "bundle", "dsseEnvelope", "payload").(string))
		if err != nil {
			t.Fatal(err)
		}
		set(a, base64.StdEncoding.EncodeToString([]byte(change(string(raw)))), i, "bundle", "dsseEnvelope", "payload")
		return a
	}
	for name, c := range map[string]struct {
		change func(a []any) []any
		code   verify.Code
	}{
		"publish removed":          {func(a []any) []any { return a[1:] }, verify.CodePublishMissing},
		"provenance removed":       {func(a []any) []any { return a[:1] }, verify.CodeProvenanceMissing},
		"empty list":               {func([]any) []any { return []any{} }, verify.CodeAnswerMalformed},
		"two provenances":          {func(a []any) []any { return append(a, a[1]) }, verify.CodeAttestationRepeated},
		"two publish attestations": {func(a []any) []any { return append(a, a[0]) }, verify.CodeAttestationRepeated},
		"another package's beside": {func(a []any) []any { return append(a, foreignDoc["attestations"].([]any)[1]) }, verify.CodeSubjectMismatch},
		"another's provenance":     {func(a []any) []any { return []any{a[0], foreignDoc["attestations"].([]any)[1]} }, verify.CodeSubjectMismatch},
		"publish as provenance":    {func(a []any) []any { set(a, "https://slsa.dev/provenance/v1", 0, "predicateType"); return a }, verify.CodePredicateTypeDiffer},
		"outer type edited":        {func(a []any) []any { set(a, "https://slsa.dev/provenance/v2", 1, "predicateType"); return a }, verify.CodePredicateTypeDiffer},
		"outer type missing":       {func(a []any) []any { delete(a[1].(map[string]any), "predicateType"); return a }, verify.CodePredicateTypeDiffer},
		"no bundle":                {func(a []any) []any { delete(a[1].(map[string]any), "bundle"); return a }, verify.CodeAnswerMalformed},
		"bundle null":              {func(a []any) []any { set(a, nil, 1, "bundle"); return a }, verify.CodeAnswerMalformed},
		"log entry removed":        {func(a []any) []any { set(a, []any{}, deep(1, tlog...)...); return a }, verify.CodeLogMissing},
		"another spelling beside":  {func(a []any) []any { set(a, map[string]any{}, 1, "Bundle"); return a }, verify.CodeAnswerMalformed},
		"another type beside":      {func(a []any) []any { set(a, "x", 1, "predicatetype"); return a }, verify.CodeAnswerMalformed},
		"log's promise removed": {func(a []any) []any {
			delete(at(a, deep(0, append(tlog, 0)...)...).(map[string]any), "inclusionPromise")
			return a
		}, verify.CodeTimeInvalid},
		"promise null, time earlier": {func(a []any) []any {
			set(a, nil, deep(0, append(tlog, 0, "inclusionPromise")...)...)
			set(a, "1672531200", deep(0, append(tlog, 0, "integratedTime")...)...)
			return a
		}, verify.CodeTimeInvalid},
		"no log time": {func(a []any) []any {
			delete(at(a, deep(0, append(tlog, 0)...)...).(map[string]any), "integratedTime")
			return a
		}, verify.CodeLogInvalid},
		"log time below zero": {func(a []any) []any { set(a, "-5", deep(1, append(tlog, 0, "integratedTime")...)...); return a }, verify.CodeLogInvalid},
		"log index changed":   {func(a []any) []any { set(a, "5", deep(1, append(tlog, 0, "logIndex")...)...); return a }, verify.CodeLogInvalid},
		"proof removed": {func(a []any) []any {
			delete(at(a, deep(1, append(tlog, 0)...)...).(map[string]any), "inclusionProof")
			return a
		}, verify.CodeAttestationMalformed},
		"checkpoint removed": {func(a []any) []any {
			delete(at(a, deep(1, append(tlog, 0, "inclusionProof")...)...).(map[string]any), "checkpoint")
			return a
		}, verify.CodeAttestationMalformed},
		"a timestamp of nobody": {func(a []any) []any {
			set(a, map[string]any{"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": "AAAA"}}}, 0, "bundle", "verificationMaterial", "timestampVerificationData")
			return a
		}, verify.CodeTimeInvalid},
		"a key without a name": {func(a []any) []any {
			set(a, map[string]any{}, 0, "bundle", "verificationMaterial", "publicKey")
			return a
		}, verify.CodeSignerUnknown},
		"key and certificate": {func(a []any) []any {
			set(a, at(a, 1, "bundle", "verificationMaterial", "x509CertificateChain"), 0, "bundle", "verificationMaterial", "x509CertificateChain")
			return a
		}, verify.CodeAttestationMalformed},
		"format of the future": {func(a []any) []any {
			set(a, "application/vnd.dev.sigstore.bundle.v0.9+json", 0, "bundle", "mediaType")
			return a
		}, verify.CodeAttestationMalformed},
		"log entry of another kind": {func(a []any) []any {
			set(a, map[string]any{"kind": "hashedrekord", "version": "0.0.1"}, deep(1, append(tlog, 0, "kindVersion")...)...)
			return a
		}, verify.CodeAttestationMalformed},
		"log entry of another version": {func(a []any) []any {
			set(a, "0.0.9", deep(1, append(tlog, 0, "kindVersion", "version")...)...)
			return a
		}, verify.CodeAttestationMalformed},
		"log entry of the other":   {func(a []any) []any { set(a, at(a, deep(0, tlog...)...), deep(1, tlog...)...); return a }, verify.CodeLogInvalid},
		"and the other way around": {func(a []any) []any { set(a, at(a, deep(1, tlog...)...), deep(0, tlog...)...); return a }, verify.CodeLogInvalid},
		"log entry duplicated": {func(a []any) []any {
			e := at(a, deep(1, tlog...)...).([]any)
			set(a, append(e, e[0]), deep(1, tlog...)...)
			return a
		}, verify.CodeLogInvalid},
		"log entry of no known log": {func(a []any) []any {
			e := at(a, deep(1, tlog...)...).([]any)
			extra := map[string]any{}
			for k, v := range e[0].(map[string]any) {
				extra[k] = v
			}
			extra["logId"] = map[string]any{"keyId": base64.StdEncoding.EncodeToString(make([]byte, 32))}
			set(a, append(e, extra), deep(1, tlog...)...)
			return a
		}, verify.CodeLogInvalid},
		"log time changed":          {func(a []any) []any { set(a, "1715879000", deep(1, append(tlog, 0, "integratedTime")...)...); return a }, verify.CodeLogInvalid},
		"proof stripped, relabeled": {stripProofs, verify.CodeLogInvalid},
		"payload: version": {func(a []any) []any {
			return rebase(a, 0, func(p string) string { return strings.Replace(p, "2.3.1", "2.3.2", 1) })
		}, verify.CodeLogInvalid},
		"payload: second subject": {func(a []any) []any {
			return rebase(a, 1, func(p string) string {
				return strings.Replace(p, `"subject":[`, `"subject":[{"name":"x","digest":{"sha256":"00"}},`, 1)
			})
		}, verify.CodeLogInvalid},
		"payload type": {func(a []any) []any { set(a, "application/json", 1, "bundle", "dsseEnvelope", "payloadType"); return a }, verify.CodeAttestationMalformed},
		"second signature": {func(a []any) []any {
			s := at(a, 1, "bundle", "dsseEnvelope", "signatures").([]any)
			set(a, append(s, s[0]), 1, "bundle", "dsseEnvelope", "signatures")
			return a
		}, verify.CodeAttestationMalformed},
		"another key's name": {func(a []any) []any {
			set(a, "SHA256:DhQ8wR5APBvFHLF/+Tc+AYvPOdTpcIDqOhxsBHRwC7U", 0, "bundle", "verificationMaterial", "publicKey", "hint")
			return a
		}, verify.CodeLogInvalid},
		"unknown key": {func(a []any) []any {
			set(a, "SHA256:unknown", 0, "bundle", "verificationMaterial", "publicKey", "hint")
			return a
		}, verify.CodeSignerUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			bad := edit(t, good, c.change)
			origin, err := npm.CheckAttestations(context.Background(), checker(t), pkg, bad)
			var r *verify.Refusal
			if !errors.As(err, &r) || origin != nil {
				t.Fatalf("expected a refusal, found %+v, %v", origin, err)
			}
			if r.Code != c.code {
				t.Errorf("expected %s, found %v", c.code, err)
			}
			if r.Expected == "" || r.Found == "" || r.WhatToDo() == "" {
				t.Errorf("expected, found and remedy are not all there: %+v", r)
			}
		})
	}
	small := func(a []any) any { // a log entry without its body
		e := maps.Clone(at(a, deep(1, append(tlog, 0)...)...).(map[string]any))
		delete(e, "canonicalizedBody")
		return e
	}
	entries := func(entry func(a []any) any, n int) []byte {
		return edit(t, good, func(a []any) []any { set(a, repeat(entry(a), n), deep(1, tlog...)...); return a })
	}
	whole := func(a []any) any { return at(a, deep(1, append(tlog, 0)...)...) }
	for name, c := range map[string]struct {
		bad  []byte
		code verify.Code
	}{
		"not JSON":              {[]byte("nothing"), verify.CodeAnswerMalformed},
		"null":                  {[]byte("null"), verify.CodeAnswerMalformed},
		"cut":                   {good[:len(good)-10], verify.CodeAnswerMalformed},
		"trailing data":         {append(bytes.Clone(good), "{}"...), verify.CodeAnswerMalformed},
		"another spelling":      {bytes.Replace(good, []byte(`"attestations"`), []byte(`"Attestations":[],"attestations"`), 1), verify.CodeAnswerMalformed},
		"repeated key":          {bytes.Replace(good, []byte(`"attestations"`), []byte(`"attestations":[],"attestations"`), 1), verify.CodeAnswerMalformed},
		"repeated in a bundle":  {bytes.Replace(good, []byte(`"dsseEnvelope":`), []byte(`"dsseEnvelope":{},"dsseEnvelope":`), 1), verify.CodeAnswerMalformed},
		"snake_case payload":    {bytes.Replace(good, []byte(`"dsseEnvelope"`), []byte(`"dsse_envelope"`), 1), verify.CodeAttestationMalformed},
		"too big":               {append(bytes.Clone(good), bytes.Repeat([]byte(" "), npm.MaxAnswer)...), verify.CodeAnswerMalformed},
		"nested 10,000 deep":    {[]byte(`{"attestations":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + "}"), verify.CodeAnswerMalformed},
		"seventeen of them":     {edit(t, good, func(a []any) []any { return append(bytes17(a[0]), a...) }), verify.CodeAnswerMalformed},
		"5,000 log entries":     {entries(whole, 5000), verify.CodeAnswerMalformed}, // longer than any answer may be
		"as many as fit":        {entries(whole, 1000), verify.CodeAttestationMalformed},
		"5,000 without a body":  {entries(small, 5000), verify.CodeAttestationMalformed},
		"5,000 that are empty":  {entries(func([]any) any { return map[string]any{} }, 5000), verify.CodeAttestationMalformed},
		"33 log entries":        {entries(whole, 33), verify.CodeAttestationMalformed},
		"attestations missing":  {[]byte(`{}`), verify.CodeAnswerMalformed},
		"log entries exchanged": {edit(t, good, func(a []any) []any { return exchange(a, tlog) }), verify.CodeLogInvalid},
		"bundles exchanged":     {edit(t, good, func(a []any) []any { return exchange(a, []any{"bundle"}) }), verify.CodePredicateTypeDiffer},
	} {
		origin, err := npm.CheckAttestations(context.Background(), checker(t), pkg, c.bad)
		var r *verify.Refusal
		if !errors.As(err, &r) || origin != nil || r.Code != c.code {
			t.Errorf("%s (%d bytes): expected %s, found %+v, %v", name, len(c.bad), c.code, origin, err)
		}
	}
}

// exchange gives each of two attestations what the other has.
func exchange(a []any, path []any) []any {
	first, second := append([]any{0}, path...), append([]any{1}, path...)
	one, other := at(a, first...), at(a, second...)
	set(a, other, first...)
	set(a, one, second...)
	return a
}

func bytes17(v any) []any { return repeat(v, 17) }

func repeat(v any, n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = v
	}
	return all
}

// stripProofs takes the inclusion proofs out and calls the bundles 0.1, a format
// that needs none: fine in 2023, not for a signature of 2024.
func stripProofs(a []any) []any {
	for i := range a {
		set(a, "application/vnd.dev.sigstore.bundle+json;version=0.1", i, "bundle", "mediaType")
		delete(at(a, i, "bundle", "verificationMaterial", "tlogEntries", 0).(map[string]any), "inclusionProof")
	}
	return a
}

// TestBoundToPackage: the same good answer under another name, version or digest.
func TestBoundToPackage(t *testing.T) {
	for _, file := range []string{goodV1, goodNew} {
		pkg, answer := vectorNamed(t, file)
		otherPkg, _ := vectorNamed(t, other)
		for name, p := range map[string]npm.Package{
			"another version":    {Name: pkg.Name, Version: "9.9.9", Integrity: pkg.Integrity},
			"another name":       {Name: "x" + strings.TrimPrefix(pkg.Name, "@"), Version: pkg.Version, Integrity: pkg.Integrity},
			"another digest":     {Name: pkg.Name, Version: pkg.Version, Integrity: otherPkg.Integrity},
			"capital name":       {Name: strings.ToUpper(pkg.Name), Version: pkg.Version, Integrity: pkg.Integrity},
			"no integrity":       {Name: pkg.Name, Version: pkg.Version},
			"sha1":               {Name: pkg.Name, Version: pkg.Version, Integrity: "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
			"two sha512":         {Name: pkg.Name, Version: pkg.Version, Integrity: pkg.Integrity + " " + otherPkg.Integrity},
			"non-canonical name": {Name: strings.Replace(pkg.Name, "/", "%2F", 1) + "/", Version: pkg.Version, Integrity: pkg.Integrity},
		} {
			if origin, err := npm.CheckAttestations(context.Background(), checker(t), p, answer); err == nil {
				t.Errorf("%s, %s: accepted: %+v", file, name, origin)
			}
		}
	}
}

// TestAnswerOfNoBytes: an answer by hand is about bytes, or it is denied.
func TestAnswerOfNoBytes(t *testing.T) {
	pkg, answer := vectorNamed(t, goodV1)
	inspector := &npm.Inspector{Checker: checker(t), Now: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}
	for integrity, want := range map[string]npm.Outcome{pkg.Integrity: npm.Held, pkg.Integrity + "?x sha1-y": npm.Held, "": npm.Denied, " ": npm.Denied,
		"sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=": npm.Denied, strings.ToUpper(pkg.Integrity): npm.Denied, strings.TrimRight(pkg.Integrity, "="): npm.Denied} {
		pkg.Integrity = integrity
		report, err := inspector.Answer(context.Background(), pkg, answer)
		if err != nil {
			t.Fatal(err)
		}
		if r := report.Packages[0]; r.Outcome != want || (want == npm.Denied && r.Reason == nil) {
			t.Errorf("%q: expected %v, found %v: %+v", integrity, want, r.Outcome, r.Findings)
		}
	}
}

// TestEveryField flips one bit in the middle of each base64 field of an answer.
func TestEveryField(t *testing.T) {
	for _, file := range []string{goodV1, goodNew} {
		pkg, good := vectorNamed(t, file)
		var paths [][]any
		edit(t, good, func(a []any) []any { paths = base64Paths(a, nil); return a })
		if len(paths) < 20 {
			t.Fatalf("expected many fields, found %d", len(paths))
		}
		for _, path := range paths {
			bad := edit(t, good, func(a []any) []any {
				raw, _ := base64.StdEncoding.DecodeString(at(a, path...).(string))
				raw[len(raw)/2] ^= 1
				set(a, base64.StdEncoding.EncodeToString(raw), path...)
				return a
			})
			if origin, err := npm.CheckAttestations(context.Background(), checker(t), pkg, bad); err == nil {
				t.Errorf("%s, %v: accepted: %+v", file, path, origin)
			}
		}
	}
}

// base64Paths lists the members that are base64, but for keyid, which proves
// nothing and is not looked at, and the root certificates that old bundles
// carry.
func base64Paths(v any, path []any) (paths [][]any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			paths = append(paths, base64Paths(x, append(path[:len(path):len(path)], k))...)
		}
	case []any:
		for i, x := range v {
			paths = append(paths, base64Paths(x, append(path[:len(path):len(path)], i))...)
		}
	case string:
		raw, err := base64.StdEncoding.DecodeString(v)
		chain := len(path) > 3 && path[len(path)-3] == "certificates" && path[len(path)-2] != 0
		if err == nil && len(raw) >= 16 && path[len(path)-1] != "keyid" && !chain {
			paths = append(paths, path)
		}
	}
	return paths
}

func TestAnswerFiles(t *testing.T) {
	pkg, good := vectorNamed(t, goodNew)
	if name := npm.FileName(npm.Package{Name: "@Scope/JSONStream", Version: "1.0.0-RC.1"}); name != "@!scope%2f!j!s!o!n!stream@1.0.0-!r!c.1.json" {
		t.Errorf("found file name %s", name)
	}
	text, err := json.Marshal(string(good))
	if err != nil {
		t.Fatal(err)
	}
	project := &lockfile.Project{Packages: []lockfile.Package{{}, {
		Place: "node_modules/" + pkg.Name, Name: pkg.Name, Version: pkg.Version, Integrity: pkg.Integrity, Source: lockfile.SourceRegistry,
	}}}
	schema := `"schema":"` + npm.AnswersSchema + `"`
	for name, c := range map[string]struct {
		file    string
		outcome npm.Outcome
		code    verify.Code
	}{
		"good":                 {`{` + schema + `,"asked":{},"answers":{"attestations":{"status":200,"body":` + string(good) + `}}}`, npm.Held, ""},
		"good, as text":        {`{` + schema + `,"asked":"x","answers":{"attestations":{"status":200,"body":` + string(text) + `}}}`, npm.Held, ""},
		"none":                 {`{` + schema + `,"answers":{"attestations":{"status":404}}}`, npm.Warned, verify.CodeNoAttestations},
		"announced, but none":  {`{` + schema + `,"answers":{"metadata":{"status":200,"body":{"dist":{"attestations":{"url":"x"}}}},"attestations":{"status":404}}}`, npm.Denied, verify.CodeAttestationsWithheld},
		"never asked":          {`{` + schema + `,"answers":{"metadata":{"status":200,"body":{}}}}`, npm.Undecided, verify.CodeNoAnswer},
		"metadata cut":         {`{` + schema + `,"answers":{"metadata":{"status":200,"body":"{\"dist\":{\"attestations\":{"},"attestations":{"status":404}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"metadata repeats":     {`{` + schema + `,"answers":{"metadata":{"status":200,"body":"{\"dist\":{\"attestations\":{}},\"dist\":{}}"},"attestations":{"status":404}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"metadata odd":         {`{` + schema + `,"answers":{"metadata":{"status":200,"body":{"dist":{"attestations":["x"]}}},"attestations":{"status":404}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"metadata null":        {`{` + schema + `,"answers":{"metadata":{"status":200,"body":null},"attestations":{"status":404}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"metadata null, text":  {`{` + schema + `,"answers":{"metadata":{"status":200,"body":"null"},"attestations":{"status":404}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"metadata not there":   {`{` + schema + `,"answers":{"metadata":{"status":200},"attestations":{"status":404}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"metadata plain":       {`{` + schema + `,"answers":{"metadata":{"status":200,"body":{"dist":{}}},"attestations":{"status":404}}}`, npm.Warned, verify.CodeNoAttestations},
		"any schema":           {`{"schema":"garbage","answers":{"attestations":{"status":404}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"service failed":       {`{` + schema + `,"answers":{"attestations":{"status":503}}}`, npm.Undecided, verify.CodeNoAnswer},
		"no status":            {`{` + schema + `,"answers":{"attestations":{}}}`, npm.Undecided, verify.CodeNoAnswer},
		"200 without a body":   {`{` + schema + `,"answers":{"attestations":{"status":200}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"200 with null":        {`{` + schema + `,"answers":{"attestations":{"status":200,"body":null}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"about another":        {`{` + schema + `,"asked":{"name":"other","version":"1.0.0"},"answers":{"attestations":{"status":404}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"another schema":       {`{"schema":"https://plimsoll.example/schema/npm-answers/v2","answers":{"attestations":{"status":404}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"no schema":            {`{"answers":{"attestations":{"status":404}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"cut":                  {`{` + schema, npm.Denied, verify.CodeAnswerMalformed},
		"repeated key":         {`{` + schema + `,"answers":{"attestations":{"status":404,"status":200}}}`, npm.Denied, verify.CodeAnswerMalformed},
		"empty":                {``, npm.Denied, verify.CodeAnswerMalformed},
		"the bare answer only": {string(good), npm.Denied, verify.CodeAnswerMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{npm.FileName(pkg): {Data: []byte(c.file)}}
			results, err := checkProject(checker(t), project, files)
			if err != nil || len(results) != 1 {
				t.Fatalf("%v, %v", results, err)
			}
			r := results[0]
			if r.Outcome != c.outcome || (r.Reason == nil) != (c.code == "") || (r.Reason != nil && r.Reason.Code != c.code) {
				t.Errorf("expected %v %s, found %v %v", c.outcome, c.code, r.Outcome, r.Reason)
			}
		})
	}
	results, err := checkProject(checker(t), project, fstest.MapFS{})
	if err != nil || results[0].Outcome != npm.Undecided {
		t.Errorf("no file: %v, %v", results, err)
	}
	results, err = checkProject(checker(t), project, fstest.MapFS{npm.FileName(pkg) + "/x": {}})
	if err != nil || results[0].Outcome != npm.Undecided {
		t.Errorf("a folder in place of the file: %v, %v", results, err)
	}
}

// checkProject checks a project by saved answers.
func checkProject(c verify.Checker, project *lockfile.Project, files fs.FS) ([]npm.Result, error) {
	inspector := &npm.Inspector{Checker: c, Evidence: npm.Answers{Files: files}, Now: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}
	report, err := inspector.Project(context.Background(), project)
	if err != nil {
		return nil, err
	}
	return report.Packages, nil
}

// TestLockfileCannotHide: what a lockfile's author writes beside a package does
// not take it out of the check.
func TestLockfileCannotHide(t *testing.T) {
	pkg, _ := vectorNamed(t, goodV1)
	entry := `"node_modules/sigstore":{"version":"2.3.1","resolved":"https://registry.example/sigstore/-/sigstore-2.3.1.tgz","integrity":"` + pkg.Integrity + `"}`
	for name, c := range map[string]struct {
		packages string
		place    string
		outcome  npm.Outcome
		code     verify.Code
	}{
		"said to be bundled, in nothing":       {`"":{},"node_modules/evil":{"version":"1.0.0","inBundle":true}`, "node_modules/evil", npm.Denied, verify.CodeIntegrityMissing},
		"said to be bundled, in no bundler":    {`"":{},"node_modules/a":{"version":"1.0.0"},"node_modules/a/node_modules/evil":{"version":"1.0.0","inBundle":true}`, "node_modules/a/node_modules/evil", npm.Denied, verify.CodeIntegrityMissing},
		"bundled by the project":               {`"":{"bundleDependencies":["evil"]},"node_modules/evil":{"version":"1.0.0","inBundle":true}`, "node_modules/evil", npm.Denied, verify.CodeIntegrityMissing},
		"really bundled":                       {`"":{},"node_modules/a":{"version":"1.0.0","bundleDependencies":["b"]},"node_modules/a/node_modules/b":{"version":"1.0.0","inBundle":true}`, "node_modules/a/node_modules/b", npm.NotChecked, verify.CodeNotFromRegistry},
		"said to be bundled, and not named":    {`"":{},"node_modules/a":{"version":"1.0.0","bundleDependencies":["b"]},"node_modules/a/node_modules/evil":{"version":"1.0.0","inBundle":true}`, "node_modules/a/node_modules/evil", npm.Denied, verify.CodeIntegrityMissing},
		"bundled, and required by no such":     {`"":{},"node_modules/a":{"version":"1.0.0","bundleDependencies":["b"],"dependencies":{"evil":"1"}},"node_modules/a/node_modules/b":{"version":"1.0.0","inBundle":true},"node_modules/a/node_modules/evil":{"version":"1.0.0","inBundle":true}`, "node_modules/a/node_modules/evil", npm.Denied, verify.CodeIntegrityMissing},
		"required by a bundled one":            {`"":{},"node_modules/a":{"version":"1.0.0","bundleDependencies":["b"]},"node_modules/a/node_modules/b":{"version":"1.0.0","inBundle":true,"dependencies":{"c":"1"}},"node_modules/a/node_modules/c":{"version":"1.0.0","inBundle":true}`, "node_modules/a/node_modules/c", npm.NotChecked, verify.CodeNotFromRegistry},
		"in a bundled one":                     {`"":{},"node_modules/a":{"version":"1.0.0","bundleDependencies":["b"]},"node_modules/a/node_modules/b":{"version":"1.0.0","inBundle":true},"node_modules/a/node_modules/b/node_modules/c":{"version":"1.0.0","inBundle":true}`, "node_modules/a/node_modules/b/node_modules/c", npm.NotChecked, verify.CodeNotFromRegistry},
		"all bundled, and no dependency":       {`"":{},"node_modules/a":{"version":"1.0.0","bundleDependencies":true,"dependencies":{"b":"1"}},"node_modules/a/node_modules/evil":{"version":"1.0.0","inBundle":true}`, "node_modules/a/node_modules/evil", npm.Denied, verify.CodeIntegrityMissing},
		"all bundled, and a dependency":        {`"":{},"node_modules/a":{"version":"1.0.0","bundleDependencies":true,"dependencies":{"b":"1"}},"node_modules/a/node_modules/b":{"version":"1.0.0","inBundle":true}`, "node_modules/a/node_modules/b", npm.NotChecked, verify.CodeNotFromRegistry},
		"wanted by address, as a peer":         {`"":{},` + entry + `,"node_modules/x":{"version":"1.0.0","peerDependencies":{"sigstore":"https://evil.example/s.tgz"}}`, "node_modules/sigstore", npm.Undecided, verify.CodeNoAnswer},
		"wanted by address, optionally":        {`"":{},` + entry + `,"node_modules/x":{"version":"1.0.0","optionalDependencies":{"sigstore":"https://evil.example/s.tgz"}}`, "node_modules/sigstore", npm.Undecided, verify.CodeNoAnswer},
		"wanted by the registry's own address": {`"":{"dependencies":{"sigstore":"https://registry.example/sigstore/-/sigstore-2.3.1.tgz"}},` + entry, "node_modules/sigstore", npm.Undecided, verify.CodeNoAnswer},
		"a folder that was fetched":            {`"":{},"lib":{"name":"sigstore","version":"2.3.1","resolved":"https://registry.example/s.tgz","integrity":"` + pkg.Integrity + `"}`, "lib", npm.Denied, verify.CodeNotFromRegistry},
	} {
		t.Run(name, func(t *testing.T) {
			project, err := lockfile.ParseLockfile("package-lock.json", []byte(`{"lockfileVersion":3,"packages":{`+c.packages+`}}`))
			if err != nil {
				t.Fatal(err)
			}
			results, err := checkProject(checker(t), project, fstest.MapFS{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if r.Places[0] == c.place && (r.Outcome != c.outcome || r.Reason.Code != c.code) {
					t.Errorf("expected %v %s, found %v %v", c.outcome, c.code, r.Outcome, r.Reason)
				}
			}
		})
	}
}

// crash is a checker with a bug.
type crash struct{}

func (crash) Check(context.Context, verify.Raw) (verify.Signature, error) { panic("made up") }

func TestCrashIsNoDecision(t *testing.T) {
	pkg, good := vectorNamed(t, goodNew)
	project := &lockfile.Project{Packages: []lockfile.Package{{}, {Name: pkg.Name, Version: pkg.Version, Integrity: pkg.Integrity, Source: lockfile.SourceRegistry}}}
	files := fstest.MapFS{npm.FileName(pkg): {Data: []byte(`{"schema":"` + npm.AnswersSchema + `","answers":{"attestations":{"status":200,"body":` + string(good) + `}}}`)}}
	if results, err := checkProject(crash{}, project, files); err == nil || results != nil {
		t.Errorf("expected an error alone, found %v, %v", results, err)
	}
	var zero npm.Outcome
	if zero != npm.Denied {
		t.Error("the zero outcome does not deny")
	}
}

func FuzzAnswer(f *testing.F) {
	pkg, good := vectorNamed(f, goodNew)
	f.Add(good)
	c := checker(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		origin, err := npm.CheckAttestations(context.Background(), c, pkg, data)
		if (err == nil) == (origin == nil) {
			t.Errorf("found %+v, %v", origin, err)
		}
	})
}
