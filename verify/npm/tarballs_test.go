package npm_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/registry"
)

// behindMirror makes tarballs come from a mirror, which has the same ones as the registry.
func (s *scene) behindMirror(path string) (mirror string) {
	s.t.Helper()
	server := httptest.NewServer(s.registry)
	s.t.Cleanup(server.Close)
	mirror = server.URL + path
	config, err := registry.Read(registry.Inputs{Flag: mirror})
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := registry.NewClient(config, registry.Options{Evidence: s.base, Wait: time.Millisecond})
	if err != nil {
		s.t.Fatal(err)
	}
	s.inspector.Registry = s.base
	s.inspector.Evidence = &npm.Online{Client: client, Mirror: func(string) string { return mirror }}
	s.inspector.Tarballs = &npm.SourcedTarballs{Sources: []npm.TarballSource{npm.FetchedTarballs{Client: client}}}
	return mirror
}

// fetched lists the tarballs that were asked for.
func (s *scene) fetched() []string {
	var all []string
	for _, q := range s.registry.Requests() {
		if strings.HasSuffix(q.Path, ".tgz") {
			all = append(all, "http://"+q.Host+q.Path)
		}
	}
	return all
}

// TestMirrorTarballs: behind a mirror the tarball is the mirror's, whose bytes npm
// installs, wherever the lockfile and the registry's metadata say that it lies.
func TestMirrorTarballs(t *testing.T) {
	for name, c := range map[string]struct {
		path, resolved, want string // MIRROR and REGISTRY stand for the addresses
	}{
		"of the registry":             {"", "REGISTRY/foo/-/foo-1.0.0.tgz", "MIRROR/foo/-/foo-1.0.0.tgz"},
		"of the mirror":               {"", "MIRROR/foo/-/foo-1.0.0.tgz", "MIRROR/foo/-/foo-1.0.0.tgz"},
		"of the mirror, its own path": {"", "MIRROR/download/foo/-/foo-1.0.0.tgz", "MIRROR/download/foo/-/foo-1.0.0.tgz"},
		"not said":                    {"", "", "MIRROR/foo/-/foo-1.0.0.tgz"},
		"of another host":             {"", "https://elsewhere.example/foo/-/foo-1.0.0.tgz", "MIRROR/foo/-/foo-1.0.0.tgz"},
		"below a path":                {"/npm/", "REGISTRY/foo/-/foo-1.0.0.tgz", "MIRROR/npm/foo/-/foo-1.0.0.tgz"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, built)
			mirror := s.behindMirror(c.path)
			replace := strings.NewReplacer("REGISTRY", s.base, "MIRROR", strings.TrimSuffix(mirror, c.path))
			project, err := lockfile.ParseLockfile("package-lock.json", swap(t, s.lock("foo@1.0.0"), "node_modules/foo", func(e map[string]any) {
				if e["resolved"] = replace.Replace(c.resolved); c.resolved == "" {
					delete(e, "resolved")
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.inspector.Project(context.Background(), project); err != nil {
				t.Fatal(err)
			}
			if got := s.fetched(); !slices.Equal(got, []string{replace.Replace(c.want)}) {
				t.Errorf("fetched %v", got)
			}
		})
	}
}

// TestFetchedOnce: places that differ in their address alone are about one tarball.
func TestFetchedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		entry func(e map[string]any)
		want  int
	}{
		"another path": {func(e map[string]any) {
			e["resolved"] = strings.Replace(e["resolved"].(string), "/foo/-/", "/x/foo/-/", 1)
		}, 1},
		"no address": {func(e map[string]any) { delete(e, "resolved") }, 1},
		"the digest, and another": {func(e map[string]any) {
			e["integrity"] = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= " + e["integrity"].(string)
		}, 1},
		"another digest": {func(e map[string]any) { e["integrity"] = otherIntegrity }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, built)
			report := s.checkOnce(twice(t, s.lock("foo@1.0.0"), c.entry))
			if len(report.Packages) != 2 || len(s.fetched()) != c.want {
				t.Errorf("%d packages, fetched %v", len(report.Packages), s.fetched())
			}
		})
	}
}

// twice puts foo in a second place of a lockfile, with another entry.
func twice(t *testing.T, lock []byte, change func(e map[string]any)) []byte {
	t.Helper()
	return packagesOf(t, lock, func(p map[string]any) {
		e := maps.Clone(p["node_modules/foo"].(map[string]any))
		change(e)
		p["node_modules/x/node_modules/foo"] = e
	})
}

