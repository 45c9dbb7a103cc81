package use_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/use"
)

func TestTheFunctionsContextIsTheFirstMessagesWithTheEarliestDeadline(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		var value any
		var deadline time.Time
		var concurrency int
		q := batching(t, use.Batch(3, time.Second, func(ctx context.Context, all []consumer.Delivery) []consumer.Result {
			value, concurrency = ctx.Value(key{}), consumer.Concurrency(ctx)
			deadline, _ = ctx.Deadline()
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("the context ended with %v", ctx.Err())
			}
			return slices.Repeat([]consumer.Result{consumer.Retry(ctx.Err())}, len(all))
		}))
		shorter, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "second"), 20*time.Second)
		defer cancel()
		first := consumertest.Context(context.WithValue(t.Context(), key{}, "first"))
		want := time.Now().Add(20 * time.Second)
		for _, r := range deliver(q, call{body: "a", opts: []consumertest.Option{first}}, call{body: "b", opts: []consumertest.Option{consumertest.Context(shorter)}}, call{body: "c"}) {
			(<-r).AssertRetriedFor(monitoring.ReasonTimeout, time.Minute) // not all are past their own deadlines
		}
		if value != "first" || concurrency != 100 || !deadline.Equal(want) {
			t.Errorf("its value is %v, the concurrency %d, the deadline %s, want first, 100, %s", value, concurrency, deadline, want)
		}
	})
}

// What the function says within the grace of its timeout counts, as that of any handler.
func TestAckCountsAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := batching(t, use.Batch(3, time.Second, func(ctx context.Context, all []consumer.Delivery) []consumer.Result {
			<-ctx.Done()
			time.Sleep(300 * time.Millisecond) // the transaction is committed meanwhile
			results := acks(len(all))
			results[1] = consumer.Error(ctx.Err())
			results[2] = consumer.Error(errors.New("no such account"))
			return results
		}))
		runs := deliver(q, bodies("a", "b", "c")...)
		(<-runs[0]).AssertAcked()
		(<-runs[1]).AssertRetriedFor(monitoring.ReasonTimeout, time.Minute)
		(<-runs[2]).AssertParked(monitoring.ReasonError)
	})
}

func TestAFunctionThatDoesNotReturnHoldsOneSlotOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		q := batching(t, use.Batch(3, time.Second, func(_ context.Context, all []consumer.Delivery) []consumer.Result {
			<-release
			return acks(len(all))
		}), func(s *consumer.Spec) { s.Timeout, s.Grace = 10*time.Second, time.Minute })
		began := time.Now()
		runs := deliver(q, bodies("a", "b", "c")...)
		for _, r := range runs[1:] {
			run := (<-r).AssertRetriedFor(monitoring.ReasonTimeout, time.Minute)
			if took := time.Since(began).Round(time.Millisecond); took != 10*time.Second+500*time.Millisecond {
				t.Errorf("it took %s, want the timeout and half a second", took)
			}
			if text := run.Settlement.Err.Error(); !strings.Contains(text, "use.Batch: the function has not returned") {
				t.Errorf("the error is %s", text)
			}
		}
		time.Sleep(2 * time.Minute)
		close(release)
		(<-runs[0]).AssertRetriedFor(monitoring.ReasonTimeout, time.Minute) // the watchdog has settled it
	})
}

func TestAConsumerThatHoldsMessagesHoldsAllOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		q := batching(t, use.Batch(3, time.Second, func(_ context.Context, all []consumer.Delivery) []consumer.Result {
			<-release
			return acks(len(all))
		}), func(s *consumer.Spec) { s.Timeout, s.WhenStuck = 10*time.Second, consumer.Hold })
		runs := deliver(q, bodies("a", "b", "c")...)
		time.Sleep(time.Hour)
		for i, r := range runs {
			select {
			case run := <-r:
				t.Errorf("message %d was %s while the function ran", i, run.Settlement.Action)
			default:
			}
		}
		close(release)
		for _, r := range runs {
			(<-r).AssertAcked()
		}
	})
}

func TestAStopInterruptsABatch(t *testing.T) {
	for name, takes := range map[string]time.Duration{"that gathers": 0, "that runs": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := batches{takes: takes}
				q := batching(t, use.Batch(3, 4*time.Second, b.run))
				calls := bodies("a", "b")
				if takes > 0 {
					calls = bodies("a", "b", "c")
				}
				for i := range calls {
					calls[i].opts = []consumertest.Option{consumertest.StopAfter(2 * time.Second)}
				}
				began := time.Now()
				for _, r := range deliver(q, calls...) {
					(<-r).AssertInterrupted()
				}
				if took := time.Since(began).Round(time.Millisecond); took != 2*time.Second {
					t.Errorf("it took %s, want 2s", took)
				}
			})
		})
	}
}

// The first one's context ends before the batch has begun. The others lead it one after the other,
// and the function runs at the same time.
func TestABatchWhoseFirstMessageLeavesGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		q := batching(t, use.Batch(9, 4*time.Second, b.run))
		var calls []call
		for i, body := range []string{"a", "b", "c", "d", "e"} {
			c := call{body: body, after: time.Duration(i) * 100 * time.Millisecond}
			if i == 0 || i == 1 || i == 3 {
				c.opts = []consumertest.Option{consumertest.StopAfter(time.Second)}
			}
			calls = append(calls, c)
		}
		began := time.Now()
		for i, r := range deliver(q, calls...) {
			if run := <-r; i == 2 || i == 4 {
				run.AssertAcked()
			} else {
				run.AssertInterrupted()
			}
		}
		if b.want(t, "c e"); b.at[0].Sub(began).Round(time.Millisecond) != 4*time.Second {
			t.Errorf("the batch ran after %s, want 4s", b.at[0].Sub(began))
		}
	})
}

func TestABatchThatAllHaveLeftIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		q := batching(t, use.Batch(9, 4*time.Second, b.run))
		gone := []consumertest.Option{consumertest.StopAfter(time.Second)}
		runs := deliver(q, call{0, "a", gone}, call{0, "b", gone}, call{2 * time.Second, "c", nil})
		(<-runs[0]).AssertInterrupted()
		(<-runs[1]).AssertInterrupted()
		(<-runs[2]).AssertAcked()
		b.want(t, "c")
	})
}

// A transaction cannot go on without one of its rows, so the function is told.
func TestAMessageThatIsCancelledTakesTheBatchWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := batches{takes: time.Minute}
		q := batching(t, use.Batch(2, 4*time.Second, b.run))
		runs := deliver(q, call{body: "a"}, call{body: "b", opts: []consumertest.Option{consumertest.StopAfter(time.Second)}})
		(<-runs[0]).AssertRetriedFor(monitoring.ReasonRetry, time.Minute).AssertError(context.Canceled)
		(<-runs[1]).AssertInterrupted()
	})
}
