package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// job is a message of the tests that change a running system.
type job struct{ N int }

// handled is what a handler saw.
type handled struct {
	by      string // its queue
	attempt int
	at      time.Time
}

// ledger remembers what handlers saw. It is safe for use by many goroutines at once.
type ledger struct {
	mu  sync.Mutex // guards all
	all map[int][]handled
}

func (l *ledger) add(n int, h handled) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[int][]handled{}
	}
	l.all[n] = append(l.all[n], h)
}

func (l *ledger) of(n int) []handled {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]handled(nil), l.all[n]...)
}

// last returns the last time that a message was handled.
func (l *ledger) last(n int) (last handled) {
	if all := l.of(n); len(all) > 0 {
		last = all[len(all)-1]
	}
	return last
}

// work starts a consumer that writes into the ledger what its handler sees. The function stops it.
func (l *ledger) work(t *testing.T, url string, spec consumer.Spec, handle func(ctx context.Context, n int) consumer.Result) (stop func()) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{URL: url, Name: spec.Queue}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	spec.Handler = consumer.JSON(func(ctx context.Context, msg consumer.Message[job]) consumer.Result {
		l.add(msg.Payload.N, handled{spec.Queue, msg.Attempt, time.Now()})
		return handle(ctx, msg.Payload.N)
	})
	c, err := consumer.New(conn, spec, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	starting, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.Start(starting); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		stopping, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := errors.Join(c.Stop(stopping), conn.Stop(stopping)); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func ack(context.Context, int) consumer.Result { return consumer.Ack() }

var errNotYet = errors.New("not yet")

// fates handles messages in four ways: done, retried, parked, and not done before the stop.
func fates(ctx context.Context, n int) consumer.Result {
	switch n % 4 {
	case 0:
		return consumer.Ack()
	case 1:
		return consumer.Retry(errNotYet)
	case 2:
		return consumer.Error(errNotYet)
	}
	<-ctx.Done()
	return consumer.Retry(ctx.Err())
}

// raw is a client beside the consumers.
type raw struct {
	t  *testing.T
	ch *amqp.Channel
}

func rawClient(t *testing.T, url string) raw {
	t.Helper()
	ch, err := amqptest.DialURL(t, url).Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw{t, ch}
}

// publish publishes jobs, and returns when the broker has routed and confirmed them.
func (r raw) publish(exchange, key string, from, to int) {
	r.t.Helper()
	for n := from; n < to; n++ {
		message := amqp.Publishing{MessageId: fmt.Sprint(n), ContentType: "application/json", Body: fmt.Appendf(nil, `{"n": %d}`, n)}
		confirm, err := r.ch.PublishWithDeferredConfirm(exchange, key, true, false, message)
		if err != nil {
			r.t.Fatal(err)
		}
		if ok, err := confirm.WaitContext(r.t.Context()); !ok || err != nil {
			r.t.Fatalf("%d: %v", n, err)
		}
	}
}

func (r raw) depth(queue string) int {
	r.t.Helper()
	q, err := r.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return q.Messages
}

// eventually waits until a message was handled so many times.
func (l *ledger) eventually(t *testing.T, within time.Duration, times int, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		amqptest.Eventually(t, within, func() bool { return len(l.of(n)) >= times }, "%d was handled %d times", n, len(l.of(n)))
	}
}

// every returns the numbers from 0 to n-1 with this remainder of 4.
func every(n, remainder int) (all []int) {
	for i := remainder; i < n; i += 4 {
		all = append(all, i)
	}
	return all
}
