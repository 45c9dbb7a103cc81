package delays

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// scene is a queue whose consumers run in this process.
type scene struct {
	t     *testing.T
	ctx   context.Context
	queue string
	conn  *connection.Connection
	pub   *publisher.Client

	mu   sync.Mutex
	runs []run
	by   map[string]int // runs, by the consumer's name
}

func newScene(t *testing.T) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	s := &scene{t: t, ctx: ctx, queue: newQueue(t), conn: connecttest.New(t, connection.Config{}), by: map[string]int{}}
	var err error
	if s.pub, err = publisher.New(s.conn, publisher.Config{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.pub.Stop(ctx) })
	return s
}

// start starts a consumer, whose handler acks what is due. It returns what stops it.
func (s *scene) start(name string, change func(*consumer.Spec)) (stop func()) {
	s.t.Helper()
	spec := spec(s.queue, func(_ context.Context, d consumer.Delivery) consumer.Result {
		now := time.Now()
		s.note(name, run{d.MessageID, now})
		return handle(d, now)
	})
	spec.Name = name
	change(&spec)
	c, err := consumer.New(s.conn, spec, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.Start(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			s.t.Errorf("stop %s: %v", name, err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

func (s *scene) note(name string, r run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, r)
	s.by[name]++
}

func (s *scene) ranBy(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[name]
}

// publish publishes an order for each delay, by Delay and by At in turn.
func (s *scene) publish(prefix string, delays ...time.Duration) []order {
	s.t.Helper()
	var all []order
	for i, delay := range delays {
		o := order{ID: fmt.Sprint(prefix, i), Kind: byDelay, Due: time.Now().Add(delay)}
		option := publisher.Delay(delay)
		if i%2 == 1 {
			o.Kind, option = byAt, publisher.At(o.Due)
		}
		if err := s.pub.Publish(s.ctx, s.queue, o, publisher.MessageID(o.ID), option); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// await waits until each order has been handled when it was due, at most so late, and no earlier.
func (s *scene) await(orders []order, late time.Duration) {
	s.t.Helper()
	var a account
	amqptest.Eventually(s.t, 30*time.Second, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		a = audit(orders, s.of(orders), time.Time{})
		return len(a.lost) == 0
	}, "not all orders were handled")
	if len(a.early) > 0 || a.lateness(1) > late {
		s.t.Errorf("%s, early: %v", a, a.early)
	}
}

// of returns the runs of these orders.
func (s *scene) of(orders []order) (runs []run) {
	for _, r := range s.runs {
		for _, o := range orders {
			if r.id == o.ID {
				runs = append(runs, r)
			}
		}
	}
	return runs
}

// body is the payload of an order.
func body(t *testing.T, o order) []byte {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
