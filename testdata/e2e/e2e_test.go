// Package e2e runs plimsoll against real services and lets other tools judge what it
// writes. testdata/e2e/run builds and starts what it needs.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"

	"e2e.plimsoll.example/services"
	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

// running are the services, nil where testdata/e2e/run did not start this.
var running *services.Services

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	bin := os.Getenv("PLIMSOLL_E2E")
	if bin == "" {
		fmt.Println("skipped: testdata/e2e/run starts this")
		return 0
	}
	dir, err := os.MkdirTemp("", "plimsoll-e2e")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	if running, err = services.Start(bin, dir); err != nil {
		fmt.Println(err)
		return 1
	}
	defer running.Stop()
	return m.Run()
}

// environment is what scripts know about the services.
func environment(env *testscript.Env) error {
	programs, err := npmModules()
	if err != nil {
		return err
	}
	env.Vars = append(env.Vars,
		"PATH="+os.Getenv("PATH"), "HOME="+env.WorkDir,
		"ROOT="+running.File("trusted_root.json"), "OTHERROOT="+running.File("other_root.json"),
		"CONFIG1="+running.File("signing_config_rekor1.json"), "CONFIG2="+running.File("signing_config_rekor2.json"),
		"FULCIO="+services.FulcioURL, "TSA="+services.TSAURL, "REKOR1="+services.Rekor1URL, "REKOR2="+services.Rekor2URL,
		"CI="+services.IssuerURL+"/ci", "PEOPLE="+services.IssuerURL+"/email", "IDENTITY="+services.Identity, "EMAIL="+services.Email,
		"ONCE="+services.OnceURL, "SLOW="+services.SlowURL, "AHEAD="+services.AheadURL, "ELSEWHERE="+services.ElsewhereURL,
		"ENDLESS="+services.EndlessURL, "BUSY="+services.BusyURL, "NOBODY="+services.NobodyURL,
		"TOKENURL="+services.IssuerURL+"/ci/token?api-version=2.0", "BEARER="+services.Bearer,
		"COSIGN="+filepath.Join(os.Getenv("PLIMSOLL_CORPUS"), "bin", "cosign"), "NPMMODULES="+programs,
		"NPMROOT="+running.File("npm_root.json"), "NPMKEYS="+running.File("npm_keys.json"), "NPMTUF="+running.File("tuf"), "WEBCA="+running.File("web-ca.pem"),
		"NPMREGISTRY=http://"+services.NPMRegistry, "GITHUBTOKEN="+services.IssuerURL+"/github/token?api-version=2.0",
		"TUF_ROOT="+filepath.Join(env.WorkDir, "tuf"),
	)
	for name, address := range services.Registries {
		env.Vars = append(env.Vars, name+"="+address)
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "npmverify.js"), []byte(npmVerify), 0o644)
}

func npmModules() (string, error) {
	out, err := exec.Command("npm", "root", "-g").Output()
	return filepath.Join(string(bytes.TrimSpace(out)), "npm", "node_modules"), err
}

// npmVerify is npm's own verifier on a bundle, a trust root and, if there is one, a key.
const npmVerify = `
const [,, bundle, root, key] = process.argv;
const from = name => require(process.env.NPMMODULES + '/' + name);
const read = file => JSON.parse(require('fs').readFileSync(file));
const { TrustedRoot } = from('@sigstore/protobuf-specs');
const { toTrustMaterial, toSignedEntity, Verifier } = from('@sigstore/verify');
const { bundleFromJSON } = from('@sigstore/bundle');
const keys = key && (() => ({ publicKey: require('crypto').createPublicKey(require('fs').readFileSync(key)), validFor: () => true }));
const signer = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(read(root)), keys)).verify(toSignedEntity(bundleFromJSON(read(bundle))));
console.log(signer.identity ? signer.identity.subjectAlternativeName : 'by key');
`

// TestScript runs the scripts of folder script.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               environment,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":    exits,
			"followed": followed,
			"config":   config,
			"token":    token,
			"image":    image,
			"kept":     kept,
			"junk":     junk,
			"remove":   remove,
			"check":    check,
			"registry": registry,
			"audited":  audited,
		},
	})
}

// exits CODE COMMAND...: the command ends with the code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("expected exit code %d, found %d", want, code)
	}
}

// config FILE FULCIO TSA VERSION REKOR: a signing configuration; "-" leaves one out.
func config(ts *testscript.TestScript, _ bool, args []string) {
	service := func(url string, version int) []any {
		if url == "-" {
			return []any{}
		}
		return []any{map[string]any{"url": url, "majorApiVersion": version, "validFor": map[string]any{"start": "2020-01-01T00:00:00Z"}, "operator": "e2e"}}
	}
	version, err := strconv.Atoi(args[3])
	ts.Check(err)
	data, err := json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
		"caUrls":    service(args[1], 1), "tsaUrls": service(args[2], 1), "rekorTlogUrls": service(args[4], version),
		"tsaConfig": map[string]any{"selector": "ALL"}, "rekorTlogConfig": map[string]any{"selector": "ALL"},
	})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// token FILE [expired|audience]: writes a person's identity token.
