package rust

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestParseList: what is wrong with a list is an error.
func TestParseList(t *testing.T) {
	crates, err := parseList([]byte(`{"packages":[{"name":"a","version":"1.0.0","source":"crates.io","dependencies":[1]},{"name":"b","version":"0.1.0","source":"git","kind":"build"}]}`))
	if err != nil || len(crates) != 2 || !crates[1].Build || crates[0].Dependencies[0] != 1 {
		t.Errorf("found %+v, %v", crates, err)
	}
	for text, want := range map[string]string{
		`{}`: "no list", `[]`: "reading list", `{"packages":[{"name":"a"}]}`: "no name or version",
		`{"packages":[{"name":"a","version":"1","dependencies":[1]}]}`:  "package 1 of 1",
		`{"packages":[{"name":"a","version":"1","dependencies":[-1]}]}`: "package -1 of 1",
	} {
		if _, err := parseList([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, found %v", text, want, err)
		}
	}
}

// TestNoList: a binary without a list says so; what is no binary too.
func TestNoList(t *testing.T) {
	self, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	if _, err := ReadBinary(self); !errors.Is(err, ErrNoAudit) {
		t.Errorf("this test: %v", err)
	}
	if _, err := ReadBinary(bytes.NewReader([]byte("#!/bin/sh\n"))); !errors.Is(err, ErrNoAudit) {
		t.Errorf("a script: %v", err)
	}
}

func FuzzReadBinary(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Add([]byte("MZ"))
	f.Add([]byte("\xcf\xfa\xed\xfe"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = ReadBinary(bytes.NewReader(data))
	})
}

func FuzzParseList(f *testing.F) {
	f.Add([]byte(`{"packages":[{"name":"a","version":"1.0.0","dependencies":[0]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		crates, err := parseList(data)
		for _, c := range crates {
			for _, d := range c.Dependencies {
				if d < 0 || d >= len(crates) {
					t.Errorf("%+v of %d, %v", c, len(crates), err)
				}
			}
		}
	})
}
