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

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/use"
)

// How a run of the function ends.
const (
	returns    = "returns"
	obeys      = "obeys"    // returns when its context ends, or as it is
	stubborn   = "stubborn" // does not look at its context
	tooFew     = "returns too few results"
	reordering = "reorders"
	panicking  = "panics"
	exiting    = "exits"
)

// history is what happens to one consumer, drawn ahead.
type history struct {
	size, slots int
	wait        time.Duration
	messages    []arriving
	runs        []ending // of the function, in their order; the rest returns at once
}

type arriving struct {
	at     time.Duration
	body   string
	gone   time.Duration // when its context is cancelled; 0 is never
	within time.Duration // its context's own timeout; 0 is none
}

type ending struct {
	how   string
	takes time.Duration
}

func drawHistory(t *rapid.T) history {
	ms := func(name string, from, to int) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, name)) * time.Millisecond
	}
	h := history{size: rapid.IntRange(1, 6).Draw(t, "size"), slots: rapid.IntRange(1, 10).Draw(t, "slots"), wait: ms("wait", 1, 50)}
	for i := range rapid.IntRange(1, 30).Draw(t, "messages") {
		a := arriving{at: ms("at", 0, 200), body: fmt.Sprint(rapid.SampledFrom([]string{"good", "bad", "later", "forgotten"}).Draw(t, "kind"), i)}
		switch rapid.IntRange(0, 5).Draw(t, "fate") {
		case 0:
			a.gone = ms("gone", 1, 1500)
		case 1:
			a.within = ms("within", 1, 1500)
		}
		h.messages = append(h.messages, a)
	}
	for range rapid.IntRange(0, 8).Draw(t, "runs") {
		how := rapid.SampledFrom([]string{returns, obeys, stubborn, tooFew, reordering, panicking, exiting}).Draw(t, "how")
		h.runs = append(h.runs, ending{how, ms("takes", 0, 2000)})
	}
	return h
}

// ran is a run of the function.
type ran struct {
	ending
	began, ended time.Time
	timedOut     bool // its context has
	bodies       []string
	said         map[string]consumer.Result
}

// lived is what became of a message.
type lived struct {
	arriving
	began      time.Time // of its handler
	cancelled  time.Time // when its context ended; zero if it did not
	result     consumer.Result
	settlement consumer.Settlement
}

// play has a history happen.
func (h history) play(t *testing.T) (all []*lived, runs []*ran) {
	var mu sync.Mutex
	function := func(ctx context.Context, ds []consumer.Delivery) []consumer.Result {
		r := &ran{ending: ending{how: returns}, began: time.Now(), said: map[string]consumer.Result{}}
		mu.Lock()
		if n := len(runs); n < len(h.runs) {
			r.ending = h.runs[n]
		}
		runs = append(runs, r)
		mu.Unlock()
		for _, d := range ds {
			r.bodies = append(r.bodies, string(d.Body))
		}
		if r.how == stubborn {
			time.Sleep(r.takes)
		} else {
			select {
			case <-time.After(r.takes):
			case <-ctx.Done():
			}
		}
		r.ended, r.timedOut = time.Now(), errors.Is(ctx.Err(), context.DeadlineExceeded)
		return r.end(ctx, ds)
	}
	q := consumertest.New(t, consumer.Spec{Queue: "q", Concurrency: h.slots, Timeout: time.Hour, Handler: use.Batch(h.size, h.wait, function)})
	slots := make(chan struct{}, h.slots)
	var ends sync.WaitGroup
	for i, m := range h.messages {
		l := &lived{arriving: m}
		all = append(all, l)
		ends.Go(func() {
			time.Sleep(m.at + time.Duration(i)) // a nanosecond apart
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithCancel(silent(t))
			defer cancel()
			l.began = time.Now()
			if m.gone > 0 {
				defer time.AfterFunc(m.gone, cancel).Stop()
			}
			if m.within > 0 {
				ctx, cancel = context.WithTimeout(ctx, m.within)
				defer cancel()
			}
			defer context.AfterFunc(ctx, func() { l.cancelled = time.Now() })()
			run := q.Deliver([]byte(m.body), consumertest.Context(ctx), consumertest.MessageID(m.body))
			l.result, l.settlement = run.Result(), run.Settlement
		})
	}
	ends.Wait()
	time.Sleep(time.Hour) // until what was left behind has ended
	return all, runs
}

