// Package sbom writes CycloneDX documents about builds.
//
// The readers in golang and npm collect facts; this package alone turns facts
// into CycloneDX. A document is a function of the facts and of what the caller
// sets last (time, tool): the same input gives the same bytes on any machine.
//
// What is not known is left out and said so: a component whose dependencies are
// unknown has no entry in the dependency graph, a composition lists it, and a
// property gives the reason. A component without dependencies has an entry
// without dependsOn (CycloneDX 1.7, "dependencies").
//
// Properties with the prefix "plimsoll:" are this project's own:
//
//	plimsoll:gomod:h1              go.sum's dirhash of the module (not a file's hash)
//	plimsoll:gomod:replaces        PATH@VERSION that the module stands in for
//	plimsoll:gomod:local           "true": a folder replaces the module
//	plimsoll:gomod:package         import path of the binary's main package
//	plimsoll:gomod:vcs:KEY         the commit stamped into a binary
//	plimsoll:npm:installScript     "true": npm runs a script when it is installed
//	plimsoll:npm:missing           NAME@SPEC that is required and lies nowhere
//	plimsoll:artifact:file         the name of the file that was built
//	plimsoll:version:unknown       why the version is not known
//	plimsoll:dependencies:unknown  why the dependencies are not, or not all, known
//	plimsoll:unknown:name          "true": the project gives no name
package sbom
