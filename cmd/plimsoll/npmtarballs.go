package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"plimsoll.example/verify/npm"
)

// npmTarballs says where tarballs are.
type npmTarballs struct {
	folders []string
	cache   string
	fetch   bool
	given   *givenTarball // PATH is a tarball
}

func (t *npmTarballs) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&t.folders, "tarballs", nil, "a folder of tarballs, called as npm pack calls them; may be repeated")
	flags.StringVar(&t.cache, "npm-cache", "", "npm's cache, to take tarballs from, or \"none\"; else, but with --offline, the one of npm's configuration")
	flags.BoolVar(&t.fetch, "fetch-tarballs", false, "fetch the tarballs that are not at hand")
}

func (t *npmTarballs) check(r *npmRegistry) error {
	if t.fetch && r.offline != "" {
		return usagef("npm: --offline asks nobody; --fetch-tarballs does not go with it")
	}
	saved, err := os.Stat(r.save)
	if r.save == "" || err != nil {
		return nil
	}
	for _, dir := range t.folders {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, saved) {
			r.tarballsToo = true
		}
	}
	return nil
}

// open returns where tarballs are looked for. With --offline that is the folder of
// answers, and what is named.
func (t *npmTarballs) open(r *npmRegistry) (npm.Tarballs, error) {
	if t.given != nil {
		return t.given, nil
	}
	s := &npm.SourcedTarballs{}
	for _, dir := range t.folders {
		if err := isFolder("--tarballs", dir); err != nil {
			return nil, err
		}
		s.Sources = append(s.Sources, npm.FolderTarballs{Files: os.DirFS(dir)})
	}
	if r.offline != "" {
		s.Sources = append(s.Sources, npm.FolderTarballs{Files: os.DirFS(r.offline)})
	}
	if cache, err := t.cacheFolder(r); err != nil {
		return nil, err
	} else if cache != "" {
		s.Sources = append(s.Sources, npm.CachedTarballs{Files: os.DirFS(cache)})
	}
	if t.fetch {
		s.Sources = append(s.Sources, npm.FetchedTarballs{Client: r.client})
	}
	if r.save != "" {
		s.Save = func(name string, from io.Reader) (io.ReadCloser, error) {
			return keep(filepath.Join(r.save, name), from)
		}
		r.online.WithTarballs, s.Noted = true, r.online.NoteTarball
	}
	return s, nil
}

// noCache is what --npm-cache says for none.
const noCache = "none"

// cacheFolder is npm's cache: what --npm-cache names; online also npm's own.
func (t *npmTarballs) cacheFolder(r *npmRegistry) (string, error) {
	switch {
	case t.cache == noCache:
		return "", nil
	case t.cache != "":
		return t.cache, isFolder("--npm-cache", t.cache)
	case r.offline != "":
		return "", nil
	}
	if cache, err := npmFile("cache"); err != nil || cache != "" {
		return cache, err
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".npm"), nil
	}
	return "", nil
}

// isFolder refuses what is named and not there.
func isFolder(flag, dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return failed(fmt.Errorf("%s: %w", flag, err))
	}
	if !info.IsDir() {
		return failed(fmt.Errorf("%s: expected a folder, found a file: %q", flag, dir))
	}
	return nil
}

// keep writes a file and opens it again. What could not be read to its end is not kept.
func keep(path string, from io.Reader) (io.ReadCloser, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tarball-*")
	if err != nil {
		return nil, fmt.Errorf("--save: %w", err)
	}
	if _, err = io.Copy(f, from); err == nil {
		err = f.Chmod(0o644)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	return os.Open(path)
}
