package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

var usual = simulated.Options{Version: simulated.RabbitMQ4, Latency: time.Millisecond}

// A message waits in quarantine while the only slot is taken, and the session ends. Neither its
// consumer nor another of the process may be kept out of quarantine by that.
func TestASessionThatEndsWhileASuspectWaitsForASlotKeepsNobodyOutOfQuarantine(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var did tally
		p := l.process("p")
		spec := consumer.Spec{Queue: "orders", Concurrency: 1, Timeout: 10 * time.Minute}
		spec.Handler = func(ctx context.Context, d consumer.Delivery) consumer.Result {
			return did.handle(ctx, d, map[string]time.Duration{"long": 200 * time.Second}[d.MessageID])
		}
		l.start(p, spec)
		spec.Queue = "invoices"
		l.start(p, spec)
		l.publish("orders", "long")
		time.Sleep(time.Second)
		l.publish("orders-quarantine", "suspect") // as a process that is dead now had set it aside
		time.Sleep(130 * time.Second)             // longer than the gate's patience
		l.sim.Restart(0)
		time.Sleep(120 * time.Second)
		l.publish("invoices-quarantine", "another")
		l.publish("orders", "last")
		time.Sleep(10 * time.Minute) // the long one runs twice
		for _, id := range []string{"suspect", "another", "last"} {
			if did.of(id) != 1 {
				l.Errorf("%s was handled %d times", id, did.of(id))
			}
		}
	})
}

// One message after the other: the first is not to be blamed for what the second does.
func TestMessagesInQuarantineAreHandledOneAtATimeInTheWholeProcess(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var suspects, others tally
		p := l.process("p")
		for _, queue := range []string{"orders", "invoices", "letters"} {
			l.start(p, consumer.Spec{Queue: queue, Concurrency: 3, Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
				if d.MessageID[0] == 's' {
					return suspects.handle(ctx, d, time.Second)
				}
				return others.handle(ctx, d, 100*time.Millisecond)
			}})
			for i := range 3 {
				l.publish(queue+"-quarantine", fmt.Sprintf("suspect %d in %s", i, queue))
			}
			for i := range 20 {
				l.publish(queue, fmt.Sprintf("%d in %s", i, queue))
			}
		}
		l.wait(time.Minute, "handled", func() bool { return suspects.messages("") == 9 && others.messages("") == 60 })
		if suspects.most != 1 {
			l.Errorf("%d were handled at once", suspects.most)
		}
		for _, queue := range []string{"orders", "invoices", "letters"} { // all goes on
			l.publish(queue, "last in "+queue)
		}
		l.wait(time.Second, "handled behind them", func() bool { return others.messages("last") == 3 })
	})
}

// A handler may hold the gate up for as long as the gate's patience, and not for longer.
func TestAHandlerThatTakesLongerThanTheGatesPatienceHoldsUpNoSuspect(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var did tally
		l.start(l.process("p"), consumer.Spec{Queue: "orders", Timeout: time.Hour, Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			return did.handle(ctx, d, map[string]time.Duration{"long": 30 * time.Minute}[d.MessageID])
		}})
		l.publish("orders", "long")
		time.Sleep(time.Second)
		l.publish("orders-quarantine", "suspect")
		l.wait(10*time.Second, "closed", func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.consumers[0].Health().Slow
		})
		l.publish("orders", "usual")
		time.Sleep(80 * time.Second)
		if did.of("suspect")+did.of("usual") != 0 {
			l.Error("something was started beside the long one, and the gate is closed")
		}
		time.Sleep(20 * time.Second)
		if did.of("suspect") != 1 || did.of("usual") != 1 {
			l.Errorf("the suspect was handled %d times, and the usual one %d times", did.of("suspect"), did.of("usual"))
		}
	})
}

func TestADeletedQuarantineQueueInterruptsNothing(t *testing.T) {
	for name, redeclare := range map[string]consumer.Redeclare{"on": consumer.RedeclareOn, "off": consumer.RedeclareOff} {
		t.Run(name, func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				var did tally
				var fatal atomic.Int64
				c := l.start(l.process("p"), consumer.Spec{
					Queue: "orders", Prefetch: 10, Redeclare: redeclare, OnFatal: func(error) { fatal.Add(1) },
					Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result { return did.handle(ctx, d, 0) },
				})
				l.sim.Delete("orders-quarantine")
				for i := range 600 {
					l.publish("orders", fmt.Sprint(i))
					time.Sleep(200 * time.Millisecond)
					if h := c.Health(); !h.Subscribed || !h.Ready || h.Slow {
						l.Fatalf("after %d messages: %+v", i, h)
					}
				}
				if n := did.messages(""); n != 600 || fatal.Load() != 0 || l.events(simulated.Subscribed, "orders") != 1 {
					l.Errorf("%d of 600 handled, OnFatal called %d times, %d subscriptions", n, fatal.Load(), l.events(simulated.Subscribed, "orders"))
				}
			})
		})
	}
}

