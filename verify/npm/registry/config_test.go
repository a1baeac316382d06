package registry

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func mustRead(t *testing.T, in Inputs) *Config {
	t.Helper()
	c, err := Read(in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sent is what the configuration sends to an address.
func sent(t *testing.T, c *Config, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return c.authorization(u)
}

func TestOrder(t *testing.T) {
	all := Inputs{
		Flag:              "https://flag.example.com",
		Environ:           []string{"npm_config_registry=https://env.example.com"},
		UserConfig:        []byte("registry=https://user.example.com"),
		GlobalConfig:      []byte("registry=https://global.example.com"),
		NPMRegistry:       "https://npm.example.com",
		FromProject:       true,
		ProjectConfig:     []byte("registry=https://project.example.com"),
		ProjectRegistries: []string{"https://lock.example.com/", "https://lock.example.com"},
	}
	steps := []struct {
		want string
		drop func(*Inputs)
	}{
		{"flag", func(in *Inputs) { in.Flag = "" }},
		{"env", func(in *Inputs) { in.Environ = nil }},
		{"user", func(in *Inputs) { in.UserConfig = nil }},
		{"global", func(in *Inputs) { in.GlobalConfig = nil }},
		{"npm", func(in *Inputs) { in.NPMRegistry = "" }},
		{"project", func(in *Inputs) { in.ProjectConfig = nil }},
		{"lock", func(in *Inputs) { in.FromProject = false }},
		{"", func(*Inputs) {}},
	}
	for _, step := range steps {
		c := mustRead(t, all)
		want := ""
		if step.want != "" {
			want = "https://" + step.want + ".example.com/"
		}
		if c.Registry != want {
			t.Errorf("registry %q, want %q", c.Registry, want)
		}
		untrusted := step.want == "project" || step.want == "lock"
		if (len(c.untrusted) > 0) != untrusted {
			t.Errorf("%s: untrusted %q", step.want, c.untrusted)
		}
		step.drop(&all)
	}
	if _, ok := mustRead(t, Inputs{}).For("a"); ok {
		t.Error("a registry is known where none is named")
	}
}

func TestScopes(t *testing.T) {
	c := mustRead(t, Inputs{
		Environ:       []string{"npm_config_@env:registry=https://env.example.com"},
		UserConfig:    []byte("registry=https://all.example.com/\n@env:registry=https://not.example.com\n@user:registry=https://user.example.com/npm///"),
		FromProject:   true,
		ProjectConfig: []byte("@user:registry=https://not.example.com\n@project:registry=https://project.example.com\n@same:registry=https://ALL.example.com:443/x"),
	})
	for name, want := range map[string]string{
		"a": "https://all.example.com/", "user": "https://all.example.com/", "@other/a": "https://all.example.com/",
		"@env/a": "https://env.example.com/", "@user/a": "https://user.example.com/npm/", "@project/a": "https://project.example.com/",
		"@same/a": "https://all.example.com/x/",
	} {
		if got, ok := c.For(name); !ok || got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	// A host that the operator named is dialled as the operator's.
	if !slices.Equal(c.untrusted, []string{"https://project.example.com"}) {
		t.Errorf("untrusted %q", c.untrusted)
	}
}

func TestEnvironment(t *testing.T) {
	for _, name := range []string{"npm_config_https_proxy", "NPM_CONFIG_HTTPS_PROXY", "npm_config_https-proxy", "Npm_Config_Https-Proxy"} {
		if c := mustRead(t, Inputs{Environ: []string{name + "=http://p.example:1"}}); c.httpsProxy != "http://p.example:1" {
			t.Errorf("%s: %q", name, c.httpsProxy)
		}
	}
	for _, name := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY", "nPm_cOnFiG_rEgIsTrY"} {
		if c := mustRead(t, Inputs{Environ: []string{"x", "=", name + "=https://r.example"}}); c.Registry != "https://r.example/" {
			t.Errorf("%s: %q", name, c.Registry)
		}
	}
	c := mustRead(t, Inputs{Environ: []string{"npm_config_=x", "npm_config_registry=", "xnpm_config_registry=https://r.example", "npm_config_//r.example/:_authToken=T"}})
	if c.Registry != "" || sent(t, c, "https://r.example/a") != "Bearer T" {
		t.Errorf("%+v", c)
	}
}

func TestINI(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "a=b\n c = d \r\n", "a=b c=d"},
		{"a lone carriage return ends a line", "a=b\rc=d", "a=b c=d"},
		{"byte order mark", "\ufeffa=b", "a=b"},
		{"comments", "; a=b\n  # c=d\ne=f ; g\nh=i#j\n", "e=f h=i"},
		{"escaped", `a=b\;c\#d\\e\f`, `a=b;c#d\e\f`},
		{"double quotes", `"a" = "b ; c\n"`, "a=b ; c\n"},
		{"single quotes", `a='b # c'`, "a=b # c"},
		{"single around double", `a='"b"'`, "a=b"},
		{"no JSON", `a="b\x"`, `a="b\x"`},
		{"one quote", `a="`, `a="`},
		{"no value", "a\nb=", "a=true b="},
		{"no key", "=b\n[]=c", ""},
		{"equals", "a=b=c", "a=b=c"},
		{"the last counts, in its place", "a=1\nb=2\na=3", "a=3 b=2"},
		{"lists", "a[]=1\na[]=2", "a[]=1 a[]=2"},
		{"a list that began alone", "a=1\na[]=2\na=3", "a[]=1 a[]=2 a[]=3"},
		{"section", "a=1\n[s]\nb=2", "a=1"},
		{"section's end", "[s] \t\na=1", ""},
		{"no sections", " [s]\n[a]b]\na=1", "[s]=true [a]b]=true a=1"},
	} {
		list, err := parseINI([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var got []string
		for _, s := range list {
			if s.list {
				s.key += "[]"
			}
			got = append(got, s.key+"="+s.value)
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, text, tt.want)
		}
	}
	if _, err := parseINI(make([]byte, maxINI+1)); err == nil {
		t.Error("a file over its bound is read")
	}
}

// A file of many short lines is read, and what is said of it is bounded.
func TestINIManyLines(t *testing.T) {
	var b strings.Builder
	for i := 0; b.Len() < maxINI-8; i++ {
		fmt.Fprintf(&b, "%x\n", i)
	}
	c := mustRead(t, Inputs{FromProject: true, ProjectConfig: []byte(b.String())})
	if len(c.Notes) != mostNotes+1 {
		t.Errorf("%d notes", len(c.Notes))
	}
}

func TestExpand(t *testing.T) {
	environ := map[string]string{"A": "1", "E": "", "R": "${A}"}
	for in, want := range map[string]string{
		"": "", "x": "x", "${A}": "1", "a${A}b${A}c": "a1b1c", "${A?}": "1", "${E}": "", "${N}": "${N}", "x${N?}y": "xy",
		`\${A}`: "${A}", `\\${A}`: `\1`, `\\\${A}`: `\${A}`, `x\y${A}`: `x\y1`,
		"${A": "${A", "${}": "${}", "$A": "$A", "${${A}}": "${1}", "${R}": "${A}", `\${N?}`: "${N?}",
	} {
		if got := expand(in, environ); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestVariables(t *testing.T) {
	c := mustRead(t, Inputs{
		Environ:      []string{"T=secret", "H=r.example", "B=line\nX-Evil: 1"},
		UserConfig:   []byte("registry=https://${H}/\n//${H}/:_authToken=${T}\n//unset.example/:_authToken=${N}\n//empty.example/:_authToken=${N?}\n//escaped.example/:_authToken=\\\\${T}"),
		GlobalConfig: []byte("//lines.example/:_authToken=${B}\n//unset.example/:_auth=abcd"),
	})
	for address, want := range map[string]string{
		"https://r.example/a": "Bearer secret", "https://unset.example/a": "Basic abcd",
		"https://empty.example/": "", "https://escaped.example/": "", "https://lines.example/": "",
	} {
		if got := sent(t, c, address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	if notes := strings.Join(c.Notes, "\n"); !strings.Contains(notes, "//unset.example/:_authToken does not count") || !strings.Contains(notes, "//lines.example/:_authToken does not count") || strings.Contains(notes, "secret") {
		t.Errorf("notes %q", notes)
	}
	if _, err := Read(Inputs{UserConfig: []byte("registry=https://${N}/")}); err == nil {
		t.Error("a registry of a variable that is not set is accepted")
	}
}

func TestCertificates(t *testing.T) {
	c := mustRead(t, Inputs{
		UserConfig:   []byte("cafile=/etc/ca.pem\nca[]=\"one\\ntwo\"\nca[]=three\\nfour"),
		GlobalConfig: []byte("cafile=/other\nca[]=five"),
	})
	if c.CAFile != "/etc/ca.pem" || string(c.CAs) != "one\ntwo\nthree\nfour\n" {
		t.Errorf("%q %q", c.CAFile, c.CAs)
	}
	if c := mustRead(t, Inputs{UserConfig: []byte("ca=null\n")}); len(c.CAs) != 0 {
		t.Errorf("%q", c.CAs)
	}
}

func TestProxies(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		user                 string
		environ              []string
		proxy, https, direct string
	}{
		{"none", "", nil, "", "", ""},
		{"file", "proxy=p\nhttps-proxy=s\nnoproxy=a,b", []string{"HTTPS_PROXY=x", "HTTP_PROXY=x", "NO_PROXY=x"}, "p", "s", "a,b"},
		{"proxy is for https too", "proxy=p", []string{"HTTPS_PROXY=x"}, "p", "p", ""},
		{"environment", "proxy=null\nhttps-proxy=false", []string{"HTTPS_PROXY=s", "http_proxy=p", "no_proxy=n"}, "p", "s", "n"},
		{"list", "noproxy[]=a\nnoproxy[]=b", nil, "", "", "a,b"},
	} {
		c := mustRead(t, Inputs{UserConfig: []byte(tt.user), Environ: tt.environ})
		if c.proxy != tt.proxy || c.httpsProxy != tt.https || c.noProxy != tt.direct {
			t.Errorf("%s: %q %q %q", tt.name, c.proxy, c.httpsProxy, c.noProxy)
		}
	}
	for _, address := range []string{"http://user:hunter2@bad host", "ftp://u:hunter2@p.example", "${hunter2}", "http://:3128"} {
		_, err := NewClient(mustRead(t, Inputs{UserConfig: []byte("proxy=" + address)}), Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"http://p.example:3128", "p.example:3128", "socks5://p.example", "http://u:p@p.example"} {
		if _, err := NewClient(mustRead(t, Inputs{UserConfig: []byte("proxy=" + address)}), Options{}); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestNotes(t *testing.T) {
	for line, want := range map[string]string{
		"strict-ssl=false":              "strict-ssl=false does not count",
		"_authToken=hunter2":            "_authToken without an address does not count",
		"_auth=hunter2":                 "_auth without an address",
		"_password=hunter2":             "_password without an address",
		"registry[]=https://h.example/": "registry[] does not count",
	} {
		c := mustRead(t, Inputs{UserConfig: []byte(line)})
		if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], want) || strings.Contains(c.Notes[0], "hunter2") || c.Registry != "" {
			t.Errorf("%s: %q", line, c.Notes)
		}
	}
	if c := mustRead(t, Inputs{UserConfig: []byte("strict-ssl=true\nfund=false\nemail=x")}); len(c.Notes) != 0 {
		t.Errorf("%q", c.Notes)
	}
	c := mustRead(t, Inputs{FromProject: true, ProjectConfig: []byte("\"a\\u001b[2J\\u202e\"=1")})
	if len(c.Notes) != 1 || strings.ContainsAny(c.Notes[0], "\x1b\u202e") {
		t.Errorf("%q", c.Notes)
	}
}

func TestLogins(t *testing.T) {
	c := mustRead(t, Inputs{
		Environ:      []string{"npm_config_//First.example/:_authToken=first"},
		UserConfig:   []byte("//first.example/:_authToken=second\n//basic.example/:username=u\n//basic.example/:_password=cDpx\n//auth.example:_auth=YTpi\n//h.example/:_authToken=short\n//h.example/a/:_authToken=long\n//[::1]:4873/:_authToken=six\n//h.example/:email=x\n//x"),
		GlobalConfig: []byte("//auth.example/:_authToken="),
	})
	for address, want := range map[string]string{
		"https://first.example/": "Bearer first", "https://basic.example/x": "Basic dTpwOnE=", "https://auth.example/x": "Basic YTpi",
		"https://h.example/b": "Bearer short", "https://h.example/a/b": "Bearer long", "https://h.example/a": "Bearer short",
		"http://[::1]:4873/a": "Bearer six",
	} {
		if got := sent(t, c, address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	_, err := Read(Inputs{UserConfig: []byte("//h.example/:_password=hunter2!")})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
