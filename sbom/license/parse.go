package license

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Bounds of an expression.
const (
	maxExpression = 16 << 10
	maxNesting    = 64
	maxOperands   = 1000
)

// An Expression is an SPDX licence expression (SPDX 2.3, annex D; 3.0.1, annex B).
// The zero Expression allows nothing.
type Expression struct {
	operator  operator
	operands  []Expression // of AND and OR
	id        string       // as on the SPDX list, or a reference
	orLater   bool
	exception string
}

type operator int

const (
	opNone operator = iota // the zero Expression
	opLicense
	opAnd
	opOr
)

// An UnknownLicenseError reports an identifier that is on no SPDX list.
type UnknownLicenseError struct{ ID string }

func (e *UnknownLicenseError) Error() string { return fmt.Sprintf("%q is no SPDX licence", e.ID) }

// ParseExpression reads an expression. Identifiers are compared without regard to
// case, as SPDX says; operators are in capitals or in small letters. Free text,
// NONE and NOASSERTION are no expressions.
func ParseExpression(s string) (Expression, error) {
	if len(s) > maxExpression {
		return Expression{}, fmt.Errorf("expected an expression of at most %d bytes, found %d", maxExpression, len(s))
	}
	p := &parser{rest: s}
	p.next()
	e, err := p.or(0)
	if err != nil {
		return Expression{}, err
	}
	if p.token != "" {
		return Expression{}, fmt.Errorf("expected AND, OR or the end, found %q", clip(p.token))
	}
	return e, nil
}

type parser struct {
	token, rest string
	operands    int
}

func (p *parser) next() { p.token, p.rest = nextToken(p.rest) }

func (p *parser) is(word string) bool { return p.token == word || p.token == strings.ToLower(word) }

func (p *parser) or(depth int) (Expression, error) { return p.chain(depth, "OR", opOr, p.and) }
func (p *parser) and(depth int) (Expression, error) {
	return p.chain(depth, "AND", opAnd, p.operand)
}

// chain reads operands that one operator joins.
func (p *parser) chain(depth int, word string, op operator, each func(int) (Expression, error)) (Expression, error) {
	first, err := each(depth)
	if err != nil || !p.is(word) {
		return first, err
	}
	e := Expression{operator: op, operands: []Expression{first}}
	for p.is(word) {
		p.next()
		one, err := each(depth)
		if err != nil {
			return Expression{}, err
		}
		e.operands = append(e.operands, one)
	}
	return e, nil
}

func (p *parser) operand(depth int) (Expression, error) {
	if p.operands++; p.operands > maxOperands || depth > maxNesting {
		return Expression{}, fmt.Errorf("expected at most %d licences and %d parentheses in one another", maxOperands, maxNesting)
	}
	switch {
	case p.token == "":
		return Expression{}, errors.New("expected a licence, found the end")
	case p.token == "(":
		p.next()
		e, err := p.or(depth + 1)
		if err != nil {
			return Expression{}, err
		}
		if p.token != ")" {
			return Expression{}, fmt.Errorf("expected ), found %q", clip(p.token))
		}
		p.next()
		return e, nil
	}
	e, err := parseLicense(p.token)
	if err != nil {
		return Expression{}, err
	}
	p.next()
	if !p.is("WITH") {
		return e, nil
	}
	p.next()
	if e.exception = canonicalException(p.token); e.exception == "" {
		return Expression{}, fmt.Errorf("%q is no SPDX exception", clip(p.token))
	}
	p.next()
	return e, nil
}

// parseLicense reads one identifier, with + or without.
func parseLicense(token string) (Expression, error) {
	if isReference(token, "LicenseRef-") {
		return Expression{operator: opLicense, id: token}, nil
	}
	id, plus := strings.CutSuffix(token, "+")
	// Some identifiers on the list end in +, and are deprecated: GPL-2.0+.
	canonical := canonicalID(id)
	if canonical == "" {
		return Expression{}, &UnknownLicenseError{clip(token)}
	}
	e := Expression{operator: opLicense, id: canonical, orLater: plus}
	if base, later := strings.CutSuffix(canonical, "-or-later"); later && !plus {
		e.id, e.orLater = base, true
	} else if base, only := strings.CutSuffix(canonical, "-only"); only {
		if e.id = base; plus {
			return Expression{}, fmt.Errorf("%q says only and or later at once", clip(token))
		}
	}
	return e, nil
}

var (
	foldedIDs        = sync.OnceValue(func() map[string]string { return folded(idSet()) })
	foldedExceptions = sync.OnceValue(func() map[string]string { return folded(exceptionSet()) })
)

func folded(set map[string]bool) map[string]string {
	m := make(map[string]string, len(set))
	for id := range set {
		m[strings.ToLower(id)] = id
	}
	return m
}

// canonicalID returns an identifier as the SPDX list spells it, or "".
func canonicalID(id string) string {
	if IsID(id) {
		return id
	}
	return foldedIDs()[strings.ToLower(id)]
}

func canonicalException(id string) string {
	if isException(id) || isReference(id, "AdditionRef-") {
		return id
	}
	return foldedExceptions()[strings.ToLower(id)]
}

// Licenses lists the licences of an expression as they are compared, each once,
// sorted: X for X-only and the deprecated X, X+ for X-or-later.
func (e Expression) Licenses() []string {
	var all []string
	e.each(func(l Expression) { all = append(all, l.name()) })
	slices.Sort(all)
	return slices.Compact(all)
}

func (e Expression) each(do func(Expression)) {
	if e.operator == opLicense {
		do(e)
	}
	for _, o := range e.operands {
		o.each(do)
	}
}

// name is a licence as it is compared.
func (e Expression) name() string {
	name := e.id
	if e.orLater {
		name += "+"
	}
	if e.exception != "" {
		name += " WITH " + e.exception
	}
	return name
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
