package wirefixtures_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// scene is a queue with all that belongs to it. Its name becomes "orders" in the files.
type scene struct {
	t        *testing.T
	queue    string
	conn     *connection.Connection
	spec     consumer.Spec
	monitor  monitoring.Monitor // nil is none
	consumer *consumer.Consumer // nil unless it was started
}

// newScene declares the queues of a consumer.
func newScene(t *testing.T, handler consumer.Handler, change ...func(*consumer.Spec)) *scene {
	t.Helper()
	s := &scene{t: t, queue: amqptest.Queue(t, "wire"), conn: connecttest.New(t, connection.Config{Name: "shop", Version: "1.2.3"})}
	amqptest.Cleanup(t, s.queue+"-events")
	if handler == nil {
		handler = func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }
	}
	s.spec = consumer.Spec{
		Name: "orders", Queue: s.queue, MaxRetries: 5, Backoff: []time.Duration{100 * time.Millisecond, 10 * time.Second},
		Handler: handler, Bindings: []topology.Bind{{Exchange: s.queue + "-events", Kind: "topic", Keys: []string{"order.*"}}},
	}
	for _, c := range change {
		c(&s.spec)
	}
	if err := s.made().Topology().Declare(amqptest.Channel(t)); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) made() *consumer.Consumer {
	s.t.Helper()
	c, err := consumer.New(s.conn, s.spec, s.monitor, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *scene) start() {
	s.t.Helper()
	s.consumer = s.made()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	if err := s.consumer.Start(ctx); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.stop(10 * time.Second) })
}

func (s *scene) stop(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := s.consumer.Stop(ctx); err != nil {
		s.t.Errorf("stop: %v", err)
	}
}

// process returns the copy that is made of a delivery.
func (s *scene) process(d amqp.Delivery) *consumer.Copy {
	s.t.Helper()
	c := s.made().Process(s.t.Context(), d).Copy
	if c == nil {
		s.t.Fatal("no copy is made")
	}
	return c
}

func (s *scene) put(c *consumer.Copy) {
	s.t.Helper()
	amqptest.Publish(s.t, c.Exchange, c.RoutingKey, c.Publishing)
}

// publish publishes an order with the id, as an event.
func (s *scene) publish(id string, options ...publisher.Option) {
	s.t.Helper()
	s.publishTo(s.queue+"-events", "order.placed", id, options...)
}

func (s *scene) publishTo(exchange, key, id string, options ...publisher.Option) {
	s.t.Helper()
	pub, err := publisher.New(s.conn, publisher.Config{Exchange: exchange}, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	options = append([]publisher.Option{
		publisher.MessageID(id), publisher.Type("order"), publisher.CorrelationID("request-7"),
		publisher.Headers(map[string]any{"tenant": "north", "items": 7}),
	}, options...)
	if err := pub.Publish(ctx, key, map[string]any{"Number": 1, "Email": ""}, options...); err != nil {
		s.t.Fatal(err)
	}
	if err := pub.Stop(ctx); err != nil {
		s.t.Error(err)
	}
}

// bare publishes a message as another language may, with nothing but a body.
func (s *scene) bare() {
	s.t.Helper()
	amqptest.Publish(s.t, "", s.queue, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(`{"Number": 1, "Email": ""}`)})
}

// compare takes the next message of a queue and compares it with the file.
func (s *scene) compare(name, about, queue string) {
	s.t.Helper()
	d := amqptest.Get(s.t, queue)
	normal(&d, s.queue)
	wirefixtures.Compare(s.t, name, about, wirefixtures.Of(d, normalText(queue, s.queue)))
}
