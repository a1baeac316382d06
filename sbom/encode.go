package sbom

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	cdx "github.com/CycloneDX/cyclonedx-go"
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
// The encoder's own indenting takes ten times as long.
type indenter struct{ json []byte }

func (i *indenter) Write(compact []byte) (int, error) {
	// Indents are about as long as the rest.
	i.json = appendIndented(make([]byte, 0, 2*len(compact)+len(compact)/4), bytes.TrimSuffix(compact, []byte("\n")))
	return len(compact), nil
}

// spaces are the deepest indents that are written at once.
var spaces = bytes.Repeat([]byte(" "), 64)

// appendIndented indents JSON that was encoded without spaces, by two a level.
func appendIndented(dst, compact []byte) []byte {
	depth := 0
	newline := func() {
		dst = append(dst, '\n')
		for n := 2 * depth; n > 0; n -= len(spaces) {
			dst = append(dst, spaces[:min(n, len(spaces))]...)
		}
	}
	for i := 0; i < len(compact); i++ {
		switch c := compact[i]; c {
		case '"':
			end := i + 1
			for compact[end] != '"' {
				if compact[end] == '\\' {
					end++
				}
				end++
			}
			dst = append(dst, compact[i:end+1]...)
			i = end
		case '{', '[':
			if dst = append(dst, c); compact[i+1] == c+2 { // empty
				i++
				dst = append(dst, c+2)
				continue
			}
			depth++
			newline()
		case '}', ']':
			depth--
			newline()
			dst = append(dst, c)
		case ',':
			dst = append(dst, c)
			newline()
		case ':':
			dst = append(dst, ':', ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
