//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// catchSignals keeps what would have reached a command without us, from now on: one
// that comes while the command starts is for it too. forward passes them on, those
// that came before as well, until stop is called. A terminal's own signals reach the
// command already: it is in our group.
func catchSignals() (forward func(*os.Process), stop func()) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
	terminal := term.IsTerminal(int(os.Stdin.Fd())) || term.IsTerminal(int(os.Stderr.Fd()))
	forward = func(to *os.Process) {
		go func() {
			for s := range signals {
				if terminal && (s == syscall.SIGINT || s == syscall.SIGQUIT || s == syscall.SIGWINCH) {
					continue
				}
				_ = to.Signal(s) // it may have ended
			}
		}()
	}
	return forward, func() {
		signal.Stop(signals)
		close(signals)
	}
}

// exitCode is what a shell makes of how a command ended.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
