package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
)

// parseAddress reads a registry's address, and puts a slash at its end. Its host is in
// lower case, and without the port where that is the scheme's own.
func parseAddress(s string) (string, error) {
	if strings.Contains(s, "${") {
		return "", errors.New("it names a variable that is not set")
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return "", errors.New("expected an address such as https://registry.example/")
	case u.User != nil:
		return "", errors.New("expected an address without user name and password; a token belongs in the user's .npmrc")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("expected an address without query and fragment")
	case dotted(u.EscapedPath()):
		return "", errors.New("expected an address without . and .. in its path")
	}
	u.Host = hostPort(u)
	return strings.TrimRight(u.String(), "/") + "/", nil
}

// hostPort is an address's host, and its port where that is not the scheme's own. Keys
// of credentials are written this way.
func hostPort(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch {
	case u.Scheme == "https":
		host = strings.TrimSuffix(host, ":443")
	case u.Scheme == "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return strings.TrimSuffix(host, ":")
}

// origin is what two addresses must share for a token of one to go to the other.
func origin(u *url.URL) string { return strings.ToLower(u.Scheme) + "://" + hostPort(u) }

// originOf returns "" for what is no address.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return origin(u)
}

// dotted tells whether some server may take a segment of a path for . or .., which
// would lead out of the prefix that a token is for. Servers differ in what they decode,
// how often, and in whether a parameter (..;x) belongs to a segment.
func dotted(path string) bool {
	for range 4 {
		for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
			if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." {
				return true
			}
		}
		plain, err := url.PathUnescape(path)
		if err != nil {
			return true
		}
		if plain == path {
			return false
		}
		path = plain
	}
	return true
}

// projectAddress reads an address that a project names: a literal one, over https, to
// a host of the public internet.
func projectAddress(s string) (string, error) {
	if strings.ContainsAny(s, "${}\\") {
		return "", errors.New("expected a literal address; variables are not expanded in what a project says")
	}
	address, err := parseAddress(s)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		return "", errors.New("expected an address with https")
	}
	if host := u.Hostname(); !publicName(host) {
		return "", fmt.Errorf("%q is not a host of the public internet", host)
	}
	return address, nil
}

// publicName tells whether a host is one of the public internet, as far as its name
// says; what it resolves to is looked at when it is dialled.
func publicName(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return publicIP(ip)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for i := range len(host) {
		// Other letters become ASCII before they are looked up: full-width digits are an
		// address, an ideographic full stop is a dot. The xn-- form is accepted.
		if b := host[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' && b != '.' && b != '_' {
			return false
		}
	}
	for _, suffix := range []string{".local", ".internal", ".localhost", ".home.arpa", ".lan", ".intranet", ".corp", ".home",
		".localdomain", ".private", ".svc"} {
		if strings.HasSuffix(host, suffix) {
			return false
		}
	}
	// A last label of digits, or 0x, is an address to some resolvers.
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Contains(host, ".") && last != "" && (last[0] < '0' || last[0] > '9')
}

// notPublic are the ranges of the registries of special addresses (RFC 6890) that netip
// calls global unicast, and where a cloud answers its machines.
var notPublic = sync.OnceValue(func() []netip.Prefix {
	var all []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "168.63.129.16/32",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
})

// publicIP tells whether an address is one of the public internet. An IPv6 address that
// stands for an IPv4 address is as public as that.
func publicIP(ip netip.Addr) bool {
	ip = ip.Unmap()
	if ip.Zone() != "" {
		return false
	}
	if ip.Is6() {
		b := ip.As16()
		if binary.BigEndian.Uint64(b[:8]) == 0x0064ff9b00000000 && binary.BigEndian.Uint32(b[8:12]) == 0 {
			return publicIP(netip.AddrFrom4([4]byte(b[12:]))) // NAT64, RFC 6052
		}
		if b[0]>>5 != 1 { // 2000::/3 is what is given out
			return false
		}
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return false
	}
	for _, prefix := range notPublic() {
		if prefix.Contains(ip) {
			return false
		}
	}
	return true
}

// loopback tells whether a host is this machine: there nothing is sent in the clear.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
