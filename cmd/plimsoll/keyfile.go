package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"plimsoll.example/attest"
)

// writeKey writes a new key and its public half, and overwrites neither.
func writeKey(key *attest.Key, file string, passphrase []byte) error {
	for _, f := range []string{file, file + ".pub"} {
		if _, err := os.Lstat(f); err == nil {
			return failed(fmt.Errorf("writing key: %q is there already", f)).withHint("a key that is overwritten is lost; name another file")
		} else if !errors.Is(err, fs.ErrNotExist) {
			return failed(fmt.Errorf("writing key: %w", err)).withHint("check that the folder is there and may be written to")
		}
	}
	private, err := key.PrivatePEM(passphrase)
	if err != nil {
		return err
	}
	staged, err := attest.Stage(file, private, 0o600)
	if err != nil {
		return failed(err).withHint("check that the folder is there and may be written to")
	}
	// The private key first, and never over another one: a key that is lost
	// cannot be made again.
	if err := staged.CommitNew(); err != nil {
		return failed(err).withHint("a key that is overwritten is lost; name another file")
	}
	if err := attest.WriteFile(file+".pub", key.PublicPEM(), 0o644); err != nil {
		os.Remove(file)
		return failed(err).withHint("check that the folder may be written to; nothing was written")
	}
	return nil
}

// loadKey reads a private key. The passphrase comes from a file or the terminal.
func loadKey(io stdio, file, passphraseFile string) (*attest.Key, error) {
	data, err := readBounded(file, maxKeyFile)
	if err != nil {
		return nil, failed(fmt.Errorf("reading key: %w", err)).withHint("plimsoll key generate -o %s makes one", file)
	}
	var passphrase []byte
	if passphraseFile != "" {
		if passphrase, err = readPassphrase(passphraseFile); err != nil {
			return nil, err
		}
	}
	key, err := attest.ParseKey(data, passphrase)
	if errors.Is(err, attest.ErrPassphrase) && passphraseFile == "" {
		if passphrase, err = askPassphrase(io, "Passphrase of "+file+": "); err != nil {
			return nil, err
		}
		key, err = attest.ParseKey(data, passphrase)
	}
	if errors.Is(err, attest.ErrPassphrase) {
		return nil, usagef("key %q: %w", file, err).withHint("--passphrase-file FILE names the file that holds it")
	}
	if err != nil {
		return nil, usagef("key %q: %w", file, err).withHint("openssl ecparam -genkey -name prime256v1 -noout, or plimsoll key generate, makes one that is read")
	}
	return key, nil
}

// readPassphrase reads the first line of a file, or of a descriptor.
func readPassphrase(file string) ([]byte, error) {
	var data []byte
	var err error
	if number, ok := strings.CutPrefix(file, "fd:"); ok {
		n, notNumber := strconv.Atoi(number)
		if notNumber != nil || n < 0 {
			return nil, usagef("passphrase: expected fd: and a number, found %q", file)
		}
		data, err = io.ReadAll(io.LimitReader(os.NewFile(uintptr(n), file), maxKeyFile))
	} else {
		data, err = readBounded(file, maxKeyFile)
	}
	if err != nil {
		return nil, failed(fmt.Errorf("reading passphrase: %w", err))
	}
	line, _, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return nil, usagef("passphrase file %q: its first line is empty", file)
	}
	return []byte(line), nil
}

// isTerminal says whether somebody can be asked.
func isTerminal(io stdio) bool {
	f, ok := io.in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func askNewPassphrase(io stdio) ([]byte, error) {
	first, err := askPassphrase(io, "Passphrase for the new key (empty: none): ")
	if err != nil || len(first) == 0 {
		return nil, err
	}
	again, err := askPassphrase(io, "The same once more: ")
	if err != nil {
		return nil, err
	}
	if string(first) != string(again) {
		return nil, usagef("key generate: the two passphrases differ")
	}
	return first, nil
}

// askPassphrase asks on the terminal; without one it says which flag to use.
func askPassphrase(io stdio, prompt string) ([]byte, error) {
	if !isTerminal(io) {
		return nil, usagef("the key is encrypted and standard input is no terminal to ask for its passphrase").
			withHint("--passphrase-file FILE names the file that holds it")
	}
	fmt.Fprint(io.err, printable(prompt))
	passphrase, err := term.ReadPassword(int(io.in.(*os.File).Fd()))
	fmt.Fprintln(io.err)
	if err != nil {
		return nil, failed(fmt.Errorf("reading passphrase: %w", err))
	}
	return passphrase, nil
}

// readBounded reads a regular file of at most so many bytes.
func readBounded(file string, most int64) ([]byte, error) {
	f, err := attest.OpenRegular(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%q: %w of %d bytes", file, errTooBig, most)
	}
	return data, err
}

// errTooBig reports a file over its bound.
var errTooBig = errors.New("it is over the bound")
