// Package sigstore verifies Sigstore bundles through sigstore-go. Its two
// checkers differ in what they rest on:
//
//	KeyChecker   keys that the operator pinned; no log, no time, no network
//	LogChecker   a trust root: Fulcio certificates with SCT, and keys with a
//	             validity, each signature in a transparency log and with a
//	             trusted time
//
// The public-good trust root and npm's keys are embedded (folder roots, with
// their origin). Nothing is fetched.
package sigstore
