package services

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// Addresses of the services, in a network namespace of their own.
const (
	FulcioURL  = "http://127.0.0.1:5555"
	TSAURL     = "http://127.0.0.1:3004/api/v1/timestamp"
	Rekor1URL  = "http://127.0.0.1:3100"
	Rekor2URL  = "http://127.0.0.1:3003"
	IssuerURL  = "http://127.0.0.1:8180"
	ctURL      = "http://127.0.0.1:6962/ct"
	rekor1Host = "rekor1.plimsoll.test"
	rekor2Host = "rekor2.plimsoll.test"
	// fulcioPassphrase opens the certificate authority's key: it takes no plain one.
	fulcioPassphrase = "fulcio"
)

// pki writes the keys, certificates and configurations of all services, and the trust
// root and signing configurations that go with them.
type pki struct {
	dir   string
	start time.Time
}

func (p pki) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(p.dir, name), data, 0o600)
}

func (p pki) writeCertificates(name string, chain ...*x509.Certificate) error {
	var data []byte
	for _, c := range chain {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return p.write(name, data)
}

func (p pki) writeKey(name string, key any) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return p.write(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (p pki) writePublic(name string, key crypto.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return err
	}
	return p.write(name, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// issue signs a certificate; without a parent it signs itself.
func (p pki) issue(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, p.start, p.start.AddDate(10, 0, 0)
	template.Subject.Organization = []string{"plimsoll.test"}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func authority(name string, usage ...x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, ExtKeyUsage: usage,
	}
}

func (p pki) fulcio() (root.CertificateAuthority, error) {
	rootKey, err := newKey()
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	top, err := p.issue(authority("fulcio root"), nil, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	template := authority("fulcio", x509.ExtKeyUsageCodeSigning)
	template.MaxPathLenZero = true
	intermediate, err := p.issue(template, top, key.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 Fulcio reads no other form of an encrypted key, and no plain one
	block, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", der, []byte(fulcioPassphrase), x509.PEMCipherAES256)
	if err != nil {
		return nil, err
	}
	if err := p.write("fulcio-key.pem", pem.EncodeToMemory(block)); err != nil {
		return nil, err
	}
	if err := p.writeCertificates("fulcio-chain.pem", intermediate, top); err != nil {
		return nil, err
	}
	return &root.FulcioCertificateAuthority{Root: top, Intermediates: []*x509.Certificate{intermediate}, ValidityPeriodStart: p.start, URI: FulcioURL},
		p.writeCertificates("fulcio-root.pem", top)
}

// timestamps makes an authority whose files begin with name.
func (p pki) timestamps(name, url string) (root.TimestampingAuthority, error) {
	rootKey, err := newKey()
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	top, err := p.issue(authority(name+" root", x509.ExtKeyUsageTimeStamping), nil, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return nil, err
	}
	leaf, err := p.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}, top, key.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	if err := p.writeCertificates(name+"-chain.pem", leaf, top); err != nil {
		return nil, err
	}
	return &root.SigstoreTimestampingAuthority{Root: top, Leaf: leaf, ValidityPeriodStart: p.start, URI: url}, p.writeKey(name+"-key.pem", key)
}

func (p pki) log(url string, id []byte, key crypto.PublicKey) *root.TransparencyLog {
	return &root.TransparencyLog{
		BaseURL: url, ID: id, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256, PublicKey: key, ValidityPeriodStart: p.start,
	}
}

// ecdsaLog makes a log whose id is the SHA-256 of its key.
func (p pki) ecdsaLog(name, url string) (*root.TransparencyLog, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	if err := p.writePublic(name+"-pub.pem", key.Public()); err != nil {
		return nil, err
	}
	id := sha256.Sum256(der)
	return p.log(url, id[:], key.Public()), p.writeKey(name+"-key.pem", key)
}

func (p pki) rekor2() (*root.TransparencyLog, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	_, id, err := note.KeyHash(rekor2Host, key.Public())
	if err != nil {
		return nil, err
	}
	return p.log("https://"+rekor2Host, id, key.Public()), p.writeKey("rekor2-key.pem", key)
}

// writeAll writes everything. Besides the services' own there is the trust root of
// somebody else (other_root.json), with which none of their answers verify.
func (p pki) writeAll() error {
	for _, name := range []string{"other_root.json", "trusted_root.json"} { // the last one's keys are the services'
		if err := p.writeRoot(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for version, url := range map[uint32]string{1: Rekor1URL, 2: Rekor2URL} {
		service := func(url string, version uint32) []root.Service {
			return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: p.start, Operator: "plimsoll.test"}}
		}
		any := root.ServiceConfiguration{Selector: 1 /* ALL */}
		config, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(FulcioURL, 1), service(IssuerURL, 1), service(url, version), any, service(TSAURL, 1), any)
		if err != nil {
			return err
		}
		data, err := json.Marshal(config)
		if err != nil {
			return err
		}
		if err := p.write(fmt.Sprintf("signing_config_rekor%d.json", version), data); err != nil {
			return err
		}
	}
	if err := p.web(); err != nil {
		return err
	}
	return p.write("fulcio.yaml", []byte(fulcioConfig))
}

func (p pki) writeRoot(name string) error {
	ca, err := p.fulcio()
	if err != nil {
		return err
	}
	tsa, err := p.timestamps("tsa", TSAURL)
	if err != nil {
		return err
	}
	ct, err := p.ecdsaLog("ct", ctURL)
	if err != nil {
		return err
	}
	rekor1, err := p.ecdsaLog("rekor1", "https://"+rekor1Host)
	if err != nil {
		return err
	}
	rekor2, err := p.rekor2()
	if err != nil {
		return err
	}
	byID := func(logs ...*root.TransparencyLog) map[string]*root.TransparencyLog {
		all := map[string]*root.TransparencyLog{}
		for _, l := range logs {
			all[hex.EncodeToString(l.ID)] = l
		}
		return all
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{ca}, byID(ct), []root.TimestampingAuthority{tsa}, byID(rekor1, rekor2))
	if err != nil {
		return err
	}
	data, err := json.Marshal(trusted)
	if err != nil {
		return err
	}
	return p.write(name, data)
}

// fulcioConfig trusts people's e-mail addresses, and jobs with GitHub's claims by an
// issuer of its own and by GitHub's, which is this one under that name.
const fulcioConfig = `oidc-issuers:
  ` + IssuerURL + `/email:
    issuer-url: ` + IssuerURL + `/email
    client-id: sigstore
    type: email
  ` + IssuerURL + `/ci:
    issuer-url: ` + IssuerURL + `/ci
    client-id: sigstore
    type: ci-provider
    ci-provider: github-workflow
  ` + gitHubIssuer + `:
    issuer-url: ` + gitHubIssuer + `
    client-id: sigstore
    type: ci-provider
    ci-provider: github-workflow
ci-issuer-metadata:
  github-workflow:
    default-template-values:
      url: "https://github.com"
    extension-templates:
      build-signer-uri: "{{ .url }}/{{ .job_workflow_ref }}"
      build-signer-digest: "job_workflow_sha"
      runner-environment: "runner_environment"
      source-repository-uri: "{{ .url }}/{{ .repository }}"
      source-repository-digest: "sha"
      source-repository-ref: "ref"
      source-repository-identifier: "repository_id"
      source-repository-owner-uri: "{{ .url }}/{{ .repository_owner }}"
      source-repository-owner-identifier: "repository_owner_id"
      build-config-uri: "{{ .url }}/{{ .workflow_ref }}"
      build-config-digest: "workflow_sha"
      build-trigger: "event_name"
      run-invocation-uri: "{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}"
      source-repository-visibility-at-signing: "repository_visibility"
    subject-alternative-name-template: "{{ .url }}/{{ .job_workflow_ref }}"
`
