package sigstore_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/sigstore"
)

var conformanceDir = flag.String("conformance", "../../../shared/vectors/conformance", "folder of Sigstore client conformance cases")

// Who signed the cases that name no key.
const (
	beaconIdentity = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
	beaconIssuer   = "https://token.actions.githubusercontent.com"
)

// TestConformance runs Sigstore's client conformance cases: a folder a case, and
// a name that ends in _fail must be refused.
func TestConformance(t *testing.T) {
	cases, err := os.ReadDir(*conformanceDir)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no conformance cases at %s", *conformanceDir)
	}
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range cases {
		if !c.IsDir() {
			continue
		}
		ran++
		t.Run(c.Name(), func(t *testing.T) {
			err := runCase(filepath.Join(*conformanceDir, c.Name()))
			if fail := strings.HasSuffix(c.Name(), "_fail"); fail && err == nil {
				t.Error("accepted, expected a refusal")
			} else if !fail && err != nil {
				t.Errorf("refused: %v", err)
			} else if err != nil {
				t.Log(err)
			}
		})
	}
	if ran == 0 {
		t.Fatalf("no case in %s", *conformanceDir)
	}
}

func runCase(dir string) error {
	bundle, err := os.ReadFile(filepath.Join(dir, "bundle.sigstore.json"))
	if err != nil {
		return err
	}
	artifact, err := os.ReadFile(filepath.Join(dir, "artifact"))
	if errors.Is(err, fs.ErrNotExist) {
		artifact, err = os.ReadFile(filepath.Join(filepath.Dir(dir), "a.txt"))
	}
	if err != nil {
		return err
	}
	trusted, err := caseRoot(filepath.Join(dir, "trusted_root.json"))
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	byKey := err == nil
	var keys []sigstore.Key
	if byKey {
		if keys, err = caseKeys(bundle, pem); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	checker, err := sigstore.NewLogChecker(trusted, keys)
	if err != nil {
		return err
	}
	s256, s384, s512 := sha256.Sum256(artifact), sha512.Sum384(artifact), sha512.Sum512(artifact)
	signature, err := checker.CheckArtifact(bundle, map[string][]byte{"sha256": s256[:], "sha384": s384[:], "sha512": s512[:]})
	switch {
	case err != nil:
		return err
	case byKey && signature.KeyID == "":
		return errors.New("expected a signature by the key, found one by a certificate")
	case byKey:
		return nil
	case signature.Certificate == nil:
		return errors.New("expected a signature by a certificate")
	case signature.Certificate.Identity != beaconIdentity || signature.Certificate.Issuer != beaconIssuer:
		return fmt.Errorf("expected the beacon's identity, found %+v", signature.Certificate)
	}
	return nil
}

func caseRoot(file string) (*sigstore.Root, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return sigstore.PublicGood()
	}
	if err != nil {
		return nil, err
	}
	return sigstore.ParseRoot(data)
}

// caseKeys trusts the case's key under whatever name the bundle gives it.
func caseKeys(bundle, pem []byte) ([]sigstore.Key, error) {
	public, err := attest.ParsePublicKey(pem)
	if err != nil {
		return nil, err
	}
	hint := ""
	if _, rest, ok := strings.Cut(string(bundle), `"hint"`); ok {
		hint = strings.Split(rest, `"`)[1]
	}
	return []sigstore.Key{{Hint: hint, Public: public}}, nil
}

var _ verify.Checker = (*sigstore.LogChecker)(nil)
var _ verify.Checker = (*sigstore.KeyChecker)(nil)
