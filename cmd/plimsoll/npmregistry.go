package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	lockfile "plimsoll.example/sbom/npm"
	"plimsoll.example/verify/npm"
	"plimsoll.example/verify/npm/registry"
)

// npmRegistry says where answers come from: a registry, or a folder that keeps them.
type npmRegistry struct {
	address, evidence string
	mirrorOf          string
	fromProject       bool
	save, offline     string
	deadline          time.Duration

	tarballsToo bool // --save names a folder of --tarballs

	client *registry.Client
	online *npm.Online
	config *registry.Config
}

func (r *npmRegistry) add(flags *pflag.FlagSet) {
	flags.StringVar(&r.address, "registry", "", "ask this registry, instead of the one of npm's configuration")
	flags.StringVar(&r.evidence, "evidence-registry", "", "ask this registry for signatures and attestations; tarballs come from a mirror")
	flags.StringVar(&r.mirrorOf, "mirror-of", "", "the registry that is asked is a mirror of this one, which lockfiles and publish attestations name")
	flags.BoolVar(&r.fromProject, "registry-from-project", false, "if nothing else names a registry, take the address in the project's .npmrc or lockfile")
	flags.StringVar(&r.save, "save", "", "keep every answer in this folder")
	flags.StringVar(&r.offline, "offline", "", "decide from the answers that --save kept in this folder, and ask nobody")
	flags.DurationVar(&r.deadline, "deadline", 10*time.Minute, "give up asking after this time")
}

func (r *npmRegistry) check(flags *pflag.FlagSet) error {
	if err := r.checkMirror(); err != nil {
		return err
	}
	if r.deadline <= 0 {
		return usagef("npm: --deadline: expected a time such as 10m, found %s", r.deadline)
	}
	if r.offline == "" {
		return nil
	}
	for _, name := range []string{"registry", "mirror-of", "registry-from-project", "save", "deadline"} {
		if flags.Changed(name) {
			return usagef("npm: --offline asks nobody; --%s does not go with it", name)
		}
	}
	return nil
}

// checkMirror finds out what --mirror-of does not go with. Nothing is asked there.
func (r *npmRegistry) checkMirror() error {
	if r.mirrorOf == "" {
		return nil
	}
	if r.evidence != "" {
		return usagef("npm: --evidence-registry asks the registry behind a mirror; --mirror-of does not go with it")
	}
	u, err := url.Parse(r.mirrorOf)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return usagef("npm: --mirror-of: expected an address such as https://registry.example/, found %q", lockfile.WithoutUsers(r.mirrorOf))
	}
	return nil
}

// open returns the evidence for what is checked.
func (r *npmRegistry) open(ctx context.Context, io stdio, target *npmTarget) (npm.Evidence, error) {
	if r.offline != "" {
		if info, err := os.Stat(r.offline); err != nil {
			return nil, failed(fmt.Errorf("reading kept answers: %w", err)).withHint("--offline names the folder that holds them")
		} else if !info.IsDir() {
			return nil, failed(fmt.Errorf("reading kept answers: expected a folder, found a file: %q", r.offline))
		}
		return npm.Answers{Files: os.DirFS(r.offline)}, nil
	}
	if err := r.connect(ctx, io, target); err != nil {
		return nil, err
	}
	online := &npm.Online{Client: r.client, MirrorOf: r.mirrorOf}
	r.online = online
	online.Scoped = func(name string) bool {
		address, _ := r.config.For(name)
		return r.evidence == "" && address != r.config.Registry
	}
	if r.evidence != "" {
		online.Mirror = func(name string) string { address, _ := r.config.For(name); return address }
	}
	if r.save != "" {
		if err := os.MkdirAll(r.save, 0o755); err != nil {
			return nil, failed(fmt.Errorf("--save: %w", err))
		}
		var mine sync.Map // files of this run
		online.Save = func(file string, data []byte) error {
			path := filepath.Join(r.save, file)
			if _, again := mine.LoadOrStore(file, true); !again && !r.tarballsToo {
				// A tarball of an earlier run was not looked at in this one.
				if err := os.Remove(strings.TrimSuffix(path, ".json") + ".tgz"); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("--save: %w", err)
				}
			}
			return saveFile(path, data)
		}
	}
	return online, nil
}

// saveFile replaces what is there: a folder that is checked in may hold links to anywhere.
func saveFile(path string, data []byte) error {
	if err := attest.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("--save: %w", err)
	}
	return nil
}

// connect finds out which registry is meant.
func (r *npmRegistry) connect(ctx context.Context, io stdio, target *npmTarget) error {
	in := registry.Inputs{Flag: r.address, Environ: os.Environ()}
	var err error
	if in.UserConfig, in.GlobalConfig, err = userConfigs(target); err != nil {
		return err
	}
	config, err := registry.Read(in)
	if err != nil {
		return usagef("npm: %w", err)
	}
	if config.Registry == "" { // the project is asked last
		in.NPMRegistry = askNPM(ctx)
	}
	if in.FromProject = r.fromProject; r.fromProject {
		if in.ProjectConfig, err = optional(filepath.Join(target.dir, ".npmrc")); err != nil {
			return err
		}
		in.ProjectRegistries = registriesOf(target.project)
	}
	if config, err = registry.Read(in); err != nil {
		return usagef("npm: %w", err)
	}
	if config.Registry == "" && r.evidence == "" {
		return usagef("npm: no registry is known").withHint("name it with --registry URL; or take the one of the project's .npmrc or lockfile with --registry-from-project; or decide from kept answers with --offline DIR")
	}
	for _, note := range config.Notes {
		fmt.Fprintf(io.err, "plimsoll: npm's configuration: %s\n", printable(note))
	}
	options := registry.Options{Deadline: r.deadline, UserAgent: "plimsoll/" + version(), Evidence: r.evidence}
	if config.CAFile != "" {
		file, err := operatorsFile("cafile", config.CAFile)
		if err != nil {
			return err
		}
		if options.CAs, err = readBounded(file, 16<<20); err != nil {
			return usagef("npm: cafile of npm's configuration: %w", err)
		}
	}
	r.config = config
	if r.client, err = registry.NewClient(config, options); err != nil {
		return usagef("npm: %w", err)
	}
	return nil
}

// registriesOf lists the addresses that a lockfile fetches packages from.
func registriesOf(project *lockfile.Project) []string {
	seen := map[string]bool{}
	var all []string
	for _, p := range project.Packages {
		i := strings.Index(p.Resolved, "/"+p.Name+"/-/")
		if p.Source != lockfile.SourceRegistry || i < 0 {
			continue
		}
		if address := p.Resolved[:i+1]; !seen[address] {
			seen[address], all = true, append(all, address)
		}
	}
	return all
}

// saveKeys keeps the keys that were used beside the answers.
func (r *npmRegistry) saveKeys(keys []byte) error {
	if r.save == "" {
		return nil
	}
	return saveFile(filepath.Join(r.save, "keys.json"), keys)
}
