package advisory

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// doc returns a record: members are further ones, with a comma in front.
func doc(id, pkg, about, members string) string {
	return fmt.Sprintf(`{"schema_version": "1.7.4", "id": %q, "modified": "2026-05-12T19:03:07Z", "summary": "Malicious code in %s (npm)",
		"note": "long", "affected": [{"package": {"ecosystem": "npm", "name": %q}%s}]%s}`, id, pkg, pkg, about, members)
}

const all = `, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]`

func folder(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, data := range files {
		m[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return m
}

func zipped(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(files[name]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func open(t testing.TB, files map[string]string) *Database {
	t.Helper()
	d, err := OpenFolder(t.Context(), folder(files))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ids(records []Record) string {
	var list []string
	for _, r := range records {
		list = append(list, r.ID)
	}
	return strings.Join(list, " ")
}

// TestFolderAndZip: the same records, whichever way they come.
func TestFolderAndZip(t *testing.T) {
	files := map[string]string{
		"npm/a/MAL-2025-2.json":      doc("MAL-2025-2", "a", all, ""),
		"npm/b/deep/MAL-2025-1.json": doc("MAL-2025-1", "a", `, "versions": ["1.0.0"]`, ""),
		"MAL-2025-3.json":            strings.Replace(doc("MAL-2025-3", "b", all, `, "withdrawn": "2026-01-01T00:00:00Z"`), "2026-05-12", "2026-05-14", 1),
		"MAL-2025-4.json":            strings.Replace(doc("MAL-2025-4", "a", all, ""), `"npm"`, `"PyPI"`, 1),
		"GHSA-1.json":                "not even JSON",
		"README.md":                  "",
	}
	d := open(t, files)
	archive := zipped(t, files)
	z, err := OpenZip(t.Context(), bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	want := Info{
		Digest:  d.Info().Digest,
		Records: 3, Withdrawn: 1, Newest: time.Date(2026, 5, 14, 19, 3, 7, 0, time.UTC),
	}
	if d.Info() != want || z.Info() != want {
		t.Errorf("folder %+v, zip %+v, expected %+v", d.Info(), z.Info(), want)
	}
	delete(files, "MAL-2025-4.json")
	if got := open(t, files).Info(); got != want {
		t.Errorf("without another ecosystem %+v, expected %+v", got, want)
	}
	for _, d := range []*Database{d, z} {
		if got := ids(d.Malicious("a", "1.0.0")); got != "MAL-2025-1 MAL-2025-2" {
			t.Errorf("a@1.0.0: %s", got)
		}
		if got := d.Malicious("a", "2.0.0"); len(got) != 1 || got[0].Summary != "Malicious code in a (npm)" || got[0].Modified.IsZero() {
			t.Errorf("a@2.0.0: %+v", got)
		}
		if got := d.Malicious("b", "1.0.0"); got != nil {
			t.Errorf("withdrawn, and returned: %+v", got)
		}
		if got := d.Malicious("c", "1.0.0"); got != nil {
			t.Errorf("another package: %+v", got)
		}
	}
	files["MAL-2025-3.json"] += " "
	if open(t, files).Info().Digest == want.Digest {
		t.Error("a record was changed, and the digest is the same")
	}
}

// TestDigest is the digest as it is documented, made by sha256sum.
func TestDigest(t *testing.T) {
	d := open(t, map[string]string{
		"x/MAL-1.json": `{"id":"MAL-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"a"}}]}`,
		"MAL-2.json":   `{"id":"MAL-2","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"b"}}]}`,
	})
	if got, want := d.Info().Digest, "sha256:66ea864f77e1b225a9f74cdadc49c18a0f842500ca9265fde00e7afc3a85d904"; got != want {
		t.Errorf("digest %s, expected %s", got, want)
	}
}

// TestMalicious: which versions of the package "Some-Name" or "a" a record is about.
func TestMalicious(t *testing.T) {
	semverRange := func(events string) string {
		return `, "ranges": [{"type": "SEMVER", "events": [` + events + `]}]`
	}
	tests := []struct {
		name, about, yes, no string
	}{
		{"neither versions nor ranges", ``, "1.0.0 x", ""},
		{"both empty", `, "versions": [], "ranges": []`, "1.0.0 x", ""},
		{"both null", `, "versions": null, "ranges": null`, "1.0.0", ""},
		{"listed", `, "versions": ["1.0.0", "v3.0.0", "odd"]`, "1.0.0 v1.0.0 =1.0.0 1.0.0+build 3.0.0 v3.0.0 odd", "1.0.1 1.0.0-a 2.0.0 x"},
		{"an empty version listed", `, "versions": ["1.0.0", null]`, "2.0.0", ""},
		{"from the beginning", semverRange(`{"introduced": "0"}`), "0.0.0-0 99.0.0 x", ""},
		{"fixed", semverRange(`{"introduced": "1.0.0"}, {"fixed": "2.0.0"}`), "1.0.0 1.9.9 2.0.0-rc.1 x 1.0 v1.5.0", "0.9.9 1.0.0-a 2.0.0 3.0.0"},
		{"last affected", semverRange(`{"introduced": "1.0.0"}, {"last_affected": "1.2.0"}`), "1.0.0 1.2.0 1.2.0+b", "1.2.1 0.9.0 1.3.0-a"},
		{"one version", semverRange(`{"introduced": "1.0.0"}, {"last_affected": "1.0.0"}`), "1.0.0", "1.0.1 0.9.9"},
		{"two intervals, not in order", semverRange(`{"fixed": "3.2.0"}, {"introduced": "3.0.0"}, {"introduced": "1.0.0"}, {"fixed": "1.5.0"}`), "1.0.0 1.4.9 3.1.0", "0.1.0 1.5.0 2.0.0 3.2.0"},
		{"fixed and introduced again", semverRange(`{"introduced": "0"}, {"introduced": "2.0.0"}, {"fixed": "2.0.0"}, {"fixed": "3.0.0"}`), "1.0.0 2.0.0", "3.0.0"},
		{"limit", semverRange(`{"introduced": "1.0.0"}, {"limit": "2.0.0"}`), "1.5.0", "2.0.0 0.1.0"},
		{"two limits", semverRange(`{"introduced": "1.0.0"}, {"limit": "2.0.0"}, {"limit": "3.0.0"}`), "2.5.0", "3.0.0"},
		{"no limit", semverRange(`{"introduced": "1.0.0"}, {"limit": "2.0.0"}, {"limit": "*"}`), "9.0.0", "0.1.0"},
		{"numbers, not text", semverRange(`{"introduced": "1.9.0"}, {"fixed": "1.10.0"}`), "1.9.5", "1.10.0 1.1.0"},
		{"order of prereleases", semverRange(`{"introduced": "1.0.0-alpha.2"}, {"fixed": "1.0.0-alpha.10"}`), "1.0.0-alpha.9", "1.0.0-alpha.10 1.0.0-alpha.beta 1.0.0"},
		{"versions and a range", `, "versions": ["5.0.0"]` + semverRange(`{"introduced": "1.0.0"}, {"fixed": "2.0.0"}`), "5.0.0 1.5.0 x", "4.0.0"},
		{"two ranges", `, "ranges": [{"type": "SEMVER", "events": [{"introduced": "1.0.0"}, {"fixed": "1.1.0"}]}, {"type": "SEMVER", "events": [{"introduced": "2.0.0"}, {"fixed": "2.1.0"}]}]`, "1.0.5 2.0.5", "1.1.0 3.0.0"},
		{"another range with versions", `, "versions": ["5.0.0"], "ranges": [{"type": "GIT", "repo": "x", "events": [{"introduced": "0"}]}]`, "5.0.0 x", "4.0.0"},

		{"another range without versions", `, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.0.0"}, {"fixed": "1.1.0"}]}]`, "9.0.0 0.0.1", ""},
		{"type in small letters", `, "ranges": [{"type": "semver", "events": [{"introduced": "1.0.0"}, {"fixed": "1.1.0"}]}]`, "9.0.0 0.0.1", ""},
		{"no type", `, "ranges": [{"events": [{"introduced": "1.0.0"}, {"fixed": "1.1.0"}]}]`, "9.0.0 0.0.1", ""},
		{"no events", semverRange(``), "9.0.0 0.0.1", ""},
		{"no introduced", semverRange(`{"fixed": "1.0.0"}`), "9.0.0 0.0.1", ""},
		{"fixed and last affected", semverRange(`{"introduced": "1.0.0"}, {"last_affected": "1.1.0"}, {"fixed": "1.2.0"}`), "9.0.0 0.0.1", ""},
		{"two in an event", semverRange(`{"introduced": "1.0.0", "fixed": "1.1.0"}`), "9.0.0 0.0.1", ""},
		{"an unknown event", semverRange(`{"introduced": "1.0.0"}, {"Fixed": "1.1.0"}`), "9.0.0 0.0.1", ""},
		{"a version that is none", semverRange(`{"introduced": "1.0.0"}, {"fixed": "1.1"}`), "9.0.0 0.0.1", ""},
		{"a version with v", semverRange(`{"introduced": "v1.0.0"}, {"fixed": "1.1.0"}`), "9.0.0 0.0.1", ""},
		{"an empty version", semverRange(`{"introduced": "1.0.0"}, {"fixed": ""}`), "9.0.0 0.0.1", ""},
		{"fixed at 0", semverRange(`{"introduced": "1.0.0"}, {"fixed": "0"}`), "9.0.0 0.0.1", ""},
		{"a limit that is none", semverRange(`{"introduced": "1.0.0"}, {"limit": "x"}`), "9.0.0 0.0.1", ""},
		{"unreadable next to versions", `, "versions": ["1.0.0"]` + semverRange(`{"fixed": "1.0.0"}`), "9.0.0 0.0.1", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := open(t, map[string]string{"MAL-1.json": doc("MAL-1", "a", test.about, "")})
			for _, v := range append(strings.Fields(test.yes), "", " ") {
				if d.Malicious("a", v) == nil {
					t.Errorf("%q is not found", v)
				}
			}
			for v := range strings.FieldsSeq(test.no) {
				if d.Malicious("a", v) != nil {
					t.Errorf("%q is found", v)
				}
			}
			if d.Malicious("b", "1.0.0") != nil {
				t.Error("another package is found")
			}
		})
	}
}

func TestNames(t *testing.T) {
	d := open(t, map[string]string{
		"MAL-1.json": doc("MAL-1", "small", all, ""),
		"MAL-2.json": doc("MAL-2", "@Scope/Capital", all, ""),
		"MAL-3.json": doc("MAL-3", "Small", `, "versions": ["1.0.0"]`, ""),
		"MAL-4.json": strings.Replace(doc("MAL-4", "suffix", all, ""), `"npm"`, `"npm:https://mirror.example"`, 1),
		// Two entries of one package: the record is returned once.
		"MAL-5.json": doc("MAL-5", "twice", `, "versions": ["1.0.0"]}, {"package": {"ecosystem": "PyPI", "name": "python"}}, {"package": {"ecosystem": "npm", "name": "twice"}, "versions": ["1.0.0", "2.0.0"]`, ""),
	})
	for _, test := range []struct{ name, version, want string }{
		{"small", "2.0.0", "MAL-1"},
		{"small", "1.0.0", "MAL-1 MAL-3"},
		{"Small", "2.0.0", ""},
		{"SMALL", "1.0.0", "MAL-3"},
		{"@Scope/Capital", "1.0.0", "MAL-2"},
		{"@scope/capital", "1.0.0", "MAL-2"},
		{"capital", "1.0.0", ""},
		{"suffix", "1.0.0", "MAL-4"},
		{"twice", "1.0.0", "MAL-5"},
		{"twice", "2.0.0", "MAL-5"},
		{"twice", "3.0.0", ""},
		{"python", "1.0.0", ""},
		{"", "", ""},
	} {
		if got := ids(d.Malicious(test.name, test.version)); got != test.want {
			t.Errorf("%s@%s: %q, expected %q", test.name, test.version, got, test.want)
		}
	}
}

func TestWithdrawn(t *testing.T) {
	for _, test := range []struct {
		name, member string
		found        bool
	}{
		{"absent", ``, true},
		{"null", `, "withdrawn": null`, true},
		{"in capitals", `, "Withdrawn": "2026-01-01T00:00:00Z"`, true},
		{"before", `, "withdrawn": "2026-01-01T00:00:00Z"`, false},
		{"when modified", `, "withdrawn": "2026-05-12T19:03:07.123456Z"`, false},
		{"some hours later", `, "withdrawn": "2026-05-13T02:00:00Z"`, false},
		{"in the future", `, "withdrawn": "2036-01-01T00:00:00Z"`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := open(t, map[string]string{"MAL-1.json": doc("MAL-1", "a", all, test.member)})
			if found := d.Malicious("a", "1.0.0") != nil; found != test.found || (d.Info().Withdrawn == 0) != test.found {
				t.Errorf("found: %v, expected %v; %+v", found, test.found, d.Info())
			}
		})
	}
	// Nothing else need be in a withdrawn record about nothing.
	open(t, map[string]string{
		"MAL-1.json": doc("MAL-1", "a", all, ""),
		"MAL-2.json": `{"id": "MAL-2", "modified": "2026-01-01T00:00:00Z", "withdrawn": "2026-01-01T00:00:00Z"}`,
	})
}

// TestRefused: with one such record there is no database.
func TestRefused(t *testing.T) {
	good := doc("MAL-2", "a", all, "")
	for _, test := range []struct{ name, data, want string }{
		{"empty", "", "EOF"},
		{"not JSON", "{", "EOF"},
		{"a list", "[]", "unexpected"},
		{"trailing data", good + "{}", "after top-level value"},
		{"two ids", strings.Replace(good, "{", `{"id": "MAL-2", `, 1), "duplicate"},
		{"two withdrawn", strings.Replace(good, "{", `{"withdrawn": null, "withdrawn": "2026-01-01T00:00:00Z", `, 1), "duplicate"},
		{"duplicates where nothing is read", strings.Replace(good, "{", `{"x": [{"y": 1, "y": 2}], `, 1), "duplicate"},
		{"two versions", doc("MAL-2", "a", `, "versions": ["1.0.0"], "versions": []`, ""), "duplicate"},
		{"not UTF-8", strings.Replace(good, "long", "\xff", 1), "UTF-8"},
		{"a number for a version", doc("MAL-2", "a", `, "versions": [1]`, ""), `unexpected number at "/affected/0/versions/0"`},
		{"another id", doc("MAL-3", "a", all, ""), `id "MAL-3", expected "MAL-2"`},
		{"id in small letters", doc("mal-2", "a", all, ""), "expected"},
		{"no id", strings.Replace(good, `"id"`, `"ID"`, 1), `id "", expected`},
		{"no modified", strings.Replace(good, `"modified"`, `"Modified"`, 1), `no date in "modified"`},
		{"modified null", strings.Replace(good, `"2026-05-12T19:03:07Z"`, `null`, 1), `no date in "modified"`},
		{"modified is no date", strings.Replace(good, `2026-05-12T19`, `2026-05-12 19`, 1), `expected a date`},
		{"modified in the year 1", strings.Replace(good, `2026-05-12T19:03:07Z`, `0001-01-01T00:00:00Z`, 1), `expected a date`},
		{"withdrawn empty", doc("MAL-2", "a", all, `, "withdrawn": ""`), `no date in "withdrawn"`},
		{"withdrawn is no date", doc("MAL-2", "a", all, `, "withdrawn": "yes"`), `expected a date`},
		{"withdrawn is true", doc("MAL-2", "a", all, `, "withdrawn": true`), `unexpected true at "/withdrawn"`},
		{"no affected", strings.Replace(good, `"affected"`, `"Affected"`, 1), `nothing in "affected"`},
		{"no package", strings.Replace(good, `"package"`, `"Package"`, 1), `no "package" at /affected/0`},
		{"no package and no range", strings.Replace(good, `"affected": [`, `"affected": [{}, `, 1), `no "package" at /affected/0`},
		{"no ecosystem", strings.Replace(good, `"ecosystem"`, `"Ecosystem"`, 1), `no "ecosystem" at /affected/0`},
		{"no name", strings.Replace(good, `"name"`, `"Name"`, 1), `no "name" at /affected/0`},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{"MAL-1.json": doc("MAL-1", "a", all, ""), "x/MAL-2.json": test.data}
			archive := zipped(t, files)
			_, err := OpenFolder(t.Context(), folder(files))
			_, zipErr := OpenZip(t.Context(), bytes.NewReader(archive), int64(len(archive)))
			for _, err := range []error{err, zipErr} {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `advisory "x/MAL-2.json": `) {
					t.Errorf("%v, expected %q and the file", err, test.want)
				}
			}
		})
	}
}

// TestIDs: an id goes into reports and into the digest's lines.
func TestIDs(t *testing.T) {
	for _, id := range []string{"MAL-1 2", "MAL-\x1b[2J", "MAL-1\u202e2", "MAL-1\n", "MAL-" + strings.Repeat("1", 200)} {
		_, err := OpenFolder(t.Context(), folder(map[string]string{id + ".json": strings.Replace(doc("ID", "a", all, ""), `"ID"`, string(quote(t, id)), 1)}))
		if err == nil || !strings.Contains(err.Error(), "no id has") {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func quote(t *testing.T, text string) []byte {
	t.Helper()
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	return quoted
}

func TestOtherEcosystems(t *testing.T) {
	files := map[string]string{}
	for i, other := range []string{"PyPI", "Root:npm", "npmx", "NPM", "crates.io"} {
		id := fmt.Sprintf("MAL-%d", i)
		files[id+".json"] = strings.Replace(doc(id, "a", all, ""), `"npm"`, fmt.Sprintf("%q", other), 1)
	}
	files["MAL-9.json"] = `{"id": "MAL-9", "modified": "2026-01-01T00:00:00Z", "affected": [{"ranges": [{"type": "GIT"}]}]}`
	if _, err := OpenFolder(t.Context(), folder(files)); !errors.Is(err, ErrEmpty) {
		t.Errorf("%v, expected %v", err, ErrEmpty)
	}
}

func TestFresh(t *testing.T) {
	d := open(t, map[string]string{"MAL-1.json": doc("MAL-1", "a", all, ""), "MAL-2.json": doc("MAL-2", "a", all, "")})
	newest := time.Date(2026, 5, 12, 19, 3, 7, 0, time.UTC)
	day := 24 * time.Hour
	if err := d.Fresh(newest.Add(7*day), 7*day, 2); err != nil {
		t.Error(err)
	}
	if err := d.Fresh(newest.Add(-day), 7*day, 2); err != nil {
		t.Error(err)
	}
	var old *TooOldError
	if err := d.Fresh(newest.Add(7*day+time.Second), 7*day, 2); !errors.As(err, &old) || old.Newest != newest || old.Age != 7*day+time.Second || old.Max != 7*day {
		t.Error(err)
	}
	if err := d.Fresh(newest.Add(time.Second), 0, 2); !errors.As(err, &old) {
		t.Error(err)
	}
	var future *FutureError
	if err := d.Fresh(newest.Add(-day-time.Second), 7*day, 2); !errors.As(err, &future) || future.Newest != newest {
		t.Error(err)
	}
	if err := d.Fresh(time.Time{}, 7*day, 2); !errors.As(err, &future) {
		t.Error(err)
	}
	var small *TooSmallError
	if err := d.Fresh(newest, 7*day, 3); !errors.As(err, &small) || small.Records != 2 || small.Least != 3 {
		t.Error(err)
	}
	if err := new(Database).Fresh(time.Time{}, 7*day, 0); !errors.As(err, &small) || small.Least != 1 {
		t.Error(err)
	}
}

func TestZeroDatabase(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the zero Database answered")
		}
	}()
	new(Database).Malicious("a", "1.0.0")
}

func TestSummaryIsCut(t *testing.T) {
	long := strings.Repeat("ä", 1000)
	d := open(t, map[string]string{"MAL-1.json": strings.Replace(doc("MAL-1", "a", all, ""), "Malicious code", long+"x", 1)})
	if s := d.Malicious("a", "1.0.0")[0].Summary; s != strings.Repeat("ä", maxSummary/2)+"..." {
		t.Error(s)
	}
}
