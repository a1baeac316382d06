package golang

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"plimsoll.example/sbom/git"
)

// tagVersion is the version of the module in the checkout's folder: the tag at the
// commit, or a pseudo-version, with "+dirty" where files were changed. A module
// in a sub-folder has tags with that folder in front (go.dev/ref/mod,
// "vcs-version"): the repository's own tags are not its.
func tagVersion(c *git.Checkout, modulePath string) (version string, err error) {
	_, pathMajor, ok := module.SplitPathVersion(modulePath)
	if !ok {
		return "", fmt.Errorf("the module path %q has no valid version suffix", modulePath)
	}
	prefix := c.Prefix
	if major := module.PathMajorPrefix(pathMajor); major != "" {
		if rest, ok := strings.CutSuffix(prefix, major+"/"); ok && (rest == "" || strings.HasSuffix(rest, "/")) {
			prefix = rest
		}
	}
	version = highest(c.Here, prefix, pathMajor)
	if version == "" && c.Shallow {
		return "", errors.New("the clone is shallow, and no tag of the module is at its commit")
	}
	if version == "" {
		older := highest(c.Before, prefix, pathMajor)
		version = module.PseudoVersion(module.PathMajorPrefix(pathMajor), older, c.Time, c.ID[:12])
	}
	if c.Changed {
		version += "+dirty"
	}
	return version, nil
}

// highest returns the highest version among tags, as the go command chooses when
// it stamps one; "" if there is none.
func highest(tags []string, prefix, pathMajor string) string {
	best := ""
	for _, tag := range tags {
		v, ok := strings.CutPrefix(tag, prefix)
		if !ok || semver.Canonical(v) != v || module.IsPseudoVersion(v) || module.CheckPathMajor(v, pathMajor) != nil {
			continue
		}
		if best == "" || semver.Compare(v, best) > 0 {
			best = v
		}
	}
	return best
}
