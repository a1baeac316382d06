package sbom_test

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"plimsoll.example/sbom"
)

// BenchmarkGoBinary writes the SBOM of a binary with about 250 modules: when its
// modules' zips and licences were seen before, and when not, without reading the
// zips whole and with. x-pass is the time against one pass of SHA-256 and SHA-512
// over the binary.
func BenchmarkGoBinary(b *testing.B) {
	path := made(b, "binaries", "cosign")
	for _, c := range []struct {
		name     string
		keep     bool // facts of the modules are there
		skipZips bool
	}{{"seen", true, false}, {"unseen-licences", false, true}, {"unseen", false, false}} {
		b.Run(c.name, func(b *testing.B) {
			o := goOptions(b)
			o.Go.SkipZips = c.skipZips
			if c.keep {
				o.Go.Facts = b.TempDir()
				generate(b, path, o)
			}
			b.ReportAllocs()
			pass := time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				pass += onePass(b, path)
				b.StartTimer()
				generate(b, path, o)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(pass), "x-pass")
		})
	}
}

func onePass(b *testing.B, path string) time.Duration {
	start := time.Now()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyBuffer(io.MultiWriter(sha256.New(), sha512.New()), struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// BenchmarkGoDirectory writes the SBOM of a module directory; x-list is the time
// against the go list call that it makes.
func BenchmarkGoDirectory(b *testing.B) {
	for _, name := range []string{"go-internal", "cosign"} {
		b.Run(name, func(b *testing.B) {
			dir := made(b, "modules", name)
			o := goOptions(b)
			o.Go.Facts = filepath.Join(b.TempDir(), "facts")
			generate(b, dir, o)
			b.ReportAllocs()
			list := time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				start := time.Now()
				cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Name,Imports,Module", "./...")
				cmd.Dir = dir
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				list += time.Since(start)
				b.StartTimer()
				if _, err := sbom.Generate(context.Background(), []string{dir}, o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed())/float64(list), "x-list")
		})
	}
}
