package use_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/use"
)

func TestEachMessageGetsItsOwnResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		q := batching(t, use.Batch(5, time.Second, b.run))
		runs := deliver(q, bodies("a", "bad", "later", "forgotten", "b")...)
		(<-runs[0]).AssertAcked()
		if got := (<-runs[1]).AssertParked(monitoring.ReasonError).Settlement.Err.Error(); got != "bad" {
			t.Errorf("the error is %s", got)
		}
		if got := (<-runs[2]).AssertRetriedFor(monitoring.ReasonRetry, time.Minute).Settlement.Err.Error(); got != "later" {
			t.Errorf("the error is %s", got)
		}
		if got := (<-runs[3]).AssertRetriedFor(monitoring.ReasonRetry, time.Minute).Result(); !got.Equal(consumer.Result{}) {
			t.Errorf("the Result is %v", got)
		}
		(<-runs[4]).AssertAcked()
		b.want(t, "a bad later forgotten b")
	})
}

// A publisher gives each message the same id.
func TestMessagesWithOneIDGetTheirOwnResultsToo(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]consumer.Delivery)
		acked  bool
	}{
		"reordered":      {slices.Reverse[[]consumer.Delivery], false},
		"other bodies":   {func(all []consumer.Delivery) { all[0].Body, all[1].Body = []byte("x"), nil }, true},
		"shorter bodies": {func(all []consumer.Delivery) { all[0].Body[0], all[1].Body = 'x', all[1].Body[:1] }, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := batching(t, use.Batch(3, time.Second, func(_ context.Context, all []consumer.Delivery) []consumer.Result {
				c.change(all)
				return acks(len(all))
			}))
			calls := bodies("first", "second", "third")
			for i := range calls {
				calls[i].opts = []consumertest.Option{consumertest.MessageID("1")}
			}
			for _, r := range deliver(q, calls...) {
				if run := <-r; run.Result().Acked() != c.acked {
					t.Errorf("%s: the Result is %v", name, run.Result())
				}
			}
		})
	}
}

