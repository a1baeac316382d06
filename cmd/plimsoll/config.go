package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"plimsoll.example/sbom"
)

// configName is the project's file about its SBOMs. Nothing in it decides
// anything.
const configName = "plimsoll.yaml"

// maxConfig bounds it.
const maxConfig = 1 << 20

// config is plimsoll.yaml.
type config struct {
	SBOM struct {
		Authors      []contact     `yaml:"authors"`
		Manufacturer *organization `yaml:"manufacturer"`
		Supplier     *organization `yaml:"supplier"`
		License      string        `yaml:"license"`
	} `yaml:"sbom"`
}

type contact struct {
	Name  string `yaml:"name"`
	Email string `yaml:"email"`
}

type organization struct {
	Name  string `yaml:"name"`
	URL   string `yaml:"url"`
	Email string `yaml:"email"`
}

// findConfig returns the file that was named, or the plimsoll.yaml beside the
// first path, or in the current directory; "" if there is none.
func findConfig(named, path string) (string, error) {
	if named != "" {
		return named, nil
	}
	dir := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		dir = filepath.Dir(path)
	}
	for _, file := range []string{filepath.Join(dir, configName), configName} {
		if _, err := os.Stat(file); err == nil {
			return file, nil
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			return "", failed(fmt.Errorf("looking for %s: %w", configName, err))
		}
	}
	return "", nil
}

// applyConfig takes what a plimsoll.yaml says. Unknown and repeated keys are
// errors with a line.
func applyConfig(file string, o *sbom.Options) error {
	data, err := readBounded(file, maxConfig)
	if err != nil {
		return failed(fmt.Errorf("reading what is said about SBOMs: %w", err)).withHint("name the file with --config")
	}
	var c config
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		// "field x not found in type ...": the type is ours.
		text, _, _ := strings.Cut(strings.ReplaceAll(err.Error(), "\n", ";"), " in type ")
		return usagef("%s: %s", file, text).withHint("it may have sbom: with license, and authors, manufacturer and supplier, each with name, email and url")
	}
	if l := c.SBOM.License; l != "" && !sbom.IsLicense(l) {
		return usagef("%s: license: expected an SPDX expression, found %q", file, l).withHint("such as MIT, or LicenseRef-NAME for terms of your own")
	}
	o.License = c.SBOM.License
	for _, a := range c.SBOM.Authors {
		if err := checkContact(a.Name, a.Email, ""); err != nil {
			return usagef("%s: authors: %w", file, err)
		}
		o.Authors = append(o.Authors, sbom.Contact{Name: a.Name, Email: a.Email})
	}
	for _, of := range []struct {
		name string
		from *organization
		to   **sbom.Organization
	}{{"manufacturer", c.SBOM.Manufacturer, &o.Manufacturer}, {"supplier", c.SBOM.Supplier, &o.Supplier}} {
		if of.from == nil {
			continue
		}
		if err := checkContact(of.from.Name, of.from.Email, of.from.URL); err != nil {
			return usagef("%s: %s: %w", file, of.name, err)
		}
		*of.to = &sbom.Organization{Name: of.from.Name, URL: of.from.URL, Email: of.from.Email}
	}
	return nil
}

// checkContact holds what the schema and the minimum elements want: a name, and
// addresses that are ones.
func checkContact(name, email, page string) error {
	if strings.TrimSpace(name) == "" {
		return errors.New("expected a name, found none")
	}
	if email != "" {
		if a, err := mail.ParseAddress(email); err != nil || a.Address != email {
			return fmt.Errorf("%s: expected an e-mail address, found %q", name, email)
		}
	}
	if page != "" {
		if u, err := url.Parse(page); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return fmt.Errorf("%s: expected an address that begins with https://, found %q", name, page)
		}
	}
	return nil
}

// parseParty reads a flag's "NAME <ADDRESS>"; an address is of mail or of a page.
func parseParty(s string) (organization, error) {
	name, rest, bracket := strings.Cut(s, "<")
	org := organization{Name: strings.TrimSpace(name)}
	if bracket {
		address, ok := strings.CutSuffix(strings.TrimSpace(rest), ">")
		if !ok {
			return org, fmt.Errorf("expected NAME <ADDRESS>, found %q", s)
		}
		if strings.Contains(address, "://") {
			org.URL = address
		} else {
			org.Email = address
		}
	}
	return org, checkContact(org.Name, org.Email, org.URL)
}
