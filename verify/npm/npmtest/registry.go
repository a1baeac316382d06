package npmtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/txtar"
)

// A Registry is a registry of npm packages: package metadata in full and abbreviated,
// tarballs, signatures, keys, attestations, and npm's way to publish. It may be used
// by several goroutines.
//
// A version of the archive is NAME@VERSION/package/FILE..., with a package.json, and
// NAME@VERSION/registry.json with what the registry knows of it; all is optional:
//
//	time              when it was published (2026-03-01T12:00:00Z)
//	user              who published it
//	maintainers       names
//	trustedPublisher  true: published by a CI job, without a token
//	provenance        true: by package.json's repository on GitHub; or an object with
//	                  fields of an [Identity], what is missing being filled in
//	signature         "none", "expired-key", "other-key" (one that nobody knows)
//	announce          whether the metadata says that there are attestations, if that
//	                  is not the truth
//	metadata          merged over the version's metadata (RFC 7396: null takes away)
type Registry struct {
	sigstore *Sigstore

	mu         sync.Mutex
	base       string
	packages   map[string]map[string]*version
	tags       map[string]map[string]string
	requests   []Request
	misbehaves []*misbehaving
}

// A Request is what a client sent.
type Request struct {
	Method, Path          string // the path as it was sent, with its escapes
	Authorization, Accept string
	Host                  string // that it was sent to, with its port
}

// NewRegistry returns a registry with an archive's packages. Its addresses must be
// set with [Registry.SetBase].
func NewRegistry(s *Sigstore, archive *txtar.Archive) (*Registry, error) {
	versions, err := parseArchive(archive)
	if err != nil {
		return nil, fmt.Errorf("reading a registry's archive: %w", err)
	}
	r := &Registry{sigstore: s, packages: map[string]map[string]*version{}, tags: map[string]map[string]string{}}
	for _, v := range versions {
		r.add(v)
	}
	return r, nil
}

func (r *Registry) add(v *version) {
	if r.packages[v.name] == nil {
		r.packages[v.name], r.tags[v.name] = map[string]*version{}, map[string]string{}
	}
	r.packages[v.name][v.version] = v
}

// SetBase sets the address under which the registry is served. Tarballs lie there,
// and publish attestations name it: it is to be called before the first use, and not
// again.
func (r *Registry) SetBase(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.base = strings.TrimSuffix(address, "/")
}

// Requests returns what clients sent until now, in order.
func (r *Registry) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.requests...)
}

// response is an answer before anything is done to it.
type response struct {
	status int
	kind   string // content type
	body   []byte
}

const (
	kindJSON        = "application/json"
	kindAbbreviated = "application/vnd.npm.install-v1+json"
	kindTarball     = "application/octet-stream"
)

func answerJSON(v any) response { return response{http.StatusOK, kindJSON, must(json.Marshal(v))} }

func failure(status int, reason string) response {
	return response{status, kindJSON, must(json.Marshal(map[string]string{"error": reason}))}
}

func notFound() response { return failure(http.StatusNotFound, "Not found") }

// ServeHTTP implements [http.Handler].
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	escaped := req.URL.EscapedPath()
	r.mu.Lock()
	r.requests = append(r.requests, Request{req.Method, escaped, req.Header.Get("Authorization"), req.Header.Get("Accept"), req.Host})
	wait, doing := r.misbehaviour(escaped, req.URL.Path)
	r.mu.Unlock()
	if !sleep(req.Context(), wait) {
		return
	}
	if doing.instead != nil {
		doing.instead(w)
		return
	}
	res := r.answer(w, req, escaped)
	if doing.change != nil {
		res = doing.change(res)
	}
	w.Header().Set("Content-Type", res.kind)
	if doing.write != nil {
		doing.write(w, res)
		return
	}
	w.WriteHeader(res.status)
	w.Write(res.body)
}

