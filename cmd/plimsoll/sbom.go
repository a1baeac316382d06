package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"plimsoll.example/attest"
	"plimsoll.example/sbom"
)

const sbomHelp = `Usage: plimsoll sbom [-o FILE] PATH

Writes a CycloneDX 1.7 SBOM of the build at PATH: a directory with a go.mod or a
package-lock.json, one of these files, or a Go binary. The default is the
current directory. Nothing is fetched. SOURCE_DATE_EPOCH sets the document's
time; without it, it is that of the commit stamped into a binary, or none.

Examples:
  plimsoll sbom . -o app.cdx.json
  plimsoll sbom ./app
`

func runSBOM(ctx context.Context, io stdio, args []string) error {
	flags := newFlags(io, "sbom", sbomHelp)
	out := flags.StringP("output", "o", "", "write to this file instead of standard output")
	if err := parse(flags, args); err != nil {
		return err
	}
	path := "."
	switch flags.NArg() {
	case 0:
	case 1:
		path = flags.Arg(0)
	default:
		return usagef("sbom: expected one PATH, found %d", flags.NArg())
	}
	options, err := sbomOptions()
	if err != nil {
		return err
	}
	doc, err := generate(ctx, path, options)
	if err != nil {
		return err
	}
	for _, gap := range doc.Gaps {
		fmt.Fprintf(io.err, "plimsoll: not known: %s\n", printable(gap))
	}
	if *out == "" {
		_, err := io.out.Write(doc.JSON())
		return err
	}
	return writeFile(*out, doc.JSON(), 0o644)
}

// generate is sbom.Generate with the hints that its errors call for.
func generate(ctx context.Context, path string, options sbom.Options) (*sbom.Document, error) {
	doc, err := sbom.Generate(ctx, path, options)
	switch {
	case errors.Is(err, sbom.ErrUnknown):
		return nil, failed(err).withHint("name the folder that has the go.mod or the package-lock.json, or the binary itself")
	case errors.Is(err, os.ErrNotExist):
		return nil, failed(err).withHint("check the path")
	case err != nil:
		return nil, failed(err)
	}
	return doc, nil
}

// sbomOptions are what a document takes from the environment.
func sbomOptions() (sbom.Options, error) {
	o := sbom.Options{Tool: sbom.Tool{Name: "plimsoll", Version: version()}, ModCache: moduleCache()}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil || seconds < 0 || time.Unix(seconds, 0).UTC().Year() > 9999 {
			return o, usagef("SOURCE_DATE_EPOCH: expected seconds since 1970, found %q", epoch)
		}
		o.Time = time.Unix(seconds, 0).UTC()
	}
	return o, nil
}

// moduleCache is where the go command keeps modules (go help environment).
func moduleCache() string {
	if dir := os.Getenv("GOMODCACHE"); dir != "" {
		return dir
	}
	if list := filepath.SplitList(os.Getenv("GOPATH")); len(list) > 0 && list[0] != "" {
		return filepath.Join(list[0], "pkg", "mod")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, "go", "pkg", "mod")
}

// writeFile writes a result file whole, or leaves nothing behind.
func writeFile(path string, data []byte, perm os.FileMode) error {
	if err := attest.WriteFile(path, data, perm); err != nil {
		return failed(err).withHint("check that the folder is there and may be written to")
	}
	return nil
}
