package use_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// accounts is a queue with messages of accounts, and consumers of it.
type accounts struct {
	t     *testing.T
	ctx   context.Context
	queue string
	conn  *connection.Connection
	pub   *publisher.Client
	ended *monitoringtest.Recorder

	pauses *atomic.Int64 // of this process

	mu    sync.Mutex
	began map[string][]time.Time // by account
}

func newAccounts(t *testing.T, prefix string) *accounts {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	log := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Name: t.Name()}, log)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := publisher.New(conn, publisher.Config{}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := pub.Stop(stop); err != nil {
			t.Errorf("stop the publisher: %v", err)
		}
		if err := conn.Stop(stop); err != nil {
			t.Errorf("stop the connection: %v", err)
		}
	})
	return &accounts{t: t, ctx: ctx, queue: amqptest.Queue(t, prefix), conn: conn, pub: pub, ended: new(monitoringtest.Recorder), pauses: notePauses(t), began: map[string][]time.Time{}}
}

// notePauses counts how often this machine had no processor for this process for 20 ms: then a
// handler may begin late although it was in time a moment before.
func notePauses(t *testing.T) *atomic.Int64 {
	pauses, end := new(atomic.Int64), make(chan struct{})
	var noting sync.WaitGroup
	noting.Go(func() {
		for at := time.Now(); ; at = time.Now() {
			select {
			case <-end:
				return
			case <-time.After(time.Millisecond):
				if time.Since(at) > 20*time.Millisecond {
					pauses.Add(1)
				}
			}
		}
	})
	t.Cleanup(func() { close(end); noting.Wait() })
	return pauses
}

// keeps checks that at most rate + 1 handlers began within any second, and one more if this process
// had pauses.
func (a *accounts) keeps(began []time.Time, rate int) {
	a.t.Helper()
	most, pauses := busiest(began), a.pauses.Load()
	if most > rate+1+int(min(pauses, 1)) {
		a.t.Errorf("%d began within a second, want %d at most; there were %d pauses", most, rate+1, pauses)
	}
}

// spec is a consumer of the queue that notes when a message is handled.
func (a *accounts) spec(concurrency int, middleware consumer.Middleware) consumer.Spec {
	return consumer.Spec{
		Queue: a.queue, Concurrency: concurrency, Delays: topology.Ladder, Use: []consumer.Middleware{middleware},
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			began := time.Now() // before others can hold this up
			a.mu.Lock()
			defer a.mu.Unlock()
			a.began[d.AppID] = append(a.began[d.AppID], began)
			return consumer.Ack()
		},
	}
}

func (a *accounts) declare(spec consumer.Spec) {
	a.t.Helper()
	c, err := consumer.New(a.conn, spec, nil, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := c.Topology().Declare(amqptest.Channel(a.t)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *accounts) start(spec consumer.Spec) {
	a.t.Helper()
	a.startWith(spec, slog.New(slog.DiscardHandler))
}

func (a *accounts) startWith(spec consumer.Spec, log *slog.Logger) {
	a.t.Helper()
	c, err := consumer.New(a.conn, spec, a.ended, log)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := c.Start(a.ctx); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			a.t.Errorf("stop: %v", err)
		}
	})
}

func (a *accounts) publish(account string, n int) {
	a.t.Helper()
	batch := make([]publisher.Message, n)
	for i := range batch {
		batch[i] = publisher.Message{RoutingKey: a.queue, Payload: i, Options: []publisher.Option{publisher.AppID(account)}}
	}
	if err := a.pub.PublishBatch(a.ctx, batch...); err != nil {
		a.t.Fatal(err)
	}
}

// handled waits until n messages of an account are handled, and returns when they began.
func (a *accounts) handled(account string, n int, within time.Duration) []time.Time {
	a.t.Helper()
	amqptest.Eventually(a.t, within, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.began[account]) >= n
	}, "%d messages of %s are not handled after %s", n, account, within)
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.SortedFunc(slices.Values(a.began[account]), time.Time.Compare)
}

// counts returns how many times a message was acked, and snoozed; nothing else may become of one.
func (a *accounts) counts() (acked, snoozed int) {
	a.t.Helper()
	for _, o := range a.ended.Outcomes() {
		switch o.Action {
		case monitoring.Acked:
			acked++
		case monitoring.Snoozed:
			snoozed++
		default:
			a.t.Errorf("a message was %v: %v", o.Action, o.Err)
		}
	}
	return acked, snoozed
}

