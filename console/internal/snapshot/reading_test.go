package snapshot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// inBubble runs a test in simulated time, with a Store that it closes.
func inBubble(t *testing.T, f *fake, change func(*Config), test func(t *testing.T, s *Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, storeOf(t, f, change)) })
}

func open(t *testing.T, s *Store) *Reading {
	t.Helper()
	r, err := s.Open(t.Context(), "orders-error")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTwentyViewersShareOnePass(t *testing.T) {
	f := &fake{messages: failures(100), every: 10 * time.Millisecond}
	inBubble(t, f, nil, func(t *testing.T, s *Store) {
		var viewers sync.WaitGroup
		for i := range 20 {
			viewers.Go(func() {
				time.Sleep(time.Duration(i) * 20 * time.Millisecond)
				r := open(t, s)
				_, stop := r.Watch()
				defer stop()
				time.Sleep(2 * time.Second)
				if read, rows := r.Snapshot().Read(); read != 100 || rows != 100 {
					t.Errorf("viewer %d sees %d, %d rows", i, read, rows)
				}
			})
		}
		viewers.Wait()
		if n := f.passes(); n != 1 {
			t.Errorf("%d passes, want 1", n)
		}
	})
}

func TestAPassIsSeenWhileItRunsAndGoesOnWithoutItsViewer(t *testing.T) {
	f := &fake{messages: failures(100), every: 100 * time.Millisecond}
	inBubble(t, f, nil, func(t *testing.T, s *Store) {
		ctx, leave := context.WithCancel(t.Context())
		r, err := s.Open(ctx, "orders-error")
		if err != nil {
			t.Fatal(err)
		}
		changes, stop := r.Watch()
		time.Sleep(1050 * time.Millisecond)
		snap, p := r.Snapshot(), r.Progress()
		if rows, total, err := snap.Find(errorqueue.Filter{}, Page{}); err != nil || total != 10 || len(rows) != 10 || len(snap.Groups().Groups) != 4 || snap.Done() {
			t.Errorf("after a second: %d of %d rows, %v", len(rows), total, err)
		}
		if p.Phase != Running || p.Read != 10 || p.Of != 100 || p.Took != 1050*time.Millisecond || p.Depth != 100 {
			t.Errorf("after a second: %+v", p)
		}
		if n := <-changes; n != snap.Version() {
			t.Errorf("told of %d", n)
		}
		stop()
		leave()
		time.Sleep(10 * time.Second)
		if p := r.Progress(); p.Phase != Idle || p.Read != 100 || p.Err != nil || !snap.Done() || p.Took != 10*time.Second {
			t.Errorf("in the end: %+v", p)
		}
	})
}

func TestALongQueueIsReadWhenSomebodyWantsIt(t *testing.T) {
	f := &fake{messages: failures(100)}
	inBubble(t, f, func(c *Config) { c.AutoDepth = 99 }, func(t *testing.T, s *Store) {
		r := open(t, s)
		_, stop := r.Watch()
		defer stop()
		time.Sleep(10 * time.Minute)
		if p := r.Progress(); f.passes() != 0 || !p.Ask || p.Depth != 100 || r.Snapshot() != nil {
			t.Fatalf("%d passes, %+v", f.passes(), p)
		}
		r.Begin()
		time.Sleep(time.Second)
		if p := r.Progress(); f.passes() != 1 || p.Ask || p.Read != 100 {
			t.Errorf("%d passes, %+v", f.passes(), p)
		}
	})
}

func TestAQueueIsReadAgainOnlyIfItHasChangedAndSomebodyWatches(t *testing.T) {
	f := &fake{messages: failures(10), every: time.Second} // a pass takes 10 s
	inBubble(t, f, nil, func(t *testing.T, s *Store) {
		r := open(t, s)
		_, stop := r.Watch()
		time.Sleep(time.Hour)
		if f.passes() != 1 {
			t.Fatalf("%d passes of what has not changed", f.passes())
		}
		first := r.Snapshot()
		f.set(func(f *fake) { f.messages = failures(11) })
		time.Sleep(7500 * time.Millisecond)
		if p := r.Progress(); f.passes() != 2 || p.Phase != Running || r.Snapshot() != first || r.Running() == nil {
			t.Fatalf("%d passes, %+v", f.passes(), p)
		}
		f.set(func(f *fake) { f.messages = failures(12) })
		time.Sleep(3 * time.Minute) // 20 times 11 s are more
		if read, _ := r.Snapshot().Read(); f.passes() != 2 || read != 11 || r.Progress().Depth != 12 {
			t.Fatalf("%d passes, %d read, %+v", f.passes(), read, r.Progress())
		}
		if r.Version(first.Version()) != first {
			t.Error("the first snapshot is gone after 3 minutes")
		}
		time.Sleep(time.Minute)
		if f.passes() != 3 {
			t.Errorf("%d passes", f.passes())
		}
		time.Sleep(2 * time.Minute)
		if r.Version(first.Version()) != nil {
			t.Error("the first snapshot is there after 6 minutes")
		}
		stop()
		time.Sleep(2 * time.Minute)
		asked := f.questions()
		f.set(func(f *fake) { f.messages = failures(13) })
		time.Sleep(20 * time.Minute)
		if f.passes() != 3 || f.questions() != asked {
			t.Errorf("%d passes, asked %d times after nobody watched", f.passes(), f.questions()-asked)
		}
	})
}

func TestWhatNobodyLooksAtIsDropped(t *testing.T) {
	f := &fake{messages: failures(10)}
	inBubble(t, f, func(c *Config) { c.SpoolDir = t.TempDir() }, func(t *testing.T, s *Store) {
		r := open(t, s)
		time.Sleep(29 * time.Minute)
		if again := open(t, s); again != r || s.memory.used.Load() == 0 {
			t.Fatalf("it is another one after 29 minutes")
		}
		snap := r.Snapshot()
		time.Sleep(31 * time.Minute)
		if !f.over() || r.Progress().Phase != Closed || s.memory.used.Load() != 0 || s.disk.used.Load() != 0 {
			t.Errorf("after 31 minutes: %+v, %d bytes, %d in the spool", r.Progress(), s.memory.used.Load(), s.disk.used.Load())
		}
		if rows, _, err := snap.Find(errorqueue.Filter{}, Page{}); err != nil || len(rows) != 10 {
			t.Errorf("who looks at it sees %d rows, %v", len(rows), err)
		}
		if r2 := open(t, s); r2 == r {
			t.Error("it is not opened anew")
		}
	})
}

func TestAFailedPassLeavesWhatAWholeOneHasRead(t *testing.T) {
	lost := errors.New("the connection is lost")
	f := &fake{messages: failures(10), broken: lost}
	inBubble(t, f, nil, func(t *testing.T, s *Store) {
		r := open(t, s)
		time.Sleep(time.Second)
		if p := r.Progress(); !errors.Is(p.Err, lost) || r.Snapshot() == nil || !r.Snapshot().Done() {
			t.Fatalf("the first: %+v", p)
		}
		f.set(func(f *fake) { f.broken = nil })
		r.Begin()
		time.Sleep(time.Second)
		whole := r.Snapshot()
		if p := r.Progress(); p.Err != nil || whole.Err() != nil {
			t.Fatalf("the second: %+v", p)
		}
		f.set(func(f *fake) { f.broken = lost })
		r.Begin()
		time.Sleep(time.Second)
		if p := r.Progress(); !errors.Is(p.Err, lost) || r.Snapshot() != whole {
			t.Errorf("the third: %+v", p)
		}
		var versions []int
		for n := range 5 {
			if r.Version(n) != nil {
				versions = append(versions, n)
			}
		}
		if !slices.Equal(versions, []int{1, 2, 3}) {
			t.Errorf("there are %v", versions)
		}
	})
}

func TestCloseEndsAPass(t *testing.T) {
	f := &fake{messages: failures(100), every: time.Second}
	inBubble(t, f, nil, func(t *testing.T, s *Store) {
		r := open(t, s)
		time.Sleep(5500 * time.Millisecond)
		s.Close(t.Context())
		if p := r.Progress(); p.Phase != Closed || p.Read != 5 || !f.over() || s.memory.used.Load() != 0 {
			t.Errorf("%+v, %d bytes", p, s.memory.used.Load())
		}
		if _, err := s.Open(t.Context(), "orders-error"); !errors.Is(err, ErrClosed) {
			t.Errorf("after it: %v", err)
		}
	})
}

func TestAQueueThatCannotBeOpenedIsAnErrorForAllWhoWait(t *testing.T) {
	opened := 0
	inBubble(t, nil, func(c *Config) {
		c.Open = func(context.Context, string) (Queue, error) {
			opened++
			time.Sleep(time.Second)
			return nil, errorqueue.ErrNoQueue
		}
	}, func(t *testing.T, s *Store) {
		var viewers sync.WaitGroup
		for range 3 {
			viewers.Go(func() {
				if _, err := s.Open(t.Context(), "nothing"); !errors.Is(err, errorqueue.ErrNoQueue) {
					t.Errorf("got %v", err)
				}
			})
		}
		viewers.Wait()
		if opened != 1 || len(s.readings) != 0 {
			t.Errorf("opened %d times, %d readings", opened, len(s.readings))
		}
	})
}

func TestAPassWaitsReadsAndGivesBack(t *testing.T) {
	s := storeOf(t, &fake{}, nil).newSnapshot("orders-error", func() bool { return false })
	defer s.drop()
	for _, c := range []struct {
		errorqueue errorqueue.Phase
		want       Phase
	}{
		{errorqueue.PhaseWaiting, Waiting}, {errorqueue.PhaseReading, Running}, {errorqueue.PhaseGivingBack, GivingBack}, {"", GivingBack},
	} {
		p := Progress{Phase: Idle}
		s.tell(errorqueue.Progress{Phase: c.errorqueue, Of: 3})
		if s.progress(&p); p.Phase != c.want || p.Of != 3 {
			t.Errorf("%q: %+v, want %s", c.errorqueue, p, c.want)
		}
	}
	s.end(nil)
	p := Progress{Phase: Idle}
	if s.progress(&p); p.Phase != Idle || p.Took == 0 {
		t.Errorf("in the end: %+v", p)
	}
}
