// Package lib is another module of the workspace.
package lib

// Name is its name.
func Name() string { return "lib" }
