package npm

import (
	"cmp"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"plimsoll.example/verify"
	"plimsoll.example/verify/npm/tarball"
)

// integrity judges the digest that the lockfile demands and returns it as the registry
// signs it ("sha512-..."); "" if there is none that binds the package.
func (j *job) integrity() string {
	sum, err := SHA512(j.pkg.Integrity)
	if err == nil {
		raw, err := hex.DecodeString(sum)
		if err != nil || len(raw) != sha512.Size {
			return ""
		}
		return integrityOf(raw)
	}
	var r *verify.Refusal
	if !errors.As(err, &r) {
		return ""
	}
	if r.Code == verify.CodeIntegrityMissing && j.entry.Checksum != "" {
		r = &verify.Refusal{Code: verify.CodeNoLockfileDigest, Expected: "a digest of the tarball", Found: "one of the package manager's own archive"}
	}
	j.find(r)
	return ""
}

// bytes looks at the tarball, where it is at hand. It returns its contents only if its
// SHA-512 is the one that the lockfile demands. Where the lockfile has none of the
// tarball (yarn's checksum is of its own archive), the tarball at hand gives it.
func (j *job) bytes(ctx context.Context, answered Answered) (*tarball.Contents, error) {
	missing := &verify.Refusal{Code: verify.CodeTarballMissing, Expected: "the tarball", Found: "it is not at hand"}
	if answered.TarballErr != nil {
		return nil, j.refuse(answered.TarballErr)
	}
	if j.inspector.Tarballs == nil {
		j.find(missing)
		return nil, nil
	}
	contents, err := j.inspector.Tarballs.Contents(ctx, j.pkg, j.tarballAddress(answered))
	if err != nil {
		return nil, j.refuse(err)
	}
	if contents == nil && answered.TarballKept {
		return nil, j.refuse(noAnswer("the tarball, which was kept beside the answers about "+j.pkg.String(), "it is not there"))
	}
	if contents == nil {
		j.find(missing)
		return nil, nil
	}
	found := integrityOf(contents.SHA512[:])
	if j.pkg.Integrity == "" && j.entry.Checksum != "" {
		j.pkg.Integrity = found
	}
	want, err := SHA512(j.pkg.Integrity)
	if err != nil {
		return nil, nil // integrity says so
	}
	if want != hex.EncodeToString(contents.SHA512[:]) {
		j.find(&verify.Refusal{Code: verify.CodeTarballMismatch, Expected: j.pkg.Integrity, Found: found})
		return nil, nil
	}
	j.result.Tarball = true
	return contents, nil
}

// tarballAddress is where the tarball would be fetched from. Behind a mirror that is the
// mirror, as it is for npm: an address of the mirror's in the lockfile, else the path of
// any other one below the mirror's (npm's replace-registry-host).
func (j *job) tarballAddress(answered Answered) string {
	address := j.entry.Resolved
	if answered.Metadata != nil && answered.Metadata.Dist.Tarball != "" {
		address = answered.Metadata.Dist.Tarball
	}
	mirror, registry := answered.Mirror, answered.Registry
	if answered.MirrorOf != "" {
		mirror, registry = answered.Registry, answered.MirrorOf
	}
	if mirror == "" || sameRegistry(mirror, registry) {
		return address
	}
	if _, below := pathBelow(address, mirror); below {
		return address
	}
	resolved := originOfURL(j.entry.Resolved) == originOfURL(mirror)
	if _, below := pathBelow(j.entry.Resolved, mirror); below || (resolved && originOfURL(mirror) != originOfURL(registry)) {
		return j.entry.Resolved
	}
	path, below := pathBelow(address, registry)
	if u, err := url.Parse(address); !below && (err != nil || u.Host == "") {
		return ""
	} else if !below {
		path = strings.TrimLeft(u.EscapedPath(), "/")
	}
	return strings.TrimRight(mirror, "/") + "/" + path
}

// pathBelow returns the path of an address below a registry's own.
func pathBelow(address, registry string) (path string, below bool) {
	u, err := url.Parse(address)
	base, errBase := url.Parse(registry)
	if err != nil || errBase != nil || u.Host == "" || originOfURL(address) != originOfURL(registry) {
		return "", false
	}
	return strings.CutPrefix(u.EscapedPath(), strings.TrimRight(base.EscapedPath(), "/")+"/")
}

// resolved compares the host that the lockfile names with the registry that was asked.
func (j *job) resolved(answered Answered) {
	if j.entry.Resolved == "" || answered.Registry == "" {
		return
	}
	found := originOfURL(j.entry.Resolved)
	for _, known := range []string{answered.Registry, answered.Mirror, answered.MirrorOf, j.inspector.Registry} {
		if known != "" && found == originOfURL(known) {
			return
		}
	}
	r := &verify.Refusal{Code: verify.CodeResolvedElsewhere, Expected: "a tarball of " + originOfURL(answered.Registry), Found: found}
	if asked := originOfURL(answered.Registry); strings.Contains(found, "://") {
		r.Remedy = fmt.Sprintf("look at who changed `resolved` in the lockfile; if %s is a mirror of %s: --mirror-of %s; if it is the other way round: --registry %s --mirror-of %s", asked, found, found, found, asked)
	}
	j.find(r)
}

// registryOf is the registry that a package is of: the one that was asked about it, or
// the one that this stands for.
func (j *job) registryOf(answered Answered) string {
	return cmp.Or(j.inspector.Registry, answered.MirrorOf, answered.Registry)
}

// originOfURL returns scheme and host of an address; what is none as it is, without
// what may be a secret.
func originOfURL(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return fmt.Sprintf("%.100q", address[strings.LastIndexByte(address, '@')+1:])
	}
	origin := strings.ToLower(u.Scheme + "://" + u.Host)
	if port, there := map[string]string{"https": ":443", "http": ":80"}[strings.ToLower(u.Scheme)]; there {
		origin = strings.TrimSuffix(origin, port)
	}
	return origin
}
