// Package services starts real Sigstore services, from their programs in a folder, on
// loopback: an issuer of identity tokens (a double), Fulcio, a certificate transparency
// log, a timestamp authority, and Rekor of both versions. It is meant for a network
// namespace of its own: addresses are fixed, and some programs listen everywhere.
package services

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"plimsoll.example/verify/npm/npmtest"
)

// Services are those that run.
type Services struct {
	Issuer *Issuer
	// Registry holds the keys of the registry of npm packages.
	Registry *npmtest.Sigstore
	dir      string
	bin      string
	all      []*exec.Cmd
}

// Start makes keys and configurations in dir and starts the programs of bin.
func Start(bin, dir string) (*Services, error) {
	if err := (pki{dir, time.Now().Add(-time.Hour).Truncate(time.Second)}).writeAll(); err != nil {
		return nil, err
	}
	issuer, err := startIssuer()
	if err != nil {
		return nil, err
	}
	s := &Services{Issuer: issuer, dir: dir, bin: bin}
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(s.prepareNPM(), s.startFront()); err != nil {
		return nil, err
	}
	for _, service := range []struct {
		up      string
		program string
		args    []string
	}{
		{ctURL + "/ct/v1/get-sth", "ctlog", []string{
			"-trillian", "127.0.0.1:8090", "-ct", "127.0.0.1:6962", "-prefix", "ct", "-key", in("ct-key.pem"), "-roots", in("fulcio-root.pem")}},
		{"http://127.0.0.1:3004/ping", "timestamp-server", []string{
			"serve", "--host", "127.0.0.1", "--port", "3004", "--timestamp-signer", "file", "--file-signer-key-path", in("tsa-key.pem"),
			"--certificate-chain-path", in("tsa-chain.pem"), "--disable-ntp-monitoring"}},
		{Rekor2URL + "/healthz", "rekor-tiles", []string{
			"serve", "--http-port", "3003", "--grpc-port", "3013", "--http-metrics-port", "2114", "--hostname", rekor2Host, "--storage-dir", in("rekor2"),
			"--signer-filepath", in("rekor2-key.pem"), "--checkpoint-interval", "200ms", "--batch-max-age", "50ms"}},
		{FulcioURL + "/healthz", "fulcio", []string{
			"serve", "--host", "127.0.0.1", "--port", "5555", "--grpc-host", "127.0.0.1", "--grpc-port", "5554", "--metrics-port", "2113",
			"--legacy-unix-domain-socket", in("fulcio.sock"), "--ca", "fileca", "--fileca-cert", in("fulcio-chain.pem"), "--fileca-key", in("fulcio-key.pem"),
			"--fileca-key-passwd", fulcioPassphrase, "--fileca-watch=false", "--ct-log-url", ctURL, "--ct-log-public-key-path", in("ct-pub.pem"), "--config-path", in("fulcio.yaml")}},
		{Rekor1URL + "/ping", "rekor-server", []string{
			"serve", "--host", "127.0.0.1", "--port", "3100", "--trillian_log_server.address", "127.0.0.1", "--trillian_log_server.port", "8090",
			"--trillian_log_server.grpc_default_service_config", "", "--rekor_server.signer", in("rekor1-key.pem"), "--rekor_server.hostname", rekor1Host,
			"--enable_retrieve_api=false", "--enable_attestation_storage=false"}},
	} {
		if _, err := s.Run(service.up, service.program, service.args...); err != nil {
			s.Stop()
			return nil, err
		}
	}
	config := "version: 0.1\nlog: {level: error}\nstorage: {inmemory: {}, delete: {enabled: true}}\nhttp: {addr: " + plainRegistry + "}\n"
	if err := os.WriteFile(in("registry.yml"), []byte(config), 0o600); err != nil {
		return s, err
	}
	if _, err := s.Run("http://"+plainRegistry+"/v2/", "registry", "serve", in("registry.yml")); err != nil {
		return s, err
	}
	return s, s.startDoubles()
}

// plainRegistry has no referrers API; goRegistry has, in this process.
const (
	plainRegistry  = "127.0.0.1:5000"
	goRegistry     = "127.0.0.1:5001"
	lockedRegistry = "127.0.0.1:5002" // goRegistry, for those who show a token
	// TokenUser and TokenWord are what lockedRegistry's token service wants.
	TokenUser, TokenWord = "builder", "open sesame"
)

// Registries, by what they are.
var Registries = map[string]string{"PLAIN": plainRegistry, "REFERRERS": goRegistry, "LOCKED": lockedRegistry}

// File names one of the files that [Start] made.
func (s *Services) File(name string) string { return filepath.Join(s.dir, name) }

// Run starts a program and waits until a GET of up succeeds. [Services.Stop] stops it.
func (s *Services) Run(up, program string, args ...string) (*exec.Cmd, error) {
	said, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("%s-%d.log", program, len(s.all))))
	if err != nil {
		return nil, err
	}
	defer said.Close()
	run := exec.Command(filepath.Join(s.bin, program), args...)
	run.Stdout, run.Stderr = said, said
	run.Env = append(os.Environ(), "SSL_CERT_FILE="+s.File("web-ca.pem")) // Fulcio asks GitHub's issuer
	run.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}    // no service outlives the tests
	if err := run.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if answer, err := http.Get(up); err == nil {
			answer.Body.Close()
			if answer.StatusCode < 400 {
				s.all = append(s.all, run)
				return run, nil
			}
		}
		select {
		case err := <-ended:
			text, _ := os.ReadFile(said.Name())
			return nil, fmt.Errorf("%s ended: %v\n%s", program, err, text)
		default:
		}
	}
	run.Process.Kill()
	text, _ := os.ReadFile(said.Name())
	return nil, errors.Join(fmt.Errorf("%s did not come up", program), errors.New(string(text)))
}

// Stop stops the programs, the last first.
func (s *Services) Stop() {
	for _, run := range slices.Backward(s.all) {
		run.Process.Kill()
	}
	s.Issuer.server.Close()
}
