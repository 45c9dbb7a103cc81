package consumer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

func TestWhatCannotBeAddedOrRemovedIsNamed(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		g := l.group(l.process("worker"), "orders")
		wantError(t, g.AddConsumer(context.Background(), nil), "consumer: add: it is nil")
		wantError(t, g.RemoveConsumer(context.Background(), nil), "consumer: remove: it is nil")
		_, err := g.Add(context.Background(), consumer.Spec{Queue: "acme", Handler: ack})
		wantError(t, err, `consumer "acme": add: `, "AddConsumer")
		onNothing, err := consumer.New(nil, consumer.Spec{Queue: "acme", Handler: ack}, nil, nil)
		l.must(err)
		wantError(t, g.AddConsumer(context.Background(), onNothing), `consumer "acme": there is no connection to start on`)
		for _, err := range []error{g.Remove(context.Background(), "acme"), g.RemoveConsumer(context.Background(), onNothing)} {
			if wantError(t, err, `consumer "acme": remove: `); !errors.Is(err, consumer.ErrNotInGroup) {
				t.Errorf("the error is %v", err)
			}
		}
		wantError(t, g.AddConsumer(context.Background(), g.Consumer("orders")), "in the group already")
		if wantNames(t, g, "orders"); !g.Ready() {
			t.Errorf("a consumer that was added twice does not run: %+v", g.Health())
		}
		l.stopGroup(g)
	})
}

func TestOfManyRemovesAtOnceOneWinsAndTheQueueIsFreeWhenItReturns(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		slow := consumer.Spec{Queue: "acme", Handler: func(context.Context, consumer.Delivery) consumer.Result {
			time.Sleep(5 * time.Second)
			return consumer.Ack()
		}}
		l.must(g.AddConsumer(context.Background(), l.newOne(p, slow)))
		l.publish("acme", "a")
		time.Sleep(time.Second)
		removed := make(chan error, 10)
		for range cap(removed) {
			go func() { removed <- g.Remove(context.Background(), "acme") }()
		}
		synctest.Wait()
		wantNames(t, g, "orders") // from the beginning of Remove on
		if !g.Ready() {
			t.Error("a consumer that is removed makes the group not ready")
		}
		wantError(t, g.AddConsumer(context.Background(), l.newOne(p, slow)), `queue "acme": consumer "acme" is being removed`)
		won := 0
		for range cap(removed) {
			err := <-removed
			if err == nil {
				won++
				l.must(g.AddConsumer(context.Background(), l.newOne(p, slow)))
				continue
			}
			wantError(t, err, `consumer "acme": remove: it is being removed already`)
		}
		if wantNames(t, g, "orders acme"); won != 1 {
			t.Errorf("%d have won", won)
		}
		l.stopGroup(g)
	})
}

func TestTwoConnectionsMayHaveAConsumerOfOneNameAndEachCanBeRemoved(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		g := l.group(l.process("worker"), "orders")
		billing := l.newOne(l.process("billing"), consumer.Spec{Queue: "orders-of-billing", Name: "orders", Connection: "billing"})
		l.must(g.AddConsumer(context.Background(), billing))
		first := g.Consumers()[0]
		wantError(t, g.Remove(context.Background(), "orders"), `consumer "orders": remove: `, `"" and "billing"`, "RemoveConsumer")
		l.must(g.RemoveConsumer(context.Background(), billing))
		if all := g.Consumers(); len(all) != 1 || all[0] != first || l.sim.Consumers("orders-of-billing") != 0 || l.sim.Consumers("orders") != 1 {
			t.Errorf("the group has %d consumers", len(all))
		}
		l.must(g.Remove(context.Background(), "orders"))
		wantNames(t, g, "")
		l.stopGroup(g)
	})
}

