package console_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
)

// obedient starts an app that obeys the orders of a stream.
func obedient(t *testing.T, stream string, spec consumer.Spec) (*connection.Connection, *consumer.Group) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	conn := connecttest.New(t, connection.Config{Name: "shop", Version: "1.42"})
	agent, err := control.NewAgent(conn, control.AgentConfig{Stream: stream, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	one, err := consumer.New(conn, spec, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	group, err := consumer.NewGroup(one)
	if err != nil {
		t.Fatal(err)
	}
	group.Oversee(agent)
	ctx := connecttest.Within(t, 30*time.Second)
	if err := agent.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := group.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = group.Stop(ctx)
		_ = agent.Stop(ctx)
	})
	return conn, group
}

// browse makes a request and returns the page.
func browse(t *testing.T, method, address string, fields url.Values) (string, int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page), answer.StatusCode
}

// order opens a form and sends it.
func order(t *testing.T, address string, fields url.Values) string {
	t.Helper()
	page, _ := browse(t, http.MethodGet, address, nil)
	found := regexp.MustCompile(`name="ticket" value="([^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("%s is no form:\n%s", address, page)
	}
	fields.Set("ticket", found[1])
	page, status := browse(t, http.MethodPost, address, fields)
	if status != http.StatusOK {
		t.Fatalf("%s: %d\n%s", address, status, page)
	}
	return page
}

func TestOrdersFromThePagesReachTwoAppsOfABroker(t *testing.T) {
	queue, stream := amqptest.Queue(t, "console-people"), amqptest.Queue(t, "console-control")
	amqptest.Cleanup(t, queue)
	amqptest.Cleanup(t, stream)
	handled, release := make(chan string, 10), make(chan struct{})
	spec := consumer.Spec{Queue: queue, Concurrency: 4, Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
		handled <- d.MessageID
		<-release
		return consumer.Ack()
	}}
	conn, here := obedient(t, stream, spec)
	_, there := obedient(t, stream, spec)
	c, err := console.New(console.Config{
		Connection: conn, Consumers: here, Fleet: control.FleetConfig{Stream: stream}, BasePath: "/ops", Log: slog.New(slog.DiscardHandler),
		Identify: func(*http.Request) (console.User, error) {
			return console.User{Name: "ann@example.com", Grants: []console.Grant{{Queues: "*", Right: console.Move}}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c.Close(ctx)
	})
	page := server.URL + "/ops/c/" + queue
	form := func(do string) string {
		return fmt.Sprintf("%s/ops/fleet/order?do=%s&name=%s", server.URL, do, queue)
	}
	both := func(check func(consumer.Health) bool, what string) {
		t.Helper()
		for name, group := range map[string]*consumer.Group{"this app": here, "the other": there} {
			if h := group.Health()[0]; !check(h) {
				t.Errorf("%s is not %s: %+v", name, what, h)
			}
		}
	}
	amqptest.Publish(t, "", queue, amqp.Publishing{MessageId: "order-7", Type: "charge"})
	<-handled
	amqptest.Eventually(t, 20*time.Second, func() bool {
		text, _ := browse(t, http.MethodGet, page, nil)
		return strings.Contains(text, "order-7") && strings.Contains(text, "charge") && strings.Contains(text, "1.42")
	}, "the page shows the handler and the processes")
	close(release)

	order(t, form("limit"), url.Values{"limit": {"2"}, "for": {"1h"}, "why": {"slow bank"}})
	both(func(h consumer.Health) bool { return h.Limit == 2 }, "limited")
	done := order(t, form("pause"), url.Values{"for": {"forever"}, "why": {"migrating <b>"}})
	both(func(h consumer.Health) bool {
		return h.PausedByOrder && strings.Contains(h.OrderedWhy, "ann@example.com")
	}, "paused")
	if !strings.Contains(done, "Paused "+queue+" in ") || !strings.Contains(done, "migrating &lt;b&gt;") {
		t.Errorf("the answer is\n%s", done)
	}
	if text, _ := browse(t, http.MethodGet, page, nil); !strings.Contains(text, "somebody resumes it") || !strings.Contains(text, "paused by an order") {
		t.Errorf("after the order the page is\n%s", text)
	}
	order(t, form("resume"), url.Values{})
	both(func(h consumer.Health) bool { return !h.Paused && h.Limit == 4 }, "resumed")

	order(t, page+"/order?do=pause", url.Values{"why": {"a look at this one"}})
	if !here.Health()[0].Paused || there.Health()[0].Paused {
		t.Errorf("a pause in this process: here %+v, there %+v", here.Health()[0], there.Health()[0])
	}
	if text, _ := browse(t, http.MethodGet, page, nil); !strings.Contains(text, "a look at this one") || !strings.Contains(text, "Paused in this process alone by <b>ann@example.com</b>") {
		t.Errorf("the page does not say who has paused it:\n%s", text)
	}
	order(t, page+"/order?do=resume", url.Values{})
	if here.Health()[0].Paused {
		t.Errorf("a resume in this process: %+v", here.Health()[0])
	}
}

func TestAFleetWithoutAStreamIsToldInWords(t *testing.T) {
	stream := amqptest.Queue(t, "console-none")
	c, err := console.New(console.Config{
		Connection: connecttest.New(t, connection.Config{}), Fleet: control.FleetConfig{Stream: stream}, Log: slog.New(slog.DiscardHandler),
		Identify: func(*http.Request) (console.User, error) {
			return console.User{Name: "ann", Grants: []console.Grant{{Queues: "*", Right: console.Change}}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	defer server.Close()
	defer c.Close(context.Background())
	want := "There is no stream " + stream
	amqptest.Eventually(t, 20*time.Second, func() bool {
		text, _ := browse(t, http.MethodGet, server.URL+"/fleet", nil)
		return strings.Contains(text, want)
	}, "the page says it")
	if amqptest.Exists(t, stream) {
		t.Error("the page has declared the stream")
	}
}
