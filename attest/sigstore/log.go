package sigstore

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	httptransport "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortiles "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor/pkg/generated/client"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"

	"plimsoll.example/attest"
)

// settleLogs asks the logs whose version is not known for it.
func (n *Notary) settleLogs(ctx context.Context) error {
	for i, l := range n.services.Logs {
		if l.Version != 0 {
			continue
		}
		version, err := n.askVersion(ctx, l.URL)
		if err != nil {
			return &ServiceError{"log", l.URL, withoutMethod(err)}
		}
		n.services.Logs[i].Version = version
	}
	return nil
}

// askVersion tells Rekor v1 by the state of its tree, which v2 does not tell there.
func (n *Notary) askVersion(ctx context.Context, address string) (uint32, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, trimSlash(address)+"/api/v1/log", nil)
	if err != nil {
		return 0, err
	}
	response, err := newClient(ctx, n.patience).Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	var state struct {
		TreeSize *int64 `json:"treeSize"`
	}
	switch {
	case response.StatusCode == http.StatusOK && json.Unmarshal(body, &state) == nil && state.TreeSize != nil:
		return 1, nil
	case response.StatusCode == http.StatusNotFound:
		return 2, nil
	}
	return 0, fmt.Errorf("expected a Rekor log, which tells its tree's size or nothing under /api/v1/log, found %s", response.Status)
}

// promises says whether a log tells the time at which it took an entry.
func (n *Notary) promises() bool {
	for _, l := range n.services.Logs {
		if l.Version == 1 {
			return true
		}
	}
	return false
}

// scheme is how a signature for these logs is made, and whether it can be.
func (n *Notary) scheme(public *attest.PublicKey) (attest.Scheme, error) {
	for _, l := range n.services.Logs {
		if l.Version != 2 {
			continue
		}
		if _, ok := public.Key().(ed25519.PublicKey); ok {
			return 0, fmt.Errorf("log %s: a Rekor v2 log takes signatures over a hash, and an Ed25519 key signs the message itself; use a Rekor v1 log or an ECDSA key", l.URL)
		}
		return attest.SchemeCurve, nil
	}
	return attest.SchemeSHA256, nil
}

// entries has each log record a signature.
func (n *Notary) entries(ctx context.Context, env attest.Envelope, public *attest.PublicKey, leaf []byte) ([]attest.LogEntry, error) {
	if len(n.services.Logs) == 0 {
		return nil, nil
	}
	verifier := public.PEM()
	message := &protobundle.Bundle{
		VerificationMaterial: &protobundle.VerificationMaterial{},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: env.Payload, PayloadType: env.PayloadType,
			Signatures: []*protodsse.Signature{{Sig: env.Signatures[0].Sig}},
		}},
	}
	if leaf != nil {
		verifier = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf})
		message.VerificationMaterial.Content = &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: leaf}}
	}
	for _, l := range n.services.Logs {
		if err := n.record(ctx, l, verifier, message); err != nil {
			return nil, &ServiceError{"log", l.URL, withoutMethod(err)}
		}
	}
	var all []attest.LogEntry
	for _, e := range message.VerificationMaterial.TlogEntries {
		all = append(all, logEntry(e))
	}
	return all, nil
}

// record has one log record a signature, and adds its answer to message.
func (n *Notary) record(ctx context.Context, l Log, verifier []byte, message *protobundle.Bundle) (err error) {
	defer guard(&err)
	rekor, err := n.rekor(ctx, l)
	if err != nil {
		return err
	}
	if err := rekor.GetTransparencyLogEntry(ctx, verifier, message); err != nil {
		return err
	}
	all := message.VerificationMaterial.TlogEntries
	entry, err := tlog.ParseTransparencyLogEntry(all[len(all)-1])
	if err == nil {
		err = tlog.ValidateEntry(entry)
	}
	if err != nil {
		return fmt.Errorf("its answer is no log entry: %w", err)
	}
	return nil
}

func (n *Notary) rekor(ctx context.Context, l Log) (*sign.Rekor, error) {
	u, err := url.Parse(l.URL)
	if err != nil {
		return nil, err
	}
	http := newClient(ctx, n.patience)
	path := trimSlash(u.Path)
	if path == "" {
		path = client.DefaultBasePath
	}
	exchange := httptransport.NewWithClient(u.Host, path, []string{u.Scheme}, http)
	exchange.Debug = false // else DEBUG in the environment has it print statement and answer
	v1 := client.New(exchange, strfmt.NewFormats())
	return sign.NewRekor(&sign.RekorOptions{BaseURL: l.URL, Version: l.Version, Timeout: n.patience * (retries + 1), Client: v1.Entries, ClientV2: rekorTiles{http, trimSlash(l.URL)}}), nil
}

// rekorTiles adds entries to a Rekor v2 log.
type rekorTiles struct {
	client *http.Client
	url    string
}

// errLogged reports a signature that a log holds already.
var errLogged = errors.New("it holds this signature already and records none twice; another try makes another signature, but by an RSA key")

// Add implements sigstore-go's RekorV2Client.
func (r rekorTiles) Add(ctx context.Context, entry any) (*protorekor.TransparencyLogEntry, error) {
	hashed, ok := entry.(*rekortiles.HashedRekordRequestV002)
	if !ok {
		return nil, fmt.Errorf("unexpected kind of entry %T", entry)
	}
	body, err := protojson.Marshal(&rekortiles.CreateEntryRequest{Spec: &rekortiles.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: hashed}})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/api/v2/log/entries", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusConflict:
		return nil, errLogged
	case response.StatusCode != http.StatusCreated:
		return nil, fmt.Errorf("it answered %s: %s", response.Status, clip(string(answer)))
	}
	added := &protorekor.TransparencyLogEntry{}
	return added, protojson.Unmarshal(answer, added)
}

func logEntry(e *protorekor.TransparencyLogEntry) attest.LogEntry {
	proof := e.GetInclusionProof()
	entry := attest.LogEntry{
		LogIndex:          e.GetLogIndex(),
		LogID:             attest.LogID{KeyID: e.GetLogId().GetKeyId()},
		KindVersion:       attest.KindVersion{Kind: e.GetKindVersion().GetKind(), Version: e.GetKindVersion().GetVersion()},
		IntegratedTime:    e.GetIntegratedTime(),
		CanonicalizedBody: e.GetCanonicalizedBody(),
		InclusionProof: attest.InclusionProof{
			LogIndex: proof.GetLogIndex(), RootHash: proof.GetRootHash(), TreeSize: proof.GetTreeSize(), Hashes: proof.GetHashes(),
			Checkpoint: attest.Checkpoint{Envelope: proof.GetCheckpoint().GetEnvelope()},
		},
	}
	if entry.InclusionProof.Hashes == nil {
		entry.InclusionProof.Hashes = [][]byte{} // the only entry of its tree
	}
	if promise := e.GetInclusionPromise(); promise != nil {
		entry.InclusionPromise = &attest.InclusionPromise{SignedEntryTimestamp: promise.GetSignedEntryTimestamp()}
	}
	return entry
}

func trimSlash(address string) string { return strings.TrimRight(address, "/") }

// withoutMethod drops what net/http puts before an error: the method and the address,
// which is said anyway.
func withoutMethod(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
