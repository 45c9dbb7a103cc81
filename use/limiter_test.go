package use

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var impatient = Ask{Near: near}

func newLimiter(t *testing.T, l Limit) *LocalLimiter {
	t.Helper()
	made, err := NewLimiter(l)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// asks asks for a message of a key, and wants an answer.
func asks(t *testing.T, l Limiter, a Ask, key, id string) Answer {
	t.Helper()
	a.Key, a.ID = key, id
	s, err := l.Moment(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestALimiterSaysWhatIsWrongWithItsLimit(t *testing.T) {
	for want, l := range map[string]Limit{
		"Limit.Events is 0, want 1 or more":                                  {},
		"Limit.Events is -1, want 1 or more":                                 {Events: -1},
		"Limit.Per is -1s, want up to 8760h0m0s, or 0 for a second":          {Events: 1, Per: -time.Second},
		"Limit.Per is 8761h0m0s, want up to 8760h0m0s, or 0 for a second":    {Events: 1, Per: 8761 * time.Hour},
		"Limit.Events is 2000000000 in 1s, want at most one in a nanosecond": {Events: 2e9},
		"Limit.Burst is 6, want 0 to Limit.Events, which is 5":               {Events: 5, Burst: 6},
		"Limit.Burst is -1, want 0 to Limit.Events, which is 5":              {Events: 5, Burst: -1},
	} {
		if _, err := NewLimiter(l); err == nil || err.Error() != "use: "+want {
			t.Errorf("the error is %v, want use: %s", err, want)
		}
		made, err := NewLimiterFor(func(string) Limit { return l })
		if err != nil {
			t.Fatal(err)
		}
		if s, err := made.Moment(t.Context(), Ask{Key: "acme"}); err == nil || err.Error() != `the limit of key "acme": use: `+want || s.Given {
			t.Errorf("the answer is %+v and the error %v", s, err)
		}
	}
	if _, err := NewLimiterFor(nil); err == nil || !strings.Contains(err.Error(), "the limit function is nil") {
		t.Errorf("the error is %v", err)
	}
}

func TestEachKeyHasItsOwnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLimiterFor(func(key string) Limit {
			return map[string]Limit{"big": {Events: 100}, "small": {Events: 1}}[key]
		})
		if err != nil {
			t.Fatal(err)
		}
		a := Ask{Near: near, Patience: 2 * time.Second, First: 2 * time.Second}
		for _, want := range []struct {
			key  string
			wait time.Duration
		}{{"big", 0}, {"small", 0}, {"big", 10 * time.Millisecond}, {"small", time.Second}, {"big", 20 * time.Millisecond}} {
			if s := asks(t, l, a, want.key, "x"); !s.Given || s.Wait != want.wait {
				t.Errorf("%s: %+v, want a moment in %s", want.key, s, want.wait)
			}
		}
	})
}

func TestNoMomentIsGivenTwiceHoweverManyAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Limit{Events: 1000})
		moments := make([][]time.Duration, 8)
		var all sync.WaitGroup
		for i := range moments {
			all.Go(func() {
				for j := range 500 {
					s := asks(t, l, Ask{Near: near, Patience: time.Hour, First: time.Hour}, "k", fmt.Sprint(i, j))
					if !s.Given {
						t.Errorf("the answer is %+v, want a moment", s)
					}
					moments[i] = append(moments[i], s.Wait)
				}
			})
		}
		all.Wait()
		sorted := slices.Sorted(slices.Values(slices.Concat(moments...)))
		for i, at := range sorted {
			if at != time.Duration(i)*time.Millisecond {
				t.Fatalf("moment %d is in %s", i, at)
			}
		}
	})
}

func TestIdleKeysAndLostMessagesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Limit{Events: 1})
		for i := range 1000 {
			key := fmt.Sprint("key", i)
			asks(t, l, impatient, key, "handled")
			asks(t, l, impatient, key, "lost")
		}
		if len(l.lines) != 1000 || l.places != 1000 {
			t.Fatalf("there are %d keys and %d places, want 1000 of each", len(l.lines), l.places)
		}
		time.Sleep(2 * sweepEvery)
		asks(t, l, impatient, "other", "x")
		if len(l.lines) != 1 || l.places != 0 {
			t.Errorf("two minutes later there are %d keys and %d places, want one key", len(l.lines), l.places)
		}
	})
}

