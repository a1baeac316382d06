package golang

import (
	"testing"
	"time"

	"plimsoll.example/sbom/git"
)

func TestTagVersion(t *testing.T) {
	commit := git.Commit{ID: "0123456789abcdef0123456789abcdef01234567", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for _, c := range []struct {
		name, path, prefix string
		here, before       []string
		shallow, changed   bool
		want               string // "": unknown
	}{
		{"a tag", "example.com/a", "", []string{"v1.2.3", "latest"}, nil, false, false, "v1.2.3"},
		{"changed since", "example.com/a", "", []string{"v1.2.3"}, nil, false, true, "v1.2.3+dirty"},
		{"the highest", "example.com/a", "", []string{"v1.2.3", "v1.10.0", "v1.11.0-rc.1"}, nil, false, false, "v1.11.0-rc.1"},
		{"a pre-release alone", "example.com/a", "", []string{"v1.11.0-rc.1"}, nil, false, false, "v1.11.0-rc.1"},
		{"another folder's", "example.com/r/app", "app/", []string{"v9.9.9", "lib/v3.0.0", "app/v1.2.3"}, nil, false, false, "v1.2.3"},
		{"only another folder's", "example.com/r/app", "app/", []string{"v9.9.9"}, []string{"v9.9.9"}, false, false, "v0.0.0-20260102030405-0123456789ab"},
		{"another major version's", "example.com/a", "", []string{"v2.0.0", "v1.9.0"}, nil, false, false, "v1.9.0"},
		{"a major version's", "example.com/a/v2", "", []string{"v2.0.0", "v1.9.0"}, nil, false, false, "v2.0.0"},
		{"in a folder of it", "example.com/r/app/v2", "app/v2/", []string{"app/v2.1.0"}, nil, false, false, "v2.1.0"},
		{"after a tag", "example.com/a", "", nil, []string{"v1.2.3"}, false, false, "v1.2.4-0.20260102030405-0123456789ab"},
		{"no tag", "example.com/a/v3", "", nil, nil, false, false, "v3.0.0-20260102030405-0123456789ab"},
		{"short", "example.com/a", "", []string{"v1.2", "v1", "1.2.3", "v1.2.3.4"}, nil, false, false, "v0.0.0-20260102030405-0123456789ab"},
		{"a pseudo-version as tag", "example.com/a", "", []string{"v0.0.0-20260102030405-0123456789ab"}, nil, false, false, "v0.0.0-20260102030405-0123456789ab"},
		{"shallow", "example.com/a", "", nil, nil, true, false, ""},
		{"shallow with the tag", "example.com/a", "", []string{"v1.0.0"}, nil, true, false, "v1.0.0"},
		{"gopkg.in", "gopkg.in/a.v1", "", []string{"v1.4.0", "v2.0.0"}, nil, false, false, "v1.4.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := tagVersion(&git.Checkout{Commit: commit, Prefix: c.prefix, Here: c.here, Before: c.before, Shallow: c.shallow, Changed: c.changed}, c.path)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("expected %q, found %q, %v", c.want, got, err)
			}
		})
	}
}
