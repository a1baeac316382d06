package sarif

import (
	"net/url"
	"strings"
)

// named are beginnings of names that are URIs already.
var named = []string{"oci://", "pkg:", "sha256:", "sha512:"}

// unreserved and others, of RFC 3986: what may stand in a path as it is. A "%" is
// not among them.
const inPath = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=@/"

// uri makes a URI reference of a name: of a path, of an image, a package or a
// digest. Different names give different URIs, except that "./a" is "a" and "//a" is
// "/a". In what is a URI already, valid escapes stay. "" gives "".
func uri(name string) string {
	for _, prefix := range named {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return valid(prefix+inURI(rest), name)
		}
	}
	path := name
	switch {
	case name == "":
		return ""
	case windowsAbsolute(name):
		// "file:///c:/path/to/file" (RFC 8089, E.2)
		return valid("file:///"+name[:2]+encode(strings.ReplaceAll(name[2:], `\`, "/"), inPath+":"), name)
	case strings.HasPrefix(name, "/"):
		// A second slash would make a host of the first folder.
		return "file:///" + encode(strings.TrimLeft(name, "/"), inPath+":")
	}
	for strings.HasPrefix(path, "./") {
		path = strings.TrimLeft(path[2:], "/")
	}
	if path == "" {
		path = "."
	}
	// "A path segment that contains a colon character … cannot be used as the first
	// segment of a relative-path reference, as it would be mistaken for a scheme
	// name." (RFC 3986, 4.2)
	first, rest, more := strings.Cut(path, "/")
	out := encode(first, inPath)
	if more {
		out += "/" + encode(rest, inPath+":")
	}
	return out
}

// windowsAbsolute tells whether a path begins with a drive's letter and a slash.
// The answer is the same on every system, and so is the output.
func windowsAbsolute(path string) bool {
	return len(path) >= 3 && path[1] == ':' && (path[2] == '\\' || path[2] == '/') &&
		('a' <= path[0]|0x20 && path[0]|0x20 <= 'z')
}

// inURI encodes what may not stand in a URI, and leaves its structure: the first
// "?" and "#", and escapes.
func inURI(rest string) string {
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	out := encodeBut(rest, inPath+":?")
	if hasFragment {
		out += "#" + encodeBut(fragment, inPath+":?")
	}
	return out
}

// encodeBut is encode that leaves valid escapes.
func encodeBut(s, keep string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteString(s[i : i+3])
			i += 2
			continue
		}
		b.WriteString(encode(s[i:i+1], keep))
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// encode writes every byte but those to keep as an escape. It works on bytes: a
// file name need not be UTF-8.
func encode(s, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// valid returns a URI if it is one, else the name as the name of a file: one
// malformed URI makes some readers refuse the whole log.
func valid(uri, name string) string {
	if _, err := url.Parse(uri); err != nil {
		return encode(name, inPath)
	}
	return uri
}
