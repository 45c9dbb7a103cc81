package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// witness is an Overseer that notes what it is told. Begins takes as long as wait.
type witness struct {
	wait  time.Duration
	order consumer.Order

	mu   sync.Mutex
	told []string
	at   int // calls of Begins under way
	most int
	bad  error
}

func (w *witness) Begins(ctx context.Context, c *consumer.Consumer) {
	w.mu.Lock()
	w.at++
	w.most = max(w.most, w.at)
	w.mu.Unlock()
	if h := c.Health(); h.Subscribed {
		w.bad = errors.New("it is subscribed before Begins has returned")
	}
	select {
	case <-time.After(w.wait):
	case <-ctx.Done():
	}
	c.Obey(w.order)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at--
	w.told = append(w.told, "begins "+c.Name())
}

func (w *witness) Ends(c *consumer.Consumer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := c.Health(); h.Subscribed || h.Running > 0 {
		w.bad = fmt.Errorf("it ends and works: %+v", h)
	}
	w.told = append(w.told, "ends "+c.Name())
}

func (w *witness) want(t *testing.T, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.told, ", "); got != strings.Join(want, ", ") || w.bad != nil {
		t.Errorf("it was told %s, want %s; %v", got, strings.Join(want, ", "), w.bad)
	}
}

func (l *lab) overseen(p *simulated.Process, o consumer.Overseer, handler consumer.Handler, queues ...string) *consumer.Group {
	l.Helper()
	var all []*consumer.Consumer
	for _, q := range queues {
		all = append(all, l.member(p, q, handler))
	}
	g, err := consumer.NewGroup(all...)
	l.must(err)
	g.Oversee(nil)
	g.Oversee(o)
	return g
}

func (l *lab) member(p *simulated.Process, queue string, handler consumer.Handler) *consumer.Consumer {
	l.Helper()
	c, err := consumer.New(connection.Over(p), consumer.Spec{Queue: queue, Handler: handler, Concurrency: 4}, monitoring.Nop{}, quietLog)
	l.must(err)
	return c
}

func TestAnOverseerIsToldBeforeAConsumerStartsAndAfterItHasStopped(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		w := &witness{order: consumer.Order{Paused: true}}
		p := l.process("p")
		var ran begins
		g := l.overseen(p, w, ran.handler(5*time.Second), "orders")
		l.declare(consumer.Spec{Queue: "orders", Handler: ack})
		l.publishMany("orders", 3)
		l.must(g.Start(context.Background()))
		time.Sleep(10 * time.Second)
		if ran.count() > 0 || !g.Consumer("orders").Health().PausedByOrder {
			l.Error("a consumer that an order pauses has begun messages")
		}
		w.want(l.T, "begins orders")
		l.must(g.AddConsumer(context.Background(), l.member(p, "invoices", ack)))
		w.want(l.T, "begins orders", "begins invoices")
		g.Consumer("orders").Obey(consumer.Order{})
		time.Sleep(time.Second) // three handlers run for 5 s
		l.must(g.Remove(context.Background(), "orders"))
		w.want(l.T, "begins orders", "begins invoices", "ends orders")
		l.stopGroup(g)
		l.stopGroup(g)
		w.want(l.T, "begins orders", "begins invoices", "ends orders", "ends invoices")
	})
}

func TestAnOverseerIsToldOfTheEndOfWhatCouldNotStart(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		w := &witness{}
		p := l.process("p")
		g := l.overseen(p, w, ack)
		l.must(g.Start(context.Background()))
		l.sim.Restart(time.Hour) // no broker
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if g.AddConsumer(ctx, l.member(p, "orders", ack)) == nil {
			l.Error("it was added without a broker")
		}
		w.want(l.T, "begins orders", "ends orders")
		l.stopGroup(g)
		// A start that fails.
		g = l.overseen(p, w, ack, "orders")
		ctx, cancel = context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if g.Start(ctx) == nil {
			l.Error("it was started without a broker")
		}
		w.want(l.T, "begins orders", "ends orders", "begins orders", "ends orders")
	})
}

func TestAStopEndsTheContextOfAnOverseerThatTakesLong(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		w := &witness{wait: time.Hour}
		g := l.overseen(l.process("p"), w, ack, "orders")
		started := make(chan error, 1)
		go func() { started <- g.Start(context.Background()) }()
		time.Sleep(time.Second)
		began := time.Now()
		l.stopGroup(g)
		if <-started == nil || time.Since(began) > time.Second {
			l.Errorf("it was started, or stopped after %s", time.Since(began))
		}
		w.want(l.T, "begins orders", "ends orders")
	})
}

func TestOverseersAreToldOfManyAtOnce(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		w := &witness{wait: time.Second}
		var queues []string
		for i := range 50 { // more than may start at once
			queues = append(queues, fmt.Sprint("queue", i))
		}
		g := l.overseen(l.process("p"), w, ack, queues...)
		began := time.Now()
		l.must(g.Start(context.Background()))
		if w.most != 50 || time.Since(began) > 3*time.Second {
			l.Errorf("%d at once, and it took %s", w.most, time.Since(began))
		}
		l.stopGroup(g)
		ends := 0
		for _, one := range w.told {
			if strings.HasPrefix(one, "ends") {
				ends++
			}
		}
		if ends != 50 {
			l.Errorf("%d ends", ends)
		}
	})
}

func TestAnFxAppGathersItsOverseers(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		w := &witness{order: consumer.Order{Limit: 1}}
		var g *consumer.Group
		app := fxtest.New(t, fx.NopLogger,
			fx.Supply(connection.Over(l.process("p"))),
			fx.Provide(fx.Annotate(func() consumer.Overseer { return w }, fx.ResultTags(`group:"bunnicula.overseers"`))),
			consumer.Provide(func() consumer.Spec { return consumer.Spec{Queue: "orders", Handler: ack} }),
			consumer.Module, fx.Populate(&g),
		)
		app.RequireStart()
		if h := g.Health()[0]; h.Limit != 1 {
			l.Errorf("%+v", h)
		}
		app.RequireStop()
		w.want(t, "begins orders", "ends orders")
	})
}
