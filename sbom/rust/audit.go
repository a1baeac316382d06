// Package rust reads which crates a binary was built from.
//
// cargo auditable writes them into the binary: a section .dep-v0 (__DATA,.dep-v0 in
// Mach-O files) that holds JSON, compressed with zlib. Rust itself leaves no such
// note: a binary without it does not say what it is made of.
package rust

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrNoAudit reports a binary without a list of its crates.
var ErrNoAudit = errors.New("the binary has no list of crates (.dep-v0)")

// Bounds of the section, compressed and not.
const (
	maxSection = 8 << 20
	maxList    = 32 << 20
)

// A Crate is a package that a binary was built from.
type Crate struct {
	Name, Version string
	Source        string // "crates.io", "git", "local", "registry"
	Build         bool   // it ran when the binary was built, and is not in it
	Root          bool   // what was built
	Dependencies  []int  // indexes
}

// ReadBinary lists the crates of an ELF, PE or Mach-O file, in the order in which it
// does.
func ReadBinary(r io.ReaderAt) ([]Crate, error) {
	section, err := readSection(r)
	if err != nil {
		return nil, err
	}
	compressed, err := zlib.NewReader(bytes.NewReader(section))
	if err != nil {
		return nil, fmt.Errorf("reading list of crates: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(compressed, maxList+1))
	if err != nil {
		return nil, fmt.Errorf("reading list of crates: %w", err)
	}
	if len(data) > maxList {
		return nil, fmt.Errorf("reading list of crates: expected at most %d bytes, found more", maxList)
	}
	return parseList(data)
}

// parseList reads the JSON (cargo-auditable, "auditable-serde").
func parseList(data []byte) ([]Crate, error) {
	var list struct {
		Packages []struct {
			Name, Version, Source, Kind string
			Dependencies                []int
			Root                        bool
		}
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("reading list of crates: %w", err)
	}
	var crates []Crate
	for i, p := range list.Packages {
		if p.Name == "" || p.Version == "" {
			return nil, fmt.Errorf("reading list of crates: package %d has no name or version", i)
		}
		for _, d := range p.Dependencies {
			if d < 0 || d >= len(list.Packages) {
				return nil, fmt.Errorf("reading list of crates: %s depends on package %d of %d", p.Name, d, len(list.Packages))
			}
		}
		crates = append(crates, Crate{Name: p.Name, Version: p.Version, Source: p.Source, Build: p.Kind == "build", Root: p.Root, Dependencies: p.Dependencies})
	}
	if len(crates) == 0 {
		return nil, ErrNoAudit
	}
	return crates, nil
}

// readSection returns the section that holds the list.
func readSection(r io.ReaderAt) (data []byte, err error) {
	// The standard library's readers may panic on files that lie about themselves.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading binary: %v", p)
		}
	}()
	var size uint64
	var section io.ReaderAt
	if f, err := elf.NewFile(r); err == nil {
		if s := f.Section(".dep-v0"); s != nil {
			section, size = s.ReaderAt, s.Size
		}
	} else if f, err := pe.NewFile(r); err == nil {
		if s := f.Section(".dep-v0"); s != nil {
			section, size = s.ReaderAt, uint64(s.Size)
			if s.VirtualSize > 0 { // the rest fills up the file's blocks
				size = min(size, uint64(s.VirtualSize))
			}
		}
	} else if f, err := macho.NewFile(r); err == nil {
		if s := f.Section(".dep-v0"); s != nil {
			section, size = s.ReaderAt, s.Size
		}
	}
	if section == nil {
		return nil, ErrNoAudit
	}
	if size > maxSection {
		return nil, fmt.Errorf("reading list of crates: expected at most %d bytes, found %d", maxSection, size)
	}
	data = make([]byte, size)
	if _, err := section.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading list of crates: %w", err)
	}
	return data, nil
}
