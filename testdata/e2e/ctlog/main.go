// Command ctlog is a certificate transparency log (CTFE) on a Trillian log that keeps
// everything in memory. Rekor v1 uses the same Trillian.
package main

import (
	"context"
	"encoding/pem"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/certificate-transparency-go/trillian/ctfe"
	"github.com/google/certificate-transparency-go/trillian/ctfe/configpb"
	"github.com/google/trillian"
	"github.com/google/trillian/client"
	"github.com/google/trillian/crypto/keys"
	"github.com/google/trillian/crypto/keys/der"
	"github.com/google/trillian/crypto/keyspb"
	"github.com/google/trillian/extension"
	sequencer "github.com/google/trillian/log"
	"github.com/google/trillian/monitoring"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/server/interceptor"
	"github.com/google/trillian/storage/memory"
	"github.com/google/trillian/util/clock"
	"github.com/google/trillian/util/election2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

func main() {
	backend := flag.String("trillian", "", "address of the Trillian log")
	address := flag.String("ct", "", "address of the certificate transparency log")
	prefix := flag.String("prefix", "ct", "its path")
	key := flag.String("key", "", "its key (PKCS#8 PEM)")
	roots := flag.String("roots", "", "the certificate authorities that it takes certificates of (PEM)")
	flag.Parse()
	if err := serve(context.Background(), *backend, *address, *prefix, *key, *roots); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, backend, address, prefix, key, roots string) error {
	if err := serveTrillian(ctx, backend); err != nil {
		return err
	}
	connection, err := grpc.NewClient(backend, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	logs := trillian.NewTrillianLogClient(connection)
	tree, err := client.CreateAndInitTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_LOG, DisplayName: prefix, MaxRootDuration: durationpb.New(0),
	}}, trillian.NewTrillianAdminClient(connection), logs)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(key)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(data)
	private, err := anypb.New(&keyspb.PrivateKey{Der: block.Bytes})
	if err != nil {
		return err
	}
	keys.RegisterHandler(&keyspb.PrivateKey{}, der.FromProto)
	config, err := ctfe.ValidateLogConfig(&configpb.LogConfig{
		LogId: tree.TreeId, Prefix: prefix, RootsPemFile: []string{roots}, PrivateKey: private,
		ExtKeyUsages: []string{"CodeSigning"}, MaxMergeDelaySec: 86400, ExpectedMergeDelaySec: 1,
	})
	if err != nil {
		return err
	}
	instance, err := ctfe.SetUpInstance(ctx, ctfe.InstanceOptions{
		Validated: config, Client: logs, Deadline: 10 * time.Second,
		MetricFactory: monitoring.InertMetricFactory{}, RequestLog: new(ctfe.DefaultRequestLog),
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	for path, handler := range instance.Handlers {
		mux.Handle(path, handler)
	}
	return http.ListenAndServe(address, mux)
}

// serveTrillian starts a Trillian log server and its sequencer.
func serveTrillian(ctx context.Context, address string) error {
	trees := memory.NewTreeStorage()
	registry := extension.Registry{
		AdminStorage: memory.NewAdminStorage(trees), LogStorage: memory.NewLogStorage(trees, monitoring.InertMetricFactory{}),
		QuotaManager: quota.Noop(), ElectionFactory: election2.NoopFactory{}, MetricFactory: monitoring.InertMetricFactory{},
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(interceptor.ErrorWrapper))
	trillian.RegisterTrillianAdminServer(s, admin.New(registry, nil))
	trillian.RegisterTrillianLogServer(s, server.NewTrillianLogRPCServer(registry, clock.System))
	go sequencer.NewOperationManager(sequencer.OperationInfo{
		Registry: registry, BatchSize: 200, NumWorkers: 2, RunInterval: 50 * time.Millisecond, TimeSource: clock.System,
	}, sequencer.NewSequencerManager(registry, 0)).OperationLoop(ctx)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() { log.Fatal(s.Serve(listener)) }()
	return nil
}
