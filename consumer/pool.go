package consumer

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/watchdog"
)

// pool has what is to be handled next, and runs handlers in workers. A worker that has finished
// takes the next delivery itself. While deliveries wait, one worker at a time is called: woken if
// one is idle, else started, up to the limit of control. It calls the next one when it has taken a
// delivery; in a moment only, if its last handler was quick. So handlers that take microseconds
// wake few workers, and slow ones soon have them all. When control allows fewer, workers that have
// finished end themselves.
type pool struct {
	// Immutable.
	concurrency int64
	control     *control
	handle      func(*worker, *received)
	gate        *gate
	gauges      *gauges // its workers and running belong to the pool

	working sync.WaitGroup // the workers; end waits for them

	// barred keeps workers from beginning what waits, such as what a single active consumer must
	// not start now. The intake writes it.
	barred atomic.Bool

	mu      sync.Mutex           // guards all below, and changes of the workers' number
	backlog backlog              // no worker has begun it; the intake adds to it and takes it back
	alone   *received            // comes before the backlog; the guard and its worker write it
	active  map[*worker]struct{} // the workers; each enters and leaves itself
	idle    []*worker            // those that wait to be called
	called  bool                 // a worker that was called has not looked yet
	quick   int                  // workers with a delivery whose last handler was quick
	timer   *time.Timer          // calls a worker in a moment; nil before the first time
	soon    bool                 // the timer runs
	over    bool                 // end was called
}

func newPool(concurrency int, c *control, g *gauges, handle func(*worker, *received)) *pool {
	return &pool{
		concurrency: int64(concurrency), control: c, handle: handle, gate: newGate(), gauges: g, active: map[*worker]struct{}{},
	}
}

// worker is a goroutine that runs handlers, one after the other, until the consumer stops, there
// are more workers than may be, or a handler calls runtime.Goexit.
type worker struct {
	id   string        // of its goroutine, to find its stack; immutable
	wake chan struct{} // has a place for the call; immutable
	body []byte        // of the delivery that it handles, as it came; its goroutine writes it

	called bool // and has not looked yet; guarded by pool.mu
	counts bool // among the quick ones that have a delivery; guarded by pool.mu
	quick  bool // its last handler took less than quickly; its goroutine writes it

	now   atomic.Pointer[attempt] // the handler that it runs, else nil; its goroutine writes it
	watch watchdog.Operation      // of that handler; only its goroutine begins and ends it
}

// mostKept is the largest body, in bytes, whose memory a worker keeps for the next one.
const mostKept = 256 << 10

// keep notes a body before the handler sees it, because the handler may change it. To copy it into
// the same memory each time costs next to nothing; most messages need no more than that.
func (w *worker) keep(body []byte) { w.body = append(w.body[:0], body...) }

// forget lets the memory of a large body go.
func (w *worker) forget() {
	if cap(w.body) > mostKept {
		w.body = nil
	}
}

// add adds deliveries to what is to be handled. It returns how many bytes of bodies wait now.
func (p *pool) add(all ...*received) (bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backlog.push(all...)
	p.callFor(p.quick > 0)
	return p.backlog.bytes
}

// waits returns how many deliveries wait, and how many bytes their bodies have.
func (p *pool) waits() (n, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.backlog.len(), p.backlog.bytes
}

// takeBack returns what no worker has begun, in order. No worker begins it any more.
func (p *pool) takeBack() []*received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.backlog.drain()
}

// bar keeps workers from beginning what waits, or lets them. The intake calls it.
func (p *pool) bar(yes bool) {
	if p.barred.Load() != yes {
		p.barred.Store(yes)
		p.rouse()
	}
}

// rouse follows whatever may let a worker begin what waits: the gate is open, or the limit higher.
func (p *pool) rouse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.call()
}

// handAlone has a worker handle a delivery from quarantine before all others, and waits until one
// has taken it. It returns false if ctx ended before that. The guard calls it.
func (p *pool) handAlone(ctx context.Context, d *received) bool {
	p.mu.Lock()
	p.alone = d
	p.call()
	p.mu.Unlock()
	select {
	case <-d.solo.taken:
		return true
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alone != d {
		return true
	}
	p.alone = nil
	return false
}

// call calls a worker if there is something to begin, and none was called that has not looked yet.
// Whoever changes what next looks at calls it. The caller holds mu.
func (p *pool) call() {
	if !p.needsOne() {
		return
	}
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.called, w.called = true, true
		w.wake <- struct{}{}
		return
	}
	if p.gauges.workers.Load() < p.most() {
		p.gauges.workers.Add(1)
		p.called = true
		p.working.Go(func() { p.work(true) })
	}
}

// quickly is how long a handler takes at most after which its worker counts as quick. To wake
// another worker takes some microseconds of two processors.
const quickly = 20 * time.Microsecond

// aMoment is how long a delivery may wait for a worker that is quick before another one is called.
const aMoment = 500 * time.Microsecond

// callFor is call, but in a moment if a quick worker is about to look: it may have taken the rest
// by then. The caller holds mu.
func (p *pool) callFor(quick bool) {
	switch {
	case !quick || p.alone != nil:
		p.call()
	case !p.soon && p.needsOne():
		p.soon = true
		if p.timer == nil {
			p.timer = time.AfterFunc(aMoment, p.onTimer)
			return
		}
		p.timer.Reset(aMoment)
	}
}

