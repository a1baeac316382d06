package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// progressEvery is how often progress is shown.
const progressEvery = 200 * time.Millisecond

// progress shows on a terminal's stderr how many of total are done, and nothing
// elsewhere. tick counts one; done removes what was shown.
func progress(io stdio, doing string, total int) (tick, done func()) {
	file, ok := io.err.(*os.File)
	if !ok || total < 2 || !term.IsTerminal(int(file.Fd())) {
		return func() {}, func() {}
	}
	var count atomic.Int64
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-time.After(progressEvery):
				fmt.Fprintf(io.err, "\rplimsoll: %s: %d of %d", doing, count.Load(), total)
			case <-stop:
				fmt.Fprint(io.err, "\r\x1b[K")
				return
			}
		}
	}()
	return func() { count.Add(1) }, func() { close(stop); <-ended }
}

// recovered turns a panic of a worker into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("internal error: %v; please report this, see SECURITY.md", p)
	}
}
