package registry

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// A credential goes to addresses below its prefix.
type credential struct {
	prefix string // HOST/PATH/
	header string
}

// login is what is known for one address.
type login struct{ token, auth, user, password string }

// addLogin takes a setting such as //HOST/PATH/:_authToken; the first of a kind counts.
// The note says why it does not count.
func addLogin(logins map[string]*login, s setting) (note string, err error) {
	i := strings.LastIndexByte(s.key, ':')
	if i < 0 {
		return "", nil
	}
	host, path, _ := strings.Cut(strings.TrimPrefix(s.key[:i], "//"), "/")
	prefix := strings.ToLower(host) + "/" + path
	if !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	l := logins[prefix]
	if l == nil {
		l = &login{}
		logins[prefix] = l
	}
	var field *string
	value := s.value
	switch s.key[i+1:] {
	case "_authToken":
		field = &l.token
	case "_auth":
		field = &l.auth
	case "username":
		field = &l.user
	case "_password":
		field = &l.password
	default:
		return "", nil
	}
	if strings.Contains(value, "${") {
		return "it names a variable that is not set", nil
	}
	// What is no printable ASCII has no place in a header, and may begin another.
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) && s.key[i+1:] != "username" {
		return "it holds what is no printable ASCII", nil
	}
	if field == &l.password {
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return "", errors.New("expected base64")
		}
		value = string(raw)
	}
	if *field == "" {
		*field = value
	}
	return "", nil
}

func (l *login) header() string {
	switch {
	case l.token != "":
		return "Bearer " + l.token
	case l.user != "" && l.password != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(l.user+":"+l.password))
	case l.auth != "":
		return "Basic " + l.auth
	}
	return ""
}

// credentialsOf lists what is sent where, the longest prefix first: that counts.
func credentialsOf(logins map[string]*login) []credential {
	var all []credential
	for prefix, l := range logins {
		if header := l.header(); header != "" {
			all = append(all, credential{prefix, header})
		}
	}
	slices.SortFunc(all, func(a, b credential) int {
		if len(a.prefix) != len(b.prefix) {
			return len(b.prefix) - len(a.prefix)
		}
		return strings.Compare(a.prefix, b.prefix)
	})
	return all
}

// authorization returns what is sent to an address; "" for nothing.
func (c *Config) authorization(u *url.URL) string {
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return ""
	}
	path := u.EscapedPath()
	if dotted(path) {
		return ""
	}
	target := hostPort(u) + path
	for _, credential := range c.credentials {
		if strings.HasPrefix(target, credential.prefix) {
			return credential.header
		}
	}
	return ""
}
