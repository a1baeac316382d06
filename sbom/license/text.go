package license

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Text is a licence file.
type Text struct {
	Name string // base name
	Data []byte
}

// MaxText bounds a licence file that is read.
const MaxText = 1 << 20

// IsTextName says whether a file at the top of a package is a licence text by its
// base name: LICENSE, LICENCE.md, COPYING, LICENSE-MIT and the like. Texts about
// something else than the package's code are not: LICENSE.docs, LICENSE-3rdparty.
func IsTextName(name string) bool {
	upper := strings.ToUpper(name)
	rest, ok := cutAny(upper, "LICENSES", "LICENSE", "LICENCES", "LICENCE", "COPYING", "UNLICENSE")
	if !ok || (rest != "" && !strings.ContainsRune("-._", rune(rest[0]))) {
		return false
	}
	for _, other := range []string{"DOC", "3RD", "THIRD", "VENDOR", "BINAR", "LOGO", "ART", "HEADER"} {
		if strings.Contains(rest, other) {
			return false
		}
	}
	// Source code about licences is no licence: license.go, license_test.go.
	switch path.Ext(upper) {
	case ".GO", ".JS", ".TS", ".PY", ".C", ".H", ".SH", ".JSON", ".YML", ".YAML", ".TMPL", ".TPL", ".PNG", ".SVG", ".PDF":
		return false
	}
	return true
}

func cutAny(s string, prefixes ...string) (rest string, ok bool) {
	for _, p := range prefixes {
		if rest, ok = strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return "", false
}

// A Conclusion is what licence texts say. Either Expression is an SPDX expression
// or Unknown says why there is none.
type Conclusion struct {
	Expression string `json:"expression,omitempty"`
	Unknown    string `json:"unknown,omitempty"`
}

// enough is the share of a text, in percent of its words, that must be a known
// licence's: the rest is headings and names.
const enough = 75

// Conclude says which licences the texts are; all of them hold (AND). Texts in
// which no licence is recognised make it unknown.
func Conclude(texts []Text) Conclusion { return new(Memo).Conclude(texts) }

func conclude(texts []Text, classify func([]byte) ([]string, int)) Conclusion {
	if len(texts) == 0 {
		return Conclusion{Unknown: "there is no licence file"}
	}
	texts = slices.Clone(texts)
	slices.SortFunc(texts, func(a, b Text) int { return strings.Compare(a.Name, b.Name) })
	var c Conclusion
	var operands []string
	for _, t := range texts {
		found, percent := classify(t.Data)
		if len(found) == 0 || percent < enough {
			if c.Unknown == "" {
				c.Unknown = fmt.Sprintf("the text in %s is no licence of the SPDX list", t.Name)
			}
			continue
		}
		operands = append(operands, found...)
	}
	if c.Unknown != "" {
		return c
	}
	slices.Sort(operands)
	c.Expression = strings.Join(slices.Compact(operands), " AND ")
	return c
}
