package attest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/in-toto/in-toto-golang/in_toto"
)

// A Link says what a build step read and wrote (in-toto link v0.3). The products are
// the subjects of the statement.
type Link struct {
	Name        string            `json:"name"`
	Command     []string          `json:"command"`
	Materials   []Subject         `json:"materials"`
	ByProducts  map[string]any    `json:"byproducts"`
	Environment map[string]string `json:"environment"`
}

// Predicate returns the link as a predicate of type [TypeLink].
func (l Link) Predicate() (json.RawMessage, error) {
	if l.Materials == nil {
		l.Materials = []Subject{}
	}
	return json.Marshal(l)
}

// layoutKey is a key as in-toto's layouts know it.
func layoutKey(key *Key) (in_toto.Key, error) {
	private, err := key.PrivatePEM(nil)
	if err != nil {
		return in_toto.Key{}, err
	}
	var signer in_toto.Key
	if err := signer.LoadKeyReaderDefaults(bytes.NewReader(private)); err != nil {
		return in_toto.Key{}, fmt.Errorf("writing a link for layouts: in-toto does not sign with key %s: %w", key.ID(), err)
	}
	return signer, nil
}

// LayoutFile is the file that layouts expect a step's link in: NAME.KEYID.link, with the
// first eight digits of the key's id as in-toto counts it (in-toto specification 0.9,
// 4.4).
func LayoutFile(step string, key *Key) (string, error) {
	signer, err := layoutKey(key)
	return fmt.Sprintf(in_toto.LinkNameFormat, step, signer.KeyID), err
}

// IsLayoutLink says whether data looks like a step's link for layouts by key. Its
// signature is not verified.
func IsLayoutLink(data []byte, step string, key *Key) bool {
	signer, err := layoutKey(key)
	var block in_toto.Metablock
	if err != nil || json.Unmarshal(data, &block) != nil {
		return false
	}
	signed, ok := block.Signed.(map[string]any)
	return ok && signed["_type"] == "link" && signed["name"] == step &&
		len(block.Signatures) == 1 && block.Signatures[0].KeyID == signer.KeyID
}

// ForLayout returns the link as in-toto's layouts read it, signed by key, for the file
// [LayoutFile].
func (l Link) ForLayout(products []Subject, key *Key) ([]byte, error) {
	signer, err := layoutKey(key)
	if err != nil {
		return nil, err
	}
	environment := map[string]any{}
	for name, value := range l.Environment {
		environment[name] = value
	}
	block := in_toto.Metablock{Signed: in_toto.Link{
		Type: "link", Name: l.Name, Command: l.Command, ByProducts: l.ByProducts, Environment: environment,
		Materials: hashes(l.Materials), Products: hashes(products),
	}}
	if err := block.Sign(signer); err != nil {
		return nil, fmt.Errorf("writing a link for layouts: %w", err)
	}
	data, err := json.MarshalIndent(block, "", "  ")
	return append(data, '\n'), err
}

func hashes(list []Subject) map[string]in_toto.HashObj {
	all := map[string]in_toto.HashObj{}
	for _, s := range list {
		all[s.Name] = in_toto.HashObj(s.Digest)
	}
	return all
}
