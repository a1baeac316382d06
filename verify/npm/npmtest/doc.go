// Package npmtest is a Sigstore and an npm registry for tests, both in the process
// of the test.
//
// A [Sigstore] has a certificate authority, a certificate timestamp log, a
// transparency log and a registry's signing keys of its own, made anew each time.
// What it signs holds by its [Sigstore.TrustedRoot] and [Sigstore.NPMKeys], and by
// no other. A [Registry] is an http.Handler that speaks the part of the registry's
// protocol that clients of packages use. It is filled from a txtar archive:
//
//	-- foo@1.2.3/package/package.json --
//	{"repository": "github:acme/foo"}
//	-- foo@1.2.3/package/index.js --
//	module.exports = 1
//	-- foo@1.2.3/registry.json --
//	{"provenance": true}
//
// and it can misbehave: see [Registry.Misbehave].
//
// The package is for tests: where it is asked for something that cannot be (a
// statement that is no JSON, a package that it does not have), it panics.
package npmtest
