package sigstore

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func jwt(t testing.TB, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return "e30." + base64.RawURLEncoding.EncodeToString(body) + ".c2ln"
}

func TestReadToken(t *testing.T) {
	good := func() map[string]any {
		return map[string]any{"iss": "https://issuer.example", "sub": "repo:acme/shop", "aud": "sigstore", "exp": noon.Add(time.Minute).Unix()}
	}
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		want   string // "": it is read
	}{
		{"good", func(map[string]any) {}, ""},
		{"several audiences", func(c map[string]any) { c["aud"] = []string{"a", "sigstore"} }, ""},
		{"another audience", func(c map[string]any) { c["aud"] = "elsewhere" }, `audience "sigstore", found "elsewhere"`},
		{"no audience", func(c map[string]any) { delete(c, "aud") }, `audience "sigstore", found ""`},
		{"no end", func(c map[string]any) { delete(c, "exp") }, "does not say when it expires"},
		{"over", func(c map[string]any) { c["exp"] = noon.Unix() }, "it expired at 2026-11-23T12:00:00Z"},
	} {
		claims := good()
		c.change(claims)
		id, err := readToken(" "+jwt(t, claims)+"\n", "sigstore", noon)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want == "" && (id.subject != "repo:acme/shop" || strings.ContainsAny(id.token, " \n")):
			t.Errorf("%s: found %+v", c.name, id)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: expected %q, found %v", c.name, c.want, err)
		}
	}
	for _, text := range []string{"", "a.b", "a.!.c", "a.e.c", "e30.bnVsbA.c", strings.Repeat("a", maxToken) + ".e30.c"} {
		if _, err := readToken(text, "sigstore", noon); err == nil {
			t.Errorf("%.20q is read", text)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, c := range []struct {
		url           string
		secret, plain bool // whether it may be sent secrets, and anything
	}{
		{"https://fulcio.example", true, true},
		{"https://fulcio.example:8443/base", true, true},
		{"http://127.0.0.1:5555", true, true},
		{"http://[::1]:5555", true, true},
		{"http://localhost:5555", true, true},
		{"http://tsa.example", false, true},
		{"http://127.0.0.1.tsa.example", false, true},
		{"http://localhost.example", false, true},
		{"ftp://tsa.example", false, false},
		{"https://", false, false},
		{"tsa.example", false, false},
		{"https://user:word@tsa.example", false, false},
		{"", false, false},
	} {
		if err := checkURL(c.url, true); (err == nil) != c.secret {
			t.Errorf("%q with a secret: %v", c.url, err)
		}
		if err := checkURL(c.url, false); (err == nil) != c.plain {
			t.Errorf("%q: %v", c.url, err)
		}
	}
}

// TestPublicGood: the addresses that --keyless uses are the embedded root's own.
func TestPublicGood(t *testing.T) {
	data, err := os.ReadFile("../../verify/sigstore/roots/trusted_root.json")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := ParseRoot(data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := trusted.Services(noon)
	if err != nil {
		t.Fatal(err)
	}
	if s.Fulcio != "https://fulcio.sigstore.dev" || len(s.Timestamps) != 1 || s.Timestamps[0] != "https://timestamp.sigstore.dev/api/v1/timestamp" ||
		len(s.Logs) != 1 || s.Logs[0] != (Log{"https://rekor.sigstore.dev", 1}) {
		t.Errorf("found %+v", s)
	}
	// what was not trusted yet, or is no longer, is not asked
	if s, err := trusted.Services(time.Date(2021, 2, 1, 0, 0, 0, 0, time.UTC)); err != nil || s.Fulcio != "" || len(s.Timestamps) != 0 || len(s.Logs) != 1 {
		t.Errorf("in February 2021: found %+v, %v", s, err)
	}
	if _, err := trusted.Services(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
		t.Error("in 2020 there was nothing to ask")
	}
}

func TestParseSigningConfig(t *testing.T) {
	service := func(url string, version int, start string) map[string]any {
		return map[string]any{"url": url, "majorApiVersion": version, "operator": url, "validFor": map[string]any{"start": start}}
	}
	all := map[string]any{"selector": "ALL"}
	config := func(change func(map[string]any)) []byte {
		c := map[string]any{
			"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
			"caUrls":    []any{service("https://fulcio.example", 1, "2026-01-01T00:00:00Z"), service("https://next.example", 1, "2027-01-01T00:00:00Z")},
			"tsaUrls":   []any{service("https://tsa.example/ts", 1, "2026-01-01T00:00:00Z")}, "tsaConfig": all,
			"rekorTlogUrls": []any{service("https://one.example", 1, "2026-01-01T00:00:00Z"), service("https://two.example", 2, "2026-01-01T00:00:00Z")}, "rekorTlogConfig": all,
		}
		change(c)
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	s, err := ParseSigningConfig(config(func(map[string]any) {}), noon)
	if err != nil || s.Fulcio != "https://fulcio.example" || len(s.Logs) != 1 || s.Logs[0] != (Log{"https://two.example", 2}) || len(s.Timestamps) != 1 {
		t.Errorf("found %+v, %v", s, err)
	}
	for name, data := range map[string][]byte{
		"nothing":        nil,
		"another format": config(func(c map[string]any) { c["mediaType"] = "application/json" }),
		"repeated key":   []byte(`{"mediaType":"a","mediaType":"b"}`),
		"only later": config(func(c map[string]any) {
			c["caUrls"] = []any{service("https://next.example", 1, "2027-01-01T00:00:00Z")}
		}),
		"another scheme": config(func(c map[string]any) { c["caUrls"] = []any{service("file:///etc", 1, "2026-01-01T00:00:00Z")} }),
		"no service":     config(func(c map[string]any) { delete(c, "caUrls"); delete(c, "tsaUrls"); delete(c, "rekorTlogUrls") }),
		"too long":       append(config(func(map[string]any) {}), make([]byte, maxConfig)...),
	} {
		if s, err := ParseSigningConfig(data, noon); err == nil {
			t.Errorf("%s: found %+v", name, s)
		}
	}
}

func FuzzReadToken(f *testing.F) {
	f.Add("e30.e30.e30")
	f.Add(jwt(f, map[string]any{"aud": []string{"sigstore"}, "exp": 1e12}))
	f.Fuzz(func(t *testing.T, token string) {
		id, err := readToken(token, "sigstore", noon)
		if err == nil && (!noon.Before(id.expires) || strings.TrimSpace(id.token) != id.token) {
			t.Errorf("%q: %+v", token, id)
		}
	})
}
