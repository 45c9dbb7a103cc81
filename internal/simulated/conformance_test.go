package simulated_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// rig is a broker, simulated or real, and a client of it.
type rig struct {
	*testing.T
	conn    transport.Connection
	link    transport.Link // whose deliveries have all their headers
	prefix  string
	version simulated.Version
	depth   func(queue string) int
	delete  func(queue string)
}

func TestTheSimulationDoesAsWritten(t *testing.T) {
	for _, version := range []simulated.Version{simulated.RabbitMQ3, simulated.RabbitMQ4, simulated.RabbitMQ43} {
		for _, latency := range []time.Duration{0, 5 * time.Millisecond} {
			for _, s := range scripts {
				t.Run(fmt.Sprintf("%s/%s/%s", version, latency, s.name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						b := simulated.New(simulated.Options{Version: version, Latency: latency})
						p := b.Process("client")
						defer func() { _ = p.Stop(t.Context()) }()
						s.run(&rig{
							T: t, conn: p, link: p.Consuming(), prefix: "q", version: version, delete: b.Delete,
							depth: func(queue string) int {
								ready, _, _ := b.Depth(queue)
								return ready
							},
						})
					})
				})
			}
		}
	}
}

func TestTheRealBrokerDoesTheSame(t *testing.T) {
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Name: "conformance", MinBackoff: 20 * time.Millisecond}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			prefix := amqptest.Queue(t, "simulated", "-b", "-exchange")
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				if err := conn.Stop(ctx); err != nil {
					t.Error(err)
				}
			})
			s.run(&rig{
				T: t, conn: conn.Transport(), link: conn.Transport().Reading("scripts"), prefix: prefix, version: versionOf(t),
				depth: func(queue string) int { return amqptest.Depth(t, queue) },
				delete: func(queue string) {
					if _, err := amqptest.Channel(t).QueueDelete(queue, false, false, false); err != nil {
						t.Fatal(err)
					}
				},
			})
		})
	}
}

// versionOf is which of the simulated versions the real broker is.
func versionOf(t *testing.T) simulated.Version {
	if amqptest.AtLeast(t, 4, 3) {
		return simulated.RabbitMQ43
	}
	return simulated.Version(amqptest.Major(t))
}

// What the scripts are written in.

// must stops at an error.
func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) session() transport.Session {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := r.link.Session(ctx)
	r.must(err)
	return s
}

func (r *rig) open() transport.Channel {
	r.Helper()
	ch, err := r.session().Channel(context.Background())
	r.must(err)
	return ch
}

// confirming is a channel to publish on.
func (r *rig) confirming() (transport.Channel, chan amqp.Return) {
	r.Helper()
	ch := r.open()
	r.must(ch.Confirm(false))
	return ch, ch.NotifyReturn(make(chan amqp.Return, 1000))
}

// queue declares a quorum queue of the script's own.
func (r *rig) queue(suffix string, more amqp.Table) string {
	r.Helper()
	ch := r.open()
	_, err := ch.QueueDeclare(r.prefix+suffix, true, false, false, false, quorum(more))
	r.must(err)
	r.must(ch.Close())
	return r.prefix + suffix
}

func quorum(more amqp.Table) amqp.Table {
	args := amqp.Table{"x-queue-type": "quorum"}
	for k, v := range more {
		args[k] = v
	}
	return args
}

// deadLetterTo is how the framework's topologies do it.
func deadLetterTo(queue string) amqp.Table {
	return amqp.Table{
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue, "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
	}
}

// put publishes messages of these ids and waits for the confirms.
func (r *rig) put(queue string, ids ...string) {
	r.Helper()
	ch, _ := r.confirming()
	var sent []transport.Confirmation
	for _, id := range ids {
		c, err := ch.Publish("", queue, true, amqp.Publishing{MessageId: id, DeliveryMode: amqp.Persistent})
		r.must(err)
		sent = append(sent, c)
	}
	for _, c := range sent {
		r.wait(c)
		if !c.Acked() {
			r.Fatal("not acked")
		}
	}
	r.must(ch.Close())
}

func (r *rig) wait(c transport.Confirmation) {
	r.Helper()
	select {
	case <-c.Done():
	case <-time.After(10 * time.Second):
		r.Fatal("no confirm")
	}
}

func (r *rig) consume(ch transport.Channel, queue, tag string, prefetch int) <-chan amqp.Delivery {
	r.Helper()
	r.must(ch.Qos(prefetch, 0, false))
	in, err := ch.Consume(queue, r.prefix+tag, false, false, false, false, nil)
	r.must(err)
	return in
}

// take receives deliveries of these ids in this order.
func (r *rig) take(in <-chan amqp.Delivery, ids ...string) []amqp.Delivery {
	r.Helper()
	var all []amqp.Delivery
	for _, id := range ids {
		select {
		case d, ok := <-in:
			if !ok || d.MessageId != id {
				r.Fatalf("got %q (%v), want %q", d.MessageId, ok, id)
			}
			all = append(all, d)
		case <-time.After(10 * time.Second):
			r.Fatalf("no delivery, want %q", id)
		}
	}
	return all
}

// silence waits for what must not come.
func (r *rig) silence(in <-chan amqp.Delivery) {
	r.Helper()
	select {
	case d, ok := <-in:
		r.Fatalf("got %q (%v), want nothing", d.MessageId, ok)
	case <-time.After(200 * time.Millisecond):
	}
}

func (r *rig) closed(in <-chan amqp.Delivery) {
	r.Helper()
	select {
	case d, ok := <-in:
		if ok {
			r.Fatalf("got %q, want the end", d.MessageId)
		}
	case <-time.After(10 * time.Second):
		r.Fatal("deliveries do not end")
	}
}

// holds waits until a queue has n ready messages.
func (r *rig) holds(queue string, n int) {
	r.Helper()
	r.eventually(func() bool { return r.depth(queue) == n }, "%s has not %d messages", queue, n)
}

func (r *rig) eventually(is func() bool, format string, args ...any) {
	r.Helper()
	amqptest.Eventually(r, 10*time.Second, is, format, args...)
}

// refused waits for the channel's end and looks at its reason.
func (r *rig) refused(closed chan *amqp.Error, code int, text string) {
	r.Helper()
	select {
	case e := <-closed:
		r.is(e, code, text)
	case <-time.After(10 * time.Second):
		r.Fatalf("the channel was not closed, want %d", code)
	}
	select {
	case e, open := <-closed:
		if open {
			r.Fatalf("one more reason: %v", e)
		}
	case <-time.After(10 * time.Second):
		r.Fatal("the notice's channel stays open")
	}
}

func (r *rig) is(err error, code int, text string) {
	r.Helper()
	var e *amqp.Error
	if !errors.As(err, &e) || e == nil || e.Code != code || !e.Server || !strings.Contains(e.Reason, text) {
		r.Fatalf("got %#v, want the broker's %d %s", err, code, text)
	}
}

func notices(ch transport.Channel) chan *amqp.Error { return ch.NotifyClose(make(chan *amqp.Error, 1)) }

// count is x-delivery-count; -1 if it is not there.
func count(d amqp.Delivery) int64 {
	if n, ok := d.Headers["x-delivery-count"].(int64); ok {
		return n
	}
	return -1
}
