// Package sbom writes CycloneDX documents about builds, and says what a document
// lacks.
//
// The readers in golang and npm collect facts; this package alone turns facts
// into CycloneDX. A document is a function of the facts and of what the caller
// sets last (time, tool, authors): the same input gives the same bytes on any
// machine. Go's module cache is part of the input: it gives licences, hashes and a
// binary's edges.
//
// What is not known is left out and said so: a component whose dependencies are
// unknown has no entry in the dependency graph, a composition lists it, and a
// property gives the reason. A component without dependencies has an entry
// without dependsOn (CycloneDX 1.7, "dependencies"). What it costs that something
// was not there is in the document's own properties, plimsoll:gap.
//
// A component that stands in for another (a replaced module) has that one as its
// ancestor in the pedigree. Files that a module compiles with cgo are components
// of type file on which the module depends.
//
// Properties with the prefix "plimsoll:" are this project's own:
//
//	plimsoll:gap                   of the document: what is not known, and why
//	plimsoll:unknown:FIELD         why FIELD is not known: name, producer, hash, license, identifier
//	plimsoll:withheld:FIELD        read by Check: FIELD is left out on purpose
//	plimsoll:version:unknown       why the version is not known
//	plimsoll:version:from          where a main module's version comes from
//	plimsoll:dependencies:unknown  why the dependencies are not, or not all, known
//	plimsoll:linked:unknown        why it is not known whether it is linked at all
//	plimsoll:component:logical     "true": it is no file of its own
//	plimsoll:artifact:file         the name of the file that was built
//	plimsoll:gomod:h1              go.sum's dirhash of the module (not a file's hash)
//	plimsoll:gomod:replaces        PATH@VERSION that the module stands in for
//	plimsoll:gomod:local           "true": a folder replaces the module
//	plimsoll:gomod:local:h1        that folder's dirhash under the name it replaces
//	plimsoll:gomod:package         import path of a main package
//	plimsoll:gomod:build:NAME      a build setting that CycloneDX's taxonomy lacks
//	plimsoll:gomod:vcs:KEY         the commit it was built from
//	plimsoll:cgo:ldflag            a linker flag of #cgo directives
//	plimsoll:cgo:pkg-config        a pkg-config package of #cgo directives
//	plimsoll:cgo:shared-library    "true": the loader looks for it where the binary runs
//	plimsoll:cgo:unknown           why shared libraries and C compilers are not known
//	plimsoll:license:declared      what a package declares, where its texts say something else
//	plimsoll:npm:installScript     "true": npm runs a script when it is installed
//	plimsoll:npm:script:NAME       that script
//	plimsoll:npm:bindingGyp        "true": npm compiles it when it is installed
//	plimsoll:npm:missing           NAME@SPEC that is required and lies nowhere
//	plimsoll:npm:deprecated        why the package should not be used
//	plimsoll:npm:engine            ENGINE RANGE that it asks for
//	plimsoll:npm:funding           address of those who ask for money
//	plimsoll:npm:patch             the patch that the package manager applies
//	plimsoll:npm:program           a file of it that is made for a processor
//	plimsoll:npm:yarnChecksum      yarn's checksum of its own archive
//	plimsoll:npm:drift             of the document: where node_modules is not what the lockfile says
//	plimsoll:npm:omitted           of the document: what was left out because it was asked for
//	plimsoll:bundle:included       whether anything of it is in the bundle
//	plimsoll:bundle:file           a bundler's output that it is in
//	plimsoll:bundle:bytes          how many bytes of it are in all outputs
//	plimsoll:bundle:sourceBytes    the same in bytes of sources, where the report says no more
//	plimsoll:bundle:certainty      how sure it is: content, place, version, name, ambiguous
//	plimsoll:bundle:inlinedBy      NAME@VERSION of the package whose own build put it into its files
package sbom