// A process that looked in vain for a quarantine queue has survived nothing by that.
func TestALookThatIsRefusedIsNoLossThatAMessageWasSurvivedIn(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var did tally
		c := l.start(l.process("p"), consumer.Spec{Queue: "orders", Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			return did.handle(ctx, d, time.Second)
		}})
		l.sim.Delete("orders-quarantine")
		time.Sleep(2 * time.Minute)
		c.Pause()
		time.Sleep(time.Second)
		l.suspect("orders", "suspect")
		c.Resume()
		l.wait(time.Minute, "handled", func() bool { return did.of("suspect") == 1 })
		if n := l.events(simulated.Delivered, "orders-quarantine"); n != 1 {
			l.Errorf("a message that came back twice was taken %d times from quarantine", n)
		}
	})
}

// Nobody dies: links are lost, each in another process, while one message is handled alone.
func TestLinksThatAreLostInOtherProcessesAreNoDeaths(t *testing.T) {
	for _, crashes := range []int{3, 10} {
		t.Run(fmt.Sprint(crashes), func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				var did tally
				holders := make(chan string, 100)
				consumers := map[string]*consumer.Consumer{}
				for i := range crashes - 1 {
					name := fmt.Sprint("p", i+1)
					consumers[name] = l.start(l.process(name), consumer.Spec{
						Queue: "orders", MaxCrashes: crashes, Timeout: 10 * time.Minute,
						Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
							holders <- name
							return did.handle(context.Background(), d, 40*time.Second)
						},
					})
				}
				l.publish("orders-quarantine", "innocent")
				for range crashes - 2 {
					name := <-holders
					time.Sleep(5 * time.Second)
					l.loseLink(name, consumers[name])
				}
				time.Sleep(5 * time.Minute)
				for _, d := range l.sim.Messages("orders-error") {
					l.Errorf("%s is parked: %v", d.MessageId, d.Headers["bunnicula-reason"])
				}
				l.wantDepths(map[string]int{"orders-quarantine": 0})
			})
		})
	}
}

// OnFatal is the app's code.
func TestAnOnFatalThatPanicsHarmsNobody(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		var did tally
		var fatal atomic.Int64
		c := l.start(l.process("p"), consumer.Spec{
			Queue: "orders", Redeclare: consumer.RedeclareOff, OnFatal: func(error) { fatal.Add(1); panic("planned") },
			Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result { return did.handle(ctx, d, 0) },
		})
		l.sim.Delete("orders")
		l.wait(time.Minute, "told", func() bool { return fatal.Load() == 1 })
		if h := c.Health(); h.Subscribed || h.Ready || h.Err == nil {
			l.Errorf("health is %+v", h)
		}
		l.start(l.process("other"), consumer.Spec{Queue: "orders", Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			return did.handle(ctx, d, 0)
		}})
		l.wait(time.Minute, "subscribed again", func() bool { return c.Health().Ready })
	})
}

// Copies that the broker does not take hold their own messages only.
func TestManySuspectsWhoseCopiesAreBlockedHoldUpNobody(t *testing.T) {
	var full atomic.Bool
	full.Store(true)
	o := usual
	o.Faults = func(s simulated.Step) simulated.Fault {
		if full.Load() && s.Kind == "publish" && s.Queue == "orders-retry-1h" {
			return simulated.Fault{Kind: simulated.Nack}
		}
		return simulated.Fault{}
	}
	inLab(t, o, func(l *lab) {
		var did tally
		c := l.start(l.process("p"), consumer.Spec{
			Queue: "orders", Concurrency: 2, Prefetch: 4,
			Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
				did.handle(ctx, d, 0)
				if strings.HasPrefix(d.MessageID, "suspect") {
					return consumer.Retry(errors.New("planned"))
				}
				return consumer.Ack()
			},
		})
		for i := range 20 {
			l.publish("orders-quarantine", fmt.Sprint("suspect", i))
		}
		time.Sleep(2 * time.Minute)
		l.publish("orders", "usual")
		if err := within(2*time.Minute, "handled", func() bool { return did.of("usual") == 1 }); err != nil {
			t.Errorf("%v; health is %+v", err, c.Health())
		}
		full.Store(false)
		l.wait(5*time.Minute, "retried", func() bool { ready, _, _ := l.sim.Depth("orders-retry-1h"); return ready == 20 })
	})
}

// A message of the main queue ends the connection at each delivery. A suspect that is handled alone
// meanwhile comes back each time, and no process has died over it.
func TestAMessageThatEndsTheConnectionMakesNoSuspectLookLikeAKiller(t *testing.T) {
	o := usual
	o.Faults = func(s simulated.Step) simulated.Fault {
		if s.Kind == "deliver" && strings.HasPrefix(s.Message, "unreadable") {
			return simulated.Fault{Kind: simulated.Unreadable, Delay: 5 * time.Millisecond}
		}
		return simulated.Fault{}
	}
	inLab(t, o, func(l *lab) {
		var did tally
		l.start(l.process("p"), consumer.Spec{Queue: "orders", MaxCrashes: 10, Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			return did.handle(context.Background(), d, time.Second)
		}})
		l.publish("orders-quarantine", "innocent")
		l.publish("orders", "unreadable")
		time.Sleep(20 * time.Minute)
		for _, d := range l.sim.Messages("orders-error") {
			if d.MessageId == "innocent" {
				l.Errorf("it is parked: %v, handled %d times", d.Headers["bunnicula-reason"], did.of("innocent"))
			}
		}
		l.wantDepths(map[string]int{"orders-quarantine": 0})
	})
}
