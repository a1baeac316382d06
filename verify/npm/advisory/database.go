package advisory

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Database holds the MAL- records about npm packages. OpenFolder and OpenZip
// make one; the zero Database knows nothing, and asking it panics: "not known to
// be malicious" must never be said by what was not read. A Database may be asked
// by many goroutines at once.
type Database struct {
	info    Info
	records []Record // those that are not withdrawn
	entries []entry  // sorted by key, then by the id of the record
}

// entry is one package that a record is about.
type entry struct {
	key    string // the name in small letters
	rule   *rule
	record int  // index in Database.records
	folded bool // the record's name has capitals: it is matched in any
}

// Info says what a database consists of, for the report: with it, somebody else
// can tell whether they asked the same database.
type Info struct {
	// Digest is "sha256:HEX" over a line "HEX  ID\n" for each record that is
	// counted, sorted by ID, where HEX is the SHA-256 of the record's bytes. It is
	// the same for a folder and a zip, and whether or not records about other
	// ecosystems are next to them.
	Digest string `json:"digest"`
	// Records counts the MAL- records about npm, withdrawn ones included.
	Records int `json:"records"`
	// Withdrawn counts those that are withdrawn.
	Withdrawn int `json:"withdrawn"`
	// Newest is when the record that was modified last was modified.
	Newest time.Time `json:"newest"`
}

// A Record says that a package version is malicious. Summary is the database's
// text, cut if it is long: it is not to be trusted in a terminal as it stands.
type Record struct {
	ID       string
	Summary  string
	Modified time.Time
}

// Info returns what the database consists of.
func (d *Database) Info() Info { return d.info }

// Malicious returns the records that say that a package version is malicious,
// sorted by ID, each once. None means that no record says so, which is no proof of
// anything. Withdrawn records are never returned. An empty version stands for one
// that is not known: every record about the package is returned.
func (d *Database) Malicious(name, version string) []Record {
	if d.info.Records == 0 {
		panic("advisory: Malicious of a Database that was not opened")
	}
	key := strings.ToLower(name)
	i, _ := slices.BinarySearchFunc(d.entries, key, func(e entry, key string) int { return strings.Compare(e.key, key) })
	var found []Record
	last := -1
	for ; i < len(d.entries) && d.entries[i].key == key; i++ {
		e := d.entries[i]
		if e.record != last && (e.folded || name == key) && e.rule.includes(version) {
			found = append(found, d.records[e.record])
			last = e.record
		}
	}
	return found
}

// aDay is how far a date may lie in the future: clocks differ, dates are rounded.
const aDay = 24 * time.Hour

// TooOldError is returned by Fresh for a database in which nothing new was
// recorded for too long.
type TooOldError struct {
	Newest time.Time     // the newest record
	Age    time.Duration // of that record
	Max    time.Duration // the age that is allowed
}

func (e *TooOldError) Error() string {
	return fmt.Sprintf("advisories are too old: the newest is of %s, %s ago, expected at most %s",
		e.Newest.Format(time.RFC3339), e.Age.Round(time.Second), e.Max)
}

// TooSmallError is returned by Fresh for a database with too few records.
type TooSmallError struct {
	Records int // found
	Least   int // expected
}

func (e *TooSmallError) Error() string {
	return fmt.Sprintf("too few advisories: %d about npm, expected at least %d", e.Records, e.Least)
}

// FutureError is returned by Fresh for a database with a record of the future:
// either a clock is wrong, or the date is there to make the database look fresh.
type FutureError struct {
	Newest time.Time // the newest record
	Now    time.Time
}

func (e *FutureError) Error() string {
	return fmt.Sprintf("the newest advisory is of %s, which lies in the future: it is %s",
		e.Newest.Format(time.RFC3339), e.Now.UTC().Format(time.RFC3339))
}

// Fresh refuses a database that is too old or too small to rely on, or whose
// newest record lies more than a day in the future, with a *TooOldError, a
// *TooSmallError or a *FutureError. The zero Database is always too small.
func (d *Database) Fresh(now time.Time, maxAge time.Duration, least int) error {
	newest := d.info.Newest
	switch age := now.Sub(newest); {
	case d.info.Records < max(least, 1):
		return &TooSmallError{Records: d.info.Records, Least: max(least, 1)}
	case age < -aDay:
		return &FutureError{Newest: newest, Now: now}
	case age > maxAge:
		return &TooOldError{Newest: newest, Age: age, Max: maxAge}
	}
	return nil
}

// ErrEmpty is returned for a folder or zip without a MAL- record about npm: with
// it, no package would ever be found malicious.
var ErrEmpty = errors.New("no MAL-*.json record about npm: expected an OSV export (the all.zip of npm, or a folder with its files)")

// build makes the database of records, which it sorts. Those without packages are
// about other ecosystems.
func build(list []loaded) (*Database, error) {
	list = slices.DeleteFunc(list, func(r loaded) bool { return len(r.packages) == 0 })
	if len(list) == 0 {
		return nil, ErrEmpty
	}
	slices.SortFunc(list, func(a, b loaded) int { return strings.Compare(a.ID, b.ID) })
	d := &Database{}
	digest, line := sha256.New(), []byte(nil)
	for i, r := range list {
		if i > 0 && list[i-1].ID == r.ID {
			return nil, fmt.Errorf("two records with id %q, expected one: which of them counts is not known", r.ID)
		}
		line = append(append(hex.AppendEncode(line[:0], r.sum[:]), "  "+r.ID...), '\n')
		digest.Write(line)
		if r.Modified.After(d.info.Newest) {
			d.info.Newest = r.Modified
		}
	}
	d.info.Digest = "sha256:" + hex.EncodeToString(digest.Sum(nil))
	d.info.Records = len(list)
	d.index(list)
	return d, nil
}

// index keeps the records that are in force.
//
// > The withdrawn field gives the time the entry should be considered to have been
// > withdrawn
//
// so that one of the future is not withdrawn yet. The database's own newest date
// stands for the time at which it was made: what a database says does not depend
// on when it is asked.
func (d *Database) index(list []loaded) {
	d.records = make([]Record, 0, len(list))
	d.entries = make([]entry, 0, len(list))
	for _, r := range list {
		if !r.withdrawn.IsZero() && r.withdrawn.Sub(d.info.Newest) <= aDay {
			d.info.Withdrawn++
			continue
		}
		for _, e := range r.packages {
			e.record = len(d.records)
			d.entries = append(d.entries, e)
		}
		d.records = append(d.records, r.Record)
	}
	slices.SortStableFunc(d.entries, func(a, b entry) int {
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.record, b.record))
	})
}
