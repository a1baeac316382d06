package license

import "strings"

// IsExpression says whether s is an SPDX licence expression (SPDX 2.3, annex D):
// identifiers of the SPDX list, or LicenseRef-, joined by AND, OR and WITH, in
// parentheses or not. npm's own words for "no licence" are none.
func IsExpression(s string) bool {
	depth, operand, exception := 0, false, false // operand: the last token ended an operand
	for s != "" {
		var t string
		if t, s = nextToken(s); t == "" {
			break
		}
		switch {
		case exception:
			if !isException(t) && !isReference(t, "AdditionRef-") {
				return false
			}
			exception, operand = false, true
		case t == "(" && !operand:
			depth++
		case t == ")" && operand && depth > 0:
			depth--
		case t == "WITH" && operand:
			exception = true
		case (t == "AND" || t == "OR") && operand:
			operand = false
		case !operand && isOperand(t):
			operand = true
		default:
			return false
		}
	}
	return operand && !exception && depth == 0
}

func isOperand(s string) bool {
	return IsID(s) || IsID(strings.TrimSuffix(s, "+")) || isReference(s, "LicenseRef-")
}

// isReference says whether s is PREFIX and a name, behind a DocumentRef- or not.
func isReference(s, prefix string) bool {
	if document, rest, ok := strings.Cut(s, ":"); ok {
		name, isDocument := strings.CutPrefix(document, "DocumentRef-")
		if !isDocument || !isName(name) {
			return false
		}
		s = rest
	}
	name, ok := strings.CutPrefix(s, prefix)
	return ok && isName(name)
}

// isName says whether s is an SPDX idstring.
func isName(s string) bool {
	for _, r := range s {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter && r != '-' && r != '.' {
			return false
		}
	}
	return s != ""
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
