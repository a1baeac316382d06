package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "plimsoll.example"

// mayImport is the design: which of our packages a package may import.
var mayImport = map[string][]string{
	"sbom/git":            {},
	"sbom/license":        {},
	"sbom/golang":         {"sbom/git", "sbom/license"},
	"sbom/npm":            {"sbom/license"},
	"sbom/rust":           {},
	"sbom":                {"sbom/git", "sbom/golang", "sbom/license", "sbom/npm", "sbom/rust"},
	"attest":              {},
	"attest/sigstore":     {"attest"},
	"attest/kms":          {"attest"},
	"attest/oci":          {"attest"},
	"verify":              {"attest", "sbom", "sbom/license", "verify/vers"},
	"verify/vers":         {},
	"verify/sarif":        {},
	"verify/sigstore":     {"verify", "attest"},
	"verify/layout":       {"verify", "attest"},
	"verify/npm":          {"verify", "attest", "sbom/npm", "verify/npm/registry", "verify/npm/tarball"},
	"verify/npm/registry": {},
	"verify/npm/tarball":  {},
	"verify/npm/advisory": {},
	"verify/npm/npmtest":  {"attest"},
	"verify/evidence":     {"verify", "attest", "sbom"},
	"verify/decisionlog":  {},
	"cmd/plimsoll":        {"attest", "attest/kms", "attest/oci", "attest/sigstore", "sbom", "sbom/git", "sbom/golang", "sbom/npm", "verify", "verify/decisionlog", "verify/layout", "verify/npm", "verify/npm/advisory", "verify/npm/registry", "verify/npm/tarball", "verify/sarif", "verify/sigstore"},
}

// only lists who may import what, by prefix of the import path.
var only = map[string][]string{
	"github.com/sigstore/":                    {"verify/sigstore", "attest/sigstore", "attest/kms", "verify/npm/npmtest"},
	"github.com/CycloneDX/cyclonedx-go":       {"sbom"},
	"github.com/spf13/pflag":                  {"cmd/plimsoll"},
	"golang.org/x/term":                       {"cmd/plimsoll"},
	"github.com/google/licensecheck":          {"sbom/license"},
	"go.yaml.in/yaml/v3":                      {"sbom/npm", "verify", "cmd/plimsoll"},
	"github.com/tailscale/hujson":             {"sbom/npm"},
	"github.com/bmatcuk/doublestar/":          {"sbom", "sbom/npm", "attest"},
	"github.com/google/go-containerregistry/": {"attest/oci"},
	"github.com/in-toto/in-toto-golang/":      {"attest", "verify/layout", "verify/npm"},
	"deps.dev/util/semver":                    {"verify/vers"},
	"log":                                     {},
	"flag":                                    {},
	"net/http":                                {"attest/sigstore", "attest/oci", "verify/sigstore", "verify/npm/registry", "verify/npm/npmtest"},
	"github.com/theupdateframework/":          {"verify/sigstore"},
	"testing":                                 {},
	"github.com/google/go-cmp":                {},
	"github.com/rogpeppe/go-internal":         {"verify/npm/npmtest"},
	"github.com/santhosh-tekuri/jsonschema":   {},
}

// topLevel is everything that may stand at the top.
var topLevel = []string{"cmd", "sbom", "attest", "verify", "testdata", "go.mod", "go.sum", "SECURITY.md", "README.md"}

// TestImports holds the design's directions. Test files may import anything.
func TestImports(t *testing.T) {
	seen := 0
	eachSource(t, func(dir string, file *ast.File) {
		allowed, known := mayImport[dir]
		if !known {
			t.Errorf("package %s is not in the design: add it there and here", dir)
			return
		}
		seen++
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s; it may import %v", dir, ours, allowed)
			}
			for prefix, users := range only {
				if (imported == prefix || strings.HasPrefix(imported, strings.TrimSuffix(prefix, "/")+"/")) && !slices.Contains(users, dir) {
					t.Errorf("%s imports %s; only %v may", dir, imported, users)
				}
			}
		}
	})
	if seen == 0 {
		t.Fatal("found no source file")
	}
}

// TestLibrariesStayLibraries: no package but cmd ends the process, prints, reads
// the environment or has an init.
func TestLibrariesStayLibraries(t *testing.T) {
	forbidden := []string{"os.Exit", "os.Getenv", "os.Stdout", "os.Stderr", "os.Args", "fmt.Print", "fmt.Println", "fmt.Printf"}
	eachSource(t, func(dir string, file *ast.File) {
		if dir == "cmd/plimsoll" {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s has an init", dir)
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && slices.Contains(forbidden, x.Name+"."+n.Sel.Name) {
					t.Errorf("%s uses %s.%s", dir, x.Name, n.Sel.Name)
				}
			}
			return true
		})
	})
}

// TestCheckers lists what implements verify.Checker: whatever stands here
// decides whose word is believed.
func TestCheckers(t *testing.T) {
	want := []string{"verify/sigstore.KeyChecker", "verify/sigstore.LogChecker", "verify/sigstore.PolicyChecker"}
	var found []string
	eachSource(t, func(dir string, file *ast.File) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "Check" {
				continue
			}
			star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
			if !ok {
				t.Fatalf("%s: Check on a value receiver", dir)
			}
			found = append(found, dir+"."+star.X.(*ast.Ident).Name)
		}
	})
	slices.Sort(found)
	if !slices.Equal(found, want) {
		t.Errorf("expected %v, found %v", want, found)
	}
}

// TestTopLevel looks at what is committed: what a user puts into the checkout is
// the user's.
func TestTopLevel(t *testing.T) {
	list := exec.Command("git", "ls-files")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil || len(out) == 0 {
		t.Skipf("git does not tell what is committed: %v", err)
	}
	for file := range strings.Lines(string(out)) {
		top, _, _ := strings.Cut(strings.TrimSpace(file), "/")
		if !strings.HasPrefix(top, ".") && !slices.Contains(topLevel, top) {
			t.Errorf("%s does not belong at the top level", top)
		}
	}
}

// eachSource parses every Go file of the module that is not a test and is built.
func eachSource(t *testing.T, do func(dir string, file *ast.File)) {
	t.Helper()
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && name != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		data, err := fs.ReadFile(root, name)
		if err != nil || strings.HasPrefix(string(data), "//go:build ignore") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ParseComments)
		if err == nil {
			do(filepath.ToSlash(path.Dir(name)), file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
