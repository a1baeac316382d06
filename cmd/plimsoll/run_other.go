//go:build !unix

package main

import (
	"os"
	"os/signal"
)

// catchSignals keeps an interrupt from ending us before the command, which gets it
// itself.
func catchSignals() (forward func(*os.Process), stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	return func(*os.Process) {}, func() { signal.Stop(signals) }
}

func exitCode(state *os.ProcessState) int { return state.ExitCode() }
