package registry

import (
	"net/url"
	"strings"
	"testing"
)

func FuzzParseINI(f *testing.F) {
	for _, seed := range []string{"a=b\n[s]\nc=d", "a[]=1\na=2\n\"x\"='y' ; z", "//h/:_authToken=${T}\r\\;#", "\ufeff[a]b]\n=\n[]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseINI(data)
		if err != nil {
			return
		}
		plain := map[string]bool{}
		for _, s := range list {
			if s.key == "" || strings.ContainsAny(printableKey(s.key), "\x1b\n") {
				t.Fatalf("key %q", s.key)
			}
			if plain[s.key] {
				t.Fatalf("%q is there twice", s.key)
			}
			plain[s.key] = !s.list
			expand(s.value, map[string]string{"T": "1"})
		}
	})
}

// Whatever a project says: no variable, no credential, nothing but https to the public
// internet. Whatever the operator says: a token to its own host.
func FuzzRead(f *testing.F) {
	f.Add("registry=https://r.example/${T}", "registry=https://r.example/${T}", "https://r.example/")
	f.Add("//r.example/:_authToken=${T}", "@a:registry=https://127.0.0.1\nproxy=x", "https://10.0.0.1/")
	f.Add("//r.example/a/:_auth=\"x\\n\"\nregistry=http://[::1]:1/", "registry=https://１.example", "https://a@b/")
	f.Fuzz(func(t *testing.T, user, project, lock string) {
		const secret = "Zq7secret"
		in := Inputs{UserConfig: []byte(user), Environ: []string{"T=" + secret}}
		own, err := Read(in)
		if err != nil {
			return
		}
		in.FromProject, in.ProjectConfig, in.ProjectRegistries = true, []byte(project), []string{lock}
		c, err := Read(in)
		if err != nil {
			return
		}
		if len(c.credentials) != len(own.credentials) || c.proxy != own.proxy || c.httpsProxy != own.httpsProxy || c.noProxy != own.noProxy || string(c.CAs) != string(own.CAs) || c.CAFile != own.CAFile {
			t.Fatalf("the project changed %+v to %+v", own, c)
		}
		for _, cred := range c.credentials {
			if strings.ContainsAny(cred.header, "\r\n\x00") {
				t.Fatalf("header %q", cred.header)
			}
		}
		check := func(scope, address, before string) {
			u, err := url.Parse(address)
			if err != nil || u.User != nil || !strings.HasSuffix(address, "/") || (u.Scheme != "https" && u.Scheme != "http") {
				t.Fatalf("%s: %q, %v", scope, address, err)
			}
			again, err := parseAddress(address)
			if err != nil || again != address {
				t.Fatalf("%q is read as %q, %v", address, again, err)
			}
			if before != "" && before != address {
				t.Fatalf("%s: the project turned %q into %q", scope, before, address)
			}
			if before == "" && (u.Scheme != "https" || !publicName(u.Hostname()) || strings.Contains(address, secret)) {
				t.Fatalf("%s: the project named %q", scope, address)
			}
		}
		if c.Registry != "" {
			check("", c.Registry, own.Registry)
		}
		for scope, address := range c.Scopes {
			check(scope, address, own.Scopes[scope])
		}
	})
}
