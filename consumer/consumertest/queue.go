package consumertest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// maxLife is how many deliveries Life follows before it fails the test, for a message that never
// ends.
const maxLife = 1000

// Queue delivers messages to the handler of one Spec. It holds none itself: each delivery
// is handled before Deliver returns. It may be used from several goroutines.
type Queue struct {
	t        testing.TB
	name     string
	consumer *consumer.Consumer
	topology topology.Topology
	tag      atomic.Uint64
}

// New makes a Queue. A Spec that a consumer would refuse fails the test at once.
func New(t testing.TB, spec consumer.Spec) *Queue {
	t.Helper()
	spec.Use = append([]consumer.Middleware{record}, spec.Use...)
	c, err := consumer.New(nil, spec, monitoring.Nop{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("consumertest: %v", err)
	}
	return &Queue{t: t, name: spec.Queue, consumer: c, topology: c.Topology()}
}

// Deliver delivers a message for the first time, and returns when it is decided what becomes
// of it. A []byte is the body as it is, and anything else is encoded as JSON unless Codec says
// otherwise. The message looks as if it had been published to the queue by its name.
func (q *Queue) Deliver(payload any, opts ...Option) *Run {
	q.t.Helper()
	n := q.tag.Add(1)
	ctx := q.t.Context()
	if ctx == nil { // an example has the zero testing.T, which has no context
		ctx = context.Background()
	}
	d := &draft{codec: publisher.JSON, ctx: ctx, raw: amqp.Delivery{
		DeliveryTag: n, MessageId: fmt.Sprintf("message-%d", n),
		RoutingKey: q.name, DeliveryMode: amqp.Persistent, Timestamp: time.Now().UTC().Truncate(time.Second),
	}}
	for _, o := range opts {
		if o != nil {
			o(d)
		}
	}
	if err := d.encode(payload, q.name); err != nil {
		q.t.Fatalf("consumertest: queue %q: %v", q.name, err)
	}
	if !d.stop {
		return q.run(d.ctx, d.raw)
	}
	ctx, cancel := context.WithCancelCause(d.ctx)
	defer time.AfterFunc(d.stopAfter, func() { cancel(consumer.ErrStopping) }).Stop()
	r := q.run(ctx, d.raw)
	r.ctx = d.ctx
	return r
}

// Result is what the handler says of a message: Deliver for a table of Results. It is the
// zero Result if the handler did not return.
func (q *Queue) Result(payload any, opts ...Option) consumer.Result {
	q.t.Helper()
	return q.Deliver(payload, opts...).Result()
}

// Redeliver delivers the same message again, as the broker does when a consumer dies before
// its ack. An idempotent handler says the same and does nothing twice. The broker counts such
// deliveries: after the second one the message is set aside, and Next delivers it from quarantine.
// After Spec.MaxCrashes of them in all it is parked.
func (q *Queue) Redeliver(r *Run) *Run {
	q.t.Helper()
	raw := r.Delivery
	raw.DeliveryTag, raw.Redelivered = q.tag.Add(1), true
	raw.Headers = clone(raw.Headers)
	raw.Headers[wire.DeliveryCount] = int64(wire.Int(raw.Headers[wire.DeliveryCount]) + 1)
	return q.run(r.ctx, raw)
}

// Next delivers a retried, snoozed or interrupted message's copy, as it comes back when its
// time has come. It does not wait for that: a message whose delay is put together from several
// queues has gone all its rounds. A message that was acked or parked does not come back,
// and asking for it fails the test at once.
func (q *Queue) Next(r *Run) *Run {
	q.t.Helper()
	switch {
	case r.Settlement.Deed == consumer.DeedLeave:
		return q.Redeliver(r)
	case r.Settlement.Copy == nil, r.Settlement.Action == monitoring.Parked:
		q.t.Fatal(r.report("a message that comes back"))
	}
	return q.run(r.ctx, q.arrival(r.Settlement.Copy))
}

// Life delivers a message and goes on with Next until it is acked or parked.
func (q *Queue) Life(payload any, opts ...Option) []*Run {
	q.t.Helper()
	runs := []*Run{q.Deliver(payload, opts...)}
	for {
		last := runs[len(runs)-1]
		if s := last.Settlement; s.Action == monitoring.Acked || s.Action == monitoring.Parked {
			return runs
		}
		if len(runs) == maxLife {
			q.t.Fatal(last.report(fmt.Sprintf("acked or parked within %d deliveries", maxLife)))
		}
		runs = append(runs, q.Next(last))
	}
}

func (q *Queue) run(ctx context.Context, raw amqp.Delivery) *Run {
	r := &Run{Delivery: raw, t: q.t, queue: q.name, topology: q.topology, ctx: ctx}
	raw.Headers = maps.Clone(raw.Headers) // a handler may write into them
	raw.Body = slices.Clone(raw.Body)
	ctx = context.WithValue(ctx, recordKey{}, &r.record)
	r.Settlement = q.consumer.Process(ctx, raw)
	// The message has its hearing, and no other process could clear it: so the hearing ends.
	if c := r.Settlement.Copy; c != nil && c.Headers[wire.CrashedAt] != nil {
		heard := q.arrival(c)
		heard.Headers[wire.CrashedAt] = time.Unix(0, 0).UTC().Format(time.RFC3339)
		r.Settlement = q.consumer.Process(ctx, heard)
	}
	return r
}

// arrival is a copy as the broker delivers it: at once if it is for the main queue, else as
// a message that expired in its retry queue and was dead-lettered.
func (q *Queue) arrival(c *consumer.Copy) amqp.Delivery {
	p := c.Publishing
	raw := amqp.Delivery{
		DeliveryTag: q.tag.Add(1), RoutingKey: q.name, Headers: clone(p.Headers), Body: p.Body,
		ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode,
		Priority: p.Priority, CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo, MessageId: p.MessageId,
		Timestamp: p.Timestamp, Type: p.Type, UserId: p.UserId, AppId: p.AppId,
	}
	delete(raw.Headers, wire.NotBefore) // its time has come
	for _, waited := range q.topology.Queues {
		if waited.Name != c.Queue {
			continue
		}
		if waited.Role == topology.RoleQuarantine {
			raw.RoutingKey = waited.Name
		}
		if waited.Role != topology.RoleRetry {
			continue
		}
		if to, ok := waited.Arguments["x-dead-letter-exchange"].(string); ok && to != "" {
			raw.Exchange, raw.RoutingKey = to, c.RoutingKey
		}
		raw.Headers["x-death"] = []any{amqp.Table{
			"count": int64(1), "reason": "expired", "queue": waited.Name, "time": time.Now().UTC().Truncate(time.Second),
			"exchange": c.Exchange, "routing-keys": []any{c.RoutingKey},
		}}
		raw.Headers["x-first-death-reason"] = "expired"
		raw.Headers["x-first-death-queue"] = waited.Name
		raw.Headers["x-first-death-exchange"] = c.Exchange
	}
	return raw
}

// clone never returns nil.
func clone(t amqp.Table) amqp.Table {
	c := make(amqp.Table, len(t)+4)
	maps.Copy(c, t)
	return c
}
