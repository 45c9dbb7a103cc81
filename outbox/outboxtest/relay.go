package outboxtest

import (
	"context"
	"errors"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// Relayed is what became of the rows of an outbox.
type Relayed struct {
	// Messages are those that were published, as a consumer gets them.
	Messages []publishertest.Message

	// Refused is how many publishes were refused. Their rows are tried again when they are due.
	Refused int

	// Left is what the outbox holds now.
	Left outbox.Stats
}

// To are the messages with this routing key, in order.
func (r Relayed) To(routingKey string) (its []publishertest.Message) {
	for _, m := range r.Messages {
		if m.RoutingKey == routingKey {
			its = append(its, m)
		}
	}
	return its
}

// Relay publishes all that is due, as a relay does, by [outbox.Box.Flush]. It publishes to pub,
// such as the Publisher of a brokertest.Broker, or a publishertest.Recorder whose ErrFor refuses
// some. With a nil pub the messages go nowhere.
func Relay(t testing.TB, box *outbox.Box, pub publisher.Publisher) Relayed {
	t.Helper()
	if pub == nil {
		pub = &publishertest.Recorder{}
	}
	ctx := contextOf(t)
	seen := &witness{to: pub}
	f, err := box.Flush(ctx, seen)
	if err != nil {
		t.Fatalf("outboxtest: relay: %v", err)
	}
	r := Relayed{Refused: f.Refused}
	if r.Messages, err = seen.messages(ctx); err == nil {
		r.Left, err = box.Stats(ctx)
	}
	if err != nil {
		t.Fatalf("outboxtest: relay: %v", err)
	}
	return r
}

// As makes a delivery look as this message does: its id, its headers and its other properties.
//
//	q.Deliver(m.Body, outboxtest.As(m))
func As(m publishertest.Message) consumertest.Option {
	return consumertest.Properties(func(d *amqp.Delivery) {
		d.Exchange, d.RoutingKey, d.MessageId, d.Headers = m.Exchange, m.RoutingKey, m.MessageId, m.Headers
		d.ContentType, d.ContentEncoding, d.Type, d.AppId = m.ContentType, m.ContentEncoding, m.Type, m.AppId
		d.CorrelationId, d.ReplyTo, d.Priority, d.UserId = m.CorrelationId, m.ReplyTo, m.Priority, m.UserId
		if !m.Timestamp.IsZero() {
			d.Timestamp = m.Timestamp
		}
	})
}

// witness is a Publisher that remembers what another one has confirmed.
type witness struct {
	to publisher.Publisher

	mu  sync.Mutex
	all []given // in the order in which they were given to it
}

// given is a publish, and what tells whether it was confirmed.
type given struct {
	routingKey string
	payload    any
	opts       []publisher.Option
	err        func() error
}

var _ publisher.Publisher = (*witness)(nil)

func (w *witness) add(g given) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, g)
}

// Publish implements publisher.Publisher.
func (w *witness) Publish(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) error {
	err := w.to.Publish(ctx, routingKey, payload, opts...)
	w.add(given{routingKey, payload, opts, func() error { return err }})
	return err
}

// PublishAsync implements publisher.Publisher.
func (w *witness) PublishAsync(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) (publisher.Confirmation, error) {
	c, err := w.to.PublishAsync(ctx, routingKey, payload, opts...)
	if err == nil {
		w.add(given{routingKey, payload, opts, func() error {
			<-c.Done()
			return c.Err()
		}})
	}
	return c, err
}

// PublishBatch implements publisher.Publisher.
func (w *witness) PublishBatch(ctx context.Context, messages ...publisher.Message) error {
	err := w.to.PublishBatch(ctx, messages...)
	for i, m := range messages {
		w.add(given{m.RoutingKey, m.Payload, m.Options, func() error { return errorOf(err, i) }})
	}
	return err
}

// errorOf is that of one message of a batch.
func errorOf(err error, i int) error {
	if b := (*publisher.BatchError)(nil); errors.As(err, &b) {
		return b.Errs[i]
	}
	return err
}

// messages are those that were confirmed.
func (w *witness) messages(ctx context.Context) ([]publishertest.Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var r publishertest.Recorder
	for _, g := range w.all {
		if g.err() != nil {
			continue
		}
		if err := r.Publish(ctx, g.routingKey, g.payload, g.opts...); err != nil {
			return nil, err
		}
	}
	return r.Messages(), nil
}
