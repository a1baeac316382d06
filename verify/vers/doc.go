// Package vers tells which packages a rule about packages means.
//
// Three things are read here. A Range is a version range specifier (VERS,
// https://github.com/package-url/vers-spec), such as vers:npm/>=1.2.0|!=1.2.5|<1.2.9.
// A Pattern is a package URL, with an exact version, with any version, with any
// name of a namespace, or with a Range. A Set is many patterns, in which one
// component is looked up.
//
// The package serves lists of what is denied, so there are three answers: it
// matches, it does not, and it cannot be told. The last is an error, which a caller
// must treat like a match: a version that has no place in the order of its scheme, a
// component without a version, or a purl that can be read in two ways would else be
// the way around the list. Malformed never means "contains nothing".
//
// # Order of versions
//
//	npm, cargo, golang, pypi,   the rules of the ecosystem, by deps.dev/util/semver
//	maven, nuget, gem
//	generic                     semantic versions, with one to three numbers
//	github, oci                 semantic versions with three numbers: the tag v4 moves
//	any other                   none; only equal, not equal and * are decided
//
// Prereleases have the place that semantic versioning gives them: 2.0.0-rc.1 is in
// <2.0.0, and in >=1.0.0|<3.0.0, unlike in npm's own ranges. Build metadata does not
// count, which makes v2.0.0+incompatible equal to v2.0.0. The local part of a PyPI
// version (1.0+acme) counts only against a version that has one, as in PEP 440. The
// letter v before a version is optional, for golang too. Numbers of more than 18 digits
// have no place.
//
// # Names
//
// Names of npm, pypi, golang, github, nuget and oci are compared without regard to
// case, pypi's also with "_", "." and "-" alike. Where a purl writes a name in two
// ways (%2F for a slash, an npm scope without "@", the "!a" of Go's module cache),
// both are the same name. What looks alike in another script is another name, and
// does not match: a list of what is denied cannot stop a package that only resembles
// one on it. Names with control or invisible characters are an error.
package vers
