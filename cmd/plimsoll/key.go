package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"plimsoll.example/attest"
	"plimsoll.example/attest/kms"
)

const keyHelp = `Usage: plimsoll key generate [-o FILE] [--algorithm NAME] [--passphrase-file FILE | --no-passphrase]
       plimsoll key show FILE|NAME://REFERENCE [--passphrase-file FILE]
       plimsoll key import FILE -o NEW [--passphrase-file FILE] [--new-passphrase-file FILE | --no-passphrase]

generate makes a key, ECDSA P-256 unless --algorithm says another: FILE holds the
private key (mode 0600), FILE.pub the public one. With a passphrase the private key
is encrypted in Sigstore's form, which cosign reads too. On a terminal the passphrase
is asked for; elsewhere it comes from --passphrase-file, and without one the key is
not encrypted, which is said. An existing file is never overwritten.

show tells the names of a private or public key, its kind, and its public half. It asks
the program sigstore-kms-NAME on PATH about a key that a key management service holds.

import reads a private key that another tool made (PEM: SEC1, PKCS#8 plain or
encrypted, cosign's) and writes it as generate does.

Examples:
  plimsoll key generate -o release.pem
  plimsoll key generate -o ci.pem --passphrase-file passphrase
  plimsoll key show release.pem.pub
  plimsoll key import cosign.key -o release.pem --passphrase-file old --new-passphrase-file new
`

// defaultKeyFile is where key generate writes without -o.
const defaultKeyFile = "key.pem"

// maxKeyFile bounds key and passphrase files.
const maxKeyFile = 64 << 10

// passphraseUsage tells what --passphrase-file takes, for every command.
const passphraseUsage = "the key's passphrase: the first line of this file, or of descriptor N for fd:N"

func runKey(ctx context.Context, io stdio, args []string) error {
	word := ""
	if len(args) > 0 {
		word = args[0]
	}
	switch word {
	case "generate":
		return runKeyGenerate(io, args[1:])
	case "show":
		return runKeyShow(ctx, io, args[1:])
	case "import":
		return runKeyImport(io, args[1:])
	}
	flags := newFlags(io, "key", keyHelp)
	if err := parse(flags, args); err != nil {
		return err
	}
	return usagef("key: expected the word generate, show or import, found %q", word)
}

// newKeyFlags say how a private key is written.
type newKeyFlags struct {
	flag                string // that names the passphrase's file
	out, passphraseFile string
	plain               bool
}

func (f newKeyFlags) check(command string) error {
	switch {
	case f.out == "":
		return usagef("key %s: --output: expected a file name", command)
	case f.plain && f.passphraseFile != "":
		return usagef("key %s: --no-passphrase and --%s contradict each other", command, f.flag)
	}
	return nil
}

// write writes a key with the passphrase that the flags or the terminal give.
func (f newKeyFlags) write(io stdio, key *attest.Key) error {
	var passphrase []byte
	var err error
	switch {
	case f.passphraseFile != "":
		passphrase, err = readPassphrase(f.passphraseFile)
	case !f.plain && isTerminal(io):
		passphrase, err = askNewPassphrase(io)
	}
	if err != nil {
		return err
	}
	if len(passphrase) == 0 {
		fmt.Fprintf(io.err, "plimsoll: the private key is not encrypted; --%s FILE encrypts it\n", f.flag)
	}
	if err := writeKey(key, f.out, passphrase); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "key %s\nprivate %s\npublic  %s.pub\n", key.ID(), printable(f.out), printable(f.out))
	return err
}

func runKeyGenerate(io stdio, args []string) error {
	f := newKeyFlags{flag: "passphrase-file"}
	flags := newFlags(io, "key generate", keyHelp)
	flags.StringVarP(&f.out, "output", "o", defaultKeyFile, "the private key's file; the public key goes to FILE.pub")
	flags.StringVar(&f.passphraseFile, f.flag, "", passphraseUsage)
	flags.BoolVar(&f.plain, "no-passphrase", false, "do not encrypt the private key, and do not ask")
	algorithm := flags.String("algorithm", attest.DefaultKeyAlgorithm, strings.Join(attest.KeyAlgorithms(), ", "))
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() != 0:
		return usagef("key generate: expected no argument, found %q", flags.Arg(0)).withHint("-o FILE names the file")
	case !slices.Contains(attest.KeyAlgorithms(), *algorithm):
		return usagef("key generate: --algorithm: expected one of %s, found %q", strings.Join(attest.KeyAlgorithms(), ", "), *algorithm)
	}
	if err := f.check("generate"); err != nil {
		return err
	}
	key, err := attest.GenerateKey(*algorithm)
	if err != nil {
		return err
	}
	return f.write(io, key)
}

func runKeyImport(io stdio, args []string) error {
	f := newKeyFlags{flag: "new-passphrase-file"}
	flags := newFlags(io, "key import", keyHelp)
	flags.StringVarP(&f.out, "output", "o", "", "the private key's new file; the public key goes to FILE.pub (required)")
	old := flags.String("passphrase-file", "", passphraseUsage)
	flags.StringVar(&f.passphraseFile, f.flag, "", "encrypt the new file with the first line of this file, or of descriptor N for fd:N")
	flags.BoolVar(&f.plain, "no-passphrase", false, "do not encrypt the new file, and do not ask")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("key import: expected one FILE, found %d", flags.NArg())
	}
	if err := f.check("import"); err != nil {
		return err
	}
	key, err := loadKey(io, flags.Arg(0), *old)
	if err != nil {
		return err
	}
	return f.write(io, key)
}

// publicHalf reads the public half of a key: its own file, the private key's, or a key
// management service's.
func publicHalf(ctx context.Context, io stdio, name, passphraseFile string) (*attest.PublicKey, error) {
	if kms.IsReference(name) {
		key, err := openKMS(ctx, name)
		if err != nil {
			return nil, err
		}
		return key.PublicHalf(), nil
	}
	data, err := readBounded(name, maxKeyFile)
	if err != nil {
		return nil, failed(fmt.Errorf("reading key: %w", err))
	}
	if key, err := attest.ParsePublicHalf(data); err == nil {
		return key, nil
	}
	private, err := loadKey(io, name, passphraseFile)
	if err != nil {
		return nil, err
	}
	return private.PublicHalf(), nil
}

func runKeyShow(ctx context.Context, io stdio, args []string) error {
	flags := newFlags(io, "key show", keyHelp)
	passphraseFile := flags.String("passphrase-file", "", passphraseUsage)
	var format string
	addFormat(flags, &format)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("key show: expected one FILE, found %d", flags.NArg())
	}
	key, err := publicHalf(ctx, io, flags.Arg(0), *passphraseFile)
	if err != nil {
		return err
	}
	if format == "json" {
		encoder := json.NewEncoder(io.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Schema    string `json:"schema"`
			ID        string `json:"id"`
			Hint      string `json:"hint"`
			Algorithm string `json:"algorithm"`
			PublicPEM string `json:"publicPEM"`
		}{"https://plimsoll.example/schema/key/v1", key.ID(), key.Hint(), key.Algorithm(), string(key.PEM())})
	}
	_, err = fmt.Fprintf(io.out, "key       %s\nalgorithm %s\nhint      %s\n%s", key.ID(), key.Algorithm(), key.Hint(), key.PEM())
	return err
}
