package snapshot

import (
	"testing"
	"time"
)

func TestAPlanKeepsItsSnapshot(t *testing.T) {
	f := &fake{messages: failures(10)}
	inBubble(t, f, nil, func(t *testing.T, s *Store) {
		r := open(t, s)
		_, stop := r.Watch()
		defer stop()
		time.Sleep(time.Second)
		first := r.Snapshot()
		if !r.Keep(first.Version(), time.Now().Add(10*time.Minute)) || r.Keep(99, time.Now().Add(time.Hour)) {
			t.Fatal("it keeps another one")
		}
		r.Keep(first.Version(), time.Now()) // the latest moment counts
		r.Begin()
		time.Sleep(time.Second)
		second := r.Snapshot()
		r.Begin()
		time.Sleep(9 * time.Minute)
		if r.Version(first.Version()) != first || r.Version(second.Version()) != nil {
			t.Errorf("after 9 minutes: the one that is kept %p, the next one %p", r.Version(first.Version()), r.Version(second.Version()))
		}
		time.Sleep(90 * time.Second)
		if r.Version(first.Version()) != nil || len(r.kept) > 0 {
			t.Error("it is kept for longer")
		}
	})
}

func TestWhatIsKeptIsDroppedLast(t *testing.T) {
	f := &fake{messages: failures(10)}
	inBubble(t, f, nil, func(t *testing.T, s *Store) {
		r := open(t, s)
		versions := func() (all []int) {
			for n := range 5 {
				if r.Version(n) != nil {
					all = append(all, n)
				}
			}
			return all
		}
		time.Sleep(time.Second)
		for range 2 {
			r.Begin()
			time.Sleep(time.Second)
		}
		r.Keep(1, time.Now().Add(time.Minute))
		r.expire(time.Now(), true)
		if got := versions(); len(got) != 2 || got[0] != 1 || got[1] != 3 {
			t.Errorf("when memory is tight there are %v", got)
		}
		if r.makeRoom(); r.Version(1) == nil || r.Version(3) != nil {
			t.Errorf("for another one there are %v", versions())
		}
		if r.makeRoom(); r.Version(1) != nil || r.makeRoom() {
			t.Errorf("in the end there are %v", versions())
		}
	})
}

func TestNoPassBeginsByItselfWhileAnOperationRuns(t *testing.T) {
	f := &fake{messages: failures(10), busy: true}
	inBubble(t, f, func(c *Config) { c.Busy = f.isBusy }, func(t *testing.T, s *Store) {
		r := open(t, s)
		_, stop := r.Watch()
		defer stop()
		time.Sleep(10 * time.Minute)
		if p := r.Progress(); f.passes() != 0 || !p.Ask {
			t.Fatalf("%d passes, %+v", f.passes(), p)
		}
		r.Begin() // somebody may want one all the same
		time.Sleep(10 * time.Second)
		f.set(func(f *fake) { f.messages = failures(11) })
		time.Sleep(10 * time.Minute)
		if f.passes() != 1 {
			t.Fatalf("%d passes", f.passes())
		}
		f.set(func(f *fake) { f.busy = false })
		time.Sleep(10 * time.Second)
		if f.passes() != 2 {
			t.Errorf("%d passes after it", f.passes())
		}
	})
}
