package use_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
)

// world is a queue with its retry queues and a consumer, in simulated time. A message that snoozes
// goes from rung to rung as on a broker, and comes late by up to the shortest one. All that passes
// the queue stands in one line, and needs a slot.
type world struct {
	t     *testing.T
	each  time.Duration // that the queue needs to deliver a message
	slots int           // Concurrency
	rungs []time.Duration
	ctx   context.Context

	consumer *consumer.Consumer

	mu      sync.Mutex
	queue   []*letter
	copies  int // on the wire
	snoozes int
	waiting sync.WaitGroup // messages that are not acked
}

type letter struct {
	d         consumer.Delivery
	notBefore time.Time
}

// letters publishes n messages of a key.
func (w *world) letters(key string, n int) {
	w.waiting.Add(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range n {
		w.queue = append(w.queue, &letter{d: consumer.Delivery{AppID: key, MessageID: fmt.Sprint(key, "-", i)}})
	}
}

// consume runs a consumer until the world's ctx ends.
func (w *world) consume(spec consumer.Spec) {
	w.t.Helper()
	spec.Queue, spec.Concurrency, spec.Delays = "q", w.slots, topology.Ladder
	spec.Use = append([]consumer.Middleware{record}, spec.Use...)
	var err error
	if w.consumer, err = consumer.New(nil, spec, nil, slog.New(slog.DiscardHandler)); err != nil {
		w.t.Fatal(err)
	}
	hand := make(chan *letter)
	for range w.slots {
		go func() {
			for {
				select {
				case l := <-hand:
					w.handle(l)
				case <-w.ctx.Done():
					return
				}
			}
		}()
	}
	go func() {
		for w.ctx.Err() == nil {
			time.Sleep(w.each)
			w.mu.Lock()
			var l *letter
			if len(w.queue) > 0 {
				l, w.queue = w.queue[0], w.queue[1:]
			}
			w.mu.Unlock()
			if l == nil {
				time.Sleep(time.Millisecond)
				continue
			}
			select {
			case hand <- l:
			case <-w.ctx.Done():
			}
		}
	}()
}

func (w *world) handle(l *letter) {
	now := time.Now()
	if left := l.notBefore.Sub(now); left >= 50*time.Millisecond {
		w.wait(l, left)
		return
	} else if left > 0 {
		time.Sleep(left)
	}
	l.notBefore = time.Time{}
	var r consumer.Result
	w.consumer.Process(context.WithValue(w.ctx, resultKey{}, &r), amqp.Delivery{AppId: l.d.AppID, MessageId: l.d.MessageID, RoutingKey: "q"})
	switch {
	case w.ctx.Err() != nil:
	case r.Acked():
		w.waiting.Done()
	case r.Snoozed():
		w.mu.Lock()
		w.snoozes++
		w.mu.Unlock()
		l.notBefore = time.Now().Add(r.Delay())
		w.wait(l, r.Delay())
	default:
		w.t.Errorf("a message came to %v", r)
		w.waiting.Done()
	}
}

type resultKey struct{}

// record is middleware that notes what the handler returns.
func record(next consumer.Handler) consumer.Handler {
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		r := next(ctx, d)
		*ctx.Value(resultKey{}).(*consumer.Result) = r
		return r
	}
}

// wait puts a message into the rung that fits.
func (w *world) wait(l *letter, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.copies++
	time.AfterFunc(rungOf(w.rungs, d), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.queue = append(w.queue, l)
	})
}

// simulate runs f in a world of its own.
func simulate(t *testing.T, slots int, rungs []time.Duration, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f(t, &world{t: t, each: 300 * time.Microsecond, slots: slots, rungs: rungs, ctx: ctx})
		cancel()
		time.Sleep(time.Minute) // of the world: its goroutines end
	})
}

// diary notes when handlers of a key began.
type diary struct {
	mu sync.Mutex
	at map[string][]time.Time
}

func (l *diary) note(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = map[string][]time.Time{}
	}
	l.at[key] = append(l.at[key], time.Now())
}

// last returns when the last message of a key began.
func (l *diary) last(key string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.at[key]; len(at) > 0 {
		return at[len(at)-1]
	}
	return time.Time{}
}

// busiest returns how many of a key began within any window, at most.
func (l *diary) busiest(key string, window time.Duration) int {
	at := slices.SortedFunc(slices.Values(l.at[key]), time.Time.Compare)
	most, from := 0, 0
	for i := range at {
		for at[i].Sub(at[from]) >= window {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// shape is what came of a busy key, and of keys with two messages each that come behind it.
type shape struct {
	took            time.Duration // until the last one of the busy key
	snoozes, copies float64       // for each message of the busy key
	worst           time.Duration // for a message of a small key
}

// flood has n messages of the key "big" handled, and small keys meanwhile.
func (w *world) flood(n int, middleware consumer.Middleware, handle func(key string)) (s shape, began *diary) {
	began = new(diary)
	start := time.Now()
	w.letters("big", n)
	w.consume(consumer.Spec{
		Use: []consumer.Middleware{middleware},
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			began.note(d.AppID)
			handle(d.AppID)
			return consumer.Ack()
		},
	})
	published := map[string]time.Time{}
	for i := range 25 {
		key := fmt.Sprint("small", i)
		published[key] = time.Now()
		w.letters(key, 2)
		time.Sleep(1037 * time.Millisecond) // so that all phases of a second are there
	}
	w.waiting.Wait()
	s.took = began.last("big").Sub(start)
	s.snoozes, s.copies = float64(w.snoozes)/float64(n), float64(w.copies)/float64(n)
	for key, at := range published {
		s.worst = max(s.worst, began.last(key).Sub(at))
	}
	return s, began
}

// rungOf returns the longest rung that fits, or else the shortest, as a consumer takes it.
func rungOf(rungs []time.Duration, d time.Duration) time.Duration {
	best := slices.Min(rungs)
	for _, r := range rungs {
		if r <= d {
			best = max(best, r)
		}
	}
	return best
}
