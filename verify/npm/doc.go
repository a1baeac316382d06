// Package npm checks where npm packages came from.
//
// npm's registry answers, for a package published with provenance, with two
// attestations: its own, which says that it published these bytes under this
// name and version (the publish attestation, signed with one of npm's keys), and
// the publisher's, which says which CI job built them from which commit (SLSA
// provenance, signed with a short-lived Fulcio certificate). Both are Sigstore
// bundles in a transparency log.
//
// The provenance's predicate is written in the publisher's own job and can say
// anything. What counts is the certificate, whose fields the CI's identity
// provider vouches for; in repository, commit, ref, workflow, trigger and ids the
// predicate must not contradict it.
//
// A registry's answer is one document about one package: anything invalid in it
// denies the package. What a package is expected to be (name, version,
// integrity) comes from the lockfile, never from the registry.
package npm
