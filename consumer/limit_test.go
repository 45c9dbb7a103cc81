package consumer_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

// begins notes how many handlers run as each begins.
type begins struct {
	mu      sync.Mutex
	running int
	at      []int
	ids     map[string]int
}

func (b *begins) begin(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ids == nil {
		b.ids = map[string]int{}
	}
	b.running++
	b.ids[id]++
	b.at = append(b.at, b.running)
}

func (b *begins) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
}

// since returns how many have begun after the first n, and how many ran at most as one of them
// began.
func (b *begins) since(n int) (began, most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	late := b.at[n:]
	if len(late) == 0 {
		return 0, 0
	}
	return len(late), slices.Max(late)
}

func (b *begins) count() int { n, _ := b.since(0); return n }

// wantOnce asserts that each message was handled once.
func (b *begins) wantOnce(t *testing.T, n int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ids) != n {
		t.Errorf("%d messages were handled, want %d", len(b.ids), n)
	}
	for id, times := range b.ids {
		if times != 1 {
			t.Errorf("%s was handled %d times", id, times)
		}
	}
}

func (b *begins) handler(work time.Duration) consumer.Handler {
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		b.begin(d.MessageID)
		defer b.end()
		time.Sleep(work)
		return consumer.Ack()
	}
}

func TestALowerLimitLetsRunningHandlersGoOnAndAHigherOneIsUsedAtOnce(t *testing.T) {
	for name, prefetch := range map[string]int{"open": 0, "set": 8, "set, and large": 100} {
		t.Run(name, func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				var ran begins
				c := l.start(l.process("p"), consumer.Spec{Queue: "orders", Concurrency: 8, Prefetch: prefetch, Handler: ran.handler(10 * time.Second)})
				l.publishMany("orders", 60)
				time.Sleep(time.Second)
				l.must(c.Limit(2))
				time.Sleep(5 * time.Second)
				if n := ran.count(); n != 8 || c.Health().Running != 8 {
					l.Errorf("%d have begun, and %d run", n, c.Health().Running)
				}
				time.Sleep(23 * time.Second) // the 8 end at 10 s, and two more each 10 s
				if began, most := ran.since(8); began != 4 || most != 2 {
					l.Errorf("%d have begun since, %d of them at once", began, most)
				}
				if h := c.Health(); h.Workers != 2 || h.Limit != 2 || !h.Ready {
					l.Errorf("%+v", h)
				}
				l.must(c.Limit(5))
				time.Sleep(100 * time.Millisecond)
				if n := c.Health().Running; n != 5 {
					l.Errorf("%d run after the limit was raised", n)
				}
				l.must(c.Limit(0))
				time.Sleep(100 * time.Millisecond)
				if n := c.Health().Running; n != 8 {
					l.Errorf("%d run after the limit was lifted", n)
				}
				l.wait(5*time.Minute, "handled", func() bool { return ran.count() == 60 })
				time.Sleep(time.Minute)
				ran.wantOnce(t, 60)
				l.wantDepths(map[string]int{"orders": 0, "orders-error": 0, "orders-quarantine": 0})
			})
		})
	}
}

// What was taken ahead for many handlers goes to other processes when only a few may run.
func TestWhatALimitLeavesGoesToOtherProcesses(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var ran begins
		spec := consumer.Spec{Queue: "orders", Concurrency: 10, Prefetch: 100, Handler: ran.handler(time.Second)}
		c := l.start(l.process("p"), spec)
		l.publishMany("orders", 100)
		time.Sleep(500 * time.Millisecond)
		l.must(c.Limit(1))
		l.start(l.process("q"), spec)
		l.wait(25*time.Second, "handled", func() bool { return ran.count() == 100 }) // alone it would take 90 s
		time.Sleep(time.Minute)
		ran.wantOnce(t, 100)
		if h := c.Health(); h.Prefetch != 10 || !h.Ready {
			l.Errorf("%+v", h)
		}
	})
}

func TestStuckHandlersTakeTheSlotsOfALimit(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var ran begins
		free := make(chan struct{})
		c := l.start(l.process("p"), consumer.Spec{
			Queue: "orders", Concurrency: 3, Timeout: time.Second, Grace: time.Second,
			Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
				ran.begin(d.MessageID)
				defer ran.end()
				if strings.HasPrefix(d.MessageID, "stuck") {
					<-free
				}
				return consumer.Ack()
			},
		})
		l.must(c.Limit(2))
		l.publish("orders", "stuck1")
		time.Sleep(5 * time.Second)
		l.publishMany("orders", 20)
		time.Sleep(time.Second)
		if began, most := ran.since(1); began != 20 || most != 2 {
			l.Errorf("beside a stuck one %d have begun, %d at once", began, most)
		}
		l.must(c.Limit(1))
		time.Sleep(time.Second)
		l.publish("orders", "late")
		time.Sleep(10 * time.Second)
		if h := c.Health(); h.Ready || h.Subscribed || ran.count() != 21 {
			l.Errorf("%+v, %d have begun", h, ran.count())
		}
		l.wantDepths(map[string]int{"orders": 1})
		l.must(c.Limit(3))
		time.Sleep(time.Second)
		if ran.count() != 22 || !c.Health().Ready {
			l.Errorf("%d have begun, %+v", ran.count(), c.Health())
		}
		close(free)
	})
}

