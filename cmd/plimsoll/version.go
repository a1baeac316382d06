package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

const versionHelp = `Usage: plimsoll version

Prints the version, the Go toolchain and the platform of this program.

Example:
  plimsoll version
`

func runVersion(_ context.Context, io stdio, args []string) error {
	flags := newFlags(io, "version", versionHelp)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usagef("version: expected no argument, found %q", flags.Arg(0))
	}
	_, err := fmt.Fprintf(io.out, "plimsoll %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version is the main module's version as the build stamped it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "unknown"
}
