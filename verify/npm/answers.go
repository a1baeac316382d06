package npm

import (
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
// NAME@VERSION.json with "/" as "%2f" and a capital letter as "!" and its small
// one (some file systems do not tell capitals). A file holds
//
//	{"schema": "https://plimsoll.example/schema/npm-answers/v1",
//	 "asked": {"name": ..., "version": ...},
//	 "answers": {"attestations": {"status": 200, "body": {...}}, "metadata": {...}}}
//
// with 404 recorded as a status. A file that is not there is no answer, never
// "has none".
type Answers struct{ Files fs.FS }

// AnswersSchema is the schema of the files.
const AnswersSchema = "https://plimsoll.example/schema/npm-answers/v1"

const schemaPrefix = "https://plimsoll.example/schema/"

// FileName returns the name of a package version's file.
func FileName(pkg Package) string {
	var b strings.Builder
	for _, r := range pkg.String() {
		switch {
		case r == '/':
			b.WriteString("%2f")
		case 'A' <= r && r <= 'Z':
			b.WriteByte('!')
			b.WriteRune(r - 'A' + 'a')
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + ".json"
}

// answer is one stored HTTP answer.
type answer struct {
	Status int            `json:"status"`
	Body   jsontext.Value `json:"body"`
}

// body returns the JSON that the registry sent: the value itself, or the text in
// it.
func (a answer) body() ([]byte, error) {
	if a.Body.Kind() != '"' {
		return a.Body, nil
	}
	var s string
	err := jsonv2.Unmarshal(a.Body, &s)
	return []byte(s), err
}

// stored is what a file says.
type stored struct {
	attestations []byte // nil if the registry said that it has none
	announced    bool   // the metadata says that there are some
}

// attestations returns the stored answer about a package's attestations.
// Refusals with CodeNoAnswer mean that nobody can tell; other refusals, that the
// file is not what it should be.
func (a Answers) attestations(pkg Package) (stored, error) {
	name := FileName(pkg)
	data, err := a.read(name)
	var refused *verify.Refusal
	if errors.As(err, &refused) {
		return stored{}, err
	}
	if err != nil {
		// No such file, a folder of that name, a name too long: nobody can tell.
		return stored{}, &verify.Refusal{Code: verify.CodeNoAnswer, Expected: fmt.Sprintf("the file %.150s", name), Found: attest.WithoutPath(err).Error()}
	}
	var file struct {
		Schema  string         `json:"schema"`
		Asked   jsontext.Value `json:"asked"`
		Answers struct {
			Attestations *answer `json:"attestations"`
			Metadata     *answer `json:"metadata"`
		} `json:"answers"`
	}
	if err := jsonv2.Unmarshal(data, &file); err != nil {
		return stored{}, malformed("a stored answer in "+name, attest.JSONError(err).Error())
	}
	if !strings.HasPrefix(file.Schema, schemaPrefix) || !strings.HasSuffix(file.Schema, "/v1") {
		return stored{}, malformed("schema "+AnswersSchema+" in "+name, fmt.Sprintf("%.200q", file.Schema))
	}
	if err := askedFor(file.Asked, pkg, name); err != nil {
		return stored{}, err
	}
	s := stored{}
	if s.announced, err = announces(file.Answers.Metadata); err != nil {
		return stored{}, malformed("a version's metadata in "+name, err.Error())
	}
	switch got := file.Answers.Attestations; {
	case got == nil:
		return stored{}, &verify.Refusal{Code: verify.CodeNoAnswer, Expected: "an answer about attestations in " + name, Found: "none"}
	case got.Status == 404:
		return s, nil
	case got.Status != 200:
		return stored{}, &verify.Refusal{Code: verify.CodeNoAnswer, Expected: "status 200 or 404 in " + name, Found: fmt.Sprintf("%d", got.Status)}
	default:
		if s.attestations, err = got.body(); err != nil || len(s.attestations) == 0 {
			return stored{}, malformed("a body in "+name, "none")
		}
		return s, nil
	}
}

func (a Answers) read(name string) ([]byte, error) {
	f, err := a.Files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxAnswer {
		return nil, malformed(fmt.Sprintf("at most %d bytes in %s", MaxAnswer, name), "more")
	}
	return data, nil
}

// askedFor refuses a file that says it is about another package.
func askedFor(asked jsontext.Value, pkg Package, file string) error {
	if asked.Kind() != '{' {
		return nil
	}
	var a struct {
		Name    *string `json:"name"`
		Version *string `json:"version"`
	}
	if err := jsonv2.Unmarshal(asked, &a); err != nil {
		return malformed("what was asked in "+file, attest.JSONError(err).Error())
	}
	if (a.Name != nil && *a.Name != pkg.Name) || (a.Version != nil && *a.Version != pkg.Version) {
		return malformed("an answer about "+pkg.String()+" in "+file, fmt.Sprintf("one about %.200s", asked))
	}
	return nil
}

// announces says whether a version's metadata has `dist.attestations`.
func announces(metadata *answer) (bool, error) {
	if metadata == nil || metadata.Status != 200 {
		return false, nil
	}
	body, err := metadata.body()
	if err != nil {
		return false, err
	}
	var m struct {
		Dist struct {
			Attestations jsontext.Value `json:"attestations"`
		} `json:"dist"`
	}
	if err := jsonv2.Unmarshal(body, &m); err != nil {
		return false, attest.JSONError(err)
	}
	switch kind := m.Dist.Attestations.Kind(); {
	case len(m.Dist.Attestations) == 0 || kind == 'n':
		return false, nil
	case kind == '{':
		return true, nil
	}
	return false, errors.New("dist.attestations: expected an object")
}
