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
// provider vouches for; in repository, commit, ref, workflow, runner, trigger and ids
// the predicate must not contradict it.
//
// Beside them stands the registry's own signature over name, version and digest. What
// else a registry says (when and by whom a version was published, which scripts it
// has) nobody signed: it can make a package be denied, and never be trusted.
//
// An [Inspector] checks a project by evidence that is asked for ([Online]) or was saved
// ([Answers]), and compares what it finds with [Expectations]: what a person accepted
// of each package line before.
//
// A registry's answer is one document about one package: anything invalid in it
// denies the package. What a package is expected to be (name, version,
// integrity) comes from the lockfile, never from the registry.
package npm
