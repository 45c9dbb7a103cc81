package use_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/use"
)

// faked is a Store that answers what it is told, and notes what it is asked.
type faked struct {
	use.Store // nil: all is faked

	claim       use.Claim
	err         error // of Claim
	settleErr   error
	inSettle    func(ctx context.Context)
	mu          sync.Mutex
	leases      []time.Duration
	keys        []string
	settlements []bool
}

func (f *faked) Claim(_ context.Context, key, _ string, lease time.Duration) (use.Claim, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leases, f.keys = append(f.leases, lease), append(f.keys, key)
	if f.claim.State == 0 && f.err == nil {
		return use.Claim{State: use.ClaimNew}, nil
	}
	return f.claim, f.err
}

func (f *faked) Settle(ctx context.Context, _, _ string, done bool, _ time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settlements = append(f.settlements, done)
	if f.inSettle != nil {
		f.inSettle(ctx)
	}
	return f.settleErr
}

// message is a delivery with an id of its own.
func message(id string) consumer.Delivery {
	return consumer.Delivery{Queue: "orders", MessageID: id, Attempt: 1, MaxRetries: 3}
}

func TestOfTwoCopiesAtOnceOneIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		h := use.Dedupe(mustMemory(t, 10), time.Hour)(func(context.Context, consumer.Delivery) consumer.Result {
			runs++
			time.Sleep(10 * time.Second)
			return consumer.Ack()
		})
		var first consumer.Result
		var handling sync.WaitGroup
		handling.Go(func() { first = h(timeout(t, time.Minute), message("m1")) })
		synctest.Wait()
		if r := h(timeout(t, time.Minute), message("m1")); !r.Equal(consumer.SnoozeBecause(time.Second, use.ErrBusy)) {
			t.Errorf("the second copy comes to %v", r)
		}
		handling.Wait()
		if again := h(timeout(t, time.Minute), message("m1")); !first.Acked() || !again.Acked() || runs != 1 {
			t.Errorf("the copies come to %v and %v in %d runs", first, again, runs)
		}
		other := message("m1")
		other.Queue = "invoices"
		if r := h(timeout(t, time.Minute), other); !r.Acked() || runs != 2 {
			t.Errorf("the message of another queue comes to %v", r)
		}
		time.Sleep(time.Hour)
		if r := h(timeout(t, time.Minute), message("m1")); !r.Acked() || runs != 3 {
			t.Errorf("after keep the message comes to %v in %d runs", r, runs-2)
		}
	})
}

func TestABusyCopyComesAgainFewTimesAndSoonAfterTheOther(t *testing.T) {
	for took, want := range map[time.Duration]struct {
		rounds int
		within time.Duration
	}{
		500 * time.Millisecond: {1, time.Second},
		10 * time.Second:       {5, 20 * time.Second},
		55 * time.Second:       {7, 100 * time.Second},
		time.Hour:              {8, 100 * time.Second}, // it has died: the lease ends
	} {
		synctest.Test(t, func(t *testing.T) {
			m := mustMemory(t, 10)
			handled := false
			h := use.Dedupe(m, time.Hour)(func(context.Context, consumer.Delivery) consumer.Result {
				handled = true
				return consumer.Ack()
			})
			if _, err := m.Claim(t.Context(), "orders:m1", "other", 65*time.Second); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(took, func() { _ = m.Settle(context.Background(), "orders:m1", "other", true, time.Hour) })
			began, rounds := time.Now(), 0
			for {
				r := h(timeout(t, time.Minute), message("m1"))
				if r.Acked() {
					break
				}
				if rounds++; !errors.Is(r.Err(), use.ErrBusy) || !r.Snoozed() || rounds > 100 {
					t.Fatalf("round %d: %v", rounds, r)
				}
				time.Sleep(r.Delay())
			}
			if since := time.Since(began); rounds > want.rounds || since > want.within || since < min(took, 65*time.Second) {
				t.Errorf("beside a handler of %s it came %d times, and was done after %s", took, rounds, since)
			}
			if handled != (took == time.Hour) {
				t.Errorf("beside a handler of %s it was handled: %t", took, handled)
			}
			time.Sleep(2 * time.Hour)
		})
	}
}

// When a process dies, those of its messages that were handled are busy until their leases end.
func TestNeighboursOfADeathComeBackOneAfterTheOther(t *testing.T) {
	s := &faked{claim: use.Claim{State: use.ClaimBusy, Left: 2 * time.Second}}
	h := use.Dedupe(s, time.Hour)(nobody(t))
	least, most := time.Hour, time.Duration(0)
	for i := range 100 {
		r := h(timeout(t, time.Minute), message(fmt.Sprint(i)))
		least, most = min(least, r.Delay()), max(most, r.Delay())
	}
	if least < 2*time.Second || most > 2*time.Second+33*time.Second || most-least < 20*time.Second {
		t.Errorf("they come back after %s to %s", least, most)
	}
}

