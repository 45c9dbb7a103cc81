package consumer

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// ringing is told when its time is over.
type ringing struct {
	underway
	rang chan time.Time
}

func newRinging() *ringing { return &ringing{rang: make(chan time.Time, 2)} }

func (r *ringing) ring() { r.rang <- time.Now() }

func TestPatienceRingsThoseWhoseTimeIsOverAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patience{limit: 10 * time.Second}
		start := time.Now()
		all := make([]*ringing, 6)
		for i := range all { // a second apart
			all[i] = newRinging()
			p.begin(&all[i].underway, all[i], time.Now())
			time.Sleep(time.Second)
		}
		for _, i := range []int{0, 3, 5} { // the first, one between and the last
			if !p.over(&all[i].underway) {
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
			if got, want := (<-r.rang).Sub(start), time.Duration(i)*time.Second+p.limit; got != want {
				t.Errorf("%d rang after %s, want %s", i, got, want)
			}
			if p.over(&r.underway) {
				t.Errorf("%d was over in time, after it rang", i)
			}
		}
		// And once more, after all have gone.
		again := newRinging()
		p.begin(&again.underway, again, time.Now())
		began := time.Now()
		if got := (<-again.rang).Sub(began); got != p.limit {
			t.Errorf("it rang after %s, want %s", got, p.limit)
		}
	})
}

func TestPatienceHasOneTimerThatWhoIsInTimeDoesNotTouch(t *testing.T) {
	p := &patience{limit: time.Hour}
	defer p.end()
	var one, two ringing
	p.begin(&one.underway, &one, time.Now())
	p.over(&one.underway)
	if allocations := testing.AllocsPerRun(100, func() {
		p.begin(&one.underway, &one, time.Now())
		p.begin(&two.underway, &two, time.Now())
		p.over(&one.underway)
		p.over(&two.underway)
	}); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
	if p.first != nil || p.last != nil {
		t.Error("somebody is still under way")
	}
}

func BenchmarkPatience(b *testing.B) {
	p := &patience{limit: time.Hour}
	defer p.end()
	b.RunParallel(func(pb *testing.PB) {
		var r ringing
		for pb.Next() {
			p.begin(&r.underway, &r, time.Now())
			p.over(&r.underway)
		}
	})
}
