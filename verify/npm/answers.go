package npm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"plimsoll.example/attest"
	"plimsoll.example/verify"
)

// Answers are a registry's answers kept in a folder, a file a package version:
// NAME@VERSION.json with "/" as "%2f", "!" as "%21", and a capital letter as "!" and its
// small one (some file systems do not tell capitals). Of what is longer than file
// systems allow, the digest of the whole stands behind its beginning. A file holds
//
//	{"schema": "https://plimsoll.example/schema/npm-answers/v1",
//	 "asked": {"name": ..., "version": ...},
//	 "answers": {"attestations": {"status": 200, "body": {...}}, "metadata": {...}}}
//
// with 404 recorded as a status, and with "tarball": {"status": 200} if the tarball lies
// beside it. Where a lockfile demands one version with several digests, "tarballs" has in
// its place what became of each (SHA-512 in hexadecimal, or what else the lockfile has),
// 404 where none was at hand. A file that is not there is no answer, never "has none".
type Answers struct{ Files fs.FS }

// AnswersSchema is the schema of the files.
const AnswersSchema = "https://plimsoll.example/schema/npm-answers/v1"

const schemaPrefix = "https://plimsoll.example/schema/"

// maxFileName leaves room for what follows the name of a package version.
const maxFileName = 200

// FileName returns the name of a package version's file.
func FileName(pkg Package) string {
	var b strings.Builder
	for _, r := range pkg.String() {
		switch {
		case r == '/':
			b.WriteString("%2f")
		case r == '!':
			b.WriteString("%21")
		case 'A' <= r && r <= 'Z':
			b.WriteByte('!')
			b.WriteRune(r - 'A' + 'a')
		default:
			b.WriteRune(r)
		}
	}
	name := b.String()
	if len(name) > maxFileName {
		sum := sha256.Sum256([]byte(name))
		name = name[:maxFileName-65] + "%" + hex.EncodeToString(sum[:])
	}
	return name + ".json"
}

// answer is one stored HTTP answer.
type answer struct {
	Status int            `json:"status"`
	Body   jsontext.Value `json:"body,omitzero"`
}

// body returns the JSON that the registry sent: the value itself, or the text in
// it. Status 0 is a question that failed; the body then says why.
func (a answer) body() ([]byte, error) {
	if a.Body.Kind() != '"' {
		return a.Body, nil
	}
	var s string
	err := jsonv2.Unmarshal(a.Body, &s)
	return []byte(s), err
}

// Answers implements [Evidence]: what the package's file says. That there is no file,
// or none about attestations, is a refusal with CodeNoAnswer.
func (a Answers) Answers(ctx context.Context, pkg Package) (Answered, error) {
	if err := ctx.Err(); err != nil {
		return Answered{}, err
	}
	answered, err := a.stored(pkg)
	var refused *verify.Refusal
	if errors.As(err, &refused) {
		return Answered{AttestationsErr: refused}, nil
	}
	return answered, err
}

func (a Answers) stored(pkg Package) (Answered, error) {
	name := FileName(pkg)
	data, err := a.read(name)
	if err != nil {
		// No such file, a folder of that name, a name too long: nobody can tell.
		return Answered{}, &verify.Refusal{Code: verify.CodeNoAnswer, Expected: fmt.Sprintf("the file %.150s", name), Found: attest.WithoutPath(err).Error(),
			Remedy: "run once online with --save and this folder, then repeat"}
	}
	return parseAnswers(pkg, data)
}

// parseAnswers reads a file of saved answers about a package.
func parseAnswers(pkg Package, data []byte) (Answered, error) {
	about := "the answers about " + pkg.String()
	if len(data) > MaxAnswer {
		return Answered{}, malformed(fmt.Sprintf("at most %d bytes in %s", MaxAnswer, about), "more")
	}
	var file savedFile
	if err := jsonv2.Unmarshal(data, &file); err != nil {
		return Answered{}, malformed(about, attest.JSONError(err).Error())
	}
	if !strings.HasPrefix(file.Schema, schemaPrefix) || !strings.HasSuffix(file.Schema, "/v1") {
		return Answered{}, malformed("schema "+AnswersSchema+" in "+about, fmt.Sprintf("%.200q", file.Schema))
	}
	answered, err := askedFor(file.Asked, pkg)
	if err != nil {
		return Answered{}, err
	}
	answered.Attestations, answered.AttestationsErr = storedAttestations(file.Answers.Attestations, pkg.String())
	answered.MetadataAsked = file.Answers.Metadata != nil
	answered.Metadata, answered.MetadataErr = storedMetadata(file.Answers.Metadata, pkg.String())
	switch t := file.Answers.tarballOf(pkg); {
	case t == nil || t.Status == 404:
	case t.Status == 200:
		answered.TarballKept = true
	default:
		answered.TarballErr = noAnswer("the tarball", failure(t))
	}
	return answered, nil
}