// TestPackNames: npm pack gives two packages' tarballs one name. One that is another's is
// not at hand; one that is the package's own, with other bytes, is another matter.
func TestPackNames(t *testing.T) {
	manifest := func(name, more string) string {
		return "-- " + name + "@1.0.0/package/package.json --\n{\"name\": \"" + name + "\", \"version\": \"1.0.0\"" + more + "}\n"
	}
	s := newScene(t, manifest("@foo/bar", "")+manifest("foo-bar", ""))
	changed := newScene(t, manifest("foo-bar", `, "main": "other.js"`))
	lock := s.lock("@foo/bar@1.0.0", "foo-bar@1.0.0")
	tarball := func(s *scene, path string) []byte {
		answer, err := http.Get(s.base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		data, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, c := range map[string]struct {
		file         []byte
		scoped, bare string
	}{
		"of the scoped one":           {tarball(s, "/@foo/bar/-/bar-1.0.0.tgz"), "", "TARBALL_MISSING"},
		"of the one without a scope":  {tarball(s, "/foo-bar/-/foo-bar-1.0.0.tgz"), "TARBALL_MISSING", ""},
		"one with other bytes":        {tarball(changed, "/foo-bar/-/foo-bar-1.0.0.tgz"), "TARBALL_MISSING", "TARBALL_MISMATCH"},
		"one that is of nobody's":     {[]byte("no tarball"), "TARBALL_MISMATCH", "TARBALL_MISMATCH"},
		"one that is there in no way": {nil, "TARBALL_MISSING", "TARBALL_MISSING"},
	} {
		t.Run(name, func(t *testing.T) {
			s.connect()
			files := fstest.MapFS{}
			if c.file != nil {
				files["foo-bar-1.0.0.tgz"] = &fstest.MapFile{Data: c.file}
			}
			s.inspector.Tarballs = &npm.SourcedTarballs{Sources: []npm.TarballSource{npm.FolderTarballs{Files: files}}}
			project, err := lockfile.ParseLockfile("package-lock.json", lock)
			if err != nil {
				t.Fatal(err)
			}
			report, err := s.inspector.Project(context.Background(), project)
			if err != nil {
				t.Fatal(err)
			}
			for pkg, want := range map[string]string{"@foo/bar@1.0.0": c.scoped, "foo-bar@1.0.0": c.bare} {
				if got := aboutTarball(result(t, report, pkg)); got != want {
					t.Errorf("%s: expected %q, found %q", pkg, want, got)
				}
			}
		})
	}
}

// aboutTarball is the code of what was found about a package's tarball.
func aboutTarball(r npm.Result) string {
	for _, f := range r.Findings {
		if strings.HasPrefix(string(f.Code), "TARBALL_") {
			return string(f.Code)
		}
	}
	return ""
}

// savedTarballs keeps tarballs in memory.
type savedTarballs struct {
	mu    sync.Mutex
	files fstest.MapFS
}

func (k *savedTarballs) save(name string, r io.Reader) (io.ReadCloser, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files[name] = &fstest.MapFile{Data: data}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// TestTwoDigestsOffline: where one version is demanded with two digests, what was at hand
// for one of them was not for the other, and offline that is the same.
func TestTwoDigestsOffline(t *testing.T) {
	for name, c := range map[string]struct {
		other       string
		cached      bool
		here, there string // of the good digest, and of the other
	}{
		"fetched":                {otherIntegrity, false, "", "TARBALL_MISMATCH"},
		"in npm's cache":         {otherIntegrity, true, "", "TARBALL_MISSING"},
		"in npm's cache, a sha1": {"sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", true, "", "TARBALL_MISSING"},
		"in npm's cache, none":   {"", true, "", "TARBALL_MISSING"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 8 { // in whatever order the two are checked
				s := newScene(t, built)
				lock := s.lock("foo@1.0.0")
				sum := digestIn(t, lock, "node_modules/foo")
				answer, err := http.Get(s.base + "/foo/-/foo-1.0.0.tgz")
				if err != nil {
					t.Fatal(err)
				}
				data, err := io.ReadAll(answer.Body)
				if answer.Body.Close(); err != nil {
					t.Fatal(err)
				}
				s.connect()
				online, kept := s.inspector.Evidence.(*npm.Online), &savedTarballs{files: fstest.MapFS{}}
				sources := &npm.SourcedTarballs{Save: kept.save, Noted: online.NoteTarball, Sources: s.inspector.Tarballs.(*npm.SourcedTarballs).Sources}
				if c.cached {
					sources.Sources = []npm.TarballSource{npm.CachedTarballs{Files: fstest.MapFS{"_cacache/content-v2/sha512/" + sum[:2] + "/" + sum[2:4] + "/" + sum[4:]: {Data: data}}}}
				}
				online.WithTarballs, s.inspector.Tarballs = true, sources
				project, err := lockfile.ParseLockfile("package-lock.json", twice(t, lock, func(e map[string]any) { e["integrity"] = c.other }))
				if err != nil {
					t.Fatal(err)
				}
				report, err := s.inspector.Project(context.Background(), project)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range report.Packages {
					if want := map[bool]string{true: c.there, false: c.here}[r.Integrity == c.other]; aboutTarball(r) != want {
						t.Errorf("%s: expected %q, found %q", r.Integrity, want, aboutTarball(r))
					}
				}
				s.inspector.Tarballs = &npm.SourcedTarballs{Sources: []npm.TarballSource{npm.FolderTarballs{Files: merged(kept.files, s.saved)}}}
				s.sameOffline(project, report)
			}
		})
	}
}

func merged(all ...fstest.MapFS) fstest.MapFS {
	one := fstest.MapFS{}
	for _, files := range all {
		maps.Copy(one, files)
	}
	return one
}
