// Package layout verifies that an artifact came out of an in-toto layout.
//
// A layout is a file in which the owners of a product say which steps make it, who may
// perform each step (functionaries, by their keys), and by which rules files go into a
// step and come out of it. A link is a file in which a functionary says what one step
// read and wrote. Both are signed, as a Metablock (the signature covers the canonical
// JSON of "signed") or as a DSSE envelope (it covers the payload's very bytes).
//
// The rules are judged by in-toto-golang. It was written for layouts that mean well:
// it runs the commands of inspections, panics at a threshold of 0 and at an empty rule,
// only warns of another command, cleans paths before it compares them, and takes a
// layout without steps for one that is met. So nothing gets there that did not pass the
// guard, which is the rest of this package:
//
//	size, strict JSON -> owners' signature -> expiry -> shape of the layout
//	-> links: size, strict JSON, step, key, names, digests, signature
//	-> in-toto-golang: signatures and thresholds, agreement, rules
//	-> return values, commands, and the artifact itself among a step's products
//
// Nothing is ever run and no file is read or written. Not supported, and refused:
// inspections, certificates instead of keys, sublayouts, parameters, GPG keys.
package layout
