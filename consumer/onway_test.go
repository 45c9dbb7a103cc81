package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

var errToday = errors.New("not today")

// unacked returns how many deliveries of a queue are not settled.
func (l *lab) unacked(queue string) int {
	_, unacked, _ := l.sim.Depth(queue)
	return unacked
}

// What the monitor blocks over is acked before that, and so is all that comes behind it.
func TestAMonitorThatBlocksHoldsUpNoAckOfACopy(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		const n = 50
		monitor := &blocking{id: "orders1", free: make(chan struct{})} // 1, and 10 to 19
		defer close(monitor.free)
		l.startWatched(l.process("worker"), consumer.Spec{
			Queue: "orders", Concurrency: 16, Prefetch: 100, Handler: always(consumer.Retry(errToday)),
		}, monitor)
		l.publishMany("orders", n)
		time.Sleep(time.Second)
		l.wantDepths(map[string]int{"orders": 0, "orders-retry-1h": n})
		if unacked := l.unacked("orders"); unacked != 0 {
			t.Errorf("%d deliveries are not acked", unacked)
		}
	})
}

// late returns options of a broker that confirms copies for orders-retry-1h after a while.
func late(d time.Duration) simulated.Options {
	o := usual
	o.Faults = func(s simulated.Step) simulated.Fault {
		if s.Kind == "publish" && s.Queue == "orders-retry-1h" {
			return simulated.Fault{Kind: simulated.LateConfirm, For: d}
		}
		return simulated.Fault{}
	}
	return o
}

// A delivery that comes back with another channel has a copy of its own. Nobody waits for the copy
// of the delivery before.
func TestACopyEndsWithTheChannelOfItsDelivery(t *testing.T) {
	inLab(t, late(time.Minute), func(l *lab) {
		c := l.start(l.process("worker"), consumer.Spec{Queue: "orders", Handler: always(consumer.Retry(errToday))})
		l.publish("orders", "one")
		time.Sleep(10 * time.Second)
		if n := c.Health().CopiesBlocked; n != 1 {
			t.Errorf("%d copies are blocked, want 1", n)
		}
		l.loseLink("worker", c)
		time.Sleep(time.Second)
		if n := c.Health().CopiesBlocked; n != 0 {
			t.Errorf("%d copies of a channel that has ended are blocked", n)
		}
		time.Sleep(2 * time.Minute)
		l.wantDepths(map[string]int{"orders": 0, "orders-retry-1h": 2})
	})
}

func TestAStopWaitsForCopiesAndTheirReports(t *testing.T) {
	inLab(t, late(3*time.Second), func(l *lab) {
		var told atomic.Int32
		slow := monitoring.Callbacks{OnException: func(context.Context, monitoring.Delivery, monitoring.Outcome) {
			time.Sleep(time.Second)
			told.Add(1)
		}}
		c := l.startWatched(l.process("worker"), consumer.Spec{Queue: "orders", Prefetch: 30, Handler: always(consumer.Retry(errToday))}, slow)
		l.publishMany("orders", 20)
		time.Sleep(500 * time.Millisecond)
		l.stop(c)
		if n := told.Load(); n != 20 {
			t.Errorf("the monitor was told of %d copies when Stop had returned, want 20", n)
		}
		l.wantDepths(map[string]int{"orders": 0, "orders-retry-1h": 20})
	})
}

// A queue that does not confirm has a part of the pipeline's window. A copy for which there is no
// place waits for one, and that is nobody's failure.
func TestACopyWaitsForAPlaceInTheWindow(t *testing.T) {
	o := usual
	o.Faults = func(s simulated.Step) simulated.Fault {
		if s.Kind == "publish" && s.Queue == "orders-retry-1h" {
			return simulated.Fault{Kind: simulated.HoldChannel, For: 65 * time.Second}
		}
		return simulated.Fault{}
	}
	inLab(t, o, func(l *lab) {
		const n = 30
		var lines logged
		c, err := consumer.New(connection.Over(l.process("worker")), consumer.Spec{
			Queue: "orders", Concurrency: 8, Prefetch: 40, Backoff: []time.Duration{time.Hour}, Handler: always(consumer.Retry(errToday)),
		}, monitoring.Nop{}, slog.New(slog.NewTextHandler(&lines, nil)))
		l.must(err)
		l.must(c.Start(context.Background()))
		for i := range n {
			l.publish("orders", fmt.Sprint(i))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		if h := c.Health(); h.CopiesBlocked != n {
			t.Errorf("%d copies are blocked, want %d", h.CopiesBlocked, n)
		}
		if strings.Contains(lines.String(), "window") {
			t.Errorf("logged\n%s", lines.String())
		}
		l.wait(2*time.Hour, "in the retry queue", func() bool {
			ready, _, _ := l.sim.Depth("orders-retry-1h")
			return ready >= n
		})
		l.stop(c)
	})
}
