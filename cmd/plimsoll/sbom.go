package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"plimsoll.example/attest"
	"plimsoll.example/sbom"
	"plimsoll.example/sbom/golang"
	"plimsoll.example/sbom/npm"
)

const sbomHelp = `Usage: plimsoll sbom [-o FILE] [PATH...]
       plimsoll sbom check FILE

Writes a CycloneDX SBOM of the builds at PATH: a directory with a go.mod, a go.work,
a lockfile of npm, yarn, pnpm or bun, or with node_modules; one of these; or a Go
binary. The default is the current directory. Several PATHs make one document, as
does --all with every build in the tree. Nothing is fetched or run.

Where packages are installed beside a lockfile, their files tell licences, authors
and scripts, and are compared with the lockfile; what differs is said.

SOURCE_DATE_EPOCH sets the document's time; without it, it is that of the commit,
or none. Who made the SBOM and what it is about comes from flags, or from
plimsoll.yaml beside PATH or in the current directory:

  sbom:
    authors: [{name: Release Team, email: release@acme.example}]
    manufacturer: {name: Acme, url: https://acme.example, email: info@acme.example}
    license: Apache-2.0

What Go module zips and licence texts tell is kept in the user's cache folder.
"sbom check" says what an SBOM of any tool lacks; a folder of that name is ./check.

Examples:
  plimsoll sbom . -o app.cdx.json
  plimsoll sbom ./app --version v1.2.3
  plimsoll sbom ./web --omit dev --bundle dist/meta.json
  plimsoll sbom . --main ./cmd/server --goos linux --goarch arm64 --tags netgo
`

type sbomFlags struct {
	spec, serial, version, name, config string
	manufacturer, supplier, license     string
	authors                             []string
	goos, goarch, tags, vendor          string
	mains                               []string
	skipZips, all, lockfileOnly         bool
	omit, bundles                       []string
	onlyBundled                         bool
	npmAnswers                          string
	npmTrust                            npmTrust
}

