package consumer

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/bunnicula-go/bunnicula/consumer/internal/watchdog"
)

// pool runs handlers in workers. It starts a worker when all others are busy, up to the limit of
// control. When the limit is lowered, workers that have finished end themselves.
type pool struct {
	// Immutable.
	concurrency int64
	control     *control
	handle      func(*worker, *received)
	gate        *gate
	gauges      *gauges // its workers and running belong to the pool

	jobs     chan *received // from the intake and the guard to an idle worker
	refused  chan *received // from a worker back to the intake: the gate was closed meanwhile, or the limit lowered
	refusing atomic.Int64   // how many deliveries are to come by refused; workers and the intake write it
	ended    signal         // wakes the guard: a worker has ended itself
	quit     chan struct{}  // closed by end, so that idle workers end
	working  sync.WaitGroup // the workers; end waits for them

	mu     sync.Mutex           // guards active
	active map[*worker]struct{} // the workers; each enters and leaves itself
}

func newPool(concurrency int, c *control, g *gauges, handle func(*worker, *received)) *pool {
	return &pool{
		concurrency: int64(concurrency), control: c, handle: handle, gate: newGate(), gauges: g, ended: newSignal(),
		jobs: make(chan *received), refused: make(chan *received), quit: make(chan struct{}), active: map[*worker]struct{}{},
	}
}

// worker is a goroutine that runs handlers, one after the other, until the consumer stops or a
// handler calls runtime.Goexit.
type worker struct {
	id   string // of its goroutine, to find its stack; immutable
	body []byte // of the delivery that it handles, as it came; its goroutine writes it

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

// hand gives a delivery to an idle worker, or to a new one. It returns false if all workers are
// busy. The intake and the guard call it.
func (p *pool) hand(d *received) bool {
	select {
	case p.jobs <- d:
		return true
	default:
	}
	if !p.hire(d) {
		return false
	}
	p.working.Go(func() { p.work(d) })
	return true
}

// hire counts a new worker, unless there are as many as may be. The count is never above that, not
// even for a moment: a worker that saw it would end itself, and nobody would be there for d.
//
// The guard has looked at the limit before it took its message, which nobody else may handle now.
// So only the Concurrency bounds it here.
func (p *pool) hire(d *received) bool {
	most := p.concurrency
	if d.solo == nil {
		most = p.control.slots.Load()
	}
	for {
		n := p.gauges.workers.Load()
		if n >= most {
			return false
		}
		if p.gauges.workers.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// surplus returns whether there are more workers than the limit. If so, the caller's is counted no
// more, and must end.
func (p *pool) surplus() bool {
	limit := p.control.slots.Load()
	if limit == p.concurrency { // there are never more; most often this is all that is looked at
		return false
	}
	for {
		n := p.gauges.workers.Load()
		if n <= limit {
			return false
		}
		if p.gauges.workers.CompareAndSwap(n, n-1) {
			// The limit may have been raised meanwhile, so what waits for an idle worker may start
			// a new one.
			p.control.changed.set()
			p.ended.set()
			return true
		}
	}
}

// handNow is hand, and waits for a worker until ctx ends. The guard calls it.
func (p *pool) handNow(ctx context.Context, d *received) bool {
	for !p.hand(d) {
		select {
		case p.jobs <- d:
			return true
		case <-p.ended:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// work is a worker's goroutine; d is its first delivery, nil for a successor. A handler that calls
// runtime.Goexit ends the worker's goroutine, which then starts its successor.
func (p *pool) work(d *received) {
	clean := false
	w := &worker{id: goroutineID()}
	p.register(w, true)
	defer func() {
		p.register(w, false)
		if !clean {
			p.working.Go(func() { p.work(nil) })
		}
	}()
	for {
		if d != nil && d.solo == nil && p.surplus() {
			clean = true
			p.refuse(d)
			return
		}
		if d != nil {
			p.take(w, d)
		}
		if p.surplus() {
			clean = true
			return
		}
		select {
		case d = <-p.jobs:
		case <-p.quit:
			p.gauges.workers.Add(-1)
			clean = true
			return
		}
	}
}

// register notes that a worker begins, or ends.
func (p *pool) register(w *worker, begins bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if begins {
		p.active[w] = struct{}{}
	} else {
		delete(p.active, w)
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

// take handles a delivery, or returns it to the intake if the gate is closed.
func (p *pool) take(w *worker, d *received) {
	if d.solo == nil && !p.gate.enter() {
		p.refuse(d)
		return
	}
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

// refuse returns a delivery to the intake.
func (p *pool) refuse(d *received) {
	p.refusing.Add(1)
	select {
	case p.refused <- d:
	case <-d.from.ctx.Done(): // the delivery is the broker's again
		p.refusing.Add(-1)
		p.control.changed.set() // the intake of another session starts no worker before that
	}
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
	close(p.quit)
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
