package attest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Predicate types that Plimsoll writes or reads by name.
const (
	TypeCycloneDX     = "https://cyclonedx.org/bom"
	TypeSPDX2         = "https://spdx.dev/Document"
	TypeSPDX3         = "https://spdx.dev/Document/v3"
	TypeProvenance    = "https://slsa.dev/provenance/v1"
	TypeProvenanceV02 = "https://slsa.dev/provenance/v0.2"
	TypeVSA           = "https://slsa.dev/verification_summary/v1"
	TypeLink          = "https://in-toto.io/attestation/link/v0.3"
	TypeVulns         = "https://in-toto.io/attestation/vulns/v0.2"
	TypeOpenVEX       = "https://openvex.dev/ns"
	TypeTestResult    = "https://in-toto.io/attestation/test-result/v0.1"

	TypeNPMPublishV01 = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1"
)

// A PredicateType is a kind of statement that is known by name.
type PredicateType struct {
	URI   string
	Short string // TYPE in ARTIFACT.TYPE.sigstore.json
	About string // what it says, for people
	shape shape
}

// PredicateTypes lists the kinds that are known, by short name.
func PredicateTypes() []PredicateType { return slices.Clone(predicateTypes) }

// Required lists what a predicate of this kind must have, as paths: "scanner.result[].id".
func (t PredicateType) Required() []string { return t.shape.required("") }

// ShortType returns the TYPE in ARTIFACT.TYPE.sigstore.json for a predicate type.
func ShortType(predicateType string) string {
	if i := slices.IndexFunc(predicateTypes, func(t PredicateType) bool { return t.URI == predicateType }); i >= 0 {
		return predicateTypes[i].Short
	}
	switch {
	case predicateType == TypeProvenanceV02:
		return "provenance"
	case strings.HasPrefix(predicateType, TypeSPDX2+"/"):
		return "sbom"
	}
	return "other"
}

// CheckPredicate reports what a predicate of a known kind lacks, or has in a form
// that its specification does not allow. Of kinds that are not known it checks
// nothing.
func CheckPredicate(predicateType string, predicate []byte) error {
	for _, t := range predicateTypes {
		if t.URI == predicateType {
			if err := t.shape.check(predicate, ""); err != nil {
				return fmt.Errorf("the %s predicate (%s): %w", t.Short, t.URI, err)
			}
		}
	}
	return nil
}