func (r *Registry) answer(w http.ResponseWriter, req *http.Request, escaped string) response {
	p, err := url.PathUnescape(strings.TrimPrefix(escaped, "/"))
	if err != nil {
		return failure(http.StatusBadRequest, err.Error())
	}
	if req.Method == http.MethodPut {
		doc, err := readPublished(w, req)
		if err != nil {
			return failure(http.StatusBadRequest, err.Error())
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.publish(p, doc)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.base == "":
		return failure(http.StatusInternalServerError, "npmtest: the registry's address was not set")
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		return notFound()
	}
	return r.get(p, strings.Contains(req.Header.Get("Accept"), kindAbbreviated))
}

// get answers a request for something; p is without its first "/".
func (r *Registry) get(p string, abbreviated bool) response {
	if p == "-/npm/v1/keys" {
		return response{http.StatusOK, kindJSON, r.sigstore.KeysEndpoint()}
	}
	if id, ok := strings.CutPrefix(p, "-/npm/v1/attestations/"); ok {
		v, err := r.find(id)
		if err != nil || r.attest(v) == nil {
			return notFound()
		}
		return response{http.StatusOK, kindJSON, v.attestations}
	}
	if strings.HasPrefix(p, "-/package/") && strings.HasSuffix(p, "/visibility") {
		return answerJSON(map[string]bool{"public": true})
	}
	if name, file, ok := strings.Cut(p, "/-/"); ok {
		for _, v := range r.packages[name] {
			if file == v.file() {
				return response{http.StatusOK, kindTarball, v.tarball}
			}
		}
		return notFound()
	}
	if r.packages[p] != nil {
		if abbreviated {
			return response{http.StatusOK, kindAbbreviated, r.abbreviated(p)}
		}
		return answerJSON(r.packument(p))
	}
	// NAME/VERSION or NAME/TAG
	name, which := path.Dir(p), path.Base(p)
	if tagged, ok := r.distTags(name)[which]; ok {
		which = tagged
	}
	if v := r.packages[name][which]; v != nil {
		return answerJSON(r.metadata(v))
	}
	return notFound()
}

// find returns the version NAME@VERSION.
func (r *Registry) find(id string) (*version, error) {
	name, number, ok := splitID(id)
	if v := r.packages[name][number]; ok && v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("the registry has no %s", id)
}

// attest returns the answer about a version's attestations, nil if it has none. The
// registry attests its publication where there is a provenance, as npm's does.
func (r *Registry) attest(v *version) []byte {
	if v.attestations != nil || v.identity == nil && v.uploaded == nil {
		return v.attestations
	}
	publish := r.sigstore.Publish(v.name, v.version, v.sha512, r.base, v.Time)
	provenance := json.RawMessage(v.uploaded)
	if v.identity != nil {
		provenance = r.sigstore.Provenance(v.name, v.version, v.sha512, *v.identity, v.Time)
	}
	v.attestations = r.sigstore.Answer(publish, provenance)
	return v.attestations
}

// Lockfile returns the package-lock.json (version 3) of a project that depends on
// these NAME@VERSION, with what the registry's tarballs are and not what its metadata
// says. Of a name that is there twice, the later lies below the package before it.
func (r *Registry) Lockfile(project string, packages ...string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.base == "" {
		panic("npmtest: the registry's address was not set")
	}
	direct := map[string]any{}
	places := map[string]any{"": map[string]any{"name": project, "version": "1.0.0", "dependencies": direct}}
	before := ""
	for _, id := range packages {
		v := must(r.find(id))
		place := "node_modules/" + v.name
		if places[place] == nil {
			direct[v.name] = v.version
		} else if place = before + "/" + place; places[place] != nil {
			panic("npmtest: " + id + " has no place in the lockfile")
		}
		places[place], before = r.locked(v), place
	}
	lock := map[string]any{"name": project, "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": places}
	return append(must(json.MarshalIndent(lock, "", "  ")), '\n')
}

// locked is a version's entry in a lockfile.
func (r *Registry) locked(v *version) map[string]any {
	entry := map[string]any{"version": v.version, "resolved": r.tarballURL(v), "integrity": v.integrity}
	for _, key := range []string{"license", "dependencies", "optionalDependencies", "peerDependencies", "bin", "engines", "os", "cpu"} {
		if value, ok := v.manifest[key]; ok {
			entry[key] = value
		}
	}
	if v.installScript {
		entry["hasInstallScript"] = true
	}
	return entry
}
