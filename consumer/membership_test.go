package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// newOne makes a consumer that no end of a test stops: it is for a Group.
func (l *lab) newOne(p *simulated.Process, spec consumer.Spec) *consumer.Consumer {
	l.Helper()
	if spec.Handler == nil {
		spec.Handler = ack
	}
	c, err := consumer.New(connection.Over(p), spec, monitoring.Nop{}, quietLog)
	l.must(err)
	return c
}

// group is a Group of these queues that has started.
func (l *lab) group(p *simulated.Process, queues ...string) *consumer.Group {
	l.Helper()
	var all []*consumer.Consumer
	for _, queue := range queues {
		all = append(all, l.newOne(p, consumer.Spec{Queue: queue}))
	}
	g, err := consumer.NewGroup(all...)
	l.must(err)
	l.must(g.Start(context.Background()))
	return g
}

// stopGroup stops a Group, which is to take no longer than 10 s.
func (l *lab) stopGroup(g *consumer.Group) {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	l.must(g.Stop(ctx))
}

// namesOf are the names of the consumers of a Group, which everything that tells of them has to
// agree about.
func namesOf(t *testing.T, g *consumer.Group) string {
	t.Helper()
	var consumers, health, plans, metrics []string
	for _, c := range g.Consumers() {
		consumers = append(consumers, c.Name())
	}
	for _, h := range g.Health() {
		health = append(health, h.Name)
	}
	for _, p := range g.Plans() {
		plans = append(plans, p.Queue)
	}
	g.Metrics(func(name string, _ float64, labels ...string) {
		if name == "consumer_up" {
			metrics = append(metrics, labels[1])
		}
	})
	for what, names := range map[string][]string{"Health": health, "Plans": plans, "Metrics": metrics} {
		if !slices.Equal(names, consumers) {
			t.Errorf("%s tells of %q, Consumers of %q", what, names, consumers)
		}
	}
	return strings.Join(consumers, " ")
}

func wantNames(t *testing.T, g *consumer.Group, want string) {
	t.Helper()
	if got := namesOf(t, g); got != want {
		t.Errorf("in the group are %q, want %q", got, want)
	}
}

func TestAConsumerThatIsAddedHandlesItsMessagesUntilItIsRemovedAndAfterItIsAddedAgain(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		var handled tally
		customer := consumer.Spec{Queue: "acme", Concurrency: 1, Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			return handled.handle(ctx, d, 3*time.Second)
		}}
		l.must(g.AddConsumer(context.Background(), l.newOne(p, customer)))
		wantNames(t, g, "orders acme")
		if !g.Ready() {
			t.Errorf("not ready: %+v", g.Health())
		}
		l.publishMany("acme", 3)
		l.wait(10*time.Second, "begun", func() bool { return handled.of("acme1") == 1 })

		began := time.Now()
		l.must(g.Remove(context.Background(), "acme"))
		if took := time.Since(began); took < 2*time.Second || took > 4*time.Second {
			t.Errorf("Remove took %s, and the handler that it waits for 3s", took)
		}
		wantNames(t, g, "orders")
		if g.Consumer("acme") != nil || !g.Ready() {
			t.Errorf("%+v", g.Health())
		}
		time.Sleep(time.Minute)
		l.wantDepths(map[string]int{"acme": 2}) // they wait
		if n := handled.messages("acme"); n != 1 {
			t.Errorf("%d messages were begun, want the one before Remove", n)
		}

		l.must(g.AddConsumer(context.Background(), l.newOne(p, customer)))
		l.wait(10*time.Second, "handled", func() bool { return handled.messages("acme") == 3 })
		l.stopGroup(g)
		l.wantDepths(map[string]int{"acme": 0})
	})
}

func TestAddRefusesWhatStandsInTheWayOfAConsumerOfTheGroup(t *testing.T) {
	minute := []time.Duration{time.Minute}
	for name, row := range map[string]struct {
		spec    consumer.Spec
		want    []string
		inGroup bool
	}{
		"its queue":                  {spec: consumer.Spec{Queue: "orders"}, want: []string{`queue "orders"`}, inGroup: true},
		"its queue by another name":  {spec: consumer.Spec{Queue: "orders", Name: "again"}, want: []string{`consumer "again"`, `queue "orders"`, `consumer "orders"`}, inGroup: true},
		"its name":                   {spec: consumer.Spec{Queue: "acme", Name: "orders"}, want: []string{`"orders"`, "two of this name"}},
		"its error queue":            {spec: consumer.Spec{Queue: "orders-error"}, want: []string{`"orders-error"`, "error queue"}},
		"its retry queue":            {spec: consumer.Spec{Queue: "orders-retry-1m"}, want: []string{`"orders-retry-1m"`, "retry queue"}},
		"its queue as an error one":  {spec: consumer.Spec{Queue: "acme", ErrorQueue: "orders"}, want: []string{`"orders"`, "error queue"}},
		"its error queue, but other": {spec: consumer.Spec{Queue: "acme", ErrorQueue: "orders-error", QueueType: topology.Classic}, want: []string{`"orders-error"`}},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				p := l.process("worker")
				g, err := consumer.NewGroup(l.newOne(p, consumer.Spec{Queue: "orders", Backoff: minute}))
				l.must(err)
				for _, started := range []bool{false, true} {
					if started {
						l.must(g.Start(context.Background()))
					}
					err = g.AddConsumer(context.Background(), l.newOne(p, row.spec))
					wantError(t, err, append(row.want, "add: ")...)
					if errors.Is(err, consumer.ErrInGroup) != row.inGroup {
						t.Errorf("is it ErrInGroup? %v", err)
					}
					wantNames(t, g, "orders")
				}
				// Another connection is another broker.
				row.spec.Connection = "billing"
				billing := simulated.New(usual).Process("billing")
				l.must(g.AddConsumer(context.Background(), l.newOne(billing, row.spec)))
				l.stopGroup(g)
				l.must(billing.Stop(ended()))
			})
		})
	}
}

