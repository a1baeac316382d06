package npm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
	"plimsoll.example/verify/npm/registry"
)

// Client asks a registry; *registry.Client is one.
type Client interface {
	Packument(ctx context.Context, name string) (registry.Answer, error)
	Attestations(ctx context.Context, name, version string) (registry.Answer, error)
}

// Online asks a registry for evidence, each thing once. What is decided from it is
// what would be decided from the file that is saved: both are read by the same code.
type Online struct {
	Client Client
	// Mirror returns the address that a package's tarballs come from, where that is not
	// the registry that is asked here; nil: it is.
	Mirror func(name string) string
	// MirrorOf is the registry that the one asked is a mirror of, but for scopes with a
	// registry of their own; "": it is none.
	MirrorOf string
	// Scoped tells whether a package's scope has a registry of its own; nil: none has.
	Scoped func(name string) bool
	// Save keeps the answers about a package under the name of their file; nil: they are
	// not kept.
	Save func(file string, data []byte) error
	// WithTarballs says that NoteTarball is called for each package.
	WithTarballs bool

	mu         sync.Mutex
	packuments map[string]*once[*asked]
	versions   map[Package]*once[Answered]

	noting sync.Mutex // also while a file is written again
	saved  map[Package]*noted
}

// noted is a saved file, and what became of the tarballs that are demanded of its version.
type noted struct {
	file     savedFile
	tarballs map[string]*answer
}

// once is made by the first who asks for it.
type once[T any] struct {
	sync.Once
	value T
	err   error
}

// asked is what the registry said of all versions of a name.
type asked struct {
	registry string
	status   int
	failure  string
	document *packument
}

// get returns the entry of a key, made if it is not there.
func get[K comparable, T any](mu *sync.Mutex, all *map[K]*once[T], key K) *once[T] {
	mu.Lock()
	defer mu.Unlock()
	if *all == nil {
		*all = map[K]*once[T]{}
	}
	entry := (*all)[key]
	if entry == nil {
		entry = &once[T]{}
		(*all)[key] = entry
	}
	return entry
}

// Answers implements [Evidence].
func (o *Online) Answers(ctx context.Context, pkg Package) (Answered, error) {
	key := Package{Name: pkg.Name, Version: pkg.Version}
	entry := get(&o.mu, &o.versions, key)
	entry.Do(func() { entry.value, entry.err = o.ask(ctx, key) })
	if err := ctx.Err(); err != nil {
		return Answered{}, err
	}
	return entry.value, entry.err
}

func (o *Online) ask(ctx context.Context, pkg Package) (Answered, error) {
	if err := pkg.check(); err != nil {
		return Answered{}, err
	}
	entry := get(&o.mu, &o.packuments, pkg.Name)
	entry.Do(func() { entry.value, entry.err = o.packument(ctx, pkg.Name) })
	if entry.err != nil {
		return Answered{}, entry.err
	}
	all := entry.value
	metadata, err := all.version(pkg.Version)
	if err != nil {
		return Answered{}, err
	}
	attestations, registry, err := o.attestations(ctx, pkg)
	if err != nil {
		return Answered{}, err
	}
	if registry == "" {
		registry = all.registry
	}
	question := question{Name: pkg.Name, Version: pkg.Version, Registry: registry}
	if o.Mirror != nil {
		question.Mirror = o.Mirror(pkg.Name)
	}
	if o.Scoped != nil {
		question.Scoped = o.Scoped(pkg.Name)
	}
	if !question.Scoped {
		question.MirrorOf = o.MirrorOf
	}
	saved := savedAnswers{Metadata: metadata, Attestations: attestations}
	data, err := encodeAnswers(question, saved)
	if err != nil { // nested so deep that a file about it would be too deep
		if err := saved.asTexts(); err != nil {
			return Answered{}, err
		}
		if data, err = encodeAnswers(question, saved); err != nil {
			return Answered{}, err
		}
	}
	if o.Save != nil {
		if err := o.Save(FileName(pkg), data); err != nil {
			return Answered{}, err
		}
		if o.WithTarballs {
			o.remember(pkg, data)
		}
	}
	answered, err := parseAnswers(pkg, data)
	var refused *verify.Refusal
	if errors.As(err, &refused) {
		return Answered{AttestationsErr: refused}, nil
	}
	return answered, err
}

func (o *Online) remember(pkg Package, data []byte) {
	var file savedFile
	if jsonv2.Unmarshal(data, &file) != nil {
		return
	}
	o.noting.Lock()
	defer o.noting.Unlock()
	if o.saved == nil {
		o.saved = map[Package]*noted{}
	}
	o.saved[pkg] = &noted{file: file, tarballs: map[string]*answer{}}
}

