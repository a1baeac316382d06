package tarball

import (
	"bytes"
	"strconv"
	"strings"
)

// rawHeader is what one block says.
type rawHeader struct {
	name, link string
	kind       byte
	size, mode int64
}

// parseHeader reads a header block, which is none of zeros.
func parseHeader(block *[blockSize]byte) (rawHeader, error) {
	h := rawHeader{kind: block[156]}
	if err := checkSum(block); err != nil {
		return h, err
	}
	var err error
	if h.name, err = text(block[0:100]); err != nil {
		return h, err
	}
	if h.link, err = text(block[157:257]); err != nil {
		return h, err
	}
	if h.size, err = number("size", block[124:136]); err != nil {
		return h, err
	}
	// Which mode a file has is no question of what it holds: one that cannot be read
	// counts as node-tar has it, none.
	if h.mode, err = number("mode", block[100:108]); err != nil {
		h.mode = 0
	}
	prefix, err := text(block[345:500])
	if err != nil {
		return h, err
	}
	magic := string(block[257:265])
	switch {
	case magic == "ustar\x0000" && prefix != "":
		// star has times at the end of the field, which then has a zero before them.
		h.name = prefix + "/" + h.name
	case magic == "ustar\x0000", magic == "ustar  \x00":
	case strings.HasPrefix(magic, "ustar") && prefix != "":
		return h, malformed("a header of version %q, whose prefix %.100q readers take or leave", magic, prefix)
	}
	return h, nil
}

// checkSum holds the header's sum. node-tar skips a block whose sum is wrong, and
// goes on behind it; it knows the sum of unsigned bytes only, and reads the field
// beyond its end where nothing ends it.
func checkSum(block *[blockSize]byte) error {
	field := block[148:156]
	want, err := number("checksum", field)
	if err != nil {
		return err
	}
	sum := int64(0)
	for i, c := range block {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int64(c)
	}
	if sum != want || field[0]&0x80 != 0 || !bytes.ContainsAny(bytes.TrimLeft(field, " "), " \x00") {
		return malformed("a header's checksum is %q; expected %06o", field, sum)
	}
	return nil
}

// text is a field up to the first zero. node-tar drops what follows that up to the
// next newline only.
func text(field []byte) (string, error) {
	before, after, _ := bytes.Cut(field, []byte{0})
	if bytes.ContainsAny(after, "\n\r\u2028\u2029") {
		return "", malformed("a name has a newline after its end: %.100q", field)
	}
	return string(before), nil
}

// number is a field of octal digits between spaces and zeros, or GNU tar's binary one
// for numbers that are too long for that. An empty one is 0.
func number(what string, field []byte) (int64, error) {
	if field[0] == 0x80 {
		n := int64(0)
		for _, c := range field[1:] {
			if n > 1<<48 {
				return 0, malformed("a header's %s is too large", what)
			}
			n = n<<8 | int64(c)
		}
		return n, nil
	}
	digits := strings.TrimLeft(string(field), " ")
	digits = strings.TrimRight(digits, " \x00")
	if digits == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(digits, 8, 48)
	if err != nil {
		return 0, malformed("a header's %s is %.20q", what, field)
	}
	return int64(n), nil
}
