package consumer

import (
	"bytes"
	"context"
	"runtime"
	"strconv"
	"sync"
)

// pool runs handlers in at most slots workers, which are started when they are first needed.
type pool struct {
	slots   int                      // immutable
	handle  func(*worker, *received) // immutable
	gate    *gate
	gauges  *gauges
	jobs    chan *received // from the intake and the guard to an idle worker
	refused chan *received // back to the intake: the gate was closed meanwhile
	quit    chan struct{}  // closed by end: idle workers end
	working sync.WaitGroup // workers
}

func newPool(slots int, g *gauges, handle func(*worker, *received)) *pool {
	return &pool{
		slots: slots, handle: handle, gate: newGate(), gauges: g,
		jobs: make(chan *received), refused: make(chan *received), quit: make(chan struct{}),
	}
}

// worker is a goroutine that runs handlers, one after the other, until the consumer stops.
type worker struct {
	id string // of its goroutine, to find its stack
}

// hand gives a delivery to an idle worker, or to a new one. It is false if all are busy. The intake and the guard
// call it.
func (p *pool) hand(d *received) bool {
	select {
	case p.jobs <- d:
		return true
	default:
	}
	if int(p.gauges.workers.Add(1)) > p.slots {
		p.gauges.workers.Add(-1)
		return false
	}
	p.working.Go(func() { p.work(d) })
	return true
}

// handNow is hand for a delivery that waits for a worker until ctx ends.
func (p *pool) handNow(ctx context.Context, d *received) bool {
	if p.hand(d) {
		return true
	}
	select {
	case p.jobs <- d:
		return true
	case <-ctx.Done():
		return false
	}
}

// work is a worker's life. A handler that calls runtime.Goexit ends its worker, and another takes its place.
func (p *pool) work(d *received) {
	clean := false
	defer func() {
		if clean {
			p.gauges.workers.Add(-1)
			return
		}
		p.working.Go(func() { p.work(nil) })
	}()
	w := &worker{id: goroutineID()}
	for {
		if d != nil {
			p.take(w, d)
		}
		select {
		case d = <-p.jobs:
		case <-p.quit:
			clean = true
			return
		}
	}
}

// take handles a delivery, unless it may not enter the gate.
func (p *pool) take(w *worker, d *received) {
	if d.solo == nil && !p.gate.enter() {
		select {
		case p.refused <- d:
		case <-d.from.ctx.Done(): // it is the broker's again
		}
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

// leave counts a delivery out of the gate, once: its handler has returned, or is stuck.
func (p *pool) leave(d *received) {
	if d.solo == nil && d.left.CompareAndSwap(false, true) {
		p.gate.leave()
	}
}

// end ends the workers when they are idle, and waits for them.
func (p *pool) end() {
	close(p.quit)
	p.working.Wait()
}

// goroutineID reads the number that stack traces show. It is good for nothing else.
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

// stack is what the worker's goroutine does at this moment.
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