func TestResultsThatCannotBeTheMessagesOwnAreRetries(t *testing.T) {
	for name, c := range map[string]struct {
		h    func(context.Context, []consumer.Delivery) []consumer.Result
		want string
	}{
		"none": {
			func(context.Context, []consumer.Delivery) []consumer.Result { return nil },
			`use.Batch: the function returned 0 results for 3 messages, such as "id of a"`,
		},
		"too few": {
			func(_ context.Context, all []consumer.Delivery) []consumer.Result { return acks(len(all) - 1) },
			`use.Batch: the function returned 2 results for 3 messages, such as "id of a"`,
		},
		"too many": {
			func(_ context.Context, all []consumer.Delivery) []consumer.Result {
				return append(acks(len(all)), consumer.Ack())
			},
			`use.Batch: the function returned 4 results for 3 messages, such as "id of a"`,
		},
		"sorted in place": {
			func(_ context.Context, all []consumer.Delivery) []consumer.Result {
				slices.Reverse(all)
				return acks(len(all))
			},
			`use.Batch: the function has reordered the messages it was given, such as "id of a"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := batching(t, use.Batch(3, time.Second, c.h))
				for _, r := range deliver(q, bodies("a", "b", "c")...) {
					if got := (<-r).AssertRetriedFor(monitoring.ReasonRetry, time.Minute).Settlement.Err.Error(); got != c.want {
						t.Errorf("the error is\n%s, want\n%s", got, c.want)
					}
				}
			})
		})
	}
}

func TestTheErrorOfALargeBatchIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := batching(t, use.Batch(100, time.Second, func(context.Context, []consumer.Delivery) []consumer.Result { return nil }))
		var calls []call
		for i := range 100 {
			calls = append(calls, call{body: fmt.Sprint(i, "\x00\xff", strings.Repeat("x", 200))})
		}
		for _, r := range deliver(q, calls...) {
			if text := (<-r).Settlement.Err.Error(); len(text) > 200 || !strings.Contains(text, "such as \"id of 0") {
				t.Fatalf("the error has %d bytes: %s", len(text), text)
			}
		}
	})
}

func TestWrongResultsAreOneFailureWhateverTheSizeOfTheBatch(t *testing.T) {
	groups := map[string]bool{}
	for _, names := range [][]string{{"a"}, {"a", "b"}, {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}} {
		synctest.Test(t, func(t *testing.T) {
			q := batching(t, use.Batch(20, time.Second, func(_ context.Context, all []consumer.Delivery) []consumer.Result { return acks(len(all) - 1) }))
			for _, r := range deliver(q, bodies(names...)...) {
				groups[(<-r).Settlement.Group] = true
			}
		})
	}
	if len(groups) != 1 || groups[""] {
		t.Errorf("the groups of these failures are %v, want one", groups)
	}
}

func TestAPanicIsThatOfAllInTheBatch(t *testing.T) {
	errGone := errors.New("gone")
	for name, c := range map[string]struct {
		panics        func()
		first, others string
	}{
		"a text":         {func() { panic("boom") }, "panic: boom", "panic: use.Batch: the function panicked: boom"},
		"an error":       {func() { panic(errGone) }, "panic: gone", "panic: use.Batch: the function panicked: gone"},
		"nil":            {func() { panic(nil) }, "panic: " + new(runtime.PanicNilError).Error(), "panic: use.Batch: the function panicked: " + new(runtime.PanicNilError).Error()},
		"runtime.Goexit": {runtime.Goexit, "the handler called runtime.Goexit", "panic: use.Batch: the function called runtime.Goexit"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls int
				q := batching(t, use.Batch(3, time.Second, func(_ context.Context, all []consumer.Delivery) []consumer.Result {
					if calls++; calls == 1 {
						c.panics()
					}
					return acks(len(all))
				}))
				ends := settlements(q, "a", "b", "c")
				for i, s := range ends {
					want := c.others
					if i == 0 {
						want = c.first
					}
					if s.Action != monitoring.Retried || s.Reason != monitoring.ReasonPanic || s.Err.Error() != want {
						t.Errorf("message %d: %s, %s: %v, want a retry: %s", i, s.Action, s.Reason, s.Err, want)
					}
				}
				if name == "an error" && (!errors.Is(ends[0].Err, errGone) || !errors.Is(ends[2].Err, errGone)) {
					t.Error("the error is not that of the panic")
				}
				if !strings.Contains(ends[0].Stack, "batch_results_test.go") {
					t.Errorf("the stack of the first message does not have the function:\n%s", ends[0].Stack)
				}
				for _, s := range settlements(q, "d", "e", "f") { // the next batch is as good as before
					if s.Action != monitoring.Acked {
						t.Errorf("the next batch was %s", s.Action)
					}
				}
			})
		})
	}
}

// settlements is deliver for handlers that may end their goroutines.
func settlements(q *consumertest.Queue, bodies ...string) []consumer.Settlement {
	all := make([]consumer.Settlement, len(bodies))
	var ends sync.WaitGroup
	for i, body := range bodies {
		ends.Go(func() {
			time.Sleep(time.Duration(i))
			all[i] = q.Deliver([]byte(body)).Settlement
		})
	}
	ends.Wait()
	return all
}

func TestAFunctionMayChangeBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := batching(t, use.Batch(2, time.Second, func(_ context.Context, all []consumer.Delivery) []consumer.Result {
			for _, d := range all {
				clear(d.Body)
			}
			return []consumer.Result{consumer.Retry(nil), consumer.Error(nil)}
		}))
		for i, r := range deliver(q, bodies("first", "second")...) {
			if body := string((<-r).Settlement.Copy.Publishing.Body); body != []string{"first", "second"}[i] {
				t.Errorf("the copy has the body %q", body)
			}
		}
	})
}
