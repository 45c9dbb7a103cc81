package consumer_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// rig is what a test of the whole path needs: a connection, a publisher and a recorder, all
// stopped at the end of the test.
type rig struct {
	t     *testing.T
	ctx   context.Context
	conn  *connection.Connection
	pub   *publisher.Client
	ended *monitoringtest.Recorder
}

func newRig(t *testing.T) *rig { return newRigAt(t, amqptest.URL(t)) }

func newRigAt(t *testing.T, url string) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	log := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{URL: url, Name: "rig", Heartbeat: 2 * time.Second, MaxBackoff: 2 * time.Second}, log)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := publisher.New(conn, publisher.Config{}, log)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, ctx: ctx, conn: conn, pub: pub, ended: new(monitoringtest.Recorder)}
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = pub.Stop(stop) // a test may have cut its connection for good
		stop, cancel = context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := conn.Stop(stop); err != nil {
			t.Errorf("stop the connection: %v", err)
		}
	})
	return r
}

// start runs a consumer until the end of the test.
func (r *rig) start(spec consumer.Spec) *consumer.Consumer {
	r.t.Helper()
	c := r.make(spec)
	if err := c.Start(r.ctx); err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) make(spec consumer.Spec) *consumer.Consumer {
	r.t.Helper()
	c, err := consumer.New(r.conn, spec, r.ended, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { r.stop(c) })
	return c
}

func (r *rig) stop(c *consumer.Consumer) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		r.t.Errorf("stop: %v", err)
	}
}

// declare declares a consumer's queues without consuming, so that a test can publish first.
func (r *rig) declare(spec consumer.Spec) {
	r.t.Helper()
	c, err := consumer.New(r.conn, spec, nil, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	ch := amqptest.Channel(r.t)
	if err := c.Topology().Declare(ch); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) publish(queue string, body string, opts ...publisher.Option) {
	r.t.Helper()
	if err := r.pub.Publish(r.ctx, queue, []byte(body), opts...); err != nil {
		r.t.Fatal(err)
	}
}

// outcomes waits until n deliveries have ended.
func (r *rig) outcomes(n int) []monitoring.Outcome {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 30*time.Second)
	defer cancel()
	if err := r.ended.Wait(ctx, n); err != nil {
		r.t.Fatalf("waiting for %d outcomes, there are %v: %v", n, r.ended.Outcomes(), err)
	}
	return r.ended.Outcomes()
}

// always is a handler that says the same of every message.
func always(result consumer.Result) consumer.Handler {
	return func(context.Context, consumer.Delivery) consumer.Result { return result }
}

// depths asserts how many messages are ready in each queue, once nothing is unacked: main must be
// given too, and its consumers stopped, for the count to be of everything.
func depths(t *testing.T, want map[string]int) {
	t.Helper()
	for queue, n := range want {
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue) == n },
			"queue %s has %d messages, want %d", queue, amqptest.Depth(t, queue), n)
	}
}

func header(t *testing.T, d amqp.Delivery, name string) any {
	t.Helper()
	v, ok := d.Headers[name]
	if !ok {
		t.Errorf("the message has no header %s: %v", name, d.Headers)
	}
	return v
}

func wantHeaders(t *testing.T, d amqp.Delivery, want amqp.Table) {
	t.Helper()
	for name, value := range want {
		if got := header(t, d, name); got != value {
			t.Errorf("header %s is %#v, want %#v", name, got, value)
		}
	}
}

func equalHeaders(a, b map[string]any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