// NoteTarball notes beside the saved answers about a package that its tarball was kept,
// or why it could not be had: without it, nobody could tell a tarball that was deleted
// from one that never was at hand. That none was at hand is noted where there is one for
// another place, which demands other bytes.
func (o *Online) NoteTarball(pkg Package, kept bool, failure string) error {
	note := &answer{Status: 404}
	switch {
	case kept:
		note.Status = 200
	case failure != "":
		var err error
		if note, err = textAnswer(0, failure); err != nil {
			return err
		}
	}
	o.noting.Lock()
	defer o.noting.Unlock()
	saved := o.saved[Package{Name: pkg.Name, Version: pkg.Version}]
	if saved == nil || saved.tarballs[demand(pkg)] != nil {
		return nil
	}
	saved.tarballs[demand(pkg)] = note
	of := &saved.file.Answers
	switch of.Tarball, of.Tarballs = note, nil; {
	case !slices.ContainsFunc(slices.Collect(maps.Values(saved.tarballs)), func(a *answer) bool { return a.Status != 404 }):
		return nil // as the file says
	case len(saved.tarballs) > 1:
		of.Tarball, of.Tarballs = nil, saved.tarballs
	}
	data, err := encodeFile(saved.file)
	if err != nil {
		return err
	}
	return o.Save(FileName(pkg), data)
}

// packument asks for all versions of a name. That it is not one is an answer too.
func (o *Online) packument(ctx context.Context, name string) (*asked, error) {
	got, err := o.Client.Packument(ctx, name)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if long := new(registry.TooLongError); errors.As(err, &long) {
		return &asked{registry: got.Registry, status: 200, failure: long.Error()}, nil
	}
	if err != nil {
		return &asked{registry: got.Registry, failure: oneLine(err)}, nil
	}
	a := &asked{registry: got.Registry, status: got.Status}
	if got.Status != 200 {
		return a, nil
	}
	if a.document, err = parsePackument(got.Body, name); err != nil {
		a.failure = err.Error()
	}
	return a, nil
}

// version is the answer about one version, with what is used of it.
func (a *asked) version(version string) (*answer, error) {
	switch {
	case a.status == 200 && a.document == nil:
		// The offending document itself may be as long as it likes; what is wrong with
		// it is kept in its place, and is no metadata either.
		return textAnswer(200, "not a document about the package's versions: "+a.failure)
	case a.status == 0:
		return textAnswer(0, a.failure)
	case a.status != 200:
		return &answer{Status: a.status}, nil
	}
	m, err := a.document.of(version)
	if err != nil {
		return textAnswer(200, "not the metadata of a version: "+err.Error())
	}
	if m == nil {
		return &answer{Status: 404}, nil
	}
	body, err := jsonv2.Marshal(m, jsonv2.Deterministic(true))
	if err != nil {
		return textAnswer(200, "not the metadata of a version: "+attest.JSONError(err).Error())
	}
	return &answer{Status: 200, Body: body}, nil
}

func (o *Online) attestations(ctx context.Context, pkg Package) (*answer, string, error) {
	got, err := o.Client.Attestations(ctx, pkg.Name, pkg.Version)
	if ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	if long := new(registry.TooLongError); errors.As(err, &long) {
		a, err := textAnswer(200, "not a list of attestations: "+long.Error())
		return a, got.Registry, err
	}
	if err != nil {
		a, err := textAnswer(0, oneLine(err))
		return a, got.Registry, err
	}
	if got.Status != 200 {
		return &answer{Status: got.Status}, got.Registry, nil
	}
	if body := jsontext.Value(got.Body); body.IsValid() && len(body) > 0 && body.Kind() == '{' {
		return &answer{Status: 200, Body: body}, got.Registry, nil
	}
	a, err := textAnswer(200, string(got.Body))
	return a, got.Registry, err
}

// asTexts makes text of the bodies, which may be anything.
func (s *savedAnswers) asTexts() error {
	for _, a := range []**answer{&s.Metadata, &s.Attestations} {
		if *a == nil || len((*a).Body) == 0 || (*a).Body.Kind() == '"' {
			continue
		}
		text, err := textAnswer((*a).Status, string((*a).Body))
		if err != nil {
			return err
		}
		*a = text
	}
	return nil
}

func textAnswer(status int, text string) (*answer, error) {
	body, err := jsonv2.Marshal(strings.ToValidUTF8(text, "\ufffd"))
	return &answer{Status: status, Body: body}, err
}

func oneLine(err error) string {
	return fmt.Sprintf("%.300s", strings.Join(strings.Fields(err.Error()), " "))
}

// question is what was asked of whom.
type question struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Registry string `json:"registry,omitempty"`
	Mirror   string `json:"mirror,omitempty"`
	MirrorOf string `json:"mirrorOf,omitempty"`
	Scoped   bool   `json:"scoped,omitempty"`
}

// encodeAnswers writes a file of saved answers.
func encodeAnswers(q question, answers savedAnswers) ([]byte, error) {
	asked, err := jsonv2.Marshal(q)
	if err != nil {
		return nil, err
	}
	data, err := encodeFile(savedFile{Schema: AnswersSchema, Asked: asked, Answers: answers})
	if err != nil {
		return nil, fmt.Errorf("saving the answers about %s@%s: %w", q.Name, q.Version, attest.JSONError(err))
	}
	return data, nil
}

// encodeFile does not indent: white space before what is nested deep is many times its
// size.
func encodeFile(file savedFile) ([]byte, error) {
	data, err := jsonv2.Marshal(file, jsontext.PreserveRawStrings(true), jsonv2.Deterministic(true))
	return append(data, '\n'), err
}
