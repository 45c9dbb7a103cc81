package sending

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// lane sends messages on one confirm channel after the other. Its goroutine opens a channel, writes
// and closes; that of the channel collects the confirms (flight.go).
type lane struct {
	pipeline *Pipeline     // immutable
	room     account       // places for stuck keys
	wake     chan struct{} // there is something to write

	mu    sync.Mutex     // guards what is below
	again []*Message     // their fate is unknown: they go first, in the order of their first write
	queue fifo[*Message] // not written yet

	// Guarded by the router.
	messages int  // that have this lane
	slow     bool // none of them has had a confirm for stuckAfter
}

func (p *Pipeline) openLane() *lane {
	l := &lane{pipeline: p, room: make(account, max(1, p.window/2)), wake: make(chan struct{}, 1)}
	p.carriers.start(l.run)
	return l
}

// push adds a message behind all others.
func (l *lane) push(m *Message) {
	l.mu.Lock()
	l.queue.push(m)
	l.mu.Unlock()
	l.rouse()
}

// putBack adds a message whose fate is unknown.
func (l *lane) putBack(m *Message) {
	l.mu.Lock()
	i, _ := slices.BinarySearchFunc(l.again, m.order, func(o *Message, order int64) int { return int(o.order - order) })
	l.again = slices.Insert(l.again, i, m)
	l.mu.Unlock()
	l.rouse()
}

// unwritten puts back what next returned and nobody wrote.
func (l *lane) unwritten(m *Message) {
	if m.order > 0 {
		l.putBack(m)
		return
	}
	l.mu.Lock()
	l.queue.unpop(m)
	l.mu.Unlock()
}

func (l *lane) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// next is the message that is to be written next, nil if there is none.
func (l *lane) next() *Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.again) > 0 {
		m := l.again[0]
		l.again = l.again[1:]
		return m
	}
	if l.queue.len() == 0 {
		return nil
	}
	return l.queue.pop()
}

// wait is false at the pipeline's end. It returns when there is something to write.
func (l *lane) wait() bool {
	for {
		l.mu.Lock()
		n := len(l.again) + l.queue.len()
		l.mu.Unlock()
		if n > 0 {
			return l.pipeline.ctx.Err() == nil
		}
		select {
		case <-l.wake:
		case <-l.pipeline.ctx.Done():
			return false
		}
	}
}

// run owns the channels, one after the other, until the pipeline's end.
func (l *lane) run() {
	p := l.pipeline
	defer l.giveUpAll(ErrClosed)
	pause := backoff.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
	for l.wait() {
		session, err := p.link.Session(p.ctx)
		if err != nil {
			if p.ctx.Err() != nil {
				return
			}
			l.giveUpAll(err) // the link is stopped, or the broker does not let us in
			continue
		}
		began := time.Now()
		blamed := l.send(session)
		switch {
		case p.ctx.Err() != nil:
			return
		case blamed:
			continue // an inquiry has who may be to blame, and the others need not wait
		case time.Since(began) > time.Second:
			pause.Reset()
		}
		select {
		case <-session.Done(): // the link has a backoff of its own
			pause.Reset()
		case <-time.After(pause.Next()):
		case <-p.ctx.Done():
			return
		}
	}
}

// send writes on one channel until that ends. It says whether the broker ended it for what was
// sent.
func (l *lane) send(session transport.Session) (isBlamed bool) {
	p := l.pipeline
	f, err := p.fly(p.ctx, session, l)
	if err != nil {
		p.trouble.Store(&err)
		if p.ctx.Err() == nil {
			p.log.Warn("publishing channel ended", "unknown", 0, "err", err)
		}
		return false
	}
	p.trouble.Store(nil)
	l.write(f)
	f.close()
	suspects, innocent := f.suspects()
	unknown := len(suspects) + len(innocent)
	p.putBack(innocent...)
	if f.outcome.cause != nil && p.ctx.Err() == nil || unknown > 1 { // else it was worn out
		p.log.Warn("publishing channel ended", "unknown", unknown, "err", errors.Join(asError(f.outcome.cause)))
	}
	if len(suspects) > 0 {
		p.inquire(suspects, f.outcome.cause, !f.outcome.elsewhere)
	}
	return blamed(f.outcome.cause)
}

// write writes what there is until the channel or the pipeline ends.
func (l *lane) write(f *flight) {
	for {
		m := l.next()
		if m == nil {
			select {
			case <-l.wake:
				continue
			case <-f.dead:
				return
			case <-l.pipeline.ctx.Done():
				return
			}
		}
		if f.wornOut() || !f.write(l.pipeline.ctx, m) {
			if m != f.torn {
				l.unwritten(m)
			}
			return
		}
	}
}

// giveUpAll ends everything that waits.
func (l *lane) giveUpAll(cause error) {
	for m := l.next(); m != nil; m = l.next() {
		l.pipeline.giveUp(cause, m)
	}
}
