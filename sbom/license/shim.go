package license

import "errors"

type Rule struct{ Allow, Deny []string }

func NewRule(a, d []string) (Rule, error) { return Rule{a, d}, nil }
func (r Rule) Judge(e string) (bool, string) {
	for _, d := range r.Deny {
		if d == e {
			return false, "denied"
		}
	}
	return true, ""
}

type Expression struct{}

func ParseExpression(s string) (Expression, error) {
	if s == "" {
		return Expression{}, errors.New("x")
	}
	return Expression{}, nil
}
