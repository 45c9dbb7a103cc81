package use_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/use"
)

// failing is a Store that can be down.
type failing struct {
	use.Store
	fails atomic.Bool
}

func (f *failing) set(fails bool) { f.fails.Store(fails) }

var errStore = errors.New("the store is down")

func (f *failing) Claim(ctx context.Context, key, token string, lease time.Duration) (use.Claim, error) {
	if f.fails.Load() {
		return use.Claim{}, errStore
	}
	return f.Store.Claim(ctx, key, token, lease)
}

func (f *failing) Settle(ctx context.Context, key, token string, done bool, keep time.Duration) error {
	if f.fails.Load() {
		return errStore
	}
	return f.Store.Settle(ctx, key, token, done, keep)
}

// fleet has copies of messages handled, and outages of its Store, and deaths of handlers.
type fleet struct {
	t     *testing.T
	store *failing
	keep  time.Duration

	mu      sync.Mutex
	running map[string]int
	done    map[string]time.Time // when a handler with this id returned Ack, and the mark was kept
	worked  map[string]bool      // a handler with this id has done its work
	wrong   []string
}

// fate is what a run of the handler comes to.
type fate struct {
	takes time.Duration
	ends  string // "ack", "retry", "panic", or "dies": then nothing is settled, and the broker delivers again
}

func (f *fleet) says(format string, args ...any) {
	f.wrong = append(f.wrong, fmt.Sprintf(format, args...))
}

// copyOf is one copy of a message: it comes again until it is acked.
func (f *fleet) copyOf(id string, starts time.Duration, fates []fate) {
	time.Sleep(starts)
	for round := 0; ; round++ {
		if round > 10_000 {
			f.mu.Lock()
			f.says("a copy of %s comes without end", id)
			f.mu.Unlock()
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		run := fate{takes: time.Second, ends: "ack"} // in the end each works
		r, died := f.deliver(ctx, id, func() fate {
			if len(fates) > 0 {
				run, fates = fates[0], fates[1:]
			}
			return run
		})
		cancel()
		switch {
		case died:
			time.Sleep(time.Second) // the broker notices
		case r.Acked():
			return
		case r.Snoozed():
			time.Sleep(r.Delay())
		default:
			time.Sleep(10 * time.Second)
		}
	}
}

type death struct{}

// deliver runs the middleware around a handler with a fate. A death drops all that would be
// settled.
func (f *fleet) deliver(ctx context.Context, id string, next func() fate) (r consumer.Result, died bool) {
	mortal := &failing{Store: f.store}
	ran := false
	h := use.Dedupe(mortal, f.keep)(func(context.Context, consumer.Delivery) consumer.Result {
		ran = true
		f.begin(id)
		run := next()
		time.Sleep(run.takes)
		f.end(id, run)
		switch run.ends {
		case "dies":
			mortal.set(true)
			panic(death{})
		case "panic":
			panic("boom")
		case "retry":
			return consumer.Retry(nil)
		}
		return consumer.Ack()
	})
	defer func() {
		switch recover() {
		case nil:
		case death{}:
			died = true
		default:
			r = consumer.Retry(nil)
		}
	}()
	down := f.store.fails.Load()
	r = h(ctx, consumer.Delivery{Queue: "q", MessageID: id})
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Acked() && ran && !f.store.fails.Load():
		f.done[id] = time.Now()
	case r.Acked() && !ran && !f.worked[id]:
		f.says("a copy of %s is skipped, and none was handled", id)
	case down && ran && !f.store.fails.Load():
		f.says("%s is handled although the store is down", id)
	}
	return r, false
}

func (f *fleet) begin(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running[id]++; f.running[id] > 1 {
		f.says("%d copies of %s run at once", f.running[id], id)
	}
	if at, done := f.done[id]; done && time.Since(at) < f.keep {
		f.says("%s is handled again %s after its mark", id, time.Since(at))
	}
	if f.store.fails.Load() {
		f.says("%s is handled although the store is down", id)
	}
}

func (f *fleet) end(id string, run fate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running[id]--
	if run.ends == "ack" {
		f.worked[id] = true
	}
}

func TestCopiesOfAMessageAreHandledOneAtATimeAndNotAgainWhateverHappens(t *testing.T) {
	captureLog(t)
	handled := 0
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			m, err := use.NewMemory(100)
			if err != nil {
				t.Fatal(err)
			}
			f := &fleet{
				t: t, store: &failing{Store: m}, keep: rapid.SampledFrom([]time.Duration{time.Minute, 24 * time.Hour}).Draw(rt, "keep"),
				running: map[string]int{}, done: map[string]time.Time{}, worked: map[string]bool{},
			}
			var copies sync.WaitGroup
			for _, id := range []string{"m1", "m2"} {
				for range rapid.IntRange(1, 4).Draw(rt, "copies") {
					starts := time.Duration(rapid.IntRange(0, 100).Draw(rt, "starts")) * time.Second
					var fates []fate
					for range rapid.IntRange(0, 3).Draw(rt, "fates") {
						fates = append(fates, fate{
							takes: time.Duration(rapid.IntRange(0, 64_000).Draw(rt, "takes")) * time.Millisecond,
							ends:  rapid.SampledFrom([]string{"ack", "retry", "panic", "dies", "dies"}).Draw(rt, "ends"),
						})
					}
					copies.Go(func() { f.copyOf(id, starts, fates) })
				}
			}
			for range rapid.IntRange(0, 5).Draw(rt, "outages") {
				from := time.Duration(rapid.IntRange(0, 300).Draw(rt, "from")) * time.Second
				lasts := time.Duration(rapid.IntRange(1, 100).Draw(rt, "lasts")) * time.Second
				copies.Go(func() {
					time.Sleep(from + time.Millisecond)
					f.store.set(true)
					time.Sleep(lasts)
					f.store.set(false)
				})
			}
			copies.Wait()
			for _, id := range []string{"m1", "m2"} {
				if !f.worked[id] {
					f.says("%s is lost", id)
				}
			}
			for _, text := range f.wrong {
				rt.Error(text)
			}
			handled += len(f.done)
		})
	})
	if handled == 0 {
		t.Error("no message was handled and marked")
	}
}
