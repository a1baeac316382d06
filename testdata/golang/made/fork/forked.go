// Package forked was changed here.
package forked

// Name is its name.
func Name() string { return "fork" }
