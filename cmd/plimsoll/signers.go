package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/attest/kms"
	"plimsoll.example/attest/sigstore"
	verifysigstore "plimsoll.example/verify/sigstore"
)

// signer is who signs: a key, or an identity.
type signer interface {
	name() string
	sign(ctx context.Context, payload []byte) ([]byte, error)
	// made says whether an attestation names this signer. Nothing is verified.
	made(attest.Parsed) bool
}

// keySigner signs with a key, and has services vouch for it if there are any.
type keySigner struct {
	attest.Signer
	notary *sigstore.Notary // nil: nobody is asked
}

func (s keySigner) name() string                   { return "key " + s.PublicHalf().ID() }
func (s keySigner) made(parsed attest.Parsed) bool { return parsed.KeyHint == s.PublicHalf().Hint() }
func (s keySigner) sign(ctx context.Context, payload []byte) ([]byte, error) {
	if s.notary == nil {
		return attest.Attest(ctx, s.Signer, payload)
	}
	return s.notary.ByKey(ctx, s.Signer, payload)
}

// identitySigner signs as an identity.
type identitySigner struct{ *sigstore.Keyless }

func (s identitySigner) name() string {
	subject, issuer := s.Certified()
	if subject == "" {
		return s.Claimed()
	}
	return fmt.Sprintf("%s (%s)", subject, issuer)
}
func (s identitySigner) sign(ctx context.Context, payload []byte) ([]byte, error) {
	return s.Bundle(ctx, payload)
}
func (s identitySigner) made(parsed attest.Parsed) bool {
	subject, issuer, err := sigstore.Identity(parsed.Leaf)
	mine, by := s.Certified()
	return err == nil && subject != "" && subject == mine && issuer == by
}

// signerFlags say who signs, and which services vouch for it.
type signerFlags struct {
	keys, passphraseFiles         []string
	keyless                       bool
	signingConfig, trustedRoot    string
	sharedRoot                    bool // --trusted-root is the command's own, and this one too
	timestamps, logs              []string
	token, tokenCommand, audience string
	patience                      time.Duration
}

func (f *signerFlags) add(flags *pflag.FlagSet) {
	f.addSigning(flags)
	f.sharedRoot = false
	flags.StringVar(&f.trustedRoot, "trusted-root", "", "verify the services' answers against this file (trusted_root.json) instead of the public-good root")
}

// addSigning adds all but the trust root, which a command may have already.
func (f *signerFlags) addSigning(flags *pflag.FlagSet) {
	f.sharedRoot = true
	flags.StringArrayVar(&f.keys, "key", nil, "sign with the private key in this file, or with NAME://REFERENCE through the program sigstore-kms-NAME; several sign several bundles")
	flags.StringArrayVar(&f.passphraseFiles, "passphrase-file", nil, passphraseUsage+"; for several keys one each, in their order")
	flags.BoolVar(&f.keyless, "keyless", false, "sign as the identity that this job has, by a certificate for it; from Sigstore's public-good instance unless --signing-config or --trusted-root names others")
	flags.StringVar(&f.signingConfig, "signing-config", "", "use the services that this file names (signing_config.json)")
	flags.StringArrayVar(&f.timestamps, "timestamp", nil, "have this timestamp authority (RFC 3161, its whole address) sign the time")
	flags.StringArrayVar(&f.logs, "log", nil, "record signatures in this transparency log (Rekor)")
	flags.StringVar(&f.token, "identity-token", "", "the identity token (OpenID Connect) for --keyless is in this file")
	flags.StringVar(&f.tokenCommand, "identity-command", "", "the identity token for --keyless is what this command prints; its words are split at spaces")
	flags.StringVar(&f.audience, "identity-audience", sigstore.DefaultAudience, "whom the identity token is for")
	flags.DurationVar(&f.patience, "service-timeout", sigstore.DefaultPatience, "how long a service may take for one request")
}

// files are those that the flags name.
func (f *signerFlags) files() []string {
	files := append([]string{f.signingConfig, f.trustedRoot, f.token}, f.passphraseFiles...)
	for _, key := range f.keys {
		if !kms.IsReference(key) {
			files = append(files, key)
		}
	}
	return files
}

// signers is how many sign.
func (f *signerFlags) signers() int {
	if f.keyless {
		return len(f.keys) + 1
	}
	return len(f.keys)
}

