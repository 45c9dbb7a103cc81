package main

import (
	"path/filepath"
	"testing"
)

func TestTheConsoleWritesDownWhatItDoesForEachVirtualHost(t *testing.T) {
	env := map[string]string{"HOME": "/home/sam"}
	a := &app{terminal: terminal{getenv: func(name string) string { return env[name] }}, url: "amqp://u:secret@mq.example:5673/shop%2Fone"}
	at := func(want, flag string, given bool) {
		t.Helper()
		if got := filepath.ToSlash(a.stateDir(flag, given)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	at("/home/sam/.local/state/bunnicula/console/mq.example-5673-shop_one", "", false)
	env["XDG_STATE_HOME"] = "/var/state"
	at("/var/state/bunnicula/console/mq.example-5673-shop_one", "", false)
	at("/elsewhere", "/elsewhere", true)
	at("", "", true)
	a.url = "amqps://mq.example/"
	at("/var/state/bunnicula/console/mq.example-5671-default", "", false)
	a.readOnly = true
	at("", "", false)
	at("/elsewhere", "/elsewhere", true)
	a.readOnly, env = false, nil
	at("", "", false)
}