func TestOnlyAnAckMarks(t *testing.T) {
	undecodable := consumer.JSON(func(context.Context, consumer.Message[int]) consumer.Result { return consumer.Ack() })
	for name, first := range map[string]consumer.Handler{
		"Retry":       always(consumer.Retry(errAPI)),
		"RetryAfter":  always(consumer.RetryAfter(time.Hour, errAPI)),
		"Timeout":     always(consumer.Timeout(errAPI)),
		"Snooze":      always(consumer.Snooze(time.Second)),
		"Error":       always(consumer.Error(errAPI)),
		"Result{}":    always(consumer.Result{}),
		"undecodable": undecodable,
		"panic":       func(context.Context, consumer.Delivery) consumer.Result { panic(errAPI) },
		"Goexit":      func(context.Context, consumer.Delivery) consumer.Result { runtime.Goexit(); return consumer.Ack() },
		"the timeout": func(ctx context.Context, _ consumer.Delivery) consumer.Result {
			<-ctx.Done()
			return consumer.Retry(ctx.Err())
		},
		"Ack": always(consumer.Ack()),
	} {
		synctest.Test(t, func(t *testing.T) {
			runs := 0
			h := use.Dedupe(mustMemory(t, 10), time.Hour)(func(ctx context.Context, d consumer.Delivery) consumer.Result {
				if runs++; runs == 1 {
					return first(ctx, d)
				}
				return consumer.Ack()
			})
			for range 3 {
				attempt(func() { h(timeout(t, time.Minute), message("m1")) })
			}
			want := 2
			if name == "Ack" {
				want = 1
			}
			if runs != want {
				t.Errorf("%s: the handler ran %d times, want %d", name, runs, want)
			}
		})
	}
}

var errAPI = errors.New("the API is down")

func always(r consumer.Result) consumer.Handler {
	return func(context.Context, consumer.Delivery) consumer.Result { return r }
}

// attempt runs a handler that may panic or call runtime.Goexit.
func attempt(f func()) {
	var running sync.WaitGroup
	running.Go(func() {
		defer func() { _ = recover() }()
		f()
	})
	running.Wait()
}

// nobody is a handler that must not run.
func nobody(t *testing.T) consumer.Handler {
	return func(_ context.Context, d consumer.Delivery) consumer.Result {
		t.Errorf("message %q is handled", d.MessageID)
		return consumer.Ack()
	}
}

// timeout is the context of a handler.
func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestAMessageWithoutAnIDOfItsOwnIsNeverSkipped(t *testing.T) {
	given := message("0b5e7a7e-0000-4000-8000-000000000000")
	given.MessageIDGiven = true
	for _, d := range []consumer.Delivery{given, message("")} {
		runs := 0
		s := &faked{claim: use.Claim{State: use.ClaimDone}}
		h := use.Dedupe(s, time.Hour)(func(context.Context, consumer.Delivery) consumer.Result { runs++; return consumer.Ack() })
		for range 3 {
			h(t.Context(), d)
		}
		if runs != 3 || len(s.keys) != 0 {
			t.Errorf("%q was handled %d times of 3, and %d claims were made", d.MessageID, runs, len(s.keys))
		}
	}
}

func TestWhileTheStoreFailsNothingIsHandled(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		claim use.Claim
		want  string
	}{
		"an error":            {errAPI, use.Claim{}, "the API is down"},
		"an error and a New":  {errAPI, use.Claim{State: use.ClaimNew}, "the API is down"},
		"an error that is no": {(*fs.PathError)(nil), use.Claim{}, "*fs.PathError: its Error method panicked"},
		"no state":            {nil, use.Claim{}, "it answers with Claim.State 0, want ClaimNew, ClaimBusy or ClaimDone"},
		"a state beyond":      {nil, use.Claim{State: 4}, "it answers with Claim.State 4, want ClaimNew, ClaimBusy or ClaimDone"},
		"a negative time":     {nil, use.Claim{State: use.ClaimBusy, Left: -1}, "it answers with Claim.Left -1ns, want 0 to 8760h0m0s"},
		"negative lapses":     {nil, use.Claim{State: use.ClaimNew, Lapses: -1}, "it answers with Claim.Lapses -1, want 0 or more"},
	} {
		store := &faked{err: test.err, claim: test.claim}
		r := use.Dedupe(nonZero{store}, time.Hour)(nobody(t))(timeout(t, time.Minute), message("m1"))
		if want := "the store of use.Dedupe: " + test.want; !r.Snoozed() || r.Err() == nil || r.Err().Error() != want {
			t.Errorf("%s: the message comes to %v, want a snooze because of %s", name, r, want)
		}
		if r.Delay() < time.Second || r.Delay() > 5*time.Second {
			t.Errorf("%s: it snoozes for %s", name, r.Delay())
		}
		if len(store.settlements) > 0 {
			t.Errorf("%s: a claim is settled that was not made", name)
		}
	}
}

