package watchdog

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// ringing is told when its time is over.
type ringing struct {
	Operation
	rang chan time.Time
}

func newRinging() *ringing { return &ringing{rang: make(chan time.Time, 2)} }

func (r *ringing) Expired() { r.rang <- time.Now() }

func TestWatchdogRingsThoseWhoseTimeIsOverAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Watchdog{Limit: 10 * time.Second}
		start := time.Now()
		all := make([]*ringing, 6)
		for i := range all { // a second apart
			all[i] = newRinging()
			p.Begin(&all[i].Operation, all[i], time.Now())
			time.Sleep(time.Second)
		}
		for _, i := range []int{0, 3, 5} { // the first, one between and the last
			if !p.End(&all[i].Operation) {
				t.Errorf("%d rang too early", i)
			}
		}
		time.Sleep(time.Minute)
		for i, r := range all {
			if slices.Contains([]int{0, 3, 5}, i) {
				if len(r.rang) > 0 {
					t.Errorf("%d rang, although it was over", i)
				}
				continue
			}
			if len(r.rang) != 1 {
				t.Fatalf("%d rang %d times", i, len(r.rang))
			}
			if got, want := (<-r.rang).Sub(start), time.Duration(i)*time.Second+p.Limit; got != want {
				t.Errorf("%d rang after %s, want %s", i, got, want)
			}
			if p.End(&r.Operation) {
				t.Errorf("%d was over in time, after it rang", i)
			}
		}
		// And once more, after all have gone.
		again := newRinging()
		p.Begin(&again.Operation, again, time.Now())
		began := time.Now()
		if got := (<-again.rang).Sub(began); got != p.Limit {
			t.Errorf("it rang after %s, want %s", got, p.Limit)
		}
	})
}

func TestWatchdogHasOneTimerThatWhoIsInTimeDoesNotTouch(t *testing.T) {
	p := &Watchdog{Limit: time.Hour}
	defer p.Stop()
	var one, two ringing
	p.Begin(&one.Operation, &one, time.Now())
	p.End(&one.Operation)
	if allocations := testing.AllocsPerRun(100, func() {
		p.Begin(&one.Operation, &one, time.Now())
		p.Begin(&two.Operation, &two, time.Now())
		p.End(&one.Operation)
		p.End(&two.Operation)
	}); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
	if p.first != nil || p.last != nil {
		t.Error("somebody is still under way")
	}
}

func BenchmarkWatchdog(b *testing.B) {
	p := &Watchdog{Limit: time.Hour}
	defer p.Stop()
	b.RunParallel(func(pb *testing.PB) {
		var r ringing
		for pb.Next() {
			p.Begin(&r.Operation, &r, time.Now())
			p.End(&r.Operation)
		}
	})
}
