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

// ForLayout returns the link as in-toto's layouts read it, signed by key, and the name
// of the file that they expect it in: NAME.KEYID.link, with the first eight digits of
// the key's id as in-toto counts it (in-toto specification 0.9, 4.4).
func (l Link) ForLayout(products []Subject, key *Key) (file string, data []byte, err error) {
	private, err := key.PrivatePEM(nil)
	if err != nil {
		return "", nil, err
	}
	var signer in_toto.Key
	if err := signer.LoadKeyReaderDefaults(bytes.NewReader(private)); err != nil {
		return "", nil, fmt.Errorf("writing a link for layouts: in-toto does not sign with key %s: %w", key.ID(), err)
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
		return "", nil, fmt.Errorf("writing a link for layouts: %w", err)
	}
	data, err = json.MarshalIndent(block, "", "  ")
	return fmt.Sprintf(in_toto.LinkNameFormat, l.Name, signer.KeyID), append(data, '\n'), err
}

func hashes(list []Subject) map[string]in_toto.HashObj {
	all := map[string]in_toto.HashObj{}
	for _, s := range list {
		all[s.Name] = in_toto.HashObj(s.Digest)
	}
	return all
}