func (f *signerFlags) check(command string, flags *pflag.FlagSet) error {
	passphrases := len(f.passphraseFiles)
	switch {
	case f.signers() == 0:
		return usagef("%s: expected --key FILE or --keyless", command).withHint("plimsoll key generate makes a key")
	case passphrases > 1 && passphrases != len(f.keys):
		return usagef("%s: expected one --passphrase-file, or one for each of %d keys, found %d", command, len(f.keys), passphrases)
	case !f.keyless && (flags.Changed("identity-token") || flags.Changed("identity-command") || flags.Changed("identity-audience")):
		return usagef("%s: --identity-token, --identity-command and --identity-audience go with --keyless", command)
	case f.token != "" && f.tokenCommand != "":
		return usagef("%s: expected --identity-token or --identity-command, found both", command)
	case f.tokenCommand != "" && len(strings.Fields(f.tokenCommand)) == 0:
		return usagef("%s: --identity-command: expected a command", command)
	case passphrases > 0 && len(f.keys) == 0:
		return usagef("%s: --passphrase-file goes with --key", command)
	case f.patience <= 0:
		return usagef("%s: --service-timeout: expected more than 0, found %s", command, f.patience)
	case !f.online() && (flags.Changed("trusted-root") && !f.sharedRoot || flags.Changed("service-timeout")):
		return usagef("%s: --trusted-root and --service-timeout go with --keyless, --signing-config, --timestamp or --log", command)
	case f.sharedRoot:
		var err error
		f.trustedRoot, err = flags.GetString("trusted-root")
		return err
	}
	return nil
}

// ofSigning are the flags of addSigning.
var ofSigning = []string{"key", "keyless", "passphrase-file", "signing-config", "timestamp", "log", "identity-token", "identity-command", "identity-audience", "service-timeout"}

// checkSummary checks who signs a summary in file: one signs it, or nobody; without a
// file, the flags of signing and others have nothing to be about.
func (f *signerFlags) checkSummary(command, file string, flags *pflag.FlagSet, others ...string) error {
	given := slices.DeleteFunc(slices.Concat(others, ofSigning), func(name string) bool { return !flags.Changed(name) })
	switch {
	case file == "" && len(given) > 0:
		return usagef("%s: --%s goes with --vsa FILE", command, given[0])
	case f.signers() > 1:
		return usagef("%s: --vsa is one bundle; name one --key, or --keyless", command)
	case f.signers() == 0 && !slices.ContainsFunc(ofSigning, flags.Changed):
		return nil
	}
	return f.check(command, flags)
}

// online says whether any service is asked.
func (f *signerFlags) online() bool {
	return f.keyless || f.signingConfig != "" || len(f.timestamps)+len(f.logs) > 0
}

// signing is who signs, and who is asked.
type signing struct {
	signers []signer
	notary  *sigstore.Notary
	keyless *sigstore.Keyless
}

// prepare reads the keys, what names the services, and the identity token, so that what
// is wrong with them is found before any work is done. Nothing becomes public yet.
func (f *signerFlags) prepare(ctx context.Context, io stdio) (*signing, error) {
	keys, err := f.openKeys(ctx, io)
	if err != nil {
		return nil, err
	}
	s := &signing{}
	if f.online() {
		if s.notary, err = f.notary(ctx); err != nil {
			return nil, err
		}
	}
	for _, key := range keys {
		if s.notary != nil {
			if err := s.notary.Suits(key.PublicHalf()); err != nil {
				return nil, usagef("%w", err)
			}
		}
		s.signers = append(s.signers, keySigner{key, s.notary})
	}
	if f.keyless {
		if s.keyless, err = f.identity(ctx, s.notary); err != nil {
			return nil, err
		}
		s.signers = append(s.signers, identitySigner{s.keyless})
	}
	return s, nil
}

// localKey is the signer's key, if it is one in a file.
func (s *signing) localKey() *attest.Key {
	if by, ok := s.signers[0].(keySigner); ok {
		key, _ := by.Signer.(*attest.Key)
		return key
	}
	return nil
}

// begin says what becomes public, and gets the certificate.
func (s *signing) begin(ctx context.Context, io stdio) error {
	if s.notary == nil {
		return nil
	}
	fmt.Fprintf(io.err, "plimsoll: %s\n", printable(s.notary.Publishes(s.keyless, s.keyless == nil || len(s.signers) > 1)))
	if s.keyless == nil {
		return nil
	}
	if err := s.keyless.Certify(ctx); err != nil {
		return serviceFailed(err)
	}
	return nil
}

// openKeys reads the keys, each once.
func (f *signerFlags) openKeys(ctx context.Context, io stdio) ([]attest.Signer, error) {
	var keys []attest.Signer
	seen := map[string]string{}
	for i, name := range f.keys {
		key, err := f.openKey(ctx, io, i)
		if err != nil {
			return nil, err
		}
		id := key.PublicHalf().ID()
		if other, again := seen[id]; again {
			return nil, usagef("%q and %q are the same key; name it once", other, name)
		}
		seen[id] = name
		keys = append(keys, key)
	}
	return keys, nil
}

