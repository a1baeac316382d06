package sbom_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"plimsoll.example/sbom"
)

// good is a document that holds to every profile.
const good = `{"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", "version": 1,
"metadata": {"timestamp": "2026-01-02T03:04:05Z", "lifecycles": [{"phase": "build"}],
 "tools": {"components": [{"type": "application", "name": "tool", "version": "1"}]},
 "authors": [{"name": "A Team", "email": "a@acme.example"}], "manufacturer": {"name": "Acme", "url": ["https://acme.example"]},
 "component": {"bom-ref": "app", "type": "application", "name": "app", "version": "1.0.0", "purl": "pkg:generic/app@1.0.0", MEMBERS}},
"components": [{"bom-ref": "lib", "type": "library", "name": "lib", "version": "2.0.0", "purl": "pkg:npm/lib@2.0.0", MEMBERS}],
"dependencies": [{"ref": "app", "dependsOn": ["lib"]}, {"ref": "lib"}],
"compositions": [{"aggregate": "complete", "dependencies": ["app", "lib"]}]}`

// members are what both components of good have besides.
const members = `"manufacturer": {"name": "Acme", "contact": [{"email": "a@acme.example"}]},
 "hashes": [{"alg": "SHA-512", "content": "HASH"}], "licenses": [{"expression": "MIT", "acknowledgement": "concluded"}],
 "externalReferences": [{"type": "distribution", "url": "https://acme.example/x.tgz", "hashes": [{"alg": "SHA-512", "content": "HASH"}]}],
 "properties": [{"name": "bsi:component:filename", "value": "x.tgz"}, {"name": "bsi:component:executable", "value": "non-executable"},
  {"name": "bsi:component:archive", "value": "archive"}, {"name": "bsi:component:structured", "value": "structured"}]`

func goodDocument() string {
	return strings.ReplaceAll(strings.ReplaceAll(good, "MEMBERS", members), "HASH", strings.Repeat("ab", 64))
}

