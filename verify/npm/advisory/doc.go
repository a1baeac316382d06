// Package advisory tells which npm packages are known to be malicious, from an
// export of the OSV database: a folder of *.json files, or the all.zip of an
// ecosystem. Only the records named MAL-*.json are read; the export's other
// records (GHSA-*, CVE-*) are about flaws, not about malice.
//
// # What a record says
//
// A record (OSV schema 1.7, https://ossf.github.io/osv-schema/) lists affected
// packages, each with versions, word for word, and with ranges of versions. A
// version is affected if it is in the list or lies in a range.
//
// # What is in doubt
//
// Doubt counts as malicious, since a needless refusal is seen and a missed one is
// not:
//
//   - a range that cannot be read, or that is of another type than SEMVER and has
//     no list of versions next to it, holds every version;
//   - a package with neither versions nor ranges is malicious in every version;
//   - a version that is no semantic version lies in every range;
//   - a record about a name with capitals is also about the same name in other
//     capitals; new npm names have none. A record about a name without capitals is
//     about that name only: JSONStream and jsonstream are two packages;
//   - an ecosystem "npm:SUFFIX" is npm. The schema defines no suffix for npm, and
//     for other ecosystems it names where the package is from.
//
// A record that cannot be read at all is an error, and there is no database: what
// the record is about is not known.
//
// # What the caller must know
//
// A database is as good as its source. Nothing in an export is signed: the caller
// gets it from where it trusts, reports its Info, and asks Fresh, which refuses a
// database that is old or cut. Names and versions that are asked for must be those
// of the bytes that are installed.
package advisory
