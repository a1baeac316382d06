package npm_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify/npm"
)

// TestRealProjects: every place of real lockfiles is in one result, and nothing passes
// for want of answers.
func TestRealProjects(t *testing.T) {
	corpus := os.Getenv("PLIMSOLL_CORPUS")
	if corpus == "" {
		t.Skip("PLIMSOLL_CORPUS names no folder of real projects")
	}
	sizes := map[string]int{}
	err := filepath.WalkDir(filepath.Join(corpus, "js"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "tools") {
			return filepath.SkipDir
		}
		if !slices.Contains(lockfile.LockfileNames(), d.Name()) {
			return nil
		}
		sizes[path] = accountedFor(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, least := range []int{50, 500, 1200} {
		if !slices.ContainsFunc(slices.Collect(mapValues(sizes)), func(n int) bool { return n >= least }) {
			t.Errorf("expected a project of %d packages, found %v", least, sizes)
		}
	}
}

func mapValues(m map[string]int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for _, n := range m {
			if !yield(n) {
				return
			}
		}
	}
}

func accountedFor(t *testing.T, path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	project, err := lockfile.ParseLockfile(filepath.Base(path), data)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	inspector := &npm.Inspector{Checker: checker(t), Evidence: npm.Answers{Files: fstest.MapFS{}}, Now: sceneNow, MinAge: time.Hour}
	report, err := inspector.Project(context.Background(), project)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	places := map[string]int{}
	for _, r := range report.Packages {
		for _, p := range r.Places {
			places[p]++
		}
		if r.Kind == "registry" && (r.Outcome == npm.Held || r.Outcome == npm.Warned) {
			t.Errorf("%s: %s is %v without any answer", path, r.Package, r.Outcome)
		}
		if len(r.Findings) == 0 {
			t.Errorf("%s: nothing is said of %s", path, r.Package)
		}
	}
	for i, p := range project.Packages {
		if i > 0 && p.Place != "" && places[p.Place] != 1 {
			t.Errorf("%s: %q is in %d results", path, p.Place, places[p.Place])
		}
	}
	t.Logf("%s: %d places, %d packages", filepath.Base(filepath.Dir(path)), len(project.Packages)-1, len(report.Packages))
	return len(project.Packages) - 1
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
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the time is that of one core
	b.ReportAllocs()
	var whole, least time.Duration
	for b.Loop() {
		start := time.Now()
		report, err := inspector.Project(context.Background(), project)
		if err != nil || len(report.Packages) != packages || report.Packages[0].Outcome != npm.Held {
			b.Fatal(err)
		}
		middle := time.Now()
		for range packages {
			floor.verify(b)
		}
		whole += middle.Sub(start)
		least += time.Since(middle)
	}
	b.ReportMetric(float64(whole)/float64(least), "x-floor")
	b.ReportMetric(float64(whole.Microseconds())/float64(b.N*packages), "cpu-µs/package")
}
