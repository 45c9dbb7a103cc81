package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestWhatIsAddedBeforeTheStartStartsWithTheOthers(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g, err := consumer.NewGroup()
		l.must(err)
		for _, queue := range []string{"orders", "acme", "gone"} {
			l.must(g.AddConsumer(ended(), l.newOne(p, consumer.Spec{Queue: queue}))) // nothing is waited for
		}
		l.must(g.Remove(context.Background(), "gone"))
		if wantNames(t, g, "orders acme"); l.sim.Consumers("orders") != 0 || g.Ready() {
			t.Error("it has begun")
		}
		l.must(g.Start(context.Background()))
		if l.sim.Consumers("orders") != 1 || l.sim.Consumers("acme") != 1 || l.sim.Consumers("gone") != 0 || !g.Ready() {
			t.Errorf("%+v", g.Health())
		}
		l.stopGroup(g)
	})
}

func TestAddAndRemoveWhileTheGroupStarts(t *testing.T) {
	for name, row := range map[string]struct {
		down time.Duration // of the broker
		ok   bool
	}{"which succeeds": {10 * time.Second, true}, "which fails": {time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				p := l.process("worker")
				g, err := consumer.NewGroup(l.newOne(p, consumer.Spec{Queue: "orders"}), l.newOne(p, consumer.Spec{Queue: "emails"}))
				l.must(err)
				l.sim.Restart(row.down)
				started, added := make(chan error, 1), make(chan error, 1)
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				go func() { started <- g.Start(ctx) }()
				time.Sleep(time.Second)
				go func() { added <- g.AddConsumer(context.Background(), l.newOne(p, consumer.Spec{Queue: "acme"})) }()
				time.Sleep(time.Second)
				l.must(g.Remove(context.Background(), "emails")) // no reason for the others to fail
				start, add := <-started, <-added
				if row.ok {
					l.must(errors.Join(start, add))
					if wantNames(t, g, "orders acme"); !g.Ready() {
						t.Errorf("%+v", g.Health())
					}
				} else {
					wantError(t, start, `consumer "orders": start: `)
					wantError(t, add, `consumer "acme": add: the group was stopped`)
					wantNames(t, g, "orders")
				}
				l.stopGroup(g)
				if n := l.sim.Consumers("acme") + l.sim.Consumers("orders"); n != 0 {
					t.Errorf("%d still consume", n)
				}
			})
		})
	}
}

func TestAfterAStopNothingIsAdded(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		l.stopGroup(g)
		err := g.AddConsumer(context.Background(), l.newOne(p, consumer.Spec{Queue: "acme"}))
		wantError(t, err, `consumer "acme": add: the group was stopped`)
		wantNames(t, g, "orders")
		wantError(t, g.Start(context.Background()), "the group was stopped, make a new one")
		l.must(g.Remove(context.Background(), "orders"))
		wantNames(t, g, "")
	})
}

func TestASecondStartOfAGroupChangesNothing(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		g := l.group(l.process("worker"), "orders")
		wantError(t, g.Start(context.Background()), "the group was started before")
		if !g.Ready() || l.sim.Consumers("orders") != 1 {
			t.Errorf("%+v", g.Health())
		}
		l.stopGroup(g)
	})
}

// More than have a turn at once, so that some wait for one.
func TestAStopDuringAddsNeitherHangsNorLeavesAConsumer(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		l.sim.Restart(time.Hour)
		errs := make(chan error, 40)
		for i := range cap(errs) {
			go func() {
				errs <- g.AddConsumer(context.Background(), l.newOne(p, consumer.Spec{Queue: fmt.Sprint("queue", i)}))
			}()
		}
		time.Sleep(10 * time.Second)
		began := time.Now()
		l.stopGroup(g)
		for range cap(errs) {
			wantError(t, <-errs, `consumer "queue`, "add: the group was stopped")
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		wantNames(t, g, "orders")
	})
}

