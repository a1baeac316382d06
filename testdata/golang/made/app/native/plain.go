//go:build !cgo

package native

// Add adds.
func Add(a, b int) int { return a + b }
