package registry

import (
	"net/netip"
	"strings"
	"testing"
)

// A project's .npmrc and lockfile are somebody else's.
func TestProjectAttacks(t *testing.T) {
	environ := []string{"CI_JOB_TOKEN=hunter2", "HOST=h.example.com"}
	for _, tt := range []struct{ name, address string }{
		{"token in the query", "https://evil.example.com/?t=${CI_JOB_TOKEN}"},
		{"token in the path", "https://evil.example.com/${CI_JOB_TOKEN}/"},
		{"token in the host", "https://${CI_JOB_TOKEN}.evil.example.com/"},
		{"optional variable", "https://evil.example.com/${CI_JOB_TOKEN?}/"},
		{"variable of no value", "https://evil.example.com/${NONE?}/"},
		{"shell's variable", "https://evil.example.com/$CI_JOB_TOKEN/"},
		{"backslash", `https:\\evil.example.com\`},
		{"user", "https://user@evil.example.com/"},
		{"user and password", "https://registry.example.com:443@evil.example.com/"},
		{"http", "http://evil.example.com/"},
		{"no scheme", "//evil.example.com/"},
		{"file", "file:///etc/passwd"},
		{"no host", "https:///a"},
		{"port alone", "https://:443/"},
		{"query", "https://evil.example.com/?a"},
		{"empty query", "https://evil.example.com/?"},
		{"fragment", `https://evil.example.com/\#a`},
		{"dots", "https://evil.example.com/a/../b/"},
		{"encoded dots", "https://evil.example.com/a/%2e%2E/b/"},
		{"newline", "https://evil.example.com/\"a\\nb\""},
		{"loopback", "https://127.0.0.1/"},
		{"all of loopback", "https://127.8.9.1:8443/"},
		{"localhost", "https://localhost/"},
		{"localhost, upper case", "https://LOCALHOST/"},
		{"below localhost", "https://a.localhost/"},
		{"IPv6 loopback", "https://[::1]/"},
		{"unspecified", "https://0.0.0.0/"},
		{"IPv6 unspecified", "https://[::]/"},
		{"this network", "https://0.1.2.3/"},
		{"private 10", "https://10.0.0.1/"},
		{"private 172", "https://172.31.255.1/"},
		{"private 192", "https://192.168.1.1/"},
		{"link-local", "https://169.254.169.254/latest/meta-data/"},
		{"CGNAT", "https://100.100.100.200/"},
		{"broadcast", "https://255.255.255.255/"},
		{"reserved", "https://240.0.0.1/"},
		{"multicast", "https://224.0.0.1/"},
		{"benchmarks", "https://198.18.0.1/"},
		{"Azure's own", "https://168.63.129.16/"},
		{"IPv6 ULA", "https://[fd00:ec2::254]/"},
		{"IPv6 link-local", "https://[fe80::1]/"},
		{"IPv6 zone", "https://[fe80::1%25eth0]/"},
		{"public IPv6 with a zone", "https://[2606:4700::1%25eth0]/"},
		{"IPv6 site-local", "https://[fec0::1]/"},
		{"IPv6 multicast", "https://[ff02::1]/"},
		{"IPv4-mapped loopback", "https://[::ffff:127.0.0.1]/"},
		{"IPv4-mapped private", "https://[::ffff:a00:1]/"},
		{"IPv4-compatible", "https://[::127.0.0.1]/"},
		{"IPv4-translated", "https://[::ffff:0:7f00:1]/"},
		{"NAT64 of link-local", "https://[64:ff9b::a9fe:a9fe]/"},
		{"NAT64 of its own prefix", "https://[64:ff9b:1::a00:1]/"},
		{"6to4", "https://[2002:7f00:1::]/"},
		{"Teredo", "https://[2001:0:7f00:1::]/"},
		{"decimal", "https://2130706433/"},
		{"hexadecimal", "https://0x7f000001/"},
		{"hexadecimal, dotted", "https://0x7f.0.0.0x1/"},
		{"octal", "https://0177.0.0.1/"},
		{"octal, whole", "https://017700000001/"},
		{"short", "https://127.1/"},
		{"short hexadecimal", "https://127.0x1/"},
		{"leading zeros", "https://127.000.000.001/"},
		{"trailing dot", "https://127.0.0.1./"},
		{"localhost, trailing dot", "https://localhost./"},
		{"internal, trailing dot", "https://metadata.google.internal./"},
		{"two trailing dots", "https://metadata.google.internal../"},
		{"full-width digits", "https://127.0.0.１/"},
		{"all full-width", "https://１２７．０．０．１/"},
		{"ideographic full stops", "https://metadata。google。internal/"},
		{"full-width letters", "https://metadata.google.ｉnternal/"},
		{"circled digits", "https://127.0.0.①/"},
		{"soft hyphen", "https://metadata.google.inter\u00adnal/"},
		{"encoded full-width", "https://127.0.0.%EF%BC%91/"},
		{"local", "https://printer.local/"},
		{"a service of a cluster", "https://kubernetes.default.svc/"},
		{"a service by its short name", "https://a.svc./"},
		{"below localdomain", "https://localhost.localdomain/"},
		{"private", "https://x.private/"},
		{"internal", "https://metadata.google.internal/"},
		{"internal, upper case", "https://METADATA.GOOGLE.INTERNAL/"},
		{"corp", "https://npm.corp/"},
		{"single label", "https://registry/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for kind, in := range map[string]Inputs{
				"registry": {ProjectConfig: []byte("registry=" + tt.address)},
				"scope":    {ProjectConfig: []byte("@a:registry=" + tt.address)},
				"lockfile": {ProjectRegistries: []string{tt.address}},
			} {
				in.Environ = environ
				// Nothing but the project names a registry: what it names is an error
				// when it was asked for, and not looked at when not.
				c, err := Read(in)
				if err != nil || c.Registry != "" || len(c.Scopes) != 0 {
					t.Errorf("%s without being asked for: %+v, %v", kind, c, err)
				}
				in.FromProject = true
				if c, err = Read(in); err == nil {
					t.Errorf("%s: accepted as %q %q", kind, c.Registry, c.Scopes)
				} else if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: %v", kind, err)
				}
			}
		})
	}
}

func TestProjectAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"https://registry.example.com":            "https://registry.example.com/",
		"https://REGISTRY.Example.com:443/a/":     "https://registry.example.com/a/",
		"https://registry.example.com.:8443":      "https://registry.example.com.:8443/",
		"https://xn--bcher-kva.example":           "https://xn--bcher-kva.example/",
		"https://93.184.216.34/":                  "https://93.184.216.34/",
		"https://[2606:4700::1111]/":              "https://[2606:4700::1111]/",
		"https://[64:ff9b::5db8:d822]":            "https://[64:ff9b::5db8:d822]/",
		"https://internal.example.com/local/%2f/": "https://internal.example.com/local/%2f/",
	} {
		if got, err := projectAddress(in); err != nil || got != want {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

// Of a project nothing counts but addresses.
func TestProjectSettings(t *testing.T) {
	lines := []string{
		"//registry.example.com/:_authToken=${CI_JOB_TOKEN}", "//registry.example.com/:_auth=YTpi", "//registry.example.com/:username=u",
		"//registry.example.com/:_password=cA==", "_authToken=x", "_auth=YTpi", "proxy=http://evil.example.com", "https-proxy=http://evil.example.com",
		"noproxy=*", "ca=x", "ca[]=x", "cafile=/tmp/x", "strict-ssl=false", "cert=x", "key=x", "registry[]=https://evil.example.com",
		"@a:registry[]=https://evil.example.com", "globalconfig=x", "userconfig=x", "//registry.example.com/:registry=https://evil.example.com/",
	}
	c := mustRead(t, Inputs{
		Flag: "https://registry.example.com", Environ: []string{"CI_JOB_TOKEN=hunter2"},
		FromProject: true, ProjectConfig: []byte(strings.Join(lines, "\n")),
	})
	if len(c.credentials) != 0 || c.proxy+c.httpsProxy+c.noProxy+c.CAFile+string(c.CAs) != "" || len(c.Scopes) != 0 || c.Registry != "https://registry.example.com/" {
		t.Errorf("%+v", c)
	}
	if len(c.Notes) != len(lines) {
		t.Errorf("%d lines, %d notes: %q", len(lines), len(c.Notes), c.Notes)
	}
	if strings.Contains(strings.Join(c.Notes, ""), "hunter2") {
		t.Error("a note holds a token")
	}
}

func TestLockfileOfTwoRegistries(t *testing.T) {
	in := Inputs{FromProject: true, ProjectRegistries: []string{"https://a.example.com/", "https://b.example.com/"}}
	if c, err := Read(in); err == nil || !strings.Contains(err.Error(), "--registry") {
		t.Errorf("%+v, %v", c, err)
	}
	in.Flag = "https://b.example.com"
	if c := mustRead(t, in); c.Registry != "https://b.example.com/" || len(c.untrusted) != 0 {
		t.Errorf("%+v", c)
	}
}

// A credential goes to what lies below its address, and to nothing that looks like it.
func TestCredentialAttacks(t *testing.T) {
	c := mustRead(t, Inputs{UserConfig: []byte("//host.example/path/:_authToken=T\n//port.example:8443/:_authToken=P\n//127.0.0.1:1/:_authToken=L\n///:_authToken=N\n//:_authToken=N\n:_authToken=N")})
	for _, tt := range []struct{ name, address, want string }{
		{"its own", "https://host.example/path/@a%2fb", "Bearer T"},
		{"upper case host", "https://HOST.example/path/a", "Bearer T"},
		{"the scheme's port", "https://host.example:443/path/a", "Bearer T"},
		{"its own port", "https://port.example:8443/a", "Bearer P"},
		{"loopback in the clear", "http://127.0.0.1:1/a", "Bearer L"},
		{"another path", "https://host.example/path2/a", ""},
		{"path alone", "https://host.example/path", ""},
		{"upper case path", "https://host.example/PATH/a", ""},
		{"root", "https://host.example/", ""},
		{"longer host", "https://host.example.evil/path/a", ""},
		{"subdomain", "https://a.host.example/path/a", ""},
		{"domain", "https://example/path/a", ""},
		{"lookalike", "https://evilhost.example/path/a", ""},
		{"trailing dot", "https://host.example./path/a", ""},
		{"another port", "https://host.example:8443/path/a", ""},
		{"http's port", "https://host.example:80/path/a", ""},
		{"no port", "https://port.example/a", ""},
		{"longer port", "https://port.example:84433/a", ""},
		{"http", "http://host.example/path/a", ""},
		{"http on https's port", "http://host.example:443/path/a", ""},
		{"another scheme", "ftp://127.0.0.1:1/a", ""},
		{"dots", "https://host.example/path/../a", ""},
		{"dot", "https://host.example/path/./a", ""},
		{"encoded dots", "https://host.example/path/%2e%2e/a", ""},
		{"half encoded dots", "https://host.example/path/.%2E/a", ""},
		{"encoded slash", "https://host.example/path/..%2fa", ""},
		{"encoded backslash", "https://host.example/path/..%5ca", ""},
		{"twice encoded", "https://host.example/path/%252e%252e%252fa", ""},
		{"often encoded", "https://host.example/path/%2525252525252e%2525252525252e/a", ""},
		{"parameter", "https://host.example/path/..;a=b/a", ""},
		{"dots at the end", "https://host.example/path/..", ""},
		{"no path", "https://host.example", ""},
		{"lookalike in a user name", "https://host.example%2fpath%2f@evil.example/", ""},
		{"lookalike in a query", "https://evil.example/?//host.example/path/", ""},
	} {
		if got := sent(t, c, tt.address); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A header is not begun by what a token holds.
func TestTokensWithControls(t *testing.T) {
	for _, value := range []string{`"a\r\nX-Evil: 1"`, `"a\nb"`, `"a\u0000"`, `"a\u007f"`, `"a\u00e9"`, `"a\u2028"`} {
		for _, kind := range []string{"_authToken", "_auth"} {
			c := mustRead(t, Inputs{UserConfig: []byte("//h.example/:" + kind + "=" + value)})
			if got := sent(t, c, "https://h.example/"); got != "" || len(c.Notes) != 1 {
				t.Errorf("%s %s: %q, notes %q", kind, value, got, c.Notes)
			}
		}
	}
}

func TestPublicOnly(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.216.34:443": true, "[2606:4700::1111]:443": true,
		"127.0.0.1:443": false, "[::1]:443": false, "10.1.2.3:443": false, "[::ffff:10.1.2.3]:443": false, "169.254.169.254:80": false,
		"100.64.0.1:443": false, "100.127.255.255:443": false, "100.128.0.1:443": true, "[fe80::1%eth0]:443": false, "[fd00::1]:443": false,
		"0.0.0.0:443": false, "localhost:443": false, "": false, "/run/socket": false,
	} {
		if err := publicOnly("tcp", address, nil); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	if publicIP(netip.Addr{}) {
		t.Error("the zero address is public")
	}
}

// A package manager that runs a script puts the project's .npmrc into the environment.
func TestScriptOfProject(t *testing.T) {
	for _, name := range []string{"npm_execpath", "npm_lifecycle_event"} {
		c := mustRead(t, Inputs{Environ: []string{name + "=x", "npm_config_registry=https://evil.example/very-secret/", "npm_config_//evil.example/:_authToken=x"}, UserConfig: []byte("registry=https://user.example")})
		if c.Registry != "https://user.example/" || len(c.credentials) > 0 || len(c.Notes) != 1 {
			t.Errorf("%s: found %+v", name, c)
		}
	}
}
