package attest_test

import (
	"strings"
	"testing"

	"plimsoll.example/attest"
)

// TestSBOMContradicts: an SBOM that gives digests of what it is about is about nothing
// else, in whatever format and with whatever algorithm it says so.
func TestSBOMContradicts(t *testing.T) {
	mine, other := strings.Repeat("a", 64), strings.Repeat("b", 64)
	long, otherLong := strings.Repeat("a", 128), strings.Repeat("b", 128)
	cyclonedx := func(hashes string) string {
		return `{"bomFormat":"CycloneDX","specVersion":"1.7","metadata":{"component":{"hashes":[` + hashes + `]}}}`
	}
	hash := func(algorithm, value string) string { return `{"alg":"` + algorithm + `","content":"` + value + `"}` }
	spdx := func(value string) string {
		return `{"spdxVersion":"SPDX-2.3","documentDescribes":["SPDXRef-a"],"packages":[{"SPDXID":"SPDXRef-a","checksums":[{"algorithm":"SHA256","checksumValue":"` + value + `"}]},
			{"SPDXID":"SPDXRef-b","checksums":[{"algorithm":"SHA256","checksumValue":"` + other + `"}]}]}`
	}
	spdx3 := func(value string) string {
		return `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[{"type":"SpdxDocument","spdxId":"d","rootElement":["s"]},{"type":"software_Sbom","spdxId":"s","rootElement":["p"]},
			{"type":"software_Package","spdxId":"p","verifiedUsing":[{"type":"Hash","algorithm":"sha256","hashValue":"` + value + `"}]},
			{"type":"software_Package","spdxId":"q","verifiedUsing":[{"type":"Hash","algorithm":"sha256","hashValue":"` + other + `"}]}]}`
	}
	file := []attest.Subject{{Name: "a", Digest: attest.DigestSet{"sha256": mine, "sha512": long}}}
	folder := append([]attest.Subject{{Name: "b", Digest: attest.DigestSet{"sha256": strings.Repeat("c", 64), "sha512": strings.Repeat("c", 128)}}}, file...)
	bySHA512 := []attest.Subject{{Digest: attest.DigestSet{"sha512": long}}}
	commit := []attest.Subject{{Digest: attest.DigestSet{"gitCommit": strings.Repeat("a", 40)}}}
	for _, c := range []struct {
		name     string
		document string
		subjects []attest.Subject
		want     bool
	}{
		{"nothing said", cyclonedx(""), file, false},
		{"of this file", cyclonedx(hash("SHA-256", mine)), file, false},
		{"in capitals", cyclonedx(hash("SHA-256", strings.ToUpper(mine))), file, false},
		{"of another file", cyclonedx(hash("SHA-256", other)), file, true},
		{"SHA-512 of another", cyclonedx(hash("SHA-512", otherLong)), file, true},
		{"two that contradict each other", cyclonedx(hash("SHA-256", mine) + "," + hash("SHA-512", otherLong)), file, true},
		{"only an algorithm that the file lacks", cyclonedx(hash("SHA-1", strings.Repeat("a", 40))), file, false},
		{"of one file of the folder", cyclonedx(hash("SHA-256", mine)), folder, false},
		{"of none of the folder", cyclonedx(hash("SHA-256", other)), folder, true},
		{"a SHA-512 alone", cyclonedx(hash("SHA-256", other) + "," + hash("SHA-512", long)), bySHA512, false},
		{"a SHA-512 alone, another", cyclonedx(hash("SHA-512", otherLong)), bySHA512, true},
		{"a commit", cyclonedx(hash("SHA-256", other)), commit, false},
		{"SPDX 2", spdx(mine), file, false},
		{"SPDX 2 of another", spdx(other), file, true},
		{"SPDX 3", spdx3(mine), file, false},
		{"SPDX 3 of another", spdx3(other), file, true},
	} {
		s, err := attest.ParseSBOM([]byte(c.document))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if found, contradicts := s.Contradicts(c.subjects); contradicts != c.want || contradicts != (found != nil) {
			t.Errorf("%s: expected %v, found %v, %v", c.name, c.want, contradicts, found)
		}
	}
}