func token(ts *testscript.TestScript, _ bool, args []string) {
	claims := map[string]any{"sub": "1", "email": services.Email, "email_verified": true}
	audience := "sigstore"
	if len(args) > 1 && args[1] == "expired" {
		claims["exp"] = 1_700_000_000
	}
	if len(args) > 1 && args[1] == "audience" {
		audience = "elsewhere"
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(running.Issuer.Token("/email", audience, claims)), 0o600))
}

// check FILE [KEY]: our own verifier accepts each bundle in FILE; it prints who signed,
// how many signed times there are, and how many log entries with proofs.
func check(ts *testscript.TestScript, neg bool, args []string) {
	data, err := os.ReadFile(running.File("trusted_root.json"))
	ts.Check(err)
	trusted, err := sigstore.ParseRoot(data)
	ts.Check(err)
	var keys []sigstore.Key
	for _, file := range args[1:] {
		public, err := attest.ParsePublicHalf([]byte(ts.ReadFile(file)))
		ts.Check(err)
		keys = append(keys, sigstore.Key{Hint: public.Hint(), Public: public.Key()})
	}
	checker, err := sigstore.NewLogChecker(trusted, keys)
	ts.Check(err)
	for line := range bytes.Lines([]byte(ts.ReadFile(args[0]))) {
		line = bytes.TrimSpace(line)
		parsed, err := attest.ParseEnvelope(line)
		ts.Check(err)
		signed, err := checker.Check(context.Background(), verify.Raw{Parsed: parsed, JSON: line})
		if neg {
			if err == nil {
				ts.Fatalf("%s: accepted, expected a refusal", args[0])
			}
			fmt.Fprintln(ts.Stdout(), err)
			continue
		}
		ts.Check(err)
		who := "key"
		if signed.Certificate != nil {
			who = signed.Certificate.Identity + " " + signed.Certificate.Issuer
		}
		fmt.Fprintf(ts.Stdout(), "%s times=%d entries=%d proofs=%d scts=%d\n", who, len(signed.Times), signed.LogEntries, signed.Proofs, signed.SCTs)
	}
}

// followed: no redirection was followed.
func followed(ts *testscript.TestScript, _ bool, _ []string) {
	services.Elsewhere.Range(func(url, _ any) bool {
		ts.Fatalf("a redirection was followed to %v", url)
		return false
	})
}

// kept: no token was shown to a host that it is not for.
func kept(ts *testscript.TestScript, _ bool, _ []string) {
	services.Leaked.Range(func(shown, _ any) bool {
		ts.Fatalf("another host was shown %v", shown)
		return false
	})
}

// image REFERENCE VARIABLE [PLATFORM...]: pushes an image of random bytes, or an index of
// several, and sets VARIABLE to its digest, VARIABLE1 and so on to those of its images.
func image(ts *testscript.TestScript, _ bool, args []string) {
	tag, err := name.NewTag(args[0])
	ts.Check(err)
	auth := remote.WithAuth(&authn.Basic{Username: services.TokenUser, Password: services.TokenWord})
	set := func(variable string, taggable interface{ Digest() (v1.Hash, error) }) {
		digest, err := taggable.Digest()
		ts.Check(err)
		ts.Setenv(variable, digest.String())
	}
	if len(args) == 2 {
		one, err := random.Image(1000, 1)
		ts.Check(err)
		ts.Check(remote.Write(tag, one, auth))
		set(args[1], one)
		return
	}
	var index v1.ImageIndex = empty.Index
	for i, platform := range args[2:] {
		one, err := random.Image(1000, 1)
		ts.Check(err)
		p, err := v1.ParsePlatform(platform)
		ts.Check(err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: one, Descriptor: v1.Descriptor{Platform: p}})
		set(args[1]+strconv.Itoa(i+1), one)
	}
	ts.Check(remote.WriteIndex(tag, index, auth))
	set(args[1], index)
}

// junk REFERENCE: attaches what calls itself a bundle to an image, and is none.
func junk(ts *testscript.TestScript, _ bool, args []string) {
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	of, err := remote.Head(ref)
	ts.Check(err)
	one, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer([]byte("{"), attest.BundleMediaType))
	ts.Check(err)
	one = mutate.ConfigMediaType(one, attest.BundleMediaType)
	one = mutate.Subject(one, *of).(v1.Image)
	digest, err := one.Digest()
	ts.Check(err)
	ts.Check(remote.Write(ref.Context().Digest(digest.String()), one))
}

// remove REFERENCE...: deletes what is listed for an image, but for the list.
func remove(ts *testscript.TestScript, _ bool, args []string) {
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	of, err := remote.Head(ref)
	ts.Check(err)
	index, err := remote.Referrers(ref.Context().Digest(of.Digest.String()))
	ts.Check(err)
	list, err := index.IndexManifest()
	ts.Check(err)
	ts.Check(remote.Delete(ref.Context().Digest(list.Manifests[0].Digest.String())))
}
