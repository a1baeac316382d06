package npmtest

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"path"
	"strconv"
	"strings"
)

const issuerGitHub = "https://token.actions.githubusercontent.com"

// An Identity is what a certificate says of the CI job that signs. A field that is
// empty is neither in the certificate nor in the predicate.
type Identity struct {
	Issuer         string `json:"issuer"`
	SAN            string `json:"san"` // an address, or an e-mail address if it has no "://"
	Repository     string `json:"repository"`
	RepositoryID   string `json:"repositoryId"`
	OwnerID        string `json:"ownerId"`
	Commit         string `json:"commit"`
	Ref            string `json:"ref"`
	Workflow       string `json:"workflow"` // its path in the repository
	BuildConfigURI string `json:"buildConfigUri"`
	Runner         string `json:"runner"` // "github-hosted" or "self-hosted"
	Trigger        string `json:"trigger"`
	RunInvocation  string `json:"runInvocation"`
	// Extensions is "old" for a certificate with the extensions of before April 2023
	// alone (.1 to .6), "old and issuer" for one with .8 beside them, and "old issuer"
	// for one that lacks .8 alone.
	Extensions string `json:"extensions"`
}

// GitHub returns the full identity of a GitHub Actions job that a tag's push started
// in a repository OWNER/NAME on GitHub's own machine. The same repository always has
// the same ids and the same commit.
func GitHub(repo string) Identity {
	return Identity{Repository: "https://github.com/" + repo}.complete()
}

// complete fills in what is empty by the repository, the ref and the workflow.
func (id Identity) complete() Identity {
	owner := path.Dir(strings.TrimPrefix(id.Repository, "https://"))
	id.Issuer = cmp.Or(id.Issuer, issuerGitHub)
	id.Ref = cmp.Or(id.Ref, "refs/tags/v1.0.0")
	id.Workflow = cmp.Or(id.Workflow, ".github/workflows/release.yml")
	sum := sha256.Sum256([]byte(id.Repository + "@" + id.Ref))
	id.Commit = cmp.Or(id.Commit, hex.EncodeToString(sum[:20]))
	id.RepositoryID = cmp.Or(id.RepositoryID, number(id.Repository))
	id.OwnerID = cmp.Or(id.OwnerID, number(owner))
	id.BuildConfigURI = cmp.Or(id.BuildConfigURI, id.Repository+"/"+id.Workflow+"@"+id.Ref)
	id.SAN = cmp.Or(id.SAN, id.BuildConfigURI)
	id.Runner = cmp.Or(id.Runner, "github-hosted")
	id.Trigger = cmp.Or(id.Trigger, "push")
	id.RunInvocation = cmp.Or(id.RunInvocation, id.Repository+"/actions/runs/"+number(id.Commit)+"/attempts/1")
	return id
}

// number makes an id that is always the same for the same text.
func number(of string) string {
	sum := sha256.Sum256([]byte(of))
	return strconv.FormatUint(uint64(binary.BigEndian.Uint32(sum[:])), 10)
}

// extensions returns Fulcio's certificate extensions (fulcio, docs/oid-info.md): .1
// to .6 are bare text, .8 to .22 DER UTF8Strings.
func (id Identity) extensions() []pkix.Extension {
	slug, github := strings.CutPrefix(id.Repository, "https://github.com/")
	var out []pkix.Extension
	add := func(n int, value string, encode func(string) []byte) {
		if value != "" {
			out = append(out, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, n}, Value: encode(value)})
		}
	}
	bare := func(v string) []byte { return []byte(v) }
	add(1, id.Issuer, bare)
	if github {
		workflow := strings.TrimSuffix(path.Base(id.Workflow), path.Ext(id.Workflow))
		for i, v := range []string{id.Trigger, id.Commit, workflow, slug, id.Ref} {
			add(2+i, v, bare)
		}
	}
	if id.Extensions == "old" {
		return out
	}
	var owner, visibility string
	if id.Repository != "" {
		owner, visibility = id.Repository[:max(0, strings.LastIndexByte(id.Repository, '/'))], "public"
	}
	for i, v := range []string{
		id.Issuer, id.BuildConfigURI, id.Commit, id.Runner, id.Repository, id.Commit, id.Ref, id.RepositoryID,
		owner, id.OwnerID, id.BuildConfigURI, id.Commit, id.Trigger, id.RunInvocation, visibility,
	} {
		if id.Extensions == "old issuer" && i == 0 {
			continue
		}
		if id.Extensions == "old and issuer" && i > 0 {
			break
		}
		add(8+i, v, func(v string) []byte { return must(asn1.MarshalWithParams(v, "utf8")) })
	}
	return out
}
