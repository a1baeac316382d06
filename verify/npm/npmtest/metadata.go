package npmtest

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"time"

	"golang.org/x/mod/semver"

	"plimsoll.example/attest"
)

// file is the name of a version's tarball.
func (v *version) file() string { return path.Base(v.name) + "-" + v.version + ".tgz" }

func (r *Registry) tarballURL(v *version) string { return r.base + "/" + v.name + "/-/" + v.file() }

// stamp writes a time as the registry does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func people(names []string) []any {
	var out []any
	for _, n := range names {
		out = append(out, person(n))
	}
	return out
}

func person(name string) map[string]any {
	return map[string]any{"name": name, "email": name + "@npmtest.test"}
}

// metadata returns what the registry says of a version.
func (r *Registry) metadata(v *version) map[string]any {
	m := maps.Clone(v.manifest)
	m["_id"], m["dist"] = v.name+"@"+v.version, r.dist(v)
	if v.User != "" || v.TrustedPublisher {
		user := person(v.User)
		if v.User == "" {
			user = person("GitHub Actions")
		}
		if v.TrustedPublisher {
			user["trustedPublisher"] = map[string]any{"id": "github", "oidcConfigId": "oidc:" + number(v.name)}
		}
		m["_npmUser"] = user
	}
	if v.Maintainers != nil {
		m["maintainers"] = people(v.Maintainers)
	}
	return merge(m, v.Metadata)
}

func (r *Registry) dist(v *version) map[string]any {
	dist := map[string]any{"tarball": r.tarballURL(v), "integrity": v.integrity, "shasum": v.shasum}
	key := r.sigstore.npm
	switch v.Signature {
	case signatureExpired:
		key = r.sigstore.expired
	case signatureOther:
		key = r.sigstore.other
	}
	if v.Signature != signatureNone {
		keyid, sig := key.sign(v.name, v.version, v.integrity)
		dist["signatures"] = []any{map[string]any{"keyid": keyid, "sig": sig}}
	}
	announce := v.identity != nil || v.uploaded != nil
	if v.Announce != nil {
		announce = *v.Announce
	}
	if announce {
		dist["attestations"] = map[string]any{
			"url":        r.base + "/-/npm/v1/attestations/" + v.name + "@" + v.version,
			"provenance": map[string]any{"predicateType": attest.TypeProvenance},
		}
	}
	return dist
}

// merge applies a JSON merge patch (RFC 7396, 2).
func merge(target, patch map[string]any) map[string]any {
	target = maps.Clone(target)
	if target == nil {
		target = map[string]any{}
	}
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(target, key)
		case map[string]any:
			old, _ := target[key].(map[string]any)
			target[key] = merge(old, value)
		default:
			target[key] = value
		}
	}
	return target
}

// packument returns what the registry says of a package.
func (r *Registry) packument(name string) map[string]any {
	versions, times := map[string]any{}, map[string]any{}
	doc := map[string]any{"_id": name, "name": name, "dist-tags": r.distTags(name), "versions": versions, "time": times}
	created, modified := r.span(name)
	times["created"], times["modified"] = stamp(created), stamp(modified)
	for number, v := range r.packages[name] {
		versions[number], times[number] = r.metadata(v), stamp(v.Time)
	}
	if latest, ok := versions[r.distTags(name)["latest"]].(map[string]any); ok {
		for _, key := range []string{"description", "license", "maintainers", "repository", "homepage"} {
			if value, ok := latest[key]; ok {
				doc[key] = value
			}
		}
	}
	return doc
}

// span is when a package's first and last version were published.
func (r *Registry) span(name string) (created, modified time.Time) {
	for _, v := range r.packages[name] {
		if created.IsZero() || v.Time.Before(created) {
			created = v.Time
		}
		if v.Time.After(modified) {
			modified = v.Time
		}
	}
	return created, modified
}

// abbreviated returns what npm's client asks for when it installs (npm's registry,
// docs/responses/package-metadata.md, "Abbreviated version object").
func (r *Registry) abbreviated(name string) []byte {
	kept := []string{"name", "version", "deprecated", "dependencies", "optionalDependencies", "devDependencies", "bundleDependencies",
		"bundledDependencies", "peerDependencies", "peerDependenciesMeta", "bin", "directories", "dist", "engines", "cpu", "os", "funding", "hasInstallScript"}
	versions := map[string]any{}
	for number, v := range r.packages[name] {
		short := map[string]any{}
		if v.installScript {
			short["hasInstallScript"] = true
		}
		for key, value := range r.metadata(v) {
			if slices.Contains(kept, key) {
				short[key] = value
			}
		}
		if value, ok := v.Metadata["hasInstallScript"]; ok && value == nil {
			delete(short, "hasInstallScript")
		}
		versions[number] = short
	}
	_, modified := r.span(name)
	return must(json.Marshal(map[string]any{"name": name, "modified": stamp(modified), "dist-tags": r.distTags(name), "versions": versions}))
}

// distTags returns a package's tags: "latest" is the highest version that is not a
// prerelease, if there is one, unless a publication said otherwise.
func (r *Registry) distTags(name string) map[string]string {
	tags := maps.Clone(r.tags[name])
	if tags == nil || tags["latest"] != "" {
		return tags
	}
	latest := ""
	for number := range r.packages[name] {
		if latest == "" || higher(number, latest) {
			latest = number
		}
	}
	tags["latest"] = latest
	return tags
}

func higher(a, b string) bool {
	preA, preB := semver.Prerelease("v"+a) != "", semver.Prerelease("v"+b) != ""
	if preA != preB {
		return preB
	}
	return semver.Compare("v"+a, "v"+b) > 0
}
