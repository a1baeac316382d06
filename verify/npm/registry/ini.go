package registry

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// A setting is a line of an .npmrc or a variable of the environment.
type setting struct {
	key, value string
	list       bool // key[]: one of several
	from       string
}

// maxINI bounds an .npmrc.
const maxINI = 1 << 20

// parseINI reads an .npmrc: KEY = VALUE lines, as npm's ini package reads those that
// are in no section. Of a key that is there twice the last counts, but for a list.
func parseINI(data []byte) ([]setting, error) {
	if len(data) > maxINI {
		return nil, fmt.Errorf("expected at most %d bytes, found %d", maxINI, len(data))
	}
	var list []setting
	last := map[string]int{}   // key to where its plain line is in list
	lists := map[string]bool{} // keys that were key[] once
	lines := strings.FieldsFuncSeq(strings.TrimPrefix(string(data), "\ufeff"), func(r rune) bool { return r == '\n' || r == '\r' })
	for line := range lines {
		if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == ';' || trimmed[0] == '#' {
			continue
		}
		if isSection(line) {
			break // what is in a section is none of npm's settings
		}
		key, value, valued := strings.Cut(line, "=")
		s := setting{key: unquote(key), value: unquote(value)}
		if !valued {
			s.value = "true"
		}
		if name, ok := strings.CutSuffix(s.key, "[]"); ok {
			s.key, s.list = name, true
		}
		if s.key == "" {
			continue
		}
		i, again := last[s.key]
		switch {
		case s.list && again: // what stood alone is the first of the list
			list[i].list = true
			delete(last, s.key)
			lists[s.key] = true
		case s.list:
			lists[s.key] = true
		case lists[s.key]:
			s.list = true
		case again:
			list[i] = s
			continue
		default:
			last[s.key] = len(list)
		}
		list = append(list, s)
	}
	return list, nil
}

// isSection tells whether a line begins a section; npm's ini package takes one that is
// indented, or has a bracket in its name, for a key.
func isSection(line string) bool {
	name, ok := strings.CutPrefix(strings.TrimRightFunc(line, unicode.IsSpace), "[")
	return ok && strings.IndexByte(name, ']') == len(name)-1 && name != ""
}

// unquote undoes what npm's ini package does to a value: quotes, escapes, and comments
// at its end.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if n := len(s); n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n-1] == s[0] {
		if s[0] == '\'' {
			s = s[1 : n-1]
		}
		var text string
		if json.Unmarshal([]byte(s), &text) == nil {
			return text
		}
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`\;#`, s[i+1]) >= 0:
			i++
		case s[i] == ';' || s[i] == '#':
			return strings.TrimSpace(b.String())
		}
		b.WriteByte(s[i])
	}
	return strings.TrimSpace(b.String())
}

// expand replaces ${NAME} and ${NAME?} by variables of the environment. What is not
// set stays as it is, and is empty with the question mark. Before the dollar two
// backslashes are one, and a single one keeps it from being replaced.
func expand(s string, environ map[string]string) string {
	var b strings.Builder
	end := 0
	for _, m := range variable().FindAllStringSubmatchIndex(s, -1) {
		backslashes := m[3] - m[2]
		value, set := environ[s[m[4]:m[5]]]
		if !set && m[6] < 0 {
			value = "${" + s[m[4]:m[5]] + "}"
		}
		if backslashes%2 == 1 {
			value = s[m[3]:m[1]]
		}
		b.WriteString(s[end:m[2]] + strings.Repeat(`\`, backslashes/2) + value)
		end = m[1]
	}
	return b.String() + s[end:]
}

var variable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(\\*)\$\{([^${}?]+)(\?)?\}`) })

// environmentSettings are npm's settings in the environment. npm takes a name in any
// case, and - for _, but for credentials, whose names begin with //.
func environmentSettings(environ map[string]string) []setting {
	var list []setting
	for name, value := range environ {
		const prefix = "npm_config_"
		if len(name) <= len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) || value == "" {
			continue
		}
		key := name[len(prefix):]
		if !strings.HasPrefix(key, "//") {
			key = strings.ToLower(key[:1] + strings.ReplaceAll(key[1:], "_", "-"))
		}
		list = append(list, setting{key: key, value: value, from: "the environment's " + printableKey(name)})
	}
	slices.SortFunc(list, func(a, b setting) int { return strings.Compare(a.key+"\x00"+a.from, b.key+"\x00"+b.from) })
	return list
}

// printableKey shows a key without what a terminal could take for a command.
func printableKey(key string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, fmt.Sprintf("%.100s", key))
}
