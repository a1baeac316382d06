package golang

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxComment bounds the section in which C compilers name themselves.
const maxComment = 64 << 10

// readNative reads what a binary's headers say: the shared libraries that the
// loader will look for (DT_NEEDED in ELF, load commands in Mach-O, the import
// table in PE), and in ELF the C compilers that took part.
func readNative(r io.ReaderAt) (n Native) {
	defer func() {
		// The headers may be made up; the readers are not built for that.
		if p := recover(); p != nil {
			n = Native{Unknown: fmt.Sprintf("the binary's headers cannot be read: %v", p)}
		}
		slices.Sort(n.Libraries)
		n.Libraries = slices.Compact(n.Libraries)
	}()
	magic := make([]byte, 4)
	if _, err := r.ReadAt(magic, 0); err != nil {
		return Native{Unknown: "the binary's headers cannot be read"}
	}
	var err error
	switch {
	case string(magic) == elf.ELFMAG:
		err = n.readELF(r)
	case string(magic[:2]) == "MZ":
		err = n.readPE(r)
	default:
		err = n.readMachO(r)
	}
	if err != nil {
		return Native{Unknown: "the binary's headers cannot be read: " + err.Error()}
	}
	return n
}

func (n *Native) readELF(r io.ReaderAt) error {
	f, err := elf.NewFile(r)
	if err != nil {
		return err
	}
	n.Libraries, err = f.ImportedLibraries()
	if err != nil && f.SectionByType(elf.SHT_DYNAMIC) != nil {
		return err
	}
	if s := f.Section(".comment"); s != nil && s.Type == elf.SHT_PROGBITS && s.Size <= maxComment {
		data, err := s.Data()
		if err != nil {
			return err
		}
		for c := range strings.SplitSeq(string(data), "\x00") {
			if c = strings.TrimSpace(c); c != "" && !strings.HasPrefix(c, "Go ") {
				n.Compilers = append(n.Compilers, c)
			}
		}
		slices.Sort(n.Compilers)
		n.Compilers = slices.Compact(n.Compilers)
	}
	return nil
}

func (n *Native) readPE(r io.ReaderAt) error {
	f, err := pe.NewFile(r)
	if err != nil {
		return err
	}
	symbols, err := f.ImportedSymbols() // "NAME:library.dll"; ImportedLibraries gives none
	if err != nil {
		return err
	}
	for _, s := range symbols {
		if i := strings.LastIndexByte(s, ':'); i >= 0 {
			n.Libraries = append(n.Libraries, strings.ToLower(s[i+1:]))
		}
	}
	return nil
}

func (n *Native) readMachO(r io.ReaderAt) error {
	fat, err := macho.NewFatFile(r)
	if err == nil {
		for _, arch := range fat.Arches {
			libraries, err := arch.ImportedLibraries()
			if err != nil {
				return err
			}
			n.Libraries = append(n.Libraries, libraries...)
		}
		return nil
	}
	f, err := macho.NewFile(r)
	if err != nil {
		return errors.New("neither ELF, PE nor Mach-O that can be read")
	}
	n.Libraries, err = f.ImportedLibraries()
	return err
}
