// Command sigstore-kms-e2e serves keys in files to Sigstore's KMS plugin protocol, for
// tests: e2e://FILE is the private key (PKCS#8 PEM) in FILE. The name FILE also says
// what goes wrong, if it contains "lies" or "silent".
package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
)

// plugin is one key.
type plugin struct {
	signature.SignerVerifier
	file string
}

func (p plugin) DefaultAlgorithm() string      { return "as the file" }
func (p plugin) SupportedAlgorithms() []string { return []string{"as the file"} }
func (p plugin) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.New("keys are made with openssl")
}
func (p plugin) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.New("not served")
}

func (p plugin) SignMessage(message io.Reader, options ...signature.SignOption) ([]byte, error) {
	if strings.Contains(p.file, "lies") {
		message = strings.NewReader("something else")
	}
	return p.SignerVerifier.SignMessage(message, options...)
}

func main() {
	args, err := handler.GetPluginArgs(os.Args)
	if err == nil {
		err = serve(args)
	}
	if err != nil {
		handler.WriteErrorResponse(os.Stdout, err)
	}
}

func serve(args *common.PluginArgs) error {
	file := strings.TrimPrefix(args.InitOptions.KeyResourceID, "e2e://")
	if strings.Contains(file, "silent") {
		os.Stdout.WriteString("{}\n")
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return errors.New("expected PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	sv, err := signature.LoadSignerVerifier(key, args.InitOptions.HashFunc)
	if err != nil {
		return err
	}
	_, err = handler.Dispatch(os.Stdout, os.Stdin, args, plugin{sv, file})
	return err
}
