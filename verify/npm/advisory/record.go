package advisory

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
)

// maxSummary is how much of a summary is kept, in bytes. The schema recommends 120
// characters.
const maxSummary = 240

// document is what is read of a record; the schema's other members are left alone.
type document struct {
	ID        string     `json:"id"`
	Modified  string     `json:"modified"`
	Withdrawn *string    `json:"withdrawn"`
	Summary   string     `json:"summary"`
	Affected  []affected `json:"affected"`
}

type affected struct {
	Package *struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Versions []string       `json:"versions"`
	Ranges   []versionRange `json:"ranges"`
}

type versionRange struct {
	Type   string       `json:"type"`
	Events []rangeEvent `json:"events"`
}

type rangeEvent struct {
	Introduced   *string `json:"introduced"`
	Fixed        *string `json:"fixed"`
	LastAffected *string `json:"last_affected"`
	Limit        *string `json:"limit"`
}

// loaded is a record about npm packages as it is kept.
type loaded struct {
	Record
	sum       [sha256.Size]byte
	withdrawn time.Time // zero if it is not
	packages  []entry
}

// isRecord tells whether a file is a record to be read, by its name.
func isRecord(file string) bool {
	base := path.Base(file)
	return strings.HasPrefix(base, "MAL-") && strings.HasSuffix(base, ".json")
}

// parseRecord reads a record. The result has no packages if it is not about npm.
func parseRecord(file string, data []byte) (loaded, error) {
	var doc document
	if err := jsonv2.Unmarshal(data, &doc); err != nil {
		return loaded{}, jsonError(err)
	}
	if err := checkID(doc.ID, file); err != nil {
		return loaded{}, err
	}
	modified, err := date("modified", doc.Modified)
	if err != nil {
		return loaded{}, err
	}
	rec := loaded{Record: Record{ID: doc.ID, Summary: clip(doc.Summary), Modified: modified}}
	if doc.Withdrawn != nil { // null is as good as absent
		if rec.withdrawn, err = date("withdrawn", *doc.Withdrawn); err != nil {
			return loaded{}, err
		}
	}
	if len(doc.Affected) == 0 && rec.withdrawn.IsZero() {
		return loaded{}, errors.New(`nothing in "affected": what the record is about is not known`)
	}
	if rec.packages, err = packages(doc.Affected); err != nil || len(rec.packages) == 0 {
		return loaded{}, err
	}
	rec.sum = sha256.Sum256(data)
	return rec, nil
}

// checkID refuses an id that is not the file's name. That a record is listed once
// only, and found under its name, rests on it.
func checkID(id, file string) error {
	if want := strings.TrimSuffix(path.Base(file), ".json"); id != want {
		return fmt.Errorf("id %q, expected %q as in the file's name", clip(id), clip(want))
	}
	if len(id) > 200 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("id %q is too long or has characters that no id has", clip(id))
	}
	return nil
}

// packages returns the npm packages that a record is about.
func packages(list []affected) ([]entry, error) {
	var entries []entry
	for i, a := range list {
		switch {
		case a.Package == nil:
			// Source code in a repository has no package.
			if !onlyGit(a.Ranges) {
				return nil, fmt.Errorf(`no "package" at /affected/%d: what the record is about is not known`, i)
			}
		case a.Package.Ecosystem == "":
			return nil, fmt.Errorf(`no "ecosystem" at /affected/%d/package`, i)
		case a.Package.Ecosystem != "npm" && !strings.HasPrefix(a.Package.Ecosystem, "npm:"):
		case a.Package.Name == "":
			return nil, fmt.Errorf(`no "name" at /affected/%d/package`, i)
		default:
			key := strings.ToLower(a.Package.Name)
			entries = append(entries, entry{key: key, folded: key != a.Package.Name, rule: ruleOf(a)})
		}
	}
	return entries, nil
}

func onlyGit(ranges []versionRange) bool {
	for _, r := range ranges {
		if r.Type != "GIT" {
			return false
		}
	}
	return len(ranges) > 0
}

// date reads a member that is a date (RFC 3339).
func date(member, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, fmt.Errorf("no date in %q", member)
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.IsZero() {
		return time.Time{}, fmt.Errorf("%q in %q, expected a date like 2006-01-02T15:04:05Z", clip(text), member)
	}
	return t.UTC(), nil
}

// clip cuts text that is shown to people, between characters.
func clip(text string) string {
	if len(text) <= maxSummary {
		return text
	}
	n := maxSummary
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "..."
}

// jsonError tells what is wrong with a record without the names of this program's
// types.
func jsonError(err error) error {
	var semantic *jsonv2.SemanticError
	if errors.As(err, &semantic) && semantic.GoType != nil {
		return fmt.Errorf("unexpected %v at %q", semantic.JSONKind, clip(string(semantic.JSONPointer)))
	}
	return err
}
