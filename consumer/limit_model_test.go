package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/test/histories"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Whatever is said of limits and pauses, and whenever: no handler begins while as many run as may,
// everything is handled once, and at the end all slots are used.
func TestWhateverTheLimitsAreNoMoreHandlersBegin(t *testing.T) {
	histories.Check(t, 60, anyLimits, func(h limits) error { return h.actOut(t) }, "more run than may, or something was lost, see below")
}

// limits is a history of one consumer.
type limits struct {
	Concurrency, Prefetch int
	Single                bool
	Work                  []time.Duration // of the messages, in turns
	Changes               []limitChange
}

// limitChange is one call, and the time until the next.
type limitChange struct {
	What  string
	N     int
	Pause time.Duration
}

const limitMessages = 40

var anyLimits = rapid.Custom(func(t *rapid.T) limits {
	h := limits{
		Concurrency: rapid.IntRange(1, 8).Draw(t, "concurrency"),
		Single:      rapid.IntRange(0, 4).Draw(t, "single") == 4,
		Work: rapid.SliceOfN(rapid.SampledFrom([]time.Duration{
			0, time.Millisecond, 20 * time.Millisecond, 300 * time.Millisecond, 3 * time.Second, 8 * time.Second, // the last is stuck for 5 s
		}), 1, 6).Draw(t, "work"),
	}
	if rapid.Bool().Draw(t, "set") {
		h.Prefetch = h.Concurrency + rapid.IntRange(0, 20).Draw(t, "ahead")
	}
	h.Changes = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) limitChange {
		return limitChange{
			What:  rapid.SampledFrom([]string{"limit", "limit", "limit", "order", "order", "pause", "resume", "suspect"}).Draw(t, "what"),
			N:     rapid.IntRange(0, h.Concurrency).Draw(t, "n"),
			Pause: rapid.SampledFrom([]time.Duration{0, time.Millisecond, 30 * time.Millisecond, time.Second, 6 * time.Second}).Draw(t, "pause"),
		}
	}), 1, 20).Draw(t, "changes")
	return h
})

// limited is a history that is being acted out.
type limited struct {
	limits
	c *consumer.Consumer

	mu      sync.Mutex // guards what follows
	running int
	most    int       // how many may run
	since   time.Time // when that was said
	did     map[string]int
	wrong   error
	full    bool // all slots were used at the end
}

func (h limits) actOut(t *testing.T) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v\n%s", p, histories.Blocked())
		}
		if err != nil {
			err = fmt.Errorf("%w\n%+v", err, h)
		}
	}()
	synctest.Test(t, func(*testing.T) { err = (&limited{limits: h, did: map[string]int{}}).run() })
	return err
}

func (w *limited) run() error {
	sim := simulated.New(usual)
	p := sim.Process("worker")
	defer func() { _ = p.Stop(ended()) }()
	sender, err := sending.New(p, 200, quietLog)
	if err != nil {
		return err
	}
	defer func() { _ = sender.Stop(ended()) }()
	w.c, err = consumer.New(connection.Over(p), consumer.Spec{
		Queue: "orders", Concurrency: w.Concurrency, Prefetch: w.Prefetch, SingleActive: w.Single, Handler: w.handle,
		Backoff: []time.Duration{time.Hour}, Timeout: 2 * time.Second, Grace: time.Second, WhenStuck: consumer.Hold,
	}, monitoring.Nop{}, quietLog)
	if err != nil {
		return err
	}
	w.most = w.Concurrency
	if err := w.c.Start(context.Background()); err != nil {
		return err
	}
	send := func(queue, id string) {
		_ = sender.Send(context.Background(), sending.Envelope{RoutingKey: queue, Publishing: amqp.Publishing{MessageId: id, DeliveryMode: amqp.Persistent, Timestamp: time.Now().UTC()}})
	}
	var all sync.WaitGroup
	for i := range limitMessages {
		all.Go(func() { send("orders", fmt.Sprint("m", i)) })
	}
	all.Wait()
	want := limitMessages
	for i, ch := range w.Changes {
		if ch.What == "suspect" && !w.Single {
			send("orders-quarantine", fmt.Sprint("s", i))
			want++
		} else {
			w.change(ch)
		}
		time.Sleep(ch.Pause)
	}
	w.change(limitChange{What: "resume"})
	w.change(limitChange{What: "limit"})
	w.change(limitChange{What: "order"})
	err = within(30*time.Minute, "handled", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.did) == want && w.running == 0 })
	for i := range 3 * w.Concurrency {
		send("orders", fmt.Sprint("last", i))
	}
	time.Sleep(10 * time.Second)
	err = errors.Join(err, w.c.Stop(context.Background()))
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, n := range w.did {
		if n > 1 {
			err = errors.Join(err, fmt.Errorf("%s was handled %d times", id, n))
		}
	}
	if !w.full {
		err = errors.Join(err, errors.New("at the end not all slots were used"))
	}
	if len(w.did) != want+3*w.Concurrency {
		err = errors.Join(err, fmt.Errorf("%d were handled, want %d", len(w.did), want+3*w.Concurrency))
	}
	return errors.Join(err, w.wrong)
}

// change holds the lock meanwhile: a handler may begin as soon as the limit is higher.
func (w *limited) change(ch limitChange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ch.What {
	case "pause":
		w.c.Pause()
	case "resume":
		w.c.Resume()
	case "limit":
		if err := w.c.Limit(ch.N); err != nil {
			w.wrong = err
		}
	case "order":
		w.c.Obey(consumer.Order{Limit: ch.N, Paused: ch.Pause == time.Second})
	}
	if now := w.c.Health().Limit; now != w.most {
		w.most, w.since = now, time.Now()
	}
}

func (w *limited) handle(_ context.Context, d consumer.Delivery) consumer.Result {
	suspect := d.MessageID[0] == 's'
	w.mu.Lock()
	w.running++
	w.did[d.MessageID]++
	// The guard has looked at the limit when it took a message from quarantine, some frames
	// earlier.
	if w.running > w.most && time.Since(w.since) > 0 && !(suspect && time.Since(w.since) < 10*time.Millisecond) {
		w.wrong = errors.Join(w.wrong, fmt.Errorf("%s begins as one of %d, and %d may run", d.MessageID, w.running, w.most))
	}
	work := w.Work[len(d.MessageID)%len(w.Work)]
	if n := 0; !suspect {
		if _, err := fmt.Sscanf(d.MessageID, "m%d", &n); err == nil {
			work = w.Work[n%len(w.Work)]
		}
	}
	if len(d.MessageID) > 4 && d.MessageID[:4] == "last" {
		work = time.Second
		w.full = w.full || w.running == w.Concurrency
	}
	w.mu.Unlock()
	time.Sleep(work)
	w.mu.Lock()
	w.running--
	w.mu.Unlock()
	return consumer.Ack()
}
