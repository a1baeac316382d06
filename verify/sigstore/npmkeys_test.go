package sigstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"plimsoll.example/verify"
)

// newListKey returns a key and its base64 as lists of keys have it.
func newListKey(t *testing.T) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key, base64.StdEncoding.EncodeToString(der)
}

// TestKeyLists: which keys a list gives for signatures, and lists that give none.
func TestKeyLists(t *testing.T) {
	_, raw := newListKey(t)
	_, other := newListKey(t)
	trusted := func(id, usage, key, window string) string {
		return fmt.Sprintf(`{"keyId":%q,"keyUsage":%q,"publicKey":{"rawBytes":%q,"validFor":{%s}}}`, id, usage, key, window)
	}
	served := func(id, key, more string) string { return fmt.Sprintf(`{"keyid":%q,"key":%q%s}`, id, key, more) }
	const start = `"start":"1999-01-01T00:00:00.000Z"`
	for name, c := range map[string]struct {
		keys  string
		found string // ids, or "" where the list is refused
		words string // of the refusal
	}{
		"one":                       {trusted("a", UsageSignatures, raw, start), "a", ""},
		"one of the other usage":    {trusted("a", UsageAttestations, raw, start) + "," + trusted("b", UsageSignatures, other, start), "b", ""},
		"the same id, other usage":  {trusted("a", UsageAttestations, raw, start) + "," + trusted("a", UsageSignatures, other, start), "a", ""},
		"only the other usage":      {trusted("a", UsageAttestations, raw, start), "", "none is for"},
		"no usage":                  {trusted("a", "", raw, start), "", "none is for"},
		"usage in capitals":         {trusted("a", "NPM:SIGNATURES", raw, start), "", "none is for"},
		"an id twice":               {trusted("a", UsageSignatures, raw, start) + "," + trusted("a", UsageSignatures, other, start), "", "there twice"},
		"no start":                  {trusted("a", UsageSignatures, raw, ``), "", "no start"},
		"a start that is no time":   {trusted("a", UsageSignatures, raw, `"start":"yesterday"`), "", "start"},
		"a start in seconds":        {trusted("a", UsageSignatures, raw, `"start":1}`+`,"x":{`), "", "start"},
		"an end that is no time":    {trusted("a", UsageSignatures, raw, start+`,"end":""`), "", "end"},
		"end before start":          {trusted("a", UsageSignatures, raw, start+`,"end":"1998-01-01T00:00:00Z"`), "", "ends before"},
		"an end of the year 1":      {trusted("a", UsageSignatures, raw, start+`,"end":"0001-01-01T00:00:00Z"`), "", "ends before"},
		"end null":                  {trusted("a", UsageSignatures, raw, start+`,"end":null`), "a", ""},
		"no id":                     {trusted("", UsageSignatures, raw, start), "", "no id"},
		"no key":                    {trusted("a", UsageSignatures, "", start), "", `"a"`},
		"no base64":                 {trusted("a", UsageSignatures, "!", start), "", `"a"`},
		"served":                    {served("a", raw, `,"expires":null`), "a", ""},
		"served, for the other":     {served("a", raw, `,"keyUsage":"npm:attestations"`), "", "none is for"},
		"served, for this":          {served("a", raw, `,"keyUsage":"npm:signatures"`), "a", ""},
		"served, an id twice":       {served("a", raw, "") + "," + served("a", other, ""), "", "there twice"},
		"served, no time":           {served("a", raw, `,"expires":"never"`), "", "expires"},
		"served, expired in year 1": {served("a", raw, `,"expires":"0001-01-01T00:00:00Z"`), "", "ends before"},
		"served, no id":             {served("", raw, ""), "", "no id"},
		"in both forms":             {`{"keyId":"a","keyUsage":"npm:signatures","keyid":"a","key":"` + raw + `","publicKey":{"rawBytes":"` + other + `","validFor":{` + start + `}}}`, "", "two forms"},
		"empty":                     {"", "", "none is for"},
		"an empty entry":            {"{}", "", "no id"},
		"a repeated member":         {`{"keyid":"a","keyid":"b","key":"` + raw + `"}`, "", "keyid"},
	} {
		keys, err := ParseNPMKeys([]byte(`{"keys":[`+c.keys+`]}`), UsageSignatures)
		var ids []string
		for _, k := range keys {
			ids = append(ids, k.Hint)
		}
		if got := strings.Join(ids, " "); got != c.found || (err == nil) != (c.found != "") || (err != nil && !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s: expected %q %q, found %q, %v", name, c.found, c.words, got, err)
		}
	}
}

// TestRegistryKeyTimes: the window of a key is handed on as the list has it.
func TestRegistryKeyTimes(t *testing.T) {
	key, raw := newListKey(t)
	keys, err := ParseRegistryKeys([]byte(`{"keys":[{"keyid":"a","key":"` + raw + `","expires":"2025-01-29T01:00:00.000+01:00"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("foo@1.0.0:sha512-x")
	sum := sha256.Sum256(message)
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	if _, until, err := keys.VerifyMessage(message, "a", sig); err != nil || !until.Equal(time.Date(2025, 1, 29, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("found %v, %v", until, err)
	}
	for name, c := range map[string]struct {
		message, id string
		sig         []byte
		code        verify.Code
	}{
		"another message": {"foo@1.0.1:sha512-x", "a", sig, verify.CodeRegistrySignatureInvalid},
		"another key":     {string(message), "b", sig, verify.CodeRegistryKeyUnknown},
		"no key's id":     {string(message), "", sig, verify.CodeRegistryKeyUnknown},
		"no signature":    {string(message), "a", nil, verify.CodeRegistrySignatureInvalid},
		"more after it":   {string(message), "a", append(sig[:len(sig):len(sig)], 0), verify.CodeRegistrySignatureInvalid},
	} {
		_, _, err := keys.VerifyMessage([]byte(c.message), c.id, c.sig)
		var r *verify.Refusal
		if !errors.As(err, &r) || r.Code != c.code {
			t.Errorf("%s: expected %s, found %v", name, c.code, err)
		}
	}
}
