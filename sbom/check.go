package sbom

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// MaxCheck bounds a document that is checked.
const MaxCheck = 512 << 20

// ErrMalformed reports a document that is not CycloneDX JSON, is cut off, or is
// over a bound.
var ErrMalformed = errors.New("not a CycloneDX document that can be read")

// A Level says how much a profile insists on a clause.
type Level string

// The levels.
const (
	Required    Level = "required"    // the document must hold to it
	Additional  Level = "additional"  // it must be there if it exists (BSI), which nobody but the author knows
	Recommended Level = "recommended" // and what is optional
)

// A Status is how a document, or a part of it, holds to a clause. The worst of
// its parts is the document's.
type Status string

// The statuses, worst first.
const (
	Fail     Status = "fail"     // it is missing, or wrong
	Withheld Status = "withheld" // it is left out on purpose, and said so
	Unknown  Status = "unknown"  // it is not known, and said so
	Pass     Status = "pass"
)

// A Finding is how a document holds to one clause.
type Finding struct {
	Clause  string `json:"clause"`  // its number or heading in the profile's document
	Element string `json:"element"` // what it is about
	Field   string `json:"field"`   // what of the document is read
	Level   Level  `json:"level"`
	Status  Status `json:"status"`
	// How many parts (components, references, or the document itself) have which
	// status.
	Passed   int `json:"pass"`
	Unknown  int `json:"unknown"`
	Withheld int `json:"withheld"`
	Failed   int `json:"fail"`
	// Where are the places of the first parts that do not pass, with what is wrong.
	Where []string `json:"where,omitempty"`
}

// maxWhere is how many places a finding names.
const maxWhere = 10

// An Assessment is how a document holds to a profile.
type Assessment struct {
	Profile     string    `json:"profile"`
	Document    string    `json:"document"` // the profile's document
	SpecVersion string    `json:"specVersion"`
	Components  int       `json:"components"`
	Findings    []Finding `json:"findings"`
	// Score is from 0 to 10: the mean over the required and additional clauses of
	// the share that passes, or is stated to be unknown where the profile allows it.
	Score float64 `json:"score"`
	// Failed says that a required clause fails.
	Failed bool `json:"failed"`
}

// Profiles are the names that Check knows.
func Profiles() []string {
	var names []string
	for _, p := range profiles() {
		names = append(names, p.name)
	}
	return names
}

// Check holds a CycloneDX 1.4 to 1.7 document in JSON against a profile. It reads
// the bytes themselves, once, and needs nothing but them. A document that cannot
// be read gives [ErrMalformed]; an error of the reader is returned as it is.
func Check(r io.Reader, profile string) (*Assessment, error) {
	all := profiles()
	i := slices.IndexFunc(all, func(p checkProfile) bool { return p.name == profile })
	if i < 0 {
		return nil, fmt.Errorf("checking SBOM: unknown profile %q; there are %v", profile, Profiles())
	}
	doc, err := readRaw(r)
	if err != nil {
		return nil, err
	}
	p := all[i]
	a := &Assessment{Profile: p.name, Document: p.document, SpecVersion: doc.SpecVersion, Components: len(doc.components)}
	sum, counted := 0.0, 0
	for _, c := range p.clauses {
		f := c.find(doc)
		a.Findings = append(a.Findings, f)
		if f.Status == Fail && f.Level == Required {
			a.Failed = true
		}
		total := f.Passed + f.Unknown + f.Withheld + f.Failed
		if f.Level == Recommended || total == 0 {
			continue
		}
		counted++
		good := f.Passed
		if c.stated {
			good += f.Unknown + f.Withheld
		}
		sum += float64(good) / float64(total)
	}
	if counted > 0 {
		a.Score = 10 * sum / float64(counted)
	}
	return a, nil
}

// find holds the document against one clause.
func (c clause) find(doc *rawDocument) Finding {
	f := Finding{Clause: c.number, Element: c.element, Field: c.field, Level: c.level}
	count := func(s Status, where, what string) {
		// What a profile wants to know is not met by saying that it is not known.
		if (s == Unknown || s == Withheld) && !c.stated && c.level == Required {
			what = "stated to be " + string(s) + ", which this profile does not allow"
			s = Fail
		}
		switch s {
		case Pass:
			f.Passed++
			return
		case Unknown:
			f.Unknown++
			what = "unknown"
		case Withheld:
			f.Withheld++
			what = "withheld"
		default:
			f.Failed++
		}
		if len(f.Where) < maxWhere {
			f.Where = append(f.Where, where+": "+what)
		}
	}
	switch {
	case c.whole != nil:
		for _, p := range c.whole(doc) {
			count(p.status, p.where, p.what)
		}
	case c.each != nil:
		for i := range doc.components {
			comp := &doc.components[i]
			if s, applies := c.each(doc, comp); applies {
				count(s, comp.where(doc), "missing, or in no form that counts")
			}
		}
	}
	switch {
	case f.Failed > 0:
		f.Status = Fail
	case f.Withheld > 0:
		f.Status = Withheld
	case f.Unknown > 0:
		f.Status = Unknown
	case f.Passed > 0:
		f.Status = Pass
	case c.empty != "": // nothing to check is no pass
		f.Status, f.Failed = Fail, 1
		f.Where = []string{c.empty}
	default:
		f.Status = Pass
	}
	return f
}
