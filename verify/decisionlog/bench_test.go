package decisionlog

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bigLog makes a log of at least n bytes, of decisions of about a kibibyte.
func bigLog(b *testing.B, n int) []byte {
	b.Helper()
	decision := json.RawMessage(`{"verdict":"allowed","codes":["A","B"],"artifact":"` + strings.Repeat("a", 900) + `"}`)
	var log []byte
	head := Head{Origin: "test", Hash: noHash}
	batch := make([]json.RawMessage, 1000)
	for i := range batch {
		batch[i] = decision
	}
	for len(log) < n {
		lines, next, err := chain(head, testTime, batch)
		if err != nil {
			b.Fatal(err)
		}
		log, head = append(log, lines...), next
	}
	return log
}

// BenchmarkAppend appends to a log of 100 MB: as fast as to a small one.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"1KB", 1}, {"100MB", 100_000_000}} {
		b.Run(c.name, func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "log.jsonl")
			mustWrite(b, file, bigLog(b, c.size))
			if f, err := os.Open(file); err == nil {
				f.Sync() // not the appends' work
				f.Close()
			}
			decision := json.RawMessage(`{"verdict":"allowed","artifact":"` + strings.Repeat("a", 900) + `"}`)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Append(b.Context(), file, "test", testTime, decision); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	log := bigLog(b, 20_000_000)
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(b.Context(), bytes.NewReader(log)); err != nil {
			b.Fatal(err)
		}
	}
}
