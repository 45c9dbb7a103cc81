package connection

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// everything returns each text that shows a Config.
func everything(t *testing.T, c Config) (string, *resolved) {
	t.Helper()
	r, err := c.resolve()
	text, jsonErr := json.Marshal(struct{ Config Config }{c})
	if jsonErr != nil {
		t.Fatalf("JSON: %v", jsonErr)
	}
	return fmt.Sprintf("%v %+v %#v %v %+v %s", c, c, c, err, err, text), r
}

// FuzzURL reads URLs of whatever people write. Each is refused in a short error, or is a broker
// that can be dialled.
func FuzzURL(f *testing.F) {
	for _, raw := range []string{
		"", "amqp://", "amqps://", "amqp://guest:guest@localhost:5672/%2f", "amqp://u:p%40ss%2Fw@h/v?heartbeat=5&connection_timeout=100",
		"amqps://u:p@[::1]:5671/v?cacertfile=/no&certfile=/no&keyfile=/no&server_name_indication=x&auth_mechanism=external", "amqp://[fe80::1%25eth0]/",
		"amqp://h?heartbeat=-1", "amqp://h?heartbeat=99999999999", "amqp://h?heartbeat=a&heartbeat=1", "amqp://h?channel_max=x", "amqp://h:0", "amqp://::", "amqp://h:99999",
		"amqp://a,amqp://b", "amqp://u:4711/XYZ@h", "amqp://h/%zz", "AMQP://h", "http://h", "://", "amqp:h", "amqp://h/a/b", "amqp://h#f", "amqp://%00:%ff@h/%00",
		"amqp://" + strings.Repeat("a", 300), "amqp://h/" + strings.Repeat("%20", 300), "amqp://h?" + strings.Repeat("x=1;", 50),
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, part := range splitURLs(raw) {
			if betweenURLs.MatchString(part) {
				t.Fatalf("two URLs are left in %q", part)
			}
		}
		_, err := Config{URL: raw}.resolve()
		if err != nil {
			if text := err.Error(); !strings.HasPrefix(text, "connection: ") || len(text) > 500 {
				t.Fatalf("%d bytes: %v", len(text), err)
			}
			return
		}
		r, err := Config{URL: raw}.resolve()
		if err != nil || len(r.targets) != 1 {
			t.Fatalf("not the same twice: %v", err)
		}
		target := r.targets[0]
		host, port, err := net.SplitHostPort(target.addr)
		if n, notANumber := strconv.Atoi(port); err != nil || notANumber != nil || n < 1 || n > 65535 || host != target.host {
			t.Fatalf("%q cannot be dialled: %v", target.addr, err)
		}
		if u, err := url.Parse(target.String()); err != nil {
			t.Fatalf("%q is not a URL: %v", target, err)
		} else if _, shown := u.User.Password(); shown || u.Scheme != map[bool]string{false: "amqp", true: "amqps"}[target.secure] {
			t.Fatalf("shown as %q", target)
		}
		if target.secure != (r.wantsTLS() != "" || strings.HasPrefix(raw, "amqps://")) {
			t.Fatalf("TLS: %t", target.secure)
		}
		if cfg, err := r.tlsConfig(target); target.secure && (err != nil || cfg.InsecureSkipVerify || cfg.MinVersion < 0x0303 || cfg.ServerName == "") {
			t.Fatalf("verified as %q: %+v, %v", cfg.ServerName, cfg, err)
		} else if !target.secure && cfg != nil {
			t.Fatal("TLS without amqps")
		}
		if target.heartbeat < 0 || target.heartbeat.Hours() > 1 || len(target.vhost) > 255 {
			t.Fatalf("heartbeat %s, vhost of %d bytes", target.heartbeat, len(target.vhost))
		}
	})
}

// FuzzNoPasswordInAURLIsShown puts a password into a URL, percent-encoded or not. It looks for the
// marks around the password, since a password such as "amqp" is part of every error.
func FuzzNoPasswordInAURLIsShown(f *testing.F) {
	for _, password := range []string{"", "secret", "p@ss/w:rd", "p%40ss", "p%zz", "4711/", "4711?", "#", "[", "]", " ", "\n", "\x00", "%", "://", "@h:5672/", "ä", "\xff", "amqp://u:p@h"} {
		f.Add("user", password, "h", "v")
		f.Add("", password, "127.0.0.1:99999", "%2f")
		f.Add("a:b", password, "h:port", "v?heartbeat=x")
		f.Add("a/b", password, "", "v#f")
	}
	const open, shut = "M4rkA", "M4rkZ"
	f.Fuzz(func(t *testing.T, user, password, host, rest string) {
		if strings.Contains(strings.ToLower(user+host+rest), "m4rk") {
			t.Skip("shown by right")
		}
		if betweenURLs.MatchString(password) {
			t.Skip("two URLs")
		}
		secret := open + password + shut
		encoded := url.URL{Scheme: "amqp", User: url.UserPassword(user, secret), Host: host, Path: "/" + rest}
		for _, c := range []Config{
			{URL: "amqp://" + user + ":" + secret + "@" + host + "/" + rest},
			{URL: "amqps://" + user + ":" + secret + "@" + host + "/" + rest},
			{URLs: []string{"amqp://h", user + ":" + secret + "@" + host + "/" + rest}},
			{URLs: splitURLs("amqp://" + user + ":" + secret + "@" + host + ",amqp://h/" + rest)},
			{Host: user + ":" + secret + "@" + host},
			{URL: encoded.String()},
			{URL: "amqp://h", Username: user, Password: secret},
		} {
			if shown, _ := everything(t, c); strings.Contains(strings.ToLower(shown), "m4rk") {
				t.Errorf("the password is shown: %s", shown)
			}
		}

		vhost := rest[:min(len(rest), 255)]
		encoded = url.URL{Scheme: "amqp", User: url.UserPassword(user, secret), Host: "h", Path: "/" + vhost, RawPath: "/" + strings.ReplaceAll(url.PathEscape(vhost), "@", "%40")}
		_, r := everything(t, Config{URL: encoded.String()})
		if r == nil {
			t.Fatalf("%q is refused", encoded.String())
		}
		if got := r.targets[0]; got.username != user || got.password != secret || got.vhost != vhost && vhost != "" {
			t.Errorf("read as %q, %q, %q; want %q, %q, %q", got.username, got.password, got.vhost, user, secret, vhost)
		}
	})
}