func (p *pool) onTimer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.soon = false
	for w := range p.active { // they were not quick this time
		w.counts = false
	}
	p.quick = 0
	p.call()
}

// needsOne returns whether something may be begun and no worker was called that has not looked yet.
// The caller holds mu.
func (p *pool) needsOne() bool { return !p.called && !p.over && p.isAny() }

// isAny returns whether something may be begun. The caller holds mu.
func (p *pool) isAny() bool {
	return p.alone != nil || p.backlog.len() > 0 && !p.barred.Load() && !p.gate.closed.Load()
}

// most returns how many workers there may be. The guard has looked at the limit before it took its
// message, which nobody else may handle now. So only the Concurrency bounds it here, and a stop
// that has begun meanwhile does not keep its handler from beginning. The caller holds mu.
func (p *pool) most() int64 {
	if p.alone != nil {
		return p.concurrency
	}
	return p.control.slots.Load()
}

// next returns what a worker handles now, and waits for it. It returns nil if the worker is to end,
// and counts the worker no more.
func (p *pool) next(w *worker) *received {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if w.called {
			w.called, p.called = false, false
		}
		if w.counts {
			w.counts = false
			p.quick--
		}
		d := p.pick()
		ends := d == nil && (p.over || p.gauges.workers.Load() > p.most())
		if ends {
			p.gauges.workers.Add(-1)
		}
		if d != nil || ends {
			if w.counts = d != nil && w.quick; w.counts {
				p.quick++
			}
			p.callFor(w.counts) // another one, for what is left
			return d
		}
		p.idle = append(p.idle, w)
		p.mu.Unlock()
		<-w.wake
		p.mu.Lock()
	}
}

// pick takes what may be begun first, and returns nil if that is nothing, or there are more workers
// than the limit. What is not alone is in the gate then. The caller holds mu.
func (p *pool) pick() *received {
	if d := p.alone; d != nil {
		p.alone = nil
		close(d.solo.taken)
		return d
	}
	if p.gauges.workers.Load() > p.most() || p.barred.Load() || p.backlog.len() == 0 || !p.gate.enter() {
		return nil
	}
	return p.backlog.pop()
}

// work is a worker's goroutine. isCalled is false for a successor. A handler that calls
// runtime.Goexit ends the worker's goroutine, which then starts its successor.
func (p *pool) work(isCalled bool) {
	clean := false
	w := &worker{id: goroutineID(), wake: make(chan struct{}, 1), called: isCalled}
	p.register(w, true)
	defer func() {
		p.register(w, false)
		if !clean {
			p.working.Go(func() { p.work(false) })
		}
	}()
	for d := p.next(w); d != nil; d = p.next(w) {
		p.take(w, d)
	}
	clean = true
}

// register notes that a worker begins, or ends.
func (p *pool) register(w *worker, begins bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if begins {
		p.active[w] = struct{}{}
	} else {
		delete(p.active, w)
		if w.counts { // its handler has called runtime.Goexit
			w.counts = false
			p.quick--
		}
	}
}

// underway returns the handlers that run, the longest first.
func (p *pool) underway() []*attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*attempt
	for w := range p.active {
		if a := w.now.Load(); a != nil {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b *attempt) int { return a.ctx.began.Compare(b.ctx.began) })
	return all
}

// take handles a delivery.
func (p *pool) take(w *worker, d *received) {
	p.gauges.running.Add(1)
	defer func() {
		p.gauges.running.Add(-1)
		p.leave(d)
		if d.solo != nil {
			d.solo.freeToken()
		}
	}()
	p.handle(w, d)
}

// leave takes a delivery out of the gate, once: when its worker is done with it, or may never be.
func (p *pool) leave(d *received) {
	if d.solo == nil && d.left.CompareAndSwap(false, true) {
		p.gate.leave()
	}
}

// release keeps the gate and the token from waiting for a worker that may never have done with a
// delivery: its handler is stuck, or the monitor blocks. The slot stays taken.
func (p *pool) release(d *received) {
	p.leave(d)
	if d.solo != nil {
		d.solo.openGate()
		d.solo.freeToken()
	}
}

// end lets each worker end when it is idle, and waits for all of them.
func (p *pool) end() {
	p.mu.Lock()
	p.over = true
	for _, w := range p.idle {
		w.wake <- struct{}{}
	}
	p.idle = nil
	p.mu.Unlock()
	p.working.Wait()
}

// goroutineID returns the number of this goroutine that stack traces show. It serves to find its
// stack.
func goroutineID() string {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	if f := bytes.Fields(buf); len(f) > 1 {
		if _, err := strconv.Atoi(string(f[1])); err == nil {
			return string(f[1])
		}
	}
	return ""
}

// stack returns the stack of the worker's goroutine at this moment.
func (w *worker) stack() string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for _, g := range bytes.Split(buf, []byte("\n\n")) {
		if w != nil && w.id != "" && bytes.HasPrefix(g, []byte("goroutine "+w.id+" ")) {
			return string(g)
		}
	}
	return "the stack was not found among those of all goroutines"
}