// nonZero answers with a zero State too.
type nonZero struct{ *faked }

func (n nonZero) Claim(ctx context.Context, key, token string, lease time.Duration) (use.Claim, error) {
	return n.claim, n.err
}

func TestAMessageWhoseProcessHasDiedTenTimesIsParked(t *testing.T) {
	for lapses, want := range map[int]bool{9: true, 10: false, 11: false} {
		runs := 0
		s := &faked{claim: use.Claim{State: use.ClaimNew, Lapses: lapses}}
		r := use.Dedupe(s, time.Hour)(func(context.Context, consumer.Delivery) consumer.Result { runs++; return consumer.Ack() })(timeout(t, time.Minute), message("m1"))
		text := fmt.Sprintf("use: its process died, or its handler did not return, %d times in a row", lapses)
		if (runs == 1) != want || r.Errored() == want || !want && r.Err().Error() != text {
			t.Errorf("after %d lapses it comes to %v in %d runs", lapses, r, runs)
		}
		if len(s.settlements) != 1 || s.settlements[0] != want {
			t.Errorf("after %d lapses the claim is settled %v: a redrive is to run", lapses, s.settlements)
		}
	}
}

func TestNoTwoMessagesHaveTheSameKey(t *testing.T) {
	s := &faked{}
	h := use.Dedupe(s, time.Hour)(always(consumer.Ack()))
	seen := map[string]consumer.Delivery{}
	for _, d := range []consumer.Delivery{
		{Queue: "a", MessageID: "b:c"}, {Queue: "a:b", MessageID: "c"}, {Queue: "a%3Ab", MessageID: "c"}, {Queue: "a", MessageID: "b%3Ac"},
		{Queue: "a", MessageID: ":b"}, {Queue: "a:", MessageID: "b"}, {Queue: "", MessageID: "a:b"}, {Queue: "a%", MessageID: "b"},
	} {
		h(timeout(t, time.Minute), d)
		key := s.keys[len(s.keys)-1]
		if other, has := seen[key]; has {
			t.Errorf("%+v and %+v have the key %q", d, other, key)
		}
		seen[key] = d
	}
	if s.keys[0] != "a:b:c" {
		t.Errorf("the key is %q, and nobody can read it", s.keys[0])
	}
}

func TestADedupeThatCannotWorkIsAnErrorOfNew(t *testing.T) {
	ok := mustMemory(t, 1)
	for want, m := range map[string]consumer.Middleware{
		"use.Dedupe: the store is nil":                             use.Dedupe(nil, time.Hour),
		"use.Dedupe: the store is nil ":                            use.Dedupe((*use.Memory)(nil), time.Hour),
		"use.Dedupe: keep is 0s, want 1ms to 8760h0m0s":            use.Dedupe(ok, 0),
		"use.Dedupe: keep is -1s, want 1ms to 8760h0m0s":           use.Dedupe(ok, -time.Second),
		"use.Dedupe: keep is 8760h0m0.001s, want 1ms to 8760h0m0s": use.Dedupe(ok, 365*24*time.Hour+time.Millisecond),
	} {
		spec := consumer.Spec{Queue: "orders", Handler: always(consumer.Ack()), Use: []consumer.Middleware{m}}
		if _, err := consumer.New(nil, spec, nil, nil); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
	if h := use.Dedupe(ok, time.Hour)(nil); h != nil {
		t.Error("a nil handler is wrapped")
	}
}

func TestAMessageCostsTwoAllocationsInMemory(t *testing.T) {
	m := mustMemory(t, 100_000)
	h := use.Dedupe(m, time.Hour)(always(consumer.Ack()))
	ctx := timeout(t, time.Minute)
	ids := make([]string, 20_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
	}
	i := 0
	each := testing.AllocsPerRun(len(ids)-1, func() {
		h(ctx, consumer.Delivery{Queue: "orders", MessageID: ids[i]})
		i++
	})
	if each > 2 {
		t.Errorf("a message costs %.1f allocations, want 2", each)
	}
}
