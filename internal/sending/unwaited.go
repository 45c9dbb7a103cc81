package sending

import (
	"context"
	"time"
)

// unwaited are the asynchronous messages in flight: nobody waits for them in Wait, so they end with
// their context and at their due time here. One timer and one hook on each context do that for all
// of them. The roster guards it.
type unwaited struct {
	limited   chain // those with a due time to come, in the order of it
	unlimited chain

	timer   *time.Timer // for the first of the limited; nil before there was one
	ringsAt time.Time   // when the timer rings, zero if it is not set

	latest *watch // nil if it watches nothing any more
}

// watch ends the asynchronous messages of one context when that ends.
type watch struct {
	ctx   context.Context // immutable
	stop  func() bool     // immutable
	first *Message        // of those in flight, linked by their mates
	ended bool            // the context has ended, and who had it by then is being told
}

// mates are the messages before and after one among those of its watch. Each watch has its own, so
// that the end of a context costs what its own messages cost.
type mates struct{ prev, next *Message }

func (w *watch) add(m *Message) {
	m.watch, m.mates = w, mates{next: w.first}
	if w.first != nil {
		w.first.mates.prev = m
	}
	w.first = m
}

func (w *watch) remove(m *Message) {
	if m.mates.prev != nil {
		m.mates.prev.mates.next = m.mates.next
	} else {
		w.first = m.mates.next
	}
	if m.mates.next != nil {
		m.mates.next.mates.prev = m.mates.prev
	}
	m.watch, m.mates = nil, mates{}
}

// enter adds a message.
func (u *unwaited) enter(ctx context.Context, m *Message) {
	u.chain(m).insert(m)
	if ctx.Done() != nil {
		u.watching(ctx, m.pipeline).add(m)
	}
	if !m.due.IsZero() && (u.ringsAt.IsZero() || m.due.Before(u.ringsAt)) {
		u.ring(m.due, m.pipeline)
	}
}

// leave removes a message.
func (u *unwaited) leave(m *Message) {
	u.chain(m).remove(m)
	w := m.watch
	if w == nil {
		return
	}
	if w.remove(m); w.first == nil {
		w.stop()
		if u.latest == w {
			u.latest = nil
		}
	}
}

func (u *unwaited) chain(m *Message) *chain {
	if m.due.IsZero() {
		return &u.unlimited
	}
	return &u.limited
}

// watching returns the watch of a context. Messages that follow each other mostly have the same.
func (u *unwaited) watching(ctx context.Context, p *Pipeline) *watch {
	if w := u.latest; w != nil && !w.ended && w.ctx.Done() == ctx.Done() {
		return w
	}
	w := &watch{ctx: ctx}
	w.stop = context.AfterFunc(ctx, func() { abandonAll(p.because(ctx), p.roster.watched(w)) })
	u.latest = w
	return w
}

// ring sets the timer.
func (u *unwaited) ring(at time.Time, p *Pipeline) {
	u.ringsAt = at
	if u.timer == nil {
		u.timer = time.AfterFunc(time.Until(at), func() { abandonAll(p.why(overdue(p.limit)), p.roster.late()) })
		return
	}
	u.timer.Reset(time.Until(at))
}

// late returns the asynchronous messages whose time is over. The timer calls it.
func (r *roster) late() (late []*Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.ringsAt = time.Time{}
	for m := r.limited.first; m != nil; m = r.limited.first {
		if m.due.After(now) {
			r.ring(m.due, m.pipeline)
			break
		}
		// It may be in flight for long, and is not late again.
		r.limited.remove(m)
		m.due = time.Time{}
		r.unlimited.insert(m)
		late = append(late, m)
	}
	return late
}

// watched returns the messages of a context that has ended.
func (r *roster) watched(w *watch) (watched []*Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.ended = true
	for m := w.first; m != nil; m = m.mates.next {
		watched = append(watched, m)
	}
	return watched
}

// abandon ends the asynchronous messages. Of others the caller does that, in Wait.
func (r *roster) abandon(cause error) {
	r.mu.Lock()
	all := r.all()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	abandonAll(cause, all)
}

func (u *unwaited) all() (all []*Message) {
	for _, c := range []*chain{&u.limited, &u.unlimited} {
		for m := c.first; m != nil; m = m.next {
			all = append(all, m)
		}
	}
	return all
}

func abandonAll(cause error, messages []*Message) {
	for _, m := range messages {
		m.abandon(cause)
	}
}

// chain is a list of messages, linked by themselves, in the order of their due times.
type chain struct{ first, last *Message }

// insert adds a message behind those that are due before it. Mostly that is the end.
func (c *chain) insert(m *Message) {
	m.prev, m.next = c.last, nil
	for m.prev != nil && m.due.Before(m.prev.due) {
		m.prev, m.next = m.prev.prev, m.prev
	}
	if m.prev != nil {
		m.prev.next = m
	} else {
		c.first = m
	}
	if m.next != nil {
		m.next.prev = m
	} else {
		c.last = m
	}
}

func (c *chain) remove(m *Message) {
	if m.prev != nil {
		m.prev.next = m.next
	} else {
		c.first = m.next
	}
	if m.next != nil {
		m.next.prev = m.prev
	} else {
		c.last = m.prev
	}
	m.prev, m.next = nil, nil
}
