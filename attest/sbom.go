package attest

import (
	"encoding/json"
	"fmt"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
)

// CycloneDXPredicate checks that data is one CycloneDX JSON document without
// duplicate keys, and returns it as a predicate together with the SHA-256 that
// the document itself gives for what it describes ("" if it gives none).
func CycloneDXPredicate(data []byte) (predicate json.RawMessage, describes string, err error) {
	if len(data) == 0 {
		return nil, "", fmt.Errorf("expected a CycloneDX JSON document, found an empty file")
	}
	var doc struct {
		BOMFormat   string `json:"bomFormat"`
		SpecVersion string `json:"specVersion"`
		Metadata    struct {
			Component struct {
				Hashes []struct {
					Alg     string `json:"alg"`
					Content string `json:"content"`
				} `json:"hashes"`
			} `json:"component"`
		} `json:"metadata"`
	}
	if err := jsonv2.Unmarshal(data, &doc); err != nil {
		return nil, "", fmt.Errorf("expected a CycloneDX JSON document: %w", JSONError(err))
	}
	if doc.BOMFormat != "CycloneDX" || doc.SpecVersion == "" {
		return nil, "", fmt.Errorf("expected a CycloneDX JSON document (bomFormat, specVersion), found bomFormat %q and specVersion %q", clip(doc.BOMFormat), clip(doc.SpecVersion))
	}
	for _, h := range doc.Metadata.Component.Hashes {
		if h.Alg == "SHA-256" {
			describes = strings.ToLower(h.Content)
		}
	}
	return data, describes, nil
}