func (f *signerFlags) openKey(ctx context.Context, io stdio, i int) (attest.Signer, error) {
	name := f.keys[i]
	if kms.IsReference(name) {
		return openKMS(ctx, name)
	}
	passphrase := ""
	switch len(f.passphraseFiles) {
	case 0:
	case 1:
		passphrase = f.passphraseFiles[0]
	default:
		passphrase = f.passphraseFiles[i]
	}
	return loadKey(io, name, passphrase)
}

func openKMS(ctx context.Context, name string) (attest.Signer, error) {
	key, err := kms.Open(ctx, name)
	if errors.Is(err, kms.ErrNoPlugin) {
		return nil, failed(err).withHint("install the Sigstore KMS plugin for %s, or name a key in a file", name)
	}
	if err != nil {
		return nil, failed(err)
	}
	return key, nil
}

// notary wires the services that the flags name.
func (f *signerFlags) notary(ctx context.Context) (*sigstore.Notary, error) {
	trusted, err := f.root()
	if err != nil {
		return nil, err
	}
	var services sigstore.Services
	switch {
	case f.signingConfig != "":
		data, err := readBounded(f.signingConfig, maxRootFile)
		if err != nil {
			return nil, failed(fmt.Errorf("reading signing configuration: %w", err))
		}
		if services, err = sigstore.ParseSigningConfig(data, time.Now()); err != nil {
			return nil, usagef("%q: %w", f.signingConfig, err)
		}
		if !f.keyless {
			services.Fulcio = ""
		} else if services.Fulcio == "" {
			return nil, usagef("%q: it names no certificate authority (caUrls), which --keyless needs", f.signingConfig)
		}
	case f.keyless:
		if services, err = trusted.Services(time.Now()); err != nil {
			return nil, usagef("%w", err).withHint("--signing-config FILE names the services")
		}
	}
	if len(f.timestamps) > 0 { // what is named goes before what a file names
		services.Timestamps = f.timestamps
	}
	if len(f.logs) > 0 {
		services.Logs = nil
		for _, address := range f.logs {
			services.Logs = append(services.Logs, sigstore.Log{URL: address})
		}
	}
	if len(services.Timestamps)+len(services.Logs) == 0 && !f.keyless { // else the key would sign alone, and nobody would say so
		return nil, usagef("%q: it names neither a timestamp authority nor a log, and for a key nothing else counts", f.signingConfig)
	}
	notary, err := sigstore.NewNotary(ctx, services, trusted, f.patience)
	var service *sigstore.ServiceError
	switch {
	case errors.As(err, &service):
		return nil, serviceFailed(err)
	case err != nil:
		return nil, usagef("%w", err)
	}
	return notary, nil
}

// maxRootFile bounds trust roots and signing configurations.
const maxRootFile = 4 << 20

func (f *signerFlags) root() (*sigstore.Root, error) {
	data := verifysigstore.PublicGoodJSON()
	if f.trustedRoot != "" {
		var err error
		if data, err = readBounded(f.trustedRoot, maxRootFile); err != nil {
			return nil, failed(fmt.Errorf("reading trust root: %w", err))
		}
	}
	trusted, err := sigstore.ParseRoot(data)
	if err != nil {
		return nil, usagef("%q: %w", f.trustedRoot, err)
	}
	return trusted, nil
}

// identity finds the identity that --keyless signs as.
func (f *signerFlags) identity(ctx context.Context, notary *sigstore.Notary) (*sigstore.Keyless, error) {
	var source sigstore.TokenSource
	var err error
	switch words := strings.Fields(f.tokenCommand); {
	case f.token != "":
		source = sigstore.FileToken(f.token)
	case len(words) > 0:
		source = sigstore.CommandToken(words[0], words[1:]...)
	default:
		if source, err = sigstore.AmbientToken(os.Getenv, f.audience, f.patience); errors.Is(err, sigstore.ErrNoIdentity) {
			return nil, usagef("--keyless: %w", err).
				withHint("in GitHub Actions give the job the permission id-token: write; in GitLab CI an entry SIGSTORE_ID_TOKEN under id_tokens with aud: %s; elsewhere name --identity-token FILE or --identity-command CMD", f.audience)
		}
	}
	if err != nil {
		return nil, usagef("--keyless: %w", err)
	}
	keyless, err := notary.Keyless(ctx, source, f.audience)
	if err != nil {
		return nil, serviceFailed(err)
	}
	return keyless, nil
}

// serviceFailed is an error while signing, with what can be done.
func serviceFailed(err error) *exitError {
	var service *sigstore.ServiceError
	var known *exitError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, sigstore.ErrToken):
		return failed(err).withHint("nothing was written; get a new token: they live for minutes, and each is for one audience")
	case errors.As(err, &service):
		return failed(err).withHint("nothing was written; run the same command again when %s answers as it should", service.URL)
	}
	return failed(err).withHint("nothing was written")
}
