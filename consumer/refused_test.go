package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/topology"
)

var body2000 = []byte(strings.Repeat("A", 2000))

// failLarge is a handler that fails for what the broker no longer takes.
func (y *tally) failLarge(ctx context.Context, d consumer.Delivery) consumer.Result {
	y.handle(ctx, d, 0)
	switch {
	case !strings.HasPrefix(d.MessageID, "large"):
		return consumer.Ack()
	case strings.HasSuffix(d.MessageID, "1"):
		return consumer.Retry(errors.New("retry it"))
	case strings.HasSuffix(d.MessageID, "2"):
		return consumer.Snooze(time.Second)
	}
	return consumer.Error(errors.New("park it"))
}

// logged is what a consumer has logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// publishLarge publishes n large messages with a small one behind each.
func (l *lab) publishLarge(queue string, n int) {
	l.Helper()
	for i := range n {
		l.publishBody(queue, fmt.Sprint("large", i), body2000)
		l.publish(queue, fmt.Sprint("small", i))
	}
}

// A limit that was lowered under messages that are in their queue already: each copy of them is
// refused, as many as the prefetch and more.
func TestAMessageWhoseCopyIsRefusedForGoodIsParkedWhole(t *testing.T) {
	inLab(t, simulated.Options{Latency: time.Millisecond}, func(l *lab) {
		var did tally
		spec := consumer.Spec{Queue: "orders", Prefetch: 4, Handler: did.failLarge}
		l.declare(spec)
		const n = 9
		l.publishLarge("orders", n)
		l.sim.Largest(1000)
		var told monitoringtest.Recorder
		c := l.startWatched(l.process("p"), spec, &told)
		l.wait(time.Minute, "all done", func() bool { return len(told.Outcomes()) == 2*n })
		l.publish("orders", "later")
		l.wait(time.Second, "it goes on", func() bool { return did.of("later") == 1 })
		for _, o := range told.Outcomes() {
			switch o.Action {
			case monitoring.Acked:
			case monitoring.Parked:
				if o.Reason != monitoring.ReasonRefused || !strings.Contains(o.Err.Error(), "its copy is refused: ") || !strings.Contains(o.Err.Error(), "406") || o.Group == "" {
					t.Errorf("told %+v", o)
				}
			default:
				t.Errorf("told %+v", o)
			}
		}
		if h := c.Health(); !h.Ready || h.Refused != 0 || h.CopiesBlocked != 0 || h.Err != nil {
			t.Errorf("health is %+v", h)
		}
		parked := l.sim.Messages("orders-error")
		for _, m := range parked {
			if len(m.Body) != len(body2000) || m.Headers["x-first-death-reason"] != "rejected" {
				t.Errorf("parked %d bytes, %v", len(m.Body), m.Headers)
			}
		}
		l.wantDepths(map[string]int{"orders": 0, "orders-error": n, "orders-retry-1h": 0})
	})
}

// One refusal may be about something else that was on the channel.
func TestACopyThatIsRefusedOnceIsTriedAgain(t *testing.T) {
	var once atomic.Bool
	plan := func(s simulated.Step) simulated.Fault {
		if s.Kind == "publish" && s.Process == "p" && once.CompareAndSwap(false, true) {
			return simulated.Fault{Kind: simulated.CloseChannel, Code: 406}
		}
		return simulated.Fault{}
	}
	inLab(t, simulated.Options{Latency: time.Millisecond, Faults: plan}, func(l *lab) {
		var did tally
		var told monitoringtest.Recorder
		l.startWatched(l.process("p"), consumer.Spec{Queue: "orders", Handler: did.failLarge}, &told)
		l.publishBody("orders", "large1", body2000)
		l.wait(time.Minute, "retried", func() bool { return len(told.Outcomes()) == 1 })
		if o := told.Outcomes()[0]; o.Action != monitoring.Retried || !once.Load() {
			t.Errorf("told %+v", o)
		}
		l.wantDepths(map[string]int{"orders-retry-1h": 1, "orders-error": 0})
	})
}

// A message that is to be set aside has no handler that could fail, and a copy all the same.
func TestASuspectWhoseCopyIsRefusedForGoodIsParked(t *testing.T) {
	inLab(t, simulated.Options{Latency: time.Millisecond}, func(l *lab) {
		var did tally
		spec := consumer.Spec{Queue: "orders", Handler: did.failLarge}
		l.declare(spec)
		l.publishBody("orders", "large", body2000)
		l.returnTwice("orders", "large")
		l.sim.Largest(1000)
		var told monitoringtest.Recorder
		l.startWatched(l.process("p"), spec, &told)
		l.wait(time.Minute, "parked", func() bool { return len(told.Outcomes()) == 1 })
		if o := told.Outcomes()[0]; o.Reason != monitoring.ReasonRefused || len(told.Begins()) != 1 || did.of("large") != 0 {
			t.Errorf("told %+v, begun %d, handled %d", o, len(told.Begins()), did.of("large"))
		}
		l.wantDepths(map[string]int{"orders": 0, "orders-error": 1, "orders-quarantine": 0})
	})
}

