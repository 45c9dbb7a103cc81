package sentry

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzThePasswordOfAURLIsBlottedOut puts a URL with a percent-encoded password into an error.
func FuzzThePasswordOfAURLIsBlottedOut(f *testing.F) {
	f.Add("dial ", "shop", "hunter2", "rabbit:5672", ": refused")
	f.Add("amqp://a:b@c, then ", "", "p@ss/w:rd", "[::1]", "@")
	f.Add("://:@", "u:v", "\xff %", "", "://")
	const open, shut = "M4rkA", "M4rkZ"
	f.Fuzz(func(t *testing.T, before, user, password, host, after string) {
		if strings.Contains(before+user+host+after, "M4rk") {
			t.Skip("shown by right")
		}
		quoted := url.URL{Scheme: "amqp", User: url.UserPassword(user, open+password+shut), Host: host}
		if got := redact(before + quoted.String() + after); strings.Contains(got, "M4rk") {
			t.Errorf("the password is shown: %q", got)
		}
	})
}

// FuzzADSNIsNeverShown checks malformed DSNs.
func FuzzADSNIsNeverShown(f *testing.F) {
	for _, dsn := range []string{"", "https://", "http://h/1", "://", "https://%zz@h/1", "https://h:port/1", "ftp://a:b@h/1", "https://a:b@h", "\x7f", "https://[::1/1"} {
		f.Add(dsn, "")
		f.Add("https://", dsn)
		f.Add("https://key:", dsn)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, "M4rk") {
			t.Skip("the mark itself")
		}
		if err := checkDSN(before + "M4rk" + after); err != nil && (strings.Contains(err.Error(), "M4rk") || !utf8.ValidString(err.Error())) {
			t.Errorf("the DSN is shown: %v", err)
		}
	})
}