func TestARemoveWhoseContextEndsHasRemovedAndGivesBackWhatIsNotDone(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		free := make(chan struct{})
		spec := consumer.Spec{Queue: "acme", Concurrency: 2, Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			if d.MessageID == "deaf" {
				<-free
				return consumer.Ack()
			}
			<-ctx.Done()
			return consumer.Retry(context.Cause(ctx))
		}}
		l.must(g.AddConsumer(context.Background(), l.newOne(p, spec)))
		l.publish("acme", "obedient", "deaf")
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := g.Remove(ctx, "acme")
		if wantError(t, err, `consumer "acme": stop: 1 handlers still run`); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		wantNames(t, g, "orders")
		time.Sleep(time.Second)
		l.wantDepths(map[string]int{"acme": 2}) // both wait
		if err := g.Remove(context.Background(), "acme"); !errors.Is(err, consumer.ErrNotInGroup) {
			t.Errorf("the error is %v", err)
		}
		var handled tally
		spec.Handler = func(ctx context.Context, d consumer.Delivery) consumer.Result { return handled.handle(ctx, d, 0) }
		l.must(g.AddConsumer(context.Background(), l.newOne(p, spec)))
		l.wait(10*time.Second, "handled", func() bool { return handled.messages("") == 2 })
		l.stopGroup(g)
		close(free)
	})
}

func TestAStopDuringARemoveWaitsForItsHandlers(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("worker")
		g := l.group(p, "orders")
		var handled tally
		l.must(g.AddConsumer(context.Background(), l.newOne(p, consumer.Spec{Queue: "acme", Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			return handled.handle(ctx, d, 5*time.Second)
		}})))
		l.publish("acme", "a")
		time.Sleep(time.Second)
		removed := make(chan error, 1)
		go func() { removed <- g.Remove(context.Background(), "acme") }()
		synctest.Wait()
		began := time.Now()
		l.stopGroup(g)
		if took := time.Since(began); took < 3*time.Second {
			t.Errorf("it took %s, and the handler had 4s to go", took)
		}
		l.must(<-removed)
		l.wantDepths(map[string]int{"acme": 0})
	})
}

func TestAHandlerIsToldThatItCannotWaitForItsOwnRemoval(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"bounded": time.Minute, "unbounded": consumer.NoTimeout} {
		t.Run(name, func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				p := l.process("worker")
				g := l.group(p, "orders")
				type key struct{}
				ways := map[string]func(context.Context) error{
					"by name":         func(ctx context.Context) error { return g.Remove(ctx, "acme") },
					"of another":      func(ctx context.Context) error { return g.Remove(ctx, "orders") },
					"in a goroutine":  nil,
					"of the consumer": func(ctx context.Context) error { return g.RemoveConsumer(ctx, g.Consumer("acme")) },
				}
				if timeout != consumer.NoTimeout {
					ways["with a value"] = func(ctx context.Context) error { return g.Remove(context.WithValue(ctx, key{}, 1), "acme") }
				}
				told, later := make(chan error, 1), make(chan error, 1)
				spec := consumer.Spec{Queue: "acme", Timeout: timeout, Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
					if way := ways[d.MessageID]; way != nil {
						told <- way(ctx)
						return consumer.Ack()
					}
					other, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
					go func() {
						defer cancel()
						later <- g.Remove(other, "acme")
					}()
					return consumer.Ack()
				}}
				l.must(g.AddConsumer(context.Background(), l.newOne(p, spec)))
				for way := range ways {
					if way == "in a goroutine" {
						continue
					}
					l.publish("acme", way)
					var err error
					select {
					case err = <-told:
					case <-time.After(30 * time.Second):
						t.Errorf("%s: it waits for itself", way)
						ctx, cancel := context.WithTimeout(context.Background(), time.Second)
						defer cancel()
						_ = g.Stop(ctx)
						return
					}
					switch {
					case way == "of another":
						l.must(err)
					case !errors.Is(err, consumer.ErrOwnHandler):
						t.Errorf("%s: the error is %v", way, err)
					}
				}
				wantNames(t, g, "acme")
				l.publish("acme", "in a goroutine")
				l.must(<-later)
				wantNames(t, g, "")
				l.wantDepths(map[string]int{"acme": 0})
				l.stopGroup(g)
			})
		})
	}
}
