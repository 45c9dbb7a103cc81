package use_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// one is a queue of which one handler of a key may run at once. A handler takes as long as the body
// says.
func one(t *testing.T, handle consumer.Handler) *consumertest.Queue {
	t.Helper()
	if handle == nil {
		handle = consumer.JSON(func(_ context.Context, m consumer.Message[time.Duration]) consumer.Result {
			time.Sleep(m.Payload)
			return consumer.Ack()
		})
	}
	return consumertest.New(t, consumer.Spec{
		Queue: "orders", Concurrency: 20, Delays: topology.Ladder, Use: []consumer.Middleware{use.AtMost(1, account)}, Handler: handle,
	})
}

func TestTheNextHandlerBeginsWhenOneHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := one(t, nil)
		start := time.Now()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { q.Deliver(100 * time.Millisecond).AssertAcked() })
		}
		all.Wait()
		if took := time.Since(start); took != 400*time.Millisecond {
			t.Errorf("four handlers of 100ms took %s, one after the other", took)
		}
	})
}

func TestAMessageThatWaitsInVainForItsTurnSnoozes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := one(t, nil)
		var all sync.WaitGroup
		all.Go(func() { q.Deliver(10 * time.Second).AssertAcked() })
		synctest.Wait()
		start := time.Now()
		run := q.Deliver(time.Millisecond)
		if took := time.Since(start); took != 500*time.Millisecond || !run.Result().Snoozed() {
			t.Errorf("it came to %v after %s, want a Snooze after 500ms", run.Result(), took)
		}
		start = time.Now()
		if run = q.Deliver(time.Millisecond); time.Since(start) != 500*time.Millisecond && time.Since(start) != 0 {
			t.Errorf("it came to %v after %s", run.Result(), time.Since(start))
		}
		all.Wait()
		q.Deliver(time.Millisecond).AssertAcked() // nobody who has given up has a turn
	})
}

func TestAStopWhileAMessageWaitsForItsTurnCountsAsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := one(t, nil)
		var all sync.WaitGroup
		all.Go(func() { q.Deliver(300 * time.Millisecond).AssertAcked() })
		synctest.Wait()
		q.Deliver(time.Millisecond, consumertest.StopAfter(50*time.Millisecond)).AssertInterrupted()
		all.Wait()
		q.Deliver(time.Millisecond).AssertAcked()
	})
}

func TestAHandlerThatPanicsGivesItsTurnOn(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("no") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := one(t, func(context.Context, consumer.Delivery) consumer.Result {
					time.Sleep(100 * time.Millisecond)
					end()
					return consumer.Ack()
				})
				var all sync.WaitGroup
				for range 3 {
					all.Go(func() { q.Deliver(1).AssertRetriedFor(monitoring.ReasonPanic, time.Minute) })
				}
				all.Wait()
			})
		})
	}
}