func runSBOM(ctx context.Context, io stdio, args []string) error {
	if len(args) > 0 && args[0] == "check" {
		return runSBOMCheck(ctx, io, args[1:])
	}
	var f sbomFlags
	flags := newFlags(io, "sbom", sbomHelp)
	out := flags.StringP("output", "o", "", "write to this file instead of standard output")
	f.add(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	paths := flags.Args()
	if len(paths) == 0 {
		paths = []string{"."}
	}
	if err := f.check(paths, *out); err != nil {
		return err
	}
	options, err := f.options(paths[0])
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(paths, hasLockfile) || (!f.lockfileOnly && slices.ContainsFunc(paths, hasInstalled)) {
		setGarbage(200, 256<<20) // module zips and node_modules take long, and leave much behind
	}
	if options.Attested, err = f.attested(); err != nil {
		return err
	}
	doc, err := generate(ctx, paths, options)
	if err != nil {
		return err
	}
	sayGaps(io, doc)
	if *out == "" {
		_, err := io.out.Write(doc.JSON())
		return err
	}
	return writeFile(*out, doc.JSON(), 0o644)
}

// platforms are what Go builds for (go tool dist list).
var platforms = struct{ os, arch []string }{
	strings.Fields("aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows"),
	strings.Fields("386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm"),
}

// check holds what flags and paths say together.
func (f *sbomFlags) check(paths []string, out string) error {
	if f.goos != "" && !slices.Contains(platforms.os, f.goos) {
		return usagef("sbom: --goos: expected one of %s, found %q", strings.Join(platforms.os, ", "), f.goos)
	}
	if f.goarch != "" && !slices.Contains(platforms.arch, f.goarch) {
		return usagef("sbom: --goarch: expected one of %s, found %q", strings.Join(platforms.arch, ", "), f.goarch)
	}
	if len(paths) == 1 && f.name != "" && !f.all {
		info, err := os.Stat(filepath.Join(paths[0], "go.work"))
		if isWork := filepath.Base(paths[0]) == "go.work" || (err == nil && info.Mode().IsRegular()); !isWork {
			return usagef("sbom: --name is what several PATHs are called together, found one").withHint("one build has the name that its project gives it")
		}
	}
	if f.npmAnswers == "" && f.npmTrust.root+f.npmTrust.keys != "" {
		return usagef("sbom: --trusted-root and --registry-keys go with --npm-answers")
	}
	if f.onlyBundled && len(f.bundles) == 0 {
		return usagef("sbom: --only-bundled needs --bundle FILE, which says what is in the bundle")
	}
	if len(f.bundles) > 0 && (len(paths) > 1 || f.all) {
		return usagef("sbom: --bundle is about one project; name one PATH, without --all")
	}
	written, err := os.Stat(out)
	if out == "" || err != nil {
		return nil
	}
	for _, path := range paths {
		if read, err := os.Stat(path); err == nil && os.SameFile(read, written) {
			return usagef("sbom: --output %q is what is to be read", out)
		}
	}
	return nil
}

// hasLockfile says whether a path is a lockfile or a folder with one.
func hasLockfile(path string) bool {
	if slices.Contains(npm.LockfileNames(), filepath.Base(path)) {
		return true
	}
	found, err := npm.Find(os.DirFS(path))
	return err == nil && len(found) > 0
}

// hasInstalled says whether packages are installed beside a lockfile.
func hasInstalled(path string) bool {
	dir := path
	if filepath.Base(path) == npm.NodeModules || slices.Contains(npm.LockfileNames(), filepath.Base(path)) {
		dir = filepath.Dir(path)
	}
	_, err := os.Stat(filepath.Join(dir, npm.NodeModules))
	return err == nil
}

// sayGaps says what is not known.
func sayGaps(io stdio, doc *sbom.Document) {
	for _, note := range doc.Notes {
		fmt.Fprintf(io.err, "plimsoll: %s\n", printable(note))
	}
	for _, gap := range doc.Gaps {
		fmt.Fprintf(io.err, "plimsoll: not known: %s\n", printable(gap))
	}
}

func (f *sbomFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.spec, "spec-version", "1.7", "of CycloneDX: 1.7 or 1.6")
	flags.StringVar(&f.serial, "serial", "derived", "the serial number: derived from the content, so that the same build has the same bytes, or random")
	flags.StringVar(&f.version, "version", "", "the version of what was built, instead of what the build says")
	flags.StringVar(&f.name, "name", "", "what several PATHs are called together")
	flags.StringArrayVar(&f.authors, "author", nil, "who writes the SBOM, as NAME <E-MAIL>; may be repeated")
	flags.StringVar(&f.manufacturer, "manufacturer", "", "who made what was built, as NAME <E-MAIL> or NAME <https://...>")
	flags.StringVar(&f.supplier, "supplier", "", "who supplies what was built, the same way")
	flags.StringVar(&f.license, "license", "", "under what it is given away, as an SPDX expression, instead of what its texts say")
	flags.StringVar(&f.config, "config", "", "read this file instead of plimsoll.yaml")
	flags.StringArrayVar(&f.mains, "main", nil, "of a Go module: only this program, ./cmd/x or an import path; may be repeated")
	flags.StringVar(&f.goos, "goos", "", "of a Go module: the operating system that it is built for")
	flags.StringVar(&f.goarch, "goarch", "", "of a Go module: the processor that it is built for")
	flags.StringVar(&f.tags, "tags", "", "of a Go module: build tags, separated by commas, instead of those in GOFLAGS")
	flags.StringVar(&f.vendor, "vendor", "", "of a Go binary: the vendor folder it was built with, for licences")
	flags.BoolVar(&f.all, "all", false, "every build in the trees below PATH")
	flags.StringSliceVar(&f.omit, "omit", nil, "of a JavaScript project: leave out what is needed by these dependencies only: dev, optional, peer")
	flags.StringArrayVar(&f.bundles, "bundle", nil, "of a JavaScript project: mark what is in the bundle by esbuild's metafile, webpack's or rollup's stats, or source maps: a file, a pattern such as 'dist/**/*.map', or a folder of maps; may be repeated")
	flags.StringVar(&f.npmAnswers, "npm-answers", "", "of a JavaScript project: verify the registry's answers that plimsoll npm --save kept in this folder, and write where each package came from")
	flags.StringVar(&f.npmTrust.root, "trusted-root", "", "for --npm-answers: verify by this trust root instead of the embedded one")
	flags.StringVar(&f.npmTrust.keys, "registry-keys", "", "for --npm-answers: the registry's keys instead of npm's embedded ones")
	flags.BoolVar(&f.onlyBundled, "only-bundled", false, "leave out packages of which nothing is in the bundle")
	flags.BoolVar(&f.lockfileOnly, "lockfile-only", false, "of a JavaScript project: do not look into node_modules")
	flags.BoolVar(&f.skipZips, "no-zip-hashes", false, "do not read Go module zips whole: quicker at first, and without hashes")
}

