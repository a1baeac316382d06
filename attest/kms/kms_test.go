package kms_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"

	"plimsoll.example/attest"
	"plimsoll.example/attest/kms"
)

// TestMain is the plugin too, under its name.
func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "sigstore-kms-") {
		servePlugin()
		return
	}
	os.Exit(m.Run())
}

// plugin serves a P-384 key that each process makes for itself, so that no two answers
// go together, unless the key is called good: then it is always the same one.
type plugin struct{ signature.SignerVerifier }

func (plugin) DefaultAlgorithm() string      { return "" }
func (plugin) SupportedAlgorithms() []string { return nil }
func (plugin) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.New("no")
}
func (plugin) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.New("no")
}

func servePlugin() {
	args, err := handler.GetPluginArgs(os.Args)
	if err != nil {
		handler.WriteErrorResponse(os.Stdout, err)
		return
	}
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	switch name := args.InitOptions.KeyResourceID; {
	case strings.HasPrefix(name, "good"):
		data, readErr := os.ReadFile(os.Getenv("KMS_TEST_KEY"))
		if readErr != nil {
			handler.WriteErrorResponse(os.Stdout, readErr)
			return
		}
		key, err = ecdsa.ParseRawPrivateKey(elliptic.P384(), data)
	case name == "silent":
		io.WriteString(os.Stdout, "{}")
		return
	case name == "noise":
		io.WriteString(os.Stdout, "hello")
		return
	case name == "refuses":
		err = errors.New("the module is locked")
	}
	if err != nil {
		handler.WriteErrorResponse(os.Stdout, err)
		return
	}
	sv, err := signature.LoadECDSASignerVerifier(key, args.InitOptions.HashFunc)
	if err != nil {
		handler.WriteErrorResponse(os.Stdout, err)
		return
	}
	handler.Dispatch(os.Stdout, os.Stdin, args, plugin{sv})
}

func TestPlugin(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the plugin is a link to this test")
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "sigstore-kms-test")); err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KMS_TEST_KEY", filepath.Join(dir, "key"))
	t.Setenv("PATH", dir)

	good, err := kms.Open(t.Context(), "test://good")
	if err != nil {
		t.Fatal(err)
	}
	if !key.PublicKey.Equal(good.PublicHalf().Key()) {
		t.Error("expected the key's public half")
	}
	for _, scheme := range []attest.Scheme{attest.SchemeSHA256, attest.SchemeCurve} {
		env, err := attest.Sign(t.Context(), good, scheme, []byte("{}"))
		if err != nil || !good.PublicHalf().Verify(attest.PAE(attest.PayloadType, []byte("{}")), env.Signatures[0].Sig, scheme) {
			t.Errorf("scheme %d: %v", scheme, err)
		}
	}
	// a key that is another one each time
	other, err := kms.Open(t.Context(), "test://other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := attest.Sign(t.Context(), other, attest.SchemeSHA256, []byte("{}")); err == nil || !strings.Contains(err.Error(), "is not by this key") {
		t.Errorf("expected the signature to be refused, found %v", err)
	}
	for name, want := range map[string]string{
		"test://silent": "not what was asked for", "test://noise": "parsing plugin response", "test://refuses": "the module is locked",
		"none://key": "sigstore-kms-none: no such program on PATH", "key": "expected NAME://REFERENCE", "test://": "expected NAME://REFERENCE",
	} {
		if _, err := kms.Open(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, found %v", name, want, err)
		}
	}
	if _, err := kms.Open(t.Context(), "none://key"); !errors.Is(err, kms.ErrNoPlugin) {
		t.Error("expected the missing program to be told apart")
	}
	for name, want := range map[string]bool{"awskms:///alias/a": true, "hashivault://k": true, "key.pem": false, "C:\\key": false, "./a://b": false, "A://b": false} {
		if kms.IsReference(name) != want {
			t.Errorf("%s: expected %v", name, want)
		}
	}
}
