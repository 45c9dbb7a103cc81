package main

import (
	"net/url"
	"path/filepath"
	"strings"
)

// stateDir returns the directory in which the console writes down what it does: that of
// --state-dir, or one of this user for this virtual host, since operations of another one are none
// of it. It is "" if there is none.
func (a *app) stateDir(flag string, given bool) string {
	switch {
	case given:
		return flag
	case a.readOnly:
		return ""
	}
	base := a.getenv("XDG_STATE_HOME")
	if home := a.getenv("HOME"); !filepath.IsAbs(base) && home != "" {
		base = filepath.Join(home, ".local", "state")
	}
	if !filepath.IsAbs(base) {
		return ""
	}
	return filepath.Join(base, "bunnicula", "console", brokerName(a.url))
}

// brokerName makes the name of a directory of a broker's URL, without the password.
func brokerName(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "broker"
	}
	vhost, err := url.PathUnescape(strings.TrimPrefix(u.EscapedPath(), "/"))
	if err != nil || vhost == "" || vhost == "/" {
		vhost = "default"
	}
	safe := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}
	port := u.Port()
	if port == "" {
		port = "5672"
		if u.Scheme == "amqps" {
			port = "5671"
		}
	}
	return strings.Map(safe, u.Hostname()+"-"+port+"-"+vhost)
}
