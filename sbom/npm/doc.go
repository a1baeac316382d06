// Package npm reads facts about JavaScript projects from npm's lockfiles.
//
// A lockfile (version 2 or 3) lists places: "" is the project, "node_modules/a"
// an installed package, "packages/b" a workspace, and a link is a place that
// stands for another. One package may lie in several places. Edges are found as
// node finds modules: from a place upwards through its node_modules folders.
//
// The package knows nothing of CycloneDX. What it reads comes from outside:
// parsing is strict and bounded, and nothing is executed or fetched.
package npm
