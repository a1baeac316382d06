//go:build unix

package npm_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify/npm"
)

// BenchmarkAttestationSet checks one package with both attestations. The metric
// x-floor is how many times the least possible work that is: one P-384 and seven
// P-256 verifications, done in turn with it, both in CPU time of the process: machines
// are shared.
func BenchmarkAttestationSet(b *testing.B) {
	pkg, answer := vectorNamed(b, goodNew)
	c := checker(b)
	floor := newFloor(b)
	defer asTheCommand()()
	b.ReportAllocs()
	var set, least time.Duration
	for b.Loop() {
		start := cpuTime(b)
		if _, err := npm.CheckAttestations(context.Background(), c, pkg, answer); err != nil {
			b.Fatal(err)
		}
		middle := cpuTime(b)
		floor.verify(b)
		set += middle - start
		least += cpuTime(b) - middle
	}
	b.ReportMetric(float64(set)/float64(least), "x-floor")
	b.ReportMetric(float64(set.Microseconds())/float64(b.N), "cpu-µs/set")
}

// BenchmarkProject checks a project whose packages all have both attestations. The
// metric x-floor is CPU time per package over that of one P-384 and seven P-256
// verifications.
func BenchmarkProject(b *testing.B) {
	pkg, answer := vectorNamed(b, goodNew)
	const packages = 400
	// One package at many places with a difference that makes each a package of its
	// own: where it is resolved.
	project := &lockfile.Project{Packages: []lockfile.Package{{}}}
	for i := range packages {
		project.Packages = append(project.Packages, lockfile.Package{Place: "node_modules/x" + string(rune('a'+i%26)), Name: pkg.Name, Version: pkg.Version,
			Integrity: pkg.Integrity, Source: lockfile.SourceRegistry, Resolved: "https://registry.example/" + string(rune(i+0x4e00))})
	}
	files := fstest.MapFS{npm.FileName(pkg): {Data: []byte(`{"schema":"` + npm.AnswersSchema + `","answers":{"attestations":{"status":200,"body":` + string(answer) + `}}}`)}}
	inspector := &npm.Inspector{Checker: checker(b), Evidence: npm.Answers{Files: files}, Now: sceneNow, MinAge: time.Hour}
	floor := newFloor(b)
	defer asTheCommand()()
	b.ReportAllocs()
	var whole, least time.Duration
	for b.Loop() {
		start := cpuTime(b)
		report, err := inspector.Project(context.Background(), project)
		if err != nil || len(report.Packages) != packages || report.Packages[0].Outcome != npm.Held {
			b.Fatal(err)
		}
		middle := cpuTime(b)
		for range packages {
			floor.verify(b)
		}
		whole += middle - start
		least += cpuTime(b) - middle
	}
	b.ReportMetric(float64(whole)/float64(least), "x-floor")
	b.ReportMetric(float64(whole.Microseconds())/float64(b.N*packages), "cpu-µs/package")
}

// floor is signatures to verify.
type floor []struct {
	key *ecdsa.PublicKey
	sig []byte
}

var floorDigest = sha256.Sum256([]byte("x"))

func newFloor(b *testing.B) floor {
	var f floor
	p256, p384 := elliptic.P256(), elliptic.P384()
	for _, curve := range []elliptic.Curve{p384, p256, p256, p256, p256, p256, p256, p256} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		sig, err := ecdsa.SignASN1(rand.Reader, key, floorDigest[:])
		if err != nil {
			b.Fatal(err)
		}
		f = append(f, struct {
			key *ecdsa.PublicKey
			sig []byte
		}{&key.PublicKey, sig})
	}
	return f
}

func (f floor) verify(b *testing.B) {
	for _, s := range f {
		if !ecdsa.VerifyASN1(s.key, floorDigest[:], s.sig) {
			b.Fatal("not valid")
		}
	}
}

// asTheCommand collects garbage as plimsoll does, and works on one core, so that the two
// that are compared do not slow each other. What it returns undoes that.
func asTheCommand() func() {
	cores, percent, limit := runtime.GOMAXPROCS(1), debug.SetGCPercent(800), debug.SetMemoryLimit(128<<20)
	return func() {
		runtime.GOMAXPROCS(cores)
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// cpuTime is what the process has used until now.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
