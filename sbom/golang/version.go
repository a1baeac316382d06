package golang

import (
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Where a main module's version comes from.
const (
	fromStamp = "the version stamped into the binary"
	fromTag   = "the repository's tag or commit"
)

// resolveVersion decides which version a binary's main module has: the tag that
// the go command stamped; else what -ldflags "-X" sets as its version; else the
// stamp for a commit without tag.
func (b *Build) resolveVersion() {
	stamped := b.Main.Version
	if stamped != "" && !module.IsPseudoVersion(strings.TrimSuffix(stamped, "+dirty")) {
		b.Main.VersionFrom = fromStamp
		return
	}
	variable, value := b.linkerVersion()
	switch {
	case value != "":
		b.Main.Version, b.Main.VersionFrom = value, "-ldflags -X "+variable
	case stamped != "":
		b.Main.VersionFrom = fromStamp
	case b.Setting("-trimpath") == "true":
		b.Main.VersionUnknown = "the build stamped none, and -trimpath hides what -ldflags set"
	default:
		b.Main.VersionUnknown = "the build stamped none: it calls itself (devel)"
	}
}

// linkerVersion finds the last -X main.version=VALUE among the linker's flags. The
// linker calls the main package main, whatever its import path is. Whether a
// variable of another package is in the program, a binary does not say.
func (b *Build) linkerVersion() (variable, value string) {
	words := splitQuoted(b.Setting("-ldflags"))
	set := map[string]string{}
	var order []string
	for i, w := range words {
		w = strings.TrimPrefix(w, "-")
		var definition string
		switch {
		case (w == "-X" || w == "X") && i+1 < len(words):
			definition = words[i+1]
		case strings.HasPrefix(w, "X="):
			definition = w[2:]
		case strings.HasPrefix(w, "-X="):
			definition = w[3:]
		default:
			continue
		}
		name, v, _ := strings.Cut(definition, "=")
		if short, ok := strings.CutPrefix(name, "main."); ok && isVersionVariable(short) {
			set[name] = v
			order = append(order, name)
		}
	}
	for _, name := range order {
		if isVersion(set[name]) {
			return name, canonical(set[name])
		}
	}
	return "", ""
}

func isVersionVariable(name string) bool {
	switch strings.ToLower(name) {
	case "version", "appversion", "buildversion", "gitversion", "releaseversion":
		return true
	}
	return false
}

// isVersion says whether a value looks like a version and not like "dev" or a
// commit.
func isVersion(v string) bool {
	digits := strings.TrimPrefix(v, "v")
	if digits == "" || len(v) > 128 || digits[0] < '0' || digits[0] > '9' || !strings.Contains(digits, ".") {
		return false
	}
	return !strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' })
}

// canonical gives a module's version its v.
func canonical(v string) string {
	if !strings.HasPrefix(v, "v") && semver.IsValid("v"+v) {
		return "v" + v
	}
	return v
}

// splitQuoted splits as the go command splits -ldflags: at spaces, unless a word
// begins with a quote.
func splitQuoted(s string) []string {
	var words []string
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" {
			return words
		}
		if q := s[0]; q == '"' || q == '\'' {
			end := strings.IndexByte(s[1:], q)
			if end < 0 {
				return append(words, s[1:])
			}
			words, s = append(words, s[1:1+end]), s[2+end:]
			continue
		}
		end := strings.IndexAny(s, " \t\r\n")
		if end < 0 {
			return append(words, s)
		}
		words, s = append(words, s[:end]), s[end:]
	}
}

// Rename corrects the edges that lead to the main module after its version was
// changed; old is the key it had.
func (b *Build) Rename(old string) {
	for i := range b.Modules {
		for j, e := range b.Modules[i].Edges {
			if e == old {
				b.Modules[i].Edges[j] = b.Main.Key()
			}
		}
	}
}
