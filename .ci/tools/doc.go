// Package tools pins what CI runs, in a module of its own so that users' builds
// do not carry it.
package tools
