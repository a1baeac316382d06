package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"plimsoll.example/attest"
)

// A vexStatement says whether one vulnerability affects the artifact, or some of
// its components.
type vexStatement struct {
	ids      []string // of the vulnerability, with its aliases
	products []string // purls of components; empty: the artifact as a whole
	clear    bool     // it does not affect them, or is fixed
	by       string
}

type vexBook []vexStatement

// readVEX collects the VEX statements about the artifact by the signers who may
// make them. What cannot be read clears nothing and is noted.
func (e *evaluation) readVEX(signers []string) (book vexBook, notes []string) {
	for _, c := range e.candidates {
		if !slices.Contains(signers, c.signer.Name) {
			continue
		}
		var found []vexStatement
		var err error
		switch {
		case c.predicateType() == attest.TypeOpenVEX || strings.HasPrefix(c.predicateType(), attest.TypeOpenVEX+"/"):
			found, err = readOpenVEX(c.statement.statement.Predicate, e.artifact)
		case c.predicateType() == attest.TypeCycloneDX:
			found, err = readCycloneDXVEX(c.statement.statement.Predicate)
		}
		if err != nil {
			notes = append(notes, fmt.Sprintf("the VEX in %s was not used: %v", c.source, err))
			continue
		}
		for i := range found {
			found[i].by = fmt.Sprintf("VEX by %q in %s", c.signer.Name, c.source)
		}
		book = append(book, found...)
	}
	return book, notes
}

// clears returns who states that a vulnerability does not affect the artifact, or
// "". Where statements disagree, it does.
func (b vexBook) clears(v vulnerability) string {
	by := ""
	for _, s := range b {
		about := len(s.products) == 0 || slices.ContainsFunc(s.products, func(p string) bool { return v.pkg != "" && sameName(p, v.pkg) })
		if !slices.Contains(s.ids, v.id) || !about {
			continue
		}
		if !s.clear {
			return ""
		}
		if by == "" {
			by = s.by
		}
	}
	return by
}

// readOpenVEX reads an OpenVEX document (OpenVEX specification 0.2.0, "Statement").
func readOpenVEX(predicate []byte, artifact Artifact) ([]vexStatement, error) {
	var p struct {
		Statements []struct {
			Vulnerability struct {
				ID      string   `json:"@id"`
				Name    string   `json:"name"`
				Aliases []string `json:"aliases"`
			} `json:"vulnerability"`
			Status   string `json:"status"`
			Products []struct {
				vexProduct
				Subcomponents []vexProduct `json:"subcomponents"`
			} `json:"products"`
		} `json:"statements"`
	}
	if err := unmarshal(predicate, &p); err != nil {
		return nil, err
	}
	var all []vexStatement
	for _, s := range p.Statements {
		v := vexStatement{clear: s.Status == "not_affected" || s.Status == "fixed"}
		for _, id := range append([]string{s.Vulnerability.ID, s.Vulnerability.Name}, s.Vulnerability.Aliases...) {
			if id != "" {
				v.ids = append(v.ids, id)
			}
		}
		if len(s.Products) == 0 {
			all = append(all, v) // about the statement's subject
			continue
		}
		for _, product := range s.Products {
			if one, ok := v.about(product.vexProduct, product.Subcomponents, artifact); ok {
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// A vexProduct is a product or a component of one (OpenVEX 0.2.0, "Product").
type vexProduct struct {
	ID          string `json:"@id"`
	Identifiers struct {
		Purl string `json:"purl"`
	} `json:"identifiers"`
	Hashes map[string]string `json:"hashes"`
}

func (p vexProduct) name() string { return cmp.Or(p.Identifiers.Purl, p.ID) }

// about says what of the artifact a statement about a product is about. Where that is
// not certain, a statement clears nothing, and one that clears nothing holds for all.
func (v vexStatement) about(product vexProduct, subcomponents []vexProduct, artifact Artifact) (vexStatement, bool) {
	same, other := product.compare(artifact)
	switch {
	case other:
		return v, false // another build
	case same && len(subcomponents) == 0:
		return v, true
	case same:
		for _, c := range subcomponents {
			if c.name() != "" {
				v.products = append(v.products, c.name())
			}
		}
		return v, !v.clear || len(v.products) == len(subcomponents)
	case len(subcomponents) > 0:
		return v, false // a component as it is used in another product
	case product.name() == "":
		return v, !v.clear
	}
	v.products = []string{product.name()} // a component of the artifact
	return v, true
}

// compare tells whether a product is the artifact, by a digest or by the name that it
// is deployed as, or by a digest is not.
func (p vexProduct) compare(artifact Artifact) (same, other bool) {
	for name, value := range p.Hashes {
		alg := strings.ReplaceAll(strings.ToLower(name), "-", "")
		if has, known := artifact.Digests[alg]; known && has == strings.ToLower(value) {
			same = true
		} else if known {
			other = true
		}
	}
	return same || (artifact.As != "" && p.name() != "" && sameName(artifact.As, p.name())), other
}

// readCycloneDXVEX reads the vulnerabilities of a CycloneDX document
// (CycloneDX 1.7, "vulnerabilities[].analysis").
func readCycloneDXVEX(predicate []byte) ([]vexStatement, error) {
	var p struct {
		Metadata struct {
			Component vexComponent `json:"component"`
		} `json:"metadata"`
		Components      []vexComponent `json:"components"`
		Vulnerabilities []struct {
			ID         string `json:"id"`
			References []struct {
				ID string `json:"id"`
			} `json:"references"`
			Analysis struct {
				State string `json:"state"`
			} `json:"analysis"`
			Affects []struct {
				Ref string `json:"ref"`
			} `json:"affects"`
		} `json:"vulnerabilities"`
	}
	if err := unmarshal(predicate, &p); err != nil {
		return nil, err
	}
	purls := map[string]string{}
	for _, c := range p.Components {
		c.collect(purls)
	}
	var all []vexStatement
	for _, v := range p.Vulnerabilities {
		state := v.Analysis.State
		s := vexStatement{ids: []string{v.ID}, clear: state == "not_affected" || state == "resolved" || state == "resolved_with_pedigree" || state == "false_positive"}
		for _, r := range v.References {
			s.ids = append(s.ids, r.ID)
		}
		for _, a := range v.Affects {
			one := s
			switch purl := purls[a.Ref]; {
			case a.Ref != "" && a.Ref == p.Metadata.Component.Ref:
			case purl != "":
				one.products = []string{purl}
			case strings.HasPrefix(a.Ref, "pkg:"):
				one.products = []string{a.Ref}
			default:
				continue // another document's component
			}
			all = append(all, one)
		}
	}
	return all, nil
}

type vexComponent struct {
	Ref        string         `json:"bom-ref"`
	Purl       string         `json:"purl"`
	Components []vexComponent `json:"components"`
}

func (c vexComponent) collect(purls map[string]string) {
	if c.Ref != "" {
		purls[c.Ref] = c.Purl
	}
	for _, inner := range c.Components {
		inner.collect(purls)
	}
}
