// Command tool links another module than server does.
package main

import (
	"fmt"

	"example.com/Made/lib"
	"golang.org/x/sync/errgroup"
)

func main() {
	var g errgroup.Group
	g.Go(func() error { fmt.Println(lib.Name()); return nil })
	_ = g.Wait()
}
