package advisory

import (
	"bytes"
	"runtime"
	"testing"
)

// FuzzRecord: what is taken is about npm packages and has what a record must have,
// and asking it never panics.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(doc("MAL-1", "a", all, "")), "1.0.0")
	f.Add([]byte(doc("MAL-1", "A", `, "versions": ["1.0.0", "v2"]`, `, "withdrawn": null`)), "v2")
	f.Add([]byte(doc("MAL-1", "a", `, "ranges": [{"type": "SEMVER", "events": [{"introduced": "1.0.0"}, {"limit": "*"}, {"fixed": "2.0.0-a.1"}]}]`, `, "withdrawn": "2026-01-01T00:00:00Z"`)), "=1.0.0-a+b")
	f.Add([]byte(doc("MAL-1", "a", `, "ranges": [{"type": "GIT", "events": [{"last_affected": "1"}]}]`, "")), "")
	f.Fuzz(func(t *testing.T, data []byte, version string) {
		rec, err := parseRecord("MAL-1.json", data)
		if err != nil {
			if rec.packages != nil {
				t.Error("an error, and packages")
			}
			return
		}
		if len(rec.packages) == 0 {
			return
		}
		if rec.ID != "MAL-1" || rec.Modified.IsZero() {
			t.Errorf("%+v", rec)
		}
		d, err := build([]loaded{rec})
		if err != nil {
			t.Fatal(err)
		}
		inForce := d.info.Withdrawn == 0
		for _, e := range rec.packages {
			found := d.Malicious(e.key, version) != nil
			if found && !inForce || e.rule == nil && inForce && e.folded && !found {
				t.Errorf("%+v: found %v, in force %v", e, found, inForce)
			}
			// A version that is not known is always found.
			if e.folded && inForce && d.Malicious(e.key, "") == nil {
				t.Errorf("%+v: not found without a version", e)
			}
		}
	})
}

// BenchmarkOpenZip opens a zip of 50,000 records. "held" is what the database
// takes after it.
func BenchmarkOpenZip(b *testing.B) {
	archive := export(b, 50_000)
	b.ReportAllocs()
	b.SetBytes(int64(len(archive)))
	var d *Database
	for b.Loop() {
		var err error
		if d, err = OpenZip(b.Context(), bytes.NewReader(archive), int64(len(archive))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(held(d), "MB-held")
	runtime.KeepAlive(archive)
}

// held is what the database takes in memory: what is free without it.
func held(d *Database) float64 {
	var with, without runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&with)
	*d = Database{}
	runtime.GC()
	runtime.ReadMemStats(&without)
	return float64(int64(with.HeapAlloc)-int64(without.HeapAlloc)) / 1e6
}

func BenchmarkMalicious(b *testing.B) {
	archive := export(b, 50_000)
	d, err := OpenZip(b.Context(), bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		d.Malicious("some-package-300", "1.0.300")
		d.Malicious("some-package", "1.0.0")
	}
}
