package attest

// Predicate types that Plimsoll writes or reads by name.
const (
	TypeCycloneDX      = "https://cyclonedx.org/bom"
	TypeProvenance     = "https://slsa.dev/provenance/v1"
	TypeProvenanceV02  = "https://slsa.dev/provenance/v0.2"
	TypeNPMPublishV01  = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1"
	typeSPDX           = "https://spdx.dev/Document"
	typeVSA            = "https://slsa.dev/verification_summary/v1"
	typeLink           = "https://in-toto.io/attestation/link/v0.3"
	typeVulns          = "https://in-toto.io/attestation/vulns/v0.2"
	typeOpenVEX        = "https://openvex.dev/ns"
	typeTestResult     = "https://in-toto.io/attestation/test-result/v0.1"
	shortNameElsewhere = "other"
)

// ShortType returns the TYPE in ARTIFACT.TYPE.sigstore.json for a predicate type.
func ShortType(predicateType string) string {
	switch predicateType {
	case TypeCycloneDX, typeSPDX:
		return "sbom"
	case TypeProvenance, TypeProvenanceV02:
		return "provenance"
	case typeVSA:
		return "vsa"
	case typeLink:
		return "link"
	case typeVulns:
		return "vulns"
	case typeOpenVEX:
		return "vex"
	case typeTestResult:
		return "test"
	}
	return shortNameElsewhere
}
