// Package kms signs with keys that a key management service or a hardware module
// keeps, through Sigstore's plugin protocol: a program sigstore-kms-NAME on PATH serves
// the keys NAME://REFERENCE, so that no service's own library is linked here.
package kms

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"os/exec"
	"regexp"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"plimsoll.example/attest"
)

var reference = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)://.`)

// IsReference says whether a key is named NAME://REFERENCE.
func IsReference(key string) bool { return reference.MatchString(key) }

// ErrNoPlugin reports a program that is not on PATH.
var ErrNoPlugin = errors.New("no such program on PATH")

// A Signer is a key that a plugin serves. The plugin is run anew for each signature.
type Signer struct {
	reference string
	public    *attest.PublicKey
}

var _ attest.Signer = (*Signer)(nil)

// Open asks the plugin for the public key. The error is [ErrNoPlugin] where there is no
// program for this kind of key.
func Open(ctx context.Context, key string) (signer *Signer, err error) {
	defer recovered(&err)
	parts := reference.FindStringSubmatch(key)
	if parts == nil {
		return nil, fmt.Errorf("expected NAME://REFERENCE, found %q", key)
	}
	program := cliplugin.PluginBinaryPrefix + parts[1]
	if _, err := exec.LookPath(program); err != nil {
		return nil, fmt.Errorf("%s: %w", program, ErrNoPlugin)
	}
	client, err := cliplugin.LoadSignerVerifier(ctx, key, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	found, err := within(ctx, func() (crypto.PublicKey, error) { return client.PublicKey(options.WithContext(ctx)) })
	if err != nil {
		return nil, fmt.Errorf("%s: asking for the public key of %q: %w", program, key, err)
	}
	public, err := attest.NewPublicKey(found)
	if err != nil {
		return nil, fmt.Errorf("%s: key %q: %w", program, key, err)
	}
	return &Signer{key, public}, nil
}

// PublicHalf implements [attest.Signer].
func (s *Signer) PublicHalf() *attest.PublicKey { return s.public }

// SignMessage implements [attest.Signer]. The plugin is given the message; the
// signature is whatever it answers.
func (s *Signer) SignMessage(ctx context.Context, message []byte, scheme attest.Scheme) (sig []byte, err error) {
	defer recovered(&err)
	hash := s.public.Hash(scheme)
	client, err := cliplugin.LoadSignerVerifier(ctx, s.reference, hash)
	if err != nil {
		return nil, err
	}
	how := []signature.SignOption{options.WithContext(ctx)}
	if hash != 0 {
		how = append(how, options.WithCryptoSignerOpts(hash))
	}
	return within(ctx, func() ([]byte, error) { return client.SignMessage(bytes.NewReader(message), how...) })
}

// within asks a plugin, until ctx ends: then the library ends the program, but would
// wait for what that started and what holds its output.
func within[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() { answers <- a }()
		defer recovered(&a.err)
		a.value, a.err = ask()
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// recovered turns a panic into an error: the protocol's client takes it for granted that
// an answer holds what was asked for.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the plugin's answer is not what was asked for (%v)", p)
	}
}
