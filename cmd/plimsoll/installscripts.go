package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"plimsoll.example/sbom/npm"
)

// warnOfInstallScripts says if packages that ran code when they were installed lie in
// the workspace in which is signed: in the current directory, an artifact's, or one
// above them as far as the repository goes.
func warnOfInstallScripts(ctx context.Context, io stdio, artifacts []string) {
	seen := map[string]bool{}
	dirs := []string{"."}
	for _, artifact := range artifacts {
		dirs = append(dirs, filepath.Dir(artifact))
	}
	for _, start := range dirs {
		dir, err := filepath.Abs(start)
		if err != nil {
			continue
		}
		for !seen[dir] {
			seen[dir] = true
			if name := installScript(ctx, dir); name != "" {
				fmt.Fprintf(io.err, "plimsoll: %s in node_modules runs a script when it is installed: such code could have read the key and changed the artifact\n", printable(name))
				fmt.Fprintf(io.err, "plimsoll: hint: sign in a job of its own that gets the artifact and never ran npm install\n")
				return
			}
			if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil || filepath.Dir(dir) == dir {
				break
			}
			dir = filepath.Dir(dir)
		}
	}
}

// installScript names a package in a folder's node_modules that runs a script when it
// is installed; "": there is none.
func installScript(ctx context.Context, dir string) string {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return ""
	}
	defer root.Close()
	return npm.InstallScript(ctx, root.FS())
}