// TestCheckClauses: each change to a good document is found, by the clause that is
// about it, in every profile that has one.
func TestCheckClauses(t *testing.T) {
	for _, profile := range sbom.Profiles() {
		a, err := sbom.Check(strings.NewReader(goodDocument()), profile)
		if err != nil || a.Failed || a.Score != 10 {
			t.Fatalf("%s: %v, %+v", profile, err, a)
		}
	}
	for _, c := range []struct {
		name, old, new string
		elements       map[string]string // profile -> element that must fail
	}{
		{"no name", `"name": "lib", `, ``, map[string]string{"cisa-2026": "name", "bsi-2.1": "component name", "ntia-2021": "name", "plimsoll": "name"}},
		{"a blank name", `"name": "lib"`, `"name": " "`, map[string]string{"cisa-2026": "name", "bsi-2.1": "component name", "ntia-2021": "name", "plimsoll": "name"}},
		{"a blank version", `"version": "2.0.0"`, `"version": " "`, map[string]string{"cisa-2026": "version", "bsi-2.1": "component version"}},
		{"blank producers", `"name": "Acme", "contact": [{"email": "a@acme.example"}]`, `"name": " ", "contact": [{"email": " "}]`, map[string]string{"cisa-2026": "producer", "bsi-2.1": "component creator, e-mail or URL", "ntia-2021": "supplier"}},
		{"itself", `{"ref": "lib"}`, `{"ref": "lib", "dependsOn": ["lib"]}`, map[string]string{"plimsoll": "references lead somewhere, once"}},
		{"complete and unknown", `[{"aggregate": "complete"`, `[{"aggregate": "unknown", "dependencies": ["lib"]}, {"aggregate": "complete"`, map[string]string{"plimsoll": "references lead somewhere, once", "bsi-2.1": "references lead somewhere, once"}},
		{"nothing described", `"component": {"bom-ref": "app"`, `"x": {"bom-ref": "app"`, map[string]string{"cisa-2026": "what the document describes", "bsi-2.1": "what the document describes", "ntia-2021": "what the document describes", "plimsoll": "what the document describes"}},
		{"no version", `"version": "2.0.0", `, ``, map[string]string{"cisa-2026": "version", "bsi-2.1": "component version", "ntia-2021": "version", "plimsoll": "version"}},
		{"no purl", `"purl": "pkg:npm/lib@2.0.0", `, ``, map[string]string{"cisa-2026": "identifier", "ntia-2021": "identifier", "plimsoll": "identifier"}},
		{"a purl that is none", `pkg:npm/lib@2.0.0`, `npm/lib@2.0.0`, map[string]string{"cisa-2026": "package URLs are well-formed", "bsi-2.1": "package URLs are well-formed", "ntia-2021": "package URLs are well-formed", "plimsoll": "package URLs are well-formed"}},
		{"no leaf", `, {"ref": "lib"}`, ``, map[string]string{"cisa-2026": "dependencies", "bsi-2.1": "dependencies", "ntia-2021": "dependencies", "plimsoll": "dependencies"}},
		{"a dangling edge", `"dependsOn": ["lib"]`, `"dependsOn": ["lib", "gone"]`, map[string]string{"cisa-2026": "references lead somewhere, once", "plimsoll": "references lead somewhere, once"}},
		{"an edge twice", `"dependsOn": ["lib"]`, `"dependsOn": ["lib", "lib"]`, map[string]string{"plimsoll": "references lead somewhere, once"}},
		{"a composition of nothing", `"dependencies": ["app", "lib"]`, `"dependencies": ["app", "lib", "gone"]`, map[string]string{"plimsoll": "references lead somewhere, once"}},
		{"a bom-ref twice", `"bom-ref": "lib"`, `"bom-ref": "app"`, map[string]string{"cisa-2026": "each bom-ref once", "plimsoll": "each bom-ref once"}},
		{"an entry twice", `{"ref": "lib"}`, `{"ref": "lib"}, {"ref": "lib"}`, map[string]string{"plimsoll": "each bom-ref once"}},
		{"no composition", `"dependencies": ["app", "lib"]`, `"dependencies": ["app"]`, map[string]string{"bsi-2.1": "completeness of dependencies", "plimsoll": "completeness"}},
		{"no timestamp", `"timestamp": "2026-01-02T03:04:05Z", `, ``, map[string]string{"cisa-2026": "timestamp", "bsi-2.1": "timestamp", "ntia-2021": "timestamp"}},
		{"a date for a timestamp", `2026-01-02T03:04:05Z`, `2026-01-02`, map[string]string{"cisa-2026": "timestamp", "bsi-2.1": "timestamp", "ntia-2021": "timestamp"}},
		{"no lifecycle", `[{"phase": "build"}]`, `[]`, map[string]string{"cisa-2026": "lifecycle phase", "plimsoll": "lifecycle phase"}},
		{"no tool", `{"components": [{"type": "application", "name": "tool", "version": "1"}]}`, `{}`, map[string]string{"cisa-2026": "tool", "plimsoll": "tool with version"}},
		{"a tool without version", `"name": "tool", "version": "1"`, `"name": "tool"`, map[string]string{"cisa-2026": "tool version", "plimsoll": "tool with version"}},
		{"no serial number", `urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79`, `urn:uuid:x`, map[string]string{"cisa-2026": "version and serial number", "plimsoll": "version and serial number"}},
		{"nobody reachable", `"url": ["https://acme.example"]`, `"url": []`, map[string]string{}},
		{"an MD5", `"alg": "SHA-512", "content": "` + strings.Repeat("ab", 64) + `"}], "licenses"`, `"alg": "MD5", "content": "` + strings.Repeat("ab", 16) + `"}], "licenses"`, map[string]string{"cisa-2026": "hash with its algorithm", "plimsoll": "hash"}},
		{"a hash too short", strings.Repeat("ab", 64), "abab", map[string]string{"cisa-2026": "hash with its algorithm", "bsi-2.1": "SHA-512 of the deployable component", "plimsoll": "hash"}},
		{"a licence of its own name", `"expression": "MIT"`, `"expression": "CUSTOM"`, map[string]string{"cisa-2026": "SPDX licence", "bsi-2.1": "distribution licences, concluded", "plimsoll": "SPDX licence"}},
		{"a licence that is only named", `{"expression": "MIT", "acknowledgement": "concluded"}`, `{"license": {"name": "MIT"}}`, map[string]string{"cisa-2026": "SPDX licence", "plimsoll": "SPDX licence"}},
		{"declared is not concluded", `"concluded"`, `"declared"`, map[string]string{"bsi-2.1": "distribution licences, concluded"}},
		{"other values of a property", `"value": "no archive"`, `"value": "false"`, map[string]string{}},
		{"true for archive", `"value": "archive"`, `"value": "true"`, map[string]string{"bsi-2.1": "archive property"}},
		{"an old version", `"specVersion": "1.6"`, `"specVersion": "1.5"`, map[string]string{"bsi-2.1": "CycloneDX 1.6 or higher"}},
		{"a version to come", `"specVersion": "1.6"`, `"specVersion": "9.9"`, map[string]string{"cisa-2026": "format version", "bsi-2.1": "CycloneDX 1.6 or higher", "ntia-2021": "format", "plimsoll": "format version"}},
		{"vulnerabilities", `"version": 1,`, `"version": 1, "vulnerabilities": [{"id": "CVE-1"}],`, map[string]string{"bsi-2.1": "no vulnerabilities in the SBOM", "plimsoll": "no vulnerabilities in the SBOM"}},
		{"a component deep inside", `"name": "lib", `, `"name": "lib", "components": [{"type": "library", "name": "inner"}], `, map[string]string{"cisa-2026": "version", "ntia-2021": "version", "plimsoll": "version"}},
		{"no component", goodDocument()[strings.Index(goodDocument(), `"component":`):], `"x": 1}, "components": []}`, map[string]string{"cisa-2026": "name", "bsi-2.1": "component name", "ntia-2021": "name", "plimsoll": "name"}},
	} {
		text := goodDocument()
		changed := strings.Replace(text, c.old, c.new, 1)
		if c.name == "a hash too short" {
			changed = strings.ReplaceAll(text, c.old, c.new)
		}
		if changed == text && len(c.elements) > 0 {
			t.Fatalf("%s: nothing was changed", c.name)
		}
		for profile, element := range c.elements {
			t.Run(c.name+"/"+profile, func(t *testing.T) {
				a, err := sbom.Check(strings.NewReader(changed), profile)
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(a.Findings, func(f sbom.Finding) bool { return f.Element == element })
				if i < 0 {
					t.Fatalf("no clause %q", element)
				}
				if f := a.Findings[i]; f.Status != sbom.Fail || len(f.Where) == 0 || !a.Failed || a.Score >= 10 {
					t.Errorf("found %+v, score %v, failed %v", f, a.Score, a.Failed)
				}
			})
		}
	}
}

