package browsertest_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// site is a console on a broker, with the queues of some consumers. Its pages are on loopback.
type site struct {
	t       testing.TB
	url     string // of the overview, with a slash at its end
	ch      *amqp.Channel
	hints   atomic.Int64 // browsers that follow hints at present
	console *console.Console
}

// delays are those of the consumers' retry queues.
var delays = []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute}

// newQueue declares the queues of a consumer with a name that no other test uses.
func newQueue(t testing.TB, prefix string) topology.Plan {
	t.Helper()
	more := []string{"-error.reader", "-error-archive"}
	for _, d := range delays {
		more = append(more, "-retry-"+topology.FormatDelay(d))
	}
	return topology.Plan{Queue: amqptest.Queue(t, prefix, more...), Delays: delays}
}

// newSite declares the consumers' queues, and serves a console of them. change may be nil.
func newSite(t testing.TB, url string, change func(*console.Config), plans ...topology.Plan) *site {
	t.Helper()
	s := &site{t: t}
	shop, err := amqp.DialConfig(url, amqp.Config{Properties: amqp.Table{"connection_name": "shop"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shop.Close() })
	if s.ch, err = shop.Channel(); err != nil {
		t.Fatal(err)
	}
	cfg := console.Config{
		SpoolDir: t.TempDir(), StateDir: t.TempDir(), BasePath: "/ops", Log: slog.New(slog.DiscardHandler),
		Identify: func(*http.Request) (console.User, error) {
			return console.User{Name: "operator", Grants: []console.Grant{{Queues: "*", Right: console.Change}}}, nil
		},
	}
	for _, p := range plans {
		top, err := topology.New(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := top.Declare(s.ch); err != nil {
			t.Fatal(err)
		}
		cfg.Topology.Consumers = append(cfg.Topology.Consumers, topologyfile.Consumer{Plan: p, Topology: top})
	}
	if err := s.ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	if cfg.Connection, err = connection.New(connection.Config{URL: url, Name: "console"}, cfg.Log); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&cfg)
	}
	if s.console, err = console.New(cfg); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		s.console.Close(context.Background())
		_ = cfg.Connection.Stop(context.Background())
	})
	s.url = server.URL + "/ops/"
	return s
}

// serve answers as the console does, and counts who follows hints.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/events") {
		s.hints.Add(1)
		defer s.hints.Add(-1)
	}
	s.console.ServeHTTP(w, r)
}

// publish sends messages to a queue, and waits until the broker has them.
func (s *site) publish(queue string, messages ...amqp.Publishing) {
	s.t.Helper()
	var confirms []*amqp.DeferredConfirmation
	for _, m := range messages {
		m.DeliveryMode = amqp.Persistent
		c, err := s.ch.PublishWithDeferredConfirm("", queue, true, false, m)
		if err != nil {
			s.t.Fatal(err)
		}
		confirms = append(confirms, c)
	}
	for _, c := range confirms {
		if !c.Wait() {
			s.t.Fatal("the broker has refused a message")
		}
	}
}

// read begins a reading of an error queue, as the link of its page does, and waits for its end.
func (s *site) read(page string, messages int) {
	s.t.Helper()
	b := newTab(s.t)
	defer b.close()
	b.open(page)
	b.until(`document.querySelector("#reading, .ask") !== null`)
	if link := eval[string](b, `(document.querySelector("a[href*='read=']") || {href: ""}).href`); link != "" {
		b.open(link)
	}
	b.until(readAll(messages))
}

// readAll is true on a page that shows a reading of this many messages, which is over.
func readAll(messages int) string {
	return `(document.getElementById("reading")?.textContent || "").replace(/\s/g, "").startsWith("` + number(messages) + `message")
		&& !document.querySelector(".notices [role=status]")`
}
