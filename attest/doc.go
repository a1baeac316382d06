// Package attest makes statements about artifacts and signs them.
//
// The model, from the inside out:
//
//	Subject    an artifact, by digest
//	predicate  what is said about it (an SBOM, how it was built), JSON of a type named by a URI
//	Statement  in-toto Statement v1: subjects, predicate type, predicate
//	Envelope   DSSE: the statement's bytes with a signature over them and their type
//	Bundle     Sigstore bundle v0.3: the envelope with what helps to verify it
//
// A file ARTIFACT.sigstore.jsonl holds one bundle a line; [Append] adds to it.
// [Attest] makes bundles that name a key by a hint and carry no time: anyone who
// verifies them must already hold the public key. Package attest/sigstore adds
// certificates, signed times and log entries, attest/kms keys that others keep, and
// attest/oci keeps bundles in registries.
//
// Signatures by a [Key] are deterministic (ECDSA as in RFC 6979) unless a log asks for
// others, so attesting the same thing twice with one key gives the same bytes.
//
// Everything this package parses is unverified; see package verify.
package attest