// TestCheckStated: what is said to be unknown or withheld is not missing, in the
// words of others too; BSI wants it all the same.
func TestCheckStated(t *testing.T) {
	for name, change := range map[string][2]string{
		"unknown":          {},
		"withheld":         {"unknown:hash", "withheld:hash"},
		"CycloneDX's word": {`"plimsoll:unknown:hash", "value": "x"`, `"cdx:cisa:unknown-information", "value": "Component Hash Value"`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(goodDocument(), `"hashes": [{"alg": "SHA-512", "content": "`+strings.Repeat("ab", 64)+`"}], "licenses"`, `"licenses"`, 1)
			text = strings.Replace(text, `"properties": [`, `"properties": [{"name": "plimsoll:unknown:hash", "value": "x"}, `, 1)
			text = strings.Replace(text, change[0], change[1], 1)
			want := sbom.Unknown
			if name == "withheld" {
				want = sbom.Withheld
			}
			a, err := sbom.Check(strings.NewReader(text), "cisa-2026")
			if err != nil || a.Failed {
				t.Fatalf("%v, %+v", err, a)
			}
			if i := slices.IndexFunc(a.Findings, func(f sbom.Finding) bool { return f.Element == "hash with its algorithm" }); a.Findings[i].Status != want {
				t.Errorf("found %+v", a.Findings[i])
			}
		})
	}
	unknown := strings.Replace(goodDocument(), `"version": "2.0.0"`, `"version": "unknown"`, 1)
	if a, err := sbom.Check(strings.NewReader(unknown), "cisa-2026"); err != nil || a.Failed {
		t.Errorf("%v, %+v", err, a)
	}
	if a, err := sbom.Check(strings.NewReader(unknown), "bsi-2.1"); err != nil || !a.Failed {
		t.Errorf("%v, %+v", err, a)
	}
}