// One that shares nothing but an exchange, which it declares in another way.
func TestAddRefusesAnExchangeOfAnotherKind(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		bound := func(queue, kind string) consumer.Spec {
			return consumer.Spec{Queue: queue, Bindings: []topology.Bind{{Exchange: "shop", Kind: kind, Keys: []string{"x"}}}}
		}
		g, err := consumer.NewGroup(l.newOne(p, bound("orders", "direct")))
		l.must(err)
		wantError(t, g.AddConsumer(context.Background(), l.newOne(p, bound("acme", "topic"))), `"acme"`, `exchange "shop"`, "direct", "topic")
		l.must(g.AddConsumer(context.Background(), l.newOne(p, bound("acme", "direct"))))
		l.stopGroup(g)
	})
}

func TestOfManyAddsOfOneQueueAtOnceOneWins(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		errs := make(chan error, 20)
		for i := range cap(errs) {
			go func() {
				errs <- g.AddConsumer(context.Background(), l.newOne(p, consumer.Spec{Queue: "acme", Name: fmt.Sprint("acme", i)}))
			}()
		}
		won := 0
		for range cap(errs) {
			if err := <-errs; err == nil {
				won++
			} else {
				wantError(t, err, `queue "acme": consumer "acme`)
			}
		}
		if won != 1 || l.sim.Consumers("acme") != 1 || len(g.Consumers()) != 2 {
			t.Errorf("%d have won, the queue has %d subscriptions, and the group %d consumers", won, l.sim.Consumers("acme"), len(g.Consumers()))
		}
		l.stopGroup(g)
	})
}

// nowhere is a process that never gets a connection, and its broker.
const nowhere = "nowhere"

var away = simulated.Options{Version: simulated.RabbitMQ4, Latency: time.Millisecond, Faults: func(s simulated.Step) simulated.Fault {
	if s.Kind == "dial" && s.Process == nowhere {
		return simulated.Fault{Kind: simulated.Cut}
	}
	return simulated.Fault{}
}}

func TestAnAddWhileTheBrokerIsAwayWaitsUntilItsContextEndsAndLeavesNothing(t *testing.T) {
	inLab(t, away, func(l *lab) {
		g := l.group(l.process("worker"), "orders")
		lonely := l.process(nowhere) // each dial of it is refused
		for range 2 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			began := time.Now()
			err := g.AddConsumer(ctx, l.newOne(lonely, consumer.Spec{Queue: "acme", Connection: "away"}))
			cancel()
			wantError(t, err, `consumer "acme": start: `, "connection refused")
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took < time.Minute || took > time.Minute+2*time.Second {
				t.Errorf("%v after %s", err, took)
			}
			wantNames(t, g, "orders")
		}
		l.must(g.AddConsumer(context.Background(), l.newOne(l.process("acme"), consumer.Spec{Queue: "acme"})))
		l.stopGroup(g)
	})
}

func TestAnAddSucceedsWhenTheBrokerComesBack(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		l.sim.Restart(20 * time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		l.must(g.AddConsumer(ctx, l.newOne(p, consumer.Spec{Queue: "acme"})))
		cancel() // it bounds the start, and nothing after it
		time.Sleep(10 * time.Second)
		if wantNames(t, g, "orders acme"); !g.Ready() {
			t.Errorf("%+v", g.Health())
		}
		l.stopGroup(g)
	})
}

// Before an Add has succeeded its consumer is in no probe: the app is as ready as it was.
func TestAConsumerThatIsBeingAddedIsNotInTheGroupYet(t *testing.T) {
	inLab(t, away, func(l *lab) {
		g := l.group(l.process("worker"), "orders")
		ctx, cancel := context.WithCancel(context.Background())
		added := make(chan error, 1)
		go func() {
			added <- g.AddConsumer(ctx, l.newOne(l.process(nowhere), consumer.Spec{Queue: "acme", Connection: "away"}))
		}()
		time.Sleep(10 * time.Second)
		if wantNames(t, g, "orders"); !g.Ready() || g.Consumer("acme") != nil {
			t.Errorf("%+v", g.Health())
		}
		wantError(t, g.Remove(context.Background(), "acme"), `consumer "acme": remove: it is being added`)
		cancel()
		if err := <-added; !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		if err := g.Remove(context.Background(), "acme"); !errors.Is(err, consumer.ErrNotInGroup) {
			t.Errorf("the error is %v", err)
		}
		l.stopGroup(g)
	})
}

func TestAQueueThatExistsWithOtherArgumentsIsNotAddedUntilThatIsMended(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		l.declare(consumer.Spec{Queue: "acme", QueueType: topology.Classic, Handler: ack})
		for range 2 {
			err := g.AddConsumer(context.Background(), l.newOne(p, consumer.Spec{Queue: "acme"}))
			var mismatch *topology.MismatchError
			if wantError(t, err, `consumer "acme": start: `, `"acme"`); !errors.As(err, &mismatch) {
				t.Errorf("the error is no MismatchError: %v", err)
			}
			if wantNames(t, g, "orders"); !g.Ready() || l.sim.Consumers("acme") != 0 {
				t.Errorf("%+v", g.Health())
			}
		}
		for _, queue := range l.newOne(p, consumer.Spec{Queue: "acme"}).Topology().Names() {
			l.sim.Delete(queue)
		}
		l.must(g.AddConsumer(context.Background(), l.newOne(p, consumer.Spec{Queue: "acme"})))
		wantNames(t, g, "orders acme")
		l.stopGroup(g)
	})
}
