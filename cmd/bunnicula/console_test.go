package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestTheConsoleListensBeyondThisMachineWithTLSAlone(t *testing.T) {
	for want, args := range map[string][]string{
		`--listen is "0.0.0.0:7337", which others can reach: it needs TLS`: {"--listen", "0.0.0.0:7337"},
		`--listen is ":7337", which others can reach: it needs TLS`:        {"--listen", ":7337"},
		`--listen is "10.0.0.1:1", which others can reach: it needs TLS`:   {"--listen", "10.0.0.1:1"},
		`--listen is "7337", want host:port`:                               {"--listen", "7337"},
		"--tls-cert and --tls-key go together":                             {"--tls-cert", "x.pem"},
		`--auth is "proxy", want link or basic:FILE`:                       {"--auth", "proxy"},
		`--trusted-proxy is "nginx", want an address or a range`:           {"--trusted-proxy", "10.0.0.1", "--trusted-proxy", "nginx"},
		"1 argument is given, want bunnicula console":                      {"orders"},
	} {
		r := offline(t).run(append([]string{"console"}, args...)...)
		if r.code != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%q: exit code %d, %s; want %q", args, r.code, r.err, want)
		}
	}
	for _, listen := range []string{"127.0.0.1:7337", "localhost:0", "[::1]:7337"} {
		if err := (consoleOptions{listen: listen, door: consoleDoor{auth: "link"}}).check(); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
	if err := (consoleOptions{listen: "0.0.0.0:7337", behind: true, door: consoleDoor{auth: "link"}}).check(); err != nil {
		t.Errorf("behind TLS: %v", err)
	}
}

func TestTheLinkIsWhatABrowserCanReach(t *testing.T) {
	at := &net.TCPAddr{IP: net.IPv4zero, Port: 7337}
	for want, o := range map[string]consoleOptions{
		"http://localhost:7337/login?token=T":               {basePath: "/"},
		"https://localhost:7337/ops/login?token=T":          {basePath: "/ops/", cert: "c.pem"},
		"https://ops.example.com/login?token=T":             {basePath: "/", hosts: []string{"ops.example.com"}, behind: true},
		"https://ops.example.com:7337/queues/login?token=T": {basePath: "/queues", hosts: []string{"ops.example.com"}, cert: "c.pem"},
	} {
		if got := o.link(at, "login", "token=T"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTheConsoleServesWhoHasItsLinkUntilAnInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out output
	ended := make(chan int, 1)
	s := online(t)
	go func() {
		ended <- run(ctx, terminal{in: strings.NewReader(""), out: &out, err: io.Discard, getenv: func(name string) string { return s.env[name] }},
			"console", "--listen", "127.0.0.1:0", "--base-path", "/ops", "--file", file(t, twoConsumers))
	}()
	link := regexp.MustCompile(`http://127\.0\.0\.1:\d+/ops/login\?token=\S+`)
	amqptest.Eventually(t, 20*time.Second, func() bool { return link.MatchString(out.String()) }, "no link is printed")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{}}
	defer browser.CloseIdleConnections()
	for i, want := range []int{http.StatusOK, http.StatusForbidden} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link.FindString(out.String()), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != want || i == 0 && !strings.Contains(string(page), "refunds") {
			t.Errorf("time %d: %s\n%s", i+1, answer.Status, page)
		}
	}
	interrupt()
	if code := <-ended; code != exitOK {
		t.Errorf("the exit code is %d", code)
	}
}

// output is what a command has printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
