package use_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/use"
)

// batches is a function for Batch. It notes what it was called with, and parks "bad", retries
// "later", and acks the rest.
type batches struct {
	takes time.Duration // how long it runs, until its context ends

	mu    sync.Mutex
	calls []string
	at    []time.Time
}

func (b *batches) run(ctx context.Context, all []consumer.Delivery) []consumer.Result {
	var bodies []string
	results := make([]consumer.Result, len(all))
	for i, d := range all {
		bodies = append(bodies, string(d.Body))
		results[i] = resultOf(string(d.Body))
	}
	b.mu.Lock()
	b.calls, b.at = append(b.calls, strings.Join(bodies, " ")), append(b.at, time.Now())
	b.mu.Unlock()
	select {
	case <-time.After(b.takes):
		return results
	case <-ctx.Done():
		for i := range results {
			results[i] = consumer.Retry(ctx.Err())
		}
		return results
	}
}

func resultOf(body string) consumer.Result {
	switch {
	case strings.HasPrefix(body, "bad"):
		return consumer.Error(errors.New(body))
	case strings.HasPrefix(body, "later"):
		return consumer.Retry(errors.New(body))
	case strings.HasPrefix(body, "forgotten"):
		return consumer.Result{}
	}
	return consumer.Ack()
}

// want asserts what the calls were. It may be called when they have ended.
func (b *batches) want(t *testing.T, calls ...string) {
	t.Helper()
	if !slices.Equal(b.calls, calls) {
		t.Fatalf("the batches were %q, want %q", b.calls, calls)
	}
}

func ackAll(_ context.Context, all []consumer.Delivery) []consumer.Result { return acks(len(all)) }

func acks(n int) []consumer.Result { return slices.Repeat([]consumer.Result{consumer.Ack()}, n) }

// call is a delivery that comes after some time.
type call struct {
	after time.Duration
	body  string
	opts  []consumertest.Option
}

func bodies(all ...string) (calls []call) {
	for _, body := range all {
		calls = append(calls, call{body: body})
	}
	return calls
}

// deliver delivers messages, those that come together in their order. What became of each comes
// from its channel.
func deliver(q *consumertest.Queue, calls ...call) []<-chan *consumertest.Run {
	var all []<-chan *consumertest.Run
	for i, c := range calls {
		done := make(chan *consumertest.Run, 1)
		all = append(all, done)
		go func() {
			time.Sleep(c.after + time.Duration(i)) // a nanosecond apart
			opts := []consumertest.Option{consumertest.MessageID("id of " + c.body)}
			done <- q.Deliver([]byte(c.body), append(opts, c.opts...)...)
		}()
	}
	return all
}

func batching(t *testing.T, h consumer.Handler, change ...func(*consumer.Spec)) *consumertest.Queue {
	t.Helper()
	spec := consumer.Spec{Queue: "rows", Concurrency: 100, Handler: h}
	for _, c := range change {
		c(&spec)
	}
	return consumertest.New(t, spec)
}

func TestABatchRunsWhenItIsFullOrItsWaitIsOver(t *testing.T) {
	const wait = time.Second
	for name, c := range map[string]struct {
		size, concurrency int
		timeout           time.Duration
		calls             []call
		want              []string
		at                []time.Duration
	}{
		"full":                        {3, 100, 0, bodies("a", "b", "c"), []string{"a b c"}, []time.Duration{0}},
		"the next one gathers":        {2, 100, 0, bodies("a", "b", "c", "d", "e"), []string{"a b", "c d", "e"}, []time.Duration{0, 0, wait}},
		"not full":                    {3, 100, 0, bodies("a", "b"), []string{"a b"}, []time.Duration{wait}},
		"the wait is the first one's": {9, 100, 0, []call{{0, "a", nil}, {wait / 2, "b", nil}, {wait * 9 / 10, "c", nil}, {wait * 3 / 2, "d", nil}}, []string{"a b c", "d"}, []time.Duration{wait, wait * 5 / 2}},
		"of one":                      {1, 100, 0, bodies("a", "b"), []string{"a", "b"}, []time.Duration{0, 0}},
		"all slots are in it":         {9, 4, 0, bodies("a", "b", "c", "d"), []string{"a b c d"}, []time.Duration{0}},
		"a quarter of the timeout":    {9, 100, wait, bodies("a", "b"), []string{"a b"}, []time.Duration{wait / 4}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := batches{takes: 0}
				q := batching(t, use.Batch(c.size, wait, b.run), func(s *consumer.Spec) { s.Concurrency, s.Timeout = c.concurrency, c.timeout })
				began := time.Now()
				for i := range c.calls {
					c.calls[i].opts = []consumertest.Option{consumertest.Context(silent(t))}
				}
				for _, r := range deliver(q, c.calls...) {
					(<-r).AssertAcked()
				}
				b.want(t, c.want...)
				for i, want := range c.at {
					if got := b.at[i].Sub(began).Round(time.Microsecond); got != want {
						t.Errorf("batch %q ran after %s, want %s", c.want[i], got, want)
					}
				}
			})
		})
	}
}

// silent returns a context for handlers that log.
func silent(t *testing.T) context.Context {
	return applog.With(t.Context(), slog.New(slog.DiscardHandler))
}

func TestABatchWaitsFiveSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b batches
		q := batching(t, use.Batch(3, time.Hour, b.run), func(s *consumer.Spec) { s.Timeout = consumer.NoTimeout })
		began := time.Now()
		(<-deliver(q, bodies("a")...)[0]).AssertAcked()
		if took := time.Since(began).Round(time.Millisecond); took != 5*time.Second {
			t.Errorf("it took %s, want 5s", took)
		}
	})
}

// A batch of 60 runs with a concurrency of 100: the other 40 need not wait for what cannot come.
func TestTheRestOfTheSlotsDoesNotWaitForABatchThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := batches{takes: time.Minute}
		q := batching(t, use.Batch(3, time.Second, b.run), func(s *consumer.Spec) { s.Concurrency, s.Timeout = 5, time.Hour })
		began := time.Now()
		for _, r := range deliver(q, bodies("a", "b", "c", "d", "e")...) {
			(<-r).AssertAcked()
		}
		b.want(t, "a b c", "d e")
		if took := time.Since(began).Round(time.Millisecond); took != time.Minute {
			t.Errorf("it took %s, want a minute", took)
		}
		began = time.Now() // the slots are free again
		for _, r := range deliver(q, bodies("f", "g")...) {
			(<-r).AssertAcked()
		}
		if b.want(t, "a b c", "d e", "f g"); b.at[2].Sub(began).Round(time.Millisecond) != time.Second {
			t.Errorf("the last batch waited %s, want 1s", b.at[2].Sub(began))
		}
	})
}

func TestABatchAboveTheConcurrencyIsWarnedOfOnce(t *testing.T) {
	for name, c := range map[string]struct {
		concurrency int
		want        string
	}{
		"below":  {4, "level=WARN msg=\"batches are never full; raise Concurrency or lower the size\" consumer=rows size=5 concurrency=4\n"},
		"enough": {5, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				noTime := func(_ []string, a slog.Attr) slog.Attr {
					if a.Key == slog.TimeKey {
						return slog.Attr{}
					}
					return a
				}
				log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: noTime}))
				spec := consumer.Spec{Queue: "rows", Concurrency: c.concurrency, Handler: use.Batch(5, time.Second, ackAll)}
				consumed, err := consumer.New(nil, spec, monitoring.Nop{}, log)
				if err != nil {
					t.Fatal(err)
				}
				for range 20 {
					var all sync.WaitGroup
					for range c.concurrency {
						all.Go(func() { consumed.Process(applog.With(t.Context(), log), amqp.Delivery{MessageId: "m"}) })
					}
					all.Wait()
				}
				if said.String() != c.want {
					t.Errorf("the log has\n%swant\n%s", said.String(), c.want)
				}
			})
		})
	}
}

func TestNewRefusesABatchThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		h    consumer.Handler
		want string
	}{
		"size 0":        {use.Batch(0, time.Second, ackAll), "use.Batch: size is 0, want 1 or more"},
		"size below 0":  {use.Batch(-7, time.Second, ackAll), "use.Batch: size is -7, want 1 or more"},
		"wait 0":        {use.Batch(1, 0, ackAll), "use.Batch: wait is 0s, want more than 0"},
		"wait below 0":  {use.Batch(1, -time.Second, ackAll), "use.Batch: wait is -1s, want more than 0"},
		"nil function":  {use.Batch(1, time.Second, nil), "use.Batch: the function is nil"},
		"all":           {use.Batch(0, 0, nil), "use.Batch: size is 0, want 1 or more\nuse.Batch: wait is 0s, want more than 0\nuse.Batch: the function is nil"},
		"decoded":       {use.JSONBatch[int](0, time.Second, nil), "use.JSONBatch: size is 0, want 1 or more\nuse.JSONBatch: the function is nil"},
		"without codec": {use.DecodeBatch[int](nil, 0, time.Second, nil), "use.DecodeBatch: the codec is nil"},
	} {
		_, err := consumer.New(nil, consumer.Spec{Queue: "q", Handler: c.h}, nil, nil)
		if want := `consumer "q": Handler: ` + c.want; err == nil || err.Error() != want {
			t.Errorf("%s: the error is\n%v, want\n%s", name, err, want)
		}
	}
}

type row struct {
	Name string `json:"name"`
}

func (r row) Validate() error {
	if r.Name == "" {
		return errors.New("the name is empty")
	}
	return nil
}

// What does not decode is parked alone, and neither waits nor counts for the batch.
func TestABatchOfDecodedMessagesHasThoseThatDecode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		q := batching(t, use.JSONBatch(2, 10*time.Second, func(_ context.Context, rows []consumer.Message[row]) []consumer.Result {
			var results []consumer.Result
			for _, m := range rows {
				got = append(got, m.Payload.Name+" of "+m.MessageID)
				results = append(results, resultOf(m.Payload.Name))
			}
			return results
		}))
		runs := deliver(q, bodies(`{"name":"a"}`, `{"name":`, `{"name":""}`, `{"name":"bad"}`)...)
		(<-runs[0]).AssertAcked()
		(<-runs[1]).AssertParked(monitoring.ReasonUndecodable)
		(<-runs[2]).AssertParked(monitoring.ReasonUndecodable)
		(<-runs[3]).AssertParked(monitoring.ReasonError)
		if want := `a of id of {"name":"a"}, bad of id of {"name":"bad"}`; strings.Join(got, ", ") != want {
			t.Errorf("the function was given %q, want %q", got, want)
		}
	})
}
