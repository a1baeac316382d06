// Package sigstore asks Sigstore's services about signatures, through sigstore-go: a
// certificate authority (Fulcio) for who signs, timestamp authorities (RFC 3161) for
// when, and transparency logs (Rekor v1 and v2) for a record that nobody can take back.
//
// A [Notary] turns a statement into a bundle that carries their answers. Whoever signs,
// a local key, a key management service or an identity ([Keyless]), the answers are the
// same, and each bundle is verified against a trust root before it is returned.
//
// Nothing here has an address built in, except what the caller's root or signing
// configuration names.
package sigstore
