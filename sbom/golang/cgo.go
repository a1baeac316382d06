package golang

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// add takes a package's files in other languages, by their path in the module.
func (c *CGo) add(p *listed, moduleDir string) {
	for _, name := range p.native() {
		c.Files = append(c.Files, File{Path: path.Join(relative(moduleDir, p.Dir), name)})
	}
	c.LDFlags = append(c.LDFlags, p.CgoLDFLAGS...)
	c.PkgConf = append(c.PkgConf, p.CgoPkgConfig...)
}

func (c *CGo) sort() {
	slices.SortFunc(c.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	c.Files = slices.Compact(c.Files)
	// A flag may name a folder of this machine.
	c.LDFlags = slices.DeleteFunc(c.LDFlags, func(f string) bool {
		return filepath.IsAbs(strings.TrimPrefix(f, "-L")) || strings.Contains(f, "=/")
	})
	slices.Sort(c.LDFlags)
	c.LDFlags = slices.Compact(c.LDFlags)
	slices.Sort(c.PkgConf)
	c.PkgConf = slices.Compact(c.PkgConf)
}

// hash hashes the files below the module's folder.
func (c *CGo) hash(folder string) error {
	for i := range c.Files {
		f := &c.Files[i]
		in, err := os.Open(filepath.Join(folder, filepath.FromSlash(f.Path)))
		if err != nil {
			return fmt.Errorf("reading %s: %w", f.Path, withoutPath(err))
		}
		h256, h512 := sha256.New(), sha512.New()
		_, err = io.Copy(io.MultiWriter(h256, h512), in)
		in.Close()
		if err != nil {
			return fmt.Errorf("reading %s: %w", f.Path, withoutPath(err))
		}
		f.SHA256, f.SHA512 = hex.EncodeToString(h256.Sum(nil)), hex.EncodeToString(h512.Sum(nil))
	}
	return nil
}
