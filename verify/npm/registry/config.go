// Package registry finds out which npm registry is meant and asks it.
//
// Where npm's configuration comes from decides what it may say. The flag, the
// environment, the user's and the global .npmrc are the operator's. A project's own
// .npmrc and its lockfile are somebody else's: they may name an address, if the
// operator asks for that, and nothing else; npm itself would expand ${CI_JOB_TOKEN} in
// them and send it wherever they say.
package registry

import (
	"fmt"
	"slices"
	"strings"
)

// Inputs are where configuration comes from. The caller reads them.
type Inputs struct {
	Flag                     string   // --registry
	Environ                  []string // as os.Environ: npm_config_*, HTTPS_PROXY, HTTP_PROXY, NO_PROXY
	UserConfig, GlobalConfig []byte   // the user's and the global .npmrc; nil: none
	NPMRegistry              string   // what npm says in an empty folder; "": it was not asked
	// FromProject lets the project's .npmrc and lockfile name an address.
	FromProject       bool
	ProjectConfig     []byte
	ProjectRegistries []string // addresses that the lockfile fetches from
}

// A Config says which registry a package is asked of, and how.
type Config struct {
	Registry string            // with a slash at its end; "": none is known
	Scopes   map[string]string // "@acme" to address
	Notes    []string          // what of the configuration does not count
	CAFile   string            // a file of certificates that are trusted too, as it is written: ~/ is the user's home
	CAs      []byte            // such certificates, PEM

	credentials                []credential
	proxy, httpsProxy, noProxy string
	untrusted                  []string // origins that only a project named
}

// InScript tells, by the variables npm_execpath and npm_lifecycle_event, whether a
// package manager runs this as a script of a project. It then puts what the project's
// .npmrc says, variables expanded, into the environment.
func InScript(execpath, event string) bool { return execpath != "" || event != "" }

// Read finds the registry: the flag's, the environment's, the user's, the global one,
// npm's own answer, and, if that is asked for, the project's, in this order.
func Read(in Inputs) (*Config, error) {
	environ := map[string]string{}
	for _, entry := range in.Environ {
		if key, value, ok := strings.Cut(entry, "="); ok {
			environ[key] = value
		}
	}
	c := &Config{Scopes: map[string]string{}}
	var settings []setting
	if InScript(environ["npm_execpath"], environ["npm_lifecycle_event"]) {
		c.Notes = append(c.Notes, "npm_config_* does not count: this runs in a script of a package manager, which puts the project's .npmrc into it")
	} else {
		settings = environmentSettings(environ)
	}
	for _, file := range []struct {
		name string
		data []byte
	}{{"the user's .npmrc", in.UserConfig}, {"the global npmrc", in.GlobalConfig}} {
		list, err := parseINI(file.data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.name, err)
		}
		for _, s := range list {
			s.key, s.value = expand(s.key, environ), expand(s.value, environ)
			s.from = file.name
			settings = append(settings, s)
		}
	}
	if in.Flag != "" {
		settings = append([]setting{{key: "registry", value: in.Flag, from: "--registry"}}, settings...)
	}
	if err := c.take(settings); err != nil {
		return nil, err
	}
	c.proxies(environ)
	if c.Registry == "" && in.NPMRegistry != "" {
		address, err := parseAddress(in.NPMRegistry)
		if err != nil {
			return nil, fmt.Errorf("npm config get registry: %w", err)
		}
		c.Registry = address
	}
	if in.FromProject {
		if err := c.takeProject(in); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// take reads the operator's settings; the first source of a key counts.
func (c *Config) take(settings []setting) error {
	logins := map[string]*login{}
	seen := map[string]string{} // key to source
	for _, s := range settings {
		if s.list && s.key != "ca" && s.key != "noproxy" {
			c.Notes = append(c.Notes, s.from+": "+printableKey(s.key)+"[] does not count: it is no list")
			continue
		}
		if from, ok := seen[s.key]; ok && (!s.list || from != s.from) {
			continue
		}
		seen[s.key] = s.from
		var err error
		switch scope, isScope := strings.CutSuffix(s.key, ":registry"); {
		case s.key == "registry":
			c.Registry, err = parseAddress(s.value)
		case isScope && strings.HasPrefix(scope, "@"):
			c.Scopes[scope], err = parseAddress(s.value)
		case strings.HasPrefix(s.key, "//"):
			var note string
			if note, err = addLogin(logins, s); note != "" {
				c.Notes = append(c.Notes, s.from+": "+printableKey(s.key)+" does not count: "+note)
			}
		default:
			c.takePlain(s)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", s.from, printableKey(s.key), err)
		}
	}
	c.credentials = credentialsOf(logins)
	return nil
}

func (c *Config) takePlain(s setting) {
	switch s.key {
	case "cafile":
		if s.value != "null" {
			c.CAFile = s.value
		}
	case "ca":
		if s.value != "" && s.value != "null" {
			c.CAs = append(c.CAs, strings.ReplaceAll(s.value, `\n`, "\n")+"\n"...)
		}
	case "proxy":
		c.proxy = s.value
	case "https-proxy":
		c.httpsProxy = s.value
	case "noproxy":
		if s.list && c.noProxy != "" {
			s.value = c.noProxy + "," + s.value
		}
		c.noProxy = s.value
	case "strict-ssl":
		if s.value == "false" {
			c.Notes = append(c.Notes, s.from+": strict-ssl=false does not count: certificates are always checked")
		}
	case "_auth", "_authtoken", "_authToken", "_password":
		c.Notes = append(c.Notes, s.from+": "+s.key+" without an address does not count: npm would not send it either")
	}
}

func (c *Config) proxies(environ map[string]string) {
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" && v != "null" && v != "false" {
				return v
			}
		}
		return ""
	}
	c.httpsProxy = first(c.httpsProxy, c.proxy, environ["HTTPS_PROXY"], environ["https_proxy"])
	c.proxy = first(c.proxy, environ["HTTP_PROXY"], environ["http_proxy"])
	c.noProxy = first(c.noProxy, environ["NO_PROXY"], environ["no_proxy"])
}