// savedFile is a file of saved answers.
type savedFile struct {
	Schema  string         `json:"schema"`
	Asked   jsontext.Value `json:"asked"`
	Answers savedAnswers   `json:"answers"`
}

type savedAnswers struct {
	Metadata     *answer            `json:"metadata,omitempty"`
	Attestations *answer            `json:"attestations,omitempty"`
	Tarball      *answer            `json:"tarball,omitempty"`
	Tarballs     map[string]*answer `json:"tarballs,omitempty"` // by what is demanded; in place of Tarball
}

// tarballOf is what became of the tarball that a lockfile demands; nil: nothing is known.
func (s savedAnswers) tarballOf(pkg Package) *answer {
	if s.Tarballs == nil {
		return s.Tarball
	}
	return s.Tarballs[demand(pkg)]
}

func noAnswer(expected, found string) error {
	return &verify.Refusal{Code: verify.CodeNoAnswer, Expected: expected, Found: found, Remedy: "see that the registry can be reached, and ask it again (--deadline gives it longer); --save keeps its answers"}
}

// storedAttestations returns what the registry sent; nil if it said that it has none.
func storedAttestations(got *answer, name string) ([]byte, error) {
	switch {
	case got == nil:
		return nil, noAnswer("attestations of "+name+", or that there are none", "no answer about them")
	case got.Status == 404:
		return nil, nil
	case got.Status != 200:
		return nil, noAnswer("an answer of the registry about the attestations of "+name, failure(got))
	}
	body, err := got.body()
	if err != nil || len(body) == 0 {
		return nil, malformed("a body in the answers about "+name, "none")
	}
	return body, nil
}

func storedMetadata(got *answer, name string) (*Metadata, error) {
	switch {
	case got == nil || got.Status == 404:
		return nil, nil
	case got.Status != 200:
		return nil, noAnswer("an answer of the registry about "+name, failure(got))
	}
	body, err := got.body()
	if err != nil {
		return nil, malformed("a version's metadata in the answers about "+name, attest.JSONError(err).Error())
	}
	if got.Body.Kind() == '"' && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return nil, malformed("a version's metadata in the answers about "+name, fmt.Sprintf("%.300s", body))
	}
	m, err := parseMetadata(body)
	if err != nil {
		return nil, malformed("a version's metadata in the answers about "+name, err.Error())
	}
	return m, nil
}

// failure says how a question failed: by its status, or as it was saved.
func failure(got *answer) string {
	if text, err := got.body(); err == nil && got.Status == 0 && len(text) > 0 && got.Body.Kind() == '"' {
		return fmt.Sprintf("%.300s", text)
	}
	return fmt.Sprintf("status %d", got.Status)
}

func (a Answers) read(name string) ([]byte, error) {
	f, err := a.Files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Size() <= MaxAnswer { // read in one piece
		data.Grow(int(info.Size()) + bytes.MinRead)
	}
	_, err = data.ReadFrom(io.LimitReader(f, MaxAnswer+1))
	return data.Bytes(), err
}

// askedFor refuses answers that say they are about another package, and returns which
// registry was asked, if they say that.
func askedFor(asked jsontext.Value, pkg Package) (Answered, error) {
	if asked.Kind() != '{' {
		return Answered{}, nil
	}
	var a struct {
		Name     *string `json:"name"`
		Version  *string `json:"version"`
		Registry string  `json:"registry"`
		Mirror   string  `json:"mirror"`
		MirrorOf string  `json:"mirrorOf"`
		Scoped   bool    `json:"scoped"`
	}
	if err := jsonv2.Unmarshal(asked, &a); err != nil {
		return Answered{}, malformed("what was asked, in the answers about "+pkg.String(), attest.JSONError(err).Error())
	}
	if (a.Name != nil && *a.Name != pkg.Name) || (a.Version != nil && *a.Version != pkg.Version) {
		return Answered{}, malformed("answers about "+pkg.String(), fmt.Sprintf("some about %.200s", asked))
	}
	return Answered{Registry: a.Registry, Mirror: a.Mirror, MirrorOf: a.MirrorOf, Scoped: a.Scoped}, nil
}
