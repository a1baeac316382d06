package npm_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
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
