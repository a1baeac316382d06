package sigstore_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"plimsoll.example/verify/sigstore"
)

// tufRepository serves a TUF repository that one key signs.
type tufRepository struct {
	files map[string][]byte
	key   ed25519.PrivateKey
}

func newTUF(t *testing.T, target []byte, expires time.Time) *tufRepository {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &tufRepository{files: map[string][]byte{}, key: private}
	key, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	root := metadata.Root(expires)
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		if err := root.Signed.AddKey(key, role); err != nil {
			t.Fatal(err)
		}
	}
	targets := metadata.Targets(expires)
	info, err := metadata.TargetFile().FromBytes("trusted_root.json", target, "sha256")
	if err != nil {
		t.Fatal(err)
	}
	targets.Signed.Targets["trusted_root.json"] = info
	snapshot, timestamp := metadata.Snapshot(expires), metadata.Timestamp(expires)
	r.files["1.root.json"] = sign(t, r, root)
	r.files["1.targets.json"] = sign(t, r, targets)
	r.files["1.snapshot.json"] = sign(t, r, snapshot)
	r.files["timestamp.json"] = sign(t, r, timestamp)
	r.files["targets/"+info.Hashes["sha256"].String()+".trusted_root.json"] = target
	return r
}

func sign[T metadata.Roles](t *testing.T, r *tufRepository, m *metadata.Metadata[T]) []byte {
	t.Helper()
	signer, err := signature.LoadSigner(r.key, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Sign(signer); err != nil {
		t.Fatal(err)
	}
	data, err := m.ToBytes(false)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (r *tufRepository) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		data, ok := r.files[strings.TrimPrefix(q.URL.Path, "/")]
		if !ok {
			http.NotFound(w, q)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestFetchTrustRoot(t *testing.T) {
	good := sigstore.PublicGoodJSON()
	year := time.Now().AddDate(1, 0, 0)
	fresh := func() *tufRepository { return newTUF(t, good, year) }
	ctx := context.Background()
	r := fresh()
	fetched, err := sigstore.Repository{URL: r.serve(t), Root: r.files["1.root.json"]}.Fetch(ctx)
	if err != nil || string(fetched.Root) != string(good) || fetched.RootVersion != 1 || fetched.TimestampVersion != 1 || fetched.Expires.Unix() != year.Unix() {
		t.Fatalf("found %+v, %v", fetched, err)
	}
	for name, attack := range map[string]func(*tufRepository) *tufRepository{
		"another root key":      func(*tufRepository) *tufRepository { return fresh() },
		"a changed target":      func(r *tufRepository) *tufRepository { return r.change("trusted_root.json", "rekor", "rekom") },
		"changed targets":       func(r *tufRepository) *tufRepository { return r.change("1.targets.json", `"version":1`, `"version":2`) },
		"an expired timestamp":  func(*tufRepository) *tufRepository { return newTUF(t, good, time.Now().Add(-time.Hour)) },
		"no timestamp":          func(r *tufRepository) *tufRepository { delete(r.files, "timestamp.json"); return r },
		"no target":             func(r *tufRepository) *tufRepository { return r.remove("trusted_root.json") },
		"a target that is none": func(*tufRepository) *tufRepository { return newTUF(t, []byte(`{"a":1}`), year) },
	} {
		t.Run(name, func(t *testing.T) {
			r := fresh()
			attacked := attack(r)
			from := attacked.files["1.root.json"]
			if name == "another root key" {
				from = r.files["1.root.json"]
			}
			if found, err := (sigstore.Repository{URL: attacked.serve(t), Root: from}).Fetch(ctx); err == nil {
				t.Errorf("accepted %d bytes", len(found.Root))
			}
		})
	}
	for _, r := range []sigstore.Repository{{URL: "x", Root: good}, {URL: "https://a.example"}, {URL: "file:///x", Root: good}, {URL: r.serve(t), Root: []byte("junk")}} {
		if _, err := r.Fetch(ctx); err == nil {
			t.Errorf("%+v: accepted", r)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := (sigstore.Repository{URL: r.serve(t), Root: r.files["1.root.json"]}).Fetch(cancelled); err == nil {
		t.Error("a cancelled context: accepted")
	}
}

func (r *tufRepository) change(suffix, from, to string) *tufRepository {
	for name, data := range r.files {
		if strings.HasSuffix(name, suffix) {
			r.files[name] = []byte(strings.Replace(string(data), from, to, 1))
		}
	}
	return r
}

func (r *tufRepository) remove(suffix string) *tufRepository {
	for name := range r.files {
		if strings.HasSuffix(name, suffix) {
			delete(r.files, name)
		}
	}
	return r
}

func TestRootsAsLines(t *testing.T) {
	line := strings.Join(strings.Fields(string(sigstore.PublicGoodJSON())), "")
	both, err := sigstore.ParseRoot([]byte(line + "\n" + line + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	one, err := sigstore.PublicGood()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(both.Authorities()); n < len(one.Authorities()) {
		t.Errorf("found %d authorities", n)
	}
	for _, bad := range []string{"", "\n\n", line + "\njunk\n", line + "\n{\"a\":1,\"a\":2}\n"} {
		if _, err := sigstore.ParseRoot([]byte(bad)); err == nil {
			t.Errorf("%.20q: accepted", bad)
		}
	}
}
