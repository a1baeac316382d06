package oci

import (
	"net/http"
	"strings"
	"testing"
)

func TestNextLink(t *testing.T) {
	for value, want := range map[string]string{
		``: "", `</a?n=1>; rel="next"`: "/a?n=1", `<a,b>;rel=next`: "a,b", `<a>; rel="prev", <b>; title="x"; Rel="Next"`: "b",
		`<a>`: "", `<a`: "", `a>; rel="next"`: "", `<a>; rel="nexts"`: "", `<>; rel="next"`: "",
	} {
		if found := nextLink(http.Header{"Link": {value}}); found != want {
			t.Errorf("%s: expected %q, found %q", value, want, found)
		}
	}
}

func FuzzNextLink(f *testing.F) {
	f.Add(`<a>; rel="prev", <b>; rel="next"`)
	f.Fuzz(func(t *testing.T, value string) {
		if found := nextLink(http.Header{"Link": {value}}); !strings.Contains(value, "<"+found+">") && found != "" {
			t.Errorf("%q: found %q", value, found)
		}
	})
}
