//go:build cgo

// Package native adds in C.
package native

/*
#cgo LDFLAGS: -lm
int made_add(int a, int b);
*/
import "C"

// Add adds.
func Add(a, b int) int { return int(C.made_add(C.int(a), C.int(b))) }
