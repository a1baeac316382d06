// Package verify decides whether an artifact may be deployed.
//
// The model:
//
//	Artifact     what is to be deployed: a name for people and its digests
//	Attestation  bytes from a named place that claim something about it; unverified
//	Checker      verifies one attestation's signature; says who signed and when
//	Open         the only maker of a VerifiedStatement: envelope, signature,
//	             statement and subject, in this order, on the same bytes
//	Policy       who may sign, and which statements an artifact needs
//	Gate         applies a policy to an artifact and what was found about it
//	Report       the verdict, each requirement, and each finding with its code
//
// The zero Verdict denies, and so does a policy without requirements, an
// artifact without attestations, and a statement that did not come from Open.
//
// An attestation that cannot be used satisfies nothing and is reported, but does
// not deny by itself: otherwise anyone who can append a line to a file, or push
// to a registry, could block every deploy.
package verify
