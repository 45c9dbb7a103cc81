package languages

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// order is the payload of the examples.
type order struct {
	Number int
	Email  string
}

// gopher is the Go side of a test: one queue with all that belongs to it.
type gopher struct {
	t      *testing.T
	queue  string
	events string // an exchange to which the queue is bound with the key order.*
	conn   *connection.Connection
}

const short, long = 300 * time.Millisecond, time.Second

// retryDelays are those of the retry queues, as their names have them.
var retryDelays = []string{"300ms", "1s"}

// newGopher declares the queues of a Go consumer.
func newGopher(t *testing.T) *gopher {
	t.Helper()
	g := &gopher{t: t, queue: amqptest.Queue(t, "languages"), conn: connecttest.New(t, connection.Config{})}
	g.events = g.queue + "-events"
	amqptest.Cleanup(t, g.events)
	c := g.consumer(nil)
	if err := c.Topology().Declare(amqptest.Channel(t)); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *gopher) consumer(handler consumer.Handler) *consumer.Consumer {
	g.t.Helper()
	if handler == nil {
		handler = func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }
	}
	c, err := consumer.New(g.conn, consumer.Spec{
		Queue: g.queue, MaxRetries: 5, Backoff: []time.Duration{short, long}, Handler: handler,
		Bindings: []topology.Bind{{Exchange: g.events, Kind: "topic", Keys: []string{"order.*"}}},
	}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		g.t.Fatal(err)
	}
	return c
}

// consume starts a Go consumer. It returns the messages that its handler gets, and what stops it.
func (g *gopher) consume(result func() consumer.Result) (got chan consumer.Delivery, stop func()) {
	g.t.Helper()
	got = make(chan consumer.Delivery, 100)
	c := g.consumer(func(_ context.Context, d consumer.Delivery) consumer.Result {
		got <- d
		return result()
	})
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		g.t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			g.t.Errorf("stop: %v", err)
		}
	}
	g.t.Cleanup(stop)
	return got, stop
}

// await returns the next message that a handler got.
func (g *gopher) await(got chan consumer.Delivery) consumer.Delivery {
	g.t.Helper()
	select {
	case d := <-got:
		return d
	case <-time.After(20 * time.Second):
		g.t.Fatal("the Go handler got no message")
		return consumer.Delivery{}
	}
}

// publish publishes an order to the exchange of events.
func (g *gopher) publish(o any, options ...publisher.Option) {
	g.t.Helper()
	g.publishTo("order.placed", o, append([]publisher.Option{publisher.Exchange(g.events)}, options...)...)
}

func (g *gopher) publishTo(key string, o any, options ...publisher.Option) {
	g.t.Helper()
	pub, err := publisher.New(g.conn, publisher.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	options = append([]publisher.Option{publisher.Headers(map[string]any{"tenant": "north", "n": 7})}, options...)
	if err := pub.Publish(ctx, key, o, options...); err != nil {
		g.t.Fatal(err)
	}
	if err := pub.Stop(ctx); err != nil {
		g.t.Errorf("stop the publisher: %v", err)
	}
}

// undecodable publishes a message without an id, a content type or headers, whose body is no JSON.
func (g *gopher) undecodable() {
	g.t.Helper()
	amqptest.Publish(g.t, "", g.queue, amqp.Publishing{Body: []byte(`{"Number":`), DeliveryMode: amqp.Persistent})
}

// parked opens the error queue.
func (g *gopher) parked() *errorqueue.Queue {
	g.t.Helper()
	q, err := errorqueue.Open(g.t.Context(), g.conn, errorqueue.Config{Queue: g.queue}, slog.New(slog.DiscardHandler))
	if err != nil {
		g.t.Fatal(err)
	}
	return q
}

// list returns the parked messages by their bodies, when there are so many.
func (g *gopher) list(n int) map[string]errorqueue.Message {
	g.t.Helper()
	amqptest.Eventually(g.t, 30*time.Second, func() bool { return amqptest.Depth(g.t, g.queue+"-error") >= n }, "fewer than %d are parked", n)
	all := map[string]errorqueue.Message{}
	for m, err := range g.parked().List(g.t.Context(), errorqueue.ListOptions{}) {
		if err != nil {
			g.t.Fatal(err)
		}
		all[string(m.Body)] = m
	}
	return all
}

// body returns the body with which an order is published.
func body(t *testing.T, o order) string {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// collect notes which orders a consumer has confirmed.
func collect(done map[string]bool, other *amqptest.Process) {
	for _, line := range other.Lines() {
		if number, _, confirmed := strings.Cut(line, " confirmed to "); confirmed {
			done[number] = true
		}
	}
}