func TestAConsumerThatFailsLaterStaysInTheGroup(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		l.declare(consumer.Spec{Queue: "acme", Handler: ack})
		l.must(g.AddConsumer(context.Background(), l.newOne(p, consumer.Spec{Queue: "acme", Declare: topology.Never, Backoff: []time.Duration{time.Hour}})))
		l.sim.Delete("acme")
		time.Sleep(time.Minute)
		if wantNames(t, g, "orders acme"); g.Ready() || g.Health()[1].Err == nil {
			t.Errorf("%+v", g.Health())
		}
		l.declare(consumer.Spec{Queue: "acme", Handler: ack})
		time.Sleep(time.Minute)
		if !g.Ready() {
			t.Errorf("%+v", g.Health())
		}
		l.stopGroup(g)
	})
}

func TestAddOnALazyConnectionDoesNotWaitForTheBroker(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("web")
		p.SetLazy()
		g := l.group(p)
		l.sim.Restart(time.Minute)
		began := time.Now()
		l.must(g.AddConsumer(ended(), l.newOne(p, consumer.Spec{Queue: "acme"})))
		if took := time.Since(began); took > time.Millisecond {
			t.Errorf("it took %s", took)
		}
		if wantNames(t, g, "acme"); g.Ready() {
			t.Error("it is ready without a broker")
		}
		time.Sleep(2 * time.Minute)
		if !g.Ready() {
			t.Errorf("%+v", g.Health())
		}
		l.stopGroup(g)
	})
}

// Two hundred customers at once are no more of a burden for the broker than two hundred of a Start.
func TestAtMostSixteenConsumersOfOneConnectionStartAtOnce(t *testing.T) {
	var mu sync.Mutex
	starting, most := map[string]bool{}, 0
	o := usual
	o.Faults = func(s simulated.Step) simulated.Fault {
		mu.Lock()
		defer mu.Unlock()
		main := strings.HasPrefix(s.Queue, "queue") && !strings.Contains(s.Queue, "-")
		switch {
		case main && s.Kind == "declare":
			starting[s.Queue] = true
			most = max(most, len(starting))
		case main && s.Kind == "consume":
			delete(starting, s.Queue)
		}
		return simulated.Fault{}
	}
	inLab(t, o, func(l *lab) {
		p := l.process("worker")
		g := l.group(p)
		errs := make(chan error, 200)
		for i := range cap(errs) {
			go func() {
				errs <- g.AddConsumer(context.Background(), l.newOne(p, consumer.Spec{Queue: fmt.Sprint("queue", i)}))
			}()
		}
		for range cap(errs) {
			l.must(<-errs)
		}
		if mu.Lock(); most > 16 || most < 8 {
			t.Errorf("%d started at once, want up to 16", most)
		}
		mu.Unlock()
		if !g.Ready() || len(g.Consumers()) != 200 {
			t.Errorf("%d consumers", len(g.Consumers()))
		}
		l.stopGroup(g)
	})
}

func TestAddsThatWaitForOneBrokerDoNotKeepThoseOfAnotherWaiting(t *testing.T) {
	inLab(t, away, func(l *lab) {
		g := l.group(l.process("worker"), "orders")
		lonely := l.process(nowhere)
		ctx, cancel := context.WithCancel(context.Background())
		var adds sync.WaitGroup
		for i := range 20 {
			adds.Go(func() {
				if g.AddConsumer(ctx, l.newOne(lonely, consumer.Spec{Queue: fmt.Sprint("queue", i), Connection: "away"})) == nil {
					t.Error("it was added without a broker")
				}
			})
		}
		time.Sleep(10 * time.Second)
		here, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		l.must(g.AddConsumer(here, l.newOne(l.process("here"), consumer.Spec{Queue: "acme", Connection: "here"})))
		cancel()
		adds.Wait()
		wantNames(t, g, "orders acme")
		l.stopGroup(g)
	})
}

// What was a large group when it started may be a small one when it stops.