// TestCheckMalformed: what cannot be read is an error, and which kind it is can be
// told.
func TestCheckMalformed(t *testing.T) {
	text := goodDocument()
	for name, doc := range map[string]string{
		"empty": "", "no JSON": "<bom/>", "an array": "[]", "SPDX": `{"spdxVersion": "SPDX-2.3"}`,
		"a member twice":    strings.Replace(text, `"version": 1,`, `"version": 1, "version": 2,`, 1),
		"a name twice":      strings.Replace(text, `"name": "lib"`, `"name": "lib", "name": "other"`, 1),
		"components no":     strings.Replace(text, `"components": [{"bom-ref"`, `"components": {"a": [{"bom-ref"`, 1),
		"a name no text":    strings.Replace(text, `"name": "lib"`, `"name": 7`, 1),
		"something behind":  text + "{}",
		"bad UTF-8":         strings.Replace(text, `"lib"`, "\"\xff\"", 1),
		"nested too deep":   strings.Replace(text, `"name": "lib"`, `"name": "lib", "components": [`+strings.Repeat(`{"components": [`, 200)+strings.Repeat(`]}`, 200)+`]`, 1),
		"JSON 20,000 deep":  strings.Replace(text, `"version": 1,`, `"version": 1, "x": `+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)+`,`, 1),
		"a null component":  strings.Replace(text, `"components": [`, `"components": [7, `, 1),
		"no bomFormat":      strings.Replace(text, `"bomFormat": "CycloneDX", `, ``, 1),
		"another bomFormat": strings.Replace(text, `"bomFormat": "CycloneDX"`, `"bomFormat": "cyclonedx"`, 1),
	} {
		if a, err := sbom.Check(strings.NewReader(doc), "plimsoll"); !errors.Is(err, sbom.ErrMalformed) {
			t.Errorf("%s: expected ErrMalformed, found %+v, %v", name, a, err)
		}
	}
	for n := range len(text) {
		if _, err := sbom.Check(strings.NewReader(text[:n]), "plimsoll"); !errors.Is(err, sbom.ErrMalformed) {
			t.Fatalf("cut off after %d bytes: %v", n, err)
		}
	}
	broken := errors.New("the disk is gone")
	if _, err := sbom.Check(io.MultiReader(strings.NewReader(text[:100]), iotest.ErrReader(broken)), "plimsoll"); !errors.Is(err, broken) || errors.Is(err, sbom.ErrMalformed) {
		t.Errorf("expected the reader's error, found %v", err)
	}
	if _, err := sbom.Check(strings.NewReader(text), "nist"); err == nil {
		t.Error("an unknown profile was accepted")
	}
}

// TestCheckByteOrderMark: some tools write one.
func TestCheckByteOrderMark(t *testing.T) {
	if a, err := sbom.Check(strings.NewReader("\ufeff"+goodDocument()), "cisa-2026"); err != nil || a.Failed {
		t.Errorf("%v, %+v", err, a)
	}
}

// TestCheckOldTools: CycloneDX 1.4 lists tools without components.
func TestCheckOldTools(t *testing.T) {
	text := strings.Replace(goodDocument(), `{"components": [{"type": "application", "name": "tool", "version": "1"}]}`, `[{"vendor": "x", "name": "tool", "version": "1"}]`, 1)
	if a, err := sbom.Check(strings.NewReader(text), "cisa-2026"); err != nil || a.Failed {
		t.Errorf("%v, %+v", err, a)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(goodDocument()))
	f.Add([]byte(`{"bomFormat": "CycloneDX", "components": [{"licenses": [{"license": null}]}], "services": [{"bom-ref": "a"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, profile := range sbom.Profiles() {
			a, err := sbom.Check(bytes.NewReader(data), profile)
			if err == nil && (a.Score < 0 || a.Score > 10 || (a.Components == 0 && !a.Failed)) {
				t.Errorf("score %v, %d components, failed %v", a.Score, a.Components, a.Failed)
			}
		}
	})
}

// BenchmarkCheck checks a document of 30 MB.
func BenchmarkCheck(b *testing.B) {
	var doc strings.Builder
	one := strings.ReplaceAll(members, "HASH", strings.Repeat("ab", 64))
	doc.WriteString(`{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [`)
	n := 0
	for ; doc.Len() < 25<<20; n++ {
		fmt.Fprintf(&doc, `{"bom-ref": "pkg:npm/p%d@1.0.0", "type": "library", "name": "p%d", "version": "1.0.0", "purl": "pkg:npm/p%d@1.0.0", %s},`, n, n, n, one)
	}
	doc.WriteString(`{"type": "library", "name": "last"}], "dependencies": [`)
	for i := range n {
		fmt.Fprintf(&doc, `{"ref": "pkg:npm/p%d@1.0.0", "dependsOn": ["pkg:npm/p%d@1.0.0"]},`, i, (i+1)%n)
	}
	doc.WriteString(`{"ref": "pkg:npm/p0@1.0.0"}]}`)
	text := doc.String()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sbom.Check(strings.NewReader(text), "bsi-2.1"); err != nil {
			b.Fatal(err)
		}
	}
}
