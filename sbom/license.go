package sbom

import (
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// declaredLicense writes a licence as its package declares it: an SPDX expression
// if it has that form, else a name.
func declaredLicense(declared string) *cdx.Licenses {
	declared = strings.TrimSpace(declared)
	if declared == "" {
		return nil
	}
	declaredHere := cdx.LicenseAcknowledgementDeclared
	if isExpression(declared) {
		return &cdx.Licenses{{Expression: declared, Acknowledgement: &declaredHere}}
	}
	return &cdx.Licenses{{License: &cdx.License{Name: declared, Acknowledgement: declaredHere}}}
}

// isExpression says whether s has the form of an SPDX licence expression (SPDX
// 2.3, annex D): identifiers joined by AND, OR and WITH, in parentheses or not.
// It does not know the list of identifiers; npm's own words for "no licence" are
// not taken for identifiers.
func isExpression(s string) bool {
	if s == "UNLICENSED" || strings.HasPrefix(s, "SEE LICENSE") {
		return false
	}
	depth, operand := 0, false // operand: the last token ended an operand
	for s != "" {
		var t string
		if t, s = nextToken(s); t == "" {
			break
		}
		switch {
		case t == "(" && !operand:
			depth++
		case t == ")" && operand && depth > 0:
			depth--
		case (t == "AND" || t == "OR" || t == "WITH") && operand:
			operand = false
		case !operand && isIdentifier(t):
			operand = true
		default:
			return false
		}
	}
	return operand && depth == 0
}

// nextToken cuts a word or a parenthesis off the front of s.
func nextToken(s string) (token, rest string) {
	s = strings.TrimLeft(s, " \t\r\n")
	if s == "" {
		return "", ""
	}
	end := strings.IndexAny(s, " \t\r\n()")
	switch {
	case end < 0:
		end = len(s)
	case end == 0: // a parenthesis
		end = 1
	}
	return s[:end], s[end:]
}

func isIdentifier(s string) bool {
	if s == "AND" || s == "OR" || s == "WITH" {
		return false
	}
	for _, r := range s {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter && !strings.ContainsRune("-.+:", r) {
			return false
		}
	}
	return s != "" && s[0] != '-' && s[0] != '+' && s[0] != '.'
}