// predicateTypes hold what each specification calls required.
var predicateTypes = []PredicateType{
	{TypeLink, "link", "what a build step read and wrote (in-toto link v0.3)", object(
		must("name", text),
		may("command", list(text)),
		may("materials", list(object(must("name", text), must("digest", object())))),
		may("byproducts", object()), may("environment", object()),
	)},
	{TypeProvenance, "provenance", "how the artifact was built (SLSA provenance v1)", object(
		must("buildDefinition", object(
			must("buildType", uri), must("externalParameters", object()), may("internalParameters", object()),
			may("resolvedDependencies", list(object())),
		)),
		must("runDetails", object(must("builder", object(must("id", uri))), may("metadata", object(may("startedOn", timestamp), may("finishedOn", timestamp))))),
	)},
	{TypeCycloneDX, "sbom", "what the artifact is made of (CycloneDX)", object(
		must("bomFormat", oneOf("CycloneDX")), must("specVersion", text),
	)},
	{TypeSPDX2, "sbom", "what the artifact is made of (SPDX 2)", object(
		must("spdxVersion", oneOf("SPDX-2.2", "SPDX-2.3")), must("SPDXID", oneOf("SPDXRef-DOCUMENT")), must("dataLicense", text),
		must("name", text), must("documentNamespace", uri),
		must("creationInfo", object(must("created", timestamp), must("creators", some(text)))),
	)},
	{TypeSPDX3, "sbom", "what the artifact is made of (SPDX 3)", object(
		must("@context", anything), must("@graph", some(object())),
	)},
	{TypeTestResult, "test", "which tests passed (in-toto test-result v0.1)", object(
		must("result", oneOf("PASSED", "WARNED", "FAILED")), must("configuration", list(object())),
		may("passedTests", list(text)), may("warnedTests", list(text)), may("failedTests", list(text)),
	).holding(testsAgree)},
	{TypeOpenVEX, "vex", "which vulnerabilities concern the artifact (OpenVEX v0.2.0)", object(
		must("@context", uri), must("@id", uri), must("author", text), must("timestamp", timestamp), must("version", number),
		must("statements", some(object(
			must("vulnerability", object(must("name", text))), must("status", oneOf("not_affected", "affected", "fixed", "under_investigation")),
			may("justification", oneOf("component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
				"vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist")),
		).holding(vexReason))),
	).holding(vexVersion)},
	{TypeVSA, "vsa", "what a verifier decided (SLSA VSA v1)", object(
		must("verifier", object(must("id", uri))), may("timeVerified", timestamp), must("resourceUri", uri),
		must("policy", object(must("uri", uri))), must("verificationResult", oneOf("PASSED", "FAILED")), must("verifiedLevels", list(text)),
	)},
	{TypeVulns, "vulns", "what a scanner found (in-toto vulns v0.2)", object(
		must("scanner", object(
			must("uri", uri), may("db", object(must("lastUpdate", timestamp))),
			must("result", list(object(must("id", text), must("severity", list(object(must("method", text), must("score", text))))))),
		)),
		must("metadata", object(must("scanStartedOn", timestamp), must("scanFinishedOn", timestamp)).holding(scanEnds)),
	)},
}

// vexReason holds a statement to what its status asks for: one that the artifact is
// not affected to say why, one that it is to say what to do (OpenVEX v0.2.0, "Status
// Labels").
func vexReason(statement map[string]jsontext.Value) error {
	says := func(name string) bool { return text.check(statement[name], name) == nil }
	switch textOf(statement["status"]) {
	case "not_affected":
		if !says("justification") && !says("impact_statement") {
			return errors.New("not_affected needs a justification or an impact_statement")
		}
	case "affected":
		if !says("action_statement") {
			return errors.New("affected needs an action_statement")
		}
	}
	return nil
}

// vexVersion holds a document to the format's context, and to a version that counts
// (OpenVEX v0.2.0, "Document").
func vexVersion(document map[string]jsontext.Value) error {
	if context := textOf(document["@context"]); context != TypeOpenVEX && !strings.HasPrefix(context, TypeOpenVEX+"/") {
		return fmt.Errorf("@context: expected %s or a version of it, found %q", TypeOpenVEX, clip(context))
	}
	if version, err := strconv.ParseUint(string(document["version"]), 10, 63); err != nil || version == 0 {
		return fmt.Errorf("version: expected 1 or more, found %s", clip(string(document["version"])))
	}
	return nil
}

// testsAgree holds a result to the tests that it lists.
func testsAgree(predicate map[string]jsontext.Value) error {
	var failed []string
	if jsonv2.Unmarshal(predicate["failedTests"], &failed) == nil && len(failed) > 0 && textOf(predicate["result"]) != "FAILED" {
		return fmt.Errorf("result: expected FAILED, because failedTests lists %d, found %s", len(failed), textOf(predicate["result"]))
	}
	return nil
}

func scanEnds(metadata map[string]jsontext.Value) error {
	started, err := time.Parse(time.RFC3339, textOf(metadata["scanStartedOn"]))
	if err != nil {
		return err
	}
	finished, err := time.Parse(time.RFC3339, textOf(metadata["scanFinishedOn"]))
	if err == nil && finished.Before(started) {
		return errors.New("scanFinishedOn: it is before scanStartedOn")
	}
	return err
}

// textOf is a JSON text as it reads, whatever escapes it is written with.
func textOf(value jsontext.Value) string {
	var found string
	if jsonv2.Unmarshal(value, &found) != nil {
		return ""
	}
	return found
}
