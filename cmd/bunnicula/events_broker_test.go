package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
)

// stream is output that may be read while it is written.
type stream struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// running is a command that runs until it is interrupted.
type running struct {
	t         *testing.T
	out, err  stream
	interrupt context.CancelFunc
	code      chan int
}

// begin starts a command, and waits until it has said a text on stderr.
func (s *shell) begin(says string, args ...string) *running {
	s.t.Helper()
	ctx, interrupt := context.WithCancel(s.ctx)
	r := &running{t: s.t, interrupt: interrupt, code: make(chan int, 1)}
	go func() {
		r.code <- run(ctx, terminal{
			in: strings.NewReader(""), out: &r.out, err: &r.err, getenv: func(name string) string { return s.env[name] },
		}, args...)
	}()
	s.t.Cleanup(interrupt)
	r.await(&r.err, says)
	return r
}

func (r *running) await(where *stream, text string) {
	r.t.Helper()
	amqptest.Eventually(r.t, 10*time.Second, func() bool { return strings.Contains(where.String(), text) }, "nothing says %q:\n%s%s", text, &r.out, &r.err)
}

// ends waits for the end, and checks the exit code and what was said.
func (r *running) ends(code int, texts ...string) {
	r.t.Helper()
	select {
	case got := <-r.code:
		result{got, r.out.String(), r.err.String()}.want(r.t, code, texts...)
	case <-time.After(10 * time.Second):
		r.t.Fatalf("it does not end:\n%s%s", &r.out, &r.err)
	}
}

// eventsOf returns an exchange of the test's own, and what publishes an event to it.
func eventsOf(t *testing.T, declared bool) (exchange string, tell func(queue string, what control.What, change ...func(*control.Event))) {
	t.Helper()
	exchange = amqptest.Queue(t, "events")
	amqptest.Cleanup(t, exchange)
	if declared {
		if err := amqptest.Channel(t).ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	ch := amqptest.Channel(t)
	return exchange, func(queue string, what control.What, change ...func(*control.Event)) {
		t.Helper()
		e := control.Event{Version: 1, What: what, At: time.Now(), Queue: queue, MessageID: "order-7", Attempt: 1, MaxRetries: 3, Action: string(what), Reason: "timeout"}
		for _, c := range change {
			c(&e)
		}
		body, _ := json.Marshal(e)
		if err := ch.Publish(exchange, control.EventKey(queue, what), false, false, amqp.Publishing{Body: body}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEventsAreShownUntilInterrupted(t *testing.T) {
	exchange, tell := eventsOf(t, true)
	s := online(t)
	r := s.begin("watching", "events", "--exchange", exchange, "--read-only")
	tell("orders", control.Retried)
	tell("eu.orders", control.Parked, func(e *control.Event) { e.Error = "no such\x1b[2J order" })
	if err := amqptest.Channel(t).Publish(exchange, "anything", false, false, amqp.Publishing{Body: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	r.await(&r.out, "hello")
	r.interrupt()
	r.ends(exitOK, "retried    orders", "parked     eu.orders", "no such·[2J order", "other      anything", "3 events: 1 retried, 1 parked, 1 other")

	r = s.begin("watching", "events", "eu.orders", "--exchange", exchange, "--what", "parked", "--count", "2", "--json")
	for range 2 {
		tell("orders", control.Parked)
		tell("eu.orders", control.Retried)
		tell("eu.orders", control.Parked)
	}
	r.ends(exitOK, "2 events: 2 parked")
	if n := strings.Count(r.out.String(), "\n"); n != 2 || strings.Contains(r.out.String(), `"orders"`) {
		t.Errorf("shown was\n%s", &r.out)
	}

	r = s.begin("watching", "events", "--exchange", exchange, "--for", "300ms")
	r.ends(exitOK, "no events")
}

func TestAMissingExchangeOfEventsIsSaidOrWaitedForOrDeclared(t *testing.T) {
	exchange, tell := eventsOf(t, false)
	s := online(t)
	s.run("events", "--exchange", exchange).want(t, exitFailed, `there is no exchange "`+exchange+`"`, "add control.EventsModule", "--wait")
	s.run("events", "--exchange", exchange, "--declare", "--read-only").want(t, exitRefused, "events --declare: refused")
	waits := s.begin("waiting for it", "events", "--exchange", exchange, "--wait", "--count", "1")
	declares := s.begin("watching", "events", "--exchange", exchange, "--declare", "--count", "1")
	waits.await(&waits.err, "watching")
	tell("orders", control.Parked)
	waits.ends(exitOK, "1 event: 1 parked")
	declares.ends(exitOK, "1 event: 1 parked")
}

func TestALostConnectionIsSaidAndEventsGoOn(t *testing.T) {
	exchange, tell := eventsOf(t, true)
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	s := online(t)
	s.env["AMQP_URL"] = proxy.URL()
	r := s.begin("watching", "events", "--exchange", exchange, "--count", "2")
	tell("orders", control.Parked)
	r.await(&r.out, "parked")
	proxy.Cut()
	r.await(&r.err, "events may be missing")
	r.await(&r.err, "connected again")
	tell("orders", control.Retried)
	r.ends(exitOK, "2 events: 1 retried, 1 parked")
}

func TestAnExchangeOfEventsThatIsMadeAnewIsWatchedAgain(t *testing.T) {
	exchange, tell := eventsOf(t, true)
	var said stream
	shown := make(chan string, 1)
	tail := &eventTail{
		app:     &app{terminal: terminal{err: &said}},
		options: eventsOptions{exchange: exchange}, rebind: 50 * time.Millisecond,
		link: connecttest.New(t, connection.Config{}).Transport().Consuming(),
		show: func(d amqp.Delivery) (bool, error) {
			shown <- d.RoutingKey
			return true, nil
		},
	}
	ended := make(chan error, 1)
	go func() { ended <- tail.run(connecttest.Within(t, 10*time.Second)) }()
	says := func(text string) {
		t.Helper()
		amqptest.Eventually(t, 10*time.Second, func() bool { return strings.Contains(said.String(), text) }, "nothing says %q: %s", text, &said)
	}
	says("watching")
	ch := amqptest.Channel(t)
	if err := ch.ExchangeDelete(exchange, false, false); err != nil {
		t.Fatal(err)
	}
	says("waiting for it")
	if err := ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return strings.Count(said.String(), "watching") == 2 }, "it is not watched again: %s", &said)
	tell("orders", control.Parked)
	if key := <-shown; key != "orders.parked" {
		t.Errorf("shown was %q", key)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
