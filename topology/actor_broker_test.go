package topology_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// actor is a user with a role, and the queue and connection that it uses.
type actor struct {
	t     *testing.T
	ctx   context.Context
	conn  *connection.Connection
	queue string // and the exchanges queue-events and queue-shop
	log   *journal
}

// journal is a log that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) line(with string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.text.String()) {
		if strings.Contains(line, with) {
			return line
		}
	}
	return ""
}

// work consumes four messages: one is acked, one retried, one parked and one quarantined. It
// returns the first refusal: the error of Start, or the text of the log when the broker refuses a
// copy.
func (a actor) work(change func(*consumer.Spec)) error {
	a.t.Helper()
	spec := consumer.Spec{
		Queue: a.queue, MaxRetries: 1, Backoff: []time.Duration{100 * time.Millisecond},
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			switch string(d.Body) {
			case "retry":
				if d.Attempt == 1 {
					return consumer.Retry(errors.New("not yet"))
				}
			case "error":
				return consumer.Error(errors.New("never"))
			}
			return consumer.Ack()
		},
	}
	change(&spec)
	ended := new(monitoringtest.Recorder)
	c, err := consumer.New(a.conn, spec, ended, slog.New(slog.NewTextHandler(a.log, nil)))
	if err != nil {
		a.t.Fatal(err)
	}
	held := false
	defer func() {
		ctx, cancel := context.WithTimeout(a.ctx, 3*time.Second)
		defer cancel()
		if err := c.Stop(ctx); (err != nil) != held { // Stop keeps trying to publish a blocked copy
			a.t.Errorf("stop: %v", err)
		}
	}()
	if err := c.Start(a.ctx); err != nil {
		return err
	}
	for _, body := range []string{"ack", "retry", "error"} {
		amqptest.Publish(a.t, "", a.queue, amqp.Publishing{Body: []byte(body)})
	}
	cannot := func() string { return a.log.line("cannot be handled") }
	amqptest.Eventually(a.t, 20*time.Second, func() bool { return len(ended.Ends()) == 4 || c.Health().CopiesBlocked == 2 || cannot() != "" },
		"neither all is done nor two messages are held: %v", ended.Outcomes())
	// From 4.3 on a user without a permission on a queue may not look at it.
	if cannot() != "" {
		return errors.New(cannot())
	}
	if held = c.Health().CopiesBlocked > 0; held {
		return errors.New(a.log.line("copy not placed"))
	}
	if n := amqptest.Depth(a.t, a.queue+"-error"); n != 1 {
		a.t.Errorf("%d messages are parked, want 1", n)
	}

	c.Pause()
	amqptest.Eventually(a.t, 10*time.Second, func() bool { return !c.Health().Subscribed }, "it does not pause")
	a.suspect()
	c.Resume()
	amqptest.Eventually(a.t, 20*time.Second, func() bool { return len(ended.Ends()) == 5 || cannot() != "" }, "the suspect is not handled: %v", ended.Outcomes())
	if cannot() != "" {
		return errors.New(cannot())
	}
	return nil
}

// suspect publishes a message in the state after two returns, as if its process had died because of
// it. It will be quarantined.
func (a actor) suspect() {
	a.t.Helper()
	amqptest.Publish(a.t, "", a.queue, amqp.Publishing{Body: []byte("suspect")})
	ch := amqptest.Channel(a.t)
	for range 2 {
		var d amqp.Delivery
		amqptest.Eventually(a.t, 10*time.Second, func() bool {
			var ok bool
			var err error
			d, ok, err = ch.Get(a.queue, false)
			return ok && err == nil
		}, "there is no message to send back")
		if err := d.Reject(true); err != nil {
			a.t.Fatal(err)
		}
	}
}

// publish publishes one message as an application does.
func (a actor) publish(cfg publisher.Config, key string, opts ...publisher.Option) error {
	a.t.Helper()
	pub, err := publisher.New(a.conn, cfg, slog.New(slog.NewTextHandler(a.log, nil)))
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() {
		if err := pub.Stop(a.ctx); err != nil {
			a.t.Errorf("stop: %v", err)
		}
	}()
	return pub.Publish(a.ctx, key, []byte("ack"), opts...)
}

// redrive moves the parked messages back: it publishes each again, without our headers, and acks it
// after its confirm.
func (a actor) redrive() error {
	a.t.Helper()
	amqptest.Publish(a.t, "", a.queue+"-error", amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"retry-attempts": int64(1), "tenant": "acme"}})
	ch := a.channel()
	d, ok, err := ch.Get(a.queue+"-error", false)
	if err != nil {
		return err
	} else if !ok {
		a.t.Fatal("nothing is parked")
	}
	if err := a.publish(publisher.Config{}, a.queue, publisher.MessageID("again"), publisher.Headers(d.Headers)); err != nil {
		return err
	}
	if err := d.Ack(false); err != nil {
		a.t.Error(err)
	}
	if d := amqptest.Get(a.t, a.queue); d.MessageId != "again" || d.Headers["retry-attempts"] != nil || d.Headers["tenant"] != "acme" {
		a.t.Errorf("%+v is back", d)
	}
	if err := ch.Close(); err != nil { // by then the broker has the ack
		a.t.Error(err)
	}
	if n := amqptest.Depth(a.t, a.queue+"-error"); n != 0 {
		a.t.Errorf("%d messages are parked still", n)
	}
	return nil
}

// look only counts messages and consumers, which is all that this role may do.
func (a actor) look() error {
	a.t.Helper()
	if err := a.conn.Ready(a.ctx); err != nil {
		return err
	}
	amqptest.Publish(a.t, "", a.queue, amqp.Publishing{})
	err := mustNew(a.t, topology.Plan{Queue: a.queue, Mode: topology.Never}).Declare(a.channel())
	if errors.Is(err, topology.ErrUnchecked) { // from 4.3 on
		a.t.Logf("this broker lets nobody look who may not configure: %v", err)
	} else if err != nil {
		return err
	} else if q, err := a.channel().QueueDeclarePassive(a.queue, true, false, false, false, nil); err != nil || q.Messages != 1 {
		a.t.Errorf("it sees %d messages, %v", q.Messages, err)
	}
	_, _, err = a.channel().Get(a.queue, true)
	a.refused("get", err, "read", a.queue)
	_, err = a.channel().QueuePurge(a.queue, false)
	a.refused("purge", err, "read", a.queue)
	_, err = a.channel().QueueDelete(a.queue, false, false, false)
	a.refused("delete", err, "configure", a.queue)
	a.refused("publish", a.publish(publisher.Config{}, a.queue), "write", "amq.default")
	return nil
}

func (a actor) channel() *amqp.Channel {
	a.t.Helper()
	ch, err := a.conn.Channel(a.ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	return ch
}

// refused checks that an error is a 403, and for which resource. Brokers before 4 do not name the
// missing permission.
func (a actor) refused(what string, err error, kind, resource string) {
	a.t.Helper()
	text := fmt.Sprint(err)
	if err == nil || !strings.Contains(text, "ACCESS_REFUSED") || !strings.Contains(text, "'"+resource+"'") {
		a.t.Errorf("%s: got %v, want a refusal that names %s", what, err, resource)
	}
	if amqptest.Major(a.t) >= 4 && !strings.Contains(text, kind) {
		a.t.Errorf("%s: got %v, want it to name the permission %s", what, err, kind)
	}
}
