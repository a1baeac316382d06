package npm_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/npmtest"
	"plimsoll.example/verify/npm/registry"
	"plimsoll.example/verify/sigstore"
)

// sceneSigstore is shared: its keys take time to make.
var sceneSigstore = sync.OnceValues(npmtest.NewSigstore)

// sceneNow is when scenes are decided; packages are published in March unless they say
// otherwise.
var sceneNow = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// A scene is a project, a registry and who checks one against the other.
type scene struct {
	t         *testing.T
	sigstore  *npmtest.Sigstore
	registry  *npmtest.Registry
	base      string
	inspector *npm.Inspector
	saved     fstest.MapFS
}

func newScene(t *testing.T, packages string) *scene {
	t.Helper()
	s := &scene{t: t, saved: fstest.MapFS{}}
	var err error
	if s.sigstore, err = sceneSigstore(); err != nil {
		t.Fatal(err)
	}
	if s.registry, err = npmtest.NewRegistry(s.sigstore, txtar.Parse([]byte(packages))); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.registry)
	t.Cleanup(server.Close)
	s.base = server.URL
	s.registry.SetBase(s.base)
	s.inspector = &npm.Inspector{Checker: s.checker(s.sigstore.NPMKeys()), Now: sceneNow, MinAge: 72 * time.Hour, Sleep: 365 * 24 * time.Hour}
	if s.inspector.Keys, err = sigstore.ParseRegistryKeys(s.sigstore.NPMKeys()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) checker(keysJSON []byte) verify.Checker {
	s.t.Helper()
	root, err := sigstore.ParseRoot(s.sigstore.TrustedRoot())
	if err != nil {
		s.t.Fatal(err)
	}
	keys, err := sigstore.ParseNPMKeys(keysJSON, sigstore.UsageAttestations)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := sigstore.NewLogChecker(root, keys)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// connect makes a new client, whose answers are saved, and fetches tarballs too.
func (s *scene) connect() {
	s.t.Helper()
	config, err := registry.Read(registry.Inputs{Flag: s.base})
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := registry.NewClient(config, registry.Options{Wait: time.Millisecond, PerRequest: 20 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	var mu sync.Mutex
	s.inspector.Evidence = &npm.Online{Client: client, Save: func(name string, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		s.saved[name] = &fstest.MapFile{Data: data}
		return nil
	}}
	s.inspector.Tarballs = &npm.SourcedTarballs{Sources: []npm.TarballSource{npm.FetchedTarballs{Client: client}}}
}

// lock is the lockfile of packages.
func (s *scene) lock(packages ...string) []byte { return s.registry.Lockfile("project", packages...) }

func (s *scene) check(lock []byte) *npm.Report {
	s.t.Helper()
	report := s.checkOnce(lock)
	project, err := lockfile.ParseLockfile("package-lock.json", lock)
	if err != nil {
		s.t.Fatal(err)
	}
	s.sameOffline(project, report)
	return report
}

// checkOnce does not decide again from what was saved: tarballs are not.
func (s *scene) checkOnce(lock []byte) *npm.Report {
	s.t.Helper()
	project, err := lockfile.ParseLockfile("package-lock.json", lock)
	if err != nil {
		s.t.Fatal(err)
	}
	s.connect()
	report, err := s.inspector.Project(context.Background(), project)
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

// sameOffline decides again from the saved answers alone.
func (s *scene) sameOffline(project *lockfile.Project, online *npm.Report) {
	s.t.Helper()
	again := *s.inspector
	again.Evidence = npm.Answers{Files: s.saved}
	report, err := again.Project(context.Background(), project)
	if err != nil {
		s.t.Fatal(err)
	}
	if a, b := toJSON(s.t, online), toJSON(s.t, report); a != b {
		s.t.Errorf("offline the report differs:\n%s\nonline:\n%s", b, a)
	}
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// record takes what was found of packages as what is expected.
func (s *scene) record(packages ...string) {
	s.t.Helper()
	report := s.check(s.lock(packages...))
	for _, r := range report.Packages {
		if r.Outcome == npm.Denied || r.Outcome == npm.Undecided {
			s.t.Fatalf("%s cannot be recorded: %+v", r.Package, r.Findings)
		}
	}
	s.inspector.Expectations = s.inspector.Expectations.Update(report)
}

// codes lists what speaks against a package.
func codes(report *npm.Report, pkg string) []string {
	var list []string
	for _, r := range report.Packages {
		if r.Package != pkg {
			continue
		}
		for _, f := range r.Findings {
			if f.Effect != verify.NotMade && f.WaivedBy == "" {
				list = append(list, f.Effect.String()+" "+string(f.Code))
			}
		}
	}
	return list
}

func result(t *testing.T, report *npm.Report, pkg string) npm.Result {
	t.Helper()
	for _, r := range report.Packages {
		if r.Package == pkg {
			return r
		}
	}
	t.Fatalf("no result about %s", pkg)
	return npm.Result{}
}

// denies demands that a package is denied, for one reason at least that is code.
func (s *scene) denies(report *npm.Report, pkg string, code verify.Code) {
	s.t.Helper()
	r := result(s.t, report, pkg)
	if r.Outcome != npm.Denied || !slices.Contains(codes(report, pkg), "deny "+string(code)) {
		s.t.Errorf("%s: expected a denial for %s, found %v: %v", pkg, code, r.Outcome, codes(report, pkg))
	}
	for _, f := range r.Findings {
		if f.Expected == "" || f.Found == "" || f.Remedy == "" {
			s.t.Errorf("%s: expected, found and remedy are not all there: %+v", pkg, f)
		}
	}
}

// holds demands that nothing speaks against a package.
func (s *scene) holds(report *npm.Report, pkg string) {
	s.t.Helper()
	if r := result(s.t, report, pkg); r.Outcome != npm.Held || len(codes(report, pkg)) > 0 {
		s.t.Errorf("%s: expected that it holds, found %v: %v", pkg, r.Outcome, codes(report, pkg))
	}
}

// built is a package foo with provenance of acme/foo.
const built = `
-- foo@1.0.0/package/package.json --
{"name": "foo", "version": "1.0.0", "repository": "github:acme/foo"}
-- foo@1.0.0/registry.json --
{"provenance": true, "user": "ci", "maintainers": ["ann", "bob"], "trustedPublisher": true}
`

// next is a version of foo that is built otherwise.
func next(version, registryJSON string) string {
	return "-- foo@" + version + `/package/package.json --
{"name": "foo", "version": "` + version + `", "repository": "github:acme/foo"}
-- foo@` + version + `/registry.json --
` + registryJSON + "\n"
}

// swap replaces one package's integrity in a lockfile.
func swap(t *testing.T, lock []byte, place string, change func(entry map[string]any)) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(lock, &doc); err != nil {
		t.Fatal(err)
	}
	change(at(doc, "packages", place).(map[string]any))
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// packagesOf changes the packages of a lockfile.
func packagesOf(t *testing.T, lock []byte, change func(packages map[string]any)) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(lock, &doc); err != nil {
		t.Fatal(err)
	}
	change(doc["packages"].(map[string]any))
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// digestIn is the SHA-512 in a lockfile, in hexadecimal.
func digestIn(t *testing.T, lock []byte, place string) string {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(lock, &doc); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(at(doc, "packages", place, "integrity").(string), "sha512-"))
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(raw)
}