func TestALongKeyTakesLittleMemoryAndIsStillItself(t *testing.T) {
	l := newLimiter(t, Limit{Events: 1, Per: time.Hour})
	long := strings.Repeat("x", 1<<20)
	if s := asks(t, l, impatient, long, "a"); !s.Given {
		t.Errorf("the answer is %+v", s)
	}
	if s := asks(t, l, impatient, long, "b"); s.Given {
		t.Error("its second message was given a moment")
	}
	if s := asks(t, l, impatient, long+"y", "c"); !s.Given {
		t.Errorf("another long key was answered %+v", s)
	}
	for key := range l.lines {
		if len(key) > longestKey {
			t.Errorf("a key of %d bytes is kept", len(key))
		}
	}
}

func TestAKeyIsNotForgottenWhileItsLimitCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Limit{Events: 2, Per: time.Hour, Burst: 2})
		asks(t, l, impatient, "k", "a")
		asks(t, l, impatient, "k", "b")
		time.Sleep(2 * sweepEvery)
		asks(t, l, impatient, "other", "x")
		if s := asks(t, l, impatient, "k", "c"); s.Given {
			t.Error("a third message of two in an hour was given a moment")
		}
	})
}

func TestThereIsABoundOfKeysAndNoneIsHandledBeyondIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Limit{Events: 1, Per: time.Hour})
		for i := range mostKeys {
			asks(t, l, impatient, fmt.Sprint("key", i), "x")
		}
		time.Sleep(2 * time.Second)
		s, err := l.Moment(t.Context(), Ask{Key: "one more", ID: "x"})
		if err == nil || !strings.Contains(err.Error(), "there are 100000 keys") || s.Given {
			t.Errorf("the answer is %+v and the error %v", s, err)
		}
		if len(l.lines) != mostKeys {
			t.Errorf("there are %d keys", len(l.lines))
		}
		time.Sleep(time.Hour)
		if s := asks(t, l, impatient, "one more", "x"); !s.Given || len(l.lines) != 1 {
			t.Errorf("an hour later the answer is %+v, with %d keys", s, len(l.lines))
		}
	})
}

func TestThereIsABoundOfPlacesAndMessagesBeyondItAreHandledToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Limit{Events: 1000})
		const beyond = 500
		last := map[string]Answer{}
		asks(t, l, impatient, "k", "first")
		for i := range mostPlaces + beyond {
			id := fmt.Sprint(i)
			if s := asks(t, l, impatient, "k", id); i >= mostPlaces {
				last[id] = s
			}
		}
		if l.places != mostPlaces {
			t.Errorf("there are %d places", l.places)
		}
		var waits []time.Duration
		for _, s := range last {
			if s.Given || s.Wait < 100*time.Second {
				t.Fatalf("a message beyond them was answered %+v, want to come at its turn", s)
			}
			waits = append(waits, s.Wait)
		}
		slices.Sort(waits)
		if len(slices.Compact(waits)) != beyond {
			t.Error("messages beyond them are told to come at the same time")
		}
		time.Sleep(waits[0] + 2*near)
		if s := asks(t, l, impatient, "k", "100000"); !s.Given {
			t.Errorf("when its turn came, it was answered %+v", s)
		}
	})
}

func TestALimitFunctionThatPanicsHoldsNoLock(t *testing.T) {
	l, err := NewLimiterFor(func(key string) Limit {
		if key == "bad" {
			panic(errors.New("no such account"))
		}
		return Limit{Events: 1}
	})
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = l.Moment(t.Context(), Ask{Key: "bad"})
	}()
	if s := asks(t, l, impatient, "good", "x"); !s.Given {
		t.Errorf("the answer is %+v", s)
	}
}

func TestAKeyOfAtMostThatIsIdleIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(1)
		ask := func(key, id string) *room {
			r, _, _ := h.ask(Ask{Key: key, ID: id, Near: near})
			return r
		}
		busy := ask("busy", "x")
		for i := range 1000 {
			h.leave(ask(fmt.Sprint("key", i), "x"), time.Second)
		}
		for i := range 10 {
			ask("busy", fmt.Sprint(i))
		}
		time.Sleep(2 * sweepEvery)
		ask("other", "x")
		if len(h.rooms) != 2 || h.rooms["busy"] != busy || len(busy.places.at) > 10 {
			t.Errorf("two minutes later there are %d keys, want the busy and the new one", len(h.rooms))
		}
		h.leave(busy, 2*time.Minute)
		if ask("busy", "y") != busy {
			t.Error("the key had another room while its handler ran")
		}
	})
}
