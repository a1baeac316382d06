// Package platform links something else on Windows and with the tag extra.
package platform

var names = []string{"plain"}

// Name names what was linked.
func Name() string { return names[len(names)-1] }