// options are what a document takes from flags, plimsoll.yaml and the
// environment. path is where the first build is.
func (f *sbomFlags) options(path string) (sbom.Options, error) {
	o := sbom.Options{
		Tool: sbom.Tool{Name: "plimsoll", Version: version()},
		Name: f.name, Version: f.version, SpecVersion: f.spec, RandomSerial: f.serial == "random", All: f.all,
		Bundles: f.bundles, OnlyBundled: f.onlyBundled,
		NPM: npm.Options{LockfileOnly: f.lockfileOnly, Omit: f.omit, Facts: factsFolder()},
		Go: golang.Options{
			GOOS: f.goos, GOARCH: f.goarch, Main: f.mains, ModCache: moduleCache(), Facts: factsFolder(),
			Vendor: f.vendor, SkipZips: f.skipZips, GoWork: os.Getenv("GOWORK"),
		},
	}
	if f.tags != "" {
		o.Go.Tags = strings.Split(f.tags, ",")
	}
	for _, kind := range f.omit {
		if !slices.Contains(npm.OmitKinds(), kind) {
			return o, usagef("sbom: --omit: expected %s, found %q", strings.Join(npm.OmitKinds(), ", "), kind)
		}
	}
	if f.spec != "" && f.spec != "1.6" && f.spec != "1.7" {
		return o, usagef("sbom: --spec-version: expected 1.6 or 1.7, found %q", f.spec)
	}
	if f.serial != "" && f.serial != "derived" && f.serial != "random" {
		return o, usagef("sbom: --serial: expected derived or random, found %q", f.serial)
	}
	if strings.ContainsFunc(f.version, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return o, usagef("sbom: --version: expected a version, found %q", f.version)
	}
	for _, m := range f.mains {
		if strings.HasPrefix(m, "-") || strings.Contains(m, "...") || m == "" {
			return o, usagef("sbom: --main: expected one program, ./cmd/x or an import path, found %q", m)
		}
	}
	config, err := findConfig(f.config, path)
	if err != nil {
		return o, err
	}
	if config != "" {
		if err := applyConfig(config, &o); err != nil {
			return o, err
		}
	}
	if err := f.parties(&o); err != nil {
		return o, err
	}
	if f.license != "" {
		if o.License = f.license; !sbom.IsLicense(f.license) {
			return o, usagef("sbom: --license: expected an SPDX expression, found %q", f.license).withHint("such as MIT, or LicenseRef-NAME for terms of your own")
		}
	}
	o.Time, err = sourceDate()
	return o, err
}

// parties are who is named by flags; they replace what plimsoll.yaml says.
func (f *sbomFlags) parties(o *sbom.Options) error {
	if len(f.authors) > 0 {
		o.Authors = nil
	}
	for _, a := range f.authors {
		party, err := parseParty(a)
		if err != nil {
			return usagef("sbom: --author: %w", err)
		}
		if party.URL != "" {
			return usagef("sbom: --author: expected NAME <E-MAIL>, found %q", a)
		}
		o.Authors = append(o.Authors, sbom.Contact{Name: party.Name, Email: party.Email})
	}
	for _, of := range []struct {
		flag, value string
		to          **sbom.Organization
	}{{"manufacturer", f.manufacturer, &o.Manufacturer}, {"supplier", f.supplier, &o.Supplier}} {
		if of.value == "" {
			continue
		}
		party, err := parseParty(of.value)
		if err != nil {
			return usagef("sbom: --%s: %w", of.flag, err)
		}
		*of.to = &sbom.Organization{Name: party.Name, URL: party.URL, Email: party.Email}
	}
	return nil
}

// generate is sbom.Generate with the hints that its errors call for.
func generate(ctx context.Context, paths []string, options sbom.Options) (*sbom.Document, error) {
	doc, err := sbom.Generate(ctx, paths, options)
	switch {
	case errors.Is(err, sbom.ErrUnknown):
		return nil, failed(err).withHint("name the folder that has the go.mod or the lockfile, or the binary itself")
	case errors.Is(err, sbom.ErrSeveral):
		return nil, failed(err).withHint("or make one document of all of them with --all")
	case errors.Is(err, os.ErrNotExist):
		return nil, failed(err).withHint("check the path")
	case err != nil:
		return nil, failed(err)
	}
	return doc, nil
}

// sourceDate is the time that SOURCE_DATE_EPOCH sets
// (reproducible-builds.org/specs/source-date-epoch); zero if it sets none.
func sourceDate() (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 || time.Unix(seconds, 0).UTC().Year() > 9999 {
		return time.Time{}, usagef("SOURCE_DATE_EPOCH: expected seconds since 1970, found %q", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// moduleCache is where the go command keeps modules (go help environment): the
// environment says it, or what go env -w wrote.
func moduleCache() string {
	if dir := goSetting("GOMODCACHE"); dir != "" {
		return dir
	}
	if list := filepath.SplitList(goSetting("GOPATH")); len(list) > 0 && list[0] != "" {
		return filepath.Join(list[0], "pkg", "mod")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, "go", "pkg", "mod")
}

// goSetting is a setting of the go command, without asking it.
func goSetting(name string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	file := os.Getenv("GOENV")
	if file == "off" {
		return ""
	}
	if file == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return ""
		}
		file = filepath.Join(dir, "go", "env")
	}
	data, err := readBounded(file, 1<<20)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return value
		}
	}
	return ""
}

// factsFolder keeps what was learned from module zips; "" if there is no place.
func factsFolder() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "plimsoll")
}

// writeFile writes a result file whole, or leaves nothing behind.
func writeFile(path string, data []byte, perm os.FileMode) error {
	if err := attest.WriteFile(path, data, perm); err != nil {
		return failed(err).withHint("check that the folder is there and may be written to")
	}
	return nil
}
