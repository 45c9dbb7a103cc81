package sending

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/fifo"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// lane sends messages on one confirm channel after the other. Its goroutine opens a channel, writes
// and closes; that of the channel collects the confirms (flight.go).
type lane struct {
	pipeline *Pipeline     // immutable
	room     account       // places for stuck keys
	wake     chan struct{} // there is something to write
	ended    chan struct{} // closed when the lane takes no more messages

	mu    sync.Mutex           // guards what is below
	over  bool                 // ended is closed
	again []*Message           // their fate is unknown: they go first, in the order of their first write
	queue fifo.Queue[*Message] // not written yet

	// Guarded by the router.
	messages int  // that have this lane
	own      bool // of keys that are apart: it was made for one, or the shared lane was left to one
}

func (p *Pipeline) openLane(isOwn bool) *lane {
	l := &lane{
		pipeline: p, own: isOwn,
		room: make(account, max(1, p.window/8)), wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	p.carriers.start(l.run)
	return l
}

// push adds a message behind all others. It is false if the lane has ended.
func (l *lane) push(m *Message) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.queue.Push(m)
		l.rouse()
	}
	return !l.over
}

// putBack adds a message again: before what was never written, if its fate is unknown. It is false
// if the lane has ended.
func (l *lane) putBack(m *Message) bool {
	if m.order == 0 {
		return l.push(m)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		i, _ := slices.BinarySearchFunc(l.again, m.order, func(o *Message, order int64) int { return int(o.order - order) })
		l.again = slices.Insert(l.again, i, m)
		l.rouse()
	}
	return !l.over
}

// unwritten puts back what next returned and nobody wrote.
func (l *lane) unwritten(m *Message) {
	l.mu.Lock()
	if m.order > 0 || l.over {
		l.mu.Unlock()
		l.pipeline.putBack(m)
		return
	}
	l.queue.Unpop(m)
	l.mu.Unlock()
}

// end lets the lane take no more messages, and returns those that are not written.
func (l *lane) end() (rest []*Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.over = true
		close(l.ended)
	}
	rest = append(l.again, l.queue.Left()...)
	l.again, l.queue = nil, fifo.Queue[*Message]{}
	return rest
}

// others takes out what is not written and not of this key.
func (l *lane) others(k key) (rest []*Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	takeOut := func(m *Message) bool {
		if m.key() != k {
			rest = append(rest, m)
		}
		return m.key() != k
	}
	l.again = slices.DeleteFunc(l.again, takeOut)
	l.queue.Drop(takeOut)
	return rest
}

// ease takes the places of what is not written off the window.
func (l *lane) ease() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.again {
		l.pipeline.ease(m, l)
	}
	for _, m := range l.queue.Left() {
		l.pipeline.ease(m, l)
	}
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
	if l.queue.Len() == 0 {
		return nil
	}
	return l.queue.Pop()
}

// wait is false at the end of the lane or the pipeline. It returns when there is something to
// write.
func (l *lane) wait() bool {
	for {
		l.mu.Lock()
		n := len(l.again) + l.queue.Len()
		l.mu.Unlock()
		if n > 0 {
			return l.pipeline.ctx.Err() == nil
		}
		select {
		case <-l.wake:
		case <-l.ended:
			return false
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
	if l.isOver() {
		f.settled(p.ctx, untilItEnds)
	}
	f.close()
	suspects, innocent := f.suspects()
	unknown := len(suspects) + len(innocent)
	p.putBack(innocent...)
	if f.outcome.cause != nil && p.ctx.Err() == nil && !l.isOver() || unknown > 1 { // else it was worn out
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
		var m *Message
		if f.hasRoom() {
			m = l.next()
		}
		if m == nil {
			select {
			case <-l.wake:
				continue
			case <-f.more:
				continue
			case <-l.ended:
				return
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

// untilItEnds is how long a lane that has ended waits for what it has in flight.
const untilItEnds = 24 * time.Hour

func (l *lane) isOver() bool { return isClosed(l.ended) }

// giveUpAll ends everything that waits.
func (l *lane) giveUpAll(cause error) {
	for m := l.next(); m != nil; m = l.next() {
		l.pipeline.giveUp(cause, m)
	}
}
