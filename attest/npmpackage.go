package attest

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/package-url/packageurl-go"
)

// ErrNotNPM reports a file that is no tarball of an npm package.
var ErrNotNPM = errors.New("it is no npm package")

// Bounds of a package that is looked into.
const (
	maxUnpacked    = 2 << 30
	maxPackageJSON = 4 << 20
)

// NPMPackage returns the purl of the npm package that npm packed into the file at
// path (NAME.tgz): pkg:npm/%40scope/name@version, as npm itself names the subject of
// its statements. A file that is no such tarball is [ErrNotNPM]; one that has
// package.json twice, of which one tool would read the first and another the second,
// is an error.
func NPMPackage(ctx context.Context, file string) (purl string, err error) {
	if !strings.HasSuffix(file, ".tgz") {
		return "", ErrNotNPM
	}
	f, err := OpenRegular(file)
	if err != nil {
		return "", fmt.Errorf("reading artifact: %w", err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(untilDone{ctx, f})
	if err != nil {
		return "", ErrNotNPM
	}
	var found []byte
	bounded := &io.LimitedReader{R: unzipped, N: maxUnpacked}
	archive := tar.NewReader(bounded)
	for {
		header, err := archive.Next()
		if bounded.N <= 0 {
			return "", fmt.Errorf("artifact %q: reading the npm package: more than %d bytes are in it", file, maxUnpacked)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			if found != nil {
				return "", fmt.Errorf("artifact %q: reading the npm package: %w", file, err)
			}
			return "", ErrNotNPM
		}
		// npm drops the first folder of every path, whatever it is called.
		_, inside, ok := strings.Cut(path.Clean(header.Name), "/")
		if !ok || !strings.EqualFold(inside, "package.json") || header.Typeflag == tar.TypeDir {
			continue
		}
		if found != nil {
			return "", fmt.Errorf("artifact %q has package.json twice: it is not clear which package it is", file)
		}
		// Programs differ in what they make of such entries.
		if header.Typeflag != tar.TypeReg || header.Name != path.Clean(header.Name) || inside != "package.json" {
			return "", fmt.Errorf("artifact %q: expected package.json as a plain file, found %q of type %q", file, clip(header.Name), header.Typeflag)
		}
		if found, err = io.ReadAll(io.LimitReader(archive, maxPackageJSON)); err != nil {
			return "", fmt.Errorf("artifact %q: reading the npm package: %w", file, err)
		}
	}
	var manifest struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	if found == nil || jsonv2.Unmarshal(found, &manifest, jsontext.AllowDuplicateNames(true)) != nil || manifest.Name == "" || manifest.Version == "" {
		return "", ErrNotNPM
	}
	namespace, name := "", manifest.Name
	if scope, rest, ok := strings.Cut(name, "/"); ok && strings.HasPrefix(scope, "@") {
		namespace, name = scope, rest
	}
	return packageurl.NewPackageURL(packageurl.TypeNPM, namespace, name, manifest.Version, nil, "").ToString(), nil
}
