package sbom

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// placeholderSerial stands where the serial number goes until the content is
// known: as long as one, so that it can be replaced in the encoded bytes.
const placeholderSerial = "urn:uuid:00000000-0000-0000-0000-000000000000"

// serialSpace is the UUID name space of the serial numbers (RFC 9562, version 5).
var serialSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://plimsoll.example/serial"))

// encode writes the document and derives its serial number from everything else
// in it: the artifact's digest, the content and the time. A random one is unique
// to this run.
func encode(bom *cdx.BOM, random bool) ([]byte, error) {
	var indented indenter
	encoder := cdx.NewBOMEncoder(&indented, cdx.BOMFileFormatJSON)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(bom); err != nil {
		return nil, fmt.Errorf("writing SBOM: %w", err)
	}
	data := append(indented.json, '\n')
	// The schema's order puts the placeholder before anything from outside.
	at := bytes.Index(data, []byte(placeholderSerial))
	if at < 0 {
		return nil, errors.New("writing SBOM: it has no serial number")
	}
	sum := sha256.Sum256(data)
	serial := uuid.NewSHA1(serialSpace, sum[:])
	if random {
		var err error
		if serial, err = uuid.NewRandom(); err != nil {
			return nil, fmt.Errorf("writing SBOM: making a serial number: %w", err)
		}
	}
	copy(data[at:], "urn:uuid:"+serial.String())
	return data, nil
}

// An indenter indents the document that the encoder writes to it, in one piece.
// The encoder's own indenting takes twice as long.
type indenter struct{ json []byte }

func (i *indenter) Write(compact []byte) (int, error) {
	var err error
	i.json, err = jsontext.AppendFormat(make([]byte, 0, 2*len(compact)), compact, jsontext.WithIndent("  "),
		jsontext.PreserveRawStrings(true), jsontext.AllowDuplicateNames(true)) // it was encoded just now
	return len(compact), err
}