// What the broker is to move into a missing queue it keeps out of sight, and tells nobody.
func TestTheErrorQueueIsBroughtBackBeforeAMessageIsRejected(t *testing.T) {
	inLab(t, simulated.Options{Latency: time.Millisecond}, func(l *lab) {
		var did tally
		spec := consumer.Spec{Queue: "orders", Handler: did.failLarge}
		l.declare(spec)
		for i := range 3 {
			l.publishBody("orders", fmt.Sprint("large", i), body2000)
		}
		l.sim.Largest(1000)
		c := l.make(spec)
		c.Pause()
		l.must(c.Start(context.Background()))
		time.Sleep(time.Minute)
		l.sim.Delete("orders-error")
		c.Resume()
		l.wait(5*time.Second, "parked", func() bool { return len(l.sim.Messages("orders-error")) == 3 })
	})
}

// Where the broker could lose a rejected message it is held, and whoever asks is told which.
func TestAMessageWhoseCopyIsRefusedForGoodIsHeldWhereItCouldBeLost(t *testing.T) {
	for name, change := range map[string]func(*consumer.Spec){
		"classic": func(s *consumer.Spec) { s.QueueType = topology.Classic },
		"adopted": func(s *consumer.Spec) { s.Declare = topology.Satellites },
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, simulated.Options{Latency: time.Millisecond}, func(l *lab) {
				var did tally
				var lines logged
				spec := consumer.Spec{Queue: "orders", Prefetch: 4, Backoff: []time.Duration{time.Hour}, Handler: did.failLarge}
				if name == "adopted" {
					l.declare(spec)
				}
				change(&spec)
				l.declare(spec)
				l.publishLarge("orders", 3)
				l.sim.Largest(1000)
				c, err := consumer.New(connection.Over(l.process("p")), spec, monitoring.Nop{}, slog.New(slog.NewTextHandler(&lines, nil)))
				l.must(err)
				l.must(c.Start(context.Background()))
				l.wait(time.Minute, "held", func() bool { return c.Health().Refused == 3 })
				l.publish("orders", "later")
				l.wait(time.Minute, "others are handled", func() bool { return did.messages("small") == 3 && did.of("later") == 1 })
				time.Sleep(10 * time.Minute)
				h := c.Health()
				if h.Ready || h.Refused != 3 || h.CopiesBlocked != 0 || h.Err == nil {
					t.Fatalf("health is %+v", h)
				}
				for _, want := range []string{`queue "orders"`, `"large`, "406"} {
					if !strings.Contains(h.Err.Error(), want) {
						t.Errorf("Health.Err is %q, want %s in it", h.Err, want)
					}
				}
				for _, want := range []string{"message_id=large0", "message_id=large1", "message_id=large2", "queue=orders", "406"} {
					if n := strings.Count(lines.String(), want); n == 0 || strings.HasPrefix(want, "message_id") && n > 1 {
						t.Errorf("%s is in the log %d times:\n%s", want, n, lines.String())
					}
				}
				for i := range 3 {
					if n := did.of(fmt.Sprint("large", i)); n != 1 {
						t.Errorf("large%d was handled %d times", i, n)
					}
				}
				if _, unacked, _ := l.sim.Depth("orders"); unacked != 3 {
					t.Errorf("%d messages are unacked", unacked)
				}
				// Somebody raises the limit.
				l.sim.Largest(0)
				l.wait(2*time.Minute, "placed", func() bool { return c.Health().Refused == 0 })
				if h := c.Health(); !h.Ready || h.Err != nil {
					t.Errorf("health is %+v", h)
				}
				c.Pause()
				l.publishBody("orders", "large9", body2000)
				l.sim.Largest(1000)
				c.Resume()
				l.wait(time.Minute, "held again", func() bool { return c.Health().Refused == 1 })
				began := time.Now()
				l.stop(c)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("a stop waits %s for what is held", took)
				}
			})
		})
	}
}

// A message from quarantine is held on the guard's channel, which stays open for it: if the message
// came back its handler would run again and again.
func TestAMessageFromQuarantineIsHeldOnce(t *testing.T) {
	inLab(t, simulated.Options{Latency: time.Millisecond}, func(l *lab) {
		var did tally
		spec := consumer.Spec{Queue: "orders", Handler: did.failLarge}
		l.declare(spec)
		spec.Declare = topology.Satellites
		l.publishBody("orders-quarantine", "large", body2000)
		l.sim.Largest(1000)
		c := l.start(l.process("p"), spec)
		l.wait(time.Minute, "held", func() bool { return c.Health().Refused == 1 })
		time.Sleep(5 * time.Minute)
		if n := did.of("large"); n != 1 {
			t.Errorf("it was handled %d times", n)
		}
		l.publish("orders", "small")
		l.wait(time.Second, "others are handled", func() bool { return did.of("small") == 1 })
		l.stop(c)
		l.wantDepths(map[string]int{"orders-quarantine": 1, "orders-error": 0})
	})
}