// mostNotes bounds what is said of a project's .npmrc.
const mostNotes = 20

// takeProject takes addresses, and nothing else, from the project.
func (c *Config) takeProject(in Inputs) error {
	list, err := parseINI(in.ProjectConfig)
	if err != nil {
		return fmt.Errorf("the project's .npmrc: %w", err)
	}
	scopes := map[string]string{}
	address, others := "", 0
	for _, s := range list {
		scope, isScope := strings.CutSuffix(s.key, ":registry")
		if s.list || (s.key != "registry" && !(isScope && strings.HasPrefix(scope, "@"))) {
			if others++; others <= mostNotes {
				c.Notes = append(c.Notes, "the project's .npmrc: "+printableKey(s.key)+" does not count: it may name registries only")
			}
			continue
		}
		literal, err := projectAddress(s.value)
		if err != nil {
			return fmt.Errorf("the project's .npmrc: %s: %w", printableKey(s.key), err)
		}
		if s.key == "registry" {
			address = literal
		} else {
			scopes[scope] = literal
		}
	}
	if others > mostNotes {
		c.Notes = append(c.Notes, fmt.Sprintf("the project's .npmrc: %d more settings do not count", others-mostNotes))
	}
	operators := c.origins()
	if address == "" && c.Registry == "" {
		if address, err = onlyRegistry(in.ProjectRegistries); err != nil {
			return err
		}
	}
	distrust := func(address string) {
		if origin := originOf(address); !slices.Contains(operators, origin) {
			c.untrusted = append(c.untrusted, origin)
		}
	}
	if c.Registry == "" && address != "" {
		c.Registry = address
		distrust(address)
	}
	for scope, address := range scopes {
		if c.Scopes[scope] == "" {
			c.Scopes[scope] = address
			distrust(address)
		}
	}
	return nil
}

// origins are those of the registries that are known.
func (c *Config) origins() []string {
	all := []string{originOf(c.Registry)}
	for _, address := range c.Scopes {
		all = append(all, originOf(address))
	}
	return all
}

// onlyRegistry is the address that a lockfile fetches all packages from.
func onlyRegistry(addresses []string) (string, error) {
	var found string
	for _, a := range addresses {
		literal, err := projectAddress(a)
		if err != nil {
			return "", fmt.Errorf("the lockfile: %w", err)
		}
		if found != "" && found != literal {
			return "", fmt.Errorf("the lockfile names several registries, %s and %s; name the one that is meant with --registry", found, literal)
		}
		found = literal
	}
	return found, nil
}

// For returns the registry of a package: its scope's, or the default one.
func (c *Config) For(name string) (address string, ok bool) {
	if scope, _, scoped := strings.Cut(name, "/"); scoped && strings.HasPrefix(scope, "@") && c.Scopes[scope] != "" {
		return c.Scopes[scope], true
	}
	return c.Registry, c.Registry != ""
}
