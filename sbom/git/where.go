package git

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNone reports a folder that lies in no repository.
var ErrNone = errors.New("no git repository tells it")

// errEmbedded reports a folder of the checkout that git would take for a repository: with
// HEAD, config, objects and refs committed, a change could bring its own history and
// settings, which run programs.
var errEmbedded = errors.New("a folder of the checkout is made like a git repository of its own (it has HEAD and refs), and git would believe that one")

// inRepository finds out, without a process, whether a folder lies in a repository that a
// checkout made: one with .git, below which no folder on the way passes for a repository.
func inRepository(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ErrNone
	}
	embedded := false
	for {
		if has(dir, ".git") {
			if embedded {
				return errEmbedded
			}
			return nil
		}
		embedded = embedded || has(dir, "HEAD") && (has(dir, "refs") || has(dir, "commondir"))
		up := filepath.Dir(dir)
		if up == dir {
			return ErrNone
		}
		dir = up
	}
}

// command is the git command; "" if there is none. Package managers put the commands of a
// project's dependencies before all others, and one of them may be called git.
func command() string {
	for _, dir := range filepath.SplitList(searchPath()) {
		if !filepath.IsAbs(dir) || slices.Contains(strings.Split(filepath.ToSlash(dir), "/"), "node_modules") {
			continue
		}
		if file, err := exec.LookPath(filepath.Join(dir, "git")); err == nil {
			return file
		}
	}
	return ""
}

// searchPath is PATH in the environment that git runs in.
func searchPath() string {
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.EqualFold(name, "PATH") {
			return value
		}
	}
	return ""
}

func has(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}
