package console

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

func behind(cidr ...string) Config {
	c := Config{BasePath: "/"}
	for _, text := range cidr {
		c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(text))
	}
	return c
}

func TestTheHeadersOfATrustedProxyCount(t *testing.T) {
	two := behind("10.0.0.0/8", "fd00::/8")
	for name, test := range map[string]struct {
		peer   string
		header []string
		from   string
		host   string
		base   string
		secure bool
	}{
		"none":                {peer: "10.1.1.1:9", from: "10.1.1.1:9", host: "inside:80", base: "/"},
		"all":                 {peer: "10.1.1.1:9", header: []string{"X-Forwarded-For", "192.0.2.7", "X-Forwarded-Host", "ops.example.com", "X-Forwarded-Proto", "https", "X-Forwarded-Prefix", "/ops"}, from: "192.0.2.7:0", host: "ops.example.com", base: "/ops/", secure: true},
		"a forged one first":  {peer: "10.1.1.1:9", header: []string{"X-Forwarded-For", "127.0.0.1, 192.0.2.7"}, from: "192.0.2.7:0", host: "inside:80", base: "/"},
		"garbage first":       {peer: "10.1.1.1:9", header: []string{"X-Forwarded-For", "<b>, 192.0.2.7"}, from: "192.0.2.7:0", host: "inside:80", base: "/"},
		"two proxies":         {peer: "[fd00::1]:9", header: []string{"X-Forwarded-For", "1.1.1.1, 192.0.2.7, 10.2.2.2"}, from: "192.0.2.7:0", host: "inside:80", base: "/"},
		"two lines":           {peer: "10.1.1.1:9", header: []string{"X-Forwarded-For", "192.0.2.7", "X-Forwarded-For", "10.2.2.2"}, from: "192.0.2.7:0", host: "inside:80", base: "/"},
		"proxies alone":       {peer: "10.1.1.1:9", header: []string{"X-Forwarded-For", "10.3.3.3, 10.2.2.2"}, from: "10.3.3.3:0", host: "inside:80", base: "/"},
		"with ports":          {peer: "10.1.1.1:9", header: []string{"X-Forwarded-For", "[2001:db8::1]:443"}, from: "[2001:db8::1]:0", host: "inside:80", base: "/"},
		"a slash at its end":  {peer: "10.1.1.1:9", header: []string{"X-Forwarded-Prefix", "/ops/queues/"}, from: "10.1.1.1:9", host: "inside:80", base: "/ops/queues/"},
		"a mapped address":    {peer: "[::ffff:10.1.1.1]:9", header: []string{"X-Forwarded-Host", "[::1]:80"}, from: "[::ffff:10.1.1.1]:9", host: "[::1]:80", base: "/"},
		"somebody else":       {peer: "192.0.2.9:9", header: []string{"X-Forwarded-For", "10.1.1.1", "X-Forwarded-Host", "evil", "X-Forwarded-Proto", "https", "X-Forwarded-Prefix", "//evil"}, from: "192.0.2.9:9", host: "inside:80", base: "/"},
		"not even an address": {peer: "@", header: []string{"X-Forwarded-Host", "evil"}, from: "@", host: "inside:80", base: "/"},
		"a proxy without TLS": {peer: "10.1.1.1:9", header: []string{"X-Forwarded-Proto", "http"}, from: "10.1.1.1:9", host: "inside:80", base: "/"},
	} {
		r := request(test.peer, test.header)
		got, err := two.receive(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.request.RemoteAddr != test.from || got.request.Host != test.host || got.base != test.base || got.secure != test.secure {
			t.Errorf("%s: from %s, host %s, base %s, secure %v; want %+v", name, got.request.RemoteAddr, got.request.Host, got.base, got.secure, test)
		}
		if r.RemoteAddr != test.peer || r.Host != "inside:80" {
			t.Errorf("%s: the request itself was changed", name)
		}
	}
	r := request("192.0.2.9:9", []string{"X-Forwarded-Proto", "http"})
	r.TLS = &tls.ConnectionState{}
	if got, err := two.receive(r); err != nil || !got.secure {
		t.Errorf("TLS of its own: %v, %v", got.secure, err)
	}
}

func request(peer string, header []string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://inside:80/", nil)
	r.RemoteAddr = peer
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

var forgedHeaders = [][]string{
	{"X-Forwarded-For", "unknown"},
	{"X-Forwarded-For", "192.0.2.7, "},
	{"X-Forwarded-Host", "ops.example.com, evil.example"},
	{"X-Forwarded-Host", "ops.example.com", "X-Forwarded-Host", "evil.example"},
	{"X-Forwarded-Host", "evil.example/x"},
	{"X-Forwarded-Host", "user@evil.example"},
	{"X-Forwarded-Host", `"><script>`},
	{"X-Forwarded-Proto", "javascript"},
	{"X-Forwarded-Proto", "https,http"},
	{"X-Forwarded-Prefix", "//evil.example"},
	{"X-Forwarded-Prefix", "/ops//x"},
	{"X-Forwarded-Prefix", "/ops/../x"},
	{"X-Forwarded-Prefix", "/./"},
	{"X-Forwarded-Prefix", "ops"},
	{"X-Forwarded-Prefix", "https://evil.example/"},
	{"X-Forwarded-Prefix", `/\evil.example`},
	{"X-Forwarded-Prefix", "/ops?x="},
	{"X-Forwarded-Prefix", "/ops;Domain=evil.example"},
	{"X-Forwarded-Prefix", "/%2f%2fevil"},
	{"X-Forwarded-Prefix", "/ops, /other"},
	{"X-Forwarded-Prefix", "/" + strings.Repeat("x", 300)},
}

func TestForgedHeadersOfATrustedProxyAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := behind("127.0.0.1/32")
		cfg.Identify = func(*http.Request) (User, error) { return owner("sam", Read), nil }
		c := made(t, cfg, oneOf("id-1", "boom"))
		for _, header := range forgedHeaders {
			r := request("127.0.0.1:9", header)
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "evil") {
				t.Errorf("%q: %d\n%s", header, w.Code, w.Body)
			}
		}
	})
}

func TestForgedHeadersOfSomebodyElseChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := behind("10.0.0.0/8")
		cfg.Identify = func(*http.Request) (User, error) { return owner("sam", Read), nil }
		c := made(t, cfg, oneOf("id-1", "boom"))
		for _, header := range append(forgedHeaders, []string{"X-Forwarded-Prefix", "/evil"}, []string{"X-Forwarded-Host", "evil"}) {
			r := request("127.0.0.1:9", header)
			r.URL.Path = "/topology"
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "evil") {
				t.Errorf("%q: %d\n%s", header, w.Code, w.Body)
			}
		}
	})
}

func TestWhatAProxyForwardsIsNotThisMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, behind("127.0.0.1/32"))
		for _, header := range [][]string{{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Prefix", "/x"}} {
			if answer := get(c, "/topology", header...); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%q: %s", header, answer.Status)
			}
		}
	})
}

func TestLinksAndCookiesAreThoseOfTheProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := NewLogin(false, nil)
		cfg := behind("127.0.0.1/32")
		cfg.Login, cfg.Hosts, cfg.BasePath = l, []string{"ops.example.com"}, "/inside"
		c := made(t, cfg)
		proxy := []string{"X-Forwarded-Prefix", "/ops", "X-Forwarded-Host", "ops.example.com", "X-Forwarded-Proto", "https"}
		for _, path := range []string{"/login", "/inside/login", "/ops/login"} {
			answer := get(c, path+"?token="+l.Token(), proxy...)
			if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/ops/" {
				t.Fatalf("%s: %s to %q", path, answer.Status, answer.Header.Get("Location"))
			}
			if cookie := answer.Cookies()[0]; cookie.Path != "/ops/" || !cookie.Secure {
				t.Errorf("%s: the cookie is %s", path, cookie)
			}
		}
		answer := get(c, "/login?token="+l.Token(), "X-Forwarded-Prefix", "/ops", "X-Forwarded-Host", "evil.example")
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("by another host: %s", answer.Status)
		}
		answer = get(c, "/login?token="+l.Token(), "X-Forwarded-Host", "ops.example.com")
		if cookie := answer.Cookies()[0]; cookie.Secure || cookie.Path != "/inside/" {
			t.Errorf("without TLS: the cookie is %s", cookie)
		}
	})
}

func TestTheAuditHasTheAddressBehindTheProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := behind("127.0.0.1/32")
		cfg.StateDir = t.TempDir()
		cfg.Identify = func(*http.Request) (User, error) { return owner("sam", Read), nil }
		c := made(t, cfg, oneOf("id-1", "boom"))
		mark := markOf(t, c, "orders-error", nil)
		if answer := get(c, "/q/orders-error/m/"+mark, "X-Forwarded-For", "10.9.9.9, 192.0.2.7"); answer.StatusCode != http.StatusOK {
			t.Fatal(answer.Status)
		}
		lines, err := os.ReadFile(filepath.Join(cfg.StateDir, "audit.jsonl"))
		if err != nil || !strings.Contains(string(lines), "192.0.2.7") || strings.Contains(string(lines), "10.9.9.9") || !strings.Contains(string(lines), "sam") {
			t.Errorf("the audit has %s, %v", lines, err)
		}
	})
}

func TestSeveralProcessesWithOneKeyAcceptTheSameCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := func(key string) (*Console, *Login) {
			l, _ := NewLogin(false, nil)
			cfg := Config{Login: l}
			if key != "" {
				cfg.Key = []byte(strings.Repeat(key, 32))
			}
			return made(t, cfg), l
		}
		one, login := made("1")
		same, _ := made("1")
		other, _ := made("2")
		random, _ := made("")
		cookie := get(one, "/login?token="+login.Token()).Cookies()[0]
		for want, consoles := range map[int][]*Console{http.StatusOK: {one, same}, http.StatusForbidden: {other, random}} {
			for i, c := range consoles {
				if answer := get(c, "/topology", "Cookie", cookie.Name+"="+cookie.Value); answer.StatusCode != want {
					t.Errorf("%d: %s, want %d", i, answer.Status, want)
				}
			}
		}
	})
}
