package npmtest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"
)

const (
	bundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	payloadType     = "application/vnd.in-toto+json"
	rekorHost       = "rekor.test"
	rekorTree       = 1
)

// signWithCertificate returns a bundle over a statement, by a new key with a
// certificate for an identity.
func (s *Sigstore) signWithCertificate(statement []byte, id Identity, at time.Time) json.RawMessage {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	leaf := s.certify(key.Public(), id, at)
	verifier := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf})
	return s.bundle(statement, key, "", verifier, at, &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: leaf}},
	})
}

// signWithKey returns a bundle over a statement by a registry's key.
func (s *Sigstore) signWithKey(statement []byte, key registryKey, at time.Time) json.RawMessage {
	verifier := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: key.spki})
	return s.bundle(statement, key.PrivateKey, key.id, verifier, at, &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: key.id}},
	})
}

func (s *Sigstore) bundle(statement []byte, key *ecdsa.PrivateKey, keyid string, verifier []byte, at time.Time, material *protobundle.VerificationMaterial) json.RawMessage {
	sig := signSHA256(key, dsse.PAE(payloadType, statement))
	envelope := must(json.Marshal(dsse.Envelope{
		PayloadType: payloadType, Payload: base64.StdEncoding.EncodeToString(statement),
		Signatures: []dsse.Signature{{KeyID: keyid, Sig: base64.StdEncoding.EncodeToString(sig)}},
	}))
	material.TlogEntries = []*protorekor.TransparencyLogEntry{s.log(envelope, statement, sig, verifier, at)}
	out := must(protojson.Marshal(&protobundle.Bundle{
		MediaType: bundleMediaType, VerificationMaterial: material,
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: statement, PayloadType: payloadType, Signatures: []*protodsse.Signature{{Sig: sig, Keyid: keyid}},
		}},
	}))
	// protojson puts spaces in at random.
	var compact bytes.Buffer
	must(0, json.Compact(&compact, out))
	return compact.Bytes()
}

// certify returns a leaf as Fulcio's: ten minutes, code signing, the identity in the
// alternative name and the extensions, and a timestamp of the certificate log.
func (s *Sigstore) certify(public crypto.PublicKey, id Identity, at time.Time) []byte {
	template := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 152))),
		NotBefore:    at.Add(-time.Minute), NotAfter: at.Add(9 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: id.extensions(),
	}
	if strings.Contains(id.SAN, "://") {
		template.URIs = []*url.URL{must(url.Parse(id.SAN))}
	} else if id.SAN != "" {
		template.EmailAddresses = []string{id.SAN}
	}
	sign := func() []byte {
		return must(x509.CreateCertificate(rand.Reader, template, s.intermediate, public, s.authority))
	}
	// The log signs what is to be signed, without the log's own extension.
	before := must(x509.ParseCertificate(sign())).RawTBSCertificate
	template.ExtraExtensions = append(template.ExtraExtensions, s.timestamp(before, at))
	return sign()
}

// timestamp returns the extension with the certificate log's signed timestamp (RFC
// 6962, 3.2 and 3.3) for a certificate that is to be signed.
func (s *Sigstore) timestamp(tbs []byte, at time.Time) pkix.Extension {
	const version1, certificateTimestamp, precertEntry, sha256ECDSA = 0, 0, 1, 0x0403
	issuer := sha256.Sum256(s.intermediate.RawSubjectPublicKeyInfo)
	millis := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))

	signed := append([]byte{version1, certificateTimestamp}, millis...)
	signed = binary.BigEndian.AppendUint16(signed, precertEntry)
	signed = append(signed, issuer[:]...)
	signed = append(signed, byte(len(tbs)>>16), byte(len(tbs)>>8), byte(len(tbs)))
	signed = append(signed, tbs...)
	signed = binary.BigEndian.AppendUint16(signed, 0) // extensions
	sig := signSHA256(s.ct.PrivateKey, signed)

	sct := append([]byte{version1}, s.ct.id...)
	sct = append(sct, millis...)
	sct = binary.BigEndian.AppendUint16(sct, 0)
	sct = binary.BigEndian.AppendUint16(sct, sha256ECDSA)
	sct = withLength(sct, sig)
	list := withLength(nil, withLength(nil, sct))
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: must(asn1.Marshal(list))}
}

// withLength appends a vector with its length in two bytes before it.
func withLength(to, vector []byte) []byte {
	return append(binary.BigEndian.AppendUint16(to, uint16(len(vector))), vector...)
}

// log returns the entry of an envelope in a transparency log that has no other entry.
func (s *Sigstore) log(envelope, payload, sig, verifier []byte, at time.Time) *protorekor.TransparencyLogEntry {
	body := dsseBody(envelope, payload, sig, verifier)
	index := s.entries.Add(1)
	leaf := sha256.Sum256(append([]byte{0}, body...)) // RFC 6962, 2.1
	signer := must(signature.LoadECDSASignerVerifier(s.rekor.PrivateKey, crypto.SHA256))
	checkpoint := must(util.CreateAndSignCheckpoint(context.Background(), rekorHost, rekorTree, 1, leaf[:], signer))
	// The members are in alphabetical order and none needs an escape: this is RFC
	// 8785's canonical form.
	promised := must(json.Marshal(struct {
		Body           string `json:"body"`
		IntegratedTime int64  `json:"integratedTime"`
		LogID          string `json:"logID"`
		LogIndex       int64  `json:"logIndex"`
	}{base64.StdEncoding.EncodeToString(body), at.Unix(), hex.EncodeToString(s.rekor.id), index}))
	return &protorekor.TransparencyLogEntry{
		LogIndex: index, LogId: &protocommon.LogId{KeyId: s.rekor.id},
		KindVersion: &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}, IntegratedTime: at.Unix(),
		InclusionPromise: &protorekor.InclusionPromise{SignedEntryTimestamp: signSHA256(s.rekor.PrivateKey, promised)},
		InclusionProof: &protorekor.InclusionProof{
			LogIndex: 0, TreeSize: 1, RootHash: leaf[:], Checkpoint: &protorekor.Checkpoint{Envelope: string(checkpoint)},
		},
		CanonicalizedBody: body,
	}
}

// dsseBody is Rekor's entry of kind dsse 0.0.1, in canonical form: maps are written
// in the order of their keys.
func dsseBody(envelope, payload, sig, verifier []byte) []byte {
	hash := func(b []byte) map[string]any {
		sum := sha256.Sum256(b)
		return map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(sum[:])}
	}
	return must(json.Marshal(map[string]any{"apiVersion": "0.0.1", "kind": "dsse", "spec": map[string]any{
		"envelopeHash": hash(envelope), "payloadHash": hash(payload),
		"signatures": []any{map[string]any{
			"signature": base64.StdEncoding.EncodeToString(sig), "verifier": base64.StdEncoding.EncodeToString(verifier),
		}},
	}}))
}
