package layout

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/in-toto/in-toto-golang/in_toto"

	"plimsoll.example/attest"
)

// A functionary is a key of the layout that was checked.
type functionary struct {
	key in_toto.Key // its public half and nothing else
	id  string      // attest.KeyID
}

// ownerKey is a key that the caller trusts, as in-toto knows it.
func ownerKey(public *attest.PublicKey) (in_toto.Key, error) {
	var key in_toto.Key
	err := key.LoadKeyReaderDefaults(bytes.NewReader(public.PEM()))
	return key, err
}

// functionaryKey checks one entry of a layout's keys. What it returns is safe to verify
// with: go-securesystemslib panics where a key is not of the kind or length it is said
// to be.
func functionaryKey(id string, key in_toto.Key) (functionary, error) {
	if key.KeyID != id {
		return functionary{}, fmt.Errorf("its keyid is %s", quote(key.KeyID))
	}
	if key.KeyVal.Private != "" {
		return functionary{}, errors.New("it holds a private key: consider that key lost")
	}
	if key.KeyVal.Certificate != "" {
		return functionary{}, errors.New("it holds a certificate; only keys are supported")
	}
	public, err := publicKey(key)
	if err != nil {
		return functionary{}, err
	}
	if !idFits(key) {
		return functionary{}, errors.New("its id is not the SHA-256 of this key: another key stands under a known one's id")
	}
	name, err := attest.KeyID(public)
	key.KeyIDHashAlgorithms = nil
	return functionary{key: key, id: name}, err
}

func publicKey(key in_toto.Key) (crypto.PublicKey, error) {
	var public crypto.PublicKey
	var err error
	if key.KeyType == "ed25519" {
		raw, hexErr := hex.DecodeString(key.KeyVal.Public)
		if hexErr != nil || len(raw) != ed25519.PublicKeySize || hex.EncodeToString(raw) != key.KeyVal.Public {
			return nil, fmt.Errorf("expected %d lower-case hexadecimal digits of an ed25519 key", 2*ed25519.PublicKeySize)
		}
		public = ed25519.PublicKey(raw)
	} else if public, err = attest.ParsePublicKey([]byte(key.KeyVal.Public)); err != nil {
		return nil, err
	}
	kind, schemes := "", ""
	switch public.(type) {
	case ed25519.PublicKey:
		kind, schemes = "ed25519", "ed25519"
	case *rsa.PublicKey:
		kind, schemes = "rsa", "rsassa-pss-sha256"
	case *ecdsa.PublicKey:
		// in-toto-golang hashes by the curve, and calls every curve nistp256
		kind, schemes = "ecdsa", "ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521"
	}
	if key.KeyType != kind || key.Scheme == "" || !strings.Contains(" "+schemes+" ", " "+key.Scheme+" ") {
		return nil, fmt.Errorf("it is a key of type %q, which signs by %s; the layout says %s and %s", kind, schemes, quote(key.KeyType), quote(key.Scheme))
	}
	return public, nil
}

// idFits says whether a key's id is the SHA-256 of its canonical JSON, as in-toto
// counts ids. Older implementations count keyid_hash_algorithms in, newer ones have
// none.
func idFits(key in_toto.Key) bool {
	for _, algorithms := range [][]string{key.KeyIDHashAlgorithms, nil, {"sha256", "sha512"}} {
		form := map[string]any{"keytype": key.KeyType, "scheme": key.Scheme, "keyval": map[string]string{"public": key.KeyVal.Public}}
		if algorithms != nil {
			form["keyid_hash_algorithms"] = algorithms
		}
		block := in_toto.Metablock{Signed: form}
		canonical, err := block.GetSignableRepresentation()
		if err != nil {
			return false
		}
		if sum := sha256.Sum256(canonical); hex.EncodeToString(sum[:]) == key.KeyID {
			return true
		}
	}
	return false
}