// busiest returns how many began within any second, at most.
func busiest(began []time.Time) (most int) {
	from := 0
	for i := range began {
		for began[i].Sub(began[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func TestASmallAccountBehindABigOneIsDoneWithinThreeSeconds(t *testing.T) {
	t.Parallel()
	const big, small, rate = 500, 5, 50
	a := newAccounts(t, "small")
	spec := a.spec(80, use.RatePerKey(mustLimiter(t, use.Limit{Events: rate}), account))
	a.declare(spec)
	a.publish("big", big)
	a.publish("small", small)
	start := time.Now()
	a.start(spec)
	a.handled("small", small, 3*time.Second)
	t.Logf("the small account was done after %s", time.Since(start).Round(time.Millisecond))
	n := big
	if testing.Short() {
		n = 4 * rate
	}
	began := a.handled("big", n, 20*time.Second)
	a.keeps(began, rate)
	if took := began[n-1].Sub(start); took < time.Duration(n-1)*time.Second/rate || took > time.Duration(n)*time.Second/rate*5/4+time.Second {
		t.Errorf("%d messages at %d a second took %s", n, rate, took)
	}
}

// The messages come by one consumer, and by two that share the limit.
func TestABusyAccountCostsOneSnoozeAMessage(t *testing.T) {
	amqptest.Long(t)
	const messages, rate = 1500, 50
	for consumers := 1; consumers <= 2; consumers++ {
		t.Run(fmt.Sprint(consumers), func(t *testing.T) {
			t.Parallel()
			a := newAccounts(t, "busy")
			limit := use.RatePerKey(mustLimiter(t, use.Limit{Events: rate}), account)
			spec := a.spec(200/consumers, limit)
			a.declare(spec)
			a.publish("big", messages)
			start := time.Now()
			for range consumers {
				a.start(spec)
			}
			began := a.handled("big", messages, time.Minute)
			took := time.Since(start)
			a.keeps(began, rate)
			if took > 35*time.Second {
				t.Errorf("%d messages at %d a second took %s", messages, rate, took)
			}
			amqptest.Eventually(t, 5*time.Second, func() bool { acked, _ := a.counts(); return acked == messages }, "not all are acked")
			_, snoozed := a.counts()
			if each := float64(snoozed) / messages; each > 1.1 {
				t.Errorf("a message snoozed %.2f times, want 1.1 at most", each)
			}
			t.Logf("%d messages took %s and snoozed %d times, at most %d in a second, with %d pauses of the process",
				messages, took.Round(time.Millisecond), snoozed, busiest(began), a.pauses.Load())
		})
	}
}

func TestOneLimitForTheQueueNeedsNoSnoozesWithFewSlots(t *testing.T) {
	t.Parallel()
	const messages, rate = 100, 50
	a := newAccounts(t, "rate")
	spec := a.spec(4, use.Rate(mustLimiter(t, use.Limit{Events: rate})))
	a.declare(spec)
	a.publish("any", messages)
	start := time.Now()
	a.start(spec)
	began := a.handled("any", messages, 10*time.Second)
	a.keeps(began, rate)
	if took := time.Since(start); took > 4*time.Second { // 2 s, on a machine that does nothing else
		t.Errorf("%d messages at %d a second took %s", messages, rate, took)
	}
	if _, snoozed := a.counts(); snoozed > 2 { // of those that a busy machine lets miss their moments
		t.Errorf("messages snoozed %d times", snoozed)
	}
}

func TestTheHandlersOfABusyAccountAreFewAtOnce(t *testing.T) {
	t.Parallel()
	const messages, n = 40, 2
	a := newAccounts(t, "atmost")
	var running, most int
	spec := a.spec(20, use.AtMost(n, account))
	note := spec.Handler
	spec.Handler = func(ctx context.Context, d consumer.Delivery) consumer.Result {
		if d.AppID == "big" {
			a.mu.Lock()
			running++
			most = max(most, running)
			a.mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			a.mu.Lock()
			running--
			a.mu.Unlock()
		}
		return note(ctx, d)
	}
	a.declare(spec)
	a.publish("big", messages)
	a.publish("small", 5)
	a.start(spec)
	a.handled("small", 5, time.Second)
	a.handled("big", messages, 10*time.Second)
	a.mu.Lock()
	defer a.mu.Unlock()
	if most != n {
		t.Errorf("%d handlers of the big account ran at once, want %d", most, n)
	}
}
