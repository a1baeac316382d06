package sigstore

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/sigstore/sigstore/pkg/signature"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// A Key is a public key of a trust root, with its validity.
type Key struct {
	Hint      string // what bundles call it
	Public    crypto.PublicKey
	NotBefore time.Time
	NotAfter  time.Time // zero: no end
}

// What npm uses a key for (npm's keys.json, "keyUsage").
const (
	UsageAttestations = "npm:attestations"
	UsageSignatures   = "npm:signatures"
)

// maxKeys bounds a list of a registry's keys.
const maxKeys = 1 << 20

// NPMKeysJSON returns the embedded list of the keys that npm's registry signs with.
func NPMKeysJSON() []byte { return bytes.Clone(npmKeys) }

// NPMAttestationKeys returns the embedded keys with which npm's registry signs
// publish attestations.
func NPMAttestationKeys() ([]Key, error) { return ParseNPMKeys(npmKeys, UsageAttestations) }

// keyList is a list of keys in either of two forms: the trust root's, which gives
// each key a usage, and that in which a registry serves its keys (at
// /-/npm/v1/keys), where every key that names no usage is for everything.
type keyList struct {
	Keys []struct {
		KeyID     string `json:"keyId"`
		KeyUsage  string `json:"keyUsage"`
		PublicKey *struct {
			RawBytes   string `json:"rawBytes"`
			KeyDetails string `json:"keyDetails"`
			ValidFor   struct {
				Start time.Time  `json:"start"`
				End   *time.Time `json:"end"`
			} `json:"validFor"`
		} `json:"publicKey"`

		ServedID string     `json:"keyid"`
		Served   string     `json:"key"`
		Expires  *time.Time `json:"expires"`
	} `json:"keys"`
}

// ParseNPMKeys reads the keys for a usage from a list as the trust root has it
// (keys.json) or as a registry serves it. The caller must trust where data came
// from.
func ParseNPMKeys(data []byte, usage string) ([]Key, error) {
	if len(data) > maxKeys {
		return nil, fmt.Errorf("reading npm keys: expected at most %d bytes, found %d", maxKeys, len(data))
	}
	var list keyList
	if err := jsonv2.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("reading npm keys: %w", attest.JSONError(err))
	}
	var keys []Key
	for _, k := range list.Keys {
		key, raw, end := Key{Hint: k.KeyID}, "", k.Expires
		switch {
		case k.PublicKey != nil && k.Served != "":
			return nil, fmt.Errorf("reading npm keys: key %.100q has two forms at once", k.KeyID)
		case k.PublicKey != nil:
			if k.KeyUsage != usage {
				continue
			}
			if k.PublicKey.ValidFor.Start.IsZero() {
				return nil, fmt.Errorf("reading npm keys: key %.100q has no start of validity", k.KeyID)
			}
			raw, key.NotBefore, end = k.PublicKey.RawBytes, k.PublicKey.ValidFor.Start, k.PublicKey.ValidFor.End
		case k.KeyUsage != "" && k.KeyUsage != usage:
			continue
		default:
			raw, key.Hint = k.Served, k.ServedID
		}
		if end != nil {
			if !end.After(key.NotBefore) { // the zero time would be no end at all
				return nil, fmt.Errorf("reading npm keys: key %.100q ends before it is valid", key.Hint)
			}
			key.NotAfter = *end
		}
		if err := key.parse(raw); err != nil {
			return nil, err
		}
		for _, other := range keys {
			if other.Hint == key.Hint {
				return nil, fmt.Errorf("reading npm keys: key %.100q is there twice", key.Hint)
			}
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("reading npm keys: none is for %s", usage)
	}
	return keys, nil
}

func (k *Key) parse(encoded string) error {
	if k.Hint == "" {
		return errors.New("reading npm keys: a key has no id")
	}
	der, err := base64.StdEncoding.DecodeString(encoded)
	if err == nil {
		k.Public, err = x509.ParsePKIXPublicKey(der)
	}
	if err != nil {
		return fmt.Errorf("reading npm keys: key %.100q: %w", k.Hint, err)
	}
	return nil
}

// RegistryKeys are the keys with which a registry signs what it publishes. They may
// be used by several goroutines.
type RegistryKeys struct {
	keys      map[string]registryKey
	digest    string
	described string
}

type registryKey struct {
	Key
	verifier signature.Verifier
}

// ParseRegistryKeys reads the keys for signatures of packages from a list, as
// [ParseNPMKeys] does. The caller must trust where data came from.
func ParseRegistryKeys(data []byte) (*RegistryKeys, error) {
	keys, err := ParseNPMKeys(data, UsageSignatures)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	r := &RegistryKeys{keys: map[string]registryKey{}, digest: "sha256:" + hex.EncodeToString(sum[:])}
	for i, k := range keys {
		verifier, err := signature.LoadVerifier(k.Public, crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("reading npm keys: key %.100q: %w", k.Hint, err)
		}
		r.keys[k.Hint] = registryKey{k, verifier}
		if i > 0 {
			r.described += " or "
		}
		r.described += k.Hint
	}
	return r, nil
}

// Digest returns "sha256:HEX" of the list.
func (r *RegistryKeys) Digest() string { return r.digest }

// VerifyMessage verifies a signature of the registry over a message by the key that
// keyID names. It returns until when that key may be used (zero: no end). There is no
// signed time in such a signature: whether the key was valid when it was made is for
// the caller to judge. Errors are *verify.Refusal.
func (r *RegistryKeys) VerifyMessage(message []byte, keyID string, sig []byte) (notBefore, notAfter time.Time, err error) {
	key, known := r.keys[keyID]
	if !known {
		return time.Time{}, time.Time{}, &verify.Refusal{Code: verify.CodeRegistryKeyUnknown, Expected: "a signature by " + r.described, Found: fmt.Sprintf("one by %.120q", keyID)}
	}
	if err := key.verifier.VerifySignature(bytes.NewReader(sig), bytes.NewReader(message)); err != nil {
		return time.Time{}, time.Time{}, &verify.Refusal{Code: verify.CodeRegistrySignatureInvalid, Expected: "a signature by key " + keyID + " over " + fmt.Sprintf("%.400q", message), Found: "one over something else, or by another key"}
	}
	return key.NotBefore, key.NotAfter, nil
}
