package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// A NoFileError says that a commit is here, and does not have a file.
type NoFileError struct{ Path, Ref string }

func (e *NoFileError) Error() string {
	return fmt.Sprintf("there is no file %.200q in %.200q", e.Path, e.Ref)
}

// Show returns a file as it is in a commit: ref is a branch, a tag or a commit id, path
// is from the repository's top. The folder's own files are not looked at. Where the commit is
// here and has nothing of that name, the error is a *NoFileError.
func Show(ctx context.Context, dir, ref, path string) ([]byte, error) {
	switch {
	case ref == "" || strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, ": \x00\n"):
		return nil, fmt.Errorf("expected a branch, tag or commit, found %.200q", ref)
	case path == "" || strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\x00\n"):
		return nil, fmt.Errorf("expected a path from the repository's top, found %.200q", path)
	}
	if err := inRepository(dir); err != nil {
		return nil, err
	}
	if command() == "" {
		return nil, errNoCommand
	}
	// A change of the repository around can make a submodule of the folder, and its
	// branches are then those of another repository, which the change names.
	if around, err := run(ctx, dir, "rev-parse", "--show-superproject-working-tree"); err != nil || len(around) > 0 {
		return nil, errors.New("the folder is a submodule of another repository, which says what is in it; read the file in a checkout of its own")
	}
	commit, err := run(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil || len(commit) != 1 {
		return nil, fmt.Errorf("git knows no commit %.200q", ref)
	}
	if names := namesOf(ctx, dir, ref); len(names) > 1 {
		return nil, fmt.Errorf("%.200q is the name of several: %.300q; name one of them", ref, names)
	}
	// A commit whose folders are not all here (a partial clone) may well have the file.
	if listed, err := output(ctx, dir, "ls-tree", "-z", "--full-tree", "--name-only", commit[0], "--", ":(literal)"+path); err != nil {
		return nil, fmt.Errorf("looking for %.200q in %.200q: %w", path, ref, err)
	} else if listed == "" {
		return nil, &NoFileError{Path: path, Ref: ref}
	}
	text, err := output(ctx, dir, "cat-file", "blob", commit[0]+":"+path)
	if err != nil {
		return nil, fmt.Errorf("%.200q in %.200q is no file, or is not here", path, ref)
	}
	if text == "" {
		return nil, errors.New("the file is empty")
	}
	return []byte(text), nil
}

// namesOf lists the branches and tags that a name may stand for, without what leads from
// there to another commit. Git takes the tag: who may push one would say what a protected
// branch is.
func namesOf(ctx context.Context, dir, ref string) []string {
	name := ref
	if i := strings.IndexAny(ref, "~^@"); i > 0 {
		name = ref[:i]
	}
	var names []string
	for _, full := range []string{"refs/" + name, "refs/tags/" + name, "refs/heads/" + name, "refs/remotes/" + name} {
		if _, err := run(ctx, dir, "show-ref", "--verify", "--quiet", "--", full); err == nil {
			names = append(names, full)
		}
	}
	return names
}
