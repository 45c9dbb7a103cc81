package consumer

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// newTestPool makes a pool of a consumer whose handler is f.
func newTestPool(concurrency int, f func(*received)) *pool {
	c := newControl(wanted{concurrency: concurrency, ahead: concurrency})
	return newPool(concurrency, c, new(gauges), func(_ *worker, d *received) { f(d) })
}

func someReceived(n int) (all []*received) {
	for range n {
		all = append(all, new(received))
	}
	return all
}

// A delivery that nobody is called for would wait for the next one, which may never come.
func TestWhateverHoldsDeliveriesUpAllAreHandledAfterIt(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) { holdsUp(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func holdsUp(t *testing.T, random *rand.Rand) {
	concurrency := 1 + random.IntN(5)
	var handled, running, most atomic.Int64
	p := newTestPool(concurrency, func(*received) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		if n := handled.Add(1); n%7 > 3 { // else it is quick
			time.Sleep(time.Millisecond)
		}
		running.Add(-1)
	})
	p.handle = quickIf(p.handle, func() bool { return handled.Load()%7 <= 3 })
	closed, added := false, 0
	for range 60 {
		switch random.IntN(6) {
		case 0:
			p.bar(!p.barred.Load())
		case 1:
			if closed = !closed; closed {
				p.gate.closed.Store(true)
			} else {
				p.gate.open()
				p.rouse()
			}
		case 2:
			limit := random.IntN(concurrency + 1)
			p.control.update(func(w *wanted) { w.most = limit })
			p.rouse() // as the intake does when the control has changed
		case 3:
			d := &received{solo: newSolo(func() {})}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(3))*time.Millisecond)
			if p.handAlone(ctx, d) {
				added++
			}
			cancel()
		default:
			n := 1 + random.IntN(4)
			p.add(someReceived(n)...)
			added += n
		}
		time.Sleep(time.Duration(random.IntN(2)) * time.Millisecond)
	}
	p.gate.open()
	p.control.update(func(w *wanted) { w.most = 0 })
	p.bar(false)
	p.rouse()
	time.Sleep(time.Hour)
	if n := handled.Load(); n != int64(added) {
		t.Errorf("%d of %d were handled", n, added)
	}
	if n := most.Load(); n > int64(concurrency) {
		t.Errorf("%d handlers ran at once, want %d at most", n, concurrency)
	}
	if n := p.gate.inside.Load(); n != 0 {
		t.Errorf("%d are in the gate after all", n)
	}
	p.end()
	if n := p.gauges.workers.Load(); n != 0 {
		t.Errorf("%d workers are left", n)
	}
}

func TestSlowHandlersHaveAllWorkersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int64
		p := newTestPool(16, func(*received) {
			running.Add(1)
			time.Sleep(time.Second)
			running.Add(-1)
		})
		for range 2 { // the second time the workers are idle
			p.add(someReceived(20)...)
			synctest.Wait()
			if n := running.Load(); n != 16 {
				t.Errorf("%d handlers run, want 16", n)
			}
			time.Sleep(time.Minute)
		}
		p.end()
	})
}

// quickIf makes a pool's handle say that its handler was quick, as an attempt does.
func quickIf(handle func(*worker, *received), is func() bool) func(*worker, *received) {
	return func(w *worker, d *received) {
		handle(w, d)
		w.quick = is()
	}
}

// A worker whose last handler was quick may be in a slow one now.
func TestADeliveryWaitsAMomentAtMostForAQuickWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &received{}
		var began []time.Duration
		var start time.Time
		p := newTestPool(3, func(d *received) {
			began = append(began, time.Since(start))
			if d == slow {
				time.Sleep(time.Minute)
			}
		})
		p.handle = quickIf(p.handle, func() bool { return true })
		p.add(new(received))
		synctest.Wait()
		start = time.Now()
		p.add(slow)
		synctest.Wait()
		for range 3 {
			p.add(new(received))
			synctest.Wait()
			time.Sleep(time.Second)
		}
		p.end()
		if want := []time.Duration{0, 0, aMoment, time.Second, 2 * time.Second}; !slices.Equal(began[1:], want[1:]) {
			t.Errorf("handlers began after %v, want %v", began[1:], want[1:])
		}
	})
}

// While one worker was called and has not looked, no other one is.
func TestFastHandlersWakeFewWorkers(t *testing.T) {
	p := newTestPool(16, func(*received) {})
	p.mu.Lock()
	defer p.end()
	defer p.mu.Unlock()
	p.backlog.push(someReceived(100)...)
	for range 10 {
		p.call()
	}
	if n := p.gauges.workers.Load(); n != 1 {
		t.Errorf("%d workers were called for what one may handle, want 1", n)
	}
}

func TestDeliveriesBeginInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []*received
		p := newTestPool(1, func(d *received) {
			seen = append(seen, d)
			time.Sleep(time.Millisecond)
		})
		all := someReceived(100)
		for i := range 10 {
			p.add(all[10*i : 10*i+10]...)
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		p.end()
		for i, d := range all {
			if i >= len(seen) || seen[i] != d {
				t.Fatalf("number %d was another one, or none; %d were handled", i, len(seen))
			}
		}
	})
}

func TestWhatIsTakenBackIsNotBegun(t *testing.T) {
	var mu sync.Mutex
	times := map[*received]int{}
	note := func(all ...*received) {
		mu.Lock()
		defer mu.Unlock()
		for _, d := range all {
			times[d]++
		}
	}
	p := newTestPool(4, func(d *received) { note(d) })
	all := someReceived(10_000)
	for i := 0; i < len(all); i += 10 {
		p.add(all[i : i+10]...)
		if i%50 == 0 {
			note(p.takeBack()...)
		}
	}
	note(p.takeBack()...)
	p.end()
	for i, d := range all {
		if times[d] != 1 {
			t.Fatalf("number %d was begun or taken back %d times", i, times[d])
		}
	}
	if n, bytes := p.waits(); n != 0 || bytes != 0 {
		t.Errorf("%d deliveries wait, of %d bytes", n, bytes)
	}
}

func TestASuspectComesBeforeAllAndIsTakenOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []*received
		p := newTestPool(1, func(d *received) {
			seen = append(seen, d)
			time.Sleep(time.Minute)
		})
		p.add(someReceived(2)...)
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if p.handAlone(short, &received{solo: newSolo(func() {})}) {
			t.Error("it was taken while no worker was free")
		}
		suspect := &received{solo: newSolo(func() {})}
		if !p.handAlone(t.Context(), suspect) {
			t.Error("it was not taken")
		}
		time.Sleep(time.Hour)
		p.end()
		if len(seen) != 3 || seen[1] != suspect {
			t.Errorf("%d were handled, or another one was the second", len(seen))
		}
	})
}

// The intake may wait for the broker, and gives back what waits only then.
func TestNoHandlerBeginsWhilePausedAndAllDoAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled atomic.Int64
		p := newTestPool(2, func(*received) {
			handled.Add(1)
			time.Sleep(time.Second)
		})
		p.add(someReceived(5)...)
		synctest.Wait()
		p.control.update(func(w *wanted) { w.paused = true })
		p.add(someReceived(1)...)
		time.Sleep(time.Minute)
		if n := handled.Load(); n != 2 {
			t.Errorf("%d handlers have begun, want the 2 before the pause", n)
		}
		p.control.update(func(w *wanted) { w.paused = false })
		p.rouse() // as the intake does when the control has changed
		time.Sleep(time.Minute)
		if n := handled.Load(); n != 6 {
			t.Errorf("%d of 6 were handled", n)
		}
		p.end()
	})
}
