package main

import (
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"plimsoll.example/verify/npm/npmtest"
)

// registries are those of running scripts, by their folder.
var registries sync.Map

// scriptRegistry runs a registry on loopback:
//
//	registry start DIR              fill it from files (see npmtest.Registry), set $REGISTRY and, under another name, $MIRROR, write root.json and keys.json
//	registry lock FILE PKG...       write a package-lock.json of packages NAME@VERSION
//	registry misbehave PATH KIND    cut, wrong, huge, slow, a status, or an address to redirect to
//	registry behave                 end that
//	registry requests FILE          write what was asked: METHOD PATH AUTHORIZATION
func scriptRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: registry start | lock | misbehave | behave | requests")
	}
	if args[0] == "start" {
		startRegistry(ts, args[1])
		return
	}
	value, ok := registries.Load(ts.Getenv("WORK"))
	if !ok {
		ts.Fatalf("registry: not started")
	}
	r, ok := value.(*npmtest.Registry)
	if !ok {
		ts.Fatalf("registry: internal error")
	}
	switch args[0] {
	case "lock":
		ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[1])), 0o755))
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), r.Lockfile("project", args[2:]...), 0o644))
	case "misbehave":
		r.Misbehave(args[1], misbehaviour(ts, args[2]))
	case "behave":
		r.Behave()
	case "requests":
		var b strings.Builder
		for _, q := range r.Requests() {
			fmt.Fprintf(&b, "%s %s %s\n", q.Method, q.Path, q.Authorization)
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o644))
	default:
		ts.Fatalf("registry: unknown %q", args[0])
	}
}

func misbehaviour(ts *testscript.TestScript, kind string) npmtest.Misbehaviour {
	switch kind {
	case "cut":
		return npmtest.Cut()
	case "wrong":
		return npmtest.WrongBytes()
	case "huge":
		return npmtest.Huge(100 << 20)
	case "slow":
		return npmtest.Slow(300 * time.Millisecond)
	}
	if code, err := strconv.Atoi(kind); err == nil {
		return npmtest.Status(code, 0, "0")
	}
	if !strings.HasPrefix(kind, "http") {
		ts.Fatalf("registry: misbehave: unknown %q", kind)
	}
	return npmtest.RedirectTo(kind)
}

func startRegistry(ts *testscript.TestScript, dir string) {
	archive := &txtar.Archive{}
	root := ts.MkAbs(dir)
	ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		archive.Files = append(archive.Files, txtar.File{Name: filepath.ToSlash(name), Data: data})
		return err
	}))
	s, err := npmtest.NewSigstore()
	ts.Check(err)
	r, err := npmtest.NewRegistry(s, archive)
	ts.Check(err)
	server := httptest.NewServer(r)
	ts.Defer(server.Close)
	r.SetBase(server.URL)
	registries.Store(ts.Getenv("WORK"), r)
	ts.Defer(func() { registries.Delete(ts.Getenv("WORK")) })
	ts.Setenv("REGISTRY", server.URL)
	ts.Setenv("MIRROR", strings.Replace(server.URL, "127.0.0.1", "localhost", 1))
	ts.Check(os.WriteFile(ts.MkAbs("root.json"), s.TrustedRoot(), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("keys.json"), s.NPMKeys(), 0o644))
}