func TestASuspectIsHandledWithAnyLimit(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var ran begins
		c := l.start(l.process("p"), consumer.Spec{Queue: "orders", Concurrency: 6, Handler: ran.handler(300 * time.Millisecond)})
		l.publishMany("orders", 100)
		time.Sleep(200 * time.Millisecond) // six run
		l.must(c.Limit(1))
		n := ran.count()
		for i := range 5 {
			l.publish("orders-quarantine", fmt.Sprint("suspect", i))
		}
		l.wait(2*time.Minute, "handled", func() bool { return ran.count() == 105 })
		time.Sleep(time.Minute)
		ran.wantOnce(t, 105)
		if _, most := ran.since(n); most > 6 {
			l.Errorf("%d at once", most)
		}
		if _, most := ran.since(n + 6); most != 1 {
			l.Errorf("%d at once", most)
		}
		l.wantDepths(map[string]int{"orders": 0, "orders-quarantine": 0})
	})
}

func TestAHandlerThatEndsItsGoroutineFreesItsWorkerForTheLimit(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var ran begins
		c := l.start(l.process("p"), consumer.Spec{
			Queue: "orders", Concurrency: 4, MaxRetries: consumer.NoRetries,
			Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
				ran.begin(d.MessageID)
				defer ran.end()
				time.Sleep(time.Second)
				runtime.Goexit()
				return consumer.Ack()
			},
		})
		l.publishMany("orders", 20)
		time.Sleep(500 * time.Millisecond)
		l.must(c.Limit(1))
		time.Sleep(5 * time.Second)
		if began, most := ran.since(4); began != 5 || most != 1 || c.Health().Workers != 1 {
			l.Errorf("%d have begun, %d at once, %d workers", began, most, c.Health().Workers)
		}
		l.must(c.Limit(0))
		l.wait(10*time.Second, "handled", func() bool { return ran.count() == 20 })
		time.Sleep(time.Second)
		l.wantDepths(map[string]int{"orders": 0, "orders-error": 20})
	})
}

func TestAPauseAndALimitStandInEachOrder(t *testing.T) {
	for name, calls := range map[string]func(c *consumer.Consumer){
		"limit, then pause":    func(c *consumer.Consumer) { _ = c.Limit(2); c.Pause() },
		"pause, then limit":    func(c *consumer.Consumer) { c.Pause(); _ = c.Limit(2) },
		"ordered, then pause":  func(c *consumer.Consumer) { c.Obey(consumer.Order{Limit: 2}); c.Pause() },
		"pause, then ordered":  func(c *consumer.Consumer) { c.Pause(); c.Obey(consumer.Order{Limit: 2}) },
		"limit, ordered pause": func(c *consumer.Consumer) { _ = c.Limit(2); c.Obey(consumer.Order{Paused: true}) },
	} {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, before the start: %t", name, before), func(t *testing.T) {
				inLab(t, usual, func(l *lab) {
					var ran begins
					spec := consumer.Spec{Queue: "orders", Concurrency: 6, Handler: ran.handler(time.Second)}
					l.declare(spec)
					l.publishMany("orders", 12)
					c, _ := l.logged(l.process("p"), spec)
					if before {
						calls(c)
					}
					l.must(c.Start(context.Background()))
					if !before {
						time.Sleep(500 * time.Millisecond)
						calls(c)
					}
					time.Sleep(10 * time.Second)
					n := ran.count()
					if want := map[bool]int{true: 0, false: 6}[before]; n != want || !c.Health().Paused || !c.Health().Ready {
						l.Errorf("%d have begun, %+v", n, c.Health())
					}
					c.Resume()
					if strings.Contains(name, "ordered pause") {
						time.Sleep(time.Second)
						if ran.count() != n {
							l.Error("Resume has lifted an order")
						}
						c.Obey(consumer.Order{})
					}
					l.wait(20*time.Second, "handled", func() bool { return ran.count() == 12 })
					if _, most := ran.since(n); most != 2 {
						l.Errorf("%d at once", most)
					}
				})
			})
		}
	}
}

func TestASingleActiveConsumerKeepsItsPlaceWithAnyLimit(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var ran, others begins
		spec := consumer.Spec{Queue: "orders", Concurrency: 4, SingleActive: true, Handler: ran.handler(time.Second)}
		c := l.start(l.process("p"), spec)
		spec.Handler = others.handler(time.Second)
		l.start(l.process("q"), spec)
		l.publishMany("orders", 30)
		for _, n := range []int{1, 3, 2, 0, 1} {
			l.must(c.Limit(n))
			time.Sleep(3 * time.Second)
		}
		l.must(c.Limit(0))
		l.wait(time.Minute, "handled", func() bool { return ran.count() == 30 })
		if n := others.count(); n > 0 {
			l.Errorf("another process has handled %d", n)
		}
		if n := l.events(simulated.Subscribed, "orders"); n != 2 {
			l.Errorf("there were %d subscriptions", n)
		}
	})
}

func TestTheLogSaysOnceWhatAnOrderHasChangedAndWhy(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		c, log := l.logged(l.process("p"), consumer.Spec{Queue: "orders", Concurrency: 4, Handler: ack})
		l.must(c.Start(context.Background()))
		c.Obey(consumer.Order{Why: "nothing stands"})
		c.Obey(consumer.Order{Paused: true, Why: "ann@host: the bank is down"})
		c.Obey(consumer.Order{Paused: true, Why: "ann@host: the bank is down"})
		c.Obey(consumer.Order{Limit: 2, Why: "bob@host: slowly"})
		c.Obey(consumer.Order{Why: "bob@host: it is over"})
		c.Obey(consumer.Order{})
		log.want(t, slog.LevelInfo, "consumer paused", map[string]any{"consumer": "orders", "queue": "orders", "why": "ann@host: the bank is down", "paused": true, "limit": 4})
		log.want(t, slog.LevelInfo, "consumer limited", map[string]any{"why": "bob@host: slowly", "paused": false, "limit": 2})
		log.want(t, slog.LevelInfo, "consumer resumed", map[string]any{"why": "bob@host: it is over", "paused": false, "limit": 4})
	})
}
