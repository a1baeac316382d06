// Command server links a fork, a module replaced by another version, C code, and
// more with the tag extra or on Windows.
package main

import (
	"fmt"

	"example.com/Made/app/native"
	"example.com/Made/app/platform"
	"example.com/Made/lib"
	"example.com/forked"
	"rsc.io/quote"
)

var version = "none"

func main() {
	fmt.Println(version, quote.Hello(), lib.Name(), forked.Name(), native.Add(1, 2), platform.Name())
}