// end does what a run of the function is to end with.
func (r *ran) end(ctx context.Context, ds []consumer.Delivery) []consumer.Result {
	var results []consumer.Result
	for _, body := range r.bodies {
		said := resultOf(body)
		if r.how == obeys && ctx.Err() != nil {
			said = consumer.Retry(ctx.Err())
		}
		r.said[body] = said
		results = append(results, said)
	}
	switch r.how {
	case tooFew:
		return results[1:]
	case reordering:
		slices.Reverse(ds)
	case panicking:
		panic("boom")
	case exiting:
		runtime.Goexit()
	}
	return results
}

// judge returns what is wrong with what became of a message. in is the run that it was in, or nil.
func (l *lived) judge(in *ran, wait time.Duration) string {
	text := ""
	if err := l.settlement.Err; err != nil {
		text = err.Error()
	}
	departed := strings.Contains(text, "use.Batch: the function has not returned") && l.result.Retried() &&
		!l.cancelled.IsZero() && !l.cancelled.Add(500*time.Millisecond).After(in.ended)
	switch {
	case l.result.Acked() && (in == nil || !in.said[l.body].Acked() || in.how == tooFew || in.how == panicking || in.how == exiting):
		return "it was acked, and the function did not say so"
	case in == nil && !(strings.Contains(text, "use.Batch: the batch had not begun") && !l.cancelled.IsZero() && l.result.Retried()):
		return "no run of the function has it"
	case in == nil, departed:
		return ""
	case !l.cancelled.IsZero() && l.cancelled.Before(in.began):
		return "it had left before the function ran"
	case in.began.Sub(l.began) > wait:
		return "it waited for longer than wait"
	}
	switch in.how {
	case panicking, exiting:
		if l.settlement.Reason != monitoring.ReasonPanic && l.settlement.Reason != monitoring.ReasonTimeout {
			return "it is no panic"
		}
	case tooFew:
		if !strings.Contains(text, fmt.Sprintf("%d results for %d messages", len(in.bodies)-1, len(in.bodies))) {
			return "nobody says that the results are too few"
		}
	case reordering:
		if len(in.bodies) > 1 && !strings.Contains(text, "reordered") {
			return "nobody says that the messages are in another order"
		}
	default:
		want := in.said[l.body]
		if in.timedOut && (want.Retried() || errors.Is(want.Err(), context.DeadlineExceeded)) {
			want = consumer.Timeout(want.Err())
		}
		if !l.result.Equal(want) {
			return fmt.Sprintf("its result is not %v", want)
		}
	}
	return ""
}

// Whenever messages come, leave or time out, and however the function fails: each message has the
// Result that the function gave it, and none is acked of which it did not say so.
func TestWhateverHappensEachMessageHasItsOwnResult(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt)
		var all []*lived
		var runs []*ran
		synctest.Test(t, func(t *testing.T) { all, runs = h.play(t) })
		in := map[string]*ran{}
		for _, r := range runs {
			if len(r.bodies) == 0 || len(r.bodies) > h.size {
				rt.Fatalf("a batch has %d messages, want 1 to %d", len(r.bodies), h.size)
			}
			for _, body := range r.bodies {
				if in[body] != nil {
					rt.Fatalf("%s was in two batches", body)
				}
				in[body] = r
			}
		}
		for _, l := range all {
			if wrong := l.judge(in[l.body], h.wait); wrong != "" {
				rt.Fatalf("%s: %s: result %v, settlement %s for %s: %v\nrun: %+v", l.body, wrong, l.result, l.settlement.Action, l.settlement.Reason, l.settlement.Err, in[l.body])
			}
		}
	})
}
