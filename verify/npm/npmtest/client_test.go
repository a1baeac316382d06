package npmtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll.example/verify/npm/npmtest"
)

// client runs npm's own client in a folder, with nothing of the user's.
func client(t *testing.T, s served, folder string, args ...string) string {
	t.Helper()
	home := t.TempDir()
	rc := filepath.Join(home, "npmrc")
	settings := "registry=" + s.url + "/\n" + strings.TrimPrefix(s.url, "http:") + "/:_authToken=token-of-the-test\n" +
		"cache=" + filepath.Join(home, "cache") + "\nfund=false\naudit=false\nupdate-notifier=false\nfetch-retries=0\n"
	if err := os.WriteFile(rc, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("npm", args...)
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "npm_config_userconfig=" + rc, "npm_config_globalconfig=" + filepath.Join(home, "none")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("npm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestClient: npm's own client publishes to the registry, installs from it, and takes
// a lockfile of it.
func TestClient(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not here")
	}
	s := serve(t, shop)
	mine, app, locked := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(mine, "package.json"), `{"name": "@acme/mine", "version": "1.0.0", "main": "main.js", "dependencies": {"foo": "1.0.0"}}`)
	write(t, filepath.Join(mine, "main.js"), "module.exports = require('foo')\n")
	client(t, s, mine, "publish", "--access=public")

	write(t, filepath.Join(app, "package.json"), `{"name": "app", "version": "1.0.0"}`)
	client(t, s, app, "install", "@acme/mine", "foo@1.1.0")
	for _, file := range []string{"@acme/mine/main.js", "@acme/mine/node_modules/foo/index.js", "@acme/bar/index.js", "foo/package.json"} {
		if _, err := os.Stat(filepath.Join(app, "node_modules", file)); err != nil {
			t.Error(err)
		}
	}

	write(t, filepath.Join(locked, "package.json"), `{"name": "app", "version": "1.0.0", "dependencies": {"foo": "1.0.0", "@acme/bar": "1.0.0"}}`)
	write(t, filepath.Join(locked, "package-lock.json"), string(s.Lockfile("app", "foo@1.0.0", "@acme/bar@1.0.0")))
	client(t, s, locked, "ci")
	if _, err := os.Stat(filepath.Join(locked, "node_modules/foo/index.js")); err != nil {
		t.Error(err)
	}
	authorized := false
	for _, r := range s.Requests() {
		authorized = authorized || r.Method == "PUT" && r.Authorization == "Bearer token-of-the-test"
	}
	if !authorized {
		t.Errorf("no publication with the token among %v", s.Requests())
	}
}

// TestClientVerifies: the library with which npm's client verifies attestations takes
// ours. It is stricter than sigstore-go in places (the size of a tree).
func TestClientVerifies(t *testing.T) {
	npmPath, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not here")
	}
	if npmPath, err = filepath.EvalSymlinks(npmPath); err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(filepath.Dir(npmPath), "..", "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "@sigstore", "verify")); err != nil {
		t.Skip("npm does not bring its library along")
	}
	s, folder := newSigstore(t), t.TempDir()
	_, digest := bytesOf("foo", "1.2.3")
	answer := s.Answer(s.Publish("foo", "1.2.3", digest, registryURL, march), s.Provenance("foo", "1.2.3", digest, npmtest.GitHub("acme/foo"), march))
	write(t, filepath.Join(folder, "root.json"), string(s.TrustedRoot()))
	write(t, filepath.Join(folder, "keys.json"), string(s.NPMKeys()))
	write(t, filepath.Join(folder, "answer.json"), string(answer))
	write(t, filepath.Join(folder, "verify.js"), `
const [modules, folder] = process.argv.slice(2)
const from = name => require(modules + '/@sigstore/' + name)
const read = name => JSON.parse(require('fs').readFileSync(folder + '/' + name))
const keys = read('keys.json').keys
const key = hint => {
  const { rawBytes } = keys.find(k => k.keyId === hint).publicKey
  const publicKey = require('crypto').createPublicKey({ key: Buffer.from(rawBytes, 'base64'), format: 'der', type: 'spki' })
  return { publicKey, validFor: () => true }
}
const { Verifier, toTrustMaterial, toSignedEntity } = from('verify')
const root = from('protobuf-specs').TrustedRoot.fromJSON(read('root.json'))
const verifier = new Verifier(toTrustMaterial(root, key), { tlogThreshold: 1, ctlogThreshold: 1 })
for (const a of read('answer.json').attestations) {
  verifier.verify(toSignedEntity(from('bundle').bundleFromJSON(a.bundle)))
  console.log('holds')
}
`)
	out, err := exec.Command("node", filepath.Join(folder, "verify.js"), modules, folder).CombinedOutput()
	if err != nil || strings.Count(string(out), "holds") != 2 {
		t.Errorf("expected two that hold, found %v\n%s", err, out)
	}
}
