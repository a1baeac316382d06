// Package git asks git about a checkout: its commit, its time, its tags. It runs
// the git command, changes nothing, and runs none of the repository's hooks.
package git

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Commit is what is checked out.
type Commit struct {
	ID   string // hexadecimal
	Time time.Time
}

// A Checkout is what git tells about a folder.
type Checkout struct {
	Commit
	Prefix  string   // of the folder in the repository, "app/"; "" at its top
	Here    []string // tags at the commit
	Before  []string // tags at it and before it
	Shallow bool     // the history is cut off, and tags with it
	Changed bool     // something that is built differs from the commit
	// Untracked are files that git does not know, from the repository's top.
	Untracked []string
}

// Why a repository does not tell its commit.
var (
	errNoCommand = errors.New("there is no git command in PATH")
	errNoCommit  = errors.New("the git repository has no commit")
	errForeign   = errors.New("git refuses the repository, for it belongs to another user (safe.directory)")
)

// Head returns the commit that is checked out in a folder.
func Head(ctx context.Context, dir string) (Commit, error) {
	if err := inRepository(dir); err != nil {
		return Commit{}, err
	}
	if command() == "" {
		return Commit{}, errNoCommand
	}
	lines, err := run(ctx, dir, "log", "-1", "--no-show-signature", "--format=%H%n%ct")
	var failed *failure
	errors.As(err, &failed)
	switch {
	case failed != nil && strings.Contains(failed.said, "dubious ownership"):
		return Commit{}, errForeign
	case failed != nil && (strings.Contains(failed.said, "does not have any commits") || strings.Contains(failed.said, "bad default revision")):
		return Commit{}, errNoCommit
	case err != nil || len(lines) != 2:
		return Commit{}, errors.New("git does not tell the commit")
	}
	seconds, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return Commit{}, errors.New("git does not tell the commit")
	}
	return Commit{ID: lines[0], Time: time.Unix(seconds, 0).UTC()}, nil
}

// Read returns all that a version needs.
func Read(ctx context.Context, dir string) (*Checkout, error) {
	head, err := Head(ctx, dir)
	if err != nil {
		return nil, err
	}
	c := &Checkout{Commit: head}
	where, err := run(ctx, dir, "rev-parse", "--is-shallow-repository", "--show-prefix")
	if err != nil || len(where) == 0 {
		return nil, errors.New("git does not tell where the folder lies")
	}
	if c.Shallow = where[0] == "true"; len(where) > 1 {
		c.Prefix = where[1]
	}
	if c.Here, err = run(ctx, dir, "tag", "--points-at", head.ID); err != nil {
		return nil, err
	}
	if c.Before, err = run(ctx, dir, "tag", "--merged", head.ID); err != nil {
		return nil, err
	}
	without, err := withoutFilters(ctx, dir)
	if err != nil {
		return nil, err
	}
	status, err := run(ctx, dir, append(without, "-c", "core.quotePath=false", "status", "--porcelain", "--untracked-files=all")...)
	if err != nil {
		return nil, err
	}
	for _, line := range status {
		c.Changed = c.Changed || isChange(line)
		if name, ok := strings.CutPrefix(line, "?? "); ok {
			c.Untracked = append(c.Untracked, strings.Trim(name, `"`))
		}
	}
	return c, nil
}

// withoutFilters are options that switch off the programs which the repository's
// own settings name for turning files into what git stores (gitattributes,
// "filter"): status runs them.
func withoutFilters(ctx context.Context, dir string) ([]string, error) {
	names, err := run(ctx, dir, "config", "--local", "--includes", "--name-only", "--list")
	if err != nil {
		return nil, err
	}
	var options []string
	for _, name := range names {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "filter.") && (strings.HasSuffix(lower, ".clean") || strings.HasSuffix(lower, ".process") || strings.HasSuffix(lower, ".required")) {
			options = append(options, "-c", name+"=")
		}
	}
	return options, nil
}

// isChange says whether a line of git status is about what is built. A file that
// git does not know counts if it would be compiled: an SBOM beside the sources
// does not change the build.
func isChange(status string) bool {
	name, untracked := strings.CutPrefix(status, "?? ")
	if !untracked {
		return true
	}
	switch path.Ext(strings.Trim(name, `"`)) {
	case ".go", ".mod", ".sum", ".work", ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".m", ".s", ".S", ".f", ".swig", ".swigcxx", ".syso":
		return true
	}
	return false
}

// maxOutput bounds what git may print.
const maxOutput = 16 << 20

// run runs a git command that reads, and returns its lines.
func run(ctx context.Context, dir string, args ...string) ([]string, error) {
	text, err := output(ctx, dir, args...)
	lines := strings.TrimSuffix(text, "\n")
	if err != nil || lines == "" {
		return nil, err
	}
	return strings.Split(lines, "\n"), nil
}

// output runs a git command that reads, and returns what it prints.
func output(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command(), append([]string{"-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "safe.bareRepository=explicit"}, args...)...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	// In a hook these name the repository of the hook.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX"}, name)
	})
	// What is not in a partial clone is not fetched, by no helper either; and a commit is
	// what its id says, not what refs/replace puts in its place.
	cmd.Env = append(cmd.Env, "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none", "GIT_NO_REPLACE_OBJECTS=1", "LC_ALL=C")
	var text, said limited
	cmd.Stdout, cmd.Stderr = &text, &said
	if err := cmd.Run(); err != nil {
		return "", &failure{command: args[0], said: said.String()}
	}
	return text.String(), nil
}

// A failure of git. What it said may name folders of this machine, and is not in
// the error's text.
type failure struct{ command, said string }

func (f *failure) Error() string { return "git " + f.command + " failed" }

// limited is a buffer that fails when more than maxOutput is written to it.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxOutput {
		return 0, errors.New("git prints more than is read")
	}
	return l.Buffer.Write(p)
}
