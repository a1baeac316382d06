package main

import (
	"github.com/spf13/pflag"

	"plimsoll.example/verify/sigstore"
)

// npmTrust says whose signatures count: a trust root, and the keys of registries.
type npmTrust struct {
	root, keys string

	rootName, rootDigest string
	keysName, keysDigest string
	keysJSON             []byte
}

func (t *npmTrust) add(flags *pflag.FlagSet) {
	flags.StringVar(&t.root, "trusted-root", "", "verify certificates and logs by this trust root (trusted_root.json) instead of the embedded one")
	flags.StringVar(&t.keys, "registry-keys", "", "the keys that the registry signs with (keys.json, or as a registry serves them) instead of npm's embedded ones")
}

// maxKeysFile bounds a list of a registry's keys.
const maxKeysFile = 1 << 20

// open reads root and keys. They are the operator's own files: mistakes are usage
// errors.
func (t *npmTrust) open() (*sigstore.LogChecker, *sigstore.RegistryKeys, error) {
	rootJSON, err := t.read(t.root, "--trusted-root", &t.rootName, sigstore.PublicGoodJSON(), maxRootFile)
	if err != nil {
		return nil, nil, err
	}
	if t.keysJSON, err = t.read(t.keys, "--registry-keys", &t.keysName, sigstore.NPMKeysJSON(), maxKeysFile); err != nil {
		return nil, nil, err
	}
	root, err := sigstore.ParseRoot(rootJSON)
	if err != nil {
		return nil, nil, usagef("npm: %s: %w", t.rootName, err)
	}
	attestationKeys, err := sigstore.ParseNPMKeys(t.keysJSON, sigstore.UsageAttestations)
	if err != nil {
		return nil, nil, usagef("npm: %s: %w", t.keysName, err)
	}
	keys, err := sigstore.ParseRegistryKeys(t.keysJSON)
	if err != nil {
		return nil, nil, usagef("npm: %s: %w", t.keysName, err)
	}
	checker, err := sigstore.NewLogChecker(root, attestationKeys)
	if err != nil {
		return nil, nil, usagef("npm: %s: %w", t.keysName, err)
	}
	t.rootDigest, t.keysDigest = root.Digest(), keys.Digest()
	return checker, keys, nil
}

func (t *npmTrust) read(file, flag string, name *string, embedded []byte, most int64) ([]byte, error) {
	if file == "" {
		*name = "embedded"
		return embedded, nil
	}
	*name = file
	data, err := readBounded(file, most)
	if err != nil {
		return nil, usagef("npm: %s: %w", flag, err)
	}
	return data, nil
}

// npmChecker knows the embedded trust root and npm's attestation keys.
func npmChecker() (*sigstore.LogChecker, error) {
	checker, _, err := (&npmTrust{}).open()
	return checker, err
}
